"""How likely a person is in a population, and the attack that asks."""

import numpy as np
import pytest

from ecgsynth.models.people.likelihood import NOISE, populations_of
from ecgsynth.models.people.population import describe_persons, fit_population
from ecgsynth.models.people.space import CosineSpace


@pytest.fixture(scope="module")
def windows(people):
    return people(people=24, beats=30, rare=15)


def test_a_density_is_the_normal_one_of_the_persons_medians(windows):
    some = np.unique(windows.groups)[:14]
    density = populations_of(windows)(some.tolist())
    own = windows.take(windows.groups == "p20")
    space = CosineSpace.fit(windows.values, windows.rr_s)
    learn = windows.take(np.isin(windows.groups, some))
    features = space.transform(learn.values, learn.rr_s)
    persons = describe_persons(features, learn.labels, learn.owners, 2, space.shape)
    found = fit_population(persons, space.samples(), space.time, space.shape)
    made = space.transform(own.values, own.rr_s)[:, : space.shape]
    away = np.concatenate(
        [np.median(made[own.labels == code], axis=0) - found.means[code, : space.shape] for code in (0, 1)]
    )
    along = found.axes[:, :, : space.shape].reshape(len(found.axes), -1)
    from scipy.stats import multivariate_normal

    slow = multivariate_normal(np.zeros(len(away)), along.T @ along + NOISE * np.eye(len(away))).logpdf(away)
    constant = -0.5 * len(away) * np.log(2 * np.pi)
    assert density(own.values, own.labels) == pytest.approx(slow - constant, rel=1e-6)


def test_somebody_far_from_people_is_unlikely(windows):
    density = populations_of(windows)(np.unique(windows.groups)[:16].tolist())
    own = windows.take(windows.groups == "p20")
    assert density(own.values, own.labels) > density(own.values + 3, own.labels) + 10


def test_a_person_without_a_class_that_is_known_has_no_density(windows):
    fit = populations_of(windows)
    density = fit(np.unique(windows.groups)[:6].tolist())
    own = windows.take(windows.groups == "p20")
    assert np.isnan(density(own.values, np.full(len(own), 7)))
    assert np.isnan(fit(["p00"])(own.values, own.labels))  # of one person there is no population


def test_members_are_likelier_in_their_own_population(windows):
    names = np.unique(windows.groups)
    members, others, outside = names[:8], names[8:16], names[16:]
    fit = populations_of(windows)
    one, other = fit(members.tolist()), fit(others.tolist())

    def ratio(name):
        own = windows.take(windows.groups == name)
        return one(own.values, own.labels) - other(own.values, own.labels)

    inside, out, neither = ([ratio(name) for name in some] for some in (members, others, outside))
    assert np.mean(inside) > np.mean(neither) > np.mean(out)
