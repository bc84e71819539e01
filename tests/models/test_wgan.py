"""The networks and steps of the WGAN-GP against known answers and slow references."""

import copy
import dataclasses
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.core.config import TrainConfig
from ecgsynth.models.clusters import Clusters
from ecgsynth.models.wgan import (
    Critic,
    Generator,
    Nets,
    WGANConfig,
    box_muller,
    critic_step,
    generator_step,
    gradient_penalty,
    normal_like,
)

pytestmark = pytest.mark.trains

CONFIG = WGANConfig(
    time=32,
    components=5,
    intervals=2,
    clusters=(2, 3, 1),
    latent_steps=4,
    step_noise=2,
    hidden=5,
    cluster_dim=3,
    read_out=6,
    critic_hidden=16,
)
FEATURES, NORMALS = 7, 15  # an odd number of normals: one of the pairs is cut off
TRAINING = TrainConfig(steps=10, batch=12)
CLUSTERS = torch.tensor([0, 2, 5, 1, 3, 4])  # those of class 0 are 0 and 1, of class 1 2 to 4, of class 2 5
SHARES = (np.array([0.75, 0.25]), np.array([0.5, 0.3, 0.2]), np.array([1.0]))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=rng(seed))


@pytest.fixture
def nets() -> Nets:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        generator, critic = Generator(CONFIG), Critic(CONFIG)
        nn.init.normal_(generator.value.weight, std=0.4)  # it begins at zero, and leaves that with the first step
    generator.set_clusters(some_clusters())
    return Nets(
        generator,
        critic,
        torch.optim.Adam(generator.parameters(), lr=1e-2, betas=(0.0, 0.9)),
        torch.optim.Adam(critic.parameters(), lr=1e-2, betas=(0.0, 0.9)),
    )


def some_clusters() -> Clusters:
    """Six clusters, each with its own centre and its own spread in every feature."""
    return Clusters(
        numbers=np.zeros(0, dtype=np.int64),
        shares=SHARES,
        centres=normal(6, FEATURES, seed=11).numpy(),
        spreads=(0.5 + torch.rand((6, FEATURES), generator=rng(12))).numpy(),
    )


def shaken(net: nn.Module, seed: int = 8) -> nn.Module:
    """The network with all its weights moved at random, so that none is zero."""
    with torch.no_grad():
        for number, parameter in enumerate(net.parameters()):
            parameter += 0.2 * normal(*parameter.shape, seed=seed + number)
    return net


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
        nets.critic.body = Recurrent(CONFIG.critic_hidden)
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
    draws = rng_on("cuda")
    fake = generator(torch.randn(6, NORMALS, generator=draws, device="cuda").cpu(), CLUSTERS).detach()
    mix = torch.rand(6, 1, generator=draws, device="cuda").cpu()
    between = (mix * real + (1 - mix) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between, CLUSTERS).sum(), between, create_graph=True)
    penalty = (slope.norm(dim=1) - 1).square().mean()
    gap = critic(real, CLUSTERS).mean() - critic(fake, CLUSTERS).mean()
    descend(critic, TRAINING.gp_weight * TRAINING.gp_every * penalty - gap)
    scores = critic(generator(torch.randn(6, NORMALS, generator=draws, device="cuda").cpu(), CLUSTERS), CLUSTERS)
    descend(generator, -scores.mean())

    draws, clusters = rng_on("cuda"), CLUSTERS.cuda()
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


# ---- local coordinates


def test_local_coordinates_are_those_of_the_cluster(nets: Nets) -> None:
    clusters, features = some_clusters(), 5 * normal(6, FEATURES)
    local = nets.generator.locate(features, CLUSTERS)
    for row, cluster in enumerate(CLUSTERS.tolist()):
        for column in range(FEATURES):
            away = (features[row, column].item() - clusters.centres[cluster, column]) / clusters.spreads[
                cluster, column
            ]
            assert local[row, column].item() == pytest.approx(math.asinh(away), abs=1e-5)
    back = nets.generator.place(local, CLUSTERS)
    assert torch.allclose(back, features, rtol=1e-4, atol=1e-4)


