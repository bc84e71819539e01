"""Likeness of tables: against loops and formulas by hand, and cases whose answer is known before."""

import datetime

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.tabular.encoding.canonical import canonical, codes, fingerprint, points, subsample, value_text
from ecgsynth.tabular.metrics.likeness import (
    associations,
    correlation_difference,
    detection,
    impossible,
    statistics,
)
from ecgsynth.tabular.metrics.quality import quality
from ecgsynth.tabular.schema.schema import Column, Schema

SCHEMA = Schema(
    columns=(
        Column(name="id", kind="identifier", dtype="string", format="P-####"),
        Column(name="height", kind="continuous", dtype="float64", minimum=-9.0, maximum=9.0, missing=True),
        Column(name="days", kind="integer", dtype="int64", minimum=0.0, maximum=30.0, spikes=(0.0,)),
        Column(name="colour", kind="categorical", dtype="string", categories=("blue", "green", "red"), missing=True),
        Column(name="ill", kind="boolean", dtype="bool", categories=(False, True)),
        Column(name="born", kind="datetime", dtype="string", format="%Y-%m-%d", unit="D", minimum=0.0, maximum=9999.0),
    )
)


def table(seed, n=400):
    """Columns that hang together: the colour and being ill follow the height."""
    rng = np.random.default_rng(seed)
    height = rng.normal(size=n)
    colour = np.where(height > 0.5, "red", np.where(height < -0.5, "blue", "green")).astype(object)
    colour[rng.random(n) < 0.05] = None
    days = np.where(rng.random(n) < 0.7, 0, rng.integers(1, 31, n))
    born = [datetime.date(1980, 1, 1) + datetime.timedelta(days=int(day)) for day in rng.integers(0, 5000, n)]
    frame = pd.DataFrame(
        {
            "id": [f"P-{number:04d}" for number in range(n)],
            "height": np.where(rng.random(n) < 0.1, np.nan, height),
            "days": days,
            "colour": colour,
            "ill": height + rng.normal(size=n) > 0,
            "born": [f"{day:%Y-%m-%d}" for day in born],
        }
    )
    return frame


