"""Measures of likeness, as functions on arrays.

A measure of likeness compares two sets, or pairs, of windows (n, time, channels) or of their features (n, d); a number
of it means something only beside that of one real set against another.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ConfigError, DataError, require

__all__ = [
    "autocorrelation_distance",
    "channel_spreads",
    "coverage",
    "cross_correlation_distance",
    "density",
    "dtw_distance",
    "frechet_distance",
    "in_spreads",
    "marginal_distance",
    "median_distance",
    "mmd",
    "nearest",
    "prd",
    "spectrum_distance",
]

BLOCK = 512  # rows compared at a time
NEIGHBOURS = 5  # the k of coverage and density; Naeem et al. use it throughout
QUIET = 1e-9  # of the mean power: what a spectrum has nowhere less of, so that a zero has a logarithm

Floats = NDArray[np.float32] | NDArray[np.float64]


# ---- two sets of features


def mmd(real: Floats, made: Floats, bandwidth: float | None = None) -> float:
    """Squared maximum mean discrepancy of two sets of features (n, d) and (m, d), by a Gaussian kernel.

    From -2 to 2, about 0 for sets of one distribution, lower is better; the estimate is without bias and so can fall
    below 0. The kernel is exp(-|a - b|^2 / (2 bandwidth^2)); without a bandwidth, it is the median distance between
    two points of both sets together. Source: Gretton et al., "A Kernel Two-Sample Test", JMLR 2012, equation 3 and,
    for the bandwidth, section 8. DataError with fewer than two rows in a set.
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
    """Squared Frechet distance between Gaussians fitted to two sets of features (n, d) and (m, d).

    From 0 up, 0 for equal means and covariances, lower is better. It falls with the size of the sets: compare only
    equally large ones. Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
    Equilibrium", 2017, equation 6. DataError with fewer than two rows in a set.
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
    """Share of the real points (n, d) that have a made one (m, d) at least as near as their k-th real neighbour.

    0 to 1, higher is better; low where modes are missing. Two sets of one distribution, n and m large and alike, have
    1 - 2^-k. Source: Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", 2020, section 3,
    the definition of coverage and what is expected of it. DataError with k or fewer real points.
    """
    return float((in_balls(real, made, k) > 0).mean())


def density(real: Floats, made: Floats, k: int = NEIGHBOURS) -> float:
    """In how many k-nearest-neighbour balls of real points (n, d) a made point (m, d) lies, over k, on the mean.

    From 0 to n / k, 1 for two sets of one distribution. Low where made points are unlike real ones, above 1 where they
    crowd about the commonest ones. Source: Naeem et al. 2020, section 3, the definition of density. DataError with k or
    fewer real points.
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
        own[rows, start + rows] = np.inf  # nobody is a neighbour of himself
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
    for start in range(0, len(a), BLOCK):
        block = a[start : start + BLOCK]
        squares = np.einsum("ij,ij->i", block, block)[:, None] + norms - 2 * (block @ b.T)
        yield start, squares.clip(min=0)


# ---- two sets of windows


def spectrum_distance(
    real: NDArray[np.float32], made: NDArray[np.float32], fs_hz: float, band_hz: float | None = None
) -> float:
    """Root-mean-square difference in dB between the mean log power spectra of two sets (n, time, channels).

    From 0 up, lower is better. A spectrum is the periodogram of a window, less its mean, times a Hann taper (Welch,
    "The Use of Fast Fourier Transform for the Estimation of Power Spectra", 1967, with one segment), in decibels and
    then averaged over the windows; compared are the frequencies above 0 up to ``band_hz``, or all. ConfigError for an
    empty band.
    """
    frequencies = np.fft.rfftfreq(real.shape[1], 1 / fs_hz)
    within = (frequencies > 0) & (frequencies <= (fs_hz if band_hz is None else band_hz))
    if not within.any():
        raise ConfigError(
            f"windows of {real.shape[1]} samples at {fs_hz:g} Hz have no frequency up to {band_hz} Hz; widen the band"
        )
    taper = np.hanning(real.shape[1] + 1)[:-1, None]
    level = [x - x.mean(axis=1, keepdims=True, dtype=np.float64) for x in (real, made)]
    powers = [np.square(np.abs(np.fft.rfft(x * taper, axis=1)))[:, within] for x in level]
    floor = QUIET * float(np.mean([power.mean() for power in powers])) or 1.0  # all is silent: 0 dB everywhere
    a, b = (10 * np.log10(power + floor).mean(axis=0) for power in powers)  # (frequencies, channels)
    return float(np.sqrt(np.square(a - b).mean()))


