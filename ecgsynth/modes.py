"""Modes: kinds of windows within a class, found by k-means, on which a generator is conditioned beside the class.

The beats of a class are a mixture of many tight kinds (a person's normal beat, a bundle branch block). A generator
that must find these kinds by itself loses some and smears others; told which kind to make, it learns each. Liu et al.,
"Diverse Image Generation via Self-Conditioned GANs", CVPR 2020, do the same for images without classes.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import require

__all__ = ["MIN_MODE", "Modes", "find_modes"]

MIN_MODE = 20  # training windows of a mode; fewer are given to the next nearest
PER_MODE = 50  # windows of a class for each mode that is looked for
ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Modes:
    """The modes of all classes; mode j of class c has the number c * per_class + j.

    numbers: (n,) int64, the mode of each training window
    shares: (classes, per_class), of a mode among its class, rows summing to one, 0 where a class has fewer modes
    centres, spreads: (classes * per_class, components), mean and standard deviation of a mode's windows
    """

    numbers: NDArray[np.int64]
    shares: NDArray[np.float64]
    centres: NDArray[np.float32]
    spreads: NDArray[np.float32]


def find_modes(
    scaled: NDArray[np.float32], labels: NDArray[np.int64], classes: int, per_class: int, seed: int
) -> Modes:
    """Cluster the scaled windows (n, components) of each class into at most ``per_class`` modes of MIN_MODE or more."""
    numbers = np.zeros(len(labels), dtype=np.int64)
    shares = np.zeros((classes, per_class))
    shares[:, 0] = 1.0  # of a class without windows
    centres = np.zeros((classes * per_class, scaled.shape[1]), dtype=np.float32)
    spreads = np.ones_like(centres)
    rng = np.random.default_rng(seed)
    for label in range(classes):
        own = np.flatnonzero(labels == label)
        if not len(own):
            continue
        found = cluster(scaled[own], min(per_class, max(1, len(own) // PER_MODE)), rng)
        numbers[own] = label * per_class + found
        shares[label] = np.bincount(found, minlength=per_class) / len(own)
        for mode in range(found.max() + 1):
            members = scaled[own[found == mode]]
            centres[label * per_class + mode] = members.mean(axis=0)
            spreads[label * per_class + mode] = np.maximum(members.std(axis=0), 1e-3)
    return Modes(numbers=numbers, shares=shares, centres=centres, spreads=spreads)


def cluster(x: NDArray[np.float32], wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(n,) cluster of each row, numbered from 0 by size; clusters below MIN_MODE are dissolved into the others."""
    vq = require("scipy.cluster.vq", "finding modes")
    if wanted == 1:
        return np.zeros(len(x), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of clusters that run empty: they are dissolved below
        centres, found = vq.kmeans2(x, wanted, iter=ROUNDS, minit="++", rng=rng)
    sizes = np.bincount(found, minlength=wanted)
    kept = np.argsort(-sizes, kind="stable")[: max(1, int((sizes >= MIN_MODE).sum()))]
    rank = np.full(wanted, -1, dtype=np.int64)
    rank[kept] = np.arange(len(kept))
    numbers: NDArray[np.int64] = rank[found]
    dissolved = numbers < 0
    if dissolved.any():
        numbers[dissolved], _ = vq.vq(x[dissolved], centres[kept])
    return numbers
