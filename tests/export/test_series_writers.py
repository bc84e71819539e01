"""A series is written as the user's own table, in every format."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgsynth.errors import ConfigError
from ecgsynth.export import writers
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.export.writers import sample_to_file
from ecgsynth.windows.windows import Windows

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TINY = GOLDEN / "tiny.onnx"
N, SEED = 33, 7
TIME = 32


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """N windows are several batches and several records, none of them of a round number."""
    monkeypatch.setattr(writers, "BATCH_WINDOWS", 8)
    monkeypatch.setattr(writers, "RECORD_WINDOWS", 10)


@pytest.fixture
def sampler() -> OnnxSampler:
    return OnnxSampler(TINY)


def read_lines(path: Path, file_format: str) -> list[list[str]]:
    """The fields of each line of a CSV or TSV file."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if file_format == "csv.gz" else content).decode()
    return list(csv.reader(io.StringIO(text, newline=""), delimiter="\t" if file_format == "tsv" else ","))


TABLES = ("csv", "csv.gz", "tsv", "json", "parquet")  # of a series, its rows
COLUMNS = ["who", "step", "when", "ward", "MLII", "V5"]


def read_table(path: Path, file_format: str) -> dict[str, list[Any]]:
    """Every column as a list, by readers other than ours."""
    if file_format == "parquet":
        table: dict[str, list[Any]] = pytest.importorskip("pyarrow.parquet").read_table(path).to_pydict()
        return table
    if file_format == "json":
        records = json.loads(path.read_text(encoding="utf-8"))
        return {name: [record[name] for record in records] for name in records[0]}
    header, *lines = read_lines(path, file_format)
    return {name: [line[place] for line in lines] for place, name in enumerate(header)}


@pytest.mark.parametrize("label", [None, "V"])
@pytest.mark.parametrize("file_format", TABLES)
def test_a_series_is_written_as_the_users_table(
    tmp_path: Path, series: OnnxSampler, file_format: str, label: str | None
) -> None:
    counts: list[int] = []
    path = tmp_path / "new" / f"out.{file_format}"
    sample_to_file(series, path, N, label=label, seed=SEED, file_format=file_format, on_progress=counts.append)
    table, wanted = read_table(path, file_format), series.windows(N, label, SEED)
    assert list(table) == COLUMNS
    assert [int(word) for word in table["who"]] == np.repeat(np.arange(N), TIME).tolist()  # on from batch to batch
    assert [int(word) for word in table["step"]] == list(range(TIME)) * N
    assert table["when"][:2] == ["2000-01-01T00:00:00", "2000-01-01T00:10:00"]
    assert table["ward"][::TIME] == [wanted.classes[code] for code in wanted.labels]
    made = np.array([float(word) for word in table["MLII"]])
    assert made == pytest.approx(wanted.values[:, :, 0].ravel(), abs=0.00501)
    assert made == pytest.approx(np.round(made, 2), abs=1e-12)
    static = [int(word) for word in table["V5"]]
    assert static[::TIME] == np.rint(wanted.values[:, :, 1].mean(axis=1, dtype=np.float64)).tolist()
    assert static == np.repeat(static[::TIME], TIME).tolist()
    assert counts == [8, 8, 8, 8, 1]
    assert list(path.parent.iterdir()) == [path]


def test_the_types_of_the_columns_are_kept_in_parquet(tmp_path: Path, series: OnnxSampler) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    sample_to_file(series, tmp_path / "out", 3, file_format="parquet")
    schema = parquet.read_schema(tmp_path / "out")
    assert [str(field.type) for field in schema] == ["int64", "int64", "string", "string", "double", "int64"]
    assert schema.metadata[b"synthetic"] == b"true"


@pytest.mark.parametrize("file_format", TABLES)
def test_columns_are_picked_and_id_and_step_stay(tmp_path: Path, series: OnnxSampler, file_format: str) -> None:
    sample_to_file(series, tmp_path / "all", N, file_format=file_format)
    sample_to_file(series, tmp_path / "some", N, columns=("V5", "ward"), file_format=file_format)
    whole, some = (read_table(tmp_path / name, file_format) for name in ("all", "some"))
    assert some == {name: whole[name] for name in ("who", "step", "ward", "V5")}


@pytest.mark.parametrize("file_format", TABLES)
def test_an_unknown_column_is_named_with_those_there_are(tmp_path: Path, series: OnnxSampler, file_format: str) -> None:
    says = r"no column X, y; its columns are who, step, when, ward, MLII, V5$"
    with pytest.raises(ConfigError, match=says):
        sample_to_file(series, tmp_path / "out", N, columns=("MLII", "X", "y"), file_format=file_format)
    assert not list(tmp_path.iterdir())


def test_a_series_as_npz_is_its_windows(tmp_path: Path, series: OnnxSampler) -> None:
    sample_to_file(series, tmp_path / "out.npz", N, seed=SEED)
    got = Windows.load(tmp_path / "out.npz")
    assert got.is_series
    assert np.array_equal(got.values, series.windows(N, seed=SEED).values)


@pytest.mark.parametrize(
    ("of_series", "ask", "says"),
    [
        (True, {"file_format": "wfdb"}, "hold signals in one unit; write a series as csv, npz or another"),
        (True, {"file_format": "npz", "columns": ("V5",)}, "columns can be picked of a series"),
        (False, {"file_format": "csv", "columns": ("V5",)}, "columns can be picked of a series"),
    ],
)
def test_what_cannot_be_written_of_a_series_leaves_nothing(
    tmp_path: Path, sampler: OnnxSampler, series: OnnxSampler, of_series: bool, ask: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        sample_to_file(series if of_series else sampler, tmp_path / "out", N, **ask)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("file_format", TABLES)
def test_a_series_that_stops_midway_leaves_what_was_there(
    tmp_path: Path, series: OnnxSampler, file_format: str
) -> None:
    path = tmp_path / "out"
    sample_to_file(series, path, 5, seed=1, file_format=file_format)
    before = path.read_bytes()

    def stop(more: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample_to_file(series, path, N, file_format=file_format, force=True, on_progress=stop)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


@pytest.mark.parametrize("file_format", TABLES)
def test_a_series_of_the_same_seed_has_the_same_bytes(tmp_path: Path, series: OnnxSampler, file_format: str) -> None:
    for name, seed in (("a", SEED), ("b", SEED), ("c", SEED + 1)):
        sample_to_file(series, tmp_path / name, N, seed=seed, file_format=file_format)
    one, again, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert one == again != other