def test_what_is_made_lies_no_farther_than_27_spreads_from_its_centre(nets: Nets) -> None:
    clusters = some_clusters()
    for far in (4.0, 4.1, 1e6, -4.0, -1e6):
        made = nets.generator.place(torch.full((6, FEATURES), far), CLUSTERS).numpy()
        wanted = clusters.centres[CLUSTERS] + clusters.spreads[CLUSTERS] * math.copysign(27.2899, far)
        assert made == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    near = nets.generator.place(torch.full((6, FEATURES), 3.9), CLUSTERS).numpy()
    assert near == pytest.approx(clusters.centres[CLUSTERS] + clusters.spreads[CLUSTERS] * math.sinh(3.9), rel=1e-4)


def test_the_clusters_are_taken_over(nets: Nets) -> None:
    generator, clusters = nets.generator, some_clusters()
    assert np.array_equal(generator.centres.numpy(), clusters.centres)
    assert np.array_equal(generator.spreads.numpy(), clusters.spreads)
    assert generator.first.tolist() == [0, 2, 5]
    wanted = [
        [0.75, 1, 1],
        [0.5, 0.8, 1],
        [1, 1, 1],
    ]  # a class with fewer clusters than another never gets beyond its own
    assert generator.cumulative.numpy() == pytest.approx(np.array(wanted), abs=1e-6)


def test_shares_whose_sum_is_rounded_down_still_end_at_one(nets: Nets) -> None:
    shares = (np.array([0.75, 0.25]) * (1 - 1e-7), np.array([0.1] * 3) / 0.3, np.array([1.0 - 1e-7]))
    nets.generator.set_clusters(dataclasses.replace(some_clusters(), shares=shares))
    assert (nets.generator.cumulative[:, -1] == 1).all()
    assert nets.generator.cumulative[0, 1] == 1


# ---- conditioning


def test_generator_depends_on_cluster_and_noise(nets: Nets) -> None:
    z, cluster = normal(3, NORMALS), torch.zeros(3, dtype=torch.int64)
    x = nets.generator(z, cluster)
    assert x.shape == (3, FEATURES)
    for column in range(NORMALS):  # every number that is drawn is used
        other = z.clone()
        other[:, column] += 1
        assert (nets.generator(other, cluster) != x).any()


def test_clusters_differ_in_what_the_network_makes_and_in_how_it_is_judged(nets: Nets) -> None:
    z, local = normal(3, NORMALS), normal(3, FEATURES)
    made = [nets.generator(z, torch.full((3,), cluster)) for cluster in range(6)]
    scores = [nets.critic(local, torch.full((3,), cluster)) for cluster in range(6)]
    for one in range(6):
        for other in range(one):
            assert not torch.allclose(made[one], made[other])
            assert not torch.allclose(scores[one], scores[other])


def test_a_generator_begins_with_noise_of_its_own_in_every_feature_and_nothing_else() -> None:
    z = normal(6, NORMALS)
    with torch.no_grad():
        assert torch.allclose(Generator(CONFIG)(z, CLUSTERS), math.exp(-0.3) * z[:, -FEATURES:], atol=1e-6)


def test_the_first_step_of_a_generator_moves_its_read_out() -> None:
    generator, critic = Generator(CONFIG), Critic(CONFIG)
    nets = Nets(
        generator,
        critic,
        torch.optim.Adam(generator.parameters(), lr=1e-2, betas=(0.0, 0.9)),
        torch.optim.Adam(critic.parameters(), lr=1e-2, betas=(0.0, 0.9)),
    )
    generator_step(nets, CLUSTERS, rng())
    assert (generator.value.weight != 0).any()
    before = weights(generator)
    generator_step(nets, CLUSTERS, rng(1))
    assert not any(torch.equal(before[name], value) for name, value in generator.named_parameters())


