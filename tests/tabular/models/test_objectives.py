"""The losses of adversarial models of tables against closed forms and slow references."""

import math

import pytest
import torch
from torch import Tensor

from ecgsynth.tabular.models.config import GANConfig
from ecgsynth.tabular.models.gan import Critic
from ecgsynth.tabular.models.objectives import (
    OBJECTIVES,
    confine,
    cramer_critic,
    cramer_critic_loss,
    cramer_generator_loss,
    critic_loss,
    dragan_penalty,
    generator_loss,
    gradient_penalty,
    slope_of,
    vanilla_critic_loss,
    vanilla_generator_loss,
    wasserstein_critic_loss,
    wasserstein_generator_loss,
)

pytestmark = pytest.mark.trains

W = torch.tensor([0.5, -1.5, 2.0])


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=rng(seed))


def linear(x: Tensor) -> Tensor:
    return x @ W


def test_vanilla_losses_are_those_of_the_probabilities() -> None:
    on_real, on_fake = normal(50), normal(50, seed=1)
    real, fake = torch.sigmoid(on_real), torch.sigmoid(on_fake)
    expected = -real.log().mean() - (1 - fake).log().mean()
    assert vanilla_critic_loss(on_real, on_fake).item() == pytest.approx(expected.item(), rel=1e-5)
    assert vanilla_generator_loss(on_fake).item() == pytest.approx(-fake.log().mean().item(), rel=1e-5)


def test_vanilla_losses_of_an_undecided_discriminator() -> None:
    nothing = torch.zeros(4)
    assert vanilla_critic_loss(nothing, nothing).item() == pytest.approx(2 * math.log(2))
    assert vanilla_generator_loss(nothing).item() == pytest.approx(math.log(2))


def test_vanilla_losses_stay_finite_where_the_discriminator_is_sure() -> None:
    sure = torch.full((3,), 200.0, requires_grad=True)
    loss = vanilla_generator_loss(-sure)
    loss.backward()
    assert loss.item() == pytest.approx(200)
    assert sure.grad is not None
    assert torch.allclose(sure.grad, torch.full((3,), 1 / 3))


def test_wasserstein_losses_of_shifted_points() -> None:
    real, fake = normal(40, 3), normal(40, 3) + 1.0
    assert wasserstein_critic_loss(linear(real), linear(fake)).item() == pytest.approx(W.sum().item(), abs=1e-5)
    assert wasserstein_generator_loss(linear(fake)).item() == pytest.approx(-linear(fake).mean().item())


def test_clipping_leaves_no_weight_outside_and_the_others_alone() -> None:
    layer = torch.nn.Linear(5, 4)
    before = [parameter.detach().clone() for parameter in layer.parameters()]
    confine(OBJECTIVES["clip"], layer, 0.1)
    for old, new in zip(before, layer.parameters(), strict=True):
        assert torch.equal(new, old.clamp(-0.1, 0.1))


@pytest.mark.parametrize("n", [1, 2, 64])
def test_penalties_of_a_linear_critic_are_known(n: int) -> None:
    expected = (W.norm().item() - 1) ** 2
    got = gradient_penalty(slope_of(linear), normal(n, 3), normal(n, 3, seed=1), rng())
    assert got.item() == pytest.approx(expected, rel=1e-5)


def test_the_penalty_is_taken_between_the_two_points_of_each_row() -> None:
    seen = []

    def slope(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x

    real, fake = torch.ones(100, 2), 3 * torch.ones(100, 2)
    gradient_penalty(slope, real, fake, rng())
    assert torch.equal(seen[0][:, 0], seen[0][:, 1])
    assert seen[0].min() >= 1
    assert seen[0].max() <= 3
    assert seen[0].mean().item() == pytest.approx(2, abs=0.2)


def test_dragan_stays_around_the_real_rows() -> None:
    seen = []

    def score(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.sum(1)

    real = normal(200, 4)
    dragan_penalty(score, real, rng())
    away = (seen[0] - real) / real.std()
    assert away.mean().item() == pytest.approx(0, abs=0.05)
    assert away.std().item() == pytest.approx(0.5, abs=0.03)


def test_dragan_s_slope_is_that_of_the_probability() -> None:
    steep = torch.tensor([8.0, 0.0])  # where undecided, a sigmoid has a quarter of the slope of its score
    real = torch.tensor([[0.0, -1.0], [0.0, 1.0]])
    got = dragan_penalty(lambda x: 0.0 * x[:, 0] * steep[0] + x @ (steep * 1e-6), real, rng())
    assert got.item() == pytest.approx((8e-6 / 4 - 1) ** 2, rel=1e-5)
    away = dragan_penalty(lambda x: 100 + x @ steep, real, rng())
    assert away.item() == pytest.approx(1, abs=1e-5)


def test_cramer_critic_of_points_on_a_line() -> None:
    x, other = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 4.0]])
    assert cramer_critic(x, other).item() == pytest.approx(5 - 3)


