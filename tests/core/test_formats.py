"""A file is what its name says, and nothing is computed for one whose name says nothing."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import ecgsynth
from ecgsynth.core.formats import FORMATS, TABLE_FORMATS, check_named, format_of
from ecgsynth.errors import ConfigError

Invoke, Say = Callable[..., Result], Callable[..., str]  # what the fixtures run, works and refuses are
GOLDEN = Path(__file__).resolve().parents[1] / "golden"
BEATS, ROWS = GOLDEN / "tiny.onnx", GOLDEN / "tiny_table.onnx"


@pytest.mark.parametrize(
    ("where", "asked", "wanted"),
    [
        ("a.csv", None, "csv"),
        ("A.CSV", None, "csv"),
        ("a.b.csv", "csv", "csv"),
        ("a.csv.gz", None, "csv.gz"),
        ("a.tsv", None, "tsv"),
        ("x/a.parquet", None, "parquet"),
        (Path("a.npz"), "npz", "npz"),
        ("a.json", None, "json"),
        ("s3://lab/a.csv.gz?key=1", None, "csv.gz"),
        ("records/", None, "wfdb"),
        ("mitdb-1.0.0/", "wfdb", "wfdb"),
        (".", None, "wfdb"),
        ("records", "wfdb", "wfdb"),
        ("a", "parquet", "parquet"),
        ("-", None, "csv"),
        ("-", "json", "json"),
        ("./-", "npz", "npz"),
    ],
)
def test_the_name_tells_the_format(where: Path | str, asked: str | None, wanted: str) -> None:
    assert format_of(where, asked) == wanted


@pytest.mark.parametrize(
    ("where", "asked", "says"),
    [
        ("a.xlsx", None, r"named \.csv, \.csv\.gz, \.tsv, \.parquet, \.npz or \.json \(or a folder.*\), got a\.xlsx"),
        ("a.txt", None, "got a.txt"),
        ("a.json.gz", None, "got a.json.gz"),
        ("a.tsv.gz", None, "got a.tsv.gz"),
        ("a", None, "got a; name it so"),
        ("acsv", None, "got acsv"),
        ("a.npz", "csv", r"a\.npz is no name for the format csv; name it a\.csv, or leave out --format"),
        ("a.csv", "csv.gz", "no name for the format csv.gz"),
        ("a.csv.gz", "csv", "no name for the format csv; name it a.csv"),
        ("a.txt", "csv", "no name for the format csv"),
        ("a.csv", "wfdb", "no name for the format wfdb; name it a/"),
        ("a/", "csv", "a/ is a folder, and csv is written to a file; name one in it"),
        ("s3://lab/a", "wfdb", "is the address of a file; write them to a path"),
        ("-", "npz", "standard output takes csv, tsv, json; npz needs a file"),
        ("-", "wfdb", "standard output takes"),
        ("a", "xlsx", "a format is one of csv, .*, wfdb, got 'xlsx'"),
    ],
)
def test_any_other_name_is_one_sentence(where: str, asked: str | None, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        format_of(where, asked)


def test_a_table_is_no_folder() -> None:
    with pytest.raises(ConfigError, match="records/ is a folder, and this is written to a file"):
        format_of("records/", None, TABLE_FORMATS)
    with pytest.raises(ConfigError, match=r"expected an output named \.csv, .* or \.json, got x\.txt"):
        format_of("x.txt", None, TABLE_FORMATS)


def test_an_output_of_one_kind_has_its_name() -> None:
    check_named(Path("a.ONNX"), ".onnx")
    for name in ("beats.txt", "beats", "beats.onnx.gz"):
        with pytest.raises(ConfigError, match=r"expected an output named \.onnx, got .*; name it beats.*\.onnx"):
            check_named(Path(name), ".onnx")


@pytest.mark.parametrize(
    "words",
    [
        "sample {tmp}/none.onnx -n 5 -o {tmp}/x.xlsx",
        "sample {tmp}/none.onnx -n 5 -o {tmp}/x",
        "sample {tmp}/none.onnx -n 5 -o {tmp}/x.json.gz",
        "sample {tmp}/none.onnx -n 5 -o {tmp}/x.npz --format csv",
        "sample {tmp}/none.onnx -n 5 -o - --format parquet",
        "export {tmp}/none -o {tmp}/beats.txt",
        "prepare {tmp}/none -o {tmp}/beats.csv",
        "schema {tmp}/none.csv -o {tmp}/schema.csv",
        "impute {tmp}/none.csv --model {tmp}/none -o {tmp}/x.xlsx",
    ],
)
def test_a_wrong_name_is_told_before_anything_is_read(refuses: Say, tmp_path: Path, words: str) -> None:
    line = refuses(*words.format(tmp=tmp_path).split())
    assert re.search(r"^expected an output named \.|is no name for the format|needs a file, so name one$", line), line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("model", [BEATS, ROWS], ids=["beats", "rows"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_name_is_written_as_what_it_says(run: Invoke, tmp_path: Path, model: Path, name: str) -> None:
    path = tmp_path / f"out.{name}"
    done = run("sample", model, "-n", 3, "-o", f"{tmp_path}/out/" if name == "wfdb" else path)
    if name == "wfdb":
        assert (done.exit_code == 0) == (model == BEATS)
        assert (tmp_path / "out" / "RECORDS").exists() == (model == BEATS)
        return
    assert done.exit_code == 0, done.output
    begins = {"csv": b"", "csv.gz": b"\x1f\x8b", "tsv": b"", "parquet": b"PAR1", "npz": b"PK", "json": b"[\n{"}
    content = path.read_bytes()
    assert content.startswith(begins[name])
    assert (b"\t" in content.split(b"\n")[0]) == (name == "tsv") or name in ("csv.gz", "parquet", "npz")


def test_a_folder_of_records_is_written_as_one_again(works: Say, tmp_path: Path) -> None:
    works("sample", BEATS, "-n", 3, "-o", f"{tmp_path}/records/")
    works("sample", BEATS, "-n", 4, "-o", tmp_path / "records", "--force")
    assert (tmp_path / "records" / "synthetic00000.atr").exists()


@pytest.mark.parametrize("model", [BEATS, ROWS], ids=["beats", "rows"])
@pytest.mark.parametrize("name", ["csv", "tsv", "json"])
def test_standard_output_has_the_bytes_of_the_file_and_nothing_else(
    run: Invoke, works: Say, tmp_path: Path, model: Path, name: str
) -> None:
    works("sample", model, "-n", 5, "--seed", 3, "-o", tmp_path / f"a.{name}")
    done = run("sample", model, "-n", 5, "--seed", 3, "-o", "-", *(() if name == "csv" else ("--format", name)))
    assert done.exit_code == 0
    assert done.stdout_bytes == (tmp_path / f"a.{name}").read_bytes()
    assert done.stderr == ""


def test_a_beat_in_json(works: Say, tmp_path: Path) -> None:
    works("sample", BEATS, "-n", 40, "--seed", 3, "-o", tmp_path / "a.json")
    works("sample", BEATS, "-n", 40, "--seed", 3, "-o", tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        _, *lines = csv.reader(file)
    drawn = ecgsynth.load(BEATS).sample(40, seed=3)
    for record, line in zip(json.loads((tmp_path / "a.json").read_text(encoding="utf-8")), lines, strict=True):
        assert list(record) == ["label", "rr_before_s", "rr_after_s", "signal"]
        numbers = [record["rr_before_s"], record["rr_after_s"], *sum(record["signal"], [])]
        assert [record["label"], *numbers] == [line[0], *map(float, line[1:])]
        assert (len(record["signal"]), len(record["signal"][0])) == drawn.values.shape[1:]


def test_no_beat_before_is_null() -> None:
    from ecgsynth.export.writers import in_json

    assert in_json([float("nan"), 0.5]) == '"rr_before_s": null, "rr_after_s": 0.5, '
