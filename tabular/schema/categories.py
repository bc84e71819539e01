"""Columns of categories: of texts or codes, and of truth; their canonical form is an index into the categories."""

import re
from collections import defaultdict
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ConfigError, DataError, require

from .columns import Category, Column
from .kind import Found, Kind, SDType, Seen, check_missing
from .numbers import is_whole, series_of
from .reading import ColumnValues

__all__ = ["Boolean", "Categorical", "with_zeros"]

MOST_CODE_VALUES = 20  # whole numbers with so many different values or fewer may be codes of categories
SURE_CODE_VALUES = 2  # whole numbers with no more different values are always codes
CODE_SHARE = 0.01  # of the rows, that have each code: a number that fewer have is a count, and no code
CODE_ROWS = (3, 10)  # but so many at least, and no more need be
SHOWN_CHARACTERS = 60  # of the categories, in a schema's text
DIGITS = re.compile(r"[0-9]+")


class Categorical(Kind):
    """Texts of which each stands in several rows, and numbers that are codes."""

    name = "categorical"
    dtypes: tuple[str, ...] = ("int64", "float64", "string", "bool")
    settings = ("categories",)
    sdtype: SDType = "categorical"

    def infer(self, seen: Seen) -> Found | None:
        """Text; or whole numbers of few different values, each of them in many rows."""
        if seen.values.dtype != "string" and not few_codes(seen.values.known()):
            return None
        return Column(
            name=seen.name,
            kind=self.name,
            dtype=seen.values.dtype,
            missing=seen.values.gaps,
            categories=categories_in(seen.values, seen.values.dtype),
            pandas=seen.values.pandas,
        ), ""

    def complete(self, column: Column, values: ColumnValues, today: date) -> Column:
        """Categories that are not given are those of the data."""
        if column.categories:
            return column
        if values.dtype == "string" and column.dtype != "string":
            values.numbers(column.name, f"the schema says {column.dtype}")  # raises, naming a row
        return replace(column, categories=categories_in(values, column.dtype))

    def is_complete(self, column: Column) -> bool:
        """Whether the categories are there."""
        return bool(column.categories)

    def summary(self, column: Column) -> str:
        """The categories, or how many and the first."""
        said, number = ", ".join(map(str, column.categories)), len(column.categories)
        if len(said) <= SHOWN_CHARACTERS:
            return said
        return f"{number} categories: {said[: SHOWN_CHARACTERS - 15].rsplit(', ', 1)[0]}, ..."

    def encode(self, column: Column, values: ColumnValues, *, strict: bool = True) -> NDArray[np.int64]:
        """Indices into the categories; see Kind.encode."""
        pandas = require("pandas", "reading a table")
        if strict:
            check_missing(column, values)
        if column.dtype == "string":
            found = np.full(len(values.missing), None, dtype=object)
            texts = values.texts()
            found[~values.missing] = texts if values.dtype == "string" else with_zeros(column, texts)
        elif values.dtype == "string":
            found = values.values  # nothing of it is a category, and the first row is named
        else:
            found = values.values.astype(np.float64)  # 1 and 1.0 and True are one
        index = pandas.Index(list(column.categories)).astype(found.dtype)
        codes = np.asarray(index.get_indexer(found), dtype=np.int64)
        codes[values.missing] = -1
        unknown = (codes < 0) & ~values.missing
        if strict and unknown.any():
            number = f" and {int(unknown.sum()) - 1} more" if unknown.sum() > 1 else ""
            raise DataError(
                f"column {column.name!r} has in row {unknown.argmax() + 1}{number} "
                "a value that is none of its categories in the schema; correct the value or add the category"
            )
        return codes

    def decode(self, column: Column, values: NDArray[Any]) -> Any:
        """A pandas Series; see Kind.decode."""
        missing = values < 0
        held = {"string": object, "datetime64": object}.get(column.dtype, column.dtype)
        return series_of(np.asarray(column.categories, dtype=held)[np.where(missing, 0, values)], missing, column)


class Boolean(Categorical):
    """Truth: false and true."""

    name = "boolean"
    dtypes = ("bool",)
    sdtype = "boolean"

    def check(self, column: Column, where: str) -> None:
        """Refuse what pandas does not hold as truth."""
        if column.dtype != "bool":
            raise ConfigError(f"column {column.name!r} holds {column.dtype}, so it is categorical, not boolean")

    def infer(self, seen: Seen) -> Found | None:
        """What is held as truth."""
        values = seen.values
        if values.dtype != "bool":
            return None
        return Column(
            name=seen.name,
            kind=self.name,
            dtype="bool",
            missing=values.gaps,
            categories=(False, True),
            pandas=values.pandas,
        ), ""

    def complete(self, column: Column, values: ColumnValues, today: date) -> Column:
        """Both, whether the data have them or not."""
        return column if column.categories else replace(column, categories=(False, True))


def few_codes(values: NDArray[np.float64]) -> bool:
    """Whether numbers are codes of categories: whole, few, and each of them in many rows."""
    if not is_whole(values):
        return False
    distinct, counts = np.unique(values, return_counts=True)
    many = np.clip(CODE_SHARE * len(values), *CODE_ROWS)
    return len(distinct) <= SURE_CODE_VALUES or (len(distinct) <= MOST_CODE_VALUES and bool(counts.min() >= many))


def categories_in(values: ColumnValues, dtype: str) -> tuple[Category, ...]:
    """The categories in a column as a table of the dtype holds them: in their order, if they have one, else rising."""
    found: list[Any] = (
        sorted(set(values.texts().tolist())) if dtype == "string" else np.unique(values.known()).astype(dtype).tolist()
    )
    rank = {value: place for place, value in enumerate(values.order)}
    return tuple(sorted(found, key=lambda value: rank.get(value, len(rank)))) if rank else tuple(found)


def with_zeros(column: Column, texts: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers as text, with the zeros before them that were lost where codes such as 00032 became numbers.

    They are those of the one category that has the number; or, of a number that none has, as many as make it as long
    as all categories with a zero before them are. What is not so certain stays as it is.
    """
    codes = [str(category) for category in column.categories if DIGITS.fullmatch(str(category))]
    widths = {len(code) for code in codes if code[0] == "0" and len(code) > 1}
    if not widths:
        return texts
    known, by_number = set(column.categories), defaultdict[int, list[str]](list)
    for code in codes:
        by_number[int(code)].append(code)

    def written(text: str) -> str:
        if text in known or not DIGITS.fullmatch(text):
            return text
        same = by_number.get(int(text), [])
        if same:
            return same[0] if len(same) == 1 else text
        return text.zfill(max(widths)) if len(widths) == 1 else text

    distinct, places = np.unique(texts.astype(str), return_inverse=True)
    return np.array([*map(written, distinct.tolist()), None], dtype=object)[places]
