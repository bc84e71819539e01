"""TimeGAN's losses against numbers worked out by hand."""

import math

import pytest
import torch
from torch import Tensor

from ecgsynth.models.timegan.losses import (
    WEIGHTS,
    Scores,
    autoencoder_objective,
    discriminator_loss,
    generator_loss,
    generator_objective,
    moments_loss,
    reconstruction_loss,
    slope_penalty,
    supervised_loss,
)

pytestmark = pytest.mark.trains


def test_reconstruction_is_the_mean_square() -> None:
    loss = reconstruction_loss(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 0.0], [3.0, 1.0]]))
    assert loss.item() == pytest.approx((4 + 9) / 4)


def test_supervised_compares_a_code_with_what_was_said_one_step_before() -> None:
    code = torch.tensor([7.0, 1.0, 2.0]).view(3, 1, 1)  # the first follows nothing
    following = torch.tensor([1.5, 4.0, 99.0]).view(3, 1, 1)  # what would follow the last is not known
    assert supervised_loss(code, following).item() == pytest.approx((0.5**2 + 2**2) / 2)


def cross_entropy(a: float) -> float:
    """-ln(sigmoid(a))."""
    return math.log(1 + math.exp(-a))


def test_windows_are_judged_in_pairs() -> None:
    scores = Scores(torch.tensor([0.0, 2.0]), torch.tensor([1.0, -1.0]))
    assert discriminator_loss(scores).item() == pytest.approx((cross_entropy(-1) + cross_entropy(3)) / 2)
    assert generator_loss(scores).item() == pytest.approx((cross_entropy(1) + cross_entropy(-3)) / 2)
    higher = Scores(scores.real + 7, scores.fake + 7)  # only the difference counts
    assert generator_loss(higher).item() == pytest.approx(generator_loss(scores).item())


def test_steps_are_judged_by_three_cross_entropies() -> None:
    scores = Scores(*(torch.tensor(pair).view(2, 1) for pair in ([0.0, 2.0], [1.0, -1.0], [3.0, 3.0])))
    wanted = (cross_entropy(0) + cross_entropy(2)) / 2
    wanted += (cross_entropy(-1) + cross_entropy(1)) / 2 + cross_entropy(-3)
    assert discriminator_loss(scores).item() == pytest.approx(wanted, rel=1e-5)
    wanted = (cross_entropy(1) + cross_entropy(-1)) / 2 + cross_entropy(3)
    assert generator_loss(scores).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("early", [None, torch.tensor([0.0])])
def test_the_generators_loss_keeps_its_slope_where_the_discriminator_is_sure(early: Tensor | None) -> None:
    sure = torch.tensor([-50.0], requires_grad=True)
    generator_loss(Scores(torch.tensor([0.0]), sure, early)).backward()
    assert sure.grad is not None
    assert sure.grad.item() == pytest.approx(-1)


def test_the_penalty_is_the_square_of_the_slopes_of_real_and_of_fake_windows() -> None:
    shown = torch.arange(12.0).view(3, 2, 2)  # steps, a real and a fake window, inputs
    found = slope_penalty(lambda x: (x.square() / 2).sum(dim=(0, 2)), shown)  # whose slope is x
    assert found.item() == pytest.approx(float(shown[:, 0].square().sum() + shown[:, 1].square().sum()))
    weight = torch.tensor(3.0, requires_grad=True)
    slope_penalty(lambda x: weight * x.sum(dim=(0, 2)), shown).backward()
    assert weight.grad is not None
    assert weight.grad.item() == pytest.approx(2 * 2 * 3.0 * 6)


def test_moments_are_of_each_number_over_the_batch() -> None:
    x = torch.tensor([[0.0, 1.0], [2.0, 1.0]])  # means 1, 1; standard deviations 1, 0
    made = torch.tensor([[1.0, 0.0], [1.0, 4.0]])  # means 1, 2; standard deviations 0, 2
    assert moments_loss(x, made).item() == pytest.approx((1 + 2) / 2 + (0 + 1) / 2, abs=2e-3)
    assert moments_loss(x, x[[1, 0]]).item() == 0


def test_objectives_have_their_weights() -> None:
    a, b = torch.tensor([0.04, 0.25])
    assert autoencoder_objective(a).item() == pytest.approx(10 * 0.2)
    assert generator_objective(WEIGHTS["relativistic"], a, b).item() == pytest.approx(0.04 + 0.25)
    assert generator_objective(WEIGHTS["cross-entropy"], a, b).item() == pytest.approx(100 * 0.2 + 100 * 0.25)


def test_a_loss_of_zero_has_a_slope() -> None:
    zero = torch.zeros((), requires_grad=True)
    (autoencoder_objective(zero) + generator_objective(WEIGHTS["cross-entropy"], zero, zero)).backward()
    assert zero.grad is not None
    assert torch.isfinite(zero.grad)
