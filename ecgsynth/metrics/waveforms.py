"""How like each other two sets, or pairs, of windows are, as functions on arrays (n, time, channels)."""

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ConfigError, DataError, require

__all__ = [
    "autocorrelation_distance",
    "channel_spreads",
    "correlational_score",
    "cross_correlation_distance",
    "dtw_distance",
    "in_spreads",
    "marginal_distance",
    "nearest",
    "prd",
    "spectrum_distance",
]

BLOCK_ROWS = 512  # that are compared at a time
QUIET_SHARE = 1e-9  # of the mean power: what a spectrum has nowhere less of, so that a zero has a logarithm

# ---- two sets of windows


def spectrum_distance(
    real: NDArray[np.float32], made: NDArray[np.float32], fs_hz: float, band_hz: float | None = None
) -> float:
    """Root-mean-square difference between the mean log power spectra of two sets of windows.

    Lower is better. A spectrum is the periodogram of a window, less its mean, times a Hann taper, in decibels and then
    averaged over the windows.

    Parameters
    ----------
    real, made
        (n, time, channels) and (m, time, channels).
    fs_hz
        Samples a second.
    band_hz
        Frequencies above 0 up to this are compared; all, unless given.

    Returns
    -------
    From 0 up, in dB.

    Raises
    ------
    ConfigError
        For an empty band.

    References
    ----------
    Welch, "The Use of Fast Fourier Transform for the Estimation of Power Spectra", 1967, with one segment.

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
    floor = QUIET_SHARE * float(np.mean([power.mean() for power in powers])) or 1.0  # all is silent: 0 dB everywhere
    a, b = (10 * np.log10(power + floor).mean(axis=0) for power in powers)  # (frequencies, channels)
    return float(np.sqrt(np.square(a - b).mean()))


def autocorrelation_distance(real: NDArray[np.float32], made: NDArray[np.float32]) -> float:
    """Mean absolute difference between the autocorrelations of two sets of windows, over lags and channels.

    Lower is better. The autocorrelation of a set at a lag is the mean, over its windows and steps, of the product of
    two values that far apart, about the mean of the whole set and over its variance; a constant channel has 1. Lags go
    from 1 to half a window. It does not see scale or offset.

    Parameters
    ----------
    real, made
        (n, time, channels) and (m, time, channels).

    Returns
    -------
    From 0 up, hardly above 2.

    Raises
    ------
    DataError
        For windows of one step.

    References
    ----------
    After Ni et al., "Sig-Wasserstein GANs for Time Series Generation", 2021, whose code has norms where this has means.

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
    """Mean absolute difference between the correlations of channels of two sets of windows, over the pairs.

    Lower is better. The correlation is that of values at the same time, over all windows and steps; a constant channel
    has 0 with all others. It does not see scale or offset.

    Parameters
    ----------
    real, made
        (n, time, channels) and (m, time, channels).

    Returns
    -------
    0 to 2; NaN for a single channel.

    References
    ----------
    After Ni et al. 2021 (see ``autocorrelation_distance``), whose code has a sum where this has a mean.

    """
    gaps = correlation_gaps(real, made)
    return float(gaps.mean()) if len(gaps) else float("nan")


