"""Training the recurrent WGAN-GP: its networks, its batches and its step, handed to the loop."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ecgsynth.core.config import TrainConfig, WGANConfig
from ecgsynth.models.clusters import Modes
from ecgsynth.models.wgan import Critic, Generator, Nets, critic_step, generator_step
from ecgsynth.training.loop import Progress, Trainee, train, validate
from ecgsynth.training.run_folder import RunFolder

__all__ = ["fit_wgan"]

SCORE_COST = 30.0  # updates that take as long as a validation, as measured: 24 on beats, 31 on Stocks


def fit_wgan(
    config: WGANConfig,
    training: TrainConfig,
    real: Tensor,
    labels: Tensor,
    modes: Modes,
    *,
    score: Callable[[Generator], float],
    run: RunFolder,
    on_progress: Callable[[Progress], None] | None = None,
    began: float | None = None,
) -> dict[str, Any]:
    """Train on windows as features (n, features) and their labels (n,) int64, on the device that they are on.

    Every batch has the same number of each class, drawn with repetition. The best generator by ``score`` is left in
    the run folder; see training.train for what comes back and what is raised.
    """
    numbers = torch.from_numpy(modes.numbers).to(real.device)
    nets, average = build(config, training, modes, real.device)
    local = nets.generator.locate(real, numbers)
    rng = torch.Generator(real.device).manual_seed(training.seed)
    members = [torch.nonzero(labels == code).squeeze(1) for code in range(config.classes)]
    per_class = max(1, training.batch // config.classes)

    def balanced() -> Tensor:
        """Positions of a batch: the same number of each class, within it every window alike."""
        return torch.cat(
            [own[torch.randint(len(own), (per_class,), generator=rng, device=real.device)] for own in members]
        )

    def step(number: int, fraction: float) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        for update in range(number * training.critic_steps, (number + 1) * training.critic_steps):
            picked = balanced()
            penalise = update % training.gp_every == 0
            losses |= critic_step(nets, local[picked], numbers[picked], training, rng, penalise=penalise)
        return losses | generator_step(nets, numbers[balanced()], rng)

    trainee = Trainee(
        modules={"generator": nets.generator, "critic": nets.critic},
        optimizers={"generator": nets.generator_optimizer, "critic": nets.critic_optimizer},
        rng=rng,
        source=nets.generator,
        average=average,
        score_cost=SCORE_COST,
    )
    if not config.bent and not run.state.exists():
        validate(trainee, score, run)  # a series starts as a mixture, perhaps better than what training makes of it
    return train(trainee, step, training, score=score, run=run, on_progress=on_progress, began=began)


def build(config: WGANConfig, training: TrainConfig, modes: Modes, device: torch.device) -> tuple[Nets, Generator]:
    """The networks with their optimisers, and the generator that will follow as a moving average."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        generator, average, critic = Generator(config), Generator(config), Critic(config)
    generator.set_modes(modes)
    average.load_state_dict(generator.state_dict())
    for module in (generator, average, critic):
        module.to(device)
    optimizers = [
        torch.optim.Adam(module.parameters(), lr=training.rate, betas=(0.0, 0.9), fused=True)
        for module in (generator, critic)
    ]
    return Nets(generator, critic, *optimizers), average
