"""What a model that learnt from synthetic rows is worth, where the answer is known before."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.tabular.augmentation import augmentation
from ecgsynth.tabular.schema import Column, Schema
from ecgsynth.tabular.utility import class_scores, utility

SCHEMA = Schema(
    columns=(
        Column(name="id", kind="identifier", dtype="string", format="P-####"),
        Column(name="height", kind="continuous", dtype="float64", missing=True),
        Column(name="colour", kind="categorical", dtype="string", categories=("blue", "green", "red"), missing=True),
        Column(name="ill", kind="boolean", dtype="bool", categories=(False, True)),
    )
)


def table(seed, n=300):
    """Columns that hang together: the colour and being ill follow the height."""
    rng = np.random.default_rng(seed)
    height = rng.normal(size=n)
    colour = np.where(height > 0.5, "red", np.where(height < -0.5, "blue", "green")).astype(object)
    colour[rng.random(n) < 0.05] = None
    return pd.DataFrame({"height": height, "colour": colour, "ill": height + rng.normal(size=n) > 0})


def shuffled(frame, seed):
    """Every column as it is, and nothing between them."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: frame[name].to_numpy()[rng.permutation(len(frame))] for name in frame})


# ---- train on synthetic, test on real


def test_real_rows_in_the_place_of_synthetic_ones_are_as_good():
    def draw(n, seed):
        return table(100 + seed, n)

    steps = []
    found = utility(
        table(0),
        table(1),
        draw,
        SCHEMA,
        "ill",
        repeats=2,
        on_step=lambda arm, done, total: steps.append((arm, done, total)),
    )
    assert found["task"] == "classification"
    assert found["TSTR"]["roc_auc"]["mean"] == pytest.approx(found["TRTR"]["roc_auc"]["mean"], abs=0.05)
    assert found["TRTR"]["roc_auc"]["mean"] > 0.65
    assert len(found["TSTR"]["roc_auc"]["values"]) == 2
    low, high = found["TSTR"]["roc_auc"]["values"]
    assert found["TSTR"]["roc_auc"]["std"] == pytest.approx(abs(high - low) / 2**0.5)  # of the sample
    assert steps == [(arm, i, 6) for i, arm in enumerate(("TRTR", "TSTR", "both") * 2)]


def test_synthetic_rows_that_know_nothing_are_worth_nothing():
    found = utility(table(0), table(1), lambda n, seed: shuffled(table(9, n), seed), SCHEMA, "colour", repeats=1)
    assert found["TSTR"]["roc_auc"]["mean"] < 0.65
    assert found["TRTR"]["roc_auc"]["mean"] > 0.9
    assert found["positive"] is None
    assert found["classes"] == 3


def test_a_number_is_estimated():
    rng = np.random.default_rng(0)

    def made(n, seed):
        frame = table(seed, n)
        return frame.assign(height=np.where(frame["ill"], 2.0, -2.0) + rng.normal(0, 0.1, n))

    found = utility(made(300, 0), made(200, 1), made, SCHEMA, "height", repeats=1)
    assert found["task"] == "regression"
    assert found["TSTR"]["r2"]["mean"] > 0.98


def test_a_generator_of_one_class_guesses():
    found = utility(table(0), table(1), lambda n, seed: table(seed, n).assign(ill=True), SCHEMA, "ill", repeats=1)
    assert found["TSTR"]["roc_auc"]["mean"] == 0.5
    assert found["TSTR"]["accuracy"]["mean"] == pytest.approx(table(1)["ill"].mean())


def test_class_scores_by_hand():
    truth = np.array([0, 0, 1, 1])
    chances = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]])
    found = class_scores(truth, chances, 1)
    assert found["roc_auc"] == 0.75
    assert found["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["accuracy"] == found["macro_f1"] == 0.5


def test_classes_that_are_spelled_otherwise_are_counted():
    test = table(1).assign(ill=lambda frame: frame["ill"].map({True: "yes.", False: "no."}))
    with pytest.raises(DataError, match="has 2 classes in column ill that none of .* have 2; spell"):
        utility(table(0), test, lambda n, seed: table(seed, n), SCHEMA, "ill")


def test_targets_that_cannot_be():
    def tried(learn, target):
        return utility(learn, table(1), lambda n, seed: table(seed, n), SCHEMA, target, repeats=1)

    with pytest.raises(DataError, match="expected a target of the columns height, colour, ill, got 'id'"):
        tried(table(0), "id")
    with pytest.raises(DataError, match="has one value only"):
        tried(table(0).assign(ill=False), "ill")
    with pytest.raises(DataError, match="known in 0 training rows"):
        tried(table(0).assign(colour=None), "colour")
    with pytest.raises(ConfigError, match="at least once"):
        utility(table(0), table(1), lambda n, seed: table(seed, n), SCHEMA, "ill", repeats=0)


# ---- rows added to a rare class


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
