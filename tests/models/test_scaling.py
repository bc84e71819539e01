"""Principal components against numpy's singular values, RR intervals against their logarithms, and there and back."""

import dataclasses
import json

import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given
from hypothesis import strategies as st

from ecgsynth.errors import ArtifactError, DataError
from ecgsynth.models.decoder import SignalSampler
from ecgsynth.models.scaling import BEHIND, LOST, MOST, POWER, ChannelScaler, PrincipalScaler, Scores, mixture
from ecgsynth.models.wgan import Generator, WGANConfig


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
    assert scaler.kept == pytest.approx((deviation[:components] ** 2).sum() / (deviation**2).sum())
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
    assert scaler.kept == pytest.approx(1 - lost, abs=1e-5)


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
    assert scaler.kept == pytest.approx(1)
    other = draw(seed + 1, n=4, time=time, channels=channels)  # any windows, not only those it was fitted to
    # float32 keeps 24 bits of each component; weak ones are stored enlarged.
    assert np.abs(inverse(scaler, scaler.transform(other))[0] - other).max() < 2e-5 * np.abs(other).max()


def test_windows_that_vary_in_few_ways_are_whole_in_as_many_components():
    values = draw(3, ways=4)
    scaler = PrincipalScaler.fit(values, components=4)
    assert scaler.kept == pytest.approx(1, abs=1e-9)
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
    assert (back.time, back.channels, back.kept) == (scaler.time, scaler.channels, scaler.kept)
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
    assert scaler.kept == 1
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
    assert LOST == 1e-5
    (enough,) = np.flatnonzero((share >= 1 - 1e-5) & (np.roll(share, 1) < 1 - 1e-5))
    assert len(scaler.axes) == enough + 1 == 5
    assert scaler.kept == pytest.approx(share[enough])
    assert scaler.kept >= 1 - 1e-5
    assert PrincipalScaler.fit(values, components=3).axes == pytest.approx(scaler.axes[:3])


def test_there_are_never_more_components_than_windows_less_one_nor_than_the_most():
    assert MOST == 192
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


# ---- TimeGAN's scaling


def test_channels_lie_between_0_and_1_and_come_back():
    values = draw(0) * np.array([1000.0, 0.01], dtype=np.float32)
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
    few = ChannelScaler.fit(np.array([[[1.0], [3.0]]], dtype=np.float32))  # fewer values than BEHIND
    assert few.lows < few.highs


def test_a_channel_scaler_is_saved_to_the_bit(tmp_path):
    scaler = ChannelScaler.fit(draw(0))
    scaler.save(tmp_path / "scaler.json")
    back = ChannelScaler.load(tmp_path / "scaler.json")
    assert (back.time, back.channels) == (10, 2)
    assert back.lows.tobytes() == scaler.lows.tobytes()
    assert back.highs.tobytes() == scaler.highs.tobytes()
    PrincipalScaler.fit(draw(0)).save(tmp_path / "scaler.json")
    with pytest.raises(ArtifactError, match=r"scaler\.json is not a scaler of this version"):
        ChannelScaler.load(tmp_path / "scaler.json")


# ---- channels that are taken as scores


def one_cluster(*columns):
    """Windows of one step with these columns, in which only the first is asked about, all of one cluster."""
    values = np.stack(columns, axis=-1)[:, None].astype(np.float32)
    return values, Scores.find(values, np.zeros(len(values), dtype=np.int64))


def back(scores, made):
    """What a sampler makes of scores (n, time, channels) of channels that all are taken as such."""
    plain = PrincipalScaler.fit(draw(0, time=1, channels=len(scores.stepped)), components=1)
    scaler = dataclasses.replace(plain, stepped=scores.stepped, knots=scores.knots, scores=scores.scores)
    sampler = SignalSampler(Generator(WGANConfig(time=1, components=1, modes=(1,))), scaler)
    return sampler.from_scores(torch.from_numpy(made.astype(np.float32))).detach().numpy()


