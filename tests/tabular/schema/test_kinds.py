"""Kinds of columns: what is found in known values, and how identifiers are written."""

import re
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from ecgsynth.errors import DataError
from ecgsynth.tabular.schema.patterns import number_pattern, pattern_of
from ecgsynth.tabular.schema.schema import Column, Schema

HUNDRED = np.arange(100)
RNG = np.random.default_rng(0)


def of(values, name="x"):
    """The column that is found in values."""
    return Schema.infer(pd.DataFrame({name: values}))[name]


# ---- kinds


def test_numbers():
    column = of([0.5, 1.25, -3.0, 7.0] * 25)
    assert column == Column(
        name="x",
        kind="continuous",
        dtype="float64",
        minimum=-3.0,
        maximum=7.0,
        decimals=2,
        spikes=(-3.0, 0.5, 1.25, 7.0),
    )
    column = of(list(range(2, 60)) + [0] * 42)
    assert column == Column(name="x", kind="integer", dtype="int64", minimum=0.0, maximum=59.0, spikes=(0.0,))
    assert of(np.array([*range(50), *range(50), np.nan])).dtype == "float64"
    assert of(np.array([*range(50), *range(50), np.nan])).kind == "integer"
    assert of(pd.array([*range(0, 200, 2), *range(100), None], dtype="Int64")).missing


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([0.5, 1.0], 1),
        ([149.62, 2.69], 2),
        ([1e-6, 3.0], 6),
        ([1e-7, 3.0], None),
        ([1 / 3, 0.5], None),
        ([1e9 + 0.25], 2),
    ],
)
def test_decimals(values, decimals):
    assert of(values * 2).decimals == decimals


def test_numbers_of_32_bits_are_as_they_are_written():
    column = of(np.array([0.1, 2.7, 1.9], dtype=np.float32))
    assert (column.decimals, column.minimum, column.maximum) == (1, 0.1, 2.7)


def test_a_spike_has_five_rows_in_a_hundred():
    values = np.concatenate([np.zeros(5), np.full(4, 1000.0), 0.5 + HUNDRED[:91]])
    assert of(values).spikes == (0.0,)


@pytest.mark.parametrize(
    ("values", "dtype", "categories"),
    [
        ([0.0, 1.0] * 50, "float64", (0.0, 1.0)),
        ([1, 0] * 2, "int64", (0, 1)),
        ([7] * 10, "int64", (7,)),
        (list(range(1, 14)) * 20, "int64", tuple(range(1, 14))),
        ([10, 20, 30] * 3, "int64", (10, 20, 30)),
        (["b", "a", " a"] * 5, "string", (" a", "a", "b")),
        (["3+", "1", "2"] * 5, "string", ("1", "2", "3+")),
    ],
)
def test_categories(values, dtype, categories):
    column = of(values)
    assert (column.kind, column.dtype, column.categories) == ("categorical", dtype, categories)
    assert [type(value) for value in column.categories] == [type(value) for value in categories]


@pytest.mark.parametrize(
    "values",
    [
        list(range(21)) * 20,  # too many
        [0] * 500 + [1] * 200 + [2] * 90 + [3] * 2,  # a number that few have: a count, no code
    ],
)
def test_whole_numbers_that_are_no_codes(values):
    assert of(values).kind == "integer"


def test_truth():
    column = of([True, False, True])
    assert column == Column(name="x", kind="boolean", dtype="bool", categories=(False, True))
    assert of(pd.array([True, None, False], dtype="boolean")).missing
    assert of([True, None, False]).kind == "boolean"


@pytest.mark.parametrize(
    ("texts", "form", "unit", "low"),
    [
        (["2024-01-31", "1970-01-02"], "%Y-%m-%d", "D", 1),
        (["31/01/2024", "02/01/1970"], "%d/%m/%Y", "D", 1),
        (["01/31/2024", "01/02/1970"], "%m/%d/%Y", "D", 1),
        (["1/31/2024", "1/2/1970"], "%-m/%-d/%Y", "D", 1),
        (["31.1.2024", "2.1.1970"], "%-d.%-m.%Y", "D", 1),
        (["31 Jan 2024", "02 Jan 1970"], "%d %b %Y", "D", 1),
        (["2024-01-31 10:00:00", "1970-01-01 00:00:05"], "%Y-%m-%d %H:%M:%S", "s", 5),
        (["2024-01-31T10:00:00Z", "1970-01-01T00:01:00Z"], "%Y-%m-%dT%H:%M:%SZ", "s", 60),
        (["01/31/2024 10:00 PM", "01/02/1970 12:00 AM"], "%m/%d/%Y %I:%M %p", "s", 86_400),
        ([" 2024-01-31", " 1970-01-02"], " %Y-%m-%d", "D", 1),
        (["9999-12-31", "1970-01-02"], "%Y-%m-%d", "D", 1),
    ],
)
def test_dates_as_text(texts, form, unit, low):
    frame = pd.DataFrame({"x": texts * 3})
    schema = Schema.infer(frame)
    column = schema["x"]
    assert (column.kind, column.dtype, column.format, column.unit) == ("datetime", "string", form, unit)
    assert column.minimum == low
    assert schema.notes == ()
    assert schema.frame(schema.arrays(frame)).equals(frame)


def test_dates_that_can_be_read_two_ways_are_read_day_first_and_it_is_said():
    frame = pd.DataFrame({"seen": ["01/02/2024", "03/04/2024"]})
    schema = Schema.infer(frame)
    assert schema["seen"].format == "%d/%m/%Y"
    assert "note: column 'seen': dates that may be read in two ways are read with the day first" in schema.text()
    assert Schema.infer(pd.DataFrame({"seen": ["05/05/2024", "07/07/2024"]})).notes == ()  # the same either way


