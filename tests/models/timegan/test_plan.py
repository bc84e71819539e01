"""What TimeGAN finds in windows before its training."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgsynth.errors import ConfigError
from ecgsynth.models.timegan.networks import TimeGANConfig
from ecgsynth.models.timegan.plan import HIDDEN_UNITS, plan_frame, plan_timegan
from ecgsynth.windows.info import SeriesInfo, SeriesOptions
from ecgsynth.windows.windows import Windows


def windows(values: NDArray[np.float64], labels: NDArray[np.int64] | None = None) -> Windows:
    labels = np.zeros(len(values), dtype=np.int64) if labels is None else labels
    return Windows(
        values=values.astype(np.float32),
        fs_hz=1.0,
        units="as given",
        channel_names=tuple("abcdef"[: values.shape[2]]),
        classes=tuple("NSV"[: labels.max() + 1]),
        labels=labels,
        series=SeriesInfo(options=SeriesOptions(length=2, stride=1)),
        meta={"kind": "series"},
    )


def walks(n: int, time: int = 6, channels: int = 2, seed: int = 0) -> NDArray[np.float64]:
    """Random walks, channels in units that differ a thousandfold."""
    steps = np.random.default_rng(seed).normal(size=(n, time, channels))
    return steps.cumsum(axis=1) * 1000.0 ** np.arange(channels)


@pytest.mark.parametrize(
    ("time", "frame"),
    [(24, 3), (16, 2), (8, 1), (15, 1), (48, 6), (64, 8), (128, 8), (256, 16), (512, 16), (250, 25), (7, 1), (2, 1)],
)
def test_a_window_has_about_as_many_steps_as_a_step_has_samples(time: int, frame: int) -> None:
    found = plan_timegan(windows(walks(30, time)), {}, seed=0)
    assert found.config.frame == plan_frame(time) == frame
    assert found.config.latent_steps * frame == time


def test_timegan_is_of_the_windows_size_and_classes_and_every_channel_is_normal() -> None:
    values = walks(600, 12, 3)
    labels = np.arange(600) % 2
    found = plan_timegan(windows(np.exp(values / values.std(axis=(0, 1))), labels), {}, seed=0)
    assert found.config == TimeGANConfig(time=12, channels=3, classes=2, hidden=HIDDEN_UNITS)
    scaled = found.space.transform(np.exp(values / values.std(axis=(0, 1))).astype(np.float32)).reshape(-1, 3)
    quantiles = np.quantile(scaled, [0.0228, 0.1587, 0.5, 0.8413, 0.9772], axis=0)
    np.testing.assert_allclose(quantiles, np.array([[-2, -1, 0, 1, 2]] * 3).T, atol=0.1)


def test_of_a_signal_every_channel_has_a_standard_deviation_of_one() -> None:
    values = walks(600, 12, 3)
    signal = replace(windows(values), meta={"kind": "beats"}, series=None)
    scaled = plan_timegan(signal, {}, seed=0).space.transform(values.astype(np.float32)).reshape(-1, 3)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=0.05)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=0.05)


def test_channels_that_never_move_in_a_window_are_static() -> None:
    values = walks(30, 8, 3)
    values[:, :, 1] = values[:, :1, 1]
    assert plan_timegan(windows(values), {}, seed=0).config.static_channels == (1,)
    values[3, 2, 1] += 1
    assert plan_timegan(windows(values), {}, seed=0).config.static_channels == ()


def test_settings_by_hand_come_first() -> None:
    found = plan_timegan(windows(walks(30, 24)), {"frame": 6, "hidden": 5, "cell": "lstm", "layers": 1}, seed=0)
    assert found.config == TimeGANConfig(time=24, channels=2, frame=6, hidden=5, cell="lstm", layers=1)
    with pytest.raises(ConfigError, match="multiple of frame"):
        plan_timegan(windows(walks(30, 24)), {"frame": 7}, seed=0)
