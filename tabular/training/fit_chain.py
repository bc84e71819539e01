"""Training the chain: maximum likelihood of the training rows, with the columns that are shown drawn at random."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgsynth.core.config import TrainConfig
from ecgsynth.training.loop import Progress, Trainee, train
from ecgsynth.training.run_folder import RunFolder

from ..models.chain import Chain, ChainConfig

__all__ = ["fit_chain", "likelihood"]

ASKED = 0.5  # share of the training rows in which something is asked for
SCORED = 4096  # rows whose likelihood is found at a time


def fit_chain(
    config: ChainConfig,
    training: TrainConfig,
    codes: Tensor,
    shares: list[NDArray[np.float64]],
    *,
    score: Callable[[Chain], float],
    run: RunFolder,
    on_progress: Callable[[Progress], None] | None = None,
    began: float | None = None,
) -> dict[str, Any]:
    """Train on rows as codes (n, columns), on the device that they are on; ``shares`` of the codes, by column.

    The best chain by ``score`` is left in the run folder; see training.train for what comes back and what is raised.
    """
    device = codes.device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        chain, average = Chain(config, shares), Chain(config, shares)
    average.load_state_dict(chain.state_dict())
    chain, average = chain.to(device), average.to(device)
    optimizer = torch.optim.Adam(chain.parameters(), lr=training.rate, fused=True)
    rng = torch.Generator(device).manual_seed(training.seed)
    askable = torch.tensor(config.askable, device=device)

    def step(number: int, fraction: float) -> dict[str, Tensor]:
        rows = codes[torch.randint(len(codes), (training.batch,), generator=rng, device=device)].long()
        shown = show(len(rows), askable, rng)
        loss = -(chain(rows, shown) * ~shown).sum(1).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return {"nats": loss.detach()}

    trainee = Trainee(
        modules={"generator": chain},
        optimizers={"generator": optimizer},
        rng=rng,
        source=chain,
        average=average,
    )
    return train(trainee, step, training, score=score, run=run, on_progress=on_progress, began=began)


def show(rows: int, askable: Tensor, rng: torch.Generator) -> Tensor:
    """(rows, columns) bool, what is asked for: nothing in one half of the rows, in the others each column as likely."""
    device = askable.device
    share = torch.rand(rows, 1, generator=rng, device=device)
    some = torch.rand(rows, 1, generator=rng, device=device) < ASKED
    return (torch.rand(rows, len(askable), generator=rng, device=device) < share) & some & askable


def likelihood(chain: Chain, codes: Tensor) -> float:
    """Mean log-likelihood, in nats a row, of rows as codes (n, columns) of which nothing is known beforehand."""
    total = 0.0
    with torch.inference_mode():
        for part in codes.split(SCORED):
            total += float(chain(part.long(), torch.zeros_like(part, dtype=torch.bool)).sum())
    return total / len(codes)
