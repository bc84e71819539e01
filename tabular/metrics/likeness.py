"""Likeness of tables: statistics side by side, dependences of columns, impossible rows, and detection by a model.

A number of likeness means something only beside that of one real table against another; ``evaluation`` takes both.
"""

import itertools
import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgsynth.core.disclosure import PERSONS
from ecgsynth.core.spread import mean_and_spread
from ecgsynth.errors import ConfigError, DataError, require

from ..encoding.canonical import canonical, codes, points, value_text
from ..schema.columns import Column
from ..schema.kinds import kind_of
from ..schema.schema import Schema

__all__ = ["DETECTORS", "associations", "correlation_difference", "detection", "impossible", "statistics"]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
TOP_CATEGORIES = 5  # most frequent categories that are named
SPIKE_SHARE = 0.05  # of the real rows that have one value: shown as a spike
MOST_SPIKES = 3  # that are shown
DETECTORS = ("logistic", "boosting")
FOLDS = 5
SOLVER_STEPS = 500  # of the logistic regression's solver, at most
CLOSE_SHARE = 1e-6  # of a value: what single precision makes of it

Floats = NDArray[np.float64]


# ---- statistics


def statistics(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> list[dict[str, Any]]:
    """For each column of the schema but identifiers, what it is like in both tables.

    Returns
    -------
    Of each column its name, kind and unit, and under ``real`` and ``synthetic``, of numbers and times (in the column's
    unit since 1970): share missing, mean, sd, quantiles, the share of each spike; of categories: share missing, how
    many there are, and the shares of the commonest in the real table.

    """
    a, b = canonical(real, schema), canonical(synthetic, schema)
    found = []
    for column in schema.learnt:
        if kind_of(column).form == "number":
            spikes = spikes_of(a[column.name], column)
            pair = [of_number(frame[column.name].to_numpy(dtype=np.float64), spikes) for frame in (a, b)]
        else:
            shares = a[column.name].value_counts()
            named = [str(text) for text in shares.index[shares >= PERSONS][:TOP_CATEGORIES]]
            pair = [of_category(frame[column.name], named) for frame in (a, b)]
        about = {"column": column.name, "kind": column.kind, "unit": column.unit}
        found.append(about | {"real": pair[0], "synthetic": pair[1]})
    return found


def spikes_of(real: pd.Series, column: Column) -> list[float]:
    """The commonest spikes of the schema, or single values of a large share of the real rows; at most MOST_SPIKES."""
    counts = real.value_counts()
    shares = counts / max(len(real), 1)
    known = shares.index.isin(column.spikes) if column.spikes else (shares >= SPIKE_SHARE) & (counts >= PERSONS)
    return [float(value) for value in shares.index[known][:MOST_SPIKES]]


def of_number(values: Floats, spikes: list[float]) -> dict[str, Any]:
    """What one column of numbers is like."""
    there = values[~np.isnan(values)]
    about: dict[str, Any] = {"missing": float(np.isnan(values).mean()) if len(values) else 0.0}
    if not len(there):
        return about | {"mean": None, "sd": None, "quantiles": {}, "spikes": {}}
    quantiles = np.quantile(there, QUANTILES)
    return about | {
        "mean": float(there.mean()),
        "sd": mean_and_spread(there)[1],
        "quantiles": {f"{share:g}": float(value) for share, value in zip(QUANTILES, quantiles, strict=True)},
        "spikes": {f"{spike:g}": float((values == spike).mean()) for spike in spikes},
    }


def of_category(values: pd.Series, named: list[str]) -> dict[str, Any]:
    """What one column of categories is like."""
    counts = values.value_counts()
    return {
        "missing": float(values.isna().mean()) if len(values) else 0.0,
        "categories": len(counts),
        "shares": {text: float(counts.get(text, 0) / max(len(values), 1)) for text in named},
    }


# ---- what cannot be


def impossible(frame: pd.DataFrame, schema: Schema) -> dict[str, int]:
    """For each column but identifiers, how many values the schema does not allow; 0 is best.

    These are numbers beyond the bounds, with a fraction in a column of whole numbers, or with more decimals than the
    column has; categories that are not in the schema; and missing values in a column that has none.
    """
    table, found = canonical(frame, schema), {}
    for column in schema.learnt:
        missing = table[column.name].isna().to_numpy()
        if kind_of(column).form == "number":
            wrong = wrong_numbers(table[column.name].to_numpy(dtype=np.float64), column)
        else:
            allowed = {value_text(value) for value in column.categories}
            wrong = ~table[column.name].isin(allowed).to_numpy() & ~missing
        found[column.name] = int((wrong | (missing & (not column.missing))).sum())
    return found


def wrong_numbers(values: Floats, column: Column) -> NDArray[np.bool_]:
    """(n,) which numbers the column does not allow; a missing one is not wrong here."""
    slack = CLOSE_SHARE * np.maximum(np.abs(np.nan_to_num(values)), 1e-12)
    wrong = np.zeros(len(values), dtype=bool)
    if column.minimum is not None:
        wrong |= values < column.minimum - slack
    if column.maximum is not None:
        wrong |= values > column.maximum + slack
    places = kind_of(column).rounding(column)
    if places is not None:
        wrong |= np.abs(np.round(values, places) - values) > slack
    return wrong


# ---- dependences of columns


def associations(frame: pd.DataFrame, schema: Schema) -> tuple[tuple[str, ...], Floats]:
    """How strongly each two columns but identifiers are associated.

    Two numbers: Pearson's correlation, -1 to 1. A number and a category: the correlation ratio, 0 to 1. Two categories:
    Cramer's V, 0 to 1. Missing numbers are left out, pair by pair; a missing category is a category.

    Returns
    -------
    The names of the columns, and (k, k); 0 where one of two columns is constant.

    References
    ----------
    Fisher, "Statistical Methods for Research Workers", 1925, for the correlation ratio; Cramer, "Mathematical Methods
    of Statistics", 1946, for V.

    """
    table, numbers = canonical(frame, schema), schema.numbers
    names = tuple(map(str, table.columns))
    found = np.eye(len(names))
    numeric = [name for name in names if name in numbers]
    pearson = table[numeric].corr() if numeric else None
    levels = {name: pd.factorize(table[name], use_na_sentinel=False)[0] for name in names if name not in numbers}
    for (i, one), (j, other) in itertools.combinations(enumerate(names), 2):
        if one in levels and other in levels:
            value = cramers_v(levels[one], levels[other])
        elif one in levels or other in levels:
            category, number = (one, other) if one in levels else (other, one)
            value = correlation_ratio(levels[category], table[number].to_numpy(dtype=np.float64))
        else:
            value = 0.0 if pearson is None else float(np.nan_to_num(pearson.loc[one, other]))
        found[i, j] = found[j, i] = value
    return names, found


def cramers_v(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Cramer's V of two columns of codes from 0: 0 to 1."""
    rows, columns = int(a.max(initial=-1)) + 1, int(b.max(initial=-1)) + 1
    if min(rows, columns) < 2:
        return 0.0
    counts = np.bincount(a * columns + b, minlength=rows * columns).reshape(rows, columns)
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / len(a)
    chi_squared = float((np.square(counts - expected) / expected).sum())
    return float(np.sqrt(min(1.0, chi_squared / (len(a) * (min(rows, columns) - 1)))))


def correlation_ratio(levels: NDArray[np.int64], values: Floats) -> float:
    """The root of the share of a number's variance that lies between the categories: 0 to 1."""
    there = ~np.isnan(values)
    levels, values = levels[there], values[there]
    if len(values) < 2:
        return 0.0
    counts = np.bincount(levels)
    means = np.bincount(levels, values) / np.maximum(counts, 1)
    total = float(np.square(values - values.mean()).sum())
    between = float((counts * np.square(means - values.mean()))[counts > 0].sum())
    return float(np.sqrt(min(1.0, between / total))) if total > 0 else 0.0


def correlation_difference(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> float | None:
    """The mean difference of ``associations`` over all pairs of columns: 0 is best, 2 worst; None with one column."""
    (_, a), (_, b) = associations(real, schema), associations(synthetic, schema)
    above = np.triu_indices(len(a), 1)
    return float(np.abs(a - b)[above].mean()) if len(above[0]) else None


# ---- can a model distinguish them?


def detection(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, model: str, *, seed: int = 0) -> float:
    """Area under the curve of a model that learns to separate synthetic and real rows: 0.5 is best, 1 worst.

    The mean over FOLDS folds, each of rows that its model did not learn from.

    Parameters
    ----------
    real, synthetic
        Tables of the same columns.
    schema
        What the columns are.
    model
        "logistic": a logistic regression on one-hot categories and numbers in standard deviations, as SDMetrics'
        LogisticDetection; "boosting": gradient boosting, which sees more.
    seed
        Draws rows and folds.

    Raises
    ------
    ConfigError
        For another model.
    DataError
        With fewer than FOLDS rows of a kind.

    """
    if model not in DETECTORS:
        raise ConfigError(f"expected a detector of {', '.join(DETECTORS)}, got {model!r}")
    if min(len(real), len(synthetic)) < FOLDS:
        raise DataError(f"at least {FOLDS} rows of each kind are needed, got {len(real)} and {len(synthetic)}")
    rng, n = np.random.default_rng(seed), min(len(real), len(synthetic))
    frames = [canonical(frame.iloc[rng.permutation(len(frame))[:n]], schema) for frame in (real, synthetic)]
    selection = require("sklearn.model_selection", "measuring tables")
    if model == "logistic":
        matrix: NDArray[Any] = np.concatenate(points(frames, schema.numbers, "deviations"))
        classifier = require("sklearn.linear_model", "measuring tables").LogisticRegression(max_iter=SOLVER_STEPS)
    else:
        parts, categorical = codes(frames, schema.numbers)
        matrix = np.concatenate(parts)
        classifier = require("sklearn.ensemble", "measuring tables").HistGradientBoostingClassifier(
            categorical_features=categorical, random_state=seed % 2**32
        )
    labels = np.repeat([0, 1], n)
    folds = selection.StratifiedKFold(FOLDS, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        # A regression that has not converged after SOLVER_STEPS steps distinguishes the tables well enough.
        warnings.simplefilter("ignore", require("sklearn.exceptions", "measuring tables").ConvergenceWarning)
        areas = selection.cross_val_score(classifier, matrix, labels, scoring="roc_auc", cv=folds, error_score="raise")
    return float(np.mean(areas))
