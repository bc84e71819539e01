"""The time of the rows of a table: its step, and what is no time."""

import numpy as np
import pytest

from ecgsynth.errors import DataError
from ecgsynth.windows.info import ClockInfo


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
