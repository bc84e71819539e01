"""The networks of the WGAN-GP against known answers and slow references."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.models.clusters import Clusters
from ecgsynth.models.wgan import Critic, Generator, Nets, WGANConfig, box_muller

pytestmark = pytest.mark.trains

FEATURES, NORMALS = 7, 15  # an odd number of normals: one of the pairs is cut off
CLUSTERS = torch.tensor([0, 2, 5, 1, 3, 4])  # those of class 0 are 0 and 1, of class 1 2 to 4, of class 2 5


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=rng(seed))


def shaken(net: nn.Module, seed: int = 8) -> nn.Module:
    """The network with all its weights moved at random, so that none is zero."""
    with torch.no_grad():
        for number, parameter in enumerate(net.parameters()):
            parameter += 0.2 * normal(*parameter.shape, seed=seed + number)
    return net


# ---- local coordinates


def test_local_coordinates_are_those_of_the_cluster(nets: Nets, six_clusters: Clusters) -> None:
    clusters, features = six_clusters, 5 * normal(6, FEATURES)
    local = nets.generator.locate(features, CLUSTERS)
    for row, cluster in enumerate(CLUSTERS.tolist()):
        for column in range(FEATURES):
            away = (features[row, column].item() - clusters.centres[cluster, column]) / clusters.spreads[
                cluster, column
            ]
            assert local[row, column].item() == pytest.approx(math.asinh(away), abs=1e-5)
    back = nets.generator.place(local, CLUSTERS)
    assert torch.allclose(back, features, rtol=1e-4, atol=1e-4)


def test_what_is_made_lies_no_farther_than_27_spreads_from_its_centre(nets: Nets, six_clusters: Clusters) -> None:
    clusters = six_clusters
    for far in (4.0, 4.1, 1e6, -4.0, -1e6):
        made = nets.generator.place(torch.full((6, FEATURES), far), CLUSTERS).numpy()
        wanted = clusters.centres[CLUSTERS] + clusters.spreads[CLUSTERS] * math.copysign(27.2899, far)
        assert made == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    near = nets.generator.place(torch.full((6, FEATURES), 3.9), CLUSTERS).numpy()
    assert near == pytest.approx(clusters.centres[CLUSTERS] + clusters.spreads[CLUSTERS] * math.sinh(3.9), rel=1e-4)


def test_the_clusters_are_taken_over(nets: Nets, six_clusters: Clusters) -> None:
    generator, clusters = nets.generator, six_clusters
    assert np.array_equal(generator.centres.numpy(), clusters.centres)
    assert np.array_equal(generator.spreads.numpy(), clusters.spreads)
    assert generator.first.tolist() == [0, 2, 5]
    wanted = [
        [0.75, 1, 1],
        [0.5, 0.8, 1],
        [1, 1, 1],
    ]  # a class with fewer clusters than another never gets beyond its own
    assert generator.cumulative.numpy() == pytest.approx(np.array(wanted), abs=1e-6)


def test_shares_whose_sum_is_rounded_down_still_end_at_one(nets: Nets, six_clusters: Clusters) -> None:
    shares = (np.array([0.75, 0.25]) * (1 - 1e-7), np.array([0.1] * 3) / 0.3, np.array([1.0 - 1e-7]))
    nets.generator.set_clusters(dataclasses.replace(six_clusters, shares=shares))
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


def test_a_generator_begins_with_noise_of_its_own_in_every_feature_and_nothing_else(nets: Nets) -> None:
    z = normal(6, NORMALS)
    with torch.no_grad():
        assert torch.allclose(
            Generator(nets.generator.config)(z, CLUSTERS), math.exp(-0.3) * z[:, -FEATURES:], atol=1e-6
        )


# ---- a Gaussian tail


@pytest.fixture
def tail(nets: Nets) -> WGANConfig:
    """Of nine components, the four weakest are a Gaussian tail."""
    return dataclasses.replace(nets.generator.config, components=9, intervals=0, gaussian_tail=4)


def test_networks_neither_make_nor_score_a_gaussian_tail(nets: Nets, tail: WGANConfig) -> None:
    assert (tail.features, tail.learnt, tail.normals) == (9, 5, 17)
    generator, critic = Generator(tail), Critic(tail)
    assert generator(normal(6, 17), CLUSTERS).shape == (6, 5)
    assert generator.locate(normal(6, 9), CLUSTERS).shape == (6, 5)
    assert critic(normal(6, 5), CLUSTERS).shape == (6,)
    whole, some = (sum(p.numel() for p in Generator(config).parameters()) for config in (nets.generator.config, tail))
    assert some < whole


def test_a_gaussian_tail_is_normal_within_its_cluster_each_component_by_a_number_of_its_own(
    tail: WGANConfig, six_clusters: Clusters
) -> None:
    generator = shaken(Generator(tail))
    assert isinstance(generator, Generator)
    clusters = dataclasses.replace(six_clusters, centres=normal(6, 9).numpy(), spreads=normal(6, 9).abs().numpy() + 0.5)
    generator.set_clusters(clusters)
    uniform = torch.rand((6, tail.noise_dim), generator=rng(1)).clamp(1e-6, 1 - 1e-6)
    label = torch.tensor([0, 1, 2, 0, 1, 1])
    uniform[:, -1] = torch.tensor([0.1, 0.1, 0.1, 0.9, 0.6, 0.9])  # these are the clusters CLUSTERS
    with torch.no_grad():
        made = generator.from_uniform(uniform, label).numpy()
        z = box_muller(uniform[:, :-1])[:, :17]
        local = generator(z, CLUSTERS)
        local_then_tail = torch.cat([local, math.exp(-0.3) * z[:, 13:]], dim=1).numpy()
        learnt = [generator(z + shift * (torch.arange(17) >= 13), CLUSTERS) for shift in (0, 1)]
    wanted = clusters.centres[CLUSTERS] + clusters.spreads[CLUSTERS] * np.sinh(np.clip(local_then_tail, -4, 4))
    assert made == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    assert torch.equal(*learnt)  # the networks do not see those numbers


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
        uniform = torch.rand((len(picks), nets.generator.config.noise_dim), generator=rng(label)).clamp(1e-6, 1 - 1e-6)
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
    h = np.zeros(w[f"rnn.weight_hh_l0{suffix}"].shape[1])
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
