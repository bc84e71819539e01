"""What synthetic windows give away of those that the generator learnt from: copies, and who was among them.

A distance is a necessary check, not a proof: data that pass it can still lose to a membership attack ("The DCR
Delusion", 2025). It finds copies. The attack here is the simplest there is, and a better one may find more.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import DataError
from ecgsynth.metrics.likeness import nearest
from ecgsynth.windows.windows import Windows

__all__ = ["MEMBERS", "auc", "auc_error", "membership", "membership_auc", "nearest_distance", "privacy"]

MEMBERS = 2000  # windows learnt from, and as many unseen ones, that the attacker is to tell apart


def nearest_distance(queries: NDArray[np.float32], against: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) root-mean-square difference, in the units of the values, of each query to its nearest neighbour.

    queries: (n, time, channels); against: (m, time, channels). DataError where there is nothing to be near to.
    """
    gap = queries - against[nearest(queries, against)]
    distance: NDArray[np.float64] = np.sqrt(np.square(gap, dtype=np.float64).mean(axis=(1, 2)))
    return distance


def privacy(synthetic: NDArray[np.float32], learnt: NDArray[np.float32], unseen: NDArray[np.float32]) -> dict[str, Any]:
    """Distances of synthetic and of unseen real windows to the nearest window learnt from.

    ratio: median synthetic over median unseen; 1 is as near as new real windows come, well below 1 is copying.
    closer_than_unseen: share of synthetic windows nearer than all but 1 % of the unseen; 0.01 is what new ones have.
    copies: synthetic windows that equal a learnt one to within a thousandth of the median unseen distance.
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


def membership(
    synthetic: NDArray[np.float32], learnt: Windows, unseen: Windows, *, most: int = MEMBERS, seed: int = 0
) -> dict[str, Any]:
    """The membership attack on as many members as non-members, at most ``most`` each, alike in every class.

    synthetic: (m, time, channels), the more the better for the attacker; learnt and unseen: what the generator was
    trained on, and what it never saw. Patients are attacked as well where they are known and nobody is in both.
    Returns the area, its standard error and the number attacked, for windows and for patients. Between patients, an
    area above 0.5 need not be a leak: those whose beats are commonplace have synthetic ones near them anyhow.
    """
    members, others = alike(learnt, unseen, most, np.random.default_rng(seed))
    scores = [-nearest_distance(windows.values, synthetic) for windows in (members, others)]
    area = auc(*scores)
    found: dict[str, Any] = {
        "membership_auc": area,
        "membership_auc_error": auc_error(area, *map(len, scores)),
        "membership_windows": len(members),
    }
    if learnt.groups is None or unseen.groups is None or set(learnt.groups) & set(unseen.groups):
        return found
    means = [by_patient(score, windows.groups) for score, windows in zip(scores, (members, others), strict=True)]
    area = auc(*means)
    return found | {
        "patient_membership_auc": area,
        "patient_membership_auc_error": auc_error(area, *map(len, means)),
        "patients_learnt": len(means[0]),
        "patients_unseen": len(means[1]),
    }


def membership_auc(
    synthetic: NDArray[np.float32], learnt: NDArray[np.float32], unseen: NDArray[np.float32]
) -> tuple[float, float]:
    """Area under the curve of an attacker who tells windows learnt from from unseen ones, and its standard error.

    He sees only synthetic windows (m, time, channels), and takes a real one for a member the sooner, the nearer one
    of them comes to it. 0 to 1: 0.5 is best, he guesses; 1 is worst, he knows. Source: the full black-box attack of
    Chen, Yu, Zhang and Fritz, "GAN-Leaks: A Taxonomy of Membership Inference Attacks against Generative Models", 2020.
    Give him as many members as others, of the same kinds, or he learns from the kind.
    """
    members, others = (-nearest_distance(windows, synthetic) for windows in (learnt, unseen))
    area = auc(members, others)
    return area, auc_error(area, len(members), len(others))


def auc(members: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """How often a member's score is above another's, ties counting half: 0 to 1. DataError if either is missing."""
    if not len(members) or not len(others):
        raise DataError(f"an attack needs members and others, got {len(members)} and {len(others)}")
    ordered = np.sort(others)
    below, upto = (np.searchsorted(ordered, members, side=side).sum() for side in ("left", "right"))
    return float((below + upto) / (2 * len(members) * len(others)))


def auc_error(area: float, members: int, others: int) -> float:
    """The standard error of an area under the curve.

    Source: Hanley and McNeil, "The Meaning and Use of the Area under a Receiver Operating Characteristic (ROC) Curve",
    1982, equations 1 and 2.
    """
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (members - 1) * (first - area**2) + (others - 1) * (second - area**2)
    return float(np.sqrt(max(0.0, spread) / (members * others)))


def alike(learnt: Windows, unseen: Windows, most: int, rng: np.random.Generator) -> list[Windows]:
    """Windows of both, as many of each class: the shares are those of the unseen ones, as far as both have enough."""
    some = unseen.take(rng.permutation(len(unseen))[:most])
    counts = [min(pair) for pair in zip(some.counts().values(), learnt.counts().values(), strict=True)]
    return [windows.of_each_class(counts, rng) for windows in (learnt, some)]


def by_patient(scores: NDArray[np.float64], groups: NDArray[np.str_] | None) -> NDArray[np.float64]:
    """(patients,) the mean score of each patient's windows."""
    patients, whose = np.unique(np.asarray(groups), return_inverse=True)
    return np.bincount(whose, scores, len(patients)) / np.bincount(whose, minlength=len(patients))
