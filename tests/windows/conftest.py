"""What the tests of series need: a table that is written and read, and one of three people."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ecgsynth.windows.series import SeriesOptions, read_series
from ecgsynth.windows.windows import Windows


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
