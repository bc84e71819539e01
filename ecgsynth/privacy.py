"""How near synthetic windows come to those that the generator learnt from, beside how near unseen real ones come.

A distance is a necessary check, not a proof: data that pass it can still lose to a membership attack ("The DCR
Delusion", 2025). It finds copies.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import DataError

__all__ = ["nearest_distance", "privacy"]

BLOCK = 512  # queries compared at a time


def nearest_distance(queries: NDArray[np.float32], against: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) root-mean-square difference, in the units of the values, of each query to its nearest neighbour.

    queries: (n, time, channels); against: (m, time, channels).
    """
    if not len(against):
        raise DataError("there is nothing to measure the distance to")
    size = against[0].size
    other = against.reshape(len(against), size)
    centre = other.mean(axis=0, dtype=np.float64).astype(np.float32)  # far from zero, single precision ranks badly
    near = other - centre
    norms = np.einsum("ij,ij->i", near, near, dtype=np.float64)
    found = np.empty(len(queries))
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK].reshape(-1, size)
        # |a - b|^2 = |a|^2 + |b|^2 - 2ab ranks the neighbours; the distance itself is then taken exactly.
        nearest = (norms - 2 * ((block - centre) @ near.T)).argmin(axis=1)
        found[start : start + len(block)] = np.sqrt(np.square(block - other[nearest], dtype=np.float64).mean(axis=1))
    return found


def privacy(synthetic: NDArray[np.float32], learnt: NDArray[np.float32], unseen: NDArray[np.float32]) -> dict[str, Any]:
    """Distances of synthetic and of unseen real windows to the nearest window learnt from.

    ratio: median synthetic over median unseen; 1 is as near as new real windows come, well below 1 is copying.
    closer_than_unseen: share of synthetic windows nearer than all but 1 % of the unseen; 0.01 is what new ones have.
    copies: synthetic windows that equal a learnt one to within a thousandth of the median unseen distance.
    """
    made = nearest_distance(synthetic, learnt)
    new = nearest_distance(unseen, learnt)
    return {
        "median_distance_synthetic": float(np.median(made)),
        "median_distance_unseen": float(np.median(new)),
        "ratio": float(np.median(made) / np.median(new)),
        "closer_than_unseen": float((made < np.quantile(new, 0.01)).mean()),
        "copies": int((made < 1e-3 * np.median(new)).sum()),
        "windows_synthetic": len(made),
        "windows_unseen": len(new),
    }
