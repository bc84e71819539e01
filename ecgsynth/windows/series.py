"""A user's table of time series as windows: a file or a data frame, one long series or many sequences."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.disclosure import PERSONS
from ecgsynth.core.dtypes import type_of
from ecgsynth.core.storage import name_of
from ecgsynth.core.tables import read_table, stem, tidy_frame
from ecgsynth.windows.clock import EVEN_SHARE, Clock, read_clock
from ecgsynth.windows.columns import as_numbers, check_finite, check_varies, describe_column, pick_columns
from ecgsynth.windows.cutting import blocks, check_missing, cut, encode, interpolated, rows_used, windows_at
from ecgsynth.windows.info import SeriesInfo, SeriesOptions
from ecgsynth.windows.sequences import Sequences, check_roles, check_statics, find_sequences, read_labels
from ecgsynth.windows.windows import Windows

if TYPE_CHECKING:
    import pandas

__all__ = ["SeriesOptions", "read_series"]


def read_series(table: "Path | str | pandas.DataFrame", options: SeriesOptions | None = None) -> Windows:
    """Cut a table of time series into windows.

    Parameters
    ----------
    table
        A file that ``read_table`` (ecgsynth.core.tables) reads, or a data frame; either has a row for each step.
    options
        How it is cut, and what its columns are.

    Returns
    -------
    Windows
        (n, length, channels), where the channels are the table's columns and then its statics. ``groups`` is the
        sequence of each window; of a single series without an id it is the block of time in which the window lies, or
        "" where it straddles two. ``series`` says what the columns are, and ``meta`` what was dropped, filled or left
        out.

    Raises
    ------
    ArtifactError
        For a file that is missing or broken.
    DataError
        For a table that does not fit the options.

    """
    options = options or SeriesOptions()
    frame, ids, where, source = open_table(table, options)
    names, left_out = pick_columns(frame, options, where)
    check_roles(options, several=ids is not None)
    sequences = find_sequences(frame, ids, options)
    clock = read_clock(frame, sequences, options)
    labels = read_labels(frame, sequences, options)

    given = np.stack([as_numbers(frame[name])[sequences.rows] for name in names], axis=1)
    check_finite(given, names)
    check_statics(given[:, len(names) - len(options.statics) :], sequences, options)
    values = interpolated(given, clock.ticks, sequences) if options.missing == "interpolate" else given

    starts, owners = cut(sequences, options)
    gappy = check_missing(values, starts, names, options)
    groups = sequences.names[owners] if sequences.known else blocks(starts, len(values), options)
    starts, owners, groups = starts[~gappy], owners[~gappy], groups[~gappy]
    classes, codes = encode(labels, owners, options)

    used = rows_used(starts, len(values), options.length)
    check_varies(given[used], names, options)
    return Windows(
        values=windows_at(values, starts, options.length),
        fs_hz=clock.fs_hz,
        units="as given",
        channel_names=tuple(names),
        classes=classes,
        labels=codes,
        groups=groups,
        start_s=clock.starts(starts),
        series=describe_table(frame[names], given, used, sequences, clock, options, types_of(table, names, options)),
        meta={
            "kind": "series",
            "source": {"name": source},
            "groups": "sequences" if sequences.known else "blocks",
            "dropped": {"missing values": int(gappy.sum())} if gappy.any() else {},
            "filled": int((np.isnan(given) & ~np.isnan(values)).sum()),
            "short": int((sequences.lengths < options.length).sum()),
            **lost_labels(labels, owners),
            "straddling": int((groups == "").sum()),
            "left_out": left_out,
            **({"uneven": clock.uneven} if clock.uneven > EVEN_SHARE else {}),
        },
    )


def lost_labels(labels: NDArray[np.str_] | None, owners: NDArray[np.int64]) -> dict[str, Any]:
    """How many labels have no sequence (labels: (sequences,)) with a window (owners: (n,)), and the names of those that
    may be said, of PERSONS sequences or more; {} where there is none.
    """
    if labels is None:
        return {}
    lost, counts = np.unique(labels[~np.isin(labels, labels[owners])], return_counts=True)
    said = [str(name) for name, count in zip(lost, counts, strict=True) if count >= PERSONS]
    return {"lost_labels": {"count": len(lost), "names": said}} if len(lost) else {}


def open_table(table: Any, options: SeriesOptions) -> tuple[Any, NDArray[np.str_] | None, str, str]:
    """The data frame, the sequence of each row where the file itself tells it, and how errors and a run name it."""
    if not isinstance(table, Path | str):
        return tidy_frame(table), None, "the data frame", "data frame"
    text = tuple(name for name in (options.id, options.label) if name is not None)
    frame, ids = read_table(table, text, trim=True)
    return frame, ids, name_of(table), stem(table)


def describe_table(
    frame: Any,
    values: NDArray[np.float64],
    used: NDArray[np.bool_],
    sequences: Sequences,
    clock: Clock,
    options: SeriesOptions,
    types: dict[str, str],
) -> SeriesInfo:
    """All that a generator's file has to say of the table, from the rows (values: (rows, channels)) that are used."""
    owners = sequences.owners[used] if sequences.known else None  # of a single series, each row counts by itself
    columns = [describe_column(frame[name], column[used], owners) for name, column in zip(frame, values.T, strict=True)]
    split_at = len(columns) - len(options.statics)
    return SeriesInfo(
        options=options,
        columns=tuple(columns[:split_at]),
        statics=tuple(columns[split_at:]),
        time=clock.info,
        pandas=types,
    )


def types_of(table: Any, names: list[str], options: SeriesOptions) -> dict[str, str]:
    """The dtypes of a data frame's columns that a sample is to have again, in words; of a file's, none."""
    if isinstance(table, Path | str):
        return {}
    kept = {*names, options.time, options.label}
    found = {str(name): type_of(dtype) for name, dtype in table.dtypes.items() if str(name) in kept}
    return {name: word for name, word in found.items() if word is not None}
