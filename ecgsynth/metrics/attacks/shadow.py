"""Whether a person was in, by shadow models: generators of the same kind that learnt with him and without him."""

import numpy as np
from numpy.typing import NDArray

from ecgsynth.metrics.attacks.base import Points
from ecgsynth.metrics.attacks.calibrated import reference_distance
from ecgsynth.metrics.attacks.neighbours import log_distances
from ecgsynth.metrics.attacks.targets import Scores, Targets, mean_scores

__all__ = ["SHADOWS", "shadow_models"]

SHADOWS = 16  # generators that are fitted, each to half of the people
SYNTHETIC = 10_000  # points of each, and of the generator that is attacked
LEAST_STD = 1e-3  # of a statistic over shadow models

Floats = NDArray[np.float64]


def shadow_models(targets: Targets) -> Scores | None:
    """The logarithm of the likelihood ratio of a statistic: among models that learnt from a person, and among others.

    The statistic is the calibrated distance of ``calibrated_distance``. Both likelihoods are normal, with one standard
    deviation for all persons, as there are few models. None where a generator cannot be refitted cheaply.

    References
    ----------
    Carlini, Chien, Nasr, Song, Terzis and Tramer, "Membership Inference Attacks from First Principles", 2022, with the
    shared variance that they advise for few models.

    """
    shadow = targets.exposure.shadow
    if shadow is None:
        return None
    people, rng = len(targets.members), np.random.default_rng(targets.exposure.seed)
    reference = reference_distance(targets)
    inside = halves(people, rng)
    models = []
    for number, some in enumerate(inside):
        made = shadow(targets.names[some].tolist(), number)(SYNTHETIC, number)
        models.append(mean_scores(differences(reference, nearness(targets, made)), targets))
    attacked = targets.synthetic.take(rng.permutation(len(targets.synthetic))[:SYNTHETIC])
    observed = mean_scores(differences(reference, nearness(targets, attacked)), targets)

    def scores(first: int, end: int, compared: NDArray[np.bool_] | None = None) -> Floats:
        return likelihood_ratio(observed(first, end), np.stack([model(first, end) for model in models]), inside)

    return scores


def halves(people: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(SHADOWS, people) who is in each shadow model: a random half, and in the next one the others."""
    inside = np.zeros((SHADOWS, people), dtype=bool)
    for number in range(0, SHADOWS, 2):
        inside[number, rng.permutation(people)[: people // 2]] = True
        inside[number + 1] = ~inside[number]
    return inside


def nearness(targets: Targets, made: Points) -> Floats:
    """(n,) the logarithm of each attacked beat's distance to the nearest of these."""
    return log_distances(targets.beats, made, np.zeros(len(made), dtype=np.int64), 1)[:, 0]


def differences(reference: Floats, near: Floats) -> Floats:
    """(n,) how much nearer than the reference; NaN for a class that is in neither."""
    with np.errstate(invalid="ignore"):
        found: Floats = reference - near
    return found


def likelihood_ratio(observed: Floats, models: Floats, inside: NDArray[np.bool_]) -> Floats:
    """(people,) log N(observed; models with him) - log N(observed; models without him).

    Parameters
    ----------
    observed
        (people,) the statistic under the generator that is attacked.
    models
        (shadows, people) under each shadow model.
    inside
        (shadows, people) who was in which.

    """
    with np.errstate(invalid="ignore"):
        means = [np.where(mask, models, 0).sum(axis=0) / mask.sum(axis=0) for mask in (inside, ~inside)]
        left = models - np.where(inside, means[0], means[1])
    known = left[np.isfinite(left)]
    spread = max(float(known.std()) if len(known) else 0.0, LEAST_STD)
    ratio: Floats = (np.square(observed - means[1]) - np.square(observed - means[0])) / (2 * spread**2)
    return ratio
