"""The scores by which the best step of a training is chosen, on the rows that were kept apart."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.core.noise import row_noise

from ..encoding.encoding import CategoryCodes, Encoding

__all__ = ["pair_distance", "pair_score"]

JUDGED_ROWS = 10_000  # at most
COARSE_CODES = 12  # of a column that are distinguished


def pair_score(encoding: Encoding, arrays: dict[str, Any]) -> Callable[[nn.Module], float]:
    """A function that scores a generator by how like the contingency tables of any two columns are: 1 is best.

    Parameters
    ----------
    encoding
        Of the generator.
    arrays
        Canonical columns of the rows kept apart.

    """
    cuts = [None if isinstance(column, CategoryCodes) else cut(arrays[column.name]) for column in encoding.columns]
    number = min(JUDGED_ROWS, len(next(iter(arrays.values()))))

    def coarse(columns: dict[str, Any]) -> list[NDArray[np.int64]]:
        return [
            columns[column.name] + 1 if edges is None else np.searchsorted(edges, columns[column.name], side="right")
            for column, edges in zip(encoding.columns, cuts, strict=True)
        ]

    judged = {name: rows[:number] for name, rows in arrays.items()}
    codes, positions = encoding.encode(judged, np.random.default_rng(0), strict=False)
    real = coarse(encoding.decode(codes, positions))  # in the categories that are published

    def score(generator: nn.Module) -> float:
        made = coarse(encoding.decode(*drawn(generator, number, len(encoding.columns))))
        return 1 - pair_distance(real, made)

    return score


def cut(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ends of about COARSE_CODES intervals of a number, of equal mass; NaN comes after the last."""
    known = values[~np.isnan(values)]
    return np.unique(np.quantile(known, np.linspace(0, 1, COARSE_CODES + 1)[1:-1])) if len(known) else np.empty(0)


def drawn(generator: nn.Module, n: int, columns: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Codes and positions (n, columns) of the first rows of seed 0."""
    device = next(generator.parameters()).device
    generator.eval()
    with torch.inference_mode():
        uniform = torch.from_numpy(row_noise(0, range(n), generator.noise_dim).uniform).to(device)  # type: ignore[arg-type]
        asked = torch.full((n, columns), -1, dtype=torch.int64, device=device)
        codes, positions = generator.draw(uniform, asked)  # type: ignore[operator]
    return codes.cpu().numpy(), positions.double().cpu().numpy()


def pair_distance(first: list[NDArray[np.int64]], other: list[NDArray[np.int64]]) -> float:
    """The mean total variation distance between the contingency tables of any two columns, codes (n,) from 0 each.

    A single column stands for a pair with itself.
    """
    sizes = [int(max(a.max(), b.max())) + 1 for a, b in zip(first, other, strict=True)]
    ones, others = one_hot(first, sizes), one_hot(other, sizes)
    apart = (ones.T @ ones / len(ones) - others.T @ others / len(others)).abs()
    owner = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    inside = nn.functional.one_hot(owner).float()
    blocks = inside.T @ apart @ inside / 2
    return float(blocks.mean())


def one_hot(columns: list[NDArray[np.int64]], sizes: list[int]) -> Tensor:
    return torch.cat(
        [
            nn.functional.one_hot(torch.from_numpy(codes), size).float()
            for codes, size in zip(columns, sizes, strict=True)
        ],
        dim=1,
    )
