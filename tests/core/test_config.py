"""Settings: through JSON and back, and every value that cannot be."""

import dataclasses
import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ConfigError
from ecgsynth.metrics.classifier import ClassifierConfig

POSITIVE = st.integers(1, 10**6)
FINITE = st.floats(0, 1e6)
CONFIGS = st.one_of(
    st.builds(TrainConfig, steps=POSITIVE, rate=FINITE, gp_weight=FINITE, ema=st.floats(0, 0.9999)),
    st.builds(TrainConfig, budget_s=st.floats(1, 1e6), seed=st.integers(0, 2**64 - 1), batch=POSITIVE),
    st.builds(ClassifierConfig, width=POSITIVE, steps=POSITIVE, batch=POSITIVE, rate=st.floats(1e-9, 1)),
)


@given(config=CONFIGS)
def test_json_round_trip(config):
    back = type(config).from_json(json.loads(json.dumps(config.to_json())))
    assert back == config
    assert hash(back) == hash(config)  # the lists of JSON are tuples again


@pytest.mark.parametrize("config", [TrainConfig(steps=1), ClassifierConfig()])
def test_every_setting_is_written_and_none_can_be_changed(config):
    assert set(config.to_json()) == {field.name for field in dataclasses.fields(config)}
    name = dataclasses.fields(config)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, name, 1)


def test_a_missing_key_takes_its_default():
    assert ClassifierConfig.from_json({}) == ClassifierConfig()


def test_unknown_keys_are_named():
    with pytest.raises(ConfigError, match=r"^TrainConfig has no setting depth, width; it was written by another vers"):
        TrainConfig.from_json({"steps": 256, "width": 3, "depth": 2})


@pytest.mark.parametrize("given_both", [{}, {"steps": 5, "budget_s": 60.0}])
def test_training_has_steps_or_a_budget(given_both):
    with pytest.raises(ConfigError, match="exactly one of them"):
        TrainConfig(**given_both)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("batch", 0, "batch must be at least 1, got 0"),
        ("critic_steps", 0, "critic_steps must be at least 1, got 0"),
        ("gp_every", 0, "gp_every must be at least 1, got 0"),
        ("validations", 0, "validations must be at least 1, got 0"),
        ("rate", -1e-4, "rate must be at least 0, got -0.0001"),
        ("rate", math.nan, "rate must be at least 0, got nan"),
        ("gp_weight", -1.0, "gp_weight must be at least 0, got -1.0"),
        ("seed", -1, "seed must be at least 0, got -1"),
        ("seed", 2**64, "a seed is a whole number from 0 to 2**64 - 1, got 18446744073709551616"),
        ("ema", -0.1, "ema must be at least 0, got -0.1"),
        ("ema", 1.0, "ema must be below 1, got 1.0"),
        ("ema", math.nan, "ema must be at least 0, got nan"),
        ("steps", 0, "steps must be at least 1, got 0"),
    ],
)
def test_bad_training_settings_are_named(name, value, sentence):
    with pytest.raises(ConfigError, match=f"^{re.escape(sentence)}$"):
        TrainConfig(**{"steps": 10, name: value})


@pytest.mark.parametrize("budget", [0.0, -60.0, math.nan])
def test_a_budget_is_at_least_a_second(budget):
    with pytest.raises(ConfigError, match=f"^budget_s must be at least 1, got {budget}$"):
        TrainConfig(budget_s=budget)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("width", 0, "width must be at least 1, got 0"),
        ("steps", 0, "steps must be at least 1, got 0"),
        ("batch", -3, "batch must be at least 1, got -3"),
        ("rate", 0.0, "rate must be above 0, got 0.0"),
        ("rate", math.nan, "rate must be above 0, got nan"),
    ],
)
def test_bad_classifier_settings_are_named(name, value, sentence):
    with pytest.raises(ConfigError, match=f"^{sentence}$"):
        ClassifierConfig(**{name: value})
