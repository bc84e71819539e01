"""DataFrame in, DataFrame out: columns come back in the dtypes that pandas held them in, before and after export."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgsynth.core.records import from_json
from ecgsynth.export.kinds import MISSING_WHOLE, row_kind
from ecgsynth.export.manifest import TableColumn
from ecgsynth.export.table_sampler import TableSampler, as_frame, restore
from ecgsynth.tabular.encoding.encoding import Encoding
from ecgsynth.tabular.models.row_sampler import table_columns
from ecgsynth.tabular.schema.reading import read_column
from ecgsynth.tabular.schema.schema import Column, Schema
from ecgsynth.tabular.synthesizer import TableSynthesizer

pytestmark = pytest.mark.trains

TIMES = pd.to_datetime(["2020-02-29 10:00:01", "1965-01-01 00:00:00", "2031-07-01 23:59:59"])
SIZES = ["small", "middle", "large"]
COLUMNS: dict[str, Any] = {
    "ordered": pd.Categorical(["large", "small", "middle"], SIZES, ordered=True),
    "ordered with gaps": pd.Categorical(["large", None, "middle"], SIZES[1:], ordered=True),
    "unordered": pd.Categorical(["b", "a", "b"]),
    "category of numbers": pd.Categorical([7, 3, 5]),
    "ordered numbers": pd.Categorical([7, 3, 5], [5, 7, 3], ordered=True),
    "category of numbers with gaps": pd.Categorical([7, 3, None]),
    "category of floats": pd.Categorical([0.5, 1.5, 0.5]),
    "category of truth": pd.Categorical([True, False, True]),
    "naive": TIMES.astype("datetime64[ns]"),
    "naive in us": TIMES.astype("datetime64[us]"),
    "with gaps": pd.to_datetime(["2020-02-29", None, "1999-12-31"]),
    "in UTC": TIMES.tz_localize("UTC"),
    "in Berlin": TIMES.tz_localize("Europe/Berlin"),
    "with an offset": TIMES.tz_localize("+02:00"),
    "Int64 with NA": pd.array([1, None, 300], dtype="Int64"),
    "Int64": pd.array([1, 2, 300], dtype="Int64"),
    "UInt8": pd.array([1, None, 250], dtype="UInt8"),
    "int32": np.array([1, 2, -70_000], dtype=np.int32),
    "uint8": np.array([1, 2, 250], dtype=np.uint8),
    "float32": np.array([0.1, 2.7, 1.9], dtype=np.float32),
    "float32 with gaps": np.array([0.1, np.nan, 1.9], dtype=np.float32),
    "Float64": pd.array([0.25, None, 1.5], dtype="Float64"),
    "bool": np.array([True, False, True]),
    "boolean with NA": pd.array([True, None, False], dtype="boolean"),
    "string with NA": pd.array(["x", None, "y"], dtype="string"),
    "dates as string": pd.array(["2020-01-31", "1999-12-31", None], dtype="string"),
    "plain text": np.array(["x", "y", "x"], dtype=object),
    "plain numbers": np.array([1.5, np.nan, 2.0]),
}


THROUGH_A_FILE = (
    *("ordered", "category of numbers with gaps", "in Berlin", "Int64 with NA", "float32", "boolean with NA"),
    "string with NA",
)


def columns_of(frame: pd.DataFrame) -> tuple[Schema, tuple[TableColumn, ...], dict[str, Any]]:
    """The schema of a frame, what a manifest says of it, and its values as a graph makes them."""
    schema = Schema.infer(frame)
    arrays = schema.arrays(frame)
    encoding = Encoding.fit(schema, arrays, "cells", np.random.default_rng(0))
    sampler: Any = SimpleNamespace(encoding=encoding, answers=[])
    columns = table_columns(schema, sampler)
    made = {}
    for column, codes in zip(columns, encoding.columns, strict=True):
        made[column.name] = codes.decode(*codes.encode(arrays[column.name], np.random.default_rng(0)))  # type: ignore[arg-type]
        if row_kind(column).whole:
            missing = np.isnan(made[column.name])
            made[column.name] = np.where(missing, MISSING_WHOLE, np.nan_to_num(made[column.name])).astype(np.int64)
    return schema, columns, made


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_comes_back_as_it_was(name: str) -> None:
    frame = pd.DataFrame({"x": COLUMNS[name]}).iloc[np.arange(60) % 3].reset_index(drop=True)
    _, columns, made = columns_of(frame)
    read = tuple(through_a_file(column) for column in columns)
    back = as_frame(restore(read, made, range(60), 0), read)
    pd.testing.assert_frame_equal(back, frame)


def through_a_file(column: TableColumn) -> TableColumn:
    """What a manifest's reader has of a column."""
    return from_json(TableColumn, json.loads(json.dumps(column.to_json())))


KINDS: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "Int64": (st.integers(-1000, 1000), "Int64"),
    "Int16": (st.integers(-300, 300), "Int16"),
    "boolean": (st.booleans(), "boolean"),
    "string": (st.sampled_from(["a", "b c", "ä"]), "string"),
    "category": (st.sampled_from(["a", "b", "c"]), "category"),
    "ordered": (st.sampled_from(SIZES), pd.CategoricalDtype(SIZES, ordered=True)),
    "Float64": (st.integers(-99, 99).map(lambda number: number / 4), "Float64"),
    "time": (st.integers(-(2**31), 2**32).map(lambda second: pd.Timestamp(second, unit="s")), "datetime64[ns]"),
}


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """Values each of which stands in ten rows or more, so that all of them may be published."""
    columns = {}
    for name in draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, unique=True)):
        values, dtype = KINDS[name]
        found = draw(st.lists(st.one_of(values, st.none()), min_size=3, max_size=3).filter(lambda found: any(
            value is not None for value in found)))  # fmt: skip
        columns[name] = pd.Series(found, dtype=dtype)
    return pd.DataFrame(columns).iloc[np.arange(60) % 3].reset_index(drop=True)


