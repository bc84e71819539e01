"""Measures of classification, by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as theirs

from ecgsynth.metrics.classification import accuracy, confusion_matrix, f1_by_class, macro_f1

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
