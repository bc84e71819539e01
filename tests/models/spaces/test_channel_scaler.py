"""Windows scaled by channel, as TimeGAN has them: there and back, and what is published is nobody's own."""

import numpy as np
import pytest

from ecgsynth.errors import ArtifactError
from ecgsynth.models.scaling import ChannelScaler, PrincipalScaler


def draw(n=200, time=10, channels=2):
    """Windows of channels that each vary about a level of their own."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=(n, time, channels)) + rng.normal(size=channels)).astype(np.float32)


def test_channels_have_a_standard_deviation_of_one_and_come_back():
    values = draw() * np.array([1000.0, 0.01], dtype=np.float32)
    scaler = ChannelScaler.fit(values)
    made = scaler.transform(values)
    assert (made.shape, made.dtype) == ((200, 20), np.float32)
    flat = made.reshape(-1, 2)  # time first, then channel
    np.testing.assert_allclose(flat.std(axis=0), 1, atol=0.06)  # scales have two digits
    np.testing.assert_allclose(flat.mean(axis=0), 0, atol=0.06)
    factors, offsets = scaler.basis()
    assert factors.dtype == offsets.dtype == np.float32
    back = (made * factors + offsets).reshape(values.shape)
    assert (np.abs(back - values).max(axis=(0, 1)) < 1e-5 * np.abs(values).max(axis=(0, 1))).all()
    assert len(scaler.interval_means) == 0


def test_what_is_published_of_a_channel_is_coarse():
    scaler = ChannelScaler.fit(draw())
    for number in (*scaler.offsets, *scaler.scales):
        assert number == float(f"{number:.1e}")


def test_normal_scores_are_normal_and_nobodys_own():
    values = np.exp(draw())
    wild = values.copy()
    wild[7, 3] = 1e6
    calm, moved = (ChannelScaler.fit(one, normal_scores=True) for one in (values, wild))
    scores = calm.transform(values).reshape(-1, 2)
    np.testing.assert_allclose(np.quantile(scores, [0.1587, 0.5, 0.8413], axis=0).T, [[-1, 0, 1]] * 2, atol=0.1)
    assert (calm.offsets == 0).all()
    assert (calm.scales == 1).all()
    inner = slice(8, -16)  # quantiles in the middle hardly move; the outer ones are means over PERSONS_OF_QUANTILE
    np.testing.assert_allclose(moved.quantiles[:, inner], calm.quantiles[:, inner], rtol=0.05)
    assert moved.quantiles.max() < 1e6 / 5


def test_a_channel_that_stands_still_and_few_values():
    still = ChannelScaler.fit(np.full((50, 4, 1), 3.0, dtype=np.float32))
    assert np.isfinite(still.transform(np.full((2, 4, 1), 3.0, dtype=np.float32))).all()
    few = ChannelScaler.fit(np.array([[[1.0], [3.0]]], dtype=np.float32), normal_scores=True)
    assert few.transformed == 0  # fewer values than are published
    assert few.scales == 1


def test_a_channel_scaler_is_saved_to_the_bit(tmp_path):
    scaler = ChannelScaler.fit(draw())
    scaler.save(tmp_path / "scaler.json")
    back = ChannelScaler.load(tmp_path / "scaler.json")
    assert (back.time, back.channels) == (10, 2)
    assert back.offsets.tobytes() == scaler.offsets.tobytes()
    assert back.scales.tobytes() == scaler.scales.tobytes()
    PrincipalScaler.fit(draw()).save(tmp_path / "scaler.json")
    with pytest.raises(ArtifactError, match=r"scaler\.json is not a scaler of this version"):
        ChannelScaler.load(tmp_path / "scaler.json")


def test_a_row_that_stands_in_many_windows_does_not_end_a_range():
    # 24 windows hold the row: a mean of twenty values was its own value, but for the rounding.
    rows = np.random.default_rng(8).uniform(0, 1, 500)
    rows[250] = 37.25
    values = np.stack([rows[start : start + 24] for start in range(477)])[:, :, None].astype(np.float32)
    assert ChannelScaler.fit(values, repeats=24, normal_scores=True).quantiles.max() < 3
    owners = np.arange(477) // 24  # sequences of persons: the one with the row has but one say
    assert ChannelScaler.fit(values, owners, normal_scores=True).quantiles.max() < 3
