"""Channels that hold and channels that go in straight lines, found in windows with numpy alone, as sampling needs."""

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.disclosure import shared_mean

__all__ = ["FIXED_SHARE", "MOST_BENDS", "Bools", "bends", "between", "by_place", "held_in", "lines_in", "neighbours"]

Bools = NDArray[np.bool_]

LEAST_REPEATED = 0.1  # share of the steps at which a column stays the same, for that to be made
FEWEST_STEPS = 2.5  # that a column changes by at most changes; else its rounding alone makes it stay the same
FIXED_SHARE = 0.99  # of the windows whose bends are all at the same place of a period
TOLERANCE = 2e-6  # of a channel's largest value: what float32 may bend a straight line by
MOST_BENDS = 0.5  # share of the steps at which a line bends
COMPARED_WINDOWS = 500  # on which periods are tried before they are tried on all
LEAST_WINDOWS = 0.2  # share of the windows that have two bends or more, from which a period can be seen


def held_in(
    values: NDArray[np.float32],
    steps: NDArray[np.float64],
    owners: NDArray[np.int64] | None = None,
    repeats: int = 1,
) -> list[int]:
    """The channels of ``Holds.find``."""
    found = []
    for channel in np.flatnonzero(~np.isnan(steps)):
        moved = np.abs(np.diff(values[:, :, channel], axis=1))
        whose = None if owners is None else np.repeat(owners, moved.shape[1])
        share = shared_mean((moved == 0).reshape(-1).astype(np.float64), whose, repeats=repeats)
        if share is None or not LEAST_REPEATED <= share < 1:
            continue
        if np.median(moved[moved > 0]) >= FEWEST_STEPS * steps[channel]:
            found.append(int(channel))
    return found


def lines_in(
    values: NDArray[np.float32], asked: Bools, owners: NDArray[np.int64] | None = None, repeats: int = 1
) -> tuple[tuple[int, ...], int] | None:
    """The channels and the period of ``Lines.find``."""
    by_period: dict[int, list[int]] = {}
    some = values[:: max(1, len(values) // COMPARED_WINDOWS)]
    for channel in np.flatnonzero(asked):
        if bends(some[:, :, channel]).mean() > MOST_BENDS:
            continue
        period = period_of(bends(values[:, :, channel]), owners, repeats)
        if period is not None:
            by_period.setdefault(period, []).append(int(channel))
    if not by_period:
        return None
    period = max(by_period, key=lambda found: len(by_period[found]))
    return tuple(by_period[period]), period


def bends(values: NDArray[np.float32]) -> Bools:
    """(n, time) whether a channel (n, time) leaves the straight line through the two values before."""
    wide = values.astype(np.float64)
    bent = np.zeros(wide.shape, dtype=np.bool_)
    bent[:, 1:-1] = np.abs(np.diff(wide, n=2, axis=1)) > TOLERANCE * np.abs(wide).max(initial=0.0)
    return bent


def by_place(bent: Bools, period: int) -> NDArray[np.int64]:
    """(n, period) how many of the bends (n, time) are not at a place and at every ``period``-th step from there."""
    at = np.stack([bent[:, place::period].sum(axis=1) for place in range(period)], axis=1)
    return np.asarray(at.sum(axis=1, keepdims=True) - at)


def period_of(bent: Bools, owners: NDArray[np.int64] | None, repeats: int) -> int | None:
    """The longest period with which a channel bends, of those that a window shows twice."""
    some = slice(None, None, max(1, len(bent) // COMPARED_WINDOWS))
    several = bent.sum(axis=1) >= 2
    if several.mean() < LEAST_WINDOWS:
        return None
    for period in range((bent.shape[1] - 2) // 2, 1, -1):
        if not by_place(bent[some], period).min(axis=1)[several[some]].any():
            fixed = by_place(bent[several], period).min(axis=1) == 0
            share = shared_mean(fixed.astype(np.float64), None if owners is None else owners[several], repeats=repeats)
            if share is not None and share >= FIXED_SHARE:
                return period
    return None


def neighbours(knots: Bools) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Of each step of windows (n, time): the last knot up to it, the next from it on, and the share of the way between
    that lies behind; the ends of a window are knots.
    """
    steps = np.arange(knots.shape[1])
    before = np.maximum.accumulate(np.where(knots, steps, 0), axis=1)
    after = np.minimum.accumulate(np.where(knots, steps, steps[-1])[:, ::-1], axis=1)[:, ::-1]
    return before, after.copy(), (steps - before) / np.maximum(after - before, 1)


def between(values: NDArray[np.float32], knots: Bools) -> NDArray[np.float32]:
    """A channel (n, time) with straight lines between its knots."""
    before, after, share = neighbours(knots)
    start, end = (np.take_along_axis(values, at, axis=1) for at in (before, after))
    return np.asarray(start + (end - start) * share, dtype=np.float32)
