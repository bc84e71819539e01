"""Shadow models: likelihoods against scipy, and members found through generators of the same kind."""

import numpy as np
import pytest
from scipy.stats import norm

from ecgsynth.metrics.attacks.persons import PERSON_ATTACKS, attacked_persons
from ecgsynth.metrics.attacks.shadow import SHADOWS, halves, likelihood_ratio

SHADOW = [attack for attack in PERSON_ATTACKS if attack.name == "shadow"]


def test_the_ratio_is_that_of_normal_densities():
    rng = np.random.default_rng(0)
    inside = halves(6, rng)
    models, observed = rng.normal(size=(SHADOWS, 6)), rng.normal(size=6)
    means = [np.array([models[mask[:, p], p].mean() for p in range(6)]) for mask in (inside, ~inside)]
    left = np.where(inside, models - means[0], models - means[1])
    expected = norm.logpdf(observed, means[0], left.std()) - norm.logpdf(observed, means[1], left.std())
    assert likelihood_ratio(observed, models, inside) == pytest.approx(expected)


def test_everybody_is_in_half_of_the_models():
    inside = halves(7, np.random.default_rng(0))
    assert (inside.sum(axis=0) == SHADOWS // 2).all()
    assert set(inside.sum(axis=1)) == {3, 4}


def test_shadow_models_find_what_a_generator_keeps(crowd):
    members, outside = range(12), range(12, 24)
    asked = []

    def shadow(owners, seed):
        asked.append(sorted(owners))
        return lambda n, number: crowd.modes(owners, min(n, 500), number)

    found = attacked_persons(crowd.exposed(crowd.modes(members, 500, 1), members, outside, shadow=shadow), SHADOW)
    assert found["shadow"]["auc"] >= 0.98
    assert len(asked) == SHADOWS
    assert all(len(owners) == 12 for owners in asked)

    others = crowd.modes(range(40, 60), 500, 1)
    low, high = attacked_persons(crowd.exposed(others, members, outside, shadow=shadow), SHADOW)["shadow"][
        "auc_interval"
    ]
    assert low <= 0.5 <= high


def test_a_generator_that_cannot_be_refitted_is_not_attacked_so(crowd):
    assert attacked_persons(crowd.exposed(crowd.modes(range(12), 50, 1), range(12), range(12, 24)), SHADOW) == {}
