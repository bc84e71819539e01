"""Rows of a table in files: each format holds what the sampler gives."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.export import table_writers
from ecgsynth.export.manifest import TableColumn
from ecgsynth.export.table_sampler import BLOCK_ROWS, TableSampler
from ecgsynth.export.table_writers import rows_to_file
from ecgsynth.export.writing import Output

pytestmark = pytest.mark.trains

TINY = Path(__file__).resolve().parents[1] / "golden" / "tiny_table.onnx"


@pytest.fixture(scope="module")
def tiny() -> TableSampler:
    return TableSampler(TINY)


@pytest.mark.parametrize("where", [None, {"smoker": "true"}])
def test_csv_is_what_sample_gives(tiny: TableSampler, tmp_path: Path, where: dict[str, str] | None) -> None:
    said: list[int] = []
    rows_to_file(tiny, tmp_path / "a.csv", 2500, where=where, seed=9, on_progress=said.append)
    assert (sum(said), len(said)) == (2500, 3)
    text = {name: str for name in ("born", "ward", "id")}
    read = pd.read_csv(tmp_path / "a.csv", dtype=text, parse_dates=["seen"])
    rows = tiny.rows(2500, where, seed=9)
    assert list(read) == list(rows)
    for name, values in rows.items():
        wanted = pd.Series(values, name=name)
        missing = wanted.isna()
        assert (read[name].isna() == missing).all(), name
        assert (read[name][~missing] == wanted[~missing]).all(), name
    cells = pd.read_csv(tmp_path / "a.csv", dtype=str)
    for name in ("age", "visits", "day"):  # whole numbers are written whole, also beside a missing one
        assert cells[name].dropna().str.fullmatch(r"-?\d+").all()


def test_whole_numbers_are_whole_in_a_block_without_a_gap(tmp_path: Path) -> None:
    column = TableColumn(name="n", kind="integer", dtype="int64")
    blocks = ({"n": np.array(block)} for block in ([1.0, np.nan], [2.0, 3.0]))
    table_writers.write_text(Output(tmp_path / "a.csv", "csv", 4, iter(blocks)), [column])
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "n\n1\n\n2\n3\n".replace("\n\n", '\n""\n')


def test_parquet_is_what_sample_gives(tiny: TableSampler, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows_to_file(tiny, tmp_path / "a.parquet", 2500, seed=9)
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.schema.metadata[b"synthetic"] == b"true"
    types = dict(zip(table.column_names, map(str, table.schema.types), strict=True))
    assert types["age"] == types["visits"] == types["day"] == "int64"
    assert (types["seen"], types["ward"], types["smoker"], types["bmi"]) == (
        "timestamp[ms]",
        "string",
        "bool",
        "double",
    )
    for name, values in tiny.rows(2500, seed=9).items():
        wanted, read = pd.Series(values), table[name].to_pandas()
        assert (read.isna() == wanted.isna()).all()
        assert (read.dropna() == wanted.dropna()).all(), name


def test_a_small_row_group_is_bounded(tiny: TableSampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(table_writers, "GROUP_BLOCKS", 2)
    rows_to_file(tiny, tmp_path / "a.parquet", 5 * BLOCK_ROWS)
    assert parquet.ParquetFile(tmp_path / "a.parquet").num_row_groups == 3


@pytest.mark.parametrize("options", [None, {"smoker": "true"}])
@pytest.mark.parametrize("name", ["a.tsv", "a.csv.gz"])
def test_tsv_and_zipped_csv_have_the_fields_of_csv(
    tiny: TableSampler, tmp_path: Path, name: str, options: dict[str, str] | None
) -> None:
    for path in ("a.csv", name, f"again/{name}"):
        rows_to_file(tiny, tmp_path / path, 1100, where=options, seed=9)
    wanted, found = (
        pd.read_csv(tmp_path / "a.csv", dtype=str),
        pd.read_csv(tmp_path / name, dtype=str, sep="[,\t]", engine="python"),
    )
    assert found.equals(wanted)
    assert (tmp_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_json_is_a_record_a_row_with_null_for_what_is_missing(tiny: TableSampler, tmp_path: Path) -> None:
    rows_to_file(tiny, tmp_path / "a.json", 1100, seed=9)
    records = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    rows = tiny.rows(1100, seed=9)
    assert all(list(record) == list(rows) for record in records)
    for name, values in rows.items():
        for record, value in zip(records, values.tolist(), strict=True):
            gone = value is None or value != value
            assert record[name] == (None if gone else value.isoformat() if name == "seen" else value), name
    assert {type(record["age"]) for record in records} == {int, type(None)}


def test_npz_is_an_array_a_column_without_pickle(tiny: TableSampler, tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        rows_to_file(tiny, tmp_path / name, 1100, seed=9)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        arrays = dict(file)
    rows = tiny.rows(1100, seed=9)
    assert list(arrays) == list(rows)
    for name, values in rows.items():
        if values.dtype.kind == "O":
            assert arrays[name].dtype.kind == "U"
            assert arrays[name].tolist() == ["" if value is None else value for value in values]
        else:
            assert np.array_equal(arrays[name], values, equal_nan=True), name
    assert table_writers.without_objects(np.array([True, None], dtype=object), "bool") == pytest.approx(
        [1.0, np.nan], nan_ok=True
    )
    assert table_writers.without_objects(np.array([None, None], dtype=object), "string").tolist() == ["", ""]


def test_columns_are_picked(tiny: TableSampler, tmp_path: Path) -> None:
    rows_to_file(tiny, tmp_path / "a.csv", 40, columns=("smoker", "id"), seed=4)
    read = pd.read_csv(tmp_path / "a.csv")
    assert list(read) == ["id", "smoker"]  # in the table's order
    rows = tiny.rows(40, seed=4)
    assert (read["smoker"] == rows["smoker"]).all()
    assert (read["id"] == rows["id"]).all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"columns": ("age", "x")}, "no column x; its columns are id, age"),
        ({"file_format": "wfdb"}, "one of csv, .*, got 'wfdb', which holds windows of a signal"),
        ({"seed": -1}, "a seed is"),
    ],
)
def test_what_cannot_be_written(tiny: TableSampler, tmp_path: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        rows_to_file(tiny, tmp_path / "a.csv", 3, **options)
    assert not list(tmp_path.iterdir())


def test_a_path_that_is_taken_is_kept(tiny: TableSampler, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(ArtifactError, match="exists already"):
        rows_to_file(tiny, path, 3)
    assert path.read_text(encoding="utf-8") == "mine"
    rows_to_file(tiny, path, 3, force=True)
    assert len(pd.read_csv(path)) == 3
