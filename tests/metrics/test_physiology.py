"""What is read off beats that are sums of Gaussian waves, whose peaks, widths and ends are known."""

import numpy as np
import pytest

from ecgsynth.metrics.physiology import READINGS, delineate, wasserstein

FS, EVENT, TIME = 360.0, 100, 256
CLOCK = (np.arange(TIME) - EVENT) / FS  # seconds from the event


def wave(height, centre_s, deviation_s, clock=CLOCK):
    return height * np.exp(-0.5 * ((clock - centre_s) / deviation_s) ** 2)


def beat(r=1.2, qrs=0.012, t=0.3, t_at=0.25, t_wide=0.03, level=0.0, noise=0.0, n=1):
    """Beats (n, time, 1) in mV; ``qrs`` and ``t_wide`` are standard deviations in seconds."""
    one = wave(r, 0, qrs) + wave(t, t_at, t_wide) + wave(0.1, -0.16, 0.02) + level
    return (one + noise * np.random.default_rng(0).normal(size=(n, TIME)))[..., None].astype(np.float32)


def read(values, fs=FS, event=EVENT):
    return {name: float(column[0]) for name, column in delineate(values, fs, event).items()}


def steep_until(deviation_s, share=0.07):
    """How far from its centre the slope of a Gaussian is above a share of its steepest, by bisection."""
    low, high = deviation_s, 10 * deviation_s
    for _ in range(60):
        middle = (low + high) / 2
        x = middle / deviation_s
        low, high = (middle, high) if x * np.exp((1 - x**2) / 2) > share else (low, middle)
    return low


@pytest.mark.parametrize("r", [0.4, 1.2, -2.0])
@pytest.mark.parametrize("t", [0.08, 0.3, -0.5])
def test_amplitudes_keep_height_and_sign(r, t):
    found = read(beat(r=r, t=t))
    assert found["r_amplitude_mv"] == pytest.approx(r, abs=0.01)
    assert found["t_amplitude_mv"] == pytest.approx(t, rel=0.1)  # smoothed over 30 ms


@pytest.mark.parametrize("qrs", [0.008, 0.012, 0.02, 0.03])
def test_the_width_of_a_complex(qrs):
    # A narrow T wave of low slope: what is measured is the Gaussian of the complex alone.
    found = read(beat(qrs=qrs, r=1.5, t=0.06, t_at=0.3, t_wide=0.04))
    assert found["qrs_width_s"] == pytest.approx(2 * steep_until(qrs), abs=2.5 / FS)


def test_a_notch_does_not_split_the_complex():
    left, right = wave(1, -0.02, 0.012), wave(0.9, 0.02, 0.012)
    found = read((left + right)[None, :, None].astype(np.float32))
    assert found["qrs_width_s"] == pytest.approx(0.04 + 2 * steep_until(0.012), abs=3 / FS)


def test_a_flat_top_does_not_end_the_complex():
    # Two waves a deviation to either side of the middle: their sum is flat there for 10 ms.
    top = wave(1, -0.012, 0.012) + wave(1, 0.012, 0.012)
    found = read(top[None, :, None].astype(np.float32))
    assert found["qrs_width_s"] == pytest.approx(0.024 + 2 * steep_until(0.012), abs=3 / FS)


@pytest.mark.parametrize("t_at", [0.22, 0.26, 0.32])
@pytest.mark.parametrize("t_wide", [0.025, 0.035])
def test_qt_ends_two_deviations_after_the_peak(t_at, t_wide):
    # The steepest tangent of a Gaussian touches at one deviation and meets the line at two.
    found = read(beat(t_at=t_at, t_wide=t_wide))
    smoothed = np.hypot(t_wide, 0.031 / np.sqrt(12))
    assert found["qt_s"] == pytest.approx(steep_until(0.012) + t_at + 2 * smoothed, abs=3 / FS)


