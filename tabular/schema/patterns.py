"""The format that identifiers share (see core.identifiers for its grammar), found from examples."""

import re
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from ecgsynth.core.identifiers import capacity, escape
from ecgsynth.errors import ConfigError

__all__ = ["number_pattern", "pattern_of"]

SURE_TEXTS = 20  # what is the same in so many texts is taken as literal
TEXTS_A_CHARACTER = 50  # texts needed for each character of a class, so that none is missing by chance
ROOM_TIMES = 100  # times as many numbers as were seen: what a format holds where numbers may be longer than any was
TIGHT_TIMES = 10  # times as many: whole numbers of one length that hold fewer were not meant to be of one length
MOST_DIGITS = 15  # of numbers that are made longer: float64 holds them exactly
LOOSE_CHARACTERS = 2  # by which the length of a part that is no number may vary
CLASSES = ("0-9", "0-9a-f", "0-9A-F", "A-Z", "a-z", "0-9A-Z", "0-9a-z", "A-Za-z", "0-9A-Za-z")
MEMBERS = {
    name: frozenset("".join("".join(map(chr, range(ord(a), ord(b) + 1))) for a, b in re.findall("(.)-(.)", name)))
    for name in CLASSES
}
WORD = re.compile(r"[0-9A-Za-z]+")
RUN = re.compile(r"[0-9]+|[A-Za-z]+")


def number_pattern(texts: Sequence[str] | NDArray[Any]) -> str:
    """The format of whole numbers from 0 up: one that counts up where they count from 0 or 1, else their digits.

    A format that counts up (``1..``) makes numbers that the table has too; they say nothing of a row except its place.
    Any other number may belong to a record: numbers made of digits equal one of the table by chance alone.
    """
    numbers = sorted({abs(int(text)) for text in texts})
    if numbers[0] < 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}.."
    found = [str(number) for number in numbers]
    least, most = len(found[0]), len(found[-1])
    return digits_class(found, widen=least < most or held_by(least, most) < TIGHT_TIMES * len(found))


def pattern_of(texts: Sequence[str] | NDArray[Any]) -> str | None:
    """The format of texts such as PX-00417, UUIDs or postcodes; None where they have none, or it holds too few.

    All have the same marks between words of letters and digits, and each word the same structure.
    """
    columns = split_words(texts)
    if columns is None:
        return None
    marks, words = columns
    form = escape(marks[0])
    for word, mark in zip(words, marks[1:], strict=True):
        part = word_pattern(word)
        if part is None:
            return None
        form += part + escape(mark)
    try:
        holds = capacity(form)
    except ConfigError:
        return None
    numbered = re.search(r"\[[^\]]*0-9[^\]]*\]|\[1-9\]", form) or re.fullmatch(r"(\[A-Z\](\{\d+\})?){1,3}", form)
    return form if numbered and holds >= len(set(texts)) else None


def split_words(texts: Sequence[str] | NDArray[Any]) -> tuple[list[str], list[list[str]]] | None:
    """The marks before, between and after words, and of each word all that stand in its place."""
    marks = WORD.split(texts[0])
    words = []
    for text in texts:
        if WORD.split(text) != marks:
            return None
        words.append(WORD.findall(text))
    return marks, [list(column) for column in zip(*words, strict=True)]


def word_pattern(words: list[str]) -> str | None:
    """The format of the words that stand in one place, or None where they are words of a language."""
    if len(set(words)) == 1:
        return words[0]
    if len({len(word) for word in words}) == 1:
        return fixed_pattern(words)
    runs = [RUN.findall(word) for word in words]
    makes = {tuple(run[0].isdigit() for run in found) for found in runs}
    if len(makes) > 1:
        return loose_class(words)
    parts = [run_pattern(list(column)) for column in zip(*runs, strict=True)]
    return None if None in parts else "".join(part or "" for part in parts)


def run_pattern(runs: list[str]) -> str | None:
    if len(set(runs)) == 1:
        return runs[0]
    return digits_class(runs, widen=len({len(run) for run in runs}) > 1) if runs[0].isdigit() else loose_class(runs)


def held_by(least: int, most: int) -> int:
    """How many numbers have so many digits, none of them a zero in front."""
    return int(10**most - 10 ** (least - 1))


def digits_class(runs: list[str], *, widen: bool = True) -> str:
    """Digits; no zero in front where none has one, and more of them where so few hold less than ROOM_TIMES as many."""
    least, most = min(map(len, runs)), max(map(len, runs))
    if least == most and any(run[0] == "0" for run in runs):
        return f"[0-9]{count(least, most)}"
    if any(run[0] == "0" and len(run) > 1 for run in runs):
        return f"[0-9]{count(least, most)}"
    wanted = ROOM_TIMES * len(set(runs))
    while widen and held_by(least, most) < wanted and most < MOST_DIGITS:
        most += 1
    return "[1-9]" if most == 1 else f"[1-9][0-9]{count(least - 1, most - 1)}"


def loose_class(words: list[str]) -> str | None:
    """One class for words of about one length; None for lower case of varying length, which is language."""
    name = class_of("".join(words))
    least, most = min(map(len, words)), max(map(len, words))
    if most - least > LOOSE_CHARACTERS or (least < most and name in ("a-z", "A-Za-z")):
        return None
    return f"[{name}]{count(least, most)}"


def fixed_pattern(words: list[str]) -> str | None:
    """The format of words of one length, character by character; digits beside each other are one number."""
    places = [frozenset(column) for column in zip(*words, strict=True)]
    varying = [place for place in places if len(place) > 1 or len(words) < SURE_TEXTS]
    mixed = any(any(c.isdigit() for c in place) and any(c.isalpha() for c in place) for place in places)
    common = class_of("".join("".join(place) for place in varying)) if mixed else ""
    names = []
    for at, place in enumerate(places):
        (first, *more) = sorted(place)
        if mixed:
            literal = not more and len(words) >= SURE_TEXTS
            full = (
                len(place) <= 8
                and len(words) >= TEXTS_A_CHARACTER * len(place)
                and len(place) * 2 <= len(MEMBERS[common])
            )
            names.append(first if literal else f"[{''.join(sorted(place))}]" if full else f"[{common}]")
        elif first.isdigit():
            names.append("[0-9]" if number_varies(places, at) else first)
        else:
            names.append(f"[{class_of(''.join(place))}]" if more else first)
    if not mixed and names.count("[a-z]") + names.count("[A-Za-z]") > 2:
        return None  # words of a language that happen to be of one length
    return joined(names)


def number_varies(places: list[frozenset[str]], at: int) -> bool:
    """Whether any digit of the number that the digit at this place belongs to is not the same everywhere."""
    first = last = at
    while first > 0 and "".join(places[first - 1]).isdigit():
        first -= 1
    while last + 1 < len(places) and "".join(places[last + 1]).isdigit():
        last += 1
    return any(len(place) > 1 for place in places[first : last + 1])


def class_of(characters: str) -> str:
    """The narrowest class that holds all of them; one without digits for letters alone."""
    found = set(characters)
    digits = any(character.isdigit() for character in found)
    return next(name for name in CLASSES if found <= MEMBERS[name] and ("0-9" in name) == digits)


def joined(names: list[str]) -> str:
    """Equal neighbours as one class with a count."""
    form, at = "", 0
    while at < len(names):
        length = 1
        while len(names[at]) > 1 and at + length < len(names) and names[at + length] == names[at]:
            length += 1
        form += names[at] + count(length, length)
        at += length
    return form


def count(least: int, most: int) -> str:
    if least == most:
        return "" if least == 1 else f"{{{least}}}"
    return f"{{{least},{most}}}"
