"""The kinds of columns as rows are drawn: canonical values as the table holds them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecgsynth.errors import ArtifactError
from ecgsynth.export.kinds import KINDS, MISSING_WHOLE, row_kind
from ecgsynth.export.manifest import TableColumn
from ecgsynth.tabular.schema.kinds import KINDS as SCHEMA_KINDS


@pytest.mark.parametrize(
    ("facts", "values", "wanted"),
    [
        ({"kind": "integer", "dtype": "int64"}, [3, -1], np.array([3, -1])),
        ({"kind": "integer", "dtype": "float64", "missing": True}, [3, MISSING_WHOLE], np.array([3.0, np.nan])),
        ({"kind": "integer", "dtype": "float64"}, [3, 4], np.array([3.0, 4.0])),
        (
            {"kind": "datetime", "dtype": "string", "unit": "D", "format": "%d/%m/%Y"},
            [0, 59],
            np.array(["01/01/1970", "01/03/1970"], dtype=object),
        ),
        (
            {"kind": "datetime", "dtype": "int64", "unit": "D", "format": "%Y%m%d"},
            [0, 59],
            np.array([19700101, 19700301]),
        ),
        (
            {"kind": "datetime", "dtype": "int64", "unit": "D", "format": "%Y%m%d", "missing": True},
            [0, MISSING_WHOLE],
            np.array([19700101.0, np.nan]),
        ),
        (
            {"kind": "datetime", "dtype": "datetime64", "unit": "s", "missing": True, "format": None},
            [61, MISSING_WHOLE],
            np.array(["1970-01-01T00:01:01", "NaT"], dtype="datetime64[s]"),
        ),
        (
            {"kind": "categorical", "dtype": "string", "categories": ("a", "b")},
            [1, -1],
            np.array(["b", None], dtype=object),
        ),
        ({"kind": "categorical", "dtype": "int64", "categories": (7, 9)}, [1, 0], np.array([9, 7])),
        ({"kind": "categorical", "dtype": "int64", "categories": (7, 9)}, [1, -1], np.array([9.0, np.nan])),
        ({"kind": "boolean", "dtype": "bool", "categories": (True, False)}, [1, 0], np.array([False, True])),
        (
            {"kind": "boolean", "dtype": "bool", "categories": (True, False)},
            [1, -1],
            np.array([False, None], dtype=object),
        ),
        (
            {"kind": "continuous", "dtype": "float64", "decimals": 2, "minimum": 0, "maximum": 123456.78},
            [123456.78, 0.1],
            np.array([123456.78, 0.1]),
        ),
        (
            {"kind": "continuous", "dtype": "float64", "decimals": None, "minimum": 0, "maximum": 0.123456789},
            [0.123456789, 0.1],
            np.array([0.1234568 - 1.1e-8, 0.1]),
        ),
    ],
)
def test_values_as_the_table_holds_them(facts: dict[str, Any], values: list[Any], wanted: Any) -> None:
    column = TableColumn(name="x", **facts)
    kind = row_kind(column)
    exact = kind.whole or kind.form == "code"
    found = kind.restore(column, np.array(values, dtype=np.int64 if exact else np.float32))
    assert found.dtype == wanted.dtype
    if exact:
        assert pd.Series(found).equals(pd.Series(wanted))
    else:
        assert found == pytest.approx(wanted, abs=1e-15)
        assert found.max() <= column.maximum


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"kind": "integer", "dtype": "int64", "minimum": 0.0, "maximum": 90.0}, "0 to 90"),
        ({"kind": "continuous", "dtype": "float64", "minimum": -0.5, "maximum": 1e6}, "-0.5 to 1e+06"),
        ({"kind": "datetime", "dtype": "string", "unit": "D", "format": "%d.%m.%Y"}, "as %d.%m.%Y"),
        ({"kind": "datetime", "dtype": "datetime64", "unit": "D"}, "as times"),
        ({"kind": "boolean", "dtype": "bool", "categories": (True, False)}, "True, False"),
        ({"kind": "categorical", "dtype": "int64", "categories": tuple(range(9))}, "0, 1, 2, 3, 4, 5, 6, 7, ..."),
        ({"kind": "identifier", "dtype": "string", "format": "P-[0-9]{4}"}, "made anew as P-[0-9]{4}"),
    ],
)
def test_values_in_words(facts: dict[str, Any], said: str) -> None:
    column = TableColumn(name="x", **facts)
    assert row_kind(column).said(column) == said


def test_both_tables_of_kinds_are_of_the_same_kinds() -> None:
    assert list(KINDS) == list(SCHEMA_KINDS)
    for name, kind in KINDS.items():
        assert kind.name == name
        assert (kind.form is None) == (kind.anew is not None) == (kind.holds is not None)
        assert set(kind.facts) <= set(SCHEMA_KINDS[name].settings)


def test_a_kind_of_a_later_version() -> None:
    with pytest.raises(ArtifactError, match="column 'x' is of the kind 'colour', which this version does not know"):
        row_kind(TableColumn(name="x", kind="colour", dtype="string"))
