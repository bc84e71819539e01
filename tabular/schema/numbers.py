"""Columns of numbers: continuous and whole ones; and what all kinds share whose canonical form is a number."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import DataError, require

from .columns import DECIMALS, Column
from .kind import Found, Kind, Seen, check_missing
from .reading import ColumnValues

__all__ = ["Continuous", "Integer", "Number", "is_whole"]

Floats = NDArray[np.float64]

SPIKE_SHARE = 0.05  # of the rows: a single value that so many have is a spike
SPIKE_ROWS = 2.0  # and so many, whatever their share


class Number(Kind):
    """What is learnt as numbers: bounds and spikes, float64 with NaN where missing.

    A subclass may read texts by overriding ``read``, and write them by overriding ``written``.
    """

    dtypes: tuple[str, ...] = ("int64", "float64")
    settings: tuple[str, ...] = ("minimum", "maximum", "spikes")

    def read(self, column: Column, values: ColumnValues) -> Floats:
        """(rows,) the canonical numbers, before bounds are checked; DataError for what is none."""
        return values.numbers(column.name, f"the schema says {self.name}")

    def written(self, column: Column, numbers: Floats) -> NDArray[Any]:
        """(rows,) canonical numbers, none missing, as the user's table has them."""
        return numbers

    def encode(self, column: Column, values: ColumnValues, *, strict: bool = True) -> Floats:
        """Canonical numbers; see Kind.encode."""
        if strict:
            check_missing(column, values)
        numbers = self.read(column, values)
        if strict:
            check_bounds(column, numbers)
        return numbers

    def decode(self, column: Column, values: NDArray[Any]) -> Any:
        """A pandas Series; see Kind.decode."""
        missing = np.isnan(values)
        stand_in = 0.0 if column.minimum is None else column.minimum
        return series_of(self.written(column, np.where(missing, stand_in, values)), missing, column)

    def complete(self, column: Column, values: ColumnValues, today: date) -> Column:
        """Bounds that are not given are those of the data; spikes and decimals that are not given stay so."""
        if self.is_complete(column):
            return column
        numbers = self.encode(column, values, strict=False)
        known = numbers[~np.isnan(numbers)]
        if not len(known):
            raise DataError(f"column {column.name!r} has no value in any row; leave it out")
        low = float(known.min()) if column.minimum is None else column.minimum
        high = float(known.max()) if column.maximum is None else column.maximum
        return replace(column, minimum=low, maximum=max(low, high))

    def is_complete(self, column: Column) -> bool:
        """Whether both bounds are there."""
        return column.minimum is not None and column.maximum is not None

    def rounding(self, column: Column) -> int | None:
        """Whole numbers."""
        return 0

    def summary(self, column: Column) -> str:
        """Bounds, decimals, spikes and format."""
        if column.minimum is None or column.maximum is None:
            return "to be found in the data"
        said = f"{self.text(column.minimum, column.unit)} to {self.text(column.maximum, column.unit)}"
        if column.decimals:
            said += f", {column.decimals} decimal{'s' * (column.decimals > 1)}"
        if column.spikes:
            spikes = ", ".join(self.text(spike, column.unit) for spike in column.spikes)
            said += f", spike{'s' * (len(column.spikes) > 1)} at {spikes}"
        return said + (f", as {column.format}" if column.format else "")


class Continuous(Number):
    """Any numbers."""

    name = "continuous"
    settings = ("minimum", "maximum", "decimals", "spikes")

    def infer(self, seen: Seen) -> Found | None:
        """Any numbers that are left."""
        return number_column(seen, self.name), ""

    def written(self, column: Column, numbers: Floats) -> NDArray[Any]:
        """Numbers of the column's decimals."""
        return numbers if column.decimals is None else np.round(numbers, column.decimals)

    def rounding(self, column: Column) -> int | None:
        """The column's decimals; none behind the point where the table holds whole numbers."""
        return 0 if column.dtype == "int64" else column.decimals


