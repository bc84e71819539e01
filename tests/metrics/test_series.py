"""The measures of a series together: what they say of new draws, of spoilt ones, and where nothing was held out."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import torch

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.metrics import likeness, waveforms
from ecgsynth.metrics import series as series_fidelity
from ecgsynth.metrics.comparison import Comparison
from ecgsynth.metrics.measure import Found, Measure
from ecgsynth.metrics.series import SERIES_MEASURES, STEPS, halves, pairs
from ecgsynth.metrics.waveforms import in_spreads
from ecgsynth.windows.info import ColumnInfo, SeriesInfo, SeriesOptions
from ecgsynth.windows.windows import PARTS, Windows

pytestmark = pytest.mark.trains

TIME = 12
LEARNING = 100  # steps
UNITS = np.array([1e6, 0.01, 1.0])  # as different as a volume, a share and a price
SCORES = ("discriminative_score", "predictive_score")
OTHERS = tuple(name for name in STEPS if name not in SCORES)
REPEATED = {*SCORES, "discriminative_score_blocks", "cnn_auc", "cnn_accuracy", "transformer_auc"}
REPEATED |= {"transformer_accuracy", "correlational_score"}
measure = series_fidelity.series_fidelity


def described(columns: tuple[str, ...], statics: tuple[str, ...] = ()) -> SeriesInfo:
    """What is known of a table of numbers."""
    kinds = (tuple(ColumnInfo(name=name, dtype="float64") for name in names) for names in (columns, statics))
    apart = SeriesOptions(length=TIME, stride=TIME)  # windows that share no row
    return SeriesInfo(columns=next(kinds), statics=next(kinds), options=apart)


def series(seed: int, n: int, classes: tuple[str, ...] = ("all",), **changes: Any) -> Windows:
    """Three columns: a wave that begins anywhere, noise that remembers, and the wave a quarter later."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 2 * np.pi, (n, 1)) + 0.6 * np.arange(TIME)
    values = np.stack([np.sin(phase), np.zeros_like(phase), np.cos(phase)], axis=2)
    for t in range(TIME):
        values[:, t, 1] = 0.8 * values[:, max(t - 1, 0), 1] + 0.6 * rng.normal(size=n)
    values += 0.05 * rng.normal(size=values.shape)
    known: dict[str, Any] = {"fs_hz": 1.0, "units": "as given", "channel_names": ("volume", "share", "price")}
    known |= {"classes": classes, "labels": np.arange(n) % len(classes)}
    known["series"] = described(known["channel_names"])
    known["meta"] = {"kind": "series", "split": "group"}
    return Windows(values=(UNITS * values + UNITS).astype(np.float32), **(known | changes))


