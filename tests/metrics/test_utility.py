"""The utility test on problems whose answer is known: it must praise good generators and blame bad ones."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.metrics.classification import f1_by_class, macro_f1
from ecgsynth.metrics.classifier import ClassifierConfig, with_intervals
from ecgsynth.metrics.utility import (
    ARMS,
    RESAMPLINGS,
    confusion_by_patient,
    interval_over_patients,
    summary,
    top_up_counts,
    training_set,
    utility,
)
from ecgsynth.windows.windows import Windows

pytestmark = pytest.mark.trains

CLASSES = ("N", "S", "V")
ARM = {arm.name: arm for arm in ARMS}
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
    return {arm: measured[arm][key]["mean"] for arm in ARM}


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
    seen: list[tuple[str, float]] = []
    asked: list[tuple[int, str | None, int]] = []

    def draw(n: int, label: str | None, seed: int) -> Windows:
        asked.append((n, label, seed))
        return draw_well(n, label, seed)

    found = utility(real, draw, repeats=2, seed=5, config=quick, on_progress=lambda *said: seen.append(said))
    assert found == utility(real, draw_well, repeats=2, seed=5, config=quick)
    assert found["TSTR"] != utility(real, draw_well, repeats=2, seed=7, config=quick)["TSTR"]
    assert [done for _, done in seen] == pytest.approx([done / 90 for done in range(1, 91)])
    assert [arm for arm, _ in seen[14::15]] == [*ARM, *ARM]
    assert asked == [(120, None, 5), (10, "V", 5), (120, None, 6), (10, "V", 6)]
    assert (found["classes"], found["test_part"]) == (list(CLASSES), "test")
    assert (found["test_windows"], found["training_windows"], found["repeats"]) == (90, 120, 2)
    for arm in ARM:
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


# ---- by patient


def patients() -> NDArray[np.int64]:
    """(7, 3, 3) confusions of seven patients of very different sizes; the third class is in two of them only."""
    confusions = np.random.default_rng(4).integers(0, 30, size=(7, 3, 3))
    confusions *= np.array([1, 2, 1, 10, 3, 1, 2])[:, None, None]
    confusions[:5, 2] = 0
    return confusions


def slow_interval(
    measure: Callable[[NDArray[np.int64]], float], confusions: NDArray[np.int64], times: int, seed: int
) -> list[float]:
    """The ends of the middle 95 % of a measure, as patients are drawn one by one, with repetition."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(times):
        total = np.zeros((3, 3), dtype=np.int64)
        for _ in confusions:
            total += confusions[rng.integers(len(confusions))]
        value = measure(total)
        if not np.isnan(value):
            found.append(value)
    found.sort()
    return [found[round(share * (len(found) - 1))] for share in (0.025, 0.975)]


@pytest.mark.parametrize("column", [None, 0, 2])
def test_the_interval_is_that_of_the_bootstrap_over_patients(column: int | None) -> None:
    confusions = patients()
    got = interval_over_patients(macro_f1 if column is None else f1_by_class, confusions)
    assert got.shape == ((2,) if column is None else (2, 3))
    own = got if column is None else got[:, column]
    measure = macro_f1 if column is None else lambda confusion: f1_by_class(confusion)[column]
    slow = slow_interval(measure, confusions, 4000, seed=9)
    assert own == pytest.approx(slow, abs=0.02)
    assert own[1] - own[0] > 0.05
    whole = confusions.sum(axis=0)
    assert own[0] < measure(whole) < own[1]
    again = interval_over_patients(macro_f1 if column is None else f1_by_class, confusions)
    assert np.array_equal(got, again)


def test_the_interval_of_two_patients_can_be_counted() -> None:
    # Drawn twice from two: both the first (1 in 4), both the second (1 in 4), one of each. So both ends are extremes.
    confusions = np.array([[[8, 2], [0, 0]], [[3, 7], [0, 0]]])
    ends = interval_over_patients(lambda confusion: confusion[0, 0] / confusion.sum(), confusions)
    assert ends == pytest.approx([0.3, 0.8])
    assert RESAMPLINGS == 2000


