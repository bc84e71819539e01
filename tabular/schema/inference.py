"""What a column is, found from what it holds: its kind, and what belongs to that kind."""

from datetime import date
from typing import Any

from ecgsynth.errors import DataError

from .columns import Column
from .identity import person_column
from .kind import Found, Seen
from .kinds import KINDS, kind_of
from .reading import read_column

__all__ = ["complete_column", "infer_column"]


def infer_column(
    series: Any, name: str, every: Any = None, *, person: bool = False, today: date | None = None
) -> Found:
    """A column, and a note on what was not certain, or "".

    Parameters
    ----------
    series
        A pandas Series of two rows or more.
    name
        The column's.
    every
        The same column of the whole table, where the rows are picked from one; it says whether the column is an
        identifier.
    person
        It is the column that names the person of each row.
    today
        By which day dates with two-digit years are put into a century, see ``first_year_of``; without it, the
        day that it is.

    Raises
    ------
    DataError
        For a column all missing, of mixed types, with infinities, of unique text without one format, or of persons
        that have several rows.

    """
    values = read_column(series, name)
    seen = Seen(name, values, values if every is None else read_column(every, name), today or date.today())
    if values.missing.all():
        raise DataError(f"column {name!r} has no value in any row; leave it out")
    if person:
        return person_column(seen), ""
    return next(found for kind in KINDS.values() if (found := kind.infer(seen)) is not None)


def complete_column(column: Column, series: Any, today: date | None = None) -> Column:
    """A column with what the schema does not give found in the data: categories, bounds, a unit or a format."""
    return kind_of(column).complete(column, read_column(series, column.name), today or date.today())
