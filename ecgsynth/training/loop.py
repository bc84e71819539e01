"""The training loop of every adversarial model: it orders steps, averages, validates, checkpoints and stops.

It never prints; a callback is told of every step. Validations take no more than VALIDATING of a training, but for the
last one, which is always made: of a budget by the clock, of a number of steps by what a validation costs in updates,
so that the same seed validates at the same steps on every machine.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ArtifactError, TrainingDivergedError
from ecgsynth.training.run_folder import RunFolder, flatten_optimizer, restore_optimizer

__all__ = ["Progress", "Trainee", "announce", "train"]

CHECKPOINT_S = 60.0
VALIDATING = 0.2  # share of a training that may go into validation
MOST_VALIDATIONS = 24
LEAST_SHARE = 0.3  # of a budget that is left to the steps, however long a validation takes
LAST = 1 - 1e-9  # a step of a training that is over, as where the plan took all of its budget
SLACK = 1.2  # times the longest validation so far are kept of a budget for the last one
RUNAWAY = 1e6  # a loss or a score beyond it is no longer of anything
RECORD_EVERY = 20  # steps averaged into one line of the history


@dataclass(frozen=True, slots=True)
class Progress:
    """What the callback is told after each step."""

    step: int
    fraction: float  # of the steps or of the budget, 0 to 1
    elapsed_s: float
    losses: dict[str, float]
    score: float | None  # the latest validation score
    left_s: float | None = None  # seconds to the end, as far as it is known
    phase: str = "training"  # or what is done before the first step


@dataclass(slots=True)
class Trainee:
    """All that a training changes; a checkpoint is exactly this."""

    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    rng: torch.Generator
    source: nn.Module  # the generator that is trained
    average: nn.Module  # its exponential moving average: the one that is scored and kept
    first_valid: float = 0.0  # fraction of the training from which on it is worth scoring; its end always is
    score_cost: float = 5.0  # updates that take as long as scoring once, about
    counters: dict[str, Any] = field(
        default_factory=lambda: {
            "step": 0,
            "elapsed_s": 0.0,
            "validations": 0,
            "validating_s": 0.0,
            "longest_s": 0.0,  # that a validation took
            "planning_s": None,  # before the first step
            "scored_step": None,  # the latest
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


def announce(on_progress: Callable[[Progress], None] | None, phase: str, began: float) -> None:
    """Tell what is done before the first step."""
    if on_progress is not None:
        on_progress(Progress(0, 0.0, time.monotonic() - began, {}, None, phase=phase))


def train(
    trainee: Trainee,
    step: Callable[[int, float], dict[str, Tensor]],
    config: TrainConfig,
    *,
    score: Callable[[Any], float],
    run: RunFolder,
    on_progress: Callable[[Progress], None] | None = None,
    began: float | None = None,
) -> dict[str, Any]:
    """Call ``step(number, fraction)`` until the steps or the budget are used up; what was reached, for metrics.json.

    ``fraction`` is the share of them that is used up when the step begins, from 0 to below 1. ``began``: when, by
    time.monotonic, the work began of which a budget is to hold the whole; this call, unless told. Of a run that is
    resumed, what was used up before counts instead.

    The average generator with the highest ``score`` is left in the run's weights. If the run has a checkpoint the
    training goes on from there, and with a number of steps it ends with the same bytes as an unbroken one (on a CPU
    with the same number of threads). Raises TrainingDivergedError with the step's number on a loss or a score that is
    not finite or beyond RUNAWAY.
    """
    began = time.monotonic() if began is None else began
    if run.state.exists():
        trainee.restore(*run.read_tensors(run.state))
        know_kept_weights(trainee.counters, run)
        began = time.monotonic() - trainee.counters["elapsed_s"]
    run.cut_history(trainee.counters["step"])
    counters = trainee.counters
    counters["elapsed_s"] = time.monotonic() - began
    if counters["planning_s"] is None:
        counters["planning_s"] = counters["elapsed_s"]
    saved = time.monotonic()
    wanted = validations_of(config, trainee.score_cost)

    while (fraction := done(counters, config)) < 1 or not counters["step"]:
        set_rate(trainee, config.rate * min(1.0, 2 * max(0.0, 1 - fraction)))
        losses = check_finite(step(counters["step"], min(fraction, LAST)), counters["step"] + 1)
        counters["step"] += 1
        follow(trainee.average, trainee.source, min(config.ema, (1 + counters["step"]) / (10 + counters["step"])))
        counters["elapsed_s"] = time.monotonic() - began
        fraction = done(counters, config)
        record(counters, losses, run)
        due = max((counters["validations"] + 1) / wanted, trainee.first_valid)
        if fraction >= due and affordable(counters, config, fraction):
            counters["validations"] = math.floor(fraction * wanted)
            validate(trainee, score, run)
            counters["elapsed_s"] = time.monotonic() - began
        if time.monotonic() - saved > CHECKPOINT_S:
            run.write_tensors(run.state, trainee.tensors(), counters)
            saved = time.monotonic()
        if on_progress is not None:
            on_progress(told(counters, losses, min(fraction, 1.0), config))
    if counters["scored_step"] != counters["step"]:
        validate(trainee, score, run)
        counters["elapsed_s"] = time.monotonic() - began
    run.write_tensors(run.state, trainee.tensors(), counters)
    return {
        "steps": counters["step"],
        "seconds": round(counters["elapsed_s"], 1),
        "best_step": counters["best_step"],
        "validation_score": counters["best_score"],
    }


def told(counters: dict[str, Any], losses: dict[str, float], fraction: float, config: TrainConfig) -> Progress:
    """What the callback is told: the time left is what is left of a budget, or what the steps left take at the pace."""
    elapsed = float(counters["elapsed_s"])
    if config.budget_s is not None:
        left = max(config.budget_s - elapsed, 0.0)
    else:
        left = (elapsed - counters["planning_s"]) * (1 - fraction) / fraction
    return Progress(counters["step"], fraction, elapsed, losses, counters["score"], left)


def know_kept_weights(counters: dict[str, Any], run: RunFolder) -> None:
    """Count as the best what lies in the run's weights: it may have been kept after the last checkpoint."""
    if run.weights.exists():
        kept = run.read_tensors(run.weights)[1]
        if counters["best_score"] is None or kept["score"] > counters["best_score"]:
            counters["best_score"], counters["best_step"] = kept["score"], kept["step"]


