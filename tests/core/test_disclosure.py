"""What may be published: no bound, edge, value or category by which one person's is known."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgsynth.core.disclosure import (
    PERSONS,
    common_values,
    neighbour_means,
    published_data,
    published_metrics,
    published_training,
    rounded_inwards,
    shared_codes,
    shared_range,
)

ORDINARY = np.linspace(0, 1, 500)


def test_an_outlier_cannot_be_reckoned_from_a_bound() -> None:
    """Ten times a mean of ten less nine values that one knows is the tenth."""
    for outlier in (1e3, 1e6):
        low, high = shared_range(np.append(ORDINARY, outlier)) or (0, 0)
        assert abs(10 * high - ORDINARY[-9:].sum() - outlier) > 0.99 * outlier
        assert high == shared_range(np.append(ORDINARY, 10 * outlier))[1]  # type: ignore[index]  # it says nothing of it
        assert low == pytest.approx(ORDINARY[:10].mean())


@pytest.mark.parametrize("n", [10, 11, 15, 19])
def test_nor_from_one_of_few_values(n: int) -> None:
    values = np.append(np.linspace(0, 1, n - 1), 1e4)
    found, other = shared_range(values), shared_range(np.append(values[:-1], 1e9))
    assert found is not None
    assert found == other
    assert -0.1 < found[0] <= found[1] < 3


def test_of_fewer_persons_nothing_is_told() -> None:
    assert shared_range(np.arange(9.0)) is None
    assert shared_range(np.arange(900.0), np.arange(900) % 9) is None
    assert shared_range(np.arange(90.0), repeats=10) is None  # nine rows, each in ten windows
    assert shared_range(np.empty(0)) is None


def test_a_bound_that_ten_persons_have_is_exact_and_one_persons_repeated_value_is_none() -> None:
    owners = np.repeat(np.arange(50), 20)
    values = np.random.default_rng(0).uniform(0, 1, 1000)
    values[owners == 3] = 5.0
    _, high = shared_range(values, owners) or (0, 0)
    assert high < 2
    values[np.isin(owners, np.arange(10))] = 5.0
    assert (shared_range(values, owners) or (0, 0))[1] == 5.0


@given(st.lists(st.integers(-99, 99), min_size=PERSONS, max_size=80), st.integers(1, 3))
def test_a_range_is_in_order_and_within_the_values(numbers: list[int], repeats: int) -> None:
    values = np.repeat(np.asarray(numbers, dtype=np.float64), repeats)
    found = shared_range(values, repeats=repeats)
    assert found is not None
    assert values.min() <= found[0] <= found[1] <= values.max()
    whole = shared_range(np.asarray(numbers, dtype=np.float64))
    assert found == pytest.approx(whole)  # that a row stands in several windows changes nothing
    assert rounded_inwards(*found, 0) == tuple(np.round(rounded_inwards(*found, 0)))


def test_whose_values_they_are_counts_and_not_how_many_they_are() -> None:
    values, owners = np.repeat([1.0, 2.0, 3.0], [30, 30, 30]), np.tile(np.arange(30), 3)
    owners[:30] = 0  # all of the first value are one person's
    assert common_values(values, owners).tolist() == [2.0, 3.0]
    assert common_values(values).tolist() == [1.0, 2.0, 3.0]
    assert common_values(values, repeats=3).tolist() == [1.0, 2.0, 3.0]
    assert common_values(values, repeats=4).tolist() == []


def test_a_category_of_ten_rows_that_are_one_persons_is_not_shared() -> None:
    codes = np.repeat([0, 1, 2, 3], [100, 10, 10, 20])
    owners = np.concatenate([np.arange(100), np.full(10, 7), np.arange(10), [*range(9), *[9] * 11]])
    assert shared_codes(codes, None, 5).tolist() == [True, True, True, True, False]
    # The last but one has ten persons, of whom one has more than half.
    assert shared_codes(codes, owners, 5).tolist() == [True, False, True, False, False]


def test_means_of_neighbours_are_over_ten_persons() -> None:
    ranked = np.sort(np.random.default_rng(1).normal(size=400))
    (mean,) = neighbour_means(ranked, np.array([200]))
    assert mean == pytest.approx(ranked[195:205].mean())
    (mean,) = neighbour_means(ranked, np.array([200]), repeats=4)
    assert mean == pytest.approx(ranked[180:220].mean())
    owners = np.arange(400) % 40
    owners[150:250] = 3  # a hundred neighbours are one person
    (mean,) = neighbour_means(ranked, np.array([200]), owners)
    around, whose = ranked[120:280], owners[120:280]  # by doubling, the first stretch with ten persons
    assert mean == pytest.approx(np.mean([around[whose == person].mean() for person in np.unique(whose)]))


def test_what_a_file_tells_of_its_data_is_on_a_list() -> None:
    data: dict[str, Any] = {
        "kind": "table",
        "source": {"name": "patients of ward 7"},
        "rows": 12_345,
        "training_rows": 11_111,
        "validation_share": 0.1,
        "private": {"file": "ward7.csv", "where": {"name": "Jones"}, "split_seed": 41, "digest": {"key": "ab"}},
        "plain_sha256": "cafe",
        "split_seed": 41,
        "anything": "new",
    }
    assert published_data(data) == {
        "kind": "table",
        "source": {"name": "patients of ward 7"},
        "rows": 12_000,
        "training_rows": 11_000,
        "validation_share": 0.1,
    }
    old = {"kind": "table", "source": {"name": "ward7", "where": {"name": "Jones"}}, "rows": 9, "training_rows": 0}
    assert published_data(old) == {"kind": "table", "source": {"name": "unnamed"}, "rows": None, "training_rows": 0}
    assert published_training({"model": "gan", "config": {"seed": 41, "batch": 5}}) == {
        "model": "gan",
        "config": {"batch": 5},
    }


def test_a_seed_that_may_split_the_data_too_is_not_published() -> None:
    measured = {"audit": {"seed": 41, "kind": "beats", "attacks": {"a": {"auc": 0.5, "seed": 41}}}, "seed": 41}
    assert published_metrics(measured) == {"audit": {"kind": "beats", "attacks": {"a": {"auc": 0.5}}}}
