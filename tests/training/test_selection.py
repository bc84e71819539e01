"""The score by which the best step is chosen, on problems whose answer is known."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.metrics.classifier import ClassifierConfig
from ecgsynth.models.decoder import Limits
from ecgsynth.models.model import WindowGenerator
from ecgsynth.models.scaling import ChannelScaler, PrincipalScaler
from ecgsynth.models.timegan.networks import TimeGANConfig, TimeGANGenerator
from ecgsynth.models.wgan import Generator, WGANConfig, box_muller
from ecgsynth.training import selection
from ecgsynth.training.selection import (
    discrimination_accuracy,
    recurrent_discrimination,
    usefulness,
    validation_score,
)
from ecgsynth.windows.info import SeriesInfo, SeriesOptions
from ecgsynth.windows.windows import Windows

pytestmark = pytest.mark.trains


class Fake(Generator):
    """Gaussian classes around the corners that ``centre_of`` names, whatever the cluster."""

    def __init__(self, config: WGANConfig, centre_of: Callable[[Tensor], Tensor], away: float = 0.0) -> None:
        super().__init__(config)
        self.corners = nn.Parameter(3 * torch.eye(3, 4))
        self.centre_of, self.away = centre_of, away
        self.cumulative[:, 0] = 0.5  # both clusters of a class are drawn
        self.drawn: list[Tensor] = []

    def from_uniform(self, uniform: Tensor, label: Tensor, person: Tensor | None = None) -> Tensor:
        cluster = 2 * label + (uniform[:, -1] >= self.cumulative[label, 0])
        self.drawn.append(cluster)
        normals = box_muller(uniform[:, :-1])
        made = self.corners[self.centre_of(label)] + 0.3 * normals[:, :4] + torch.tensor([0, 0, 0, self.away])
        return torch.cat([made, 100 * normals[:, 4:6]], dim=1)  # intervals far from any that there are


FAKE = WGANConfig(time=32, components=4, intervals=2, clusters=(2, 2, 2), latent_steps=2, step_noise=2, hidden=2)


SPACE = PrincipalScaler(  # in which a window of four samples is its own components
    time=4,
    channels=1,
    mean=np.zeros(4),
    weights=np.ones(1),
    transformed=np.zeros(1),
    quantiles=np.zeros((1, 24)),
    references=np.zeros((1, 24)),
    axes=np.eye(4),
    scales=np.ones(4),
    interval_means=np.zeros(2),
    interval_scales=np.ones(2),
    explained=1.0,
)


@pytest.fixture
def quick_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecgsynth.training.selection.MOST_SYNTHETIC", 600)
    monkeypatch.setattr(
        "ecgsynth.training.selection.CLASSIFIER", ClassifierConfig(width=16, steps=60, batch=64, rate=1e-2)
    )


def corners(n: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Three Gaussian classes, as ``Fake`` makes them, and two intervals."""
    rng, labels = np.random.default_rng(seed), np.tile([0, 1, 2], n // 3)
    points = 3 * np.eye(3, 4)[labels] + 0.3 * rng.normal(size=(n, 4))
    return np.hstack([points, rng.normal(size=(n, 2))]).astype(np.float32), labels


def some_windows(points: NDArray[np.float32], labels: NDArray[np.int64], classes: str = "NSV") -> Windows:
    """Points (n, 4 and more) as windows of four samples."""
    return Windows(
        values=points[:, :4, None],
        fs_hz=1.0,
        units="mV",
        channel_names=("MLII",),
        classes=tuple(classes),
        labels=labels,
    )


def score_of(learn: Windows, check: Windows, limits: Limits | None = None) -> Callable[[WindowGenerator], float]:
    """The score of generators that work in SPACE, which is also what the classifiers see."""
    return validation_score(learn, check, SPACE, limits, score_space=SPACE)


def in_shares(*counts: int) -> Windows:
    """Windows to learn from, so many of each class; their values play no part."""
    labels = np.repeat(np.arange(len(counts)), counts)
    return some_windows(np.zeros((len(labels), 4), dtype=np.float32), labels)


@pytest.mark.usefixtures("quick_score")
def test_the_validation_score_tells_good_from_bad() -> None:
    score = score_of(in_shares(10, 10, 10), some_windows(*corners(240)))
    good, mixed = Fake(FAKE, lambda label: label), Fake(FAKE, lambda label: label.clamp(max=1))
    wrong, moved = Fake(FAKE, lambda label: (label + 1) % 3), Fake(FAKE, lambda label: label, away=1.5)
    assert score(good) > 0.85
    assert 0.2 < score(mixed) < 0.7  # the third class looks like the second
    assert score(wrong) < 0.05
    assert score(moved) < score(good) - 0.3  # as useful, but distinguished from real ones
    assert score(good) == score(good)  # the same noise and the same classifiers each time


@pytest.mark.usefixtures("quick_score")
def test_the_classifiers_compute_on_one_core_and_leave_the_others_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    # On two busy cores a validation of Stocks took 95 s of processor time with two threads, and 4 s with one.
    seen: list[int] = []
    monkeypatch.setattr(
        "ecgsynth.training.selection.usefulness", lambda *_: seen.append(torch.get_num_threads()) or 1.0
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        score_of(in_shares(60, 30, 10), some_windows(*corners(120)))(Fake(FAKE, lambda label: label))
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


@pytest.mark.usefixtures("quick_score")
def test_the_score_is_usefulness_less_what_gives_the_synthetic_away(monkeypatch: pytest.MonkeyPatch) -> None:
    points, labels = corners(120)
    seen: list[tuple[NDArray[np.float32], ...]] = []
    monkeypatch.setattr("ecgsynth.training.selection.usefulness", lambda *given: seen.append(given) or 0.75)
    score = score_of(in_shares(60, 30, 10), some_windows(points, labels))
    for accuracy, wanted in ((0.5, 0.75), (0.6, 0.65), (1.0, 0.25), (0.4, 0.75)):  # worse than a guess is a guess
        monkeypatch.setattr("ecgsynth.training.selection.discrimination_accuracy", lambda *given, found=accuracy: found)
        assert score(Fake(FAKE, lambda label: label)) == pytest.approx(wanted)
    synthetic, asked, real, truth = seen[0]
    assert np.array_equal(real, points[:, :4])  # the intervals are not scored
    assert synthetic.shape == (600, 4)
    assert np.array_equal(truth, labels)
    assert np.abs(synthetic - 3 * np.eye(3, 4)[asked]).max() < 2


@pytest.mark.usefixtures("quick_score")
def test_synthetic_windows_are_drawn_in_the_training_shares() -> None:
    made = Fake(FAKE, lambda label: label)
    score_of(in_shares(60, 30, 10), some_windows(*corners(120)))(made)
    drawn = np.bincount(torch.cat(made.drawn).numpy(), minlength=6) / 600
    assert drawn == pytest.approx([0.3, 0.3, 0.15, 0.15, 0.05, 0.05], abs=0.08)  # 4 standard deviations


@pytest.mark.usefixtures("quick_score")
def test_of_one_class_only_what_gives_the_synthetic_away_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    points = corners(300)[0]
    one = some_windows(points, np.zeros(300, dtype=np.int64), "N")
    config = dataclasses.replace(FAKE, clusters=(2,))
    good = Fake(config, lambda label: torch.arange(len(label)) % 3)  # the corners in turn, as the real ones
    wrong = Fake(config, lambda label: label)  # one of three corners
    moved = Fake(config, lambda label: torch.arange(len(label)) % 3, away=9.0)
    score = score_of(one, one)
    assert score(good) > 0.85
    assert score(wrong) < 0.8
    assert score(moved) == pytest.approx(0.5, abs=0.01)
    assert torch.cat(good.drawn).shape == (300,)  # no more than real ones: each classifier has as many of both
    monkeypatch.setattr(
        "ecgsynth.training.selection.usefulness", lambda *given: pytest.fail("there is nothing to be useful for")
    )
    monkeypatch.setattr("ecgsynth.training.selection.discrimination_accuracy", lambda *given: 0.8)
    assert score(good) == pytest.approx(0.7)


@pytest.mark.usefixtures("quick_score")
def test_a_model_that_makes_samples_is_scored_in_components_all_the_same() -> None:
    # A sine and a line in channels of very different units: unweighed, the second would hide the first.
    rng = np.random.default_rng(0)
    phase, slope = rng.uniform(0, 6, (2, 600, 1))
    clock = np.arange(8)
    values = np.stack([np.sin(clock + phase), 1000 * slope * clock], axis=2).astype(np.float32)
    whole = Windows(
        values=values,
        fs_hz=1.0,
        units="as given",
        channel_names=("a", "b"),
        classes=("all",),
        labels=np.zeros(600, dtype=np.int64),
        series=SeriesInfo(options=SeriesOptions(length=2, stride=2)),
        meta={"kind": "series"},
    )
    learn, check = whole.take(np.arange(300)), whole.take(np.arange(300, 600))
    scaler = ChannelScaler.fit(learn.values)
    score = validation_score(learn, check, scaler)

    class Repeats(TimeGANGenerator):
        """What it was given, whatever it is asked."""

        def __init__(self, given: NDArray[np.float32]) -> None:
            super().__init__(TimeGANConfig(time=8, channels=2, hidden=2, layers=1))
            self.given = torch.from_numpy(scaler.transform(given))

        def from_uniform(self, uniform: Tensor, label: Tensor, person: Tensor | None = None) -> Tensor:
            return self.given[: len(uniform)]

    still = learn.values.copy()
    still[:, :, 0] = 0  # what is lost is lost in the small channel only
    assert score(Repeats(learn.values)) > 0.85
    assert score(Repeats(still)) < 0.6


@pytest.mark.usefixtures("quick_score")
@pytest.mark.parametrize(("away", "low", "high"), [(0.0, 0.35, 0.65), (0.5, 0.7, 0.9), (9.0, 0.99, 1.0)])
def test_what_is_discrimination_accuracy_is_what_can_be(away: float, low: float, high: float) -> None:
    # By how much two normals of deviation 0.3 overlap at a distance of 0.5: at best 80 % are distinguished.
    real, made = corners(600)[0][:, :4], corners(900, seed=1)[0][:, :4]
    made[:, 3] += away
    assert low <= discrimination_accuracy(made, real) <= high
    assert discrimination_accuracy(made, real) == discrimination_accuracy(made, real)


@pytest.mark.parametrize(("of_real", "of_synthetic"), [(50, 80), (80, 50), (50, 50)])
def test_the_classifier_of_realism_sees_as_many_of_each_and_is_tested_on_others(
    monkeypatch: pytest.MonkeyPatch, of_real: int, of_synthetic: int
) -> None:
    learnt: list[tuple[NDArray[np.float32], NDArray[np.int64]]] = []
    asked: list[NDArray[np.float32]] = []

    def learn(build: object, x: NDArray[np.float32], y: NDArray[np.int64], *rest: object, seed: int) -> None:
        learnt.append((x, y))

    def guess(classifier: object, x: NDArray[np.float32]) -> NDArray[np.int64]:
        asked.append(x)
        return (x[:, 0] < 100).astype(np.int64)  # always right: real ones are numbered from 0, synthetic from 1000

    monkeypatch.setattr("ecgsynth.training.selection.train_classifier", learn)
    monkeypatch.setattr("ecgsynth.training.selection.predict", guess)
    real = np.arange(of_real, dtype=np.float32)[:, None]
    made = np.arange(of_synthetic, dtype=np.float32)[:, None] + 1000
    assert discrimination_accuracy(made, real) == 1.0
    ((x, y),), (others,) = learnt, asked
    assert (len(x), len(others)) == (70, 30)
    assert np.array_equal(y, x[:, 0] < 100)
    together = np.concatenate([x, others])[:, 0]
    assert len(set(together.tolist())) == 100  # none twice, so that none that was learnt is asked of
    assert (together < 100).sum() == 50
    if of_real > 50:
        assert together[together < 100].max() >= 50  # some of all real windows, not the first ones


# ---- windows of a series are followed through time


def test_of_a_series_what_a_recurrent_network_tells_apart_is_taken_off_too(monkeypatch: pytest.MonkeyPatch) -> None:
    one = some_windows(corners(30)[0], np.zeros(30, dtype=np.int64), "N")
    about = SeriesInfo(options=SeriesOptions(length=4, stride=4))
    series = dataclasses.replace(one, series=about, meta={"kind": "series"})
    made = Fake(dataclasses.replace(FAKE, clusters=(2,)), lambda label: label)
    monkeypatch.setattr("ecgsynth.training.selection.discrimination_accuracy", lambda *given: 0.6)
    monkeypatch.setattr("ecgsynth.training.selection.recurrent_discrimination", lambda *given: 0.25)
    assert score_of(one, series)(made) == pytest.approx(1 - 0.1 - 0.25)
    assert score_of(one, one)(made) == pytest.approx(1 - 0.1)  # of beats it is not


def test_a_recurrent_network_sees_an_order_that_no_sample_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    # Steps that rise in the real windows and fall in the synthetic ones; at each step both have the same values.
    monkeypatch.setattr("ecgsynth.training.selection.CLASSIFIER", ClassifierConfig(steps=600))
    up = np.random.default_rng(0).normal(size=(600, 1, 8)) + 0.2 * np.arange(8)[None, :, None] - 0.7
    real, turned = up[:300].astype(np.float32), up[300:, ::-1].astype(np.float32)
    assert recurrent_discrimination(turned, real) > 0.3
    assert recurrent_discrimination(up[300:].astype(np.float32), real) < 0.15


def test_a_handful_of_windows_is_not_followed() -> None:
    few = corners(9)[0][:, :4, None]
    assert recurrent_discrimination(few + 9, few) == 0


# ---- windows of a series overlap


def test_a_classifier_has_nothing_to_remember(monkeypatch: pytest.MonkeyPatch) -> None:
    # Sixty real windows, each ten times over but for a little noise; synthetic ones are drawn alike and all differ.
    monkeypatch.setattr(
        "ecgsynth.training.selection.CLASSIFIER", ClassifierConfig(width=64, steps=200, batch=128, rate=1e-2)
    )
    rng = np.random.default_rng(0)
    few = rng.normal(size=(60, 20))
    real = (np.repeat(few, 10, axis=0) + 0.01 * rng.normal(size=(600, 20))).astype(np.float32)
    made = rng.normal(size=(600, 20)).astype(np.float32)
    assert discrimination_accuracy(made, real) > 0.7
    assert discrimination_accuracy(made, real, overlap=10) < 0.6


@pytest.mark.usefixtures("quick_score")
def test_the_overlap_follows_from_how_the_table_was_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    overlaps: list[int] = []
    monkeypatch.setattr(
        "ecgsynth.training.selection.discrimination_accuracy",
        lambda made, real, overlap: overlaps.append(overlap) or 0.5,
    )
    one = some_windows(corners(30)[0], np.zeros(30, dtype=np.int64), "N")
    made = Fake(dataclasses.replace(FAKE, clusters=(2,)), lambda label: label)
    for length, stride in ((24, 1), (24, 5), (4, 9)):
        about = SeriesInfo(options=SeriesOptions(length=length, stride=stride))
        score_of(one, dataclasses.replace(one, series=about, meta={"kind": "series"}))(made)
    alone = dataclasses.replace(one, groups=np.arange(30).astype(np.str_), meta={"kind": "series"})
    score_of(one, alone)(made)  # nor do sequences of one window each
    score_of(one, one)(made)  # beats do not
    assert overlaps == [24, 5, 0, 0, 0]


def test_what_is_scored_keeps_the_limits_of_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[NDArray[np.float32]] = []
    monkeypatch.setattr(
        "ecgsynth.training.selection.discrimination_accuracy", lambda made, real, overlap: seen.append(made) or 0.5
    )
    whole = some_windows(corners(300)[0], np.zeros(300, dtype=np.int64), "N")
    made = Fake(dataclasses.replace(FAKE, clusters=(2,)), lambda label: torch.arange(len(label)) % 3)
    steps, low, high = (np.full(1, value, dtype=np.float32) for value in (0.5, 0, 3))
    for limits in (Limits(steps=steps, lows=low, highs=high), None):
        score_of(whole, whole, limits)(made)
    kept, free = seen
    assert np.array_equal(kept, np.rint(2 * np.clip(free, 0, 3)) / 2)
    assert free.min() < 0
    assert free.max() > 3


@pytest.mark.usefixtures("quick_score")
def test_usefulness_is_macro_f1_on_the_real_windows() -> None:
    points, labels = corners(240)
    other, truth = corners(300, seed=1)
    assert usefulness(points[:, :4], labels, other[:, :4], truth) > 0.95
    assert usefulness(points[:, :4], labels, other[:, :4], (truth + 1) % 3) < 0.05
    # Rare classes count as much as common ones.
    some = np.concatenate([np.flatnonzero(truth == 0), np.flatnonzero(truth != 0)[:6]])
    blind = np.where(labels == 2, 1, labels)
    assert usefulness(points[:, :4], blind, other[some, :4], truth[some]) < 0.75


def test_of_long_windows_a_recurrent_network_sees_a_piece_of_each() -> None:
    values = np.arange(50 * 100, dtype=np.float32).reshape(50, 100, 1)
    short = selection.pieces(values[:, : selection.RECURRENT_STEPS], np.random.default_rng(0))
    assert short.tobytes() == values[:, : selection.RECURRENT_STEPS].tobytes()
    found = selection.pieces(values, np.random.default_rng(0))
    assert found.shape == (50, selection.RECURRENT_STEPS, 1)
    assert (np.diff(found[..., 0], axis=1) == 1).all()
    assert (found[:, 0, 0] // 100 == np.arange(50)).all()
    assert len(set((found[:, 0, 0] % 100).tolist())) > 10
