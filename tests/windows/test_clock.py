"""The time of the rows of a table: its step, when windows start, and what is no time."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ecgsynth.errors import DataError
from ecgsynth.windows.info import ClockInfo
from ecgsynth.windows.long_table import rows
from ecgsynth.windows.series import SeriesOptions, read_series
from ecgsynth.windows.windows import Windows


@pytest.mark.parametrize(
    ("times", "fs_hz", "about"),
    [
        (["2024-01-01T00:00:00", "2024-01-01T00:10:00", "2024-01-01T00:20:00"], 1 / 600, ("datetime", 600.0)),
        (["2024-01-30", "2024-01-31", "2024-02-01"], 1 / 86400, ("datetime", 86400.0)),
        (["2024-01-01 00:00:00.004", "2024-01-01 00:00:00.008", "2024-01-01 00:00:00.012"], 250, ("datetime", 0.004)),
        (["2024-03-31T00:30+00:00", "2024-03-31T03:30+02:00", "2024-03-31T02:30Z"], 1 / 3600, ("datetime", 3600.0)),
        ([5, 10, 15], 0.2, ("number", 5)),
        ([0.0, 0.5, 1.0], 2.0, ("number", 0.5)),
        ([1.0, 3.0, 5.0], 0.5, ("number", 2.0)),
        ([1, 2, 4], 1 / 1.5, ("number", 1.5)),
    ],
)
def test_the_step_of_time(read, times, fs_hz, about):
    found = read({"t": times, "x": [1, 2, 3]}, time="t")
    assert found.fs_hz == pytest.approx(fs_hz, rel=1e-12)
    kept = found.series.time
    assert kept == ClockInfo(name="t", kind=about[0], step=about[1])
    assert type(kept.step) is type(about[1])  # whole numbers come back whole
    assert found.channel_names == ("x",)


def test_time_runs_anew_in_each_sequence(read, people):
    found = read(people(t=[0, 0, 2, 2, 4, 1, 3, 5, 7]), id="who", time="t")
    assert found.series.time.step == 2
    assert "uneven" not in found.meta


def test_uneven_steps_are_noted(read):
    found = read({"t": [0, 10, 20, 35, 45], "x": range(5)}, time="t")
    assert found.meta["uneven"] == 0.25
    assert len(found) == 4
    times = np.append(np.arange(150) * 10, 1505)  # 1 in 150 is not many
    assert "uneven" not in read({"t": times, "x": range(151)}, time="t").meta


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        (
            "0 1 x 3",
            "numbers or ISO dates such as .* in the time column 't', got something else in data row 3; correct it",
        ),
        ("2024-01-01 2024-01-02 soon 2024-01-04", "got something else in data row 3"),
        ("31/01/2024 01/02/2024 02/02/2024 03/02/2024", "got something else in data row 1"),
        ("1 2  4", "got nothing in data row 3"),
        ("1 2 3 inf", "got something else in data row 4"),
        ("2024-01-01 2024-01-02  2024-01-04", "got nothing in data row 3"),
        ("True False True False", "got something else in data row 1"),
        ("1 2 3 2.5", r"but 't' runs backwards at data row 4; sort the rows, or name the column .* --id$"),
        ("1 2 2 3", "but 't' stands still at data row 3; sort"),
        ("2024-01-01 2024-01-02 2023-12-31 2024-01-03", "runs backwards at data row 3; sort"),
    ],
)
def test_times_that_are_refused(read, times, sentence):
    lines = "\n".join(f"{when},{row}" for row, when in enumerate(times.split(" ")))
    with pytest.raises(DataError, match=sentence):
        read(f"t,x\n{lines}\n", time="t")


# ---- when windows start


def hourly(first, periods, step, length=4):
    when = pd.date_range(first, periods=periods, freq=step)
    frame = pd.DataFrame({"when": when, "x": np.sin(np.arange(periods) / 5)})
    return read_series(frame, SeriesOptions(length=length, time="when"))


def test_starts_are_seconds_since_monday():
    found = hourly("2024-02-28T22:00:30", 15 * 24, "1h")  # a Wednesday
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
def test_starts_are_known_of_days_and_weeks_enough(periods, step, start):
    found = hourly("2024-01-01", periods, step)
    assert found.series.time.start == start
    assert (found.start_s is None) == (not start)
    if start == "day":
        assert found.start_s.max() < 86_400


def test_starts_stay_with_their_windows(tmp_path):
    found = hourly("2024-01-03", 15 * 24, "1h")
    found.save(tmp_path / "w.npz")
    back = Windows.load(tmp_path / "w.npz")
    assert np.array_equal(back.start_s, found.start_s)
    picked = found.take(np.array([5, 2])).start_s
    assert picked.tolist() == found.start_s[[5, 2]].tolist()


def test_a_table_has_the_times_that_windows_start_at():
    found = hourly("2024-01-03T05:00", 15 * 24, "1h").take(np.array([0, 200]))
    times = rows(found, found.series, 0)["when"]
    wanted = ["2000-01-05T05", "2000-01-05T06", "2000-01-05T07", "2000-01-05T08"]  # a Wednesday again
    assert times[:4].astype("datetime64[h]").astype(str).tolist() == wanted
    assert times[4].astype("datetime64[h]") == np.datetime64("2000-01-06T13")
    plain = rows(dataclasses.replace(found, start_s=None), found.series, 0)["when"]
    assert set(plain[::4].astype("datetime64[h]").astype(str)) == {"2000-01-01T00"}
