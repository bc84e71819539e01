"""Codes and positions of a table's columns: there and back is exact, whatever is drawn obeys, nobody is told of."""

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

from ecgsynth.core.disclosure import PERSONS, rounded_inwards, shared_range
from ecgsynth.errors import ArtifactError, DataError
from ecgsynth.tabular.encoding.encoding import STYLES, CategoryCodes, Encoding, NumberCodes
from ecgsynth.tabular.schema.schema import Column, Schema


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def continuous(name: str = "x", **told: Any) -> Column:
    return Column(name=name, kind="continuous", dtype="float64", **told)


def integer(name: str = "x", **told: Any) -> Column:
    return Column(name=name, kind="integer", dtype="int64", **told)


def categorical(categories: tuple[str, ...], name: str = "x", **told: Any) -> Column:
    return Column(name=name, kind="categorical", dtype="string", categories=categories, **told)


def fitted(column: Column, values: NDArray[Any], style: str = "cells") -> Any:
    return Encoding.fit(Schema((column,)), {column.name: values}, style, rng()).columns[0]


def shared_bounds(values: NDArray[np.float64], decimals: int | None) -> tuple[float, float]:
    found = shared_range(values)
    assert found is not None
    return rounded_inwards(*found, decimals)


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
        told: dict[str, Any] = {"minimum": low, "maximum": high, "missing": missing}
        if kind == "continuous":
            columns.append(continuous(name, **told, decimals=decimals, spikes=spikes))
        elif kind == "integer":
            columns.append(integer(name, **told, spikes=spikes))
        else:
            columns.append(Column(name=name, kind=kind, dtype="datetime64", unit="D", **told))
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
    """Values within bounds, told and of the schema, with the column's decimals; missing only where it may be."""
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
            told = np.array([known.places[code] if code >= 0 else -1 for code in values])
            assert known.gaps == ((values < 0).sum() >= PERSONS)  # that one is missing is told of ten, or not
            kept = (told >= 0) | ((values < 0) & known.gaps)
            assert (back[known.name][kept] == told[kept]).all()
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


# ---- numbers


def test_bounds_are_what_ten_rows_share_or_the_mean_of_ten() -> None:
    values = np.concatenate([np.arange(10.0), np.full(100, 50.0), np.full(10, 99.0)])
    assert shared_bounds(values, None) == (4.5, 99.0)
    assert shared_bounds(values, 0) == (5.0, 99.0)
    low, high = shared_bounds(np.concatenate([np.linspace(0, 0.1, 10), np.linspace(0.95, 1, 13)]), 2)
    assert (low, high) == (0.05, 0.98)
    assert shared_bounds(np.full(20, 0.57), 2) == (0.57, 0.57)


@given(st.lists(st.integers(-50, 50), min_size=PERSONS, max_size=25), st.sampled_from([0, 1, 2]))
def test_bounds_of_few_rows_are_in_order_and_have_the_decimals(numbers: list[int], decimals: int) -> None:
    values = np.array(numbers) / 10.0**decimals
    low, high = shared_bounds(values, decimals)
    assert values.min() <= low <= high <= values.max()
    assert low == round(low, decimals)
    assert high == round(high, decimals)


@pytest.mark.parametrize("kind", ["continuous", "integer"])
def test_no_edge_of_a_cell_is_one_rows_own_value(kind: str) -> None:
    """Beside a spike at the end of the range, the next value is some row's: the cells do not begin there."""
    lone = np.concatenate([np.linspace(500, 600, 12), np.linspace(601, 900, 300), np.linspace(2000, 3000, 12)])
    values = np.concatenate([np.zeros(200), np.round(lone) if kind == "integer" else lone, np.full(50, 9999.0)])
    column = (integer if kind == "integer" else continuous)(minimum=0, maximum=9999)
    codes = fitted(column, values)
    wide = codes.widths > 0
    edges = np.concatenate([codes.centres - codes.widths, codes.centres + codes.widths])[np.tile(wide, 2)]
    assert edges.min() > lone.min() + 1
    assert edges.max() < lone.max() - 1
    assert {0.0, 9999.0} <= set(codes.centres[~wide])


def test_missing_is_a_mode_and_a_spike_is_exact() -> None:
    values = rng().normal(30, 5, 500)
    values[:150], values[150:200] = 0.0, np.nan
    for style in STYLES:
        codes = fitted(continuous(minimum=0, maximum=60, spikes=(0.0,), missing=True), values, style)
        assert codes.gaps
        found, positions = codes.encode(values, rng())
        (spike,) = set(found[:150])
        assert (codes.centres[spike], codes.widths[spike]) == (0.0, 0.0)
        assert set(found[150:200]) == {len(codes.shares) - 1}
        assert not positions[:200].any()
        assert codes.shares[spike] == 0.3
        assert codes.shares[-1] == 0.1
        assert codes.shares.sum() == pytest.approx(1)
        assert np.isnan(codes.decode(found, positions)[150:200]).all()


