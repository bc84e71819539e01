"""The discriminative and the predictive score of Yoon, Jarrett and van der Schaar, "Time-series Generative Adversarial
Networks", NeurIPS 2019, section 5: small recurrent networks trained to separate, or to predict.

The repeats of a score are trained side by side, each from its own weights and batches: one product of many small
matrices costs a fraction of many small products.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ecgsynth.errors import DataError
from ecgsynth.metrics.judges.blocks import FOLDS, Parted

__all__ = ["discriminative_score", "predictive_score", "scale_by"]

BATCH_WINDOWS = 128  # windows of each kind in a batch, as in the official code; so are the steps and Adam's rate
RATE = 1e-3
LEARNT_SHARE = 0.8  # share of the windows from which the discriminator learns
TESTED_WINDOWS = 512
LEAST_WINDOWS = 10  # windows below which nothing is left to learn from and to test on

Tell = Callable[[int, int], None]


def discriminative_score(
    real: NDArray[np.float32],
    synthetic: NDArray[np.float32],
    *,
    repeats: int = 10,
    steps: int = 2000,
    seed: int = 0,
    parted: Parted | None = None,
    on_step: Tell | None = None,
) -> NDArray[np.float64]:
    """|accuracy - 0.5| of a two-layer GRU that learns to separate real and synthetic windows; 0 is best, 0.5 worst.

    The GRU has half as many units as there are channels, as in the official code, so that the figures stand beside
    those of the literature.

    Parameters
    ----------
    real, synthetic
        (n, time, channels) and (m, time, channels); the same number of each is used, drawn anew for each repeat: four
        fifths to learn from, the others to test on. Of windows that overlap, most of the latter share rows with some of
        the former.
    repeats
        Networks, each from its own weights and batches.
    steps
        Updates of each.
    seed
        Gives the same on a CPU.
    parted
        Folds of the same windows, none of which shares rows with another: a repeat is tested on one of them, each in
        its turn, and learns from the others.
    on_step
        ``on_step(done, total)`` is called after each update.

    Returns
    -------
    (repeats,)

    Raises
    ------
    DataError
        For windows of different shapes, or too few.

    """
    check(real, synthetic)
    rng = torch.Generator().manual_seed(seed)
    sides = [torch.from_numpy(side) for side in scale_by(real, real, synthetic)]
    orders, seen = at_random(sides, repeats, rng) if parted is None else by_fold(parted, repeats, seed)
    n = orders[0].shape[1]
    net = Stack(repeats, real.shape[2], max(1, real.shape[2] // 2), layers=2, rng=rng)
    wanted = torch.cat([torch.ones(repeats, BATCH_WINDOWS), torch.zeros(repeats, BATCH_WINDOWS)], dim=1)

    def loss() -> Tensor:
        rows = [
            order[:, :seen].gather(1, torch.randint(seen, (repeats, BATCH_WINDOWS), generator=rng)) for order in orders
        ]
        logit = net(stacked(sides, rows))[-1]  # (repeats, 2 * BATCH_WINDOWS), after the last step
        return binary_cross_entropy_with_logits(logit, wanted, reduction="none").mean(dim=1).sum()

    train(net, loss, steps, on_step)
    right = torch.zeros(repeats)
    with torch.inference_mode():
        for first in range(seen, n, TESTED_WINDOWS):
            logit = net(stacked(sides, [order[:, first : min(first + TESTED_WINDOWS, n)] for order in orders]))[-1]
            of_real, of_synthetic = logit.chunk(2, dim=1)
            right += (of_real > 0).sum(dim=1) + (of_synthetic <= 0).sum(dim=1)
    accuracy = right.double().numpy() / (2 * (n - seen))
    score: NDArray[np.float64] = np.abs(accuracy - 0.5)
    return score


def predictive_score(
    real: NDArray[np.float32],
    synthetic: NDArray[np.float32],
    *,
    repeats: int = 10,
    steps: int = 5000,
    scale: bool = True,
    seed: int = 0,
    on_step: Tell | None = None,
) -> NDArray[np.float64]:
    """Mean absolute error, on real windows, of a GRU that learnt from synthetic ones to predict the next step.

    Lower is better.

    As in the official code, the last channel's next value is predicted from the other channels up to now (from itself,
    where it is the only one). What real windows reach in the place of the synthetic ones is the measure's own floor.

    Parameters
    ----------
    real, synthetic
        (n, time, channels) and (m, time, channels).
    repeats
        Networks, each from its own weights and batches.
    steps
        Updates of each.
    scale
        Scale to 0..1 by the real windows, unless they are so already.
    seed
        Gives the same on a CPU.
    on_step
        ``on_step(done, total)`` is called after each update.

    Returns
    -------
    (repeats,)

    Raises
    ------
    DataError
        For windows of different shapes, too few, or of a single step.

    """
    check(real, synthetic, steps=2)
    rng = torch.Generator().manual_seed(seed)
    learnt, tested = (
        torch.from_numpy(side) for side in (scale_by(real, synthetic, real) if scale else (synthetic, real))
    )
    read = max(1, real.shape[2] - 1)  # channels that are read
    net = Stack(repeats, read, max(1, real.shape[2] // 2), layers=1, rng=rng)

    def errors(x: Tensor) -> Tensor:
        """(repeats,) of windows (time, repeats, channels, n)."""
        predicted = net(x[:-1, :, :read]).sigmoid()  # (time - 1, repeats, n)
        off: Tensor = (predicted - x[1:, :, -1]).abs().mean(dim=(0, 2))
        return off

    def loss() -> Tensor:
        return errors(stacked([learnt], [torch.randint(len(learnt), (repeats, BATCH_WINDOWS), generator=rng)])).sum()

    train(net, loss, steps, on_step)
    total = torch.zeros(repeats)
    with torch.inference_mode():
        for rows in torch.arange(len(tested)).split(TESTED_WINDOWS):
            total += len(rows) * errors(stacked([tested], [rows.expand(repeats, -1)]))
    error: NDArray[np.float64] = total.double().numpy() / len(tested)
    return error


def at_random(sides: list[Tensor], repeats: int, rng: torch.Generator) -> tuple[list[Tensor], int]:
    """(repeats, n) rows of both sides, in random order, and how many of them, the first, are learnt from."""
    n = min(map(len, sides))
    orders = [torch.stack([torch.randperm(len(side), generator=rng)[:n] for _ in range(repeats)]) for side in sides]
    return orders, round(LEARNT_SHARE * n)


def by_fold(parted: Parted, repeats: int, seed: int) -> tuple[list[Tensor], int]:
    """The same where all that is tested on lies in a fold of its own, as many windows in each repeat."""
    drawn = [parted.rows(repeat % FOLDS, seed + repeat) for repeat in range(repeats)]
    seen, tested = (min(len(of_real[place]) for of_real, _ in drawn) for place in (0, 1))
    sides = zip(*drawn, strict=True)
    rows = [[np.concatenate([learnt[:seen], held[:tested]]) for learnt, held in side] for side in sides]
    return [torch.from_numpy(np.stack(side)) for side in rows], seen


def scale_by(real: NDArray[np.float32], *others: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Windows scaled by channel so that the real ones lie in 0..1, as the paper's figures are given."""
    low, high = real.min(axis=(0, 1)), real.max(axis=(0, 1))
    return [np.ascontiguousarray((x - low) / np.maximum(high - low, 1e-7), dtype=np.float32) for x in others]


