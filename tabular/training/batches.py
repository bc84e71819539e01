"""The rows that a step of an adversarial training sees: kept as codes, made one-hot when they are drawn.

Training by sampling is that of Xu, Skoularidou, Cuesta-Infante and Veeramachaneni, "Modeling tabular data using
conditional GAN", NeurIPS 2019, section 4.3.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..models.config import GANConfig

__all__ = ["Asked", "RowBatches"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Rows that were drawn, and their condition.

    Parameters
    ----------
    rows
        (n,) int64.
    condition
        (n,) int64, its place among the one-hots of all that can be asked for.
    column
        (n,) which of the columns that can be asked for.
    code
        (n,) the code that is asked for in it.

    """

    rows: Tensor
    condition: Tensor
    column: Tensor | None = None
    code: Tensor | None = None


class RowBatches:
    """Training rows as codes (n, columns), of any integer type, and positions (n, columns)."""

    def __init__(self, config: GANConfig, codes: Tensor, positions: Tensor) -> None:
        self.config, self.codes = config, codes
        self.positions = positions[:, list(config.places)].contiguous()
        device = codes.device
        self.offsets = len(config.places) + torch.tensor(config.firsts, device=device)
        self.condition_firsts = torch.tensor(
            [sum(config.sizes[place] for place in config.answers[:number]) for number in range(len(config.answers))],
            device=device,
        )
        if config.condition == "sampled" and config.answers:
            self.index(config)

    def index(self, config: GANConfig) -> None:
        """Find the rows that have each code of each column that can be asked for, once."""
        asked = self.codes[:, list(config.answers)].T.contiguous()  # (answers, n)
        self.order = torch.argsort(asked, dim=1, stable=True).to(torch.int32)
        most = max(config.sizes[place] for place in config.answers)
        self.counts = torch.stack([torch.bincount(column.long(), minlength=most) for column in asked])
        self.starts = self.counts.cumsum(1) - self.counts
        weights = torch.log1p(self.counts.double())  # rare codes are drawn more often than they occur
        self.upto = (weights.cumsum(1) / weights.sum(1, keepdim=True)).float()
        # Columns of a padded one-hot for each column's codes, beyond its last one the place of none.
        every = torch.arange(most, device=asked.device)
        sizes = torch.tensor([config.sizes[place] for place in config.answers], device=asked.device)
        firsts = torch.tensor([config.firsts[place] for place in config.answers], device=asked.device)
        self.beyond = every >= sizes[:, None]
        self.logit_places = (firsts[:, None] + every).masked_fill(self.beyond, 0)

    def draw(self, n: int, rng: torch.Generator) -> Asked:
        """``n`` rows and their condition; with training by sampling, first a condition and then rows that have it."""
        device = self.codes.device
        if not self.config.answers or self.config.condition == "label":
            rows = torch.randint(len(self.codes), (n,), generator=rng, device=device)
            if not self.config.answers:
                return Asked(rows, torch.zeros_like(rows))
            return Asked(rows, self.codes[rows, self.config.answers[0]].long())
        column = torch.randint(len(self.counts), (n,), generator=rng, device=device)
        drawn = torch.rand(n, 2, generator=rng, device=device)
        last = torch.count_nonzero(self.upto < self.upto[:, -1:], dim=1)  # the last code that occurs
        code = torch.minimum((self.upto[column] <= drawn[:, :1]).sum(1), last[column])
        number = self.counts[column, code]
        within = torch.minimum((drawn[:, 1] * number).long(), number - 1)
        rows = self.order[column, self.starts[column, code] + within].long()
        return Asked(rows, self.condition_firsts[column] + code, column, code)

    def matrix(self, rows: Tensor) -> Tensor:
        """(n,) rows -> (n, width): their positions, then their one-hots."""
        made = torch.zeros(len(rows), self.config.width, device=rows.device)
        made[:, : self.positions.shape[1]] = self.positions[rows]
        return made.scatter_(1, self.codes[rows].long() + self.offsets, 1.0)

    def cross_entropy(self, logits: Tensor, asked: Asked) -> Tensor:
        """Mean -ln of the share that logits (n, codes) give to the code that was asked for; Xu et al. 2019, 4.3."""
        if asked.column is None or asked.code is None:
            return logits.new_zeros(())
        own = logits.gather(1, self.logit_places[asked.column]).masked_fill(self.beyond[asked.column], -torch.inf)
        return torch.nn.functional.cross_entropy(own, asked.code)
