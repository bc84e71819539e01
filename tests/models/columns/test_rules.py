"""Rules between the columns of a series: what is found, how it is learnt, and that everything made keeps it."""

import numpy as np
import pytest
import torch

from ecgsynth.core.disclosure import PERSONS
from ecgsynth.models.columns.rules import LEAST_ROWS, Excess, Rules, RulesBack, RulesKept


def prices(n=300, time=6, seed=0):
    """(n, time, 6) Open, High, Low, Close, a copy of it, and a volume that has nothing to do with them."""
    rng = np.random.default_rng(seed)
    opened, close = 20 + np.cumsum(rng.normal(size=(2, n, time)), axis=2)
    above, below = rng.exponential(size=(2, n, time)) * (rng.random((2, n, time)) > 0.1)
    high, low = np.maximum(opened, close) + above, np.minimum(opened, close) - below
    volume = rng.normal(20, 3, (n, time))
    return np.stack([opened, high, low, close, close, volume], axis=2).astype(np.float32)


def find(values, owners=None, repeats=1, kinds=None):
    return Rules.find(values, owners, repeats, [0] * values.shape[2] if kinds is None else kinds)


def broken(values, pairs):
    return sum(int((values[..., low] > values[..., high]).sum()) for low, high in pairs)


def test_the_order_of_prices_is_found_and_nothing_else():
    found = find(prices())
    assert set(found.pairs) == {(2, 0), (2, 3), (2, 1), (0, 1), (3, 1)}
    assert found.copies == ((4, 3),)
    assert set(found.excesses) == {Excess(1, (0, 3), above=True), Excess(2, (0, 3), above=False)}


def test_a_rule_that_one_row_breaks_is_none():
    values = prices()
    values[17, 3, 0] = values[17, 3, 1] + 0.01
    assert (0, 1) not in find(values).pairs
    values[17, 3, 4] += 1
    assert find(values).copies == ()
    assert find(prices()[..., 5:]) is None


def test_what_is_a_matter_of_course_is_no_rule():
    rng = np.random.default_rng(1)
    inside, outside = rng.uniform(0, 10, 4000), rng.uniform(9.9, 20, 4000)
    assert find(np.stack([inside, np.maximum(outside, inside)], axis=-1)[:, None].astype(np.float32)) is None


def test_a_missing_value_says_nothing():
    values = prices()
    values[5, 1, 0] = values[9, :, 3:5] = np.nan
    assert set(find(values).pairs) == set(find(prices()).pairs)


def test_a_rule_is_of_persons_enough():
    values = prices()
    people = np.arange(len(values)) % PERSONS
    assert find(values, people) is not None
    assert find(values, np.minimum(people, PERSONS - 2)) is None
    rows = LEAST_ROWS // values.shape[1] + 1
    assert find(values[:rows]) is not None
    assert find(values[:rows], repeats=2) is None


def test_windows_come_back_as_they_were():
    values, found = prices(), find(prices())
    learnt = found.apply(values)
    assert learnt.shape == (300, 6, 5)
    assert learnt[..., 1:3].min() == 0  # a high price is learnt as what it is above the others
    assert (learnt[..., 1] == 0).mean() == pytest.approx(0.1, abs=0.03)
    back = RulesBack(found, 6)(torch.from_numpy(learnt)).numpy()
    assert back == pytest.approx(values, abs=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_made_keeps_the_rules(seed):
    # Columns in a random partial order: each is above the highest of some of those before it.
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(400, 2, 7))
    for channel in range(1, 7):
        others = np.flatnonzero(rng.random(channel) < 0.4)
        if len(others):
            values[..., channel] = values[..., others].max(axis=2) + rng.exponential(0.3, (400, 2))
    values = values[..., rng.permutation(7)].astype(np.float32)
    found = find(values)
    assert len(found.excesses) >= 3
    assert broken(values, found.pairs) == 0
    back = RulesBack(found, 7)
    assert back(torch.from_numpy(found.apply(values))).numpy() == pytest.approx(values, abs=1e-5)
    made = torch.from_numpy(rng.normal(size=(50, 2, 7)).astype(np.float32) * 1e3)
    assert broken(back(made).numpy(), found.pairs) == 0


def test_between_columns_of_different_kinds_no_difference_is_learnt():
    found = find(prices(), kinds=[0, 1, 0, 0, 0, 0])
    assert (0, 1) in found.pairs
    assert found.excesses == (Excess(2, (0, 3), above=False),)
    assert find(prices(), kinds=[0, -1, 0, 0, 0, 0]).pairs == ((2, 0), (2, 3))


def test_rounding_and_bounds_leave_no_rule_broken():
    rules = Rules(pairs=((0, 1), (1, 2), (0, 2)), copies=((4, 3),), excesses=())
    steps = np.array([1.0, 10.0, 0.5, 0, 0], dtype=np.float32)
    rng = np.random.default_rng(0)
    values = np.sort(rng.uniform(0, 40, (500, 4, 5)), axis=2)
    whole = steps > 0
    values[..., whole] = np.round(values[..., whole] / steps[whole]) * steps[whole]
    values = values.astype(np.float32)
    assert broken(values, rules.pairs) > 100
    kept = RulesKept(rules, steps)(torch.from_numpy(values)).numpy()
    assert broken(kept, rules.pairs) == 0
    assert np.array_equal(kept[..., 4], kept[..., 3])
    assert np.array_equal(kept[..., 1], values[..., 1])  # the coarsest stays
    assert (kept[..., whole] % steps[whole] == 0).all()
    assert np.abs(kept - values)[..., :3].max() <= 10
