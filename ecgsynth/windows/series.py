"""A user's table of time series as windows: CSV, Parquet or arrays, one long series or many sequences."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.disclosure import coarse, shared_range
from ecgsynth.core.tables import read_table, stem
from ecgsynth.errors import DataError, require
from ecgsynth.windows.info import ClockInfo, ColumnInfo, SeriesInfo, SeriesOptions
from ecgsynth.windows.windows import Windows

__all__ = ["SeriesOptions", "read_series"]

BLOCK = 10  # windows' lengths, or strides if these are longer, that a block of a single series has
FEW, LEAST = 10, 3  # blocks: of a shorter series, of this many lengths each
MOST = 100  # blocks
QUANTA = (1e4, 1e3, 100.0, 10.0, 1.0, 0.1, 0.01, 0.001)
FINEST = 1e-3  # of a column's standard deviation: what comes in finer steps is taken as continuous
MOST_DECIMALS = 9
LAST_PLACES, NOISE_AT_MOST = 4, 0.01  # of float64, that may be wrong; of a decimal's step, that these may be
EVEN = 0.01  # a step may differ by this share from the median, and this share of the steps by more


@dataclass(frozen=True, slots=True)
class Sequences:
    """Rows of a table, those of a sequence together and in their own order."""

    rows: NDArray[np.int64]  # (rows,) where each stood in the table, from 0
    bounds: NDArray[np.int64]  # (sequences + 1,) where each sequence starts and ends among them
    names: NDArray[np.str_]  # (sequences,)

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


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of each row, in microseconds or in the column's own unit, and what is known of it."""

    ticks: NDArray[Any]  # (rows,) int64 or float64
    fs_hz: float
    info: ClockInfo | None
    uneven: float  # share of the steps that are not the median


def read_series(path: Path | str, options: SeriesOptions | None = None) -> Windows:
    """The windows of a table: (n, length, channels), where the channels are its columns and then its statics.

    The file (see table_files.read_table) has a row for each step.
    ``groups`` is the sequence of each window; of a single series without an id it is the block of time in which the
    window lies, or "" where it straddles two. ``series`` says what the columns are, so that the table can be
    restored (ecgsynth.windows.long_table), and ``meta`` what was dropped, filled or left out.

    Raises ArtifactError for a file that is missing or broken, DataError for a table that does not fit the options.
    """
    options = options or SeriesOptions()
    path = Path(path)
    text = tuple(name for name in (options.id, options.label) if name is not None)
    frame, ids = read_table(path, text, trim=True)
    names, left_out = pick_columns(frame, options, path.name)
    check_roles(options, several=ids is not None)
    sequences = find_sequences(frame, ids, options)
    clock = read_clock(frame, sequences, options)
    labels = read_labels(frame, sequences, options)
    given = np.stack([as_numbers(frame[name])[sequences.rows] for name in names], axis=1)
    check_finite(given, names)
    check_statics(given[:, len(names) - len(options.statics) :], sequences, options)
    values = given if options.missing != "interpolate" else interpolated(given, clock.ticks, sequences)
    starts, owners = cut(sequences, options)
    gappy = check_missing(values, starts, names, options)
    known = sequences_known(options, ids)
    groups = sequences.names[owners] if known else blocks(starts, len(values), options)
    starts, owners, groups = starts[~gappy], owners[~gappy], groups[~gappy]
    held = rows_used(starts, len(values), options.length)
    used = given[held]
    check_varies(used, names, options)
    classes, codes = encode(labels, owners, options)
    return Windows(
        values=windows_at(values, starts, options.length),
        fs_hz=clock.fs_hz,
        units="as given",
        channel_names=tuple(names),
        classes=classes,
        labels=codes,
        groups=groups,
        series=describe_table(frame, used, sequences.owners[held] if known else None, names, clock, options),
        meta={
            "kind": "series",
            "source": {"name": stem(path)},
            "groups": "sequences" if known else "blocks",
            "dropped": {"missing values": int(gappy.sum())} if gappy.any() else {},
            "filled": int((np.isnan(given) & ~np.isnan(values)).sum()),
            "short": int((sequences.lengths < options.length).sum()),
            "straddling": int((groups == "").sum()),
            "left_out": left_out,
            **({"uneven": clock.uneven} if clock.uneven > EVEN else {}),
        },
    )


# ---- columns and their roles


def pick_columns(frame: Any, options: SeriesOptions, where: str) -> tuple[list[str], dict[str, str]]:
    """The channels, columns then statics, and the columns that are left out because they cannot be one."""
    there = list(frame.columns)
    for name in (*options.columns, *options.statics, *options.roles):
        if name not in there:
            raise DataError(f"there is no column {name!r} in {where}; the columns are {', '.join(there)}")
    for name in (*options.columns, *options.statics):
        reason = unfit(frame[name])
        if reason:
            raise DataError(f"expected numbers in column {name!r} of {where}, but it {reason}; correct or leave it out")
    if options.columns:
        return [*options.columns, *options.statics], {}
    free = [name for name in there if name not in (*options.statics, *options.roles)]
    left_out = {name: reason for name in free if (reason := unfit(frame[name]))}
    picked = [name for name in free if name not in left_out]
    if not picked:
        reasons = ", ".join(f"{name} {reason}" for name, reason in left_out.items())
        raise DataError(f"expected a column of numbers in {where}, got none" + (f": {reasons}" if reasons else ""))
    return [*picked, *options.statics], left_out


