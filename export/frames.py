"""Rows as a pandas data frame with the dtypes of the table learnt from."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.dtypes import CATEGORY, ORDERED, as_type
from ecgsynth.errors import require

from .manifest import TableColumn

__all__ = ["as_frame"]


def as_frame(rows: Mapping[str, NDArray[Any]], columns: Sequence[TableColumn]) -> Any:
    """Rows as a pandas data frame.

    Parameters
    ----------
    rows
        (n,) by the column's name, as ``TableSampler.rows`` gives them.
    columns
        What a manifest says of them; a column's ``pandas`` is the dtype that it gets. A categorical's categories are
        those that the manifest has. What a dtype cannot hold, or this pandas does not know, stays as it is in ``rows``.

    Returns
    -------
    pandas.DataFrame
        With a column for each of ``columns`` that is in ``rows``, in their order.

    Raises
    ------
    MissingExtraError
        Where pandas is not installed.

    """
    pandas = require("pandas", "a data frame")
    there = [column for column in columns if column.name in rows]
    return pandas.DataFrame({column.name: typed(rows[column.name], column) for column in there})


def typed(values: NDArray[Any], column: TableColumn) -> Any:
    """One column (n,) as a pandas Series of its dtype."""
    pandas = require("pandas", "a data frame")
    series = pandas.Series(values)
    if column.pandas in (CATEGORY, ORDERED):
        return series.astype(categories_of(series, column))
    return as_type(series, column.pandas)


def categories_of(series: Any, column: TableColumn) -> Any:
    """The dtype of a categorical: the published categories, in their order where they have one."""
    pandas = require("pandas", "a data frame")
    if not column.categories:  # a column of numbers or times, which pandas held as a categorical
        return pandas.CategoricalDtype(np.sort(series.dropna().unique()), ordered=column.pandas == ORDERED)
    ranked = [column.categories[place] for place in column.order] or sorted(column.categories)
    kind = {"string": object}.get(column.dtype, column.dtype)
    return pandas.CategoricalDtype(pandas.Index(ranked, dtype=kind), ordered=column.pandas == ORDERED)