def autocorrelation_distance(real: NDArray[np.float32], made: NDArray[np.float32]) -> float:
    """Mean absolute difference between the autocorrelations of two sets (n, time, channels), over lags and channels.

    From 0 up, hardly above 2, lower is better. The autocorrelation of a set at a lag is the mean, over its windows and
    steps, of the product of two values that far apart, about the mean of the whole set and over its variance; a
    constant channel has 1. Lags go from 1 to half a window. It does not see scale or offset. After Ni et al.,
    "Sig-Wasserstein GANs for Time Series Generation", 2021, whose code has norms where this has means. DataError for
    windows of one step.
    """
    if real.shape[1] < 2:
        raise DataError(f"the autocorrelation of windows needs at least 2 steps, got {real.shape[1]}")
    return float(np.abs(autocorrelations(real) - autocorrelations(made)).mean())


def autocorrelations(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """(lags, channels) of windows (n, time, channels), for lags from 1 to half a window."""
    x, still = standardised(values)
    time = values.shape[1]
    found = [np.einsum("ntc,ntc->c", x[:, lag:], x[:, :-lag]) / (len(x) * (time - lag)) for lag in lags(time)]
    return np.where(still, 1.0, np.stack(found))


def lags(time: int) -> range:
    return range(1, time // 2 + 1)


def cross_correlation_distance(real: NDArray[np.float32], made: NDArray[np.float32]) -> float:
    """Mean absolute difference between the correlations of channels of two sets (n, time, channels), over the pairs.

    0 to 2, lower is better; NaN for a single channel. The correlation is that of values at the same time, over all
    windows and steps; a constant channel has 0 with all others. It does not see scale or offset. After Ni et al. 2021,
    whose code has a sum where this has a mean.
    """
    matrices = []
    for values in (real, made):
        x = standardised(values)[0].reshape(-1, values.shape[2])
        matrices.append((x.T @ x) / len(x))
    pairs = np.triu_indices(real.shape[2], 1)
    return float(np.abs(matrices[0] - matrices[1])[pairs].mean()) if len(pairs[0]) else float("nan")


def standardised(values: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Windows less the mean of each channel and over its deviation, 0 where it is constant; (channels,) where it is."""
    still = np.ptp(values, axis=(0, 1)) == 0
    centred = values - values.mean(axis=(0, 1), dtype=np.float64)
    deviation = np.sqrt(np.square(centred).mean(axis=(0, 1)))
    return np.where(still, 0.0, centred / np.where(still, 1.0, deviation)), still


def marginal_distance(real: NDArray[np.float32], made: NDArray[np.float32]) -> float:
    """How far the values of two sets (n, time, channels) lie apart, whenever they occur: the mean over the channels.

    From 0 up, in standard deviations of the real channel (see ``channel_spreads``), lower is better: the Wasserstein-1
    distance of a channel's values, as in Ramdas, Garcia Trillos and Cuturi, "On Wasserstein Two-Sample Testing and
    Related Families of Nonparametric Tests", 2017, in one dimension with p = 1; computed by SciPy.
    """
    stats = require("scipy.stats", "comparing distributions")
    moved = [
        stats.wasserstein_distance(real[:, :, channel].ravel(), made[:, :, channel].ravel())
        for channel in range(real.shape[2])
    ]
    return float((moved / channel_spreads(real)).mean())


def channel_spreads(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """(channels,) the standard deviation of each channel of windows (n, time, channels), never 0.

    A constant channel has its size instead, and one of zeros 1.
    """
    size = np.abs(values).max(axis=(0, 1)).astype(np.float64)
    instead = np.where(size > 0, size, 1.0)
    return np.where(np.ptp(values, axis=(0, 1)) == 0, instead, values.std(axis=(0, 1), dtype=np.float64))


def in_spreads(like: NDArray[np.float32], *others: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Windows in standard deviations of each channel of ``like`` (see ``channel_spreads``), about its means."""
    means, spreads = like.mean(axis=(0, 1), dtype=np.float64), channel_spreads(like)
    return [((values - means) / spreads).astype(np.float32) for values in others]


# ---- windows and the one that is nearest to each


def nearest(queries: NDArray[np.float32], against: NDArray[np.float32]) -> NDArray[np.int64]:
    """(n,) the position in ``against`` (m, time, channels) of the window nearest to each query, by Euclid.

    queries: (n, time, channels). DataError where there is nothing to be near to.
    """
    if not len(against):
        raise DataError("there is nothing to measure the distance to")
    size = against[0].size
    other = against.reshape(len(against), size)
    centre = other.mean(axis=0, dtype=np.float64).astype(np.float32)  # far from zero, single precision ranks badly
    near = other - centre
    norms = np.einsum("ij,ij->i", near, near, dtype=np.float64)
    found = np.empty(len(queries), dtype=np.int64)
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK].reshape(-1, size) - centre
        # |a - b|^2 = |a|^2 + |b|^2 - 2ab, and |a| is the same for all.
        found[start : start + len(block)] = (norms - 2 * (block @ near.T)).argmin(axis=1)
    return found


def prd(made: NDArray[np.float32], real: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) percent root-mean-square difference of each window (n, time, channels) to the real one in the same place.

    From 0 up, 0 for equal ones, lower is better. 100 sqrt(sum (real - made)^2 / sum real^2), the mean of the real
    window not taken off: it suits signals without an offset. Source: Zigel, Cohen and Katz, "The Weighted Diagnostic
    Distortion (WDD) Measure for ECG Signal Compression", 2000, where it is the measure that others are held against.
    Infinite against a real window of zeros.
    """
    rest = np.square(real - made, dtype=np.float64).sum(axis=(1, 2))
    whole = np.square(real, dtype=np.float64).sum(axis=(1, 2))
    share = np.divide(rest, whole, out=np.where(rest > 0, np.inf, 0.0), where=whole > 0)
    percent: NDArray[np.float64] = 100 * np.sqrt(share)
    return percent


def dtw_distance(made: NDArray[np.float32], real: NDArray[np.float32], band: int | None = None) -> NDArray[np.float64]:
    """(n,) dynamic time warping distance of each window (n, time, channels) to the real one in the same place.

    From 0 up, in the units of the values, lower is better; never more than the root-mean-square difference, which it is
    for ``band`` 0. The least sum of squared differences over all paths that leave the diagonal by at most ``band``
    samples (a tenth of the window, unless told), divided by time x channels, and its root. Source: Sakoe and Chiba,
    "Dynamic Programming Algorithm Optimization for Spoken Word Recognition", 1978, section II, with equal weights.
    """
    n, time, channels = made.shape
    radius = time // 10 if band is None else band
    a = made.transpose(1, 2, 0).astype(np.float64)  # (time, channels, n): pairs go along the fastest axis
    b = real.transpose(1, 2, 0).astype(np.float64)
    # Cells (i, j) with i + j = s hang only on the two diagonals before; row i + 1 holds cell i, and row 0 is outside.
    before, last, now = (np.full((time + 2, n), np.inf) for _ in range(3))
    for s in range(2 * time - 1):
        low = max(0, s - time + 1, -(-(s - radius) // 2))
        high = min(s, time - 1, (s + radius) // 2) + 1
        if low >= high:  # with band 0, every other diagonal is empty
            now[:] = np.inf
        else:
            cost = np.square(a[low:high] - b[s - high + 1 : s - low + 1][::-1]).sum(axis=1)
            best = np.minimum(np.minimum(last[low:high], last[low + 1 : high + 1]), before[low:high])
            now[low + 1 : high + 1] = cost if s == 0 else cost + best
            now[low] = now[high + 1] = np.inf  # just outside the band
        before, last, now = last, now, before
    distance: NDArray[np.float64] = np.sqrt(last[time] / (time * channels))
    return distance
