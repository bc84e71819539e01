"""Clusters: kinds of windows within a class, found by clustering, on which a generator is conditioned beside the class.

The windows of a class are a mixture of many tight kinds (a person's normal beat, a bundle branch block). A generator
that must find these kinds by itself loses some and smears others; conditioned on the kind, it learns each. Liu et al.,
"Diverse Image Generation via Self-Conditioned GANs", CVPR 2020, do the same for images without classes.
"""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.disclosure import FAIR_SHARE, shared_codes
from ecgsynth.errors import require

__all__ = ["MIN_CLUSTER", "WINDOWS_PER_CLUSTER", "Clusters", "describe_clusters", "find_clusters"]

MIN_CLUSTER = 20  # training windows of a cluster, so that what is kept of it is no single beat
WINDOWS_PER_CLUSTER = 30  # windows of a class for each cluster that is looked for
MOST_CLUSTERS = 300  # of a class
ROUNDS = 8  # of k-means, after the clusters have been found by splitting
SPLIT_ROUNDS = 10
FLOOR = 0.02  # least spread of a feature in a cluster, as a share of its spread in all windows
MAD_TO_STD = 1.4826  # the median absolute deviation of a normal distribution times this is its standard deviation


@dataclass(frozen=True, slots=True)
class Clusters:
    """The clusters of all classes, those of the first class first.

    Parameters
    ----------
    numbers
        (n,) int64, the cluster of each training window.
    shares
        One array (k,) a class: the share of each of its k clusters among its windows, falling.
    centres, spreads
        (clusters, features), median and scaled median absolute deviation of a cluster's windows, or mean and standard
        deviation.

    """

    numbers: NDArray[np.int64]
    shares: tuple[NDArray[np.float64], ...]
    centres: NDArray[np.float32]
    spreads: NDArray[np.float32]

    @property
    def counts(self) -> tuple[int, ...]:
        """How many clusters each class has."""
        return tuple(len(shares) for shares in self.shares)


def find_clusters(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    seed: int,
    windows_per_cluster: int = WINDOWS_PER_CLUSTER,
    events: NDArray[np.int64] | None = None,
) -> Clusters:
    """Cluster the features (n, features) of each class into clusters of MIN_CLUSTER windows or more.

    A class without windows has one cluster, at zero; one with fewer than twice MIN_CLUSTER has one.

    Parameters
    ----------
    features
        (n, features) float32, the windows to be clustered.
    labels
        (n,) int64, their classes.
    classes
        How many classes there are.
    seed
        Of what the clustering draws.
    windows_per_cluster
        Windows of a class for each cluster that is looked for.
    events
        (n,) the event of each window, where a cluster is to be of enough of them to be published (core.disclosure):
        windows of one event, however many, are one.

    """
    numbers = np.zeros(len(labels), dtype=np.int64)
    shares: list[NDArray[np.float64]] = []
    rng = np.random.default_rng(seed)
    before = 0
    for label in range(classes):
        own = np.flatnonzero(labels == label)
        if not len(own):
            shares.append(np.ones(1))
        else:
            found = cluster_rows(features[own], rng, windows_per_cluster, None if events is None else events[own])
            numbers[own] = before + found
            shares.append(np.bincount(found) / len(found))
        before += len(shares[-1])
    return describe_clusters(features, numbers, tuple(shares))


def describe_clusters(
    features: NDArray[np.float32],
    numbers: NDArray[np.int64],
    shares: tuple[NDArray[np.float64], ...],
    *,
    robust: bool = True,
) -> Clusters:
    """Centres and spreads of clusters that are known, in whatever features (n, features) they are wanted.

    Parameters
    ----------
    features
        (n, features) float32.
    numbers
        (n,) int64, the cluster of each window, over all classes.
    shares
        Of the clusters of each class, see Clusters.
    robust
        Median and scaled median absolute deviation; otherwise mean and standard deviation.

    """
    count = sum(map(len, shares))
    centres = np.zeros((count, features.shape[1]), dtype=np.float32)
    spreads = np.zeros_like(centres)
    for cluster in np.unique(numbers):
        members = features[numbers == cluster]
        if robust:
            centres[cluster] = np.median(members, axis=0)
            spreads[cluster] = MAD_TO_STD * np.median(np.abs(members - centres[cluster]), axis=0)
        else:
            centres[cluster], spreads[cluster] = members.mean(axis=0), members.std(axis=0)
    floor = FLOOR * features.std(axis=0) + 1e-6
    return Clusters(numbers, shares, centres, np.maximum(spreads, floor).astype(np.float32))


