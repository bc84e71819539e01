"""No error and no note holds a cell's text or a record's value, whatever is wrong with the table."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

from ecgsynth.core.tables import read_table
from ecgsynth.errors import EcgSynthError
from ecgsynth.tabular.encoding.canonical import canonical
from ecgsynth.tabular.metrics.utility import utility
from ecgsynth.tabular.schema.schema import Column, Schema
from ecgsynth.windows.series import SeriesOptions, read_series
from ecgsynth.windows.windows import Windows

WORD, NUMBER, DAY = "SECRET", 987654.25, "2031-12-25"
SIGNS = ("SECRET", "987654", "9.87654e", "987,654", "2031", "25/12", "HIV")
MANY = [f"SECRET {'fall pain rest HIV'.split()[row % 4]} {'x' * (row % 7)}{'y' * (row // 7)}" for row in range(60)]


def message_of(call) -> str:
    """What is said of a table that cannot be: the error, and all that a traceback would show with it."""
    with pytest.raises(EcgSynthError) as caught:
        call()
    error, said = caught.value, [str(caught.value)]
    while error is not None:
        shown = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        said.append(str(shown or ""))
        error = shown
    return "\n".join(said)


def silent(said: str) -> bool:
    return not any(sign in said for sign in SIGNS)


# ---- tables without a schema


@pytest.mark.parametrize(
    "values",
    [
        MANY,
        ["1", "2", WORD, "4"],
        ["987654.25", "?", "7.5", "?"],
        [1, WORD, 3],
        [WORD, 987654.25, None],
        ["987654,25", "2", "-3,25"],
        [[WORD], [NUMBER]],
        [{"name": WORD}, {"name": NUMBER}],
        [complex(NUMBER), complex(1)],
        [NUMBER, np.inf, -np.inf],
        [datetime.date(2031, 12, 25), WORD, 1],
        [decimal.Decimal("987654.25"), "x"],
        [f"{DAY}T0{row}:00:00+0{row % 2 + 1}:00" for row in range(9)],
        [datetime.timedelta(seconds=NUMBER), datetime.timedelta(seconds=1)],
        [b"SECRET", b"other"],
        [datetime.time(12, 25), datetime.time(11, 12)],
    ],
)
def test_of_a_column_that_cannot_be_learnt(values):
    assert silent(message_of(lambda: Schema.infer(pd.DataFrame({"x": pd.Series(values)}))))


def test_of_dates_that_may_be_read_in_two_ways():
    schema = Schema.infer(pd.DataFrame({"x": ["01/02/2031", "03/04/2031", "05/06/2031"]}))
    assert len(schema.notes) == 1
    assert silent(schema.notes[0])


# ---- tables that contradict a schema

COLUMNS = {
    "integer": Column(name="x", kind="integer", dtype="int64", minimum=0, maximum=9),
    "high": Column(name="x", kind="continuous", dtype="float64", minimum=0.0, maximum=NUMBER - 1),
    "low": Column(name="x", kind="continuous", dtype="float64", minimum=NUMBER + 1, maximum=NUMBER + 2),
    "texts": Column(name="x", kind="categorical", dtype="string", categories=("a", "b")),
    "numbers": Column(name="x", kind="categorical", dtype="int64", categories=(1, 2)),
    "days": Column(name="x", kind="datetime", dtype="string", format="%d/%m/%Y", unit="D", minimum=0, maximum=1),
    "stamps": Column(name="x", kind="datetime", dtype="datetime64", unit="D", minimum=0, maximum=1),
    "open categories": Column(name="x", kind="categorical", dtype="int64"),
    "open times": Column(name="x", kind="datetime", dtype="string"),
    "open identifiers": Column(name="x", kind="identifier", dtype="string"),
    "open numbers": Column(name="x", kind="continuous", dtype="float64"),
}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("integer", [1.0, NUMBER]),
        ("integer", [1, 987654]),
        ("integer", [WORD, WORD]),
        ("integer", [pd.Timestamp(DAY), pd.Timestamp(DAY)]),
        ("high", [1.0, NUMBER]),
        ("low", [NUMBER, NUMBER]),
        ("texts", ["a", WORD]),
        ("texts", [NUMBER, 1.0]),
        ("numbers", [1, 987654]),
        ("numbers", [WORD, "1"]),
        ("numbers", [True, False]),
        ("days", ["1/1/1970", DAY]),
        ("days", ["1/1/1970", "25/12/2031"]),
        ("days", [NUMBER, NUMBER]),
        ("days", [pd.Timestamp(DAY), pd.Timestamp("1970-01-01")]),
        ("stamps", [WORD, DAY]),
        ("open categories", [WORD, "1"]),
        ("open times", [WORD, "1"]),
        ("open identifiers", [MANY[0], MANY[9] + " !"]),
        ("open numbers", [WORD, "1"]),
    ],
)
def test_of_data_that_contradict_a_schema(kind, values):
    schema, frame = Schema((COLUMNS[kind],)), pd.DataFrame({"x": values})
    assert silent(message_of(lambda: schema.completed(frame).check(frame)))


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "int64"},
        {"categories": ["SECRET one", "SECRET two", "SECRET one"]},
        {"kind": "boolean", "dtype": "bool"},
        {"name": None},
        {"kind": "continuous", "dtype": "float64", "minimum": 2.0, "maximum": NUMBER, "spikes": ["x"]},
        {"kind": "continuous", "dtype": "float64", "minimum": 1e7, "maximum": NUMBER},
    ],
)
def test_of_an_inferred_schema_that_was_edited_wrongly(change):
    content = Schema.infer(pd.DataFrame({"x": ["SECRET one", "SECRET two"] * 9})).to_json()
    content["columns"][0] |= change
    assert silent(message_of(lambda: Schema.from_json(content)))


def test_of_a_table_that_is_measured():
    schema = Schema((COLUMNS["integer"],))
    assert silent(message_of(lambda: canonical(pd.DataFrame({"x": ["1", WORD]}), schema)))
    schema = Schema((COLUMNS["days"],))
    assert silent(message_of(lambda: canonical(pd.DataFrame({"x": ["1/1/1970", WORD]}), schema)))
    both = Schema((COLUMNS["texts"],))
    learn = pd.DataFrame({"x": ["SECRET one", "SECRET two"] * 9})
    test = pd.DataFrame({"x": ["SECRET three", "SECRET one"]})
    assert silent(message_of(lambda: utility(learn, test, lambda n, seed: learn, both, "x")))


# ---- series


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("t,x\n1,1\n2,2\nSECRET,3\n4,4\n", {"time": "t"}),
        ("t,x\n1,1\n987654.25,2\n3,3\n4,4\n", {"time": "t"}),
        ("t,x\n987654.25,1\n987654.25,2\n", {"time": "t"}),
        ("t,x\n25/12/2031,1\n26/12/2031,2\n", {"time": "t"}),
        ("t,x\n2031-12-25,1\n2031-12-24,2\n", {"time": "t"}),
        ("i,x\nSECRET,1\nb,2\nb,3\n", {"id": "i"}),
        ("i,x,l\nSECRET,1,SECRET-u\nSECRET,2,SECRET-v\n", {"id": "i", "label": "l"}),
        ("i,x,l\nSECRET,1,SECRET-u\nSECRET,2,SECRET-u\n", {"id": "i", "label": "l"}),
        ("i,x,s\nSECRET,1,987654.25\nSECRET,2,3\n", {"id": "i", "statics": ("s",)}),
        ("i,x,s\nSECRET,1,987654.25\nSECRET,2,987654.25\n", {"id": "i", "statics": ("s",)}),
        ("x,y\n1,1\n987654.25,\n", {}),
        ("x,y\n1,1\nSECRET,2\n", {"columns": ("x",)}),
        ("x,y\nSECRET,1\n2,\n", {"columns": ("x",)}),
        ("x\n987654.25\n987654.25\n987654.25\n", {}),
        ("x\n9876541e308\n1\n2\n", {}),
        ("x,y\n1,1\n", {"columns": ("z",)}),
    ],
)
def test_of_a_series_that_cannot_be_read(tmp_path, text, options):
    (tmp_path / "a.csv").write_text(text)
    assert silent(message_of(lambda: read_series(tmp_path / "a.csv", SeriesOptions(**{"length": 2} | options))))


def test_of_windows_that_do_not_fit_together(tmp_path):
    known = {
        "values": np.zeros((2, 4, 1), dtype=np.float32),
        "fs_hz": 1.0,
        "units": "as given",
        "channel_names": ("x",),
        "classes": ("SECRET one", "SECRET two"),
        "labels": np.array([0, 1]),
        "meta": {"kind": "series"},
    }
    assert silent(message_of(lambda: Windows(**known | {"labels": np.array([0, 2])})))
    windows = Windows(**known)
    assert silent(message_of(lambda: windows.code("three")))
    assert silent(message_of(lambda: windows.keep_classes(("three",))))
    assert silent(message_of(lambda: windows.keep_classes(())))
    windows.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "b.npz", **arrays | {"labels": np.array(["SECRET one", "SECRET three"])})
    assert silent(message_of(lambda: Windows.load(tmp_path / "b.npz")))


# ---- files


@pytest.mark.parametrize(
    "content",
    [
        b"SECRET,987654.25,987654.25\nSECRET,1,2\n",  # no names: the first row is a person's
        b"987654.25,987654.25\n1,2\n",
        b"a,b\n1,SECRET,987654.25\n",
        b"a,b\n1,SECR\xc9T\n",
        b"a;b\nSECRET;987654.25\n",
        b"a,b\n",
    ],
)
def test_of_a_csv_that_cannot_be_read(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    assert silent(message_of(lambda: read_table(tmp_path / "a.csv")))


def test_of_a_parquet_that_cannot_be_read(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1SECRET987654PAR1")
    assert silent(message_of(lambda: read_table(tmp_path / "a.parquet")))


def test_of_a_record_whose_header_is_broken(tmp_path):
    from ecgsynth.windows.beats import read_beats

    (tmp_path / "r1.hea").write_text("r1 1 SECRET 2000\n# SECRET\n")
    (tmp_path / "r1.atr").write_bytes(b"\x00\x00")
    (tmp_path / "r1.dat").write_bytes(b"\x00\x00")
    assert silent(message_of(lambda: read_beats(tmp_path)))
