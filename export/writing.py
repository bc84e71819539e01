"""What writing windows and writing rows have in common: room on the disk, progress, Parquet batch by batch."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ecgsynth.core.files import atomic, check_free, is_stdout
from ecgsynth.errors import require

from .disk import LARGE_NUMBERS, check_room

__all__ = ["Output", "write_batches", "write_tables"]

B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Output(Generic[B]):
    """What the writer of a format is given."""

    path: Path | str  # "-" is standard output
    file_format: str
    n: int  # windows or rows, in all batches together
    batches: Iterator[B]


def write_batches(
    write: Callable[[Output[B]], None],
    draw: Callable[[int], Iterator[B]],
    path: Path | str,
    file_format: str,
    n: int,
    *,
    count: Callable[[B], int],
    numbers: int,
    probe: int,
    unit: str,
    force: bool = False,
    on_progress: Callable[[int], None] | None = None,
    on_size: Callable[[int], None] | None = None,
) -> None:
    """Draw into a file, one batch at a time.

    Parameters
    ----------
    write
        The writer of the format.
    draw
        Gives n windows or rows, in batches.
    path, file_format
        Where to, and as what.
    n
        How many windows or rows.
    count
        How many of them a batch has.
    numbers
        How many numbers one of them has: the size of a large file is estimated before it is begun, see ``check_room``.
    probe, unit
        As for ``check_room``.
    force
        Replace a file that is there.
    on_progress
        Is called with how many more are written.
    on_size
        Is called with the bytes that a large file will take.

    Raises
    ------
    ArtifactError
        For a path that is taken, or a disk without room; and what ``write`` and ``draw`` raise.

    """

    def run(place: Path | str, many: int, report: Callable[[int], None] | None = None) -> None:
        write(Output(place, file_format, many, watched(draw(many), count, report)))

    if not is_stdout(path):
        path = Path(path)
        check_free(path, force=force)
        if n * numbers >= LARGE_NUMBERS:
            check_room(run, path, n, probe, unit, on_size)
    run(path, n, on_progress)


def watched(batches: Iterator[B], count: Callable[[B], int], report: Callable[[int], None] | None) -> Iterator[B]:
    """The same batches; when the next one is asked for, the one before has been written."""
    for batch in batches:
        yield batch
        if report is not None:
            report(count(batch))


def write_tables(path: Path | str, schema: Any, tables: Iterable[Any]) -> None:
    """Write pyarrow tables of one schema to a Parquet file, each as a row group."""
    parquet = require("pyarrow.parquet", "writing Parquet")
    with atomic(Path(path)) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for table in tables:
            writer.write_table(table)
