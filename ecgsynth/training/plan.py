"""What can be trained: for each model its space, its settings, its networks and its training."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgsynth.core.config import TimeGANConfig, TrainConfig, WGANConfig
from ecgsynth.errors import ConfigError
from ecgsynth.models.clusters import PER_MODE, Modes, describe_modes, find_modes
from ecgsynth.models.scaling import ChannelScaler, PrincipalScaler, Scores
from ecgsynth.models.timegan import TimeGANGenerator
from ecgsynth.models.wgan import Generator
from ecgsynth.training.fit_timegan import build_timegan
from ecgsynth.training.fit_wgan import build_wgan
from ecgsynth.training.state import Learner
from ecgsynth.windows.windows import Windows

__all__ = ["MODELS", "Plan", "build", "generator_of", "plan", "plan_frame"]

MODELS = ("rwgan", "timegan")
SERIES_PER_MODE = 100  # windows for each mode where they overlap: fewer would be a single event
SERIES_COMPONENTS = 1024  # at most, of a series
SERIES_LEARNT = 128  # of them, the strongest, the networks learn
FRAMES = (8, 16)  # latent steps of TimeGAN: a step has several samples, where the length of a window allows it
UNITS = 64  # of its networks, as a step has many numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A model fitted to its training windows, before its training."""

    model: str
    config: WGANConfig | TimeGANConfig
    scaler: PrincipalScaler | ChannelScaler
    modes: Modes | None  # of a recurrent WGAN-GP


def plan(model: str, learn: Windows, sizes: dict[str, Any], seed: int) -> Plan:
    """The space of ``model``, found in the training windows, and its settings; ``sizes`` are those to be set by hand.

    Raises ConfigError for an unknown model, DataError for windows of which there are too few.
    """
    if model == "timegan":
        return plan_timegan(learn, sizes)
    if model != "rwgan":
        raise ConfigError(f"a model is one of {', '.join(MODELS)}, got {model!r}")
    sizes = dict(sizes)
    scaler, modes, fine = find_space(learn, sizes.pop("components", None), seed)
    config = WGANConfig(
        time=scaler.time,
        channels=scaler.channels,
        components=len(scaler.axes),
        intervals=len(scaler.interval_means),
        modes=modes.counts,
        fine=fine,
        bent=not learn.is_series,
        **sizes,
    )
    return Plan(model=model, config=config, scaler=scaler, modes=modes)


def find_space(learn: Windows, components: int | None, seed: int) -> tuple[PrincipalScaler, Modes, int]:
    """Principal components, modes in them, and how many of the components are fine.

    Of series, first the modes are found, then the components of what windows differ by from the mean of their mode:
    in those a mode is nearly a normal distribution with uncorrelated coordinates, from which training starts. Channels
    that such a mixture would miss are taken as scores, and the way back from these is fitted to the mixture.
    """
    classes = len(learn.classes)
    if not learn.is_series:
        scaler = PrincipalScaler.fit(learn.values, learn.rr_s, components=components)
        return scaler, find_modes(scaler.transform(learn.values, learn.rr_s), learn.labels, classes, seed), 0
    per_mode = SERIES_PER_MODE if learn.overlap else PER_MODE
    rough = PrincipalScaler.fit(learn.values, components=components, weigh=True)
    owners, repeats = learn.owners, max(1, learn.overlap)
    found = find_modes(rough.transform(learn.values), learn.labels, classes, seed, per_mode, owners)
    bent = Scores.find(learn.values, found.numbers, owners, repeats)
    if bent.stepped.any():
        rough = PrincipalScaler.fit(learn.values, components=components, weigh=True, bent=bent)
        found = find_modes(rough.transform(learn.values), learn.labels, classes, seed, per_mode, owners)
    scaler = PrincipalScaler.fit(
        learn.values, components=components, most=SERIES_COMPONENTS, weigh=True, clusters=found.numbers, bent=bent
    )
    modes = describe_modes(scaler.transform(learn.values), found.numbers, found.shares, robust=False)
    scaler = meet(scaler, learn.values, modes, owners, repeats)
    return scaler, modes, max(0, len(scaler.axes) - SERIES_LEARNT)


def meet(
    scaler: PrincipalScaler,
    values: NDArray[np.float32],
    modes: Modes,
    owners: NDArray[np.int64] | None,
    repeats: int,
) -> PrincipalScaler:
    """The scaler with scores such that a normal distribution for each mode makes the values as often as they are."""
    basis, mean = scaler.basis()
    shape = (len(modes.centres), scaler.time, scaler.channels)
    means = (modes.centres @ basis + mean).astype(np.float64).reshape(shape)
    spreads = np.sqrt(np.square(modes.spreads) @ np.square(basis)).astype(np.float64).reshape(shape)
    shares = np.bincount(modes.numbers, minlength=len(means)) / len(modes.numbers)
    return replace(scaler, scores=scaler.bent.fitted(values, means, spreads, shares, owners, repeats).scores)


def plan_timegan(learn: Windows, sizes: dict[str, Any]) -> Plan:
    """TimeGAN works on samples scaled to 0..1 by channel, several of them at a step where windows are long."""
    time, channels = learn.values.shape[1:]
    settings = {"time": time, "channels": channels, "classes": len(learn.classes), "frame": plan_frame(time)}
    config = TimeGANConfig(**settings | {"hidden": UNITS} | sizes)
    scaler = ChannelScaler.fit(learn.values, learn.owners, max(1, learn.overlap))
    return Plan(model="timegan", config=config, scaler=scaler, modes=None)


def plan_frame(time: int) -> int:
    """Samples of a latent step, such that there are FRAMES of them; 1 where a window's length does not allow it."""
    frames = (size for size in range(1, time + 1) if time % size == 0 and FRAMES[0] <= time // size <= FRAMES[1])
    return next(frames, 1)


def build(
    planned: Plan, training: TrainConfig, learn: Windows, device: torch.device
) -> Callable[[torch.Generator], Learner]:
    """What training.loop.fit builds of a plan and its training windows, on the device."""
    real: NDArray[np.float32] = planned.scaler.transform(learn.values, learn.rr_s)
    x, labels = torch.from_numpy(real).to(device), torch.from_numpy(learn.labels).to(device)
    config, modes = planned.config, planned.modes
    if isinstance(config, TimeGANConfig):
        return lambda rng: build_timegan(config, training, x, labels, rng)
    if modes is None:
        raise ConfigError("a recurrent WGAN-GP needs the modes of its windows; make its plan with training.plan")
    return lambda rng: build_wgan(config, training, x, labels, modes, rng)


def generator_of(model: str, config: dict[str, Any]) -> Generator | TimeGANGenerator:
    """A generator of these settings, its weights still to be loaded."""
    with torch.random.fork_rng(devices=[]):  # initial weights draw from the global generator
        if model == "timegan":
            return TimeGANGenerator(TimeGANConfig.from_json(config))
        return Generator(WGANConfig.from_json(config))
