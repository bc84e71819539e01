"""Whether a person was in: how much denser synthetic beats lie about his than those of other people."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ecgsynth.metrics.attacks.base import Points
from ecgsynth.metrics.attacks.neighbours import log_densities, log_distances
from ecgsynth.metrics.attacks.targets import Scores, Targets, compared_scores

__all__ = ["density_ratio"]

COMPONENTS = 30  # of the synthetic beats, in which densities are estimated
BANDWIDTH = 0.25  # times the median distance of other people's beats to the nearest of yet others

Floats = NDArray[np.float64]


def density_ratio(targets: Targets) -> Scores:
    """The mean of log p(beat among synthetic ones) - log p(beat among other people's).

    Both are kernel densities within the class, in the leading principal components of the synthetic beats; each of the
    other people counts alike. Both have a floor, the kernel at the median distance from one person to the next: of a
    beat far from all others the ratio says nothing, and is near 0.

    References
    ----------
    DOMIAS: van Breugel, Sun, Qian and van der Schaar, "Membership Inference Attacks against Synthetic Data through
    Overfitting Detection", 2023, equation 2.

    """
    project = projection(targets.exposure.synthetic)
    beats, synthetic, reference = (
        Points(values=project(some.values), kinds=some.kinds, owners=some.owners)
        for some in (targets.beats, targets.synthetic, targets.reference)
    )
    people, whose = targets.compared.shape[1], np.asarray(reference.owners)
    near = log_distances(beats, reference, whose, people)
    between = np.where(targets.compared[targets.whose], near, np.inf).min(axis=1)[~targets.members[targets.whose]]
    known = between[np.isfinite(between)]
    bandwidth = BANDWIDTH * float(np.exp(np.median(known))) if len(known) else 1.0
    floor = -beats.values.shape[1] / (2 * BANDWIDTH**2)  # of a kernel at the median distance between people
    one = np.zeros(len(synthetic), dtype=np.int64)
    made = log_densities(beats, synthetic, one, 1, bandwidth)[:, 0]
    each = log_densities(beats, reference, whose, people, bandwidth)

    def ratio(compared: NDArray[np.bool_]) -> Floats:
        others = np.logaddexp.reduce(np.where(compared[targets.whose], each, -np.inf), axis=1)
        others -= np.log(compared.sum(axis=1))[targets.whose]
        with np.errstate(invalid="ignore"):  # a class that nobody else has gives no number
            return np.where(np.isinf(others), np.nan, np.logaddexp(made, floor) - np.logaddexp(others, floor))

    return compared_scores(ratio, targets)


def projection(values: NDArray[np.float32]) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Maps windows (n, ...) onto the leading principal components (n, components) of some."""
    flat = values.reshape(len(values), -1)
    mean = flat.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = flat - mean
    _, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    leading = axes[:, ::-1][:, :COMPONENTS].astype(np.float32)
    return lambda others: np.asarray((others.reshape(len(others), -1) - mean) @ leading)
