"""What an attack is: the points that it has, what it sees, what it reaches. An attack is one entry of a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecgsynth.metrics.attacks.figures import auc, auc_error

__all__ = ["MOST_MEMBERS", "Area", "Attack", "Density", "Draw", "Exposure", "Points", "Shadow", "attacked"]

MOST_MEMBERS = 2000  # points learnt from, and as many unseen ones, that an attacker is to distinguish

Values = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Real data as an attacker has it.

    Parameters
    ----------
    values
        (n, ...) windows, or rows as points between which there are distances.
    kinds
        (n,) the class of each as a code; None where there is one class.
    owners
        (n,) the person of each, as a name or code; None where persons are not known.
    places
        (n,) where each stands among all points, in order of time; None where that is not known.

    """

    values: Values
    kinds: NDArray[np.int64] | None = None
    owners: NDArray[Any] | None = None
    places: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: NDArray[np.int64]) -> Self:
        """The points at ``index``, with all that is known of them."""
        kinds, owners, places = (
            None if column is None else column[index] for column in (self.kinds, self.owners, self.places)
        )
        return type(self)(values=self.values[index], kinds=kinds, owners=owners, places=places)

    def of_each_kind(self, counts: Sequence[int], rng: np.random.Generator) -> Self:
        """``counts[code]`` points of each kind, drawn at random, sorted by kind."""
        kinds = np.zeros(len(self), dtype=np.int64) if self.kinds is None else self.kinds
        drawn = [rng.permutation(np.flatnonzero(kinds == code))[:count] for code, count in enumerate(counts)]
        return self.take(np.concatenate(drawn))

    def counts(self, kinds: int) -> NDArray[np.int64]:
        """(kinds,) how many points there are of each kind."""
        return np.bincount(np.zeros(len(self), dtype=np.int64) if self.kinds is None else self.kinds, minlength=kinds)


Draw = Callable[[int, int], Points]  # (n, seed) -> n synthetic points
Density = Callable[[Values, NDArray[np.int64]], float]  # (a person's points, their classes) -> log density
Shadow = Callable[[Sequence[Any], int], Draw]  # (owners, seed) -> what a generator that learns from them makes


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """What an attacker sees, and the points that it is to find.

    Parameters
    ----------
    synthetic
        (m, ...) what was released; the more, the better for the attacker.
    learnt, unseen
        What the generator was trained on, and what it never saw.
    distance
        ``distance(queries, against)`` gives (n,) how far each query is from the nearest of ``against``.
    seed
        Draws the points that are attacked. Each attack draws by itself, so that another attack changes no figures.
    most
        How many of both are attacked.
    kinds
        (m,) the class of each synthetic point; None where there is one class.
    later
        Points of those learnt from that were not learnt themselves, as an attacker may come by; None if there are none.
    centres
        (k, ...) what stands in the file and looks like points; None where nothing was found.
    shadow
        Fits the same kind of generator to other people; None where that takes too long.
    population
        Of a generator of people, gives the population that it learns from some people: of members, that in the file.

    """

    synthetic: Values
    learnt: Points
    unseen: Points
    distance: Callable[[Values, Values], Floats]
    seed: int = 0
    most: int = MOST_MEMBERS
    kinds: NDArray[np.int64] | None = None
    later: Points | None = None
    centres: Values | None = None
    shadow: Shadow | None = None
    population: Callable[[Sequence[Any]], Density] | None = None

    @cached_property
    def alike(self) -> tuple[Points, Points]:
        """Members and others, equally many of each kind, at most ``most``: an attacker must not learn from the kind.

        The shares of the kinds are those of the unseen points, as far as both have enough.
        """
        rng = np.random.default_rng(self.seed)
        others = self.unseen.take(rng.permutation(len(self.unseen))[: self.most])
        codes = [points.kinds.max(initial=0) for points in (self.learnt, others) if points.kinds is not None]
        kinds = 1 + int(max(codes, default=0))
        counts = np.minimum(others.counts(kinds), self.learnt.counts(kinds)).tolist()
        return self.learnt.of_each_kind(counts, rng), others.of_each_kind(counts, rng)

    @cached_property
    def nearness(self) -> tuple[Floats, Floats]:
        """(n,) for each of ``alike``, how near a synthetic point comes to it: less its distance."""
        members, others = self.alike
        return -self.distance(members.values, self.synthetic), -self.distance(others.values, self.synthetic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """What an attack reached.

    Parameters
    ----------
    value
        How often it finds the member of a pair: 0.5 is best, 1 is worst.
    error
        The standard error of ``value``.
    counts
        How many were attacked, by their keys in metrics.json.

    """

    value: float
    error: float
    counts: dict[str, int]

    @classmethod
    def of_scores(cls, members: Floats, others: Floats, counts: dict[str, int]) -> Self:
        """That of an attacker that takes points with higher scores for members."""
        value = auc(members, others)
        return cls(value=value, error=auc_error(value, len(members), len(others)), counts=counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One attack.

    Parameters
    ----------
    name
        What its keys in metrics.json begin with: ``_auc`` and ``_auc_error`` follow.
    title
        What reports call it.
    unit
        What it finds: "window", "person" or "row".
    run
        Tries it; None where it cannot be tried.

    """

    name: str
    title: str
    unit: str
    run: Callable[[Exposure], Area | None]


def attacked(exposure: Exposure, attacks: Sequence[Attack]) -> dict[str, Any]:
    """What all attacks that could be tried reached, as it stands in metrics.json."""
    found: dict[str, Any] = {}
    for attack in attacks:
        area = attack.run(exposure)
        if area is not None:
            found |= {f"{attack.name}_auc": area.value, f"{attack.name}_auc_error": area.error, **area.counts}
    return found
