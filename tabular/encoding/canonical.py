"""A table as the measures see it: numbers as float64, all else as text, identifiers left out.

The measures compare tables that were read from files, that pandas users bring, and that a generator makes. One number
can be Int64 in the first, int64 in the second and float64 in the third; here it is one thing in all of them. Unlike
``Schema.arrays``, nothing is refused: a held-out row may have a value that no row before it had.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgsynth.errors import DataError

from ..schema.categories import with_zeros
from ..schema.columns import Column
from ..schema.kinds import kind_of
from ..schema.schema import Schema

__all__ = ["canonical", "codes", "fingerprint", "points", "subsample", "top_categories", "value_text"]

MOST_CODES = 250  # of the categories of a column, for gradient boosting; scikit-learn's takes at most 255
MOST_ONE_HOT = 100  # categories of one column that are columns of their own among points

Floats = NDArray[np.float64]


def canonical(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """A table in canonical form: the columns that are learnt.

    Parameters
    ----------
    frame
        The table, with other columns beside or without.
    schema
        Of its columns.

    Returns
    -------
    pd.DataFrame
        Numbers and times float64, NaN where missing, times in the column's unit since 1970; all else str or None.

    Raises
    ------
    DataError
        For a column that is missing, or holds no such values.

    """
    absent = [column.name for column in schema.learnt if column.name not in frame.columns]
    if absent:
        raise DataError(f"expected the columns of the schema, but {', '.join(absent)} is missing; bring the same table")
    found = {column.name: canonical_values(frame[column.name], column) for column in schema.learnt}
    return pd.DataFrame(found, index=pd.RangeIndex(len(frame)), copy=False)


def fingerprint(frame: pd.DataFrame, schema: Schema) -> str:
    """SHA-256 of the canonical table in hexadecimal: the same however it is stored, and whatever its bounds are."""
    table = canonical(frame, schema)
    found = hashlib.sha256("\n".join(map(str, table.columns)).encode())
    found.update(np.ascontiguousarray(pd.util.hash_pandas_object(table, index=False).to_numpy()).tobytes())
    return found.hexdigest()


def canonical_values(series: pd.Series, column: Column) -> pd.Series:
    """One column as ``canonical`` has it."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(object)
    if kind_of(column).form == "number":
        if "string" in kind_of(column).dtypes:  # texts that stand for numbers
            alone = Schema(columns=(column,))
            return pd.Series(alone.arrays(series.to_frame(column.name), strict=False)[column.name])
        try:
            values = pd.to_numeric(series).to_numpy(dtype=np.float64, na_value=np.nan)
        except (ValueError, TypeError):
            raise DataError(f"expected numbers in column {column.name}, got other values") from None  # it has one
        return pd.Series(values + 0.0)  # -0.0 becomes 0.0
    places, uniques = pd.factorize(series)  # -1 where missing
    texts = np.array([value_text(value) for value in uniques], dtype=object)
    if column.dtype == "string" and pd.api.types.is_numeric_dtype(series.dtype):
        texts = with_zeros(column, texts)  # 32 where the schema has 00032
    return pd.Series(np.append(texts, np.array([None], dtype=object))[places], dtype=object)


