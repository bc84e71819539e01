"""TimeGAN's losses against numbers worked out by hand."""

import math

import pytest
import torch

from ecgsynth.models.timegan import (
    adversarial_loss,
    discriminator_loss,
    embedding_objective,
    generator_objective,
    moments_loss,
    reconstruction_loss,
    supervised_loss,
)

pytestmark = pytest.mark.trains


def test_reconstruction_is_the_mean_square() -> None:
    loss = reconstruction_loss(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 0.0], [3.0, 1.0]]))
    assert loss.item() == pytest.approx((4 + 9) / 4)


def test_supervised_compares_a_code_with_what_was_said_one_step_before() -> None:
    code = torch.tensor([[[7.0], [1.0], [2.0]]])  # the first follows nothing
    following = torch.tensor([[[1.5], [4.0], [99.0]]])  # what would follow the last is not known
    assert supervised_loss(code, following).item() == pytest.approx((0.5**2 + 2**2) / 2)


def test_the_discriminators_loss_is_three_cross_entropies() -> None:
    real, fake, early = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [-1.0]]), torch.tensor([[3.0], [3.0]])

    def ln_one_minus(a: float) -> float:
        return math.log(1 - 1 / (1 + math.exp(-a)))

    wanted = -(math.log(0.5) + math.log(1 / (1 + math.exp(-2)))) / 2
    wanted -= (ln_one_minus(1) + ln_one_minus(-1)) / 2 + ln_one_minus(3)
    assert discriminator_loss(real, fake, early).item() == pytest.approx(wanted, rel=1e-5)


def test_the_generators_loss_keeps_its_slope_where_the_discriminator_is_sure() -> None:
    fake, early = torch.tensor([0.0, 2.0]), torch.tensor([-1.0, -1.0])
    wanted = (math.log(2) + math.log(1 + math.exp(-2))) / 2 + math.log(1 + math.e)
    assert adversarial_loss(fake, early).item() == pytest.approx(wanted, rel=1e-5)
    sure = torch.tensor([-50.0], requires_grad=True)
    adversarial_loss(sure, torch.tensor([0.0])).backward()
    assert sure.grad is not None
    assert sure.grad.item() == pytest.approx(-1)


def test_moments_are_of_each_number_over_the_batch() -> None:
    x = torch.tensor([[0.0, 1.0], [2.0, 1.0]])  # means 1, 1; standard deviations 1, 0
    made = torch.tensor([[1.0, 0.0], [1.0, 4.0]])  # means 1, 2; standard deviations 0, 2
    assert moments_loss(x, made).item() == pytest.approx((1 + 2) / 2 + (0 + 1) / 2, abs=2e-3)
    assert moments_loss(x, x[[1, 0]]).item() == 0


def test_objectives_have_the_weights_of_the_authors() -> None:
    a, b, c = torch.tensor([0.04, 0.25, 3.0])
    assert embedding_objective(a, b).item() == pytest.approx(10 * 0.2 + 0.1 * 0.25)
    assert generator_objective(c, a, b).item() == pytest.approx(3 + 100 * 0.2 + 100 * 0.25)


def test_a_loss_of_zero_has_a_slope() -> None:
    zero = torch.zeros((), requires_grad=True)
    (embedding_objective(zero, zero) + generator_objective(zero, zero, zero)).backward()
    assert zero.grad is not None
    assert torch.isfinite(zero.grad)
