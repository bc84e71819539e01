"""Tables that are public, as they are found: needs their files, see ECGSYNTH_DATA."""

import os
from pathlib import Path

import pandas as pd
import pytest

from ecgsynth.tabular.schema.schema import Schema

DATA = Path(os.environ.get("ECGSYNTH_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data") / "tabular"


@pytest.fixture
def published():
    if not DATA.exists():
        pytest.skip(f"no tables in {DATA}; set ECGSYNTH_DATA to the folder that holds tabular")
    return DATA


def test_the_diabetes_table(published):
    path = published / "diabetes_binary_health_indicators_BRFSS2015.csv.gz"
    frame = pd.read_csv(path)
    schema = Schema.infer(frame)
    integers = [column.name for column in schema.columns if column.kind == "integer"]
    assert integers == ["BMI", "MentHlth", "PhysHlth"]
    assert {column.kind for column in schema.columns} == {"integer", "categorical"}
    assert schema["Age"].categories == tuple(float(code) for code in range(1, 14))
    assert schema["Income"].categories == tuple(float(code) for code in range(1, 9))
    for name in ("MentHlth", "PhysHlth"):
        assert (schema[name].minimum, schema[name].maximum, schema[name].spikes[0]) == (0.0, 30.0, 0.0)
    pd.testing.assert_frame_equal(schema.frame(schema.arrays(frame)), frame)


def test_the_frauds(published):
    frame = pd.read_csv(published / "creditcard" / "creditcard_excerpt.csv.gz")
    schema = Schema.infer(frame)
    kinds = {column.name: column.kind for column in schema.columns}
    assert {name for name, kind in kinds.items() if kind != "continuous"} == {"Time", "Class", "Excerpt"}
    assert (schema["Amount"].decimals, schema["V1"].decimals, kinds["Time"]) == (2, None, "integer")
    pd.testing.assert_frame_equal(schema.frame(schema.arrays(frame)), frame)
