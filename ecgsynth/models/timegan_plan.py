"""What TimeGAN finds in the training windows before its training: the range of each channel, and samples of a step."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecgsynth.models.model import Plan
from ecgsynth.models.scaling import ChannelScaler
from ecgsynth.models.timegan import TimeGANConfig
from ecgsynth.windows.windows import Windows

__all__ = ["TimeGANPlan", "plan_frame", "plan_timegan"]

LATENT_STEPS = (8, 16)  # of a window, from and to: a step has several samples, where the length of a window allows it
HIDDEN_UNITS = 64  # of its networks, as a step has many numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeGANPlan(Plan):
    """TimeGAN before its training."""

    config: TimeGANConfig


def plan_timegan(learn: Windows, settings: Mapping[str, Any], seed: int) -> TimeGANPlan:
    """TimeGAN works on samples scaled to 0..1 by channel, several of them at a step where windows are long.

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
    found = {"time": time, "channels": channels, "classes": len(learn.classes), "frame": plan_frame(time)}
    config = TimeGANConfig(**{**found, "hidden": HIDDEN_UNITS, **settings})
    space = ChannelScaler.fit(learn.values, learn.owners, max(1, learn.overlap))
    return TimeGANPlan(config=config, space=space)


def plan_frame(time: int) -> int:
    """Samples of a latent step, such that there are LATENT_STEPS of them; 1 where no such number divides a window."""
    least, most = LATENT_STEPS
    frames = (size for size in range(1, time + 1) if time % size == 0 and least <= time // size <= most)
    return next(frames, 1)
