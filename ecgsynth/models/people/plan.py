"""What a generator of people finds in windows before its training: a population, and coordinates local to a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.disclosure import LEAST_PEOPLE
from ecgsynth.errors import DataError
from ecgsynth.models.clusters import MAD_TO_STD
from ecgsynth.models.model import Plan
from ecgsynth.models.people.generator import PeopleConfig
from ecgsynth.models.people.population import (
    LEAST_WINDOWS,
    Persons,
    Population,
    describe_persons,
    fit_population,
    persons_of_classes,
)
from ecgsynth.models.people.space import CosineSpace
from ecgsynth.windows.windows import Windows

__all__ = ["PeoplePlan", "classes_of_people", "plan_of", "plan_people"]

MOST_WINDOWS = 300  # of a person and a class, that the local coordinates are found with
OUTERMOST = 0.005  # share of the values at either end that is drawn in before a covariance is taken
BEHIND_ROUNDED_TO = 5  # people, in what is published


@dataclass(frozen=True, slots=True, kw_only=True)
class PeoplePlan(Plan):
    """A generator of people before its training.

    Parameters
    ----------
    population
        How people differ.
    rows
        (m,) which training windows are learnt from: those of persons of whom a typical window of the class is known.
    owners
        (m,) the person of each of them.
    local
        (m, features) what each of them differs by from the typical one, in local coordinates.
    spreads
        (classes, features) their spread in each class.
    unmixing
        (features, features) from local coordinates, times their spread, to features.

    """

    config: PeopleConfig
    population: Population
    rows: NDArray[np.int64]
    owners: NDArray[np.int64]
    local: NDArray[np.float32]
    spreads: NDArray[np.float32]
    unmixing: NDArray[np.float32]


def plan_people(learn: Windows, settings: Mapping[str, Any], seed: int) -> PeoplePlan:
    """The population of the training windows, and the settings of its generator.

    Parameters
    ----------
    learn
        The training windows, of known persons.
    settings
        Of PeopleConfig, by hand: ``components`` of the space, and sizes of the networks.
    seed
        Of the windows that the local coordinates are found with.

    Raises
    ------
    DataError
        Where persons are not known, or a class is of too few of them.

    """
    return plan_of(learn, check_people(learn), settings, seed)


def plan_of(learn: Windows, owners: NDArray[np.int64], settings: Mapping[str, Any], seed: int) -> PeoplePlan:
    """The same of windows of whatever people there are."""
    settings = dict(settings)
    space = CosineSpace.fit(learn.values, learn.rr_s, components=settings.pop("components", None))
    features = space.transform(learn.values, learn.rr_s)
    persons = describe_persons(features, learn.labels, owners, len(learn.classes), space.shape)
    population = fit_population(persons, space.samples(), space.time, space.shape)
    rows, away = seen_from_their_person(features, learn.labels, owners, persons, space.shape)
    local, spreads, unmixing = local_coordinates(away, learn.labels[rows], owners[rows], len(learn.classes), seed)
    config = PeopleConfig(
        time=space.time,
        channels=space.channels,
        components=space.shape,
        intervals=space.intervals,
        clusters=(1,) * len(learn.classes),
        styles=len(population.axes),
        people_behind=population.behind // BEHIND_ROUNDED_TO * BEHIND_ROUNDED_TO,
        largest_share=round(population.largest_share, 2),
        **settings,
    )
    return PeoplePlan(
        config=config,
        space=space,
        population=population,
        rows=rows,
        owners=owners[rows],
        local=local,
        spreads=spreads,
        unmixing=unmixing,
    )


def classes_of_people(learn: Windows, least: int = LEAST_PEOPLE) -> tuple[str, ...]:
    """The classes that so many people have; none where persons are not known."""
    if learn.owners is None:
        return ()
    enough = persons_of_classes(learn.labels, learn.owners, len(learn.classes)) >= least
    return tuple(name for name, good in zip(learn.classes, enough, strict=True) if good)


def check_people(learn: Windows) -> NDArray[np.int64]:
    """(n,) the person of each window; DataError where they are unknown, or too few have a class."""
    if learn.owners is None:
        raise DataError(
            "these windows do not say whose they are, so no generator of people can be learnt; bring their persons as "
            "groups, or train with --level internal"
        )
    enough = classes_of_people(learn)
    few = [name for name in learn.classes if name not in enough]
    if few:
        raise DataError(
            f"fewer than {LEAST_PEOPLE} people in the training part have {LEAST_WINDOWS} windows of class "
            f"{', '.join(few)}; leave it out, bring more people, or train with --level internal"
        )
    return learn.owners


def seen_from_their_person(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    owners: NDArray[np.int64],
    persons: Persons,
    shape: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """What windows differ by from their person's typical one, in units of how much that person's windows usually vary.

    Returns
    -------
    (m,) which of the windows have a person with a typical one; and (m, features) what they differ by.

    """
    place = np.full(int(owners.max()) + 1, -1)
    place[persons.numbers] = np.arange(len(persons.numbers))
    whose = place[owners]
    rows = np.flatnonzero((whose >= 0) & persons.has[np.maximum(whose, 0), labels])
    whose, label = whose[rows], labels[rows]
    usual = np.stack([persons.scales[persons.has[:, code], code].mean(axis=0) for code in range(persons.has.shape[1])])
    scales = np.exp(persons.scales[whose, label] - usual[label])
    away = features[rows] - persons.typical[whose, label]
    away[:, :shape] /= scales[:, :1]
    away[:, shape:] /= scales[:, 1:]
    return rows, away


def local_coordinates(
    away: NDArray[np.float64], labels: NDArray[np.int64], owners: NDArray[np.int64], classes: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Coordinates in which differences (m, features) are uncorrelated, every person and class weighing the same.

    Returns
    -------
    The differences in these coordinates (m, features), their spread in each class (classes, features), and the way back
    (features, features).

    """
    picked = equally(labels, owners, np.random.default_rng(seed))
    low, high = np.quantile(away[picked], [OUTERMOST, 1 - OUTERMOST], axis=0)
    drawn = away[picked].clip(low, high)
    units = drawn.std(axis=0) + 1e-6
    _, axes = np.linalg.eigh(np.cov(drawn / units, rowvar=False))
    axes = axes[:, ::-1]
    turned = (away / units) @ axes
    spreads = np.ones((classes, away.shape[1]))
    for label in range(classes):
        own = turned[picked[labels[picked] == label]]
        spreads[label] = MAD_TO_STD * np.median(np.abs(own), axis=0)
    spreads = np.maximum(spreads, 0.05 * np.maximum(turned[picked].std(axis=0), 1e-6))
    local = turned / spreads[labels]
    return local.astype(np.float32), spreads.astype(np.float32), (axes.T * units).astype(np.float32)


def equally(labels: NDArray[np.int64], owners: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of at most MOST_WINDOWS windows of each person and class."""
    order = rng.permutation(len(labels))
    pair = labels[order] * (int(owners.max()) + 1) + owners[order]
    ranked = np.argsort(pair, kind="stable")
    starts = np.flatnonzero(np.diff(pair[ranked], prepend=-1))
    rank = np.arange(len(pair)) - np.repeat(starts, np.diff(np.append(starts, len(pair))))
    return np.sort(order[ranked[rank < MOST_WINDOWS]])
