"""Dates whose years have two digits: the century that they are read in, by rule and by schema."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from ecgsynth.core.dates import format_times, parse_times
from ecgsynth.errors import ConfigError
from ecgsynth.export.manifest import TableColumn
from ecgsynth.tabular.encoding.canonical import canonical
from ecgsynth.tabular.real import schema_of
from ecgsynth.tabular.schema.schema import Column, Schema

TODAY = date(2026, 6, 15)


def texts(years, form="%m/%d/%y", month=3):
    """A date in each of the years, of a day that no month has."""
    return [date(year, month, 17 + place % 10).strftime(form) for place, year in enumerate(years)]


def years_read(schema, frame, name):
    values = schema.arrays(frame)[name]
    scale = 86_400 if schema[name].unit == "s" else 1
    return (values // scale).astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970


@pytest.mark.parametrize(
    ("name", "years"),
    [
        ("birth", range(1960, 1985)),  # POSIX has 2060 to 2068, and 1969 to 1984
        ("dob", range(1935, 2020)),
        ("DOB", range(1990, 2024)),
        ("date_of_birth", range(1920, 1930)),  # a birth is not to come
        ("born", [1926, 1930]),
        ("visit", range(1998, 2027)),
        ("visit", range(2019, 2029)),  # an appointment may be
        ("seen", [2026]),
        ("seen", [1969]),
        ("seen", [1927]),  # but not all of them
    ],
)
def test_a_stretch_of_years_lies_in_the_latest_century_that_can_be(name, years):
    frame = pd.DataFrame({name: texts(years) * 3})
    schema = Schema.infer(frame, today=TODAY)
    assert sorted(set(years_read(schema, frame, name).tolist())) == list(years)
    assert format_times(schema.arrays(frame)[name], "D", "%m/%d/%y").tolist() == frame[name].tolist()


def test_where_no_ten_years_are_free_nothing_is_to_come():
    for month, last in ((3, 2026), (9, 2025)):
        frame = pd.DataFrame({"at": texts(range(1927, 2027), month=month)})
        schema = Schema.infer(frame, today=TODAY)
        assert schema["at"].first_year == last - 99
        assert years_read(schema, frame, "at").max() == last


def test_the_first_year_is_a_round_one_in_the_middle_of_what_is_free():
    for years, first in ((range(1960, 1985), 1920), (range(1951, 2009), 1920), (range(1935, 2026), 1930)):
        assert Schema.infer(pd.DataFrame({"birth": texts(years) * 2}), today=TODAY)["birth"].first_year == first


def test_times_of_the_day_and_days_first_have_centuries_too():
    frame = pd.DataFrame({"born": [f"{text} 12:30" for text in texts(range(1960, 1985), "%d.%m.%y")] * 2})
    schema = Schema.infer(frame, today=TODAY)
    assert (schema["born"].unit, schema["born"].format) == ("s", "%d.%m.%y %H:%M")
    assert sorted(set(years_read(schema, frame, "born").tolist())) == list(range(1960, 1985))


def test_a_leap_day_rules_out_the_year_1900():
    frame = pd.DataFrame({"birth": ["02/29/00", "03/17/24", "04/18/99"] * 5})
    schema = Schema.infer(frame, today=TODAY)
    assert sorted(set(years_read(schema, frame, "birth").tolist())) == [1999, 2000, 2024]


def test_it_is_said_in_years():
    (note,) = Schema.infer(pd.DataFrame({"birth": texts(range(1960, 1985)) * 2}), today=TODAY).notes
    assert note == (
        "column 'birth': years of two digits are from 1920 to 2019; if that is wrong set first_year in the schema"
    )  # of the hundred years that there may be, not of those that somebody was born in
    (note,) = Schema.infer(pd.DataFrame({"birth": ["01/02/61", "03/04/62"] * 9}), today=TODAY).notes
    assert "read with the day first" in note
    assert note.endswith("years of two digits are from 1910 to 2009; if that is wrong set first_year in the schema")
    assert Schema.infer(pd.DataFrame({"birth": ["2061-01-02", "2062-01-17"]}), today=TODAY).notes == ()


def test_a_first_year_is_kept_and_can_be_set():
    frame = pd.DataFrame({"birth": texts(range(1960, 1985)) * 2})
    schema = Schema.infer(frame, today=TODAY)
    assert Schema.from_json(schema.to_json()) == schema
    content = schema.to_json()
    del content["columns"][0]["minimum"], content["columns"][0]["maximum"]
    content["columns"][0]["first_year"] = 1860
    own = Schema.from_json(content).completed(frame)
    assert sorted(set(years_read(own, frame, "birth").tolist())) == list(range(1860, 1885))
    del content["columns"][0]["first_year"]
    own = Schema.from_json(content).completed(frame)
    assert set(years_read(own, frame, "birth").tolist()) == {*range(2060, 2069), *range(1969, 1985)}  # as POSIX has it
    content["columns"][0] = {"name": "birth", "kind": "datetime", "dtype": "string"}
    assert Schema.from_json(content).completed(frame, TODAY)["birth"].first_year == 1920


def test_what_is_measured_is_read_in_the_same_century():
    frame = pd.DataFrame({"birth": texts(range(1960, 1985)) * 2})
    column = Schema.infer(frame, today=TODAY)["birth"]
    described = TableColumn(
        name="birth",
        kind="datetime",
        dtype="string",
        unit="D",
        format=column.format,
        first_year=column.first_year,
        minimum=0.0,
        maximum=1.0,
        output="column_0",
    )
    schema = schema_of([described])
    assert canonical(frame, schema)["birth"].max() == parse_times(["1984-03-21"], "%Y-%m-%d")[0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"format": "%d.%m.%y", "first_year": "1960"}, "first_year '1960'; write a year such as 1925"),
        ({"format": "%d.%m.%y", "first_year": True}, "first_year True"),
        ({"format": "%d.%m.%y", "first_year": 9901}, "first_year 9901"),
        ({"format": "%d.%m.%Y", "first_year": 1960}, "first_year, which is for times whose format has %y"),
        ({"format": "%d.%m.%Y%%y", "first_year": 1960}, "first_year, which is for times whose format has %y"),
    ],
)
def test_first_years_that_cannot_be(settings, said):
    with pytest.raises(ConfigError, match=said):
        Schema((Column(name="x", kind="datetime", dtype="string", **settings),))


def test_times_are_parsed_from_any_first_year():
    for first in (1900, 1931, 2000):
        read = parse_times([f"01.01.{year:02d}" for year in range(100)], "%d.%m.%y", first)
        assert read.min() == np.datetime64(f"{first}-01-01").astype(int)
        assert read.max() == np.datetime64(f"{first + 99}-01-01").astype(int)
