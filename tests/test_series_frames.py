"""A series that came as a data frame comes back in its dtypes, before and after export, and after it was kept."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ecgsynth

pytestmark = pytest.mark.trains


@pytest.fixture
def ward() -> pd.DataFrame:
    rng, n = np.random.default_rng(0), 30 * 16
    return pd.DataFrame(
        {
            "pid": np.repeat([f"p{number}" for number in range(30)], 16),
            "t": np.tile(pd.date_range("2024-01-01", periods=16, freq="h", tz="Europe/Berlin"), 30),
            "rate": rng.normal(size=n).astype("float32"),
            "count": pd.array(rng.integers(0, 9, n), dtype="Int64"),
            "alarm": rng.random(n) < 0.5,
            "level": rng.integers(0, 50, n).astype("int16"),
            "unit": pd.Categorical(np.repeat(np.where(np.arange(30) % 2 == 0, "x", "y"), 16)),
        }
    )


def test_the_same_dtypes_come_back(ward: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecgsynth.training.selection.MOST_SYNTHETIC", 60)
    monkeypatch.setattr("ecgsynth.export.joining.MOST_POOL", 256)
    options = {"id": "pid", "time": "t", "label": "unit", "length": 8}
    model = ecgsynth.fit(ward, kind="series", steps=1, hidden=4, critic_hidden=8, device="cpu", **options)
    made = model.sample(9, seed=1)
    for name in ("t", "rate", "count", "alarm", "level", "unit"):
        assert made[name].dtype == ward[name].dtype, name
    model.save(tmp_path / "run")
    model.export(tmp_path / "ward.onnx")
    long = model.sample(2, seed=1, length=60)
    assert (long.dtypes == made.dtypes).all()
    after = model.sample(30, seed=1, length=3, history=ward)
    assert set(after["t"][::3]) == {pd.Timestamp("2024-01-01T16:00", tz="Europe/Berlin")}
    for again in (ecgsynth.load(tmp_path / "run"), ecgsynth.load(tmp_path / "ward.onnx")):
        assert (again.sample(9, seed=1).dtypes == made.dtypes).all()
        for before, same in (
            (long, again.sample(2, seed=1, length=60)),
            (after, again.sample(30, None, 1, length=3, history=ward)),
        ):
            assert (same.dtypes == before.dtypes).all()
            assert (same["unit"] == before["unit"]).all()
            assert np.allclose(same["rate"], before["rate"], atol=1e-3)  # up to the rounding of float32
            assert ((same["level"] - before["level"]).abs() <= 1).all()


def test_a_file_has_the_dtypes_that_plain_pandas_reads(ward: pd.DataFrame, tmp_path: Path) -> None:
    ward.to_csv(tmp_path / "ward.csv", index=False)
    options = ecgsynth.SeriesOptions(id="pid", time="t", label="unit", length=8)
    known = ecgsynth.read_series(tmp_path / "ward.csv", options).series
    assert known is not None
    assert known.pandas == {}
    assert "pandas" not in known.to_json()
