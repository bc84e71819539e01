"""Canonical columns <-> codes and positions: the one form in which every model of a table learns and makes rows.

What stands in a column is a code and, for a number, a position within what the code stands for. A code of a number is
a mode: a stretch of values, a single value that many rows have (a spike), or that the value is missing. There are two
ways to find the stretches: the components of a Gaussian mixture, within which a network learns the position
(mode-specific normalisation; Xu, Skoularidou, Cuesta-Infante and Veeramachaneni, "Modeling tabular data using
conditional GAN", NeurIPS 2019, section 4.2), and narrow cells of equal mass, within which positions are uniform.

What an encoding holds is published with a generator, so core.disclosure decides which categories, bounds, spikes
and edges are in it: none that fewer than PERSONS persons have.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.disclosure import PERSONS, rounded_inwards, shared_codes, shared_range
from ecgsynth.core.files import read_json, write_json
from ecgsynth.errors import ArtifactError, DataError

from ..schema.columns import Category
from ..schema.schema import Column, Schema
from .intervals import find_cells, find_modes

__all__ = ["STYLES", "CategoryCodes", "Encoding", "NumberCodes"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

Finder = Callable[[Floats, Column, np.random.Generator, Codes | None], tuple[Floats, Floats]]
STYLES: dict[str, Finder] = {"modes": find_modes, "cells": find_cells}  # how the stretches of a number are found
RARE_SHARE = 0.001  # of the rows: categories that fewer have are one code together
CHUNK = 20_000  # rows encoded at a time
SINGLE = 2**23  # steps of a number, as many as single precision tells apart with a digit to spare


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberCodes:
    """The codes of a continuous, integer or datetime column.

    centers, widths: (codes,), a code's value is center + width * position; the width of a spike is 0
    gaps: whether the last code stands for a missing value
    low, high: bounds of what is made
    decimals: digits to which it is rounded; 0 for whole numbers and times, None for no rounding
    shares: (codes,) of the training rows
    """

    name: str
    kind: str
    centers: Floats
    widths: Floats
    gaps: bool
    low: float
    high: float
    decimals: int | None
    shares: Floats

    @property
    def positioned(self) -> bool:
        """Whether a code leaves anything open."""
        return bool((self.widths > 0).any())

    @property
    def long(self) -> bool:
        """Whether its numbers with their decimals have more digits than single precision tells apart."""
        largest = max(abs(self.low), abs(self.high))
        return self.decimals is not None and largest * 10.0**self.decimals >= SINGLE

    def encode(self, values: Floats, rng: np.random.Generator, *, strict: bool = True) -> tuple[Codes, Floats]:
        """(n,) values, NaN where missing -> codes and positions; what lies beyond the bounds is taken as the bound.

        Where several modes of a mixture may have made a value, one is drawn by what each is likely to have done. A
        missing value where none was learnt is refused, or if not ``strict`` taken as the middle of the likeliest code.
        """
        if not strict and not self.gaps:
            values = np.where(np.isnan(values), self.centers[self.shares.argmax()], values)
        missing = np.isnan(values)
        if missing.any() and not self.gaps:
            raise DataError(f"column {self.name!r} has missing values, and had none where it was learnt; fill them")
        number = len(self.centers) - self.gaps
        centers, widths = self.centers[:number], self.widths[:number]
        inside = np.where(missing, self.low, values).clip(self.low, self.high)
        codes = np.empty(len(values), dtype=np.int64)
        for start in range(0, len(values), CHUNK):
            part = slice(start, start + CHUNK)
            codes[part] = pick_codes(inside[part], centers, widths, self.shares[:number], rng)
        with np.errstate(divide="ignore", invalid="ignore"):
            positions = np.where(widths[codes] > 0, (inside - centers[codes]) / widths[codes], 0.0).clip(-1, 1)
        return np.where(missing, number, codes), np.where(missing, 0.0, positions)

    def decode(self, codes: Codes, positions: Floats) -> Floats:
        """(n,) codes and positions -> values, NaN where missing."""
        values = np.clip(self.centers[codes] + self.widths[codes] * positions, self.low, self.high)
        if self.decimals is not None:
            values = np.clip(np.round(values, self.decimals), self.low, self.high)
        return np.where(codes == len(self.centers) - 1, np.nan, values) if self.gaps else values


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryCodes:
    """The codes of a categorical or boolean column: a frequent category each, the rare ones together, a missing value.

    categories: those that are told, the frequent ones first, in the order of their shares
    frequent: how many of them have a code of their own; the others, if there are any, share the next one
    upto: (rare categories,), where each ends among the rare ones, from 0 to 1
    gaps: whether the last code stands for a missing value
    places: (categories of the schema,), the index of each among those that are told, -1 where it is not
    shares: (codes,) of the training rows
    """

    name: str
    kind: str
    categories: tuple[Category, ...]
    frequent: int
    upto: Floats
    gaps: bool
    places: Codes
    shares: Floats

    @property
    def positioned(self) -> bool:
        """Whether a code leaves anything open."""
        return len(self.upto) > 0

    def encode(self, values: Codes, rng: np.random.Generator, *, strict: bool = True) -> tuple[Codes, Floats]:
        """(n,) indices into the schema's categories, -1 where missing -> codes and positions.

        A category that is not told is taken as a rare one; where there are none, as the most frequent. A missing value
        where none was learnt is refused, or if not ``strict`` taken as the most frequent too.
        """
        if not strict and not self.gaps:
            values = np.where(values < 0, int(np.flatnonzero(self.places == 0)[0]), values)
        missing = values < 0
        if missing.any() and not self.gaps:
            raise DataError(f"column {self.name!r} has missing values, and had none where it was learnt; fill them")
        told = self.places[values]
        codes = np.where(told < 0, self.frequent if self.positioned else 0, np.minimum(told, self.frequent))
        positions = np.zeros(len(values))
        if self.positioned:
            begins = np.concatenate([[0.0], self.upto[:-1]])
            rare = np.clip(told - self.frequent, 0, len(self.upto) - 1)
            where = begins[rare] + (self.upto - begins)[rare] * rng.random(len(values))
            where = np.where(told < 0, rng.random(len(values)), where)
            positions = np.where((codes == self.frequent) & ~missing, 2 * where - 1, 0.0)
        return np.where(missing, len(self.shares) - 1, codes), positions

    def decode(self, codes: Codes, positions: Floats) -> Codes:
        """(n,) codes and positions -> indices into ``categories``, -1 where missing."""
        found = codes.copy()
        if self.positioned:
            rare = np.searchsorted(self.upto[:-1], (positions + 1) / 2, side="right")
            found = np.where(codes == self.frequent, self.frequent + rare, codes)
        return np.where(codes == len(self.shares) - 1, -1, found) if self.gaps else found


@dataclass(frozen=True, slots=True)
class Encoding:
    """The codes of every column that is learnt, in the schema's order; identifiers are none of them."""

    columns: tuple[NumberCodes | CategoryCodes, ...]

    @classmethod
    def fit(
        cls,
        schema: Schema,
        arrays: dict[str, Any],
        style: str,
        rng: np.random.Generator,
        owners: Codes | None = None,
    ) -> Self:
        """The codes of canonical columns (see Schema.arrays), all of the same rows, stretches found by ``style``.

        owners: (rows,) the person of each, or None where every row is one.
        Raises DataError for rows of fewer than PERSONS persons, or a column in which so few share a category.
        """
        columns = []
        for column in schema.columns:
            if column.kind == "identifier":
                continue
            values = arrays[column.name]
            people = len(values) if owners is None else len(np.unique(owners))
            if people < PERSONS:
                called = "rows" if owners is None else "persons"
                raise DataError(f"a table needs {PERSONS} {called} or more to be learnt from, got {people}")
            numeric = column.kind in ("continuous", "integer", "datetime")
            columns.append(
                fit_number(column, values, STYLES[style], rng, owners)
                if numeric
                else fit_category(column, values, owners)
            )
        if not columns:
            raise DataError("there is no column to learn: all of them are identifiers")
        return cls(tuple(columns))

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many codes each column has."""
        return tuple(len(column.shares) for column in self.columns)

    @property
    def positioned(self) -> tuple[bool, ...]:
        """Whether each column has positions."""
        return tuple(column.positioned for column in self.columns)

    @property
    def askable(self) -> tuple[bool, ...]:
        """Whether rows may be asked for by each column."""
        return tuple(isinstance(column, CategoryCodes) for column in self.columns)

    @property
    def shares(self) -> list[Floats]:
        """Of each column, the share of each code among the training rows."""
        return [column.shares for column in self.columns]

    def encode(self, arrays: dict[str, Any], rng: np.random.Generator, *, strict: bool = True) -> tuple[Codes, Floats]:
        """Canonical columns -> codes (n, columns) and positions (n, columns) from -1 to 1.

        Not ``strict``: values may be missing where none was learnt, as among the few rows kept apart.
        """
        pairs = [column.encode(arrays[column.name], rng, strict=strict) for column in self.columns]
        return np.stack([codes for codes, _ in pairs], axis=1), np.stack([places for _, places in pairs], axis=1)

    def decode(self, codes: Codes, positions: Floats) -> dict[str, Any]:
        """Codes and positions (n, columns) -> numbers, NaN where missing, and indices of told categories, -1 there."""
        return {
            column.name: column.decode(codes[:, place], positions[:, place])
            for place, column in enumerate(self.columns)
        }

    def save(self, path: Path) -> None:
        """Write the encoding as JSON."""
        content = [
            {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in asdict(column).items()}
            for column in self.columns
        ]
        write_json(path, content)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote; ArtifactError if it is not that."""
        try:
            return cls(tuple(column_from(entry) for entry in read_json(path)))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"{path} is not an encoding of this version ({type(error).__name__}); train again"
            ) from error


