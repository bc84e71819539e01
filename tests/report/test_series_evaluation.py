"""Evaluating a generator of a series: what is measured, and of what data."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.evaluation import copied, evaluate, real_windows
from ecgsynth.export.manifest import Manifest
from ecgsynth.metrics.attacks.nearest import nearest_distance
from ecgsynth.metrics.series import SERIES_MEASURES
from ecgsynth.report.windows import table_text
from ecgsynth.windows.windows import Windows

pytestmark = pytest.mark.trains


@pytest.mark.parametrize("which", ["grouped", "whole", "labelled"])
def test_a_folder_holds_figures_a_picture_and_a_report(which: str, request: pytest.FixtureRequest) -> None:
    made = request.getfixturevalue(which)
    assert sorted(path.name for path in made["out"].iterdir()) == ["metrics.json", "report.html", "series.png"]
    assert json.loads((made["out"] / "metrics.json").read_text(encoding="utf-8")) == made["measured"]
    measured = made["measured"]
    assert (measured["model"], measured["kind"]) == ("stocks.onnx", "series")
    assert measured["same_training_part"] is (None if which == "whole" else True)
    assert list(measured["fidelity"]["measures"]) == [measure.name for measure in SERIES_MEASURES]
    assert measured["fidelity"]["repeats"] == 2
    assert ("utility" in measured) == (which == "labelled")
    done = [share for _, share in made["progress"]]
    assert done == sorted(done)
    assert made["progress"][-1] == ("done", 1.0)


def test_with_a_split_there_is_an_attack(grouped: dict[str, Any], labelled: dict[str, Any]) -> None:
    for made in (grouped, labelled):
        near = made["measured"]["privacy"]
        assert 0 <= near["membership_auc"] <= 1
        assert 0 <= near["patient_membership_auc"] <= 1
        assert 2 < near["patients_learnt"] <= len(set(made["real"].part("train").groups))
        assert near["copies"] == 0
    assert grouped["measured"]["fidelity"]["windows"]["all"] == len(grouped["real"].part("test"))


def test_distances_are_in_standard_deviations_of_each_column(grouped: dict[str, Any]) -> None:
    learnt, unseen = grouped["real"].part("train").values, grouped["real"].part("test").values
    spreads = learnt.std(axis=(0, 1))
    expected = np.median(nearest_distance(unseen / spreads, learnt / spreads))
    assert grouped["measured"]["privacy"]["median_distance_unseen"] == pytest.approx(expected, rel=1e-3)
    assert 0.05 < expected < 2


def test_without_a_split_there_is_nobody_to_attack(whole: dict[str, Any]) -> None:
    near = whole["measured"]["privacy"]
    assert [near[key] for key in ("ratio", "closer_than_unseen", "membership_auc", "membership_auc_error")] == [
        None
    ] * 4
    learnt, made = whole["real"].values, whole["fake"].windows(len(whole["real"])).values
    expected = np.median(nearest_distance(made / learnt.std(axis=(0, 1)), learnt / learnt.std(axis=(0, 1))))
    assert near["median_distance_synthetic"] == pytest.approx(expected, rel=1e-3)
    assert (near["copies"], near["windows_unseen"], near["windows_synthetic"]) == (0, 0, len(whole["real"]))


def test_copies_are_found_without_a_split() -> None:
    learnt = np.random.default_rng(0).normal(size=(50, 6, 2)).astype(np.float32)
    others = np.random.default_rng(1).normal(size=(30, 6, 2)).astype(np.float32)
    assert copied(np.concatenate([learnt[:7], others, learnt[9:11] + 1e-5]), learnt, 0)["copies"] == 9
    assert copied(others, learnt, 0)["copies"] == 0
    coarse = np.zeros((50, 6, 2), dtype=np.float32)
    assert copied(coarse[:3], coarse, 0)["copies"] == 3


def test_windows_of_a_coarse_series_may_all_be_alike(
    tmp_path: Path, grouped: dict[str, Any], series_sampler: type[Any]
) -> None:
    """Nothing is divided by the distance between windows where that is nothing."""
    real = grouped["real"]
    patterns = real.values[np.arange(len(real)) % 5]
    real = dataclasses.replace(real, values=patterns)
    measured = evaluate(series_sampler(real), real, tmp_path / "report", repeats=1, steps=1, device="cpu")
    assert measured["privacy"]["ratio"] is None
    assert measured["privacy"]["median_distance_unseen"] == 0
    assert "ratio -" in table_text(measured)


def test_classes_have_a_utility_test(labelled: dict[str, Any]) -> None:
    found = labelled["measured"]["utility"]
    assert found["classes"] == ["a", "b"]
    assert found["repeats"] == 2
    assert found["classifier"]["steps"] == 3


def test_more_steps_make_use_of_the_classes(tmp_path: Path, labelled: dict[str, Any]) -> None:
    """The columns' units are as far apart as 1e5 and 0.01, and the classifier sees all of them."""
    real = labelled["real"]
    measured = evaluate(labelled["fake"], real, tmp_path / "report", repeats=1, steps=60, device="cpu")
    for arm in ("TRTR", "TSTR"):
        assert measured["utility"][arm]["macro_f1"]["mean"] > 0.9


