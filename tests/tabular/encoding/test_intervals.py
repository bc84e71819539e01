"""Intervals and spikes of numbers: they have equal mass or are a mixture's, and none of them is one person's."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecgsynth.core.disclosure import PERSONS, rounded_inwards, shared_range
from ecgsynth.tabular.encoding.encoding import STYLES, Encoding
from ecgsynth.tabular.schema.schema import Column, Schema


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def continuous(name: str = "x", **facts: Any) -> Column:
    return Column(name=name, kind="continuous", dtype="float64", **facts)


def integer(name: str = "x", **facts: Any) -> Column:
    return Column(name=name, kind="integer", dtype="int64", **facts)


def fitted(column: Column, values: NDArray[Any], style: str = "cells") -> Any:
    return Encoding.fit(Schema((column,)), {column.name: values}, style, rng()).columns[0]


def shared_bounds(values: NDArray[np.float64], decimals: int | None) -> tuple[float, float]:
    found = shared_range(values)
    assert found is not None
    return rounded_inwards(*found, decimals)


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


def test_missing_is_a_code_and_a_spike_is_exact() -> None:
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


def test_intervals_are_the_components_of_the_mixture() -> None:
    """Two far normals: each is an interval or several, none lies between, and codes distinguish them."""
    values = np.concatenate([rng(0).normal(0, 1, 2000), rng(1).normal(100, 2, 2000)])
    codes = fitted(continuous(minimum=-9, maximum=120), values, "mixture")
    assert 2 <= len(codes.centres) <= 10
    assert ((codes.centres < 4) | (codes.centres > 90)).all()
    found, _ = codes.encode(values, rng())
    assert set(found[:2000]).isdisjoint(found[2000:])


def test_no_end_of_an_interval_is_one_rows_own_value() -> None:
    values = np.concatenate([rng(0).normal(0, 1, 2000), rng(1).normal(30, 1, 2000), [40.123456789]])
    for few in (values, np.concatenate([values, np.linspace(34, 35, 12)])):
        codes = fitted(continuous(minimum=-9, maximum=99), few, "mixture")
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


def test_a_mixture_draws_the_interval_by_what_is_likely() -> None:
    """A value in the middle of two overlapping intervals goes to either; the same generator, the same codes."""
    values = np.concatenate([rng(0).normal(-2, 1, 3000), rng(1).normal(2, 1, 3000)])
    codes = fitted(continuous(minimum=-9, maximum=9), values, "mixture")
    found, positions = codes.encode(np.zeros(2000), rng(5))
    assert codes.decode(found, positions) == pytest.approx(0, abs=1e-9)
    assert len(set(found)) >= 2
    assert (codes.encode(np.zeros(2000), rng(5))[0] == found).all()
