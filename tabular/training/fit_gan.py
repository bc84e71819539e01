"""Training adversarial models of tables: their networks, their optimisers and their step, handed to the loop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ConfigError
from ecgsynth.training.state import Learner

from ..encoding.encoding import Encoding
from ..models.config import GANConfig
from ..models.gan import Critic, JointGenerator
from ..models.model import Model, coded_in, sizes_of
from ..models.objectives import OBJECTIVES, Objective, confine, critic_loss, generator_loss, slope_of
from .batches import Asked, RowBatches
from .selection import pair_score

__all__ = ["MODEL", "Nets", "build_gan", "critic_step", "generator_step", "networks", "play", "unroll"]

SETTLING_BATCHES = 20  # from which the average generator's statistics are found before it is scored


@dataclass(frozen=True, slots=True)
class Nets:
    """What is trained, each with its optimiser."""

    config: GANConfig
    generator: JointGenerator
    critic: Critic
    generator_optimizer: torch.optim.Optimizer
    critic_optimizer: torch.optim.Optimizer

    @property
    def objective(self) -> Objective:
        """Their objective."""
        return OBJECTIVES[self.config.objective]


@dataclass(frozen=True, slots=True)
class Game:
    """What one update is on.

    asked: the rows that were drawn; real: they as packs (m, pack * width); made: as many packs for each set that the
    objective asks for; condition: of the packs, (m, pack); logits: (n, codes) of the first n made rows
    """

    asked: Asked
    real: Tensor
    made: Tensor
    condition: Tensor
    logits: Tensor


def build_gan(
    config: GANConfig,
    training: TrainConfig,
    codes: Tensor,
    positions: Tensor,
    shares: list[NDArray[np.float64]],
    rng: torch.Generator,
) -> Learner:
    """What the loop trains.

    Parameters
    ----------
    config, training
        Settings of the networks and of the training.
    codes, positions
        The training rows, (n, columns) each, on the device of the training.
    shares
        Of the codes, by column.
    rng
        Draws everything but the initial weights.

    Raises
    ------
    ConfigError
        For a batch that is not made of whole packs.

    """
    if training.batch % config.pack or (config.normalise and training.batch < 2):
        raise ConfigError(
            f"batch must be a multiple of pack and 2 rows or more, got {training.batch} rows and packs of {config.pack}"
        )
    nets, average = networks(config, training, shares, codes.device)
    batches = RowBatches(config, codes, positions)

    def step(number: int, fraction: float) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        for update in range(training.critic_steps):
            weight = training.gp_weight * training.gp_every
            if (number * training.critic_steps + update) % training.gp_every:
                weight = 0.0
            game = play(nets, batches, training.batch, rng, last=update == training.critic_steps - 1)
            losses |= critic_step(nets, game, rng, weight)
        return losses | generator_step(nets, batches, game, rng, training.gp_weight)

    return Learner(
        generator=nets.generator,
        average=average,
        others={"critic": nets.critic},
        optimizers={"generator": nets.generator_optimizer, "critic": nets.critic_optimizer},
        step=step,
        settle=lambda generator: settle(generator, batches, training),
    )


def networks(
    config: GANConfig, training: TrainConfig, shares: list[NDArray[np.float64]], device: torch.device
) -> tuple[Nets, JointGenerator]:
    """The networks with their optimisers, and the generator that will follow as a moving average."""
    generator, average, critic = JointGenerator(config, shares), JointGenerator(config, shares), Critic(config)
    for module in (generator, average, critic):
        module.to(device)
    optimizers = [optimizer_of(config, module, training.rate) for module in (generator, critic)]
    return Nets(config, generator, critic, *optimizers), average


def optimizer_of(config: GANConfig, module: nn.Module, rate: float) -> torch.optim.Optimizer:
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(module.parameters(), lr=rate, weight_decay=config.weight_decay, foreach=True)
    return torch.optim.Adam(
        module.parameters(), lr=rate, betas=config.betas, weight_decay=config.weight_decay, fused=True
    )


def play(nets: Nets, batches: RowBatches, n: int, rng: torch.Generator, *, last: bool) -> Game:
    """Draw ``n`` real rows and make as many; with gradients to the generator where its own update is next.

    Differs from the papers: the generator's update is on the rows that the critic's last one has just seen, so that
    they are made once. And in training by sampling real and made rows of one place in the batch have the same
    condition, so that a penalty between them is at one condition, and its slope is by the rows, not by the condition.
    """
    asked = batches.draw(n, rng)
    condition = torch.cat([asked.condition] * nets.objective.sets)
    with torch.set_grad_enabled(last):
        noise = torch.randn(len(condition), nets.config.normals, generator=rng, device=condition.device)
        rows, logits = nets.generator.rows(noise, condition, rng)
    critic = nets.critic
    real = critic.packed(batches.matrix(asked.rows))
    return Game(asked, real, critic.packed(rows), critic.packed_condition(asked.condition), logits[:n])


def critic_step(nets: Nets, game: Game, rng: torch.Generator, weight: float) -> dict[str, Tensor]:
    """One update of the critic; the generator is not touched.

    Parameters
    ----------
    nets
        The networks and their optimisers.
    game
        The rows of the batch, real and made.
    rng
        Draws the units that are dropped, and the points of the penalty.
    weight
        Of the penalty; 0 where this step takes none.

    Returns
    -------
    The losses, scalars on the device.

    """
    critic = nets.critic
    losses = critic_loss(
        nets.objective,
        lambda x: critic(x, game.condition, rng),
        lambda x: critic.slope(x, game.condition, rng),
        game.real,
        game.made.detach(),
        rng,
        weight,
    )
    nets.critic_optimizer.zero_grad(set_to_none=True)
    losses.pop("loss").backward()
    nets.critic_optimizer.step()
    confine(nets.objective, critic, nets.config.clip)
    return {name: value.detach() for name, value in losses.items()}


def generator_step(
    nets: Nets, batches: RowBatches, game: Game, rng: torch.Generator, weight: float
) -> dict[str, Tensor]:
    """One update of the generator; the critic is only read.

    Parameters
    ----------
    nets
        The networks and their optimisers.
    batches
        What the rows are drawn from.
    game
        The rows of the batch, real and made.
    rng
        Draws the units that are dropped, and the points of the penalty.
    weight
        Of the penalty in the critic's updates that the generator looks ahead to.

    Returns
    -------
    The losses, scalars on the device.

    """
    config = nets.config
    if config.unrolled:
        ahead = ahead_score(nets.critic, unroll(nets, game, rng, weight), game.condition, rng)
        loss = generator_loss(nets.objective, ahead, game.real, game.made)
    else:
        nets.critic.requires_grad_(False)
        loss = generator_loss(nets.objective, lambda x: nets.critic(x, game.condition, rng), game.real, game.made)
        nets.critic.requires_grad_(True)
    losses = {"generator": loss.detach()}
    if game.asked.column is not None:
        missed = batches.cross_entropy(game.logits, game.asked)
        losses["condition"] = missed.detach()
        loss = loss + missed
    nets.generator_optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nets.generator_optimizer.step()
    return losses


def unroll(nets: Nets, game: Game, rng: torch.Generator, weight: float) -> dict[str, Tensor]:
    """The critic's weights some updates ahead, as a function of the made rows through which gradients pass.

    Differs from the paper: every update is on the batch at hand.

    References
    ----------
    Metz, Poole, Pfau and Sohl-Dickstein, "Unrolled Generative Adversarial Networks", 2017, equations 5 to 8.

    """
    config = nets.config
    weights = {name: parameter.detach().requires_grad_() for name, parameter in nets.critic.named_parameters()}
    for _ in range(config.unrolled):
        score = ahead_score(nets.critic, weights, game.condition, rng)
        loss = critic_loss(nets.objective, score, slope_of(score), game.real, game.made, rng, weight)["loss"]
        slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        moved = [old - config.unrolled_rate * slope for old, slope in zip(weights.values(), slopes, strict=True)]
        if nets.objective.after_step is not None:
            moved = [nets.objective.after_step(value, config.clip) for value in moved]
        weights = dict(zip(weights, moved, strict=True))
    return weights


def ahead_score(
    critic: Critic, weights: dict[str, Tensor], condition: Tensor, rng: torch.Generator
) -> Callable[[Tensor], Tensor]:
    """The critic as it is with other weights."""
    return lambda packs: functional_call(critic, weights, (packs, condition, rng))


@torch.no_grad()
def settle(generator: JointGenerator, batches: RowBatches, training: TrainConfig) -> None:
    """Find the statistics of a generator's normalisation anew, from noise: averaged weights have none of their own."""
    norms = [module for module in generator.modules() if isinstance(module, nn.BatchNorm1d)]
    if not norms:
        return
    rng = torch.Generator(batches.codes.device).manual_seed(training.seed)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    generator.train()
    for _ in range(SETTLING_BATCHES):
        condition = batches.draw(training.batch, rng).condition
        noise = torch.randn(len(condition), generator.config.normals, generator=rng, device=condition.device)
        generator(noise, condition)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    generator.eval()


