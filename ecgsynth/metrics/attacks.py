"""What synthetic data give away of those that the generator learnt from: copies, and who was among them.

A distance is a necessary check, not a proof: data that pass it can still lose to a membership attack ("The DCR
Delusion", 2025). It finds copies. An attack is one entry of a table: reports print each that was tried.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import DataError
from ecgsynth.metrics.waveforms import nearest
from ecgsynth.windows.windows import Windows

__all__ = [
    "ATTACKS",
    "MOST_MEMBERS",
    "Area",
    "Attack",
    "Exposure",
    "Points",
    "attacked",
    "auc",
    "auc_error",
    "exposure_of_windows",
    "membership",
    "nearest_distance",
    "person_membership",
    "privacy",
]

MOST_MEMBERS = 2000  # points learnt from, and as many unseen ones, that an attacker is to distinguish

Values = NDArray[np.float32]
Floats = NDArray[np.float64]


# ---- what an attack is


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

    """

    values: Values
    kinds: NDArray[np.int64] | None = None
    owners: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: NDArray[np.int64]) -> Self:
        """The points at ``index``, with all that is known of them."""
        kinds, owners = (None if column is None else column[index] for column in (self.kinds, self.owners))
        return type(self)(values=self.values[index], kinds=kinds, owners=owners)

    def of_each_kind(self, counts: Sequence[int], rng: np.random.Generator) -> Self:
        """``counts[code]`` points of each kind, drawn at random, sorted by kind."""
        kinds = np.zeros(len(self), dtype=np.int64) if self.kinds is None else self.kinds
        drawn = [rng.permutation(np.flatnonzero(kinds == code))[:count] for code, count in enumerate(counts)]
        return self.take(np.concatenate(drawn))

    def counts(self, kinds: int) -> NDArray[np.int64]:
        """(kinds,) how many points there are of each kind."""
        return np.bincount(np.zeros(len(self), dtype=np.int64) if self.kinds is None else self.kinds, minlength=kinds)


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

    """

    synthetic: Values
    learnt: Points
    unseen: Points
    distance: Callable[[Values, Values], Floats]
    seed: int = 0
    most: int = MOST_MEMBERS

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


# ---- attacks


def membership(unit: str, exposure: Exposure) -> Area:
    """Takes points for members, those learnt from: the nearer a synthetic point is, the more likely.

    References
    ----------
    The full black-box attack of Chen, Yu, Zhang and Fritz, "GAN-Leaks: A Taxonomy of Membership Inference Attacks
    against Generative Models", 2020.

    """
    members, others = exposure.nearness
    return Area.of_scores(members, others, {f"membership_{unit}s": len(members)})


def person_membership(exposure: Exposure) -> Area | None:
    """The same attack on persons, by the mean score of a person's points.

    An area above 0.5 need not be a leak: common data have synthetic points near them in any case.

    Returns
    -------
    None where persons are not known, or one of them is in both parts.

    """
    whose = [points.owners for points in (exposure.learnt, exposure.unseen)]
    if whose[0] is None or whose[1] is None or set(whose[0].tolist()) & set(whose[1].tolist()):
        return None
    members, others = (
        by_person(scores, points.owners) for scores, points in zip(exposure.nearness, exposure.alike, strict=True)
    )
    return Area.of_scores(members, others, {"patients_learnt": len(members), "patients_unseen": len(others)})


def by_person(scores: Floats, owners: NDArray[Any] | None) -> Floats:
    """(persons,) the mean score of each person's points."""
    persons, whose = np.unique(np.asarray(owners), return_inverse=True)
    return np.bincount(whose, scores, len(persons)) / np.bincount(whose, minlength=len(persons))


ATTACKS = (
    Attack(name="membership", title="membership attack", unit="window", run=partial(membership, "window")),
    Attack(name="patient_membership", title="membership attack", unit="person", run=person_membership),
)


def exposure_of_windows(
    synthetic: Values, learnt: Windows, unseen: Windows, *, most: int = MOST_MEMBERS, seed: int = 0
) -> Exposure:
    """What synthetic windows (m, time, channels) expose of those learnt from; distances are in their units."""
    real = [Points(values=one.values, kinds=one.labels, owners=one.groups) for one in (learnt, unseen)]
    return Exposure(
        synthetic=synthetic, learnt=real[0], unseen=real[1], distance=nearest_distance, seed=seed, most=most
    )


# ---- figures


def auc(members: Floats, others: Floats) -> float:
    """How often a member's score is above another's, ties counting half: 0 to 1. DataError if either is missing."""
    if not len(members) or not len(others):
        raise DataError(f"an attack needs members and others, got {len(members)} and {len(others)}")
    ordered = np.sort(others)
    below, upto = (np.searchsorted(ordered, members, side=side).sum() for side in ("left", "right"))
    return float((below + upto) / (2 * len(members) * len(others)))


def auc_error(area: float, members: int, others: int) -> float:
    """The standard error of an area under the curve of so many members and others.

    References
    ----------
    Hanley and McNeil, "The Meaning and Use of the Area under a Receiver Operating Characteristic (ROC) Curve", 1982,
    equations 1 and 2.

    """
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (members - 1) * (first - area**2) + (others - 1) * (second - area**2)
    return float(np.sqrt(max(0.0, spread) / (members * others)))


def nearest_distance(queries: Values, against: Values) -> Floats:
    """Root-mean-square difference of each query to its nearest neighbour.

    Parameters
    ----------
    queries, against
        (n, time, channels) and (m, time, channels).

    Returns
    -------
    (n,) in the units of the values.

    Raises
    ------
    DataError
        If ``against`` is empty.

    """
    gap = queries - against[nearest(queries, against)]
    distance: Floats = np.sqrt(np.square(gap, dtype=np.float64).mean(axis=(1, 2)))
    return distance


def privacy(synthetic: Values, learnt: Values, unseen: Values) -> dict[str, Any]:
    """Distances of synthetic and of unseen real windows to the nearest window learnt from.

    Parameters
    ----------
    synthetic, learnt, unseen
        (n, time, channels) each.

    Returns
    -------
    ratio
        Median synthetic over median unseen; 1 is as near as new real windows come, well below 1 is copying.
    closer_than_unseen
        Share of synthetic windows nearer than all but 1 % of the unseen; 0.01 is what new ones have.
    copies
        Synthetic windows that equal a learnt one to within a thousandth of the median unseen distance.

    """
    made = nearest_distance(synthetic, learnt)
    new = nearest_distance(unseen, learnt)
    return {
        "median_distance_synthetic": float(np.median(made)),
        "median_distance_unseen": float(np.median(new)),
        "ratio": float(np.median(made) / np.median(new)),
        "closer_than_unseen": float((made < np.quantile(new, 0.01)).mean()),
        "copies": int((made < 1e-3 * np.median(new)).sum()),
        "windows_synthetic": len(made),
        "windows_unseen": len(new),
    }
