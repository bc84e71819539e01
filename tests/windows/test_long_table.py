"""Windows as the user's own table: names, types, steps and bounds of the columns, and times from 2000 on."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgsynth.errors import DataError
from ecgsynth.windows.info import ClockInfo, ColumnInfo, SeriesInfo, SeriesOptions
from ecgsynth.windows.long_table import column_names, rows, shortened
from ecgsynth.windows.windows import Windows


def column(name, dtype="float64", quantum=None, **more):
    return ColumnInfo(name=name, dtype=dtype, quantum=quantum, **more)


def about(columns, statics=(), time=None, **options):
    """What a generator's file says of a table, through JSON as it does."""
    clock = ClockInfo(**time) if time else None
    asked = SeriesOptions(time=clock.name if clock else None, **options)
    info = SeriesInfo(columns=tuple(columns), statics=tuple(statics), time=clock, options=asked)
    return SeriesInfo.from_json(json.loads(json.dumps(info.to_json())))


def windows(values, classes=("all",), labels=None):
    """Windows of values (n, time) or (n, time, channels)."""
    values = np.asarray(values, dtype=np.float32)
    values = values[..., None] if values.ndim == 2 else values
    return Windows(
        values=values,
        fs_hz=1.0,
        units="as given",
        channel_names=tuple(f"c{place}" for place in range(values.shape[2])),
        classes=classes,
        labels=np.zeros(len(values), dtype=np.int64) if labels is None else np.asarray(labels),
    )


def test_one_column():
    known = about([column("x")])
    table = rows(windows([[0.1, 0.2], [-3, 1e6]]), known, first=5)
    assert list(table) == column_names(known) == ["id", "step", "x"]
    assert {name: values.tolist() for name, values in table.items()} == {
        "id": [5, 5, 6, 6],
        "step": [0, 1, 0, 1],
        "x": [0.1, 0.2, -3.0, 1e6],
    }
    assert [values.dtype for values in table.values()] == [np.int64, np.int64, np.float64]


def test_every_role():
    known = about(
        [column("b", "int64", 1.0), column("a", quantum=0.1)],
        [column("sex", "bool", 1.0), column("age", "int64", 1.0)],
        {"name": "when", "kind": "datetime", "step": 600.0},
        id="patient",
        label="diagnosis",
    )
    drawn = np.array([[[1.4, 2.04, 0.9, 40.2], [2.6, -0.04, 0.3, 40.7]], [[3, 4, 0.4, 9], [5, 6, 0.4, 10.2]]])
    table = rows(windows(drawn, ("ill", "well"), [1, 0]), known, first=0)
    assert list(table) == column_names(known) == ["patient", "step", "when", "diagnosis", "b", "a", "sex", "age"]
    found = {name: values.tolist() for name, values in table.items()}
    assert found["patient"] == [0, 0, 1, 1]
    assert np.datetime_as_string(table["when"]).tolist() == ["2000-01-01T00:00:00", "2000-01-01T00:10:00"] * 2
    assert found["diagnosis"] == ["well", "well", "ill", "ill"]
    assert found["b"] == [1, 3, 3, 5]
    assert [str(number) for number in found["a"]] == ["2.0", "0.0", "4.0", "6.0"]  # never -0.0
    assert found["sex"] == [True, True, False, False]  # 0.6, 0.4
    assert found["age"] == [40, 40, 10, 10]  # the mean over the window: 40.45, 9.6
    assert [table[name].dtype for name in ("b", "a", "sex", "age")] == [np.int64, np.float64, np.bool_, np.int64]


@pytest.mark.parametrize(
    ("quantum", "dtype", "given", "expected"),
    [
        (10.0, "int64", [14.0, 16.0, -26.0], [10, 20, -30]),
        (100.0, "float64", [149.0, 151.0], [100.0, 200.0]),
        (1.0, "float64", [0.6, 1.4], [1.0, 1.0]),
        (0.1, "float64", [0.26, 0.71], [0.3, 0.7]),
        (0.001, "float64", [5.8270001, 2.0089999], [5.827, 2.009]),
        (None, "float64", [49.676899, 0.000123456789, 44994500.0, 0.0], [49.6769, 0.0001234568, 44994500.0, 0.0]),
        (None, "int64", [1.6], [2]),
    ],
)
def test_numbers_come_in_the_steps_of_their_column(quantum, dtype, given, expected):
    found = rows(windows([given]), about([column("x", dtype, quantum)]), 0)["x"]
    assert found.tolist() == expected
    assert found.dtype == dtype


@pytest.mark.parametrize(
    ("decimals", "quantum", "given", "expected"),
    [
        (6, None, [1177.223022, 49.676899], [1177.223022, 49.676899]),
        (0, None, [1177.6, -0.2], [1178.0, 0.0]),
        (9, None, [0.123456789], [0.123456791]),  # as near as float32 comes
        (None, None, [1177.223022], [1177.223]),
        (6, 0.1, [1177.223022], [1177.2]),  # what comes in steps keeps them
    ],
)
def test_numbers_keep_the_decimals_of_their_column(decimals, quantum, given, expected):
    known = about([column("x", quantum=quantum, decimals=decimals)])
    assert rows(windows([given]), known, 0)["x"].tolist() == expected


