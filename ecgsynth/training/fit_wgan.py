"""Training the recurrent WGAN-GP: its networks, its batches and its step, handed to the loop."""

from collections.abc import Callable

import torch
from torch import Tensor

from ecgsynth.core.config import TrainConfig
from ecgsynth.models.clusters import Clusters
from ecgsynth.models.learner import Learner
from ecgsynth.models.model import Model
from ecgsynth.models.wgan import Critic, Generator, Nets, WGANConfig, critic_step, generator_step
from ecgsynth.models.wgan_plan import WGANPlan, plan_wgan, read_space
from ecgsynth.training.batches import balanced

__all__ = ["MODEL", "build_wgan", "learner_of", "with_optimizers"]

SCORE_COST = 30.0  # updates that take as long as a validation, as measured: 24 on beats, 31 on Stocks


def build_wgan(plan: WGANPlan, training: TrainConfig, real: Tensor, labels: Tensor, rng: torch.Generator) -> Learner:
    """What the loop trains on windows as features (n, features) and their labels (n,) int64, on their device.

    Every batch has the same number of each class, drawn with repetition.
    """
    config, clusters = plan.config, plan.clusters
    numbers = torch.from_numpy(clusters.numbers).to(real.device)
    nets, average = networks(config, training, clusters, real.device)
    return learner_of(
        nets,
        average,
        nets.generator.locate(real, numbers),
        numbers,
        balanced(labels, config.classes, training.batch, rng),
        training,
        rng,
        starts_scored=not config.asinh,  # a series starts as a mixture, perhaps better than what training makes of it
    )


def networks(
    config: WGANConfig, training: TrainConfig, clusters: Clusters, device: torch.device
) -> tuple[Nets, Generator]:
    """The networks with their optimisers, and the generator that will follow as a moving average."""
    generator, average, critic = Generator(config), Generator(config), Critic(config)
    generator.set_clusters(clusters)
    return with_optimizers(generator, critic, training, device), average.to(device)


def with_optimizers(generator: Generator, critic: Critic, training: TrainConfig, device: torch.device) -> Nets:
    """A generator and a critic on their device, each with its optimiser."""
    optimizers = [
        torch.optim.Adam(module.to(device).parameters(), lr=training.rate, betas=(0.0, 0.9), fused=True)
        for module in (generator, critic)
    ]
    return Nets(generator, critic, *optimizers)


def learner_of(
    nets: Nets,
    average: Generator,
    local: Tensor,
    numbers: Tensor,
    draw: Callable[[], Tensor],
    training: TrainConfig,
    rng: torch.Generator,
    *,
    starts_scored: bool,
) -> Learner:
    """What the loop trains: a generator and a critic of local coordinates, and the step of both.

    Parameters
    ----------
    nets, average
        On their device.
    local, numbers
        (n, learnt) real windows, and (n,) int64 the cluster of each.
    draw
        Gives the positions of a batch.
    training
        Its settings.
    rng
        The step's randomness.
    starts_scored
        See Learner.

    """

    def step(number: int, fraction: float) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        for update in range(number * training.critic_steps, (number + 1) * training.critic_steps):
            picked = draw()
            penalise = update % training.gp_every == 0
            losses |= critic_step(nets, local[picked], numbers[picked], training, rng, penalise=penalise)
        return losses | generator_step(nets, numbers[draw()], rng)

    return Learner(
        generator=nets.generator,
        average=average,
        others={"critic": nets.critic},
        optimizers={"generator": nets.generator_optimizer, "critic": nets.critic_optimizer},
        step=step,
        starts_scored=starts_scored,
        score_cost=SCORE_COST,
    )


MODEL = Model(
    config=WGANConfig,
    read_space=read_space,
    generator=Generator,
    plan=plan_wgan,
    build=build_wgan,
    losses=("wasserstein", "generator"),
    from_data=("time", "channels", "gaussian_tail", "intervals", "asinh", "clusters"),
)
