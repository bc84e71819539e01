"""Do synthetic rows of a rare class help a detector more than the rows that SMOTE and ADASYN make?"""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgsynth.core.spread import of_repeats
from ecgsynth.errors import ConfigError, DataError, require
from ecgsynth.tabular.encoding.canonical import canonical, codes, value_text
from ecgsynth.tabular.metrics.utility import checked_target
from ecgsynth.tabular.schema.schema import Schema

__all__ = ["ARMS", "LEARNERS", "augmentation"]

ARMS = ("none", "SMOTE", "ADASYN", "synthetic")
LEARNERS = ("logistic", "boosting", "forest")
NEIGHBOURS = 5  # of SMOTE and ADASYN, as in their papers
TREES = 100
STIFFNESS = 0.1  # scikit-learn's C of the logistic regression

Floats = NDArray[np.float64]


def augmentation(
    learn: pd.DataFrame,
    extra: pd.DataFrame,
    test: pd.DataFrame,
    schema: Schema,
    target: str,
    positive: Any,
    *,
    added: int | None = None,
    repeats: int = 5,
    seed: int = 0,
    learner: str = "logistic",
) -> dict[str, Any]:
    """Average precision on ``test`` of detectors of ``positive`` that learnt from four training tables.

    none: the rows ``learn`` as they are. SMOTE, ADASYN: with ``added`` rows of the class made by interpolation (Chawla
    et al., 2002; He, Bai, Garcia and Li, 2008; imbalanced-learn). synthetic: with ``added`` rows drawn from ``extra``,
    which need not have the target's column; by default as many as there are. Each ``repeats`` times, with other
    random choices. 0 to 1, higher is better; the share of the class in ``test`` is what guessing reaches.
    An arm that cannot be (ADASYN where no positive row has a negative neighbour, or a table with categories) has no
    mean, and says why. Raises ConfigError for an unknown learner, DataError for a class without rows.
    """
    if learner not in LEARNERS or repeats < 1:
        raise ConfigError(f"expected a learner of {', '.join(LEARNERS)} and repeats from 1, got {learner!r}, {repeats}")
    numbers = tuple(name for name in schema.numbers if name != target)
    frames = [with_classes(canonical(frame, schema), target) for frame in (learn, test)]
    real, unseen = checked_target(frames[0], frames[1], target, numbers)
    chosen = value_text(positive)
    made = extra_rows(extra, schema, target, chosen)
    truth = [(frame[target] == chosen).to_numpy() for frame in (real, unseen)]
    for mask, name in zip(truth, ("training", "test"), strict=True):
        if not mask.any() or mask.all():
            raise DataError(f"the {name} rows need rows with and without {target} = {chosen}, got {int(mask.sum())}")
    parts, categorical = codes([frame.drop(columns=target) for frame in (real, unseen, made)], numbers)
    x, x_test, x_made = standardised(parts, categorical)
    count = len(x_made) if added is None else added
    found: dict[str, Any] = {
        "positive": chosen,
        "learner": learner,
        "share": float(truth[1].mean()),
        "known": int(truth[0].sum()),
        "added": count,
        "repeats": repeats,
    }
    for arm in ARMS:
        scores, why = [], None
        for repeat in range(seed, seed + repeats):
            try:
                rows, labels = topped_up(arm, x, truth[0], x_made, count, categorical, repeat)
            except DataError as error:
                why = str(error)
                break
            scores.append(precision(rows, labels, x_test, truth[1], categorical, learner, repeat))
        found[arm] = of_repeats(scores) if why is None else {"mean": None, "std": None, "values": [], "why": why}
    return found


