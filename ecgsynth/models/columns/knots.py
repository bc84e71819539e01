"""Columns that stay the same from step to step, and columns that go in straight lines from knot to knot."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.core.disclosure import shared_mean
from ecgsynth.models.columns.level import averages, level_channel

__all__ = ["Holds", "HoldsBack", "Lines", "LinesBack"]

Bools = NDArray[np.bool_]

LEAST_REPEATED = 0.1  # share of the steps at which a column stays the same, for that to be made
FEWEST_STEPS = 2.5  # that a column changes by at most changes; else its rounding alone makes it stay the same
FIXED_SHARE = 0.99  # of the windows whose bends are all at the same place of a period
TOLERANCE = 2e-6  # of a channel's largest value: what float32 may bend a straight line by
MOST_BENDS = 0.5  # share of the steps at which a line bends
COMPARED_WINDOWS = 500  # on which periods are tried before they are tried on all
LEAST_WINDOWS = 0.2  # share of the windows that have two bends or more, from which a period can be seen


@dataclass(frozen=True, slots=True)
class Holds:
    """Channels that often keep their value; beside each stands one that says whether it has just changed.

    Parameters
    ----------
    channels
        Positions. The channels that say so stand behind all others, in the same order.
    smooth
        Whether the values between two changes are learnt as a straight line.

    """

    channels: tuple[int, ...]
    smooth: tuple[bool, ...]

    @classmethod
    def find(
        cls,
        values: NDArray[np.float32],
        steps: NDArray[np.float64],
        straight: tuple[int, ...],
        owners: NDArray[np.int64] | None,
        repeats: int,
    ) -> Self | None:
        """The channels that stay the same at LEAST_REPEATED of the steps, and not because they are rounded.

        Parameters
        ----------
        values
            (n, time, channels).
        steps
            (channels,) what the values are multiples of, or 0; NaN where a channel is not to be looked at.
        straight
            The channels that go in straight lines.
        owners, repeats
            (n,) the person of each window, or in how many windows one row stands.

        """
        found = []
        for channel in np.flatnonzero(~np.isnan(steps)):
            moved = np.abs(np.diff(values[:, :, channel], axis=1))
            whose = None if owners is None else np.repeat(owners, moved.shape[1])
            share = shared_mean((moved == 0).reshape(-1).astype(np.float64), whose, repeats=repeats)
            if share is None or not LEAST_REPEATED <= share < 1:
                continue
            if np.median(moved[moved > 0]) >= FEWEST_STEPS * steps[channel]:
                found.append(int(channel))
        return cls(tuple(found), tuple(channel not in straight for channel in found)) if found else None

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Windows (n, time, channels) -> (n, time, channels + held ones): 1 where a value has changed, else 0.

        The first step has no step before it, and says what the second says.
        """
        values = values.copy()
        flags = np.empty((*values.shape[:2], len(self.channels)), dtype=np.float32)
        for place, (channel, smooth) in enumerate(zip(self.channels, self.smooth, strict=True)):
            flags[:, 1:, place] = np.diff(values[:, :, channel], axis=1) != 0
            flags[:, 0, place] = flags[:, 1, place]
            if smooth:
                changed = flags[:, :, place] > 0
                changed[:, 0] = True
                values[:, :, channel] = between(values[:, :, channel], changed)
        return np.concatenate([values, flags], axis=2)


class OfChannels(nn.Module):
    """Makes some of so many channels anew."""

    picked: Tensor
    order: Tensor

    def __init__(self, channels: tuple[int, ...], count: int) -> None:
        super().__init__()
        order = np.arange(count)
        order[list(channels)] = count + np.arange(len(channels))  # behind the others, when they are made
        self.count = count
        self.register_buffer("picked", torch.tensor(channels, dtype=torch.int64))
        self.register_buffer("order", torch.from_numpy(order))

    def own(self, learnt: Tensor) -> Tensor:
        """(n, time, channels or more) -> (n, time, these channels)."""
        return learnt.index_select(2, self.picked)

    def with_own(self, learnt: Tensor, own: Tensor) -> Tensor:
        """(n, time, channels), these channels in the place of what they were."""
        return torch.cat([learnt[:, :, : self.count], own], dim=2).index_select(2, self.order)


