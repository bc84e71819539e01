"""A small recurrent WGAN-GP, whose networks and whose steps are tested in files of their own."""

import numpy as np
import pytest
import torch
from torch import nn

from ecgsynth.models.clusters import Clusters
from ecgsynth.models.wgan import Critic, Generator, Nets, WGANConfig

CONFIG = WGANConfig(
    time=32,
    components=5,
    intervals=2,
    clusters=(2, 3, 1),
    latent_steps=4,
    step_noise=2,
    hidden=5,
    cluster_dim=3,
    read_out=6,
    critic_hidden=16,
)


@pytest.fixture
def six_clusters() -> Clusters:
    """Two of class 0, three of class 1 and one of class 2, each with its own centre and spread in every feature."""
    draws = [torch.Generator().manual_seed(seed) for seed in (11, 12)]
    return Clusters(
        numbers=np.zeros(0, dtype=np.int64),
        shares=(np.array([0.75, 0.25]), np.array([0.5, 0.3, 0.2]), np.array([1.0])),
        centres=torch.randn((6, CONFIG.features), generator=draws[0]).numpy(),
        spreads=(0.5 + torch.rand((6, CONFIG.features), generator=draws[1])).numpy(),
    )


@pytest.fixture
def nets(six_clusters: Clusters) -> Nets:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        generator, critic = Generator(CONFIG), Critic(CONFIG)
        nn.init.normal_(generator.value.weight, std=0.4)  # it begins at zero, and leaves that with the first step
    generator.set_clusters(six_clusters)
    return Nets(
        generator,
        critic,
        torch.optim.Adam(generator.parameters(), lr=1e-2, betas=(0.0, 0.9)),
        torch.optim.Adam(critic.parameters(), lr=1e-2, betas=(0.0, 0.9)),
    )
