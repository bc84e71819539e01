"""Attacks on persons find who was in where shapes or beats were kept, and nobody where they were not."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ecgsynth.metrics.attacks.base import Points
from ecgsynth.metrics.attacks.calibrated import calibrated_distance, uncalibrated_distance
from ecgsynth.metrics.attacks.persons import PERSON_ATTACKS, attacked_persons, compared_without, needed, stretch_of
from ecgsynth.metrics.attacks.targets import FEWEST_PERSONS, MOST_BEATS, targets_of

MEMBERS, OUTSIDE, OTHERS = range(20), range(20, 40), range(40, 60)
BLACK_BOX = ("distance", "calibrated_distance", "density_ratio")


def test_a_generator_that_keeps_shapes_is_found_out(crowd):
    centres = crowd.shapes[list(MEMBERS)].reshape(-1, 32, 1).astype(np.float32)
    found = attacked_persons(crowd.exposed(crowd.modes(MEMBERS, 2000, 1), MEMBERS, OUTSIDE, centres=centres))
    assert set(found) == {attack.name for attack in PERSON_ATTACKS} - {"shadow", "population"}
    for name in ("calibrated_distance", "density_ratio", "white_box"):
        entry = found[name]
        assert entry["auc"] >= 0.98, name
        assert entry["tpr_10"] >= 0.85, name
        assert (entry["persons_learnt"], entry["persons_outside"]) == (20, 20)
        assert entry["by_beats"]["1"] <= entry["auc"] + 0.01  # one beat tells less than twelve
    assert found["calibrated_distance"]["by_beats"]["5"] > 0.9
    assert "20" not in found["calibrated_distance"]["by_beats"]  # members have 12 later beats


def test_a_generator_that_replays_beats_with_noise_is_found_out(crowd):
    rng = np.random.default_rng(0)
    rows = crowd.of(MEMBERS, 0.0, 0.8)
    rows = rows.take(rng.integers(len(rows), size=2000))
    noisy = replace(rows, values=rows.values + rng.normal(0, 0.02, rows.values.shape).astype(np.float32), owners=None)
    found = attacked_persons(crowd.exposed(noisy, MEMBERS, OUTSIDE))
    assert found["calibrated_distance"]["auc"] >= 0.98
    assert found["density_ratio"]["auc"] >= 0.95


@pytest.mark.parametrize("name", [*BLACK_BOX, "white_box"])
def test_a_generator_of_other_people_gives_nobody_away(people, name):
    """The interval holds 0.5, and the mean over ten draws of people is near it."""
    attack = [entry for entry in PERSON_ATTACKS if entry.name == name]
    areas, held = [], []
    for seed in range(10):
        some = people(60, 40, seed)
        centres = some.shapes[list(OTHERS)].reshape(-1, 32, 1).astype(np.float32)
        exposure = some.exposed(some.modes(OTHERS, 1000, seed), MEMBERS, OUTSIDE, centres=centres, seed=seed)
        entry = attacked_persons(exposure, attack)[name]
        areas.append(entry["auc"])
        held.append(entry["auc_interval"][0] <= 0.5 <= entry["auc_interval"][1])
    assert sum(held) >= 9  # 95 of a hundred intervals do
    assert np.mean(areas) == pytest.approx(0.5, abs=0.09)  # standard error of a mean of ten: 0.03


@pytest.mark.parametrize(("members", "outside"), [(30, 15), (16, 8)])
def test_intervals_hold_chance_though_people_outside_are_compared_with_each_other(people, members, outside):
    """Of 200 draws of people, 3 to 8.5 of a hundred intervals miss, by the attack; 7.5 to 15 where the scores alone are
    resampled, and 5.5 to 7.5 of the attacks that compare with nobody.
    """
    counts = np.cumsum([members, outside, members])
    inside, out, others = np.split(np.arange(counts[-1]), counts[:-1])
    missed, wide, areas = {}, {}, {}
    for seed in range(24):
        some = people(counts[-1], 40, 1000 + seed)
        centres = some.shapes[others].reshape(-1, 32, 1).astype(np.float32)
        exposure = some.exposed(some.modes(others, 3000, seed), inside, out, centres=centres, seed=seed)
        for name, entry in attacked_persons(exposure, seed=seed).items():
            low, high = entry["auc_interval"]
            missed[name] = missed.get(name, 0) + (not low <= 0.5 <= high)
            wide.setdefault(name, []).append((high - low) / 3.92)
            areas.setdefault(name, []).append(entry["auc"])
    assert set(missed) == {"distance", "calibrated_distance", "density_ratio", "white_box"}
    assert max(missed.values()) <= 3
    for name in ("calibrated_distance", "density_ratio", "white_box"):
        assert 1.08 * np.mean(wide["distance"]) < np.mean(wide[name]) < 1.5 * np.mean(wide["distance"])
        assert np.mean(areas[name]) == pytest.approx(0.5, abs=0.1)


def test_an_interval_is_wider_only_where_scores_hang_on_people_outside(crowd):
    targets = targets_of(crowd.exposed(crowd.modes(OTHERS, 1000, 1), MEMBERS, OUTSIDE, seed=1))
    assert stretch_of(uncalibrated_distance(targets), targets) == 1.0
    assert 1.0 < stretch_of(calibrated_distance(targets), targets) < 1.6
    kept = np.setdiff1d(np.arange(targets.compared.shape[1]), [0, 3])
    compared = compared_without(targets, kept)
    there = np.append(np.ones(targets.members.sum(), dtype=bool), np.isin(np.arange(targets.compared.shape[1]), kept))
    assert not compared[:, [0, 3]].any()
    assert set(compared[there].sum(axis=1)) == {len(kept) - 1}  # members and others face equally many
    assert not (compared & ~targets.compared).any()


@pytest.mark.parametrize("name", [*BLACK_BOX, "white_box"])
def test_shuffled_membership_gives_nobody_away(crowd, name):
    attack = [entry for entry in PERSON_ATTACKS if entry.name == name]
    centres = crowd.shapes[list(MEMBERS)].reshape(-1, 32, 1).astype(np.float32)
    made, held, areas = crowd.modes(MEMBERS, 1000, 3), [], []
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(40)
        exposure = crowd.exposed(made, order[:20], order[20:], centres=centres, seed=seed)
        entry = attacked_persons(exposure, attack)[name]
        areas.append(entry["auc"])
        held.append(entry["auc_interval"][0] <= 0.5 <= entry["auc_interval"][1])
    assert sum(held) >= 8  # of 100 shuffles 89 to 95 do, by the attack
    assert np.mean(areas) == pytest.approx(0.5, abs=0.09)


def test_both_kinds_of_target_are_attacked_alike(crowd):
    targets = targets_of(crowd.exposed(crowd.modes(MEMBERS, 50, 1), MEMBERS, OUTSIDE))
    assert targets.compared.sum(axis=1).tolist() == [19] * 40  # of 20 people outside, one is left out for each
    assert not targets.compared[20:].diagonal().any()  # nobody is compared with himself
    assert len(set(np.flatnonzero(~targets.compared[:20])[:20] % 20)) > 5  # of members it is somebody at random
    assert targets.members.tolist() == [True] * 20 + [False] * 20
    assert not targets.learnt
    counts = np.bincount(targets.whose)
    assert (counts == 12).all()  # the later fifth of 60, and as many of people outside
    last = crowd.of([25], 0.5, 1.0).values
    own = targets.beats.take(np.flatnonzero(targets.whose == 25)).values
    assert {value.tobytes() for value in own} < {value.tobytes() for value in last}


def test_no_more_beats_of_a_person_are_used_than_an_attacker_has(people):
    some = people(12, 1500)
    targets = targets_of(some.exposed(some.modes(range(6), 50, 1), range(6), range(6, 12)))
    assert np.bincount(targets.whose).tolist() == [MOST_BEATS] * 12
    assert targets.most == MOST_BEATS


def test_members_without_later_beats_are_attacked_with_those_learnt_and_that_is_said(crowd):
    exposure = crowd.exposed(crowd.modes(MEMBERS, 500, 1), MEMBERS, OUTSIDE, later=None)
    assert targets_of(exposure).learnt
    assert attacked_persons(exposure)["calibrated_distance"]["auc"] > 0.98


def test_too_few_or_unknown_persons_are_not_attacked(crowd):
    made = crowd.modes(MEMBERS, 100, 1)
    few = range(FEWEST_PERSONS - 1)
    assert attacked_persons(crowd.exposed(made, few, OUTSIDE)) == {}
    assert attacked_persons(crowd.exposed(made, OUTSIDE, few)) == {}
    assert attacked_persons(crowd.exposed(made, MEMBERS, MEMBERS)) == {}  # split by beat: nobody is outside
    exposure = crowd.exposed(made, MEMBERS, OUTSIDE)
    assert attacked_persons(replace(exposure, unseen=replace(exposure.unseen, owners=None))) == {}


def test_who_is_in_both_parts_counts_as_a_member(crowd):
    exposure = crowd.exposed(crowd.modes(MEMBERS, 100, 1), MEMBERS, range(15, 40))
    assert targets_of(exposure).members.sum() == 20
    assert len(targets_of(exposure).members) == 40


def test_a_class_that_nobody_else_has_gives_no_number(crowd):
    """Five members have a third class alone: they cannot be compared, and are left out."""
    exposure = crowd.exposed(crowd.modes(MEMBERS, 300, 1), MEMBERS, OUTSIDE)
    odd = np.isin(exposure.later.owners, range(5))
    later = Points(
        values=exposure.later.values, kinds=np.where(odd, 2, exposure.later.kinds), owners=exposure.later.owners
    )
    found = attacked_persons(replace(exposure, later=later))
    assert {name: entry["persons_learnt"] for name, entry in found.items() if name != "distance"} == {
        "calibrated_distance": 15,
        "density_ratio": 15,
    }


def test_how_many_beats_are_needed():
    assert needed({"1": 0.7, "5": 0.89, "20": 0.9, "100": 0.9}) == 5
    assert needed({"1": 0.9}) == 1
    assert needed({"1": 0.45, "5": 0.5}) is None
    assert needed({}) is None


def test_an_attack_is_an_entry_of_the_table(crowd):
    exposure = crowd.exposed(crowd.modes(MEMBERS, 100, 1), MEMBERS, OUTSIDE)
    oracle = SimpleNamespace(
        name="oracle",
        title="knows",
        sees="all",
        prepare=lambda targets: lambda first, end, compared=None: targets.members * 1.0,
    )
    never = SimpleNamespace(name="never", title="cannot", sees="all", prepare=lambda targets: None)
    found = attacked_persons(exposure, [oracle, never])
    assert list(found) == ["oracle"]
    assert found["oracle"]["auc"] == 1.0
    assert found["oracle"]["title"] == "knows"
