"""Schemas: what is found in known columns, the way there and back, JSON as a user edits it, and what is refused."""

import json
import os
import re
import time
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecgsynth.core.tables import read_table
from ecgsynth.errors import ArtifactError, ConfigError, DataError
from ecgsynth.tabular.encoding.canonical import fingerprint
from ecgsynth.tabular.encoding.encoding import Encoding
from ecgsynth.tabular.schema.patterns import number_pattern, pattern_of
from ecgsynth.tabular.schema.schema import Column, Schema

DATA = Path(os.environ.get("ECGSYNTH_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data") / "tabular"
HUNDRED = np.arange(100)
RNG = np.random.default_rng(0)


def of(values, name="x"):
    """The column that is found in values."""
    return Schema.infer(pd.DataFrame({name: values}))[name]


def plain(frame):
    """A data frame as lists of Python's values, None where missing."""
    return {
        name: [None if gap else value for value, gap in zip(frame[name].tolist(), frame[name].isna(), strict=True)]
        for name in frame.columns
    }


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
    assert plain(schema.frame(schema.arrays(frame))) == plain(frame)


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
    assert of(days) == Column(name="x", kind="datetime", dtype="datetime64", minimum=1.0, maximum=19_782.0, unit="D")
    assert of([date(1970, 1, 2), date(2024, 2, 29)]) == of(days)
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


# ---- there and back


def test_known_arrays():
    frame = pd.DataFrame(
        {
            "who": [f"P{i}" for i in range(1, 7)],
            "age": pd.array([30, None, 41, 52, 67, 18], dtype="Int64"),
            "price": [1.5, np.nan, 2.25, 1.5, 0.0, 9.0],
            "colour": ["red", None, "blue", "red", "red", "blue"],
            "code": [1.0, 2.0, np.nan, 1.0, 2.0, 1.0],
            "yes": pd.array([True, None, False, True, True, True], dtype="boolean"),
            "day": ["02.01.1970", None, "31.12.1969", "01.01.1970", "13.01.1970", "01.01.1970"],
            "at": pd.to_datetime(["1970-01-01 00:00:07", None, *["1970-01-02 00:00:00"] * 4]),
        }
    )
    schema = Schema.infer(frame)
    arrays = schema.arrays(frame)
    nan = np.nan
    expected = {
        "age": [30, nan, 41, 52, 67, 18],
        "price": [1.5, nan, 2.25, 1.5, 0, 9],
        "colour": [1, -1, 0, 1, 1, 0],
        "code": [0, 1, -1, 0, 1, 0],
        "yes": [1, -1, 0, 1, 1, 1],
        "day": [1, nan, -1, 0, 12, 0],
        "at": [7, nan, 86_400, 86_400, 86_400, 86_400],
    }
    assert list(arrays) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(arrays[name], values)
        assert arrays[name].dtype == (np.int64 if name in ("colour", "code", "yes") else np.float64)
    back = schema.frame(arrays)
    assert plain(back) == plain(frame.drop(columns="who"))
    assert back.dtypes.astype(str).to_dict() == {
        "age": "Int64", "price": "float64", "colour": "object", "code": "float64", "yes": "boolean", "day": "object",
        "at": "datetime64[s]",
    }  # fmt: skip
    assert back.colour[1] is np.nan or np.isnan(back.colour[1])  # as plain pandas has it


def whole_second(at):
    return at.replace(microsecond=0)


COLUMNS = {
    "integer": (st.integers(-(2**53), 2**53), "Int64"),
    "small": (st.integers(0, 3), "Int64"),
    "number": (st.floats(allow_nan=False, allow_infinity=False), "Float64"),
    "money": (st.decimals(-1000, 1000, places=2).map(float), "Float64"),
    "word": (st.sampled_from(["a", " a", "?", "ä,;\n"]), "string"),
    "truth": (st.booleans(), "boolean"),
    "day": (st.dates().map(str), "string"),
    "time": (st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1)).map(whole_second), "datetime64[ns]"),
}


