"""The figures of an attack against sklearn, against loops and by hand, and their intervals against repetition."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score, roc_curve

from ecgsynth.errors import DataError
from ecgsynth.metrics.attacks.figures import FIGURES, auc, auc_error, figures_of, share_interval


@pytest.mark.parametrize(("n", "m"), [(1, 1), (30, 50), (200, 7)])
@pytest.mark.parametrize("steps", [3, 1000])  # few values, so that there are ties
def test_auc_against_sklearn(n, m, steps):
    rng = np.random.default_rng(n)
    members, others = rng.integers(0, steps, n) / 7, rng.integers(0, steps, m) / 7
    truth = np.repeat([1, 0], [n, m])
    assert auc(members, others) == pytest.approx(roc_auc_score(truth, np.concatenate([members, others])))
    assert auc(members, others) == pytest.approx(1 - auc(others, members))


def test_auc_by_hand():
    assert auc(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1
    assert auc(np.array([1.0, 3.0]), np.array([2.0, 3.0])) == (0 + 0 + 1 + 0.5) / 4
    with pytest.raises(DataError, match="needs members and others, got 0 and 2"):
        auc(np.empty(0), np.array([1.0, 2.0]))


def test_the_standard_error_is_that_of_hanley_and_mcneil():
    # Their example: 51 abnormal and 58 normal images, an area of 0.893, and a standard error of 0.032.
    assert auc_error(0.893, 51, 58) == pytest.approx(0.032, abs=0.0006)
    assert auc_error(1.0, 10, 20) == 0
    # Of guessing, it is that of the Wilcoxon statistic: sqrt((n + m + 1) / (12 n m)).
    assert auc_error(0.5, 30, 50) == pytest.approx(np.sqrt(81 / (12 * 30 * 50)))


def test_the_standard_error_is_the_spread_of_repeated_attacks():
    rng = np.random.default_rng(0)
    areas = [auc(rng.exponential(size=40), rng.exponential(size=60)) for _ in range(2000)]
    assert np.std(areas) == pytest.approx(auc_error(0.5, 40, 60), rel=0.05)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (30, 50), (200, 7)])
@pytest.mark.parametrize("steps", [3, 1000])
def test_all_figures_against_sklearn(n, m, steps):
    rng = np.random.default_rng(n + steps)
    members, others = rng.integers(0, steps, n) / 7 + 0.3, rng.integers(0, steps, m) / 7
    truth, scores = np.repeat([1, 0], [n, m]), np.concatenate([members, others])
    found = figures_of(members, others, resamplings=20)
    assert found["auc"] == pytest.approx(auc(members, others))
    alarms, hits, _ = roc_curve(truth, scores, drop_intermediate=False)
    for name, rate in (("tpr_1", 0.01), ("tpr_10", 0.1)):
        assert found[name] == pytest.approx(hits[alarms <= rate + 1e-9].max())
    best = max(f1_score(truth, scores >= bound) for bound in scores)
    base = f1_score(truth, np.ones(n + m))
    assert found["relative_f1"] == pytest.approx((best - base) / (1 - base))


def test_the_rates_by_hand():
    found = figures_of(np.array([5.0, 4.0, 2.0, 0.0]), np.array([3.0, 1.0]))
    assert found["auc"] == (1 + 1 + 0.5 + 0) / 4
    assert found["tpr_1"] == found["tpr_10"] == 0.5  # of two others, none may be taken for a member
    assert found["relative_f1"] == 0.0  # all in: 2 * 4 / (8 + 2) = 0.8; 3 of 4 with one alarm: 6 / 8; 2 of 4: 4 / 6
    perfect = figures_of(np.array([2.0, 3.0]), np.array([0.0, 1.0]))
    assert [perfect[name] for name in FIGURES] == [1.0] * 4
    assert perfect["auc_interval"] == [1.0, 1.0]


def test_an_interval_holds_the_true_figure_about_95_times_of_a_hundred():
    rng = np.random.default_rng(0)
    inside, wide = 0, []
    for seed in range(300):
        members, others = rng.normal(1, 1, 30), rng.normal(0, 1, 30)  # an area of Phi(1 / sqrt(2)) = 0.760
        low, high = figures_of(members, others, seed=seed, resamplings=300)["auc_interval"]
        inside += low <= 0.7602 <= high
        wide.append(high - low)
    assert inside / 300 == pytest.approx(0.95, abs=0.03)
    assert np.mean(wide) == pytest.approx(2 * 1.96 * auc_error(0.76, 30, 30), rel=0.1)


def test_a_rate_of_zero_is_not_known_to_be_zero():
    found = figures_of(np.arange(20.0), np.arange(20.0, 60.0))
    assert (found["auc"], found["tpr_1"]) == (0.0, 0.0)
    assert found["tpr_1_interval"] == pytest.approx([0.0, 0.161], abs=0.001)  # Wilson's, of 0 of 20


def test_the_interval_of_a_share_is_that_of_wilson():
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, 15 of 148, 0 of 20 and 1 of 29.
    for hits, n, expected in (
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ):
        assert share_interval(hits / n, n) == pytest.approx(expected, abs=6e-5)


def test_the_same_seed_gives_the_same_interval():
    rng = np.random.default_rng(3)
    members, others = rng.normal(size=40), rng.normal(size=30)
    once = figures_of(members, others, seed=1)
    assert once == figures_of(members, others, seed=1)
    assert once != figures_of(members, others, seed=2)


def test_figures_of_nobody_are_an_error():
    for members, others in ((0, 2), (2, 0)):
        with pytest.raises(DataError, match=f"needs members and others, got {members} and {others}"):
            figures_of(np.zeros(members), np.zeros(others))
