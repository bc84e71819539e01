"""What a model brings to the training loop: its networks, their optimisers and its step."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Learner"]

Step = Callable[[int, float], dict[str, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """What a model brings to the loop.

    Parameters
    ----------
    generator, average
        The generator that is trained, and the one that follows it as a moving average, is scored and kept; the loop
        gives the second the weights of the first before it begins.
    others
        The networks that are trained beside it, by the names that a checkpoint has for them.
    optimizers
        By the names that a checkpoint has for them; the loop sets their rate.
    step
        ``step(number, fraction)`` does one generator update and what belongs to it, and returns its losses as scalars
        on the device; ``fraction`` is the share of the training that is used up when it begins, at least 0 and below 1.
    settle
        What the average needs before it is scored, such as the statistics of its normalisation.
    starts_scored
        Whether the generator is worth scoring before the first step, as where it starts as a mixture.
    first_valid
        The fraction of the training from which on it is worth scoring; its end always is.
    score_cost
        Updates that take as long as scoring once, about.

    """

    generator: nn.Module
    average: nn.Module
    others: dict[str, nn.Module] = field(default_factory=dict)
    optimizers: dict[str, torch.optim.Optimizer]
    step: Step
    settle: Callable[[Any], None] | None = None
    starts_scored: bool = False
    first_valid: float = 0.0
    score_cost: float = 5.0

    @property
    def modules(self) -> dict[str, nn.Module]:
        """Every network by the name that a checkpoint has for it."""
        return {"generator": self.generator, **self.others, "average": self.average}