def test_cramer_losses_are_the_terms_of_the_energy_distance() -> None:
    real, fake, other = (normal(30, 4, seed=seed) for seed in range(3))
    gaps = [(real - fake), (real - other), (fake - other)]
    first, second, third = (gap.norm(dim=1).mean() for gap in gaps)
    assert cramer_generator_loss(real, fake, other).item() == pytest.approx((first + second - third).item(), rel=1e-5)
    surrogate = (second - real.norm(dim=1).mean()) - (third - fake.norm(dim=1).mean())
    assert cramer_critic_loss(real, fake, other).item() == pytest.approx(-surrogate.item(), rel=1e-4)


def test_cramer_loss_is_smallest_where_the_distributions_agree() -> None:
    real = normal(4000, 1)
    same = cramer_generator_loss(real, normal(4000, 1, seed=1), normal(4000, 1, seed=2))
    moved = cramer_generator_loss(real, normal(4000, 1, seed=1) + 1, normal(4000, 1, seed=2) + 1)
    assert same.item() < moved.item()


def test_cramer_losses_have_a_slope_where_points_meet() -> None:
    point = torch.ones(3, 2, requires_grad=True)
    cramer_generator_loss(point, point.detach(), point.detach()).backward()
    assert point.grad is not None
    assert torch.isfinite(point.grad).all()


@pytest.mark.parametrize("name", ["vanilla", "clip", "gp", "dragan"])
def test_critic_loss_is_the_sum_of_its_parts(name: str) -> None:
    real, made = normal(20, 3), normal(20, 3, seed=1)
    with_penalty, without = (
        critic_loss(OBJECTIVES[name], linear, slope_of(linear), real, made, rng(), weight) for weight in (10.0, 0.0)
    )
    assert set(without) == {"loss", "critic"}
    assert set(with_penalty) == ({"loss", "critic", "penalty"} if name in ("gp", "dragan") else {"loss", "critic"})
    total = with_penalty["critic"] + 10 * with_penalty.get("penalty", torch.zeros(()))
    assert with_penalty["loss"].item() == pytest.approx(total.item(), rel=1e-6)


def test_each_objective_has_its_own_losses() -> None:
    real, made = normal(20, 3), normal(20, 3, seed=1)
    on_real, on_fake = linear(real), linear(made)
    vanilla = vanilla_critic_loss(on_real, on_fake).item()
    distance = wasserstein_critic_loss(on_real, on_fake).item()
    for objective, expected, wanted in (
        ("vanilla", vanilla, vanilla_generator_loss(on_fake)),
        ("dragan", vanilla, vanilla_generator_loss(on_fake)),
        ("gp", distance, wasserstein_generator_loss(on_fake)),
        ("clip", distance, wasserstein_generator_loss(on_fake)),
    ):
        found = critic_loss(OBJECTIVES[objective], linear, slope_of(linear), real, made, rng(), 1.0)
        assert found["critic"].item() == pytest.approx(expected)
        assert generator_loss(OBJECTIVES[objective], linear, real, made).item() == pytest.approx(wanted.item())
    twice = torch.cat([made, normal(20, 3, seed=2)])
    found = critic_loss(OBJECTIVES["cramer"], lambda x: x, slope_of(lambda x: x), real, twice, rng(), 0.0)
    assert found["critic"].item() == pytest.approx(cramer_critic_loss(real, made, twice[20:]).item())
    wanted = cramer_generator_loss(real, made, twice[20:])
    assert generator_loss(OBJECTIVES["cramer"], lambda x: x, real, twice).item() == pytest.approx(wanted.item())


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_slope_of_a_critic_is_what_autograd_finds(dropout: float) -> None:
    config = GANConfig(
        sizes=(3, 4),
        positioned=(True, False),
        askable=(False, True),
        critic_sizes=(7, 5),
        critic_dropout=dropout,
        pack=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        critic = Critic(config)
    x, condition = normal(9, 16).requires_grad_(), torch.zeros(9, 2, dtype=torch.int64)
    losses = []
    for slope in (critic.slope(x, condition, rng(1)), slope_of(lambda rows: critic(rows, condition, rng(1)))(x)):
        critic.zero_grad()
        (slope.norm(dim=1) - 1).square().mean().backward()
        weights = [torch.zeros(()) if weight.grad is None else weight.grad.clone() for weight in critic.parameters()]
        losses.append((slope.detach(), weights))
    assert torch.allclose(losses[0][0], losses[1][0], atol=1e-6)
    for mine, its in zip(losses[0][1], losses[1][1], strict=True):
        assert torch.allclose(mine, its, atol=1e-6)