def test_what_a_normal_distribution_would_miss_is_taken_as_scores():
    rng = np.random.default_rng(0)
    normal, lights = rng.normal(size=4000), np.where(rng.random(4000) < 0.7, 0, rng.choice([10.0, 20, 30], 4000))
    tenths = np.round(normal, 1)  # steps as fine as these change nothing
    _, found = one_cluster(normal, rng.uniform(size=4000), lights, tenths, np.exp(normal))
    assert found.stepped.tolist() == [0, 1, 1, 0, 1]
    assert not found.knots[[0, 3]].any()


def test_what_the_clusters_account_for_is_not():
    # Two regimes far apart are nothing like one normal distribution, and exactly a mixture of two.
    far = np.repeat([0, 1], 2000)
    values = (np.random.default_rng(1).normal(size=4000) + 50 * far)[:, None, None].astype(np.float32)
    assert Scores.find(values, np.zeros(4000, dtype=np.int64)).stepped.tolist() == [1]
    assert Scores.find(values, far).stepped.tolist() == [0]


def test_a_value_stands_at_the_middle_of_its_ranks():
    values, found = one_cluster(np.repeat([0.0, 10, 30], [700, 200, 100]))
    wanted = scipy.special.ndtri([0.35, 0.8, 0.95])  # half of the 700, all of them and half of the 200, and so on
    low, middle, high = found.of(values)[[0, 800, 999], 0, 0]
    assert (low, high) == pytest.approx(wanted[[0, 2]], abs=1e-3)
    assert middle == pytest.approx(scipy.special.ndtri([0.7, 0.9]).mean(), abs=1e-3)
    between = found.of(np.array([5.0], dtype=np.float32)[:, None, None])
    assert between.item() == pytest.approx((low + middle) / 2, abs=1e-3)


def test_a_value_has_all_the_scores_of_its_ranks():
    _, found = one_cluster(np.repeat([0.0, 10, 30], [700, 200, 100]))
    border = scipy.special.ndtri([0.7, 0.9])
    scores = np.array([-9, border[0] - 0.01, border[0] + 0.01, border[1] - 0.01, border[1] + 0.01, 9])
    made = back(found, scores[:, None, None])
    assert made.flatten().tolist() == pytest.approx([0, 0, 10, 10, 30, 30], abs=1e-3)


@pytest.mark.parametrize("steps", [0, 10])
def test_scores_are_taken_back_to_the_values(steps):
    rng = np.random.default_rng(1)
    spread = np.exp(rng.normal(size=3000))
    values, found = one_cluster(np.round(spread * steps) / steps if steps else spread)
    assert found.stepped.all()
    common = (values > np.quantile(values, 0.01)) & (values < np.quantile(values, 0.99))
    made = back(found, found.of(values))[common]
    assert made == pytest.approx(values[common], rel=0.04, abs=0.02)  # rounding does the rest
    assert (np.diff(made[np.argsort(values[common])]) >= -1e-6).all()  # in the order in which they were


def test_the_ends_of_a_column_are_the_means_of_what_lies_beyond_drawn_in():
    values, found = one_cluster(np.exp(2 * np.random.default_rng(2).normal(size=10_000)))
    low, high = back(found, np.array([-9.0, 9.0])[:, None, None]).flatten()
    beyond = scipy.special.ndtr(-2.75)
    ranked = np.sort(values.flatten())
    few = int(beyond * len(ranked))
    assert ranked[:few].mean() < low < ranked[few]
    assert ranked[-few] < high < ranked[-few:].mean()
    assert high < 0.8 * ranked[-1]  # nobody's own


def test_scores_meet_the_mixture_that_they_are_told_of():
    # Two modes: one narrow and low, one wide and high. What they draw comes back as a uniform column.
    rng = np.random.default_rng(3)
    values, found = one_cluster(rng.uniform(3, 8, size=5000))
    means, spreads, shares = np.array([-1.0, 2.0]), np.array([0.1, 1.5]), np.array([0.25, 0.75])
    found = found.fitted(values, means[:, None, None], spreads[:, None, None], shares)
    mode = rng.choice(2, 20_000, p=shares)
    made = back(found, (means[mode] + spreads[mode] * rng.normal(size=20_000))[:, None, None]).flatten()
    assert made.min() == pytest.approx(3, abs=0.02)
    assert made.max() == pytest.approx(8, abs=0.02)
    assert np.histogram(made, bins=10, range=(3, 8))[0] / len(made) == pytest.approx(0.1, abs=0.012)