class Integer(Number):
    """Whole numbers."""

    name = "integer"

    def infer(self, seen: Seen) -> Found | None:
        """Numbers that are all whole."""
        if seen.values.dtype == "string" or not is_whole(seen.values.known()):
            return None
        return number_column(seen, self.name), ""

    def read(self, column: Column, values: ColumnValues) -> Floats:
        """Whole numbers; DataError for others."""
        numbers = super().read(column, values)
        broken = ~np.isnan(numbers) & (numbers != np.round(numbers))
        if broken.any():
            raise DataError(
                f"column {column.name!r} has no whole number in row {broken.argmax() + 1}, and the schema says "
                "integer; correct the value or set the kind to continuous"
            )
        return numbers

    def edges(self, low: float, high: float, bins: int) -> Floats:
        """As many whole numbers in each bar, or some would stand out."""
        wide = max(1, -(-int(high - low + 1) // bins))
        return np.arange(np.floor(low), high + wide + 1, wide) - 0.5


def is_whole(values: Floats) -> bool:
    """Whether all numbers that are not missing are whole."""
    return not (values != np.round(values))[~np.isnan(values)].any()


def check_bounds(column: Column, values: Floats) -> None:
    """Raise DataError for values beyond the column's bounds."""
    for bound, beyond, said in (
        (column.minimum, np.less, "below its minimum"),
        (column.maximum, np.greater, "above its maximum"),
    ):
        if bound is None:
            continue
        broken = beyond(values, bound)  # False where missing
        if broken.any():
            raise DataError(  # without the bound: where it was inferred, it is one person's value
                f"column {column.name!r} has a value in row {broken.argmax() + 1} that is {said} in the schema; "
                "correct the value or the bound"
            )


def series_of(values: NDArray[Any], missing: NDArray[np.bool_], column: Column) -> Any:
    """A pandas Series of the column's dtype from values (rows,) with anything where they are missing."""
    pandas = require("pandas", "writing a table")
    if column.dtype == "string":
        found = values.astype(object)
        found[missing] = np.nan
        return pandas.Series(found, name=column.name, dtype=object)
    if column.dtype == "datetime64":
        values[missing] = np.datetime64("NaT")
        return pandas.Series(values, name=column.name)
    if column.dtype == "float64":
        return pandas.Series(np.where(missing, np.nan, values), name=column.name, dtype="float64")
    if values.dtype.kind == "f":
        values = np.round(values)
    series = pandas.Series(values.astype(column.dtype), name=column.name)
    if missing.any():
        series = series.astype({"int64": "Int64", "bool": "boolean"}[column.dtype])
        series[missing] = pandas.NA
    return series


def number_column(seen: Seen, kind: str) -> Column:
    """A column of numbers with its bounds, decimals and spikes."""
    values = seen.values.known()
    return Column(
        name=seen.name,
        kind=kind,
        dtype=seen.values.dtype,
        missing=seen.values.gaps,
        minimum=float(values.min()),
        maximum=float(values.max()),
        decimals=decimals_of(values) if kind == Continuous.name else None,
        spikes=spikes_of(values, len(seen.values.missing)),
        pandas=seen.values.pandas,
    )


def decimals_of(values: Floats) -> int | None:
    """The digits behind the point that all values need, six at most; None where one needs more."""
    with np.errstate(over="ignore", invalid="ignore"):  # the largest numbers, times a million, are not the same again
        return next((digits for digits in range(DECIMALS + 1) if (np.round(values, digits) == values).all()), None)


def spikes_of(values: Floats, rows: int) -> tuple[float, ...]:
    """Single values that SPIKE_SHARE of all the rows have, in rising order; none where it is the only value."""
    distinct, counts = np.unique(values, return_counts=True)
    return tuple(distinct[counts >= max(SPIKE_ROWS, SPIKE_SHARE * rows)].tolist()) if len(distinct) > 1 else ()
