"""The autoregressive model: columns made one after the other, each by those before it and what is asked for.

The joint distribution of a row is a product of conditional ones, p(x) = prod_j p(x_j | x_before j), each of them a
small network that reads the sum of what the columns before it are embedded as (the neural autoregressive distribution
estimator; Larochelle and Murray, AISTATS 2011, equations 3 and 4). While learning, columns that may be asked for are
shown to those before them at random, so that rows with a given value can be drawn exactly (in the manner of Uria,
Murray and Larochelle, "A deep and tractable density estimator", ICML 2014).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.core.config import JsonConfig, at_least

__all__ = ["AutoregressiveModel", "AutoregressiveConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoregressiveConfig(JsonConfig):
    """How many codes the columns have, and how large the networks are."""

    sizes: tuple[int, ...]  # codes of each column
    positioned: tuple[bool, ...]
    askable: tuple[bool, ...]
    hidden: int = 64  # numbers that a column is embedded as, and units of its network

    def __post_init__(self) -> None:
        for name in ("sizes", "positioned", "askable"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists
        at_least(self, 1, "hidden")

    @property
    def noise_dim(self) -> int:
        """Uniform numbers of a row: one for each column's code, one for each position."""
        return len(self.sizes) + sum(self.positioned)


class AutoregressiveModel(nn.Module):
    """Rows as codes, one column after the other, in the order of the table.

    forward: codes (n, columns) int64, shown (n, columns) bool -> log-likelihood (n, columns) of each column's code
    draw: uniform (n, noise_dim) in (0, 1), asked (n, columns) int64, -1 where not -> codes, positions (n, columns)
    """

    firsts: Tensor
    logs: Tensor

    def __init__(self, config: AutoregressiveConfig, shares: list[NDArray[np.float64]]) -> None:
        super().__init__()
        self.config = config
        columns, width, codes = len(config.sizes), config.hidden, sum(config.sizes)
        self.noise_dim = config.noise_dim
        most = max(config.sizes)
        firsts = np.concatenate([[0], np.cumsum(config.sizes)[:-1]])
        self.register_buffer("firsts", torch.from_numpy(firsts))
        logs = np.full((columns, most), -1e9)
        for place, share in enumerate(shares):
            logs[place, : len(share)] = np.log(np.maximum(share, 1e-6))
        self.register_buffer("logs", torch.from_numpy(logs).float())
        self.embedding = nn.Parameter(torch.randn(codes, width) * 0.3)
        self.start = nn.Parameter(torch.randn(columns, width) * 0.3)
        self.inner = nn.Parameter(torch.randn(columns, width, width) / width**0.5)
        self.inner_bias = nn.Parameter(torch.zeros(columns, width))
        self.outer = nn.Parameter(torch.zeros(columns, width, most))
        self.outer_bias = nn.Parameter(torch.zeros(columns, most))

    def forward(self, codes: Tensor, shown: Tensor) -> Tensor:
        seen = self.embedding[codes + self.firsts]  # (n, columns, hidden)
        before = seen.cumsum(1) - seen
        given = seen * shown[:, :, None]
        after = given.flip(1).cumsum(1).flip(1) - given
        known = before + after
        return self.log_shares(known).gather(2, codes[:, :, None]).squeeze(2)

    def log_shares(self, known: Tensor) -> Tensor:
        """(n, columns, hidden) what is known of each row for each column -> (n, columns, codes), log probabilities."""
        first = torch.relu(known + self.start).transpose(0, 1)  # (columns, n, hidden)
        second = first + torch.relu(torch.baddbmm(self.inner_bias[:, None], first, self.inner))
        scores = torch.baddbmm(self.outer_bias[:, None], second, self.outer) + self.logs[:, None]
        return scores.log_softmax(2).transpose(0, 1)

    def draw(self, uniform: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
        columns = len(self.config.sizes)
        drawn = uniform.split(1, dim=1)  # of each column's code, then of each position: (n, 1)
        wanted = asked.split(1, dim=1)
        known = self.start[:1].expand(uniform.shape[0], -1)  # len() would fix the batch in a traced graph
        for place in self.answers:
            known = known + nn.functional.embedding(wanted[place].squeeze(1) + 1, self.table(place))
        codes: list[Tensor] = []
        for place in range(columns):
            made = self.picked(place, known, drawn[place])
            given = wanted[place].squeeze(1) if place in self.answers else None
            codes.append(made if given is None else torch.where(given < 0, made, given))
            if place + 1 < columns:
                onwards = self.start[place + 1] - self.start[place]
                unseen = made + 1 if given is None else torch.where(given < 0, made + 1, 0)
                known = known + nn.functional.embedding(unseen, self.table(place) + onwards)
        rest = iter(drawn[columns:])
        positions = [2 * next(rest) - 1 if has else torch.zeros_like(drawn[0]) for has in self.config.positioned]
        return torch.stack(codes, 1), torch.cat(positions, 1)

    @property
    def answers(self) -> list[int]:
        """The columns that may be asked for."""
        return [place for place, may in enumerate(self.config.askable) if may]

    def table(self, place: int) -> Tensor:
        """(1 + codes, hidden): nothing, then what each code of a column is embedded as."""
        first = sum(self.config.sizes[:place])
        own = self.embedding[first : first + self.config.sizes[place]]
        return torch.cat([torch.zeros_like(own[:1]), own])

    def picked(self, place: int, known: Tensor, uniform: Tensor) -> Tensor:
        """(n, hidden) what is known of each row, (n, 1) uniform -> (n,) a code of a column, by its probability."""
        size = self.config.sizes[place]
        first = torch.relu(known)
        second = first + torch.relu(torch.addmm(self.inner_bias[place], first, self.inner[place]))
        bias = self.outer_bias[place, :size] + self.logs[place, :size]
        scores = torch.addmm(bias, second, self.outer[place, :, :size])
        upto = (
            scores.softmax(1) @ torch.ones(size, size - 1, device=known.device).triu()
        )  # a product sums faster than a running sum does
        return (upto <= uniform).float().sum(1).long()
