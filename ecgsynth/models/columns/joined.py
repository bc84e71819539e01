"""Rows that are joined to a series, kept to what its columns do: they hold, go in lines, and keep their rules."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgsynth.models.columns.shapes import MOST_BENDS, Bools, bends, by_place, held_in, lines_in
from ecgsynth.windows.info import ClockInfo
from ecgsynth.windows.long_table import DAY_S, WEEK_S

__all__ = ["Habits", "phases", "put_in_order"]

Floats = NDArray[np.float64]
Order = Sequence[tuple[int, list[int], list[int]]]


MOST_OFF = 0.2  # share of a line's bends that its bounds and rules make, between the knots of all lines


class Habits:
    """What the columns of made windows do, seen in these, and how rows that go on from others do the same.

    Parameters
    ----------
    windows
        (n, time, columns).
    overlap
        How many rows of each are there already, when the others are joined to them.
    low, high, steps
        (columns,) the bounds of the values, and what they are multiples of, or 0.
    order
        Of rules between columns, as of ``long_table.bounds_in_order``.

    """

    def __init__(
        self,
        windows: NDArray[np.float32],
        overlap: int,
        low: Floats,
        high: Floats,
        steps: Floats,
        order: Order = (),
    ) -> None:
        count = windows.shape[2]
        self.low, self.high, self.order = low, high, order
        lines = lines_in(windows, np.ones(count, dtype=np.bool_))
        straight, self.period = ((), 1) if lines is None else lines
        self.straight = np.asarray(straight, dtype=np.int64)
        if len(straight):
            between = np.arange(windows.shape[1]) % self.period != self.place(windows)[:, None]
            bent = [bends(windows[:, :, channel]) for channel in range(count)]
            off = [(at & between).sum() <= MOST_OFF * at.sum() and at.mean() <= MOST_BENDS for at in bent]
            self.straight = np.flatnonzero(off)
        holds = np.isin(np.arange(count), [*self.straight, *held_in(windows, steps)])
        self.same: Bools = (windows[:, overlap:] == windows[:, overlap - 1 : -1]) & holds
        # (n,) the rows of each window from its last knot in the overlap to the end of that
        self.since = (overlap - 1 - self.place(windows)) % self.period

    def place(self, windows: NDArray[np.floating]) -> NDArray[np.int64]:
        """(n,) the first row at which lines bend; the others follow from it. Without any, the last row is one."""
        if not len(self.straight):
            return np.zeros(len(windows), dtype=np.int64)
        bent = np.any([bends(windows[:, :, channel]) for channel in self.straight], axis=0)
        found = by_place(bent, self.period).argmin(axis=1)
        return np.asarray(np.where(bent.any(axis=1), found, (windows.shape[1] - 1) % self.period), dtype=np.int64)

    def rows_since_knot(self, rows: Floats) -> int:
        """From the last row (rows, columns) at which lines bend to the last one."""
        return int((len(rows) - 1 - self.place(rows[None])[0]) % self.period)

    def kept(self, made: Floats, picked: int, last: Floats, since: int) -> Floats:
        """Rows as the columns have them.

        Parameters
        ----------
        made
            (rows, columns) the rest of the picked window, corrected, in the user's units.
        picked
            Which window it was: what stayed the same there, does so here.
        last
            (since + 1 or more, columns) the rows before.
        since
            As of ``rows_since_knot``.

        Returns
        -------
        (rows, columns), to the last knot of the lines; the rows behind it are left out

        """
        knots = np.arange(self.period - 1 - since, len(made), self.period)
        made, same = np.clip(made[: knots[-1] + 1], self.low, self.high), self.same[picked, : knots[-1] + 1]
        if since:  # a line that has begun goes on to its next knot
            same = same.copy()
            same[: knots[0] + 1, self.straight] = False
            rise = (last[-1] - last[-1 - since])[self.straight] / since
            goes_on = last[-1, self.straight] + rise * (knots[0] + 1)
            made[knots[0], self.straight] = np.clip(goes_on, self.low[self.straight], self.high[self.straight])
        changed = np.maximum.accumulate(np.where(same, 0, np.arange(1, len(made) + 1)[:, None]), axis=0)
        made = np.take_along_axis(np.concatenate([last[-1:], made]), changed, axis=0)
        put_in_order(made, self.order)
        for channel in self.straight:
            ends = np.append(last[-1, channel], made[knots, channel])
            made[:, channel] = np.interp(np.arange(len(made)), np.append(-1, knots), ends)
        return made


def put_in_order(values: NDArray[np.floating], order: Order) -> None:
    """Move, in place, values (..., columns) that break a rule."""
    for channel, lowers, uppers in order:
        for others, nearest in ((lowers, np.maximum), (uppers, np.minimum)):
            for other in others:
                values[..., channel] = nearest(values[..., channel], values[..., other])


def phases(start_s: Floats | float, clock: ClockInfo | None) -> Floats:
    """Seconds from Monday 00:00 (...,) -> (..., k) the cosine and the sine in the day, and in the week."""
    periods = () if clock is None else {"": (), "day": (DAY_S,), "week": (DAY_S, WEEK_S)}[clock.start]
    angles = [2 * np.pi * np.asarray(start_s, dtype=np.float64) / period for period in periods]
    turned = [turn(angle) for angle in angles for turn in (np.cos, np.sin)]
    return np.stack(turned, axis=-1) if turned else np.empty((*np.shape(start_s), 0))
