"""How people differ: who counts, who weighs what, and that new people are distributed as people are."""

import numpy as np
import pytest

from ecgsynth.models.people import population
from ecgsynth.models.people.population import (
    LEAST_WINDOWS,
    MOST_SHARE,
    compact_correlation,
    describe_persons,
    drawn_in_mean,
    fit_population,
    localised,
    modes_of,
    persons_of_classes,
    shared_axes,
)
from ecgsynth.models.people.space import CosineSpace


def fitted(windows):
    space = CosineSpace.fit(windows.values, windows.rr_s)
    features = space.transform(windows.values, windows.rr_s)
    persons = describe_persons(features, windows.labels, windows.owners, len(windows.classes), space.shape)
    return persons, fit_population(persons, space.samples(), space.time, space.shape), space


def test_a_person_with_nine_windows_of_a_class_does_not_have_it():
    labels = np.repeat([0, 1, 0, 1], [LEAST_WINDOWS, LEAST_WINDOWS - 1, LEAST_WINDOWS, LEAST_WINDOWS])
    owners = np.repeat([0, 1], [2 * LEAST_WINDOWS - 1, 2 * LEAST_WINDOWS])
    assert persons_of_classes(labels, owners, 3).tolist() == [2, 1, 0]
    persons = describe_persons(np.ones((len(labels), 4), dtype=np.float32), labels, owners, 3, 3)
    assert persons.has.tolist() == [[True, False, False], [True, True, False]]


def test_a_persons_typical_window_is_his_median():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(25, 5)).astype(np.float32)
    features[0] = 1e6
    persons = describe_persons(features, np.zeros(25, dtype=np.int64), np.zeros(25, dtype=np.int64), 1, 3)
    assert persons.typical[0, 0] == pytest.approx(np.median(features, axis=0), rel=1e-6)
    away = np.linalg.norm(features[:, :3] - np.median(features[:, :3], axis=0), axis=1)
    assert persons.scales[0, 0, 0] == pytest.approx(np.log(np.median(away)), abs=1e-4)


def test_the_correlation_is_one_here_and_nothing_at_twice_the_half_support():
    found = compact_correlation(40, 8.0)
    assert np.diag(found) == pytest.approx(1)
    assert found[0, 8] == pytest.approx(5 / 24)  # both branches of Gaspari and Cohn's equation 4.10 give it
    assert np.abs(found[0, 16:]).max() < 1e-12
    assert (np.diff(found[0]) <= 1e-12).all()
    assert np.linalg.eigvalsh(found).min() > -1e-9


def test_localising_multiplies_the_covariance_entry_by_entry():
    rng = np.random.default_rng(1)
    spread = rng.normal(size=(2, 7, 12))  # every sample a feature of its own
    factors = localised(spread, np.eye(12, dtype=np.float32), 12).reshape(-1, 24)
    flat = spread.transpose(1, 0, 2).reshape(7, 24)
    classes = np.kron(np.array([[1, population.ACROSS_CLASSES], [population.ACROSS_CLASSES, 1]]), np.ones((12, 12)))
    time = np.tile(compact_correlation(12, population.HALF_SUPPORT * 12), (2, 2))
    assert factors.T @ factors == pytest.approx((flat.T @ flat) * classes * time, abs=0.02 * np.square(flat).sum() / 24)


def test_modes_give_the_correlation_back():
    correlation = compact_correlation(30, 6.0)
    modes = modes_of(correlation)
    assert len(modes) < 30
    assert modes.T @ modes == pytest.approx(correlation, abs=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_no_person_has_more_of_an_axis_than_may_be(seed):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(12, 6, 20))
    factors[3] *= 20  # one of them would have nearly everything
    axes, largest = shared_axes(factors)
    assert largest <= MOST_SHARE + 0.02
    others = np.delete(factors, 3, axis=0).reshape(-1, 20)
    assert np.square(axes).sum() < 3 * np.square(others).sum() / 11


def test_axes_of_persons_who_weigh_alike_are_the_principal_components():
    rng = np.random.default_rng(3)
    factors = rng.normal(size=(40, 1, 5)) * np.array([5.0, 3, 1, 0.5, 0.3])
    factors = factors.clip(-6, 6)
    axes, largest = shared_axes(factors)
    covariance = factors[:, 0].T @ factors[:, 0] / 39
    values = np.linalg.eigvalsh(covariance)[::-1]
    assert largest < MOST_SHARE
    assert np.square(axes).sum(axis=1) == pytest.approx(values[: len(axes)], rel=1e-6)


def test_a_person_far_away_is_drawn_in():
    values = np.random.default_rng(4).normal(size=(20, 3))
    far = values.copy()
    far[0] = 1000
    mean, away = drawn_in_mean(far)
    assert np.abs(mean - values[1:].mean(axis=0)).max() < 0.6
    assert np.linalg.norm(away, axis=1)[0] <= np.sort(np.linalg.norm(away, axis=1))[-5] + 1e-6


def test_new_people_have_the_mean_and_the_spread_of_people(people):
    windows = people(people=60, beats=30, rare=15)
    persons, found, space = fitted(windows)
    assert found.behind == 60
    assert found.largest_share <= MOST_SHARE + 0.02
    z = np.random.default_rng(0).normal(size=(4000, len(found.axes)))
    for label in (0, 1):
        made = found.means[label] + np.tensordot(z, found.axes[:, label], axes=1)
        wanted = persons.typical[:, label]
        samples = np.eye(space.shape + 2)
        samples = np.zeros((space.shape + 2, space.time))
        samples[: space.shape] = space.samples()
        assert np.abs((made - wanted.mean(axis=0)).mean(axis=0) @ samples).max() < 0.15
        spreads = [(part @ samples).std(axis=0) for part in (made, wanted)]
        busy = spreads[1] > 0.05
        assert np.median(spreads[0][busy] / spreads[1][busy]) == pytest.approx(1, abs=0.25)
        assert made[:, -2:].std(axis=0) == pytest.approx(wanted[:, -2:].std(axis=0), rel=0.4)
        assert made[:, -2:].mean(axis=0) == pytest.approx(wanted[:, -2:].mean(axis=0), abs=0.2)


def test_a_class_that_changes_a_persons_own_beat_is_learnt_as_that_change(people):
    windows = people(people=40)
    changed = windows.values.copy()
    for person in np.unique(windows.groups):
        own = windows.groups == person
        typical = np.median(windows.values[own & (windows.labels == 0)], axis=0)
        changed[own & (windows.labels == 1)] = typical + np.float32(0.1)
    import dataclasses

    _, found, space = fitted(dataclasses.replace(windows, values=changed))
    shape = space.shape
    assert (
        np.square(found.axes[:, 1, :shape] - found.axes[:, 0, :shape]).sum()
        < 0.02 * np.square(found.axes[:, 0, :shape]).sum()
    )


def test_a_persons_rhythm_goes_through_all_classes(people):
    windows = people(people=60)
    _, found, _ = fitted(windows)
    z = np.random.default_rng(0).normal(size=(4000, len(found.axes)))
    levels = [(found.means[label] + np.tensordot(z, found.axes[:, label], axes=1))[:, -2] for label in (0, 1)]
    assert np.corrcoef(levels)[0, 1] > 0.6
