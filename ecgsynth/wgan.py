"""Recurrent, class-conditional Wasserstein GAN with gradient penalty.

Arjovsky et al., "Wasserstein GAN", 2017; Gulrajani et al., "Improved Training of Wasserstein GANs", 2017;
Miyato and Koyama, "cGANs with Projection Discriminator", 2018; Odena et al., "Conditional Image Synthesis
with Auxiliary Classifier GANs", 2017.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecgsynth.config import TrainConfig, WGANConfig

__all__ = ["Critic", "Generator", "Nets", "critic_step", "generator_step", "gradient_penalty"]


class Generator(nn.Module):
    """Noise and a class to scaled components: a bidirectional GRU over latent steps, all its states read out.

    forward: z (n, noise_dim), standard normal; label (n,) int64 -> x (n, components), scaled (not physical units)
    """

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.classes, config.label_dim)
        self.rnn = nn.GRU(config.step_noise + config.label_dim, config.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(config.latent_steps * 2 * config.hidden, config.components)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        noise = z.unflatten(1, (self.config.latent_steps, self.config.step_noise))  # (n, latent_steps, step_noise)
        asked = self.embed(label).unsqueeze(1).expand(-1, self.config.latent_steps, -1)
        states, _ = self.rnn(torch.cat([noise, asked], dim=2))  # (n, latent_steps, 2 * hidden)
        x: Tensor = self.head(states.flatten(1))  # (n, components)
        return x


class Critic(nn.Module):
    """Scaled components to a score by projection on the class, and the auxiliary classifier's opinion.

    forward: x (n, components), label (n,) int64 -> score (n,), higher is more real; logits (n, classes)
    """

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
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
        self.embed = nn.Embedding(config.classes, width)
        self.classify = nn.Linear(width, config.classes)
        nn.init.normal_(self.embed.weight, std=width**-0.5)  # so that the projection starts no larger than the score

    def forward(self, x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)  # (n, critic_hidden)
        score = self.score(h).squeeze(1) + (self.embed(label) * h).sum(dim=1)  # (n,)
        return score, self.classify(h)


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
    nets: Nets, real: Tensor, label: Tensor, config: TrainConfig, rng: torch.Generator, *, penalise: bool
) -> dict[str, Tensor]:
    """One update of the critic; the generator is only read. Losses are returned as scalars on the device.

    Differs from the paper: the penalty is taken on some steps only, with as many times the weight (lazy
    regularisation, Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, appendix B).
    """
    with torch.no_grad():
        fake = nets.generator(normal_like(nets.generator, label, rng), label)
    scores, logits = nets.critic(torch.cat([real, fake]), torch.cat([label, label]))
    on_real, on_fake = scores.chunk(2)
    gap = on_real.mean() - on_fake.mean()
    classified = functional.cross_entropy(logits[: len(real)], label)
    loss = config.class_weight * classified - gap
    record = {"wasserstein": gap.detach(), "critic_class": classified.detach()}
    if penalise:
        penalty = gradient_penalty(lambda x: nets.critic(x, label)[0], real, fake, rng)
        loss = loss + config.gp_weight * config.gp_every * penalty
        record["penalty"] = penalty.detach()
    nets.critic_optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nets.critic_optimizer.step()
    return record


def generator_step(nets: Nets, label: Tensor, config: TrainConfig, rng: torch.Generator) -> dict[str, Tensor]:
    """One update of the generator; the critic is only read."""
    nets.critic.requires_grad_(False)
    scores, logits = nets.critic(nets.generator(normal_like(nets.generator, label, rng), label), label)
    nets.critic.requires_grad_(True)
    classified = functional.cross_entropy(logits, label)
    loss = config.class_weight * classified - scores.mean()
    nets.generator_optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nets.generator_optimizer.step()
    return {"generator": loss.detach(), "generator_class": classified.detach()}


def normal_like(generator: Generator, label: Tensor, rng: torch.Generator) -> Tensor:
    """Training noise for as many windows as there are labels: (n, noise_dim), standard normal."""
    return torch.randn(len(label), generator.config.noise_dim, generator=rng, device=label.device)
