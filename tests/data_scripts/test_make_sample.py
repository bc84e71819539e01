"""The beats in the package are what data_scripts/make_sample.py cuts from the database."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ecgsynth.demo import STEP_MV, sample_beats
from ecgsynth.windows.splits import split
from ecgsynth.windows.windows import PARTS, Windows

SCRIPT = Path(__file__).resolve().parents[2] / "data_scripts" / "make_sample.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_sample", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_patients_give_equal_numbers_as_long_as_they_can(script: ModuleType) -> None:
    patients = np.repeat(["a", "b", "c"], [50, 3, 20])
    picked = script.even_draw(patients, 30, np.random.default_rng(0))
    assert len(set(picked.tolist())) == 30
    counts = {name: int((patients[picked] == name).sum()) for name in "abc"}
    assert counts["b"] == 3  # all there are
    assert abs(counts["a"] - counts["c"]) <= 1


def test_the_sample_is_cut_from_the_database(script: ModuleType, all_beats: Windows) -> None:
    expected = split(script.cut(all_beats, seed=0), "beat", seed=0)
    found = sample_beats()
    np.testing.assert_allclose(found.values, expected.values, atol=STEP_MV / 2 + 1e-5)
    assert found.counts() == script.WANTED
    for name in ("labels", "groups", "parts"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    np.testing.assert_array_equal(found.rr_s, expected.rr_s)


def test_every_part_of_the_sample_has_every_class() -> None:
    for part in PARTS[:3]:
        assert min(sample_beats().part(part).counts().values()) > 100
