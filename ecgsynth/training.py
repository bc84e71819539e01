"""The training loop of every adversarial model: it orders steps, averages, validates, checkpoints and stops.

It never prints; a callback is told of every step.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ecgsynth.checkpoint import RunFolder, flatten_optimizer, restore_optimizer
from ecgsynth.config import TrainConfig
from ecgsynth.errors import ArtifactError, TrainingDivergedError

__all__ = ["Progress", "Trainee", "train"]

CHECKPOINT_S = 60.0
VALIDATING = 0.1  # share of a budget that may go into validation
RECORD_EVERY = 20  # steps averaged into one line of the history


@dataclass(frozen=True, slots=True)
class Progress:
    """What the callback is told after each step."""

    step: int
    fraction: float  # of the steps or of the budget, 0 to 1
    elapsed_s: float
    losses: dict[str, float]
    score: float | None  # the latest validation score


@dataclass(slots=True)
class Trainee:
    """All that a training changes; a checkpoint is exactly this."""

    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    rng: torch.Generator
    source: nn.Module  # the generator that is trained
    average: nn.Module  # its exponential moving average: the one that is scored and kept
    first_valid: float = 0.0  # fraction of the training from which on it is worth scoring; its end always is
    counters: dict[str, Any] = field(
        default_factory=lambda: {
            "step": 0,
            "elapsed_s": 0.0,
            "validations": 0,
            "validating_s": 0.0,
            "score": None,
            "best_score": None,
            "best_step": None,
            "sums": {},  # of the losses since the last line of the history: name -> [sum, number]
        }
    )

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state, by name."""
        flat = {"rng": self.rng.get_state()}
        for name, module in {**self.modules, "average": self.average}.items():
            flat |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            flat |= flatten_optimizer(f"optimizer.{name}", optimizer)
        return flat

    def restore(self, tensors: dict[str, Tensor], counters: dict[str, Any]) -> None:
        """Put back what a checkpoint holds; ArtifactError if it is of other networks."""
        try:
            for name, module in {**self.modules, "average": self.average}.items():
                prefix = f"{name}."
                own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
                module.load_state_dict(own)
            for name, optimizer in self.optimizers.items():
                restore_optimizer(f"optimizer.{name}", optimizer, tensors)
            self.rng.set_state(tensors["rng"])
            self.counters = {**self.counters, **counters}
        except (RuntimeError, KeyError, ValueError) as error:
            raise ArtifactError(f"the checkpoint is not of this model ({error}); train into a new folder") from error


