"""Whether a person was among those learnt from: attacks that score each person, calibrated by outside persons."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.metrics.attacks.figures import auc, figures_of

from .crowd import Crowd, nearest_places, of_persons

__all__ = ["ROW_COUNTS", "TABLE_PERSON_ATTACKS", "PersonAttack", "memberships"]

ROW_COUNTS = (1, 5, 20, 100)  # rows of a person, with which the attacker tries
LEAST_DISTANCE = 1e-3  # of a row to another, as ranks: equal rows, too, have a logarithm
COMPONENTS = 8  # principal components of the synthetic rows, in which densities are estimated
MOST_KERNELS = 8_000  # rows of each density
FARTHEST = 20.0  # logarithms of a ratio are drawn in to this: beyond, kernels are numbers without meaning
BLOCK_NUMBERS = 4_000_000  # distances that are held at a time

Rows = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAttack:
    """One attack.

    Parameters
    ----------
    name
        Its key in metrics.json.
    title
        What reports call it.
    run
        (n,) a score of each row of the targets; the higher, the more it takes its person for a member.

    """

    name: str
    title: str
    run: Callable[[Crowd], Floats]


def calibrated_distance(crowd: Crowd) -> Floats:
    """Logarithm of the distance to the nearest row of outside persons - that to the nearest synthetic row.

    References
    ----------
    The full black-box attack of Chen et al., "GAN-Leaks", 2020, calibrated by a reference.

    """
    real, made = crowd.everything
    own = real[crowd.targets.rows]
    return log_distance(own, real[crowd.targets.reference]) - log_distance(own, made)


def log_distance(queries: Rows, against: Rows) -> Floats:
    """(n,) the logarithm of the Euclidean distance of each of ``queries`` (n, d) to the nearest of ``against``."""
    gap = queries - against[nearest_places(queries, against)]
    return np.asarray(0.5 * np.log(np.square(gap, dtype=np.float64).sum(axis=1) + LEAST_DISTANCE**2))


def density_ratio(crowd: Crowd) -> Floats:
    """Logarithm of p(row among synthetic ones) - that of p(row among outside persons'), in principal components.

    References
    ----------
    DOMIAS: van Breugel, Sun, Qian and van der Schaar, "Membership Inference Attacks against Synthetic Data through
    Overfitting Detection", 2023.

    """
    rng = np.random.default_rng(crowd.seed)
    real, made = crowd.everything
    centre = made.mean(axis=0, dtype=np.float64)
    _, sizes, axes = np.linalg.svd((made - centre)[rng.permutation(len(made))[:MOST_KERNELS]], full_matrices=False)
    axes = axes[:COMPONENTS][sizes[:COMPONENTS] > 1e-6 * sizes[0]].T
    real, made = ((rows - centre) @ axes for rows in (real, made))
    own, reference = real[crowd.targets.rows], crowd.targets.reference
    ratio = log_density(own, made[rng.permutation(len(made))[:MOST_KERNELS]])
    ratio -= log_density(own, real[reference[rng.permutation(len(reference))[:MOST_KERNELS]]])
    return ratio.clip(-FARTHEST, FARTHEST)


def log_density(queries: Floats, against: Floats) -> Floats:
    """(n,) the logarithm of a kernel density of ``against`` (m, d) at ``queries`` (n, d), up to a constant.

    References
    ----------
    The bandwidth is that of Scott, "Multivariate Density Estimation", 1992.

    """
    width = against.std(axis=0) * len(against) ** (-1 / (against.shape[1] + 4))
    width = np.maximum(width, 1e-6)
    queries, against = queries / width, against / width
    norms = np.square(against).sum(axis=1)
    found = np.empty(len(queries))
    step = max(1, BLOCK_NUMBERS // len(against))
    for start in range(0, len(queries), step):
        some = queries[start : start + step]
        powers = some @ against.T - norms / 2 - np.square(some).sum(axis=1, keepdims=True) / 2
        highest = powers.max(axis=1)
        found[start : start + step] = highest + np.log(np.exp(powers - highest[:, None]).sum(axis=1))
    return found - np.log(len(against)) - np.log(width).sum()


TABLE_PERSON_ATTACKS = (
    PersonAttack(name="calibrated_distance", title="calibrated distance to the nearest row", run=calibrated_distance),
    PersonAttack(name="density_ratio", title="density ratio (DOMIAS)", run=density_ratio),
)


def memberships(crowd: Crowd) -> dict[str, Any]:
    """What each attack reached, with intervals over persons, and its area with fewer rows of each person."""
    found: dict[str, Any] = {}
    targets = crowd.targets
    counts = [count for count in ROW_COUNTS if count <= targets.most]
    for attack in TABLE_PERSON_ATTACKS:
        values = attack.run(crowd)
        scores = of_persons(values, targets)
        figures = figures_of(scores[targets.members], scores[~targets.members], seed=crowd.seed)
        by_rows = {}
        for count in counts:
            some = of_persons(values, targets, count)
            by_rows[str(count)] = auc(some[targets.members], some[~targets.members])
        found[attack.name] = {"title": attack.title, **figures, "auc_by_rows": by_rows}
    return found
