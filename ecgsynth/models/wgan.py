"""Recurrent Wasserstein GAN with gradient penalty, conditioned on the cluster of a class.

Arjovsky et al., "Wasserstein GAN", 2017; Gulrajani et al., "Improved Training of Wasserstein GANs", 2017;
Miyato and Koyama, "cGANs with Projection Discriminator", 2018; Perez et al., "FiLM: Visual Reasoning with a General
Conditioning Layer", 2018.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ecgsynth.core.config import JsonConfig, TrainConfig, at_least
from ecgsynth.core.records import key
from ecgsynth.errors import ConfigError
from ecgsynth.models.clusters import Clusters
from ecgsynth.models.model import WindowGenerator

__all__ = [
    "FARTHEST_LOCAL",
    "Critic",
    "Generator",
    "Nets",
    "WGANConfig",
    "box_muller",
    "critic_step",
    "generator_step",
    "gradient_penalty",
]

FARTHEST_LOCAL = 4.0  # a local coordinate is cut off here: 27 spreads from the centre of its cluster
FILM_STD = 0.25  # standard deviation of scales and shifts when training begins
NOISE_GAIN = -0.3  # ln of the noise added to each asinh coordinate when training begins; its sinh then has variance 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WGANConfig(JsonConfig):
    """The recurrent WGAN-GP: what is made, and how large its networks are."""

    time: int  # samples a window
    channels: int = 1
    components: int = 80  # principal components in which windows are made
    # Of them, the weakest: each normal within a cluster, neither learnt nor scored by networks.
    gaussian_tail: int = key("fine", default=0)
    intervals: int = 0  # RR intervals that are made beside a window: 2, before and after, or none
    # Coordinates local to a cluster pass through asinh, which brings its few noisy windows within reach.
    asinh: bool = key("bent", default=True)
    clusters: tuple[int, ...] = key("modes", default=(1, 1, 1, 1, 1))  # kinds of windows within each class
    latent_steps: int = 8  # steps of the recurrent generator
    step_noise: int = 8  # normal numbers it reads at each step
    hidden: int = 128  # units of its GRU, in each direction
    cluster_dim: int = key("mode_dim", default=16)  # numbers that stand for a cluster
    read_out: int = 128  # numbers to which the states are reduced, each weighted anew for each cluster
    critic_hidden: int = 512

    def __post_init__(self) -> None:
        object.__setattr__(self, "clusters", tuple(self.clusters))  # JSON has lists
        at_least(
            self,
            1,
            *("time", "channels", "components", "latent_steps", "step_noise"),
            *("hidden", "cluster_dim", "read_out", "critic_hidden"),
        )
        if min(self.clusters, default=0) < 1:
            raise ConfigError(f"every class has at least one cluster, got {list(self.clusters)}")
        at_least(self, 0, "gaussian_tail")
        if self.gaussian_tail and (self.gaussian_tail >= self.components or self.intervals):
            raise ConfigError(
                f"of {self.components} components and {self.intervals} intervals, a Gaussian tail cannot have "
                f"{self.gaussian_tail}; some components are left to be learnt, and intervals always are"
            )
        if self.intervals not in (0, 2):
            raise ConfigError(f"there are two RR intervals or none, got {self.intervals}")
        if self.components > self.time * self.channels:
            raise ConfigError(
                f"a window of {self.time} x {self.channels} numbers has no {self.components} components; ask for fewer"
            )

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.clusters)

    @property
    def features(self) -> int:
        """Numbers that stand for a window: its components, and its RR intervals."""
        return self.components + self.intervals

    @property
    def learnt(self) -> int:
        """How many of them, the first, the networks make and score."""
        return self.features - self.gaussian_tail

    @property
    def normals(self) -> int:
        """Normal numbers that one window is made from: those of the latent steps, and one for each feature."""
        return self.latent_steps * self.step_noise + self.features

    @property
    def noise_dim(self) -> int:
        """Uniform numbers of which one window is made: those that become normals, in pairs, and one for its cluster."""
        return self.normals + self.normals % 2 + 1


class Film(nn.Module):
    """A scale and a shift of each number for each cluster (Perez et al. 2018, equation 1).

    forward: h (n, width), cluster (n,) int64 -> (n, width)
    """

    def __init__(self, clusters: int, width: int) -> None:
        super().__init__()
        self.scale, self.shift = nn.Embedding(clusters, width), nn.Embedding(clusters, width)
        nn.init.normal_(self.scale.weight, mean=1, std=FILM_STD)
        nn.init.normal_(self.shift.weight, std=FILM_STD)

    def forward(self, h: Tensor, cluster: Tensor) -> Tensor:
        y: Tensor = self.scale(cluster) * h + self.shift(cluster)
        return y


class Generator(WindowGenerator):
    """Noise and a cluster to features: a bidirectional GRU over latent steps, its states read out for the cluster.

    It works in coordinates local to the cluster: local = asinh((feature - centre) / spread), with the cluster's median
    and median absolute deviation. There the many quiet beats of a cluster and its few noisy ones are both within reach.
    For a series, with its broad clusters, it is (feature - mean) / standard deviation, without ``asinh``. The read-out
    gives each local coordinate's value, which depends on the noise of all coordinates, and how much of its own noise is
    added to it. Where a window has hundreds of components, the weakest are a Gaussian tail: normal within each cluster.

    forward: z (n, normals), standard normal; cluster (n,) int64 -> local (n, learnt)
    from_uniform: uniform (n, noise_dim) in (0, 1); label (n,) int64 -> (n, features), the cluster drawn by its share
    """

    config: WGANConfig
    centres: Tensor
    spreads: Tensor
    first: Tensor
    cumulative: Tensor

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
        self.config = config
        self.gain = NOISE_GAIN if config.asinh else 0.0
        count = sum(config.clusters)
        self.register_buffer("centres", torch.zeros(count, config.features))
        self.register_buffer("spreads", torch.ones(count, config.features))
        first = np.cumsum((0, *config.clusters[:-1]))
        self.register_buffer("first", torch.from_numpy(first))  # of each class's clusters
        self.register_buffer("cumulative", torch.ones(config.classes, max(config.clusters)))  # shares, summed up
        self.embed = nn.Embedding(count, config.cluster_dim)
        self.rnn = nn.GRU(config.step_noise + config.cluster_dim, config.hidden, batch_first=True, bidirectional=True)
        self.reduce = nn.Linear(config.latent_steps * 2 * config.hidden + config.learnt, config.read_out)
        self.film = Film(count, config.read_out)
        self.value = nn.Linear(config.read_out, config.learnt)
        self.noise = nn.Linear(2 * config.hidden, config.learnt)
        # Training begins with a normal distribution for each cluster, in local coordinates, and not further away.
        nn.init.zeros_(self.value.weight)
        nn.init.zeros_(self.value.bias)
        nn.init.zeros_(self.noise.weight)
        nn.init.constant_(self.noise.bias, self.gain)

    def forward(self, z: Tensor, cluster: Tensor) -> Tensor:
        steps, first = self.config.latent_steps, self.config.latent_steps * self.config.step_noise
        latent = z[:, :first].unflatten(1, (steps, self.config.step_noise))
        asked = self.embed(cluster).unsqueeze(1).expand(-1, steps, -1)
        states, _ = self.rnn(torch.cat([latent, asked], dim=2))  # (n, latent_steps, 2 * hidden)
        own = z[:, first : first + self.config.learnt]  # a normal number for each coordinate
        value = self.value(self.film(self.reduce(torch.cat([states.flatten(1), own], dim=1)), cluster))
        local: Tensor = value + self.noise(states.mean(dim=1)).clamp(max=2).exp() * own
        return local  # (n, learnt)

    def from_uniform(self, uniform: Tensor, label: Tensor, person: Tensor | None = None) -> Tensor:
        normals = box_muller(uniform[:, :-1])[:, : self.config.normals]
        passed = (uniform[:, -1:] >= self.cumulative[label]).sum(dim=1)  # clusters with a cumulative share below it
        cluster = self.first[label] + passed
        local = self(normals, cluster)
        if self.config.gaussian_tail:
            local = torch.cat([local, math.exp(self.gain) * normals[:, -self.config.gaussian_tail :]], dim=1)
        return self.place(local, cluster)

    def place(self, local: Tensor, cluster: Tensor) -> Tensor:
        """Local coordinates (n, features) -> features."""
        if self.config.asinh:
            local = local.clamp(-FARTHEST_LOCAL, FARTHEST_LOCAL).sinh()
        return self.centres[cluster] + self.spreads[cluster] * local

    def locate(self, features: Tensor, cluster: Tensor) -> Tensor:
        """Features (n, features) -> local coordinates (n, learnt)."""
        local = ((features - self.centres[cluster]) / self.spreads[cluster])[:, : self.config.learnt]
        return local.asinh() if self.config.asinh else local

    def set_clusters(self, clusters: Clusters) -> None:
        """Take over the clusters that were found in the training windows."""
        for label, shares in enumerate(clusters.shares):
            cumulative = np.cumsum(shares)
            cumulative[cumulative > 1 - 1e-6] = 1.0  # a pick is below 1, so it never passes a class's last cluster
            self.cumulative[label, : len(shares)] = torch.from_numpy(cumulative)
        self.centres.copy_(torch.from_numpy(clusters.centres))
        self.spreads.copy_(torch.from_numpy(clusters.spreads))


class Critic(nn.Module):
    """Local coordinates to a score; the cluster comes in at the input, in the first layer, and by projection.

    forward: local (n, learnt), cluster (n,) int64 -> score (n,), higher is more real
    """

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
        self.config = config
        width, count = config.critic_hidden, sum(config.clusters)
        self.embed = nn.Embedding(count, 2 * config.cluster_dim)
        self.first = nn.Linear(config.learnt + 2 * config.cluster_dim, width)
        self.film = Film(count, width)
        self.body = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
        )
        self.score = nn.Linear(width, 1)
        self.project = nn.Embedding(count, width)
        nn.init.normal_(self.project.weight, std=width**-0.5)  # so that the projection starts no larger than the score

    def forward(self, local: Tensor, cluster: Tensor) -> Tensor:
        h = self.first(torch.cat([local, self.embed(cluster)], dim=1))  # (n, critic_hidden)
        h = self.body(self.film(h, cluster))
        score: Tensor = self.score(h).squeeze(1) + (self.project(cluster) * h).sum(dim=1)
        return score  # (n,)


def box_muller(uniform: Tensor) -> Tensor:
    """(n, even) uniforms in (0, 1) -> (n, even) independent standard normals (Box and Muller 1958)."""
    radius, angle = uniform.chunk(2, dim=1)
    length = torch.sqrt(-2 * torch.log(radius))
    turn = 2 * math.pi * angle
    return torch.cat([length * torch.cos(turn), length * torch.sin(turn)], dim=1)


def gradient_penalty(
    score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, rng: torch.Generator, *, create_graph: bool = True
) -> Tensor:
    """Mean over the batch of (|grad score(x)| - 1)^2, one norm a sample, x between real and fake.

    Parameters
    ----------
    score
        Maps (n, ...) to (n,).
    real, fake
        (n, ...) each.
    rng
        Draws the points between.
    create_graph
        Whether the penalty itself has a gradient.

    References
    ----------
    Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, equation 3.

    """
    shape = (len(real), *(1,) * (real.dim() - 1))
    mix = torch.rand(shape, generator=rng, device=real.device)
    x = (mix * real + (1 - mix) * fake).requires_grad_()
    # cuDNN's recurrent kernels have no double backward, so a recurrent critic must avoid them here.
    with torch.backends.cudnn.flags(enabled=False):
        (gradient,) = torch.autograd.grad(score(x).sum(), x, create_graph=create_graph)
    penalty: Tensor = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty


@dataclass(frozen=True, slots=True)
class Nets:
    """What is trained, each with its optimiser."""

    generator: Generator
    critic: Critic
    generator_optimizer: torch.optim.Optimizer
    critic_optimizer: torch.optim.Optimizer


def critic_step(
    nets: Nets, real: Tensor, cluster: Tensor, config: TrainConfig, rng: torch.Generator, *, penalise: bool
) -> dict[str, Tensor]:
    """One update of the critic; the generator is only read.

    Differs from the paper: the penalty is taken on some steps only, with a weight larger by the same factor (lazy
    regularisation, Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, appendix B).

    Parameters
    ----------
    nets
        The networks and their optimisers.
    real
        (n, learnt), local to the clusters.
    cluster
        (n,) int64.
    config
        Of the training: weight of the penalty, and how often it is taken.
    rng
        Draws noise and the points of the penalty.
    penalise
        Whether this step takes the penalty.

    Returns
    -------
    The losses, scalars on the device.

    """
    with torch.no_grad():
        fake = nets.generator(normal_like(nets.generator, cluster, rng), cluster)
    on_real, on_fake = nets.critic(torch.cat([real, fake]), torch.cat([cluster, cluster])).chunk(2)
    gap = on_real.mean() - on_fake.mean()
    loss = -gap
    record = {"wasserstein": gap.detach()}
    if penalise:
        penalty = gradient_penalty(lambda x: nets.critic(x, cluster), real, fake, rng)
        loss = loss + config.gp_weight * config.gp_every * penalty
        record["penalty"] = penalty.detach()
    nets.critic_optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nets.critic_optimizer.step()
    return record


def generator_step(nets: Nets, cluster: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
    """One update of the generator; the critic is only read."""
    nets.critic.requires_grad_(False)
    loss = -nets.critic(nets.generator(normal_like(nets.generator, cluster, rng), cluster), cluster).mean()
    nets.critic.requires_grad_(True)
    nets.generator_optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nets.generator_optimizer.step()
    return {"generator": loss.detach()}


def normal_like(generator: Generator, cluster: Tensor, rng: torch.Generator) -> Tensor:
    """Training noise for as many windows as there are clusters asked for: (n, normals), standard normal."""
    return torch.randn(len(cluster), generator.config.normals, generator=rng, device=cluster.device)