def column_from(entry: dict[str, Any]) -> NumberCodes | CategoryCodes:
    content: dict[str, Any] = {
        key: np.asarray(value, dtype=np.int64 if key == "places" else np.float64) if isinstance(value, list) else value
        for key, value in entry.items()
        if key != "categories"
    }
    if "categories" in entry:
        return CategoryCodes(categories=tuple(entry["categories"]), **content)
    return NumberCodes(**content)


def fit_number(
    column: Column, values: Floats, find: Finder, rng: np.random.Generator, owners: Codes | None = None
) -> NumberCodes:
    missing = np.isnan(values)
    known, whose = values[~missing], None if owners is None else owners[~missing]
    gaps = gaps_told(missing, owners)
    decimals = column.rounding
    bounds = shared_range(known, whose)
    if bounds is None:
        called = "values" if owners is None else "persons with a value"
        raise DataError(f"column {column.name!r} has fewer than {PERSONS} {called}, and so many are needed to learn it")
    low, high = rounded_inwards(*bounds, decimals)
    centers, widths = find(known.clip(low, high), column, rng, whose)
    codes = NumberCodes(
        name=column.name,
        kind=column.kind,
        centers=np.append(centers, [0.0] * gaps),
        widths=np.append(widths, [0.0] * gaps),
        gaps=gaps,
        low=low,
        high=high,
        decimals=decimals,
        shares=np.ones(len(centers) + gaps),
    )
    return with_shares(codes, codes.encode(values if gaps else known, rng)[0])


