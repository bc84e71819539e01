"""Training TimeGAN: its networks, its batches and its three phases, handed to the loop."""

import torch
from torch import Tensor

from ecgsynth.core.config import TrainConfig
from ecgsynth.models.learner import Learner
from ecgsynth.models.model import Model
from ecgsynth.models.scaling import ChannelScaler
from ecgsynth.models.timegan import (
    Nets,
    Recurrent,
    TimeGANConfig,
    TimeGANGenerator,
    discriminator_step,
    embedding_step,
    generator_step,
    supervisor_step,
)
from ecgsynth.models.timegan_plan import TimeGANPlan, plan_timegan
from ecgsynth.training.batches import balanced

__all__ = ["MODEL", "build_timegan"]

# Differs from the paper: phases are shares of the training, and the joint one, which is the costly one, gets most.
EMBEDDING_SHARE = 0.2
SUPERVISED_SHARE = 0.15
JOINT_FROM = EMBEDDING_SHARE + SUPERVISED_SHARE
GENERATOR_STEPS = 2  # a discriminator update
BETAS = (0.9, 0.999)  # Adam's, for autoencoder
SCORE_COST = 15.0  # updates that take as long as a validation, as measured: 11 on beats, 12 on Stocks
ADVERSARIAL_BETAS = (0.5, 0.999)  # for what plays against each other


def build_timegan(
    plan: TimeGANPlan, training: TrainConfig, real: Tensor, labels: Tensor, rng: torch.Generator
) -> Learner:
    """What the loop trains on windows (n, features), scaled to [0, 1], and their labels (n,) int64, on their device.

    With several classes every batch has the same number of each, drawn with repetition. The generator is not worth
    scoring before the third phase.
    """
    config = plan.config
    nets, average = networks(config, training, real.device)
    draw = balanced(labels, config.classes, training.batch, rng)

    def batch() -> tuple[Tensor, Tensor]:
        picked = draw()
        return real[picked], labels[picked]

    def step(number: int, fraction: float) -> dict[str, Tensor]:
        if fraction < EMBEDDING_SHARE:
            return embedding_step(nets, *batch())
        if fraction < JOINT_FROM:
            return supervisor_step(nets, *batch())
        for _ in range(GENERATOR_STEPS):
            x, label = batch()
            z = torch.rand(len(x), config.latent_steps, config.noise, generator=rng, device=real.device)
            losses, codes = generator_step(nets, x, label, z)
        return losses | discriminator_step(nets, codes, label)

    return Learner(
        generator=nets.generator,
        average=average,
        others={"embedder": nets.embedder, "discriminator": nets.discriminator},
        optimizers={
            "autoencoder": nets.autoencoder_optimizer,
            "generator": nets.generator_optimizer,
            "discriminator": nets.discriminator_optimizer,
        },
        step=step,
        first_valid=JOINT_FROM,
        score_cost=SCORE_COST,
    )


def networks(config: TimeGANConfig, training: TrainConfig, device: torch.device) -> tuple[Nets, TimeGANGenerator]:
    """The networks with their optimisers, and the generator that will follow as a moving average."""
    hidden, layers = config.hidden, config.layers
    generator, average = TimeGANGenerator(config), TimeGANGenerator(config)
    embedder = Recurrent(config, config.frame * config.channels, hidden, layers)
    discriminator = Recurrent(config, hidden, 1, layers, squash=False)
    for module in (generator, average, embedder, discriminator):
        module.to(device)
    groups = (
        ([*embedder.parameters(), *generator.recovery.parameters()], BETAS),
        ([*generator.generator.parameters(), *generator.supervisor.parameters()], ADVERSARIAL_BETAS),
        ([*discriminator.parameters()], ADVERSARIAL_BETAS),
    )
    optimizers = [
        torch.optim.Adam(parameters, lr=training.rate, betas=betas, fused=True) for parameters, betas in groups
    ]
    return Nets(generator, embedder, discriminator, *optimizers), average


MODEL = Model(
    config=TimeGANConfig,
    read_space=ChannelScaler.load,
    generator=TimeGANGenerator,
    plan=plan_timegan,
    build=build_timegan,
    losses=("reconstruction", "supervised", "generator"),
    from_data=("time", "channels", "classes"),
)
