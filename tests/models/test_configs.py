"""Settings of the models: through JSON and back, what follows from them, and every value that cannot be."""

import dataclasses
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.models.timegan.networks import TimeGANConfig
from ecgsynth.models.wgan import WGANConfig

POSITIVE = st.integers(1, 10**6)
WGANS = st.builds(
    WGANConfig,
    time=st.integers(40, 4096),
    channels=st.integers(1, 12),
    components=st.integers(1, 40),
    intervals=st.sampled_from([0, 2]),
    clusters=st.lists(POSITIVE, min_size=1, max_size=20).map(tuple),
    latent_steps=POSITIVE,
    step_noise=POSITIVE,
    hidden=POSITIVE,
    cluster_dim=POSITIVE,
    read_out=POSITIVE,
    critic_hidden=POSITIVE,
)
TIMEGAN = TimeGANConfig(time=6, channels=2, classes=3, frame=2, hidden=5, layers=2, noise=3)


# ---- the recurrent WGAN-GP


@given(config=WGANS)
def test_json_round_trip(config):
    back = WGANConfig.from_json(json.loads(json.dumps(config.to_json())))
    assert back == config
    assert hash(back) == hash(config)  # the lists of JSON are tuples again


def test_every_setting_is_written_and_none_can_be_changed():
    # Under the keys of 0.1.0, which run folders and exported files have.
    assert list(WGANConfig(time=256).to_json()) == [
        *("time", "channels", "components", "fine", "intervals", "bent", "modes", "latent_steps", "step_noise"),
        *("hidden", "mode_dim", "read_out", "critic_hidden"),
    ]
    with pytest.raises(dataclasses.FrozenInstanceError):
        WGANConfig(time=256).time = 1


def test_a_missing_key_takes_its_default():
    assert WGANConfig.from_json({"time": 128}) == WGANConfig(time=128)
    with pytest.raises(ConfigError, match="time"):
        WGANConfig.from_json({"channels": 1})


def test_unknown_keys_are_named():
    with pytest.raises(ConfigError, match=r"^WGANConfig has no setting depth, width; it was written by another vers"):
        WGANConfig.from_json({"time": 256, "width": 3, "depth": 2})


@pytest.mark.parametrize(
    "name",
    [
        "time",
        "channels",
        "components",
        "latent_steps",
        "step_noise",
        "hidden",
        "cluster_dim",
        "read_out",
        "critic_hidden",
    ],
)
@pytest.mark.parametrize("value", [0, -1])
def test_sizes_of_the_model_are_at_least_one(name, value):
    with pytest.raises(ConfigError, match=f"^{name} must be at least 1, got {value}$"):
        WGANConfig(**{"time": 256, name: value})


@pytest.mark.parametrize("clusters", [(), (0,), (3, 0, 2), (1, -1)])
def test_every_class_has_a_cluster(clusters):
    with pytest.raises(
        ConfigError, match=f"^every class has at least one cluster, got {re.escape(str(list(clusters)))}$"
    ):
        WGANConfig(time=256, clusters=clusters)
    assert WGANConfig(time=256, clusters=(3, 1, 2)).classes == 3


@pytest.mark.parametrize("intervals", [1, 3, -2])
def test_there_are_two_intervals_or_none(intervals):
    with pytest.raises(ConfigError, match=f"^there are two RR intervals or none, got {intervals}$"):
        WGANConfig(time=256, intervals=intervals)
    assert WGANConfig(time=256, components=7, intervals=2).features == 9
    assert WGANConfig(time=256, components=7, intervals=0).features == 7


@pytest.mark.parametrize(
    ("latent_steps", "step_noise", "components", "intervals", "normals", "uniforms"),
    [
        (3, 4, 5, 0, 17, 19),  # an odd number of normals comes from one uniform more
        (3, 4, 6, 0, 18, 19),
        (3, 4, 5, 2, 19, 21),
        (3, 5, 5, 0, 20, 21),
        (1, 1, 1, 2, 4, 5),
    ],
)
def test_noise_comes_in_pairs_and_one_number_picks_the_cluster(
    latent_steps, step_noise, components, intervals, normals, uniforms
):
    config = WGANConfig(
        time=256, latent_steps=latent_steps, step_noise=step_noise, components=components, intervals=intervals
    )
    assert (config.normals, config.noise_dim) == (normals, uniforms)


def test_no_more_components_than_numbers():
    assert WGANConfig(time=20, channels=2, components=40).components == 40
    with pytest.raises(ConfigError, match="a window of 13 x 3 numbers has no 40 components"):
        WGANConfig(time=13, channels=3, components=40)


@pytest.mark.parametrize(("tail", "intervals"), [(40, 0), (41, 0), (1, 2)])
def test_some_components_are_left_to_be_learnt(tail, intervals):
    with pytest.raises(ConfigError, match=f"a Gaussian tail cannot have {tail}; some components are left"):
        WGANConfig(time=256, components=40, intervals=intervals, gaussian_tail=tail)


# ---- TimeGAN


def test_settings_of_timegan_know_what_follows_from_them() -> None:
    assert (TIMEGAN.latent_steps, TIMEGAN.features, TIMEGAN.normals, TIMEGAN.noise_dim) == (3, 12, 25, 26)
    plain = TimeGANConfig(time=24, channels=5)
    assert (plain.latent_steps, plain.features, plain.normals) == (24, 120, 16 + 24 * 16)
    with pytest.raises(ArtifactError, match="networks are those of an earlier version; train again"):
        TimeGANConfig.from_json({"time": 24, "channels": 5, "cell": "gru"})
    assert TimeGANConfig.from_json(json.loads(json.dumps(TIMEGAN.to_json()))) == TIMEGAN


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"frame": 4}, "time must be a multiple of frame, got 6 samples in frames of 4"),
        ({"frame": 6}, "at least two latent steps"),
        ({"cell": "rnn"}, "cell is one of mingru, gru, lstm, got 'rnn'"),
        ({"codes": "tanh"}, "codes is one of normal, sigmoid, got 'tanh'"),
        ({"objective": "hinge"}, "objective is one of relativistic, cross-entropy, got 'hinge'"),
        ({"static_channels": (0, 1)}, "some of the 2 channels moves"),
        ({"penalty": -1.0}, "penalty must be at least 0"),
        ({"noise": -1}, "noise must be at least 1, got -1"),
        *[({name: 0}, f"{name} must be at least 1, got 0") for name in ("time", "channels", "classes", "frame")],
        *[({name: 0}, f"{name} must be at least 1, got 0") for name in ("hidden", "layers")],
    ],
    ids=str,
)
def test_settings_of_timegan_that_cannot_be_are_named(change: dict[str, int | str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        dataclasses.replace(TIMEGAN, **change)  # type: ignore[arg-type]
