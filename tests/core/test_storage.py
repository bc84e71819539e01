"""Tables wherever they lie: paths, any address of fsspec, S3 against a server of our own; and broken files."""

import gzip
import importlib.util
import os
import sys
import warnings
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest

import ecgsynth
from ecgsynth.cli.main import main
from ecgsynth.core.storage import delivered
from ecgsynth.core.tables import read_table, stem, write_table
from ecgsynth.errors import ArtifactError, ConfigError, DataError, MissingExtraError
from ecgsynth.export.table_writers import rows_to_file
from ecgsynth.tabular.schema.schema import Schema

TABLE = "name,age\nann,31\nbob,\n"
ANN = {"name": ["ann", "bob"], "age": [31, None]}
HAS_MOTO = all(importlib.util.find_spec(name) for name in ("moto", "s3fs", "flask"))


def lists(frame):
    return {name: [None if pd.isna(value) else value for value in frame[name]] for name in frame}


# ---- S3


@pytest.fixture(scope="module")
def s3():
    """The storage options of a bucket 'lab' with a few tables, on a server at a free port of this machine."""
    if not HAS_MOTO:
        pytest.skip("moto[server] and s3fs are not installed: pip install 'ecgsynth[dev]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of those packages' own
        import boto3
        import s3fs
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        client.create_bucket(Bucket="lab")
        client.put_object(Bucket="lab", Key="in/table.csv", Body=TABLE.encode())
        client.put_object(Bucket="lab", Key="table.csv.gz", Body=gzip.compress(TABLE.encode()))
        client.put_object(Bucket="lab", Key="empty.csv", Body=b"")
        frame = pd.DataFrame(ANN)
        client.put_object(Bucket="lab", Key="table.parquet", Body=frame.to_parquet())
        yield {"key": "a", "secret": "b", "client_kwargs": {"endpoint_url": url, "region_name": "us-east-1"}}
        s3fs.S3FileSystem.clear_instance_cache()
        client.close()
        server.stop()


quiet = pytest.mark.filterwarnings("ignore")  # s3fs, botocore and the server warn of their own futures


@quiet
@pytest.mark.parametrize("key", ["in/table.csv", "table.csv.gz", "table.parquet"])
def test_tables_in_a_bucket(s3, key):
    frame, ids = read_table(f"s3://lab/{key}", storage_options=s3)
    assert lists(frame) == ANN
    assert ids is None
    assert Schema.infer(frame)["age"].missing


@quiet
@pytest.mark.parametrize("url", ["s3://lab/none.csv", "s3://no-such-bucket/table.csv"])
def test_a_bucket_or_key_that_is_not_there(s3, url):
    with pytest.raises(
        ArtifactError, match=f"expected a table at {url}, but there is none; check the bucket and the key"
    ):
        read_table(url, storage_options=s3)


@quiet
def test_what_a_bucket_holds_is_checked_as_a_file_is(s3):
    with pytest.raises(DataError, match="empty.csv is empty; expected a line of column names"):
        read_table("s3://lab/empty.csv", storage_options=s3)


@quiet
def test_a_server_that_does_not_answer(s3):
    options = {
        "key": "a", "secret": "b", "client_kwargs": {"endpoint_url": "http://127.0.0.1:9"},
        "config_kwargs": {"retries": {"max_attempts": 0}, "connect_timeout": 1},
    }  # fmt: skip
    with pytest.raises(
        ArtifactError, match="s3://lab/a.csv cannot be read .*; check the address and the storage options"
    ):
        read_table("s3://lab/a.csv", storage_options=options)


@quiet
def test_a_table_is_brought_to_a_bucket(s3):
    frame = pd.DataFrame(ANN)
    with delivered("s3://lab/out/made.parquet", s3) as path:
        write_table(frame, path)
    assert lists(read_table("s3://lab/out/made.parquet", storage_options=s3)[0]) == ANN
    with (
        pytest.raises(ArtifactError, match="s3://lab/out/made.parquet exists already; .* --force"),
        delivered("s3://lab/out/made.parquet", s3) as path,
    ):
        pytest.fail("what was there is not written anew")
    with delivered("s3://lab/out/made.parquet", s3, force=True) as path:
        write_table(frame[:1], path)
    assert len(read_table("s3://lab/out/made.parquet", storage_options=s3)[0]) == 1
    with (
        pytest.raises(ArtifactError, match="s3://no-such-bucket/a.csv cannot be written .*; check the address"),
        delivered("s3://no-such-bucket/a.csv", s3) as path,
    ):
        write_table(frame, path)


# ---- other addresses


@pytest.fixture
def memory():
    """A store in memory, with one table."""
    import fsspec

    store = fsspec.filesystem("memory")
    store.pipe("/lab/table.csv", TABLE.encode())
    yield store
    store.rm("/lab", recursive=True)


def test_any_address_of_fsspec(memory, tmp_path):
    assert lists(read_table("memory://lab/table.csv")[0]) == ANN
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    assert lists(read_table(f"file://{path}")[0]) == ANN
    assert lists(read_table(str(path))[0]) == ANN
    np.savez(tmp_path / "a.npz", values=np.array([[1.0, 2.0]]))
    memory.pipe("/lab/a.npz", (tmp_path / "a.npz").read_bytes())
    assert read_table("memory://lab/a.npz")[0].iloc[0].tolist() == [1.0, 2.0]


def test_nothing_is_brought_where_making_it_fails(memory):
    def half():
        with delivered("memory://lab/out.csv", None) as path:
            path.write_text("half")
            raise DataError("spoilt")

    with pytest.raises(DataError, match="spoilt"):
        half()
    assert not memory.exists("/lab/out.csv")


def test_rows_are_drawn_to_an_address(memory, tmp_path):
    tiny = str(Path(__file__).parents[1] / "golden" / "tiny_table.onnx")
    for where in ("memory://lab/rows.csv", str(tmp_path / "rows.csv")):
        main(["sample", tiny, "-n", "7", "--seed", "2", "-o", where], standalone_mode=False)
    assert memory.cat("/lab/rows.csv") == (tmp_path / "rows.csv").read_bytes()
    with pytest.raises(click.ClickException, match="memory://lab/rows.csv exists already"):
        main(["sample", tiny, "-n", "7", "-o", "memory://lab/rows.csv"], standalone_mode=False)
    with pytest.raises(click.ClickException, match="storage options are for an address .* rows.csv is a path"):
        main(["sample", tiny, "-n", "7", "--storage-options", "key=a", "-o", "rows.csv"], standalone_mode=False)
    with pytest.raises(click.ClickException, match="memory:/lab/run is an address, and this is written to a path"):
        main(["train", "table", "memory://lab/table.csv", "-o", "memory://lab/run"], standalone_mode=False)


def test_addresses_that_cannot_be(tmp_path, monkeypatch, memory):
    with pytest.raises(ArtifactError, match="expected a table at memory://lab/none.csv, but there is none"):
        read_table("memory://lab/none.csv")
    with pytest.raises(
        ConfigError, match="nowhere://a.csv cannot be opened: Protocol not known: nowhere; use an address"
    ):
        read_table("nowhere://a.csv")
    with pytest.raises(
        ConfigError, match="storage options are for an address such as s3://bucket/table.csv, but a.csv"
    ):
        read_table("a.csv", storage_options={"key": "a"})
    memory.pipe("/lab/table.xlsx", b"x")
    with pytest.raises(DataError, match=r"expected a table named .csv, .csv.gz, .tsv, .parquet, .*, got table.xlsx"):
        read_table("memory://lab/table.xlsx")
    import fsspec

    class Locked(type(memory)):
        def _open(self, *args, **kwargs):
            raise PermissionError("Access Denied")

    monkeypatch.setattr(fsspec, "filesystem", lambda *args, **kwargs: Locked())
    with pytest.raises(ArtifactError, match=r"s3://lab/a.csv may not be read \(Access Denied\); check the rights"):
        read_table("s3://lab/a.csv")


def test_a_store_without_its_package(monkeypatch):
    import fsspec

    fsspec.get_filesystem_class.__globals__["_registry"].pop("s3", None)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(
        MissingExtraError, match="s3://lab/a.csv needs a package that is not installed: pip install s3fs"
    ):
        read_table("s3://lab/a.csv")


def test_names():
    assert [stem(name) for name in ("s3://lab/in/A.csv.gz", "x/y.parquet", "https://h/t.csv?key=1")] == ["A", "y", "t"]


# ---- files that are no tables, each with one sentence


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "t.csv is empty; expected a line of column names"),
        (b"a,b\n", "t.csv has no rows; expected one for each step of a series or each record of a table"),
        (b"a;b\n1;2\n", "expected commas between the columns of t.csv, got a semicolon; save it with commas"),
        (b"a;b\n1,5;2,5\n3,5;4,5\n", "expected commas between the columns of t.csv, got a semicolon"),
        (b"a\tb\n1\t2\n", "got a tab; save it with commas"),
        (b"a|b\n1|2\n", "got a bar; save it with commas"),
        ("naïve,b\n1,2\n".encode("latin-1"), "expected t.csv in UTF-8, got another encoding"),
        ("a,b\n1,é\n".encode("latin-1"), "expected t.csv in UTF-8, got another encoding"),
        ("a,b\n1,2\n".encode("utf-16"), "expected t.csv in UTF-8, got another encoding"),
        (b"a,b,a\n1,2,3\n", "t.csv has several columns of one name, at 1, 3; give each a name of its own"),
        (b"a,b\n1,2\n1,2,3\n", "expected a value for each column name in every row of t.csv, got another shape"),
        (b"1.5,2\n3,4\n", "expected column names in the first line of t.csv, got numbers"),
    ],
)
def test_broken_tables(tmp_path, content, said):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_table(path)


