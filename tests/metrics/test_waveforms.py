"""Likeness of windows, by hand and against slow references."""

import numpy as np
import pytest

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.metrics import waveforms
from ecgsynth.metrics.waveforms import (
    autocorrelation_distance,
    channel_spreads,
    correlational_score,
    cross_correlation_distance,
    dtw_distance,
    marginal_distance,
    nearest,
    prd,
    spectrum_distance,
)

# ---- two sets of windows


def draw(seed, n, time=6, channels=2):
    return np.random.default_rng(seed).normal(size=(n, time, channels)).astype(np.float32)


def test_ten_times_the_amplitude_is_twenty_decibels():
    real = draw(0, 20, time=64)
    assert spectrum_distance(real, 10 * real, 100) == pytest.approx(20, rel=1e-4)
    assert spectrum_distance(10 * real, real, 100) == pytest.approx(20, rel=1e-4)
    assert spectrum_distance(real, real[::-1], 100) == pytest.approx(0, abs=1e-6)
    assert spectrum_distance(real, -real, 100) == pytest.approx(0, abs=1e-6)


def test_only_the_band_is_compared():
    clock = np.arange(200) / 200  # s
    low = np.sin(2 * np.pi * 10 * clock)[None, :, None].astype(np.float32)
    both = low + np.sin(2 * np.pi * 60 * clock)[None, :, None].astype(np.float32)
    assert spectrum_distance(low, both, 200, 40) < 0.1
    assert spectrum_distance(low, both, 200) > 5
    with pytest.raises(ConfigError, match=r"no frequency up to 0.5 Hz; widen the band"):
        spectrum_distance(low, both, 200, 0.5)


def test_silence_has_a_spectrum():
    silent = np.zeros((3, 32, 1), dtype=np.float32)
    assert spectrum_distance(silent, silent, 100) == 0
    assert np.isfinite(spectrum_distance(silent, draw(0, 3, time=32, channels=1), 100))


def test_an_offset_is_not_in_the_spectrum():
    real = draw(0, 50, time=128)
    assert spectrum_distance(real, real + 5, 100) == pytest.approx(0, abs=1e-3)


def walk(seed, n, memory, time=24, channels=2):
    """Windows of autoregressive noise of the first order, of which the autocorrelation is memory^lag."""
    rng = np.random.default_rng(seed)
    x = np.empty((n, time, channels))
    x[:, 0] = rng.normal(size=(n, channels))
    for t in range(1, time):
        x[:, t] = memory * x[:, t - 1] + np.sqrt(1 - memory**2) * rng.normal(size=(n, channels))
    return x.astype(np.float32)


def test_autocorrelation_distance_of_known_processes():
    found = autocorrelation_distance(walk(0, 20_000, 0.9), walk(1, 20_000, -0.5))
    lags = np.arange(1, 13)
    assert found == pytest.approx(np.abs(0.9**lags - (-0.5) ** lags).mean(), abs=0.005)
    assert autocorrelation_distance(walk(0, 20_000, 0.9), walk(1, 20_000, 0.9)) < 0.01


def slow_autocorrelation(x, lag):
    """By the definition, of one channel (n, time)."""
    mean = np.mean([value for window in x for value in window])
    variance = np.mean([(value - mean) ** 2 for window in x for value in window])
    products = [(window[t] - mean) * (window[t + lag] - mean) for window in x for t in range(len(window) - lag)]
    return np.mean(products) / variance


