"""How likely a person is in a population: what an attacker computes who reads it out of the file."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import DataError
from ecgsynth.metrics.attacks.base import Density
from ecgsynth.models.people.population import Persons, describe_persons, fit_population
from ecgsynth.models.people.space import CosineSpace
from ecgsynth.windows.windows import Windows

__all__ = ["populations_of"]

NOISE = 0.01  # variance of each number of a median of few windows, and of what the axes leave out


def populations_of(windows: Windows) -> Callable[[Sequence[Any]], Density]:
    """A function that fits the population of some of the people, by their names.

    Parameters
    ----------
    windows
        Of all people who may be asked for.

    Returns
    -------
    ``fit(names)`` -> ``density(values, labels)``, the logarithm of the density of a person's typical windows, up to a
    constant; NaN for a person without a class that the population has.

    """
    if windows.owners is None:
        raise DataError("a population is of known persons, and these windows do not say whose they are")
    space = CosineSpace.fit(windows.values, windows.rr_s)
    features = space.transform(windows.values, windows.rr_s)
    everybody = describe_persons(features, windows.labels, windows.owners, len(windows.classes), space.shape)
    names = np.unique(np.asarray(windows.groups))[everybody.numbers]

    def fit(some: Sequence[Any]) -> Density:
        rows = np.flatnonzero(np.isin(names, list(some)))
        classes = np.flatnonzero(everybody.has[rows].sum(axis=0) > 1)
        persons = Persons(
            numbers=everybody.numbers[rows],
            has=everybody.has[np.ix_(rows, classes)],
            typical=everybody.typical[np.ix_(rows, classes)],
            scales=everybody.scales[np.ix_(rows, classes)],
        )
        if not len(classes):
            return lambda values, labels: float("nan")
        found = fit_population(persons, space.samples(), space.time, space.shape)
        means, axes = found.means[:, : space.shape], found.axes[:, :, : space.shape]

        def density(values: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
            own = [place for place, code in enumerate(classes.tolist()) if (labels == code).any()]
            if not own:
                return float("nan")
            made = space.transform(values, np.ones((len(values), 2), dtype=np.float32))[:, : space.shape]
            medians = [np.median(made[labels == classes[place]], axis=0) for place in own]
            away = (np.stack(medians) - means[own]).reshape(-1)
            along = axes[:, own].reshape(len(axes), -1)
            covariance = along.T @ along + NOISE * np.eye(len(away))
            return float(-0.5 * (away @ np.linalg.solve(covariance, away)) - 0.5 * np.linalg.slogdet(covariance)[1])

        return density

    return fit
