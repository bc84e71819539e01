"""Columns that stay the same from step to step, and columns that go in straight lines from knot to knot."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.models.columns.level import averages, level_channel
from ecgsynth.models.columns.shapes import FIXED_SHARE, Bools, bends, between, by_place, held_in, lines_in, neighbours

__all__ = ["Holds", "HoldsBack", "Lines", "LinesBack"]


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
        found = held_in(values, steps, owners, repeats)
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
        found = lines_in(values, asked, owners, repeats)
        return None if found is None else cls(*found)

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


def running_maximum(x: Tensor) -> Tensor:
    """(n, time, channels) the largest value up to each step, in steps that double (Hillis and Steele 1986)."""
    shift = 1
    while shift < x.shape[1]:
        x = torch.cat([x[:, :shift], torch.maximum(x[:, shift:], x[:, :-shift])], dim=1)
        shift *= 2
    return x
