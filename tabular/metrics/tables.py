"""Every measure of how alike a synthetic and a real table are, beside that of two halves of the real one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from ecgsynth.metrics.measure import NAN, Found, Measure, measured
from ecgsynth.metrics.progress import Tell, Trainings, silent

from ..encoding.canonical import subsample
from ..schema.schema import Schema
from .likeness import DETECTORS, correlation_difference, detection, impossible, statistics
from .quality import MOST_ROWS, quality

__all__ = ["DETECTED_ROWS", "TABLE_MEASURES", "Comparison", "fidelity"]

DETECTED_ROWS = 20_000  # of each kind that a detector sees
STAGE = "likeness"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A real table beside another, and what measures of them may need.

    Parameters
    ----------
    real, other
        Rows of the real table, and synthetic ones or, for the baseline, other real ones.
    seen
        Those of both that a detector sees.
    schema
        What the columns are.
    trainings
        Called with each report and each detector.
    seed
        Of the detectors.

    """

    real: pd.DataFrame
    other: pd.DataFrame
    seen: tuple[pd.DataFrame, pd.DataFrame]
    schema: Schema
    trainings: Trainings
    seed: int = 0

    @cached_property
    def report(self) -> dict[str, Any]:
        """What SDMetrics says of both."""
        step = self.trainings.begin(STAGE, 1)
        found = quality(self.real, self.other, self.schema)
        step(1, 1)
        return found


def fidelity(
    real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, *, seed: int = 0, on_progress: Tell = silent
) -> dict[str, Any]:
    """Every measure of likeness of ``synthetic`` to ``real``, beside that of one random half of ``real`` to the other.

    Parameters
    ----------
    real, synthetic
        At most MOST_ROWS of each are compared, and DETECTED_ROWS by a detector.
    schema
        What the columns are.
    seed
        Draws rows, and is that of the detectors.
    on_progress
        Called with each report and each detector.

    Returns
    -------
    quality, detection
        What ``measured`` gives of TABLE_MEASURES; with the quality, how many pairs of columns count, and how many
        values cannot be.
    columns
        Both tables' statistics, and the shape score of each column.
    pairs
        The trend score of each pair of columns.

    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(real))
    halves = [real.iloc[np.sort(order[start::2][:MOST_ROWS])].reset_index(drop=True) for start in (0, 1)]
    sides = [(subsample(real, MOST_ROWS, rng), subsample(synthetic, MOST_ROWS, rng)), (halves[0], halves[1])]
    trainings = Trainings(on_progress, len(sides) * (1 + len(DETECTORS)))
    beside_made, beside_real = (
        Comparison(
            real=a,
            other=b,
            seen=(subsample(a, DETECTED_ROWS, rng), subsample(b, DETECTED_ROWS, rng)),
            schema=schema,
            trainings=trainings,
            seed=seed,
        )
        for a, b in sides
    )
    found = {part: measured(measures, beside_made, beside_real) for part, measures in TABLE_MEASURES.items()}
    wrong, made, half = impossible(synthetic, schema), beside_made.report, beside_real.report
    counted = {name: made[name] for name in ("sdmetrics", "pairs", "pairs_all")} | {"impossible": sum(wrong.values())}
    return {
        **found,
        "quality": counted | found["quality"],
        "columns": [
            entry
            | {
                "shape": made["shapes"].get(entry["column"]),
                "shape_baseline": half["shapes"].get(entry["column"]),
                "impossible": wrong[entry["column"]],
            }
            for entry in statistics(*sides[0], schema)
        ],
        "pairs": [
            pair | {"baseline": other["score"]} for pair, other in zip(made["trends"], half["trends"], strict=True)
        ],
    }


# ---- measures


def reported(name: str, comparison: Comparison) -> Found:
    """A score of SDMetrics' reports."""
    value = comparison.report[name]
    return Found(value=NAN if value is None else value)


def correlations(comparison: Comparison) -> Found:
    """How far the associations of columns lie apart."""
    value = correlation_difference(comparison.real, comparison.other, comparison.schema)
    return Found(value=NAN if value is None else value)


def detected(model: str, comparison: Comparison) -> Found:
    """How well a model distinguishes the rows of both."""
    step = comparison.trainings.begin(STAGE, 1)
    value = detection(*comparison.seen, comparison.schema, model, seed=comparison.seed)
    step(1, 1)
    return Found(value=value)


def score(name: str, title: str) -> Measure[Comparison]:
    """A score of SDMetrics' reports."""
    return Measure(name=name, title=title, best=1.0, low=0.0, high=1.0, take=partial(reported, name))


def detector(name: str, title: str, take: Callable[[Comparison], Found]) -> Measure[Comparison]:
    """An area under a curve."""
    return Measure(name=name, title=title, best=0.5, low=0.0, high=1.0, take=take)


# The parts of metrics.json, and the measures in each.
TABLE_MEASURES: dict[str, tuple[Measure[Comparison], ...]] = {
    "quality": (
        score("quality", "quality (SDMetrics)"),
        score("column_shapes", "column shapes (SDMetrics)"),
        score("column_pair_trends", "column pair trends (SDMetrics)"),
        score("column_pair_trends_all", "column pair trends, of all pairs"),
        score("diagnostic", "diagnostic (SDMetrics)"),
        score("data_validity", "data validity (SDMetrics)"),
        score("data_structure", "data structure (SDMetrics)"),
        Measure(
            name="correlation_difference",
            title="difference of correlations",
            best=0.0,
            low=0.0,
            high=2.0,
            take=correlations,
        ),
    ),
    "detection": (
        detector("logistic", "detected by logistic regression, AUC", partial(detected, "logistic")),
        detector("boosting", "detected by gradient boosting, AUC", partial(detected, "boosting")),
    ),
}
