"""Which training windows a batch has."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["balanced", "balanced_people"]

MOST_OF_PERSON = 50  # windows of a class: with more, a person is drawn no more often


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


def balanced_people(
    labels: Tensor, owners: Tensor, classes: int, batch: int, rng: torch.Generator
) -> Callable[[], Tensor]:
    """A function that draws the positions of a batch: as many of each class, within it every person alike.

    A person with fewer than MOST_OF_PERSON windows of a class weighs less, so that none of them is drawn too often.

    Parameters
    ----------
    labels, owners
        (n,) int64, the class and the person of each window, on the device of ``rng``.
    classes, batch, rng
        As for ``balanced``.

    """
    per_class = max(1, batch // classes)
    members, starts, counts = [], [], []
    for code in range(classes):
        own = torch.nonzero(labels == code).squeeze(1)
        own = own[torch.argsort(owners[own], stable=True)]
        _, sizes = torch.unique_consecutive(owners[own], return_counts=True)
        members.append(own)
        counts.append(sizes)
        starts.append(sizes.cumsum(0) - sizes)

    def draw() -> Tensor:
        picked = []
        for own, start, size in zip(members, starts, counts, strict=True):
            weights = size.clamp(max=MOST_OF_PERSON).to(torch.float32)
            person = torch.multinomial(weights, per_class, replacement=True, generator=rng)
            place = torch.rand(per_class, generator=rng, device=own.device) * size[person]
            picked.append(own[start[person] + place.long().clamp(max=size[person] - 1)])
        return torch.cat(picked)

    return draw
