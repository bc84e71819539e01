"""Context-FID: the loss of its encoder on features that are known, and what the distance says of known sets."""

import math

import numpy as np
import pytest
import torch

from ecgsynth.metrics import context
from ecgsynth.metrics.context import ContextEncoder, ContextNetwork, contrast, crops, hierarchical_loss
from ecgsynth.metrics.likeness import frechet_distance
from ecgsynth.metrics.progress import Trainings, silent

pytestmark = pytest.mark.trains

TIME = 16


def waves(seed: int, n: int = 300) -> np.ndarray:
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 2 * np.pi, (n, 1)) + 0.5 * np.arange(TIME)
    return (np.stack([np.sin(phase), np.cos(phase)], axis=2) + 0.1 * rng.normal(size=(n, TIME, 2))).astype(np.float32)


def test_twins_are_found_or_guessed() -> None:
    apart = 40 * torch.eye(5)[None].repeat(3, 1, 1)  # (sets, k, d): each like its twin and like nothing else
    assert contrast(apart, apart).item() == pytest.approx(0, abs=1e-6)
    assert contrast(apart, apart.roll(1, dims=1)).item() > 100
    same = torch.ones(3, 5, 2)
    assert contrast(same, same).item() == pytest.approx(math.log(9))


def test_the_loss_is_the_mean_of_all_scales() -> None:
    same = torch.ones(4, 6, 2)  # 6, 3 and 1 steps; no step is like another's twin more than its own
    expected = [(math.log(7) + math.log(2 * steps - 1)) / 2 for steps in (6, 3, 1)]
    assert hierarchical_loss(same, same).item() == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("time", [2, 3, 24])
def test_crops_overlap_and_lie_within_the_window(time: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = np.array([crops(time) for _ in range(300)])
    assert (np.diff(np.c_[np.zeros(300), found, np.full(300, time)]) >= 0).all()
    start, begin, end, stop = found.T
    assert (end - begin >= 2).all()
    assert start.min() == 0
    assert stop.max() == time
    if time > 3:
        assert ((start < begin) & (end < stop)).any()


@pytest.mark.parametrize("time", [2, 24, 33])
def test_a_step_is_seen_in_the_context_of_the_whole_window(time: int) -> None:
    net = ContextEncoder(time, 3).eval()
    x = torch.randn(1, time, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert net(x).shape == (1, time, context.FEATURES)
    (slope,) = torch.autograd.grad(net(x)[0, 0].square().sum(), x)
    assert slope[0].abs().sum(dim=1).min() > 0
    hidden = torch.ones(1, time, dtype=torch.bool)
    hidden[0, 1] = False
    (slope,) = torch.autograd.grad(net(x, hidden).square().sum(), x)
    assert slope[0, 1].abs().sum() == 0
    assert slope[0, 0].abs().sum() > 0


def test_the_distance_grows_with_the_shift_and_sees_the_order_of_steps() -> None:
    real = waves(0)
    network = ContextNetwork(learnt=real, steps=25, trainings=Trainings(silent, 25))
    own = network.features(real)
    assert own.shape == (300, context.FEATURES)

    def away(values: np.ndarray) -> float:
        return frechet_distance(own, network.features(values))

    assert away(real) == pytest.approx(0, abs=1e-5)
    again = away(waves(1))
    shifts = [away(waves(1) + np.float32(shift)) for shift in (0.3, 0.6, 1.2)]
    assert 0 < 2 * again < shifts[0]
    assert shifts == sorted(shifts)
    assert shifts[2] > 3 * shifts[0]
    assert away(np.random.default_rng(2).permuted(waves(1), axis=1)) > 5 * again


def test_training_lowers_the_loss() -> None:
    losses: list[float] = []
    context.train_encoder(waves(0), 30, 0, lambda done, total, loss=0.0: losses.append(loss))
    assert np.mean(losses[20:]) < 0.9 * np.mean(losses[:5])


def test_an_encoder_is_the_same_for_a_seed() -> None:
    before = torch.get_rng_state()
    one, same, another = (context.train_encoder(waves(0, n=20), 2, seed).into.weight for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, another)
    assert torch.equal(torch.get_rng_state(), before)


def test_only_so_many_steps_are_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "MOST_STEPS", 100 * TIME)
    network = ContextNetwork(learnt=waves(0), steps=1, trainings=Trainings(silent, 1))
    assert len(network.features(waves(1))) == 100
    assert len(network.features(waves(1, n=80))) == 80
