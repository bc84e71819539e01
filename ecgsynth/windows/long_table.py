"""Windows as the user's own table: a row for each step of each window, columns under their names and in their types."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.dtypes import CATEGORY, ORDERED, as_type
from ecgsynth.errors import DataError, MissingExtraError, require
from ecgsynth.windows.info import ClockInfo, ColumnInfo, SeriesInfo

__all__ = [
    "DAY_S",
    "WEEK_S",
    "Labelled",
    "Place",
    "bounds_in_order",
    "column_names",
    "frame_of",
    "rows",
    "since_monday",
]

EPOCH = "2000-01-01T00:00:00"
MONDAY = "2000-01-03T00:00:00"  # from which on windows start that know their time of the week
DIGITS = 7  # that a float32 has
CLOCK_DIGITS = 13  # of times in a long series; float64 has more, with the rounding of many steps in them
DAY_S, WEEK_S = 86_400, 604_800
MONDAY_US = 4 * DAY_S * 10**6  # of the first Monday after 1970 began, a Thursday
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


K = TypeVar("K")


class Labelled(Protocol):
    """What is needed of windows here: values (n, time, channels), labels (n,), the names of the classes, and (n,) when
    they start, in s from Monday 00:00, or None.
    """

    @property
    def values(self) -> NDArray[np.float32]: ...
    @property
    def labels(self) -> NDArray[np.int64]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def start_s(self) -> NDArray[np.float64] | None: ...


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """Where rows lie in long series: each is at ``step`` and following, and time runs on from a history.

    ``last``: (histories,) the last time of each, in microseconds or the column's own unit; series go on from them in
    turn. None: time starts as in windows, where the first row of a series lies.
    """

    step: int = 0
    last: NDArray[Any] | None = None


def frame_of(windows: Labelled, info: SeriesInfo, place: Place | None = None) -> Any:
    """The user's own table of windows, which is what a sample of a series is.

    Parameters
    ----------
    windows
        Windows of the series; the first one is sequence 0 of the table.
    info
        What the columns of the table are.
    place
        Of long series, where the rows lie in them.

    Returns
    -------
    pandas.DataFrame or dict
        The columns that ``rows`` gives, in a data frame; as arrays by name where pandas is not installed.

    Raises
    ------
    DataError
        For windows of another table.

    """
    table = rows(windows, info, 0, place)
    try:
        pandas = require("pandas", "a data frame")
    except MissingExtraError:
        return table
    frame = pandas.DataFrame(table)
    for name, word in info.pandas.items():
        labels = word in (CATEGORY, ORDERED)  # only a label can be one
        frame[name] = (
            frame[name].astype(pandas.CategoricalDtype(windows.classes)) if labels else as_type(frame[name], word)
        )
    return frame


def column_names(info: SeriesInfo) -> list[str]:
    """The columns of the table: id, step, time and label if there were any, then the columns and the statics."""
    return [*keys(info), *(column.name for column in info.channels)]


def rows(windows: Labelled, info: SeriesInfo, first: int, place: Place | None = None) -> dict[str, NDArray[Any]]:
    """The table of a batch of windows.

    Numbers are rounded to the steps in which the column came, or to the decimals that it had; a static is the mean of
    its channel over the window. Times start at 0 in each window, or in the year 2000 where they were dates: in the week
    from Monday, 3 January on, at the time of the week that is made, or else all on 1 January.

    Parameters
    ----------
    windows
        n windows of the series.
    info
        What the columns of the table are.
    first
        The number of the sequence that the first window is; those of the others follow it.
    place
        Of long series, where the rows lie in them.

    Returns
    -------
    dict
        Each column by its name, (n * time,), in its type; dates are datetime64.

    Raises
    ------
    DataError
        For windows of another table.

    """
    n, time, channels = windows.values.shape
    columns, statics = info.columns, info.statics
    begin = 0 if place is None else place.step
    if channels != len(columns) + len(statics):
        raise DataError(
            f"expected windows of {len(columns)} columns and {len(statics)} statics, got {channels} channels; "
            "they are of another table"
        )
    found: dict[str, NDArray[Any]] = {}
    for name, role in keys(info).items():
        if role == "id":
            found[name] = np.repeat(np.arange(first, first + n, dtype=np.int64), time)
        elif role == "step":
            found[name] = np.tile(np.arange(begin, begin + time, dtype=np.int64), n)
        elif role == "time" and info.time is not None:
            if place is None:
                found[name] = np.tile(clock(info.time, time), n)
            else:
                found[name] = long_clock(info.time, range(begin, begin + time), range(first, first + n), place.last)
                if place.last is not None:
                    continue
            if windows.start_s is not None and info.time.kind == "datetime":
                found[name] = found[name] + np.repeat(since_epoch(windows.start_s), time)
        else:
            found[name] = np.repeat(np.asarray(windows.classes, dtype=np.str_)[windows.labels], time)
    for channel, column in enumerate(columns):
        found[column.name] = restored(windows.values[:, :, channel].astype(np.float64).reshape(-1), column)
    for channel, column in enumerate(statics, start=len(columns)):
        level = windows.values[:, :, channel].mean(axis=1, dtype=np.float64)
        found[column.name] = np.repeat(restored(level, column), time)
    keep_rules(found, info)
    return found


def keep_rules(table: dict[str, NDArray[Any]], info: SeriesInfo) -> None:
    """Move, in place, the values that the rounding of their columns has brought out of order."""
    for name, lowers, uppers in bounds_in_order(info.rules, {column.name: step_of(column) for column in info.columns}):
        for bounds, nearest in ((lowers, np.maximum), (uppers, np.minimum)):
            for other in bounds:
                table[name] = nearest(table[name], table[other]).astype(table[name].dtype)


def step_of(column: ColumnInfo) -> float:
    """What the values of a column are multiples of as they are written, or 0."""
    return column.quantum or (0.0 if column.decimals is None else 10.0**-column.decimals)


def bounds_in_order(pairs: Iterable[tuple[K, K]], steps: Mapping[K, float]) -> list[tuple[K, list[K], list[K]]]:
    """In which order columns are put within their bounds, so that all rules between them hold again.

    A column that comes in coarser steps stays, and one in finer steps goes where the other is: it can be there.

    Parameters
    ----------
    pairs
        (lower, upper), also those that follow from others.
    steps
        What the values of each column are multiples of, or 0; the columns in their order.

    Returns
    -------
    Each column that is in a pair, the coarsest first; those of the ones before it that it is never below, and those
    that it is never above.

    """
    known = set(pairs)
    order = sorted({name for pair in known for name in pair}, key=lambda name: (-steps[name], list(steps).index(name)))
    return [
        (
            name,
            [other for other in order[:place] if (other, name) in known],
            [other for other in order[:place] if (name, other) in known],
        )
        for place, name in enumerate(order)
    ]


def keys(info: SeriesInfo) -> dict[str, str]:
    """The columns that are not numbers of the series, by name: id, step, time or label."""
    options = info.options
    clock_name = info.time.name if info.time else None
    own = [column.name for column in info.channels]
    taken = {*own, clock_name, options.label, options.id}
    names = {
        options.id or free("id", taken): "id",
        free("step", taken): "step",
        clock_name: "time",
        options.label: "label",
    }
    return {name: role for name, role in names.items() if name is not None}


def free(name: str, taken: Iterable[str | None]) -> str:
    """The name, with "synthetic_" before it where the user's table has a column so named."""
    return free(f"synthetic_{name}", taken) if name in taken else name