def value_text(value: Any) -> str:
    """A category as text that is the same however the table held it: 1, 1.0 and numpy's 1 are "1"; True is "True"."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | float | np.number):
        return str(int(value)) if float(value).is_integer() else f"{float(value):.15g}"
    return str(value)


def subsample(frame: pd.DataFrame, most: int, rng: np.random.Generator) -> pd.DataFrame:
    """At most ``most`` rows, drawn without repetition, in their order."""
    if len(frame) <= most:
        return frame
    return frame.iloc[np.sort(rng.permutation(len(frame))[:most])].reset_index(drop=True)


def top_categories(frames: Sequence[pd.DataFrame], name: str, most: int) -> list[str]:
    """The categories of a column in all tables together, the commonest first, at most ``most``; None is no category."""
    counts = pd.concat([frame[name] for frame in frames]).value_counts()
    return sorted(map(str, counts.index), key=lambda text: (-int(counts[text]), text))[:most]


def codes(frames: Sequence[pd.DataFrame], numbers: Sequence[str]) -> tuple[list[Floats], NDArray[np.bool_]]:
    """Canonical tables as matrices for trees.

    Parameters
    ----------
    frames
        Canonical tables of the same columns.
    numbers
        The names of those that are numbers; the others are categories.

    Returns
    -------
    tuple
        (n, columns) each, NaN where missing; and (columns,) whether a column is codes of categories. A column of more
        than MOST_CODES categories keeps the commonest, the others have one code.

    """
    found: list[list[Floats]] = [[] for _ in frames]
    names = list(frames[0].columns)
    for name in names:
        known = (
            None
            if name in numbers
            else {text: code for code, text in enumerate(top_categories(frames, name, MOST_CODES))}
        )
        for columns, frame in zip(found, frames, strict=True):
            if known is None:
                columns.append(frame[name].to_numpy(dtype=np.float64))
                continue
            coded = frame[name].map(known).astype(np.float64).to_numpy(copy=True)
            coded[np.isnan(coded) & frame[name].notna().to_numpy()] = len(known)
            columns.append(coded)
    return [np.column_stack(columns) for columns in found], np.array([name not in numbers for name in names])


def points(frames: Sequence[pd.DataFrame], numbers: Sequence[str], scale: str) -> list[NDArray[np.float32]]:
    """Canonical tables as points between which distances are taken.

    Parameters
    ----------
    frames
        Canonical tables of the same columns.
    numbers
        The names of those that are numbers; the others are categories.
    scale
        "ranks": numbers are their ranks among the rows of the first table, 0 to 1; "deviations": in its standard
        deviations from its mean.

    Returns
    -------
    list
        (n, d) each. Categories are one-hot over the square root of 2, so that two different ones are 1 apart. A missing
        number lies in the middle, and 1 from all that are not missing.

    """
    found: list[list[NDArray[np.float32]]] = [[] for _ in frames]
    for name in frames[0].columns:
        if name in numbers:
            placed = (ranks if scale == "ranks" else deviations)([frame[name].to_numpy() for frame in frames])
        else:
            placed = one_hot(frames, name)
        for columns, values in zip(found, placed, strict=True):
            columns.append(values.astype(np.float32))
    return [np.concatenate(columns, axis=1) for columns in found]


def with_missing(placed: list[Floats], centre: float) -> list[Floats]:
    """(n, 1) places of a number, or (n, 2) with a column that says whether it is missing, where one is."""
    if not any(np.isnan(values).any() for values in placed):
        return [values[:, None] for values in placed]
    return [np.column_stack([np.nan_to_num(values, nan=centre), np.isnan(values)]) for values in placed]


def ranks(values: list[Floats]) -> list[Floats]:
    """Places among the values of the first array, ties in the middle of theirs, 0 to 1."""
    ordered = np.sort(values[0][~np.isnan(values[0])])
    placed = []
    for column in values:
        below, upto = (np.searchsorted(ordered, column, side=side) for side in ("left", "right"))
        place = (below + upto) / (2 * max(len(ordered), 1))
        placed.append(np.where(np.isnan(column), np.nan, place))
    return with_missing(placed, 0.5)


def deviations(values: list[Floats]) -> list[Floats]:
    """Standard deviations of the first array from its mean; a constant one is only centred."""
    first = values[0][~np.isnan(values[0])]
    mean, spread = (float(first.mean()), float(first.std())) if len(first) else (0.0, 0.0)
    return with_missing([(column - mean) / (spread or 1.0) for column in values], 0.0)


def one_hot(frames: Sequence[pd.DataFrame], name: str) -> list[Floats]:
    """(n, categories) each; missing is a category, and so are all beyond the MOST_ONE_HOT commonest together."""
    texts = top_categories(frames, name, MOST_ONE_HOT)
    place = {text: at for at, text in enumerate(texts)}
    rows = np.eye(len(texts) + 2) / np.sqrt(2)
    found = []
    for frame in frames:
        at = frame[name].map(place).fillna(len(texts)).to_numpy(dtype=np.int64)
        at = np.where(frame[name].isna().to_numpy(), len(texts) + 1, at)
        found.append(rows[at])
    return [matrix[:, np.any([m.any(axis=0) for m in found], axis=0)] for matrix in found]
