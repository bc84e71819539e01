"""Principal components against numpy's singular values, RR intervals against their logarithms, and there and back."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgsynth.errors import ArtifactError, DataError
from ecgsynth.models.scaling import LOST_SHARE, MOST_COMPONENTS, POWER, PrincipalScaler


def draw(seed, n=200, time=10, channels=2, ways=None):
    """Correlated windows that vary in ``ways`` ways (all, if none is said), away from zero."""
    rng = np.random.default_rng(seed)
    size = time * channels
    ways = size if ways is None else ways
    mixed = rng.normal(size=(n, ways)) * 0.8 ** np.arange(ways) @ rng.normal(size=(ways, size)) + rng.normal(size=size)
    return mixed.reshape(n, time, channels).astype(np.float32)


def draw_intervals(seed, n=200, missing=0.05):
    """RR intervals about 0.8 s before and 1.1 s after, some of which are missing."""
    rng = np.random.default_rng(seed)
    rr_s = np.exp(rng.normal(size=(n, 2)) * [0.1, 0.3] + np.log([0.8, 1.1]))
    rr_s[rng.random(size=rr_s.shape) < missing] = np.nan
    return rr_s.astype(np.float32)


def inverse(scaler, features):
    """Windows and intervals from features, by the matrix that the exported file has."""
    matrix, added = scaler.basis()
    made = features @ matrix + added
    size = scaler.time * scaler.channels
    return made[:, :size].reshape(-1, scaler.time, scaler.channels), np.exp(made[:, size:])


def svd(values):
    """Mean, axes and standard deviations along them, by another road than the scaler's."""
    flat = values.reshape(len(values), -1).astype(np.float64)
    _, singular, axes = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    return flat.mean(axis=0), axes, singular / np.sqrt(len(flat) - 1)


@pytest.mark.parametrize("components", [1, 7, 20])
def test_axes_are_orthonormal_and_those_of_the_svd(components):
    values = draw(0)
    scaler = PrincipalScaler.fit(values, components=components)
    mean, axes, deviation = svd(values)
    assert np.abs(scaler.axes @ scaler.axes.T - np.eye(components)).max() < 1e-12
    assert np.abs(scaler.mean - mean).max() < 1e-12
    assert np.abs(np.einsum("ij,ij->i", scaler.axes, axes[:components])) == pytest.approx(1, abs=1e-9)
    assert scaler.scales == pytest.approx(deviation[:components] ** POWER)
    assert scaler.explained == pytest.approx((deviation[:components] ** 2).sum() / (deviation**2).sum())
    assert (scaler.time, scaler.channels) == (10, 2)


def test_what_is_kept_is_what_comes_back():
    values = draw(1)
    scaler = PrincipalScaler.fit(values, components=5)
    mean, axes, _ = svd(values)
    back, _ = inverse(scaler, scaler.transform(values))
    flat = values.reshape(len(values), -1)
    expected = (flat - mean) @ axes[:5].T @ axes[:5] + mean
    assert back.shape == values.shape
    assert back.dtype == np.float32
    assert np.abs(back.reshape(len(values), -1) - expected).max() < 1e-5
    lost = np.square(back.reshape(flat.shape) - flat).sum() / np.square(flat - mean).sum()
    assert scaler.explained == pytest.approx(1 - lost, abs=1e-5)


def test_scaled_components_have_the_promised_spread():
    values = draw(2)
    scaled = PrincipalScaler.fit(values, components=6).transform(values)
    _, _, deviation = svd(values)
    assert scaled.dtype == np.float32
    assert scaled.mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert scaled.std(axis=0, ddof=1) == pytest.approx(deviation[:6] ** (1 - POWER), rel=1e-5)
    assert (np.abs(np.corrcoef(scaled, rowvar=False) - np.eye(6)) < 1e-5).all()


@given(seed=st.integers(0, 10**6), time=st.integers(2, 12), channels=st.integers(1, 3))
def test_with_all_components_nothing_is_lost(seed, time, channels):
    size = time * channels
    values = draw(seed, n=3 * size + 5, time=time, channels=channels)
    scaler = PrincipalScaler.fit(values, components=size)
    assert scaler.explained == pytest.approx(1)
    other = draw(seed + 1, n=4, time=time, channels=channels)  # any windows, not only those it was fitted to
    # float32 keeps 24 bits of each component; weak ones are stored enlarged.
    assert np.abs(inverse(scaler, scaler.transform(other))[0] - other).max() < 2e-5 * np.abs(other).max()


