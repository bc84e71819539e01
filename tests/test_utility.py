"""The utility test on problems whose answer is known: it must praise good generators and blame bad ones."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.classifier import BeatClassifier, ComponentClassifier, predict, train_classifier
from ecgsynth.config import ClassifierConfig, WGANConfig
from ecgsynth.errors import ConfigError, DataError, TrainingDivergedError
from ecgsynth.evaluation import matching
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.utility import ARMS, spread, top_up_counts, training_set, utility
from ecgsynth.validation import validation_score
from ecgsynth.wgan import Generator
from ecgsynth.windows import Windows

TINY = Path(__file__).resolve().parent / "golden" / "tiny.onnx"
CLASSES = ("N", "S", "V")
QUICK = ClassifierConfig(width=4, steps=60, batch=32)


def bumps(labels: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    """One bump a window, at a place that tells its class."""
    centre = np.array([8, 16, 24])[labels]
    clean = np.exp(-(((np.arange(32) - centre[:, None]) / 2) ** 2))
    return (clean + 0.1 * np.random.default_rng(seed).normal(size=clean.shape)).astype(np.float32)[..., None]


def windows(labels: NDArray[np.int64], seed: int = 0, values: NDArray[np.float32] | None = None) -> Windows:
    return Windows(
        values=bumps(labels, seed) if values is None else values,
        fs_hz=360.0,
        units="mV",
        channel_names=("MLII",),
        classes=CLASSES,
        labels=labels,
    )


@pytest.fixture(scope="module")
def real() -> Windows:
    """120 windows to learn from, with one rare class, and 90 to test on."""
    learn, test = np.repeat([0, 1, 2], (80, 30, 10)), np.repeat([0, 1, 2], (30, 30, 30))
    labels = np.concatenate([learn, test])
    parts = np.repeat(np.array([0, 2], dtype=np.int8), (len(learn), len(test)))
    return dataclasses.replace(windows(labels), parts=parts)


def draw_well(n: int, label: str | None, seed: int) -> Windows:
    """A perfect generator."""
    rng = np.random.default_rng([seed, 1])
    codes = rng.integers(3, size=n) if label is None else np.full(n, CLASSES.index(label))
    return windows(codes, seed=seed + 1000)


def draw_shuffled(n: int, label: str | None, seed: int) -> Windows:
    """One whose windows do not have the class that they are said to have."""
    made = draw_well(n, label, seed)
    return dataclasses.replace(made, labels=np.random.default_rng(seed).permutation(made.labels))


def draw_wrongly(n: int, label: str | None, seed: int) -> Windows:
    """One that makes each class look like the next."""
    made = draw_well(n, label, seed)
    return windows(made.labels, values=bumps((made.labels + 1) % 3, seed))


def means(measured: dict[str, Any], key: str = "macro_f1") -> dict[str, float]:
    return {arm: measured[arm][key]["mean"] for arm in ARMS}


# ---- the whole test


def test_a_perfect_generator_is_as_good_as_real(real: Windows) -> None:
    found = utility(real, draw_well, repeats=2, config=QUICK)
    assert min(means(found).values()) > 0.95
    assert min(means(found, "accuracy").values()) > 0.95


def test_a_generator_of_shuffled_labels_is_no_better_than_chance(real: Windows) -> None:
    found = means(utility(real, draw_shuffled, repeats=2, config=QUICK))
    assert found["TRTR"] > 0.95
    assert found["TSTR"] < 0.6  # of three classes, one in three is chance


def test_a_generator_of_the_wrong_classes_is_found_out(real: Windows) -> None:
    found = utility(real, draw_wrongly, repeats=1, config=QUICK)
    assert found["TSTR"]["macro_f1"]["mean"] < 0.05
    assert found["TRTR"]["macro_f1"]["mean"] > 0.95
    confusion = np.asarray(found["TSTR"]["confusion"])
    assert (confusion.argmax(axis=1) == [2, 0, 1]).all()  # rows are the truth: each is taken for the class before


def test_what_is_told_is_complete_and_the_same_again(real: Windows) -> None:
    quick = ClassifierConfig(width=2, steps=15, batch=32)
    seen: list[tuple[str, int, int]] = []
    asked: list[tuple[int, str | None, int]] = []

    def draw(n: int, label: str | None, seed: int) -> Windows:
        asked.append((n, label, seed))
        return draw_well(n, label, seed)

    found = utility(real, draw, repeats=2, seed=5, config=quick, on_step=lambda *told: seen.append(told))
    assert found == utility(real, draw_well, repeats=2, seed=5, config=quick)
    assert found["TSTR"] != utility(real, draw_well, repeats=2, seed=7, config=quick)["TSTR"]
    assert [done for _, done, _ in seen] == list(range(1, 91))
    assert {total for _, _, total in seen} == {90}
    assert [arm for arm, done, _ in seen if done % 15 == 0] == [*ARMS, *ARMS]
    assert asked == [(120, None, 5), (10, "V", 5), (120, None, 6), (10, "V", 6)]
    assert (found["classes"], found["test_part"]) == (list(CLASSES), "test")
    assert (found["test_windows"], found["training_windows"], found["repeats"]) == (90, 120, 2)
    for arm in ARMS:
        assert np.sum(found[arm]["confusion"]) == 2 * 90
        assert len(found[arm]["macro_f1"]["values"]) == 2
        f1 = [entry["mean"] for entry in found[arm]["f1_by_class"]]
        assert found[arm]["macro_f1"]["mean"] == pytest.approx(np.mean(f1))


def test_a_class_that_is_not_in_the_test_part_has_no_f1(real: Windows) -> None:
    some = real.take((real.parts == 0) | (real.labels != 1))
    found = utility(some, draw_well, repeats=1, config=ClassifierConfig(width=2, steps=4, batch=16))
    assert [entry is None for entry in found["TRTR"]["f1_by_class"]] == [False, True, False]
    assert np.isfinite(found["TRTR"]["macro_f1"]["mean"])


def test_what_cannot_be_measured_is_refused(real: Windows) -> None:
    with pytest.raises(ConfigError, match="at least once, got 0"):
        utility(real, draw_well, repeats=0)
    with pytest.raises(DataError, match="the validation part 0; both need some"):
        utility(real, draw_well, repeats=1, test_part="validation")
    with pytest.raises(DataError, match="not split yet"):
        utility(dataclasses.replace(real, parts=None), draw_well, repeats=1)


# ---- its pieces


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [
        ((100, 5, 25), {"N": 0, "S": 20, "V": 0}),
        ((100, 0, 24), {"N": 0, "S": 25, "V": 1}),
        ((7, 7, 7), {"N": 0, "S": 0, "V": 0}),
        ((2, 2, 1000), {"N": 248, "S": 248, "V": 0}),
    ],
)
def test_rare_classes_are_topped_up_to_a_quarter_of_the_commonest(
    counts: tuple[int, ...], wanted: dict[str, int]
) -> None:
    assert top_up_counts(windows(np.repeat([0, 1, 2], counts))) == wanted


def test_each_arm_trains_on_what_it_says(real: Windows) -> None:
    learn = real.part("train")
    values, labels = training_set("TRTR", learn, draw_well, 3)
    assert values is learn.values
    assert labels is learn.labels
    values, labels = training_set("TSTR", learn, draw_well, 3)
    assert np.array_equal(values, draw_well(120, None, 3).values)
    assert np.array_equal(labels, draw_well(120, None, 3).labels)
    values, labels = training_set("augmented", learn, draw_well, 3)
    assert np.array_equal(values[:120], learn.values)
    assert np.array_equal(values[120:], draw_well(10, "V", 3).values)
    assert np.bincount(labels).tolist() == [80, 30, 20]


def test_nothing_rare_nothing_added() -> None:
    learn = windows(np.repeat([0, 1, 2], 10))
    values, labels = training_set("augmented", learn, draw_well, 3)
    assert np.array_equal(values, learn.values)
    assert np.array_equal(labels, learn.labels)


def test_spread() -> None:
    assert spread([1.0, 2.0, 3.0]) == {"mean": 2.0, "std": 1.0, "values": [1.0, 2.0, 3.0]}
    assert spread([0.25]) == {"mean": 0.25, "std": 0.0, "values": [0.25]}


# ---- the classifier


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


# ---- the score by which the best step is chosen


class Fake(Generator):
    """Gaussian classes around the corners that ``centre_of`` names, whatever the mode."""

    def __init__(self, config: WGANConfig, centre_of: Callable[[Tensor], Tensor]) -> None:
        super().__init__(config)
        self.corners = nn.Parameter(3 * torch.eye(3, 4))
        self.centre_of = centre_of
        self.cumulative[:, 0] = 0.5  # both modes of a class are drawn
        self.drawn: list[Tensor] = []

    def forward(self, z: Tensor, mode: Tensor) -> Tensor:
        self.drawn.append(mode)
        return self.corners[self.centre_of(mode // self.config.modes)] + 0.3 * z


def test_the_validation_score_tells_good_from_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecgsynth.validation.DRAWN", 600)
    monkeypatch.setattr("ecgsynth.validation.JUDGE", ClassifierConfig(width=16, steps=60, batch=64, rate=1e-2))
    config = WGANConfig(time=32, classes=3, components=4, modes=2, latent_steps=2, step_noise=2, hidden=2)
    labels = np.tile([0, 1, 2], 40)
    points = 3 * np.eye(3, 4)[labels] + 0.3 * np.random.default_rng(0).normal(size=(120, 4))
    score = validation_score(config, np.array([0.6, 0.3, 0.1]), points.astype(np.float32), labels)
    good, mixed = Fake(config, lambda label: label), Fake(config, lambda label: label.clamp(max=1))
    wrong = Fake(config, lambda label: (label + 1) % 3)
    assert score(good) > 0.95
    assert 0.3 < score(mixed) < 0.8  # the third class looks like the second
    assert score(wrong) < 0.05
    assert score(good) == score(good)  # the same noise and the same judge each time
    drawn = np.bincount(torch.cat(wrong.drawn).numpy(), minlength=6) / 600
    assert drawn == pytest.approx([0.3, 0.3, 0.15, 0.15, 0.05, 0.05], abs=0.08)  # 4 standard deviations


def test_the_quick_judge_is_a_classifier_of_components() -> None:
    labels = np.tile([0, 1], 50)
    points = (np.random.default_rng(0).normal(size=(100, 4)) + 6 * labels[:, None]).astype(np.float32)
    quick = ClassifierConfig(steps=40, rate=1e-2)
    net = train_classifier(lambda: ComponentClassifier(4, 2, 8), points, labels, quick, seed=0)
    assert np.array_equal(predict(net, points), labels)


# ---- real and synthetic windows must be of one kind


def like_tiny(classes: tuple[str, ...] = ("N", "S", "V"), **changes: Any) -> Windows:
    """Real windows as the golden generator makes them: row i is of class N, S, V, N, ..."""
    names = [("N", "S", "V")[i % 3] for i in range(12)]
    return dataclasses.replace(
        OnnxSampler(TINY).sample(12, seed=1),
        classes=classes,
        labels=np.array([classes.index(name) for name in names]),
        **changes,
    )


@pytest.mark.parametrize("classes", [("N", "S", "V"), ("V", "N", "S"), ("F", "V", "S", "N")])
def test_classes_are_matched_by_name_not_by_number(classes: tuple[str, ...]) -> None:
    sampler = OnnxSampler(TINY)
    got = matching(like_tiny(classes), sampler)
    assert got.classes == sampler.manifest.class_names
    assert [got.classes[code] for code in got.labels] == ["N", "S", "V"] * 4


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"fs_hz": 250.0}, "at 360.0 Hz in mV, the real ones are 32 x 2 at 250.0 Hz"),
        ({"units": "uV"}, "in uV; prepare them with the same options"),
        ({"values": np.zeros((12, 30, 2), dtype=np.float32)}, "are 30 x 2"),
        ({"values": np.zeros((12, 32, 1), dtype=np.float32), "channel_names": ("I",)}, "are 32 x 1"),
    ],
)
def test_windows_of_another_kind_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        matching(like_tiny(**changes), OnnxSampler(TINY))


def test_real_windows_that_lack_a_class_are_refused() -> None:
    some = like_tiny()
    without = some.take(some.labels != 2).keep_classes(("N", "S"))
    with pytest.raises(DataError, match="no class 'V'"):
        matching(without, OnnxSampler(TINY))
