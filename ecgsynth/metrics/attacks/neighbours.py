"""How near points come to several groups of others, class by class: distances, and kernel densities."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ecgsynth.metrics.attacks.base import Points

__all__ = ["codes_of", "log_densities", "log_distances"]

BLOCK_NUMBERS = 4_000_000  # distances that are held at a time
LEAST_SHARE = 1e-7  # of the mean square, that a squared distance is no smaller than: it has a logarithm

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def log_distances(queries: Points, against: Points, groups: Codes, count: int) -> Floats:
    """The logarithm of the distance of each query to the nearest point of its class in each group.

    Parameters
    ----------
    queries, against
        (n, ...) and (m, ...) points.
    groups
        (m,) the group of each, below ``count``.
    count
        How many groups there are.

    Returns
    -------
    (n, count) logarithms of root-mean-square distances; infinite where a group has no point of the class.

    """

    def nearest(squares: NDArray[np.float32], starts: Codes) -> Floats:
        return 0.5 * np.log(np.minimum.reduceat(squares, starts, axis=1).astype(np.float64))

    return by_class(queries, against, groups, count, nearest, np.inf)


def log_densities(queries: Points, against: Points, groups: Codes, count: int, bandwidth: float) -> Floats:
    """The logarithm of each group's kernel density at each query, up to a constant: among points of its class.

    Parameters
    ----------
    queries, against, groups, count
        As of ``log_distances``.
    bandwidth
        Standard deviation of the normal kernel, as a root-mean-square distance.

    Returns
    -------
    (n, count), minus infinity where a group has no point of the class.

    """
    scale = queries.values[0].size / 2 / bandwidth**2

    def kernels(squares: NDArray[np.float32], starts: Codes) -> Floats:
        powers = -scale * squares.astype(np.float64)
        sizes = np.diff(np.append(starts, squares.shape[1]))
        highest = np.maximum.reduceat(powers, starts, axis=1)
        powers -= np.repeat(highest, sizes, axis=1)
        return highest + np.log(np.add.reduceat(np.exp(powers), starts, axis=1) / sizes)

    return by_class(queries, against, groups, count, kernels, -np.inf)


def by_class(
    queries: Points,
    against: Points,
    groups: Codes,
    count: int,
    reduce: Callable[[NDArray[np.float32], Codes], Floats],
    missing: float,
) -> Floats:
    """(n, count) what ``reduce`` makes of the mean squared differences to the points of each group, class by class."""
    found = np.full((len(queries), count), missing)
    kinds, others = codes_of(queries), codes_of(against)
    for code in np.unique(kinds):
        own, rows = np.flatnonzero(kinds == code), np.flatnonzero(others == code)
        if not len(rows):
            continue
        rows = rows[np.argsort(groups[rows], kind="stable")]
        there, starts = np.unique(groups[rows], return_index=True)
        for block, squares in squared_differences(queries.values[own], against.values[rows]):
            found[np.ix_(own[block], there)] = reduce(squares, starts)
    return found


def squared_differences(
    queries: NDArray[np.float32], against: NDArray[np.float32]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Blocks of queries with the mean squared difference of each to all others, never 0."""
    size = queries[0].size
    other = against.reshape(len(against), size)
    centre = other.mean(axis=0, dtype=np.float64).astype(np.float32)  # far from zero, single precision ranks badly
    near, flat = other - centre, queries.reshape(len(queries), size) - centre
    norms = np.einsum("ij,ij->i", near, near)
    least = np.float32(LEAST_SHARE * max(float(norms.mean()) / size, 1e-30))
    rows = max(1, BLOCK_NUMBERS // len(other))
    for start in range(0, len(flat), rows):
        block = slice(start, min(start + rows, len(flat)))
        squares = flat[block] @ near.T
        squares *= np.float32(-2)
        squares += norms
        squares += np.einsum("ij,ij->i", flat[block], flat[block])[:, None]
        squares /= np.float32(size)
        yield block, np.maximum(squares, least, out=squares)


def codes_of(points: Points) -> Codes:
    """(n,) the class of each point; 0 where there is one class."""
    return np.zeros(len(points), dtype=np.int64) if points.kinds is None else points.kinds
