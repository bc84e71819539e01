"""An arm of a utility test is one entry of a table: on what a model is trained, in words and as a function."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Arm"]

G = TypeVar("G")  # what an arm takes its training data of
T = TypeVar("T")  # the training data


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm(Generic[G, T]):
    """One arm of a utility test.

    Parameters
    ----------
    name
        Its key in metrics.json.
    title
        What it is trained on; ``{what}`` stands for beats, windows or rows.
    take
        Gives the training data.

    """

    name: str
    title: str
    take: Callable[[G], T]
