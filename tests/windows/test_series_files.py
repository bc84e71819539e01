"""A series from every kind of file, and files that are broken."""

import gzip

import numpy as np
import pandas as pd
import pytest

from ecgsynth.errors import ArtifactError, ConfigError, DataError
from ecgsynth.windows.info import ClockInfo
from ecgsynth.windows.series import SeriesOptions, read_series


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


def test_a_data_frame_is_read_as_its_file_is(tmp_path):
    frame = pd.DataFrame(
        {
            "who": np.repeat([7, 8], 4),
            "kind": np.repeat(["u", "v"], 4),
            "x": [1, 2, 3, 4, 5, 6, 7, 9],
            "y": [0.5, 1.5, np.nan, 2, 3, 4, 5, 6],
        },
        index=pd.Index(np.tile(pd.date_range("2024-01-01", periods=4, freq="D"), 2), name="day"),
    )
    before = frame.copy()
    options = SeriesOptions(length=2, id="who", label="kind", time="day", missing="interpolate")
    frame.to_csv(tmp_path / "a.csv")
    found, wanted = read_series(frame, options), read_series(tmp_path / "a.csv", options)
    assert found.fingerprint() == wanted.fingerprint()
    assert (found.groups.tolist(), found.series) == (wanted.groups.tolist(), wanted.series)
    assert found.meta == wanted.meta | {"source": {"name": "data frame"}}
    pd.testing.assert_frame_equal(frame, before)  # it is the user's


@pytest.mark.parametrize(
    ("table", "error", "says"),
    [
        ([1, 2, 3], ConfigError, "expected a path, an address or a pandas DataFrame as the table, got list"),
        (pd.DataFrame({"x": []}), DataError, "the data frame has no rows"),
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), DataError, "the data frame has several columns of one name, at 1"),
        (pd.DataFrame({"x": list("ab")}), DataError, "a column of numbers in the data frame, got none: x is not num"),
    ],
)
def test_what_is_no_table_is_refused(table, error, says):
    with pytest.raises(error, match=says):
        read_series(table)


def test_columns_whose_names_are_numbers_have_them_as_text():
    found = read_series(pd.DataFrame(np.arange(8).reshape(4, 2)), SeriesOptions(length=2))
    assert found.channel_names == ("0", "1")