# ---- fine components


FINE = dataclasses.replace(CONFIG, components=9, intervals=0, fine=4)


def test_networks_neither_make_nor_judge_fine_components() -> None:
    assert (FINE.features, FINE.learnt, FINE.normals) == (9, 5, 17)
    generator, critic = Generator(FINE), Critic(FINE)
    assert generator(normal(6, 17), CLUSTERS).shape == (6, 5)
    assert generator.locate(normal(6, 9), CLUSTERS).shape == (6, 5)
    assert critic(normal(6, 5), CLUSTERS).shape == (6,)
    whole, some = (sum(p.numel() for p in Generator(config).parameters()) for config in (CONFIG, FINE))
    assert some < whole


def test_fine_components_are_normal_within_their_cluster_each_by_a_number_of_its_own() -> None:
    generator = shaken(Generator(FINE))
    assert isinstance(generator, Generator)
    clusters = dataclasses.replace(
        some_clusters(), centres=normal(6, 9).numpy(), spreads=normal(6, 9).abs().numpy() + 0.5
    )
    generator.set_clusters(clusters)
    uniform = torch.rand((6, FINE.noise_dim), generator=rng(1)).clamp(1e-6, 1 - 1e-6)
    label = torch.tensor([0, 1, 2, 0, 1, 1])
    uniform[:, -1] = torch.tensor([0.1, 0.1, 0.1, 0.9, 0.6, 0.9])  # these are the clusters CLUSTERS
    with torch.no_grad():
        made = generator.from_uniform(uniform, label).numpy()
        z = box_muller(uniform[:, :-1])[:, :17]
        local = generator(z, CLUSTERS)
        local_then_fine = torch.cat([local, math.exp(-0.3) * z[:, 13:]], dim=1).numpy()
        learnt = [generator(z + shift * (torch.arange(17) >= 13), CLUSTERS) for shift in (0, 1)]
    wanted = clusters.centres[CLUSTERS] + clusters.spreads[CLUSTERS] * np.sinh(np.clip(local_then_fine, -4, 4))
    assert made == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    assert torch.equal(*learnt)  # the networks do not see those numbers


def test_steps_go_with_fine_components() -> None:
    nets = Nets(
        *(Generator(FINE), Critic(FINE)),
        *(torch.optim.Adam([nn.Parameter(torch.zeros(1))]) for _ in range(2)),
    )
    real = nets.generator.locate(normal(6, 9), CLUSTERS)
    assert critic_step(nets, real, CLUSTERS, TRAINING, rng(), penalise=True)["penalty"].isfinite()
    assert generator_step(nets, CLUSTERS, rng())["generator"].isfinite()


def test_the_noise_of_a_feature_is_bounded(nets: Nets) -> None:
    z = normal(6, NORMALS)
    with torch.no_grad():
        nets.generator.value.weight.zero_()
        nets.generator.value.bias.zero_()
        nets.generator.noise.bias.fill_(50.0)
        assert torch.allclose(nets.generator(z, CLUSTERS), math.exp(2) * z[:, -FEATURES:], rtol=1e-5)


def test_box_muller_is_the_formula() -> None:
    uniform = torch.rand((5, 6), generator=rng()).clamp(1e-6, 1 - 1e-6)
    got = box_muller(uniform)
    for row in range(5):
        for pair in range(3):
            length = math.sqrt(-2 * math.log(uniform[row, pair]))
            turn = 2 * math.pi * uniform[row, 3 + pair].item()
            assert got[row, pair].item() == pytest.approx(length * math.cos(turn), abs=1e-5)
            assert got[row, 3 + pair].item() == pytest.approx(length * math.sin(turn), abs=1e-5)


