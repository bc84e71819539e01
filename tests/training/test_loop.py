"""The training loop on a toy: its rate, its average, what it scores and keeps, and when it stops."""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ArtifactError, TrainingDivergedError
from ecgsynth.training import loop
from ecgsynth.training.job import Job, OnProgress, Outcome, Progress
from ecgsynth.training.loop import train
from ecgsynth.training.run_folder import RunFolder
from ecgsynth.training.state import Learner, TrainState

pytestmark = pytest.mark.trains

History = Callable[[Path], list[dict[str, Any]]]


class Toy:
    """One weight that each step moves by the rate: the loop's arithmetic can be seen in it.

    ``losses(number)``: losses of a step beside its own, which is its number; ``options``: of the Learner.
    """

    def __init__(self, run: Path, losses: Callable[[int], dict[str, float]] = lambda number: {}, **options: Any):
        run.mkdir(exist_ok=True)
        self.run, self.losses = RunFolder(run), losses
        self.seen: list[tuple[int, float]] = []  # number and fraction of each step
        self.scored: list[int] = []  # the steps at which it was scored
        self.weight, self.average = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        for module in (self.weight, self.average):
            nn.init.zeros_(module.weight)
        self.optimizer = torch.optim.SGD(self.weight.parameters(), lr=123.0)
        learner = Learner(
            generator=self.weight,
            average=self.average,
            optimizers={"generator": self.optimizer},
            step=self.step,
            **options,
        )
        self.state = TrainState(learner, torch.Generator().manual_seed(0))

    def step(self, number: int, fraction: float) -> dict[str, Tensor]:
        self.seen.append((number, fraction))
        self.optimizer.zero_grad()
        (-self.weight.weight.sum()).backward()
        self.optimizer.step()
        return {name: torch.tensor(float(value)) for name, value in {"loss": number, **self.losses(number)}.items()}

    def train(
        self,
        config: TrainConfig,
        *,
        score: Callable[[Any], float] = lambda net: 0.0,
        on_progress: OnProgress | None = None,
        before_s: float = 0.0,
    ) -> Outcome:
        """Train it; ``before_s``: for how long the work has been going on."""

        def noted(net: nn.Module) -> float:
            self.scored.append(self.state.counters.step)
            return score(net)

        began = time.monotonic() - before_s
        job = Job(config=config, run=self.run, score=noted, on_progress=on_progress, began=began)
        return train(self.state, job)


# ---- the rate, the average, the history


def test_the_rate_is_full_for_one_half_and_falls_to_zero(tmp_path: Path) -> None:
    toy, path = Toy(tmp_path), [0.0]
    toy.train(TrainConfig(steps=10, rate=0.5), on_progress=lambda now: path.append(toy.weight.weight.item()))
    assert np.diff(path) == pytest.approx([0.5] * 6 + [0.4, 0.3, 0.2, 0.1], abs=1e-6)


