"""Updates of the WGAN-GP against the loss as it is written."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ecgsynth.core.config import TrainConfig
from ecgsynth.models.wgan import Critic, Generator, Nets, critic_step, generator_step, gradient_penalty, normal_like

pytestmark = pytest.mark.trains

FEATURES, NORMALS = 7, 15  # an odd number of normals: one of the pairs is cut off
CLUSTERS = torch.tensor([0, 2, 5, 1, 3, 4])  # those of class 0 are 0 and 1, of class 1 2 to 4, of class 2 5
TRAINING = TrainConfig(steps=10, batch=12)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=rng(seed))


def weights(module: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(module.state_dict())


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_critic_step_changes_the_critic_only(nets: Nets) -> None:
    generator, critic = weights(nets.generator), weights(nets.critic)
    record = critic_step(nets, normal(6, FEATURES), CLUSTERS, TRAINING, rng(), penalise=True)
    assert same(generator, nets.generator.state_dict())
    assert all(parameter.grad is None for parameter in nets.generator.parameters())
    moved = {name for name, value in nets.critic.state_dict().items() if not torch.equal(value, critic[name])}
    assert moved >= set(critic) - {"score.bias"}  # which does not change how real and synthetic differ
    assert set(record) == {"wasserstein", "penalty"}
    assert not any(value.requires_grad for value in record.values())


def test_generator_step_changes_the_generator_only(nets: Nets) -> None:
    generator, critic = weights(nets.generator), weights(nets.critic)
    record = generator_step(nets, CLUSTERS, rng())
    assert set(record) == {"generator"}
    assert not record["generator"].requires_grad
    assert same(critic, nets.critic.state_dict())
    assert not any(torch.equal(generator[name], value) for name, value in nets.generator.named_parameters())
    for name, value in nets.generator.named_buffers():  # what was found in the data is not trained
        assert torch.equal(generator[name], value), name
    assert all(parameter.requires_grad for parameter in nets.critic.parameters())
    assert all(parameter.grad is None for parameter in nets.critic.parameters())


@pytest.mark.parametrize("penalise", [False, True])
def test_critic_step_goes_down_the_gradient_of_the_written_loss(nets: Nets, penalise: bool) -> None:
    real = normal(6, FEATURES)
    slow = copy.deepcopy(nets.critic)
    optimizer = torch.optim.SGD(slow.parameters(), lr=0.1)
    nets = dataclasses.replace(nets, critic_optimizer=torch.optim.SGD(nets.critic.parameters(), lr=0.1))
    draws = rng(9)
    fake = nets.generator(torch.randn(6, NORMALS, generator=draws), CLUSTERS).detach()
    on_real = torch.stack([slow(x[None], y[None])[0] for x, y in zip(real, CLUSTERS, strict=True)])
    on_fake = torch.stack([slow(x[None], y[None])[0] for x, y in zip(fake, CLUSTERS, strict=True)])
    gap = on_real.mean() - on_fake.mean()
    loss = -gap
    if penalise:
        penalty = gradient_penalty(lambda x: slow(x, CLUSTERS), real, fake, draws)
        loss = loss + TRAINING.gp_weight * TRAINING.gp_every * penalty
    loss.backward()
    optimizer.step()
    record = critic_step(nets, real, CLUSTERS, TRAINING, rng(9), penalise=penalise)
    assert record["wasserstein"].item() == pytest.approx(gap.item(), abs=1e-5)
    assert ("penalty" in record) == penalise
    if penalise:
        assert record["penalty"].item() == pytest.approx(penalty.item(), rel=1e-4)
    for name, value in slow.state_dict().items():
        assert torch.allclose(value, nets.critic.state_dict()[name], rtol=1e-4, atol=1e-6), name


def test_generator_step_goes_down_the_gradient_of_the_written_loss(nets: Nets) -> None:
    slow = copy.deepcopy(nets.generator)
    optimizer = torch.optim.SGD(slow.parameters(), lr=0.1)
    nets = dataclasses.replace(nets, generator_optimizer=torch.optim.SGD(nets.generator.parameters(), lr=0.1))
    scores = nets.critic(slow(torch.randn(6, NORMALS, generator=rng(9)), CLUSTERS), CLUSTERS)
    (-scores.mean()).backward()
    optimizer.step()
    record = generator_step(nets, CLUSTERS, rng(9))
    assert record["generator"].item() == pytest.approx(-scores.mean().item(), abs=1e-5)
    for name, value in slow.state_dict().items():
        assert torch.allclose(value, nets.generator.state_dict()[name], rtol=1e-4, atol=1e-6), name


def test_noise_of_training_is_standard_normal_and_drawn_anew(nets: Nets) -> None:
    draws = rng(1)
    one, other = (normal_like(nets.generator, torch.zeros(4000, dtype=torch.int64), draws) for _ in range(2))
    assert one.shape == (4000, NORMALS)
    assert not torch.equal(one, other)
    assert one.mean(dim=0).abs().max() < 0.08  # 5 standard deviations
    assert (one.std(dim=0) - 1).abs().max() < 0.06


def test_a_critic_learns_to_tell_real_from_fake(nets: Nets) -> None:
    draws = rng()
    real = normal(6, FEATURES) + 3
    found = [
        critic_step(nets, real, CLUSTERS, TRAINING, draws, penalise=step % 4 == 0)["wasserstein"].item()
        for step in range(60)
    ]
    assert np.mean(found[-10:]) > np.mean(found[:10]) + 1


def test_a_generator_learns_to_raise_its_score(nets: Nets) -> None:
    draws = rng()
    found = [generator_step(nets, CLUSTERS, draws)["generator"].item() for _ in range(60)]
    assert np.mean(found[-10:]) < np.mean(found[:10]) - 0.1


def test_the_first_step_of_a_generator_moves_its_read_out(nets: Nets) -> None:
    generator = Generator(nets.generator.config)  # as it begins
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2, betas=(0.0, 0.9))
    nets = dataclasses.replace(nets, generator=generator, generator_optimizer=optimizer)
    generator_step(nets, CLUSTERS, rng())
    assert (generator.value.weight != 0).any()
    before = weights(generator)
    generator_step(nets, CLUSTERS, rng(1))
    assert not any(torch.equal(before[name], value) for name, value in generator.named_parameters())


def test_steps_go_with_a_gaussian_tail(nets: Nets) -> None:
    config = dataclasses.replace(nets.generator.config, components=9, intervals=0, gaussian_tail=4)
    nets = Nets(
        *(Generator(config), Critic(config)),
        *(torch.optim.Adam([nn.Parameter(torch.zeros(1))]) for _ in range(2)),
    )
    real = nets.generator.locate(normal(6, 9), CLUSTERS)
    assert critic_step(nets, real, CLUSTERS, TRAINING, rng(), penalise=True)["penalty"].isfinite()
    assert generator_step(nets, CLUSTERS, rng())["generator"].isfinite()


# ---- steps on a GPU


class Recurrent(nn.Module):
    """A critic's body that reads its numbers one after the other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rnn = nn.GRU(1, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        last: Tensor = self.rnn(x.unsqueeze(2))[0][:, -1]
        return last


