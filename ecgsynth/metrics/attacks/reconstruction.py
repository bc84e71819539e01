"""Can a person's typical beat be read out? Centres in the file, and clusters of the output, beside each person."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import require
from ecgsynth.metrics.attacks.base import Exposure, Points
from ecgsynth.metrics.attacks.neighbours import codes_of
from ecgsynth.metrics.attacks.targets import people_of, rows_of

__all__ = ["LIKE", "reconstruction"]

LIKE = 0.99  # correlation above which a centre has somebody's shape
FEWEST = 20  # beats of a person in his commonest class, that a median is taken of
WINDOWS_PER_CLUSTER, MOST_CLUSTERS = 30, 200  # of a class of synthetic beats
MOST_CLUSTERED = 8000  # synthetic beats of a class that are clustered
ROUNDS = 10

Values = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody's typical beat.

    Parameters
    ----------
    kind
        His commonest class.
    median
        (time, channels) of all his beats of it.
    halves
        (2, time, channels) of the first and the second half in time.

    """

    kind: int
    median: Values
    halves: Values


def reconstruction(
    exposure: Exposure, *, seed: int = 0, tell: Callable[[float], None] = lambda done: None
) -> dict[str, Any] | None:
    """The nearest of all candidates to each person's median beat, of members and of people outside.

    A candidate is a centre in the file (white box), or the mean of a cluster of synthetic beats of his commonest class
    (black box).

    Parameters
    ----------
    exposure
        What the attacker sees.
    seed
        Of the clustering.
    tell
        Called with the share that is done.

    Returns
    -------
    members, outside
        Of both kinds of people: ``persons``; the medians over them of ``correlation`` (the highest of any candidate)
        and ``error`` (the lowest root-mean-square, in units), and of ``halves_correlation`` and ``halves_error``
        between the first and the second half; ``persons_like`` and ``share_like``, those with a candidate correlated
        above 0.99; ``persons_nearer`` and ``share_nearer``, those with a candidate nearer than their halves are to
        each other.
        None where there are no such people.
    centres, clusters
        How many candidates there were of each kind.

    None where persons are not known.

    """
    found = people_of(exposure)
    if found is None:
        return None
    members = persons_in(found[0], exposure.learnt, exposure.later)
    outside = persons_in(found[1], exposure.unseen, None)
    if not members:
        return None
    clusters = clustered(exposure, {person.kind for person in (*members, *outside)}, seed, tell)
    none = np.empty((0, *exposure.synthetic.shape[1:]), dtype=np.float32)
    centres = none if exposure.centres is None else exposure.centres

    def figures(people: list[Person]) -> dict[str, Any] | None:
        if not people:
            return None
        best = np.array(
            [best_of(np.concatenate([centres, clusters.get(one.kind, none)]), one.median) for one in people]
        )
        own = np.array([best_of(one.halves[:1], one.halves[1]) for one in people])
        like, nearer = best[:, 0] > LIKE, best[:, 1] < own[:, 1]
        return {
            "persons": len(people),
            **dict(zip(("correlation", "error"), np.median(best, axis=0).tolist(), strict=True)),
            **dict(zip(("halves_correlation", "halves_error"), np.median(own, axis=0).tolist(), strict=True)),
            **{"persons_like": int(like.sum()), "share_like": float(like.mean())},
            **{"persons_nearer": int(nearer.sum()), "share_nearer": float(nearer.mean())},
        }

    return {
        "members": figures(members),
        "outside": figures(outside),
        "centres": len(centres),
        "clusters": sum(map(len, clusters.values())),
    }


def persons_in(names: NDArray[Any], points: Points, later: Points | None) -> list[Person]:
    """The typical beat of each person who has beats enough; those of ``later`` follow unless their places are known."""
    parts = [part for part in (points, later) if part is not None]
    rows = [rows_of(part.owners) for part in parts]
    people = []
    for name in names.tolist():
        own = [part.take(row[name]) for part, row in zip(parts, rows, strict=True) if name in row]
        kinds = np.concatenate([codes_of(part) for part in own])
        places = [part.places for part in own if part.places is not None]
        order = np.argsort(np.concatenate(places)) if len(places) == len(own) else np.arange(len(kinds))
        kind = int(np.bincount(kinds).argmax())
        values = np.concatenate([part.values for part in own])[order[kinds[order] == kind]]
        if len(values) >= FEWEST:
            half = len(values) // 2
            halves = np.stack([np.median(part, axis=0) for part in (values[:half], values[half:])])
            people.append(Person(kind, np.median(values, axis=0), halves))
    return people


def clustered(exposure: Exposure, kinds: set[int], seed: int, tell: Callable[[float], None]) -> dict[int, Values]:
    """By class, the means of k-means clusters of synthetic beats."""
    cluster = require("sklearn.cluster", "clustering what a generator makes")
    codes = codes_of(Points(values=exposure.synthetic, kinds=exposure.kinds))
    found = {}
    for place, kind in enumerate(sorted(kinds)):
        flat = exposure.synthetic[codes == kind][:MOST_CLUSTERED].reshape(-1, exposure.synthetic[0].size)
        count = min(MOST_CLUSTERS, len(flat) // WINDOWS_PER_CLUSTER)
        if count:
            fitted = cluster.KMeans(count, init="random", n_init=1, max_iter=ROUNDS, random_state=seed % 2**32)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # fewer different beats than clusters: some of these are alike
                centres = fitted.fit(flat).cluster_centers_
            found[kind] = centres.astype(np.float32).reshape(-1, *exposure.synthetic.shape[1:])
        tell((place + 1) / len(kinds))
    return found


def best_of(candidates: Values, median: Values) -> tuple[float, float]:
    """The highest correlation and the lowest root-mean-square difference of candidates (k, ...) to a median (...)."""
    if not len(candidates):
        return float("nan"), float("inf")
    flat, wanted = candidates.reshape(len(candidates), -1).astype(np.float64), median.ravel().astype(np.float64)
    error = float(np.sqrt(np.square(flat - wanted).mean(axis=1).min()))
    centred, own = flat - flat.mean(axis=1, keepdims=True), wanted - wanted.mean()
    norms = np.linalg.norm(centred, axis=1) * np.linalg.norm(own)
    return float(np.divide(centred @ own, norms, out=np.zeros(len(flat)), where=norms > 0).max()), error