def cluster_rows(
    x: NDArray[np.float32],
    rng: np.random.Generator,
    windows_per_cluster: int = WINDOWS_PER_CLUSTER,
    events: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """(n,) cluster of each row, numbered from 0 by falling size, none below MIN_CLUSTER unless there is only one.

    Clusters are split in two, that of the largest sum of squares first (bisecting k-means; Steinbach, Karypis and
    Kumar, 2000), and then refined all together by k-means; those that lose too many rows are dissolved.
    """
    found = refine(x, bisect(x, min(MOST_CLUSTERS, len(x) // windows_per_cluster), rng, events), events)
    sizes = np.bincount(found)
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    numbers: NDArray[np.int64] = rank[found]
    return numbers


def bisect(
    x: NDArray[np.float32], wanted: int, rng: np.random.Generator, events: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """(n,) cluster of each row: at most ``wanted`` clusters of MIN_CLUSTER or more, and of enough events."""
    numbers = np.zeros(len(x), dtype=np.int64)
    count = 1
    waiting = [(0.0, 0, np.arange(len(x)))]  # minus the sum of squares, number, rows
    while waiting and count < wanted:
        _, number, rows = heapq.heappop(waiting)
        side = halves(x[rows], rng, None if events is None else events[rows])
        if side is None:
            continue
        numbers[rows[side]] = count
        for half, its in ((rows[~side], number), (rows[side], count)):
            heapq.heappush(waiting, (-float(np.square(x[half] - x[half].mean(axis=0)).sum()), its, half))
        count += 1
    return numbers


def halves(
    x: NDArray[np.float32], rng: np.random.Generator, events: NDArray[np.int64] | None = None
) -> NDArray[np.bool_] | None:
    """(n,) which of two halves each row is in, by 2-means from the main axis; None if one half would be too small, or
    of too few events.
    """
    if len(x) < 2 * MIN_CLUSTER:
        return None
    centred = x - x.mean(axis=0)
    axis = rng.normal(size=x.shape[1:]).astype(np.float32)
    for _ in range(SPLIT_ROUNDS):  # power iteration
        axis = centred.T @ (centred @ axis)
        axis /= np.linalg.norm(axis) + 1e-12
    along = centred @ axis
    side: NDArray[np.bool_] = along > 0
    for _ in range(SPLIT_ROUNDS):
        if side.all() or not side.any():
            break
        one, other = centred[side].mean(axis=0), centred[~side].mean(axis=0)
        side = centred @ (one - other) > (one + other) @ (one - other) / 2
    if not both_good(side, events):  # a few outliers: rather two halves of the same size
        side = along > np.median(along)
    return side if both_good(side, events) else None


def both_good(side: NDArray[np.bool_], events: NDArray[np.int64] | None) -> bool:
    """Whether both halves may be clusters."""
    return bool(good_clusters(side.astype(np.int64), 2, events).all())


def good_clusters(numbers: NDArray[np.int64], count: int, events: NDArray[np.int64] | None) -> NDArray[np.bool_]:
    """(count,) whether each cluster is of MIN_CLUSTER rows or more and, where events are known, may be published."""
    good: NDArray[np.bool_] = np.bincount(numbers, minlength=count) >= MIN_CLUSTER
    return good if events is None else good & shared_codes(numbers, events, count, largest=FAIR_SHARE)


def refine(
    x: NDArray[np.float32], numbers: NDArray[np.int64], events: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """(n,) cluster of each row after k-means from the clusters given, without those that may not stay."""
    cluster_of = require("sklearn.cluster", "finding clusters")
    count = int(numbers.max()) + 1
    if count == 1:
        return numbers
    means = np.stack([x[numbers == number].mean(axis=0) for number in range(count)])
    found = cluster_of.KMeans(count, init=means, n_init=1, max_iter=ROUNDS).fit(x).labels_.astype(np.int64)
    while True:
        sizes = np.bincount(found, minlength=count)
        good = good_clusters(found, count, events)
        bad = np.flatnonzero((sizes > 0) & ~good)
        if not len(bad) or (sizes > 0).sum() == 1:
            break
        worst = bad[sizes[bad].argmin()]
        left = np.flatnonzero(good if good.any() else (sizes > 0) & (np.arange(count) != worst))
        lost = np.flatnonzero(found == worst)
        means = np.stack([x[found == number].mean(axis=0) for number in left])
        found[lost] = left[np.square(x[lost][:, None] - means).sum(axis=2).argmin(axis=1)]
    again: NDArray[np.int64] = np.unique(found, return_inverse=True)[1].astype(np.int64)
    return again
