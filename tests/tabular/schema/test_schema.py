"""Schemas: the way from a table to canonical values and back, JSON as a user edits it, and files."""

import json
import re
import time
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecgsynth.core.tables import read_table
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.tabular.encoding.canonical import fingerprint
from ecgsynth.tabular.encoding.encoding import Encoding
from ecgsynth.tabular.schema.schema import Column, Schema


def of(values, name="x"):
    """The column that is found in values."""
    return Schema.infer(pd.DataFrame({name: values}))[name]


def plain(frame):
    """A data frame as lists of Python's values, None where missing."""
    return {
        name: [None if gap else value for value, gap in zip(frame[name].tolist(), frame[name].isna(), strict=True)]
        for name in frame.columns
    }


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
    assert of(pd.Categorical(["a", "b", "a"])) == replace(of(["a", "b", "a"]), pandas="category")
    assert of(pd.Categorical([1, 2, 1])) == replace(of([1, 2, 1]), pandas="category")
    assert of(np.array([1, 2, 1], dtype=np.uint8)) == replace(of([1, 2, 1]), pandas="uint8")
    assert of(pd.array(["a", "b", "a"], dtype="string")) == replace(of(["a", "b", "a"]), pandas="string")


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
    with pytest.raises(ConfigError, match="is incomplete in w; complete it"):
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
            "column 'age' of the schema has the kind 'number'; the kinds are boolean, datetime, identifier",
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
        (edited("w", pandas=3), "has pandas 3; write a text"),
        (edited("w", pandas="object"), "has pandas 'object'; write a dtype such as Int64, or leave it out"),
    ],
)
def test_json_that_is_wrong(content, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        Schema.from_json(content)


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


def test_many_categories_are_read_in_no_time():
    codes = np.concatenate([np.arange(43_000), np.arange(57_000) % 300])
    frame = pd.DataFrame({"word": [f"w {code:05d} {'x' * (code % 5)}" for code in codes], "code": codes})
    content = {"version": 1, "columns": [{"name": "code", "kind": "categorical", "dtype": "int64"}]}
    began = time.process_time()
    schema = Schema.infer(frame[["word"]])
    schema = Schema.from_json(schema.to_json())
    numbers = Schema.from_json(content).completed(frame)
    arrays = schema.arrays(frame) | numbers.arrays(frame)
    encoding = Encoding.fit(schema, arrays, "mixture", np.random.default_rng(0))
    encoding.encode(arrays, np.random.default_rng(0))
    fingerprint(frame, schema)
    assert time.process_time() - began < 10  # it takes half a second; with a look through a list for each, over 20
    assert [schema["word"].categories[place] for place in arrays["word"]] == frame["word"].tolist()
    assert arrays["code"].tolist() == codes.tolist()
    (column,) = encoding.columns
    assert len(column.categories) == 300
    with pytest.raises(ConfigError, match="has its category 43001 twice; remove one"):
        Column(name="x", kind="categorical", dtype="string", categories=(*schema["word"].categories, "w 00007 xx"))
