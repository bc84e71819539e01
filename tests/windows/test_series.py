"""Series from tables: known small tables for each role, what is refused and how, real files, and the way back."""

import dataclasses
import gzip
import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgsynth.errors import ArtifactError, ConfigError, DataError
from ecgsynth.windows.info import ClockInfo, SeriesInfo
from ecgsynth.windows.long_table import column_names, rows
from ecgsynth.windows.series import SeriesOptions, blocks, decimals, quantum, read_series
from ecgsynth.windows.windows import Windows

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"  # unless ECGSYNTH_DATA names another folder


@pytest.fixture(scope="module")
def timeseries():
    """The folder of the series with which others have been compared."""
    folder = Path(os.environ.get("ECGSYNTH_DATA") or DATA) / "timeseries"
    if not (folder / "stock_data.csv").exists():
        pytest.skip(f"no series in {folder}; set ECGSYNTH_DATA to the folder that holds timeseries")
    return folder


@pytest.fixture
def read(tmp_path):
    """A function that writes a table, as text or as columns, and reads it."""

    def write_and_read(table, name="table.csv", **options):
        path = tmp_path / name
        if isinstance(table, dict):
            table = pd.DataFrame(table).to_csv(index=False)
        path.write_text(table, encoding="utf-8")
        return read_series(path, SeriesOptions(**{"length": 2, **options}))

    return write_and_read


def people(**more):
    """Rows of three people, of 3, 2 and 4 rows, in turns."""
    return {"who": list("ababacccc"), "x": [1, 10, 2, 20, 3, 100, 200, 300, 400], **more}


