"""What is measured is an entry of a table: a measure of likeness, or an arm of a utility test.

A report prints what the entries and metrics.json hold, and knows none by name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.spread import mean_and_spread

__all__ = ["NAN", "Arm", "Found", "Measure", "known", "mean_of_classes", "measured"]

NAN = float("nan")

C = TypeVar("C")  # what is compared: windows, or tables
G = TypeVar("G")  # what an arm takes its training data of
T = TypeVar("T")  # the training data


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a measure gave.

    Parameters
    ----------
    value
        NaN where there is no number.
    by_class
        The same by the name of a class; empty where it is not taken by class.
    notes
        Further figures of each class, by their keys in metrics.json.
    repeats, spread
        Where ``value`` is a mean: of how many repeats, and their standard deviation, None of one.

    """

    value: float
    by_class: dict[str, float] = field(default_factory=dict)
    notes: dict[str, dict[str, float]] = field(default_factory=dict)
    repeats: int = 0
    spread: float | None = None

    @classmethod
    def of_repeats(cls, values: NDArray[np.float64]) -> Self:
        """The mean of the repeats (n,) with their spread."""
        mean, spread = mean_and_spread(values)
        return cls(value=mean, spread=spread, repeats=len(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure(Generic[C]):
    """One measure of likeness.

    Parameters
    ----------
    name
        Its key in metrics.json.
    title
        What reports call it; ``{units}`` stands for those of the data.
    best
        The best value; None where that is the baseline.
    low, high
        The range; None where it is open.
    take
        Takes it of a comparison; None where it is no measure of such data.
    note
        What it is, where its title does not say so.
    chief
        Whether it is among the few that ``ecgsynth info`` names.

    """

    name: str
    title: str
    best: float | None
    low: float | None
    high: float | None
    take: Callable[[C], Found | None]
    note: str = ""
    chief: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm(Generic[G, T]):
    """One arm of a utility test.

    Parameters
    ----------
    name
        Its key in metrics.json.
    title
        What it is trained on; ``{what}`` stands for beats, windows or rows.
    take
        Gives the training data.

    """

    name: str
    title: str
    take: Callable[[G], T]


def measured(
    measures: Sequence[Measure[C]], synthetic: C, baseline: C, *, units: str = ""
) -> dict[str, dict[str, Any]]:
    """Every measure of both comparisons, as they stand in metrics.json, in the order of the table.

    Parameters
    ----------
    measures
        The table.
    synthetic, baseline
        Real data beside synthetic ones, and beside other real ones.
    units
        Of the data, for the titles.

    Returns
    -------
    By the measure's name, its ``title``, ``value``, ``baseline``, ``best`` and ``range``; ``chief`` and ``note`` where
    they are there; ``spread`` and ``baseline_spread`` of repeats; ``by_class``. What is no number is None.

    """
    found = {}
    for measure in measures:
        value = measure.take(synthetic)
        beside = None if value is None else measure.take(baseline)
        if value is not None and beside is not None:
            found[measure.name] = entry(measure, value, beside, units)
    return found


def entry(measure: Measure[Any], value: Found, baseline: Found, units: str) -> dict[str, Any]:
    """A measure as it stands in metrics.json, which has no NaN and no infinity."""
    about: dict[str, Any] = {"title": measure.title.format(units=units)}
    about |= {"value": known(value.value), "baseline": known(baseline.value)}
    about |= {"best": measure.best, "range": [measure.low, measure.high]}
    about |= {"chief": True} if measure.chief else {}
    about |= {"note": measure.note} if measure.note else {}
    if value.repeats:
        about |= {"spread": value.spread, "baseline_spread": baseline.spread}
    if value.by_class:
        about["by_class"] = {
            label: {"value": known(of_class), "baseline": known(baseline.by_class[label])}
            | {key: known(noted) for key, noted in value.notes.get(label, {}).items()}
            for label, of_class in value.by_class.items()
        }
    return about


def known(value: float | None) -> float | None:
    """A number, or None where it is none or infinite."""
    return float(value) if value is not None and np.isfinite(value) else None


def mean_of_classes(by_class: dict[str, float], notes: dict[str, dict[str, float]] | None = None) -> Found:
    """The mean of the classes in which there is a number, beside those of each class."""
    numbers = [value for value in by_class.values() if np.isfinite(value)]
    return Found(value=float(np.mean(numbers)) if numbers else NAN, by_class=by_class, notes=notes or {})
