"""Whether a person was in: his beats' distance to the nearest synthetic one, beside that to other people's beats."""

import numpy as np
from numpy.typing import NDArray

from ecgsynth.metrics.attacks.neighbours import log_distances
from ecgsynth.metrics.attacks.targets import Scores, Targets, compared_scores, mean_scores

__all__ = ["calibrated_distance", "reference_distance", "uncalibrated_distance"]

Floats = NDArray[np.float64]


def calibrated_distance(targets: Targets) -> Scores:
    """The mean of log(distance to other people's nearest beat) - log(distance to the nearest synthetic one).

    A common beat has synthetic ones near it in any case; that other people have such beats, too, tells this apart.

    References
    ----------
    The full black-box attack of Chen et al., "GAN-Leaks", 2020, calibrated by a reference.

    """
    near, synthetic = people_distances(targets), synthetic_distance(targets)

    def calibrated(compared: NDArray[np.bool_]) -> Floats:
        with np.errstate(invalid="ignore"):  # a class that nobody else has, and that is not made, gives no number
            return np.asarray(nearest_of(near, compared[targets.whose]) - synthetic)

    return compared_scores(calibrated, targets)


def uncalibrated_distance(targets: Targets) -> Scores:
    """Less the logarithm of the distance to the nearest synthetic beat, the mean."""
    return mean_scores(-synthetic_distance(targets), targets)


def synthetic_distance(targets: Targets) -> Floats:
    """(n,) the logarithm of each attacked beat's distance to the nearest synthetic one of its class."""
    one = np.zeros(len(targets.synthetic), dtype=np.int64)
    return log_distances(targets.beats, targets.synthetic, one, 1)[:, 0]


def reference_distance(targets: Targets) -> Floats:
    """(n,) the logarithm of each attacked beat's distance to the nearest of the people its person is compared with."""
    return nearest_of(people_distances(targets), targets.compared[targets.whose])


def people_distances(targets: Targets) -> Floats:
    """(n, people) the logarithm of each attacked beat's distance to the nearest beat of each of the people outside."""
    people = targets.compared.shape[1]
    return log_distances(targets.beats, targets.reference, np.asarray(targets.reference.owners), people)


def nearest_of(near: Floats, compared: NDArray[np.bool_]) -> Floats:
    """(n,) the least of distances (n, people), of those compared with."""
    found: Floats = np.where(compared, near, np.inf).min(axis=1)
    return found
