"""Columns of times: as text, as whole numbers such as 20240131, or as pandas holds them."""

import re
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.dates import FIRST_YEAR, check_format, format_times, parse_times, reader, unit_of
from ecgsynth.errors import ConfigError, DataError

from .centuries import first_year_of, two_digits
from .columns import UNITS_S, Column
from .identity import says_identifier
from .kind import Found, Seen
from .numbers import Number
from .reading import ColumnValues

__all__ = ["Datetime", "time_format"]

Floats = NDArray[np.float64]

NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*", re.ASCII)
DIGIT = re.compile(r"\d", re.ASCII)

DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d"),
    *("%d/%m/%Y", "%-d/%-m/%Y", "%m/%d/%Y", "%-m/%-d/%Y"),
    *("%d-%m-%Y", "%-d-%-m-%Y", "%m-%d-%Y", "%-m-%-d-%Y"),
    *("%d.%m.%Y", "%-d.%-m.%Y", "%d/%m/%y", "%-d/%-m/%y", "%m/%d/%y", "%-m/%-d/%y", "%d.%m.%y", "%-d.%-m.%y"),
    *("%d %b %Y", "%-d %b %Y", "%d-%b-%Y", "%-d-%b-%Y", "%d %B %Y", "%-d %B %Y"),
    *("%b %d, %Y", "%b %-d, %Y", "%B %d, %Y", "%B %-d, %Y", "%d%b%Y", "%d-%b-%y"),
)
TIMES = (
    "%H:%M:%S",
    "%H:%M",
    "%H:%M:%S.%f",
    "%-H:%M",
    "%-H:%M:%S",
    "%I:%M %p",
    "%I:%M:%S %p",
    "%-I:%M %p",
    "%-I:%M:%S %p",
)
OFFSET = re.compile(r"(?:Z| ?[+-]\d{2}:?\d{2})$", re.ASCII)  # from UTC, the same in all rows of a column
DAY_FIRST = re.compile(r"%-?d([/\-.])%-?m\1")


