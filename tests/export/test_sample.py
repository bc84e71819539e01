"""What sample gives: windows of a signal, the user's own table of a series; and how a class is asked for."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgsynth.errors import ConfigError
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.windows.long_table import rows
from ecgsynth.windows.windows import Windows

TINY = Path(__file__).resolve().parents[1] / "golden" / "tiny.onnx"


def test_a_class_of_beats_is_asked_for_in_any_of_three_ways() -> None:
    sampler = OnnxSampler(TINY)
    wanted = sampler.windows(9, "V", 7)
    assert isinstance(wanted, Windows)
    for made in (
        sampler.sample(9, {"class": "V"}, 7),
        sampler.sample(9, "V", 7),
        sampler.sample(9, label="V", seed=7),
    ):
        assert made.fingerprint() == wanted.fingerprint()
        assert set(made.labels) == {2}
    assert sampler.sample(9, {}, 7).fingerprint() == sampler.windows(9, seed=7).fingerprint()


def test_a_sample_of_a_series_is_the_users_table(series: OnnxSampler) -> None:
    pandas = pytest.importorskip("pandas")
    frame, windows = series.sample(5, seed=7), series.windows(5, seed=7)
    assert isinstance(frame, pandas.DataFrame)
    assert windows.series == series.manifest.data.series
    assert windows.series is not None
    wanted = rows(windows, windows.series, 0)
    assert list(frame) == list(wanted) == ["who", "step", "when", "ward", "MLII", "V5"]
    for name, values in wanted.items():
        assert np.array_equal(frame[name].to_numpy(), values), name
    kinds = {name: frame[name].dtype.kind for name in ("who", "step", "when", "MLII", "V5")}
    assert kinds == {"who": "i", "step": "i", "when": "M", "MLII": "f", "V5": "i"}
    pandas.testing.assert_frame_equal(frame, windows.to_frame())


def test_a_class_of_a_series_is_asked_for_by_its_column(series: OnnxSampler) -> None:
    frame = series.sample(5, {"ward": "S"}, seed=7)
    assert set(frame["ward"]) == {"S"}
    assert frame.equals(series.sample(5, label="S", seed=7))


@pytest.mark.parametrize(
    ("of_series", "ask", "says"),
    [
        (False, {"where": {"class": "X"}}, "no class 'X'; its classes are N, S, V"),
        (False, {"where": {"ward": "V"}}, "asked for by the column 'class' alone, got 'ward'"),
        (False, {"where": {"class": "V", "rr": 1}}, "asked for by the column 'class' alone, got 'class', 'rr'"),
        (False, {"where": {"class": "V"}, "label": "V"}, "ask for a class once"),
        (True, {"where": {"class": "V"}}, "asked for by the column 'ward' alone, got 'class'"),
    ],
)
def test_what_cannot_be_asked_for_is_said(series: OnnxSampler, of_series: bool, ask: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        (series if of_series else OnnxSampler(TINY)).sample(3, **ask)


def test_without_pandas_a_series_is_arrays_by_name(series: OnnxSampler) -> None:
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        f"import ecgsynth, numpy; made = ecgsynth.load({str(series.path)!r}).sample(3, seed=1)\n"
        "assert list(made) == ['who', 'step', 'when', 'ward', 'MLII', 'V5']\n"
        "assert all(isinstance(values, numpy.ndarray) and len(values) == 96 for values in made.values())"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
