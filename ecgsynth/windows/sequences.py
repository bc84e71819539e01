"""Which sequence each row of a table is of, and what is constant within a sequence: its label and its statics."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import DataError, require
from ecgsynth.windows.info import SeriesOptions

__all__ = ["Sequences", "check_roles", "check_statics", "find_sequences", "read_labels"]


@dataclass(frozen=True, slots=True)
class Sequences:
    """Rows of a table, those of a sequence together and in their own order."""

    rows: NDArray[np.int64]  # (rows,) where each stood in the table, from 0
    bounds: NDArray[np.int64]  # (sequences + 1,) where each sequence starts and ends among them
    names: NDArray[np.str_]  # (sequences,)
    known: bool = True  # whether the table distinguishes them; otherwise it is one long series

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(sequences,) rows of each."""
        return np.diff(self.bounds)

    @property
    def owners(self) -> NDArray[np.int64]:
        """(rows,) the sequence of each row, as a number from 0."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @property
    def inner(self) -> NDArray[np.bool_]:
        """(rows - 1,) whether a row and the next are of one sequence."""
        inner = np.ones(len(self.rows) - 1, dtype=np.bool_)
        inner[self.bounds[1:-1] - 1] = False
        return inner


def check_roles(options: SeriesOptions, *, several: bool) -> None:
    """Raise DataError for roles that do not go together; ``several``: the file has many sequences of itself."""
    if several and options.id is not None:
        raise DataError("an array of (sequences, time, columns) tells the sequences apart by itself; leave out --id")
    if several or options.id is not None:
        return
    if options.label is not None:
        raise DataError(
            f"a label belongs to a sequence, so {options.label!r} needs a column that tells sequences apart; name it "
            "with --id"
        )
    if options.statics:
        raise DataError(
            f"a static column is constant within a sequence, so {options.statics[0]!r} needs a column that tells "
            "sequences apart; name it with --id"
        )


def find_sequences(frame: Any, ids: NDArray[np.str_] | None, options: SeriesOptions) -> Sequences:
    """The rows by sequence, in the order in which the sequences first appear."""
    if options.id is not None:
        ids = as_text(frame[options.id], "an id")
    if ids is None:
        return Sequences(np.arange(len(frame)), np.array([0, len(frame)]), np.array(["all"]), known=False)
    pandas = require("pandas", "reading a table")
    codes, names = pandas.factorize(ids.astype(object))
    bounds = np.append(0, np.cumsum(np.bincount(codes)))
    single = np.flatnonzero(np.diff(bounds) == 1)
    if len(single):
        raise DataError(
            f"expected several rows of each sequence, but {len(single)} of {len(names)} have one row, the first in "
            f"data row {int((codes == single[0]).argmax()) + 1}; leave it out, or name the right column with --id"
        )
    return Sequences(np.argsort(codes, kind="stable"), bounds, np.asarray(names, dtype=np.str_))


def as_text(column: Any, role: str) -> NDArray[np.str_]:
    """(rows,) ids or labels; DataError where one is missing."""
    if column.dtype.kind == "f" and column.notna().all() and (column % 1 == 0).all():
        column = column.astype("int64")  # an array of numbers has whole ones as 1.0
    text = np.asarray(column.astype("string").fillna("").to_numpy(dtype=object), dtype=np.str_)
    missing = text == ""
    if missing.any():
        raise DataError(
            f"expected {role} in every row, but column {column.name!r} has none in data row "
            f"{int(missing.argmax()) + 1} ({int(missing.sum())} rows in all); fill it, or leave the rows out"
        )
    return text


def read_labels(frame: Any, sequences: Sequences, options: SeriesOptions) -> NDArray[np.str_] | None:
    """(sequences,) the label of each, or None where there is no label column."""
    if options.label is None:
        return None
    text = as_text(frame[options.label], "a label")[sequences.rows]
    changes = np.flatnonzero(sequences.inner & (text[1:] != text[:-1]))
    if len(changes):
        raise DataError(
            f"expected one label in each sequence, but {options.label!r} changes within one at data row "
            f"{int(sequences.rows[changes[0] + 1]) + 1}; name another label, or an id that tells these apart"
        )
    return np.asarray(text[sequences.bounds[:-1]])


def check_statics(values: NDArray[np.float64], sequences: Sequences, options: SeriesOptions) -> None:
    """Raise DataError unless each static (rows, statics) has one value within each sequence."""
    for name, column in zip(options.statics, values.T, strict=True):
        low = np.fmin.reduceat(column, sequences.bounds[:-1])
        high = np.fmax.reduceat(column, sequences.bounds[:-1])
        changes = np.flatnonzero(low < high)
        if len(changes):
            begin = int(sequences.rows[sequences.bounds[changes[0]]]) + 1
            raise DataError(
                f"expected a static column to be constant within each sequence, but {name!r} changes in {len(changes)} "
                f"of {len(low)}, the first of which begins at data row {begin}; name it under --columns"
            )