def train(
    trainee: Trainee,
    step: Callable[[int, float], dict[str, Tensor]],
    config: TrainConfig,
    *,
    score: Callable[[Any], float],
    run: RunFolder,
    on_progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Call ``step(number, fraction)`` until the steps or the budget are used up; what was reached, for metrics.json.

    ``fraction`` is the share of them that is used up when the step begins, from 0 to below 1.

    The average generator with the highest ``score`` is left in the run's weights. If the run has a checkpoint the
    training goes on from there, and with a number of steps it ends with the same bytes as an unbroken one (on a CPU
    with the same number of threads). Raises TrainingDivergedError with the step's number on a non-finite loss.
    """
    if run.state.exists():
        trainee.restore(*run.read_tensors(run.state))
        know_kept_weights(trainee.counters, run)
    run.cut_history(trainee.counters["step"])
    counters = trainee.counters
    started = time.monotonic() - counters["elapsed_s"]
    saved = time.monotonic()
    while (fraction := done(counters, config)) < 1:
        set_rate(trainee, config.rate * min(1.0, 2 * (1 - fraction)))
        losses = check_finite(step(counters["step"], fraction), counters["step"] + 1)
        counters["step"] += 1
        follow(trainee.average, trainee.source, min(config.ema, (1 + counters["step"]) / (10 + counters["step"])))
        counters["elapsed_s"] = time.monotonic() - started
        fraction = done(counters, config)
        record(counters, losses, run)
        due = max((counters["validations"] + 1) / config.validations, trainee.first_valid)
        if fraction >= due and affordable(counters, config, fraction):
            counters["validations"] = math.floor(fraction * config.validations)
            before = time.monotonic()
            validate(trainee, score, run)
            counters["validating_s"] += time.monotonic() - before
            counters["elapsed_s"] = time.monotonic() - started
        if time.monotonic() - saved > CHECKPOINT_S:
            run.write_tensors(run.state, trainee.tensors(), counters)
            saved = time.monotonic()
        if on_progress is not None:
            on_progress(
                Progress(counters["step"], min(fraction, 1.0), counters["elapsed_s"], losses, counters["score"])
            )
    run.write_tensors(run.state, trainee.tensors(), counters)
    return {
        "steps": counters["step"],
        "seconds": round(counters["elapsed_s"], 1),
        "best_step": counters["best_step"],
        "validation_score": counters["best_score"],
    }


def know_kept_weights(counters: dict[str, Any], run: RunFolder) -> None:
    """Count as the best what lies in the run's weights: it may have been kept after the last checkpoint."""
    if run.weights.exists():
        kept = run.read_tensors(run.weights)[1]
        if counters["best_score"] is None or kept["score"] > counters["best_score"]:
            counters["best_score"], counters["best_step"] = kept["score"], kept["step"]


def done(counters: dict[str, Any], config: TrainConfig) -> float:
    """The share of the steps, or of the budget, that is used up."""
    if config.steps is not None:
        return float(counters["step"]) / config.steps
    return float(counters["elapsed_s"]) / (config.budget_s or math.inf)


def affordable(counters: dict[str, Any], config: TrainConfig, fraction: float) -> bool:
    """Whether a validation leaves the budget to the training; the last one always is, and so is every one of steps."""
    return config.steps is not None or fraction >= 1 or counters["validating_s"] <= VALIDATING * counters["elapsed_s"]


def set_rate(trainee: Trainee, rate: float) -> None:
    for optimizer in trainee.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = rate


def check_finite(losses: dict[str, Tensor], step: int) -> dict[str, float]:
    """The losses as numbers; TrainingDivergedError if one of them is not finite."""
    numbers = {name: float(value) for name, value in losses.items()}
    bad = [name for name, value in numbers.items() if not math.isfinite(value)]
    if bad:
        raise TrainingDivergedError(
            f"the loss {bad[0]!r} is {numbers[bad[0]]} at step {step}; lower the rate, or look for outliers in the data"
        )
    return numbers


@torch.no_grad()
def follow(average: nn.Module, source: nn.Module, decay: float) -> None:
    """Move the average towards the source."""
    torch._foreach_lerp_(list(average.parameters()), list(source.parameters()), 1 - decay)
    for mine, its in zip(average.buffers(), source.buffers(), strict=True):  # such as the statistics of batch norm
        mine.copy_(its)


def record(counters: dict[str, Any], losses: dict[str, float], run: RunFolder) -> None:
    """Add the losses to the sums; every so many steps, write their means as a line of the history."""
    sums = counters["sums"]
    for name, value in losses.items():
        total, number = sums.get(name, (0.0, 0))
        sums[name] = [total + value, number + 1]
    if counters["step"] % RECORD_EVERY == 0:
        means = {name: round(total / number, 6) for name, (total, number) in sums.items()}
        run.append_history({"step": counters["step"], "elapsed_s": round(counters["elapsed_s"], 2), **means})
        sums.clear()


def validate(trainee: Trainee, score: Callable[[Any], float], run: RunFolder) -> None:
    """Score the average generator; keep its weights if it is the best so far."""
    counters = trainee.counters
    counters["score"] = round(score(trainee.average), 6)
    run.append_history(
        {"step": counters["step"], "elapsed_s": round(counters["elapsed_s"], 2), "score": counters["score"]}
    )
    if counters["best_score"] is None or counters["score"] > counters["best_score"]:
        counters["best_score"], counters["best_step"] = counters["score"], counters["step"]
        weights = {f"generator.{key}": value for key, value in trainee.average.state_dict().items()}
        for name, parameter in trainee.average.named_parameters():  # an exported file holds them in half the bytes
            weights[f"generator.{name}"] = parameter.detach().half().float()
        run.write_tensors(run.weights, weights, {"step": counters["step"], "score": counters["score"]})