@st.composite
def frames(draw):
    rows = draw(st.integers(2, 30))
    frame = {}
    for name, (values, dtype) in COLUMNS.items():
        if draw(st.booleans()):
            first = draw(values)
            rest = draw(st.lists(st.one_of(values, st.none()), min_size=rows - 1, max_size=rows - 1))
            frame[name] = pd.Series(pd.array([first, *rest], dtype=dtype))
    return pd.DataFrame(frame or {"one": [1] * rows})


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frames())
def test_there_and_back(frame):
    schema = Schema.infer(frame)
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema
    arrays = schema.arrays(frame)
    back = schema.frame(arrays)
    kept = frame[[column.name for column in schema.columns if column.kind != "identifier"]]
    assert plain(back) == plain(kept)
    again = schema.arrays(back.assign(**{name: frame[name] for name in frame if name not in back}))
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, again[name])
    assert len(schema.text().splitlines()) >= len(frame.columns) + 1


def test_other_ways_to_hold_the_same():
    numbers = [1.5, 2.25, 0.5]
    assert of([Decimal(str(number)) for number in numbers]) == of(numbers)
    assert of(np.array(numbers, dtype=object)) == of(numbers)
    assert of(pd.Categorical(["a", "b", "a"])) == of(["a", "b", "a"])
    assert of(pd.Categorical([1, 2, 1])) == of([1, 2, 1])
    assert of(np.array([1, 2, 1], dtype=np.uint8)) == of([1, 2, 1])
    assert of(pd.array(["a", "b", "a"], dtype="string")) == of(["a", "b", "a"])


# ---- JSON


def example():
    return pd.DataFrame(
        {"code": [1, 2, 3] * 20, "age": [*range(20, 79), 44], "cost": [0.5, 0.75, 0.5] * 20, "w": ["a", "b"] * 30}
    )


def test_json_has_what_applies():
    assert Schema.infer(example()).to_json() == {
        "version": 1,
        "columns": [
            {"name": "code", "kind": "categorical", "dtype": "int64", "categories": [1, 2, 3]},
            {"name": "age", "kind": "integer", "dtype": "int64", "minimum": 20.0, "maximum": 78.0},
            {
                "name": "cost", "kind": "continuous", "dtype": "float64", "minimum": 0.5, "maximum": 0.75,
                "decimals": 2, "spikes": [0.5, 0.75],
            },
            {"name": "w", "kind": "categorical", "dtype": "string", "categories": ["a", "b"]},
        ],
    }  # fmt: skip


def test_save_and_load(tmp_path):
    schema, path = Schema.infer(example()), tmp_path / "schema.json"
    schema.save(path)
    assert Schema.load(path) == schema
    with pytest.raises(ArtifactError, match="exists already"):
        schema.save(path)
    schema.save(path, force=True)
    path.write_text("{")
    with pytest.raises(ArtifactError, match="not readable JSON"):
        Schema.load(path)


def edited(which, **changes):
    """The example's schema with a column's entry changed; None takes a key out."""
    content = Schema.infer(example()).to_json()
    for entry in content["columns"]:
        if entry["name"] == which:
            entry.update(changes)
            for key in [key for key, value in entry.items() if value is None]:
                del entry[key]
    return content


def test_a_user_overrules():
    frame = example()
    schema = Schema.from_json(edited("code", kind="integer")).completed(frame)
    assert schema["code"] == Column(name="code", kind="integer", dtype="int64", minimum=1.0, maximum=3.0)
    assert schema.arrays(frame)["code"][:3].tolist() == [1.0, 2.0, 3.0]
    schema = Schema.from_json(edited("age", kind="categorical")).completed(frame)
    assert schema["age"].categories == tuple(range(20, 79))
    schema = Schema.from_json(edited("cost", spikes=None, minimum=0, maximum=None)).completed(frame)
    assert (schema["cost"].spikes, schema["cost"].minimum, schema["cost"].maximum) == ((), 0, 0.75)
    schema = Schema.from_json(edited("age", kind="identifier")).completed(frame)
    assert schema["age"].format == "[1-9][0-9]{1,3}"
    assert list(schema.arrays(frame)) == ["code", "cost", "w"]
    schema = Schema.from_json(edited("age", kind="identifier", format="[0-9]{3}")).completed(frame)
    assert schema["age"].format == "[0-9]{3}"  # the data need not have it
    days = pd.DataFrame({"d": ["01/02/2024", "03/04/2024"]})
    content = Schema.infer(days).to_json()
    content["columns"][0] = {"name": "d", "kind": "datetime", "dtype": "string", "format": "%m/%d/%Y"}
    schema = Schema.from_json(content).completed(days)
    assert (schema["d"].unit, schema["d"].minimum) == ("D", 19_724.0)  # 2 January
    content["columns"][0] = {"name": "d", "kind": "categorical", "dtype": "string"}
    assert Schema.from_json(content).completed(days)["d"].categories == ("01/02/2024", "03/04/2024")


