"""The century of dates with two-digit years: one stretch of years, put where such dates can lie."""

import re
from datetime import date

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.dates import parse_times, unit_of

__all__ = ["first_year_of", "two_digits", "years_of"]

GAP_YEARS = 10  # years without a date: where so many follow each other, a century is cut
BIRTH = re.compile(r"birth|born|(^|[^a-z])dob([^a-z]|$)", re.IGNORECASE)


def two_digits(form: str | None) -> bool:
    """Whether a format has a year of two digits."""
    return form is not None and "%y" in form.replace("%%", "")


def years_of(values: NDArray[np.float64], form: str) -> NDArray[np.int64]:
    """(n,) the year of each time that ``parse_times`` gave of a format."""
    return (
        values.astype(np.int64).astype(f"datetime64[{unit_of(form)}]").astype("datetime64[Y]").astype(np.int64) + 1970
    )


def first_year_of(texts: list[str], form: str, name: str, today: date) -> int | None:
    """The first of the hundred years in which dates of two digits lie; None where no century has all of the days.

    The years seen are one stretch, cut off at the longest run of years without a date. It lies in the latest century
    in which it is over by ``today``; or, where the column's name does not say birth, has begun: an appointment may be
    to come, and a birth cannot. Where no ten years are free, no date is to come. The cut is a round year in the
    middle of the run, so that no person has it.
    """
    seen = np.unique(years_of(parse_times(texts, form), form) % 100)
    gaps = np.diff(np.append(seen, seen[0] + 100))
    longest, open_end = int(gaps.argmax()), not BIRTH.search(name)
    if gaps[longest] < GAP_YEARS:
        starts, open_end = [today.year - 99, today.year - 100], False
    else:
        last = int(seen[longest])
        cut = (last + int(gaps[longest]) // 2) // 10 * 10
        cut += 10 * (cut <= last)
        latest = today.year - (today.year - cut) % 100
        starts = [latest, latest - 100, latest - 200]
    now = np.datetime64(today).astype("datetime64[D]").astype(np.int64)
    now = now if unit_of(form) == "D" else (now + 1) * 86_400 - 1
    for start in starts:
        values = parse_times(texts, form, start)
        if not np.isnan(values).any() and (values.max() <= now or (open_end and values.min() <= now)):
            return start
    return None