def shuffled(frame, seed):
    """Every column as it is, and nothing between them."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: frame[name].to_numpy()[rng.permutation(len(frame))] for name in frame})


# ---- the plain table


def test_a_plain_table_is_one_thing_however_it_was_held():
    frame = table(0, 50)
    other = frame.assign(
        days=frame["days"].astype("Int64"),
        height=frame["height"].astype("Float64"),
        colour=frame["colour"].astype("string"),
        ill=frame["ill"].astype("boolean"),
        born=pd.to_datetime(frame["born"]),
    )
    one, two = canonical(frame, SCHEMA), canonical(other, SCHEMA)
    pd.testing.assert_frame_equal(one, two)
    assert list(one.columns) == ["height", "days", "colour", "ill", "born"]
    assert one["born"][0] == (datetime.date.fromisoformat(frame["born"][0]) - datetime.date(1970, 1, 1)).days
    assert fingerprint(frame, SCHEMA) == fingerprint(other, SCHEMA) != fingerprint(frame[1:], SCHEMA)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.0, "1"),
        (np.int64(-3), "-3"),
        (0.5, "0.5"),
        (True, "True"),
        (np.bool_(False), "False"),
        (" a", " a"),
    ],
)
def test_a_category_has_one_text(value, text):
    assert value_text(value) == text


def test_what_no_plain_table_can_be_made_of():
    with pytest.raises(DataError, match="days, colour is missing"):
        canonical(table(0, 9).drop(columns=["days", "colour"]), SCHEMA)
    with pytest.raises(DataError, match="expected numbers in column days"):
        canonical(table(0, 9).assign(days="many"), SCHEMA)
    with pytest.raises(DataError, match="no time of the format '%Y-%m-%d'"):
        canonical(table(0, 9).assign(born="1.2.1980"), SCHEMA)


def test_codes_keep_missing_and_put_the_rest_together():
    frames = [pd.DataFrame({"a": [f"c{i}" for i in range(300)] + [None]}), pd.DataFrame({"a": ["new", None]})]
    (one, two), categorical = codes(frames, ())
    assert categorical.tolist() == [True]
    assert np.isnan(one[-1, 0])
    assert np.isnan(two[1, 0])
    assert np.nanmax(one) == 250
    assert len(set(one[:-1, 0])) == 251


def test_points_by_hand():
    frame = pd.DataFrame({"x": [10.0, 20.0, 20.0, np.nan], "c": ["a", "b", "a", None]})
    other = pd.DataFrame({"x": [5.0, 20.0], "c": ["z", "a"]})
    a, b = points([frame, other], ("x",), "ranks")
    assert a[:, 0] == pytest.approx([1 / 6, 2 / 3, 2 / 3, 0.5])
    assert b[:, 0] == pytest.approx([0, 2 / 3])
    assert np.linalg.norm(a[1] - a[2]) == pytest.approx(1)  # two categories
    assert np.linalg.norm(a[3] - a[0]) > 1.4  # both columns are missing
    (c,) = points([frame[["x"]]], ("x",), "deviations")
    assert c[:3, 0] == pytest.approx((np.array([10, 20, 20]) - 50 / 3) / np.std([10, 20, 20]))
    assert c[3].tolist() == [0, 1]


def test_some_rows_are_drawn_once_and_in_order():
    frame = subsample(table(0), 100, np.random.default_rng(0))
    assert len(frame) == 100
    assert list(frame["id"]) == sorted(set(frame["id"]))


# ---- statistics


def test_statistics_by_hand():
    frame = pd.DataFrame(
        {
            "id": list("abcd") * 10,
            "height": [1.0, 2.0, 3.0, np.nan] * 10,
            "days": [0, 0, 0, 4] * 10,
            "colour": ["red", "red", "blue", None] * 10,
            "ill": [True] * 40,
            "born": ["1970-01-11"] * 40,
        }
    )
    found = {entry["column"]: entry["real"] for entry in statistics(frame, frame, SCHEMA)}
    assert set(found) == {"height", "days", "colour", "ill", "born"}
    assert found["height"]["missing"] == 0.25
    assert (found["height"]["mean"], found["height"]["quantiles"]["0.5"]) == (2.0, 2.0)
    assert found["height"]["sd"] == pytest.approx((20 / 29) ** 0.5)  # of the sample
    assert found["days"]["spikes"] == {"0": 0.75}
    assert found["colour"] == {"missing": 0.25, "categories": 2, "shares": {"red": 0.5, "blue": 0.25}}
    assert found["born"]["mean"] == 10


def test_a_category_of_few_rows_is_not_named():
    frame = table(0).assign(colour=["red"] * 391 + ["blue"] * 9)
    (entry,) = (entry for entry in statistics(frame, frame, SCHEMA) if entry["column"] == "colour")
    assert entry["real"]["shares"] == {"red": 391 / 400}
    assert entry["real"]["categories"] == 2


def test_what_cannot_be_is_counted():
    frame = table(0, 60)
    assert set(impossible(frame, SCHEMA).values()) == {0}
    broken = frame.astype({"days": "float64", "ill": object})
    broken.loc[0, "height"] = 9.1
    broken.loc[1:3, "days"] = [-1.0, 2.5, np.nan]
    broken.loc[4:5, "colour"] = ["mauve", None]
    broken.loc[6, "ill"] = None
    broken.loc[7, "born"] = "2001-01-01"
    assert impossible(broken, SCHEMA) == {"height": 1, "days": 3, "colour": 1, "ill": 1, "born": 1}


def test_a_number_with_too_many_decimals_cannot_be():
    schema = Schema(columns=(Column(name="x", kind="continuous", dtype="float64", decimals=1),))
    assert impossible(pd.DataFrame({"x": [0.1, 1e6 + 0.3, 0.15]}), schema) == {"x": 1}


# ---- associations


def test_associations_against_other_ways_to_them():
    frame = table(3)
    names, found = associations(frame, SCHEMA)
    at = {name: place for place, name in enumerate(names)}
    seen = frame.dropna(subset=["height"])
    expected = np.corrcoef(seen["height"], seen["days"])[0, 1]
    assert found[at["height"], at["days"]] == pytest.approx(expected)
    counts = pd.crosstab(frame["colour"].fillna("?"), frame["ill"]).to_numpy()
    chi_squared = chi2_contingency(counts, correction=False).statistic
    assert found[at["colour"], at["ill"]] == pytest.approx(np.sqrt(chi_squared / len(frame)))
    means = seen.groupby(seen["colour"].fillna("?"))["height"].transform("mean")
    assert found[at["colour"], at["height"]] == pytest.approx(means.std() / seen["height"].std())
    assert (found == found.T).all()
    assert np.diag(found).tolist() == [1] * 5


def test_associations_of_what_is_the_same_and_of_what_is_constant():
    schema = Schema(
        columns=tuple(Column(name=name, kind="categorical", dtype="string", categories=("a",)) for name in "abc")
        + tuple(Column(name=name, kind="continuous", dtype="float64") for name in "xy")
    )
    level = np.arange(90) % 3
    frame = pd.DataFrame({"a": level, "b": -level, "c": ["a"] * 90, "x": level / 2.0, "y": np.ones(90)})
    _, found = associations(frame, schema)
    assert found[0, 1] == pytest.approx(1)
    assert found[0, 3] == pytest.approx(1)
    assert found[2, :2].tolist() == [0, 0]
    assert found[4, :4].tolist() == [0, 0, 0, 0]


def test_the_difference_of_correlations():
    frame = table(0)
    assert correlation_difference(frame, frame, SCHEMA) == 0
    assert correlation_difference(frame, shuffled(frame, 1), SCHEMA) > 0.1
    assert correlation_difference(frame, table(1), SCHEMA) < 0.06
    assert correlation_difference(frame, frame, Schema(columns=SCHEMA.columns[:2])) is None


# ---- can a model tell?


@pytest.mark.parametrize("model", ["logistic", "boosting"])
def test_detection_of_rows_of_one_distribution_and_of_others(model):
    other = table(1)
    assert detection(table(0), other, SCHEMA, model) == pytest.approx(0.5, abs=0.07)
    assert detection(table(0), other.assign(height=other["height"] + 5, colour=None), SCHEMA, model) > 0.9


def test_only_boosting_sees_what_lies_between_columns():
    frame = table(0)
    broken = shuffled(table(1), 2)
    assert detection(frame, broken, SCHEMA, "logistic") < 0.6
    assert detection(frame, broken, SCHEMA, "boosting", seed=2**63) > 0.75
    assert detection(frame, broken, SCHEMA, "logistic", seed=2**40) < 0.6


def test_what_cannot_be_detected():
    with pytest.raises(ConfigError, match="a detector of logistic, boosting"):
        detection(table(0), table(1), SCHEMA, "oracle")
    with pytest.raises(DataError, match="at least 5 rows of each kind"):
        detection(table(0), table(1, 4), SCHEMA, "logistic")


# ---- SDMetrics


def test_the_quality_of_the_same_table_is_one():
    found = quality(table(0), table(0), SCHEMA)
    for name in ("quality", "column_shapes", "column_pair_trends", "column_pair_trends_all", "diagnostic"):
        assert found[name] == pytest.approx(1), name
    assert set(found["shapes"]) == {"height", "days", "colour", "ill", "born"}
    assert len(found["trends"]) == found["pairs_all"] == 10
    assert 0 < found["pairs"] < 10
    assert "id" in found["validity"]


def test_shuffled_columns_keep_their_shapes_and_lose_their_trends():
    frame = table(0)
    found = quality(frame, shuffled(frame, 1), SCHEMA)
    assert found["column_shapes"] == pytest.approx(1)
    assert found["column_pair_trends"] < 0.8
    assert found["column_pair_trends"] < found["column_pair_trends_all"] < 0.97


def test_the_shapes_by_hand_and_values_that_are_not_valid():
    frame = table(0)
    moved = frame.assign(days=frame["days"] + 100, colour=["red"] * len(frame))
    found = quality(frame, moved, SCHEMA)
    assert found["shapes"]["days"] == pytest.approx(0)
    red = (frame["colour"] == "red").sum() / len(frame)
    assert found["shapes"]["colour"] == pytest.approx(red, abs=0.06)  # SDMetrics leaves missing ones out or in
    assert found["validity"]["days"] == 0
    assert found["validity"]["colour"] == 1
    assert found["diagnostic"] < 1


def test_the_quality_of_no_rows_is_an_error():
    with pytest.raises(DataError, match="two tables with rows"):
        quality(table(0), table(0)[:0], SCHEMA)


def test_the_numbers_of_a_schema():
    assert SCHEMA.numbers == ("height", "days", "born")
