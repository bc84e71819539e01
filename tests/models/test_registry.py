"""The list of models for windows: what each entry holds, for whichever models there are."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ConfigError
from ecgsynth.models import registry
from ecgsynth.models.decoder import SignalSampler, draw
from ecgsynth.windows.info import SeriesInfo, SeriesOptions
from ecgsynth.windows.windows import Windows

pytestmark = pytest.mark.trains
MODELS = pytest.mark.parametrize("name", registry.names())


def some_windows() -> Windows:
    """Random walks of two classes, ten of each by each of six people."""
    return Windows(
        values=np.random.default_rng(0).normal(size=(120, 6, 2)).cumsum(axis=1).astype(np.float32),
        fs_hz=1.0,
        units="as given",
        channel_names=("a", "b"),
        classes=("N", "S"),
        labels=np.arange(120) % 2,
        groups=np.array([f"p{number // 20}" for number in range(120)]),
        series=SeriesInfo(options=SeriesOptions(length=6, stride=6)),
        meta={"kind": "series"},
    )


def test_every_model_has_a_line_of_help() -> None:
    assert {"rwgan", "timegan"} <= set(registry.names())  # which run folders name
    assert registry.DEFAULT in registry.names()
    assert all("\n" not in registry.help_of(name) and len(registry.help_of(name)) > 10 for name in registry.names())


def test_an_unknown_model_is_named_with_those_there_are() -> None:
    for ask in (registry.entry, registry.help_of):
        with pytest.raises(ConfigError, match=f"a model is one of {', '.join(registry.names())}, got 'vae'"):
            ask("vae")


def test_the_names_cost_nothing() -> None:
    code = """
import sys
from ecgsynth.models.registry import DEFAULT, help_of
help_of(DEFAULT)
assert not {"torch", "numpy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@MODELS
def test_a_plan_fits_its_generator_and_its_space(name: str, tmp_path: Path) -> None:
    model, learn = registry.entry(name), some_windows()
    plan = model.plan(learn, {}, 0)
    assert isinstance(plan.config, model.config)
    plan.space.save(tmp_path / "scaler.json")
    assert type(model.read_space(tmp_path / "scaler.json")) is type(plan.space)
    assert (plan.config.time, plan.config.channels, plan.config.classes) == (6, 2, 2)
    generator = model.restore(plan.config.to_json())
    values, rr_s = draw(SignalSampler(generator, plan.space), learn.labels, seed=0)
    assert values.shape == learn.values.shape
    assert np.isfinite(values).all()
    assert rr_s is None


@MODELS
def test_what_is_built_learns_and_shows_its_losses(name: str) -> None:
    model, learn = registry.entry(name), some_windows()
    training = TrainConfig(steps=1, batch=8)
    build = model.builder(model.plan(learn, {}, 0), training, learn, torch.device("cpu"))
    learner = build(torch.Generator().manual_seed(0))
    before = {entry: value.clone() for entry, value in learner.generator.state_dict().items()}
    seen: set[str] = set()
    for number, fraction in enumerate((0.0, 0.3, 0.9)):
        seen |= set(learner.step(number, fraction))
    assert set(model.losses) <= seen
    assert any(not torch.equal(value, before[entry]) for entry, value in learner.generator.state_dict().items())


@MODELS
def test_a_generator_of_settings_takes_the_weights_of_another(name: str) -> None:
    before = torch.get_rng_state()
    model = registry.entry(name)
    config = model.plan(some_windows(), {}, 0).config.to_json()
    made, other = model.restore(config), model.restore(config)
    assert made.config.to_json() == config
    made.load_state_dict(other.state_dict())
    draws = torch.full((3, made.config.noise_dim), 0.3)
    label = torch.zeros(3, dtype=torch.int64)
    person = torch.full((3, made.person_dim), 0.4)
    assert torch.equal(made.from_uniform(draws, label, person), other.from_uniform(draws, label, person))
    assert torch.equal(torch.get_rng_state(), before)  # nobody else's numbers are used up


@MODELS
def test_a_setting_that_a_model_does_not_have_is_refused(name: str) -> None:
    model = registry.entry(name)
    config = model.plan(some_windows(), {}, 0).config.to_json()
    with pytest.raises(ConfigError, match="has no setting attention"):
        model.restore({**config, "attention": 4})
