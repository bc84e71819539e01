"""Canonical columns <-> codes and positions: the one form in which every model of a table learns and makes rows.

What stands in a column is a code and, for a number, a position within what the code stands for. A code of a number is
an interval of values, a single value that many rows have (a spike), or that the value is missing. There are two ways to
find the intervals: the components of a Gaussian mixture, within which a network learns the position
(mode-specific normalisation; Xu, Skoularidou, Cuesta-Infante and Veeramachaneni, "Modeling tabular data using
conditional GAN", NeurIPS 2019, section 4.2), and narrow cells of equal mass, within which positions are uniform.

What an encoding holds is published with a generator, so core.disclosure decides which categories, bounds, spikes
and edges are in it: none that fewer than PERSONS persons have.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.disclosure import PERSONS, rounded_inwards, shared_codes, shared_range
from ecgsynth.core.files import read_json, write_json
from ecgsynth.core.records import from_json, key, to_json
from ecgsynth.errors import ArtifactError, DataError
from ecgsynth.export.kinds import KINDS

from ..schema.columns import Category, Column
from ..schema.kinds import kind_of
from ..schema.schema import Schema
from .intervals import find_cells, find_mixture_intervals

__all__ = ["STYLES", "CategoryCodes", "Encoding", "NumberCodes"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

Finder = Callable[[Floats, Column, np.random.Generator, Codes | None], tuple[Floats, Floats]]
STYLES: dict[str, Finder] = {
    "mixture": find_mixture_intervals,
    "cells": find_cells,
}  # how the intervals of a number are found
RARE_SHARE = 0.001  # of the rows: categories that fewer have are one code together
CHUNK_ROWS = 20_000  # encoded at a time
SINGLE_STEPS = 2**23  # of a number, as many as single precision distinguishes with a digit to spare


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberCodes:
    """The codes of a column whose canonical form is a number.

    Attributes
    ----------
    name, kind
        The column's.
    centres, widths
        (codes,), a code's value is centre + width * position; the width of a spike is 0.
    gaps
        Whether the last code stands for a missing value.
    low, high
        Bounds of what is made.
    decimals
        Digits to which it is rounded; 0 for whole numbers and times, None for no rounding.
    shares
        (codes,) of the training rows.

    """

    name: str
    kind: str
    centres: Floats = key("centers")
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
    def whole(self) -> bool:
        """Whether whole numbers are made."""
        return KINDS[self.kind].whole

    @property
    def long(self) -> bool:
        """Whether its numbers with their decimals have more digits than single precision has."""
        largest = max(abs(self.low), abs(self.high))
        return self.decimals is not None and largest * 10.0**self.decimals >= SINGLE_STEPS

    def encode(self, values: Floats, rng: np.random.Generator, *, strict: bool = True) -> tuple[Codes, Floats]:
        """(n,) values, NaN where missing -> codes and positions; what lies beyond the bounds is taken as the bound.

        Where several components of a mixture may have made a value, one is drawn by what each is likely to have done.
        A missing value where none was learnt is refused, or if not ``strict`` taken as the middle of the likeliest
        code.
        """
        if not strict and not self.gaps:
            values = np.where(np.isnan(values), self.centres[self.shares.argmax()], values)
        missing = np.isnan(values)
        if missing.any() and not self.gaps:
            raise DataError(f"column {self.name!r} has missing values, and had none where it was learnt; fill them")
        number = len(self.centres) - self.gaps
        centres, widths = self.centres[:number], self.widths[:number]
        inside = np.where(missing, self.low, values).clip(self.low, self.high)
        codes = np.empty(len(values), dtype=np.int64)
        for start in range(0, len(values), CHUNK_ROWS):
            part = slice(start, start + CHUNK_ROWS)
            codes[part] = pick_codes(inside[part], centres, widths, self.shares[:number], rng)
        with np.errstate(divide="ignore", invalid="ignore"):
            positions = np.where(widths[codes] > 0, (inside - centres[codes]) / widths[codes], 0.0).clip(-1, 1)
        return np.where(missing, number, codes), np.where(missing, 0.0, positions)

    def decode(self, codes: Codes, positions: Floats) -> Floats:
        """(n,) codes and positions -> values, NaN where missing."""
        values = np.clip(self.centres[codes] + self.widths[codes] * positions, self.low, self.high)
        if self.decimals is not None:
            values = np.clip(np.round(values, self.decimals), self.low, self.high)
        return np.where(codes == len(self.centres) - 1, np.nan, values) if self.gaps else values


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryCodes:
    """The codes of a column of categories: a frequent category each, the rare ones together, a missing value.

    Attributes
    ----------
    name, kind
        The column's.
    categories
        Those that are published, the frequent ones first, in the order of their shares.
    frequent
        How many of them have a code of their own; the others, if there are any, share the next one.
    upto
        (rare categories,), where each ends among the rare ones, from 0 to 1.
    gaps
        Whether the last code stands for a missing value.
    places
        (categories of the schema,), the index of each among the published ones, -1 where it is not one.
    shares
        (codes,) of the training rows.

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

        A category that is not published is taken as a rare one; where there are none, as the most frequent. A missing
        value where none was learnt is refused, or if not ``strict`` taken as the most frequent too.
        """
        if not strict and not self.gaps:
            values = np.where(values < 0, int(np.flatnonzero(self.places == 0)[0]), values)
        missing = values < 0
        if missing.any() and not self.gaps:
            raise DataError(f"column {self.name!r} has missing values, and had none where it was learnt; fill them")
        published = self.places[values]
        codes = np.where(published < 0, self.frequent if self.positioned else 0, np.minimum(published, self.frequent))
        positions = np.zeros(len(values))
        if self.positioned:
            begins = np.concatenate([[0.0], self.upto[:-1]])
            rare = np.clip(published - self.frequent, 0, len(self.upto) - 1)
            where = begins[rare] + (self.upto - begins)[rare] * rng.random(len(values))
            where = np.where(published < 0, rng.random(len(values)), where)
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
        """Find the codes of canonical columns.

        Parameters
        ----------
        schema, arrays
            The columns, and their canonical values (rows,) as ``Schema.arrays`` gives them.
        style
            One of STYLES: how the intervals of numbers are found.
        rng
            Draws the rows that a mixture is fitted to, and the code of a value that several may have made.
        owners
            (rows,) the person of each, or None where every row is one.

        Raises
        ------
        DataError
            For rows of fewer than PERSONS persons, or a column in which so few share a category.

        """
        columns: list[NumberCodes | CategoryCodes] = []
        for column in schema.learnt:
            values = arrays[column.name]
            people = len(values) if owners is None else len(np.unique(owners))
            if people < PERSONS:
                called = "rows" if owners is None else "persons"
                raise DataError(f"a table needs {PERSONS} {called} or more to be learnt from, got {people}")
            if kind_of(column).form == "number":
                columns.append(fit_number(column, values, STYLES[style], rng, owners))
            else:
                columns.append(fit_category(column, values, owners))
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

        If not ``strict``, values may be missing in columns that had no missing value in the rows learnt from, as may
        happen among the few rows kept apart.
        """
        pairs = [column.encode(arrays[column.name], rng, strict=strict) for column in self.columns]
        return np.stack([codes for codes, _ in pairs], axis=1), np.stack([places for _, places in pairs], axis=1)

    def decode(self, codes: Codes, positions: Floats) -> dict[str, Any]:
        """The inverse of ``encode``.

        Parameters
        ----------
        codes, positions
            (n, columns) each.

        Returns
        -------
        (n,) by the column's name: numbers, NaN where missing; or indices of published categories, -1 where missing.

        """
        return {
            column.name: column.decode(codes[:, place], positions[:, place])
            for place, column in enumerate(self.columns)
        }

    def save(self, path: Path) -> None:
        """Write the encoding as JSON."""
        write_json(path, [to_json(column) for column in self.columns])

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote; ArtifactError if it is not that."""
        try:
            columns: tuple[NumberCodes | CategoryCodes, ...] = tuple(
                from_json(CategoryCodes, entry) if "categories" in entry else from_json(NumberCodes, entry)
                for entry in read_json(path)
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"{path} is not an encoding of this version ({type(error).__name__}); train again"
            ) from error
        return cls(columns)


def fit_number(
    column: Column, values: Floats, find: Finder, rng: np.random.Generator, owners: Codes | None = None
) -> NumberCodes:
    """The codes of a column of numbers; DataError where fewer than PERSONS persons have one."""
    missing = np.isnan(values)
    known, whose = values[~missing], None if owners is None else owners[~missing]
    gaps = gaps_published(missing, owners)
    decimals = kind_of(column).rounding(column)
    bounds = shared_range(known, whose)
    if bounds is None:
        called = "values" if owners is None else "persons with a value"
        raise DataError(f"column {column.name!r} has fewer than {PERSONS} {called}, and so many are needed to learn it")
    low, high = rounded_inwards(*bounds, decimals)
    centres, widths = find(known.clip(low, high), column, rng, whose)
    codes = NumberCodes(
        name=column.name,
        kind=column.kind,
        centres=np.append(centres, [0.0] * gaps),
        widths=np.append(widths, [0.0] * gaps),
        gaps=gaps,
        low=low,
        high=high,
        decimals=decimals,
        shares=np.ones(len(centres) + gaps),
    )
    found = codes.encode(values if gaps else known, rng)[0]
    return replace(codes, shares=np.bincount(found, minlength=len(codes.shares)) / len(found))


def gaps_published(missing: NDArray[np.bool_], owners: Codes | None) -> bool:
    """Whether it may be published that values are missing: only where enough persons miss one."""
    return bool(shared_codes(missing.astype(np.int64), owners, 2)[1])


def pick_codes(values: Floats, centres: Floats, widths: Floats, shares: Floats, rng: np.random.Generator) -> Codes:
    """(n,) the code of each value: a spike at it; else one of the intervals around it; else the nearest."""
    wide = widths > 0
    away = np.abs(values[:, None] - centres[None])
    safe = np.where(wide, widths, 1.0)
    apart = np.where(wide, away / safe, np.where(away == 0, 0.0, np.inf))
    if not wide.any():
        return np.asarray(away.argmin(axis=1))
    spreads = np.where(wide, np.exp(-8 * np.minimum(apart, 10) ** 2) * shares / safe, 0.0)  # ends are 4 deviations away
    likely = np.where(apart <= 1, spreads, 0.0)
    upto = likely.cumsum(axis=1)
    drawn = (upto <= rng.random(len(values))[:, None] * upto[:, -1:]).sum(axis=1).clip(0, len(centres) - 1)
    found = np.where(upto[:, -1] > 0, drawn, np.argmin(apart, axis=1))
    spiked = (away == 0) & ~wide
    return np.asarray(np.where(spiked.any(axis=1), spiked.argmax(axis=1), found))


def fit_category(column: Column, values: Codes, owners: Codes | None = None) -> CategoryCodes:
    """The categories that PERSONS persons have, those of at least RARE_SHARE each with a code."""
    known = values[values >= 0]
    shared = shared_codes(known, None if owners is None else owners[values >= 0], len(column.categories))
    counts = np.bincount(known, minlength=len(column.categories))
    order = np.argsort(-counts, kind="stable")
    published = [int(place) for place in order if shared[place]]
    if not published:
        raise DataError(
            f"no value of column {column.name!r} is shared by {PERSONS} {'rows' if owners is None else 'persons'} or "
            "more, none of them with more than half of its rows; "
            "take it out of the table, or say in a schema that it is an identifier"
        )
    frequent = int(sum(counts[place] >= RARE_SHARE * len(known) for place in published))
    if len(published) - frequent == 1:  # one alone is no group
        frequent += 1
    rare = counts[published[frequent:]].astype(np.float64)
    places = np.full(len(column.categories), -1, dtype=np.int64)
    places[published] = np.arange(len(published))
    gaps = gaps_published(values < 0, owners)
    codes = CategoryCodes(
        name=column.name,
        kind=column.kind,
        categories=tuple(column.categories[place] for place in published),
        frequent=frequent,
        upto=np.cumsum(rare) / max(rare.sum(), 1),
        gaps=gaps,
        places=places,
        shares=np.ones(frequent + (len(rare) > 0) + gaps),
    )
    found = codes.encode(values if gaps else known, np.random.default_rng(0))[0]
    return replace(codes, shares=np.bincount(found, minlength=len(codes.shares)) / len(found))
