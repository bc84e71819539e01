"""Training TimeGAN: three phases, batches by class, the same bytes again, and that it learns."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ecgsynth.core.config import TrainConfig
from ecgsynth.models.scaling import ChannelScaler
from ecgsynth.models.timegan.networks import TimeGANConfig, TimeGANGenerator
from ecgsynth.models.timegan.plan import TimeGANPlan
from ecgsynth.training import fit_timegan as module
from ecgsynth.training import loop
from ecgsynth.training.fit_timegan import build_timegan
from ecgsynth.training.job import Job, OnProgress, Outcome, Progress
from ecgsynth.training.run_folder import RunFolder

pytestmark = pytest.mark.trains

CONFIG = TimeGANConfig(time=6, channels=2, classes=2, frame=2, hidden=4, layers=1, noise=3, window_noise=2)
Score = Callable[[Any], float]
History = Callable[[Path], list[dict[str, Any]]]

SETTINGS = TrainConfig(steps=20, batch=8, validations=4, ema=0.9)  # phases of 2, 1 and 17 steps


def waves(config: TimeGANConfig = CONFIG, n: int = 200, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Windows that rise in class 0 and fall in class 1, each from a start of its own."""
    draws = torch.rand(n, 1, config.channels, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(n) % config.classes
    slope = torch.where(labels == 0, 0.5, -0.5).view(-1, 1, 1) * torch.linspace(-1, 1, config.time).view(1, -1, 1)
    return 4 * (0.8 * slope + 0.2 * (draws - 0.5)).flatten(1), labels


def fit(
    run: Path,
    settings: TrainConfig = SETTINGS,
    config: TimeGANConfig = CONFIG,
    *,
    data: tuple[Tensor, Tensor] | None = None,
    score: Callable[[Any], float],
    on_progress: OnProgress | None = None,
) -> Outcome:
    run.mkdir(exist_ok=True)
    real, labels = data or waves(config)
    plan = plan_of(config)
    job = Job(config=settings, run=RunFolder(run), score=score, on_progress=on_progress)
    return loop.fit(lambda rng: build_timegan(plan, settings, real, labels, rng), job)


def plan_of(config: TimeGANConfig) -> TimeGANPlan:
    """A plan of which only the settings play a part."""
    nowhere = np.zeros((1, config.time, config.channels), dtype=np.float32)
    return TimeGANPlan(config=config, space=ChannelScaler.fit(nowhere))


def untrained(config: TimeGANConfig, seed: int) -> TimeGANGenerator:
    """The generator with which a training of this seed begins."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TimeGANGenerator(config)


def kept(run: Path, config: TimeGANConfig) -> TimeGANGenerator:
    """The generator that a training left."""
    generator = TimeGANGenerator(config)
    RunFolder(run).load_best(generator)
    return generator


def test_phases_follow_each_other_and_only_the_last_is_scored(tmp_path: Path) -> None:
    seen: list[set[str]] = []
    scored: list[int] = []

    def score(generator: TimeGANGenerator) -> float:
        scored.append(len(seen) + 1)
        return 0.0

    fit(tmp_path, score=score, on_progress=lambda now: seen.append(set(now.losses)))
    joint = {"reconstruction", "supervised", "generator", "moments", "discriminator"}
    penalised = joint | {"penalty"}  # every fourth
    assert seen[:7] == [{"reconstruction"}] * 2 + [{"supervised"}] + [joint, penalised, joint, joint]
    assert scored == [5, 10, 15, 20]


def test_phases_follow_a_budget_of_time_as_well(tmp_path: Path, wiggle: Score) -> None:
    seen: list[tuple[float, int]] = []
    fit(
        tmp_path,
        TrainConfig(budget_s=1.0, batch=8, validations=2),
        score=wiggle,
        on_progress=lambda now: seen.append((now.fraction, len(now.losses))),
    )
    numbers = [number for _, number in seen]
    first = next(place for place, number in enumerate(numbers) if number > 1)
    assert first == len([number for number in numbers if number == 1])  # not one phase after another's end
    assert seen[first - 1][0] == pytest.approx(module.JOINT_FROM, abs=0.15)  # when the joint phase began


def test_the_end_is_scored_where_nothing_else_is(tmp_path: Path, wiggle: Score) -> None:
    reached = fit(tmp_path, dataclasses.replace(SETTINGS, steps=3, validations=1), score=wiggle)
    assert (reached.steps, reached.best_step) == (3, 3)


def test_every_phase_draws_as_many_of_each_class_and_the_penalty_comes_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wiggle: Score
) -> None:
    calls: list[tuple[str, float]] = []
    batches: list[tuple[Tensor, Tensor]] = []
    real, labels = waves()

    def watch(name: str) -> Callable[..., Any]:
        plain = getattr(module, name)

        def step(nets: Any, *rest: Any, **named: Any) -> Any:
            calls.append((name, named.get("penalise", 0.0)))
            batches.append(rest[:2])
            if name == "joint_step":
                assert rest[2].shape == (8, CONFIG.normals)
                assert rest[2].min() < 0 < rest[2].max()
            return plain(nets, *rest, **named)

        return step

    for name in ("embedding_step", "supervisor_step", "joint_step"):
        monkeypatch.setattr(module, name, watch(name))
    fit(tmp_path, score=wiggle)
    joint = [("joint_step", 4 * CONFIG.penalty if number % 4 == 0 else 0.0) for number in range(3, 20)]
    assert calls == [("embedding_step", 0.0)] * 2 + [("supervisor_step", 0.0)] + joint
    for x, label in batches:
        assert torch.bincount(label).tolist() == [4, 4]
        for row, asked in zip(x, label, strict=True):  # every window comes with its own class
            (found,) = torch.nonzero((real == row).all(dim=1))
            assert labels[found] == asked
    assert len({x.numpy().tobytes() for x, _ in batches}) == len(batches)


def test_steps_that_are_judged_one_by_one_have_no_penalty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wiggle: Score
) -> None:
    seen: list[set[str]] = []
    config = dataclasses.replace(CONFIG, objective="cross-entropy", codes="sigmoid", cell="gru")
    fit(tmp_path, config=config, score=wiggle, on_progress=lambda now: seen.append(set(now.losses)))
    assert not any("penalty" in names for names in seen)


def test_without_classes_every_window_is_drawn_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wiggle: Score
) -> None:
    config, seen = dataclasses.replace(CONFIG, classes=1), []
    real, _ = waves()
    plain = module.embedding_step

    def watch(nets: Any, x: Tensor, label: Tensor) -> dict[str, Tensor]:
        seen.append(x)
        return plain(nets, x, label)

    monkeypatch.setattr(module, "embedding_step", watch)
    labels = torch.zeros(len(real), dtype=torch.int64)
    settings = TrainConfig(steps=1000, batch=50, validations=1)

    def stop(progress: Progress) -> None:
        if progress.step == 20:  # still in the first phase
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, settings, config, data=(real, labels), score=wiggle, on_progress=stop)
    drawn = torch.cat(seen)
    counts = (drawn[:, None] == real).all(dim=2).sum(dim=0)
    assert counts.sum() == 1000
    assert abs(int(counts[:100].sum()) - 500) < 80  # five standard deviations
    assert (counts > 0).float().mean() > 0.95


def test_the_same_seed_gives_the_same_bytes_and_another_others(tmp_path: Path, wiggle: Score, history: History) -> None:
    before = torch.get_rng_state()
    runs = {
        name: (fit(tmp_path / name, dataclasses.replace(SETTINGS, seed=seed), score=wiggle), tmp_path / name)
        for name, seed in (("one", 0), ("two", 0), ("three", 1))
    }
    one, two, three = ((run / "weights.safetensors").read_bytes() for _, run in runs.values())
    assert one == two != three
    assert history(tmp_path / "one") == history(tmp_path / "two")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("cell", ["mingru", "lstm"])
def test_killed_in_each_phase_and_resumed_equals_unbroken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str, wiggle: Score, history: History
) -> None:
    config = dataclasses.replace(CONFIG, cell=cell)
    expected = fit(tmp_path / "whole", config=config, score=wiggle)
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0)  # a checkpoint after every step

    def kill(progress: Progress) -> None:
        if progress.step in stops:
            stops.remove(progress.step)
            raise KeyboardInterrupt

    stops = [1, 3, 13]
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path / "run", config=config, score=wiggle, on_progress=kill)
    reached = fit(tmp_path / "run", config=config, score=wiggle, on_progress=kill)
    assert dataclasses.replace(reached, seconds=0) == dataclasses.replace(expected, seconds=0)
    assert history(tmp_path / "run") == history(tmp_path / "whole")
    whole, run = (RunFolder(tmp_path / name) for name in ("whole", "run"))
    assert run.weights.read_bytes() == whole.weights.read_bytes()
    one, other = (folder.read_tensors(folder.state)[0] for folder in (run, whole))
    assert set(one) == set(other)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_is_kept_is_the_average_generator_at_its_best(tmp_path: Path, wiggle: Score) -> None:
    averages: list[tuple[float, dict[str, Tensor]]] = []

    def score(generator: TimeGANGenerator) -> float:
        averages.append((wiggle(generator), {name: value.clone() for name, value in generator.state_dict().items()}))
        return averages[-1][0]

    reached = fit(tmp_path, score=score)
    best, state = max(averages, key=lambda pair: pair[0])
    assert reached.validation_score == pytest.approx(best, abs=1e-6)
    for name, value in kept(tmp_path, CONFIG).state_dict().items():
        assert torch.equal(value, state[name].half().float()), name


def test_every_weight_of_the_five_networks_is_trained() -> None:
    learner = build_timegan(plan_of(CONFIG), SETTINGS, *waves(), torch.Generator())
    trained = [
        parameter
        for optimizer in learner.optimizers.values()
        for group in optimizer.param_groups
        for parameter in group["params"]
    ]
    networks = (learner.generator, *learner.others.values())
    assert {id(parameter) for parameter in trained} == {id(weight) for net in networks for weight in net.parameters()}
    assert len({id(parameter) for parameter in trained}) == len(trained)
    for own, other in zip(learner.generator.parameters(), learner.average.parameters(), strict=True):
        assert own is not other


def test_the_average_begins_as_the_generator(tmp_path: Path) -> None:
    averages: list[TimeGANGenerator] = []
    fit(tmp_path, dataclasses.replace(SETTINGS, steps=1, rate=0.0), score=lambda net: averages.append(net) or 0.0)
    for own, other in zip(untrained(CONFIG, SETTINGS.seed).parameters(), averages[0].parameters(), strict=True):
        assert torch.equal(own, other)


# ---- it learns


LEARNING = TrainConfig(steps=150, batch=32, rate=1e-2, validations=4, ema=0.9)


def made_of(generator: TimeGANGenerator, label: int) -> Tensor:
    """(500, features) of one class."""
    draws = torch.rand(500, generator.config.noise_dim, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        return generator.from_uniform(draws, torch.full((500,), label))


def test_it_learns_which_class_rises_and_which_falls(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, hidden=16, layers=1)
    real, labels = waves(config)

    def distance(generator: TimeGANGenerator) -> float:
        """The largest distance of a mean over a class to the real one, in any number of a window."""
        means = [(made_of(generator, label).mean(0), real[labels == label].mean(0)) for label in (0, 1)]
        return max(float((made - own).abs().max()) for made, own in means)

    # The classes are 3.2 apart where they begin and end: who does not know them is 1.6 off in one of them.
    learnt = []
    for seed in (0, 1, 2):
        settings, run = dataclasses.replace(LEARNING, seed=seed), tmp_path / str(seed)
        assert distance(untrained(config, seed)) > 1.0
        fit(run, settings, config, score=lambda net: -distance(net))
        learnt.append(distance(kept(run, config)))
    # Of four seeds three came to 0.08 to 0.15, and one to 1.4.
    assert sorted(learnt)[1] < 0.8


def test_it_learns_how_far_windows_differ(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, classes=1, hidden=16, layers=1)
    starts = torch.rand(200, 1, 1, generator=torch.Generator().manual_seed(0))
    slope = torch.linspace(-0.1, 0.1, config.time).view(1, -1, 1)
    real = (3 * starts + slope).expand(-1, -1, config.channels).flatten(1)

    def narrow_and_wide(generator: TimeGANGenerator) -> tuple[float, float]:
        """The smallest and the largest standard deviation as a share of the real one, over the numbers of a window."""
        shares = made_of(generator, 0).std(0) / real.std(0)
        return float(shares.min()), float(shares.max())

    def score(generator: TimeGANGenerator) -> float:
        narrow, wide = narrow_and_wide(generator)
        return min(narrow, 1 / wide)

    assert narrow_and_wide(untrained(config, 0))[0] < 0.4
    fit(tmp_path, LEARNING, config, data=(real, torch.zeros(200, dtype=torch.int64)), score=score)
    narrow, wide = narrow_and_wide(kept(tmp_path, config))
    assert narrow > 0.6  # of four seeds 0.88 to 0.96
    assert wide < 1.4  # 0.97 to 1.07