def test_what_is_not_given_is_found_when_arrays_are_made():
    frame = example()
    schema = Schema.from_json(edited("code", kind="integer"))
    assert schema.arrays(frame)["code"][:3].tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ConfigError, match="does not say enough of w; complete it"):
        Schema((Column(name="w", kind="categorical", dtype="string"),)).frame({"w": np.array([0])})


def test_a_column_taken_out_is_left_out():
    content = Schema.infer(example()).to_json()
    del content["columns"][1:]
    assert list(Schema.from_json(content).arrays(example())) == ["code"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "got something else"),
        ({"version": 1, "columns": []}, "a schema needs a column or more"),
        ({"version": 2, "columns": []}, "expected a schema of version 1, got 2"),
        ({"version": 1, "columns": [], "extra": 1}, "got extra too; remove it"),
        ({"version": 1, "columns": ["age"]}, "an object with a name, got str without"),
        (
            edited("age", kind="number"),
            "column 'age' of the schema has the kind 'number'; the kinds are continuous, integer",
        ),
        (edited("age", min=3), "column 'age' of the schema has min, which is not known; the keys are name, kind"),
        (edited("age", kind=None), "column 'age' of the schema has no kind"),
        (edited("age", dtype="string"), "is integer, so its dtype is one of int64, float64, got 'string'"),
        (edited("age", missing="no"), "has missing 'no'; write true or false"),
        (edited("age", minimum=99), "a minimum above its maximum; correct one"),
        (edited("age", minimum="20"), "'20' in minimum; write a finite number"),
        (edited("age", spikes=3), "has spikes 3; write a list"),
        (edited("cost", decimals=1.5), "has decimals 1.5; write a whole number from 0 to 6"),
        (edited("code", categories=[1, "2"]), "has a str as category 2, but its dtype is int64"),
        (edited("code", categories=[1, 1]), "has its category 2 twice"),
        (edited("age", kind="identifier", format="[0-9"), "has the format '[0-9', which no identifier has"),
        (edited("w", kind="datetime", format="%H"), "has the format '%H', which no datetime has"),
        (edited("w", kind="boolean"), "holds string, so it is categorical, not boolean"),
        (edited("w", name="age"), "several columns named age"),
    ],
)
def test_json_that_is_wrong(content, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        Schema.from_json(content)


# ---- what is refused


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([None, np.nan, None], "column 'x' has no value in any row; leave it out"),
        (pd.array([None] * 3, dtype="Int64"), "column 'x' has no value in any row"),
        ([1.0, np.inf, -np.inf], "column 'x' has 2 infinite values, the first in row 2; correct them"),
        (["1", "2", "oops", "4"], "has mixed types: 3 numbers, the first in row 1, and 1 words, the first in row 3;"),
        (["61", "?", "7.5", "?"], "2 numbers, the first in row 1, and 2 words, the first in row 2;"),
        (
            [1, "two", 3],
            "has mixed types: 2 int, the first in row 1, 1 str, the first in row 2; make them all of one type",
        ),
        (["1,5", "2", "-3,25"], "2 numbers with a decimal comma, the first in row 1; write them with a point"),
        (
            ["anna", "bob smith", "x@y.com", "hm!", "so, so"],
            "5 different texts in 5 rows without one format",
        ),
        ([f"{w} street" for w in ("oak", "elm", "birch", "pine", "lime")], "without one format"),
        ([1j, 2j], "holds complex128"),
        (pd.to_timedelta([1, 2]), "holds timedelta64"),
        ([[1], [2]], "holds 2 list, the first in row 1, which no table"),
    ],
)
def test_columns_that_are_refused(values, said):
    with pytest.raises(DataError, match=re.escape(said)):
        Schema.infer(pd.DataFrame({"x": pd.Series(values)}))


