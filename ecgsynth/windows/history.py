"""The last rows of a user's real series, from which a generator goes on. They are kept nowhere and said in no error."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import DataError
from ecgsynth.windows.clock import read_clock
from ecgsynth.windows.columns import as_numbers, check_finite, per_column, pick_columns
from ecgsynth.windows.info import SeriesInfo
from ecgsynth.windows.sequences import check_statics, find_sequences, read_labels
from ecgsynth.windows.series import open_table

if TYPE_CHECKING:
    import pandas

__all__ = ["History", "read_history"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class History:
    """What series go on from, in turn where there are several sequences.

    values: (sequences, rows, channels), the last rows of each, in the user's units
    codes: (sequences,) the class of each, or None where there are no classes or one is asked for
    last: (sequences,) the last time of each, in microseconds or the column's own unit, or None without a time column
    """

    values: NDArray[np.float64]
    codes: NDArray[np.int64] | None
    last: NDArray[np.int64] | NDArray[np.float64] | None


def read_history(
    table: "Path | str | pandas.DataFrame", info: SeriesInfo, rows: int, classes: tuple[str, ...] | None
) -> History:
    """Read the last rows of a table as ``read_series`` read the one that was learnt from.

    Parameters
    ----------
    table
        A file that ``read_table`` (ecgsynth.core.tables) reads, or a data frame, with the columns that were learnt
        from; other columns are passed over. Where there is an id, each of its sequences is a history.
    info
        What the columns of the table that was learnt from were.
    rows
        How many are wanted.
    classes
        Those that the generator knows, where that of each sequence is to be read, too.

    Raises
    ------
    ArtifactError
        For a file that is missing or broken.
    DataError
        For a table of other columns, too few rows, or missing values in the last ones.

    """
    options = dataclasses.replace(
        info.options,
        columns=tuple(column.name for column in info.columns),
        label=None if classes is None else info.options.label,
    )
    frame, ids, where, _ = open_table(table, options)
    names, _ = pick_columns(frame, options, where)
    sequences = find_sequences(frame, ids, options)
    clock = read_clock(frame, sequences, options)
    if clock.info is not None and info.time is not None and clock.info.kind != info.time.kind:
        kinds = {"number": "numbers", "datetime": "dates"}
        raise DataError(
            f"expected {kinds[info.time.kind]} in the time column {clock.info.name!r} of {where}, as was learnt from, "
            f"got {kinds[clock.info.kind]}; bring the same"
        )
    labels = read_labels(frame, sequences, options)
    shortest = int(sequences.lengths.min())
    if shortest < rows:
        which = "each sequence" if sequences.known else "the history"
        raise DataError(
            f"expected at least {rows} rows of {which} in {where} to go on from, got {shortest}; bring more"
        )

    given = np.stack([as_numbers(frame[name])[sequences.rows] for name in names], axis=1)
    check_finite(given, names)
    check_statics(given[:, len(options.columns) :], sequences, options)
    ends = sequences.bounds[1:]
    values = given[ends[:, None] + np.arange(-rows, 0)]
    missing = np.isnan(values).any(axis=0)
    if missing.any():
        raise DataError(
            f"expected no missing values in the last {rows} rows of a history, got some in "
            f"{per_column(missing, names)}; fill them, or end the history before them"
        )
    return History(
        values=values,
        codes=None if labels is None or classes is None else codes_of(labels, classes, where),
        last=None if clock.info is None else clock.ticks[ends - 1],
    )


def codes_of(labels: NDArray[np.str_], classes: tuple[str, ...], where: str) -> NDArray[np.int64]:
    """(sequences,) the class of each."""
    unknown = int((~np.isin(labels, classes)).sum())
    if unknown:
        raise DataError(
            f"expected labels that the generator knows in {where}, got others in {unknown} of {len(labels)} sequences; "
            "ask for a class, and every sequence goes on as one of it"
        )
    return np.asarray([classes.index(label) for label in labels.tolist()], dtype=np.int64)
