"""Rows added to a rare class: what benchmarks/oversampling.py measures."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.tabular.schema.schema import Column, Schema

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "oversampling.py"
spec = importlib.util.spec_from_file_location("oversampling", SCRIPT)
assert spec is not None
assert spec.loader is not None
oversampling = importlib.util.module_from_spec(spec)
spec.loader.exec_module(oversampling)
augmentation = oversampling.augmentation


def rare(seed, n=1500, share=0.06):
    x, y = make_classification(
        n, 5, n_informative=4, n_redundant=1, weights=[1 - share], class_sep=1.0, shuffle=False, random_state=1
    )
    order = np.random.default_rng(seed).permutation(n)
    return pd.DataFrame(x[order], columns=list("abcde")).assign(fraud=y[order])


RARE = Schema(
    columns=(
        *(Column(name=name, kind="continuous", dtype="float64") for name in "abcde"),
        Column(name="fraud", kind="categorical", dtype="int64", categories=(0, 1)),
    )
)


def test_every_arm_of_the_rare_class():
    frame = rare(0)
    learn, test = frame[:700], frame[700:]
    extra = test[test["fraud"] == 1].drop(columns="fraud")  # the best that any generator could make
    found = augmentation(learn, extra, test, RARE, "fraud", 1, added=40, repeats=2, learner="boosting")
    assert found["added"] == 40
    assert found["known"] == (learn["fraud"] == 1).sum()
    assert found["synthetic"]["mean"] > max(found[arm]["mean"] for arm in ("none", "SMOTE", "ADASYN"))
    assert found["share"] < found["none"]["mean"] < 1
    assert len(found["SMOTE"]["values"]) == 2


def test_a_table_with_categories_has_no_adasyn():
    frame = rare(0, 600).assign(where=np.array(["x", "y"])[np.arange(600) % 2])
    schema = Schema(
        columns=(*RARE.columns, Column(name="where", kind="categorical", dtype="string", categories=("x", "y")))
    )
    found = augmentation(frame[:400], frame[400:], frame[400:], schema, "fraud", "1", repeats=1, learner="forest")
    assert found["ADASYN"]["mean"] is None
    assert "categories" in found["ADASYN"]["why"]
    assert found["SMOTE"]["mean"] > found["share"]


def test_a_rare_class_that_is_not_there():
    with pytest.raises(DataError, match="the training rows need rows with and without fraud = 2"):
        augmentation(rare(0), rare(1).drop(columns="fraud"), rare(2), RARE, "fraud", 2)
    with pytest.raises(DataError, match="expected synthetic rows with fraud = 1, got none"):
        augmentation(rare(0), rare(1).assign(fraud=0), rare(2), RARE, "fraud", 1)
    with pytest.raises(ConfigError, match="a learner of logistic, boosting, forest"):
        augmentation(rare(0), rare(1), rare(2), RARE, "fraud", 1, learner="oracle")