@pytest.mark.gpu
def test_steps_with_a_recurrent_critic_on_a_gpu_equal_the_written_loss_on_the_cpu(nets: Nets) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        nets.critic.body = Recurrent(nets.critic.config.critic_hidden)
    real, generator, critic = normal(6, FEATURES), copy.deepcopy(nets.generator), copy.deepcopy(nets.critic)
    nets.generator.cuda()
    nets.critic.cuda()
    there = Nets(
        nets.generator,
        nets.critic,
        torch.optim.SGD(nets.generator.parameters(), lr=0.1),
        torch.optim.SGD(nets.critic.parameters(), lr=0.1),
    )
    # One step of each, on the CPU, with the numbers that the GPU draws.
    draws = torch.Generator("cuda").manual_seed(0)
    fake = generator(torch.randn(6, NORMALS, generator=draws, device="cuda").cpu(), CLUSTERS).detach()
    mix = torch.rand(6, 1, generator=draws, device="cuda").cpu()
    between = (mix * real + (1 - mix) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between, CLUSTERS).sum(), between, create_graph=True)
    penalty = (slope.norm(dim=1) - 1).square().mean()
    gap = critic(real, CLUSTERS).mean() - critic(fake, CLUSTERS).mean()
    descend(critic, TRAINING.gp_weight * TRAINING.gp_every * penalty - gap)
    scores = critic(generator(torch.randn(6, NORMALS, generator=draws, device="cuda").cpu(), CLUSTERS), CLUSTERS)
    descend(generator, -scores.mean())

    draws, clusters = torch.Generator("cuda").manual_seed(0), CLUSTERS.cuda()
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        record = critic_step(there, real.cuda(), clusters, TRAINING, draws, penalise=True)
        record |= generator_step(there, clusters, draws)
    assert record["penalty"].item() == pytest.approx(penalty.item(), rel=1e-4)
    assert record["wasserstein"].item() == pytest.approx(gap.item(), abs=1e-5)
    for slow, fast in ((critic, there.critic), (generator, there.generator)):
        for name, value in fast.state_dict().items():
            assert value.is_cuda
            assert torch.allclose(slow.state_dict()[name], value.cpu(), rtol=1e-4, atol=1e-5), name


def descend(net: nn.Module, loss: Tensor) -> None:
    """One step of length 0.1 down the gradient."""
    slopes = torch.autograd.grad(loss, list(net.parameters()))
    with torch.no_grad():
        for parameter, slope in zip(net.parameters(), slopes, strict=True):
            parameter -= 0.1 * slope
