"""Drawing any number of rows into a file, one block at a time: CSV, Parquet."""

import csv
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ConfigError, require
from ecgsynth.export.table_sampler import Rows, TableSampler
from ecgsynth.files import atomic, check_free

__all__ = ["FORMATS", "rows_to_file"]

FORMATS = ("csv", "parquet")
GROUP = 64  # blocks in a row group of Parquet


def rows_to_file(
    sampler: TableSampler,
    path: Path | str,
    n: int,
    *,
    where: Mapping[str, Any] | None = None,
    columns: tuple[str, ...] | None = None,
    seed: int = 0,
    file_format: str | None = None,
    force: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Draw ``n`` rows of ``sampler`` into ``path`` at constant memory.

    Without a format it is the one that the path ends with, or CSV. ``where`` as for TableSampler.sample; ``columns``
    picks some. ``on_progress(k)`` is told of each k rows written. Raises ConfigError for a format, n, condition, column
    or seed that cannot be, ArtifactError for a path that is taken, MissingExtraError where Parquet needs pyarrow.
    """
    path = Path(path)
    ending = path.suffix.lower().removeprefix(".")
    file_format = file_format or (ending if ending in FORMATS else "csv")
    if file_format not in FORMATS:
        raise ConfigError(f"rows of a table are written as one of {', '.join(FORMATS)}, got {file_format!r}")
    unknown = [name for name in columns or () if name not in sampler.column_names]
    if unknown:
        raise ConfigError(
            f"this generator has no column {', '.join(unknown)}; its columns are {', '.join(sampler.column_names)}"
        )
    check_free(path, force=force)
    kept = [column for column in sampler.manifest.columns if columns is None or column["name"] in columns]
    blocks = watched(sampler.stream(n, where, seed), on_progress)
    WRITERS[file_format](path, kept, blocks)


def watched(blocks: Iterator[Rows], on_progress: Callable[[int], None] | None) -> Iterator[Rows]:
    for block in blocks:
        yield block
        if on_progress is not None:
            on_progress(len(next(iter(block.values()))))


def write_csv(path: Path, columns: list[dict[str, Any]], blocks: Iterator[Rows]) -> None:
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow([column["name"] for column in columns])
        for block in blocks:
            out.writerows(zip(*(listed(block[column["name"]], column) for column in columns), strict=True))


def listed(values: NDArray[Any], column: dict[str, Any]) -> list[Any]:
    """A column as plain values, None where missing; whole numbers stay so beside a missing one."""
    if values.dtype.kind == "M":
        return [None if text == "NaT" else text for text in np.datetime_as_string(values)]
    whole = column["dtype"] == "int64"
    if values.dtype.kind != "f" or not (whole or np.isnan(values).any()):
        return values.tolist()  # type: ignore[no-any-return]
    return [None if value != value else int(value) if whole else value for value in values.tolist()]


def write_parquet(path: Path, columns: list[dict[str, Any]], blocks: Iterator[Rows]) -> None:
    arrow, parquet = require("pyarrow", "writing Parquet"), require("pyarrow.parquet", "writing Parquet")
    types = {
        "int64": arrow.int64(),
        "float64": arrow.float64(),
        "bool": arrow.bool_(),
        "string": arrow.string(),
        "datetime64": arrow.timestamp("s"),
    }
    fields = [(column["name"], types[column["dtype"]]) for column in columns]
    schema = arrow.schema(fields, metadata={"synthetic": "true"})

    def batch(block: Rows) -> Any:
        made = [
            arrow.array(
                block[name].astype("datetime64[s]") if block[name].dtype.kind == "M" else listed(block[name], column),
                type=kind,
            )
            for column, (name, kind) in zip(columns, fields, strict=True)
        ]
        return arrow.record_batch(made, schema=schema)

    with atomic(path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        while group := [batch(block) for block in islice(blocks, GROUP)]:
            writer.write_table(arrow.Table.from_batches(group))


WRITERS = {"csv": write_csv, "parquet": write_parquet}
