"""A training goes on where it was killed, and ends with the bytes of an unbroken one."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ArtifactError
from ecgsynth.training import loop
from ecgsynth.training.job import Outcome, Progress
from ecgsynth.training.run_folder import RunFolder

pytestmark = pytest.mark.trains

Files = Callable[[Path], dict[str, bytes]]
History = Callable[[Path], list[dict[str, Any]]]
Check = Callable[[Path, Outcome], None]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, small: Any) -> tuple[Path, Outcome]:
    run = tmp_path_factory.mktemp("unbroken")
    return run, small.fit(run)


@pytest.fixture
def check_equal(unbroken: tuple[Path, Outcome], history: History) -> Callable[[Path, Outcome], None]:
    """A function that compares a run, and what it reached, with the unbroken one."""

    def check(run: Path, reached: Outcome) -> None:
        whole, expected = unbroken
        assert (run / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()
        assert history(run) == history(whole)
        assert dataclasses.replace(reached, seconds=0) == dataclasses.replace(expected, seconds=0)
        one, other = (RunFolder(folder).read_tensors(RunFolder(folder).state)[0] for folder in (run, whole))
        assert set(one) == set(other)
        assert all(torch.equal(one[name], other[name]) for name in one)

    return check


def test_the_unbroken_run_is_worth_comparing_with(unbroken: tuple[Path, Outcome], small: Any, history: History) -> None:
    run, reached = unbroken
    assert reached.steps == small.training.steps
    scores = {line["step"]: line["score"] for line in history(run) if "score" in line}
    assert len(set(scores.values())) == 10  # each step has its own, so that another step would be seen
    assert reached.validation_score == max(scores.values()) == scores[reached.best_step]
    assert [line["step"] for line in history(run) if "score" not in line] == [20, 40]
    assert list(scores) == list(range(5, 51, 5))
    assert (
        np.bincount(small.clusters_of(*small.problem()).numbers).min() >= 20
    )  # all four clusters are there, so that each is trained


@pytest.mark.parametrize(
    ("at", "error"),
    [(1, RuntimeError("killed")), (20, RuntimeError("killed")), (33, KeyboardInterrupt()), (50, SystemExit(137))],
    ids=["1", "20", "33", "50"],
)
def test_killed_and_resumed_equals_unbroken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at: int,
    error: BaseException,
    small: Any,
    kill_at: Any,
    check_equal: Check,
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0)  # a checkpoint after every step
    with pytest.raises(type(error)):
        small.fit(tmp_path, on_progress=kill_at(at, error))
    check_equal(tmp_path, small.fit(tmp_path))


@pytest.mark.parametrize("at", [21, 41])
def test_killed_after_the_last_checkpoint_equals_unbroken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at: int,
    small: Any,
    history: History,
    kill_at: Any,
    check_equal: Check,
) -> None:
    # One checkpoint at step 13; lines of the history, and perhaps better weights, come after it.
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0)

    def stop_checkpoints(step: int) -> None:
        if step == 13:
            monkeypatch.setattr(loop, "CHECKPOINT_S", 1e9)

    with pytest.raises(RuntimeError, match="killed"):
        small.fit(tmp_path, on_progress=kill_at(at, RuntimeError("killed"), stop_checkpoints))
    assert RunFolder(tmp_path).read_tensors(RunFolder(tmp_path).state)[1]["step"] == 13
    assert history(tmp_path)[-1]["step"] > 13
    check_equal(tmp_path, small.fit(tmp_path))


def test_killed_before_the_first_checkpoint_equals_unbroken(
    tmp_path: Path, small: Any, kill_at: Any, check_equal: Check
) -> None:
    with pytest.raises(RuntimeError, match="killed"):
        small.fit(tmp_path, on_progress=kill_at(23, RuntimeError("killed")))
    assert not RunFolder(tmp_path).state.exists()
    check_equal(tmp_path, small.fit(tmp_path))


def test_a_half_written_line_of_the_history_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Any, kill_at: Any, check_equal: Check
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0)
    with pytest.raises(RuntimeError, match="killed"):
        small.fit(tmp_path, on_progress=kill_at(39, RuntimeError("killed")))
    with (tmp_path / "history.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 40, "elap')
    check_equal(tmp_path, small.fit(tmp_path))


def test_killed_three_times_equals_unbroken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Any, kill_at: Any, check_equal: Check
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0)
    for at in (3, 19, 44):
        with pytest.raises(KeyboardInterrupt):
            small.fit(tmp_path, on_progress=kill_at(at, KeyboardInterrupt()))
    check_equal(tmp_path, small.fit(tmp_path))


def test_a_finished_run_that_is_resumed_stays_as_it_is(tmp_path: Path, small: Any, kill_at: Any, files: Files) -> None:
    small.fit(tmp_path)
    before = files(tmp_path)
    small.fit(tmp_path, on_progress=kill_at(small.training.steps, AssertionError("there is no step left")))
    assert {name: content for name, content in files(tmp_path).items() if not name.startswith("checkpoint")} == {
        name: content for name, content in before.items() if not name.startswith("checkpoint")
    }


def test_a_run_with_a_budget_keeps_weights_and_their_score_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Any
) -> None:
    # Killed after a better step than the checkpoint knows of. With a budget of time the steps after the resumption are
    # other ones, here worse, so what is said of the kept weights must be of those that are there.
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0)
    scores = iter([0.1, 0.9, *[0.05] * 100])
    config = TrainConfig(budget_s=1.0, batch=8, validations=10)

    def kill(progress: Progress) -> None:
        if progress.score is not None:
            monkeypatch.setattr(loop, "CHECKPOINT_S", 1e9)
        if progress.score == 0.9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small.fit(tmp_path, config, score=lambda net: next(scores), on_progress=kill)
    reached = small.fit(tmp_path, config, score=lambda net: next(scores))
    _, said = RunFolder(tmp_path).read_tensors(RunFolder(tmp_path).weights)
    assert (said["step"], said["score"]) == (reached.best_step, reached.validation_score)


def test_other_seeds_give_other_weights(tmp_path: Path, unbroken: tuple[Path, Outcome], small: Any) -> None:
    small.fit(tmp_path, TrainConfig(steps=small.training.steps, batch=8, validations=10, seed=1))
    assert (tmp_path / "weights.safetensors").read_bytes() != (unbroken[0] / "weights.safetensors").read_bytes()


def test_a_seed_is_also_that_of_the_batches_and_the_noise(tmp_path: Path, small: Any) -> None:
    for seed in (0, 1):
        settings = TrainConfig(steps=5, batch=8, validations=1, seed=seed)
        small.fit(tmp_path / str(seed), settings, weights_of=0)
    assert (tmp_path / "0/weights.safetensors").read_bytes() != (tmp_path / "1/weights.safetensors").read_bytes()


def test_the_checkpoint_of_another_model_is_refused(tmp_path: Path, small: Any) -> None:
    small.fit(tmp_path)
    with pytest.raises(ArtifactError, match="is not of this model"):
        small.fit(
            tmp_path,
            TrainConfig(steps=small.training.steps + 1, batch=8),
            config=dataclasses.replace(small.config, hidden=9),
        )


def test_a_damaged_checkpoint_is_refused(tmp_path: Path, small: Any) -> None:
    small.fit(tmp_path)
    state = RunFolder(tmp_path).state
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(ArtifactError, match="is damaged"):
        small.fit(tmp_path)
