"""Training the autoregressive model: maximum likelihood of the training rows, with columns shown at random."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ConfigError
from ecgsynth.training.state import Learner

from ..encoding.encoding import Encoding
from ..models.autoregressive import AutoregressiveConfig, AutoregressiveModel
from ..models.model import Arrays, Model, coded_in, sizes_of

__all__ = ["MODEL", "build_autoregressive", "likelihood"]

ASKED_SHARE = 0.5  # of the training rows in which something is asked for
SCORED_ROWS = 4096  # their likelihood is found at a time


def build_autoregressive(
    config: AutoregressiveConfig,
    training: TrainConfig,
    codes: Tensor,
    shares: list[NDArray[np.float64]],
    rng: torch.Generator,
) -> Learner:
    """What the loop trains.

    Parameters
    ----------
    config, training
        Settings of the network and of the training.
    codes
        The training rows, (n, columns), on the device of the training.
    shares
        Of the codes, by column.
    rng
        Draws everything but the initial weights.

    """
    device = codes.device
    model, average = AutoregressiveModel(config, shares).to(device), AutoregressiveModel(config, shares).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=training.rate, fused=True)
    askable = torch.tensor(config.askable, device=device)

    def step(number: int, fraction: float) -> dict[str, Tensor]:
        rows = codes[torch.randint(len(codes), (training.batch,), generator=rng, device=device)].long()
        shown = show(len(rows), askable, rng)
        loss = -(model(rows, shown) * ~shown).sum(1).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return {"nats": loss.detach()}

    return Learner(generator=model, average=average, optimizers={"generator": optimizer}, step=step)


def show(rows: int, askable: Tensor, rng: torch.Generator) -> Tensor:
    """(rows, columns) bool, what is asked for: nothing in one half of the rows, in the others each column as likely."""
    device = askable.device
    share = torch.rand(rows, 1, generator=rng, device=device)
    asks = torch.rand(rows, 1, generator=rng, device=device) < ASKED_SHARE
    return (torch.rand(rows, len(askable), generator=rng, device=device) < share) & asks & askable


def likelihood(model: AutoregressiveModel, codes: Tensor) -> float:
    """Mean log-likelihood, in nats a row, of rows as codes (n, columns) of which nothing is known beforehand."""
    total = 0.0
    with torch.inference_mode():
        for part in codes.split(SCORED_ROWS):
            total += float(model(part.long(), torch.zeros_like(part, dtype=torch.bool)).sum())
    return total / len(codes)


def configured(encoding: Encoding, settings: dict[str, Any], label: str | None) -> AutoregressiveConfig:
    """The networks' settings; ``hidden`` may be a number, or one of them in a tuple."""
    settings = dict(settings)
    if isinstance(settings.get("hidden"), tuple | list):
        if len(settings["hidden"]) != 1:
            raise ConfigError(f"the autoregressive model has one size of its hidden layers, got {settings['hidden']}")
        settings["hidden"] = settings["hidden"][0]
    return AutoregressiveConfig(**sizes_of(encoding), **settings)


def scored(
    config: AutoregressiveConfig, encoding: Encoding, arrays: Arrays, device: torch.device, seed: int
) -> Callable[[AutoregressiveModel], float]:
    """The likelihood of the rows kept apart."""
    codes = MODEL.space.encode(encoding, arrays, np.random.default_rng(0))[0].to(device)
    return lambda model: likelihood(model, codes)


MODEL: Model[AutoregressiveConfig, Encoding] = Model(
    space=coded_in("cells"),
    config=AutoregressiveConfig,
    settings=("hidden",),
    configure=configured,
    generator=lambda config, encoding: AutoregressiveModel(config, encoding.shares),
    build=lambda config, training, encoding, rows, rng: build_autoregressive(
        config, training, rows[0], encoding.shares, rng
    ),
    score=scored,
    losses=("nats",),
    training={"batch": 500, "rate": 2e-3},
    epochs=15,
    least_steps=1500,
    has_critic=False,
)
