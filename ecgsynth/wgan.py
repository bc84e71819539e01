"""Recurrent, class-conditional Wasserstein GAN with gradient penalty.

Arjovsky et al., "Wasserstein GAN", 2017; Gulrajani et al., "Improved Training of Wasserstein GANs", 2017;
Miyato and Koyama, "cGANs with Projection Discriminator", 2018; Odena et al., "Conditional Image Synthesis
with Auxiliary Classifier GANs", 2017.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ecgsynth.config import TrainConfig, WGANConfig
from ecgsynth.modes import Modes

__all__ = ["Critic", "Generator", "Nets", "box_muller", "critic_step", "generator_step", "gradient_penalty"]


class Generator(nn.Module):
    """Noise and a mode to scaled components: a bidirectional GRU over latent steps, all its states read out.

    What is read out is how far a window lies from its mode's centre, in units of the mode's spread.

    forward: z (n, noise_dim - 1), standard normal; mode (n,) int64 -> x (n, components), scaled (not physical units)
    from_uniform: uniform (n, noise_dim) in (0, 1); label (n,) int64 -> the same, the mode drawn by its share
    """

    centres: Tensor
    spreads: Tensor
    cumulative: Tensor

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
        self.config = config
        numbers = config.classes * config.modes
        self.register_buffer("centres", torch.zeros(numbers, config.components))
        self.register_buffer("spreads", torch.ones(numbers, config.components))
        self.register_buffer("cumulative", torch.ones(config.classes, config.modes))  # shares of modes, summed up
        self.embed = nn.Embedding(numbers, config.label_dim)
        self.rnn = nn.GRU(config.step_noise + config.label_dim, config.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(config.latent_steps * 2 * config.hidden, config.components)

    def forward(self, z: Tensor, mode: Tensor) -> Tensor:
        noise = z.unflatten(1, (self.config.latent_steps, self.config.step_noise))  # (n, latent_steps, step_noise)
        asked = self.embed(mode).unsqueeze(1).expand(-1, self.config.latent_steps, -1)
        states, _ = self.rnn(torch.cat([noise, asked], dim=2))  # (n, latent_steps, 2 * hidden)
        x: Tensor = self.centres[mode] + self.spreads[mode] * self.head(states.flatten(1))  # (n, components)
        return x

    def from_uniform(self, uniform: Tensor, label: Tensor) -> Tensor:
        normals, pick = uniform[:, :-1], uniform[:, -1:]
        passed = (pick >= self.cumulative[label]).sum(dim=1)  # (n,) modes whose cumulative share lies below the pick
        x: Tensor = self(box_muller(normals), label * self.config.modes + passed)
        return x

    def set_modes(self, modes: Modes) -> None:
        """Take over the modes that were found in the training windows."""
        cumulative = np.cumsum(modes.shares, axis=1)
        cumulative[cumulative > 1 - 1e-6] = 1.0  # a pick is below 1, so it never passes a class's last mode
        self.cumulative.copy_(torch.from_numpy(cumulative))
        self.centres.copy_(torch.from_numpy(modes.centres))
        self.spreads.copy_(torch.from_numpy(modes.spreads))


class Critic(nn.Module):
    """Scaled components to a score by projection on class and mode, and the auxiliary classifier's opinion.

    forward: x (n, components), mode (n,) int64 -> score (n,), higher is more real; logits (n, classes)
    """

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
        self.config = config
        width = config.critic_hidden
        self.body = nn.Sequential(
            nn.Linear(config.components, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
        )
        self.score = nn.Linear(width, 1)
        self.embed_class = nn.Embedding(config.classes, width)
        self.embed_mode = nn.Embedding(config.classes * config.modes, width)
        self.classify = nn.Linear(width, config.classes)
        for embed in (self.embed_class, self.embed_mode):
            nn.init.normal_(embed.weight, std=width**-0.5)  # so that the projection starts no larger than the score

    def forward(self, x: Tensor, mode: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)  # (n, critic_hidden)
        asked = self.embed_class(mode // self.config.modes) + self.embed_mode(mode)
        score = self.score(h).squeeze(1) + (asked * h).sum(dim=1)  # (n,)
        return score, self.classify(h)


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

    Differs from the paper: the penalty is taken on some steps only, with as many times the weight (lazy
    regularisation, Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, appendix B).
    """
    with torch.no_grad():
        fake = nets.generator(normal_like(nets.generator, mode, rng), mode)
    scores, logits = nets.critic(torch.cat([real, fake]), torch.cat([mode, mode]))
    on_real, on_fake = scores.chunk(2)
    gap = on_real.mean() - on_fake.mean()
    classified = functional.cross_entropy(logits[: len(real)], mode // nets.critic.config.modes)
    loss = config.class_weight * classified - gap
    record = {"wasserstein": gap.detach(), "critic_class": classified.detach()}
    if penalise:
        penalty = gradient_penalty(lambda x: nets.critic(x, mode)[0], real, fake, rng)
        loss = loss + config.gp_weight * config.gp_every * penalty
        record["penalty"] = penalty.detach()
    nets.critic_optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nets.critic_optimizer.step()
    return record


def generator_step(nets: Nets, mode: Tensor, config: TrainConfig, rng: torch.Generator) -> dict[str, Tensor]:
    """One update of the generator; the critic is only read."""
    nets.critic.requires_grad_(False)
    scores, logits = nets.critic(nets.generator(normal_like(nets.generator, mode, rng), mode), mode)
    nets.critic.requires_grad_(True)
    classified = functional.cross_entropy(logits, mode // nets.critic.config.modes)
    loss = config.class_weight * classified - scores.mean()
    nets.generator_optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nets.generator_optimizer.step()
    return {"generator": loss.detach(), "generator_class": classified.detach()}


def normal_like(generator: Generator, mode: Tensor, rng: torch.Generator) -> Tensor:
    """Training noise for as many windows as there are modes asked for: (n, noise_dim - 1), standard normal."""
    return torch.randn(len(mode), generator.config.noise_dim - 1, generator=rng, device=mode.device)
