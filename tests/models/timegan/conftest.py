"""TimeGAN's networks in small, whose parts are tested in files of their own."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import nn

from ecgsynth.core.config import TrainConfig
from ecgsynth.models.timegan.networks import Nets, TimeGANConfig
from ecgsynth.training.fit_timegan import networks

CONFIG = TimeGANConfig(
    time=6, channels=3, static_channels=(1,), classes=3, frame=2, hidden=5, layers=2, noise=3, window_noise=2
)
RATE = 0.1


def some_nets(config: TimeGANConfig = CONFIG) -> Nets:
    """Networks with the weights of a seed, which plain gradient descent moves."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        nets, _ = networks(config, TrainConfig(steps=1), torch.device("cpu"))
    made = {
        name: torch.optim.SGD([value for group in getattr(nets, name).param_groups for value in group["params"]], RATE)
        for name in ("autoencoder_optimizer", "generator_optimizer", "discriminator_optimizer")
    }
    return dataclasses.replace(nets, **made)


def parts_of(nets: Nets) -> dict[str, nn.Module]:
    """Every network by its name."""
    own = {name: getattr(nets.generator, name) for name in ("generator", "supervisor", "recovery")}
    if nets.generator.config.statics:
        own["static"] = nets.generator.static
    return own | {"embedder": nets.embedder, "discriminator": nets.discriminator}


@pytest.fixture
def make() -> Callable[..., Nets]:
    """Networks of CONFIG with these changes."""
    return lambda **changes: some_nets(dataclasses.replace(CONFIG, **changes))


@pytest.fixture
def parts() -> Callable[[Nets], dict[str, nn.Module]]:
    return parts_of
