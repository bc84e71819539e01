"""Training GAIN: its networks, its batches and its step, handed to the loop; and filling the holes of rows."""

from collections.abc import Callable
from dataclasses import fields

import torch
from torch import Tensor

from ecgsynth.core.config import TrainConfig
from ecgsynth.core.noise import row_noise
from ecgsynth.models.wgan import box_muller
from ecgsynth.training.state import Learner

from ..models.gain import (
    Discriminator,
    GainConfig,
    GainGenerator,
    adversarial_loss,
    discriminator_loss,
    hint_of,
    reconstruction_loss,
)
from ..models.gain_space import GainSpace
from ..models.model import Arrays, Model, Pair, SpaceKind

__all__ = ["MODEL", "build_gain", "filled", "found_again"]

FILLED_ROWS = 8192  # at a time
HIDDEN_SHARE = 0.2  # of the known values of rows kept apart, to be found again


def build_gain(config: GainConfig, training: TrainConfig, x: Tensor, known: Tensor, rng: torch.Generator) -> Learner:
    """What the loop trains.

    Parameters
    ----------
    config, training
        Settings of the networks and of the training.
    x
        (n, width) training rows, anything finite in their holes, on the device of the training.
    known
        (n, columns) bool, False where there is a hole.
    rng
        Draws everything but the initial weights.

    """
    device = x.device
    generator, average, judge = GainGenerator(config), GainGenerator(config), Discriminator(config)
    for module in (generator, average, judge):
        module.to(device)
    optimizers = [torch.optim.Adam(module.parameters(), lr=training.rate, fused=True) for module in (generator, judge)]

    def chance(like: Tensor, share: float) -> Tensor:
        return torch.rand(like.shape, generator=rng, device=device) < share

    def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    def step(number: int, fraction: float) -> dict[str, Tensor]:
        for _ in range(training.critic_steps):
            rows = torch.randint(len(x), (training.batch,), generator=rng, device=device)
            real, there = x[rows], known[rows]
            shown = there & ~chance(there, config.hide)
            hinted = chance(there, config.hint)
            scores = generator(real, shown, torch.randn(real.shape, generator=rng, device=device))
            whole = torch.where(shown[:, generator.owners], real, generator.values(scores))
            hint = hint_of(shown, hinted)
            finding = discriminator_loss(judge(whole.detach(), hint), shown, hinted)
            update(optimizers[1], finding)
        judge.requires_grad_(False)
        fooling = adversarial_loss(judge(whole, hint), shown, hinted)
        judge.requires_grad_(True)
        missed = reconstruction_loss(config, scores, real, there)
        update(optimizers[0], fooling + config.reconstruction * missed)
        return {
            "discriminator": finding.detach(),
            "generator": fooling.detach(),
            "reconstruction": missed.detach(),
        }

    return Learner(
        generator=generator,
        average=average,
        others={"critic": judge},
        optimizers={"generator": optimizers[0], "critic": optimizers[1]},
        step=step,
    )


def filled(imputer: GainGenerator, x: Tensor, shown: Tensor, seed: int) -> Tensor:
    """Rows x (n, width) with the holes of shown (n, columns) filled, by noise of its number and the seed."""
    imputer.eval()
    parts = []
    width = x.shape[1] + x.shape[1] % 2  # normals are made in pairs
    with torch.inference_mode():
        for start in range(0, len(x), FILLED_ROWS):
            rows = slice(start, min(start + FILLED_ROWS, len(x)))
            uniform = torch.from_numpy(row_noise(seed, range(rows.start, rows.stop), width).uniform)
            noise = box_muller(uniform)[:, : x.shape[1]].to(x.device)
            parts.append(imputer.fill(x[rows], shown[rows], noise))
    return torch.cat(parts)


def found_again(config: GainConfig, x: Tensor, known: Tensor, seed: int) -> Callable[[GainGenerator], float]:
    """A score of imputers: minus the mean loss of a fifth of the known values of rows that it has to find again."""
    rng = torch.Generator().manual_seed(seed)
    hidden = known & (torch.rand(known.shape, generator=rng) < HIDDEN_SHARE).to(known.device)
    noise = torch.randn(x.shape, generator=rng).to(x.device)

    def score(imputer: GainGenerator) -> float:
        imputer.eval()
        with torch.inference_mode():
            return -float(reconstruction_loss(config, imputer(x, known & ~hidden, noise), x, hidden))

    return score


def encoded(space: GainSpace, arrays: Arrays) -> Pair:
    """Rows (n, width) float32, 0 in their holes, and what is known of them, (n, columns) bool."""
    rows, known = space.encode(arrays)
    return torch.from_numpy(rows), torch.from_numpy(known)


def scored(
    config: GainConfig, space: GainSpace, arrays: Arrays, device: torch.device, seed: int
) -> Callable[[GainGenerator], float]:
    """How well values of the rows kept apart are found again."""
    x, known = encoded(space, arrays)
    return found_again(config, x.to(device), known.to(device), seed)


MODEL: Model[GainConfig, GainSpace] = Model(
    space=SpaceKind(
        phase="finding the scales",
        fit=lambda schema, arrays, owners, rng: GainSpace.fit(schema, arrays),
        encode=lambda space, arrays, rng: encoded(space, arrays),
        save=lambda space, folder: None,
        to_json=lambda space: space.to_json(),
        load=lambda folder, content: GainSpace.from_json(content or {}),
        rare=lambda schema, space: {},
    ),
    config=GainConfig,
    settings=tuple(sorted({entry.name for entry in fields(GainConfig)} - {"numbers", "sizes"})),
    configure=lambda space, settings, label: space.config(**settings),
    generator=lambda config, space: GainGenerator(config),
    build=lambda config, training, space, rows, rng: build_gain(config, training, *rows, rng),
    score=scored,
    losses=("discriminator", "generator", "reconstruction"),
    training={"batch": 256, "rate": 1e-3, "critic_steps": 1},
)
