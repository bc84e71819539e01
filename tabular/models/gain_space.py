"""Canonical columns <-> the rows that GAIN reads: numbers standardised, then the one-hots of categories."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.records import from_json, to_json
from ecgsynth.errors import ArtifactError, DataError

from ..schema.kinds import kind_of
from ..schema.schema import Schema
from .gain import GainConfig

__all__ = ["GainSpace"]

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberScale:
    """Of a column of numbers: its mean, its standard deviation and what its values are."""

    name: str
    mean: float
    spread: float
    low: float
    high: float
    decimals: int | None  # to which values are rounded, 0 for whole numbers and times


@dataclass(frozen=True, slots=True, kw_only=True)
class GainSpace:
    """How the columns of a table stand in a row of numbers.

    Attributes
    ----------
    numbers
        The columns of numbers.
    categories
        Of each of the other columns its name and how many categories there are.

    """

    numbers: tuple[NumberScale, ...]
    categories: tuple[tuple[str, int], ...]

    @classmethod
    def fit(cls, schema: Schema, arrays: Arrays) -> Self:
        """Find the scales in canonical columns; DataError for one that has no value at all."""
        numbers, categories = [], []
        for column in schema.learnt:
            values = arrays[column.name]
            coded = kind_of(column).form == "code"
            missing = values < 0 if coded else np.isnan(values)
            if missing.all():
                raise DataError(f"column {column.name!r} has no value to learn from; take it out of the table")
            if coded:
                categories.append((column.name, len(column.categories)))
                continue
            known = values[~missing]
            scale = NumberScale(
                name=column.name,
                mean=float(known.mean()),
                spread=float(known.std()) or 1.0,
                low=float(known.min()),
                high=float(known.max()),
                decimals=kind_of(column).rounding(column),
            )
            numbers.append(scale)
        return cls(numbers=tuple(numbers), categories=tuple(categories))

    def config(self, **settings: Any) -> GainConfig:
        """Settings of networks for these rows."""
        return GainConfig(numbers=len(self.numbers), sizes=tuple(size for _, size in self.categories), **settings)

    def encode(self, arrays: Arrays) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Canonical columns, NaN or -1 where missing -> rows (n, width), 0 in holes, and what is known (n, columns)."""
        parts, known = [], []
        for scale in self.numbers:
            values = arrays[scale.name]
            known.append(~np.isnan(values))
            parts.append(np.where(known[-1], (values - scale.mean) / scale.spread, 0.0)[:, None])
        for name, size in self.categories:
            codes = arrays[name]
            known.append(codes >= 0)
            parts.append(codes[:, None] == np.arange(size))
        return np.concatenate(parts, axis=1).astype(np.float32), np.stack(known, axis=1)

    def decode(self, rows: NDArray[np.float32]) -> Arrays:
        """Whole rows (n, width) -> canonical columns, rounded and within their bounds; the likeliest categories."""
        arrays: Arrays = {}
        for place, scale in enumerate(self.numbers):
            values = (scale.mean + scale.spread * rows[:, place].astype(np.float64)).clip(scale.low, scale.high)
            if scale.decimals is not None:
                values = np.round(values, scale.decimals).clip(scale.low, scale.high)
            arrays[scale.name] = values
        first = len(self.numbers)
        for name, size in self.categories:
            arrays[name] = rows[:, first : first + size].argmax(axis=1).astype(np.int64)
            first += size
        return arrays

    def completed(self, arrays: Arrays, rows: NDArray[np.float32]) -> Arrays:
        """Canonical columns with their holes filled from whole rows; what was there is left as it was, to the bit."""
        made = self.decode(rows)
        kept = {}
        for name, values in arrays.items():
            missing = values < 0 if values.dtype.kind == "i" else np.isnan(values)
            kept[name] = np.where(missing, made[name], values)
        return kept

    def to_json(self) -> dict[str, Any]:
        """The space as plain values."""
        return to_json(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """What ``to_json`` gave; ArtifactError if it is not that."""
        try:
            return from_json(cls, content)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"the scales of the table's columns cannot be read ({type(error).__name__}); train again"
            ) from error
