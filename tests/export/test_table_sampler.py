"""Rows from an exported file: a row is the same whatever is drawn with it, and files are what sample gives."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ecgsynth
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.export import table_sampler, table_writers
from ecgsynth.export.manifest import TableManifest, read_manifest
from ecgsynth.export.onnx_file import OnnxFile, in_order
from ecgsynth.export.table_sampler import BLOCK, Rows, TableSampler, category_index, check_rows, restored
from ecgsynth.export.table_writers import rows_to_file
from ecgsynth.export.writing import Output

pytestmark = pytest.mark.trains

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TINY = GOLDEN / "tiny_table.onnx"
MISSING = np.iinfo(np.int64).min


@pytest.fixture(scope="module")
def tiny() -> TableSampler:
    return TableSampler(TINY)


def same(a: Rows, b: Rows, rows: slice = slice(None)) -> bool:
    """Whether ``a`` is those rows of ``b``, to the last bit."""
    return list(a) == list(b) and all(
        a[name].dtype == b[name].dtype and pd.Series(a[name]).equals(pd.Series(b[name][rows])) for name in a
    )


# ---- the seed contract


def test_golden_rows(tiny: TableSampler) -> None:
    golden = json.loads((GOLDEN / "tiny_table.json").read_text(encoding="utf-8"))
    made = tiny.sample(12, seed=golden["seed"])
    assert list(made) == list(golden["rows"]) == tiny.column_names
    for name, wanted in golden["rows"].items():
        found = made[name].astype(str) if made[name].dtype.kind == "M" else made[name]
        for got, value in zip(found.tolist(), wanted, strict=True):
            if value is None:
                assert got is None or got != got or got == "NaT"
            else:
                assert got == (pytest.approx(value, rel=1e-6) if name == "dose" else value)


@pytest.mark.parametrize("n", [1, 2, 700, BLOCK, BLOCK + 1])
def test_a_row_is_the_same_however_many_are_drawn(tiny: TableSampler, n: int) -> None:
    assert same(tiny.sample(n, seed=3), tiny.sample(3000, seed=3), slice(n))


def test_a_row_is_the_same_with_any_number_of_threads_and_any_block(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = TableSampler(TINY, threads=1).sample(3000, seed=3)
    for threads in (0, 2, 5):
        assert same(TableSampler(TINY, threads=threads).sample(3000, seed=3), wanted)
    monkeypatch.setattr(table_sampler, "BLOCK", 250)
    assert same(TableSampler(TINY).sample(1001, seed=3), wanted, slice(1001))


def test_other_seeds_give_other_rows(tiny: TableSampler) -> None:
    assert not same(tiny.sample(20, seed=0), tiny.sample(20, seed=1))
    assert same(tiny.sample(20), tiny.sample(20, seed=0))
    tiny.sample(1, seed=2**64 - 1)
    with pytest.raises(ConfigError, match="a seed is a whole number"):
        tiny.sample(1, seed=-1)


def test_a_stream_yields_blocks_and_holds_a_few(tiny: TableSampler) -> None:
    """Ten million rows are begun at once, and the work done ahead is bounded."""
    made: list[int] = []

    def work(piece: int) -> int:
        made.append(piece)
        return piece

    first = in_order(work, iter(range(10_000)), threads=3)
    assert next(first) == 0
    assert len(made) <= 6
    first.close()  # type: ignore[attr-defined]
    assert list(in_order(work, range(50), threads=4)) == list(range(50))
    blocks = TableSampler(TINY, threads=1).stream(9_000)
    assert [len(next(blocks)["age"]) for _ in range(3)] == [BLOCK] * 3
    assert [len(block["age"]) for block in tiny.stream(BLOCK + 7)] == [BLOCK, 7]


# ---- types of the user's table


def test_types_bounds_and_formats(tiny: TableSampler) -> None:
    rows = tiny.sample(4000, seed=1)
    kinds = {name: values.dtype.str[1:] for name, values in rows.items()}
    assert kinds == {
        **{"id": "O", "age": "f8", "visits": "i8", "bmi": "f8", "dose": "f8", "born": "O", "seen": "M8[s]"},
        **{"day": "i8", "ward": "O", "grade": "f8", "smoker": "b1"},
    }
    for column in tiny.manifest.columns:
        values = pd.Series(rows[column["name"]])
        if column["kind"] == "identifier":
            assert values.is_unique
            assert values.str.fullmatch("P-[0-9]{4}").all()
            continue
        assert values.isna().any() == column["missing"]
        known = values.dropna()
        if "categories" in column:
            assert set(known) <= set(column["categories"])
        elif column["kind"] != "datetime":
            assert known.between(column["minimum"], column["maximum"]).all()
            if column["decimals"] is not None:
                assert (known == known.round(column["decimals"])).all()
        else:
            times = pd.to_datetime(known.astype(str), format=column["format"]) if column["format"] else known
            told = [np.datetime64(int(column[end]), column["unit"]) for end in ("minimum", "maximum")]
            assert times.between(*told).all()
    assert {type(value) for value in rows["ward"]} == {str, type(None)}


@pytest.mark.parametrize(
    ("column", "values", "wanted"),
    [
        ({"kind": "integer", "dtype": "int64"}, [3, -1], np.array([3, -1])),
        ({"kind": "integer", "dtype": "float64", "missing": True}, [3, MISSING], np.array([3.0, np.nan])),
        ({"kind": "integer", "dtype": "float64"}, [3, 4], np.array([3.0, 4.0])),
        (
            {"kind": "datetime", "dtype": "string", "unit": "D", "format": "%d/%m/%Y"},
            [0, 59],
            np.array(["01/01/1970", "01/03/1970"], dtype=object),
        ),
        (
            {"kind": "datetime", "dtype": "int64", "unit": "D", "format": "%Y%m%d"},
            [0, 59],
            np.array([19700101, 19700301]),
        ),
        (
            {"kind": "datetime", "dtype": "int64", "unit": "D", "format": "%Y%m%d", "missing": True},
            [0, MISSING],
            np.array([19700101.0, np.nan]),
        ),
        (
            {"kind": "datetime", "dtype": "datetime64", "unit": "s", "missing": True, "format": None},
            [61, MISSING],
            np.array(["1970-01-01T00:01:01", "NaT"], dtype="datetime64[s]"),
        ),
        (
            {"kind": "categorical", "dtype": "string", "categories": ["a", "b"]},
            [1, -1],
            np.array(["b", None], dtype=object),
        ),
        ({"kind": "categorical", "dtype": "int64", "categories": [7, 9]}, [1, 0], np.array([9, 7])),
        ({"kind": "categorical", "dtype": "int64", "categories": [7, 9]}, [1, -1], np.array([9.0, np.nan])),
        ({"kind": "boolean", "dtype": "bool", "categories": [True, False]}, [1, 0], np.array([False, True])),
        (
            {"kind": "boolean", "dtype": "bool", "categories": [True, False]},
            [1, -1],
            np.array([False, None], dtype=object),
        ),
        (
            {"kind": "continuous", "dtype": "float64", "decimals": 2, "minimum": 0, "maximum": 123456.78},
            [123456.78, 0.1],
            np.array([123456.78, 0.1]),
        ),
        (
            {"kind": "continuous", "dtype": "float64", "decimals": None, "minimum": 0, "maximum": 0.123456789},
            [0.123456789, 0.1],
            np.array([0.1234568 - 1.1e-8, 0.1]),
        ),
    ],
)
def test_values_as_the_table_holds_them(column: dict[str, Any], values: list[Any], wanted: Any) -> None:
    whole = column["kind"] != "continuous"
    found = restored(column, np.array(values, dtype=np.int64 if whole else np.float32))
    assert found.dtype == wanted.dtype
    if whole:
        assert pd.Series(found).equals(pd.Series(wanted))
    else:
        assert found == pytest.approx(wanted, abs=1e-15)
        assert found.max() <= column["maximum"]


def test_a_frame_is_the_same_rows(tiny: TableSampler) -> None:
    frame = tiny.frame(30, {"grade": 2}, seed=5)
    rows = tiny.sample(30, {"grade": 2}, seed=5)
    assert list(frame) == list(rows)
    assert all(frame[name].equals(pd.Series(rows[name], name=name)) for name in rows)


# ---- conditions


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ({"ward": "north"}, {"ward": "north"}),
        ({"ward": " north "}, {"ward": "north"}),
        ({"ward": "A & E"}, {"ward": "A & E"}),
        ({"ward": "1"}, {"ward": "1"}),
        ({"ward": 1}, {"ward": "1"}),
        ({"grade": 1}, {"grade": 1.0}),
        ({"grade": "1"}, {"grade": 1.0}),
        ({"grade": "2.50"}, {"grade": 2.5}),
        ({"smoker": True}, {"smoker": True}),
        ({"smoker": False}, {"smoker": False}),
        ({"smoker": "true"}, {"smoker": True}),
        ({"smoker": "False"}, {"smoker": False}),
        ({"ward": "north", "grade": "2.5", "smoker": "false"}, {"ward": "north", "grade": 2.5, "smoker": False}),
    ],
)
def test_every_row_has_what_was_asked_for(tiny: TableSampler, where: dict[str, Any], wanted: dict[str, Any]) -> None:
    rows = tiny.sample(300, where, seed=2)
    for name, value in wanted.items():
        assert (rows[name] == value).all()
    free = tiny.sample(300, seed=2)
    assert not same(rows, free)
    assert (rows["id"] == free["id"]).all()  # identifiers are of the row, whatever is asked


def test_numbers_are_no_truth(tiny: TableSampler) -> None:
    column = {"name": "c", "categories": [1, 0, 2]}
    assert [category_index(column, value) for value in (1, 1.0, "1", "1.0", "2e0")] == [0, 0, 0, 0, 2]
    assert category_index({"name": "c", "categories": ["1", "1.0"]}, "1.0") == 1


@pytest.mark.parametrize(
    ("n", "where", "says"),
    [
        (0, {}, "number of rows must be at least 1, got 0"),
        (-3, {}, "at least 1, got -3"),
        (10_001, {}, r"'id' has identifiers of the form P-\[0-9\]\{4\}, of which there are 10,000; .* not 10,001"),
        (1, {"wrad": "north"}, "no column 'wrad'; it has id, age, "),
        (1, {"age": "40"}, "cannot be asked for rows by 'age'; rows can be asked for by ward, grade, smoker"),
        (1, {"id": "P-0001"}, "cannot be asked for rows by 'id'"),
        (1, {"ward": "south"}, "'ward' has no category 'south' in this generator, or fewer than ten .* A & E"),
        (1, {"grade": "3"}, "'grade' has no category '3' .* it has "),
        (1, {"grade": "nan"}, "'grade' has no category 'nan'"),
        (1, {"smoker": "maybe"}, "'smoker' has no category 'maybe'"),
        (1, {"ward": None}, "'ward' has no category None"),
    ],
)
def test_what_cannot_be_drawn(tiny: TableSampler, n: int, where: dict[str, Any], says: str, tmp_path: Path) -> None:
    for draw in (tiny.sample, tiny.frame):
        with pytest.raises(ConfigError, match=says):
            draw(n, where)
    with pytest.raises(ConfigError, match=says):
        rows_to_file(tiny, tmp_path / "out.csv", n, where=where)
    assert not list(tmp_path.iterdir())


def test_all_identifiers_that_there_are(tiny: TableSampler) -> None:
    assert len(set(tiny.sample(10_000)["id"])) == 10_000
    check_rows(({"name": "id", "kind": "identifier", "format": "1000.."},), 10**9)


def test_a_generator_that_cannot_be_asked(tiny: TableSampler) -> None:
    file = OnnxFile.open(TINY)
    columns = tuple({**column, "asked": None} for column in file.manifest.columns)  # type: ignore[union-attr]
    content = {field: getattr(file.manifest, field) for field in TableManifest.__dataclass_fields__}
    bare = OnnxFile(file.path, file.session, TableManifest(**content | {"columns": columns}))
    with pytest.raises(ConfigError, match="by 'ward'; train with --model default or ctgan"):
        next(TableSampler(bare).stream(1, {"ward": "north"}))


# ---- files


@pytest.mark.parametrize("where", [None, {"smoker": "true"}])
def test_csv_is_what_sample_gives(tiny: TableSampler, tmp_path: Path, where: dict[str, str] | None) -> None:
    said: list[int] = []
    rows_to_file(tiny, tmp_path / "a.csv", 2500, where=where, seed=9, on_progress=said.append)
    assert (sum(said), len(said)) == (2500, 3)
    text = {name: str for name in ("born", "ward", "id")}
    read = pd.read_csv(tmp_path / "a.csv", dtype=text, parse_dates=["seen"])
    rows = tiny.sample(2500, where, seed=9)
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
    column = {"name": "n", "dtype": "int64"}
    blocks = ({"n": np.array(block)} for block in ([1.0, np.nan], [2.0, 3.0]))
    table_writers.write_text(Output(tmp_path / "a.csv", "csv", 4, blocks), [column])
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
    for name, values in tiny.sample(2500, seed=9).items():
        wanted, read = pd.Series(values), table[name].to_pandas()
        assert (read.isna() == wanted.isna()).all()
        assert (read.dropna() == wanted.dropna()).all(), name


def test_a_small_row_group_is_bounded(tiny: TableSampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(table_writers, "GROUP", 2)
    rows_to_file(tiny, tmp_path / "a.parquet", 5 * BLOCK)
    assert parquet.ParquetFile(tmp_path / "a.parquet").num_row_groups == 3


@pytest.mark.parametrize("told", [None, {"smoker": "true"}])
@pytest.mark.parametrize("name", ["a.tsv", "a.csv.gz"])
def test_tsv_and_zipped_csv_have_the_fields_of_csv(
    tiny: TableSampler, tmp_path: Path, name: str, told: dict[str, str] | None
) -> None:
    for path in ("a.csv", name, f"again/{name}"):
        rows_to_file(tiny, tmp_path / path, 1100, where=told, seed=9)
    wanted, found = (
        pd.read_csv(tmp_path / "a.csv", dtype=str),
        pd.read_csv(tmp_path / name, dtype=str, sep="[,\t]", engine="python"),
    )
    assert found.equals(wanted)
    assert (tmp_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_json_is_a_record_a_row_with_null_for_what_is_missing(tiny: TableSampler, tmp_path: Path) -> None:
    rows_to_file(tiny, tmp_path / "a.json", 1100, seed=9)
    records = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    rows = tiny.sample(1100, seed=9)
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
    rows = tiny.sample(1100, seed=9)
    assert list(arrays) == list(rows)
    for name, values in rows.items():
        if values.dtype.kind == "O":
            assert arrays[name].dtype.kind == "U"
            assert arrays[name].tolist() == ["" if value is None else value for value in values]
        else:
            assert np.array_equal(arrays[name], values, equal_nan=True), name
    assert table_writers.plain(np.array([True, None], dtype=object), "bool") == pytest.approx(
        [1.0, np.nan], nan_ok=True
    )
    assert table_writers.plain(np.array([None, None], dtype=object), "string").tolist() == ["", ""]


def test_columns_are_picked(tiny: TableSampler, tmp_path: Path) -> None:
    rows_to_file(tiny, tmp_path / "a.csv", 40, columns=("smoker", "id"), seed=4)
    read = pd.read_csv(tmp_path / "a.csv")
    assert list(read) == ["id", "smoker"]  # in the table's order
    rows = tiny.sample(40, seed=4)
    assert (read["smoker"] == rows["smoker"]).all()
    assert (read["id"] == rows["id"]).all()


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"columns": ("age", "x")}, "no column x; its columns are id, age"),
        ({"file_format": "wfdb"}, "one of csv, .*, got 'wfdb', which holds windows of a signal"),
        ({"seed": -1}, "a seed is"),
    ],
)
def test_what_cannot_be_written(tiny: TableSampler, tmp_path: Path, told: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        rows_to_file(tiny, tmp_path / "a.csv", 3, **told)
    assert not list(tmp_path.iterdir())


def test_a_path_that_is_taken_is_kept(tiny: TableSampler, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(ArtifactError, match="exists already"):
        rows_to_file(tiny, path, 3)
    assert path.read_text(encoding="utf-8") == "mine"
    rows_to_file(tiny, path, 3, force=True)
    assert len(pd.read_csv(path)) == 3


# ---- opening


def test_load_tells_rows_from_windows() -> None:
    assert isinstance(ecgsynth.load(TINY), TableSampler)
    with pytest.raises(ArtifactError, match=r"tiny\.onnx makes windows, not rows of a table"):
        TableSampler(GOLDEN / "tiny.onnx")
    with pytest.raises(ConfigError, match="threads must be at least 0, got -1"):
        TableSampler(TINY, threads=-1)
    with pytest.raises(ArtifactError, match="there is none"):
        TableSampler(GOLDEN / "none.onnx")


def test_a_manifest_comes_back(tiny: TableSampler) -> None:
    text = tiny.manifest.to_text()
    assert read_manifest(text, "x") == tiny.manifest
    content = json.loads(text)
    assert (content["kind"], content["synthetic"], content["contract"]) == ("table", True, 1)
    with pytest.raises(ArtifactError, match="contract 2 .* upgrade"):
        read_manifest(json.dumps(content | {"contract": 2}), "x")
    for gone in ("columns", "noise_dim", "data"):
        with pytest.raises(ArtifactError, match="incomplete manifest"):
            read_manifest(json.dumps({key: value for key, value in content.items() if key != gone}), "x")
    with pytest.raises(ArtifactError, match="incomplete manifest"):
        read_manifest(json.dumps(content | {"columns": [{"kind": "integer"}]}), "x")


def test_it_runs_without_torch_and_pandas(tiny: TableSampler, tmp_path: Path) -> None:
    code = """
import sys
for name in ("torch", "pandas", "sklearn", "scipy", "onnx", "sdmetrics", "pyarrow", "matplotlib"):
    sys.modules[name] = None
import ecgsynth
from ecgsynth.cli.main import main
from ecgsynth.export.table_writers import rows_to_file
sampler = ecgsynth.load(sys.argv[1])
rows_to_file(sampler, "a.csv", 30, where={"ward": "north"}, seed=6)
main(["sample", sys.argv[1], "-n", "30", "--where", "ward=north", "--seed", "6", "-o", "b.csv"], standalone_mode=False)
main(["info", sys.argv[1]], standalone_mode=False)
try:
    sampler.frame(3)
except ecgsynth.errors.EcgSynthError as error:
    print("told:", error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(TINY)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(ecgsynth.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    assert "told: a data frame needs the package pandas, which is not installed" in done.stdout
    rows_to_file(tiny, tmp_path / "c.csv", 30, where={"ward": "north"}, seed=6)
    wanted = (tmp_path / "c.csv").read_bytes()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes() == wanted
