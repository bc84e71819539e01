"""The gated linear recurrence against a slow loop, once, twice and backwards; and that every cell looks back only."""

import pytest
import torch
from torch import Tensor

from ecgsynth.models.timegan.recurrence import CELLS, Block, MinGRU, linear_recurrence

pytestmark = pytest.mark.trains


def some(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow(keep: Tensor, new: Tensor) -> Tensor:
    states = [torch.zeros_like(new[0])]
    for t in range(len(new)):
        states.append(keep[t] * states[-1] + new[t])
    return torch.stack(states[1:])


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_it_is_the_loop_with_and_without_slopes(steps: int) -> None:
    keep, new = some(steps, 3, 2), some(steps, 3, 2, seed=1)
    wanted = slow(keep, new)
    torch.testing.assert_close(linear_recurrence(keep, new), wanted)
    torch.testing.assert_close(linear_recurrence(keep.requires_grad_(), new), wanted)
    with torch.no_grad():
        torch.testing.assert_close(linear_recurrence(keep, new), wanted)


def test_its_slopes_and_theirs_are_those_of_the_loop() -> None:
    keep, new = some(5, 2, 3).requires_grad_(), some(5, 2, 3, seed=1).requires_grad_()
    weights = some(5, 2, 3, seed=2)
    found = []
    for recurrence in (slow, linear_recurrence):
        first = torch.autograd.grad((recurrence(keep, new).sin() * weights).sum(), (keep, new), create_graph=True)
        twice = torch.autograd.grad(sum(slope.square().sum() for slope in first), (keep, new))
        found.append([*first, *twice])
    for got, wanted in zip(*found, strict=True):
        torch.testing.assert_close(got, wanted)


def test_mingru_keeps_a_share_of_its_state_and_adds_the_rest_of_the_value() -> None:
    cell = MinGRU(2).double()
    with torch.no_grad():
        for layer, bias in ((cell.keep, 0.0), (cell.value, 4.0)):  # sigmoid(0): half is kept
            layer.weight.zero_()
            layer.bias.fill_(bias)
    states = torch.tensor([2.0, 3.0, 3.5], dtype=torch.float64)
    wanted = torch.nn.functional.silu(states)[:, None, None].expand(3, 1, 2)
    torch.testing.assert_close(cell(some(3, 1, 2)), wanted)


@pytest.mark.parametrize("cell", list(CELLS))
def test_a_block_looks_back_only_and_at_all_that_was(cell: str) -> None:
    torch.manual_seed(0)
    block = Block(cell, 4).double()
    x = some(6, 2, 4)
    other = x.clone()
    other[2, 0, 1] += 1
    difference = (block(x) - block(other)).abs().amax(dim=2)
    assert (difference[:2] == 0).all()
    assert (difference[:, 1] == 0).all()  # another window's
    assert (difference[2:, 0] > 0).all()
