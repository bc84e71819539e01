"""Where windows start, what becomes of missing values, and the blocks of a single series."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgsynth.errors import DataError
from ecgsynth.windows.cutting import blocks
from ecgsynth.windows.series import SeriesOptions


@pytest.mark.parametrize(("stride", "starts"), [(1, [0, 1, 2, 3, 4, 5]), (2, [0, 2, 4]), (4, [0, 4]), (5, [0, 5])])
def test_windows_start_every_so_many_rows(read, stride, starts):
    found = read({"x": range(8)}, length=3, stride=stride)
    assert found.values[:, :, 0].tolist() == [[start, start + 1, start + 2] for start in starts]


GAPS = "x,y\n,1\n2,2\n3,\n6,\n8,5\n,6\n"


def test_missing_values_are_refused_with_the_two_ways_out(read):
    with pytest.raises(
        DataError, match=r"got 4, in x \(2\), y \(2\); fill them with --missing interpolate, .* --missing drop$"
    ):
        read(GAPS)


def test_windows_with_a_missing_value_are_dropped(read):
    found = read(GAPS + "9,9\n10,11\n12,13\n", missing="drop")
    assert found.values.tolist() == [[[9, 9], [10, 11]], [[10, 11], [12, 13]]]
    assert found.meta["dropped"] == {"missing values": 6}
    assert found.meta["filled"] == 0


def test_missing_values_are_interpolated_and_ends_held(read):
    found = read(GAPS, missing="interpolate")
    assert found.values[:, 0].tolist() == [[2, 1], [2, 2], [3, 3], [6, 4], [8, 5]]
    assert found.values[-1, 1].tolist() == [8, 6]
    assert found.meta["filled"] == 4
    assert found.meta["dropped"] == {}


def test_interpolation_follows_time(read):
    found = read("t,x\n0,0\n1,\n4,8\n5,9\n", time="t", missing="interpolate")
    assert found.values[:, 0, 0].tolist() == [0, 2, 8]


def test_nothing_is_interpolated_from_one_sequence_to_another(read, people):
    table = people(y=[1, 5, np.nan, np.nan, 3, np.nan, np.nan, np.nan, np.nan])
    found = read(table, id="who", missing="interpolate")
    assert found.values[:, :, 1].tolist() == [[1, 2], [2, 3], [5, 5]]
    assert found.meta["filled"] == 2
    assert found.meta["dropped"] == {"missing values": 3}  # c has no value to go by


def test_a_static_that_is_given_once_holds_throughout(read, people):
    table = people(age=[np.nan, 7, 40, np.nan, np.nan, 60, 60, np.nan, 60])
    found = read(table, id="who", statics=("age",), missing="interpolate")
    assert found.values[:, :, 1].tolist() == [[40, 40], [40, 40], [7, 7], [60, 60], [60, 60], [60, 60]]


@given(rows=st.integers(2, 30_000), length=st.integers(2, 200), stride=st.integers(1, 300))
def test_blocks_share_no_row_and_each_holds_a_window(rows, length, stride):
    if rows < length:
        return
    starts = np.arange(0, rows - length + 1, stride)
    found = blocks(starts, rows, SeriesOptions(length=length, stride=stride))
    names = [name for name in dict.fromkeys(found.tolist()) if name]
    assert names == [f"block {number + 1}" for number in range(len(names))]
    assert 1 <= len(names) <= 100
    if rows >= 100 * max(length, stride):
        assert len(names) >= 10
    if rows >= 3 * length and stride == 1:
        assert len(names) >= 3
    ends = [(starts[found == name][0], starts[found == name][-1] + length) for name in names]
    assert all(end <= start for (_, end), (start, _) in zip(ends, ends[1:], strict=False))
    inside = np.isin(found, names)
    assert set(found[~inside].tolist()) <= {""}


@pytest.mark.parametrize(
    ("rows", "length", "stride", "count", "straddling"),
    [
        (72, 24, 1, 3, 46),  # a block holds one window
        (71, 24, 1, 2, 23),
        (30, 24, 1, 1, 0),
        (3685, 24, 1, 15, 14 * 23),
        (2400, 24, 1, 10, 9 * 23),
        (2000, 24, 1, 10, 9 * 23),
        (500, 24, 1, 6, 5 * 23),
        (1_000_000, 24, 1, 100, 99 * 23),
        (2500, 24, 24, 10, 0),  # blocks meet where windows do
        (10_000, 10, 500, 6, 0),  # windows far apart: a block has several of them still
    ],
)
def test_the_number_of_blocks(rows, length, stride, count, straddling):
    starts = np.arange(0, rows - length + 1, stride)
    found = blocks(starts, rows, SeriesOptions(length=length, stride=stride))
    assert len(set(found.tolist()) - {""}) == count
    assert (found == "").sum() == straddling


def test_windows_across_blocks_are_kept_and_counted(read):
    found = read({"x": np.arange(72.0)}, length=24)
    assert len(found) == 49
    assert found.meta["straddling"] == (found.groups == "").sum() == 46
    assert found.groups[[0, 24, 48]].tolist() == ["block 1", "block 2", "block 3"]
