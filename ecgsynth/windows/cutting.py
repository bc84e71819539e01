"""Rows of sequences cut into windows: where each starts, what becomes of missing values, which rows are used."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import DataError
from ecgsynth.windows.columns import per_column
from ecgsynth.windows.info import SeriesOptions
from ecgsynth.windows.sequences import Sequences

__all__ = ["blocks", "check_missing", "cut", "encode", "interpolated", "rows_used", "windows_at"]

# A long single series has blocks of 10 windows' lengths each (or strides, where these are longer), but no more than
# 100 blocks; a shorter one has 10, as long as each has 3 lengths, and at least 3, one for each part of a split.
BLOCK_LENGTHS, LEAST_LENGTHS = 10, 3
LEAST_BLOCKS, FEW_BLOCKS, MOST_BLOCKS = 3, 10, 100


def interpolated(values: NDArray[np.float64], ticks: NDArray[Any], sequences: Sequences) -> NDArray[np.float64]:
    """Missing values filled linearly in time within each sequence, its ends held; a column without any stays so."""
    values = values.copy()
    for start, end in zip(sequences.bounds, sequences.bounds[1:], strict=False):
        clock = ticks[start:end] - ticks[start]
        for column in np.flatnonzero(np.isnan(values[start:end]).any(axis=0)):
            piece = values[start:end, column]
            known = ~np.isnan(piece)
            if known.any():
                piece[~known] = np.interp(clock[~known], clock[known], piece[known])
    return values


def cut(sequences: Sequences, options: SeriesOptions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n,) the row at which each window starts, and the sequence it lies in."""
    lengths = sequences.lengths
    counts = np.maximum(0, (lengths - options.length) // options.stride + 1)
    if not counts.any():
        raise DataError(
            f"expected a sequence of at least {options.length} rows, the length of a window, but the longest has "
            f"{lengths.max()}; ask for shorter windows with --length"
        )
    owners = np.repeat(np.arange(len(lengths)), counts)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    return sequences.bounds[owners] + options.stride * within, owners


def check_missing(
    values: NDArray[np.float64], starts: NDArray[np.int64], names: list[str], options: SeriesOptions
) -> NDArray[np.bool_]:
    """(n,) whether a window holds a missing value; DataError where none may, or all but one do."""
    missing = np.isnan(values)
    if options.missing == "reject" and missing.any():
        raise DataError(
            f"expected no missing values, got {int(missing.sum())}, in {per_column(missing, names)}; fill them with "
            "--missing interpolate, or leave out the windows that hold one with --missing drop"
        )
    gaps = np.append(0, np.cumsum(missing.any(axis=1)))
    gappy = np.asarray(gaps[starts + options.length] > gaps[starts])
    whole = int((~gappy).sum())
    if whole < 2:
        lost = f", and {int(gappy.sum())} that hold a missing value" if gappy.any() else ""
        raise DataError(
            f"expected at least 2 windows of {options.length} rows, got {whole}{lost}; bring more rows, or ask for "
            "shorter windows with --length"
        )
    return gappy


def blocks(starts: NDArray[np.int64], rows: int, options: SeriesOptions) -> NDArray[np.str_]:
    """(n,) the block of time in which each window of a single series lies, "" where it straddles two.

    Blocks meet where a window starts, and each of them holds one.
    """
    unit = max(options.length, options.stride)
    most = min(rows // (BLOCK_LENGTHS * unit), MOST_BLOCKS)
    if most < FEW_BLOCKS:
        most = max(most, min(rows // (LEAST_LENGTHS * unit), FEW_BLOCKS), LEAST_BLOCKS)
    for count in range(most, 0, -1):
        edges = np.round(np.linspace(0, rows, count + 1) / options.stride).astype(np.int64) * options.stride
        edges = np.append(np.minimum(edges[:-1], rows), rows)
        block = np.searchsorted(edges[:-1], starts, side="right") - 1
        inside = starts + options.length <= edges[block + 1]
        if len(np.unique(block[inside])) == count:
            break
    names = np.asarray([f"block {number + 1}" for number in range(count)])
    return np.where(inside, names[block], "")


def rows_used(starts: NDArray[np.int64], rows: int, length: int) -> NDArray[np.bool_]:
    """(rows,) whether a window holds the row."""
    opened = np.bincount(starts, minlength=rows + 1) - np.bincount(starts + length, minlength=rows + 1)
    return np.asarray(np.cumsum(opened)[:-1] > 0)


def windows_at(values: NDArray[np.float64], starts: NDArray[np.int64], length: int) -> NDArray[np.float32]:
    """(n, length, channels) the windows that start at these rows."""
    single = np.ascontiguousarray(values, dtype=np.float32)
    channels = single.shape[1]
    # Rows lie one after the other, so that a window is one piece of memory.
    pieces = np.lib.stride_tricks.sliding_window_view(single.reshape(-1), length * channels)
    return np.asarray(pieces[starts * channels]).reshape(len(starts), length, channels)


def encode(
    labels: NDArray[np.str_] | None, owners: NDArray[np.int64], options: SeriesOptions
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The classes that have a window, and (n,) the class of each window."""
    if labels is None:
        return ("all",), np.zeros(len(owners), dtype=np.int64)
    classes, codes = np.unique(labels[owners], return_inverse=True)
    if len(classes) < 2:
        raise DataError(
            f"expected several labels, but {options.label!r} is the same in every sequence that holds a window; "
            "leave out --label"
        )
    return tuple(str(name) for name in classes), codes.astype(np.int64)
