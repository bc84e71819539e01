"""What a column is, found from what it holds: its kind, bounds, decimals, spikes, categories, or format."""

import re
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.dates import FIRST_YEAR, format_times, parse_times, reader, unit_of
from ecgsynth.errors import DataError

from .centuries import first_year_of, two_digits
from .columns import DECIMALS, UNITS, Category, Column
from .identity import identifier_of, person_column, says_identifier
from .patterns import number_pattern, pattern_of
from .reading import Held, hold

__all__ = ["complete_column", "infer_column"]

Floats = NDArray[np.float64]

CODES = 20  # whole numbers with so many different values or fewer may be codes of categories
SPIKE = 0.05  # of the rows: a single value that so many have is a spike
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


def infer_column(
    series: Any, name: str, every: Any = None, *, person: bool = False, today: date | None = None
) -> tuple[Column, str]:
    """A column from a pandas Series of two rows or more, and a note on what was not certain, or "".

    ``every``: the same column of the whole table, where the rows are picked from one; it says whether the column is an
    identifier. ``person``: it is the column that says whose each row is. ``today``: by which day dates whose years
    have two digits are put into a century, see ``first_year_of``; without it, the day that it is.
    Raises DataError for a column all missing, of mixed types, with infinities, of unique text without one format, or
    of persons that have several rows, see ``identifier_of``.
    """
    held = hold(series, name)
    judged = held if every is None else hold(every, name)
    if held.missing.all():
        raise DataError(f"column {name!r} has no value in any row; leave it out")
    if person:
        return replace(person_column(judged, name), missing=gaps(held)), ""
    if held.dtype == "bool":
        return Column(name=name, kind="boolean", dtype="bool", missing=gaps(held), categories=(False, True)), ""
    if held.dtype == "datetime64":
        return infer_times(held, name), ""
    day = today or date.today()
    dates = text_dates(held, name, day) if held.dtype == "string" else number_dates(held, name)
    if dates is not None:
        return dates
    identifier = identifier_of(judged, name)
    if identifier is not None:
        return replace(identifier[0], missing=gaps(held)), identifier[1]
    return (category_column if held.dtype == "string" else infer_number)(held, name), ""


def gaps(held: Held) -> bool:
    return bool(held.missing.any())


def whole(values: Floats) -> bool:
    """Whether all numbers that are not missing are whole."""
    return not (values != np.round(values))[~np.isnan(values)].any()


# ---- numbers


def infer_number(held: Held, name: str) -> Column:
    values = held.known()
    if not whole(values):
        return number_column(held, name, "continuous")
    distinct, counts = np.unique(values, return_counts=True)
    many = np.clip(len(values) / 100, 3, 10)  # rows that share each code
    if len(distinct) <= 2 or (len(distinct) <= CODES and counts.min() >= many):
        return category_column(held, name)
    return number_column(held, name, "integer")


def number_dates(held: Held, name: str) -> tuple[Column, str] | None:
    """A column of dates written as whole numbers, 20240131; None where a value is none from 1900 to 2100."""
    values = held.known()
    if held.dtype != "int64" or values.min() < 19_000_101 or values.max() > 21_001_231 or says_identifier(name):
        return None
    times = parse_times([f"{value:08.0f}" for value in np.unique(values)], "%Y%m%d")
    if np.isnan(times).any():
        return None
    return Column(
        name=name, kind="datetime", dtype="int64", missing=gaps(held),
        minimum=float(times.min()), maximum=float(times.max()), unit="D", format="%Y%m%d",
    ), ""  # fmt: skip


def number_column(held: Held, name: str, kind: str) -> Column:
    values = held.known()
    return Column(
        name=name,
        kind=kind,
        dtype=held.dtype,
        missing=gaps(held),
        minimum=float(values.min()),
        maximum=float(values.max()),
        decimals=decimals_of(values) if kind == "continuous" else None,
        spikes=spikes_of(values, len(held.missing)),
    )


def decimals_of(values: Floats) -> int | None:
    """The digits behind the point that all values need, six at most; None where one needs more."""
    with np.errstate(over="ignore", invalid="ignore"):  # the largest numbers, times a million, are not the same again
        return next((digits for digits in range(DECIMALS + 1) if (np.round(values, digits) == values).all()), None)


def spikes_of(values: Floats, rows: int) -> tuple[float, ...]:
    """Single values that SPIKE of all the rows have, in rising order; none where it is the only value."""
    distinct, counts = np.unique(values, return_counts=True)
    return tuple(distinct[counts >= max(2.0, SPIKE * rows)].tolist()) if len(distinct) > 1 else ()


def category_column(held: Held, name: str) -> Column:
    """Categories as the table holds them, in rising order."""
    values = held.known()
    found: list[Category]
    if held.dtype == "string":
        found = sorted(set(values.tolist()))
    else:
        found = np.unique(values).astype(held.dtype).tolist()
    return Column(name=name, kind="categorical", dtype=held.dtype, missing=gaps(held), categories=tuple(found))


