"""Series from tables: one long series, what is refused and how, real files, and the way back."""

import dataclasses
import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.report.windows import read_text
from ecgsynth.training.about import described_classes
from ecgsynth.windows.info import ClockInfo, SeriesInfo
from ecgsynth.windows.long_table import column_names, rows
from ecgsynth.windows.series import SeriesOptions, read_series
from ecgsynth.windows.windows import Windows

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"  # unless ECGSYNTH_DATA names another folder


@pytest.fixture(scope="module")
def timeseries():
    """The folder of the series with which others have been compared."""
    folder = Path(os.environ.get("ECGSYNTH_DATA") or DATA) / "timeseries"
    if not (folder / "stock_data.csv").exists():
        pytest.skip(f"no series in {folder}; set ECGSYNTH_DATA to the folder that holds timeseries")
    return folder


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


def test_what_is_read_is_what_is_saved(read, people, tmp_path):
    windows = read(people(age=[40, 7, 40, 7, 40, 60, 60, 60, 60]), id="who", statics=("age",))
    windows.save(tmp_path / "windows.npz")
    back = Windows.load(tmp_path / "windows.npz")
    assert back.fingerprint() == windows.fingerprint()
    assert back.groups.tolist() == windows.groups.tolist()
    assert back.series.options == SeriesOptions(length=2, id="who", statics=("age",))
    assert rows(back, back.series, 3)["x"].tolist() == rows(windows, windows.series, 3)["x"].tolist()


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
    assert found.series.time == ClockInfo(name="date", kind="datetime", step=600.0, start="week")
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


def test_an_event_is_a_sequence_or_a_stretch_of_two_lengths():
    frame = pd.DataFrame({"who": np.repeat(list("abc"), 10), "x": np.arange(30.0)})
    whole = read_series(frame[["x"]], SeriesOptions(length=4))
    assert np.bincount(whole.events).tolist() == [8, 8, 8, 3]
    assert np.bincount(read_series(frame[["x"]], SeriesOptions(length=4, stride=3)).events).tolist() == [3, 3, 3]
    several = read_series(frame, SeriesOptions(length=4, id="who"))
    assert several.events.tolist() == several.owners.tolist() == np.repeat([0, 1, 2], 7).tolist()
    made = dataclasses.replace(whole, groups=None, meta=whole.meta | {"synthetic": True})
    assert made.events is None
    assert dataclasses.replace(whole, meta={"kind": "beats"}).events is None


def labelled(lengths):
    """A frame of a sequence for each of ``lengths``, the class after the length."""
    who = np.repeat([f"s{number}" for number in range(len(lengths))], lengths)
    what = np.repeat([f"long{length}" for length in lengths], lengths)
    return pd.DataFrame({"who": who, "what": what, "x": np.random.default_rng(0).normal(size=len(who))})


def test_classes_are_as_frequent_as_their_sequences_however_long_these_are():
    frame = labelled([10] * 20 + [50] * 20 + [200] * 10)
    found = read_series(frame, SeriesOptions(length=8, id="who", label="what"))
    assert found.classes == ("long10", "long200", "long50")
    assert found.shares() == pytest.approx([0.4, 0.2, 0.4])
    assert max(found.counts().values()) > 20 * min(found.counts().values())
    assert [entry.share for entry in described_classes(found)] == pytest.approx([0.4, 0.2, 0.4])
    assert dataclasses.replace(found, meta={"kind": "beats"}).shares() == pytest.approx(
        np.array(list(found.counts().values())) / len(found)
    )


def test_a_class_that_the_length_loses_is_told():
    options = SeriesOptions(length=24, id="who", label="what")
    found = read_series(labelled([9] * 10 + [11] * 9 + [30] * 10 + [40] * 10), options)
    assert found.meta["lost_labels"] == {"count": 2, "names": ["long9"]}  # the other is of fewer than ten
    assert "left out: 2 labels have no window of 24 steps (long9); a smaller --length keeps more" in read_text(found)
    assert "lost_labels" not in read_series(labelled([9] * 3 + [30] * 3), SeriesOptions(length=9, id="who")).meta
