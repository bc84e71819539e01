"""Codes and positions of a table's columns: exact there and back, drawn ones obey, no person's is published."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecgsynth.core.disclosure import PERSONS
from ecgsynth.errors import ArtifactError, DataError
from ecgsynth.tabular.encoding.encoding import STYLES, CategoryCodes, Encoding, NumberCodes
from ecgsynth.tabular.schema.schema import Column, Schema


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def continuous(name: str = "x", **facts: Any) -> Column:
    return Column(name=name, kind="continuous", dtype="float64", **facts)


def integer(name: str = "x", **facts: Any) -> Column:
    return Column(name=name, kind="integer", dtype="int64", **facts)


def categorical(categories: tuple[str, ...], name: str = "x", **facts: Any) -> Column:
    return Column(name=name, kind="categorical", dtype="string", categories=categories, **facts)


def fitted(column: Column, values: NDArray[Any], style: str = "cells") -> Any:
    return Encoding.fit(Schema((column,)), {column.name: values}, style, rng()).columns[0]


def counted(counts: list[int], seed: int = 0) -> NDArray[np.int64]:
    """As many of each category, shuffled."""
    return rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


# ---- any table there and back


@st.composite
def tables(draw: st.DrawFn) -> tuple[Schema, dict[str, Any]]:
    """A table of every kind: numbers with spikes, missing values, decimals; whole numbers; dates; categories."""
    seed = draw(st.integers(0, 2**32 - 1))
    n = draw(st.integers(40, 400))
    noise = rng(seed)
    columns: list[Column] = []
    arrays: dict[str, Any] = {}
    for place in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["continuous", "integer", "datetime"]))
        scale = 10.0 ** draw(st.integers(-2, 4))
        values = {
            "normal": noise.normal(size=n),
            "skewed": noise.lognormal(size=n),
            "two": noise.normal(size=n) + 9 * noise.integers(0, 2, n),
            "few": noise.integers(0, 3, n).astype(float),
        }[draw(st.sampled_from(["normal", "skewed", "two", "few"]))] * scale
        decimals = None
        if kind != "continuous":
            values = np.round(values)
        elif draw(st.booleans()):
            decimals = draw(st.integers(0, 3))
            values = np.round(values, decimals)
        spikes: tuple[float, ...] = ()
        if draw(st.booleans()):
            spikes = (0.0,)
            values[noise.random(n) < 0.5] = 0.0
        missing = draw(st.booleans())
        low, high = values.min(), values.max()
        if missing:
            values[noise.random(n) < 0.2] = np.nan
        name = f"n{place}"
        facts: dict[str, Any] = {"minimum": low, "maximum": high, "missing": missing}
        if kind == "continuous":
            columns.append(continuous(name, **facts, decimals=decimals, spikes=spikes))
        elif kind == "integer":
            columns.append(integer(name, **facts, spikes=spikes))
        else:
            columns.append(Column(name=name, kind=kind, dtype="datetime64", unit="D", **facts))
        arrays[name] = values
    counts = [n, *draw(st.lists(st.integers(1, 30), max_size=8))]
    codes = noise.permutation(np.repeat(np.arange(len(counts)), counts))[:n]
    codes[:PERSONS] = 0
    missing = draw(st.booleans())
    if missing:
        codes[-(n // 5) :] = -1
    columns.append(categorical(tuple(f"c{code}" for code in range(len(counts))), "c", missing=missing))
    arrays["c"] = codes
    columns.append(Column(name="b", kind="boolean", dtype="bool", categories=(False, True)))
    arrays["b"] = (noise.random(n) < 0.3).astype(np.int64)
    columns.append(Column(name="id", kind="identifier", dtype="string", format="P[0-9]{9}"))
    return Schema(tuple(columns)), arrays


def obeys(codes: NumberCodes, column: Column, values: NDArray[np.float64]) -> None:
    """Values within bounds (published, and of the schema), with the column's decimals; missing only where it may be."""
    known = values[~np.isnan(values)]
    assert column.missing or len(known) == len(values)
    assert column.minimum is not None
    assert column.maximum is not None
    assert (known >= codes.low).all()
    assert (known <= codes.high).all()
    assert codes.low >= column.minimum
    assert codes.high <= column.maximum
    if column.kind != "continuous":
        assert (known == np.round(known)).all()
    elif column.decimals is not None:
        assert (known == np.round(known, column.decimals)).all()


