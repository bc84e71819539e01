"""Rules between the columns of a series: one is never above another, or always the same as another."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.core.disclosure import PERSONS
from ecgsynth.windows.long_table import bounds_in_order

__all__ = ["Excess", "Rules", "RulesBack", "RulesKept"]

Bools = NDArray[np.bool_]

LEAST_ROWS = 20 * PERSONS  # behind a rule
# A rule that says something is broken in this share of the rows, when the two columns are taken from different ones.
LEAST_BROKEN_APART = 0.05
COMPARED_ROWS = 20_000  # rows on which rules are tried before they are tried on all


@dataclass(frozen=True, slots=True)
class Excess:
    """A channel that is learnt as what it has above the highest of some others, or lacks below the lowest of them."""

    channel: int
    others: tuple[int, ...]
    above: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules that every row of the training windows keeps, as positions of channels.

    Parameters
    ----------
    pairs
        (lower, upper), also those that follow from others; none with a copy.
    copies
        (copy, original): channels that are always equal; the copy is not learnt.
    excesses
        Channels that are learnt as a difference from others, in the order in which they are made again.

    """

    pairs: tuple[tuple[int, int], ...]
    copies: tuple[tuple[int, int], ...]
    excesses: tuple[Excess, ...]

    @classmethod
    def find(
        cls,
        values: NDArray[np.float32],
        owners: NDArray[np.int64] | None,
        repeats: int,
        kinds: Sequence[int],
    ) -> Self | None:
        """The rules that all rows keep and that are no matter of course, or None where there are none.

        They are rules of rows of PERSONS persons or more, or of LEAST_ROWS rows (see core.disclosure).

        Parameters
        ----------
        values
            (n, time, channels); a row with a NaN in one of two channels says nothing about them.
        owners, repeats
            (n,) the person of each window, or in how many windows one row stands.
        kinds
            (channels,) numbers; between channels of different kinds a rule is kept, but none is learnt as an excess
            over the other. A channel with a negative number has no rules.

        """
        few_people = owners is not None and len(np.unique(owners)) < PERSONS
        if few_people or len(values) * values.shape[1] < LEAST_ROWS * repeats:
            return None
        below = never_above(values.reshape(-1, values.shape[2]), np.asarray(kinds) >= 0)
        same = below & below.T
        copies = tuple(
            (int(channel), int(same[channel].argmax())) for channel in np.flatnonzero(np.tril(same, -1).any(axis=1))
        )
        below[[copy for copy, _ in copies]] = below[:, [copy for copy, _ in copies]] = False
        pairs = tuple((int(low), int(high)) for low, high in np.argwhere(below))
        return cls(pairs, copies, excesses(below, kinds)) if pairs or copies else None

    def kept(self, channels: int) -> list[int]:
        """The channels that are learnt."""
        left_out = {copy for copy, _ in self.copies}
        return [channel for channel in range(channels) if channel not in left_out]

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Windows (n, time, channels) -> (n, time, learnt channels), differences in the place of values."""
        found = values.copy()
        for excess in self.excesses:
            others = values[:, :, list(excess.others)]
            own = values[:, :, excess.channel]
            found[:, :, excess.channel] = own - others.max(axis=2) if excess.above else others.min(axis=2) - own
            np.maximum(found[:, :, excess.channel], 0, out=found[:, :, excess.channel])
        return found[:, :, self.kept(values.shape[2])]


def never_above(rows: NDArray[np.float32], asked: Bools) -> Bools:
    """(channels, channels) whether the first is at most the second in all rows, and this is no matter of course."""
    some = np.ascontiguousarray(rows[:: max(1, len(rows) // COMPARED_ROWS)].T)
    ranked = [np.sort(column[~np.isnan(column)]) for column in some]
    found = np.zeros((len(some), len(some)), dtype=np.bool_)
    for low, high in itertools.permutations(np.flatnonzero(asked), 2):
        if not len(ranked[low]) or not len(ranked[high]) or (some[low] > some[high]).any():
            continue
        apart = np.searchsorted(ranked[high], ranked[low], side="left").mean() / len(ranked[high])
        found[low, high] = apart >= LEAST_BROKEN_APART and not (rows[:, low] > rows[:, high]).any()
    return closed(found)


def closed(below: Bools) -> Bools:
    """With what follows: where a is at most b and b at most c, a is at most c (Warshall 1962)."""
    below = below.copy()
    for middle in range(len(below)):
        below |= np.outer(below[:, middle], below[middle])
    np.fill_diagonal(below, False)
    return below


def excesses(below: Bools, kinds: Sequence[int]) -> tuple[Excess, ...]:
    """What is learnt as a difference: what stands rather high as the excess over what it is never below, low likewise.

    A channel that has as many below it as above it, or more, goes up, and so does all that is above it: each is made
    from those below it that go up. The others are made from all above them, from the top down.
    """
    below = below & np.equal.outer(kinds, kinds)
    unders, overs = below.sum(axis=0), below.sum(axis=1)
    up = unders >= overs
    found = []
    for channel in np.argsort(unders, kind="stable"):
        others = below[:, channel] & up
        if up[channel] and others.any():
            found.append(Excess(int(channel), nearest(others, below), above=True))
    for channel in np.argsort(overs, kind="stable"):
        if not up[channel] and below[channel].any():
            found.append(Excess(int(channel), nearest(below[channel], below.T), above=False))
    return tuple(found)


def nearest(others: Bools, below: Bools) -> tuple[int, ...]:
    """Of these channels (channels,), those that none of them is above."""
    return tuple(map(int, np.flatnonzero(others & ~below[:, others].any(axis=1))))


class RulesBack(nn.Module):
    """Undoes ``Rules.apply``.

    forward: (n, time, learnt channels) -> (n, time, channels)
    """

    def __init__(self, rules: Rules, channels: int) -> None:
        super().__init__()
        self.excesses = rules.excesses
        place = {channel: at for at, channel in enumerate(rules.kept(channels))}
        originals = dict(rules.copies)
        self.places = [place[originals.get(channel, channel)] for channel in range(channels)]
        self.copies = rules.copies

    def forward(self, learnt: Tensor) -> Tensor:
        parts = learnt.unbind(dim=2)
        values = [parts[place] for place in self.places]  # (n, time) each
        for excess in self.excesses:
            others = torch.stack([values[other] for other in excess.others])
            more = values[excess.channel].relu()
            values[excess.channel] = others.amax(dim=0) + more if excess.above else others.amin(dim=0) - more
        for copy, original in self.copies:
            values[copy] = values[original]
        return torch.stack(values, dim=2)


class RulesKept(nn.Module):
    """Moves values that rounding or bounds have brought out of order.

    A channel in finer steps moves, so that it stays in its steps: each is put between those of its bounds that are in
    coarser ones.

    forward: (n, time, channels) -> (n, time, channels)
    """

    def __init__(self, rules: Rules, steps: NDArray[np.float32]) -> None:
        super().__init__()
        self.bounds = bounds_in_order(rules.pairs, dict(enumerate(steps.tolist())))
        self.copies = rules.copies

    def forward(self, signal: Tensor) -> Tensor:
        values = list(signal.unbind(dim=2))
        for channel, lowers, uppers in self.bounds:
            for other in lowers:
                values[channel] = torch.maximum(values[channel], values[other])
            for other in uppers:
                values[channel] = torch.minimum(values[channel], values[other])
        for copy, original in self.copies:
            values[copy] = values[original]
        return torch.stack(values, dim=2)
