"""The time of each row of a table, and what is known of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.disclosure import coarse
from ecgsynth.errors import DataError, require
from ecgsynth.windows.columns import as_numbers
from ecgsynth.windows.info import ClockInfo, SeriesOptions
from ecgsynth.windows.long_table import DAY_S, since_monday
from ecgsynth.windows.sequences import Sequences

__all__ = ["Clock", "EVEN_SHARE", "read_clock"]

LEAST_PERIODS = 2  # days or weeks that a time of the day or of the week is learnt from
EVEN_SHARE = 0.01  # a step may differ by this share from the median, and this share of the steps by more


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of each row, in microseconds or in the column's own unit, and what is known of it."""

    ticks: NDArray[Any]  # (rows,) int64 or float64
    fs_hz: float
    info: ClockInfo | None
    uneven: float  # share of the steps that are not the median

    def starts(self, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """(n,) seconds since Monday 00:00 at these rows, where ``info`` says that windows start so."""
        if self.info is None or not self.info.start:
            return None
        return since_monday(self.ticks[rows], self.info.start)


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
    uneven = float((np.abs(steps - step) > EVEN_SHARE * step).mean()) if len(steps) else 0.0
    if uneven > EVEN_SHARE:  # the median may be one person's own
        step = coarse(step)
    step = step / 1e6 if kind == "datetime" else step
    whole = kind == "number" and ticks.dtype.kind == "i" and step == int(step)
    start = "" if kind == "number" or uneven > EVEN_SHARE else start_of(step, int(np.ptp(ticks)) / 1e6)
    info = ClockInfo(name=options.time, kind=kind, step=int(step) if whole else step, start=start)
    return Clock(ticks, 1.0 / step, info, uneven)


def start_of(step_s: float, covered_s: float) -> str:
    """Whether windows start at a time of the "day" or of the "week"; "" for neither, or a step that divides no day."""
    whole = 1 <= step_s <= DAY_S / 2 and float(step_s).is_integer() and DAY_S % step_s == 0
    days = covered_s / DAY_S if whole else 0
    return "week" if days >= 7 * LEAST_PERIODS else "day" if days >= LEAST_PERIODS else ""


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
