"""Training the autoregressive model: maximum likelihood of the training rows, with columns shown at random."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgsynth.core.config import TrainConfig
from ecgsynth.training.state import Learner

from ..models.autoregressive import AutoregressiveConfig, AutoregressiveModel

__all__ = ["build_autoregressive", "likelihood"]

ASKED = 0.5  # share of the training rows in which something is asked for
SCORED = 4096  # rows whose likelihood is found at a time


def build_autoregressive(
    config: AutoregressiveConfig,
    training: TrainConfig,
    codes: Tensor,
    shares: list[NDArray[np.float64]],
    rng: torch.Generator,
) -> Learner:
    """What the loop trains on rows as codes (n, columns), on their device; ``shares`` of the codes, by column."""
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
    some = torch.rand(rows, 1, generator=rng, device=device) < ASKED
    return (torch.rand(rows, len(askable), generator=rng, device=device) < share) & some & askable


def likelihood(model: AutoregressiveModel, codes: Tensor) -> float:
    """Mean log-likelihood, in nats a row, of rows as codes (n, columns) of which nothing is known beforehand."""
    total = 0.0
    with torch.inference_mode():
        for part in codes.split(SCORED):
            total += float(model(part.long(), torch.zeros_like(part, dtype=torch.bool)).sum())
    return total / len(codes)
