"""Training the recurrent WGAN-GP: its networks, its batches and its step, handed to the loop."""

import torch
from torch import Tensor

from ecgsynth.core.config import TrainConfig
from ecgsynth.models.clusters import Clusters
from ecgsynth.models.learner import Learner
from ecgsynth.models.model import Model
from ecgsynth.models.scaling import PrincipalScaler
from ecgsynth.models.wgan import Critic, Generator, Nets, WGANConfig, critic_step, generator_step
from ecgsynth.models.wgan_plan import WGANPlan, plan_wgan
from ecgsynth.training.batches import balanced

__all__ = ["MODEL", "build_wgan"]

SCORE_COST = 30.0  # updates that take as long as a validation, as measured: 24 on beats, 31 on Stocks


def build_wgan(plan: WGANPlan, training: TrainConfig, real: Tensor, labels: Tensor, rng: torch.Generator) -> Learner:
    """What the loop trains on windows as features (n, features) and their labels (n,) int64, on their device.

    Every batch has the same number of each class, drawn with repetition.
    """
    config, clusters = plan.config, plan.clusters
    numbers = torch.from_numpy(clusters.numbers).to(real.device)
    nets, average = networks(config, training, clusters, real.device)
    local = nets.generator.locate(real, numbers)
    draw = balanced(labels, config.classes, training.batch, rng)

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
        starts_scored=not config.asinh,  # a series starts as a mixture, perhaps better than what training makes of it
        score_cost=SCORE_COST,
    )


def networks(
    config: WGANConfig, training: TrainConfig, clusters: Clusters, device: torch.device
) -> tuple[Nets, Generator]:
    """The networks with their optimisers, and the generator that will follow as a moving average."""
    generator, average, critic = Generator(config), Generator(config), Critic(config)
    generator.set_clusters(clusters)
    for module in (generator, average, critic):
        module.to(device)
    optimizers = [
        torch.optim.Adam(module.parameters(), lr=training.rate, betas=(0.0, 0.9), fused=True)
        for module in (generator, critic)
    ]
    return Nets(generator, critic, *optimizers), average


MODEL = Model(
    config=WGANConfig,
    space=PrincipalScaler,
    generator=Generator,
    plan=plan_wgan,
    build=build_wgan,
    losses=("wasserstein", "generator"),
    from_data=("time", "channels", "gaussian_tail", "intervals", "asinh", "clusters"),
)
