"""Which training windows a batch has."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["balanced"]


def balanced(labels: Tensor, classes: int, batch: int, rng: torch.Generator) -> Callable[[], Tensor]:
    """A function that draws the positions of a batch: as many of each class, within it every window alike.

    Parameters
    ----------
    labels
        (n,) int64, the class of each window, on the device of ``rng``.
    classes
        How many classes there are.
    batch
        Windows in a batch, about: as many of each class as fit.
    rng
        What draws them.

    """
    members = [torch.nonzero(labels == code).squeeze(1) for code in range(classes)]
    if classes == 1:
        members = [torch.arange(len(labels), device=labels.device)]
    per_class = max(1, batch // classes)

    def draw() -> Tensor:
        picked = [own[torch.randint(len(own), (per_class,), generator=rng, device=own.device)] for own in members]
        return torch.cat(picked)

    return draw
