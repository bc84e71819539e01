"""Whether a person was among those learnt from: attacks that score each person, calibrated by outside persons."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.metrics.attacks.figures import auc, figures_of
from ecgsynth.metrics.attacks.persons import BEATS, needed
from ecgsynth.metrics.attacks.shadow import halves, likelihood_ratio

from .crowd import Crowd, Targets, nearest_places, of_persons

__all__ = ["TABLE_PERSON_ATTACKS", "TablePersonAttack", "memberships"]

LEAST_DISTANCE = 1e-3  # of a row to another, in ranks: equal rows, too, have a logarithm
COMPONENTS = 8  # principal components of the synthetic rows, in which densities are estimated
MOST_KERNELS = 8_000  # rows of each density
FARTHEST = 20.0  # logarithms of a ratio are drawn in to this: beyond, kernels are numbers without meaning
BLOCK_NUMBERS = 4_000_000  # distances that are held at a time

Rows = NDArray[np.float32]
Floats = NDArray[np.float64]
Scores = Callable[[int], Floats]  # (rows) -> (targets,) scores by so many rows of each person


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePersonAttack:
    """One attack.

    Parameters
    ----------
    name
        Its key in metrics.json.
    title
        What reports call it.
    sees
        What the attacker has beside rows: "output", or "refit" where it fits models of the same kind.
    prepare
        Gives scores by some of each person's rows, the higher the likelier in; None where it cannot be tried.

    """

    name: str
    title: str
    sees: str
    prepare: Callable[[Crowd], Scores | None]


def nearest_distance(crowd: Crowd) -> Scores:
    """Less the logarithm of the distance to the nearest synthetic row, the mean over rows."""
    real, made = crowd.everything
    return means(-log_distance(real[crowd.targets.rows], made), crowd.targets)


def calibrated_distance(crowd: Crowd) -> Scores:
    """Logarithm of the distance to the nearest row of outside persons - that to the nearest synthetic row, the mean.

    References
    ----------
    The full black-box attack of Chen et al., "GAN-Leaks", 2020, calibrated by a reference.

    """
    real, made = crowd.everything
    own = real[crowd.targets.rows]
    return means(log_distance(own, real[crowd.targets.reference]) - log_distance(own, made), crowd.targets)


def means(values: Floats, targets: Targets) -> Scores:
    """Scores of persons as means of those of their rows (n,)."""
    return lambda rows: of_persons(values, targets, rows)


def log_distance(queries: Rows, against: Rows) -> Floats:
    """(n,) the logarithm of the Euclidean distance of each of ``queries`` (n, d) to the nearest of ``against``."""
    gap = queries - against[nearest_places(queries, against)]
    return np.asarray(0.5 * np.log(np.square(gap, dtype=np.float64).sum(axis=1) + LEAST_DISTANCE**2))


def density_ratio(crowd: Crowd) -> Scores:
    """Logarithm of p(row among synthetic ones) - that of p(row among outside persons'), in principal components.

    References
    ----------
    DOMIAS: van Breugel, Sun, Qian and van der Schaar, "Membership Inference Attacks against Synthetic Data through
    Overfitting Detection", 2023.

    """
    rng = np.random.default_rng([crowd.seed, 2])
    real, made = crowd.everything
    centre = made.mean(axis=0, dtype=np.float64)
    _, sizes, axes = np.linalg.svd((made - centre)[rng.permutation(len(made))[:MOST_KERNELS]], full_matrices=False)
    axes = axes[:COMPONENTS][sizes[:COMPONENTS] > 1e-6 * max(sizes[0], 1e-6)].T
    real, made = ((rows - centre) @ axes for rows in (real, made))
    own, reference = real[crowd.targets.rows], crowd.targets.reference
    ratio = log_density(own, made[rng.permutation(len(made))[:MOST_KERNELS]])
    ratio -= log_density(own, real[reference[rng.permutation(len(reference))[:MOST_KERNELS]]])
    return means(ratio.clip(-FARTHEST, FARTHEST), crowd.targets)


def log_density(queries: Floats, against: Floats) -> Floats:
    """(n,) the logarithm of a kernel density of ``against`` (m, d) at ``queries`` (n, d), up to a constant.

    References
    ----------
    The bandwidth is that of Scott, "Multivariate Density Estimation", 1992.

    """
    width = np.maximum(against.std(axis=0) * len(against) ** (-1 / (against.shape[1] + 4)), 1e-6)
    queries, against = queries / width, against / width
    norms = np.square(against).sum(axis=1)
    found = np.empty(len(queries))
    step = max(1, BLOCK_NUMBERS // len(against))
    for start in range(0, len(queries), step):
        some = queries[start : start + step]
        powers = some @ against.T - norms / 2 - np.square(some).sum(axis=1, keepdims=True) / 2
        highest = powers.max(axis=1)
        found[start : start + step] = highest + np.log(np.exp(powers - highest[:, None]).sum(axis=1))
    return np.asarray(found - np.log(len(against)) - np.log(width).sum())


def shadow_models(crowd: Crowd) -> Scores | None:
    """The likelihood ratio of the calibrated distance among models that learnt from a person, and among others.

    References
    ----------
    Carlini et al., "Membership Inference Attacks from First Principles", 2022; see
    ecgsynth.metrics.attacks.shadow.

    """
    if crowd.shadow is None:
        return None
    targets = crowd.targets
    inside = halves(len(targets.members), np.random.default_rng([crowd.seed, 3]))
    observed = calibrated_distance(crowd)
    models = []
    for number, some in enumerate(inside):
        made = crowd.shadow(targets.rows[some[targets.whose]], number)
        models.append(calibrated_distance(crowd.released(made)))
    return lambda rows: likelihood_ratio(observed(rows), np.stack([model(rows) for model in models]), inside)


TABLE_PERSON_ATTACKS = (
    TablePersonAttack(name="distance", title="nearest distance", sees="output", prepare=nearest_distance),
    TablePersonAttack(
        name="calibrated_distance", title="calibrated distance", sees="output", prepare=calibrated_distance
    ),
    TablePersonAttack(name="density_ratio", title="density ratio (DOMIAS)", sees="output", prepare=density_ratio),
    TablePersonAttack(name="shadow", title="shadow models", sees="refit", prepare=shadow_models),
)


def memberships(crowd: Crowd) -> dict[str, dict[str, Any]]:
    """What each attack that could be tried reached.

    Returns
    -------
    By its name, ``title``, ``sees``, all of ``figures_of``, ``by_beats`` (the area with so many rows of each person),
    ``beats_needed`` (the fewest with which it is within 0.02 of the highest), ``persons_learnt``, ``persons_outside``:
    the keys of ecgsynth.metrics.attacks.persons.

    """
    found: dict[str, dict[str, Any]] = {}
    members = crowd.targets.members
    for attack in TABLE_PERSON_ATTACKS:
        scores = attack.prepare(crowd)
        if scores is None:
            continue
        all_rows = scores(int(crowd.targets.turns.max()) + 1)
        by_rows = {str(rows): area(scores(rows), members) for rows in BEATS if rows <= crowd.targets.most}
        found[attack.name] = {
            "title": attack.title,
            "sees": attack.sees,
            **figures_of(all_rows[members], all_rows[~members], seed=crowd.seed),
            "persons_learnt": int(members.sum()),
            "persons_outside": int((~members).sum()),
            "by_beats": by_rows,
            "beats_needed": needed(by_rows),
        }
    return found


def area(scores: Floats, members: NDArray[np.bool_]) -> float:
    """How often a member's score is above another's."""
    return auc(scores[members], scores[~members])
