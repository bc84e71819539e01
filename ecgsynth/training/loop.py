"""The training loop of every adversarial model: it orders steps, averages, validates, checkpoints and stops.

It never prints; a callback is called after every step. Validations take no more than VALIDATING of a training, except
the last one: of a budget by the clock, of a number of steps by what a validation costs in updates, so that the same
seed validates at the same steps on every machine. The last one is made unless a budget has no room for it and there is
a score already.
"""

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import TrainingDivergedError
from ecgsynth.training.job import Job, Outcome, Progress
from ecgsynth.training.run_folder import RunFolder
from ecgsynth.training.state import Counters, Learner, TrainState

__all__ = ["fit", "train"]

CHECKPOINT_S = 60.0
VALIDATING = 0.2  # share of a training that may go into validation
MOST_VALIDATIONS = 24
LEAST_SHARE = 0.3  # of a budget that is left to the steps, however long a validation takes
OVERRUN = 0.05  # of a budget, by which a validation may end too late
LAST = 1 - 1e-9  # a step of a training that is over, as where the plan took all of its budget
SLACK = 1.2  # times the longest validation so far are kept of a budget for the last one
RUNAWAY = 1e6  # a loss or a score beyond it is no longer of anything
RECORD_EVERY = 20  # steps averaged into one line of the history


def fit(build: Callable[[torch.Generator], Learner], job: Job) -> Outcome:
    """Train what ``build`` builds; the best generator is left in the run's weights.

    Parameters
    ----------
    build
        Builds the networks on the job's device, their initial weights drawn from torch's global generator, and the
        step, whose randomness is the generator that it is given, on the device and seeded.
    job
        The training.

    Returns
    -------
    Outcome
        What was reached; see ``train`` for what is raised.

    """
    rng = torch.Generator(job.device).manual_seed(job.config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.config.seed)
        learner = build(rng)
    learner.average.load_state_dict(learner.generator.state_dict())
    state = TrainState(learner, rng)
    if learner.starts_scored and not job.run.state.exists():
        validate(state, job)
    return train(state, job)


def train(state: TrainState, job: Job) -> Outcome:
    """Do the learner's step until the steps or the budget are used up.

    The average generator with the highest score is left in the run's weights. If the run has a checkpoint the training
    goes on from there, and with a number of steps it ends with the same bytes as an unbroken one (on a CPU with the
    same number of threads).

    Raises
    ------
    TrainingDivergedError
        With the step's number, on a loss or a score that is not finite or beyond RUNAWAY.

    """
    learner, run, config, began = state.learner, job.run, job.config, job.began
    if run.state.exists():
        state.restore(*run.read_tensors(run.state))
        restore_best(state.counters, run)
        began = time.monotonic() - state.counters.elapsed_s
    counters = state.counters
    run.cut_history(counters.step)
    counters.elapsed_s = time.monotonic() - began
    if counters.planning_s is None:
        counters.planning_s = counters.elapsed_s
    saved = time.monotonic()
    wanted = validations_of(config, learner.score_cost)

    while (fraction := progress(counters, config)) < 1 or not counters.step:
        set_rate(learner, config.rate * min(1.0, 2 * max(0.0, 1 - fraction)))
        losses = check_finite(learner.step(counters.step, min(fraction, LAST)), counters.step + 1)
        counters.step += 1
        update_ema(learner.average, learner.generator, min(config.ema, (1 + counters.step) / (10 + counters.step)))
        counters.elapsed_s = time.monotonic() - began
        fraction = progress(counters, config)
        record(counters, losses, run)
        due = max((counters.validations + 1) / wanted, learner.first_valid)
        if fraction >= due and affordable(counters, config, fraction):
            counters.validations = math.floor(fraction * wanted)
            validate(state, job)
            counters.elapsed_s = time.monotonic() - began
        if time.monotonic() - saved > CHECKPOINT_S:
            run.write_tensors(run.state, state.tensors(), state.counted())
            saved = time.monotonic()
        if job.on_progress is not None:
            job.on_progress(reported(counters, losses, min(fraction, 1.0), config))
    if counters.scored_step != counters.step and affordable(counters, config, 1.0):
        validate(state, job)
        counters.elapsed_s = time.monotonic() - began
    run.write_tensors(run.state, state.tensors(), state.counted())
    return Outcome(
        steps=counters.step,
        seconds=round(counters.elapsed_s, 1),
        best_step=counters.best_step,
        validation_score=counters.best_score,
    )