def gaps_told(missing: NDArray[np.bool_], owners: Codes | None) -> bool:
    """Whether it may be told that values are missing: only where enough persons miss one."""
    return bool(shared_codes(missing.astype(np.int64), owners, 2)[1])


def with_shares(codes: NumberCodes, found: Codes) -> NumberCodes:
    content = {name: getattr(codes, name) for name in codes.__slots__}
    return NumberCodes(**content | {"shares": np.bincount(found, minlength=len(codes.centers)) / len(found)})


def pick_codes(values: Floats, centers: Floats, widths: Floats, shares: Floats, rng: np.random.Generator) -> Codes:
    """(n,) the code of each value: a spike at it; else one of the stretches around it; else the nearest."""
    wide = widths > 0
    away = np.abs(values[:, None] - centers[None])
    safe = np.where(wide, widths, 1.0)
    apart = np.where(wide, away / safe, np.where(away == 0, 0.0, np.inf))
    if not wide.any():
        return np.asarray(away.argmin(axis=1))
    spreads = np.where(wide, np.exp(-8 * np.minimum(apart, 10) ** 2) * shares / safe, 0.0)  # ends are 4 deviations away
    likely = np.where(apart <= 1, spreads, 0.0)
    upto = likely.cumsum(axis=1)
    drawn = (upto <= rng.random(len(values))[:, None] * upto[:, -1:]).sum(axis=1).clip(0, len(centers) - 1)
    found = np.where(upto[:, -1] > 0, drawn, np.argmin(apart, axis=1))
    spiked = (away == 0) & ~wide
    return np.asarray(np.where(spiked.any(axis=1), spiked.argmax(axis=1), found))


def fit_category(column: Column, values: Codes, owners: Codes | None = None) -> CategoryCodes:
    """The categories that PERSONS persons have, those of at least RARE_SHARE each with a code."""
    known = values[values >= 0]
    shared = shared_codes(known, None if owners is None else owners[values >= 0], len(column.categories))
    counts = np.bincount(known, minlength=len(column.categories))
    order = np.argsort(-counts, kind="stable")
    told = [int(place) for place in order if shared[place]]
    if not told:
        raise DataError(
            f"no value of column {column.name!r} is shared by {PERSONS} {'rows' if owners is None else 'persons'} or "
            "more, none of them with more than half of its rows; "
            "take it out of the table, or say in a schema that it is an identifier"
        )
    frequent = int(sum(counts[place] >= RARE_SHARE * len(known) for place in told))
    if len(told) - frequent == 1:  # one alone is no group
        frequent += 1
    rare = counts[told[frequent:]].astype(np.float64)
    places = np.full(len(column.categories), -1, dtype=np.int64)
    places[told] = np.arange(len(told))
    gaps = gaps_told(values < 0, owners)
    codes = CategoryCodes(
        name=column.name,
        kind=column.kind,
        categories=tuple(column.categories[place] for place in told),
        frequent=frequent,
        upto=np.cumsum(rare) / max(rare.sum(), 1),
        gaps=gaps,
        places=places,
        shares=np.ones(frequent + (len(rare) > 0) + gaps),
    )
    found = codes.encode(values if gaps else known, np.random.default_rng(0))[0]
    content = {name: getattr(codes, name) for name in codes.__slots__}
    return CategoryCodes(**content | {"shares": np.bincount(found, minlength=len(codes.shares)) / len(found)})