# ---- options


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"length": 1}, "length must be at least 2 rows, got 1"),
        ({"stride": 0}, "stride must be at least 1 row, got 0"),
        ({"missing": "mean"}, "missing is one of reject, interpolate, drop, got 'mean'"),
        ({"columns": ("a", "b", "a")}, "a column can be named once and have one role, but a is named several times"),
        ({"columns": ("a",), "statics": ("a",)}, "but a is named"),
        ({"id": "a", "time": "a"}, "but a is named"),
        ({"label": "a", "columns": ("a",), "id": "b", "statics": ("b",)}, "but a, b is named"),
    ],
)
def test_options_that_cannot_be(options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        SeriesOptions(**options)


def test_options_through_json():
    options = SeriesOptions(length=5, columns=("a", "b"), statics=("c",), id="d", missing="drop")
    assert SeriesOptions.from_json(json.loads(json.dumps(options.to_json()))) == options
    assert set(options.to_json()) == {field.name for field in dataclasses.fields(options)}
    with pytest.raises(ConfigError, match="SeriesOptions has no setting stepp"):
        SeriesOptions.from_json({"stepp": 1})


# ---- one series


def test_one_series(read):
    found = read({"x": [1, 2, 3, 4], "y": [0.5, 1.5, 0.25, 3]}, length=3)
    assert found.values.tolist() == [[[1, 0.5], [2, 1.5], [3, 0.25]], [[2, 1.5], [3, 0.25], [4, 3]]]
    assert found.values.dtype == np.float32
    assert (found.fs_hz, found.units, found.channel_names) == (1.0, "as given", ("x", "y"))
    assert (found.classes, found.labels.tolist()) == (("all",), [0, 0])
    assert found.is_series
    series = {
        "options": SeriesOptions(length=3).to_json(),
        "columns": [
            {"name": "x", "dtype": "int64", "quantum": 1.0, "decimals": 0, "lowest": None, "highest": None},
            {"name": "y", "dtype": "float64", "quantum": 0.01, "decimals": 2, "lowest": None, "highest": None},
        ],
        "statics": [],
        "time": None,
    }
    assert found.series.to_json() == series
    assert found.meta == {
        "kind": "series",
        "source": {"name": "table"},
        "groups": "blocks",
        "dropped": {},
        "filled": 0,
        "short": 0,
        "straddling": 0,
        "left_out": {},
    }


@pytest.mark.parametrize(("stride", "starts"), [(1, [0, 1, 2, 3, 4, 5]), (2, [0, 2, 4]), (4, [0, 4]), (5, [0, 5])])
def test_windows_start_every_so_many_rows(read, stride, starts):
    found = read({"x": range(8)}, length=3, stride=stride)
    assert found.values[:, :, 0].tolist() == [[start, start + 1, start + 2] for start in starts]


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


# ---- sequences


def test_rows_of_a_sequence_belong_together_wherever_they_stand(read):
    found = read(people(), id="who")
    assert found.values[:, :, 0].tolist() == [[1, 2], [2, 3], [10, 20], [100, 200], [200, 300], [300, 400]]
    assert found.groups.tolist() == ["a", "a", "b", "c", "c", "c"]
    assert found.meta["straddling"] == 0
    assert found.channel_names == ("x",)


def test_rows_of_many_sequences_in_turns_keep_their_order(read):
    found = read({"who": np.tile(np.arange(40), 20), "x": np.arange(800)}, id="who", length=20)
    assert found.values[:, :, 0].tolist() == np.arange(800).reshape(20, 40).T.tolist()
    assert found.groups.tolist() == [str(who) for who in range(40)]


def test_sequences_shorter_than_a_window_are_counted(read):
    found = read(people(), id="who", length=3)
    assert found.groups.tolist() == ["a", "c", "c"]
    assert found.meta["short"] == 1
    assert found.meta["dropped"] == {}


def test_ids_and_labels_are_text_as_they_stand(read):
    lines = "id,kind,x\n01,1.0,1\n01,1.0,2\n1,NA,3\n1,NA,4\n001,10,5\n001,10,7\n"
    found = read(lines, id="id", label="kind")
    assert found.groups.tolist() == ["01", "1", "001"]
    assert found.classes == ("1.0", "10", "NA")
    assert found.labels.tolist() == [0, 2, 1]


def test_one_sequence_with_an_id_is_fine(read):
    found = read({"who": ["a"] * 5, "x": range(5)}, id="who")
    assert found.groups.tolist() == ["a"] * 4


def test_labels_and_statics(read):
    table = people(kind=list("vuvuvvvvv"), age=[40, 7, 40, 7, 40, 60, 60, 60, 60], male=list("101010000"))
    found = read(table, id="who", label="kind", statics=("age", "male"))
    assert found.channel_names == ("x", "age", "male")
    assert found.classes == ("u", "v")
    assert found.labels.tolist() == [1, 1, 0, 1, 1, 1]
    assert found.values[2].tolist() == [[10, 7, 0], [20, 7, 0]]
    assert [about.name for about in found.series.columns] == ["x"]
    assert [about.name for about in found.series.statics] == ["age", "male"]


def test_only_classes_that_have_a_window_are_classes(read):
    table = people(kind=list("vuvuvwwww"))
    assert read(table, id="who", label="kind", length=3).classes == ("v", "w")


# ---- time


@pytest.mark.parametrize(
    ("times", "fs_hz", "about"),
    [
        (["2024-01-01T00:00:00", "2024-01-01T00:10:00", "2024-01-01T00:20:00"], 1 / 600, ("datetime", 600.0)),
        (["2024-01-30", "2024-01-31", "2024-02-01"], 1 / 86400, ("datetime", 86400.0)),
        (["2024-01-01 00:00:00.004", "2024-01-01 00:00:00.008", "2024-01-01 00:00:00.012"], 250, ("datetime", 0.004)),
        (["2024-03-31T00:30+00:00", "2024-03-31T03:30+02:00", "2024-03-31T02:30Z"], 1 / 3600, ("datetime", 3600.0)),
        ([5, 10, 15], 0.2, ("number", 5)),
        ([0.0, 0.5, 1.0], 2.0, ("number", 0.5)),
        ([1.0, 3.0, 5.0], 0.5, ("number", 2.0)),
        ([1, 2, 4], 1 / 1.5, ("number", 1.5)),
    ],
)
def test_the_step_of_time(read, times, fs_hz, about):
    found = read({"t": times, "x": [1, 2, 3]}, time="t")
    assert found.fs_hz == pytest.approx(fs_hz, rel=1e-12)
    kept = found.series.time
    assert kept == ClockInfo(name="t", kind=about[0], step=about[1])
    assert type(kept.step) is type(about[1])  # whole numbers come back whole
    assert found.channel_names == ("x",)


def test_time_runs_anew_in_each_sequence(read):
    found = read(people(t=[0, 0, 2, 2, 4, 1, 3, 5, 7]), id="who", time="t")
    assert found.series.time.step == 2
    assert "uneven" not in found.meta


def test_uneven_steps_are_noted(read):
    found = read({"t": [0, 10, 20, 35, 45], "x": range(5)}, time="t")
    assert found.meta["uneven"] == 0.25
    assert len(found) == 4
    times = np.append(np.arange(150) * 10, 1505)  # 1 in 150 is not many
    assert "uneven" not in read({"t": times, "x": range(151)}, time="t").meta


# ---- missing values


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


def test_nothing_is_interpolated_from_one_sequence_to_another(read):
    table = people(y=[1, 5, np.nan, np.nan, 3, np.nan, np.nan, np.nan, np.nan])
    found = read(table, id="who", missing="interpolate")
    assert found.values[:, :, 1].tolist() == [[1, 2], [2, 3], [5, 5]]
    assert found.meta["filled"] == 2
    assert found.meta["dropped"] == {"missing values": 3}  # c has no value to go by


def test_a_static_that_is_given_once_holds_throughout(read):
    table = people(age=[np.nan, 7, 40, np.nan, np.nan, 60, 60, np.nan, 60])
    found = read(table, id="who", statics=("age",), missing="interpolate")
    assert found.values[:, :, 1].tolist() == [[40, 40], [40, 40], [7, 7], [60, 60], [60, 60], [60, 60]]


# ---- blocks


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


# ---- other files


def test_compressed_csv_and_a_mark_at_the_beginning(tmp_path):
    path = tmp_path / "My.Table.CSV.gz"
    path.write_bytes(gzip.compress(b'\xef\xbb\xbf"a", b\n" 1", 2\n2, 3\n4, 5\n'))
    found = read_series(path, SeriesOptions(length=2))
    assert found.channel_names == ("a", "b")
    assert found.values[0].tolist() == [[1, 2], [2, 3]]
    assert found.meta["source"] == {"name": "My.Table"}


def test_parquet(tmp_path):
    frame = pd.DataFrame(
        {
            "who": [1, 1, 2, 2],
            "kind": pd.Categorical(["u", "u", "v", "v"]),
            "x": np.array([1, 2, 3, 5], dtype=np.int16),
            "y": np.array([1.5, 2, 3, 5], dtype=np.float32),
            "flag": [True, False, False, True],
        },
        index=pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-01", "2024-01-02"], name="day"),
    )
    frame.to_parquet(tmp_path / "a.parquet")
    found = read_series(tmp_path / "a.parquet", SeriesOptions(length=2, id="who", label="kind", time="day"))
    assert found.values.tolist() == [[[1, 1.5, 1], [2, 2, 0]], [[3, 3, 0], [5, 5, 1]]]
    assert (found.groups.tolist(), found.classes) == (["1", "2"], ("u", "v"))
    assert found.series.time == ClockInfo(name="day", kind="datetime", step=86400.0)
    assert [about.dtype for about in found.series.columns] == ["int64", "float64", "bool"]


def test_parquet_with_one_name_twice(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table([[1, 2], [3, 4]], names=["x", "x"])
    pytest.importorskip("pyarrow.parquet").write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="a.parquet has several columns of one name, at 1, 2"):
        read_series(tmp_path / "a.parquet", SeriesOptions(length=2))


def test_arrays_of_one_series(tmp_path):
    np.savez(tmp_path / "one.npz", values=np.arange(4))
    np.savez(tmp_path / "two.npz", values=np.arange(8.0).reshape(4, 2), columns=["a", "b"])
    one, two = (read_series(tmp_path / name, SeriesOptions(length=3)) for name in ("one.npz", "two.npz"))
    assert one.values[:, :, 0].tolist() == [[0, 1, 2], [1, 2, 3]]
    assert one.channel_names == ("column_1",)
    assert one.series.columns[0].dtype == "int64"
    assert two.values[1].tolist() == [[2, 3], [4, 5], [6, 7]]
    assert two.channel_names == ("a", "b")


def test_arrays_of_many_sequences(tmp_path):
    values = np.arange(24.0).reshape(3, 4, 2)
    values[:, :, 1] = np.array([0, 1, 1])[:, None]
    np.savez(tmp_path / "many.npz", values=values, columns=["x", "kind"])
    found = read_series(tmp_path / "many.npz", SeriesOptions(length=3))
    assert found.values.tolist() == [sequence[start : start + 3].tolist() for sequence in values for start in (0, 1)]
    assert found.groups.tolist() == ["0", "0", "1", "1", "2", "2"]
    found = read_series(tmp_path / "many.npz", SeriesOptions(length=4, label="kind"))
    assert (found.channel_names, found.classes, found.labels.tolist()) == (("x",), ("0", "1"), [0, 1, 1])
    with pytest.raises(DataError, match="tells the sequences apart by itself; leave out --id"):
        read_series(tmp_path / "many.npz", SeriesOptions(length=4, id="kind"))


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": np.zeros((3, 2))}, "expected an array 'values' in a.npz, got x"),
        ({"values": np.array(["a"])}, r"expected numbers .* as 'values' of a.npz, got <U1 of shape \(1,\)"),
        ({"values": np.zeros((1, 1, 1, 1))}, r"got float64 of shape \(1, 1, 1, 1\)"),
        ({"values": np.zeros((4, 2)), "columns": np.array(["a"])}, r"expected 2 names as 'columns' of a.npz, got .*1"),
        (
            {"values": np.zeros((4, 2)), "columns": np.array(["a", "a"])},
            "a.npz has several columns of one name, at 1, 2",
        ),
        ({"values": np.zeros((0, 2))}, "a.npz has no rows"),
        ({"values": np.zeros((4, 0))}, "expected a column of numbers in a.npz, got none"),
        ({"values": np.zeros((4, 3, 2)), "channel_names": np.array(["a"])}, "a.npz holds windows already"),
    ],
)
def test_arrays_that_are_no_table(tmp_path, arrays, sentence):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=sentence):
        read_series(tmp_path / "a.npz", SeriesOptions(length=2))