def reported(counters: Counters, losses: dict[str, float], fraction: float, config: TrainConfig) -> Progress:
    """What the callback gets: the time left is what is left of a budget, or what the steps left take at the pace."""
    elapsed = counters.elapsed_s
    if config.budget_s is not None:
        left = max(config.budget_s - elapsed, 0.0)
    else:
        left = (elapsed - (counters.planning_s or 0.0)) * (1 - fraction) / fraction
    return Progress(counters.step, fraction, elapsed, losses, counters.score, left)


def restore_best(counters: Counters, run: RunFolder) -> None:
    """Count as the best what lies in the run's weights: it may have been kept after the last checkpoint."""
    if run.weights.exists():
        kept = run.read_tensors(run.weights)[1]
        if counters.best_score is None or kept["score"] > counters.best_score:
            counters.best_score, counters.best_step = kept["score"], kept["step"]


def validations_of(config: TrainConfig, cost: float) -> int:
    """How often to validate: as often as was asked for, else no more than VALIDATING of the steps are worth."""
    if config.validations is not None:
        return config.validations
    if config.steps is None:
        return MOST_VALIDATIONS
    return min(MOST_VALIDATIONS, max(1, int(VALIDATING * config.steps / cost)))


def progress(counters: Counters, config: TrainConfig) -> float:
    """The share of the steps, or of what a budget leaves to them, that is used up: without the plan before them, and
    without the last validation.
    """
    if config.steps is not None:
        return counters.step / config.steps
    planning = counters.planning_s or 0.0
    budget = (config.budget_s or math.inf) - planning
    left = max(budget - SLACK * counters.longest_s, LEAST_SHARE * budget)
    return (counters.elapsed_s - planning) / left if left > 0 else 1.0


def affordable(counters: Counters, config: TrainConfig, fraction: float) -> bool:
    """Whether a validation leaves the budget to the training, and to the last one; every one of steps does, and so does
    the first.
    """
    if config.budget_s is None or counters.best_score is None:
        return True
    still = 1 if fraction >= 1 else 2  # this one, and the last
    if counters.elapsed_s + still * counters.longest_s > (1 + OVERRUN) * config.budget_s:
        return False
    return fraction >= 1 or counters.validating_s <= VALIDATING * counters.elapsed_s


def set_rate(learner: Learner, rate: float) -> None:
    for optimizer in learner.optimizers.values():
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
def update_ema(average: nn.Module, source: nn.Module, decay: float) -> None:
    """Move the average towards the source."""
    torch._foreach_lerp_(list(average.parameters()), list(source.parameters()), 1 - decay)
    for mine, its in zip(average.buffers(), source.buffers(), strict=True):  # such as the statistics of batch norm
        mine.copy_(its)


def record(counters: Counters, losses: dict[str, float], run: RunFolder) -> None:
    """Add the losses to the sums; every so many steps, write their means as a line of the history."""
    for name, value in losses.items():
        total, number = counters.sums.get(name, (0.0, 0))
        counters.sums[name] = [total + value, number + 1]
    if counters.step % RECORD_EVERY == 0:
        means = {name: round(total / number, 6) for name, (total, number) in counters.sums.items()}
        run.append_history({"step": counters.step, "elapsed_s": round(counters.elapsed_s, 2), **means})
        counters.sums.clear()


def validate(state: TrainState, job: Job) -> None:
    """Score the average generator; keep its weights if it is the best so far."""
    counters, learner, run = state.counters, state.learner, job.run
    before = time.monotonic()
    if learner.settle is not None:
        learner.settle(learner.average)
    found = job.score(learner.average)
    took = time.monotonic() - before
    counters.validating_s += took
    counters.longest_s = max(counters.longest_s, took)
    check_not_run_away("the validation score", found, counters.step)
    counters.score, counters.scored_step = round(found, 6), counters.step
    run.append_history({"step": counters.step, "elapsed_s": round(counters.elapsed_s, 2), "score": counters.score})
    if counters.best_score is None or counters.score > counters.best_score:
        counters.best_score, counters.best_step = counters.score, counters.step
        weights = {f"generator.{name}": value for name, value in learner.average.state_dict().items()}
        for name, parameter in learner.average.named_parameters():  # an exported file holds them in half the bytes
            weights[f"generator.{name}"] = parameter.detach().half().float()
        run.write_tensors(run.weights, weights, {"step": counters.step, "score": counters.score})