def test_tables_that_are_refused():
    for rows in (0, 1):
        with pytest.raises(DataError, match=f"two rows or more to be learnt from, got {rows}"):
            Schema.infer(pd.DataFrame({"x": [1] * rows}))
    with pytest.raises(DataError, match="several columns named x"):
        Schema.infer(pd.DataFrame([[1, 2], [3, 4]], columns=["x", "x"]))
    with pytest.raises(DataError, match="no columns"):
        Schema.infer(pd.DataFrame(index=[1, 2]))


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("code", [1, 9, 8], "column 'code' has in row 2 and 1 more what is none of its categories in the schema"),
        ("code", ["1", "b", "c"], "column 'code' has in row 1 and 2 more what is none of its categories"),
        (
            "age",
            [30, 19, 40],
            "column 'age' has a value in row 2 that is below its minimum in the schema; correct the value or",
        ),
        ("age", [30, 40, 79], "column 'age' has a value in row 3 that is above its maximum in the schema"),
        ("age", [30, 40.5, 50], "column 'age' has no whole number in row 2, and the schema says integer"),
        ("age", [30, None, 50], "column 'age' has 1 missing values, the first in row 2, and the schema allows none"),
        (
            "age",
            ["thirty", "1", "2"],
            "column 'age' has in row 1 what is no number, but the schema says integer",
        ),
        ("w", ["a", "c", "b"], "column 'w' has in row 2 what is none of its categories"),
        ("w", [1, 2, 3], "column 'w' has in row 1 and 2 more what is none of its categories"),
    ],
)
def test_data_that_contradict_the_schema(name, values, said):
    schema = Schema.infer(example())
    frame = example()[:3].assign(**{name: values})
    with pytest.raises(DataError, match=re.escape(said)):
        schema.check(frame)


def test_more_contradictions():
    schema = Schema.infer(example())
    with pytest.raises(
        DataError, match="the schema has a column 'w' that the table has not; the table has code, age, cost"
    ):
        schema.check(example().drop(columns="w"))
    days = Schema.infer(pd.DataFrame({"d": ["2024-01-01", "2024-03-31"]}))
    with pytest.raises(DataError, match=r"column 'd' has no time of the format '%Y-%m-%d' in row 1"):
        days.check(pd.DataFrame({"d": ["1.2.2024"]}))
    with pytest.raises(DataError, match="column 'd' has a value in row 1 that is above its maximum"):
        days.check(pd.DataFrame({"d": ["2024-04-01"]}))
    with pytest.raises(DataError, match="there is no column 'q'; the columns are d"):
        days["q"]


def test_other_data_than_the_schema_was_made_from():
    schema = Schema.infer(example())
    frame = pd.DataFrame({"code": [1, 9], "age": [150, None], "cost": [0.5, 0.75], "w": ["b", None]})
    arrays = schema.arrays(frame, strict=False)
    assert arrays["code"].tolist() == [0, -1]
    assert arrays["age"][0] == 150
    assert np.isnan(arrays["age"][1])
    assert arrays["w"].tolist() == [1, -1]


# ---- files


def test_numbers_with_a_zero_before_them_are_codes(tmp_path):
    rows = "".join(f"{5 * place % 40:05d},{place % 7},{'' if place % 10 == 0 else '03'},0\n" for place in range(400))
    path = tmp_path / "a.csv"
    path.write_text("zip,visits,ward,none\n" + rows)
    frame = read_table(path)[0]
    assert sorted(frame["zip"].unique()) == [f"{code:05d}" for code in range(0, 40, 5)]
    schema = Schema.infer(frame)
    assert {column.kind for column in schema.columns} == {"categorical"}
    assert [column.dtype for column in schema.columns] == ["string", "int64", "string", "int64"]
    assert schema["zip"].categories[:2] == ("00000", "00005")
    assert frame["ward"].isna().sum() == 40  # what is missing is so in a column of codes as well
    assert read_table(path, trim=True)[0]["zip"].tolist()[:2] == [0, 5]  # series are numbers