def test_a_level_and_a_sign_change_nothing_else():
    plain, lifted, upside_down = read(beat()), read(beat(level=0.7)), read(-beat())
    for name in READINGS:
        assert lifted[name] == pytest.approx(plain[name], abs=1e-4)
        sign = -1 if name.endswith("_mv") else 1
        assert upside_down[name] == pytest.approx(sign * plain[name], abs=1e-4)


def test_times_hang_on_seconds_not_on_samples():
    clock = (np.arange(512) - 200) / 720
    one = wave(1.2, 0, 0.012, clock) + wave(0.3, 0.25, 0.03, clock)
    twice = read(one[None, :, None].astype(np.float32), 720, 200)
    plain = read(beat())
    for name in READINGS:
        assert twice[name] == pytest.approx(plain[name], abs=0.015)


def test_noise_of_a_real_recording_moves_little():
    found = delineate(beat(noise=0.005, n=400), FS, EVENT)
    plain = read(beat())
    for name, within in zip(READINGS, (0.03, 0.012, 0.012, 0.02), strict=True):
        assert np.isnan(found[name]).mean() < 0.05
        assert np.nanmedian(found[name]) == pytest.approx(plain[name], abs=within)


def test_what_cannot_be_measured_is_nan():
    flat = read(np.zeros((1, TIME, 1), dtype=np.float32))
    assert flat["r_amplitude_mv"] == 0
    assert np.isnan([flat[name] for name in READINGS[1:]]).all()
    no_t = read(beat(t=0.02))
    assert np.isnan([no_t["qt_s"], no_t["t_amplitude_mv"]]).all()
    assert no_t["qrs_width_s"] > 0
    endless = read(wave(1, 0, 0.15)[None, :, None].astype(np.float32))
    assert np.isnan(endless["qrs_width_s"])
    cut_off = read(beat(t_at=0.39, t_wide=0.05))  # the tangent meets the line outside of the window
    assert np.isnan(cut_off["qt_s"])
    # A lifted ST segment that sinks: what is highest at an end of the search is no peak.
    lifted = read(beat(t=0.2, t_at=0.05, t_wide=0.06))
    assert np.isnan([lifted["qt_s"], lifted["t_amplitude_mv"]]).all()
    assert lifted["qrs_width_s"] > 0


def test_a_short_window_has_an_r_peak_and_no_t_wave():
    found = read(beat()[:, 60:140], event=40)
    assert found["r_amplitude_mv"] == pytest.approx(1.2, abs=0.1)
    assert np.isnan(found["t_amplitude_mv"])
    assert np.isnan(read(beat()[:, 95:105], event=5)["qrs_width_s"])  # the ends of the window bound no complex


def test_each_beat_is_read_by_itself_and_only_its_first_channel():
    kinds = [beat(), beat(r=-1, qrs=0.03), beat(t=0.01), beat(t=-0.4)]
    together = np.concatenate(kinds)
    both = np.concatenate([together, np.random.default_rng(0).normal(size=together.shape)], axis=2).astype(np.float32)
    found = delineate(both, FS, EVENT)
    for i, kind in enumerate(kinds):
        alone = read(kind)
        assert [found[name][i] for name in READINGS] == pytest.approx([alone[name] for name in READINGS], nan_ok=True)
    assert set(found) == set(READINGS)
    assert delineate(both[:0], FS, EVENT)["qt_s"].shape == (0,)


def test_wasserstein_by_hand_and_without_what_is_missing():
    a = np.array([0.0, 1.0, 3.0, np.nan])
    assert wasserstein(a, a + 2) == pytest.approx(2)
    assert wasserstein(a, np.array([5.0, 6.0, 8.0])) == pytest.approx(5)
    assert wasserstein(a, a[::-1]) == 0
    assert wasserstein(np.array([0.0, 1.0]), np.array([0.5])) == pytest.approx(0.5)
    assert np.isnan(wasserstein(a, np.array([np.nan])))