def check(real: NDArray[Any], synthetic: NDArray[Any], steps: int = 1) -> None:
    """Raise DataError unless both have enough windows, of the same form and of so many time steps."""
    if real.ndim != 3 or real.shape[1:] != synthetic.shape[1:]:
        raise DataError(
            f"expected real and synthetic windows of the same (time, channels), got {real.shape} and {synthetic.shape}"
        )
    if min(len(real), len(synthetic)) < LEAST_WINDOWS:
        raise DataError(
            f"a score needs at least {LEAST_WINDOWS} windows of each kind, got {len(real)} and {len(synthetic)}"
        )
    if real.shape[1] < steps:
        raise DataError(f"a score that predicts the next step needs windows of at least {steps}, got {real.shape[1]}")


def stacked(sides: list[Tensor], rows: list[Tensor]) -> Tensor:
    """The windows at ``rows`` (repeats, k) of each side, side by side: (time, repeats, channels, k * sides)."""
    x = torch.cat([side[index] for side, index in zip(sides, rows, strict=True)], dim=1)
    return x.permute(2, 0, 3, 1).contiguous()


def train(net: "Stack", loss: Callable[[], Tensor], steps: int, on_step: Tell | None) -> None:
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
    for step in range(steps):
        value = loss()
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        if on_step is not None:
            on_step(step + 1, steps)


