"""Attacks on the membership of persons: they find a model that replays rows, and nothing where there is nothing."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from ecgsynth.tabular.metrics.crowd import gathered
from ecgsynth.tabular.metrics.membership import (
    LEAST_DISTANCE,
    TABLE_PERSON_ATTACKS,
    log_density,
    log_distance,
    memberships,
)

NUMBERS = ("a", "b", "c", "d")
SEEDS = range(4)
OUTPUT = {attack.name for attack in TABLE_PERSON_ATTACKS if attack.sees == "output"}


def crowd_of(members, outside, made, rows=1, seed=0):
    owners = None
    if rows > 1:
        owners = np.arange(len(members)) // rows, 10_000 + np.arange(len(outside)) // rows
    return gathered(members, outside, made, NUMBERS, owners, seed)


def test_distances_and_densities_by_hand():
    points = np.array([[0.0], [3.0]], dtype=np.float32)
    found = log_distance(np.array([[0.0], [1.0]], dtype=np.float32), points)
    assert found == pytest.approx([np.log(LEAST_DISTANCE), 0.5 * np.log(1 + LEAST_DISTANCE**2)])
    rng = np.random.default_rng(0)
    against, queries = rng.normal(size=(300, 2)) * [1, 5], rng.normal(size=(7, 2))
    width = against.std(axis=0) * 300 ** (-1 / 6)
    slow = [np.log(stats.norm.pdf(query, against, width).prod(axis=1).mean()) for query in queries]
    assert log_density(queries, against) + 2 * np.log(1 / np.sqrt(2 * np.pi)) == pytest.approx(slow, rel=1e-6)


def test_what_other_people_have_as_well_tells_nothing(persons):
    """Where the synthetic rows are those that targets are compared with, both attacks cancel for everybody."""
    crowd = crowd_of(persons(0, 40), persons(1, 60), persons(2, 40))
    crowd = crowd.released(crowd.real.iloc[crowd.targets.reference].reset_index(drop=True))
    for attack in TABLE_PERSON_ATTACKS:
        scores = attack.prepare(crowd)
        if attack.name in ("calibrated_distance", "density_ratio"):
            assert scores is not None
            assert scores(1) == pytest.approx(np.zeros(70), abs=1e-6)


@pytest.mark.parametrize("rows", [1, 5])
def test_rows_that_are_replayed_with_noise_give_everybody_away(persons, replayed, rows):
    members, outside = persons(0, 300 // rows, rows), persons(1, 300 // rows, rows)
    found = memberships(crowd_of(members, outside, replayed(members, 3000, 0.1, 2), rows))
    assert set(found) == OUTPUT
    reached = found["calibrated_distance"]
    assert reached["auc_interval"][0] > 0.95  # 0.979 to 1 over four seeds
    assert reached["tpr_1"] > 0.5  # 0.68 to 1
    assert reached["relative_f1"] > 0.8  # 0.885 to 1
    assert found["density_ratio"]["auc_interval"][0] > 0.58  # 0.64 to 0.87
    assert (reached["persons_learnt"], reached["persons_outside"]) == (300 // rows, 150 // rows)


@pytest.mark.parametrize("rows", [1, 5])
def test_nothing_is_found_where_nothing_is(persons, independent, rows):
    """Of a model that knows the truth, of one of independent columns, and where membership is shuffled."""
    held = []
    for seed in SEEDS:
        members, outside = (persons(10 * seed + part, 60, rows) for part in (1, 2))
        whole = persons(10 * seed + 3, 120, rows)  # all learnt from, but half of them called others
        cases = (
            (members, outside, persons(10 * seed + 4, 2000)),
            (members, outside, independent(persons(10 * seed + 5, 60, rows), 2000, seed)),
            (whole[: 60 * rows], whole[60 * rows :].reset_index(drop=True), independent(whole, 2000, seed)),
        )
        for case in cases:
            found = memberships(crowd_of(*case, rows, seed))
            held += [low <= 0.5 <= high for low, high in (found[name]["auc_interval"] for name in OUTPUT)]
    assert np.mean(held) > 0.85  # 0.95 is meant; three attacks on the same persons agree
    assert len(held) == 36


def test_more_rows_of_a_person_tell_more(persons, replayed):
    members, outside = persons(0, 80, 20), persons(1, 80, 20)
    found = memberships(crowd_of(members, outside, replayed(members, 3000, 0.3, 2), 20))["calibrated_distance"]
    assert list(found["by_beats"]) == ["1", "5", "20"]
    areas = list(found["by_beats"].values())
    assert min(areas[1:]) > areas[0] + 0.08  # 0.11 to 0.16 over four seeds
    assert found["by_beats"]["20"] == found["auc"]
    assert found["beats_needed"] in (5, 20)


def test_shadow_models_find_what_a_distance_alone_does_not(persons, replayed):
    """A model that replays rows with much noise, attacked by models of its kind."""
    members, outside = persons(0, 120), persons(1, 120)
    crowd = crowd_of(members, outside, replayed(members, 3000, 0.5, 2))

    def shadow(rows, seed):
        return replayed(crowd.real.iloc[rows].reset_index(drop=True), 3000, 0.5, seed)

    assert "shadow" not in memberships(crowd)
    found = memberships(dataclasses.replace(crowd, shadow=shadow))
    assert found["shadow"]["sees"] == "refit"
    assert found["shadow"]["auc"] > found["calibrated_distance"]["auc"] + 0.03  # 0.06 to 0.1 over four seeds
    assert found["shadow"]["auc_interval"][0] > 0.75  # 0.83 to 0.93


def test_equal_rows_and_tables_of_categories_alone_have_figures(persons):
    members, outside, made = (persons(seed, 50)[["ill", "ward"]] for seed in range(3))
    found = memberships(gathered(members, outside, made, (), None, 0))
    for reached in found.values():
        assert 0.3 < reached["auc"] < 0.7
    alike = members.assign(ill="yes", ward="u")
    found = memberships(gathered(alike, alike, alike, (), None, 0))
    assert {reached["auc"] for reached in found.values()} == {0.5}
