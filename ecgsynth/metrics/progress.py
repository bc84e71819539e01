"""How far a measurement is: the share of a part, reported as that of the whole."""

from collections.abc import Callable
from typing import Protocol

__all__ = ["Step", "Tell", "Trainings", "part", "silent"]

Tell = Callable[[str, float], None]  # a stage, and the share that is done, 0 to 1


class Step(Protocol):
    """What a training calls after each update."""

    def __call__(self, done: int, total: int, loss: float = 0.0, /) -> None: ...


def silent(stage: str, done: float) -> None:
    """Report nothing."""


def part(tell: Tell, start: float, share: float) -> Tell:
    """The progress of a part that begins at ``start`` and is ``share`` of the whole, as that of the whole."""

    def of_part(stage: str, done: float) -> None:
        tell(stage, start + share * done)

    return of_part


class Trainings:
    """Trainings one after another, all of ``updates`` together, reported as one."""

    def __init__(self, tell: Tell, updates: int) -> None:
        self.tell = tell
        self.updates = updates
        self.begun = 0

    def begin(self, stage: str, updates: int) -> Step:
        """What the next training, of so many updates, calls after each of them."""
        tell = part(self.tell, self.begun / self.updates, updates / self.updates)
        self.begun += updates

        def step(done: int, total: int, loss: float = 0.0, /) -> None:
            tell(stage, done / total)

        return step