class Datetime(Number):
    """Days, and times of a day; canonical are days or seconds since 1970-01-01, by the column's unit."""

    name = "datetime"
    dtypes = ("string", "datetime64", "int64")
    settings = ("minimum", "maximum", "unit", "format", "first_year")
    sdtype = "datetime"
    has_mean = False

    # ---- schemas

    def check(self, column: Column, where: str) -> None:
        """Refuse a format that tells no date, and a century where the format needs none."""
        if column.format is not None:
            check_format(column.format)
        if column.first_year is not None and column.format is not None and not two_digits(column.format):
            raise ConfigError(f"{where} has first_year, which is for times whose format has %y; leave it out")

    def format_fits(self, form: str) -> bool:
        """Whether it tells a date."""
        try:
            check_format(form)
        except ConfigError:
            return False
        return True

    def infer(self, seen: Seen) -> Found | None:
        """What pandas holds as times, texts that all have one format, and numbers that are all dates."""
        if seen.values.dtype == "datetime64":
            unit = held_unit(seen.values)
            times = np.floor(seconds_of(seen.values)[~seen.values.missing] / UNITS_S[unit])
            return time_column(seen, times, unit), ""
        return text_dates(seen) if seen.values.dtype == "string" else number_dates(seen)

    def complete(self, column: Column, values: ColumnValues, today: date) -> Column:
        """Format, century, unit and bounds that are not given are those of the data."""
        if column.format is None and values.dtype != "datetime64":
            texts = sorted(set(values.texts().tolist()))
            found = time_format(texts) if texts else None
            if found is None:
                raise DataError(
                    f"column {column.name!r} has no time format that is known; give it one, such as %d/%m/%Y, or "
                    "another kind"
                )
            form, first = found[0], column.first_year
            if first is None and two_digits(form):
                first = first_year_of(texts, form, column.name, today)
            column = replace(column, format=form, first_year=first)
        if column.unit is None:
            column = replace(column, unit=unit_of(column.format) if column.format else held_unit(values))
        return super().complete(column, values, today)

    def is_complete(self, column: Column) -> bool:
        """Whether bounds, unit and format are there."""
        form = column.format is not None or column.dtype == "datetime64"
        return super().is_complete(column) and column.unit is not None and form

    # ---- values

    def read(self, column: Column, values: ColumnValues) -> Floats:
        """(rows,) times in the column's unit; parts of it are dropped where pandas holds times."""
        unit = column.unit or "s"
        if values.dtype == "datetime64":
            return np.floor(seconds_of(values) / UNITS_S[unit])
        if column.format is None or values.dtype not in ("string", "int64"):
            raise DataError(
                f"column {column.name!r} holds {values.dtype}, and the schema says datetime; give it a format such as "
                "%Y-%m-%d or another kind"
            )
        times = np.full(len(values.missing), np.nan)
        known = ~values.missing
        distinct, places = np.unique(values.texts(), return_inverse=True)
        times[known] = parse_times(distinct.tolist(), column.format, column.first_year)[places]
        broken = known & np.isnan(times)
        if broken.any():
            raise DataError(
                f"column {column.name!r} has no time of the format {column.format!r} in row {broken.argmax() + 1}; "
                "correct the value or the schema"
            )
        own = unit_of(column.format)
        return times if own == unit else times * UNITS_S[own] / UNITS_S[unit]

    def written(self, column: Column, numbers: Floats) -> NDArray[Any]:
        """Times as text of the column's format, or as datetime64."""
        unit = column.unit or "s"
        if column.dtype == "datetime64":
            return (numbers * UNITS_S[unit]).astype(np.int64).astype("datetime64[s]")
        return format_times(numbers, unit, column.format or "%Y-%m-%d")

    # ---- what a person sees

    def text(self, value: float, unit: str | None = None) -> str:
        """The day, and the time of the day where the unit is a second."""
        at = np.datetime64(int(value * UNITS_S[unit or "s"]), "s")
        return str(at.astype("datetime64[D]") if unit == "D" else at).replace("T", " ")

    def ticks(self, low: float, high: float, unit: str | None) -> tuple[Floats, list[str]] | None:
        """Three days or times."""
        places = np.linspace(low, high, 3)
        return places, [self.text(place, unit or "s") for place in places]


def seconds_of(values: ColumnValues) -> Floats:
    """(rows,) seconds since 1970 of what pandas holds as times, NaN where missing."""
    seconds = values.values.astype("datetime64[s]").astype(np.int64).astype(np.float64)
    return np.where(values.missing, np.nan, seconds)


def held_unit(values: ColumnValues) -> str:
    """The unit of what pandas holds as times: whole days, or seconds."""
    seconds = values.known().astype(np.int64)
    return "D" if (seconds % UNITS_S["D"] == 0).all() else "s"


def time_column(seen: Seen, times: Floats, unit: str, form: str | None = None, first_year: int | None = None) -> Column:
    """A column of times in a unit, none of them missing."""
    return Column(
        name=seen.name,
        kind=Datetime.name,
        dtype=seen.values.dtype,
        missing=seen.values.gaps,
        minimum=float(times.min()),
        maximum=float(times.max()),
        unit=unit,
        format=form,
        first_year=first_year,
        pandas=seen.values.pandas,
    )


def number_dates(seen: Seen) -> Found | None:
    """Dates written as whole numbers, 20240131; None where a value is none from 1900 to 2100."""
    values = seen.values.known()
    if seen.values.dtype != "int64" or values.min() < 19_000_101 or values.max() > 21_001_231:
        return None
    if says_identifier(seen.name):
        return None
    times = parse_times([f"{value:08.0f}" for value in np.unique(values)], "%Y%m%d")
    return None if np.isnan(times).any() else (time_column(seen, times, "D", "%Y%m%d"), "")


