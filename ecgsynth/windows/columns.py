"""Which columns of a table can be channels of windows, and what it takes to write such a column again."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.disclosure import shared_range
from ecgsynth.errors import DataError, require
from ecgsynth.windows.info import ColumnInfo, SeriesOptions

__all__ = ["as_numbers", "check_finite", "check_varies", "describe_column", "per_column", "pick_columns"]

QUANTA = (1e4, 1e3, 100.0, 10.0, 1.0, 0.1, 0.01, 0.001)
FINEST_SPREADS = 1e-3  # a step of less than this share of a column's standard deviation is taken as continuous
MOST_DECIMALS = 9
NOISE_ULPS = 4  # units in the last place of float64 that may be wrong
MOST_NOISE_STEPS = 0.01  # share of a decimal's step that this noise may be


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


def check_finite(values: NDArray[np.float64], names: list[str]) -> None:
    """Raise DataError for values that are infinite, or would be in float32."""
    too_large = np.abs(values) > np.finfo(np.float32).max
    if too_large.any():
        raise DataError(
            f"expected finite numbers, got infinite ones (or above 3.4e38) in {per_column(too_large, names)}; "
            "correct them, or leave them empty and add --missing interpolate"
        )


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


def per_column(found: NDArray[np.bool_], names: list[str]) -> str:
    """How many were found in which columns, in words."""
    counts = found.sum(axis=0)
    return ", ".join(f"{name} ({count})" for name, count in zip(names, counts, strict=True) if count)


def describe_column(column: Any, values: NDArray[np.float64], owners: NDArray[np.int64] | None = None) -> ColumnInfo:
    """Find what it takes to write a column as it came.

    Parameters
    ----------
    column
        The column of the data frame, which says its name and type.
    values
        (rows,) those of its values that windows hold, NaN where one is missing.
    owners
        (rows,) the sequence of each, or None where each row is a person of its own.

    """
    types = require("pandas", "reading a table").api.types
    there = ~np.isnan(values)
    known = values[there]
    kind = "bool" if types.is_bool_dtype(column) else "int64" if types.is_integer_dtype(column) else "float64"
    step = quantum(known, whole=kind != "float64")
    lowest, highest = bounds_of(known, None if owners is None else owners[there], step)
    return ColumnInfo(
        name=str(column.name), dtype=kind, quantum=step, decimals=decimals(known), lowest=lowest, highest=highest
    )


def bounds_of(
    values: NDArray[np.float64], owners: NDArray[np.int64] | None, step: float | None
) -> tuple[float | None, float | None]:
    """The range of values as it may be published; None where too few persons stand behind it."""
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
        allowed = np.minimum(1e-6 * np.maximum(np.abs(ratio), 1), min(0.01, FINEST_SPREADS * values.std() / step))
        if (np.abs(ratio - np.rint(ratio)) <= allowed).all():
            return step if step >= FINEST_SPREADS * values.std() else 1.0 if whole else None
    return 1.0 if whole else None


def decimals(values: NDArray[np.float64]) -> int | None:
    """The fewest decimals, up to 9, with which all values can be written; None where float64 cannot tell, or for more.

    A few units in the last place are no decimals: 0.1 + 0.2 has one.
    """
    noise = NOISE_ULPS * np.spacing(np.abs(values))
    for count in range(MOST_DECIMALS + 1):
        if noise.max(initial=0.0) > MOST_NOISE_STEPS * 10.0**-count:
            return None
        if (np.abs(values - np.round(values, count)) <= noise).all():
            return count
    return None