def test_pickled_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", values=np.array([{}] * 4, dtype=object), allow_pickle=True)
    with pytest.raises(ArtifactError, match="not a whole .npz of plain arrays"):
        read_series(tmp_path / "a.npz", SeriesOptions(length=2))


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.npz"])
def test_no_file_and_a_folder(tmp_path, name):
    with pytest.raises(ArtifactError, match=f"expected a table at .*{name}, but there is none"):
        read_series(tmp_path / name, SeriesOptions())
    (tmp_path / name).mkdir()
    with pytest.raises(ArtifactError, match=f"expected a table at .*{name}, but it is a folder"):
        read_series(tmp_path / name, SeriesOptions())


@pytest.mark.parametrize("name", ["a.csv.gz", "a.parquet", "a.npz"])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"\x1f\x8b\x08\x00abc", b"x,y\n1,2\n"], ids=repr)
def test_a_broken_file_is_one_sentence(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises((ArtifactError, DataError), match="a.csv.gz|a.parquet|a.npz"):
        read_series(tmp_path / name, SeriesOptions())


def test_a_cut_gzip_file_is_refused(tmp_path):
    whole = gzip.compress(pd.DataFrame({"x": np.random.default_rng(0).normal(size=500)}).to_csv().encode())
    for length in (5, 12, 200, len(whole) - 4):
        (tmp_path / "a.csv.gz").write_bytes(whole[:length])
        with pytest.raises(ArtifactError, match=r"a\.csv\.gz cannot be read"):
            read_series(tmp_path / "a.csv.gz", SeriesOptions())


# ---- what is refused


@pytest.mark.parametrize(
    ("table", "options", "sentence"),
    [
        ("", {}, "table.csv is empty; expected a line of column names and a row for each step"),
        ("x,y\n", {}, "table.csv has no rows; expected one for each step of a series"),
        ("x;y\n1;2\n3;4\n", {}, "expected commas between the columns of table.csv, got a semicolon; save it with"),
        ("x\ty\n1\t2\n3\t4\n", {}, "expected commas between the columns of table.csv, got a tab"),
        (
            "x,y,x,z,z\n1,2,3,4,5\n",
            {},
            "table.csv has several columns of one name, at 1, 3, 4, 5; give each a name of its own",
        ),
        (
            "1.5,2\n2.5,3\n3,4\n",
            {},
            "expected column names in the first line of table.csv, got numbers or dates; add a line",
        ),
        ("x,y\n1,2,3\n4,5,6\n", {}, r"a value for each column name in every row of table.csv, got another shape \("),
        ("x,y\n1,2\n4,5,6\n", {}, r"another shape \(.*Expected 2 fields in line 3, saw 3\)"),
        ("x,y\n1,2\n2,3\n", {"columns": ("z",)}, "there is no column 'z' in table.csv; the columns are x, y"),
        ("x,y\n1,2\n2,3\n", {"id": "z"}, "there is no column 'z'"),
        ("x,y\n1,2\n2,3\n", {"statics": ("z",)}, "there is no column 'z'"),
        ("x,y\n1,a\n2,b\n", {"columns": ("y",)}, "expected numbers in column 'y' of table.csv, but it is not numeric;"),
        ("x,y\n1,1\n2,b\n", {"columns": ("y",)}, "it is not numeric, first in data row 2; correct or leave it out"),
        ("x,y\n1,\n2,\n", {"columns": ("x", "y")}, "expected numbers in column 'y' of table.csv, but it has no value"),
        ("x,y\na,\nb,\n", {}, "expected a column of numbers in table.csv, got none: x is not numeric, y has no value"),
        ("t\n1\n2\n3\n", {"time": "t"}, "expected a column of numbers in table.csv, got none$"),
        ("x\n1\n2\n3\n", {"length": 4}, "a sequence of at least 4 rows, .* the longest has 3; ask for shorter windows"),
        ("x\n1\n2\n3\n", {"length": 3}, "expected at least 2 windows of 3 rows, got 1; bring more rows"),
        (
            "x\n1\n\n3\n\n5\n",
            {"missing": "drop"},
            "at least 2 windows of 2 rows, got 0, and 4 that hold a missing value; bring",
        ),
        ("x\n1\n\n3\n\n5\n", {}, r"expected no missing values, got 2, in x \(2\)"),
        ("x,y\n1,inf\n2,1\n-inf,inf\n", {}, r"finite numbers, got infinite ones .* in x \(1\), y \(2\); correct"),
        ("x,y\n1,1e39\n2,1\n4,3\n", {}, r"or above 3.4e38\) in y \(1\)"),
        ("x,y,z\n1,7,1\n2,7,3\n3,7,3\n", {}, "columns that vary, but y is constant; leave it out with --columns x,z"),
        ("x\n7\n7\n7\n", {}, "but x is constant; bring one that does"),
        ("x,y\n1e9,1\n1000000001,2\n1000000002,3\n", {}, "but x is constant; leave it out with --columns y"),
    ],
)
def test_tables_that_are_refused(read, table, options, sentence):
    with pytest.raises(DataError, match=sentence):
        read(table, **options)


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        (
            "0 1 x 3",
            "numbers or ISO dates such as .* in the time column 't', got something else in data row 3; correct it",
        ),
        ("2024-01-01 2024-01-02 soon 2024-01-04", "got something else in data row 3"),
        ("31/01/2024 01/02/2024 02/02/2024 03/02/2024", "got something else in data row 1"),
        ("1 2  4", "got nothing in data row 3"),
        ("1 2 3 inf", "got something else in data row 4"),
        ("2024-01-01 2024-01-02  2024-01-04", "got nothing in data row 3"),
        ("True False True False", "got something else in data row 1"),
        ("1 2 3 2.5", r"but 't' runs backwards at data row 4; sort the rows, or name the column .* --id$"),
        ("1 2 2 3", "but 't' stands still at data row 3; sort"),
        ("2024-01-01 2024-01-02 2023-12-31 2024-01-03", "runs backwards at data row 3; sort"),
    ],
)
def test_times_that_are_refused(read, times, sentence):
    lines = "\n".join(f"{when},{row}" for row, when in enumerate(times.split(" ")))
    with pytest.raises(DataError, match=sentence):
        read(f"t,x\n{lines}\n", time="t")


