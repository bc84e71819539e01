"""What a model that learnt from synthetic rows is worth, where the answer is known before."""

import numpy as np
import pandas as pd
import pytest

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.tabular.metrics.utility import class_scores, utility
from ecgsynth.tabular.schema.schema import Column, Schema

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
        on_progress=lambda arm, done: steps.append((arm, round(6 * done))),
    )
    assert found["task"] == "classification"
    assert found["TSTR"]["roc_auc"]["mean"] == pytest.approx(found["TRTR"]["roc_auc"]["mean"], abs=0.05)
    assert found["TRTR"]["roc_auc"]["mean"] > 0.65
    assert len(found["TSTR"]["roc_auc"]["values"]) == 2
    low, high = found["TSTR"]["roc_auc"]["values"]
    assert found["TSTR"]["roc_auc"]["std"] == pytest.approx(abs(high - low) / 2**0.5)  # of the sample
    assert steps == [(arm, i) for i, arm in enumerate(("TRTR", "TSTR", "both") * 2)]


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
