"""What TimeGAN finds in windows before its training."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgsynth.errors import ConfigError
from ecgsynth.models.timegan import TimeGANConfig
from ecgsynth.models.timegan_plan import HIDDEN_UNITS, LATENT_STEPS, plan_frame, plan_timegan
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
    [(24, 2), (16, 1), (8, 1), (15, 1), (64, 4), (128, 8), (256, 16), (250, 25), (7, 1), (2, 1), (17, 1), (34, 1)],
)
def test_timegan_has_8_to_16_latent_steps_where_the_length_allows_it(time: int, frame: int) -> None:
    found = plan_timegan(windows(walks(30, time)), {}, seed=0)
    assert found.config.frame == plan_frame(time) == frame
    assert found.config.latent_steps * frame == time
    divisors = [size for size in range(1, time + 1) if time % size == 0]
    if any(LATENT_STEPS[0] <= time // size <= LATENT_STEPS[1] for size in divisors):
        assert LATENT_STEPS[0] <= found.config.latent_steps <= LATENT_STEPS[1]


def test_timegan_is_of_the_windows_size_and_classes_and_scales_by_channel() -> None:
    values = walks(60, 12, 3)
    labels = np.arange(60) % 2
    found = plan_timegan(windows(values, labels), {}, seed=0)
    assert found.config == TimeGANConfig(time=12, channels=3, classes=2, hidden=HIDDEN_UNITS)
    scaled = found.space.transform(values.astype(np.float32)).reshape(-1, 3)
    assert ((scaled >= 0) & (scaled <= 1)).mean() > 0.9
    assert (scaled.std(axis=0) > 0.05).all()  # of each channel, whatever its unit


def test_settings_by_hand_come_first() -> None:
    found = plan_timegan(windows(walks(30, 24)), {"frame": 6, "hidden": 5, "cell": "lstm", "layers": 1}, seed=0)
    assert found.config == TimeGANConfig(time=24, channels=2, frame=6, hidden=5, cell="lstm", layers=1)
    with pytest.raises(ConfigError, match="multiple of frame"):
        plan_timegan(windows(walks(30, 24)), {"frame": 7}, seed=0)