@pytest.mark.parametrize(
    ("more", "options", "sentence"),
    [
        ({"t": [0, 0, 1, 1, 1, 0, 1, 2, 3]}, {"time": "t"}, "stands still at data row 5; sort the rows$"),
        (
            {"kind": list("uuuuuuuuu")},
            {"label": "kind"},
            "several labels, but 'kind' is the same in every sequence .* --lab",
        ),
        (
            {"kind": list("uvuvuuuuu")},
            {"label": "kind", "length": 3},
            "but 'kind' is the same in every sequence that holds",
        ),
        (
            {"kind": list("uuuuuvvuv")},
            {"label": "kind"},
            "one label in each sequence, but 'kind' changes within one at data row 8; name another label",
        ),
        ({"kind": ["u"] * 8 + [""]}, {"label": "kind"}, r"a label in every row, but column 'kind' .* row 9 \(1 rows"),
        (
            {"kind": list("uuuuuvvvv")},
            {"label": "kind", "id": None},
            "'kind' needs a column that tells sequences apart",
        ),
        ({"age": range(9)}, {"statics": ("age",), "id": None}, "so 'age' needs a column that tells sequences apart"),
        (
            {"age": [1, 2, 1, 2, 1, 3, 3, 4, 3]},
            {"statics": ("age",)},
            "constant within each sequence, but 'age' changes in 1 of 3, the first of which begins at data row 6",
        ),
        ({"age": [5] * 9}, {"statics": ("age",)}, "vary, but age is constant; leave it out of --statics"),
        ({"age": list("uuuuuvvvv")}, {"statics": ("age",)}, "expected numbers in column 'age'"),
    ],
)
def test_sequences_that_are_refused(read, more, options, sentence):
    with pytest.raises(DataError, match=sentence):
        read(people(**more), **{"id": "who", **options})