def split_series(n: int = 240, **changes: Any) -> Windows:
    """Two thirds to learn from, one third held out."""
    windows = series(0, n, **changes)
    return dataclasses.replace(windows, parts=np.where(np.arange(n) // 10 % 3 == 2, 2, 0).astype(np.int8))


REAL = split_series()
GOOD = series(1, 100)
ALL = dataclasses.replace(REAL, parts=None, meta=REAL.meta | {"split": "none"})


def patch_updates(patch: pytest.MonkeyPatch) -> None:
    """The paper's networks learn in a few steps what takes them thousands; tests of their own train the others."""
    patch.setattr("ecgsynth.metrics.recurrent.RATE", 0.03)
    for name in OTHERS:
        patch.setitem(STEPS, name, 3)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    patch_updates(monkeypatch)


@pytest.fixture(scope="module")
def good() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch_updates(patch)
        return measure(REAL, GOOD, repeats=3, steps=LEARNING)


def spoilt(change: Any, steps: int = LEARNING) -> dict[str, Any]:
    values = change(((GOOD.values - UNITS) / UNITS).astype(np.float32))
    made = dataclasses.replace(GOOD, values=(UNITS * values + UNITS).astype(np.float32))
    return measure(REAL, made, repeats=3, steps=steps)["measures"]


def test_every_measure_is_there_with_its_range(good: dict[str, Any]) -> None:
    assert list(good["measures"]) == [measure.name for measure in SERIES_MEASURES]
    assert good["windows"] == {"all": 80}
    assert (good["test_part"], good["units"], good["repeats"]) == ("test", "as given", 3)
    assert good["steps"] == dict.fromkeys(SCORES, LEARNING) | dict.fromkeys(OTHERS, 3)
    assert good["steps_of_paper"] is False
    for of_table in SERIES_MEASURES:
        name, low, high = of_table.name, of_table.low, of_table.high
        entry = good["measures"][name]
        assert (entry["title"], entry["best"], entry["range"]) == (of_table.title, of_table.best, [low, high])
        for key in ("value", "baseline"):
            assert low <= entry[key] <= (np.inf if high is None else high)
        assert ("spread" in entry) == ("baseline_spread" in entry) == (name in REPEATED)
    json.dumps(good, allow_nan=False)


def test_new_draws_of_the_same_source_reach_the_baseline(good: dict[str, Any]) -> None:
    found = good["measures"]
    within = {"discriminative_score": 0.2, "predictive_score": 0.03, "autocorrelation_distance": 0.05}
    within |= {"cross_correlation_distance": 0.05, "marginal_distance": 0.1, "spectrum_distance_db": 0.6}
    within |= {"mmd": 0.03, "coverage": 0.1, "density": 0.25, "correlational_score": 0.05}
    judged = {measure.name for measure in SERIES_MEASURES} - set(within)  # after three updates
    assert judged == REPEATED - set(within) | {"context_fid"}
    for name, tolerance in within.items():
        assert found[name]["value"] == pytest.approx(found[name]["baseline"], abs=tolerance), name
    assert found["discriminative_score"]["baseline"] < 0.2
    assert found["coverage"]["baseline"] == pytest.approx(1 - 2**-5, abs=0.07)


def test_each_measure_sees_what_it_is_for(good: dict[str, Any]) -> None:
    fair = {name: entry["value"] for name, entry in good["measures"].items()}
    shuffled = spoilt(lambda x: np.random.default_rng(2).permuted(x, axis=1))  # each column's values in another order
    for name in ("predictive_score", "autocorrelation_distance", "spectrum_distance_db", "mmd"):
        assert shuffled[name]["value"] > 1.3 * fair[name] + 0.01, name
    assert shuffled["marginal_distance"]["value"] == pytest.approx(fair["marginal_distance"])
    assert shuffled["coverage"]["value"] < 0.7 * fair["coverage"]
    mirrored = spoilt(lambda x: x * np.float32([1, 1, -1]), steps=1)
    assert mirrored["autocorrelation_distance"]["value"] == pytest.approx(fair["autocorrelation_distance"], abs=1e-3)
    swapped = spoilt(lambda x: x[:, :, [0, 1, 0]], steps=1)  # a column that is another
    assert swapped["cross_correlation_distance"]["value"] > fair["cross_correlation_distance"] + 0.2
    moved = spoilt(lambda x: x + np.float32([3, 0, 0]))
    assert moved["marginal_distance"]["value"] > 1
    assert moved["discriminative_score"]["value"] > 0.3  # 0.5 with four seeds; at 40 steps some gave 0.33
    for entry in (moved, swapped, mirrored, shuffled):
        assert entry["mmd"]["baseline"] == good["measures"]["mmd"]["baseline"]


def test_a_measure_is_that_of_its_function(good: dict[str, Any]) -> None:
    (held, made), (again, learnt) = pairs(REAL, GOOD, "test", np.random.default_rng(0))[1]
    assert held is again
    entry = good["measures"]["marginal_distance"]
    assert entry["value"] == waveforms.marginal_distance(held.values, made.values)
    assert entry["baseline"] == waveforms.marginal_distance(held.values, learnt.values)
    a, b = (x.reshape(len(x), -1) for x in in_spreads(REAL.part("train").values, held.values, made.values))
    assert good["measures"]["coverage"]["value"] == likeness.coverage(a, b)


def test_columns_of_large_numbers_weigh_no_more() -> None:
    plain = [
        dataclasses.replace(windows, values=((windows.values - UNITS) / UNITS).astype(np.float32))
        for windows in (REAL, GOOD)
    ]
    found, expected = measure(REAL, GOOD, repeats=1, steps=1), measure(*plain, repeats=1, steps=1)
    for name, entry in found["measures"].items():
        assert entry["value"] == pytest.approx(expected["measures"][name]["value"], rel=1e-3, abs=1e-3), name


# ---- what is compared


def test_as_many_held_out_synthetic_and_training_windows_are_compared() -> None:
    for made, count in ((GOOD, 80), (series(1, 30), 30), (series(1, 500), 80)):
        scored, compared = pairs(REAL, made, "test", np.random.default_rng(0))
        assert scored is compared
        assert [len(windows) for pair in scored for windows in pair] == [count] * 4
    rows = [{window.tobytes() for window in windows.values} for pair in scored for windows in pair]
    held, learnt = ({window.tobytes() for window in REAL.part(name).values} for name in ("test", "train"))
    assert rows[0] <= held
    assert rows[3] <= learnt
    assert not rows[3] & held


def test_without_a_split_nothing_is_compared_with_itself() -> None:
    scored, compared = pairs(ALL, series(1, 300), "test", np.random.default_rng(0))
    assert [len(windows) for pair in scored for windows in pair] == [240, 240, 120, 120]
    assert [len(windows) for pair in compared for windows in pair] == [120] * 4
    one, other = ({window.tobytes() for window in windows.values} for windows in compared[1])
    assert not one & other
    assert len(one) == len(other) == 120
    assert compared[0][0] is compared[1][0]
    copied = measure(ALL, ALL, repeats=1, steps=1)["measures"]
    assert copied["coverage"]["baseline"] < 1
    assert copied["marginal_distance"]["baseline"] > 0
    assert measure(ALL, GOOD, repeats=1, steps=1)["windows"] == {"all": 100}


def test_halves_have_as_many_of_each_class() -> None:
    windows = series(0, 47, classes=("a", "b", "c"))
    one, other = halves(windows, np.random.default_rng(0))
    assert one.counts() == other.counts() == {"a": 8, "b": 8, "c": 7}
    assert not {x.tobytes() for x in one.values} & {x.tobytes() for x in other.values}


def test_classes_are_balanced() -> None:
    real = split_series(classes=("a", "b"))
    made = series(1, 90, classes=("a", "b"))
    made = made.take((made.labels == 0) | (np.arange(90) < 30))
    found = measure(real, made, repeats=1, steps=1)
    assert found["windows"] == {"a": 40, "b": 15}


def test_neighbours_are_sought_among_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(comparison: Comparison) -> Found:
        assert [points.shape for points in comparison.points] == [(50, 3 * TIME)] * 2
        return Found(value=float(len(comparison.held)))

    counted = Measure(name="counted", title="windows", best=None, low=None, high=None, take=count)
    monkeypatch.setattr(series_fidelity, "MOST_NEIGHBOURING_WINDOWS", 50)
    monkeypatch.setattr(series_fidelity, "SERIES_MEASURES", (counted,))
    found = measure(REAL, GOOD, repeats=1, steps=1)["measures"]
    assert found == {
        "counted": {"title": "windows", "value": 80.0, "baseline": 80.0, "best": None, "range": [None, None]}
    }


def test_statics_are_not_predicted() -> None:
    """The last column is a static; what is predicted is the last of the others."""
    about = described(("volume", "share"), ("price",))
    real, made = (dataclasses.replace(windows, series=about) for windows in (REAL, GOOD))
    without = [
        dataclasses.replace(windows, values=windows.values[:, :, :2].copy(), channel_names=("volume", "share"))
        for windows in (REAL, GOOD)
    ]
    found, expected = measure(real, made, repeats=2, steps=3), measure(*without, repeats=2, steps=3)
    for name in ("predictive_score", "autocorrelation_distance", "spectrum_distance_db"):
        assert found["measures"][name]["value"] == pytest.approx(expected["measures"][name]["value"], rel=1e-5), name
    assert found["measures"]["marginal_distance"] != expected["measures"]["marginal_distance"]


def test_one_column_has_no_correlations() -> None:
    real, made = (
        dataclasses.replace(windows, values=windows.values[:, :, :1].copy(), channel_names=("volume",))
        for windows in (REAL, GOOD)
    )
    found = measure(real, made, repeats=1, steps=2)["measures"]
    assert found["cross_correlation_distance"]["value"] is None
    assert found["cross_correlation_distance"]["baseline"] is None
    assert None not in [entry["value"] for name, entry in found.items() if name != "cross_correlation_distance"]
    assert found["correlational_score"]["value"] == 0


def test_judges_have_no_number_where_there_is_no_room_for_stretches() -> None:
    """Forty windows of 24 rows, one row apart, are a single event and a half."""
    close = dataclasses.replace(described(("volume", "share", "price")), options=SeriesOptions(length=24))
    real = dataclasses.replace(ALL.take(np.arange(40)), series=close)
    found = measure(real, GOOD, repeats=1, steps=1)["measures"]
    blind = {name for name, entry in found.items() if entry["value"] is None}
    assert blind == {name for name in found if name.startswith(("cnn", "transformer"))} | {
        "discriminative_score_blocks"
    }


# ---- settings


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    before = torch.get_rng_state()
    seen: list[float] = []
    first = measure(REAL, GOOD, repeats=2, steps=3)
    again = measure(REAL, GOOD, repeats=2, steps=3, on_progress=lambda stage, done: seen.append(done))
    assert again == first
    # Two comparisons by three scores and by two judges of two folds each, and one encoder: 15 times three updates.
    assert seen == pytest.approx([done / 45 for done in range(1, 46)])
    assert measure(REAL, GOOD, repeats=2, steps=3, seed=1) != first
    assert torch.equal(torch.get_rng_state(), before)


def test_the_paper_has_so_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def score(real: Any, made: Any, *, repeats: int, steps: int, **others: Any) -> Any:
        asked.append((repeats, steps))
        return np.array([0.1, 0.2, 0.3])

    for name in SCORES:
        monkeypatch.setattr(series_fidelity, name, score)
    monkeypatch.setitem(STEPS, "discriminative_score_blocks", 1999)
    found = measure(REAL, GOOD)
    assert asked == [(10, 2000), (10, 2000), (10, 1999), (10, 1999), (10, 5000), (10, 5000)]
    assert found["steps_of_paper"] is True
    assert found["measures"]["discriminative_score"]["value"] == pytest.approx(0.2)
    assert found["measures"]["predictive_score"]["baseline_spread"] == pytest.approx(0.1)
    fewer = measure(REAL, GOOD, steps=3000)
    assert [fewer["steps"][name] for name in SCORES] == [2000, 3000]
    assert fewer["steps_of_paper"] is False
    assert measure(REAL, GOOD, steps=9000)["steps_of_paper"] is True


def test_one_repeat_has_no_spread() -> None:
    found = measure(REAL, GOOD, repeats=1, steps=1)["measures"]
    assert found["discriminative_score"]["spread"] == found["predictive_score"]["baseline_spread"] is None


@pytest.mark.parametrize("settings", [{"repeats": 0}, {"steps": 0}])
def test_settings_below_one_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="at least one repeat and one step"):
        measure(REAL, GOOD, **settings)


@pytest.mark.parametrize("changes", [{"fs_hz": 2.0}, {"classes": ("some",)}, {"units": "mV"}])
def test_windows_of_two_kinds_are_not_compared(changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="windows of one kind can be compared"):
        measure(REAL, dataclasses.replace(GOOD, **changes), repeats=1, steps=1)


def test_there_must_be_something_to_compare() -> None:
    none_held = dataclasses.replace(REAL, parts=np.full(len(REAL), PARTS.index("train"), dtype=np.int8))
    with pytest.raises(DataError, match="no class has held-out, synthetic and training windows"):
        measure(none_held, GOOD, repeats=1, steps=1)
    with pytest.raises(DataError, match="at least 10 windows of each kind, got 9 and 9"):
        measure(REAL, series(1, 9), repeats=1, steps=1)


def test_spreads_are_those_of_the_windows_named() -> None:
    (own,) = in_spreads(REAL.values, REAL.values)
    assert own.mean(axis=(0, 1)) == pytest.approx([0, 0, 0], abs=1e-4)
    assert own.std(axis=(0, 1)) == pytest.approx([1, 1, 1], rel=1e-4)
    twice, _ = in_spreads(REAL.values, (2 * (REAL.values - UNITS) + UNITS).astype(np.float32), GOOD.values)
    assert twice.std(axis=(0, 1)) == pytest.approx([2, 2, 2], rel=1e-3)
