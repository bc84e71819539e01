"""The seed contract: which random numbers row i of a seed is made from, and person p.

Row ``i`` of seed ``s`` is the same whatever the batch size, the number of workers or the language. The
numbers come from the counter-based generator Philox4x64-10 (Salmon et al., "Parallel random numbers: as
easy as 1, 2, 3", SC 2011) as numpy has it, so a row's numbers are found without drawing those before it.
Persons have a stream of their own: person ``p`` reads the key ``s + 2**64`` as a row reads the key ``s``. So has each
long series: series ``i`` reads the key ``s + 2**65`` from the counter ``i * 2**64`` on, a draw for each window joined.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ConfigError

__all__ = ["RowNoise", "check_number", "person_noise", "persons_of_rows", "pick_labels", "row_noise", "series_noise"]

BLOCK = 4  # one step of the counter yields four 64-bit draws
MAX_SEED = 2**64 - 1
OF_PERSONS = 1 << 64  # added to the key of a seed: persons have draws of their own
OF_SERIES = 2 << 64  # as do long series
DRAWN_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class RowNoise:
    """The noise of consecutive rows.

    Parameters
    ----------
    uniform
        (n, noise_dim) float32, each strictly between 0 and 1.
    label
        (n,) float64 in (0, 1), picks the class of a row for which no class is asked.

    """

    uniform: NDArray[np.float32]
    label: NDArray[np.float64]


def check_number(n: int, called: str) -> None:
    """Raise ConfigError for a number of windows or rows, as they are ``called``, that is no whole number from 1 up."""
    if not is_whole(n) or n < 1:
        raise ConfigError(f"the number of {called} must be at least 1, got {n!r}")


def is_whole(number: object) -> bool:
    """Whether it is a whole number, and no truth value."""
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def row_noise(seed: int, rows: range, noise_dim: int) -> RowNoise:
    """Noise of some rows of a seed, the same whatever other rows are drawn with them.

    Parameters
    ----------
    seed
        0 to 2**64 - 1.
    rows
        Consecutive positions from 0 up.
    noise_dim
        Uniform numbers a row.

    Raises
    ------
    ConfigError
        For a seed outside that range, or rows that are not consecutive or negative.

    """
    check_seed(seed)
    if rows.step != 1 or rows.start < 0:
        raise ConfigError(f"rows must be consecutive and not negative, got {rows}")
    blocks = -(-(noise_dim + 1) // BLOCK)
    stream = np.random.Philox(key=seed, counter=rows.start * blocks)
    draws = stream.random_raw(len(rows) * blocks * BLOCK).reshape(len(rows), blocks * BLOCK)
    return RowNoise(
        uniform=to_uniform(draws[:, :noise_dim]).astype(np.float32),
        label=to_uniform(draws[:, noise_dim]),
    )


def person_noise(seed: int, persons: NDArray[np.int64], person_dim: int) -> NDArray[np.float32]:
    """(n, person_dim) float32 in (0, 1): what some persons of a seed are made from, wherever they are asked for.

    Parameters
    ----------
    seed
        0 to 2**64 - 1.
    persons
        (n,) their numbers, from 0 up, each as often as it is wanted.
    person_dim
        Uniform numbers a person.

    Raises
    ------
    ConfigError
        For a seed outside that range, or a negative person.

    """
    check_seed(seed)
    if persons.min(initial=0) < 0:
        raise ConfigError(f"persons are numbered from 0 up, got {persons.min()}")
    blocks = -(-person_dim // BLOCK)
    numbers, where = np.unique(persons, return_inverse=True)
    first = np.flatnonzero(np.diff(numbers, prepend=-2) != 1)  # where a run of consecutive persons begins
    draws = [
        np.random.Philox(key=seed + OF_PERSONS, counter=int(run[0]) * blocks).random_raw(len(run) * blocks * BLOCK)
        for run in np.split(numbers, first[1:])
    ]
    found = np.concatenate(draws).reshape(len(numbers), blocks * BLOCK)[:, :person_dim]
    return to_uniform(found).astype(np.float32)[where]


def series_noise(seed: int, series: int) -> Iterator[float]:
    """Numbers in (0, 1) without end, by which one long series of a seed picks what it goes on with."""
    check_seed(seed)
    stream = np.random.Philox(key=seed + OF_SERIES, counter=series << 64)
    while True:
        yield from to_uniform(stream.random_raw(DRAWN_AT_ONCE)).tolist()


def persons_of_rows(rows: range, people: int | Sequence[int] | None) -> NDArray[np.int64]:
    """(n,) the number of the person that each row is of.

    Parameters
    ----------
    rows
        Consecutive positions.
    people
        So many persons, numbered from 0, or those of these numbers, in turn; None: every row is of another person.

    Raises
    ------
    ConfigError
        For fewer than one person, or numbers that are none.

    """
    places = np.arange(rows.start, rows.stop, dtype=np.int64)
    if people is None:
        return places
    if is_whole(people):
        check_number(people, "people")  # type: ignore[arg-type]
        return places % people
    numbers = list(people) if isinstance(people, Sequence | np.ndarray) else []
    if not numbers or not all(is_whole(number) and number >= 0 for number in numbers):
        raise ConfigError(f"people is how many there are, or their numbers from 0 up, got {people!r}")
    return np.asarray(numbers, dtype=np.int64)[places % len(numbers)]


def check_seed(seed: int) -> None:
    """Raise ConfigError for what is no seed."""
    if not is_whole(seed) or not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"a seed is a whole number from 0 to 2**64 - 1, got {seed}")


def to_uniform(draws: NDArray[np.uint64]) -> NDArray[np.float64]:
    """The top 23 bits of each draw as a number in (0, 1) that float32 holds exactly."""
    uniform: NDArray[np.float64] = ((draws >> np.uint64(41)).astype(np.float64) + 0.5) * 2.0**-23
    return uniform


def pick_labels(uniform: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) classes for uniforms (n,) in (0, 1): the first whose cumulative share exceeds the uniform."""
    cumulative = np.cumsum(shares)
    found: NDArray[np.int64] = np.searchsorted(cumulative, uniform * cumulative[-1], side="right").astype(np.int64)
    return found
