"""Stretches of time: no row of a window that is tested on is in one that was learnt from, however windows were cut."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecgsynth.metrics.judges.blocks import FOLDS, Parted, in_halves, learnt_and_tested, stretches, stretches_of
from ecgsynth.windows.info import SeriesInfo, SeriesOptions
from ecgsynth.windows.windows import Windows

CUT = (st.integers(1, 400), st.integers(2, 24), st.integers(1, 30), st.integers(2, 6), st.integers(0, 3))


def rows_of(starts: NDArray[Any], length: int) -> set[int]:
    return {int(start) + step for start in starts for step in range(length)}


def series(n: int, length: int, stride: int = 1, owners: NDArray[Any] | None = None, classes: int = 1) -> Windows:
    """Windows whose only value is the row that it stands in: of one series, or of several after one another."""
    starts = stride * np.arange(n) + (0 if owners is None else 10_000 * owners)
    values = (starts[:, None] + np.arange(length))[:, :, None].astype(np.float32)
    labels = np.zeros(n, dtype=np.int64) if owners is None else owners % classes
    return Windows(
        values=values,
        fs_hz=1.0,
        units="as given",
        channel_names=("row",),
        classes=tuple("abc"[:classes]),
        labels=labels,
        groups=None if owners is None else owners.astype(np.str_),
        series=SeriesInfo(options=SeriesOptions(length=length, stride=stride)),
        meta={"kind": "series", "split": "none"},
    )


@given(*CUT)
def test_windows_of_two_stretches_share_no_row(n: int, length: int, stride: int, least: int, dropped: int) -> None:
    kept = np.flatnonzero(np.random.default_rng(dropped).random(n) >= 0.1 * dropped)  # some held a missing value
    overlap = math.ceil(length / stride) if stride < length else 0
    found = stretches(len(kept), overlap, least=least)
    if found is None:
        assert len(kept) // least <= overlap
        return
    used = [rows_of(stride * kept[found == number], length) for number in range(found.max() + 1)]
    assert len(used) >= least
    assert all(used)
    assert sum(map(len, used)) == len(set().union(*used))


@pytest.mark.parametrize(("n", "overlap", "share"), [(19_712, 24, 0.92), (19_000, 256, 0.6), (3_661, 24, 0.6)])
def test_most_windows_of_a_long_series_are_used(n: int, overlap: int, share: float) -> None:
    found = stretches(n, overlap)
    assert found is not None
    assert (found >= 0).mean() > share
    assert found.max() + 1 >= 24


def test_with_ids_a_stretch_is_a_sequence_and_classes_take_turns() -> None:
    owners = np.repeat(np.arange(24), 5)
    found = stretches(120, 4, owners, owners % 2, seed=1)
    assert found is not None
    pairs = set(zip(owners.tolist(), found.tolist(), strict=True))
    assert len(pairs) == 24
    assert {number for _, number in pairs} == set(range(24))
    for fold in range(FOLDS):
        in_fold = [owner % 2 for owner, number in pairs if number % FOLDS == fold]
        assert (len(in_fold), sum(in_fold)) == (8, 4)
    assert not np.array_equal(found, stretches(120, 4, owners, owners % 2, seed=2))


def test_two_long_sequences_are_cut_in_time() -> None:
    found = stretches(400, 8, np.repeat([0, 1], 200))
    assert found is not None
    assert found.max() > 6
    assert (found < 0).any()


@pytest.mark.parametrize(("length", "stride"), [(24, 1), (24, 5), (8, 8)])
@pytest.mark.parametrize("n", [230, 1000])
def test_a_classifier_is_tested_on_no_row_that_it_learnt_from(length: int, stride: int, n: int) -> None:
    learn, check = learnt_and_tested(n, math.ceil(length / stride))
    assert not rows_of(stride * learn, length) & rows_of(stride * check, length)
    assert len(set(learn.tolist()) | set(check.tolist())) == len(learn) + len(check) > n / 2
    assert 0.2 < len(check) / (len(learn) + len(check)) < 0.5
    assert (np.diff(learn) < 0).any()  # in random order, so that some of them are some of all
    for some, again in zip((learn, check), learnt_and_tested(n, math.ceil(length / stride)), strict=True):
        assert np.array_equal(some, again)


@pytest.mark.parametrize(("n", "overlap"), [(100, 0), (30, 12)])
def test_windows_that_do_not_overlap_or_are_too_few_are_parted_at_random(n: int, overlap: int) -> None:
    learn, check = learnt_and_tested(n, overlap)
    assert (len(learn), len(check)) == (round(0.7 * n), n - round(0.7 * n))
    assert sorted([*learn, *check]) == list(range(n))


# ---- two sets of windows


OWNERS = np.repeat(np.arange(36), 7)


@pytest.mark.parametrize("real", [series(900, 12), series(900, 12, 5), series(252, 4, 2, OWNERS, classes=3)])
def test_real_beside_real_shares_no_row_between_sides_or_folds(real: Windows) -> None:
    parted = in_halves(real)
    assert parted is not None
    both = ((parted.real, parted.real_folds), (parted.other, parted.other_folds))
    pieces = [set(windows.values[folds == fold].ravel()) for windows, folds in both for fold in range(FOLDS)]
    assert sum(map(len, pieces)) == len(set().union(*pieces))
    assert min(map(len, pieces)) > 0.5 * max(map(len, pieces))
    for fold in range(FOLDS):
        (learnt, tested), (others_learnt, others_tested) = parted.rows(fold, 0)
        assert set(parted.real_folds[tested]) == set(parted.other_folds[others_tested]) == {fold}
        assert set(parted.real_folds[learnt]) == set(parted.other_folds[others_learnt]) == {0, 1, 2} - {fold}
        for own, its in ((learnt, others_learnt), (tested, others_tested)):
            assert parted.real.take(own).counts() == parted.other.take(its).counts()


def test_a_stretch_has_neighbours_of_its_own_kind_as_often_as_not() -> None:
    """A judge that knows no more than which learnt window lies nearest in time is not misled."""
    parted = in_halves(series(3000, 12))
    assert parted is not None
    right = []
    for fold in range(FOLDS):
        (learnt, tested), (others_learnt, others_tested) = parted.rows(fold, 0)
        own, its = (parted.real.values[learnt, 0, 0], parted.other.values[others_learnt, 0, 0])
        for kind, rows in ((True, parted.real.values[tested]), (False, parted.other.values[others_tested])):
            at = rows[:, 0]
            right += ((np.abs(at - own).min(axis=1) < np.abs(at - its).min(axis=1)) == kind).tolist()
    assert 0.5 < np.mean(right) < 0.8


def test_synthetic_windows_stand_alone() -> None:
    made = dataclasses.replace(series(90, 12), meta={"kind": "series", "synthetic": True})
    found = stretches_of(made)
    assert found is not None
    assert sorted(found.tolist()) == list(range(90))
    parted = Parted.of(series(300, 12), made)
    assert parted is not None
    learnt, tested = parted.rows(1, 0)[0]
    assert not rows_of(learnt, 12) & rows_of(tested, 12)  # row k starts at k


@pytest.mark.parametrize("n", [30, 40, 60])
def test_too_few_windows_are_not_parted(n: int) -> None:
    made = dataclasses.replace(series(n, 12), meta={"kind": "series", "synthetic": True})
    assert Parted.of(series(n, 12), made) is None
    assert in_halves(series(n, 12)) is None
