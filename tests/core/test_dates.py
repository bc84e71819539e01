"""Dates and times as text: known days, there and back, and what is no date."""

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgsynth.core.dates import check_format, format_times, parse_times, unit_of
from ecgsynth.errors import ConfigError

FORMS = [
    "%Y-%m-%d %H:%M:%S",
    "%d/%m/%YT%H:%M:%SZ",
    "%-m/%-d/%Y %-I:%M:%S %p",
    "%d %B %Y %I:%M:%S %p",
    "%b %-d, %Y %-H:%M:%S",
]


@pytest.mark.parametrize(
    ("text", "form", "value"),
    [
        ("1970-01-01", "%Y-%m-%d", 0),
        ("2000-03-01", "%Y-%m-%d", 11_017),
        ("01/03/2000", "%d/%m/%Y", 11_017),
        ("1.3.00", "%-d.%-m.%y", 11_017),
        ("1 Mar 2000", "%-d %b %Y", 11_017),
        ("1969-12-31", "%Y-%m-%d", -1),
        ("31.12.69", "%d.%m.%y", -1),
        ("9999-12-31", "%Y-%m-%d", 2_932_896),  # beyond what nanoseconds hold
        ("1970-01-02 00:01", "%Y-%m-%d %H:%M", 86_460),
        ("12:05 AM 1970-01-01", "%I:%M %p %Y-%m-%d", 300),
        ("12:05 PM 1970-01-01", "%I:%M %p %Y-%m-%d", 43_500),
        ("1970-01-01T00:00:07.123Z", "%Y-%m-%dT%H:%M:%S.%fZ", 7),
    ],
)
def test_known_times(text, form, value):
    assert parse_times([text], form).tolist() == [value]
    if "%f" not in form:
        assert format_times(np.array([float(value)]), unit_of(form), form).tolist() == [text]


@pytest.mark.parametrize("text", ["2023-02-29", "2023-13-01", "2023-1", "", "x2023-01-01", "2023-01-01 ", "٢٠٢٣-01-01"])
def test_what_is_no_date(text):
    assert np.isnan(parse_times([text], "%Y-%m-%d")).all()


@given(st.lists(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), max_size=20), st.sampled_from(FORMS))
def test_there_and_back(times, form):
    seconds = np.array([(at.replace(microsecond=0) - datetime(1970, 1, 1)).total_seconds() for at in times])
    texts = format_times(seconds, "s", form)
    assert parse_times(texts.tolist(), form).tolist() == seconds.tolist()


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("%Y-%m", "does not have year, month and day"),
        ("%Y-%m-%d %Q", "has %Q, which is not known"),
        ("%Y-%m-%d %d", "has %d more than once"),
    ],
)
def test_formats_that_are_none(form, said):
    with pytest.raises(ConfigError, match=said):
        check_format(form)


def test_units():
    assert (unit_of("%Y-%m-%d"), unit_of("%Y-%m-%d %H:%M"), unit_of("%d%%H%m%Y")) == ("D", "s", "D")