# ---- times


def infer_times(held: Held, name: str) -> Column:
    seconds = held.known().astype(np.int64)
    unit = "D" if (seconds % UNITS["D"] == 0).all() else "s"
    low, high = int(seconds.min()) // UNITS[unit], int(seconds.max()) // UNITS[unit]
    return Column(
        name=name, kind="datetime", dtype="datetime64", missing=gaps(held),
        minimum=float(low), maximum=float(high), unit=unit,
    )  # fmt: skip


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


# ---- text


def text_dates(held: Held, name: str, today: date) -> tuple[Column, str] | None:
    """A column of times written as text; None where it is none. DataError for text of mixed types or offsets."""
    distinct = sorted(set(held.known().tolist()))
    found = time_format(distinct)
    if found is None:
        check_mixed(held, name)
        check_offsets(distinct, name)
        return None
    form, swapped = found
    first = first_year_of(distinct, form, name, today) if two_digits(form) else None
    values = parse_times(distinct, form, first)
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
    column = Column(
        name=name, kind="datetime", dtype="string", missing=gaps(held), minimum=float(values.min()),
        maximum=float(values.max()), unit=unit_of(form), format=form, first_year=first,
    )  # fmt: skip
    return column, f"column {name!r}: {'; '.join(notes)}" if notes else ""


def check_offsets(texts: list[str], name: str) -> None:
    """Raise DataError for times of several offsets from UTC."""
    found = {offset[0].strip() for text in texts if (offset := OFFSET.search(text))}
    if len(found) > 1 and time_format(sorted({OFFSET.sub("", text) for text in texts})) is not None:
        raise DataError(
            f"column {name!r} has times of several offsets from UTC, {len(found)} in all; write all of them in one"
        )


def check_mixed(held: Held, name: str) -> None:
    """Raise DataError for numbers among words, and for numbers with a decimal comma."""
    rows, texts = (np.flatnonzero(~held.missing) + 1).tolist(), held.known().tolist()
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


# ---- what a user left open


def complete_column(column: Column, series: Any, today: date | None = None) -> Column:
    """A column with what the schema does not give found in the data: categories, bounds, a unit or a format.

    Spikes and decimals that are not given stay so: no spikes, and as many decimals as there are.
    """
    held = hold(series, column.name)
    given = {name: getattr(column, name) for name in column.__slots__}
    if column.kind in ("categorical", "boolean") and not column.categories:
        if held.dtype == "string" and column.dtype != "string":
            held.numbers(column.name, f"the schema says {column.dtype}")  # raises, naming a row
        if column.dtype == "string":
            found: list[Category] = sorted(set(held.texts().tolist()))
        else:
            found = np.unique(held.known()).astype(column.dtype).tolist()
        return Column(**given | {"categories": (False, True) if column.kind == "boolean" else tuple(found)})
    if column.kind == "identifier" and column.format is None:
        if column.dtype == "int64" and not whole(held.numbers(column.name, "the schema says int64")):
            raise DataError(f"column {column.name!r} has numbers that are not whole; set its dtype to string")
        texts = held.texts()
        form = number_pattern(texts) if column.dtype == "int64" else pattern_of(texts)
        if form is None:
            raise DataError(
                f"column {column.name!r} has no one format; give it one, such as PX-[0-9]{{5}}, or leave it out"
            )
        return Column(**given | {"format": form})
    if column.kind == "datetime":
        return complete_times(column, held, today or date.today())
    if column.kind in ("continuous", "integer") and (column.minimum is None or column.maximum is None):
        return with_bounds(column, column.encode(held, strict=False))
    return column


def complete_times(column: Column, held: Held, today: date) -> Column:
    given = {name: getattr(column, name) for name in column.__slots__}
    if column.format is None and held.dtype != "datetime64":
        texts = sorted(set(held.texts().tolist()))
        found = time_format(texts) if texts else None
        if found is None:
            raise DataError(
                f"column {column.name!r} has no time format that is known; give it one, such as %d/%m/%Y, or another "
                "kind"
            )
        given["format"] = found[0]
        if column.first_year is None and two_digits(found[0]):
            given["first_year"] = first_year_of(texts, found[0], column.name, today)
    if column.unit is None:
        given["unit"] = unit_of(given["format"]) if given["format"] else infer_times(held, column.name).unit
    filled = Column(**given)
    if filled.minimum is None or filled.maximum is None:
        return with_bounds(filled, filled.encode(held, strict=False))
    return filled


def with_bounds(column: Column, values: Floats) -> Column:
    known = values[~np.isnan(values)]
    if not len(known):
        raise DataError(f"column {column.name!r} has no value in any row; leave it out")
    given = {name: getattr(column, name) for name in column.__slots__}
    low = float(known.min()) if column.minimum is None else column.minimum
    high = float(known.max()) if column.maximum is None else column.maximum
    return Column(**given | {"minimum": low, "maximum": max(low, high)})
