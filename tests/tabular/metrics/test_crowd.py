"""Whom an audit of a table attacks: nobody is target and reference, and members and others are treated alike."""

import numpy as np
import pytest

from ecgsynth.tabular.metrics import crowd as module
from ecgsynth.tabular.metrics.crowd import gathered, nearest_places, of_persons

NUMBERS = ("a", "b", "c", "d")


def crowd_of(persons, rows=1, members=40, outside=30, seed=0):
    owners = None
    if rows > 1:
        owners = np.repeat(np.arange(members), rows), 1000 + np.repeat(np.arange(outside), rows)
    tables = persons(1, members, rows), persons(2, outside, rows), persons(3, 200)
    return gathered(*tables, NUMBERS, owners, seed), tables


@pytest.mark.parametrize("rows", [1, 3])
def test_everybody_is_there_with_all_rows(persons, rows):
    crowd, (members, outside, _) = crowd_of(persons, rows)
    assert crowd.inside.tolist() == [True] * 40 + [False] * 30
    assert np.bincount(crowd.whose).tolist() == [rows] * 70
    assert crowd.real["a"].tolist() == [*members["a"], *outside["a"]]
    assert crowd.places.tolist() == list(range(70 * rows))


@pytest.mark.parametrize("rows", [1, 3])
def test_half_of_the_outside_persons_are_compared_with_and_are_no_targets(persons, rows):
    crowd, _ = crowd_of(persons, rows)
    targets = crowd.targets
    reference = set(crowd.whose[targets.reference].tolist())
    attacked = set(crowd.whose[targets.rows].tolist())
    assert len(reference) == 15
    assert not reference & attacked
    assert not crowd.inside[list(reference)].any()
    assert targets.members.tolist() == [True] * 40 + [False] * 15
    assert attacked == set(range(70)) - reference
    assert (crowd.inside[crowd.whose[targets.rows]] == targets.members[targets.whose]).all()


def test_of_each_person_come_equally_many_rows_at_most(persons, monkeypatch):
    monkeypatch.setattr(module, "MOST_TARGET_ROWS", 120)  # of 55 targets
    crowd, _ = crowd_of(persons, rows=6)
    targets = crowd.targets
    assert np.bincount(targets.whose).tolist() == [2] * 55
    assert targets.turns.tolist() == [0, 1] * 55
    assert targets.most == 2
    values = np.arange(110.0)
    assert of_persons(values, targets).tolist() == (np.arange(55) * 2 + 0.5).tolist()
    assert of_persons(values, targets, 1).tolist() == (np.arange(55) * 2.0).tolist()


def test_of_many_rows_whole_persons_are_taken(persons, monkeypatch):
    monkeypatch.setattr(module, "MOST_POOL_ROWS", 20)
    crowd, (members, outside, _) = crowd_of(persons, rows=3)
    assert np.bincount(crowd.whose).tolist() == [3] * 12  # 6 of each kind
    assert crowd.inside.sum() == 6
    whole = [*members["a"], *outside["a"]]
    assert crowd.real["a"].tolist() == [whole[place] for place in crowd.places]


def test_the_nearest_against_a_loop(persons):
    crowd, _ = crowd_of(persons)
    real, made = crowd.coordinates(["a", "ward", "c"])
    slow = [int(np.square(made - row).sum(axis=1).argmin()) for row in real]
    assert nearest_places(real, made).tolist() == slow


def test_the_same_seed_attacks_the_same(persons):
    first, again, other = (crowd_of(persons, seed=seed)[0].targets for seed in (0, 0, 1))
    assert first.reference.tolist() == again.reference.tolist() != other.reference.tolist()
    assert first.rows.tolist() == again.rows.tolist()
