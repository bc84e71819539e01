"""Whether a person was in: his beats' distance to the nearest synthetic one, beside that to other people's beats."""

import numpy as np
from numpy.typing import NDArray

from ecgsynth.metrics.attacks.neighbours import log_distances
from ecgsynth.metrics.attacks.targets import Scores, Targets, mean_scores

__all__ = ["calibrated_distance", "reference_distance", "uncalibrated_distance"]

Floats = NDArray[np.float64]


def calibrated_distance(targets: Targets) -> Scores:
    """The mean of log(distance to other people's nearest beat) - log(distance to the nearest synthetic one).

    A common beat has synthetic ones near it in any case; that other people have such beats, too, tells this apart.

    References
    ----------
    The full black-box attack of Chen et al., "GAN-Leaks", 2020, calibrated by a reference.

    """
    return mean_scores(reference_distance(targets) - synthetic_distance(targets), targets)


def uncalibrated_distance(targets: Targets) -> Scores:
    """Less the logarithm of the distance to the nearest synthetic beat, the mean."""
    return mean_scores(-synthetic_distance(targets), targets)


def synthetic_distance(targets: Targets) -> Floats:
    """(n,) the logarithm of each attacked beat's distance to the nearest synthetic one of its class."""
    one = np.zeros(len(targets.synthetic), dtype=np.int64)
    return log_distances(targets.beats, targets.synthetic, one, 1)[:, 0]


def reference_distance(targets: Targets) -> Floats:
    """(n,) the logarithm of each attacked beat's distance to the nearest of the people its person is compared with."""
    people = targets.compared.shape[1]
    near = log_distances(targets.beats, targets.reference, np.asarray(targets.reference.owners), people)
    found: Floats = np.where(targets.compared[targets.whose], near, np.inf).min(axis=1)
    return found
