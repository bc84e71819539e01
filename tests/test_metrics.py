"""Measures of classification against scikit-learn and by hand; distances against loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as theirs

from ecgsynth.errors import DataError
from ecgsynth.metrics import accuracy, confusion_matrix, f1_by_class, macro_f1
from ecgsynth.privacy import BLOCK, nearest_distance, privacy

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


def test_by_hand():
    #               guessed  0  1  2
    confusion = np.array([[6, 2, 0], [1, 3, 0], [0, 0, 4]])
    truth, guess = (np.repeat(np.indices((3, 3))[axis].ravel(), confusion.ravel()) for axis in (0, 1))
    assert confusion_matrix(truth, guess, 3).tolist() == confusion.tolist()
    assert accuracy(confusion) == 13 / 16
    assert f1_by_class(confusion).tolist() == pytest.approx([12 / 15, 6 / 9, 1.0])
    assert macro_f1(confusion) == pytest.approx((12 / 15 + 6 / 9 + 1) / 3)


@given(pairs=PAIRS)
def test_against_sklearn(pairs):
    truth, guess = np.array(pairs).T
    confusion = confusion_matrix(truth, guess, 5)
    assert confusion.tolist() == theirs.confusion_matrix(truth, guess, labels=range(5)).tolist()
    assert accuracy(confusion) == pytest.approx(theirs.accuracy_score(truth, guess))
    expected = theirs.f1_score(truth, guess, labels=range(5), average=None, zero_division=0.0)
    present = np.isin(np.arange(5), truth)
    found = f1_by_class(confusion)
    assert found[present] == pytest.approx(expected[present])
    assert np.isnan(found[~present]).all()
    assert macro_f1(confusion) == pytest.approx(expected[present].mean())


def test_a_class_that_is_not_there_has_no_f1_but_a_missed_one_has_zero():
    confusion = confusion_matrix(np.array([0, 0, 1]), np.array([0, 2, 0]), 4)
    found = f1_by_class(confusion)
    assert found[:2].tolist() == [0.5, 0.0]  # 1 is there and was missed
    assert np.isnan(found[2:]).all()  # 2 was guessed and is not there; 3 is nowhere
    assert macro_f1(confusion) == 0.25


def test_accuracy_of_nothing_is_zero():
    assert accuracy(np.zeros((3, 3), dtype=np.int64)) == 0.0


def slow_distance(query, against):
    return min(float(np.sqrt(np.mean((query.astype(float) - other.astype(float)) ** 2))) for other in against)


def draw(seed, n, time=6, channels=2):
    return np.random.default_rng(seed).normal(size=(n, time, channels)).astype(np.float32)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (17, 40), (BLOCK + 3, 5)])
def test_nearest_distance_against_loops(n, m):
    queries, against = draw(0, n), draw(1, m)
    expected = [slow_distance(query, against) for query in queries]
    assert nearest_distance(queries, against) == pytest.approx(expected, rel=1e-6)


def test_nearest_distance_by_hand():
    against = np.array([[[0.0], [0.0]], [[10.0], [10.0]]], dtype=np.float32)
    queries = np.array([[[3.0], [4.0]], [[10.0], [10.0]], [[9.0], [10.0]]], dtype=np.float32)
    assert nearest_distance(queries, against) == pytest.approx([12.5**0.5, 0.0, 0.5**0.5])
    assert nearest_distance(queries[:0], against).shape == (0,)


def test_a_distance_to_nothing_is_an_error():
    with pytest.raises(DataError, match="nothing to measure the distance to"):
        nearest_distance(draw(0, 2), draw(0, 0))


def test_copies_are_counted_and_found_with_noise_of_a_ten_thousandth():
    learnt, unseen = draw(0, 300), draw(1, 200)
    found = privacy(np.concatenate([learnt[:7], learnt[7:10] + np.float32(1e-5), draw(2, 90)]), learnt, unseen)
    assert found["copies"] == 10
    assert found["windows_synthetic"] == 100
    assert found["windows_unseen"] == 200
    assert found["closer_than_unseen"] == pytest.approx(0.1, abs=0.04)


def test_what_a_copy_is_to_the_thousandth():
    learnt = np.zeros((1, 4, 1), dtype=np.float32)
    unseen = np.full((3, 4, 1), 2.0, dtype=np.float32)
    near = np.array([0.0019, 0.0021], dtype=np.float32).reshape(2, 1, 1).repeat(4, axis=1)
    assert privacy(near, learnt, unseen)["copies"] == 1


def test_all_copies():
    learnt = draw(0, 50)
    found = privacy(learnt[::-1], learnt, draw(1, 40))
    assert found["copies"] == 50
    assert found["median_distance_synthetic"] == 0.0
    assert found["ratio"] == 0.0
    assert found["closer_than_unseen"] == 1.0


def test_new_draws_of_the_same_distribution_are_as_far_as_unseen_ones():
    found = privacy(draw(0, 1500), draw(1, 400), draw(2, 1500))
    assert found["ratio"] == pytest.approx(1, abs=0.03)
    assert found["closer_than_unseen"] == pytest.approx(0.01, abs=0.01)
    assert found["copies"] == 0


def test_the_ratio_by_hand():
    learnt = np.zeros((1, 4, 1), dtype=np.float32)
    unseen = np.full((3, 4, 1), 2.0, dtype=np.float32)
    synthetic = np.array([0.5, 1.0, 4.0], dtype=np.float32).reshape(3, 1, 1).repeat(4, axis=1)
    found = privacy(synthetic, learnt, unseen)
    assert found["median_distance_synthetic"] == 1.0
    assert found["median_distance_unseen"] == 2.0
    assert found["ratio"] == 0.5
    assert found["closer_than_unseen"] == pytest.approx(2 / 3)


def copies_found_at(offset):
    learnt, unseen = (draw(seed, 400, time=64, channels=1) * np.float32(0.02) + np.float32(offset) for seed in (0, 1))
    return privacy(learnt[::-1], learnt, unseen)["copies"]


def test_no_offset_of_an_unfiltered_ecg_hides_a_copy():
    # Far from zero, |a|^2 - 2ab in single precision loses what tells near neighbours apart.
    assert copies_found_at(5) == 400


def test_no_offset_of_any_series_hides_a_copy():
    assert copies_found_at(300) == 400  # kelvin, say