def unfit(column: Any) -> str:
    """Why a column cannot be a channel; empty where it can."""
    pandas = require("pandas", "reading a table")
    if not column.notna().any():
        return "has no value"
    if pandas.api.types.is_numeric_dtype(column) and not pandas.api.types.is_complex_dtype(column):
        return ""
    if not (pandas.api.types.is_string_dtype(column) or pandas.api.types.is_object_dtype(column)):
        return "is not numeric"
    wrong = column.notna().to_numpy() & pandas.to_numeric(column.astype("string"), errors="coerce").isna().to_numpy()
    if wrong.all() or not wrong.any():
        return "is not numeric"
    return f"is not numeric, first in data row {int(wrong.argmax()) + 1}"


def as_numbers(column: Any) -> NDArray[np.float64]:
    """(rows,) NaN where a value is missing."""
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


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


def sequences_known(options: SeriesOptions, ids: NDArray[np.str_] | None) -> bool:
    return options.id is not None or ids is not None


def find_sequences(frame: Any, ids: NDArray[np.str_] | None, options: SeriesOptions) -> Sequences:
    """The rows by sequence, in the order in which the sequences first appear."""
    if options.id is not None:
        ids = as_text(frame[options.id], "an id")
    if ids is None:
        return Sequences(np.arange(len(frame)), np.array([0, len(frame)]), np.array(["all"]))
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


def read_clock(frame: Any, sequences: Sequences, options: SeriesOptions) -> Clock:
    """The time of each row, which must run forwards within each sequence; without a time column, the row itself."""
    if options.time is None:
        return Clock(np.arange(len(sequences.rows)), 1.0, None, 0.0)
    ticks, kind = parse_time(frame[options.time])
    ticks = ticks[sequences.rows]
    steps = np.diff(ticks)[sequences.inner]
    wrong = np.flatnonzero(sequences.inner & ~(np.diff(ticks) > 0))
    if len(wrong):
        row = int(sequences.rows[wrong[0] + 1])
        how = "stands still" if ticks[wrong[0] + 1] == ticks[wrong[0]] else "runs backwards"
        hint = "" if options.id is not None else ", or name the column that tells sequences apart with --id"
        raise DataError(
            f"expected time to run forwards within each sequence, but {options.time!r} {how} at data row {row + 1}; "
            f"sort the rows{hint}"
        )
    step = float(np.median(steps)) if len(steps) else 1.0
    uneven = float((np.abs(steps - step) > EVEN * step).mean()) if len(steps) else 0.0
    if uneven > EVEN:  # the median is somebody's own
        step = coarse(step)
    step = step / 1e6 if kind == "datetime" else step
    whole = kind == "number" and ticks.dtype.kind == "i" and step == int(step)
    info = ClockInfo(name=options.time, kind=kind, step=int(step) if whole else step)
    return Clock(ticks, 1.0 / step, info, uneven)


def parse_time(column: Any) -> tuple[NDArray[Any], str]:
    """(rows,) whole or real numbers, or microseconds of ISO dates; and which: "number" or "datetime"."""
    pandas = require("pandas", "reading a table")
    types = pandas.api.types
    numeric = types.is_numeric_dtype(column) and not types.is_bool_dtype(column)
    if numeric:
        found = column
    elif types.is_datetime64_any_dtype(column):
        found = pandas.to_datetime(column, utc=True)
    else:
        text = column.astype("string")
        found = pandas.to_numeric(text, errors="coerce")
        dates = pandas.to_datetime(text, errors="coerce", format="ISO8601", utc=True)
        numeric = found.notna().sum() > dates.notna().sum()
        found = found if numeric else dates
    wrong = found.isna().to_numpy()
    if numeric:
        wrong = wrong | np.isinf(as_numbers(found))
    if wrong.any():
        row = int(wrong.argmax())
        value = "nothing" if column.isna().iloc[row] else "something else"
        raise DataError(
            f"expected numbers or ISO dates such as 2024-01-31T12:00:00 in the time column {column.name!r}, "
            f"got {value} in data row {row + 1}; correct it"
        )
    if not numeric:
        instants = found.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
        return instants.astype(np.int64), "datetime"
    whole = pandas.api.types.is_integer_dtype(found)
    return np.asarray(found.to_numpy(dtype=np.int64 if whole else np.float64)), "number"


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


# ---- values


