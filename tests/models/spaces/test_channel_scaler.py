"""Windows scaled by channel, as TimeGAN has them: there and back, and ranges that are nobody's own."""

import numpy as np
import pytest

from ecgsynth.errors import ArtifactError
from ecgsynth.models.scaling import ChannelScaler, PrincipalScaler


def draw(n=200, time=10, channels=2):
    """Windows of channels that each vary about a level of their own."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=(n, time, channels)) + rng.normal(size=channels)).astype(np.float32)


def test_channels_lie_between_0_and_1_and_come_back():
    values = draw() * np.array([1000.0, 0.01], dtype=np.float32)
    scaler = ChannelScaler.fit(values)
    made = scaler.transform(values)
    assert (made.shape, made.dtype) == ((200, 20), np.float32)
    flat = made.reshape(-1, 2)  # time first, then channel
    assert (flat.min(axis=0) < 0.1).all()
    assert (flat.max(axis=0) > 0.9).all()
    assert ((flat >= 0) & (flat <= 1)).mean() > 0.99
    spans, lows = scaler.basis()
    assert spans.dtype == lows.dtype == np.float32
    back = (made * spans + lows).reshape(values.shape)
    assert (np.abs(back - values).max(axis=(0, 1)) < 1e-5 * np.abs(values).max(axis=(0, 1))).all()
    assert len(scaler.interval_means) == 0


def test_the_ends_of_a_range_are_nobodys_own():
    values = np.linspace(0, 1, 2000, dtype=np.float32).reshape(200, 10, 1)
    wild = values.copy()
    wild[7, 3] = 1e6
    calm, moved = ChannelScaler.fit(values), ChannelScaler.fit(wild)
    low, high = np.sort(values.ravel())[:10].mean(), np.sort(values.ravel())[-10:].mean()
    assert calm.lows == pytest.approx(low - 0.05 * (high - low), abs=1e-6)
    assert calm.highs == pytest.approx(high + 0.05 * (high - low), abs=1e-6)
    assert moved.highs == pytest.approx(calm.highs, rel=0.01)  # where a range would end with it


def test_a_range_of_nothing_and_a_few_values():
    still = ChannelScaler.fit(np.full((50, 4, 1), 3.0, dtype=np.float32))
    assert np.isfinite(still.transform(np.full((2, 4, 1), 3.0, dtype=np.float32))).all()
    few = ChannelScaler.fit(np.array([[[1.0], [3.0]]], dtype=np.float32))  # fewer values than are published
    assert few.lows < few.highs


def test_a_channel_scaler_is_saved_to_the_bit(tmp_path):
    scaler = ChannelScaler.fit(draw())
    scaler.save(tmp_path / "scaler.json")
    back = ChannelScaler.load(tmp_path / "scaler.json")
    assert (back.time, back.channels) == (10, 2)
    assert back.lows.tobytes() == scaler.lows.tobytes()
    assert back.highs.tobytes() == scaler.highs.tobytes()
    PrincipalScaler.fit(draw()).save(tmp_path / "scaler.json")
    with pytest.raises(ArtifactError, match=r"scaler\.json is not a scaler of this version"):
        ChannelScaler.load(tmp_path / "scaler.json")


def test_a_row_that_stands_in_many_windows_does_not_end_a_range():
    # 24 windows hold the row: a mean of twenty values was its own value, but for the rounding.
    rows = np.random.default_rng(8).uniform(0, 1, 500)
    rows[250] = 37.25
    values = np.stack([rows[start : start + 24] for start in range(477)])[:, :, None].astype(np.float32)
    assert ChannelScaler.fit(values, repeats=24).highs < 1.3
    owners = np.arange(477) // 24  # sequences of persons: the one with the row has but one say
    assert ChannelScaler.fit(values, owners).highs < 1.3


def test_the_range_of_too_few_persons_is_coarse():
    values = np.random.default_rng(9).normal(5, 2, (40, 3, 1)).astype(np.float32)
    scaler = ChannelScaler.fit(values, np.arange(40) % 3)
    low, high = scaler.lows[0], scaler.highs[0]
    middle, spread = (low + high) / 2, (high - low) / (8 * 1.1)
    assert (middle, spread) == (pytest.approx(round(middle, 1)), pytest.approx(round(spread, 1)))
    assert (low < values.min()) & (values.max() < high)
