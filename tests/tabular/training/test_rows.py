"""Which rows of a data frame are learnt from, which are kept apart, and which were asked for."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.tabular.schema.schema import Schema
from ecgsynth.tabular.synthesizer import TableSynthesizer
from ecgsynth.tabular.training.rows import asked_rows, prepared, split_rows


def test_rows_are_split_at_random_and_told_apart() -> None:
    learn, check = split_rows(1000, 3)
    assert (len(learn), len(check)) == (900, 100)
    assert sorted([*learn, *check]) == list(range(1000))
    assert (np.diff(learn) > 0).all()
    assert (np.diff(check) > 0).all()
    assert (split_rows(1000, 3)[1] == check).all()
    assert not np.array_equal(split_rows(1000, 4)[1], check)
    assert check.max() > 900
    assert [len(part) for part in split_rows(5, 0)] == [4, 1]


def test_rows_are_chosen_by_value() -> None:
    table = pd.DataFrame(
        {"a": [" x", "y", None, "x"], "n": [1.0, 2.0, 1.0, np.nan], "i": [1, 0, 1, 1], "b": [True, False, True, True]}
    )
    for where, wanted in (
        ({}, [0, 1, 2, 3]),
        ({"a": "x"}, [0, 3]),
        ({"n": "1"}, [0, 2]),
        ({"n": "1.0"}, [0, 2]),
        ({"i": "1.0"}, [0, 2, 3]),
        ({"b": "True"}, [0, 2, 3]),
        ({"i": "1", "a": "x"}, [0, 3]),
    ):
        assert asked_rows(table, where).index.tolist() == wanted, where
    with pytest.raises(ConfigError, match="no column 'z' to choose rows by; there are a, n, i, b"):
        asked_rows(table, {"z": "1"})
    with pytest.raises(DataError, match="no row has a=q"):
        asked_rows(table, {"a": "q"})
    with pytest.raises(DataError, match="no row has i=0"):
        asked_rows(table, {"a": "x", "i": "0"})


def test_a_table_is_made_ready(people: pd.DataFrame) -> None:
    table = prepared(people, None, 0)
    assert table.schema == Schema.infer(people)
    assert (len(table.learn), len(table.check)) == (360, 40)
    assert len(table.learnt["age"]) == 360
    assert (table.checked["age"] == people["age"].to_numpy()[table.check]).all()
    assert table.owners is table.learnt_owners is None
    visits = pd.concat([people, people], ignore_index=True)
    table = prepared(visits, None, 0, "id")
    assert table.owners is not None
    assert not set(table.owners[table.learn]) & set(table.owners[table.check])
    assert (table.learnt_owners == table.owners[table.learn]).all()


@pytest.mark.trains
def test_a_value_that_is_missing_among_the_rows_kept_apart_only(people: pd.DataFrame, tiny: dict[str, Any]) -> None:
    table = people.copy()
    _, check = split_rows(len(table), 0)
    table.loc[check[0], "dose"] = np.nan
    table.loc[check[:2], "age"] = 33
    table["site"] = np.random.default_rng(0).choice(["p", "q"], len(table)).astype(object)
    table.loc[check[1], "site"] = None
    for model in ("default", "gan"):
        made = TableSynthesizer.fit(table, model=model, epochs=1, **tiny)
        assert not made.sample(300)["dose"].isna().any()
        assert np.isfinite(made.about.metrics["validation_score"])