def test_a_table_is_what_plain_pandas_reads(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "a, b,c,d,e\n1, x,NA,1.0,True\n2, ?,q,#NA,False\n,-NaN,None,2.5,True\n4, x,q,1.#IND,True\n", encoding="utf-8"
    )
    expected, found = pd.read_csv(path), read_table(path)[0]
    schema = Schema.infer(found)
    back = schema.frame(schema.arrays(found))
    assert list(back.columns) == ["a", " b", "c", "d", "e"]
    assert plain(back) == plain(expected)
    assert schema[" b"].categories == (" ?", " x")
    back.to_csv(path, index=False)
    assert path.read_text() == "a, b,c,d,e\n1, x,,1.0,True\n2, ?,q,,False\n,,,2.5,True\n4, x,q,,True\n"


def test_numbers_as_names():
    frame = pd.DataFrame([[1, 0.5], [2, 0.75], [2, 0.5]])
    schema = Schema.infer(frame)
    assert schema.names == ("0", "1")
    assert schema.arrays(frame)["1"].tolist() == [0.5, 0.75, 0.5]


def test_text_shows_each_column():
    assert Schema.infer(example()).text().splitlines() == [
        "column  kind         held as  missing  values",
        "code    categorical  int64    no       1, 2, 3",
        "age     integer      int64    no       20 to 78",
        "cost    continuous   float64  no       0.5 to 0.75, 2 decimals, spikes at 0.5, 0.75",
        "w       categorical  string   no       a, b",
    ]


@pytest.fixture
def published():
    if not DATA.exists():
        pytest.skip(f"no tables in {DATA}; set ECGSYNTH_DATA to the folder that holds tabular")
    return DATA


def test_the_diabetes_table(published):
    path = published / "diabetes_binary_health_indicators_BRFSS2015.csv.gz"
    frame = pd.read_csv(path)
    schema = Schema.infer(frame)
    integers = [column.name for column in schema.columns if column.kind == "integer"]
    assert integers == ["BMI", "MentHlth", "PhysHlth"]
    assert {column.kind for column in schema.columns} == {"integer", "categorical"}
    assert schema["Age"].categories == tuple(float(code) for code in range(1, 14))
    assert schema["Income"].categories == tuple(float(code) for code in range(1, 9))
    for name in ("MentHlth", "PhysHlth"):
        assert (schema[name].minimum, schema[name].maximum, schema[name].spikes[0]) == (0.0, 30.0, 0.0)
    pd.testing.assert_frame_equal(schema.frame(schema.arrays(frame)), frame)


def test_the_frauds(published):
    frame = pd.read_csv(published / "creditcard" / "creditcard_excerpt.csv.gz")
    schema = Schema.infer(frame)
    kinds = {column.name: column.kind for column in schema.columns}
    assert {name for name, kind in kinds.items() if kind != "continuous"} == {"Time", "Class", "Excerpt"}
    assert (schema["Amount"].decimals, schema["V1"].decimals, kinds["Time"]) == (2, None, "integer")
    pd.testing.assert_frame_equal(schema.frame(schema.arrays(frame)), frame)


def test_many_categories_are_read_in_no_time():
    codes = np.concatenate([np.arange(43_000), np.arange(57_000) % 300])
    frame = pd.DataFrame({"word": [f"w {code:05d} {'x' * (code % 5)}" for code in codes], "code": codes})
    content = {"version": 1, "columns": [{"name": "code", "kind": "categorical", "dtype": "int64"}]}
    began = time.process_time()
    schema = Schema.infer(frame[["word"]])
    schema = Schema.from_json(schema.to_json())
    numbers = Schema.from_json(content).completed(frame)
    arrays = schema.arrays(frame) | numbers.arrays(frame)
    encoding = Encoding.fit(schema, arrays, "modes", np.random.default_rng(0))
    encoding.encode(arrays, np.random.default_rng(0))
    fingerprint(frame, schema)
    assert time.process_time() - began < 10  # it takes half a second; with a look through a list for each, over 20
    assert [schema["word"].categories[place] for place in arrays["word"]] == frame["word"].tolist()
    assert arrays["code"].tolist() == codes.tolist()
    (column,) = encoding.columns
    assert len(column.categories) == 300
    with pytest.raises(ConfigError, match="has its category 43001 twice; remove one"):
        Column(name="x", kind="categorical", dtype="string", categories=(*schema["word"].categories, "w 00007 xx"))