def test_every_patient_counts_as_it_is_however_many_beats_it_has() -> None:
    # A patient of a thousand beats is in or not in: the interval is far wider than that of a thousand beats.
    confusions = np.array([[[10, 0], [0, 0]]] * 5 + [[[0, 1000], [0, 0]]])
    ends = interval_over_patients(lambda confusion: confusion[0, 0] / confusion.sum(), confusions)
    assert ends == pytest.approx([10 * 2 / 4020, 1.0], abs=0.02)


def test_one_patient_has_no_spread() -> None:
    confusions = patients()[6:]
    assert interval_over_patients(macro_f1, confusions) == pytest.approx([macro_f1(confusions[0])] * 2)


def test_a_class_that_no_patient_has_has_no_interval() -> None:
    confusions = patients()[:5]
    ends = interval_over_patients(f1_by_class, confusions)
    assert np.isnan(ends[:, 2]).all()
    assert np.isfinite(ends[:, :2]).all()
    reported = summary([confusions, confusions], by_patient=True)
    assert [interval is None for interval in reported["f1_by_class_interval"]] == [False, False, True]
    assert [entry is None for entry in reported["f1_by_class"]] == [False, False, True]


def test_a_summary_is_of_the_repeats_and_its_intervals_of_the_patients() -> None:
    one, other = patients(), patients()[::-1]
    reported = summary([one, other], by_patient=True)
    totals = [one.sum(axis=0), other.sum(axis=0)]
    assert reported["macro_f1"]["values"] == pytest.approx([macro_f1(total) for total in totals], abs=1e-6)
    assert reported["confusion"] == (totals[0] + totals[1]).tolist()
    for column in range(3):
        values = [f1_by_class(total)[column] for total in totals]
        assert reported["f1_by_class"][column]["mean"] == pytest.approx(np.mean(values))
        both = interval_over_patients(f1_by_class, one + other)[:, column]
        assert reported["f1_by_class_interval"][column] == pytest.approx(both, abs=1e-4)
    assert reported["macro_f1_interval"] == pytest.approx(interval_over_patients(macro_f1, one + other), abs=1e-4)
    without = summary([one, other], by_patient=False)
    assert without == {name: value for name, value in reported.items() if not name.endswith("interval")}


def test_confusions_are_those_of_each_patient(real: Windows) -> None:
    test = real.part("test")
    rng = np.random.default_rng(0)
    guess = rng.integers(3, size=90)
    names = np.array(["b", "a", "c"])[rng.integers(3, size=90)]
    got = confusion_by_patient(dataclasses.replace(test, groups=names), guess)
    wanted = np.zeros((3, 3, 3), dtype=np.int64)
    for name, truth, guessed in zip(names, test.labels, guess, strict=True):
        wanted["abc".index(name), truth, guessed] += 1
    assert np.array_equal(got, wanted)
    assert np.array_equal(confusion_by_patient(test, guess), wanted.sum(axis=0)[None])  # nobody is known


@pytest.mark.parametrize(("split", "reported"), [("patient", True), ("ds1-ds2", True), ("beat", False)])
def test_intervals_are_given_where_no_patient_is_in_two_parts(real: Windows, split: str, reported: bool) -> None:
    groups = np.array([f"p{number % 6}" for number in range(len(real))])
    known = dataclasses.replace(real, groups=groups, meta={"split": split})
    found = utility(known, draw_well, repeats=1, config=ClassifierConfig(width=2, steps=6, batch=16))
    assert found["test_patients"] == 6
    for arm in ARM:
        assert ("macro_f1_interval" in found[arm]) == ("f1_by_class_interval" in found[arm]) == reported
        if reported:
            low, high = found[arm]["macro_f1_interval"]
            assert 0 <= low <= found[arm]["macro_f1"]["mean"] + 0.05
            assert low <= high <= 1
            assert len(found[arm]["f1_by_class_interval"]) == 3


# ---- the rhythm


def in_rhythm(labels: NDArray[np.int64], seed: int, *, wrongly: bool = False) -> Windows:
    """Windows of noise: only the RR intervals tell the classes apart."""
    rng = np.random.default_rng(seed)
    usual = np.array([[0.8, 0.8], [0.5, 1.1], [1.1, 0.5]])[(labels + wrongly) % 3]
    values = 0.1 * rng.normal(size=(len(labels), 32, 1))
    rr_s = usual * np.exp(0.03 * rng.normal(size=usual.shape))
    return dataclasses.replace(
        windows(labels, values=values.astype(np.float32)), rr_s=rr_s.astype(np.float32), meta={"split": "beat"}
    )


