"""When windows of a series start: read from the clock, kept in files, and written into tables."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ecgsynth.windows.long_table import rows
from ecgsynth.windows.series import SeriesOptions, read_series
from ecgsynth.windows.windows import Windows


def series(first: str, periods: int, step: str, length: int = 4) -> Windows:
    when = pd.date_range(first, periods=periods, freq=step)
    frame = pd.DataFrame({"when": when, "x": np.sin(np.arange(periods) / 5)})
    return read_series(frame, SeriesOptions(length=length, time="when"))


def test_starts_are_seconds_since_monday() -> None:
    found = series("2024-02-28T22:00:30", 15 * 24, "1h")  # a Wednesday
    assert found.start_s is not None
    assert found.series is not None
    assert found.series.time is not None
    assert found.series.time.start == "week"
    assert found.start_s[:3].tolist() == [2 * 86_400 + 79_230, 2 * 86_400 + 82_830, 3 * 86_400 + 30]
    assert found.start_s.max() < 604_800


@pytest.mark.parametrize(
    ("periods", "step", "start"),
    [
        (3 * 24, "1h", "day"),
        (30, "1h", ""),  # little more than a day
        (100, "1D", ""),
        (100, "12h", "week"),
        (2000, "7min", ""),  # no whole number of steps a day
        (2000, "100ms", ""),
    ],
)
def test_starts_are_known_of_days_and_weeks_enough(periods: int, step: str, start: str) -> None:
    found = series("2024-01-01", periods, step)
    assert found.series is not None
    assert found.series.time is not None
    assert found.series.time.start == start
    assert (found.start_s is None) == (not start)
    if start == "day":
        assert found.start_s is not None
        assert found.start_s.max() < 86_400


def test_starts_stay_with_their_windows(tmp_path) -> None:
    found = series("2024-01-03", 15 * 24, "1h")
    found.save(tmp_path / "w.npz")
    back = Windows.load(tmp_path / "w.npz")
    assert back.start_s is not None
    assert found.start_s is not None
    assert np.array_equal(back.start_s, found.start_s)
    picked = found.take(np.array([5, 2])).start_s
    assert picked is not None
    assert picked.tolist() == found.start_s[[5, 2]].tolist()


def test_a_table_has_the_times_that_windows_start_at() -> None:
    found = series("2024-01-03T05:00", 15 * 24, "1h").take(np.array([0, 200]))
    assert found.series is not None
    times = rows(found, found.series, 0)["when"]
    wanted = ["2000-01-05T05", "2000-01-05T06", "2000-01-05T07", "2000-01-05T08"]  # a Wednesday again
    assert times[:4].astype("datetime64[h]").astype(str).tolist() == wanted
    assert times[4].astype("datetime64[h]") == np.datetime64("2000-01-06T13")
    plain = rows(dataclasses.replace(found, start_s=None), found.series, 0)["when"]
    assert set(plain[::4].astype("datetime64[h]").astype(str)) == {"2000-01-01T00"}
