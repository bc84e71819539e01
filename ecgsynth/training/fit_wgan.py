"""Training the recurrent WGAN-GP: its networks, its batches and its step, handed to the loop."""

from collections.abc import Callable

import torch
from torch import Tensor

from ecgsynth.core.config import TrainConfig
from ecgsynth.models.learner import Learner
from ecgsynth.models.model import Model
from ecgsynth.models.scaling import PrincipalScaler
from ecgsynth.models.wgan import Critic, Generator, Nets, WGANConfig, critic_step, generator_step
from ecgsynth.models.wgan_plan import WGANPlan, plan_wgan
from ecgsynth.training.batches import balanced

__all__ = ["MODEL", "build_wgan", "learner_of"]

SCORE_COST = 30.0  # updates that take as long as a validation, as measured: 24 on beats, 31 on Stocks


def build_wgan(plan: WGANPlan, training: TrainConfig, real: Tensor, labels: Tensor, rng: torch.Generator) -> Learner:
    """What the loop trains on windows as features (n, features) and their labels (n,) int64, on their device.

    Every batch has the same number of each class, drawn with repetition.
    """
    config, clusters = plan.config, plan.clusters
    numbers = torch.from_numpy(clusters.numbers).to(real.device)
    generator, average, critic = Generator(config), Generator(config), Critic(config)
    generator.set_clusters(clusters)
    for module in (generator, average, critic):
        module.to(real.device)
    draw = balanced(labels, config.classes, training.batch, rng)
    return learner_of(
        generator,
        average,
        critic,
        generator.locate(real, numbers),
        numbers,
        draw,
        training,
        rng,
        starts_scored=not config.asinh,  # a series starts as a mixture, perhaps better than what training makes of it
    )


def learner_of(
    generator: Generator,
    average: Generator,
    critic: Critic,
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
    generator, average, critic
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
    optimizers = [
        torch.optim.Adam(module.parameters(), lr=training.rate, betas=(0.0, 0.9), fused=True)
        for module in (generator, critic)
    ]
    nets = Nets(generator, critic, *optimizers)

    def step(number: int, fraction: float) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        for update in range(number * training.critic_steps, (number + 1) * training.critic_steps):
            picked = draw()
            penalise = update % training.gp_every == 0
            losses |= critic_step(nets, local[picked], numbers[picked], training, rng, penalise=penalise)
        return losses | generator_step(nets, numbers[draw()], rng)

    return Learner(
        generator=generator,
        average=average,
        others={"critic": critic},
        optimizers={"generator": nets.generator_optimizer, "critic": nets.critic_optimizer},
        step=step,
        starts_scored=starts_scored,
        score_cost=SCORE_COST,
    )


MODEL = Model(
    config=WGANConfig,
    space=PrincipalScaler,
    generator=Generator,
    plan=plan_wgan,
    build=build_wgan,
    losses=("wasserstein", "generator"),
    from_data=("time", "channels", "gaussian_tail", "intervals", "asinh", "clusters"),
)
