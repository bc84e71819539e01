"""The measures of likeness together: what they say of real beats, of spoilt ones and of a lost mode."""

import dataclasses
import json
import re
from typing import Any

import numpy as np
import pytest
import torch

from ecgsynth.errors import DataError
from ecgsynth.metrics.beats import BEAT_MEASURES, MOST_WINDOWS, fidelity
from ecgsynth.metrics.classifier import BeatClassifier, ClassifierConfig
from ecgsynth.metrics.comparison import FeatureNetwork, as_many_of_each
from ecgsynth.metrics.likeness import coverage
from ecgsynth.metrics.physiology import READINGS
from ecgsynth.metrics.progress import Trainings, silent
from ecgsynth.metrics.waveforms import spectrum_distance
from ecgsynth.report.windows import class_rows, table_text
from ecgsynth.windows.windows import PARTS, Windows

pytestmark = pytest.mark.trains

FS, EVENT, TIME = 120.0, 34, 86
CLOCK = (np.arange(TIME) - EVENT) / FS
STEPS = 40


def beats(seed: int, counts: dict[str, int], **changes: Any) -> Windows:
    """Beats of two kinds: N, narrow and of two heights, and V, broad, inverted and with a T wave that is upright."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [counts["N"], counts["V"]])
    heights = np.where(labels == 0, rng.choice([0.8, 1.6], len(labels)), -1.5) * rng.normal(1, 0.05, len(labels))
    widths = np.where(labels == 0, 0.012, 0.03) * rng.normal(1, 0.05, len(labels))
    values = heights[:, None] * np.exp(-0.5 * (CLOCK / widths[:, None]) ** 2)
    values += rng.normal(0.3, 0.03, len(labels))[:, None] * np.exp(-0.5 * ((CLOCK - 0.26) / 0.03) ** 2)
    values += 0.01 * rng.normal(size=values.shape)
    known: dict[str, Any] = {"fs_hz": FS, "units": "mV", "channel_names": ("MLII",), "classes": ("N", "V")}
    known |= {"event_index": EVENT, "meta": {"band_hz": [0.5, 40.0]}}
    return Windows(values=values[..., None].astype(np.float32), labels=labels, **(known | changes))


def real_beats(counts: dict[str, int], **changes: Any) -> Windows:
    """Split beats: the counts are those of the held-out part; the training part has twice as many."""
    both = {name: 3 * count for name, count in counts.items()}
    windows = beats(0, both, **changes)
    within = np.concatenate([np.arange(count) for count in both.values()])
    return dataclasses.replace(windows, parts=np.where(within % 3 == 2, 2, 0).astype(np.int8))


REAL = real_beats({"N": 120, "V": 60})
GOOD = beats(1, {"N": 150, "V": 70})


def compared(most: int = MOST_WINDOWS) -> list[Windows]:
    """Held-out, synthetic and training windows as they are compared."""
    return as_many_of_each([REAL.part("test"), GOOD, REAL.part("train")], np.random.default_rng(0), most)


@pytest.fixture(scope="module")
def good() -> dict[str, Any]:
    return fidelity(REAL, GOOD, steps=STEPS)


@pytest.fixture(scope="module")
def noisy() -> dict[str, Any]:
    """Beats of half the height in noise."""
    values = 0.5 * GOOD.values + 0.1 * np.random.default_rng(2).normal(size=GOOD.values.shape)
    return fidelity(REAL, dataclasses.replace(GOOD, values=values.astype(np.float32)), steps=STEPS)


def test_every_measure_is_there_with_its_range(good: dict[str, Any]) -> None:
    assert list(good["measures"]) == [measure.name for measure in BEAT_MEASURES]
    assert good["windows"] == {"N": 120, "V": 60}
    assert (good["test_part"], good["units"], good["steps"]) == ("test", "mV", STEPS)
    for measure in BEAT_MEASURES:
        name, low, high = measure.name, measure.low, measure.high
        entry = good["measures"][name]
        assert (entry["best"], entry["range"]) == (measure.best, [low, high])
        assert entry["title"] == measure.title.format(units="mV")
        pairs = [entry, *entry.get("by_class", {}).values()]
        assert len(pairs) == (1 if name in ("mmd", "frechet_distance") else 3)
        for pair in pairs:
            for key in ("value", "baseline"):
                assert low <= pair[key] <= (np.inf if high is None else high)
    json.dumps(good, allow_nan=False)


def test_new_draws_of_the_same_source_reach_the_baseline(good: dict[str, Any]) -> None:
    found = good["measures"]
    within = {"mmd": 0.02, "spectrum_distance_db": 0.5, "discriminative_accuracy": 0.15, "coverage": 0.06}
    within |= {"density": 0.15, "prd_percent": 1.5, "dtw_distance": 0.003, "r_amplitude_mv": 0.1}
    within |= {"qrs_width_s": 0.004, "qt_s": 0.006, "t_amplitude_mv": 0.02}
    for name, tolerance in within.items():
        assert found[name]["value"] == pytest.approx(found[name]["baseline"], abs=tolerance), name
    assert found["discriminative_accuracy"]["baseline"] == pytest.approx(0.5, abs=0.12)
    assert found["coverage"]["baseline"] == pytest.approx(1 - 2**-5, abs=0.04)


def test_every_measure_sees_spoilt_beats(good: dict[str, Any], noisy: dict[str, Any]) -> None:
    for measure in BEAT_MEASURES:
        name, best = measure.name, measure.best
        off, fair = (abs(measured["measures"][name]["value"] - best) for measured in (noisy, good))
        assert off > 1.3 * fair, name
        assert noisy["measures"][name]["baseline"] == pytest.approx(good["measures"][name]["baseline"]), name
    heights = noisy["measures"]["r_amplitude_mv"]["by_class"]["V"]
    assert heights["value"] == pytest.approx(0.75, abs=0.1)  # what all of them must be moved by
    assert heights["median_real"] == pytest.approx(-1.5, abs=0.05)
    assert heights["median_synthetic"] == pytest.approx(-0.75, abs=0.1)
    assert heights["measured_real"] == 1


def test_a_lost_mode_shows_in_the_coverage_of_its_class(good: dict[str, Any]) -> None:
    tall = GOOD.values[:, EVENT, 0] > 1.2
    kept = GOOD.take((GOOD.labels == 1) | ~tall)
    twice = dataclasses.replace(
        kept, values=np.concatenate([kept.values, kept.values]), labels=np.concatenate([kept.labels, kept.labels])
    )
    found = fidelity(REAL, twice, steps=STEPS)
    by_class = found["measures"]["coverage"]["by_class"]
    assert by_class["N"]["value"] < 0.6
    assert by_class["V"]["value"] > 0.8
    assert good["measures"]["coverage"]["by_class"]["N"]["value"] > 0.85


def test_a_measure_is_that_of_its_function(good: dict[str, Any]) -> None:
    held, made, learnt = compared()
    expected = [
        spectrum_distance(held.values[held.labels == code], made.values[made.labels == code], FS, 40) for code in (0, 1)
    ]
    entry = good["measures"]["spectrum_distance_db"]
    assert [entry["by_class"][name]["value"] for name in ("N", "V")] == pytest.approx(expected)
    assert entry["value"] == pytest.approx(np.mean(expected))
    assert len(held) == len(made) == len(learnt) == 180


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    before = torch.get_rng_state()
    seen: list[float] = []
    first = fidelity(REAL, GOOD, steps=4)
    assert fidelity(REAL, GOOD, steps=4, on_progress=lambda stage, done: seen.append(done)) == first
    assert torch.equal(torch.get_rng_state(), before)
    assert seen == pytest.approx([done / 12 for done in range(1, 13)])
    assert fidelity(REAL, GOOD, steps=4, seed=1) != first


def test_features_are_what_the_last_layer_is_given() -> None:
    net = BeatClassifier(1, 2, 4).eval()
    held = REAL.part("test")
    network = FeatureNetwork(learnt=held, config=ClassifierConfig(), trainings=Trainings(silent, 1))
    network.__dict__["net"] = net
    found = network.features(held.values)
    last = net.head[-1]
    with torch.inference_mode():
        expected = net(torch.from_numpy(held.values))
        again = last(torch.from_numpy(found))
    assert torch.allclose(again, expected)
    assert not last._forward_pre_hooks
    assert coverage(found, found) == 1


@pytest.mark.parametrize(("most", "got"), [(50, [50, 50, 50]), (1000, [120, 60, 60])])
def test_all_three_have_as_many_of_each_class(most: int, got: list[int]) -> None:
    windows = compared(most)
    assert [one.counts() for one in windows] == [{"N": got[0], "V": got[1]}] * 3
    whole = {window.tobytes() for window in GOOD.values}
    drawn = [window.tobytes() for window in windows[1].values]
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) <= whole


def test_a_class_that_is_rare_or_missing_has_no_number() -> None:
    rare = fidelity(REAL, beats(1, {"N": 40, "V": 4}), steps=2)
    assert rare["windows"] == {"N": 40, "V": 4}
    assert rare["measures"]["coverage"]["by_class"]["V"] == {"value": None, "baseline": None}
    assert rare["measures"]["coverage"]["value"] is not None
    without = fidelity(REAL, beats(1, {"N": 40, "V": 0}), steps=2)
    assert without["windows"] == {"N": 40, "V": 0}
    assert list(without["measures"]["prd_percent"]["by_class"]) == ["N"]
    single = fidelity(REAL, beats(1, {"N": 1, "V": 0}), steps=2)
    assert single["measures"]["mmd"]["value"] is None
    assert single["measures"]["discriminative_accuracy"]["value"] is None
    json.dumps([rare, without, single], allow_nan=False)


def test_what_is_no_ecg_has_no_physiology() -> None:
    for changes in ({"units": "g"}, {"event_index": None}):
        real = dataclasses.replace(REAL, meta={}, **changes)
        found = fidelity(real, dataclasses.replace(GOOD, **changes), steps=2)
        assert not set(READINGS) & set(found["measures"])
        assert len(found["measures"]) == len(BEAT_MEASURES) - len(READINGS)


@pytest.mark.parametrize(
    "changes", [{"units": "uV"}, {"fs_hz": 250.0}, {"classes": ("V", "N")}, {"values": GOOD.values[:, :80]}]
)
def test_windows_of_two_kinds_are_not_compared(changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="windows of one kind can be compared"):
        fidelity(REAL, dataclasses.replace(GOOD, **changes), steps=2)


def test_there_must_be_something_to_compare() -> None:
    assert REAL.parts is not None
    none_held = dataclasses.replace(REAL, parts=np.full(len(REAL), PARTS.index("train"), dtype=np.int8))
    with pytest.raises(DataError, match="no class has held-out, synthetic and training windows"):
        fidelity(none_held, GOOD, steps=2)


# ---- what a person reads of it


def measured(found: dict[str, Any]) -> dict[str, Any]:
    one = {"mean": 0.5, "std": 0.0, "values": [0.5]}
    arm = {"macro_f1": one, "accuracy": one, "f1_by_class": [one, None]}
    return {
        "words": {"window": "beat", "person": "patient", "distances": "mV"},
        "split": "patient",
        "same_training_part": True,
        "fidelity": found,
        "utility": {"classes": ["N", "V"], "TRTR": arm, "TSTR": arm, "augmented": arm},
        "privacy": {
            "median_distance_synthetic": 0.1,
            "median_distance_unseen": 0.1,
            "ratio": 1.0,
            "copies": 0,
            "membership_auc": 0.5123,
            "membership_auc_error": 0.009,
            "patient_membership_auc": 0.61,
            "patient_membership_auc_error": 0.1,
        },
    }


def test_the_tables_show_every_figure(good: dict[str, Any]) -> None:
    text = table_text(measured(good))
    by_class = [cell for row in class_rows(good) for cell in row]
    for entry in good["measures"].values():
        for key in ("value", "baseline"):
            assert f"{entry[key]:.4g}" in text
        for pair in entry.get("by_class", {}).values():
            assert f"{pair['value']:.4g} ({pair['baseline']:.4g})" in by_class
    assert "DTW to the nearest, mV" in text
    assert re.search(
        r"membership attack on beats +0\.512 ± 0\.009\n  membership attack on patients +0\.610 ± 0\.100", text
    )
    assert "split by beat" not in text


def test_a_missing_figure_is_a_dash() -> None:
    found = fidelity(REAL, beats(1, {"N": 40, "V": 4}), steps=2)
    assert "- (-)" in [cell for row in class_rows(found) for cell in row]