def correlational_score(
    real: NDArray[np.float32], made: NDArray[np.float32], *, repeats: int = 5, seed: int = 0
) -> NDArray[np.float64]:
    """How far the correlations of channels of two sets of windows are apart, as figures of the literature have it.

    Lower is better. The sum over the pairs of what ``cross_correlation_distance`` has the mean of, over ten, on random
    subsets of a ``repeats``-th of each set. It grows with the number of channels, and as a subset's correlations
    scatter, real windows beside other real ones have a floor that is not 0.

    Parameters
    ----------
    real, made
        (n, time, channels) and (m, time, channels).
    repeats
        Subsets of each set; the figures of Diffusion-TS are of five.
    seed
        Draws them.

    Returns
    -------
    (repeats,) from 0 up to channels x (channels - 1) / 10; 0 for a single channel.

    References
    ----------
    Liao et al., "Conditional Sig-Wasserstein GANs for Time Series Generation", 2020, whose cross-correlation metric at
    lag 0 this is; scaled and repeated as in Yuan and Qiao, "Diffusion-TS", ICLR 2024, section 4.1 and its code.

    """
    rng = np.random.default_rng(seed)
    subsets = [[x[rng.permutation(len(x))[: max(1, len(x) // repeats)]] for x in (real, made)] for _ in range(repeats)]
    return np.asarray([correlation_gaps(*subset).sum() / 10 for subset in subsets])


def correlation_gaps(real: NDArray[np.float32], made: NDArray[np.float32]) -> NDArray[np.float64]:
    """(pairs,) how far apart the correlations of two channels are, in two sets of windows."""
    matrices = []
    for values in (real, made):
        x = standardised(values)[0].reshape(-1, values.shape[2])
        matrices.append((x.T @ x) / len(x))
    return np.abs(matrices[0] - matrices[1])[np.triu_indices(real.shape[2], 1)]


def standardised(values: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Windows less the mean of each channel and over its deviation, 0 where it is constant; (channels,) where it is."""
    still = np.ptp(values, axis=(0, 1)) == 0
    centred = values - values.mean(axis=(0, 1), dtype=np.float64)
    deviation = np.sqrt(np.square(centred).mean(axis=(0, 1)))
    return np.where(still, 0.0, centred / np.where(still, 1.0, deviation)), still


def marginal_distance(real: NDArray[np.float32], made: NDArray[np.float32]) -> float:
    """How far the values of two sets of windows lie apart, whenever they occur: the mean over the channels.

    Lower is better: the Wasserstein-1 distance of a channel's values, computed by SciPy.

    Parameters
    ----------
    real, made
        (n, time, channels) and (m, time, channels).

    Returns
    -------
    From 0 up, in standard deviations of the real channel (see ``channel_spreads``).

    References
    ----------
    Ramdas, Garcia Trillos and Cuturi, "On Wasserstein Two-Sample Testing and Related Families of Nonparametric Tests",
    2017, in one dimension with p = 1.

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
    """The position in ``against`` of the window nearest to each query, by the Euclidean distance.

    Parameters
    ----------
    queries, against
        (n, time, channels) and (m, time, channels).

    Returns
    -------
    (n,)

    Raises
    ------
    DataError
        If ``against`` is empty.

    """
    if not len(against):
        raise DataError("there is nothing to measure the distance to")
    size = against[0].size
    other = against.reshape(len(against), size)
    centre = other.mean(axis=0, dtype=np.float64).astype(np.float32)  # far from zero, single precision ranks badly
    near = other - centre
    norms = np.einsum("ij,ij->i", near, near, dtype=np.float64)
    found = np.empty(len(queries), dtype=np.int64)
    for start in range(0, len(queries), BLOCK_ROWS):
        block = queries[start : start + BLOCK_ROWS].reshape(-1, size) - centre
        # |a - b|^2 = |a|^2 + |b|^2 - 2ab, and |a| is the same for all.
        found[start : start + len(block)] = (norms - 2 * (block @ near.T)).argmin(axis=1)
    return found


def prd(made: NDArray[np.float32], real: NDArray[np.float32]) -> NDArray[np.float64]:
    """Percentage root-mean-square difference of each window to the real one in the same place.

    100 sqrt(sum (real - made)^2 / sum real^2), the mean of the real window not taken off: it suits signals without an
    offset. Lower is better.

    Parameters
    ----------
    made, real
        (n, time, channels) each.

    Returns
    -------
    (n,) from 0 up, in per cent; infinite against a real window of zeros.

    References
    ----------
    Zigel, Cohen and Katz, "The Weighted Diagnostic Distortion (WDD) Measure for ECG Signal Compression", 2000, where it
    is the measure that others are held against.

    """
    rest = np.square(real - made, dtype=np.float64).sum(axis=(1, 2))
    whole = np.square(real, dtype=np.float64).sum(axis=(1, 2))
    share = np.divide(rest, whole, out=np.where(rest > 0, np.inf, 0.0), where=whole > 0)
    percent: NDArray[np.float64] = 100 * np.sqrt(share)
    return percent


def dtw_distance(made: NDArray[np.float32], real: NDArray[np.float32], band: int | None = None) -> NDArray[np.float64]:
    """Dynamic time warping distance of each window to the real one in the same place.

    Lower is better; never more than the root-mean-square difference, which it is for ``band`` 0. The least sum of
    squared differences over all paths that leave the diagonal by at most ``band`` samples, divided by time x channels,
    and its root.

    Parameters
    ----------
    made, real
        (n, time, channels) each.
    band
        In samples; a tenth of the window, unless given.

    Returns
    -------
    (n,) from 0 up, in the units of the values.

    References
    ----------
    Sakoe and Chiba, "Dynamic Programming Algorithm Optimization for Spoken Word Recognition", 1978, section II, with
    equal weights.

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
