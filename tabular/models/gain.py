"""GAIN: holes in rows are filled by a generator whose discriminator has to find out which values it filled.

Yoon, Jordon and van der Schaar, "GAIN: Missing Data Imputation using Generative Adversarial Nets", ICML 2018. A row is
its numbers, standardised, then the one-hots of its categories; (n, columns) masks have an entry for each of the
numbers, then one for each category.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ecgsynth.core.config import JsonConfig, at_least
from ecgsynth.errors import ConfigError

__all__ = [
    "Discriminator",
    "GainConfig",
    "GainGenerator",
    "adversarial_loss",
    "discriminator_loss",
    "hint_of",
    "reconstruction_loss",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GainConfig(JsonConfig):
    """What a row is made of, how large the networks are, and what they get to know."""

    numbers: int
    sizes: tuple[int, ...] = ()  # categories of each of the other columns
    hidden: tuple[int, ...] = (256, 256)
    hint: float = 0.9  # share of the mask that the hint reveals
    hide: float = 0.4  # share of the known values that are taken away in training, to be found again
    noise: float = 0.01  # standard deviation of what stands in a hole before it is filled
    reconstruction: float = 100.0  # weight of finding known values again, to which fooling has the weight 1

    def __post_init__(self) -> None:
        for name in ("sizes", "hidden"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists
        at_least(self, 0, "numbers", "noise", "reconstruction")
        if not self.columns or min((*self.sizes, *self.hidden), default=1) < 1:
            raise ConfigError(
                "expected one column or more, with one category or more each and layers of one unit or more, got "
                f"{self.numbers} numbers, categories {list(self.sizes)} and layers {list(self.hidden)}"
            )
        for name in ("hint", "hide"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")

    @property
    def columns(self) -> int:
        """Columns of the table."""
        return self.numbers + len(self.sizes)

    @property
    def width(self) -> int:
        """Numbers that stand for a row."""
        return self.numbers + sum(self.sizes)

    @property
    def owners(self) -> Tensor:
        """(width,) the column that each number of a row is of."""
        counts = torch.tensor([1] * self.numbers + list(self.sizes))
        return torch.repeat_interleave(torch.arange(self.columns), counts)


def network(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(inputs, size), nn.ReLU()]
        inputs = size
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class GainGenerator(nn.Module):
    """The generator: a row with holes to a whole one.

    forward: x (n, width), anything finite in its holes; shown (n, columns) bool, False where there is a hole;
        noise (n, width), standard normal -> scores (n, width): of the numbers what they are taken for, of the
        categories logits
    fill: the same -> (n, width), what was shown as it was, the holes as they are taken to be, categories as shares
    """

    owners: Tensor

    def __init__(self, config: GainConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("owners", config.owners, persistent=False)
        self.body = network(config.width + config.columns, config.hidden, config.width)

    def forward(self, x: Tensor, shown: Tensor, noise: Tensor) -> Tensor:
        there = shown[:, self.owners]
        seen = torch.where(there, x, self.config.noise * noise)
        scores: Tensor = self.body(torch.cat([seen, shown.to(x.dtype)], dim=1))
        return scores

    def values(self, scores: Tensor) -> Tensor:
        """(n, width) scores -> numbers as they are, categories as shares."""
        parts = scores.split([self.config.numbers, *self.config.sizes], dim=1)
        return torch.cat([parts[0], *(part.softmax(dim=1) for part in parts[1:])], dim=1)

    def fill(self, x: Tensor, shown: Tensor, noise: Tensor) -> Tensor:
        return torch.where(shown[:, self.owners], x, self.values(self(x, shown, noise)))


class Discriminator(nn.Module):
    """A filled row and a hint to what of it was shown.

    forward: filled (n, width), hint (n, columns) -> logits (n, columns) of that a value was shown
    """

    def __init__(self, config: GainConfig) -> None:
        super().__init__()
        self.body = network(config.width + config.columns, config.hidden, config.columns)

    def forward(self, filled: Tensor, hint: Tensor) -> Tensor:
        logits: Tensor = self.body(torch.cat([filled, hint], dim=1))
        return logits


def hint_of(shown: Tensor, hinted: Tensor) -> Tensor:
    """The hint b m + 0.5 (1 - b): the mask where it is hinted, else 0.5.

    Differs from the paper: any number of a row's values may be left out, as in the authors' code, not just one.

    Parameters
    ----------
    shown, hinted
        m and b, (n, columns) bool each.

    Returns
    -------
    (n, columns) float

    References
    ----------
    Yoon et al. 2018, section 3.3.

    """
    return torch.where(hinted, shown.float(), 0.5)


def over(values: Tensor, where: Tensor) -> Tensor:
    """The mean of the values at which ``where`` is true, 0 if there are none; both of one shape."""
    return (values * where).sum() / where.sum().clamp(min=1)


def discriminator_loss(logits: Tensor, shown: Tensor, hinted: Tensor) -> Tensor:
    """-E[m ln m' + (1 - m) ln(1 - m')] where the mask m was not hinted; Yoon et al. 2018, section 4, L_D.

    Of logits of m', shown m and hinted: (n, columns) each.
    """
    parts = nn.functional.binary_cross_entropy_with_logits(logits, shown.to(logits.dtype), reduction="none")
    return over(parts, ~hinted)


def adversarial_loss(logits: Tensor, shown: Tensor, hinted: Tensor) -> Tensor:
    """-E[(1 - m) ln m'] where the mask was not hinted, so that what is filled looks shown; Yoon et al. 2018, L_G."""
    return over(nn.functional.softplus(-logits) * ~shown, ~hinted)


def reconstruction_loss(config: GainConfig, scores: Tensor, x: Tensor, known: Tensor) -> Tensor:
    """Squared errors of numbers and cross entropies of categories, the mean over all known values.

    Differs from the paper: also values that were not shown to the generator count, so that it learns to fill holes; in
    the paper only those that it was shown do, which it can copy.

    Parameters
    ----------
    scores, x
        (n, width) each.
    known
        (n, columns).
    config
        Which places of a row are numbers, and which categories.

    References
    ----------
    Yoon et al. 2018, section 4, L_M.

    """
    numbers = config.numbers
    parts = [(scores[:, :numbers] - x[:, :numbers]).square()]
    first = numbers
    for size in config.sizes:
        logs = scores[:, first : first + size].log_softmax(dim=1)
        parts.append(-(logs * x[:, first : first + size]).sum(dim=1, keepdim=True))
        first += size
    return over(torch.cat(parts, dim=1), known)
