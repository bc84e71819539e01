"""Is a model that learnt from synthetic rows as good as one that learnt from real ones?

Train on synthetic, test on real (TSTR; Esteban, Hyland and Raetsch, "Real-valued (Medical) Time Series Generation with
Recurrent Conditional GANs", 2017), beside train on real, test on real (TRTR) and on both, by gradient boosting.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgsynth.core.spread import of_repeats
from ecgsynth.errors import ConfigError, DataError, require
from ecgsynth.metrics.measure import Arm
from ecgsynth.metrics.progress import Tell, silent

from ..encoding.canonical import canonical, codes
from ..schema.schema import Schema

__all__ = ["ARMS", "SCORE_TITLES", "checked_target", "class_scores", "utility"]

SCORE_TITLES = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "macro_f1": "macro-F1",
    "accuracy": "accuracy",
    "r2": "R2",
}

Draw = Callable[[int, int], pd.DataFrame]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Given:
    """What an arm takes its training rows of: the real ones, and as many synthetic ones."""

    real: pd.DataFrame
    made: pd.DataFrame


def real_rows(given: Given) -> pd.DataFrame:
    """The real rows."""
    return given.real


def synthetic_rows(given: Given) -> pd.DataFrame:
    """The synthetic rows."""
    return given.made


def both_rows(given: Given) -> pd.DataFrame:
    """The real rows and the synthetic ones."""
    return pd.concat([given.real, given.made], ignore_index=True)


ARMS: tuple[Arm[Given, pd.DataFrame], ...] = (
    Arm(name="TRTR", title="trained on real {what}", take=real_rows),
    Arm(name="TSTR", title="trained on synthetic {what}", take=synthetic_rows),
    Arm(name="both", title="trained on real and synthetic {what}", take=both_rows),
)


def utility(
    learn: pd.DataFrame,
    test: pd.DataFrame,
    draw: Draw,
    schema: Schema,
    target: str,
    *,
    repeats: int = 3,
    seed: int = 0,
    on_progress: Tell = silent,
) -> dict[str, Any]:
    """Gradient boosting that learnt from the rows of each of ARMS, tested on ``test``.

    Parameters
    ----------
    learn, test
        Real rows to learn from, and others.
    draw
        ``draw(n, seed)`` makes synthetic rows.
    schema
        What the columns are.
    target
        The column to predict.
    repeats
        Times that all is done, each with other synthetic rows.
    seed
        Of the first repeat; each has the next.
    on_progress
        Called with each model; a stage is an arm.

    Returns
    -------
    A target of categories is classified: roc_auc (with more than two classes, the mean of each against the rest),
    average_precision (of the rarer of two classes, or the mean), macro_f1, accuracy. A number is estimated: r2. Each is
    at most 1, higher is better, with its mean, standard deviation (of the repeats; None of one) and values.

    Raises
    ------
    ConfigError
        For no repeats.
    DataError
        For a target that is not in the tables, or with classes in ``test`` that were never learnt.

    """
    if repeats < 1:
        raise ConfigError(f"the test must be repeated at least once, got {repeats}")
    numbers = schema.numbers
    real, unseen = checked_target(canonical(learn, schema), canonical(test, schema), target, numbers)
    classes = None if target in numbers else sorted(set(real[target]))
    positive = rarer(real[target], classes) if classes is not None and len(classes) == 2 else None
    found: dict[str, list[dict[str, float]]] = {arm.name: [] for arm in ARMS}
    for repeat in range(repeats):
        made = canonical(draw(len(real), seed + repeat), schema)
        given = Given(real, made[made[target].notna()])
        for number, arm in enumerate(ARMS):
            on_progress(arm.name, (repeat + number / len(ARMS)) / repeats)
            rows = arm.take(given)
            found[arm.name].append(tested(rows, unseen, numbers, target, classes, positive, seed + repeat))
    return {
        "target": target,
        "task": "regression" if classes is None else "classification",
        "classes": None if classes is None else len(classes),
        "positive": positive,
        "test_rows": len(unseen),
        "training_rows": len(real),
        "repeats": repeats,
        **{arm: {key: of_repeats([one[key] for one in ones]) for key in ones[0]} for arm, ones in found.items()},
    }


def checked_target(
    learn: pd.DataFrame, test: pd.DataFrame, target: str, numbers: tuple[str, ...]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The canonical tables without the rows that lack the target.

    Raises
    ------
    DataError
        Where the target is no column, no rows are left, it is constant, or ``test`` has classes that ``learn`` lacks.

    """
    if target not in learn.columns:
        raise DataError(f"expected a target of the columns {', '.join(map(str, learn.columns))}, got {target!r}")
    learn, test = (frame[frame[target].notna()].reset_index(drop=True) for frame in (learn, test))
    if not len(learn) or not len(test):
        raise DataError(
            f"column {target} is known in {len(learn)} training rows and {len(test)} test rows; both need some"
        )
    seen = set(learn[target])
    if len(seen) < 2:
        raise DataError(f"the target {target} has one value only in the training rows; choose another column")
    others = [] if target in numbers else sorted(set(test[target]) - seen)
    if others:
        raise DataError(
            f"the test table has {len(others)} classes in column {target} that none of the training rows has, which "
            f"have {len(seen)}; spell the classes alike"
        )
    return learn, test


