"""What a user may get wrong with the one API: one clear sentence each, also where packages are missing."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ecgsynth
from ecgsynth.errors import ConfigError, DataError

GOLDEN = Path(__file__).parent / "golden"
ROWS: dict[str, Any] = {"epochs": 1, "hidden": 8, "batch": 50, "device": "cpu"}


def people(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"age": rng.integers(17, 90, n), "sex": rng.choice(["Female", "Male"], n)})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": -1}, "a seed is a whole number from 0 to"),
        ({"seed": 1.5}, "a seed is a whole number from 0 to"),
        ({"where": "Male"}, "where is columns and values, .*, got 'Male'"),
        ({"schema": {"columns": []}}, "expected a Schema or its file, got dict"),
    ],
)
def test_options_of_another_type_are_refused_in_one_sentence(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ecgsynth.fit(people(), **ROWS, **options)


def test_a_seed_may_be_one_of_numpy() -> None:
    first, second = (ecgsynth.fit(people(), seed=seed, **ROWS).sample(5) for seed in (3, np.int64(3)))
    pd.testing.assert_frame_equal(first, second)


def test_columns_are_named_by_text() -> None:
    with pytest.raises(DataError, match="names of columns that are text, got 0"):
        ecgsynth.fit(pd.DataFrame(np.eye(30)), **ROWS)


def test_what_is_asked_for_is_never_passed_over() -> None:
    windows, rows = ecgsynth.load(GOLDEN / "tiny.onnx"), ecgsynth.load(GOLDEN / "tiny_table.onnx")
    for sampler in (windows, rows):
        with pytest.raises(ConfigError, match=r"where is .*, got \['V'\]"):
            sampler.sample(3, where=["V"])  # type: ignore[arg-type]


def test_what_needs_torch_says_so_in_a_line(tmp_path: Path) -> None:
    code = """
import sys
import ecgsynth
sys.modules["torch"] = None
for call in (
    lambda: ecgsynth.fit(sys.argv[1], epochs=1),
    lambda: ecgsynth.load(sys.argv[2]),
    lambda: ecgsynth.evaluate(sys.argv[3], sys.argv[1]),
):
    try:
        call()
    except ecgsynth.EcgSynthError as error:
        assert "needs the package torch" in str(error), error
    else:
        raise AssertionError
"""
    people().to_csv(tmp_path / "a.csv", index=False)
    places = (tmp_path / "a.csv", GOLDEN / "of_0.1.0" / "default", GOLDEN / "tiny_table.onnx")
    subprocess.run([sys.executable, "-P", "-c", code, *map(str, places)], cwd=tmp_path, check=True, timeout=120)


def test_threads_may_use_the_public_names_first(tmp_path: Path) -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
import ecgsynth
with ThreadPoolExecutor(32) as pool:
    list(pool.map(lambda name: getattr(ecgsynth, name), ecgsynth.__all__ * 2))
"""
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, check=True, timeout=120)


@pytest.mark.parametrize("model", ["tiny.onnx", "tiny_table.onnx"])
@pytest.mark.parametrize("n", [0, 2.5, "5", True, None])
def test_a_number_that_is_none_is_refused(model: str, n: Any) -> None:
    with pytest.raises(ConfigError, match=r"the number of (windows|rows) must be at least 1, got"):
        ecgsynth.load(GOLDEN / model).sample(n)