@given(table=tables(), style=st.sampled_from(sorted(STYLES)))
@settings(max_examples=25)
def test_a_table_comes_back_as_it_was(table: tuple[Schema, dict[str, Any]], style: str) -> None:
    schema, arrays = table
    encoding = Encoding.fit(schema, arrays, style, rng(1))
    codes, positions = encoding.encode(arrays, rng(2), strict=False)
    assert codes.shape == positions.shape == (len(arrays["c"]), len(schema.columns) - 1)
    assert (codes >= 0).all()
    assert (codes < np.array(encoding.sizes)).all()
    assert (np.abs(positions) <= 1).all()
    assert not positions[:, ~np.array(encoding.positioned)].any()
    back = encoding.decode(codes, positions)
    for known in encoding.columns:
        column, values = schema[known.name], arrays[known.name]
        if isinstance(known, CategoryCodes):
            facts = np.array([known.places[code] if code >= 0 else -1 for code in values])
            assert known.gaps == ((values < 0).sum() >= PERSONS)  # that one is missing is published of ten, or not
            kept = (facts >= 0) | ((values < 0) & known.gaps)
            assert (back[known.name][kept] == facts[kept]).all()
            assert (back[known.name][~kept] >= 0).all()
            continue
        assert known.gaps == (np.isnan(values).sum() >= PERSONS)
        assert (np.isnan(back[known.name]) == (np.isnan(values) & known.gaps)).all()
        obeys(known, column, back[known.name])
        wanted = np.clip(values, known.low, known.high)
        apart = np.abs(back[known.name] - wanted)[~np.isnan(values)]
        exact = apart <= 1e-9 * np.abs(wanted).max(initial=1.0, where=~np.isnan(wanted))
        # a value that fewer than ten rows have, beside a spike at the end, is drawn in like one beyond a bound
        assert exact.mean() > 1 - 2 * PERSONS / len(exact)


@given(table=tables(), style=st.sampled_from(sorted(STYLES)), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_whatever_is_drawn_obeys(table: tuple[Schema, dict[str, Any]], style: str, seed: int) -> None:
    schema, arrays = table
    encoding = Encoding.fit(schema, arrays, style, rng(1))
    noise = rng(seed)
    codes = np.stack([noise.integers(0, size, 300) for size in encoding.sizes], axis=1)
    positions = noise.choice([-1.0, 1.0, np.nan], size=codes.shape)
    positions = np.where(np.isnan(positions), noise.uniform(-1, 1, codes.shape), positions)
    made = encoding.decode(codes, positions)
    assert list(made) == [column.name for column in schema.columns if column.kind != "identifier"]
    for known in encoding.columns:
        if isinstance(known, CategoryCodes):
            assert (made[known.name] < len(known.categories)).all()
            assert (made[known.name] >= (-1 if schema[known.name].missing else 0)).all()
        else:
            obeys(known, schema[known.name], made[known.name])


@given(table=tables(), style=st.sampled_from(sorted(STYLES)))
@settings(max_examples=15)
def test_nothing_is_told_that_fewer_than_ten_rows_have(
    tmp_path_factory: pytest.TempPathFactory, table: tuple[Schema, dict[str, Any]], style: str
) -> None:
    schema, arrays = table
    encoding = Encoding.fit(schema, arrays, style, rng(1))
    path = tmp_path_factory.mktemp("encoding") / "encoding.json"
    encoding.save(path)
    text = path.read_text(encoding="utf-8")
    for known in encoding.columns:
        values = arrays[known.name]
        if isinstance(known, CategoryCodes):
            counts = np.bincount(values[values >= 0], minlength=len(known.places))
            for code, category in enumerate(schema[known.name].categories):
                assert (category in known.categories) == (counts[code] >= PERSONS)
                assert isinstance(category, bool) or (json.dumps(category) in text) == (counts[code] >= PERSONS)
            continue
        spikes = known.centres[known.widths == 0]
        spikes = spikes[: len(spikes) - known.gaps]
        for value in spikes:
            shared = (np.clip(values, known.low, known.high) == value).sum()  # an end stands for ten rows
            assert shared >= PERSONS or value in (known.low, known.high)
    back = Encoding.load(path)
    codes, positions = encoding.encode(arrays, rng(3), strict=False)
    again = back.encode(arrays, rng(3), strict=False)
    assert (codes == again[0]).all()
    assert (positions == again[1]).all()
    assert back.sizes == encoding.sizes
    assert back.askable == encoding.askable
    for name, column in encoding.decode(codes, positions).items():
        assert np.array_equal(column, back.decode(codes, positions)[name], equal_nan=True)


# ---- categories


def test_rare_categories_share_a_code_and_come_back_in_their_shares() -> None:
    counts = [60_000, 30_000, 50, 30, 20, 9, 1]
    column = categorical(tuple("abcdefg"))
    codes = fitted(column, counted(counts))
    assert codes.categories == tuple("abcde")
    assert (codes.frequent, len(codes.shares)) == (2, 3)
    assert codes.upto == pytest.approx([0.5, 0.8, 1.0])
    assert codes.shares == pytest.approx(np.array([60_000, 30_000, 110]) / sum(counts))
    made = codes.decode(np.full(100_000, 2), rng().uniform(-1, 1, 100_000))
    assert np.bincount(made, minlength=5) / 100_000 == pytest.approx([0, 0, 0.5, 0.3, 0.2], abs=0.01)
    assert codes.decode(np.full(2, 2), np.array([-1.0, 1.0])).tolist() == [2, 4]


def test_a_category_that_is_not_told_is_taken_as_another() -> None:
    codes = fitted(categorical(tuple("abc")), counted([100, 200, 3]))
    assert codes.categories == ("b", "a")
    assert codes.encode(np.array([2, 2, 0, 1]), rng())[0].tolist() == [0, 0, 1, 0]
    with_rare = fitted(categorical(tuple("abcd")), counted([90_000, 30, 20, 3]))
    found, positions = with_rare.encode(np.full(5000, 3), rng())
    assert (found == 1).all()
    made = with_rare.decode(found, positions)
    assert (made == 1).mean() == pytest.approx(0.6, abs=0.03)  # b and c, as they are among the rare


def test_one_rare_category_alone_has_a_code_of_its_own() -> None:
    codes = fitted(categorical(tuple("abc")), counted([60_000, 40_000, 15]))
    assert not codes.positioned
    assert (codes.frequent, len(codes.shares)) == (3, 3)


def test_a_missing_category_is_a_code() -> None:
    values = counted([50, 30])
    values[:20] = -1
    codes = fitted(categorical(("a", "b"), missing=True), values)
    found, positions = codes.encode(values, rng())
    assert (found[:20] == 2).all()
    assert codes.shares[2] == 0.25
    assert (codes.decode(found, positions)[:20] == -1).all()


# ---- what cannot be


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        (continuous(), np.arange(9.0), "needs 10 rows or more to be learnt from, got 9"),
        (continuous(missing=True), np.append(np.arange(9.0), np.full(30, np.nan)), "'x' has fewer than 10 values"),
        (categorical(tuple("abcdefg")), np.arange(21) % 7, "no value of column 'x' is shared by 10 rows"),
        (categorical(("a",), missing=True), np.full(30, -1), "no value of column 'x' is shared by 10 rows"),
    ],
)
def test_what_cannot_be_learnt(column: Column, values: NDArray[Any], says: str) -> None:
    for style in STYLES:
        with pytest.raises(DataError, match=says):
            fitted(column, values, style)


