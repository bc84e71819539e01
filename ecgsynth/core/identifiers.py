r"""Identifiers made anew: never learnt, all different, row i the same whatever rows are made with it.

A format is a pattern that every identifier has:

    PX-[0-9]{5}            literal text, then five characters, each one of a class
    [0-9a-f]{8}-[89ab]     a class holds ranges and single characters
    U[1-9][0-9]{0,3}       {m,n}: from m to n characters
    \[[A-Z]\]              a backslash before a character of the grammar ([ ] { } \ -) makes it literal
    1000..                 numbers that count up from there

The standard library and numpy are all that it takes.
"""

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ConfigError

__all__ = ["Format", "capacity", "escape", "make", "parse"]

COUNTER = re.compile(r"(\d{1,15})\.\.")
MOST_COUNTED = 1 << 53  # the largest number that every language holds exactly
MOST_OF_A_LIMB = 1 << 62  # what one part may hold, so that sums of two stay in 64 bits
MOST_NARROW = 1 << 31  # below it, products stay in 64 bits too
ROUNDS = 4
SPECIAL = "[]{}\\"
ITEM = re.compile(
    r"""\[(?P<set>(?:\\.|[^\]\\])+)\](?:\{(?P<least>\d{1,3})(?:,(?P<most>\d{1,3}))?\})?|\\(?P<escaped>.)|(?P<plain>[^\[\]{}\\])""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Part:
    """From ``least`` to ``most`` characters, each out of ``characters``; a literal is one fixed text."""

    characters: str
    least: int
    most: int

    @property
    def size(self) -> int:
        """How many texts it stands for."""
        return sum(len(self.characters) ** length for length in range(self.least, self.most + 1))


@dataclass(frozen=True, slots=True)
class Format:
    """A pattern that was read: its parts, or where it counts up from."""

    text: str
    parts: tuple[Part, ...] = ()
    start: int | None = None


def escape(text: str) -> str:
    """Literal text as it stands in a format."""
    return "".join(f"\\{mark}" if mark in SPECIAL else mark for mark in text)


def parse(form: str) -> Format:
    """The parts of a format; ConfigError for an invalid one, or a part with too many texts."""
    counted = COUNTER.fullmatch(form)
    if counted:
        return Format(form, start=int(counted[1]))
    parts: list[Part] = []
    at = 0
    while at < len(form):
        item = ITEM.match(form, at)
        if item is None:
            raise ConfigError(
                f"the identifier format {form!r} cannot be read at its character {at + 1}, {form[at]!r}; "
                "write classes as [0-9]{5}, and \\ before a character that is meant as it stands"
            )
        parts.extend(parts_of(item, form))
        at = item.end()
    if not parts:
        raise ConfigError("an identifier format cannot be empty; write one such as PX-[0-9]{5}")
    return Format(form, tuple(parts))


def parts_of(item: re.Match[str], form: str) -> list[Part]:
    """A literal, a number of single characters, or the characters of {m,n} as one part."""
    literal = item["escaped"] or item["plain"]
    if literal:
        return [Part(literal, 1, 1)]
    characters = members(item["set"], form)
    least = int(item["least"]) if item["least"] else 1
    most = int(item["most"]) if item["most"] else least
    if most < least:
        raise ConfigError(f"the identifier format {form!r} asks for {least} to {most} characters; swap them")
    if least == most:
        return [Part(characters, 1, 1)] * least
    part = Part(characters, least, most)
    if part.size >= MOST_OF_A_LIMB:
        raise ConfigError(f"in the identifier format {form!r}, {item[0]} stands for too many texts; narrow it")
    return [part]


def members(inside: str, form: str) -> str:
    """The characters of a class, in order: ``0-9a-f`` gives sixteen."""
    marks = re.findall(r"\\.|.", inside, re.DOTALL)
    found: list[str] = []
    at = 0
    while at < len(marks):
        first = marks[at][-1]
        if at + 2 < len(marks) and marks[at + 1] == "-":
            last = marks[at + 2][-1]
            if last < first:
                raise ConfigError(f"the identifier format {form!r} has the range {first}-{last}; swap its ends")
            found.extend(map(chr, range(ord(first), ord(last) + 1)))
            at += 3
        else:
            found.append(first)
            at += 1
    return "".join(sorted(set(found)))


def capacity(form: str) -> int:
    """How many different identifiers a format holds."""
    found = parse(form)
    return MOST_COUNTED - found.start if found.start is not None else math.prod(part.size for part in found.parts)


def make(form: str, rows: range, seed: int) -> NDArray[np.str_]:
    """The identifiers of some rows, all different.

    Row i's is the i-th number of a permutation of all that the format holds, keyed by the seed; a format that counts
    up gives its start + i.

    Parameters
    ----------
    form
        The format.
    rows
        From 0 on.
    seed
        Any whole number.

    Returns
    -------
    NDArray
        (len(rows),) texts.

    Raises
    ------
    ConfigError
        Where a row is beyond what the format holds.

    """
    found, holds = parse(form), capacity(form)
    if len(rows) and max(rows[0], rows[-1]) >= holds:
        raise ConfigError(
            f"the identifier format {form!r} holds {holds:,} identifiers and {max(rows[0], rows[-1]) + 1:,} are asked "
            "for; ask for fewer rows or widen the format in the schema"
        )
    numbers = np.arange(rows.start, rows.stop, rows.step, dtype=np.int64).astype(np.uint64)
    if found.start is not None:
        return (numbers + np.uint64(found.start)).astype(np.str_)
    limbs = limbs_of(found.parts)
    sizes = [math.prod(part.size for part in limb) for limb in limbs]
    values = permute(split_numbers(numbers, sizes), sizes, seed)
    texts = np.full(len(numbers), "", dtype=np.str_)
    for limb, value in zip(limbs, values, strict=True):
        texts = np.char.add(texts, limb_text(limb, value))
    return texts


def limbs_of(parts: tuple[Part, ...]) -> list[list[Part]]:
    """The parts in groups that hold less than MOST_OF_A_LIMB each, about alike: two or more where two can vary."""
    total = math.log2(max(2, math.prod(part.size for part in parts)))
    aim = total / max(2, math.ceil(total / 60))
    groups: list[list[Part]] = [[]]
    for part in parts:
        held = math.prod(other.size for other in groups[-1])
        if held > 1 and part.size > 1 and (held * part.size >= MOST_OF_A_LIMB or math.log2(held) >= aim - 0.5):
            groups.append([])
        groups[-1].append(part)
    return groups


def split_numbers(numbers: NDArray[np.uint64], sizes: list[int]) -> list[NDArray[np.uint64]]:
    """Each number in mixed radix, the last limb turning fastest."""
    limbs = []
    for size in reversed(sizes):
        limbs.append(numbers % np.uint64(size))
        numbers = numbers // np.uint64(size)
    return limbs[::-1]


def permute(limbs: list[NDArray[np.uint64]], sizes: list[int], seed: int) -> list[NDArray[np.uint64]]:
    """A bijection of numbers in mixed radix.

    In each round a limb is multiplied by what its size shares no factor with, and then moved by a hash of the other
    limbs, as in a Feistel network. Either step can be undone.

    References
    ----------
    Luby and Rackoff, "How to construct pseudorandom permutations from pseudorandom functions", SIAM Journal on
    Computing 17, 1988.

    """
    limbs = list(limbs)
    for turn in range(ROUNDS):
        for place, size in enumerate(sizes):
            if size == 1:
                continue
            state = np.full(len(limbs[place]), key_of(seed, turn, place), dtype=np.uint64)
            for other, value in enumerate(limbs):
                if other != place:
                    state = mix(state ^ value)
            wide = np.uint64(size)
            value = limbs[place] * np.uint64(multiplier(seed, turn, place, size)) % wide
            limbs[place] = (value + state % wide) % wide
    return limbs


def multiplier(seed: int, turn: int, place: int, size: int) -> int:
    """A number near the golden share of the size, or more, that has no factor in common with it; 1 for a wide limb."""
    if size >= MOST_NARROW:
        return 1
    found = (int(size * 0.618) + key_of(seed, turn, place + 1000) % max(1, size // 4)) % size
    while math.gcd(found, size) != 1:
        found += 1
    return found


def key_of(seed: int, turn: int, place: int) -> int:
    state = np.array([seed % 2**64], dtype=np.uint64)
    for word in (turn, place):
        state = mix(state ^ np.uint64(word + 1))
    return int(state[0])


def mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def limb_text(parts: list[Part], values: NDArray[np.uint64]) -> NDArray[np.str_]:
    """The text of each value in mixed radix, the last part turning fastest."""
    texts: list[NDArray[np.str_]] = []
    for part in reversed(parts):
        size = np.uint64(part.size)
        texts.append(part_text(part, values % size))
        values = values // size
    joined = np.full(len(values), "", dtype=np.str_)
    for text in reversed(texts):
        joined = np.char.add(joined, text)
    return joined


def part_text(part: Part, values: NDArray[np.uint64]) -> NDArray[np.str_]:
    """Below len(characters)**least, that many characters; then one more; and so on."""
    characters = np.asarray(list(part.characters), dtype=np.str_)
    if part.least == part.most == 1:
        return characters[values.astype(np.int64)]
    texts = np.full(len(values), "", dtype=f"<U{max(1, part.most)}")
    base, rest = np.uint64(len(characters)), values
    done = np.zeros(len(values), dtype=np.bool_)
    for length in range(part.least, part.most + 1):
        here = np.uint64(len(characters) ** length)
        now = ~done & (rest < here)
        number, text = rest[now], np.full(int(now.sum()), "", dtype=np.str_)
        for _ in range(length):
            text = np.char.add(characters[(number % base).astype(np.int64)], text)
            number = number // base
        texts[now] = text
        done |= now
        rest = np.where(done, rest, rest - here)
    return texts
