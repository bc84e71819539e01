"""Clusters of series and intervals of tables are of ten persons or more, none of whom has more than half of one."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ecgsynth.core.disclosure import FAIR_SHARE, PERSONS, drawn_in, published_metrics, shared_codes
from ecgsynth.core.tables import read_table
from ecgsynth.errors import DataError
from ecgsynth.models.clusters import find_clusters
from ecgsynth.models.wgan_plan import plan_wgan
from ecgsynth.tabular.encoding.intervals import find_cells as find_table_cells
from ecgsynth.tabular.encoding.intervals import find_mixture_intervals as find_table_intervals
from ecgsynth.tabular.schema.schema import Column, Schema
from ecgsynth.windows.series import SeriesOptions, read_series

COST = Column(name="cost", kind="continuous", dtype="float64", minimum=0, maximum=99999, spikes=(0.0, 99999.0))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_cluster_of_a_series_is_of_ten_persons() -> None:
    """Forty persons, one of whom has windows like no other's: a cluster of them alone gave away the value."""
    owners = np.repeat(np.arange(40), 50)
    features = rng().normal(size=(2000, 3)).astype(np.float32)
    features[owners == 17] += 30
    labels = np.zeros(2000, dtype=np.int64)
    alone = find_clusters(features, labels, 1, 0, 100)
    assert not shared_codes(alone.numbers, owners, len(alone.shares[0])).all()
    found = find_clusters(features, labels, 1, 0, 100, owners)
    assert shared_codes(found.numbers, owners, len(found.shares[0]), largest=FAIR_SHARE).all()
    assert len(found.shares[0]) > 5


@pytest.mark.parametrize("seed", range(3))
def test_a_cluster_of_one_long_series_is_of_ten_stretches_of_time(seed: int) -> None:
    """A slow walk never comes back: a hundred overlapping windows that are alike are one stretch of it."""
    walk = np.random.default_rng(seed).normal(size=(6000, 2)).cumsum(axis=0)
    learn = read_series(pd.DataFrame(walk, columns=["x", "y"]), SeriesOptions(length=8))
    assert learn.owners is None
    assert learn.events is not None
    alone = find_clusters(learn.values.reshape(len(learn), -1), learn.labels, 1, 0, 100)
    assert shared_codes(alone.numbers, learn.events, len(alone.shares[0]), largest=FAIR_SHARE).mean() < 0.5
    found = plan_wgan(learn, {}, 0).clusters
    assert shared_codes(found.numbers, learn.events, len(found.shares[0]), largest=FAIR_SHARE).all()
    assert 5 < len(found.shares[0]) <= len(alone.shares[0])


def test_without_ten_stretches_there_is_one_cluster() -> None:
    walk = rng().normal(size=(9 * 2 * 30 + 29, 1)).cumsum(axis=0)
    learn = read_series(pd.DataFrame(walk, columns=["x"]), SeriesOptions(length=30))
    assert plan_wgan(learn, {}, 0).config.clusters == (1,)


def test_a_series_plan_holds_no_value_of_one_person(tmp_path: Path) -> None:
    n = 40
    who = np.repeat([f"P{number:02d}" for number in range(n)], 60)
    x = rng().normal(size=60 * n)
    x[np.flatnonzero(who == "P17")[:25]] = 987.654
    pd.DataFrame({"who": who, "x": x}).to_csv(tmp_path / "p.csv", index=False)
    learn = read_series(tmp_path / "p.csv", SeriesOptions(length=12, id="who"))
    inside = drawn_in(learn.values, learn.owners)
    assert inside.max() < 10 < learn.values.max()
    planned = plan_wgan(dataclasses.replace(learn, values=inside), {}, 0)
    basis, mean = planned.space.basis()
    made = planned.clusters.centres @ basis + mean
    assert np.abs(made).max() < 10