def test_what_lies_beyond_the_bounds_is_taken_as_the_bound() -> None:
    values = np.linspace(0, 1, 200)
    for style in STYLES:
        codes = fitted(continuous(minimum=0, maximum=1), values, style)
        beyond = np.array([-1e9, -5.0, 7.0, 1e300])
        found, positions = codes.encode(beyond, rng())
        assert (np.abs(positions) <= 1).all()
        assert codes.decode(found, positions) == pytest.approx([codes.low, codes.low, codes.high, codes.high])


def test_modes_are_the_components_of_the_mixture() -> None:
    """Two far normals: each is a mode or several, none lies between, and codes tell them apart."""
    values = np.concatenate([rng(0).normal(0, 1, 2000), rng(1).normal(100, 2, 2000)])
    codes = fitted(continuous(minimum=-9, maximum=120), values, "modes")
    assert 2 <= len(codes.centres) <= 10
    assert ((codes.centres < 4) | (codes.centres > 90)).all()
    found, _ = codes.encode(values, rng())
    assert set(found[:2000]).isdisjoint(found[2000:])


def test_no_end_of_a_mode_is_one_rows_own_value() -> None:
    values = np.concatenate([rng(0).normal(0, 1, 2000), rng(1).normal(30, 1, 2000), [40.123456789]])
    for few in (values, np.concatenate([values, np.linspace(34, 35, 12)])):
        codes = fitted(continuous(minimum=-9, maximum=99), few, "modes")
        for margin in (1, 1.05):
            ends = np.concatenate([codes.centres + side * codes.widths / margin for side in (-1, 1)])
            assert np.abs(ends[:, None] - few).min() > 1e-9


def test_a_bound_beyond_a_shared_value_does_not_tell_the_few_that_lie_there() -> None:
    for few in (1, 3, 9):
        values = np.concatenate([np.zeros(3000), np.full(few, 98765.4)])
        assert shared_bounds(values, None) == (0, 0)
        assert shared_bounds(-values, None) == (0, 0)
    assert shared_bounds(np.concatenate([np.zeros(3000), np.full(10, 98765.4)]), None) == (0, 98765.4)
    assert shared_bounds(np.arange(100.0), None) == (4.5, 94.5)


def test_no_edge_of_a_cell_is_the_value_of_few_rows() -> None:
    for each in (1, 2, 5, 9):
        values = np.repeat(rng().normal(size=700), each)
        codes = fitted(continuous(minimum=-9, maximum=9), values)
        edges = np.concatenate([codes.centres - codes.widths, codes.centres + codes.widths])
        pairs = (np.unique(values)[1:] + np.unique(values)[:-1]) / 2  # whoever knows one row would know the next
        assert np.abs(edges[:, None] - values).min() > 1e-9
        assert each >= 5 or np.abs(edges[:, None] - pairs).min() > 1e-9  # two of five rows are ten rows


def test_a_number_that_the_table_holds_whole_is_made_whole() -> None:
    values = rng().integers(18, 90, 2000).astype(float)
    column = Column(name="age", kind="continuous", dtype="int64", minimum=0, maximum=99)
    for style in STYLES:
        codes = fitted(column, values, style)
        made = codes.decode(rng().integers(0, len(codes.centres), 500), rng(1).uniform(-1, 1, 500))
        assert (made == np.round(made)).all()


def test_cells_have_equal_mass_but_for_the_halved_tails() -> None:
    values = rng().normal(size=10_000)
    codes = fitted(continuous(minimum=-9, maximum=9), values)
    order = codes.centres.argsort()
    assert codes.shares[order][8:-8] == pytest.approx(1 / 64, abs=1e-3)
    assert codes.shares.min() >= PERSONS / len(values) * 0.9


def test_whole_numbers_keep_their_shares_through_uniform_positions() -> None:
    """Cells end between whole numbers, so that a uniform position gives each number in a cell the same share."""
    values = rng().integers(0, 200, 20_000).astype(float)
    codes = fitted(integer(minimum=0, maximum=199), values)
    noise = rng(1)
    found = noise.choice(len(codes.shares), 100_000, p=codes.shares)
    made = codes.decode(found, noise.uniform(-1, 1, 100_000))
    assert np.bincount(made.astype(int), minlength=200) == pytest.approx(500, abs=160)


def test_decimals_keep_their_shares_at_the_ends_of_cells() -> None:
    values = np.round(rng().integers(0, 200, 20_000) / 10, 1)
    codes = fitted(continuous(minimum=0, maximum=19.9, decimals=1), values)
    noise = rng(1)
    found = noise.choice(len(codes.shares), 100_000, p=codes.shares)
    made = codes.decode(found, noise.uniform(-1, 1, 100_000))
    assert np.bincount(np.round(made * 10).astype(int), minlength=200) == pytest.approx(500, abs=160)


def test_a_mixture_draws_the_mode_by_what_is_likely() -> None:
    """A value in the middle of two overlapping modes goes to either; the same generator, the same codes."""
    values = np.concatenate([rng(0).normal(-2, 1, 3000), rng(1).normal(2, 1, 3000)])
    codes = fitted(continuous(minimum=-9, maximum=9), values, "modes")
    found, positions = codes.encode(np.zeros(2000), rng(5))
    assert codes.decode(found, positions) == pytest.approx(0, abs=1e-9)
    assert len(set(found)) >= 2
    assert (codes.encode(np.zeros(2000), rng(5))[0] == found).all()


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
