"""Columns that keep their value and columns that go in straight lines: found, learnt, and made again."""

import numpy as np
import pytest
import torch

from ecgsynth.core.records import from_json, to_json
from ecgsynth.models.columns.knots import Holds, HoldsBack, Lines, LinesBack, neighbours, running_maximum

TIME = 24


def held(share=0.6, n=400, seed=0):
    """(n, TIME) random walks that stay where they are at that share of the steps."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(size=(n, TIME)) * (rng.random((n, TIME)) > share)
    return np.cumsum(moves, axis=1).astype(np.float32)


def smooth(n=400, seed=1):
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(size=(n, TIME)), axis=1).astype(np.float32)


def straight(period=6, n=400, seed=2):
    """(n, TIME) walks that are known at every so-manieth step, with lines between; and where the first of those is."""
    rng = np.random.default_rng(seed)
    row = np.arange(n + TIME)
    knots = np.cumsum(rng.normal(size=len(row) // period + 2))
    walk = np.interp(row, period * np.arange(len(knots)), knots)
    return np.stack([walk[start : start + TIME] for start in range(n)]).astype(np.float32), -np.arange(n) % period


def find_holds(values, steps=None, owners=None, repeats=1, lines=()):
    steps = np.zeros(values.shape[2]) if steps is None else np.asarray(steps, dtype=np.float64)
    return Holds.find(values, steps, lines, owners, repeats)


# ---- holds


def test_what_stays_the_same_often_is_found():
    values = np.stack([smooth(), held(0.6), held(0.05), held(0.4, seed=5)], axis=2)
    found = find_holds(values)
    assert found == Holds((1, 3), (True, True))
    assert find_holds(values, lines=(3,)).smooth == (True, False)
    assert find_holds(values, steps=[0, np.nan, 0, np.nan]) is None


def test_what_rounding_alone_keeps_is_not():
    rounded = np.round(smooth() / 2) * 2
    assert (np.diff(rounded, axis=1) == 0).mean() > 0.4
    leaps = 10 * np.round(held(0.6))
    values = np.stack([rounded, leaps], axis=2)
    assert find_holds(values, steps=[2, 1]) == Holds((1,), (True,))
    assert find_holds(values, steps=[0, 0]).channels == (0, 1)


def test_repeats_of_a_few_persons_are_not_published():
    values, people = held()[..., None], np.arange(400) % 30
    assert find_holds(values, owners=people) is not None
    assert find_holds(values, owners=people % 9) is None
    alone = np.where((people < 2)[:, None], 0, smooth())[..., None]  # two of thirty never move
    assert find_holds(alone, owners=people) is None


def test_windows_that_hold_come_back_as_they_were():
    values = np.stack([smooth(), held(), held(0.3, seed=7)], axis=2)
    found = find_holds(values)
    learnt = found.apply(values)
    assert learnt.shape == (400, TIME, 5)
    assert set(np.unique(learnt[..., 3:])) == {0, 1}
    assert np.array_equal(learnt[:, 0, 3:], learnt[:, 1, 3:])
    assert learnt[:, 1:, 3].mean() == pytest.approx((np.diff(values[..., 1], axis=1) != 0).mean())
    assert (
        np.abs(np.diff(learnt[..., 1], n=2, axis=1)).mean() < 0.7 * np.abs(np.diff(values[..., 1], n=2, axis=1)).mean()
    )
    back = HoldsBack(found, TIME, 3)(torch.from_numpy(learnt)).numpy()
    assert np.array_equal(back, values)


def test_a_made_value_is_the_last_one_that_changed():
    back = HoldsBack(Holds((1,), (True,)), 6, 2)
    value, changed = torch.arange(6.0), torch.tensor([0.0, 1, 0.49, 0.51, 0, 0])
    made = back(torch.stack([value, value, changed], dim=1)[None])
    assert made[0, :, 1].tolist() == [0, 1, 1, 3, 3, 3]
    assert made[0, :, 0].tolist() == value.tolist()


@pytest.mark.parametrize("time", [1, 2, 3, 8, 13])
def test_the_running_maximum_is_that_of_a_loop(time):
    x = torch.randn(5, time, 2, generator=torch.Generator().manual_seed(time))
    assert torch.equal(running_maximum(x), x.cummax(dim=1).values)


# ---- lines


@pytest.mark.parametrize("period", [2, 3, 6, 11])
def test_the_period_of_lines_is_found(period):
    values = np.stack([smooth(), straight(period)[0], held(), straight(period, seed=4)[0]], axis=2)
    assert Lines.find(values, np.ones(4, dtype=np.bool_), None, TIME) == Lines((1, 3), period)
    assert Lines.find(values, np.array([True, False, True, False]), None, TIME) is None


def test_a_step_that_is_seldom_is_no_line():
    seldom = (np.cumsum(np.random.default_rng(0).random((400, TIME)) < 0.05, axis=1) * 1.0).astype(np.float32)
    assert Lines.find(seldom[..., None], np.ones(1, dtype=np.bool_), None, 1) is None


def test_lines_come_back_as_they_were_and_know_where_they_bend():
    values, place = straight()
    values = np.stack([smooth(), values], axis=2)
    learnt = Lines((1,), 6).apply(values)
    angle = np.arctan2(learnt[:, 1, 2], learnt[:, 0, 2]) % (2 * np.pi)
    assert np.array_equal(np.rint(angle / (2 * np.pi) * 6) % 6, place)
    assert np.array_equal(learnt[:, 2:, 2], learnt[:, :-2, 2])
    back = LinesBack(Lines((1,), 6), TIME, 2)(torch.from_numpy(learnt)).numpy()
    assert back == pytest.approx(values, abs=1e-5)


def test_where_lines_bend_follows_from_when_windows_start():
    values, _ = straight()
    steps = np.arange(400) + 32  # of the day; the first window starts at a bend
    values = np.stack([smooth(), values], axis=2)
    found = Lines((1,), 6).tied(values, steps)
    assert found == Lines((1,), 6, origin=2)
    assert found.apply(values) is values
    place = torch.from_numpy((2 - steps) % 6)
    back = LinesBack(found, TIME, 2)(torch.from_numpy(values), place).numpy()
    assert back == pytest.approx(values, abs=1e-5)
    first = Lines((1,), 6).tied(values, steps - 2)
    assert first.origin == 0
    assert from_json(Lines, to_json(first)) == first  # an origin of 0 is one
    assert Lines((1,), 6).tied(values, np.random.default_rng(0).permutation(steps)).origin is None


def test_whatever_is_made_bends_at_every_sixth_step_only():
    made = np.random.default_rng(0).normal(size=(300, TIME, 3)).astype(np.float32)
    back = LinesBack(Lines((1,), 6), TIME, 2)(torch.from_numpy(made)).numpy()
    assert np.array_equal(back[..., 0], made[..., 0])
    bent = np.abs(np.diff(back[..., 1].astype(np.float64), n=2, axis=1)) > 1e-5
    places = [set((np.flatnonzero(row) + 1) % 6) for row in bent]
    assert {len(found) for found in places} == {1}
    assert set.union(*places) == set(range(6))


def test_neighbours_of_knots():
    before, after, share = neighbours(np.array([[False, False, True, False, False, False, True, False]]))
    assert before.tolist() == [[0, 0, 2, 2, 2, 2, 6, 6]]
    assert after.tolist() == [[2, 2, 2, 6, 6, 6, 6, 7]]
    assert share.tolist() == [[0, 0.5, 0, 0.25, 0.5, 0.75, 0, 1]]
