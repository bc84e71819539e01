"""One training as the loop is given it: its settings, its run folder, its score, and the callback for its progress."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from ecgsynth.core.config import TrainConfig
from ecgsynth.training.run_folder import RunFolder

__all__ = ["Job", "OnProgress", "Outcome", "Progress", "announce"]


@dataclass(frozen=True, slots=True)
class Progress:
    """What the callback gets after each step."""

    step: int
    fraction: float  # of the steps or of the budget, 0 to 1
    elapsed_s: float
    losses: dict[str, float]
    score: float | None  # the latest validation score
    left_s: float | None = None  # seconds to the end, as far as it is known
    phase: str = "training"  # or what is done before the first step


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One training.

    Parameters
    ----------
    config
        Steps or budget, seed, rate, and the other options of every training.
    run
        Where the best generator, the history and the checkpoint are kept.
    score
        The validation score of a generator; the highest is kept.
    device
        Where networks are computed, and the training data lie.
    on_progress
        Called after every step.
    began
        When the whole work began, by time.monotonic; a budget counts from there. Of a run that is resumed, what
        was used up before counts instead.

    """

    config: TrainConfig
    run: RunFolder
    score: Callable[[Any], float]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    on_progress: OnProgress | None = None
    began: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a training reached, as metrics.json has it."""

    steps: int
    seconds: float
    best_step: int | None
    validation_score: float | None


def announce(on_progress: OnProgress | None, phase: str, began: float) -> None:
    """Report what is done before the first step."""
    if on_progress is not None:
        on_progress(Progress(0, 0.0, time.monotonic() - began, {}, None, phase=phase))