class Stack(torch.nn.Module):
    """``repeats`` GRUs of so many layers, with a number read out of each state; none knows of the others.

    forward: x (time, repeats, channels, n) -> (time, repeats, n)
    """

    def __init__(self, repeats: int, channels: int, hidden: int, *, layers: int, rng: torch.Generator) -> None:
        super().__init__()
        bound = 1 / math.sqrt(hidden)

        def weights(*shape: int) -> torch.nn.Parameter:
            return torch.nn.Parameter((2 * torch.rand(repeats, *shape, generator=rng) - 1) * bound)

        self.layers = torch.nn.ModuleList()
        for layer in range(layers):
            into = torch.nn.ParameterList(
                [
                    weights(3 * hidden, hidden if layer else channels),
                    weights(3 * hidden, 1),
                    weights(3 * hidden, hidden),
                    weights(hidden, 1),
                ]
            )
            self.layers.append(into)
        self.out = torch.nn.ParameterList([weights(1, hidden), weights(1, 1)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            weight, bias, recurrent, recurrent_bias = layer.parameters()
            x = GruLayer.apply(torch.matmul(weight, x) + bias, recurrent, recurrent_bias)  # type: ignore[no-untyped-call]
        out, shift = self.out
        y: Tensor = (torch.matmul(out, x) + shift).squeeze(2)
        return y


class GruLayer(torch.autograd.Function):
    """One GRU layer of many networks at a time, from what its gates take of the input (Cho et al. 2014).

    gates (time, repeats, 3 * hidden, n): reset, update, new; recurrent (repeats, 3 * hidden, hidden);
    recurrent_bias (repeats, hidden, 1), of the new gate -> states (time, repeats, hidden, n), as torch.nn.GRU has them
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, recurrent: Tensor, recurrent_bias: Tensor) -> Tensor:
        time, repeats, triple, n = gates.shape
        hidden = triple // 3
        states = gates.new_zeros(time + 1, repeats, hidden, n)
        both, new, inner = (gates.new_empty(time, repeats, k * hidden, n) for k in (2, 1, 1))
        for_both, for_new = (part.contiguous() for part in recurrent.split([2 * hidden, hidden], dim=1))
        for t in range(time):
            torch.baddbmm(gates[t][:, : 2 * hidden], for_both, states[t], out=both[t])
            both[t].sigmoid_()
            torch.baddbmm(recurrent_bias, for_new, states[t], out=inner[t])
            torch.addcmul(gates[t][:, 2 * hidden :], both[t][:, :hidden], inner[t], out=new[t])
            new[t].tanh_()
            torch.lerp(new[t], states[t], both[t][:, hidden:], out=states[t + 1])
        ctx.save_for_backward(states, both, new, inner, recurrent)
        return states[1:]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (grad,) = grads
        states, both, new, inner, recurrent = ctx.saved_tensors
        time, repeats, hidden, n = grad.shape
        into_gates = grad.new_empty(time, repeats, 3 * hidden, n)
        into_recurrent, into_bias = torch.zeros_like(recurrent), grad.new_zeros(repeats, hidden, 1)
        turned = recurrent.transpose(1, 2).contiguous()
        back = grad.new_empty(repeats, 3 * hidden, n)  # as the recurrent weights see the gates
        carried = grad.new_zeros(repeats, hidden, n)
        for t in range(time - 1, -1, -1):
            reset, update = both[t][:, :hidden], both[t][:, hidden:]
            carried += grad[t]
            to_new = carried * (1 - update) * (1 - new[t].square())
            to_reset = to_new * inner[t] * reset * (1 - reset)
            to_update = carried * (states[t] - new[t]) * update * (1 - update)
            into_gates[t][:, :hidden], into_gates[t][:, hidden : 2 * hidden] = to_reset, to_update
            into_gates[t][:, 2 * hidden :] = to_new
            back[:, : 2 * hidden] = into_gates[t][:, : 2 * hidden]
            torch.mul(to_new, reset, out=back[:, 2 * hidden :])
            into_recurrent.baddbmm_(back, states[t].transpose(1, 2))
            into_bias += back[:, 2 * hidden :].sum(dim=2, keepdim=True)
            carried = torch.baddbmm(carried * update, turned, back)
        return into_gates, into_recurrent, into_bias
