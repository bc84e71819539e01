"""Windows and settings that cannot be learnt from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.windows.windows import Windows

pytestmark = pytest.mark.trains


# ---- data that cannot be learnt


def test_a_class_with_too_few_windows_is_named(tmp_path: Path, small: Any) -> None:
    with pytest.raises(DataError, match=r"class V has 9 training windows and at least 10 are needed; .* N,F$"):
        small.fit(small.windows((90, 15, 45)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_ten_windows_of_a_class_are_enough(tmp_path: Path, small: Any) -> None:
    assert small.fit(small.windows((91, 17, 45)), tmp_path / "run").classes == ("N", "V", "F")


def test_an_experiment_can_do_with_fewer(tmp_path: Path, small: Any) -> None:
    windows = small.windows((90, 15, 45))
    with pytest.raises(DataError, match="class V has 9 training windows and at least 10"):
        small.fit(windows, tmp_path / "run", min_class=10)
    assert small.fit(windows, tmp_path / "run", min_class=9).config.clusters == (1, 1, 1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda windows: windows.take(windows.parts != 1), "validation part is empty"),
        (lambda windows: windows.take(windows.parts != 0), "class N has 0 training windows"),
    ],
    ids=["no validation", "no training"],
)
def test_an_empty_part_is_named(tmp_path: Path, change: Callable[[Windows], Windows], says: str, small: Any) -> None:
    with pytest.raises(DataError, match=says):
        small.fit(change(small.windows()), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_sizes_that_cannot_be_are_refused(tmp_path: Path, small: Any) -> None:
    with pytest.raises(DataError, match="have no 65 components"):
        small.fit(small.windows(), tmp_path / "run", config={**small.config, "components": 65})
    with pytest.raises(ConfigError, match="no device"):
        small.fit(small.windows(), tmp_path / "run", device="abacus")
    assert not (tmp_path / "run").exists()
