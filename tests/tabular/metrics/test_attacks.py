"""Distances of rows against loops, copies that must be found, and attacks whose answers are known."""

import numpy as np
import pandas as pd
import pytest

from ecgsynth.errors import DataError
from ecgsynth.metrics.attacks.base import Attack
from ecgsynth.metrics.attacks.nearest import person_membership
from ecgsynth.tabular.metrics.attacks import (
    DISTANCES,
    TABLE_ATTACKS,
    copies,
    nearest_share,
    nearest_two,
    privacy,
    ratios,
)
from ecgsynth.tabular.schema.schema import Column, Schema

SCHEMA = Schema(
    columns=(
        *(Column(name=name, kind="continuous", dtype="float64") for name in "xyz"),
        Column(name="c", kind="categorical", dtype="string", categories=tuple("abcd"), missing=True),
    )
)


def table(seed, n=300):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 3)), columns=list("xyz"))
    return frame.assign(c=np.array([*"abcd", None], dtype=object)[rng.integers(0, 5, n)])


def test_nearest_two_against_loops():
    rng = np.random.default_rng(0)
    queries, against = rng.normal(size=(20, 4)).astype(np.float32), rng.normal(size=(31, 4)).astype(np.float32)
    for query, found in zip(queries, nearest_two(queries, against), strict=True):
        slow = sorted(float(np.sqrt(np.square(query.astype(float) - row).sum())) for row in against)
        assert found == pytest.approx(slow[:2], rel=1e-5)


def test_an_equal_row_is_at_no_distance_and_of_one_row_there_is_no_second():
    rows = (1000 + np.random.default_rng(0).normal(size=(50, 3))).astype(np.float32)
    assert nearest_two(rows, rows)[:, 0].tolist() == [0] * 50
    assert nearest_two(rows[:2], rows[:1])[:, 1].tolist() == [np.inf, np.inf]


def test_ratios_by_hand():
    assert ratios(np.array([[1.0, 2.0], [0.0, 3.0], [0.0, 0.0], [2.0, np.inf]])).tolist() == [0.5, 0, 1, 0]


def test_the_share_that_is_nearer_by_hand():
    made = np.array([[0.0], [1.0], [5.0], [9.0]], dtype=np.float32)
    learnt, unseen = np.array([[0.0]], dtype=np.float32), np.array([[10.0]], dtype=np.float32)
    assert nearest_share(made, learnt, unseen, np.random.default_rng(0)) == 2.5 / 4


def test_new_rows_of_one_distribution_are_as_far_as_held_out_ones():
    found = privacy(table(0, 1500), table(1, 1500), table(2, 1500), SCHEMA)
    assert found["median_distance_synthetic"] == pytest.approx(found["median_distance_unseen"], rel=0.05)
    assert found["median_ratio_synthetic"] == pytest.approx(found["median_ratio_unseen"], rel=0.05)
    assert found["dcr_share"] == pytest.approx(0.5, abs=0.04)
    assert found["closer_share"] == pytest.approx(0.5, abs=0.04)
    assert found["dcr_share_unseen"] == pytest.approx(0.5, abs=0.06)
    assert found["membership_auc"] == pytest.approx(0.5, abs=3.5 * found["membership_auc_error"])
    assert (found["copies"], found["copies_share_unseen"]) == (0, 0.0)


def test_copies_are_found():
    learnt = table(1)
    made = pd.concat([learnt[:30], table(0, 70)], ignore_index=True)
    found = privacy(made, learnt, table(2), SCHEMA)
    assert found["copies"] == 30
    assert found["copies_share"] == 0.3
    assert found["dcr_share"] > 0.55
    assert found["closer_share"] > 0.6
    assert found["low_distance_synthetic"] == 0 < found["low_distance_unseen"]
    assert found["low_ratio_synthetic"] == 0 < found["low_ratio_unseen"]


def test_all_copies_give_everybody_away():
    found = privacy(table(1)[::-1], table(1), table(2), SCHEMA)
    assert found["copies_share"] == 1
    assert found["dcr_share"] == 1
    assert found["membership_auc"] == pytest.approx(1, abs=1e-9)


def test_rows_that_every_table_has_are_no_copies_beside_the_baseline():
    rng = np.random.default_rng(0)
    schema = Schema(columns=SCHEMA.columns[3:])
    made, learnt, unseen = (pd.DataFrame({"c": np.array(list("abcd"))[rng.integers(0, 4, 80)]}) for _ in range(3))
    found = privacy(made, learnt, unseen, schema)
    assert found["copies_share"] == found["copies_share_unseen"] == 1
    assert found["dcr_share"] == found["membership_auc"] == 0.5


def test_a_copy_in_single_precision_is_a_copy():
    learnt = table(0)
    made = learnt.assign(**{name: learnt[name].astype(np.float32).astype(np.float64) for name in "xyz"})
    assert copies(made, learnt) == 0
    assert copies(made, learnt, ("x", "y", "z")) > 290
    assert copies(made * 1, learnt.assign(x=learnt["x"] * 1.001), ("x", "y", "z")) == 0


def test_missing_values_equal_missing_ones():
    frame = pd.DataFrame({"x": [1.0, np.nan], "c": [None, "a"]})
    assert copies(frame, frame[::-1].reset_index(drop=True), ("x",)) == 2
    assert copies(frame.assign(c="a"), frame, ("x",)) == 1


def test_the_same_seed_finds_the_same():
    tables = table(0), table(1), table(2)
    assert privacy(*tables, SCHEMA, seed=3) == privacy(*tables, SCHEMA, seed=3)


def test_too_few_rows_are_an_error():
    with pytest.raises(DataError, match="at least two synthetic rows, .* got 300, 1, 300"):
        privacy(table(0), table(1, 1), table(2), SCHEMA)


def test_every_distance_is_there_under_its_keys():
    found = privacy(table(0), table(1), table(2), SCHEMA)
    for distance in DISTANCES:
        assert distance.synthetic in found
        assert distance.unseen is None or distance.unseen in found


def test_persons_are_attacked_where_their_rows_are_known():
    persons = Attack(name="patient_membership", title="membership attack", unit="person", run=person_membership)
    owners = np.arange(300) // 10, 1000 + np.arange(300) // 10
    attacks = (*TABLE_ATTACKS, persons)
    learnt = table(1)
    found = privacy(learnt[::2], learnt, table(2), SCHEMA, owners=owners, attacks=attacks)  # half of each one's rows
    assert found["patient_membership_auc"] == 1
    assert (found["patients_learnt"], found["patients_unseen"]) == (30, 30)
    without = privacy(learnt[::2], learnt, table(2), SCHEMA, attacks=attacks)
    assert "patient_membership_auc" not in without
    assert without["membership_auc"] == found["membership_auc"]