def text_dates(seen: Seen) -> Found | None:
    """Times written as text; None where they are none. DataError for text of mixed types or offsets."""
    distinct = sorted(set(seen.values.known().tolist()))
    found = time_format(distinct)
    if found is None:
        check_mixed(seen.values, seen.name)
        check_offsets(distinct, seen.name)
        return None
    form, swapped = found
    first = first_year_of(distinct, form, seen.name, seen.today) if two_digits(form) else None
    notes = []
    if swapped:
        notes.append(
            "dates that may be read in two ways are read with the day first; if it is the month, correct the format in "
            "the schema or write 2024-12-31"
        )
    if two_digits(form):
        since = first or FIRST_YEAR
        notes.append(
            f"years of two digits are from {since} to {since + 99}; if that is wrong set first_year in the schema"
        )
    column = time_column(seen, parse_times(distinct, form, first), unit_of(form), form, first)
    return column, f"column {seen.name!r}: {'; '.join(notes)}" if notes else ""


def time_format(texts: list[str]) -> tuple[str, bool] | None:
    """The format that all of the different texts have, and whether day and month could change places; None if none.

    Of several, the first that also writes them as they are. Dates that can be read day first are.
    """
    fits = [form for form in candidates(texts[0]) if not np.isnan(parse_times(texts[:50], form)).any()]
    found = [(form, values) for form in fits if not np.isnan(values := parse_times(texts, form)).any()]
    if not found:
        return None
    exact = [(form, values) for form, values in found if writes(form, values, texts)]
    form, values = (exact or found)[0]
    swapped = DAY_FIRST.search(form) and any(
        not DAY_FIRST.search(other) and not np.array_equal(others, values) for other, others in found
    )
    return form, bool(swapped)


def candidates(text: str) -> list[str]:
    """The formats that one text has."""
    lead = text[: len(text) - len(text.lstrip())]
    if not DIGIT.search(text) or len(text) > 60:
        return []
    offset = OFFSET.search(text)
    zones = ("",) if offset is None else (offset[0],)
    found = []
    for day in DATES:
        begins = reader(lead + day).match(text)
        if begins is None:
            continue
        timed = begins.end() < len(text)
        times = [f"{gap}{time}{zone}" for gap in " T" for time in TIMES for zone in zones] if timed else [""]
        forms = [f"{lead}{day}{time}" for time in times]
        found += [form for form in forms if not np.isnan(parse_times([text], form)).any()]
    return found


def writes(form: str, values: Floats, texts: list[str]) -> bool:
    """Whether a format gives the texts back; parts of a second, which are dropped, do not count."""
    if "%f" in form:
        return True
    return list(format_times(values, unit_of(form), form)) == texts


def check_offsets(texts: list[str], name: str) -> None:
    """Raise DataError for times of several offsets from UTC."""
    found = {offset[0].strip() for text in texts if (offset := OFFSET.search(text))}
    if len(found) > 1 and time_format(sorted({OFFSET.sub("", text) for text in texts})) is not None:
        raise DataError(
            f"column {name!r} has times of several offsets from UTC, {len(found)} in all; write all of them in one"
        )


def check_mixed(values: ColumnValues, name: str) -> None:
    """Raise DataError for numbers among words, and for numbers with a decimal comma."""
    rows, texts = (np.flatnonzero(~values.missing) + 1).tolist(), values.known().tolist()
    numbers = [row for row, text in zip(rows, texts, strict=True) if NUMBER.fullmatch(text)]
    words = [row for row, text in zip(rows, texts, strict=True) if not DIGIT.search(text)]
    if numbers and words:
        raise DataError(
            f"column {name!r} has mixed types: {len(numbers)} numbers, the first in row {numbers[0]}, and {len(words)} "
            f"words, the first in row {words[0]}; make them all numbers or all words, and empty a cell without a value"
        )
    commas = [row for row, text in zip(rows, texts, strict=True) if COMMA.fullmatch(text)]
    if commas and len(commas) + len(numbers) == len(texts):
        raise DataError(
            f"column {name!r} has {len(commas)} numbers with a decimal comma, the first in row {commas[0]}; write them "
            "with a point"
        )
