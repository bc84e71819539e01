"""What a kind of column is: everything that is done with such a column, from finding it to writing it."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import DataError
from ecgsynth.export.kinds import KINDS, Form

from .columns import Column
from .reading import ColumnValues

__all__ = ["Found", "Kind", "SDType", "Seen", "check_missing"]

Floats = NDArray[np.float64]
SDType = Literal["numerical", "categorical", "boolean", "datetime", "id"]  # kinds of columns as SDMetrics has them
Found = tuple[Column, str]  # a column, and a note on what was not certain, or ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a column whose kind is to be found.

    Attributes
    ----------
    name
        The column's.
    values
        In the rows that are learnt from; one or more is there.
    whole
        In all rows of the table that they were picked from.
    today
        By which day dates with two-digit years are put into a century.

    """

    name: str
    values: ColumnValues
    whole: ColumnValues
    today: date


class Kind:
    """One kind of column; a kind is a subclass, an entry of ``kinds.KINDS``, and one of ecgsynth.export.kinds.

    Attributes
    ----------
    name
        As in schemas and manifests.
    dtypes
        The dtypes that a column of the kind can have.
    settings
        The fields of Column that apply to it, beside name, kind, dtype, missing and pandas.
    sdtype
        What SDMetrics calls it.
    has_mean
        Of numbers, whether a mean and a standard deviation are worth showing.

    """

    name: str
    dtypes: tuple[str, ...]
    settings: tuple[str, ...]
    sdtype: SDType = "numerical"
    has_mean = True

    @property
    def form(self) -> Form:
        """The canonical form of its values: "number", "code", or None for what is not learnt but made anew."""
        return KINDS[self.name].form

    @property
    def whole(self) -> bool:
        """Of numbers, whether whole ones are made."""
        return KINDS[self.name].whole

    # ---- schemas

    def check(self, column: Column, where: str) -> None:
        """Raise ConfigError, which begins with ``where``, for settings that a column of the kind cannot have."""

    def format_fits(self, form: str) -> bool:
        """Whether a text can be the format of such a column."""
        return True

    def infer(self, seen: Seen) -> Found | None:
        """The column, if it is of this kind and of none before it; DataError where it is one that is refused."""
        raise NotImplementedError

    def complete(self, column: Column, values: ColumnValues, today: date) -> Column:
        """The column with what its schema leaves open found in the data."""
        return column

    def is_complete(self, column: Column) -> bool:
        """Whether the schema itself says all that values are coded by."""
        return True

    def summary(self, column: Column) -> str:
        """What the column's values are, in few words."""
        raise NotImplementedError

    # ---- values

    def encode(self, column: Column, values: ColumnValues, *, strict: bool = True) -> NDArray[Any]:
        """What a table holds -> canonical values.

        Parameters
        ----------
        column
            Of this kind.
        values
            Of (rows,).
        strict
            Refuse what contradicts the column; else bounds may be passed, and what is no category counts as missing.

        Returns
        -------
        NDArray
            (rows,) float64, NaN where missing; or of categories int64, their index, -1 where missing.

        Raises
        ------
        DataError
            Where the data contradict the column.

        """
        raise NotImplementedError

    def decode(self, column: Column, values: NDArray[Any]) -> Any:
        """Canonical values (rows,) -> a pandas Series as plain pandas reads the user's table.

        Text and times with a format are objects, NaN where missing; whole numbers and truth beside a missing one are
        pandas' own Int64 and boolean, so that they are written as they were.
        """
        raise NotImplementedError

    def rounding(self, column: Column) -> int | None:
        """Digits behind the point to which what is made is rounded; None for none."""
        return None

    # ---- what a person sees

    def text(self, value: float, unit: str | None = None) -> str:
        """A canonical number as a person reads it."""
        return f"{int(value)}" if value == int(value) else repr(float(value))

    def edges(self, low: float, high: float, bins: int) -> Floats:
        """(bins + 1,) or so: where the bars of a histogram of its canonical numbers begin and end."""
        return np.linspace(low, high, bins + 1)

    def ticks(self, low: float, high: float, unit: str | None) -> tuple[Floats, list[str]] | None:
        """Where an axis of its canonical numbers is marked, and how; None for as any axis of numbers is."""
        return None


def check_missing(column: Column, values: ColumnValues) -> None:
    """Raise DataError for missing values where the schema allows none."""
    if not column.missing and values.missing.any():
        first = int(values.missing.argmax()) + 1
        raise DataError(
            f"column {column.name!r} has {int(values.missing.sum())} missing values, the first in row {first}, and the "
            "schema allows none; fill them or set missing to true"
        )