def test_a_table_of_identifiers_alone() -> None:
    column = Column(name="id", kind="identifier", dtype="string", format="[0-9]{4}")
    with pytest.raises(DataError, match="no column to learn"):
        Encoding.fit(Schema((column,)), {}, "cells", rng())


@pytest.mark.parametrize(
    ("column", "values", "gap"),
    [(continuous(), np.linspace(0, 1, 50), math.nan), (categorical(("a", "b")), counted([20, 30]), -1)],
)
def test_a_missing_value_where_none_was_learnt(column: Column, values: NDArray[Any], gap: float) -> None:
    """Refused; among rows that are only judged, taken as what is likeliest."""
    encoding = Encoding.fit(Schema((column,)), {"x": values}, "cells", rng())
    holes = {"x": np.append(values, np.array(gap).astype(values.dtype))}
    with pytest.raises(DataError, match="'x' has missing values, and had none where it was learnt"):
        encoding.encode(holes, rng())
    codes, positions = encoding.encode(holes, rng(), strict=False)
    assert codes[-1, 0] == encoding.shares[0].argmax()
    assert not positions[-1].any()
    assert (codes[:-1] == encoding.encode({"x": values}, rng())[0]).all()


@pytest.mark.parametrize("content", ["[]x", '["a"]', '[{"name": "x"}]', '{"a": 1}', "[3]"])
def test_a_file_that_is_no_encoding(tmp_path: Path, content: str) -> None:
    (tmp_path / "encoding.json").write_text(content, encoding="utf-8")
    with pytest.raises(ArtifactError, match="encoding.json"):
        Encoding.load(tmp_path / "encoding.json")


def test_the_same_seed_gives_the_same_encoding() -> None:
    frame = pd.DataFrame({"x": rng().normal(size=300), "c": rng().choice(["u", "v"], 300)})
    schema = Schema.infer(frame)
    for style in STYLES:
        one, other = (Encoding.fit(schema, schema.arrays(frame), style, rng(7)) for _ in range(2))
        for mine, its in zip(one.shares, other.shares, strict=True):
            assert (mine == its).all()
        number = one.columns[0]
        assert isinstance(number, NumberCodes)
        assert (number.centres == other.columns[0].centres).all()  # type: ignore[union-attr]
