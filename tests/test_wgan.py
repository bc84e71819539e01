"""The networks and steps of the WGAN-GP against known answers and slow references."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.config import TrainConfig, WGANConfig
from ecgsynth.wgan import Critic, Generator, Nets, critic_step, generator_step, gradient_penalty, normal_like

CONFIG = WGANConfig(
    time=32,
    classes=3,
    components=8,
    latent_steps=4,
    step_noise=2,
    hidden=5,
    readout=6,
    label_dim=3,
    critic_hidden=16,
)
TRAINING = TrainConfig(steps=10, batch=12)
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=rng(seed))


@pytest.fixture
def nets() -> Nets:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        generator, critic = Generator(CONFIG), Critic(CONFIG)
    return Nets(
        generator,
        critic,
        torch.optim.Adam(generator.parameters(), lr=1e-2, betas=(0.0, 0.9)),
        torch.optim.Adam(critic.parameters(), lr=1e-2, betas=(0.0, 0.9)),
    )


def weights(module: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(module.state_dict())


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


# ---- the gradient penalty


@pytest.mark.parametrize("n", [1, 2, 64])
@pytest.mark.parametrize("shape", [(8,), (8, 1), (4, 2)])
def test_penalty_of_a_linear_critic_is_known(n: int, shape: tuple[int, ...]) -> None:
    # Its gradient is w everywhere, |w| = sqrt(2), whatever the number of samples: one norm a sample, not one a batch.
    w = torch.full(shape, 0.5)
    real, fake = normal(n, *shape), normal(n, *shape, seed=1)
    got = gradient_penalty(lambda x: (x * w).flatten(1).sum(1), real, fake, rng())
    assert got.item() == pytest.approx((2**0.5 - 1) ** 2, rel=1e-5)


def test_penalty_is_zero_for_slope_one() -> None:
    w = nn.functional.normalize(normal(8), dim=0)
    assert gradient_penalty(lambda x: x @ w, normal(5, 8), normal(5, 8, seed=1), rng()).item() < 1e-10


@pytest.mark.parametrize("n", [1, 2, 7])
def test_penalty_of_a_quadratic_equals_autograd_sample_by_sample(n: int) -> None:
    a = normal(6, 6, seed=2)
    real, fake = normal(n, 6), normal(n, 6, seed=1)

    def score(x: Tensor) -> Tensor:
        return ((x @ a) * x).sum(dim=1)

    got = gradient_penalty(score, real, fake, rng(5))
    mix = torch.rand(n, 1, generator=rng(5))  # the same draws: one number a sample
    each = []
    for i in range(n):
        x = (mix[i] * real[i] + (1 - mix[i]) * fake[i]).requires_grad_()
        (gradient,) = torch.autograd.grad(score(x[None])[0], x)
        assert torch.allclose(gradient, (a + a.T) @ x.detach(), atol=1e-5)
        each.append((gradient.norm() - 1) ** 2)
    assert got.item() == pytest.approx(torch.stack(each).mean().item(), rel=1e-5)


def test_penalty_is_taken_on_the_line_between_real_and_fake() -> None:
    seen: list[Tensor] = []

    def score(x: Tensor) -> Tensor:
        seen.append(x.detach().clone())
        return x.square().sum(dim=1)

    real, fake = torch.full((50, 3), 2.0), torch.full((50, 3), 4.0)
    gradient_penalty(score, real, fake, rng())
    (points,) = seen
    assert (points > 2).all()
    assert (points < 4).all()
    assert torch.equal(points, points[:, :1].expand(-1, 3))  # one mixture a sample
    assert points[:, 0].unique().numel() == 50  # and another one for each


def test_penalty_gradient_reaches_the_weights_and_equals_finite_differences() -> None:
    real, fake = normal(4, 6).double(), normal(4, 6, seed=1).double()
    w = normal(6, seed=2).double().requires_grad_()

    def penalty(w: Tensor) -> Tensor:
        return gradient_penalty(lambda x: torch.sin(x @ w), real, fake, rng())

    assert torch.autograd.gradcheck(penalty, (w,))


def test_penalty_works_with_a_recurrent_critic() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        rnn, head = nn.GRU(1, 4, batch_first=True), nn.Linear(4, 1)
    got = gradient_penalty(
        lambda x: head(rnn(x)[0][:, -1]).squeeze(1), normal(3, 10, 1), normal(3, 10, 1, seed=1), rng()
    )
    got.backward()  # through the gradient: the double backward of a GRU
    for weight in (rnn.weight_ih_l0, rnn.weight_hh_l0, head.weight):
        assert weight.grad is not None
        assert weight.grad.abs().sum() > 0


@pytest.mark.gpu
def test_penalty_of_a_recurrent_critic_on_a_gpu_equals_the_cpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        rnn = nn.GRU(1, 4, batch_first=True)
    x = normal(3, 10, 1)
    found = []
    for device in ("cpu", "cuda"):
        net, there = copy.deepcopy(rnn).to(device), x.to(device)
        penalty = gradient_penalty(lambda x: net(x)[0][:, -1].sum(1), there, there, rng_on(device))  # noqa: B023
        penalty.backward()
        assert net.weight_hh_l0.grad is not None
        found.append((penalty.item(), net.weight_hh_l0.grad.cpu()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-4)
    assert torch.allclose(found[0][1], found[1][1], atol=1e-5)


def rng_on(device: str) -> torch.Generator:
    return torch.Generator(device).manual_seed(0)


# ---- steps


def test_critic_step_changes_the_critic_only(nets: Nets) -> None:
    generator, critic = weights(nets.generator), weights(nets.critic)
    record = critic_step(nets, normal(6, 8), LABELS, TRAINING, rng(), penalise=True)
    assert same(generator, nets.generator.state_dict())
    assert all(parameter.grad is None for parameter in nets.generator.parameters())
    assert not any(torch.equal(value, nets.critic.state_dict()[name]) for name, value in critic.items() if value.dim())
    assert set(record) == {"wasserstein", "critic_class", "penalty"}
    assert not any(value.requires_grad for value in record.values())


def test_generator_step_changes_the_generator_only(nets: Nets) -> None:
    generator, critic = weights(nets.generator), weights(nets.critic)
    generator_step(nets, LABELS, TRAINING, rng())
    assert same(critic, nets.critic.state_dict())
    assert not same(generator, nets.generator.state_dict())
    assert all(parameter.requires_grad for parameter in nets.critic.parameters())
    assert all(parameter.grad is None for parameter in nets.critic.parameters())


@pytest.mark.parametrize("penalise", [False, True])
def test_critic_step_goes_down_the_gradient_of_the_written_loss(nets: Nets, penalise: bool) -> None:
    real = normal(6, 8)
    slow = copy.deepcopy(nets.critic)
    optimizer = torch.optim.SGD(slow.parameters(), lr=0.1)
    nets = dataclasses.replace(nets, critic_optimizer=torch.optim.SGD(nets.critic.parameters(), lr=0.1))
    draws = rng(9)
    fake = nets.generator(normal_like(nets.generator, LABELS, draws), LABELS).detach()
    on_real = torch.stack([slow(x[None], y[None])[0][0] for x, y in zip(real, LABELS, strict=True)])
    on_fake = torch.stack([slow(x[None], y[None])[0][0] for x, y in zip(fake, LABELS, strict=True)])
    gap = on_real.mean() - on_fake.mean()
    classified = -slow(real, LABELS)[1].log_softmax(dim=1)[torch.arange(6), LABELS].mean()
    loss = TRAINING.class_weight * classified - gap
    if penalise:
        penalty = gradient_penalty(lambda x: slow(x, LABELS)[0], real, fake, draws)
        loss = loss + TRAINING.gp_weight * TRAINING.gp_every * penalty
    loss.backward()
    optimizer.step()
    record = critic_step(nets, real, LABELS, TRAINING, rng(9), penalise=penalise)
    assert record["wasserstein"].item() == pytest.approx(gap.item(), abs=1e-5)
    assert record["critic_class"].item() == pytest.approx(classified.item(), abs=1e-5)
    assert ("penalty" in record) == penalise
    for name, value in slow.state_dict().items():
        assert torch.allclose(value, nets.critic.state_dict()[name], rtol=1e-4, atol=1e-6), name


def test_generator_step_goes_down_the_gradient_of_the_written_loss(nets: Nets) -> None:
    slow = copy.deepcopy(nets.generator)
    optimizer = torch.optim.SGD(slow.parameters(), lr=0.1)
    nets = dataclasses.replace(nets, generator_optimizer=torch.optim.SGD(nets.generator.parameters(), lr=0.1))
    scores, logits = nets.critic(slow(normal_like(slow, LABELS, rng(9)), LABELS), LABELS)
    classified = -logits.log_softmax(dim=1)[torch.arange(6), LABELS].mean()
    (TRAINING.class_weight * classified - scores.mean()).backward()
    optimizer.step()
    generator_step(nets, LABELS, TRAINING, rng(9))
    for name, value in slow.state_dict().items():
        assert torch.allclose(value, nets.generator.state_dict()[name], rtol=1e-4, atol=1e-6), name


def test_a_critic_learns_to_tell_real_from_fake(nets: Nets) -> None:
    draws = rng()
    real = normal(6, 8) + 3
    found = [
        critic_step(nets, real, LABELS, TRAINING, draws, penalise=step % 4 == 0)["wasserstein"].item()
        for step in range(60)
    ]
    assert np.mean(found[-10:]) > np.mean(found[:10]) + 1


def test_a_generator_learns_to_raise_its_score(nets: Nets) -> None:
    draws = rng()
    found = [generator_step(nets, LABELS, TRAINING, draws)["generator"].item() for _ in range(60)]
    assert np.mean(found[-10:]) < np.mean(found[:10]) - 0.1


# ---- conditioning


def test_projection_conditioning_is_the_inner_product_with_the_class(nets: Nets) -> None:
    x = normal(4, 8)
    scores = torch.stack([nets.critic(x, torch.full((4,), code))[0] for code in range(3)])
    assert not torch.allclose(scores[0], scores[1])
    h, embed = nets.critic.body(x), nets.critic.embed.weight
    assert torch.allclose(scores[1] - scores[2], h @ (embed[1] - embed[2]), atol=1e-5)
    logits = [nets.critic(x, torch.full((4,), code))[1] for code in range(3)]
    assert torch.equal(logits[0], logits[1])  # the auxiliary classifier must not be told the class


def test_generator_depends_on_label_and_noise(nets: Nets) -> None:
    z, label = normal(3, CONFIG.noise_dim), torch.zeros(3, dtype=torch.int64)
    x = nets.generator(z, label)
    assert x.shape == (3, CONFIG.components)
    assert not torch.allclose(x, nets.generator(z, label + 1))
    for column in range(CONFIG.noise_dim):  # every number that is drawn is used
        other = z.clone()
        other[:, column] += 1
        assert (nets.generator(other, label) != x).any()


def test_rows_do_not_see_each_other(nets: Nets) -> None:
    z = normal(5, CONFIG.noise_dim)
    label = torch.tensor([0, 1, 2, 1, 0])
    together = nets.generator(z, label)
    alone = torch.cat([nets.generator(z[i : i + 1], label[i : i + 1]) for i in range(5)])
    assert torch.allclose(together, alone, atol=1e-6)


# ---- a slow reference of the generator


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def gru(inputs: NDArray[np.float64], w: dict[str, NDArray[np.float64]], suffix: str) -> NDArray[np.float64]:
    """States (steps, hidden) of one direction, written out as in Cho et al. 2014, with torch's order r, z, n."""
    h = np.zeros(CONFIG.hidden)
    states = []
    for x in inputs:
        ir, iz, inn = np.split(w[f"rnn.weight_ih_l0{suffix}"] @ x + w[f"rnn.bias_ih_l0{suffix}"], 3)
        hr, hz, hn = np.split(w[f"rnn.weight_hh_l0{suffix}"] @ h + w[f"rnn.bias_hh_l0{suffix}"], 3)
        update = sigmoid(iz + hz)
        candidate = np.tanh(inn + sigmoid(ir + hr) * hn)
        h = (1 - update) * candidate + update * h
        states.append(h)
    return np.stack(states)


def test_generator_equals_a_loop_over_its_steps(nets: Nets) -> None:
    w = {name: value.double().numpy() for name, value in nets.generator.state_dict().items()}
    z, label = normal(6, CONFIG.noise_dim), LABELS
    got = nets.generator(z, label).detach().numpy()
    for row in range(6):
        noise = z[row].double().numpy().reshape(CONFIG.latent_steps, CONFIG.step_noise)
        asked = w["embed.weight"][int(label[row])]
        inputs = np.stack([np.concatenate([step, asked]) for step in noise])
        forward = gru(inputs, w, "")
        backward = gru(inputs[::-1], w, "_reverse")[::-1]
        h = np.concatenate([forward, backward], axis=1).ravel()
        for layer in (0, 2):
            h = w[f"head.{layer}.weight"] @ h + w[f"head.{layer}.bias"]
            h = np.where(h > 0, h, 0.2 * h)
        assert got[row] == pytest.approx(w["head.4.weight"] @ h + w["head.4.bias"], abs=1e-5)
