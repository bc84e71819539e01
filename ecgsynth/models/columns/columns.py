"""The way between a series' own columns and the channels that a generator learns: rules, lines, holds, and starts."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.core import records
from ecgsynth.errors import DataError
from ecgsynth.models.columns.knots import Holds, HoldsBack, Lines, LinesBack
from ecgsynth.models.columns.rules import Rules, RulesBack
from ecgsynth.models.columns.start import Start, StartBack
from ecgsynth.windows.windows import Windows

__all__ = ["Columns", "ColumnsBack"]

LEAST_STEPS = 4  # of a window, that can hold when it starts


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What is special about the columns of a series, and how they are learnt.

    Parameters
    ----------
    time, channels
        Of the windows as they came.
    rules, lines, holds
        Found in this order, each in what the one before leaves; None where the windows have nothing of the kind.
    start
        Of windows that know when they start.

    """

    time: int
    channels: int
    rules: Rules | None = records.sparse(default=None)
    lines: Lines | None = records.sparse(default=None)
    holds: Holds | None = records.sparse(default=None)
    start: Start | None = records.sparse(default=None)

    @classmethod
    def find(cls, windows: Windows) -> Self | None:
        """What is special about the columns of training windows; None where nothing is.

        It is found in many rows, of many persons where these are known, as an exported file has it (core.disclosure).
        """
        if windows.series is None:
            return None
        values, (_, time, channels) = windows.values, windows.values.shape
        owners, repeats = windows.owners, max(1, windows.overlap)
        steps = np.asarray([column.quantum or 0.0 for column in windows.series.columns])
        steps = np.append(steps, np.full(channels - len(steps), np.nan))  # a static has nothing of all this
        moving = ~np.isnan(steps)
        # A rule is learnt as a difference only between columns that both go in straight lines, or both do not.
        lines = Lines.find(values, moving, owners, repeats)
        straight = () if lines is None else lines.channels
        holds = Holds.find(values, steps, straight, owners, repeats)
        kinds = np.where(moving, np.isin(np.arange(channels), straight), -1)
        if holds is not None:
            own = [channel for channel in holds.channels if channel not in straight]
            kinds[own] = 2 + np.arange(len(own))
        rules = Rules.find(values, owners, repeats, kinds.tolist())
        if rules is not None:
            values, steps = rules.apply(values), steps[rules.kept(channels)]
            lines = Lines.find(values, ~np.isnan(steps), owners, repeats)
            straight = () if lines is None else lines.channels
            holds = Holds.find(values, steps, straight, owners, repeats)
        clock, start = windows.series.time, None
        if clock is not None and windows.start_s is not None and time >= LEAST_STEPS:
            start = Start.find(windows.start_s, float(clock.step), week=clock.start == "week")
            if lines is not None and start.steps % lines.period == 0:
                lines = lines.tied(values, start.step_of(windows.start_s))
        found = cls(time=time, channels=channels, rules=rules, lines=lines, holds=holds, start=start)
        return found if rules or lines or holds or start else None

    def apply(self, values: NDArray[np.float32], start_s: NDArray[np.float64] | None = None) -> NDArray[np.float32]:
        """Windows (n, time, channels) as they came, and when they start -> (n, time, learnt channels).

        DataError where it is not known when they start, and that is learnt.
        """
        for part in (self.rules, self.lines, self.holds):
            if part is not None:
                values = part.apply(values)
        if self.start is None:
            return values
        if start_s is None:
            raise DataError("expected windows that know when they start, as in training; read them with their time")
        return self.start.apply(values, start_s)

    def applied(self, windows: Windows) -> Windows:
        """The same windows in the channels that are learnt, which have no names."""
        values = self.apply(windows.values, windows.start_s)
        return replace(windows, values=values, channel_names=tuple(map(str, range(values.shape[2]))))


class ColumnsBack(nn.Module):
    """Undoes ``Columns.apply``.

    forward: (n, time, learnt channels) -> (n, time, channels), and (n,) when windows start where that is learnt

    ``lows``, ``highs``: (channels,) bounds of what is made; values are brought within them before they become lines,
    which would bend at a bound.
    """

    lows: Tensor
    highs: Tensor

    def __init__(self, columns: Columns, lows: NDArray[np.float32], highs: NDArray[np.float32]) -> None:
        super().__init__()
        rules, lines, holds, start = columns.rules, columns.lines, columns.holds, columns.start
        own = list(range(columns.channels)) if rules is None else rules.kept(columns.channels)
        count = len(own)
        self.rules = None if rules is None else RulesBack(rules, columns.channels)
        self.lines = None if lines is None else LinesBack(lines, columns.time, count)
        self.origin = None if lines is None else lines.origin
        count += lines is not None and lines.origin is None
        self.holds = None if holds is None else HoldsBack(holds, columns.time, count)
        self.count = count + (0 if holds is None else len(holds.channels))
        differences = [] if rules is None else [excess.channel for excess in rules.excesses]
        for name, bounds, free in (("lows", lows, -np.inf), ("highs", highs, np.inf)):
            known = np.append(np.where(np.isin(own, differences), free, bounds[own]), [free] * (self.count - len(own)))
            self.register_buffer(name, torch.from_numpy(known.astype(np.float32)))
        self.start = None if start is None else StartBack(start, columns.time)
        self.switches = bool(lines or holds or start)

    def forward(self, learnt: Tensor) -> tuple[Tensor, ...]:
        values, start, place = learnt[:, :, : self.count], None, None
        if self.start is not None:
            step = self.start.step(learnt[:, :, self.count])
            start = self.start(learnt[:, :, self.count])
            if self.lines is not None and self.origin is not None:
                place = torch.remainder(self.origin - step, self.lines.period).long()
        values = torch.minimum(torch.maximum(values, self.lows), self.highs)
        if self.holds is not None:
            values = self.holds(values)
        if self.lines is not None:
            values = self.lines(values, place)
        if self.rules is not None:
            values = self.rules(values)
        return (values,) if start is None else (values, start)