@pytest.mark.parametrize(
    ("who", "sentence"),
    [
        (
            "aab",
            "several rows of each sequence, but 1 of 2 have one row, the first in data row 3; leave it",
        ),
        ("abc", "but 3 of 3 have one row, the first in data row 1"),
        (
            ["a", "a", None],
            "expected an id in every row, but column 'who' has none in data row 3",
        ),
    ],
)
def test_ids_that_are_refused(read, who, sentence):
    with pytest.raises(DataError, match=sentence):
        read({"who": list(who), "x": [1, 2, 3]}, id="who")


def test_other_encodings_and_other_names_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes("größe,x\n1,2\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"expected a\.csv in UTF-8, got another encoding; save it as UTF-8"):
        read_series(tmp_path / "a.csv", SeriesOptions())
    (tmp_path / "a.csv").write_bytes("x,name\n1,a\n2,Jörg\n".encode("latin-1"))
    with pytest.raises(DataError, match="in UTF-8"):
        read_series(tmp_path / "a.csv", SeriesOptions())
    (tmp_path / "a.xlsx").write_bytes(b"")
    with pytest.raises(DataError, match=r"expected a table named \.csv, \.csv\.gz, \.tsv, \.parquet, .*, got a\.xlsx"):
        read_series(tmp_path / "a.xlsx", SeriesOptions())


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


# ---- and back


def test_a_table_comes_back(tmp_path):
    rng = np.random.default_rng(0)
    lengths = [4, 8, 4, 4]
    who = np.repeat(["p", "q", "r", "s"], lengths)
    steps = np.concatenate([np.arange(length) for length in lengths])
    table = pd.DataFrame(
        {
            "when": pd.Timestamp("2000-01-01") + pd.to_timedelta(30 * steps, unit="min"),
            "pulse": rng.integers(40, 200, 20),
            "patient": who,
            "ward": np.repeat(["B", "A", "B", "A"], lengths),
            "temp": rng.normal(37, 1, 20).round(1),
            "awake": rng.random(20) < 0.5,
            "flow": rng.normal(size=20),
            "age": np.repeat([20, 31, 45, 60], lengths),
        }
    )
    table.to_csv(tmp_path / "ward.csv", index=False)
    options = SeriesOptions(length=4, stride=4, id="patient", time="when", label="ward", statics=("age",))
    windows = read_series(tmp_path / "ward.csv", options)
    about = SeriesInfo.from_json(json.loads(json.dumps(windows.series.to_json())))  # as a generator's file has it
    back = pd.DataFrame(rows(windows, about, 0))
    assert list(back) == column_names(about) == ["patient", "step", "when", "ward", *windows.channel_names]
    assert windows.channel_names == ("pulse", "temp", "awake", "flow", "age")
    assert back["patient"].tolist() == np.repeat(np.arange(5), 4).tolist()
    for name in ("pulse", "temp", "awake", "age", "ward"):
        assert back[name].tolist() == table[name].tolist(), name
        assert back[name].dtype.kind == table[name].dtype.kind, name
    assert back["flow"].to_numpy() == pytest.approx(table["flow"].to_numpy(), rel=5e-7)
    first = table["when"].dt.strftime("%Y-%m-%dT%H:%M:%S").tolist()[:4]
    assert back["when"].dt.strftime("%Y-%m-%dT%H:%M:%S").tolist() == first * 5


def test_what_is_read_is_what_is_saved(read, tmp_path):
    windows = read(people(age=[40, 7, 40, 7, 40, 60, 60, 60, 60]), id="who", statics=("age",))
    windows.save(tmp_path / "windows.npz")
    back = Windows.load(tmp_path / "windows.npz")
    assert back.fingerprint() == windows.fingerprint()
    assert back.groups.tolist() == windows.groups.tolist()
    assert back.series.options == SeriesOptions(length=2, id="who", statics=("age",))
    assert rows(back, back.series, 3)["x"].tolist() == rows(windows, windows.series, 3)["x"].tolist()


# ---- real files


def test_stocks(timeseries):
    found = read_series(timeseries / "stock_data.csv", SeriesOptions())
    assert found.values.shape == (3662, 24, 6)
    assert found.channel_names == ("Open", "High", "Low", "Close", "Adj_Close", "Volume")
    assert len(set(found.groups) - {""}) == 15
    table = pd.read_csv(timeseries / "stock_data.csv")
    np.testing.assert_array_equal(found.values[1000], table.iloc[1000:1024].to_numpy(dtype=np.float32))
    back = rows(found.take(np.array([0])), found.series, 0)
    assert back["Volume"].tolist() == table["Volume"][:24].tolist()
    assert back["Open"] == pytest.approx(table["Open"][:24].to_numpy(), rel=5e-7)


def test_energy_is_read_in_about_a_second(timeseries):
    start = time.process_time()
    found = read_series(timeseries / "energydata_complete.csv.gz", SeriesOptions(time="date", length=128))
    taken = time.process_time() - start
    assert found.values.shape == (19_608, 128, 28)
    assert found.fs_hz == pytest.approx(1 / 600)
    assert found.series.time == ClockInfo(name="date", kind="datetime", step=600.0)
    first = found.series.columns[0]
    assert (first.name, first.dtype, first.quantum, first.lowest) == ("Appliances", "int64", 10.0, 20.0)
    appliances = np.sort(found.values[::128, :, 0].reshape(-1))
    assert appliances[-200] < first.highest < appliances[-1]  # the mean of the twenty highest
    assert taken < 5  # on a busy machine; about one on a quiet one


def test_transformers(timeseries):
    found = read_series(timeseries / "ETTh1.csv", SeriesOptions(time="date"))
    assert found.values.shape == (17_397, 24, 7)
    assert found.fs_hz == pytest.approx(1 / 3600)
    assert "uneven" not in found.meta
    assert found.meta["left_out"] == {}
    assert 60 <= len(set(found.groups) - {""}) <= 80


def many_people(tmp_path, n):
    """A series of n persons of 30 rows each with their ages as a static, and what is told of the columns."""
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
    assert x.highest < 10  # one person's value is not told, though 25 rows have it


def test_of_too_few_persons_no_ends_are_told(tmp_path):
    _, about = many_people(tmp_path, 9)
    for column in about.channels:
        assert column.lowest is column.highest is None
