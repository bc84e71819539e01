"""What evaluation asks of the real windows: they must be of the kind that the generator makes."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgsynth.errors import DataError
from ecgsynth.evaluation import matching
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.windows.windows import Windows

TINY = Path(__file__).resolve().parents[1] / "golden" / "tiny.onnx"


def like_tiny(classes: tuple[str, ...] = ("N", "S", "V"), **changes: Any) -> Windows:
    """Real windows as the golden generator makes them: row i is of class N, S, V, N, ..."""
    names = [("N", "S", "V")[i % 3] for i in range(12)]
    return dataclasses.replace(
        OnnxSampler(TINY).sample(12, seed=1),
        classes=classes,
        labels=np.array([classes.index(name) for name in names]),
        **changes,
    )


@pytest.mark.parametrize("classes", [("N", "S", "V"), ("V", "N", "S"), ("F", "V", "S", "N")])
def test_classes_are_matched_by_name_not_by_number(classes: tuple[str, ...]) -> None:
    sampler = OnnxSampler(TINY)
    got = matching(like_tiny(classes), sampler)
    assert got.classes == sampler.manifest.class_names
    assert [got.classes[code] for code in got.labels] == ["N", "S", "V"] * 4


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"fs_hz": 250.0}, "at 360.0 Hz in mV, the real ones are 32 x 2 at 250.0 Hz"),
        ({"units": "uV"}, "in uV; prepare them with the same options"),
        ({"values": np.zeros((12, 30, 2), dtype=np.float32)}, "are 30 x 2"),
        ({"values": np.zeros((12, 32, 1), dtype=np.float32), "channel_names": ("I",)}, "are 32 x 1"),
    ],
)
def test_windows_of_another_kind_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        matching(like_tiny(**changes), OnnxSampler(TINY))


def test_real_windows_that_lack_a_class_are_refused() -> None:
    some = like_tiny()
    without = some.take(some.labels != 2).keep_classes(("N", "S"))
    with pytest.raises(DataError, match="no class 'V'"):
        matching(without, OnnxSampler(TINY))