def validations_of(config: TrainConfig, cost: float) -> int:
    """How often to validate: as often as was asked for, else no more than VALIDATING of the steps are worth."""
    if config.validations is not None:
        return config.validations
    if config.steps is None:
        return MOST_VALIDATIONS
    return min(MOST_VALIDATIONS, max(1, int(VALIDATING * config.steps / cost)))


def done(counters: dict[str, Any], config: TrainConfig) -> float:
    """The share of the steps, or of what a budget leaves to them, that is used up: without the plan before them, and
    without the last validation.
    """
    if config.steps is not None:
        return float(counters["step"]) / config.steps
    budget = (config.budget_s or math.inf) - counters["planning_s"]
    used = float(counters["elapsed_s"]) - counters["planning_s"]
    left = max(budget - SLACK * counters["longest_s"], LEAST_SHARE * budget)
    return used / left if left > 0 else 1.0


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
    for name, value in numbers.items():
        check_not_run_away(f"the loss {name!r}", value, step)
    return numbers


def check_not_run_away(what: str, value: float, step: int) -> None:
    if not abs(value) <= RUNAWAY:  # or not a number
        raise TrainingDivergedError(
            f"{what} is {value:.3g} at step {step}; the training ran away: lower the rate, or look for outliers in the "
            "data"
        )


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
    before = time.monotonic()
    found = score(trainee.average)
    took = time.monotonic() - before
    counters["validating_s"] += took
    counters["longest_s"] = max(counters["longest_s"], took)
    check_not_run_away("the validation score", found, counters["step"])
    counters["score"], counters["scored_step"] = round(found, 6), counters["step"]
    run.append_history(
        {"step": counters["step"], "elapsed_s": round(counters["elapsed_s"], 2), "score": counters["score"]}
    )
    if counters["best_score"] is None or counters["score"] > counters["best_score"]:
        counters["best_score"], counters["best_step"] = counters["score"], counters["step"]
        weights = {f"generator.{key}": value for key, value in trainee.average.state_dict().items()}
        for name, parameter in trainee.average.named_parameters():  # an exported file holds them in half the bytes
            weights[f"generator.{name}"] = parameter.detach().half().float()
        run.write_tensors(run.weights, weights, {"step": counters["step"], "score": counters["score"]})
