"""Generators of a user's series: fit, sample, save, load and export, by both models, on a small table."""

import copy
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ecgsynth
from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ConfigError, DataError
from ecgsynth.metrics.classifier import ClassifierConfig
from ecgsynth.models.decoder import draw
from ecgsynth.models.scaling import ChannelScaler, PrincipalScaler
from ecgsynth.models.timegan.networks import TimeGANConfig
from ecgsynth.models.wgan import WGANConfig
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.training.run_folder import RunFolder
from ecgsynth.windows.long_table import rows
from ecgsynth.windows.series import SeriesOptions, read_series
from ecgsynth.windows.splits import split
from ecgsynth.windows.windows import Windows

pytestmark = pytest.mark.trains

MODELS = ("rwgan", "timegan")
CONFIG: dict[str, dict[str, Any]] = {
    "rwgan": {"hidden": 4, "latent_steps": 2, "step_noise": 2, "cluster_dim": 2, "read_out": 4, "critic_hidden": 8},
    "timegan": {"hidden": 6, "layers": 1, "noise": 2, "window_noise": 2},
}
TRAINING = TrainConfig(steps=6, batch=12, validations=2)
LENGTH = 8
PEOPLE, STEPS = 32, 24


def table(seed: int = 0) -> pd.DataFrame:
    """Thirty-two people in two wards: a wave, whole numbers, tenths above zero, and an age that stays."""
    rng = np.random.default_rng(seed)
    frames = []
    for person in range(PEOPLE):
        wave = np.sin(np.arange(STEPS) / 3 + rng.uniform(0, 6)) + 0.1 * rng.normal(size=STEPS)
        frames.append(
            pd.DataFrame(
                {
                    "who": f"person-{person}",
                    "when": pd.date_range("2024-03-01", periods=STEPS, freq="10min"),
                    "flow": wave,
                    "pulse": np.rint(70 + 8 * wave + rng.normal(size=STEPS)).astype(int),
                    "dose": np.maximum(np.round(2 * wave + 0.5, 1), 0),
                    "age": rng.integers(20, 90),
                    "ward": "AB"[person % 2],
                }
            )
        )
    return pd.concat(frames)


def some_windows(folder: Path, seed: int = 0, **options: Any) -> Windows:
    path = folder / f"table{seed}.csv"
    table(seed).to_csv(path, index=False)
    asked = {"length": LENGTH, "stride": 2, "id": "who", "time": "when", "label": "ward", "statics": ("age",)}
    return split(read_series(path, SeriesOptions(**asked | options)), "group", 0)


def fit(windows: Windows, run: Path, model: str, **options: Any) -> Synthesizer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecgsynth.training.selection.MOST_SYNTHETIC", 60)
        patch.setattr("ecgsynth.training.selection.CLASSIFIER", ClassifierConfig(width=8, steps=5, batch=32))
        options = {"config": CONFIG[model], "training": TRAINING, "device": "cpu", **options}
        return Synthesizer.fit(windows, run, model=model, **options)


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Windows:
    return some_windows(tmp_path_factory.mktemp("table"))


