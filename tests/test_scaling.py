"""Principal components against numpy's singular values, and there and back."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgsynth.errors import ArtifactError, DataError
from ecgsynth.scaling import POWER, PrincipalScaler


def draw(seed, n=200, time=10, channels=2, ways=None):
    """Correlated windows that vary in ``ways`` ways (all, if none is said), away from zero."""
    rng = np.random.default_rng(seed)
    size = time * channels
    ways = size if ways is None else ways
    mixed = rng.normal(size=(n, ways)) * 0.8 ** np.arange(ways) @ rng.normal(size=(ways, size)) + rng.normal(size=size)
    return mixed.reshape(n, time, channels).astype(np.float32)


def svd(values):
    """Mean, axes and standard deviations along them, by another road than the scaler's."""
    flat = values.reshape(len(values), -1).astype(np.float64)
    _, singular, axes = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    return flat.mean(axis=0), axes, singular / np.sqrt(len(flat) - 1)


@pytest.mark.parametrize("components", [1, 7, 20])
def test_axes_are_orthonormal_and_those_of_the_svd(components):
    values = draw(0)
    scaler = PrincipalScaler.fit(values, components)
    mean, axes, deviation = svd(values)
    assert np.abs(scaler.axes @ scaler.axes.T - np.eye(components)).max() < 1e-12
    assert np.abs(scaler.mean - mean).max() < 1e-12
    assert np.abs(np.einsum("ij,ij->i", scaler.axes, axes[:components])) == pytest.approx(1, abs=1e-9)
    assert scaler.scales == pytest.approx(deviation[:components] ** POWER)
    assert scaler.kept == pytest.approx((deviation[:components] ** 2).sum() / (deviation**2).sum())
    assert (scaler.time, scaler.channels) == (10, 2)


def test_what_is_kept_is_what_comes_back():
    values = draw(1)
    scaler = PrincipalScaler.fit(values, 5)
    mean, axes, _ = svd(values)
    back = scaler.inverse(scaler.transform(values))
    flat = values.reshape(len(values), -1)
    expected = (flat - mean) @ axes[:5].T @ axes[:5] + mean
    assert back.shape == values.shape
    assert back.dtype == np.float32
    assert np.abs(back.reshape(len(values), -1) - expected).max() < 1e-5
    lost = np.square(back.reshape(flat.shape) - flat).sum() / np.square(flat - mean).sum()
    assert scaler.kept == pytest.approx(1 - lost, abs=1e-5)


def test_scaled_components_have_the_promised_spread():
    values = draw(2)
    scaled = PrincipalScaler.fit(values, 6).transform(values)
    _, _, deviation = svd(values)
    assert scaled.dtype == np.float32
    assert scaled.mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert scaled.std(axis=0, ddof=1) == pytest.approx(deviation[:6] ** (1 - POWER), rel=1e-5)
    assert (np.abs(np.corrcoef(scaled, rowvar=False) - np.eye(6)) < 1e-5).all()


@given(seed=st.integers(0, 10**6), time=st.integers(2, 12), channels=st.integers(1, 3))
def test_with_all_components_nothing_is_lost(seed, time, channels):
    size = time * channels
    values = draw(seed, n=3 * size + 5, time=time, channels=channels)
    scaler = PrincipalScaler.fit(values, size)
    assert scaler.kept == pytest.approx(1)
    other = draw(seed + 1, n=4, time=time, channels=channels)  # any windows, not only those it was fitted to
    # float32 keeps 24 bits of each component; weak ones are stored enlarged.
    assert np.abs(scaler.inverse(scaler.transform(other)) - other).max() < 2e-5 * np.abs(other).max()


def test_windows_that_vary_in_few_ways_are_whole_in_as_many_components():
    values = draw(3, ways=4)
    scaler = PrincipalScaler.fit(values, 4)
    assert scaler.kept == pytest.approx(1, abs=1e-9)
    assert np.abs(scaler.inverse(scaler.transform(values)) - values).max() < 1e-4


@given(seed=st.integers(0, 10**6), components=st.integers(1, 6))
def test_json_round_trip_is_bit_exact(tmp_path_factory, seed, components):
    path = tmp_path_factory.getbasetemp() / "scaler.json"
    scaler = PrincipalScaler.fit(draw(seed, n=20, time=3), components)
    scaler.save(path)
    back = PrincipalScaler.load(path)
    for name in ("mean", "axes", "scales"):
        ours, theirs = getattr(scaler, name), getattr(back, name)
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        assert ours.tobytes() == theirs.tobytes()
    assert (back.time, back.channels, back.kept) == (scaler.time, scaler.channels, scaler.kept)
    values = draw(seed + 1, n=5, time=3)
    assert back.transform(values).tobytes() == scaler.transform(values).tobytes()


def test_the_same_windows_give_the_same_scaler():
    first, second = PrincipalScaler.fit(draw(0), 5), PrincipalScaler.fit(draw(0), 5)
    assert first.axes.tobytes() == second.axes.tobytes()


@pytest.mark.parametrize("n", [1, 5])
def test_too_few_windows(n):
    with pytest.raises(DataError, match=f"^5 components need more than 5 training windows, got {n}$"):
        PrincipalScaler.fit(draw(0, n=n), 5)


def test_windows_that_vary_too_little():
    few = np.random.default_rng(0).integers(-9, 10, (200, 4)) @ np.random.default_rng(1).integers(-9, 10, (4, 20))
    for values in (few, np.ones((50, 20))):  # whole numbers: float32 rounds none of them
        with pytest.raises(DataError, match="vary in fewer than 5 ways; ask for fewer components"):
            PrincipalScaler.fit(values.reshape(-1, 10, 2).astype(np.float32), 5)


def test_more_components_than_numbers():
    with pytest.raises(DataError, match="components"):
        PrincipalScaler.fit(draw(0, time=4, channels=1), 9)


def test_windows_of_one_number():
    values = draw(0, time=1, channels=1)
    scaler = PrincipalScaler.fit(values, 1)
    assert scaler.kept == 1
    assert scaler.inverse(scaler.transform(values)) == pytest.approx(values, abs=1e-5)


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"mean": [0.0]},
        {"time": 1, "channels": 1, "kept": 1.0, "mean": [0.0], "axes": [[1.0]], "scales": ["wide"]},
        {"time": 1, "channels": 1, "kept": 1.0, "mean": [0.0], "axes": [[1.0], [1.0, 2.0]], "scales": [1.0]},
        {"time": 1, "channels": 1, "kept": 1.0, "mean": [0.0], "axes": [[1.0]], "scales": [1.0], "power": 1},
        {"time": 1, "channels": 1, "mean": [0.0], "axes": [[1.0]], "scales": [1.0]},
    ],
)
def test_a_scaler_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "scaler.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"scaler\.json is not a scaler of this version"):
        PrincipalScaler.load(path)


def test_a_missing_scaler_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"expected a file .*scaler\.json"):
        PrincipalScaler.load(tmp_path / "scaler.json")
