"""When windows start: the time of day, and the day of the week."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.models.columns.level import averages, level_channel
from ecgsynth.windows.long_table import DAY_S, WEEK_S

__all__ = ["Start", "StartBack"]

COMMON_SHARE = 0.99  # of the windows, that start at whole steps from an offset


@dataclass(frozen=True, slots=True)
class Start:
    """Where in the day, and if ``week`` where in the week, windows start: so many whole steps from ``offset_s`` on.

    It is learnt as the cosine and the sine of the angle, first of the day, then of the week: in one channel, which
    stands behind all others.
    """

    step_s: float
    week: bool
    offset_s: float = 0.0

    @classmethod
    def find(cls, start_s: NDArray[np.float64], step_s: float, *, week: bool) -> Self:
        """Of windows that start at these seconds since Monday 00:00 (n,); the offset is one that nearly all have."""
        found, counts = np.unique(start_s % step_s, return_counts=True)
        common = counts.max() >= COMMON_SHARE * len(start_s)
        return cls(step_s, week, float(found[counts.argmax()]) if common else 0.0)

    @property
    def steps(self) -> int:
        """Steps of a day."""
        return round(DAY_S / self.step_s)

    def step_of(self, start_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """(n,) at which step, of the day or any other, windows start."""
        return np.asarray(np.rint((start_s - self.offset_s) / self.step_s), dtype=np.int64)

    def apply(self, values: NDArray[np.float32], start_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """Windows (n, time, channels), and (n,) seconds since Monday 00:00 -> (n, time, channels + 1)."""
        angles = [
            2 * np.pi * (start_s - self.offset_s) / period for period in ((DAY_S, WEEK_S) if self.week else (DAY_S,))
        ]
        phases = np.stack([turn(angle) for angle in angles for turn in (np.cos, np.sin)], axis=1)
        return np.concatenate([values, level_channel(phases, values.shape[1])], axis=2)


class StartBack(nn.Module):
    """Undoes ``Start.apply``.

    forward: (n, time) -> (n,) seconds since Monday 00:00, in whole steps from the offset
    """

    averages: Tensor

    def __init__(self, start: Start, time: int) -> None:
        super().__init__()
        self.register_buffer("averages", averages(4 if start.week else 2, time))
        self.start = start

    def step(self, phases: Tensor) -> Tensor:
        """(n, time) -> (n,) the step of the day, a whole number."""
        level = phases @ self.averages
        step: Tensor = torch.round(turns(level[:, 0], level[:, 1]) * self.start.steps)
        return torch.remainder(step, self.start.steps)

    def forward(self, phases: Tensor) -> Tensor:
        level = phases @ self.averages
        seconds = self.step(phases) * self.start.step_s
        if self.start.week:  # the day on which that time of day is nearest to the time of the week
            day = torch.round(7 * turns(level[:, 2], level[:, 3]) - seconds / DAY_S)
            seconds = seconds + DAY_S * torch.remainder(day, 7)
        return seconds + self.start.offset_s


def turns(cosine: Tensor, sine: Tensor) -> Tensor:
    """Angles as parts of a turn, from -1/2 to 1/2."""
    angle: Any = torch.atan2(sine, cosine)
    return angle / (2 * torch.pi)  # type: ignore[no-any-return]
