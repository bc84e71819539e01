"""Long windows as frequencies: against plain matrices, and in the graph."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgsynth.errors import DataError
from ecgsynth.export.windows_to_onnx import largest_difference, sealed, write_graph
from ecgsynth.models import spectral
from ecgsynth.models.decoder import SignalSampler, draw
from ecgsynth.models.spectral import SpectralScaler
from ecgsynth.models.wgan import Generator
from ecgsynth.models.wgan_plan import plan_wgan, read_space
from ecgsynth.windows.info import SeriesInfo, SeriesOptions
from ecgsynth.windows.windows import Windows

TIME, CHANNELS = 40, 3


@pytest.fixture(autouse=True)
def few_joint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five slow cosines of three channels, and three octaves beyond; chunks of a few windows."""
    monkeypatch.setattr(spectral, "JOINT_NUMBERS", 5 * CHANNELS)
    monkeypatch.setattr(spectral, "CHUNK_NUMBERS", 77 * TIME * CHANNELS)
    monkeypatch.setattr("ecgsynth.models.wgan_plan.SERIES_COMPONENTS", 60)


def walks(n: int = 600, seed: int = 0) -> NDArray[np.float32]:
    """Random walks of channels that go together, in units that differ a thousandfold, and one of noise."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(n, TIME, CHANNELS))
    steps[..., 1] += 0.8 * steps[..., 0]
    x = steps.cumsum(axis=1) * 1000.0 ** np.arange(CHANNELS)
    x[..., 2] = 5 + rng.normal(size=(n, TIME))
    return x.astype(np.float32)


def series(values: NDArray[np.float32]) -> Windows:
    return Windows(
        values=values,
        fs_hz=1.0,
        units="as given",
        channel_names=tuple("abc"),
        classes=("all",),
        labels=np.zeros(len(values), dtype=np.int64),
        series=SeriesInfo(options=SeriesOptions(length=TIME, stride=TIME)),
        meta={"kind": "series"},
    )


def test_windows_come_back_whole() -> None:
    values = walks()
    space = SpectralScaler.fit(values)
    assert [len(octave) for octave in spectral.octaves(TIME, space.slow)] == [5, 10, 20]
    features = space.transform(values)
    assert features.shape == (len(values), TIME * CHANNELS)
    off = np.abs(space.restored(features) - values) / values.std(axis=(0, 1))
    assert off.max() < 0.01  # what half precision takes
    assert space.leading(values, 20) == pytest.approx(features[:, :20])


def test_the_way_back_is_a_matrix_of_nearly_orthogonal_rows() -> None:
    space = SpectralScaler.fit(walks())
    matrix, mean = space.basis()
    assert mean.reshape(TIME, CHANNELS) == pytest.approx(walks().mean(axis=0), rel=1e-3, abs=0.1)
    rows = matrix / np.tile(space.weights, TIME) / space.scales[:, None]
    assert np.abs(rows @ rows.T - np.eye(len(rows))).max() < 2e-3
    of_features = np.random.default_rng(0).uniform(0.1, 2, (2, space.features)).astype(np.float32)
    wanted = np.sqrt(np.square(of_features) @ np.square(matrix)).reshape(2, TIME, CHANNELS)
    assert space.spreads(of_features) == pytest.approx(wanted, rel=5e-3)


def test_components_are_of_what_differs_from_the_mean_of_a_cluster() -> None:
    numbers = np.arange(600) % 2
    far = np.zeros((2, TIME, CHANNELS))
    far[1, : TIME // 2, 0] = 500
    space = SpectralScaler.fit((walks() + far[numbers]).astype(np.float32), clusters=numbers)
    made = space.transform((walks() + far[numbers]).astype(np.float32))
    within = np.concatenate([made[numbers == number] - made[numbers == number].mean(axis=0) for number in (0, 1)])
    slow = space.slow * CHANNELS
    assert np.abs(np.corrcoef(within[:, :slow], rowvar=False) - np.eye(slow)).max() < 0.02
    assert within.std(axis=0) == pytest.approx(space.scales ** (1 / spectral.POWER - 1), rel=0.01)
    assert (np.diff(space.scales[:slow]) <= 1e-9).all()  # the strongest come first


def test_octaves_know_which_channels_go_together() -> None:
    """Two channels that share their noise: at every frequency it is one component, and the other is nothing."""
    values = walks()
    values[..., 1] = 1000 * values[..., 0]
    space = SpectralScaler.fit(values)
    scales = space.scales[space.slow * CHANNELS :].reshape(-1, CHANNELS)
    assert (scales[:, -1] < 0.05 * scales[:, 0]).all()


def test_it_is_kept_as_json_and_read_again(tmp_path: Path) -> None:
    space = SpectralScaler.fit(walks())
    space.save(tmp_path / "scaler.json")
    again = read_space(tmp_path / "scaler.json")
    assert isinstance(again, SpectralScaler)
    assert again.transform(walks()).tobytes() == space.transform(walks()).tobytes()


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_windows(n: int) -> None:
    with pytest.raises(DataError, match=f"need more than 1 training window, got {n}"):
        SpectralScaler.fit(walks()[:n])


def test_windows_that_are_all_alike() -> None:
    with pytest.raises(DataError, match="are all alike"):
        SpectralScaler.fit(np.ones((5, TIME, CHANNELS), dtype=np.float32))


def test_a_long_series_starts_as_it_is_and_its_graph_draws_the_same(tmp_path: Path) -> None:
    values = walks(1200)
    plan = plan_wgan(series(values), {"hidden": 4, "read_out": 4}, 0)
    assert isinstance(plan.space, SpectralScaler)
    assert plan.config.components == TIME * CHANNELS
    generator = Generator(plan.config)
    generator.set_clusters(plan.clusters)
    sampler = SignalSampler(generator, plan.space).eval()
    made, _ = draw(sampler, np.zeros(3000, dtype=np.int64), seed=0)
    for real, its in ((values, made), (np.diff(values, axis=1), np.diff(made, axis=1))):
        assert its.std(axis=(0, 1)) == pytest.approx(real.std(axis=(0, 1)), rel=0.05)
    together = [np.corrcoef(np.diff(x, axis=1).reshape(-1, CHANNELS), rowvar=False)[0, 1] for x in (values, made)]
    assert together[1] == pytest.approx(together[0], abs=0.05)
    write_graph(sampler, plan.config, tmp_path / "draft.onnx")
    assert largest_difference(sampler, plan.config, sealed(tmp_path / "draft.onnx", "{}")) < 1e-4
