"""Which columns are channels, and what is known of each: its type, its steps, its decimals, its bounds."""

import numpy as np
import pandas as pd
import pytest

from ecgsynth.windows.columns import decimals, quantum
from ecgsynth.windows.series import SeriesOptions, read_series


def test_named_columns_come_in_the_order_of_their_names(read):
    table = {"a": [1, 2, 3], "b": [4, 6, 5], "c": [7, 9, 8], "word": list("xyz")}
    assert read(table, columns=("c", "a")).channel_names == ("c", "a")
    assert read(table, columns=("c", "a")).values[0].tolist() == [[7, 1], [9, 2]]
    assert read(table, columns=("c", "a")).meta["left_out"] == {}


def test_columns_that_are_no_numbers_are_left_out_and_said(read):
    lines = "a,word,mixed,empty,date,\n1,u,1,,2024-01-01,0\n2,v,2,,2024-01-02,1\n3,w,oops,,2024-01-03,2\n"
    found = read(lines)
    assert found.channel_names == ("a",)  # and not the column without a name, pandas' index
    assert found.meta["left_out"] == {
        "word": "is not numeric",
        "mixed": "is not numeric, first in data row 3",
        "empty": "has no value",
        "date": "is not numeric",
    }


def test_what_is_known_of_a_column_is_enough_to_write_it(read):
    table = {
        "tens": [0, 30, 10, 20],
        "flag": [True, False, True, True],
        "below": [-1.5, 2, 0.5, 1],
        "fine": [0.1234, 0.5, 0.7, 0.9],
        "halves": [1.0, 2.0, 4.0, 3.0],
    }
    known = {about.name: about for about in read(table).series.columns}
    assert {name: (about.dtype, about.quantum) for name, about in known.items()} == {
        "tens": ("int64", 10.0),
        "flag": ("bool", 1.0),
        "below": ("float64", 0.1),
        "fine": ("float64", None),
        "halves": ("float64", 1.0),
    }


def test_whole_numbers_stay_so_beside_a_missing_one(read):
    found = read("x,flag\n1,True\n2,False\n,True\n5,\n7,False\n8,True\n", missing="interpolate")
    assert [about.dtype for about in found.series.columns] == ["int64", "bool"]
    assert [about.quantum for about in found.series.columns] == [1.0, 1.0]  # not of what was filled in
    assert found.values[1:3, 1].tolist() == [[3.5, 1.0], [5.0, 0.5]]


@pytest.mark.parametrize(
    ("values", "whole", "step"),
    [
        ([0, 10_000, 30_000], True, 1e4),
        ([0, 1e5, 3e5], False, 1e4),
        ([0, 500, 1500], True, 100.0),
        ([1, 2, 4], True, 1.0),
        ([0.5, 1.5], False, 0.1),
        ([0.1, 0.2, 0.3 + 1e-17], False, 0.1),
        ([-0.25, 7], False, 0.01),
        ([2.827, 2.009, 1.6], False, 0.001),
        (np.float32([2.827, 2.009, 1.6]).tolist(), False, 0.001),  # the way by float32 is no other step
        ([0.1234, 0.5], False, None),
        ([1e6, 2.5, 3e5], False, None),  # a step far below what the column varies by
        ([1e6, 2, 3e5], True, 1.0),  # but whole numbers stay whole
        ([1e5 - 0.05, 1e5, 1e5 + 0.05], False, 0.01),  # nearly multiples of 10,000, but that is not what they differ by
        ((1e8 + np.random.default_rng(0).uniform(0, 10, 50)).tolist(), False, None),  # large numbers are not all whole
    ],
)
def test_quantum(values, whole, step):
    assert quantum(np.array(values, dtype=np.float64), whole=whole) == step


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([49.676899, 1177.223022, 3.0], 6),
        ([44994500.0, 12.0], 0),
        ([0.1 + 0.2, 0.5], 1),
        ([1e-9, 5.0], 9),
        ([1e-10, 5.0], None),
        ([1 / 3, 0.5], None),
        ([44994500.25, 1.5], 2),
        ([1e15 + 0.3, 0.25], None),  # float64 has no decimals there
        (np.random.default_rng(0).normal(1e7, 1, 50), None),
        (np.float32([0.1, 0.7]).astype(np.float64), None),
        (np.round(np.random.default_rng(0).normal(0, 100, 500), 5), 5),
        ([0.0, -2.0], 0),
    ],
)
def test_decimals_are_those_that_a_column_was_written_with(values, wanted):
    assert decimals(np.asarray(values)) == wanted


def many_people(tmp_path, n):
    """A series of n persons of 30 rows each with their ages as a static, and what is published of the columns."""
    who = np.repeat([f"P{number}" for number in range(n)], 30)
    age = 20 + 2 * np.arange(n)
    x = np.random.default_rng(0).normal(size=30 * n)
    x[np.flatnonzero(who == "P17")[:25]] = 987.654
    pd.DataFrame({"who": who, "age": np.repeat(age, 30), "x": x}).to_csv(tmp_path / "people.csv", index=False)
    options = SeriesOptions(length=5, id="who", statics=("age",))
    return age, read_series(tmp_path / "people.csv", options).series


def test_the_ends_of_columns_and_statics_are_no_ones_own(tmp_path):
    age, about = many_people(tmp_path, 40)
    (static,), (x,) = about.statics, about.columns
    assert (static.lowest, static.highest) == (age[:10].mean(), age[-10:].mean())  # of ten persons, in years
    assert x.highest < 10  # one person's value is not published, though 25 rows have it


def test_of_too_few_persons_no_ends_are_told(tmp_path):
    _, about = many_people(tmp_path, 9)
    for column in about.channels:
        assert column.lowest is column.highest is None
