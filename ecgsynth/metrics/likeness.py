"""How like each other two sets of points (n, d) are: features of windows, or windows themselves.

A number of it means something only beside that of one real set against another.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import DataError

__all__ = ["coverage", "density", "frechet_distance", "median_distance", "mmd"]

BLOCK_ROWS = 512  # that are compared at a time
NEIGHBOURS = 5  # the k of coverage and density; Naeem et al. use it throughout

Floats = NDArray[np.float32] | NDArray[np.float64]


def mmd(real: Floats, made: Floats, bandwidth: float | None = None) -> float:
    """Squared maximum mean discrepancy of two sets of points, by a Gaussian kernel.

    About 0 for sets of one distribution, lower is better; the estimate is without bias and so can fall below 0.

    Parameters
    ----------
    real, made
        (n, d) and (m, d).
    bandwidth
        Of the kernel exp(-|a - b|^2 / (2 bandwidth^2)); the median distance between two points of both sets together,
        unless given.

    Returns
    -------
    From -2 to 2.

    Raises
    ------
    DataError
        With fewer than two rows in a set.

    References
    ----------
    Gretton et al., "A Kernel Two-Sample Test", JMLR 2012, equation 3 and, for the bandwidth, section 8.

    """
    several(real, made)
    width = median_distance(np.concatenate([real, made])) if bandwidth is None else bandwidth
    if not width > 0:  # all points are one
        return 0.0

    def kernel(a: Floats, b: Floats) -> float:
        return sum(float(np.exp(block / (-2 * width**2)).sum()) for _, block in squared_distances(a, b))

    n, m = len(real), len(made)
    within = (kernel(real, real) - n) / (n * (n - 1)) + (kernel(made, made) - m) / (m * (m - 1))
    return within - 2 * kernel(real, made) / (n * m)


def median_distance(features: Floats, most: int = 1000) -> float:
    """The median Euclidean distance between two rows of (n, d), of at most about ``most`` rows spread over the set."""
    some = features[:: max(1, -(-len(features) // most))]
    squares = np.concatenate([block for _, block in squared_distances(some, some)])
    return float(np.sqrt(np.median(squares[np.triu_indices(len(some), 1)]))) if len(some) > 1 else 0.0


def frechet_distance(real: Floats, made: Floats) -> float:
    """Squared Frechet distance between Gaussians fitted to two sets of points.

    0 for equal means and covariances, lower is better. It falls with the size of the sets: compare only equally large
    ones.

    Parameters
    ----------
    real, made
        (n, d) and (m, d).

    Returns
    -------
    From 0 up.

    Raises
    ------
    DataError
        With fewer than two rows in a set.

    References
    ----------
    Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", 2017, equation
    6.

    """
    several(real, made)
    a, b = real.astype(np.float64), made.astype(np.float64)
    gap = a.mean(axis=0) - b.mean(axis=0)
    cov_a, cov_b = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    # The trace of (C_a C_b)^(1/2) is that of (R C_b R)^(1/2) with R = C_a^(1/2), and this one is symmetric.
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    mixed = np.sqrt(np.linalg.eigvalsh(root @ cov_b @ root).clip(min=0)).sum()
    return max(0.0, float(gap @ gap + np.trace(cov_a) + np.trace(cov_b) - 2 * mixed))


def coverage(real: Floats, made: Floats, k: int = NEIGHBOURS) -> float:
    """Share of the real points that have a made one at least as near as their k-th real neighbour.

    Higher is better; low where parts of the distribution are missing. Two sets of one distribution, n and m large and
    alike, have 1 - 2^-k.

    Parameters
    ----------
    real, made
        (n, d) and (m, d).
    k
        Neighbours.

    Returns
    -------
    0 to 1.

    Raises
    ------
    DataError
        With k or fewer real points.

    References
    ----------
    Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", 2020, section 3, the definition of
    coverage and what is expected of it.

    """
    return float((in_balls(real, made, k) > 0).mean())


def density(real: Floats, made: Floats, k: int = NEIGHBOURS) -> float:
    """In how many k-nearest-neighbour balls of real points a made point lies, over k, on the mean.

    1 for two sets of one distribution. Low where made points are unlike real ones, above 1 where they crowd about the
    commonest ones.

    Parameters
    ----------
    real, made
        (n, d) and (m, d).
    k
        Neighbours.

    Returns
    -------
    From 0 to n / k.

    Raises
    ------
    DataError
        With k or fewer real points.

    References
    ----------
    Naeem et al. 2020 (see ``coverage``), section 3, the definition of density.

    """
    return float(in_balls(real, made, k).sum() / (k * max(len(made), 1)))


def in_balls(real: Floats, made: Floats, k: int) -> NDArray[np.int64]:
    """(n,) how many made points lie within the distance of each real point to its k-th nearest other real point."""
    if len(real) <= k:
        raise DataError(f"with k = {k} neighbours, more than {k} real points are needed, got {len(real)}")
    found = np.empty(len(real), dtype=np.int64)
    across = squared_distances(real, made)
    for (start, own), (_, other) in zip(squared_distances(real, real), across, strict=True):
        rows = np.arange(len(own))
        own[rows, start + rows] = np.inf  # no point is its own neighbour
        radius = np.partition(own, k - 1, axis=1)[:, k - 1]
        found[start : start + len(own)] = (other <= radius[:, None]).sum(axis=1)
    return found


def several(real: Floats, made: Floats) -> None:
    """Raise DataError unless both sets have two rows and equally long ones."""
    if min(len(real), len(made)) < 2 or real.shape[1:] != made.shape[1:]:
        raise DataError(
            f"two sets of at least 2 rows, equally long, can be compared; got shapes {real.shape} and {made.shape}"
        )


def squared_distances(a: Floats, b: Floats) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Squared Euclidean distances (rows, m) of blocks of rows of ``a`` to all of ``b``, each with its first row."""
    centre = b.mean(axis=0, dtype=np.float64) if len(b) else 0.0  # far from zero, the difference loses its digits
    a, b = a - centre, b - centre
    norms = np.einsum("ij,ij->i", b, b)
    for start in range(0, len(a), BLOCK_ROWS):
        block = a[start : start + BLOCK_ROWS]
        squares = np.einsum("ij,ij->i", block, block)[:, None] + norms - 2 * (block @ b.T)
        yield start, squares.clip(min=0)