def with_classes(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """The canonical table with its target as text, whatever kind of column it is: the classes of a detector."""
    if target not in frame.columns:
        raise DataError(f"expected a target of the columns {', '.join(map(str, frame.columns))}, got {target!r}")
    texts = frame[target].map(value_text, na_action="ignore").astype(object)
    return frame.assign(**{target: texts.where(texts.notna(), None)})


def extra_rows(extra: pd.DataFrame, schema: Schema, target: str, positive: str) -> pd.DataFrame:
    """The synthetic rows of the class, canonical. DataError where there are none."""
    if target in extra.columns:
        made = with_classes(canonical(extra, schema), target)
        made = made[made[target] == positive].reset_index(drop=True)
    else:
        without = Schema(columns=tuple(column for column in schema.columns if column.name != target))
        made = canonical(extra, without).assign(**{target: positive})
    if not len(made):
        raise DataError(f"expected synthetic rows with {target} = {positive}, got none")
    return made


def standardised(parts: list[Floats], categorical: NDArray[np.bool_]) -> list[Floats]:
    """Numbers in standard deviations of the first matrix, missing ones at its median: SMOTE measures distances."""
    first = parts[0]
    found = [part.copy() for part in parts]
    for place in range(first.shape[1]):
        there = first[:, place][~np.isnan(first[:, place])]
        if categorical[place]:
            beyond = max(np.nanmax(part[:, place], initial=-1.0) for part in parts) + 1
            for part in found:  # a missing category is a category
                part[:, place] = np.nan_to_num(part[:, place], nan=beyond)
            continue
        centre, middle, spread = (there.mean(), np.median(there), there.std()) if len(there) else (0.0, 0.0, 0.0)
        for part in found:
            part[:, place] = (np.nan_to_num(part[:, place], nan=middle) - centre) / (spread or 1.0)
    return found


def topped_up(
    arm: str,
    x: Floats,
    labels: NDArray[np.bool_],
    made: Floats,
    count: int,
    categorical: NDArray[np.bool_],
    seed: int,
) -> tuple[Floats, NDArray[np.bool_]]:
    """The training rows of one arm. DataError where SMOTE or ADASYN can make none."""
    if arm == "none" or not count:
        return x, labels
    if arm == "synthetic":
        rng = np.random.default_rng(seed)
        picked = rng.permutation(len(made))[:count] if count <= len(made) else rng.integers(len(made), size=count)
        return np.concatenate([x, made[picked]]), np.concatenate([labels, np.ones(count, dtype=bool)])
    known = int(labels.sum())
    if known < 2:
        raise DataError(f"{arm} needs two rows of the class or more, got {known}")
    if arm == "ADASYN" and categorical.any():
        raise DataError("ADASYN makes numbers only, and the table has categories")
    sampling = require("imblearn.over_sampling", "making rows by SMOTE and ADASYN")
    how: dict[str, Any] = {"sampling_strategy": {1: known + count}, "random_state": seed % 2**32}
    neighbours = min(NEIGHBOURS, known - 1)
    if arm == "ADASYN":
        maker = sampling.ADASYN(n_neighbors=neighbours, **how)
    elif categorical.any():
        maker = sampling.SMOTENC(np.flatnonzero(categorical).tolist(), k_neighbors=neighbours, **how)
    else:
        maker = sampling.SMOTE(k_neighbors=neighbours, **how)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of scikit-learn's coming changes
            rows, found = maker.fit_resample(x, labels.astype(np.int64))
    except (ValueError, RuntimeError) as error:
        if arm != "ADASYN":
            raise
        # ADASYN says so where no row of the class has another class's row near it.
        raise DataError(f"ADASYN found none to make: {str(error).strip().splitlines()[0]}") from error
    return rows, found == 1


def precision(
    x: Floats,
    labels: NDArray[np.bool_],
    x_test: Floats,
    truth: NDArray[np.bool_],
    categorical: NDArray[np.bool_],
    learner: str,
    seed: int,
) -> float:
    """Average precision on the test rows of one detector."""
    ensemble = require("sklearn.ensemble", "training a detector")
    if learner == "logistic":
        linear = require("sklearn.linear_model", "training a detector")
        model = linear.LogisticRegression(C=STIFFNESS, max_iter=2000)
    elif learner == "boosting":
        model = ensemble.HistGradientBoostingClassifier(categorical_features=categorical, random_state=seed % 2**32)
    else:
        model = ensemble.RandomForestClassifier(TREES, random_state=seed % 2**32)
    chances = model.fit(x, labels).predict_proba(x_test)[:, 1]
    return float(require("sklearn.metrics", "training a detector").average_precision_score(truth, chances))