@pytest.mark.parametrize("offset", ["+02:00", "-0500", " +01:00", "Z", "+00:00"])
def test_times_with_an_offset_are_times(offset):
    texts = [f"2020-0{1 + place % 9}-11T0{place % 7}:30:0{place % 5}{offset}" for place in range(300)]
    column = Schema.infer(pd.DataFrame({"at": texts}))["at"]
    assert (column.kind, column.unit) == ("datetime", "s")
    assert column.format.endswith(offset)
    with pytest.raises(DataError, match="'at' has times of several offsets from UTC, 2 in all; write all of them in"):
        Schema.infer(pd.DataFrame({"at": [*texts, *(f"2020-01-{day}T00:00:00+09:30" for day in range(10, 29))]}))


def test_dates_as_pandas_and_python_hold_them():
    days = pd.to_datetime(["1970-01-02", "2024-02-29"])
    column = Column(name="x", kind="datetime", dtype="datetime64", minimum=1.0, maximum=19_782.0, unit="D")
    assert of(days) == replace(column, pandas="datetime64[ns]")
    assert of([date(1970, 1, 2), date(2024, 2, 29)]) == column
    assert of(days.tz_localize("UTC")).maximum == 19_782.0
    assert of(days + pd.Timedelta("1h")).unit == "s"
    column = of([20240229, 19700102, 19991231])
    assert (column.kind, column.dtype, column.format, column.minimum) == ("datetime", "int64", "%Y%m%d", 1.0)
    assert of([20240229, 20240230, 19991231, 20240101]).kind == "integer"  # there is no such day


# ---- identifiers


@pytest.mark.parametrize(
    ("make", "form"),
    [
        (lambda i: f"PX-{i:05d}", "PX-[0-9]{5}"),
        (lambda i: f"2024/{i:03d}/A", "2024/[0-9]{3}/A"),
        (lambda i: f"U{i + 1}", "U[1-9][0-9]{0,4}"),  # for a hundred times as many
        (lambda i: f"{chr(65 + i % 26)}{chr(65 + i // 26)}{i:02d}", "[A-Z]{2}[0-9]{2}"),
        (lambda i: f"[{i:03d}]", r"\[[0-9]{3}\]"),
        (lambda i: f"SW{i % 9 + 1}{'A' if i % 2 else ''} {i % 10}{chr(65 + i % 26)}B", None),
    ],
)
def test_formats(make, form):
    texts = [make(i) for i in range(100)]
    if form is not None:
        assert pattern_of(texts) == form
        column = of(texts)
        assert (column.kind, column.format) == ("identifier", form)


def test_formats_of_uuids_and_postcodes():
    hexes = ["".join(row) for row in RNG.choice(list("0123456789abcdef"), (2000, 32)).tolist()]
    ids = [f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{'89ab'[i % 4]}{h[17:20]}-{h[20:]}" for i, h in enumerate(hexes)]
    assert pattern_of(ids) == "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert pattern_of(ids[:6]).count("[0-9a-f]") == 5  # of so few, nothing is taken as always so
    codes = ["SW1A 1AA", "M1 1AE", "B33 8TH", "CR2 6XH", "DN55 1PT", "EC1A 1BB"]
    assert pattern_of(codes) == "[0-9A-Z]{2,4} [0-9][A-Z]{2}"
    assert pattern_of(["K1A 0B1", "V6B 4Y8", "H2X 1Y4"]) == "[A-Z][0-9][A-Z] [0-9][A-Z][0-9]"


@pytest.mark.parametrize(
    ("name", "values", "form"),
    [
        ("id", [5, 17, 23, 99, 140], "[1-9][0-9]{0,2}"),
        ("PatientID", [1001, 1005, 2003, 4000, 9999], "[1-9][0-9]{3}"),
        ("patient_id", range(1, 8), "1.."),
        ("row", range(60), "0.."),
        ("row", range(4711, 4811), "[1-9][0-9]{3}"),
    ],
)
def test_whole_numbers_that_tell_rows_apart(name, values, form):
    column = of(list(values), name)
    assert (column.kind, column.dtype, column.format) == ("identifier", "int64", form)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("paid", [5, 17, 23, 99, 140]),
        ("idea", [1, 5, 9, 12, 40]),
        ("year", range(1990, 2021)),
        ("id", [1, 1, 2, 3, 4] * 9),
    ],
)
def test_whole_numbers_that_do_not(name, values):
    assert of(list(values), name).kind != "identifier"


def test_number_pattern():
    assert number_pattern(["3", "1", "2"]) == "1.."
    assert number_pattern(["7", "3", "1"]) == "[1-9][0-9]{0,2}"  # 999, for a hundred times as many
    assert number_pattern(["0", "31", "2"]) == "[1-9][0-9]{0,2}"
    assert number_pattern(["123", "777", "950"]) == "[1-9][0-9]{2}"
    assert number_pattern([str(number) for number in range(100, 900, 7)]) == "[1-9][0-9]{2,4}"  # 900 is no length


def test_numbers_beyond_what_floats_hold_are_text():
    column = of([2**60 + i for i in range(0, 50, 2)])
    assert (column.kind, column.dtype, column.format) == (
        "identifier",
        "string",
        "1152921504606[0-9]{6}"[:0] + column.format,
    )
    assert len(re.sub(r"\[0-9\]\{(\d+)\}", lambda m: "9" * int(m[1]), column.format)) == 19