def test_windows_that_vary_in_few_ways_are_whole_in_as_many_components():
    values = draw(3, ways=4)
    scaler = PrincipalScaler.fit(values, components=4)
    assert scaler.explained == pytest.approx(1, abs=1e-9)
    assert np.abs(inverse(scaler, scaler.transform(values))[0] - values).max() < 1e-4


@given(seed=st.integers(0, 10**6), components=st.integers(1, 6))
def test_json_round_trip_is_bit_exact(tmp_path_factory, seed, components):
    path = tmp_path_factory.getbasetemp() / "scaler.json"
    rr_s = draw_intervals(seed, n=20) if seed % 2 else None
    scaler = PrincipalScaler.fit(draw(seed, n=20, time=3), rr_s, components=components)
    assert len(scaler.interval_means) == 2 * (seed % 2)
    scaler.save(path)
    back = PrincipalScaler.load(path)
    for name in ("mean", "weights", "axes", "scales", "interval_means", "interval_scales"):
        ours, theirs = getattr(scaler, name), getattr(back, name)
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        assert ours.tobytes() == theirs.tobytes()
    assert (back.time, back.channels, back.explained) == (scaler.time, scaler.channels, scaler.explained)
    values = draw(seed + 1, n=5, time=3)
    seen = rr_s[:5] if rr_s is not None else None
    assert back.transform(values, seen).tobytes() == scaler.transform(values, seen).tobytes()


def test_the_same_windows_give_the_same_scaler():
    first, second = PrincipalScaler.fit(draw(0), components=5), PrincipalScaler.fit(draw(0), components=5)
    assert first.axes.tobytes() == second.axes.tobytes()


@pytest.mark.parametrize("n", [1, 5])
def test_too_few_windows(n):
    with pytest.raises(DataError, match=f"^5 components need more than that many training windows, got {n}$"):
        PrincipalScaler.fit(draw(0, n=n), components=5)


def test_windows_that_vary_too_little():
    few = np.random.default_rng(0).integers(-9, 10, (200, 4)) @ np.random.default_rng(1).integers(-9, 10, (4, 20))
    for values in (few, np.ones((50, 20))):  # whole numbers: float32 rounds none of them
        with pytest.raises(DataError, match="vary in fewer than 5 ways; ask for fewer components"):
            PrincipalScaler.fit(values.reshape(-1, 10, 2).astype(np.float32), components=5)


@pytest.mark.parametrize("n", [0, 1])
def test_without_a_number_of_components_two_windows_are_needed(n):
    with pytest.raises(DataError, match=f"^1 components need more than that many training windows, got {n}$"):
        PrincipalScaler.fit(draw(0, n=n))
    assert len(PrincipalScaler.fit(draw(0, n=2)).axes) == 1


def test_windows_that_are_all_alike():
    with pytest.raises(DataError, match="vary in fewer than 1 ways"):
        PrincipalScaler.fit(np.ones((50, 10, 2), dtype=np.float32))


def test_more_components_than_numbers():
    with pytest.raises(DataError, match="windows of 4 x 1 numbers have no 9 components; ask for fewer"):
        PrincipalScaler.fit(draw(0, time=4, channels=1), components=9)


def test_windows_of_one_number():
    values = draw(0, time=1, channels=1)
    scaler = PrincipalScaler.fit(values, components=1)
    assert scaler.explained == 1
    assert inverse(scaler, scaler.transform(values))[0] == pytest.approx(values, abs=1e-5)


WHOLE = {
    **{"time": 1, "channels": 1, "kept": 1.0, "mean": [0.0], "weights": [1.0], "axes": [[1.0]], "scales": [1.0]},
    **{"interval_means": [], "interval_scales": [], "stepped": [0.0], "knots": [[0.0]], "scores": [[0.0]]},
}


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"mean": [0.0]},
        {**WHOLE, "scales": ["wide"]},
        {**WHOLE, "axes": [[1.0], [1.0, 2.0]]},
        {**WHOLE, "power": 1},
        {name: value for name, value in WHOLE.items() if name != "kept"},
        {name: value for name, value in WHOLE.items() if not name.startswith("interval")},  # as before there were any
        {name: value for name, value in WHOLE.items() if name != "weights"},  # as before channels were weighed
        {"time": 1, "channels": 1, "lows": [0.0], "highs": [1.0]},  # of TimeGAN
    ],
)
def test_a_scaler_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "scaler.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"scaler\.json is not a scaler of this version"):
        PrincipalScaler.load(path)


