"""Columns, tables and data that are refused, each in a sentence that says what to do."""

import re

import numpy as np
import pandas as pd
import pytest

from ecgsynth.errors import DataError
from ecgsynth.tabular.schema.schema import Schema


def example():
    return pd.DataFrame(
        {"code": [1, 2, 3] * 20, "age": [*range(20, 79), 44], "cost": [0.5, 0.75, 0.5] * 20, "w": ["a", "b"] * 30}
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([None, np.nan, None], "column 'x' has no value in any row; leave it out"),
        (pd.array([None] * 3, dtype="Int64"), "column 'x' has no value in any row"),
        ([1.0, np.inf, -np.inf], "column 'x' has 2 infinite values, the first in row 2; correct them"),
        (["1", "2", "oops", "4"], "has mixed types: 3 numbers, the first in row 1, and 1 words, the first in row 3;"),
        (["61", "?", "7.5", "?"], "2 numbers, the first in row 1, and 2 words, the first in row 2;"),
        (
            [1, "two", 3],
            "has mixed types: 2 int, the first in row 1, 1 str, the first in row 2; make them all of one type",
        ),
        (["1,5", "2", "-3,25"], "2 numbers with a decimal comma, the first in row 1; write them with a point"),
        (
            ["anna", "bob smith", "x@y.com", "hm!", "so, so"],
            "5 different texts in 5 rows without one format",
        ),
        ([f"{w} street" for w in ("oak", "elm", "birch", "pine", "lime")], "without one format"),
        ([1j, 2j], "holds complex128"),
        (pd.to_timedelta([1, 2]), "holds timedelta64"),
        ([[1], [2]], "holds 2 list, the first in row 1, which no table"),
    ],
)
def test_columns_that_are_refused(values, said):
    with pytest.raises(DataError, match=re.escape(said)):
        Schema.infer(pd.DataFrame({"x": pd.Series(values)}))


def test_tables_that_are_refused():
    for rows in (0, 1):
        with pytest.raises(DataError, match=f"two rows or more to be learnt from, got {rows}"):
            Schema.infer(pd.DataFrame({"x": [1] * rows}))
    with pytest.raises(DataError, match="several columns named x"):
        Schema.infer(pd.DataFrame([[1, 2], [3, 4]], columns=["x", "x"]))
    with pytest.raises(DataError, match="no columns"):
        Schema.infer(pd.DataFrame(index=[1, 2]))


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        (
            "code",
            [1, 9, 8],
            "column 'code' has in row 2 and 1 more a value that is none of its categories in the schema",
        ),
        ("code", ["1", "b", "c"], "column 'code' has in row 1 and 2 more a value that is none of its categories"),
        (
            "age",
            [30, 19, 40],
            "column 'age' has a value in row 2 that is below its minimum in the schema; correct the value or",
        ),
        ("age", [30, 40, 79], "column 'age' has a value in row 3 that is above its maximum in the schema"),
        ("age", [30, 40.5, 50], "column 'age' has no whole number in row 2, and the schema says integer"),
        ("age", [30, None, 50], "column 'age' has 1 missing values, the first in row 2, and the schema allows none"),
        (
            "age",
            ["thirty", "1", "2"],
            "column 'age' has in row 1 a value that is not a number, but the schema says integer",
        ),
        ("w", ["a", "c", "b"], "column 'w' has in row 2 a value that is none of its categories"),
        ("w", [1, 2, 3], "column 'w' has in row 1 and 2 more a value that is none of its categories"),
    ],
)
def test_data_that_contradict_the_schema(name, values, said):
    schema = Schema.infer(example())
    frame = example()[:3].assign(**{name: values})
    with pytest.raises(DataError, match=re.escape(said)):
        schema.check(frame)


def test_more_contradictions():
    schema = Schema.infer(example())
    with pytest.raises(
        DataError, match="the schema has a column 'w' that the table does not have; the table has code, age, cost"
    ):
        schema.check(example().drop(columns="w"))
    days = Schema.infer(pd.DataFrame({"d": ["2024-01-01", "2024-03-31"]}))
    with pytest.raises(DataError, match=r"column 'd' has no time of the format '%Y-%m-%d' in row 1"):
        days.check(pd.DataFrame({"d": ["1.2.2024"]}))
    with pytest.raises(DataError, match="column 'd' has a value in row 1 that is above its maximum"):
        days.check(pd.DataFrame({"d": ["2024-04-01"]}))
    with pytest.raises(DataError, match="there is no column 'q'; the columns are d"):
        days["q"]


def test_other_data_than_the_schema_was_made_from():
    schema = Schema.infer(example())
    frame = pd.DataFrame({"code": [1, 9], "age": [150, None], "cost": [0.5, 0.75], "w": ["b", None]})
    arrays = schema.arrays(frame, strict=False)
    assert arrays["code"].tolist() == [0, -1]
    assert arrays["age"][0] == 150
    assert np.isnan(arrays["age"][1])
    assert arrays["w"].tolist() == [1, -1]