@pytest.fixture(scope="module", params=MODELS)
def run(request: pytest.FixtureRequest, windows: Windows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of each model, named by it; no test may change it."""
    folder = tmp_path_factory.mktemp("series") / request.param
    fit(windows, folder, request.param)
    return folder


@pytest.fixture(scope="module")
def exported(run: Path) -> Path:
    """Its generator as a file."""
    path = run.with_suffix(".onnx")
    Synthesizer.load(run).export(path)
    return path


# ---- what is made


def test_a_run_is_of_the_model_that_was_asked_for(run: Path) -> None:
    made = Synthesizer.load(run)
    wanted = {"rwgan": (WGANConfig, PrincipalScaler), "timegan": (TimeGANConfig, ChannelScaler)}[run.name]
    assert isinstance(made.config, wanted[0])
    assert isinstance(made.space, wanted[1])
    assert made.about.training.model == run.name
    assert made.config.classes == 2
    assert made.classes == ("A", "B")
    assert made.about.metrics["steps"] == TRAINING.steps


def test_a_run_folder_remembers_the_table(run: Path, exported: Path, windows: Windows) -> None:
    content = json.loads((run / "config.json").read_text(encoding="utf-8"))
    wanted = json.loads(json.dumps(windows.series.to_json()))
    wanted["rules"] = content["data"]["series"]["rules"]  # which are found by training: a dose is no less than the flow
    assert content["data"]["series"] == wanted
    assert wanted["rules"] == [["flow", "dose"]]
    assert [column["name"] for column in wanted["columns"]] == ["flow", "pulse", "dose"]
    assert ecgsynth.load(exported).manifest.data.series.to_json() == wanted
    assert RunFolder(run).learnt_from(windows.part("train").fingerprint())  # from the table, not from the shifts
    assert not RunFolder(run).learnt_from(windows.part("test").fingerprint())
    made = Synthesizer.load(run).windows(3, seed=1)
    back = rows(made, windows.series, 0)
    assert list(back) == ["who", "step", "when", "ward", "flow", "pulse", "dose", "age"]
    assert back["pulse"].dtype == np.int64
    assert np.datetime_as_string(back["when"][:2]).tolist() == ["2000-01-01T00:00:00", "2000-01-01T00:10:00"]
    assert made.is_series


def test_nobody_is_named(run: Path, exported: Path) -> None:
    for path in (exported, *(path for path in run.rglob("*") if path.is_file())):
        assert b"person-" not in path.read_bytes(), path.name


def test_the_exported_file_draws_the_same_windows(run: Path, exported: Path) -> None:
    made, sampler = Synthesizer.load(run), ecgsynth.load(exported)
    assert sampler.manifest.kind == "series"
    for label in (None, "B"):
        one, other = made.windows(300, label, seed=11), sampler.windows(300, label, seed=11)
        assert np.array_equal(one.labels, other.labels)
        assert other.rr_s is None
        span = np.abs(one.values).max(axis=(0, 1))
        gap = np.abs(one.values - other.values)
        # A value between two steps may be rounded either way; there are next to none.
        assert (gap > 1e-4 * span).mean() < 1e-3
        assert (gap <= np.maximum(1e-4 * span, [0, 1.001, 0.1001, 1.001])).all()
        for name in ("fs_hz", "units", "channel_names", "classes", "event_index"):
            assert getattr(one, name) == getattr(other, name)


def test_values_come_in_the_steps_of_their_column_and_within_its_bounds(run: Path, exported: Path) -> None:
    for values in (
        Synthesizer.load(run).windows(200, seed=3).values,
        ecgsynth.load(exported).windows(200, seed=3).values,
    ):
        flow, pulse, dose, age = np.moveaxis(values, 2, 0)
        assert np.array_equal(pulse, np.rint(pulse))
        assert dose == pytest.approx(np.rint(10 * dose) / 10, abs=1e-6)
        assert dose.min() >= 0
        assert np.array_equal(age, np.rint(age))
        assert (np.abs(10 * flow - np.rint(10 * flow)) > 1e-3).mean() > 0.9  # comes in no steps
        assert flow.min() < 0
    about = Synthesizer.load(run).about.data.series
    lowest = [column.lowest for column in about.channels]
    low = copy.deepcopy(Synthesizer.load(run).sampler)
    low.mean -= 100
    values, _ = draw(low, np.zeros(50, dtype=np.int64), 1)
    least, published = values[0, 0, [0, 2]], np.take(lowest, [0, 2])
    assert (values[:, :, [0, 2]] == least).all()
    assert (least >= published - 1e-6).all()
    assert least == pytest.approx(published, abs=0.2)  # where a channel is transformed, the mean of more rows


def test_same_seed_same_bytes_and_other_seed_others(run: Path) -> None:
    made = Synthesizer.load(run)
    one, again, other = made.windows(20, seed=7), made.windows(20, seed=7), made.windows(20, seed=8)
    assert one.values.tobytes() == again.values.tobytes()
    assert one.values.tobytes() != other.values.tobytes()


def test_a_sample_is_the_users_own_table(run: Path, exported: Path) -> None:
    made = Synthesizer.load(run).sample(3, {"ward": "B"}, seed=1)
    assert list(made) == ["who", "step", "when", "ward", "flow", "pulse", "dose", "age"]
    assert len(made) == 3 * LENGTH
    assert set(made["ward"]) == {"B"}
    other = ecgsynth.load(exported).sample(3, {"ward": "B"}, seed=1)
    assert list(made.dtypes) == list(other.dtypes)
    assert made["flow"].to_numpy() == pytest.approx(other["flow"].to_numpy(), abs=1e-3)


def test_the_recurrent_wgan_begins_where_the_windows_are(windows: Windows, tmp_path: Path) -> None:
    made = fit(windows, tmp_path / "run", "rwgan").windows(2000, seed=1)
    real = windows.part("train")
    for code in range(2):
        own, its = made.values[made.labels == code], real.values[real.labels == code]
        away = np.abs(own.mean(axis=(0, 1)) - its.mean(axis=(0, 1)))
        assert (away < 0.5 * its.std(axis=(0, 1))).all()
        assert np.abs(np.log(own.std(axis=(0, 1)) / its.std(axis=(0, 1)))).max() < np.log(2)


# ---- run folders


def test_save_and_load_are_inverse(run: Path, tmp_path: Path) -> None:
    made = Synthesizer.load(run)
    made.save(tmp_path / "copy")
    again = Synthesizer.load(tmp_path / "copy")
    assert made.windows(9, seed=2).values.tobytes() == again.windows(9, seed=2).values.tobytes()
    assert made.about == again.about
    assert made.config == again.config


def test_a_finished_run_is_resumed_as_it_is(run: Path, windows: Windows, tmp_path: Path) -> None:
    kept = shutil.copytree(run, tmp_path / run.name)
    before = (kept / "weights.safetensors").read_bytes()
    fit(windows, kept, run.name, resume=True)
    assert (kept / "weights.safetensors").read_bytes() == before


def test_resume_refuses_other_settings_and_other_windows(run: Path, windows: Windows, tmp_path: Path) -> None:
    kept = shutil.copytree(run, tmp_path / run.name)
    before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    other = MODELS[1 - MODELS.index(run.name)]
    training = dataclasses.replace(TRAINING, steps=7)
    half = windows.take(np.arange(0, len(windows), 2))
    published = dataclasses.replace(
        windows, series=dataclasses.replace(windows.series, time=None)
    )  # the same windows of a table that has no time
    for changes, says in (
        ({"model": other, "config": CONFIG[other]}, "another config"),
        ({"config": {**CONFIG[run.name], "hidden": 5}}, "another config"),
        ({"training": training}, "other training settings"),
        ({"windows": half}, "another (config|data)"),
        ({"windows": published}, "another data"),
    ):
        asked = {"windows": windows, "model": run.name, **changes}
        with pytest.raises(ConfigError, match=f"was begun with {says}; resume with the same command"):
            fit(asked.pop("windows"), kept, asked.pop("model"), resume=True, **asked)
    assert {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before


def test_one_class_and_no_split(tmp_path: Path) -> None:
    path = tmp_path / "walk.csv"
    pd.DataFrame({"x": np.random.default_rng(0).normal(size=200).cumsum()}).to_csv(path, index=False)
    windows = split(read_series(path, SeriesOptions(length=LENGTH)), "none", 0)
    for model in MODELS:
        made = fit(windows, tmp_path / model, model)
        assert made.config.classes == 1
        assert made.about.data.split == "none"
        assert made.about.data.training_windows == len(windows) == 193
        drawn = made.windows(5)
        assert drawn.values.shape == (5, LENGTH, 1)
        assert drawn.classes == ("all",)
        assert 0.5 <= made.about.metrics["validation_score"] <= 1  # nothing to be useful for


# ---- what cannot be learnt


def test_too_few_windows_of_a_class_are_told_in_the_words_of_a_series(windows: Windows, tmp_path: Path) -> None:
    rare = windows.take(np.concatenate([np.flatnonzero(windows.labels == 0), np.flatnonzero(windows.labels == 1)[:3]]))
    with pytest.raises(DataError, match="class B has . training windows .* its sequences, or leave their rows out$"):
        fit(rare, tmp_path / "run", "rwgan")
    own = np.flatnonzero(windows.labels == 0)
    learnt = np.asarray(windows.parts)[own] == 0
    alone = windows.take(np.concatenate([own[learnt][:5], own[~learnt]])).keep_classes(("A",))
    with pytest.raises(DataError, match="there are 5 training windows and at least 10 are needed; bring more rows"):
        fit(alone, tmp_path / "run", "rwgan")
    assert not (tmp_path / "run").exists()


def test_a_single_column_that_is_transformed_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecgsynth.synthesizer.Columns.find", lambda windows: None)  # or it has a channel that says when
    # Of a lone bound below and a lone one above, again and again, torch's exporter makes a graph that is not valid.
    one = some_windows(tmp_path, columns=("dose",), statics=(), time=None)
    made = fit(one, tmp_path / "run", "rwgan")
    assert isinstance(made.space, PrincipalScaler)
    assert made.space.transformed.tolist() == [1]
    made.export(tmp_path / "one.onnx")
    drawn = ecgsynth.load(tmp_path / "one.onnx").windows(400, seed=1).values
    assert (drawn == 0).mean() == pytest.approx((one.part("train").values == 0).mean(), abs=0.06)  # many are


# ---- the best step


@pytest.mark.parametrize("model", MODELS)
def test_the_start_is_kept_where_training_only_spoils_it(
    windows: Windows, tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.9, 0.8, 0.7])
    monkeypatch.setattr("ecgsynth.synthesizer.validation_score", lambda *given, **named: lambda generator: next(scores))
    made = fit(windows, tmp_path / "run", model)
    lines = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    scored = [(line["step"], line["score"]) for line in lines if "score" in line]
    if model == "timegan":  # whose start is nothing yet
        assert scored == [(3, 0.9), (6, 0.8)]
        return
    assert scored == [(0, 0.9), (3, 0.8), (6, 0.7)]
    assert made.about.metrics["best_step"] == 0
    assert made.about.metrics["validation_score"] == 0.9
    assert not made.sampler.generator.state_dict()["value.weight"].any()  # as it began: a mixture of normals
