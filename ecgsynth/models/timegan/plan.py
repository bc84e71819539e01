"""What TimeGAN finds in the training windows before its training: the scale of each channel, and samples of a step."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecgsynth.models.model import Plan
from ecgsynth.models.scaling import ChannelScaler
from ecgsynth.models.timegan.networks import TimeGANConfig
from ecgsynth.windows.windows import Windows

__all__ = ["TimeGANPlan", "plan_frame", "plan_timegan"]

LEAST_STEPS = 8  # of a window: a step has several samples, where the length of a window allows it
HIDDEN_UNITS = 96  # of its networks, as a step has many numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeGANPlan(Plan):
    """TimeGAN before its training."""

    config: TimeGANConfig


def plan_timegan(learn: Windows, settings: Mapping[str, Any], seed: int) -> TimeGANPlan:
    """TimeGAN works on samples scaled by channel, of a series as normal scores, several of them at a latent step.

    Parameters
    ----------
    learn
        The training windows.
    settings
        Of TimeGANConfig, by hand.
    seed
        Nothing here is drawn.

    """
    time, channels = learn.values.shape[1:]
    found = {
        "time": time,
        "channels": channels,
        "static_channels": static_channels(learn) if learn.is_series else (),
        "classes": len(learn.classes),
        "frame": plan_frame(time),
    }
    config = TimeGANConfig(**{**found, "hidden": HIDDEN_UNITS, **settings})
    space = ChannelScaler.fit(learn.values, learn.owners, max(1, learn.overlap), normal_scores=learn.is_series)
    return TimeGANPlan(config=config, space=space)


def static_channels(learn: Windows) -> tuple[int, ...]:
    """The channels that are constant in every window; none where all are."""
    still = (learn.values == learn.values[:, :1]).all(axis=(0, 1))
    return () if still.all() else tuple(map(int, np.flatnonzero(still)))


def plan_frame(time: int) -> int:
    """Samples of a latent step: a window has about as many steps as a step has samples, and LEAST_STEPS at least.

    1 where no number of them divides a window.
    """
    wanted = max(LEAST_STEPS, math.sqrt(time))
    frames = [size for size in range(1, time + 1) if time % size == 0 and time // size >= LEAST_STEPS]
    return min(frames, key=lambda size: abs(math.log(time / size / wanted)), default=1)