def configured(encoding: Encoding, settings: dict[str, Any], label: str | None) -> GANConfig:
    """The networks' settings; ``hidden`` sets the layers of both networks."""
    settings = dict(settings)
    wide = settings.pop("hidden", None)
    both = {} if wide is None else {"generator_sizes": wide, "critic_sizes": wide}
    place = label_of(encoding, label) if with_label(settings) else None
    return GANConfig.from_json({**sizes_of(encoding), "label": place, **both, **settings})


def with_label(settings: Mapping[str, Any]) -> bool:
    """Whether the condition is a label."""
    return settings.get("condition") == "label"


def label_of(encoding: Encoding, label: str | None) -> int:
    """The place of the column that is the condition: the one named, or the last that is categorical."""
    may = {column.name: place for place, column in enumerate(encoding.columns) if encoding.askable[place]}
    if not may:
        raise ConfigError("the condition of a conditional GAN is a categorical column, and this table has none")
    if label is not None and label not in may:
        raise ConfigError(f"the label is a categorical column, one of {', '.join(may)}, got {label!r}")
    return may[label] if label is not None else list(may.values())[-1]


MODEL: Model[GANConfig, Encoding] = Model(
    space=coded_in("mixture"),
    config=GANConfig,
    settings=("hidden", *sorted({entry.name for entry in fields(GANConfig)} - {"sizes", "positioned", "askable"})),
    configure=configured,
    generator=lambda config, encoding: JointGenerator(config, encoding.shares),
    build=lambda config, training, encoding, rows, rng: build_gan(config, training, *rows, encoding.shares, rng),
    score=lambda config, encoding, arrays, device, seed: pair_score(encoding, arrays),
    losses=("critic", "generator"),
    takes_label=with_label,
    pack=lambda config: config.pack,
)
