"""Rows from an exported file: a row is the same whatever is drawn with it, and has what was asked for."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ecgsynth
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.export import table_sampler
from ecgsynth.export.manifest import TableColumn, TableManifest
from ecgsynth.export.onnx_file import OnnxFile, in_order
from ecgsynth.export.table_sampler import BLOCK_ROWS, Rows, TableSampler, category_index, check_rows
from ecgsynth.export.table_writers import rows_to_file

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
    made = tiny.rows(12, seed=golden["seed"])
    assert list(made) == list(golden["rows"]) == tiny.column_names
    for name, wanted in golden["rows"].items():
        found = made[name].astype(str) if made[name].dtype.kind == "M" else made[name]
        for got, value in zip(found.tolist(), wanted, strict=True):
            if value is None:
                assert got is None or got != got or got == "NaT"
            else:
                assert got == (pytest.approx(value, rel=1e-6) if name == "dose" else value)


@pytest.mark.parametrize("n", [1, 2, 700, BLOCK_ROWS, BLOCK_ROWS + 1])
def test_a_row_is_the_same_however_many_are_drawn(tiny: TableSampler, n: int) -> None:
    assert same(tiny.rows(n, seed=3), tiny.rows(3000, seed=3), slice(n))


def test_a_row_is_the_same_with_any_number_of_threads_and_any_block(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = TableSampler(TINY, threads=1).rows(3000, seed=3)
    for threads in (0, 2, 5):
        assert same(TableSampler(TINY, threads=threads).rows(3000, seed=3), wanted)
    monkeypatch.setattr(table_sampler, "BLOCK_ROWS", 250)
    assert same(TableSampler(TINY).rows(1001, seed=3), wanted, slice(1001))


def test_other_seeds_give_other_rows(tiny: TableSampler) -> None:
    assert not same(tiny.rows(20, seed=0), tiny.rows(20, seed=1))
    assert same(tiny.rows(20), tiny.rows(20, seed=0))
    tiny.rows(1, seed=2**64 - 1)
    with pytest.raises(ConfigError, match="a seed is a whole number"):
        tiny.rows(1, seed=-1)


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
    assert [len(next(blocks)["age"]) for _ in range(3)] == [BLOCK_ROWS] * 3
    assert [len(block["age"]) for block in tiny.stream(BLOCK_ROWS + 7)] == [BLOCK_ROWS, 7]


# ---- types of the user's table


def test_types_bounds_and_formats(tiny: TableSampler) -> None:
    rows = tiny.rows(4000, seed=1)
    kinds = {name: values.dtype.str[1:] for name, values in rows.items()}
    assert kinds == {
        **{"id": "O", "age": "f8", "visits": "i8", "bmi": "f8", "dose": "f8", "born": "O", "seen": "M8[s]"},
        **{"day": "i8", "ward": "O", "grade": "f8", "smoker": "b1"},
    }
    for column in tiny.manifest.columns:
        values = pd.Series(rows[column.name])
        if column.output is None:
            assert values.is_unique
            assert values.str.fullmatch("P-[0-9]{4}").all()
            continue
        assert values.isna().any() == column.missing
        known = values.dropna()
        if column.categories:
            assert set(known) <= set(column.categories)
        elif column.unit is None:
            assert known.between(column.minimum, column.maximum).all()
            if column.decimals is not None:
                assert (known == known.round(column.decimals)).all()
        else:
            times = pd.to_datetime(known.astype(str), format=column.format) if column.format else known
            ends = [np.datetime64(int(getattr(column, end)), column.unit) for end in ("minimum", "maximum")]
            assert times.between(*ends).all()
    assert {type(value) for value in rows["ward"]} == {str, type(None)}


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
    rows = tiny.rows(300, where, seed=2)
    for name, value in wanted.items():
        assert (rows[name] == value).all()
    free = tiny.rows(300, seed=2)
    assert not same(rows, free)
    assert (rows["id"] == free["id"]).all()  # identifiers are of the row, whatever is asked


def test_numbers_are_no_truth(tiny: TableSampler) -> None:
    column = TableColumn(name="c", kind="categorical", dtype="int64", categories=(1, 0, 2))
    assert [category_index(column, value) for value in (1, 1.0, "1", "1.0", "2e0")] == [0, 0, 0, 0, 2]
    assert category_index(replace(column, dtype="string", categories=("1", "1.0")), "1.0") == 1


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
    for draw in (tiny.sample, tiny.rows):
        with pytest.raises(ConfigError, match=says):
            draw(n, where)
    with pytest.raises(ConfigError, match=says):
        rows_to_file(tiny, tmp_path / "out.csv", n, where=where)
    assert not list(tmp_path.iterdir())


def test_all_identifiers_that_there_are(tiny: TableSampler) -> None:
    assert len(set(tiny.rows(10_000)["id"])) == 10_000
    check_rows((TableColumn(name="id", kind="identifier", dtype="int64", format="1000.."),), 10**9)


def test_a_generator_that_cannot_be_asked(tiny: TableSampler) -> None:
    file = OnnxFile.open(TINY)
    columns = tuple(replace(column, asked=None) for column in file.manifest.columns)  # type: ignore[union-attr,type-var]
    content = {field: getattr(file.manifest, field) for field in TableManifest.__dataclass_fields__}
    bare = OnnxFile(file.path, file.session, TableManifest(**content | {"columns": columns}))
    with pytest.raises(ConfigError, match="by 'ward'; train with --model default or ctgan"):
        next(TableSampler(bare).stream(1, {"ward": "north"}))


# ---- opening


def test_load_tells_rows_from_windows() -> None:
    assert isinstance(ecgsynth.load(TINY), TableSampler)
    with pytest.raises(ArtifactError, match=r"tiny\.onnx makes windows, not rows of a table"):
        TableSampler(GOLDEN / "tiny.onnx")
    with pytest.raises(ConfigError, match="threads must be at least 0, got -1"):
        TableSampler(TINY, threads=-1)
    with pytest.raises(ArtifactError, match="there is none"):
        TableSampler(GOLDEN / "none.onnx")


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
drawn = sampler.sample(3)
assert type(drawn) is dict
assert list(drawn) == sampler.column_names
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
    rows_to_file(tiny, tmp_path / "c.csv", 30, where={"ward": "north"}, seed=6)
    wanted = (tmp_path / "c.csv").read_bytes()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes() == wanted
