"""The data type: what it refuses, what its parts, classes and marks are."""

import numpy as np
import pytest

from ecgsynth.errors import DataError
from ecgsynth.windows.windows import PARTS, Windows, check_windows

CLASSES = ("N", "S", "V", "F", "Q")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.zeros((3, 4), np.float32), r"shape \(n, time, channels\), got shape \(3, 4\); .* values\[..., None\]"),
        (np.zeros((3, 4, 1, 1), np.float32), r"got shape \(3, 4, 1, 1\)"),
        (np.zeros((3, 4, 1)), r"expected windows of float32, got float64; convert with values\.astype"),
        (np.zeros((3, 4, 1), np.int16), "expected windows of float32, got int16"),
        (np.array([[[0]], [[np.nan]], [[np.inf]]], np.float32), "got NaN or infinity in 2 of 3; drop or repair"),
    ],
)
def test_check_windows(make, values, sentence):
    with pytest.raises(DataError, match=sentence):
        check_windows(values)
    with pytest.raises(DataError, match=sentence):
        make(3, values=values, channel_names=("a",))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"channel_names": ("MLII",)}, r"expected 2 channel names, got \['MLII'\]"),
        ({"labels": np.zeros(9, np.int64)}, "expected 10 labels, one a window, got 9"),
        ({"groups": np.array(["a"])}, "expected 10 groups, one a window, got 1"),
        ({"parts": np.zeros(11, np.int8)}, "expected 10 parts, one a window, got 11"),
        ({"rr_s": np.zeros((2, 2), np.float32)}, "expected 10 rr_s, one a window, got 2"),
        ({"rr_s": np.zeros(10, np.float32)}, r"expected rr_s of shape \(n, 2\), .* got shape \(10,\)"),
        ({"rr_s": np.zeros((10, 3), np.float32)}, r"expected rr_s of shape \(n, 2\), .* got shape \(10, 3\)"),
        ({"labels": np.arange(10) - 1}, "positions in the 5 classes, got -1 to 8"),
        ({"labels": np.full(10, 5)}, "got 5 to 5"),
    ],
)
def test_what_does_not_fit_together_is_named(make, changed, sentence):
    with pytest.raises(DataError, match=sentence):
        make(**changed)


def test_take(make, assert_same):
    windows = make()
    by_mask, by_place = windows.take(windows.labels == 2), windows.take(np.array([2, 7]))
    assert_same(by_mask, by_place)
    assert by_place.values.tolist() == [windows.values[2].tolist(), windows.values[7].tolist()]
    assert by_place.labels.tolist() == [2, 2]
    assert by_place.groups.tolist() == ["a", "b"]
    assert by_place.parts.tolist() == [2, 1]
    assert by_place.records.tolist() == ["r2", "r3"]
    assert by_place.rr_s.tolist() == [[2, 3], [7, 8]]
    assert windows.take(np.array([7, 2])).rr_s[:, 0].tolist() == [7, 2]  # in the order asked for
    assert len(windows.take(np.array([], dtype=int))) == 0


def test_part(make):
    windows = make()
    assert [windows.part(name).rr_s[:, 0].tolist() for name in PARTS] == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8], []]
    with pytest.raises(DataError, match="^a part is one of train, validation, test, later, got 'dev'$"):
        windows.part("dev")
    with pytest.raises(DataError, match="not split yet; run 'ecgsynth prepare'"):
        make(parts=None).part("train")


def test_keep_classes(make, assert_same):
    kept = make().keep_classes(("Q", "S"))
    assert kept.classes == ("S", "Q")  # the order of before
    assert kept.labels.tolist() == [0, 1, 0, 1]
    assert kept.rr_s[:, 0].tolist() == [1, 4, 6, 9]
    assert kept.counts() == {"S": 2, "Q": 2}
    assert_same(make().keep_classes(CLASSES), make())
    with pytest.raises(DataError, match="^there is no class 'X'; the classes are N, S, V, F, Q$"):
        make().keep_classes(("N", "X"))
    with pytest.raises(DataError, match="expected at least one class to keep, got none"):
        make().keep_classes(())


def test_counts_and_shares(make):
    windows = make(12)
    assert windows.counts() == {"N": 3, "S": 3, "V": 2, "F": 2, "Q": 2}
    assert windows.shares() == pytest.approx(np.array([3, 3, 2, 2, 2]) / 12)
    assert make(1).shares().tolist() == [1, 0, 0, 0, 0]  # a class without windows has its place
    assert make(0).shares().tolist() == [0] * 5
    assert [windows.code(name) for name in CLASSES] == [0, 1, 2, 3, 4]


def test_fingerprint_is_of_the_windows_alone(make, tmp_path):
    windows = make()
    mark = windows.fingerprint()
    windows.save(tmp_path / "a.npz")
    assert Windows.load(tmp_path / "a.npz").fingerprint() == mark
    # What is known beside values and classes does not count, nor do classes that no window has.
    assert make(groups=None, parts=None, rr_s=None, meta={}).fingerprint() == mark
    some = windows.take(np.isin(windows.labels, [1, 4]))
    assert windows.keep_classes(("S", "Q")).fingerprint() == some.fingerprint() != mark


def test_fingerprint_tells_windows_apart(make):
    windows = make()
    values = windows.values.copy()
    values[3, 2, 1] = np.nextafter(values[3, 2, 1], np.float32(1e9))
    others = [
        make(values=values),
        make(labels=np.append(windows.labels[:-1], 0)),
        make(9),
        make(11),
        windows.take(np.arange(10)[::-1]),
        make(classes=("N", "S", "V", "F", "X")),
    ]
    marks = [windows.fingerprint(), *(other.fingerprint() for other in others)]
    assert len(set(marks)) == len(marks)
    assert all(len(mark) == 64 and int(mark, 16) for mark in marks)