def test_classes_that_only_the_rhythm_tells_apart_are_told_apart_with_it_and_not_without() -> None:
    labels = np.concatenate([np.tile([0, 1, 2], 40), np.tile([0, 1, 2], 30)])
    parts = np.repeat(np.array([0, 2], dtype=np.int8), (120, 90))
    known = dataclasses.replace(in_rhythm(labels, 0), parts=parts)

    def draw(n: int, label: str | None, seed: int, *, wrongly: bool = False) -> Windows:
        codes = np.arange(n) % 3 if label is None else np.full(n, CLASSES.index(label))
        return in_rhythm(codes, seed + 1000, wrongly=wrongly)

    config = ClassifierConfig(width=1, steps=100, batch=24, rate=2e-2)
    reported, deaf = (utility(known, draw, repeats=1, rhythm=rhythm, config=config) for rhythm in (True, False))
    assert (reported["rhythm"], deaf["rhythm"]) == (True, False)
    for arm in ARM:
        assert reported[arm]["macro_f1"]["mean"] > 0.9
        assert deaf[arm]["macro_f1"]["mean"] < 0.6
    # And a generator whose intervals are those of other classes is found out.
    wrong = utility(known, lambda *asked: draw(*asked, wrongly=True), repeats=1, rhythm=True, config=config)
    assert wrong["TSTR"]["macro_f1"]["mean"] < 0.1
    assert wrong["TRTR"]["macro_f1"]["mean"] > 0.9


def test_rhythm_without_intervals_is_refused(real: Windows) -> None:
    known = dataclasses.replace(real, rr_s=np.ones((len(real), 2), dtype=np.float32))

    def with_rhythm(n: int, label: str | None, seed: int) -> Windows:
        return in_rhythm(np.zeros(n, dtype=np.int64), seed)

    for have, draw in ((real, with_rhythm), (known, draw_well)):
        with pytest.raises(DataError, match="the RR intervals of real and of synthetic windows are needed"):
            utility(have, draw, repeats=1, rhythm=True)


def test_each_arm_is_told_the_intervals_of_its_windows() -> None:
    learn = in_rhythm(np.repeat([0, 1, 2], (80, 30, 10)), 0)

    def draw(n: int, label: str | None, seed: int) -> Windows:
        return in_rhythm(np.full(n, 0 if label is None else CLASSES.index(label)), seed + 50)

    values, _ = training_set(ARM["augmented"], learn, draw, 3, rhythm=True)
    more = draw(10, "V", 3)
    assert learn.rr_s is not None
    assert more.rr_s is not None
    assert np.array_equal(values[:120], with_intervals(learn.values, learn.rr_s))
    assert np.array_equal(values[120:], with_intervals(more.values, more.rr_s))
    values, _ = training_set(ARM["TSTR"], learn, draw, 3, rhythm=True)
    assert values.shape == (120, 32, 3)
    values, _ = training_set(ARM["TSTR"], learn, draw, 3)
    assert values.shape == (120, 32, 1)


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
    values, labels = training_set(ARM["TRTR"], learn, draw_well, 3)
    assert np.array_equal(values, learn.values)
    assert np.array_equal(labels, learn.labels)
    values, labels = training_set(ARM["TSTR"], learn, draw_well, 3)
    assert np.array_equal(values, draw_well(120, None, 3).values)
    assert np.array_equal(labels, draw_well(120, None, 3).labels)
    values, labels = training_set(ARM["augmented"], learn, draw_well, 3)
    assert np.array_equal(values[:120], learn.values)
    assert np.array_equal(values[120:], draw_well(10, "V", 3).values)
    assert np.bincount(labels).tolist() == [80, 30, 20]


def test_nothing_rare_nothing_added() -> None:
    learn = windows(np.repeat([0, 1, 2], 10))
    values, labels = training_set(ARM["augmented"], learn, draw_well, 3)
    assert np.array_equal(values, learn.values)
    assert np.array_equal(labels, learn.labels)
