"""Drawing any number of rows into a file, one block at a time: CSV, TSV, JSON, Parquet; npz holds them in memory."""

import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.files import atomic
from ecgsynth.core.formats import TABLE_FORMATS, TEXT_FORMATS, format_of, write_rows
from ecgsynth.errors import ConfigError, require

from .manifest import TableColumn
from .table_sampler import BLOCK_ROWS, Rows, TableSampler, check_rows
from .writing import Output, write_batches, write_tables

__all__ = ["rows_to_file"]

GROUP_BLOCKS = 64  # in a row group of Parquet


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
    on_size: Callable[[int], None] | None = None,
) -> None:
    """Draw rows into a file, at constant memory except for npz.

    JSON is an array with a record for each row, missing values null. npz has an array for each column, held in memory
    until all are drawn: texts in Unicode, "" where missing, numbers NaN where missing.

    Parameters
    ----------
    sampler
        Whose rows.
    path
        The format is what it ends with (see core.formats); "-" is standard output.
    n, where, seed
        As for TableSampler.sample.
    columns
        Those that are written; without it, all.
    file_format
        Of a path without an ending.
    force
        Overwrite a file that is there.
    on_progress
        Called with the number of rows, each time that some are written.
    on_size
        Called with the bytes that a large file will take, before it is begun.

    Raises
    ------
    ConfigError
        For a format, n, condition, column or seed that cannot be.
    ArtifactError
        For a path that is taken, or a disk without room.
    MissingExtraError
        Where Parquet needs pyarrow.

    """
    file_format = format_of(path, file_format, TABLE_FORMATS)
    unknown = [name for name in columns or () if name not in sampler.column_names]
    if unknown:
        raise ConfigError(
            f"this generator has no column {', '.join(unknown)}; its columns are {', '.join(sampler.column_names)}"
        )
    kept = [column for column in sampler.manifest.columns if columns is None or column.name in columns]

    check_rows(sampler.manifest.columns, n)
    write_batches(
        partial(WRITERS[file_format], columns=kept),
        lambda count: sampler.stream(count, where, seed),
        path,
        file_format,
        n,
        count=lambda block: len(next(iter(block.values()))),
        numbers=len(kept),
        probe=BLOCK_ROWS,
        unit="rows",
        force=force,
        on_progress=on_progress,
        on_size=on_size,
    )


def write_text(out: Output[Rows], columns: list[TableColumn]) -> None:
    rows = (zip(*(listed(block[column.name], column) for column in columns), strict=True) for block in out.batches)
    write_rows(out.path, out.file_format, [column.name for column in columns], chain.from_iterable(rows))


def listed(values: NDArray[Any], column: TableColumn) -> list[Any]:
    """A column as plain values, None where missing; whole numbers stay so beside a missing one."""
    if values.dtype.kind == "M":
        return [None if text == "NaT" else text for text in np.datetime_as_string(values)]
    whole = column.dtype == "int64"
    if values.dtype.kind != "f" or not (whole or np.isnan(values).any()):
        return values.tolist()  # type: ignore[no-any-return]
    return [None if value != value else int(value) if whole else value for value in values.tolist()]


def write_parquet(out: Output[Rows], columns: list[TableColumn]) -> None:
    arrow = require("pyarrow", "writing Parquet")
    types = {
        "int64": arrow.int64(),
        "float64": arrow.float64(),
        "bool": arrow.bool_(),
        "string": arrow.string(),
        "datetime64": arrow.timestamp("s"),
    }
    fields = [(column.name, types[column.dtype]) for column in columns]
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

    groups = iter(lambda: [batch(block) for block in islice(out.batches, GROUP_BLOCKS)], [])
    write_tables(out.path, schema, map(arrow.Table.from_batches, groups))


def write_arrays(out: Output[Rows], columns: list[TableColumn]) -> None:
    """An .npz with an array for each column, the same bytes for the same rows."""
    pieces = list(out.batches)
    with atomic(Path(out.path)) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for column in columns:
            array = without_objects(np.concatenate([block.pop(column.name) for block in pieces]), column.dtype)
            with archive.open(f"{column.name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def without_objects(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """A column as an array that needs no pickle: "" stands for a missing text, NaN for what else is missing."""
    if values.dtype.kind != "O":
        return values
    if dtype == "bool":  # truths beside a missing one
        return np.asarray([np.nan if value is None else float(value) for value in values])
    return np.asarray(["" if value is None else value for value in values], dtype=np.str_)


WRITERS: dict[str, Callable[..., None]] = {
    **dict.fromkeys(TEXT_FORMATS, write_text),
    "parquet": write_parquet,
    "npz": write_arrays,
}