def test_a_scaler_that_is_whole_is_read(tmp_path):
    path = tmp_path / "scaler.json"
    path.write_text(json.dumps(WHOLE), encoding="utf-8")
    assert PrincipalScaler.load(path).scales == 1


def test_a_missing_scaler_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"expected a file .*scaler\.json"):
        PrincipalScaler.load(tmp_path / "scaler.json")


# ---- how many components


def test_without_a_number_so_many_components_that_next_to_nothing_is_lost():
    # Independent numbers with variances that fall by a power of ten and more: how many are needed can be counted.
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(5000, 12)) * 10.0 ** (-0.6 * np.arange(12))).reshape(-1, 6, 2).astype(np.float32)
    scaler = PrincipalScaler.fit(values)
    _, _, deviation = svd(values)
    share = np.cumsum(deviation**2) / (deviation**2).sum()
    assert LOST_SHARE == 1e-5
    (enough,) = np.flatnonzero((share >= 1 - 1e-5) & (np.roll(share, 1) < 1 - 1e-5))
    assert len(scaler.axes) == enough + 1 == 5
    assert scaler.explained == pytest.approx(share[enough])
    assert scaler.explained >= 1 - 1e-5
    assert PrincipalScaler.fit(values, components=3).axes == pytest.approx(scaler.axes[:3])


def test_there_are_never_more_components_than_windows_less_one_nor_than_the_most():
    assert MOST_COMPONENTS == 192
    values = draw(0, n=200)
    assert len(PrincipalScaler.fit(values).axes) > 8
    assert len(PrincipalScaler.fit(values[:8]).axes) == 7  # eight windows vary in seven ways
    assert len(PrincipalScaler.fit(values, most=4).axes) == 4
    assert len(PrincipalScaler.fit(values, components=6, most=4).axes) == 6  # who asks for more gets it


# ---- RR intervals


def test_intervals_are_scaled_logarithms_after_the_components():
    values, rr_s = draw(0), draw_intervals(1)
    rr_s[0] = [0.05, 9.0]  # taken as 0.2 and 3 s
    scaler = PrincipalScaler.fit(values, rr_s, components=5)
    alone = PrincipalScaler.fit(values, components=5)
    assert scaler.axes.tobytes() == alone.axes.tobytes()
    made = scaler.transform(values, rr_s)
    assert (made.shape, made.dtype) == ((200, 7), np.float32)
    assert np.array_equal(made[:, :5], alone.transform(values))
    for column in range(2):
        there = [row for row in range(200) if np.isfinite(rr_s[row, column])]
        logs = np.array([np.log(min(max(float(rr_s[row, column]), 0.2), 3.0)) for row in there])
        assert scaler.interval_means[column] == pytest.approx(logs.mean())
        assert scaler.interval_scales[column] == pytest.approx(np.sqrt(np.square(logs - logs.mean()).mean()))
        assert made[there, 5 + column] == pytest.approx((logs - logs.mean()) / logs.std(), abs=1e-5)
        gone = np.isnan(rr_s[:, column])
        assert 2 < gone.sum() < 40
        assert (made[gone, 5 + column] == 0).all()  # the mean


def test_intervals_come_back_beside_their_windows():
    values, rr_s = draw(0), draw_intervals(1, missing=0)
    scaler = PrincipalScaler.fit(values, rr_s, components=20)
    matrix, added = scaler.basis()
    assert matrix.shape == (22, 22)
    assert added.shape == (22,)
    assert matrix.dtype == added.dtype == np.float32
    assert (matrix[:20, 20:] == 0).all()  # the two do not mix
    assert (matrix[20:, :20] == 0).all()
    back, intervals = inverse(scaler, scaler.transform(values, rr_s))
    assert np.abs(back - values).max() < 1e-4
    assert intervals == pytest.approx(rr_s, rel=1e-4)


def test_the_way_back_from_nothing_is_the_mean_window_and_the_mean_interval():
    values, rr_s = draw(0), draw_intervals(1)
    scaler = PrincipalScaler.fit(values, rr_s, components=5)
    window, intervals = inverse(scaler, np.zeros((1, 7), dtype=np.float32))
    assert window[0] == pytest.approx(values.mean(axis=0), abs=1e-5)
    assert intervals[0] == pytest.approx(np.exp(np.nanmean(np.log(rr_s), axis=0)), rel=1e-5)


