"""Whom an audit of a table attacks, and what the attacker has: rows of members and of outside persons, synthetic rows.

The unit is the person; where no person is named, each row is one. Half of the outside persons are the reference, with
whom targets of both kinds are compared, and are no targets themselves: were they, two of them who are alike would lower
each other's scores, and an interval over persons would be too narrow.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgsynth.errors import require

from ..encoding.canonical import points

__all__ = ["Crowd", "Shadow", "Targets", "gathered", "nearest_places", "of_persons"]

MOST_POOL_ROWS = 30_000  # of members, and of outside persons, among whom somebody is singled out
MOST_TARGETS = 2_000  # persons of both kinds that are attacked by distances
MOST_ROWS = 100  # of a person, that the attacker has
MOST_TARGET_ROWS = 8_000  # of all targets
MOST_REFERENCE_ROWS = 10_000  # of outside persons, with whom targets are compared

Rows = NDArray[np.float32]
Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Shadow = Callable[[Codes, int], pd.DataFrame]


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Who is attacked.

    Parameters
    ----------
    rows
        (n,) the targets' rows, as positions among the real ones.
    whose
        (n,) the target of each.
    turns
        (n,) the number of each row among those of its person, in random order.
    members
        (targets,) whether each was learnt from.
    reference
        (r,) rows of other outside persons, as positions among the real ones.

    """

    rows: Codes
    whose: Codes
    turns: Codes
    members: NDArray[np.bool_]
    reference: Codes

    @property
    def most(self) -> int:
        """How many rows the attacker has of half of the persons or more."""
        return int(np.median(np.bincount(self.whose, minlength=len(self.members))))

    def first(self, count: int) -> NDArray[np.bool_]:
        """(n,) whether a row is among the first so many of its person."""
        found: NDArray[np.bool_] = self.turns < count
        return found


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """Real and synthetic rows.

    Parameters
    ----------
    real, made
        Canonical tables of real rows and of synthetic ones.
    numbers
        Names of the columns that are numbers; the others are categories.
    whose
        (n,) the person of each real row, as a number below that of persons.
    inside
        (persons,) whether each was learnt from.
    places
        (n,) which row of the members' table each real row is, or of the outside persons' counted on from there.
    seed
        Of all that is drawn; each attack draws by itself, so that another one changes no figure.
    shadow
        Gives synthetic rows of a model that was fitted to these positions of real ones, by a seed; None where fitting
        one takes long.

    """

    real: pd.DataFrame
    made: pd.DataFrame
    numbers: tuple[str, ...]
    whose: Codes
    inside: NDArray[np.bool_]
    places: Codes
    seed: int
    shadow: Shadow | None = None

    @cached_property
    def blocks(self) -> dict[str, tuple[Rows, Rows]]:
        """Each column's coordinates of the real and of the synthetic rows; numbers are ranks among the real ones."""
        found = {}
        for name in self.real.columns:
            real, made = points([self.real[[name]], self.made[[name]]], self.numbers, "ranks")
            found[name] = (real, made)
        return found

    def coordinates(self, names: Sequence[str]) -> tuple[Rows, Rows]:
        """Give (n, d) and (m, d), the real and the synthetic rows as points, by these columns."""
        sides = zip(*(self.blocks[name] for name in names), strict=True)
        real, made = (np.ascontiguousarray(np.concatenate(side, axis=1)) for side in sides)
        return real, made

    def released(self, made: pd.DataFrame) -> Self:
        """The same crowd and targets, with other synthetic rows."""
        return dataclasses.replace(self, made=made)

    @cached_property
    def everything(self) -> tuple[Rows, Rows]:
        """The coordinates by all columns."""
        return self.coordinates(list(self.real.columns))

    @cached_property
    def targets(self) -> Targets:
        """Who is attacked."""
        rng = np.random.default_rng([self.seed, 1])  # other draws than those of ``gathered``
        inside, outside = (rng.permutation(np.flatnonzero(self.inside == is_in)) for is_in in (True, False))
        beside = np.isin(np.arange(len(self.inside)), outside[: len(outside) // 2])
        reference = rng.permutation(np.flatnonzero(beside[self.whose]))[:MOST_REFERENCE_ROWS]
        people = np.concatenate([inside[:MOST_TARGETS], outside[len(outside) // 2 :][:MOST_TARGETS]])
        number = np.full(len(self.inside), -1)
        number[people] = np.arange(len(people))
        rows = rng.permutation(np.flatnonzero(number[self.whose] >= 0))
        rows = rows[np.argsort(number[self.whose[rows]], kind="stable")]
        whose = number[self.whose[rows]]
        turns = np.arange(len(rows)) - np.searchsorted(whose, whose)
        kept = turns < max(1, min(MOST_ROWS, MOST_TARGET_ROWS // len(people)))
        return Targets(
            rows=rows[kept],
            whose=whose[kept],
            turns=turns[kept],
            members=self.inside[people],
            reference=np.sort(reference),
        )


def gathered(
    members: pd.DataFrame,
    outside: pd.DataFrame,
    made: pd.DataFrame,
    numbers: Sequence[str],
    owners: tuple[Codes, Codes] | None,
    seed: int,
) -> Crowd:
    """A crowd of canonical tables, of at most MOST_POOL_ROWS rows of members and of outside persons.

    Parameters
    ----------
    members, outside, made
        The rows learnt from, rows of others, and synthetic ones.
    numbers
        Names of the columns that are numbers.
    owners
        The person of each row of members and of others, nobody in both; None where each row is a person.
    seed
        Draws persons.

    """
    rng = np.random.default_rng([seed, 0])
    frames, people, places = [], [], []
    for frame, whose in zip((members, outside), owners or (None, None), strict=True):
        codes = np.arange(len(frame)) if whose is None else np.unique(whose, return_inverse=True)[1]
        place = rng.permutation(codes.max(initial=-1) + 1)[codes]  # persons in random order, all rows of each or none
        sizes = np.cumsum(np.bincount(place))
        last = max(1, int(np.searchsorted(sizes, MOST_POOL_ROWS, side="right")))
        kept = np.flatnonzero(place < last)
        frames.append(frame.iloc[kept])
        places.append(kept)
        people.append(np.unique(place[kept], return_inverse=True)[1])
    count = [int(codes.max(initial=-1)) + 1 for codes in people]
    return Crowd(
        real=pd.concat(frames, ignore_index=True),
        made=made,
        numbers=tuple(numbers),
        whose=np.concatenate([people[0], count[0] + people[1]]),
        inside=np.arange(sum(count)) < count[0],
        places=np.concatenate([places[0], len(members) + places[1]]),
        seed=seed,
    )


def of_persons(values: Floats, targets: Targets, rows: int = MOST_ROWS) -> Floats:
    """(targets,) the mean over the first ``rows`` rows of each of ``values`` (n,)."""
    used = targets.first(rows)
    sizes = np.bincount(targets.whose[used], minlength=len(targets.members))
    sums = np.bincount(targets.whose[used], values[used], minlength=len(targets.members))
    return np.asarray(sums / sizes, dtype=np.float64)


def nearest_places(queries: Rows, against: Rows) -> Codes:
    """(n,) which of ``against`` (m, d) is closest to each of ``queries`` (n, d)."""
    neighbours = require("sklearn.neighbors", "measuring distances")
    search = neighbours.NearestNeighbors(n_neighbors=1, algorithm="brute").fit(against)
    found: Codes = search.kneighbors(queries, return_distance=False)[:, 0]
    return found
