"""A few numbers that are the same for a whole window, as one channel beside those of its columns."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["averages", "level_channel"]


def level_channel(numbers: NDArray[np.float64], time: int) -> NDArray[np.float32]:
    """Numbers (n, k) of windows -> (n, time, 1), one after the other and again from the first: so all of them together
    weigh as much as one column does.
    """
    return numbers[:, np.arange(time) % numbers.shape[1], None].astype(np.float32)


def averages(count: int, time: int) -> Tensor:
    """(time, count) what a channel (n, time) is multiplied by for the numbers that it was made of."""
    own = np.arange(time)[:, None] % count == np.arange(count)
    return torch.from_numpy((own / own.sum(axis=0)).astype(np.float32))
