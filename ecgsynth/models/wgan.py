"""Recurrent Wasserstein GAN with gradient penalty, conditioned on the mode of a class.

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

from ecgsynth.core.config import TrainConfig, WGANConfig
from ecgsynth.models.clusters import Modes

__all__ = ["Critic", "Generator", "Nets", "box_muller", "critic_step", "generator_step", "gradient_penalty"]

FARTHEST = 4.0  # a local coordinate is cut off here: 27 spreads from the centre of its mode
FILM = 0.25  # standard deviation of scales and shifts when training begins
NOISE_GAIN = -0.3  # ln of the noise added to each bent coordinate when training begins; its sinh then has variance 1


class Film(nn.Module):
    """A scale and a shift of each number for each mode (Perez et al. 2018, equation 1).

    forward: h (n, width), mode (n,) int64 -> (n, width)
    """

    def __init__(self, modes: int, width: int) -> None:
        super().__init__()
        self.scale, self.shift = nn.Embedding(modes, width), nn.Embedding(modes, width)
        nn.init.normal_(self.scale.weight, mean=1, std=FILM)
        nn.init.normal_(self.shift.weight, std=FILM)

    def forward(self, h: Tensor, mode: Tensor) -> Tensor:
        y: Tensor = self.scale(mode) * h + self.shift(mode)
        return y


class Generator(nn.Module):
    """Noise and a mode to features: a bidirectional GRU over latent steps, all its states read out as the mode wants.

    It works in coordinates local to the mode: local = asinh((feature - centre) / spread), with the mode's median and
    median absolute deviation. There the many quiet beats of a mode and its few noisy ones are both within reach. For a
    series, whose modes are broad, it is (feature - mean) / standard deviation, not ``bent``. The
    read-out gives each local coordinate's value, in which the fine noise is mixed as the mode wants, and how much of
    its own fine noise is added to it. Where a window has hundreds of components, the weakest are ``fine``: normal
    within each mode, and left as they are.

    forward: z (n, normals), standard normal; mode (n,) int64 -> local (n, learnt)
    from_uniform: uniform (n, noise_dim) in (0, 1); label (n,) int64 -> (n, features), the mode drawn by its share
    """

    centres: Tensor
    spreads: Tensor
    first: Tensor
    cumulative: Tensor

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
        self.config = config
        self.gain = NOISE_GAIN if config.bent else 0.0
        count = sum(config.modes)
        self.register_buffer("centres", torch.zeros(count, config.features))
        self.register_buffer("spreads", torch.ones(count, config.features))
        first = np.cumsum((0, *config.modes[:-1]))
        self.register_buffer("first", torch.from_numpy(first))  # of each class's modes
        self.register_buffer("cumulative", torch.ones(config.classes, max(config.modes)))  # shares, summed up
        self.embed = nn.Embedding(count, config.mode_dim)
        self.rnn = nn.GRU(config.step_noise + config.mode_dim, config.hidden, batch_first=True, bidirectional=True)
        self.reduce = nn.Linear(config.latent_steps * 2 * config.hidden + config.learnt, config.read_out)
        self.film = Film(count, config.read_out)
        self.value = nn.Linear(config.read_out, config.learnt)
        self.noise = nn.Linear(2 * config.hidden, config.learnt)
        # Training begins with a normal distribution for each mode, in local coordinates, and not further away.
        nn.init.zeros_(self.value.weight)
        nn.init.zeros_(self.value.bias)
        nn.init.zeros_(self.noise.weight)
        nn.init.constant_(self.noise.bias, self.gain)

    def forward(self, z: Tensor, mode: Tensor) -> Tensor:
        steps, first = self.config.latent_steps, self.config.latent_steps * self.config.step_noise
        latent = z[:, :first].unflatten(1, (steps, self.config.step_noise))
        asked = self.embed(mode).unsqueeze(1).expand(-1, steps, -1)
        states, _ = self.rnn(torch.cat([latent, asked], dim=2))  # (n, latent_steps, 2 * hidden)
        own = z[:, first : first + self.config.learnt]  # a normal number for each coordinate
        value = self.value(self.film(self.reduce(torch.cat([states.flatten(1), own], dim=1)), mode))
        local: Tensor = value + self.noise(states.mean(dim=1)).clamp(max=2).exp() * own
        return local  # (n, learnt)

    def from_uniform(self, uniform: Tensor, label: Tensor) -> Tensor:
        normals = box_muller(uniform[:, :-1])[:, : self.config.normals]
        passed = (uniform[:, -1:] >= self.cumulative[label]).sum(dim=1)  # modes whose cumulative share is below it
        mode = self.first[label] + passed
        local = self(normals, mode)
        if self.config.fine:
            local = torch.cat([local, math.exp(self.gain) * normals[:, -self.config.fine :]], dim=1)
        return self.place(local, mode)

    def place(self, local: Tensor, mode: Tensor) -> Tensor:
        """Local coordinates (n, features) -> features."""
        if self.config.bent:
            local = local.clamp(-FARTHEST, FARTHEST).sinh()
        return self.centres[mode] + self.spreads[mode] * local

    def locate(self, features: Tensor, mode: Tensor) -> Tensor:
        """Features (n, features) -> local coordinates (n, learnt)."""
        local = ((features - self.centres[mode]) / self.spreads[mode])[:, : self.config.learnt]
        return local.asinh() if self.config.bent else local

    def set_modes(self, modes: Modes) -> None:
        """Take over the modes that were found in the training windows."""
        for label, shares in enumerate(modes.shares):
            cumulative = np.cumsum(shares)
            cumulative[cumulative > 1 - 1e-6] = 1.0  # a pick is below 1, so it never passes a class's last mode
            self.cumulative[label, : len(shares)] = torch.from_numpy(cumulative)
        self.centres.copy_(torch.from_numpy(modes.centres))
        self.spreads.copy_(torch.from_numpy(modes.spreads))


class Critic(nn.Module):
    """Local coordinates to a score; the mode is known at the input, in the first layer, and by projection at the end.

    forward: local (n, learnt), mode (n,) int64 -> score (n,), higher is more real
    """

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
        self.config = config
        width, count = config.critic_hidden, sum(config.modes)
        self.embed = nn.Embedding(count, 2 * config.mode_dim)
        self.first = nn.Linear(config.learnt + 2 * config.mode_dim, width)
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

    def forward(self, local: Tensor, mode: Tensor) -> Tensor:
        h = self.first(torch.cat([local, self.embed(mode)], dim=1))  # (n, critic_hidden)
        h = self.body(self.film(h, mode))
        score: Tensor = self.score(h).squeeze(1) + (self.project(mode) * h).sum(dim=1)
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

    Gulrajani et al. 2017, equation 3. real, fake: (n, ...); ``score`` maps (n, ...) to (n,).
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
    nets: Nets, real: Tensor, mode: Tensor, config: TrainConfig, rng: torch.Generator, *, penalise: bool
) -> dict[str, Tensor]:
    """One update of the critic; the generator is only read. Losses are returned as scalars on the device.

    real: (n, learnt), local to the modes (n,).

    Differs from the paper: the penalty is taken on some steps only, with as many times the weight (lazy
    regularisation, Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, appendix B).
    """
    with torch.no_grad():
        fake = nets.generator(normal_like(nets.generator, mode, rng), mode)
    on_real, on_fake = nets.critic(torch.cat([real, fake]), torch.cat([mode, mode])).chunk(2)
    gap = on_real.mean() - on_fake.mean()
    loss = -gap
    record = {"wasserstein": gap.detach()}
    if penalise:
        penalty = gradient_penalty(lambda x: nets.critic(x, mode), real, fake, rng)
        loss = loss + config.gp_weight * config.gp_every * penalty
        record["penalty"] = penalty.detach()
    nets.critic_optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nets.critic_optimizer.step()
    return record


def generator_step(nets: Nets, mode: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
    """One update of the generator; the critic is only read."""
    nets.critic.requires_grad_(False)
    loss = -nets.critic(nets.generator(normal_like(nets.generator, mode, rng), mode), mode).mean()
    nets.critic.requires_grad_(True)
    nets.generator_optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nets.generator_optimizer.step()
    return {"generator": loss.detach()}


def normal_like(generator: Generator, mode: Tensor, rng: torch.Generator) -> Tensor:
    """Training noise for as many windows as there are modes asked for: (n, normals), standard normal."""
    return torch.randn(len(mode), generator.config.normals, generator=rng, device=mode.device)