def test_whole_numbers_and_truths_have_no_decimals():
    known = about([column("n", "int64", 1.0, decimals=0), column("b", "bool", 1.0, decimals=0)])
    table = rows(windows([[[1.4, 0.6]]]), known, 0)
    assert (table["n"].tolist(), table["b"].tolist()) == ([1], [True])


def test_a_static_is_rounded_after_the_mean():
    table = rows(windows([[0.4, 0.4, 1.0]]), about([], [column("x", "int64", 1.0)]), 0)
    assert table["x"].tolist() == [1, 1, 1]  # of 0.6; each by itself would give 0, 0, 1


@pytest.mark.parametrize(
    ("kind", "step", "expected"),
    [
        ("datetime", 3600.0, ["2000-01-01T00:00:00", "2000-01-01T01:00:00", "2000-01-01T02:00:00"]),
        ("datetime", 86400.0, ["2000-01-01T00:00:00", "2000-01-02T00:00:00", "2000-01-03T00:00:00"]),
        ("datetime", 0.25, ["2000-01-01T00:00:00.000", "2000-01-01T00:00:00.250", "2000-01-01T00:00:00.500"]),
        ("datetime", 5e-05, ["2000-01-01T00:00:00.000000", "2000-01-01T00:00:00.000050", "2000-01-01T00:00:00.000100"]),
        (
            "datetime",
            1 / 3,
            ["2000-01-01T00:00:00.000000000", "2000-01-01T00:00:00.333333333", "2000-01-01T00:00:00.666666667"],
        ),
        ("datetime", 146097 * 86400.0, ["2000-01-01T00:00:00", "2400-01-01T00:00:00", "2800-01-01T00:00:00"]),
        ("number", 5, [0, 5, 10]),
        ("number", 0.1, [0.0, 0.1, 0.2]),
        ("number", 2.0, [0.0, 2.0, 4.0]),
    ],
)
def test_time_starts_anew_in_each_window(kind, step, expected):
    known = about([column("x")], time={"name": "t", "kind": kind, "step": step})
    times = rows(windows([[1, 2, 3], [4, 5, 6]]), known, 0)["t"]
    found = (np.datetime_as_string(times) if kind == "datetime" else times).tolist()
    assert found == expected * 2
    assert [type(value) for value in found] == [type(value) for value in expected * 2]


@pytest.mark.parametrize(
    ("columns", "options", "names"),
    [
        (["id", "step"], {}, ["synthetic_id", "synthetic_step", "id", "step"]),
        (["synthetic_step", "step"], {}, ["id", "synthetic_synthetic_step", "synthetic_step", "step"]),
        (["x"], {"id": "step"}, ["step", "synthetic_step", "x"]),
        (["id"], {"id": "patient"}, ["patient", "step", "id"]),
        (["x"], {"id": "patient", "label": "step"}, ["patient", "synthetic_step", "step", "x"]),
    ],
)
def test_names_that_the_table_has_are_not_used_twice(columns, options, names):
    known = about([column(name) for name in columns], **options)
    assert column_names(known) == names
    table = rows(windows(np.zeros((2, 3, len(columns)))), known, 7)
    assert list(table) == names
    assert table[names[0]].tolist() == [7, 7, 7, 8, 8, 8]
    assert table[names[1]].tolist() == [0, 1, 2, 0, 1, 2]


def test_windows_of_another_table_are_refused():
    with pytest.raises(DataError, match="expected windows of 1 columns and 1 statics, got 3 channels; they are of"):
        rows(windows(np.zeros((2, 4, 3))), about([column("x")], [column("y")]), 0)


def test_batches_are_the_pieces_of_the_whole():
    drawn = windows(np.random.default_rng(0).normal(size=(10, 4, 2)))
    known = about([column("a", quantum=0.1)], [column("b")], {"name": "t", "kind": "number", "step": 1})
    whole = rows(drawn, known, 0)
    pieces = [rows(drawn.take(np.arange(start, min(start + 3, 10))), known, start) for start in range(0, 10, 3)]
    for name, values in whole.items():
        assert np.concatenate([piece[name] for piece in pieces]).tolist() == values.tolist()


def test_no_windows_give_no_rows():
    known = about([column("a")], [column("b", "bool")], {"name": "t", "kind": "datetime", "step": 1.0})
    assert [len(values) for values in rows(windows(np.zeros((0, 4, 2))), known, 0).values()] == [0] * 5


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_short_numbers_are_those_that_seven_digits_give(number):
    (found,) = shortened(np.array([number])).tolist()
    assert found == pytest.approx(float(f"{number:.6e}"), rel=1e-12, abs=0)
    assert found == pytest.approx(number, rel=5.1e-7, abs=0)
    if 1e-3 < abs(number) < 1e6:
        assert len(repr(abs(found)).replace(".", "").strip("0")) <= 7


def test_it_needs_numpy_only():
    code = "import sys; sys.modules.update(pandas=None, torch=None, pyarrow=None); import ecgsynth.windows.long_table"
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
