"""The classifier that measures trust: reproducible, weighted as asked, and honest about its loss."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.errors import TrainingDivergedError
from ecgsynth.metrics.classifier import (
    BeatClassifier,
    ClassifierConfig,
    ComponentClassifier,
    predict,
    train_classifier,
    with_intervals,
)

pytestmark = pytest.mark.trains


def bumps(labels: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    """One bump a window, at a place that tells its class."""
    centre = np.array([8, 16, 24])[labels]
    clean = np.exp(-(((np.arange(32) - centre[:, None]) / 2) ** 2))
    return (clean + 0.1 * np.random.default_rng(seed).normal(size=clean.shape)).astype(np.float32)[..., None]


def test_intervals_are_logarithms_beside_every_sample() -> None:
    values = bumps(np.array([0, 1, 2, 0]), 0)
    rr_s = np.array([[0.5, 1.0], [np.nan, 0.1], [9.0, np.nan], [0.8, 2.0]], dtype=np.float32)
    seen = np.array([[0.5, 1.0], [0.8, 0.2], [3.0, 0.8], [0.8, 2.0]])
    got = with_intervals(values, rr_s)
    assert got.shape == (4, 32, 3)
    assert got.dtype == np.float32
    assert np.array_equal(got[..., :1], values)
    for row in range(4):
        for sample in range(32):
            assert got[row, sample, 1:] == pytest.approx(np.log(seen[row]), abs=1e-6)


def classify(seed: int, *, steps: int = 8, rate: float = 2e-3) -> tuple[nn.Module, NDArray[np.int64]]:
    labels = np.tile([0, 1, 2], 30)
    net = train_classifier(
        lambda: BeatClassifier(1, 3, 4), bumps(labels, 0), labels, ClassifierConfig(steps=steps, rate=rate), seed
    )
    return net, predict(net, bumps(labels, 1))


def test_same_seed_same_classifier() -> None:
    before = torch.get_rng_state()
    (one, guesses), (again, same), (other, _) = classify(1), classify(1), classify(2)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), again.parameters(), strict=True))
    assert np.array_equal(guesses, same)
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert torch.equal(torch.get_rng_state(), before)
    assert not one.training  # batch normalisation and dropout are off


def test_a_classifier_that_diverges_says_at_which_step() -> None:
    with pytest.raises(TrainingDivergedError, match="at step [0-9]"):
        classify(0, steps=8, rate=1e38)


def test_predict_is_the_likeliest_class_whatever_the_batch() -> None:
    net, guesses = classify(1)
    values = bumps(np.tile([0, 1, 2], 30), 1)
    with torch.inference_mode():
        scores = net(torch.from_numpy(values)).numpy()
    assert np.array_equal(guesses, scores.argmax(axis=1))
    assert np.array_equal(predict(net, values, batch=7), guesses)
    assert predict(net, values[:0]).shape == (0,)


def test_every_window_is_seen_once_before_one_is_seen_twice() -> None:
    seen: list[Tensor] = []

    class Watcher(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1, 2))

        def forward(self, x: Tensor) -> Tensor:
            seen.append(x[:, 0].detach())
            return x[:, :1] * self.weight

    values = np.arange(40, dtype=np.float32)[:, None]
    train_classifier(Watcher, values, np.arange(40) % 2, ClassifierConfig(steps=8, batch=10), seed=0)
    order = torch.cat(seen).reshape(2, 40)
    assert all(sorted(epoch.tolist()) == list(range(40)) for epoch in order)
    assert not torch.equal(order[0], order[1])


def test_a_classifier_adds_what_the_rhythm_says_to_what_the_window_says() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = BeatClassifier(1, 3, 4, intervals=2).eval()
    x = torch.from_numpy(with_intervals(bumps(np.array([0, 1]), 0), np.array([[0.5, 1.0], [0.9, 0.7]], np.float32)))
    with torch.no_grad():
        window, rhythm = net.head(net.features(x[..., :1].mT)), net.rhythm(x[:, 7, 1:])
        assert torch.allclose(net(x), window + rhythm, atol=1e-6)
        assert rhythm.abs().min() > 0
        assert not torch.allclose(rhythm[0], rhythm[1])
    assert BeatClassifier(1, 3, 4).rhythm is None


def test_class_weights_weigh_the_classes_in_the_loss() -> None:
    # Two classes in the same place, nine to one: the weights decide which of them is guessed there.
    labels = np.repeat([0, 1], (90, 10))
    points = np.ones((100, 2), dtype=np.float32)
    config = ClassifierConfig(steps=200, batch=50, rate=3e-2)

    def guessed(weights: list[float] | None) -> float:
        given = None if weights is None else np.array(weights, dtype=np.float32)
        net = train_classifier(lambda: ComponentClassifier(2, 2, 4), points, labels, config, 0, class_weights=given)
        with torch.inference_mode():
            return float(net(torch.ones(1, 2)).softmax(dim=1)[0, 1])

    assert guessed(None) == pytest.approx(0.1, abs=0.05)
    assert guessed([1.0, 1.0]) == pytest.approx(guessed(None), abs=1e-5)
    assert guessed([1.0, 9.0]) == pytest.approx(0.5, abs=0.1)  # 9 x 10 windows against 90
    assert guessed([1.0, 81.0]) == pytest.approx(0.9, abs=0.05)


def test_the_quick_judge_is_a_classifier_of_components() -> None:
    labels = np.tile([0, 1], 50)
    points = (np.random.default_rng(0).normal(size=(100, 4)) + 6 * labels[:, None]).astype(np.float32)
    quick = ClassifierConfig(steps=100, rate=1e-2)
    net = train_classifier(lambda: ComponentClassifier(4, 2, 8), points, labels, quick, seed=0)
    assert np.array_equal(predict(net, points), labels)
