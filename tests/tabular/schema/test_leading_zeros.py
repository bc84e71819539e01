"""00032 stays 00032: from a file to the rows that are made, and where pandas read the same file as numbers."""

import numpy as np
import pandas as pd
import pytest

from ecgsynth.core.tables import read_table
from ecgsynth.errors import DataError
from ecgsynth.export.table_sampler import TableSampler
from ecgsynth.export.table_writers import rows_to_file
from ecgsynth.tabular.encoding.canonical import canonical, fingerprint
from ecgsynth.tabular.schema.schema import Column, Schema
from ecgsynth.tabular.synthesizer import TableSynthesizer

CODES = ("00032", "00500", "01234", "12345")


def of(*categories: str) -> Column:
    return Column(name="zip", kind="categorical", dtype="string", categories=categories)


def texts_of(column: Column, values) -> list[str]:
    places = Schema((column,)).arrays(pd.DataFrame({"zip": values}))["zip"]
    return [None if place < 0 else column.categories[place] for place in places.tolist()]


@pytest.mark.parametrize("dtype", ["int64", "float64", "Int64", "Int32", "object", "string"])
def test_numbers_are_the_codes_that_they_were(dtype):
    values = pd.Series([32, 500, 1234, 12345, 32])
    if dtype in ("object", "string"):
        values = pd.Series([*CODES, "00032"])
    assert texts_of(of(*CODES), values.astype(dtype)) == [*CODES, "00032"]


def test_numbers_beside_a_missing_one():
    column = Column(name="zip", kind="categorical", dtype="string", categories=CODES, missing=True)
    assert texts_of(column, [32.0, np.nan, 12345.0]) == ["00032", None, "12345"]
    assert canonical(pd.DataFrame({"zip": [32.0, np.nan]}), Schema((column,)))["zip"].tolist() == ["00032", None]


@pytest.mark.parametrize(
    ("categories", "value", "code"),
    [
        (("007", "0012", "15"), 7, "007"),  # one category has the number, whatever the others are like
        (("007", "0012", "15"), 12, "0012"),
        (("32", "00032"), 32, "32"),  # as it is written
        (("032", "00032"), 32, None),  # either of two
        (("00032", "x"), 7, None),  # no category
        (("0", "1"), 0, "0"),
        (("00", "1"), 0, "00"),
    ],
)
def test_a_code_is_found_where_it_is_certain(categories, value, code):
    if code is not None:
        assert texts_of(of(*categories), [value]) == [code]
        return
    with pytest.raises(DataError, match="none of its categories"):
        texts_of(of(*categories), [value])


def test_a_table_is_measured_as_the_same_whether_pandas_read_codes_or_numbers():
    schema = Schema((of("00032", "00500", "12345"),))
    texts = pd.DataFrame({"zip": ["00032", "00500", "12345", "00077"]})
    numbers = pd.DataFrame({"zip": [32, 500, 12345, 77]})
    assert canonical(numbers, schema)["zip"].tolist() == texts["zip"].tolist()  # also of a code that is no category
    assert fingerprint(numbers, schema) == fingerprint(texts, schema)
    mixed = Schema((of("032", "00500"),))
    assert canonical(numbers, mixed)["zip"].tolist() == ["032", "00500", "12345", "77"]


def test_from_a_file_to_files(tmp_path):
    place = np.arange(400)
    frame = pd.DataFrame({"zip": np.array(CODES)[place % 4], "ward": np.where(place % 3, "a", "b"), "cost": place % 50})
    frame.to_csv(tmp_path / "a.csv", index=False)
    made = TableSynthesizer.fit(
        read_table(tmp_path / "a.csv")[0],
        tmp_path / "run",
        epochs=1,
        config={"hidden": (8,)},
        training={"batch": 64},
        model="gan",
    )
    assert set(made.sample(200)["zip"]) <= set(CODES)
    made.export(tmp_path / "a.onnx")
    sampler = TableSampler(tmp_path / "a.onnx")
    rows = sampler.sample(200, seed=1)
    for name in ("b.csv", "b.parquet"):
        rows_to_file(sampler, tmp_path / name, 200, seed=1)
        assert read_table(tmp_path / name)[0]["zip"].tolist() == rows["zip"].tolist()
    assert set(rows["zip"]) <= set(CODES)
    assert len(set(rows["zip"])) > 1
    kept = pd.read_csv(tmp_path / "b.csv", dtype={"zip": str})["zip"]
    assert kept.tolist() == rows["zip"].tolist()
    assert texts_of(of(*CODES), pd.read_csv(tmp_path / "b.csv")["zip"]) == rows["zip"].tolist()  # as numbers, read back