def check_finite(values: NDArray[np.float64], names: list[str]) -> None:
    """Raise DataError for values that are infinite, or would be in float32."""
    too_large = np.abs(values) > np.finfo(np.float32).max
    if too_large.any():
        raise DataError(
            f"expected finite numbers, got infinite ones (or above 3.4e38) in {per_column(too_large, names)}; "
            "correct them, or leave them empty and add --missing interpolate"
        )


def per_column(found: NDArray[np.bool_], names: list[str]) -> str:
    """How many were found in which columns, in words."""
    counts = found.sum(axis=0)
    return ", ".join(f"{name} ({count})" for name, count in zip(names, counts, strict=True) if count)


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
    most = min(rows // (BLOCK * unit), MOST)
    if most < FEW:
        most = max(most, min(rows // (LEAST * unit), FEW), LEAST)
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


def check_varies(values: NDArray[np.float64], names: list[str], options: SeriesOptions) -> None:
    """Raise DataError for a channel with one value only, in the precision in which windows are stored."""
    single = values.astype(np.float32)
    constant = [
        name for name, still in zip(names, np.fmin.reduce(single) == np.fmax.reduce(single), strict=True) if still
    ]
    if constant:
        static = [name for name in constant if name in options.statics]
        rest = ",".join(name for name in names if name not in (*constant, *options.statics))
        advice = f"leave it out with --columns {rest}" if rest else "bring one that does"
        advice = "leave it out of --statics" if static else advice
        raise DataError(f"expected columns that vary, but {', '.join(static or constant)} is constant; {advice}")


def windows_at(values: NDArray[np.float64], starts: NDArray[np.int64], length: int) -> NDArray[np.float32]:
    """(n, length, channels) the windows that start at these rows."""
    single = np.ascontiguousarray(values, dtype=np.float32)
    channels = single.shape[1]
    # Rows lie one after the other, so that a window is one piece of memory.
    pieces = np.lib.stride_tricks.sliding_window_view(single.reshape(-1), length * channels)
    return np.asarray(pieces[starts * channels]).reshape(len(starts), length, channels)


def describe_table(
    frame: Any,
    values: NDArray[np.float64],
    owners: NDArray[np.int64] | None,
    names: list[str],
    clock: Clock,
    options: SeriesOptions,
) -> SeriesInfo:
    """All that a generator's file has to say of the table, so that its like can be written.

    owners: (rows,) the sequence of each row, or None for a single series, each of whose rows counts by itself
    """
    split_at = len(names) - len(options.statics)
    about = [describe(name, frame[name], values[:, place], owners) for place, name in enumerate(names)]
    return SeriesInfo(
        options=options, columns=tuple(about[:split_at]), statics=tuple(about[split_at:]), time=clock.info
    )


def describe(
    name: str, column: Any, values: NDArray[np.float64], owners: NDArray[np.int64] | None = None
) -> ColumnInfo:
    """What it takes to write a column as it came: its type, the step of its values and their bounds."""
    types = require("pandas", "reading a table").api.types
    there = ~np.isnan(values)
    known = values[there]
    kind = "bool" if types.is_bool_dtype(column) else "int64" if types.is_integer_dtype(column) else "float64"
    step = quantum(known, whole=kind != "float64")
    lowest, highest = ends(known, None if owners is None else owners[there], step)
    return ColumnInfo(name=name, dtype=kind, quantum=step, decimals=decimals(known), lowest=lowest, highest=highest)


def ends(
    values: NDArray[np.float64], owners: NDArray[np.int64] | None, step: float | None
) -> tuple[float | None, float | None]:
    """From where to where values go, as it may be told; None where there are too few persons to tell it."""
    found = shared_range(values, owners)
    if found is None:
        return None, None
    low, high = found
    if step:  # no further out
        low, high = np.ceil(low / step - 1e-6) * step, np.floor(high / step + 1e-6) * step
        low, high = min(low, high), max(low, high)
    return float(low), float(high)


def quantum(values: NDArray[np.float64], *, whole: bool) -> float | None:
    """The largest power of ten, from 10,000 to 0.001, that all values are multiples of; None if that is too fine."""
    for step in QUANTA:
        ratio = values / step
        # A millionth of the value, for values that were float32 once; but never so much that any number would do, nor
        # that what the column varies by would be rounded away.
        allowed = np.minimum(1e-6 * np.maximum(np.abs(ratio), 1), min(0.01, FINEST * values.std() / step))
        if (np.abs(ratio - np.rint(ratio)) <= allowed).all():
            return step if step >= FINEST * values.std() else 1.0 if whole else None
    return 1.0 if whole else None


def decimals(values: NDArray[np.float64]) -> int | None:
    """The fewest decimals, up to 9, with which all values can be written; None where float64 cannot tell, or for more.

    A few units in the last place are no decimals: 0.1 + 0.2 has one.
    """
    noise = LAST_PLACES * np.spacing(np.abs(values))
    for count in range(MOST_DECIMALS + 1):
        if noise.max(initial=0.0) > NOISE_AT_MOST * 10.0**-count:
            return None
        if (np.abs(values - np.round(values, count)) <= noise).all():
            return count
    return None
