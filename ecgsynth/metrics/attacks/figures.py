"""What an attack reached, as figures with intervals: area, true-positive rates, F1.

An attack gives each target, a person or a row, a score; the higher, the more it takes the target for a member. The
interval is over targets: both members and others are drawn anew with replacement (Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993, chapter 13), so that it says how far other persons would have changed the figure.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import DataError

__all__ = ["FIGURES", "RESAMPLINGS", "auc", "auc_error", "figures_of", "interval", "share_interval"]

RESAMPLINGS = 2000  # times that the targets are drawn anew
LEVEL = 0.95  # of every interval
Z = 1.959964  # standard normal quantile of that level, two-sided
RATES = {"tpr_1": 0.01, "tpr_10": 0.10}  # false-positive rates at which true-positive rates are taken
FIGURES = ("auc", *RATES, "relative_f1")
BLOCK_NUMBERS = 2_000_000  # of resampled targets that are held at a time

Floats = NDArray[np.float64]


def figures_of(
    members: Floats, others: Floats, *, seed: int = 0, resamplings: int = RESAMPLINGS, stretch: float = 1.0
) -> dict[str, Any]:
    """All figures of an attack, as they stand in metrics.json.

    Parameters
    ----------
    members, others
        (n,) and (m,) scores of targets that were learnt from, and of targets that were not.
    seed
        Of the resampling.
    resamplings
        How often the targets are drawn anew.
    stretch
        How much wider each interval is, seen from its figure, than the resampling alone makes it.

    Returns
    -------
    auc
        How often a member's score is above another's, ties half: 0.5 is best, 1 worst.
    tpr_1, tpr_10
        The share of members that are found where at most 1 % or 10 % of the others are taken for members; of fewer
        than 100 or 10 others, where none is.
    relative_f1
        (F1 - base) / (1 - base), of the threshold with the highest F1; base is the F1 of taking all for members. 0 is
        best, 1 worst. As the threshold is the best one, it is above 0 for chance with few targets, too.
    auc_interval, tpr_1_interval, ...
        [low, high], the 95 % interval of each; that of a rate is no narrower than Wilson's, for 0 of 20 is not 0.

    Raises
    ------
    DataError
        Without members or without others.

    """
    members, others = np.asarray(members, dtype=np.float64), np.asarray(others, dtype=np.float64)
    found = taken(members, others, np.ones((1, len(members))), np.ones((1, len(others))))
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK_NUMBERS // (len(members) + len(others)))
    pieces = [
        taken(members, others, *(drawn_anew(len(targets), times, rng) for targets in (members, others)))
        for times in blocks(resamplings, block)
    ]
    reached: dict[str, Any] = {}
    for place, name in enumerate(FIGURES):
        value = float(found[place, 0])
        low, high = interval(np.concatenate([piece[place] for piece in pieces]))
        low, high = max(0.0, value + stretch * (low - value)), min(1.0, value + stretch * (high - value))
        if name in RATES:
            wilson = share_interval(value, len(members))
            low, high = min(low, wilson[0]), max(high, wilson[1])
        reached |= {name: value, f"{name}_interval": [low, high]}
    return reached


def blocks(total: int, size: int) -> list[int]:
    """So many in all, in blocks of ``size`` and what is left."""
    return [min(size, total - start) for start in range(0, total, size)]


def drawn_anew(n: int, times: int, rng: np.random.Generator) -> Floats:
    """(times, n) how often each of n is drawn when n are drawn with replacement."""
    return rng.multinomial(n, np.full(n, 1 / n), size=times).astype(np.float64)


def taken(members: Floats, others: Floats, of_members: Floats, of_others: Floats) -> Floats:
    """(FIGURES, times) the figures where each target counts so often.

    Parameters
    ----------
    members, others
        (n,) and (m,) scores.
    of_members, of_others
        (times, n) and (times, m) how often each counts.

    Raises
    ------
    DataError
        Without members or without others.

    """
    n, m = len(members), len(others)
    if not n or not m:
        raise DataError(f"an attack needs members and others, got {n} and {m}")
    scores = np.concatenate([members, others])
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # targets with one score come together
    hits, alarms = (
        np.pad(np.cumsum(counts[:, order], axis=1)[:, ends], ((0, 0), (1, 0)))
        for counts in (np.pad(of_members, ((0, 0), (0, m))), np.pad(of_others, ((0, 0), (n, 0))))
    )
    area = (np.diff(alarms, axis=1) * (hits[:, 1:] + hits[:, :-1])).sum(axis=1) / (2 * n * m)
    rates = [
        np.take_along_axis(hits, (alarms <= rate * m + 1e-9).sum(axis=1, keepdims=True) - 1, axis=1)[:, 0] / n
        for rate in RATES.values()
    ]
    best, base = (2 * hits / (hits + alarms + n)).max(axis=1), 2 * n / (2 * n + m)
    return np.stack([area, *rates, np.maximum(best - base, 0) / (1 - base)])


def interval(values: Floats) -> tuple[float, float]:
    """The middle 95 % of resampled figures."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def share_interval(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n.

    References
    ----------
    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.

    """
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * math.sqrt(share * (1 - share) / n + (Z / (2 * n)) ** 2) / (1 + Z**2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


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