@pytest.mark.parametrize("time", [2, 5, 8])
def test_autocorrelation_distance_against_loops(time):
    a, b = draw(0, 9, time), 3 * draw(1, 14, time) + 1
    expected = [
        abs(slow_autocorrelation(a[:, :, channel].astype(float), lag) - slow_autocorrelation(b[:, :, channel], lag))
        for channel in (0, 1)
        for lag in range(1, time // 2 + 1)
    ]
    assert autocorrelation_distance(a, b) == pytest.approx(np.mean(expected), rel=1e-5)
    assert autocorrelation_distance(b, a) == pytest.approx(np.mean(expected), rel=1e-5)


def test_cross_correlation_distance_by_hand():
    base, other = draw(0, 50, channels=1), draw(1, 50, channels=1)
    same, against = np.concatenate([base, base], axis=2), np.concatenate([base, -base], axis=2)
    assert cross_correlation_distance(same, against) == pytest.approx(2)  # the most there is
    assert cross_correlation_distance(same, 5 * same - 3) == pytest.approx(0, abs=1e-6)
    real = np.concatenate([base, other, base + other], axis=2)
    made = np.concatenate([base, -other, base + other], axis=2)
    between = [np.corrcoef(x.reshape(-1, 3).T)[np.triu_indices(3, 1)] for x in (real, made)]
    assert cross_correlation_distance(real, made) == pytest.approx(np.abs(between[0] - between[1]).mean(), rel=1e-4)
    assert np.isnan(cross_correlation_distance(base, other))


def test_correlational_score_by_hand():
    base, other = draw(0, 50, channels=1), draw(1, 50, channels=1)
    same, against = (np.concatenate([base, sign * base, other], axis=2) for sign in (1, -1))
    # Correlations of 1 and -1 between the first two columns, and c and -c of the second with the third, over ten.
    c = np.corrcoef(base.ravel(), other.ravel())[0, 1]
    (whole,) = correlational_score(same, against, repeats=1)
    assert whole == pytest.approx((2 + 2 * abs(c)) / 10, rel=1e-4)
    assert whole == pytest.approx(cross_correlation_distance(same, against) * 3 / 10)
    found = correlational_score(same, against)
    assert found.shape == (5,)
    assert len(set(found)) == 5  # of other windows each
    assert found.mean() > whole  # the correlations of fewer windows scatter
    assert np.array_equal(found, correlational_score(same, against))
    assert correlational_score(base, other).tolist() == [0] * 5


def test_marginal_distance_by_hand():
    real = draw(0, 40)
    spread = real.std(axis=(0, 1))
    assert marginal_distance(real, real[::-1, ::-1]) == pytest.approx(0, abs=1e-7)  # whenever they occur
    assert marginal_distance(real, real + 3 * spread) == pytest.approx(3, rel=1e-4)
    one = real + np.float32([1, 0]) * spread
    assert marginal_distance(real, one) == pytest.approx(0.5, rel=1e-4)
    units = np.float32([1000, 0.001])
    assert marginal_distance(units * real, units * one) == pytest.approx(0.5, rel=1e-4)
    two = np.array([0, 0, 2, 2], dtype=np.float32).reshape(2, 2, 1)
    assert marginal_distance(two, np.float32([[[1]]])) == pytest.approx(1)


def test_constant_channels_have_distances():
    real, made = draw(0, 30), draw(1, 30)
    still = real.copy()
    still[:, :, 1] = 0.1  # not a number that sums exactly
    assert channel_spreads(still) == pytest.approx([real[:, :, 0].std(), 0.1])
    assert channel_spreads(np.zeros((2, 3, 1), dtype=np.float32)).tolist() == [1]
    for measure in (autocorrelation_distance, cross_correlation_distance, marginal_distance):
        assert measure(still, still) == 0
        assert np.isfinite(measure(still, made))
        assert measure(made, still) > 0
    lags = np.arange(1, 13)
    lively = walk(0, 20_000, 0.5, channels=1)
    assert autocorrelation_distance(np.ones_like(lively), lively) == pytest.approx(1 - (0.5**lags).mean(), abs=0.005)
    late = still.copy()
    late[:, :, 1] = 0.2
    assert autocorrelation_distance(still, late) == cross_correlation_distance(still, late) == 0
    assert marginal_distance(still, late) == pytest.approx(0.5)  # half of the channels, by once their size


def test_one_step_has_no_autocorrelation():
    with pytest.raises(DataError, match="needs at least 2 steps, got 1"):
        autocorrelation_distance(draw(0, 4, 1), draw(1, 4, 1))


# ---- windows and the one that is nearest to each


def test_nearest_by_hand():
    against = np.array([[[0.0], [0.0]], [[10.0], [10.0]], [[3.0], [3.0]]], dtype=np.float32)
    queries = np.array([[[3.0], [4.0]], [[10.0], [10.0]], [[1.0], [-1.0]]], dtype=np.float32)
    assert nearest(queries, against).tolist() == [2, 1, 0]
    with pytest.raises(DataError, match="nothing to measure the distance to"):
        nearest(queries, against[:0])


def test_prd_by_hand():
    real = np.array([[[3.0], [4.0]], [[3.0], [4.0]], [[0.0], [0.0]], [[0.0], [0.0]]], dtype=np.float32)
    made = np.array([[[3.0], [4.5]], [[0.0], [0.0]], [[0.0], [1.0]], [[0.0], [0.0]]], dtype=np.float32)
    assert prd(made, real).tolist() == pytest.approx([10.0, 100.0, np.inf, 0.0])


def slow_dtw(a, b, band):
    time = len(a)
    table = np.full((time + 1, time + 1), np.inf)
    table[0, 0] = 0
    for i in range(time):
        for j in range(time):
            if abs(i - j) <= band:
                cost = np.sum((a[i].astype(float) - b[j].astype(float)) ** 2)
                table[i + 1, j + 1] = cost + min(table[i, j], table[i, j + 1], table[i + 1, j])
    return np.sqrt(table[time, time] / a.size)


@pytest.mark.parametrize("band", [0, 1, 2, 3, 8, 30])
@pytest.mark.parametrize(("time", "channels"), [(1, 1), (2, 1), (9, 2), (16, 1)])
def test_dtw_against_loops(time, channels, band):
    a, b = draw(0, 7, time, channels), draw(1, 7, time, channels)
    expected = [slow_dtw(x, y, band) for x, y in zip(a, b, strict=True)]
    assert dtw_distance(a, b, band) == pytest.approx(expected, rel=1e-9)
    assert dtw_distance(b, a, band) == pytest.approx(expected, rel=1e-9)


def test_dtw_without_a_band_is_the_root_mean_square_and_falls_with_it():
    a, b = draw(0, 20, 40, 1), draw(1, 20, 40, 1)
    distances = [dtw_distance(a, b, band) for band in (0, 1, 4, 39)]
    assert distances[0] == pytest.approx(np.sqrt(np.mean((a - b) ** 2, axis=(1, 2))), rel=1e-5)
    assert all((wider <= narrower).all() for narrower, wider in zip(distances, distances[1:], strict=False))
    assert np.array_equal(dtw_distance(a, b), distances[2])  # a tenth of the window
    assert dtw_distance(a[:0], b[:0]).shape == (0,)


def test_dtw_forgives_a_delay_that_its_band_allows():
    clock = np.arange(100)
    beat = np.exp(-(((clock - 50) / 4.0) ** 2))[None, :, None].astype(np.float32)
    late = np.roll(beat, 6, axis=1)
    assert dtw_distance(beat, late, 6) == pytest.approx(0, abs=1e-6)
    assert dtw_distance(beat, late, 2) > 0.03


def test_the_blocks_do_not_show(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(n, 3, 1)).astype(np.float32) for n in (70, 45))
    whole = nearest(a, b)
    monkeypatch.setattr(waveforms, "BLOCK_ROWS", 16)
    assert (nearest(a, b) == whole).all()
