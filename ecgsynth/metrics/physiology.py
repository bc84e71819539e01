"""What a physician reads off single beats: R amplitude, QRS width, QT interval and T amplitude."""

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import require

__all__ = ["READINGS", "delineate", "wasserstein"]

READINGS = ("r_amplitude_mv", "qrs_width_s", "qt_s", "t_amplitude_mv")


R_WITHIN_S = 0.06  # the R peak is this near to the event
QRS_WITHIN_S = 0.16  # the QRS complex begins and ends this near to the event
STEEP_SHARE = 0.07  # of the steepest slope of the complex: what belongs to it is steeper
QUIET_S = 0.016  # a flat stretch that long ends the complex; the turns at its peaks are shorter
ST_S = 0.06  # the T wave does not peak so soon after the complex
T_WITHIN_S = 0.40  # and not so late after the event
T_SMOOTH_S = 0.03  # the T wave is smoothed over this long
LEAST_T_MV = 0.05  # a lower T wave is not distinguished from the rest


def delineate(values: NDArray[np.float32], fs_hz: float, event_index: int) -> dict[str, NDArray[np.float64]]:
    """READINGS of each beat, read off its first channel.

    Levels are taken from the median of the window, which stands for the isoelectric line.

    Parameters
    ----------
    values
        (n, time, channels) in mV.
    fs_hz
        Samples a second.
    event_index
        The sample at which the R peak lies, or nearly.

    Returns
    -------
    r_amplitude_mv
        (n,) the largest deflection, with its sign, within 60 ms of the event.
    qrs_width_s
        (n,) the stretch around the R peak in which the signal is steeper than 7 % of its steepest slope there, flat
        stretches below 16 ms not counting; NaN if it goes on for more than 160 ms to a side.
    t_amplitude_mv
        (n,) the largest deflection, with its sign, of the smoothed signal from 60 ms after the complex to 400 ms after
        the event; NaN if it lies at an end of that stretch or is below 0.05 mV.
    qt_s
        (n,) from the onset of the complex to where the steepest tangent after the T peak meets the isoelectric line;
        NaN without a T wave, or if that is outside of the window.

    References
    ----------
    Lepeschkin and Surawicz, "The Measurement of the Q-T Interval of the Electrocardiogram", 1952.

    """
    x = values[:, :, 0].astype(np.float64)
    x -= np.median(x, axis=1, keepdims=True)
    peak = furthest(x, *stretch(event_index, R_WITHIN_S, fs_hz, x.shape[1]))
    onset, end = complex_bounds(x, fs_hz, event_index, peak)
    t_peak, t_end, t_height = t_wave(x, fs_hz, event_index, end)
    known = np.where(np.isnan(t_peak), np.nan, 1.0)
    return {
        "r_amplitude_mv": x[np.arange(len(x)), peak],
        "qrs_width_s": (end - onset) / fs_hz,
        "qt_s": known * (t_end - onset) / fs_hz,
        "t_amplitude_mv": known * t_height,
    }


def stretch(event: int, within_s: float, fs_hz: float, time: int) -> tuple[int, int]:
    """First sample and end of what lies within so many seconds of the event, inside the window."""
    reach = round(within_s * fs_hz)
    return max(0, event - reach), min(time, event + reach + 1)


def furthest(x: NDArray[np.float64], low: int, high: int) -> NDArray[np.int64]:
    """(n,) the sample in low..high at which each row (n, time) is furthest from zero."""
    found: NDArray[np.int64] = low + np.abs(x[:, low:high]).argmax(axis=1)
    return found


def complex_bounds(
    x: NDArray[np.float64], fs_hz: float, event: int, peak: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) each, the samples at which the QRS complex begins and ends; NaN where no flat stretch bounds it."""
    slope = np.abs(np.gradient(x, axis=1))
    low, high = stretch(event, QRS_WITHIN_S / 2, fs_hz, x.shape[1])
    steep = slope >= STEEP_SHARE * slope[:, low:high].max(axis=1, keepdims=True)
    flat = max(2, round(QUIET_S * fs_hz))
    # A margin that counts as steep, so that a complex that leaves the window is not bounded by its end.
    reach = round(QRS_WITHIN_S * fs_hz) + flat
    steep = np.pad(steep, ((0, 0), (reach, reach)), constant_values=True)
    outward = np.arange(reach)
    sides = []
    for direction in (-1, 1):
        seen = np.take_along_axis(steep, reach + peak[:, None] + direction * outward, axis=1)  # (n, reach)
        quiet = ~np.lib.stride_tricks.sliding_window_view(seen, flat, axis=1).any(axis=2)
        first = quiet.argmax(axis=1)
        sides.append(np.where(first > 0, peak + direction * (first - 1.0), np.nan))  # 0: never, or a flat peak
    return sides[0], sides[1]


def t_wave(
    x: NDArray[np.float64], fs_hz: float, event: int, complex_end: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(n,) each, the samples of the T wave's peak and end, and its height; all NaN where there is none."""
    time = x.shape[1]
    smooth = moving_mean(x, max(1, round(T_SMOOTH_S * fs_hz)))
    clock = np.arange(time)
    rows = np.arange(len(x))
    first = np.ceil(np.nan_to_num(complex_end, nan=time) + ST_S * fs_hz)
    last = min(time - 1, event + round(T_WITHIN_S * fs_hz))
    searched = (clock >= first[:, None]) & (clock <= last)
    peak = np.where(searched, np.abs(smooth), -1.0).argmax(axis=1)
    height = smooth[rows, peak]
    # The steepest way back to the line within 120 ms, and the tangent there.
    back = -np.sign(height)[:, None] * np.gradient(smooth, axis=1)
    after = (clock > peak[:, None]) & (clock <= peak[:, None] + round(2 * ST_S * fs_hz))
    steepest = np.where(after, back, -np.inf).argmax(axis=1)
    fall = back[rows, steepest]
    end = steepest + np.abs(smooth[rows, steepest]) / np.where(fall > 0, fall, np.nan)
    known = (peak > first) & (peak < last) & (np.abs(height) >= LEAST_T_MV) & (end <= time - 1)
    return tuple(np.where(known, what, np.nan) for what in (peak, end, height))  # type: ignore[return-value]


def moving_mean(x: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Each row (n, time) averaged over ``length`` samples about each, made odd; the ends are held."""
    half = length // 2
    padded = np.pad(x, ((0, 0), (half + 1, half)), mode="edge").cumsum(axis=1)
    width = 2 * half + 1
    mean: NDArray[np.float64] = (padded[:, width:] - padded[:, :-width]) / width
    return mean


def wasserstein(real: NDArray[np.float64], made: NDArray[np.float64]) -> float:
    """Wasserstein-1 distance of two sets of numbers, those that are NaN left out; computed by SciPy.

    How far they must be moved, on the mean, to make one set into the other; lower is better.

    Parameters
    ----------
    real, made
        (n,) and (m,).

    Returns
    -------
    From 0 up, in the units of the numbers; NaN where none is left.

    References
    ----------
    Ramdas, Garcia Trillos and Cuturi, "On Wasserstein Two-Sample Testing and Related Families of Nonparametric Tests",
    2017, in one dimension with p = 1.

    """
    stats = require("scipy.stats", "comparing distributions")
    a, b = real[~np.isnan(real)], made[~np.isnan(made)]
    return float(stats.wasserstein_distance(a, b)) if len(a) and len(b) else float("nan")