@settings(max_examples=60, deadline=None)
@given(frames())
def test_frames_come_back_in_their_dtypes(frame: pd.DataFrame) -> None:
    _, columns, made = columns_of(frame)
    back = as_frame(restore(columns, made, range(60), 0), columns)
    assert list(back) == list(frame)
    for name in frame:
        if name in ("category", "ordered"):  # what no row has is not published
            known = [value for value in frame[name].cat.categories if (frame[name] == value).any()]
            assert back[name].dtype == pd.CategoricalDtype(known, ordered=name == "ordered")
        else:
            assert back[name].dtype == frame[name].dtype
        assert back[name].isna().equals(frame[name].isna())
        assert back[name].astype(object).dropna().tolist() == frame[name].astype(object).dropna().tolist()


def test_what_a_dtype_cannot_hold_stays_as_it_is() -> None:
    facts: dict[str, Any] = {"name": "x", "kind": "integer", "dtype": "int64", "minimum": 0.0, "maximum": 1e6}
    values = np.array([1, 70_000])
    for held, wanted in (("int32", "int32"), ("int16", "int64"), ("Int8", "int64"), ("period[D]", "int64")):
        made = as_frame({"x": values}, [TableColumn(**facts, pandas=held)])["x"]
        assert (made.dtype, made.tolist()) == (wanted, [1, 70_000]), held
    halves = as_frame({"x": np.array([0.5])}, [TableColumn(**facts, pandas="Int64")])["x"]
    assert halves.tolist() == [0.5]
    zone = TableColumn(name="x", kind="datetime", dtype="datetime64", unit="D", pandas="datetime64[ns, Mars/Base]")
    assert as_frame({"x": np.array(["2020-01-01"], dtype="datetime64[D]")}, [zone])["x"].dt.year.tolist() == [2020]


def test_what_a_file_reads_is_not_remembered() -> None:
    frame = pd.DataFrame({"a": pd.array([1, None] * 30, dtype="Int64"), "b": pd.array(["x", "y"] * 30, dtype="string")})
    assert [column.pandas for column in Schema.infer(frame).columns] == ["Int64", "string"]
    schema = Schema.infer(frame, from_file=True)
    assert [column.pandas for column in schema.columns] == [None, None]
    assert "pandas" not in json.dumps(schema.to_json())


def test_a_schema_keeps_the_dtypes_and_the_order(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"size": pd.Categorical(SIZES[::-1] * 20, SIZES, ordered=True), "t": TIMES.append([TIMES] * 19)}
    )
    schema = Schema.infer(frame)
    assert schema["size"].categories == tuple(SIZES)
    assert (schema["size"].pandas, schema["t"].pandas) == ("ordered category", "datetime64[ns]")
    schema.save(tmp_path / "schema.json")
    assert Schema.load(tmp_path / "schema.json") == schema
    open_ = Schema((Column(name="size", kind="categorical", dtype="string"),)).completed(frame)
    assert open_["size"].categories == tuple(SIZES)


def test_an_ordered_categorical_tells_no_category_of_few() -> None:
    """Neither of one person's rows nor of none: not in the dtype that comes back, and not in the manifest."""
    values = ["small"] * 30 + ["huge"] * 20 + ["SECRET"] * 3
    held = pd.CategoricalDtype(["small", "SECRET", "NOBODY", "huge"], ordered=True)
    frame = pd.DataFrame({"x": pd.Series(values, dtype=held)})
    _, columns, made = columns_of(frame)
    assert not {"SECRET", "NOBODY"} & set(json.dumps(columns[0].to_json()).replace('"', " ").replace(",", " ").split())
    back = as_frame(restore(columns, made, range(53), 0), columns)
    assert back["x"].dtype == pd.CategoricalDtype(["small", "huge"], ordered=True)
    assert read_column(frame["x"], "x").order == tuple(held.categories)


def test_through_an_exported_file(tmp_path: Path) -> None:
    rng, n = np.random.default_rng(0), 300
    frame = pd.DataFrame({name: pd.Series(COLUMNS[name]).iloc[rng.integers(0, 3, n)].array for name in THROUGH_A_FILE})
    frame["id"] = pd.Categorical([f"P-{row:04d}" for row in range(n)])
    frame["many"] = pd.Categorical(rng.integers(0, 99, n))
    TableSynthesizer.fit(frame, tmp_path / "run", epochs=1, config={"hidden": (4,)}).export(tmp_path / "a.onnx")
    sampler = TableSampler(tmp_path / "a.onnx")
    made = sampler.sample(200, {"ordered": "middle"}, seed=3)
    assert list(made) == list(frame)
    for name in frame:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            assert made[name].dtype == "category"
            assert made[name].cat.ordered == frame[name].cat.ordered
            continue
        assert made[name].dtype == frame[name].dtype, name
    assert made["ordered"].dtype == frame["ordered"].dtype
    assert (made["ordered"] == "middle").all()
    assert (made["ordered"] > "small").all()
    rows = sampler.rows(200, {"ordered": "middle"}, seed=3)
    assert rows["in Berlin"].dtype == "datetime64[s]"
    assert (made["in Berlin"].dt.tz_convert("UTC").dt.tz_localize(None) == rows["in Berlin"]).all()
