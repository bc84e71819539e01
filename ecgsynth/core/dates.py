"""Dates and times as text, there and back, by the standard library and numpy: formats as of strftime, in English.

A format may hold %Y %y %m %d %b %B for the date and %H %I %M %S %f %p for the time; %-m %-d %-H %-I are without
leading zeros. Times are in days or seconds since 1970-01-01; parts of a second are dropped.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ConfigError

__all__ = ["FIRST_YEAR", "check_format", "format_times", "parse_times", "reader", "unit_of"]

Floats = NDArray[np.float64]

MONTHS = (
    "January February March April May June July August September October November December".split()
)  # not by the locale: the same file gives the same text everywhere
EPOCH = datetime(1970, 1, 1)
DAY_S = 86_400
FIRST_YEAR = 1969  # of a year of two digits, as POSIX has it

# What each directive reads, and the text that it writes. Reading is lenient about leading zeros.
DIRECTIVES: dict[str, tuple[str, Callable[[datetime], str]]] = {
    "%Y": (r"(?P<Y>\d{4})", lambda at: f"{at.year:04d}"),
    "%y": (r"(?P<y>\d{2})", lambda at: f"{at.year % 100:02d}"),
    "%m": (r"(?P<m>\d{1,2})", lambda at: f"{at.month:02d}"),
    "%-m": (r"(?P<m>\d{1,2})", lambda at: str(at.month)),
    "%d": (r"(?P<d>\d{1,2})", lambda at: f"{at.day:02d}"),
    "%-d": (r"(?P<d>\d{1,2})", lambda at: str(at.day)),
    "%b": (f"(?P<b>{'|'.join(name[:3] for name in MONTHS)})", lambda at: MONTHS[at.month - 1][:3]),
    "%B": (f"(?P<b>{'|'.join(MONTHS)})", lambda at: MONTHS[at.month - 1]),
    "%H": (r"(?P<H>\d{1,2})", lambda at: f"{at.hour:02d}"),
    "%-H": (r"(?P<H>\d{1,2})", lambda at: str(at.hour)),
    "%I": (r"(?P<I>\d{1,2})", lambda at: f"{(at.hour - 1) % 12 + 1:02d}"),
    "%-I": (r"(?P<I>\d{1,2})", lambda at: str((at.hour - 1) % 12 + 1)),
    "%M": (r"(?P<M>\d{2})", lambda at: f"{at.minute:02d}"),
    "%S": (r"(?P<S>\d{2})", lambda at: f"{at.second:02d}"),
    "%f": (r"\d{1,9}", lambda at: "000000"),
    "%p": (r"(?P<p>AM|PM)", lambda at: "PM" if at.hour >= 12 else "AM"),
    "%%": ("%", lambda at: "%"),
}


def check_format(form: str) -> None:
    """Raise ConfigError unless the format has a whole date, each part once, in directives that are known."""
    parts = split(form)
    unknown = [part for part in parts if part.startswith("%") and part not in DIRECTIVES]
    if unknown:
        raise ConfigError(f"the format {form!r} has {unknown[0]}, which is not known; use {' '.join(DIRECTIVES)}")
    letters = [part[-1] for part in parts if part.startswith("%") and part != "%%"]
    fields = ["m" if letter in "bB" else "Y" if letter == "y" else letter for letter in letters]
    twice = sorted({field for field in fields if fields.count(field) > 1})
    if twice:
        raise ConfigError(f"the format {form!r} has %{twice[0]} more than once; name each part once")
    if not {"Y", "m", "d"} <= set(fields):
        raise ConfigError(f"the format {form!r} does not have year, month and day; a date needs all three")


def unit_of(form: str) -> str:
    """The unit of a format's times: "s" where it has a time of day, else "D"."""
    return "s" if any(part in DIRECTIVES and part[-1] in "HIMSfp" for part in split(form)) else "D"


def parse_times(texts: Sequence[str], form: str, first_year: int | None = None) -> Floats:
    """Read times.

    Parameters
    ----------
    texts
        (n,) texts.
    form
        Their format.
    first_year
        The first of the hundred years that a year of two digits may be; without it 1969, as POSIX has it.

    Returns
    -------
    Floats
        (n,) days or seconds (see ``unit_of``) since 1970-01-01; NaN for a text that is not of the format.

    """
    first = FIRST_YEAR if first_year is None else first_year
    pattern, unit = reader(form), unit_of(form)
    values = np.full(len(texts), np.nan)
    for place, text in enumerate(texts):
        found = pattern.fullmatch(text)
        at = None if found is None else moment(found.groupdict(), first)
        if at is not None:
            since = at - EPOCH
            values[place] = since.days if unit == "D" else since.days * DAY_S + since.seconds
    return values


def format_times(values: Floats, unit: str, form: str) -> NDArray[np.str_]:
    """Write times.

    Parameters
    ----------
    values
        (n,) times since 1970-01-01, none missing, all from year 1 to 9999.
    unit
        "D" or "s".
    form
        The format of the texts.

    Returns
    -------
    NDArray
        (n,) texts.

    """
    parts = split(form)
    distinct, places = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)
    write = [DIRECTIVES[part][1] if part in DIRECTIVES else literal(part) for part in parts]
    texts = []
    for value in distinct.tolist():
        at = EPOCH + (timedelta(days=value) if unit == "D" else timedelta(seconds=value))
        texts.append("".join(part(at) for part in write))
    return np.asarray(texts, dtype=np.str_)[places] if texts else np.empty(0, dtype=np.str_)


def literal(part: str) -> Callable[[datetime], str]:
    return lambda at: part


def split(form: str) -> list[str]:
    """The directives of a format, and the text between them."""
    return [part for part in re.split(r"(%-?[A-Za-z%])", form) if part]


@cache
def reader(form: str) -> re.Pattern[str]:
    """What matches the texts of a format."""
    parts = (DIRECTIVES[part][0] if part in DIRECTIVES else re.escape(part) for part in split(form))
    return re.compile("".join(parts), re.ASCII)


def moment(found: dict[str, str], first_year: int) -> datetime | None:
    """The time of a match's parts, or None where there is no such day or hour."""
    if "Y" in found:
        year = int(found["Y"])
    else:
        year = first_year + (int(found["y"]) - first_year) % 100
    month = MONTHS_BY_NAME[found["b"][:3]] if "b" in found else int(found["m"])
    hour = int(found.get("H") or 0)
    if "I" in found:
        if not 1 <= int(found["I"]) <= 12:
            return None
        hour = int(found["I"]) % 12 + 12 * (found.get("p") == "PM")
    try:
        return datetime(year, month, int(found["d"]), hour, int(found.get("M") or 0), int(found.get("S") or 0))
    except ValueError:
        return None


MONTHS_BY_NAME = {name[:3]: number for number, name in enumerate(MONTHS, start=1)}