class HoldsBack(OfChannels):
    """Undoes ``Holds.apply``: a value is the last one at which it changed.

    forward: (n, time, channels + held ones) -> (n, time, channels)
    """

    position: Tensor

    def __init__(self, holds: Holds, time: int, channels: int) -> None:
        super().__init__(holds.channels, channels)
        self.register_buffer("position", torch.arange(time).reshape(1, time, 1))

    def forward(self, learnt: Tensor) -> Tensor:
        changed = learnt[:, :, self.count :] >= 0.5
        last = running_maximum(torch.where(changed, self.position, 0))
        return self.with_own(learnt, self.own(learnt).gather(1, last))


@dataclass(frozen=True, slots=True)
class Lines:
    """Channels that go in straight lines, and bend at every ``period``-th step, all at the same ones.

    Parameters
    ----------
    channels
        Positions.
    period
        Steps from one bend to the next.
    origin
        Where the first bend of a window lies that starts at the first step of a day, if that is the same in all: then
        the others follow from when they start. Else it is learnt as the cosine and the sine of an angle, in a channel
        that stands behind all others.

    """

    channels: tuple[int, ...]
    period: int
    origin: int | None = None

    @classmethod
    def find(
        cls, values: NDArray[np.float32], asked: Bools, owners: NDArray[np.int64] | None, repeats: int
    ) -> Self | None:
        """The channels that bend at every so-manieth step only, in FIXED_SHARE of the windows; of several periods,
        that of most channels.

        Parameters
        ----------
        values
            (n, time, channels).
        asked
            (channels,) which are looked at.
        owners, repeats
            (n,) the person of each window, or in how many windows one row stands.

        """
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
        return cls(tuple(by_period[period]), period)

    def tied(self, values: NDArray[np.float32], steps: NDArray[np.int64]) -> Self:
        """The same lines, with their origin if FIXED_SHARE of the windows have it; steps: (n,) at which they start."""
        elsewhere = self.elsewhere(values)
        origins = np.arange(self.period)
        fits = np.take_along_axis(elsewhere, (origins - steps[:, None]) % self.period, axis=1) == 0
        share = fits.mean(axis=0)
        return replace(self, origin=int(share.argmax())) if share.max() >= FIXED_SHARE else self

    def elsewhere(self, values: NDArray[np.float32]) -> NDArray[np.int64]:
        """(n, period) how many of the steps at which windows bend are not at a place and every period from there."""
        bent = np.asarray(np.any([bends(values[:, :, channel]) for channel in self.channels], axis=0))
        return by_place(bent, self.period)

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Windows (n, time, channels) -> (n, time, channels + 1), or as they are where there is an origin."""
        if self.origin is not None:
            return values
        first = self.elsewhere(values).argmin(axis=1)
        angle = 2 * np.pi * first / self.period
        phase = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return np.concatenate([values, level_channel(phase, values.shape[1])], axis=2)


class LinesBack(OfChannels):
    """Undoes ``Lines.apply``: values between two knots lie on the line through both; the ends of a window are knots.

    forward: (n, time, channels + 1), or channels and (n,) int64 where in the period they bend -> (n, time, channels)
    """

    angles: Tensor
    before: Tensor
    after: Tensor
    share: Tensor

    def __init__(self, lines: Lines, time: int, channels: int) -> None:
        super().__init__(lines.channels, channels)
        self.period = lines.period
        turn = 2 * torch.pi * torch.arange(lines.period) / lines.period
        self.register_buffer("angles", averages(2, time) @ torch.stack([turn.cos(), turn.sin()]))
        before, after, share = neighbours(np.arange(time) % lines.period == np.arange(lines.period)[:, None])
        self.register_buffer("before", torch.from_numpy(before))
        self.register_buffer("after", torch.from_numpy(after))
        self.register_buffer("share", torch.from_numpy(share.astype(np.float32)))

    def forward(self, learnt: Tensor, place: Tensor | None = None) -> Tensor:
        if place is None:
            place = (learnt[:, :, self.count] @ self.angles).argmax(dim=1)  # (n,)
        before, after, share = (table[place].unsqueeze(2) for table in (self.before, self.after, self.share))

        own = self.own(learnt)
        start, end = (own.gather(1, at.expand(-1, -1, own.shape[2])) for at in (before, after))
        return self.with_own(learnt, start + (end - start) * share)


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


def running_maximum(x: Tensor) -> Tensor:
    """(n, time, channels) the largest value up to each step, in steps that double (Hillis and Steele 1986)."""
    shift = 1
    while shift < x.shape[1]:
        x = torch.cat([x[:, :shift], torch.maximum(x[:, shift:], x[:, :-shift])], dim=1)
        shift *= 2
    return x