def test_beside_a_spike_no_mode_of_a_table_tells_the_one_row_there() -> None:
    values = np.concatenate([np.zeros(600), np.full(60, 99999.0), rng().normal(10, 1, 14), [9876.543]])
    centres, widths = find_table_intervals(values, COST, rng())
    wide = widths > 0
    assert (centres[wide] + widths[wide]).max() < 200


def test_an_interval_of_a_table_is_no_one_persons() -> None:
    values = np.concatenate([rng().normal(123.456, 0.001, 1000), rng().normal(500, 50, 1000), np.full(12, 124.0)])
    owners = np.concatenate([np.zeros(1000), np.arange(1, 1001), np.arange(1, 13)]).astype(np.int64)
    centres, widths = find_table_intervals(values, COST, rng(), owners)
    assert len(centres) >= 1
    near = np.abs(values[:, None] - centres) / widths
    assert len(centres) == 1 or shared_codes(near.argmin(axis=1), owners, len(centres)).all()
    assert np.abs(centres - 123.456).min() > 1


@pytest.mark.parametrize("name", ["id", "ID", "stay_id", "hadm_id", "visit_id", "case_no", "name", "email"])
def test_ids_that_repeat_are_no_categories(name: str) -> None:
    column = pd.Series([f"P{number:03d}" for number in range(40)] * 25)
    with pytest.raises(DataError, match="name it with --person"):
        Schema.infer(pd.DataFrame({name: column}))


def test_of_what_was_measured_no_exact_count_is_told() -> None:
    measured = {
        "utility": {
            "TSTR": {"confusion": [[6, 1], [0, 3]], "macro_f1": 0.5},
            "test_patients": 6,
            "training_rows": 1274,
        },
        "best_step": 1274,
    }
    assert published_metrics(measured) == {
        "utility": {"TSTR": {"macro_f1": 0.5}, "test_patients": None, "training_rows": 1300},
        "best_step": 1274,
    }


@pytest.mark.parametrize("missing", [1, PERSONS - 1, PERSONS])
def test_that_a_value_is_missing_is_told_of_ten(missing: int) -> None:
    from ecgsynth.tabular.encoding.encoding import Encoding
    from ecgsynth.tabular.schema.schema import Schema

    values: NDArray[np.float64] = rng().normal(size=500)
    values[:missing] = np.nan
    column = Column(name="x", kind="continuous", dtype="float64", missing=True, minimum=-9, maximum=9)
    (codes,) = Encoding.fit(Schema((column,)), {"x": values}, "cells", rng()).columns
    assert codes.gaps == (missing >= PERSONS)


@pytest.mark.parametrize("first", ["Anna Ames,1969-03-02,HIV", "01/02/69,rest,fall"])
def test_a_file_without_names_is_told_so_and_its_first_person_is_not(tmp_path: Path, first: str) -> None:
    (tmp_path / "t.csv").write_text(f"{first}\n{first}\n")
    with pytest.raises(DataError, match="got numbers or dates; add a line of names") as caught:
        read_table(tmp_path / "t.csv")
    assert not any(value in str(caught.value) for value in first.split(","))


@pytest.mark.parametrize("n", [12, 25, 40, 200, 1000])
def test_a_cell_is_of_ten_persons(n: int) -> None:
    for seed in range(5):
        draw = np.random.default_rng(seed)
        values, people = draw.lognormal(size=n), draw.integers(0, max(10, n // 3), n)
        ends = (values.min(), values.max())
        for owners in (None, people) if len(np.unique(people)) >= PERSONS else (None,):
            centres, widths = find_table_cells(values, COST, rng(), owners)
            edges = np.append(centres - widths, (centres + widths)[-1])
            assert (edges[0], edges[-1]) == pytest.approx(ends)
            inside = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(centres) - 1)
            for cell in range(len(centres)):
                whose = np.arange(n) if owners is None else owners
                assert len(np.unique(whose[inside == cell])) >= PERSONS
            assert len(centres) >= n // 40  # and there are some