def rarer(values: pd.Series, classes: list[str]) -> str:
    """The class of the fewest rows."""
    counts = values.value_counts()
    return min(classes, key=lambda name: (int(counts.get(name, 0)), name))


def tested(
    rows: pd.DataFrame,
    test: pd.DataFrame,
    numbers: tuple[str, ...],
    target: str,
    classes: list[str] | None,
    positive: str | None,
    seed: int,
) -> dict[str, float]:
    """The figures of one model that learnt from ``rows``."""
    parts, categorical = codes([frame.drop(columns=target) for frame in (rows, test)], numbers)
    ensemble = require("sklearn.ensemble", "the utility test")
    how = {"categorical_features": categorical, "random_state": seed % 2**32}
    if classes is None:
        measures = require("sklearn.metrics", "the utility test")
        model = ensemble.HistGradientBoostingRegressor(**how).fit(parts[0], rows[target].to_numpy())
        return {"r2": float(measures.r2_score(test[target].to_numpy(), model.predict(parts[1])))}
    known = sorted(set(rows[target]) & set(classes))
    chances = np.zeros((len(test), len(classes)))
    if len(known) == 1:  # a generator that makes one class only
        chances[:, classes.index(known[0])] = 1.0
    elif known:
        model = ensemble.HistGradientBoostingClassifier(**how)
        own = rows[target].isin(classes).to_numpy()
        model.fit(parts[0][own], rows[target].to_numpy(dtype=str)[own])
        chances[:, [classes.index(name) for name in model.classes_]] = model.predict_proba(parts[1])
    else:
        chances[:] = 1 / len(classes)
    truth = np.array([classes.index(name) for name in test[target]])
    return class_scores(truth, chances, classes.index(positive) if positive else None)


def class_scores(truth: NDArray[np.int64], chances: Floats, positive: int | None) -> dict[str, float]:
    """The figures of a classifier on test rows.

    Parameters
    ----------
    truth
        (n,) codes of the classes.
    chances
        (n, classes) predicted probabilities.
    positive
        The class of which both areas are; None for means over the classes that occur, each against the rest.

    Returns
    -------
    Figures from 0 to 1, higher is better; an area is NaN where only one class occurs.

    """
    measures = require("sklearn.metrics", "the utility test")
    there = np.unique(truth)
    guess = chances.argmax(axis=1)
    whose = [int(code) for code in there] if positive is None else [positive]
    both = len(there) > 1
    return {
        "roc_auc": mean_of([measures.roc_auc_score(truth == code, chances[:, code]) for code in whose if both]),
        "average_precision": mean_of(
            [measures.average_precision_score(truth == code, chances[:, code]) for code in whose if both]
        ),
        "macro_f1": float(measures.f1_score(truth, guess, labels=there, average="macro", zero_division=0)),
        "accuracy": float((truth == guess).mean()),
    }


def mean_of(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