def test_unless_told_there_are_as_many_repeats_as_in_the_paper(
    tmp_path: Path, labelled: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def fidelity(real: Windows, made: Windows, **options: Any) -> dict[str, Any]:
        asked["fidelity"] = (options["repeats"], options["steps"], len(made))
        return labelled["measured"]["fidelity"]

    def utility(real: Windows, draw: Any, **options: Any) -> dict[str, Any]:
        asked["utility"] = (options["repeats"], options["config"].steps)
        return labelled["measured"]["utility"]

    monkeypatch.setattr("ecgsynth.evaluation.series_fidelity", fidelity)
    monkeypatch.setattr("ecgsynth.evaluation.utility", utility)
    evaluate(labelled["fake"], labelled["real"], tmp_path / "report", device="cpu")
    assert asked == {"fidelity": (10, None, len(labelled["real"].part("test"))), "utility": (3, 2000)}


def test_no_repeats_are_refused(tmp_path: Path, grouped: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="at least one repeat"):
        evaluate(grouped["fake"], grouped["real"], tmp_path / "report", repeats=0, device="cpu")


def test_other_columns_are_refused(tmp_path: Path, grouped: dict[str, Any]) -> None:
    real = dataclasses.replace(grouped["real"], channel_names=("price", "volume", "share"))
    with pytest.raises(DataError, match="makes the columns volume, price, share, the real ones are price, volume"):
        evaluate(grouped["fake"], real, tmp_path / "report", device="cpu")
    short = dataclasses.replace(grouped["real"], values=grouped["real"].values[:, :8].copy())
    with pytest.raises(DataError, match="makes windows of 12 samples x 3 channels"):
        evaluate(grouped["fake"], short, tmp_path / "report", device="cpu")
    empty = dataclasses.replace(grouped["real"], parts=np.zeros(len(grouped["real"]), dtype=np.int8))
    with pytest.raises(DataError, match="the test part 0; both need some"):
        evaluate(grouped["fake"], empty, tmp_path / "report", device="cpu")
    assert not (tmp_path / "report").exists()


def test_a_generator_of_other_windows_is_told_of(
    tmp_path: Path, grouped: dict[str, Any], series_sampler: type[Any], run_folder: Callable[..., Path]
) -> None:
    fake, run = series_sampler(grouped["real"]), run_folder(tmp_path / "run", "another")
    measured = evaluate(fake, grouped["real"], tmp_path / "report", repeats=1, steps=1, run=run, device="cpu")
    assert measured["same_training_part"] is False
    assert "did not learn from the training part" in table_text(measured)


def test_without_its_run_folder_it_is_not_known_what_it_learnt_from(whole: dict[str, Any]) -> None:
    assert whole["measured"]["same_training_part"] is None
    assert "was not checked; its run folder knows (--run)" in table_text(whole["measured"])


@pytest.mark.parametrize("which", ["grouped", "whole", "labelled"])
def test_the_table_is_cut_as_it_was_learnt(
    which: str, request: pytest.FixtureRequest, tmp_path: Path, run_folder: Callable[..., Path]
) -> None:
    made = request.getfixturevalue(which)
    made["fake"].manifest = Manifest.from_text(made["fake"].manifest.to_text(), "here")
    learn = made["real"].part("train").fingerprint()
    for again in (
        real_windows(made["table"], made["fake"]),
        real_windows(made["table"], made["fake"], run_folder(tmp_path / "run", learn, split_seed=0), seed=5),
    ):
        assert np.array_equal(again.values, made["real"].values)
        assert again.part("train").fingerprint() == learn
    other = real_windows(made["table"], made["fake"], seed=5)  # by another seed, other groups are learnt from
    assert (other.part("train").fingerprint() == learn) == (which == "whole")
    made["real"].save(tmp_path / "windows.npz")
    assert np.array_equal(real_windows(tmp_path / "windows.npz", made["fake"]).values, made["real"].values)


def test_a_table_cannot_be_cut_by_guessing(grouped: dict[str, Any], series_sampler: type[Any]) -> None:
    with pytest.raises(DataError, match="does not say how its table was cut"):
        real_windows(grouped["table"], series_sampler(grouped["real"], series=None))