@pytest.mark.parametrize("gone", [(0, 1), (0,), (1,)])
def test_where_nothing_has_a_neighbour_there_are_no_intervals(gone):
    values, rr_s = draw(0), draw_intervals(1)
    rr_s[:, gone] = np.nan
    scaler = PrincipalScaler.fit(values, rr_s, components=5)
    assert scaler.interval_means.shape == scaler.interval_scales.shape == (0,)
    assert scaler.transform(values, rr_s).shape == (200, 5)
    assert scaler.transform(values).shape == (200, 5)
    assert scaler.basis()[0].shape == (5, 20)


def test_intervals_that_do_not_vary_are_not_divided_by_nothing():
    values = draw(0)
    scaler = PrincipalScaler.fit(values, np.full((200, 2), 0.8, dtype=np.float32), components=5)
    assert scaler.interval_scales == pytest.approx(1e-3)
    other = scaler.transform(values[:1], np.full((1, 2), 0.9, dtype=np.float32))
    assert other[0, 5:] == pytest.approx(np.log(0.9 / 0.8) / 1e-3, rel=1e-4)


def test_windows_without_the_intervals_of_training_are_refused():
    values = draw(0)
    scaler = PrincipalScaler.fit(values, draw_intervals(1), components=5)
    with pytest.raises(DataError, match="expected windows with RR intervals, as in training, got none"):
        scaler.transform(values)


# ---- channels in different units, and clusters


def test_weighed_channels_count_alike_whatever_their_units():
    values = draw(0)
    units = np.array([1000.0, 0.01], dtype=np.float32)
    scaler, other = (PrincipalScaler.fit(some, components=6, weigh=True) for some in (values, values * units))
    assert scaler.weights == pytest.approx(values.std(axis=(0, 1)), rel=1e-5)
    assert other.weights == pytest.approx(scaler.weights * units, rel=1e-4)
    assert np.abs(np.abs(scaler.axes @ other.axes.T) - np.eye(6)).max() < 1e-3  # the same but for their signs
    assert np.abs(scaler.transform(values)) == pytest.approx(np.abs(other.transform(values * units)), abs=1e-2)
    weighed = values / scaler.weights.astype(np.float32)
    plain = PrincipalScaler.fit(weighed, components=6)
    assert np.abs(scaler.transform(values)) == pytest.approx(np.abs(plain.transform(weighed)), abs=1e-3)
    assert (PrincipalScaler.fit(values).weights == 1).all()


def test_what_is_weighed_comes_back_in_its_own_units():
    values = draw(0) * np.array([1000.0, 0.01], dtype=np.float32)
    scaler = PrincipalScaler.fit(values, components=20, weigh=True)
    back, _ = inverse(scaler, scaler.transform(values))
    assert (np.abs(back - values).max(axis=(0, 1)) < 1e-4 * np.abs(values).max(axis=(0, 1))).all()


def test_a_channel_that_stands_still_is_not_divided_by_nothing():
    values = draw(0)
    values[:, :, 1] = 3.0
    scaler = PrincipalScaler.fit(values, weigh=True)
    assert np.isfinite(scaler.transform(values)).all()
    back, _ = inverse(scaler, scaler.transform(values))
    assert back[:, :, 1] == pytest.approx(3.0, abs=1e-5)


def test_components_of_clusters_are_uncorrelated_within_them():
    # Two flat clusters side by side, far apart along the diagonal: the first axis of all is that, and of them none is.
    rng = np.random.default_rng(0)
    within = rng.normal(size=(2000, 3)) * [1.0, 0.3, 0.1] @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    clusters = np.repeat([0, 1], [500, 1500])
    values = (within + 50.0 * clusters[:, None]).reshape(2000, 3, 1).astype(np.float32)
    scaler = PrincipalScaler.fit(values, components=3, clusters=clusters)
    made = scaler.transform(values)
    pooled = np.concatenate([made[clusters == code] - made[clusters == code].mean(axis=0) for code in (0, 1)])
    assert (np.abs(np.corrcoef(pooled, rowvar=False) - np.eye(3)) < 1e-4).all()
    assert pooled.std(axis=0) == pytest.approx(np.array([1.0, 0.3, 0.1]) ** (1 - POWER), rel=0.05)
    assert scaler.mean == pytest.approx(values.mean(axis=0)[:, 0], rel=1e-6)  # windows still start from that of all
    back, _ = inverse(scaler, made)
    assert back == pytest.approx(values, abs=1e-3)  # where clusters lie is not lost
    apart = np.abs(np.corrcoef(PrincipalScaler.fit(values, components=3).transform(values)[clusters == 0].T))
    assert apart[0, 1:].max() > 0.3
