"""What is special about the columns of a series is there again in what both models make, and in the exported file."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecgsynth.core.config import TrainConfig
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.metrics.classifier import ClassifierConfig
from ecgsynth.report.info import manifest_text
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.windows.series import SeriesOptions, read_series
from ecgsynth.windows.splits import split
from ecgsynth.windows.windows import Windows

pytestmark = pytest.mark.trains

CONFIG: dict[str, dict[str, Any]] = {
    "rwgan": {"hidden": 4, "latent_steps": 2, "step_noise": 2, "cluster_dim": 2, "read_out": 4, "critic_hidden": 8},
    "timegan": {"hidden": 6, "layers": 1},
}
LENGTH, ROWS, PERIOD = 12, 1500, 4
STEP_S = 900  # so that there are 15 days
DAY, HELD, LINE = 0, 6, 7  # where these columns stand among the channels


def table(seed: int = 0) -> pd.DataFrame:
    """A wave of the day; prices with their order, of two roundings; a copy; a value that holds; a line."""
    rng = np.random.default_rng(seed)
    opened = 50 + np.cumsum(rng.normal(size=ROWS)) * 0.2
    close = opened + rng.normal(size=ROWS)
    above, below = rng.exponential(size=(2, ROWS))
    known = np.cumsum(rng.normal(size=ROWS // PERIOD + 2))
    moves = rng.normal(size=ROWS) * (rng.random(ROWS) > 0.6)
    return pd.DataFrame(
        {
            "when": pd.date_range("2024-03-01T00:05", periods=ROWS, freq=f"{STEP_S}s"),
            "day": np.sin(2 * np.pi * (300 + STEP_S * np.arange(ROWS)) / 86_400) + 0.05 * rng.normal(size=ROWS),
            "open": opened.round(2),
            "high": np.ceil(np.maximum(opened, close) + above).astype(int),
            "low": (np.minimum(opened, close) - below).round(1) - 0.1,
            "close": close.round(2),
            "last": close.round(2),
            "held": np.cumsum(moves),
            "line": np.interp(np.arange(ROWS), PERIOD * np.arange(len(known)), known),
        }
    )


@pytest.fixture(scope="module")
def windows() -> Windows:
    return split(read_series(table(), SeriesOptions(length=LENGTH, time="when")), "none", 0)


def fit(windows: Windows, run: Path, model: str) -> Synthesizer:
    """A generator that has learnt next to nothing, read again from its run folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecgsynth.training.selection.MOST_SYNTHETIC", 60)
        patch.setattr("ecgsynth.training.selection.CLASSIFIER", ClassifierConfig(width=8, steps=5, batch=32))
        asked = {"config": CONFIG[model], "training": TrainConfig(steps=2, batch=12, validations=1)}
        Synthesizer.fit(windows, run, model=model, device="cpu", **asked)
    return Synthesizer.load(run)


