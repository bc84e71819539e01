"""What a table holds of a column, whatever way pandas holds it: numbers, truth, text or times, and what is missing."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.dtypes import type_of
from ecgsynth.errors import DataError, require

__all__ = ["ColumnValues", "read_column"]

Floats = NDArray[np.float64]

EXACT_TO = 1 << 53  # beyond it, float64 does not hold every whole number


@dataclass(frozen=True, slots=True)
class ColumnValues:
    """What a table holds of a column, read once.

    Attributes
    ----------
    dtype
        "int64", "float64", "string", "bool" or "datetime64".
    values
        (rows,) float64, bool, object (text) or datetime64[s]; anything where missing.
    missing
        (rows,) bool.
    pandas
        The column's pandas dtype in words, see ecgsynth.core.dtypes; None for what plain pandas reads from CSV.
    order
        Of an ordered categorical, its categories from the lowest to the highest; else none.

    """

    dtype: str
    values: NDArray[Any]
    missing: NDArray[np.bool_]
    pandas: str | None = None
    order: tuple[Any, ...] = ()

    @property
    def gaps(self) -> bool:
        """Whether a value is missing."""
        return bool(self.missing.any())

    def known(self) -> NDArray[Any]:
        """The values that are not missing."""
        return np.asarray(self.values[~self.missing])

    def numbers(self, name: str, said: str) -> Floats:
        """(rows,) numbers, NaN where missing; DataError that names the column and a row where there are none."""
        if self.dtype in ("string", "datetime64"):
            first = int((~self.missing).argmax())
            raise DataError(
                f"column {name!r} has in row {first + 1} a value that is not a number, but {said}; "
                "correct the values or the schema"
            )
        return np.where(self.missing, np.nan, self.values.astype(np.float64))

    def texts(self) -> NDArray[Any]:
        """The values that are not missing as text; whole numbers without a point."""
        known = self.known()
        if self.dtype == "string":
            return known
        if self.dtype == "int64" or (self.dtype == "float64" and (known == np.round(known)).all()):
            return known.astype(np.int64).astype(str).astype(object)
        return known.astype(str).astype(object)


def read_column(series: Any, name: str) -> ColumnValues:
    """What a pandas Series holds.

    Numbers of 32 bits are taken as they are written, 0.1 and not 0.10000000149; whole numbers beyond 2**53, which
    float64 does not hold exactly, as text; times with a zone as times in UTC.

    Raises
    ------
    DataError
        For mixed types, infinities, and what no table of text can hold.

    """
    pandas = require("pandas", "reading a table")
    held, order = series.dtype, ()
    if isinstance(held, pandas.CategoricalDtype):
        series = series.astype(held.categories.dtype if not series.isna().any() else object)
        order = tuple(held.categories.tolist()) if held.ordered else ()
    return replace(values_of(series, name), pandas=type_of(held), order=order)


def values_of(series: Any, name: str) -> ColumnValues:
    """What a pandas Series that is no categorical holds."""
    pandas = require("pandas", "reading a table")
    types = pandas.api.types
    missing = np.asarray(series.isna(), dtype=np.bool_)
    dtype = series.dtype
    if types.is_bool_dtype(dtype):
        return ColumnValues("bool", filled(series, missing, False).astype(np.bool_), missing)
    if types.is_datetime64_any_dtype(dtype):
        if getattr(dtype, "tz", None) is not None:
            series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return ColumnValues("datetime64", series.to_numpy().astype("datetime64[s]"), missing)
    if types.is_complex_dtype(dtype) or types.is_timedelta64_dtype(dtype):
        raise DataError(f"column {name!r} holds {dtype}, which is no number or time of day; change or leave it out")
    if types.is_numeric_dtype(dtype):
        return read_numbers(series, missing, name)
    if types.is_object_dtype(dtype) or types.is_string_dtype(dtype):
        return read_objects(series, missing, name)
    raise DataError(f"column {name!r} holds {dtype}, which is not supported; make it numbers, text or times")


def filled(series: Any, missing: NDArray[np.bool_], value: Any) -> NDArray[Any]:
    return np.asarray((series.fillna(value) if missing.any() else series).to_numpy())


def read_numbers(series: Any, missing: NDArray[np.bool_], name: str) -> ColumnValues:
    pandas = require("pandas", "reading a table")
    whole = pandas.api.types.is_integer_dtype(series.dtype)
    values = filled(series, missing, 0)
    if values.dtype == np.float32:
        values = values.astype(str)  # 0.1 of 32 bits is meant as 0.1, not as 0.10000000149
    values = values.astype(np.float64)
    missing = missing | np.isnan(values)  # pandas' Float64 may hold either
    wild = np.isinf(values) & ~missing
    if wild.any():
        raise DataError(
            f"column {name!r} has {int(wild.sum())} infinite values, the first in row {wild.argmax() + 1}; "
            "correct them or leave their cells empty"
        )
    if whole and (np.abs(values[~missing]) > EXACT_TO).any():
        texts = np.asarray(series.astype("string").to_numpy(dtype=object, na_value=None))
        return ColumnValues("string", texts, missing)
    return ColumnValues("int64" if whole else "float64", values, missing)


def read_objects(series: Any, missing: NDArray[np.bool_], name: str) -> ColumnValues:
    """Python's own values, all of one type."""
    pandas = require("pandas", "reading a table")
    values = np.asarray(series.to_numpy(dtype=object, na_value=None))
    found = pandas.api.types.infer_dtype(values, skipna=True)
    if found in ("string", "empty"):
        return ColumnValues("string", values, missing)
    if found == "boolean":
        return ColumnValues("bool", np.where(missing, False, values).astype(np.bool_), missing)
    if found in ("integer", "floating", "mixed-integer-float", "decimal"):
        numbers = pandas.Series([None if gap else value for gap, value in zip(missing, values, strict=True)])
        whole = found == "integer"
        return read_numbers(numbers.astype("Int64" if whole else "Float64"), missing, name)
    if found in ("datetime", "datetime64", "date"):
        times = np.full(len(values), np.datetime64("NaT"), dtype="datetime64[s]")
        times[~missing] = [np.datetime64(value, "s") for value in values[~missing]]
        return ColumnValues("datetime64", times, missing)
    kinds: dict[str, list[int]] = {}  # the rows of each type
    for row in np.flatnonzero(~missing).tolist():
        kinds.setdefault(type(values[row]).__name__, []).append(row + 1)
    counts = ", ".join(f"{len(rows)} {kind}, the first in row {rows[0]}" for kind, rows in kinds.items())
    if len(kinds) > 1:
        raise DataError(f"column {name!r} has mixed types: {counts}; make them all of one type")
    raise DataError(f"column {name!r} holds {counts}, which no table of numbers and text has; change or leave it out")
