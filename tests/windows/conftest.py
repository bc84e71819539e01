"""What the tests of series need: a table that is written and read, and one of three people."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecgsynth.windows.series import SeriesOptions, read_series
from ecgsynth.windows.windows import PER_WINDOW, Windows


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Windows]:
    """A function that writes a table, as text or as columns, and reads it."""

    def write_and_read(table: dict[str, Any] | str, name: str = "table.csv", **options: Any) -> Windows:
        path = tmp_path / name
        text = table if isinstance(table, str) else pd.DataFrame(table).to_csv(index=False)
        path.write_text(text, encoding="utf-8")
        return read_series(path, SeriesOptions(**{"length": 2, **options}))

    return write_and_read


@pytest.fixture
def people() -> Callable[..., dict[str, Any]]:
    """A function that gives rows of three people, of 3, 2 and 4 rows, in turns, with more columns."""
    return lambda **more: {"who": list("ababacccc"), "x": [1, 10, 2, 20, 3, 100, 200, 300, 400], **more}


@pytest.fixture(scope="session")
def make() -> Callable[..., Windows]:
    """A function that makes windows of all five classes in turn, of two patients, split."""

    def made(n: int = 10, **other: Any) -> Windows:
        index = np.arange(n)
        return Windows(
            **{
                "values": np.arange(8 * n, dtype=np.float32).reshape(n, 4, 2),
                "fs_hz": 360.0,
                "units": "mV",
                "channel_names": ("MLII", "V1"),
                "classes": ("N", "S", "V", "F", "Q"),
                "labels": index % 5,
                "groups": np.where(index < n // 2, "a", "b"),
                "parts": (index % 3).astype(np.int8),
                "rr_s": np.stack([index, index + 1], axis=1).astype(np.float32),
                "records": np.asarray([f"r{place % 4}" for place in index]),
                "event_index": 1,
                "meta": {"kind": "beats"},
                **other,
            }
        )

    return made


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Windows, Windows], None]:
    """A function that fails where two sets of windows differ in anything."""

    def compare(ours: Windows, theirs: Windows) -> None:
        for name in PER_WINDOW:
            left, right = getattr(ours, name), getattr(theirs, name)
            assert (left is None) == (right is None), name
            if left is not None:
                assert left.shape == right.shape, name
                assert left.dtype.kind == right.dtype.kind, name
                assert left.astype(right.dtype).tobytes() == right.tobytes(), name
        for name in ("fs_hz", "units", "channel_names", "classes", "event_index", "meta"):
            assert getattr(ours, name) == getattr(theirs, name), name

    return compare