def test_the_average_moves_by_its_formula(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    values: list[tuple[float, float]] = []
    toy.train(
        TrainConfig(steps=60, rate=0.5, ema=0.8),
        on_progress=lambda now: values.append((toy.weight.weight.item(), toy.average.weight.item())),
    )
    slow = 0.0
    for number, (source, average) in enumerate(values, start=1):
        decay = min(0.8, (1 + number) / (10 + number))  # warms up, so that the start is forgotten
        slow = decay * slow + (1 - decay) * source
        assert average == pytest.approx(slow, rel=1e-4)


def test_the_history_holds_the_means_of_the_losses(tmp_path: Path, history: History) -> None:
    Toy(tmp_path).train(TrainConfig(steps=45, validations=1), score=lambda net: 0.5)
    assert history(tmp_path) == [
        {"step": 20, "loss": pytest.approx(np.mean(range(20)))},
        {"step": 40, "loss": pytest.approx(np.mean(range(20, 40)))},
        {"step": 45, "score": 0.5},
    ]


def test_a_full_disk_is_one_clear_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(ArtifactError, match=r"history\.jsonl.*No space left on device"):
        RunFolder(tmp_path).append_history({"step": 1})


# ---- what is scored and kept


def test_the_best_step_is_kept_not_the_last(tmp_path: Path, history: History) -> None:
    toy = Toy(tmp_path)
    given = [0.2, 0.7, 0.9, 0.4, 0.9, 0.1]  # an equal score later on does not replace the first
    scores = iter(given)
    averages: list[float] = []

    def score(net: nn.Linear) -> float:
        averages.append(net.weight.item())
        return next(scores)

    reached = toy.train(TrainConfig(steps=12, rate=0.5, validations=6), score=score)
    assert (reached.best_step, reached.validation_score, reached.steps) == (6, 0.9, 12)
    tensors, said = toy.run.read_tensors(toy.run.weights)
    assert tensors["generator.weight"].item() == np.float32(np.float16(averages[2]))  # kept in half precision
    assert said == {"step": 6, "score": 0.9}
    assert [line["score"] for line in history(tmp_path)] == given


@pytest.mark.parametrize("steps", [1, 3, 24, 25, 100])
def test_the_last_step_is_always_scored(tmp_path: Path, steps: int) -> None:
    toy = Toy(tmp_path, score_cost=0.01)  # next to nothing
    toy.train(TrainConfig(steps=steps))
    assert toy.scored[-1] == steps
    assert toy.scored == sorted(set(toy.scored))
    assert len(toy.scored) == min(steps, 24)


def test_a_step_knows_how_far_the_training_is_and_the_first_validation_waits(tmp_path: Path) -> None:
    toy = Toy(tmp_path, first_valid=0.45)
    toy.train(TrainConfig(steps=10, validations=5))
    assert toy.seen == [(number, number / 10) for number in range(10)]
    assert toy.scored == [5, 6, 8, 10]


@pytest.mark.parametrize(("cost", "steps", "wanted"), [(30, 30, 1), (30, 600, 4), (30, 16_000, 24), (5, 60, 2)])
def test_validations_take_no_more_than_a_fifth_of_the_steps(
    tmp_path: Path, cost: float, steps: int, wanted: int
) -> None:
    toy = Toy(tmp_path, score_cost=cost)
    toy.train(TrainConfig(steps=steps))
    assert len(toy.scored) == wanted
    assert toy.scored[-1] == steps
    assert wanted == 1 or wanted * cost <= 0.2 * steps


# ---- running away


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2e6, -2e6])
def test_a_loss_that_ran_away_stops_with_the_number_of_the_step(tmp_path: Path, value: float) -> None:
    toy = Toy(tmp_path, lambda number: {"penalty": value if number == 6 else 1.0})
    with pytest.raises(
        TrainingDivergedError, match=r"'penalty' is .* at step 7; the training ran away: lower the rate"
    ):
        toy.train(TrainConfig(steps=10))
    assert toy.state.counters.step == 6


def test_a_score_that_ran_away_stops_and_is_not_kept(tmp_path: Path) -> None:
    # What a rate of 1e9 came to: losses of no size, and a likelihood of -2e8 that counted as the best so far.
    toy = Toy(tmp_path)
    with pytest.raises(
        TrainingDivergedError, match="the validation score is -2e\\+08 at step 5; the training ran away"
    ):
        toy.train(TrainConfig(steps=10, validations=2), score=lambda net: -2e8)
    assert not toy.run.weights.exists()


# ---- budgets of time


def test_a_budget_is_kept(tmp_path: Path, small: Any, history: History) -> None:
    seen: list[Progress] = []
    started = time.monotonic()
    reached = small.fit(tmp_path, TrainConfig(budget_s=1.0, batch=8), on_progress=seen.append)
    spent = time.monotonic() - started
    assert 0.85 <= reached.seconds <= spent + 0.1 < 3
    assert reached.steps == len(seen) > 10
    assert [now.fraction for now in seen] == sorted(now.fraction for now in seen)
    assert seen[-1].fraction == 1.0
    assert sum("score" in line for line in history(tmp_path)) <= 24


