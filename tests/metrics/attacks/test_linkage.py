"""A classifier of persons recognises those whose shape was kept, and nobody whom it never saw."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ecgsynth.metrics.attacks.linkage import Bar, album_of, linkage, shortened
from ecgsynth.metrics.classifier import ClassifierConfig

pytestmark = pytest.mark.trains

MEMBERS, OUTSIDE, OTHERS = range(20), range(20, 35), range(40, 60)
CONFIG = ClassifierConfig(steps=150, width=8, batch=64)


@pytest.fixture(scope="module")
def folk(people):
    return people(60, 100)


@pytest.mark.parametrize("seed", [0, 1])
def test_kept_shapes_are_recognised_and_those_of_others_are_not(folk, seed):
    found = linkage(folk.exposed(folk.modes(MEMBERS, 800, 1), MEMBERS, OUTSIDE), seed=seed, config=CONFIG)
    assert found["recognised"] > 0.4  # of seeds 0 to 3: 0.62 to 0.69
    assert found["own"] == pytest.approx(0.63, abs=0.1)  # 0.60 to 0.65
    assert found["never_seen"] < 0.05  # 0 to 0.006
    assert found["accuracy"] > 0.85  # 0.92 to 0.96
    assert (found["persons"], found["persons_never_seen"]) == (30, 5)
    low, high = found["recognised_interval"]
    assert low < found["recognised"] < high
    others = linkage(folk.exposed(folk.modes(OTHERS, 800, 1), MEMBERS, OUTSIDE), seed=seed, config=CONFIG)
    assert others["recognised"] < 0.06  # 0.01 to 0.03


def test_strangers_are_people_outside_or_else_members(folk):
    rng = np.random.default_rng(0)
    apart = album_of(folk.exposed(folk.modes(MEMBERS, 50, 1), MEMBERS, OUTSIDE), rng)
    assert apart.members.sum() == 20
    assert len(set(apart.never.owners)) == 5
    mixed = album_of(folk.exposed(folk.modes(MEMBERS, 50, 1), range(40), range(40)), rng)
    assert mixed.members.tolist() == [True] * 36
    assert len(set(mixed.never.owners)) == 4
    few = album_of(folk.exposed(folk.modes(MEMBERS, 50, 1), range(6), range(6)), rng)
    assert few.never is None


def test_members_with_few_later_beats_are_known_all_the_same(folk):
    exposure = folk.exposed(folk.modes(MEMBERS, 50, 1), MEMBERS, OUTSIDE)
    short = replace(exposure, later=folk.of(MEMBERS, 0.95, 1.0))  # five each: half of those learnt are held instead
    assert album_of(short, np.random.default_rng(0)).members.sum() == 20


def test_without_members_nothing_could_be_recognised_so_nothing_is_said(folk):
    exposure = folk.exposed(folk.modes(MEMBERS, 50, 1), MEMBERS, OUTSIDE)
    rows = np.flatnonzero(np.isin(exposure.learnt.owners, range(11)))
    thin = exposure.learnt.take(np.setdiff1d(np.arange(len(exposure.learnt)), rows[np.arange(len(rows)) % 8 > 0]))
    assert album_of(replace(exposure, learnt=thin), np.random.default_rng(0)) is None


def test_no_beat_is_both_learnt_and_held(folk):
    album = album_of(folk.exposed(folk.modes(MEMBERS, 50, 1), MEMBERS, OUTSIDE), np.random.default_rng(0))
    sums = [{value.tobytes() for value in points.values} for points in (album.learnt, album.held, album.never)]
    assert not sums[0] & sums[1]
    assert not sums[2] & (sums[0] | sums[1])
    assert np.bincount(album.held.owners).min() >= 10


def test_too_few_persons_are_not_linked(folk):
    made = folk.modes(MEMBERS, 50, 1)
    assert linkage(folk.exposed(made, range(2), range(2)), config=CONFIG) is None
    exposure = folk.exposed(made, MEMBERS, OUTSIDE)
    assert linkage(replace(exposure, learnt=replace(exposure.learnt, owners=None)), config=CONFIG) is None
    assert (
        linkage(replace(exposure, learnt=folk.of(MEMBERS, 0, 0.1), unseen=folk.of(OUTSIDE, 0, 0.1)), config=CONFIG)
        is None
    )


def test_the_bar_by_hand():
    scores = np.repeat(np.arange(10.0), 2).reshape(10, 2)
    bar = Bar(scores, np.zeros(10, dtype=np.int64), 2, np.zeros(10, dtype=np.int64))
    passed, said = bar.passed(np.array([0, 0, 0, 1]), np.array([[9.0, 9.0], [1.0, 9.0], [2.0, 9.0], [9.0, 9.0]]))
    assert passed.tolist() == [True, False, True, False]  # both scores count; of the second person nothing is known
    assert said.tolist() == [0, 0, 0, 1]


def test_nobody_is_recognised_whose_own_beats_are_mostly_taken_for_others():
    scores, real = np.repeat(np.arange(10.0), 2).reshape(10, 2), np.zeros(10, dtype=np.int64)
    wrong = np.where(np.arange(10) < 3, 1, 0)
    bar = Bar(scores, real, 2, wrong)
    assert not bar.passed(np.array([0]), np.array([[99.0, 99.0]]))[0].any()


def test_long_windows_are_shortened_by_means():
    values = np.arange(12.0, dtype=np.float32).reshape(1, 12, 1)
    assert shortened(values, 4)[0, :, 0].tolist() == [1, 4, 7, 10]
    assert shortened(values, 7) is values
    assert torch.from_numpy(shortened(values, 5)).shape == (1, 6, 1)
