"""Whether a person was in, by the population that stands in the file: is he likelier in it than among other people?"""

import numpy as np
from numpy.typing import NDArray

from ecgsynth.metrics.attacks.base import Density
from ecgsynth.metrics.attacks.neighbours import codes_of
from ecgsynth.metrics.attacks.targets import Scores, Targets

__all__ = ["population_likelihood"]

Floats = NDArray[np.float64]


def population_likelihood(targets: Targets) -> Scores | None:
    """The log-likelihood of a person's typical beats in the population learnt from, less that in one of other people.

    The attacker reads the first out of the file, and fits the second to the people that it has to compare. None where
    the generator has no population. Other people to compare would take other fits, so these are taken for given.

    References
    ----------
    The likelihood-ratio test of Sankararaman, Obozinski, Jordan and Halperin, "Genomic Privacy and Limits of Individual
    Detection in a Pool", 2009.

    """
    fit = targets.exposure.population
    if fit is None:
        return None
    inside = fit(targets.names[targets.members].tolist())
    outside = targets.names[~targets.members]
    known: dict[bytes, Density] = {}
    for row in targets.compared:
        if row.tobytes() not in known:
            known[row.tobytes()] = fit(outside[row].tolist())
    values, kinds, whose = targets.beats.values, codes_of(targets.beats), targets.whose

    def scores(first: int, end: int, compared: NDArray[np.bool_] | None = None) -> Floats:
        used = (targets.turns >= first) & (targets.turns < end)
        found = np.full(len(targets.members), np.nan)
        for target, row in enumerate(targets.compared):
            own = np.flatnonzero(used & (whose == target))
            if len(own):
                other = known[row.tobytes()]
                found[target] = inside(values[own], kinds[own]) - other(values[own], kinds[own])
        return found

    return scores