def clock(info: ClockInfo, time: int) -> NDArray[Any]:
    """(time,) the times of a window that starts at 0, or in 2000 as datetime64 of the coarsest unit that holds them."""
    step = info.step
    if info.kind == "number":
        if isinstance(step, int):  # the column was of whole numbers
            return np.arange(time, dtype=np.int64) * step
        return shortened(np.arange(time, dtype=np.float64) * step)
    unit = unit_of(step)
    ticks = np.rint(np.arange(time) * (step * UNITS[unit])).astype(f"timedelta64[{unit}]")
    return np.asarray(np.asarray(EPOCH, dtype=f"datetime64[{unit}]") + ticks)


def long_clock(info: ClockInfo, steps: range, series: range, last: NDArray[Any] | None) -> NDArray[Any]:
    """(series * steps,) the times of long series at some of their steps."""
    number = info.kind == "number"
    counts = np.arange(steps.start, steps.stop, dtype=np.int64) + (last is not None)  # the first row is a step later
    whole = number and isinstance(info.step, int) and (last is None or last.dtype.kind == "i")
    if number:
        base = np.zeros(len(series), dtype=np.int64 if whole else np.float64)
        gone = counts * info.step
    else:
        unit = unit_of(info.step, last)
        base = np.full(len(series), EPOCH, dtype=f"datetime64[{unit}]")
        gone = np.rint(counts * (info.step * UNITS[unit])).astype(f"timedelta64[{unit}]")
    if last is not None:
        before = last[np.arange(series.start, series.stop) % len(last)]
        base = before.astype(base.dtype) if number else before.astype("datetime64[us]").astype(base.dtype)
    times: NDArray[Any] = (base[:, None] + gone).reshape(-1)
    return times if whole or not number else shortened(times, CLOCK_DIGITS)


