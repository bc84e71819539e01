"""Copies, and who was among the windows learnt from, by the distance to the nearest synthetic window.

A distance is a necessary check, not a proof: data that pass it can still lose to a membership attack ("The DCR
Delusion", 2025). It finds copies. An attack is one entry of a table: reports print each that was tried.
"""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.metrics.attacks.base import MOST_MEMBERS, Area, Attack, Exposure, Points
from ecgsynth.metrics.waveforms import nearest
from ecgsynth.windows.windows import Windows

__all__ = ["ATTACKS", "exposure_of_windows", "membership", "nearest_distance", "person_membership", "privacy"]

Values = NDArray[np.float32]
Floats = NDArray[np.float64]

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


# ---- distances


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
