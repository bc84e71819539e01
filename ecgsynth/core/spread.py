"""Mean and spread of a figure that was measured several times: the one way to take them, and to write them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["mean_and_spread", "of_repeats", "with_spread"]


def mean_and_spread(values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float | None]:
    """The mean, and the standard deviation of a sample (n - 1); one value has no spread: None."""
    numbers = np.asarray(values, dtype=np.float64)
    return float(numbers.mean()), float(numbers.std(ddof=1)) if len(numbers) > 1 else None


def of_repeats(values: Sequence[float]) -> dict[str, Any]:
    """``mean``, ``std`` and ``values`` of a figure's repeats, as in metrics.json; none of them where one is missing."""
    if not np.isfinite(values).all():
        return {"mean": None, "std": None, "values": []}
    mean, spread = mean_and_spread(values)
    return {"mean": mean, "std": spread, "values": [float(value) for value in values]}


def with_spread(mean: float, spread: float | None, digits: int = 3) -> str:
    """0.512 ± 0.010, or the mean alone where there is no spread."""
    return f"{mean:.{digits}f}" + ("" if spread is None else f" ± {spread:.{digits}f}")