@pytest.fixture(scope="module")
def made(windows: Windows, tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    """A mixture; no test may change it."""
    return fit(windows, tmp_path_factory.mktemp("columns") / "run", "rwgan")


@pytest.fixture(scope="module")
def exported(made: Synthesizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("columns") / "made.onnx"
    made.export(path)
    return path


def check_prices(frame: pd.DataFrame) -> None:
    for low, high in (("low", "open"), ("low", "close"), ("open", "high"), ("close", "high"), ("low", "high")):
        assert (frame[low] <= frame[high]).all(), (low, high)
    assert (frame["last"] == frame["close"]).all()
    assert frame["high"].dtype == np.int64


def test_rules_hold_in_every_row_of_windows_and_of_tables(made: Synthesizer, windows: Windows, exported: Path) -> None:
    check_prices(table())
    assert made.about.data.series is not None
    assert {("low", "open"), ("close", "high"), ("last", "close")} <= set(made.about.data.series.rules)
    drawn = made.windows(200, seed=3)
    place = {name: number for number, name in enumerate(drawn.channel_names)}
    for low, high in made.about.data.series.rules:
        assert (drawn.values[..., place[low]] <= drawn.values[..., place[high]]).all(), (low, high)
    check_prices(made.sample(200, seed=3))
    check_prices(OnnxSampler(exported).sample(200, seed=3))


def test_the_file_makes_what_torch_makes_and_says_what_it_keeps(made: Synthesizer, exported: Path) -> None:
    one, other = made.windows(100, seed=5), OnnxSampler(exported).windows(100, seed=5)
    same = np.isclose(one.values, other.values, atol=2e-3).all(axis=(1, 2)) & (one.start_s == other.start_s)
    assert same.sum() >= 98  # all but those that lay next to a switch
    said = manifest_text(OnnxSampler(exported).manifest, "m", 0)
    assert "  rules        open <= high, low <= open, low <= close, close <= high, close = last\n" in said


def bends_at(values: np.ndarray[Any, Any]) -> list[set[int]]:
    """Of each window (n, time), the places of the period at which it bends."""
    bent = np.abs(np.diff(values.astype(np.float64), n=2, axis=1)) > 1e-4 * values.std()
    return [{int(step + 1) % PERIOD for step in np.flatnonzero(row)} for row in bent]


def test_values_hold_as_often_as_they_did_and_lines_are_straight(made: Synthesizer, windows: Windows) -> None:
    drawn = made.windows(400, seed=1).values
    wanted, got = ((np.diff(x[..., HELD], axis=1) == 0).mean() for x in (windows.values, drawn))
    assert wanted == pytest.approx(0.6, abs=0.03)
    assert got == pytest.approx(wanted, abs=0.05)
    places = bends_at(drawn[..., LINE])
    assert {len(found) for found in places} <= {0, 1}
    assert set.union(*places) == set(range(PERIOD))


def test_windows_start_when_real_ones_do(made: Synthesizer, exported: Path) -> None:
    frame = OnnxSampler(exported).sample(400, seed=2)
    assert frame["when"].diff()[1:LENGTH].eq(pd.Timedelta(seconds=STEP_S)).all()
    starts = frame.iloc[::LENGTH]
    assert (starts["when"].dt.hour * 3600 + starts["when"].dt.minute * 60 - 300).mod(STEP_S).eq(0).all()
    assert starts["when"].min() >= pd.Timestamp("2000-01-03")  # a Monday
    assert starts["when"].max() < pd.Timestamp("2000-01-10")
    assert starts["when"].dt.weekday.value_counts(normalize=True).between(0.05, 0.25).all()
    assert starts["when"].dt.weekday.nunique() == 7
    # What is made at a time of the day is what is usual then.
    midnight = starts["when"].dt.normalize()
    usual = np.sin(2 * np.pi * (starts["when"] - midnight).dt.total_seconds() / 86_400)
    assert np.corrcoef(starts["day"], usual)[0, 1] > 0.85  # 0.93
    assert np.array_equal(starts["when"], made.sample(400, seed=2).iloc[::LENGTH]["when"])


def test_timegan_keeps_the_same_rules_and_lines(windows: Windows, tmp_path: Path) -> None:
    made = fit(windows, tmp_path / "run", "timegan")
    check_prices(made.sample(200, seed=3))
    assert {len(found) for found in bends_at(made.windows(200).values[..., LINE])} <= {0, 1}


def test_without_anything_special_nothing_is_added(windows: Windows, tmp_path: Path) -> None:
    plain = dataclasses.replace(windows, values=windows.values[..., :1], channel_names=("day",), start_s=None)
    assert plain.series is not None
    info = dataclasses.replace(plain.series, columns=plain.series.columns[:1], time=None)
    made = fit(dataclasses.replace(plain, series=info), tmp_path / "run", "rwgan")
    assert made.space.columns is None
    assert "columns" not in json.loads((tmp_path / "run" / "scaler.json").read_text())
    assert "rules" not in json.loads((tmp_path / "run" / "config.json").read_text())["data"]["series"]
