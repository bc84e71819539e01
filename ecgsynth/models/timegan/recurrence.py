"""Recurrent layers: a gated linear recurrence, or a GRU or LSTM in its place, each as a residual block.

The gates of a GRU read the state before, so a step of it can only follow the step before. Where they read the input
alone, all products over time are one matrix product, and what is left of the loop is one multiplication and addition a
step (Feng et al., "Were RNNs All We Needed?", 2024; its minGRU, there without the residual block).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["CELLS", "Block", "linear_recurrence"]

LONGEST, SHORTEST = 3.0, -1.0  # logits of what a state keeps at each step when training begins: 0.95 to 0.27


def linear_recurrence(keep: Tensor, new: Tensor) -> Tensor:
    """States of h[t] = keep[t] * h[t - 1] + new[t] from h[-1] = 0.

    Parameters
    ----------
    keep, new
        (steps, ...) each.

    Returns
    -------
    (steps, ...), differentiable as often as one likes.

    """
    if torch.is_grad_enabled() and (keep.requires_grad or new.requires_grad):
        states: Tensor = Forwards.apply(keep, new)  # type: ignore[no-untyped-call]
        return states
    return doubled(keep, new)


def doubled(keep: Tensor, new: Tensor) -> Tensor:
    """The same without slopes and without a loop over steps, for a graph: reaches that double (Hillis, Steele 1986)."""
    reach = 1
    while reach < len(new):
        later = torch.addcmul(new[reach:], keep[reach:], new[:-reach])
        new, keep = torch.cat([new[:reach], later]), torch.cat([keep[:reach], keep[reach:] * keep[:-reach]])
        reach *= 2
    return new


class Forwards(torch.autograd.Function):
    """h[t] = keep[t] * h[t - 1] + new[t]; its slope is the same recurrence, backwards in time."""

    @staticmethod
    def forward(ctx: Any, keep: Tensor, new: Tensor) -> Tensor:
        states = torch.empty_like(new)
        states[0] = new[0]
        for t in range(1, len(new)):
            torch.addcmul(new[t], keep[t], states[t - 1], out=states[t])
        ctx.save_for_backward(keep, states)
        return states

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor]:
        keep, states = ctx.saved_tensors
        into_new: Tensor = Backwards.apply(keep, slopes[0])  # type: ignore[no-untyped-call]
        return into_new * before(states), into_new


class Backwards(torch.autograd.Function):
    """g[t] = slope[t] + keep[t + 1] * g[t + 1]."""

    @staticmethod
    def forward(ctx: Any, keep: Tensor, slope: Tensor) -> Tensor:
        found = torch.empty_like(slope)
        found[-1] = slope[-1]
        for t in range(len(slope) - 2, -1, -1):
            torch.addcmul(slope[t], keep[t + 1], found[t + 1], out=found[t])
        ctx.save_for_backward(keep, found)
        return found

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor]:
        keep, found = ctx.saved_tensors
        into_slope: Tensor = Forwards.apply(keep, slopes[0])  # type: ignore[no-untyped-call]
        return before(into_slope) * found, into_slope


def before(states: Tensor) -> Tensor:
    """The state before each, zero before the first."""
    return torch.cat([torch.zeros_like(states[:1]), states[:-1]])


class MinGRU(nn.Module):
    """h[t] = (1 - z[t]) * h[t - 1] + z[t] * v[t], where z and v read the input alone (Feng et al. 2024, section 3.1).

    Differs from the paper: the read-out is through SiLU, and states keep more or less when training begins.

    forward: x (steps, n, width) -> (steps, n, width)
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.keep, self.value = nn.Linear(width, width), nn.Linear(width, width)
        with torch.no_grad():
            self.keep.bias.copy_(torch.linspace(LONGEST, SHORTEST, width))

    def forward(self, x: Tensor) -> Tensor:
        keep, value = torch.sigmoid(self.keep(x)), self.value(x)
        return functional.silu(linear_recurrence(keep, value - keep * value))


class Gated(nn.Module):
    """A layer of torch's GRU or LSTM.

    forward: x (steps, n, width) -> (steps, n, width)
    """

    def __init__(self, kind: type[nn.GRU] | type[nn.LSTM], width: int) -> None:
        super().__init__()
        self.layer = kind(width, width)

    def forward(self, x: Tensor) -> Tensor:
        states: Tensor = self.layer(x)[0]
        return states


CELLS: dict[str, Callable[[int], nn.Module]] = {
    "mingru": MinGRU,
    "gru": lambda width: Gated(nn.GRU, width),
    "lstm": lambda width: Gated(nn.LSTM, width),
}


class Block(nn.Module):
    """x + out(cell(norm(x))): looks back only.

    forward: x (steps, n, width) -> (steps, n, width)
    """

    def __init__(self, cell: str, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.cell = CELLS[cell](width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.out(self.cell(self.norm(x)))
        return y
