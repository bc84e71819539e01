"""Training TimeGAN: its networks, its batches and its three phases, handed to the loop."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ecgsynth.core.config import TimeGANConfig, TrainConfig
from ecgsynth.models.timegan import (
    Nets,
    Recurrent,
    TimeGANGenerator,
    discriminator_step,
    embedding_step,
    generator_step,
    supervisor_step,
)
from ecgsynth.training.loop import Progress, Trainee, train
from ecgsynth.training.run_folder import RunFolder

__all__ = ["fit_timegan"]

# Differs from the paper: phases are shares of the training, and the joint one, which is the costly one, gets most.
EMBEDDING_SHARE = 0.2
SUPERVISED_SHARE = 0.15
JOINT_FROM = EMBEDDING_SHARE + SUPERVISED_SHARE
GENERATOR_STEPS = 2  # a discriminator update
BETAS = (0.9, 0.999)  # Adam's, for autoencoder
SCORE_COST = 15.0  # updates that take as long as a validation, as measured: 11 on beats, 12 on Stocks
ADVERSARIAL_BETAS = (0.5, 0.999)  # for what plays against each other


def fit_timegan(
    config: TimeGANConfig,
    training: TrainConfig,
    real: Tensor,
    labels: Tensor,
    *,
    score: Callable[[TimeGANGenerator], float],
    run: RunFolder,
    on_progress: Callable[[Progress], None] | None = None,
    began: float | None = None,
) -> dict[str, Any]:
    """Train on windows (n, features), scaled to [0, 1], and their labels (n,) int64, on the device that they are on.

    With several classes every batch has the same number of each, drawn with repetition. The best generator by
    ``score`` is left in the run folder; it is not asked before the third phase. See training.train for what comes
    back and what is raised.
    """
    nets, average = build(config, training, real.device)
    rng = torch.Generator(real.device).manual_seed(training.seed)
    members = [torch.nonzero(labels == code).squeeze(1) for code in range(config.classes)]
    if config.classes == 1:
        members = [torch.arange(len(real), device=real.device)]
    per_class = max(1, training.batch // config.classes)

    def batch() -> tuple[Tensor, Tensor]:
        """Windows and their labels: the same number of each class, within it every window alike."""
        picked = [own[torch.randint(len(own), (per_class,), generator=rng, device=real.device)] for own in members]
        return real[torch.cat(picked)], labels[torch.cat(picked)]

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

    trainee = Trainee(
        modules={"generator": nets.generator, "embedder": nets.embedder, "discriminator": nets.discriminator},
        optimizers={
            "autoencoder": nets.autoencoder_optimizer,
            "generator": nets.generator_optimizer,
            "discriminator": nets.discriminator_optimizer,
        },
        rng=rng,
        source=nets.generator,
        average=average,
        first_valid=JOINT_FROM,
        score_cost=SCORE_COST,
    )
    return train(trainee, step, training, score=score, run=run, on_progress=on_progress, began=began)


def build(config: TimeGANConfig, training: TrainConfig, device: torch.device) -> tuple[Nets, TimeGANGenerator]:
    """The networks with their optimisers, and the generator that will follow as a moving average."""
    hidden, layers = config.hidden, config.layers
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        generator, average = TimeGANGenerator(config), TimeGANGenerator(config)
        embedder = Recurrent(config, config.frame * config.channels, hidden, layers)
        discriminator = Recurrent(config, hidden, 1, layers, squash=False)
    average.load_state_dict(generator.state_dict())
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
