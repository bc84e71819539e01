"""The whole way from uniform numbers to the values of a row: what is exported, and nothing else."""

from typing import Protocol

import torch
from torch import Tensor, nn

from ecgsynth.export.table_sampler import MISSING_WHOLE

from ..encoding.encoding import CategoryCodes, Encoding, NumberCodes

__all__ = ["RowGenerator", "RowSampler"]


class RowGenerator(Protocol):
    """What every generator of rows offers, beside being an nn.Module.

    answers: the columns that it may be asked for
    draw: uniform (n, noise_dim), asked (n, columns) codes, -1 where not -> codes and positions (n, columns)
    """

    noise_dim: int

    @property
    def answers(self) -> list[int]: ...

    def draw(self, uniform: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]: ...


class RowSampler(nn.Module):
    """A generator and the way from codes to values.

    forward: uniform (n, noise_dim) float32 in (0, 1); for each column that may be asked for the index of a told
        category (n,) int64, -1 where it is not asked for
        -> for each column (n,): float32 of a continuous one, NaN where missing; int64 of an integer or a time,
        MISSING_WHOLE where missing; int64, an index into its told categories, -1 where missing
    """

    def __init__(self, generator: nn.Module, encoding: Encoding) -> None:
        super().__init__()
        self.generator = generator
        self.encoding = encoding
        self.noise_dim: int = generator.noise_dim  # type: ignore[assignment]
        self.answers: list[int] = list(generator.answers)  # type: ignore[arg-type]
        self.frequent = {
            place: column.frequent for place, column in enumerate(encoding.columns) if isinstance(column, CategoryCodes)
        }
        for place, column in enumerate(encoding.columns):
            if isinstance(column, NumberCodes):
                self.register_buffer(f"centers_{place}", torch.from_numpy(column.centers), persistent=False)
                self.register_buffer(f"widths_{place}", torch.from_numpy(column.widths), persistent=False)
            elif column.positioned:
                inner = 2 * column.upto[:-1] - 1
                self.register_buffer(f"upto_{place}", torch.from_numpy(inner).float(), persistent=False)

    def forward(self, uniform: Tensor, *asked: Tensor) -> tuple[Tensor, ...]:
        told = dict(zip(self.answers, asked, strict=True))
        wanted = [torch.full_like(uniform[:, 0], -1, dtype=torch.int64) for _ in self.encoding.columns]
        for place, category in told.items():
            wanted[place] = category.clamp(max=self.frequent[place])
        codes, positions = self.generator.draw(uniform, torch.stack(wanted, 1))  # type: ignore[operator]
        made = []
        for place, column in enumerate(self.encoding.columns):
            if isinstance(column, NumberCodes):
                made.append(self.number(place, column, codes[:, place], positions[:, place]))
            else:
                found = self.category(place, column, codes[:, place], positions[:, place])
                made.append(torch.where(told[place] >= 0, told[place], found) if place in told else found)
        return tuple(made)

    def number(self, place: int, column: NumberCodes, codes: Tensor, positions: Tensor) -> Tensor:
        """(n,) values of a number or time, in double precision until they are rounded."""
        centers, widths = getattr(self, f"centers_{place}"), getattr(self, f"widths_{place}")
        values = (centers[codes] + widths[codes] * positions.double()).clamp(column.low, column.high)
        missing = codes == len(centers) - 1
        if column.kind == "continuous":
            if column.decimals is not None:
                unit = 10.0**column.decimals
                values = (torch.round(values * unit) / unit).clamp(column.low, column.high)
            values = values if column.long else values.float()
            return torch.where(missing, torch.nan, values) if column.gaps else values
        whole = torch.round(values).long()
        return torch.where(missing, MISSING_WHOLE, whole) if column.gaps else whole

    def category(self, place: int, column: CategoryCodes, codes: Tensor, positions: Tensor) -> Tensor:
        """(n,) indices of told categories."""
        found = codes
        if column.positioned:
            rare = (getattr(self, f"upto_{place}") <= positions[:, None]).sum(1)
            found = torch.where(codes == column.frequent, column.frequent + rare, codes)
        return torch.where(codes == len(column.shares) - 1, -1, found) if column.gaps else found