def test_a_mixture_s_distribution_is_that_of_its_draws():
    rng = np.random.default_rng(4)
    means, spreads, shares = rng.normal(size=(3, 5)), rng.uniform(0.1, 2, (3, 5)), np.array([0.5, 0.3, 0.2])
    mode, step = rng.choice(3, 200_000, p=shares), rng.integers(0, 5, 200_000)
    made = means[mode, step] + spreads[mode, step] * rng.normal(size=200_000)
    points = np.linspace(-4, 4, 9)
    assert mixture(points, means, spreads, shares) == pytest.approx(
        [(made < point).mean() for point in points], abs=0.005
    )
    still = mixture(np.array([0.9, 1.1]), np.ones((1, 1)), np.zeros((1, 1)), np.ones(1))  # a mode that does not vary
    assert still.tolist() == [0, 1]


def test_a_column_of_hardly_anything_but_one_value_keeps_both():
    values, found = one_cluster(np.where(np.arange(5000) < 4950, 0.0, 7.0))
    if found.stepped.any():
        low, high = back(found, np.array([0.0, 9.0])[:, None, None]).flatten()
        assert (low, high) == pytest.approx((0, 7), abs=1e-3)


@pytest.mark.parametrize("repeats", [1, 6])
def test_no_knot_is_the_value_of_fewer_rows_than_may_tell(repeats):
    rng = np.random.default_rng(5)
    rows = np.where(rng.random(4000) < 0.6, 0.0, rng.exponential(size=4000))
    values = np.repeat(rows, repeats)[:, None, None]  # each row stands in so many windows
    found = Scores.find(values, np.zeros(len(values), dtype=np.int64), repeats=repeats)
    assert found.stepped.all()
    one = np.ones((1, 1, 1))
    for scores in (found, found.fitted(values, 0 * one, one, np.ones(1), repeats=repeats)):
        knots = np.unique(scores.knots)
        assert 0 in knots
        assert len(knots) > 8
        assert not np.isin(knots[knots != 0], rows).any()
        assert np.abs(rows[:, None] - knots[knots > 0]).min() > 0
        assert (np.sort(rows)[-BEHIND:] >= knots[-1]).any()
        assert (rows > knots[-1]).sum() >= BEHIND / 4  # the last is a mean of BEHIND rows or more


def test_a_channel_of_too_few_persons_is_taken_as_it_is():
    values = np.repeat(np.random.default_rng(6).uniform(size=40), 100)[:, None, None]  # 40 persons, a static each
    nowhere = np.zeros(len(values), dtype=np.int64)
    owners = np.repeat(np.arange(40), 100)
    assert Scores.find(values, nowhere).stepped.all()
    assert not Scores.find(values, nowhere, repeats=100).stepped.any()
    assert not Scores.find(values, nowhere, owners).stepped.any()
    varied = np.random.default_rng(6).uniform(size=values.shape)  # as many persons, whose values differ
    assert Scores.find(varied, nowhere, owners).stepped.all()
    assert not Scores.find(varied, nowhere, owners % 12).stepped.any()  # of so few persons no knot may be told


def test_no_knot_is_one_persons_however_often_he_has_a_value():
    rng = np.random.default_rng(7)
    owners = np.repeat(np.arange(50), 80)
    rows = np.where(rng.random(4000) < 0.6, 0.0, rng.exponential(size=4000))
    rows[owners == 17] = 987.654  # all that one person has, a fiftieth of all rows
    found = Scores.find(rows[:, None, None], np.zeros(4000, dtype=np.int64), owners)
    assert found.stepped.all()
    knots = np.unique(found.knots)
    assert 0 in knots
    assert knots.max() < 20


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
