"""Windows as a table with a row for each: its label, its RR intervals where they are known, then its samples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PERSON_COLUMN", "RR_COLUMNS", "numbers", "sample_columns"]

PERSON_COLUMN = "person"  # the number of the synthetic person, where they were asked for
RR_COLUMNS = ("rr_before_s", "rr_after_s")


def sample_columns(channel_names: tuple[str, ...], time: int, *, intervals: bool) -> list[str]:
    """A name for each number of a row, such as MLII_0, in the order of ``numbers``."""
    samples = [f"{name}_{sample}" for sample in range(time) for name in channel_names]
    return [*RR_COLUMNS, *samples] if intervals else samples


def numbers(values: NDArray[np.float32], rr_s: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """The numbers of each row.

    Parameters
    ----------
    values
        (n, time, channels), in the unit of the signal.
    rr_s
        (n, 2) seconds to the beat before and after, or None.

    Returns
    -------
    array
        (n, columns): the intervals, if there are any, then sample by sample each channel.

    """
    flat = values.reshape(len(values), -1)
    return flat if rr_s is None else np.hstack([rr_s, flat])


def columns_of(
    values: NDArray[np.float32], rr_s: NDArray[np.float32] | None, channel_names: tuple[str, ...], **known: Any
) -> dict[str, NDArray[Any]]:
    """The whole table: what is known of each window, (n,) by name, and then its numbers."""
    names = sample_columns(channel_names, values.shape[1], intervals=rr_s is not None)
    first = {name: np.asarray(column) for name, column in known.items() if column is not None}
    return first | dict(zip(names, numbers(values, rr_s).T, strict=True))