def test_a_budget_counts_the_time_before_the_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Any) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0)

    def kill(progress: Progress) -> None:
        if progress.elapsed_s > 0.6:
            raise KeyboardInterrupt

    config = TrainConfig(budget_s=1.0, batch=8)
    with pytest.raises(KeyboardInterrupt):
        small.fit(tmp_path, config, on_progress=kill)
    seen: list[float] = []
    reached = small.fit(tmp_path, config, on_progress=lambda now: seen.append(now.elapsed_s))
    assert seen[0] > 0.6
    assert reached.seconds < 2


def test_the_time_left_is_that_of_the_budget_or_of_the_pace_of_the_steps(tmp_path: Path) -> None:
    seen: list[Progress] = []
    config = TrainConfig(budget_s=1.0, validations=2)
    Toy(tmp_path / "budget").train(config, on_progress=seen.append, before_s=0.5)
    for now in seen:
        assert now.left_s == pytest.approx(max(1.0 - now.elapsed_s, 0), abs=1e-6)
    seen.clear()
    config = TrainConfig(steps=10, validations=1)
    Toy(tmp_path / "steps").train(config, on_progress=seen.append, before_s=99)
    assert all(now.left_s is not None and now.left_s < 5 for now in seen)  # what came before the steps is no pace
    assert seen[-1].left_s == 0


def test_what_came_before_the_first_step_is_in_the_budget(tmp_path: Path) -> None:
    toy, started = Toy(tmp_path), time.monotonic()
    reached = toy.train(TrainConfig(budget_s=1.0), before_s=0.7)  # a command began to read its data so long ago
    assert time.monotonic() - started < 0.7  # 0.3, on a machine that has nothing else to do
    assert 0.9 < reached.seconds < 1.4
    fractions = [fraction for _, fraction in toy.seen]
    assert fractions[0] < 0.1  # what a plan took is no part of the phases of a training
    assert fractions == sorted(fractions)


def test_a_plan_that_takes_the_whole_budget_leaves_one_step(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    assert toy.train(TrainConfig(budget_s=1.0), before_s=2).steps == 1
    assert toy.scored == [1]


def test_slow_validations_leave_a_budget_to_the_training(tmp_path: Path) -> None:
    def score(net: nn.Module) -> float:
        time.sleep(0.4)
        return 0.0

    toy, started = Toy(tmp_path / "budget"), time.monotonic()
    toy.train(TrainConfig(budget_s=1.0, validations=20), score=score)
    assert len(toy.scored) == 2  # one at the start, which takes more than its share, and the last
    assert 0.8 <= time.monotonic() - started < 1.3  # and the budget has room for it
    toy = Toy(tmp_path / "steps")
    toy.train(TrainConfig(steps=10, validations=5), score=score)
    assert len(toy.scored) == 5  # whatever they cost: a number of steps gives the same bytes everywhere


@pytest.mark.parametrize("took", [0.3, 0.8])
def test_a_last_validation_that_a_budget_has_no_room_for_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, took: float
) -> None:
    """By a clock of its own: the start was scored, after a plan of half a budget of two."""
    clock = [1.0]
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    toy = Toy(tmp_path)

    def score(net: nn.Module) -> float:
        clock[0] += took
        return 0.0

    def noted(now: Progress) -> None:
        clock[0] += 0.01

    job = Job(config=TrainConfig(budget_s=2.0), run=toy.run, score=score, on_progress=noted, began=0.0)
    loop.validate(toy.state, job)
    reached = train(toy.state, job)
    assert reached.steps > 1
    assert toy.state.counters.scored_step == (0 if took == 0.8 else reached.steps)
    assert 1.8 <= reached.seconds <= 2.1
