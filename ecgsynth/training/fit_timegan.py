"""Training TimeGAN: its networks, its batches and its three phases, handed to the loop."""

import torch
from torch import Tensor

from ecgsynth.core.config import TrainConfig
from ecgsynth.models.learner import Learner
from ecgsynth.models.model import Model
from ecgsynth.models.scaling import ChannelScaler
from ecgsynth.models.timegan.networks import Discriminator, Nets, Recurrent, TimeGANConfig, TimeGANGenerator
from ecgsynth.models.timegan.plan import TimeGANPlan, plan_timegan
from ecgsynth.models.timegan.steps import embedding_step, joint_step, supervisor_step
from ecgsynth.training.batches import balanced

__all__ = ["MODEL", "build_timegan"]

# Differs from the paper: phases are shares of the training, and the joint one, which is the costly one, gets most.
SUPERVISED_FROM = 0.1
JOINT_FROM = 0.15
BETAS = (0.9, 0.999)  # Adam's, for the autoencoder
ADVERSARIAL_BETAS = (0.0, 0.99)  # for what plays against each other, as Huang et al. 2024 have them
SCORE_COST = 75.0  # updates that take as long as a validation: 75 to 80 on Stocks, as measured


def build_timegan(
    plan: TimeGANPlan, training: TrainConfig, real: Tensor, labels: Tensor, rng: torch.Generator
) -> Learner:
    """What the loop trains on windows (n, features) and their labels (n,) int64, on their device.

    With several classes every batch has the same number of each, drawn with repetition. The generator is not worth
    scoring before the third phase. The penalty is taken on every ``gp_every``-th update, with as many times the weight.
    """
    config = plan.config
    nets, average = networks(config, training, real.device)
    draw = balanced(labels, config.classes, training.batch, rng)

    def step(number: int, fraction: float) -> dict[str, Tensor]:
        picked = draw()
        x, label = real[picked], labels[picked]
        if fraction < SUPERVISED_FROM:
            return embedding_step(nets, x, label)
        if fraction < JOINT_FROM:
            return supervisor_step(nets, x, label)
        z = torch.randn(len(x), config.normals, generator=rng, device=real.device)
        penalised = config.objective == "relativistic" and number % training.gp_every == 0
        return joint_step(nets, x, label, z, penalise=config.penalty * training.gp_every if penalised else 0.0)

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
    generator, average = TimeGANGenerator(config), TimeGANGenerator(config)
    embedder = Recurrent(config, config.frame_numbers, config.hidden, config.layers, codes=config.codes)
    discriminator = Discriminator(config)
    for module in (generator, average, embedder, discriminator):
        module.to(device)
    recovery = {id(parameter) for parameter in generator.recovery.parameters()}
    groups = (
        ([*embedder.parameters(), *generator.recovery.parameters()], BETAS),
        ([parameter for parameter in generator.parameters() if id(parameter) not in recovery], ADVERSARIAL_BETAS),
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
    losses=("reconstruction", "generator", "discriminator"),
    from_data=("time", "channels", "static_channels", "classes"),
)
