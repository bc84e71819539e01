"""The persons whom an audit attacks, and what the attacker has of them: beats, and those of other people to compare.

Members and others are attacked alike: with at most as many beats, that the generator did not learn from, and beside
equally many people whom it did not learn from either.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ecgsynth.metrics.attacks.base import Exposure, Points
from ecgsynth.metrics.attacks.neighbours import codes_of

__all__ = [
    "FEWEST_PERSONS",
    "MOST_BEATS",
    "Scores",
    "Targets",
    "compared_scores",
    "late",
    "mean_scores",
    "people_of",
    "rows_of",
    "targets_of",
]

FEWEST_PERSONS = 5  # members, and people outside, that an attack on persons needs
MOST_BEATS = 100  # of a person, that the attacker has
MOST_REFERENCE = 300  # of a person outside and a class, that others are compared with
LATE_SHARE = 0.15  # of an outside person's beats, the last in time: from there are those that the attacker has

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


class Scores(Protocol):
    """(targets,) scores by the beats ``first`` to ``end`` of each person.

    ``compared`` (targets, people): whom each is compared with, where that is not ``Targets.compared``.
    """

    def __call__(self, first: int, end: int, compared: NDArray[np.bool_] | None = None) -> Floats: ...


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Who is attacked, and with what.

    Parameters
    ----------
    exposure
        What the attacker sees.
    beats
        (n,) the attacked persons' beats; their owners are numbers of targets.
    turns
        (n,) the number of each beat among those of its person, in random order.
    members
        (targets,) whether the generator learnt from each.
    names
        (targets,) the person of each.
    reference
        (r,) beats of people outside; their owners are numbers of people.
    compared
        (targets, people) whom each is compared with: all but himself; of a member, all but somebody at random.
    learnt
        Whether some members' beats are ones that the generator learnt from, as there are no others.

    """

    exposure: Exposure
    beats: Points
    turns: Codes
    members: NDArray[np.bool_]
    names: NDArray[Any]
    reference: Points
    compared: NDArray[np.bool_]
    learnt: bool

    @property
    def whose(self) -> Codes:
        """(n,) the target of each beat."""
        return np.asarray(self.beats.owners)

    @property
    def synthetic(self) -> Points:
        """(m,) what was released."""
        return Points(values=self.exposure.synthetic, kinds=self.exposure.kinds)

    @property
    def most(self) -> int:
        """How many beats of a person the attacker has: as many of members as of others, or the scores are not alike."""
        return int(self.turns.max()) + 1


def people_of(exposure: Exposure) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """The names of members and of people outside; None where persons are not known."""
    if exposure.learnt.owners is None or exposure.unseen.owners is None:
        return None
    members = np.unique(exposure.learnt.owners)
    return members, np.setdiff1d(np.unique(exposure.unseen.owners), members)


def targets_of(exposure: Exposure) -> Targets | None:
    """Who can be attacked; None where persons are not known, or fewer than FEWEST_PERSONS are in or out."""
    found = people_of(exposure)
    if found is None or min(map(len, found)) < FEWEST_PERSONS:
        return None
    (inside, outside), rng = found, np.random.default_rng(exposure.seed)
    later = {} if exposure.later is None else rows_of(exposure.later.owners)
    learnt, unseen = rows_of(exposure.learnt.owners), rows_of(exposure.unseen.owners)
    sources: list[tuple[Points, Codes]] = []
    for name in inside.tolist():
        held = exposure.later is not None and name in later
        sources.append((exposure.later, later[name]) if exposure.later and held else (exposure.learnt, learnt[name]))
    sources += [(exposure.unseen, late(unseen[name])) for name in outside.tolist()]
    counts = [len(rows) for _, rows in sources]
    most = min(MOST_BEATS, *(int(np.median(side)) for side in (counts[: len(inside)], counts[len(inside) :])))
    picked = [(source, rng.permutation(rows)[:most]) for source, rows in sources]
    whose = np.repeat(np.arange(len(picked)), [len(rows) for _, rows in picked])
    compared = np.ones((len(inside) + len(outside), len(outside)), dtype=bool)
    compared[np.arange(len(inside)), rng.integers(len(outside), size=len(inside))] = False
    compared[len(inside) + np.arange(len(outside)), np.arange(len(outside))] = False
    return Targets(
        exposure=exposure,
        beats=joined([source.take(rows) for source, rows in picked], whose),
        turns=np.concatenate([np.arange(len(rows)) for _, rows in picked]),
        members=np.arange(len(compared)) < len(inside),
        names=np.concatenate([inside, outside]),
        reference=reference(exposure.unseen, [unseen[name] for name in outside.tolist()], rng),
        compared=compared,
        learnt=any(name not in later for name in inside.tolist()),
    )


def rows_of(owners: NDArray[Any] | None) -> dict[Any, Codes]:
    """By person, the positions of his points, in order."""
    owners = np.asarray(owners)
    names, codes = np.unique(owners, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(names) + 1)).tolist()
    return {name: order[starts[place] : starts[place + 1]] for place, name in enumerate(names.tolist())}


def late(rows: Codes) -> Codes:
    """The last LATE_SHARE in time, or more so that there are MOST_BEATS, but then no more than half."""
    return rows[len(rows) - max(int(LATE_SHARE * len(rows)), min(MOST_BEATS, (len(rows) + 1) // 2)) :]


def reference(unseen: Points, people: list[Codes], rng: np.random.Generator) -> Points:
    """At most MOST_REFERENCE points of each person and class; their owners are numbers of people."""
    kinds = codes_of(unseen)
    picked, whose = [], []
    for number, rows in enumerate(people):
        for code in np.unique(kinds[rows]):
            some = rng.permutation(rows[kinds[rows] == code])[:MOST_REFERENCE]
            picked.append(some)
            whose.append(np.full(len(some), number))
    return joined([unseen.take(np.concatenate(picked))], np.concatenate(whose))


def joined(pieces: list[Points], owners: NDArray[Any]) -> Points:
    """Points one after another, with other owners."""
    kinds = [piece.kinds for piece in pieces if piece.kinds is not None]
    values = np.concatenate([piece.values for piece in pieces])
    return Points(values=values, kinds=np.concatenate(kinds) if kinds else None, owners=owners)


def mean_scores(values: Floats, targets: Targets) -> Scores:
    """Scores of persons as the mean of their beats' (n,), whoever is compared; NaN where no beat has a number."""

    def scores(first: int, end: int, compared: NDArray[np.bool_] | None = None) -> Floats:
        used = (targets.turns >= first) & (targets.turns < end) & np.isfinite(values)
        sizes = np.bincount(targets.whose[used], minlength=len(targets.members))
        sums = np.bincount(targets.whose[used], values[used], minlength=len(targets.members))
        means: Floats = np.divide(sums, sizes, out=np.full(len(sizes), np.nan), where=sizes > 0)
        return means

    return scores


def compared_scores(values_of: Callable[[NDArray[np.bool_]], Floats], targets: Targets) -> Scores:
    """The same of values (n,) that hang on whom each target is compared with."""
    usual = mean_scores(values_of(targets.compared), targets)

    def scores(first: int, end: int, compared: NDArray[np.bool_] | None = None) -> Floats:
        return (usual if compared is None else mean_scores(values_of(compared), targets))(first, end)

    return scores
