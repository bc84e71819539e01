"""The whole way from uniform numbers to the values of a row: what is exported, and nothing else."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ecgsynth.core.dtypes import ORDERED
from ecgsynth.export.kinds import KINDS, MISSING_WHOLE
from ecgsynth.export.manifest import TableColumn

from ..encoding.encoding import CategoryCodes, Encoding, NumberCodes
from ..schema.schema import Schema

__all__ = ["RowGenerator", "RowSampler", "table_columns"]


class RowGenerator(Protocol):
    """What every generator of rows offers, beside being an nn.Module.

    Attributes
    ----------
    noise_dim
        How many uniform numbers it takes a row.
    answers
        The places of the columns that it may be asked for.

    """

    noise_dim: int

    @property
    def answers(self) -> list[int]: ...

    def draw(self, uniform: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
        """Uniform (n, noise_dim), asked (n, columns) codes, -1 where not -> codes and positions (n, columns)."""
        ...


class RowSampler(nn.Module):
    """A generator and the way from codes to values.

    forward: uniform (n, noise_dim) float32 in (0, 1); for each column that may be asked for the index of a
        published category (n,) int64, -1 where it is not asked for
        -> for each column (n,): float32 of numbers, NaN where missing; int64 of whole ones and times, MISSING_WHOLE
        where missing; int64, an index into its published categories, -1 where missing
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
                self.register_buffer(f"centres_{place}", torch.from_numpy(column.centres), persistent=False)
                self.register_buffer(f"widths_{place}", torch.from_numpy(column.widths), persistent=False)
            elif column.positioned:
                inner = 2 * column.upto[:-1] - 1
                self.register_buffer(f"upto_{place}", torch.from_numpy(inner).float(), persistent=False)

    def forward(self, uniform: Tensor, *asked: Tensor) -> tuple[Tensor, ...]:
        condition = dict(zip(self.answers, asked, strict=True))
        wanted = [torch.full_like(uniform[:, 0], -1, dtype=torch.int64) for _ in self.encoding.columns]
        for place, category in condition.items():
            wanted[place] = category.clamp(max=self.frequent[place])
        codes, positions = self.generator.draw(uniform, torch.stack(wanted, 1))  # type: ignore[operator]
        made = []
        for place, column in enumerate(self.encoding.columns):
            if isinstance(column, NumberCodes):
                made.append(self.number(place, column, codes[:, place], positions[:, place]))
            else:
                found = self.category(place, column, codes[:, place], positions[:, place])
                made.append(
                    torch.where(condition[place] >= 0, condition[place], found) if place in condition else found
                )
        return tuple(made)

    def number(self, place: int, column: NumberCodes, codes: Tensor, positions: Tensor) -> Tensor:
        """(n,) values of a number or time, in double precision until they are rounded."""
        centres, widths = getattr(self, f"centres_{place}"), getattr(self, f"widths_{place}")
        values = (centres[codes] + widths[codes] * positions.double()).clamp(column.low, column.high)
        missing = codes == len(centres) - 1
        if not column.whole:
            if column.decimals is not None:
                unit = 10.0**column.decimals
                values = (torch.round(values * unit) / unit).clamp(column.low, column.high)
            values = values if column.long else values.float()
            return torch.where(missing, torch.nan, values) if column.gaps else values
        whole = torch.round(values).long()
        return torch.where(missing, MISSING_WHOLE, whole) if column.gaps else whole

    def category(self, place: int, column: CategoryCodes, codes: Tensor, positions: Tensor) -> Tensor:
        """(n,) indices of published categories."""
        found = codes
        if column.positioned:
            rare = (getattr(self, f"upto_{place}") <= positions[:, None]).sum(1)
            found = torch.where(codes == column.frequent, column.frequent + rare, codes)
        return torch.where(codes == len(column.shares) - 1, -1, found) if column.gaps else found


def table_columns(schema: Schema, sampler: RowSampler) -> tuple[TableColumn, ...]:
    """The columns of a manifest: what the encoding publishes, and the names of the graph's inputs and outputs."""
    places = {column.name: place for place, column in enumerate(sampler.encoding.columns)}
    found = []
    for column in schema.columns:
        facts: dict[str, Any] = {name: getattr(column, name) for name in KINDS[column.kind].facts}
        if column.name in places:
            place = places[column.name]
            known = sampler.encoding.columns[place]
            facts |= {"output": f"column_{place}", "missing": known.gaps}
            if isinstance(known, NumberCodes):
                facts |= {"minimum": known.low, "maximum": known.high, "decimals": known.decimals}
            else:
                asked = f"asked_{place}" if place in sampler.answers else None
                facts |= {"categories": known.categories, "asked": asked}
                if column.pandas == ORDERED:
                    facts["order"] = tuple(known.places[known.places >= 0].tolist())
        found.append(TableColumn(name=column.name, kind=column.kind, dtype=column.dtype, pandas=column.pandas, **facts))
    return tuple(found)