def unit_of(step: float, last: NDArray[Any] | None = None) -> str:
    """The coarsest unit that holds steps of so many seconds, and times in microseconds."""
    held = (unit for unit, parts in UNITS.items() if near_whole(step * parts))
    return next((unit for unit in held if last is None or not (last % max(1, 10**6 // UNITS[unit])).any()), "ns")


def since_epoch(start_s: NDArray[np.float64]) -> NDArray[Any]:
    """(n,) from EPOCH to where windows start that do so at these seconds from MONDAY on."""
    return np.asarray(np.datetime64(MONDAY) - np.datetime64(EPOCH) + np.rint(start_s).astype("timedelta64[s]"))


def since_monday(ticks: NDArray[Any], start: str) -> NDArray[np.float64]:
    """(n,) microseconds -> whole seconds since 00:00, of Monday if ``start`` is "week", else of the "day"."""
    period = WEEK_S if start == "week" else DAY_S
    return np.asarray((ticks - MONDAY_US) % (period * 10**6) // 10**6, dtype=np.float64)


def near_whole(number: float) -> bool:
    return round(number) > 0 and abs(number - round(number)) <= 1e-9 * number


def restored(values: NDArray[np.float64], column: ColumnInfo) -> NDArray[Any]:
    """Values (n,) in the type of their column and in its steps."""
    if column.dtype == "bool":
        return values >= 0.5
    if column.quantum:
        values = np.round(values, -round(np.log10(column.quantum)))
    elif column.decimals is not None:
        values = np.round(values, column.decimals)
    else:
        values = shortened(values)
    if column.dtype == "int64":
        return np.rint(values).astype(np.int64)
    return values + 0.0  # -0.0 becomes 0.0


def shortened(values: NDArray[np.float64], digits: int = DIGITS) -> NDArray[np.float64]:
    """Values without the digits that float32 does not have, or others: 0.1, not 0.10000000149."""
    size = np.abs(values)
    exponents = np.floor(np.log10(size, out=np.zeros_like(size), where=size > 0)).astype(np.int64)
    places = digits - 1 - exponents
    # A power of ten is exact up to 1e22, its inverse never: divide by the one or the other.
    scale = 10.0 ** np.abs(places)
    large = places < 0
    return np.where(large, np.rint(values / scale) * scale, np.rint(values * scale) / scale)