def test_broken_parquet_and_missing_files(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ArtifactError, match="is not a whole Parquet file"):
        read_table(tmp_path / "t.parquet")
    (tmp_path / "t.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_table(tmp_path / "t.csv.gz")
    with pytest.raises(ArtifactError, match="but there is none"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(ArtifactError, match="it is a folder"):
        read_table(tmp_path)


def test_missing_texts_are_those_of_plain_pandas(tmp_path):
    from pandas._libs.parsers import STR_NA_VALUES

    path = tmp_path / "t.csv"
    rows = "".join(f'{text},"x",1\n' for text in sorted(STR_NA_VALUES))
    path.write_text(f"a,b,c\n{rows}missing,none,2\n-,?,3\n")
    found, expected = read_table(path)[0], pd.read_csv(path)
    assert found.isna().to_numpy().tolist() == expected.isna().to_numpy().tolist()
    assert lists(found) == lists(expected)


def test_spaces_behind_commas_stay_unless_they_are_trimmed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a, b\nx, y\nx, ?\n")
    assert lists(read_table(path)[0]) == lists(pd.read_csv(path)) == {"a": ["x", "x"], " b": [" y", " ?"]}
    assert lists(read_table(path, trim=True)[0]) == {"a": ["x", "x"], "b": ["y", "?"]}


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.json", "t.parquet"])
def test_written_tables_are_read_again(tmp_path, name):
    frame = read_table(with_text(tmp_path / "s.csv", TABLE))[0]
    path = tmp_path / name
    write_table(frame, path)
    assert lists(read_table(path)[0]) == ANN
    first = path.read_bytes()
    with pytest.raises(ArtifactError, match="exists already"):
        write_table(frame, path)
    write_table(frame, path, force=True)
    assert path.read_bytes() == first
    assert sorted(os.listdir(tmp_path)) == sorted(["s.csv", name])


def test_a_name_that_is_no_table(tmp_path):
    for name in ("t.txt", "t.npz", "t"):  # an .npz of a table has no place for what is missing among whole numbers
        with pytest.raises(ConfigError, match=rf"output named \.csv, \.csv\.gz, .* or \.json, got {name}; name it so"):
            write_table(pd.DataFrame(ANN), tmp_path / name)


def test_rows_that_were_sampled_as_arrays_are_read_as_the_table_of_csv(tmp_path):
    sampler = ecgsynth.load(Path(__file__).resolve().parents[1] / "golden" / "tiny_table.onnx")
    for name in ("a.npz", "a.csv"):
        rows_to_file(sampler, tmp_path / name, 300, seed=2)
    found, wanted = (read_table(tmp_path / name)[0] for name in ("a.npz", "a.csv"))
    assert list(found) == list(wanted)
    for name in wanted:
        assert found[name].isna().tolist() == wanted[name].isna().tolist(), name
        values = found[name].dt.strftime("%Y-%m-%dT%H:%M:%S") if name == "seen" else found[name]
        assert values.dropna().tolist() == wanted[name].dropna().tolist(), name


def test_a_zipped_table_is_the_same_bytes_under_every_name_and_at_every_time(tmp_path):
    for name in ("a.csv.gz", "b.csv.gz"):
        write_table(pd.DataFrame(ANN), tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.csv.gz", "b.csv.gz"))
    assert first == second
    assert first[3] == 0  # no name in the header
    assert first[4:8] == bytes(4)  # no time


def test_records_of_json_have_the_types_of_their_values(tmp_path):
    path = with_text(
        tmp_path / "t.json", '[{"n": 1, "x": 0.5, "s": "007", "b": true}, {"x": null, "s": "", "b": false, "more": 2}]'
    )
    frame = read_table(path)[0]
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        **{"n": "Int64", "x": "Float64", "s": "string", "b": "boolean", "more": "Int64"}
    }
    assert lists(frame) == {"n": [1, None], "x": [0.5, None], "s": ["007", ""], "b": [True, False], "more": [None, 2]}
    assert lists(read_table(path, ("n",))[0])["n"] == ["1", None]


@pytest.mark.parametrize("text", ['{"a": 1}', "[1, 2]", "[{", '[{"a": [1]}]', "3"])
def test_other_json_is_one_sentence(tmp_path, text):
    with pytest.raises(DataError, match=r"t\.json"):
        read_table(with_text(tmp_path / "t.json", text))


def test_tabs_are_the_marks_of_a_tsv(tmp_path):
    frame = read_table(with_text(tmp_path / "t.tsv", "a, b\tc\n1,5\t00x\n2,5\t\n"))[0]
    assert lists(frame) == {"a, b": ["1,5", "2,5"], "c": ["00x", None]}
    with pytest.raises(DataError, match=r"expected tabs between the columns of u\.tsv, got a comma; save it with tabs"):
        read_table(with_text(tmp_path / "u.tsv", "a,b\n1,2\n"))
    with pytest.raises(
        DataError, match=r"expected commas between the columns of u\.csv, got a tab; save it with commas"
    ):
        read_table(with_text(tmp_path / "u.csv", "a\tb\n1\t2\n"))
    assert stem("x/a.tsv") == stem("a.json") == stem("a.tsv.gz") == "a"


def with_text(path, text):
    path.write_text(text)
    return path