def test_from_uniform_is_the_normals_and_the_cluster_that_the_last_number_picks(nets: Nets) -> None:
    below = np.float32(1) - np.float32(2.0**-24)  # the largest that a seed gives
    picks = [1e-7, 0.4999, 0.5, 0.7499, 0.75, 0.7999, 0.8001, below]  # at its own cumulative share, a cluster is passed
    wanted = {0: [0, 0, 0, 0, 1, 1, 1, 1], 1: [2, 2, 3, 3, 3, 3, 4, 4], 2: [5] * 8}
    for label, clusters in wanted.items():
        uniform = torch.rand((len(picks), CONFIG.noise_dim), generator=rng(label)).clamp(1e-6, 1 - 1e-6)
        uniform[:, -1] = torch.tensor(picks)
        z = box_muller(uniform[:, :16])[:, :NORMALS]  # of 16 normals, the last is not used
        cluster = torch.tensor(clusters)
        got = nets.generator.from_uniform(uniform, torch.full((len(picks),), label))
        assert torch.allclose(got, nets.generator.place(nets.generator(z, cluster), cluster), rtol=1e-4, atol=1e-5)


def test_rows_do_not_see_each_other(nets: Nets) -> None:
    z, local = normal(5, NORMALS), normal(5, FEATURES, seed=1)
    cluster = torch.tensor([0, 3, 5, 2, 0])
    for net, x in ((nets.generator, z), (nets.critic, local)):
        alone = torch.cat([net(x[i : i + 1], cluster[i : i + 1]) for i in range(5)])
        assert torch.allclose(net(x, cluster), alone, atol=1e-5)


# ---- slow references of the networks


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


def doubles(net: nn.Module) -> dict[str, NDArray[np.float64]]:
    return {name: value.double().numpy() for name, value in net.state_dict().items()}


def test_generator_equals_a_loop_over_its_steps(nets: Nets) -> None:
    w = doubles(shaken(nets.generator))
    z = normal(6, NORMALS)
    got = nets.generator(z, CLUSTERS).detach().numpy()
    for row, cluster in enumerate(CLUSTERS.tolist()):
        drawn = z[row].double().numpy()
        latent, fine = drawn[: NORMALS - FEATURES].reshape(4, 2), drawn[NORMALS - FEATURES :]
        inputs = np.stack([np.concatenate([step, w["embed.weight"][cluster]]) for step in latent])
        forward = gru(inputs, w, "")
        backward = gru(inputs[::-1], w, "_reverse")[::-1]
        states = np.concatenate([forward, backward], axis=1)
        h = w["reduce.weight"] @ np.concatenate([states.ravel(), fine]) + w["reduce.bias"]
        h = w["film.scale.weight"][cluster] * h + w["film.shift.weight"][cluster]
        value = w["value.weight"] @ h + w["value.bias"]
        gain = np.exp(np.minimum(w["noise.weight"] @ states.mean(axis=0) + w["noise.bias"], 2))
        assert got[row] == pytest.approx(value + gain * fine, abs=1e-4)


def test_critic_equals_its_formula(nets: Nets) -> None:
    w = doubles(shaken(nets.critic))
    local = normal(6, FEATURES)
    got = nets.critic(local, CLUSTERS)
    assert got.shape == (6,)

    def leaky(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(x > 0, x, 0.2 * x)

    for row, cluster in enumerate(CLUSTERS.tolist()):
        seen = np.concatenate([local[row].double().numpy(), w["embed.weight"][cluster]])
        h = w["first.weight"] @ seen + w["first.bias"]
        h = leaky(w["film.scale.weight"][cluster] * h + w["film.shift.weight"][cluster])
        for layer in (1, 3):
            h = leaky(w[f"body.{layer}.weight"] @ h + w[f"body.{layer}.bias"])
        score = (w["score.weight"][0] + w["project.weight"][cluster]) @ h + w["score.bias"][0]
        assert got[row].item() == pytest.approx(score, rel=1e-4, abs=1e-4)
