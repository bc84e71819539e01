"""How a model of tables is trained by default, and what settings it takes."""

import pytest

from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ConfigError
from ecgsynth.tabular.models.registry import entry
from ecgsynth.tabular.training.settings import seed_of, training_of


def test_how_long_and_how_a_model_is_trained_unless_told() -> None:
    default, ctgan, gan = (entry(name) for name in ("default", "ctgan", "gan"))
    training = training_of(default, None, 30_000, seed=3)
    assert (training.steps, training.batch, training.seed) == (1500, 500, 3)
    assert training_of(default, {}, 200_000).steps == 6000
    assert training_of(default, {}, 30_000, epochs=2).steps == 120
    assert training_of(default, {"batch": 100}, 1000, epochs=1).steps == 10
    assert training_of(ctgan, {}, 30_000, epochs=1, pack=3).batch == 498
    assert training_of(ctgan, {}, 88, epochs=1, pack=10).batch == 80
    timed = training_of(ctgan, {}, 30_000, budget_s=60.0)
    assert (timed.steps, timed.budget_s) == (None, 60.0)
    assert training_of(gan, {"rate": 1e-3}, 30_000, epochs=1).rate == 1e-3
    assert training_of(gan, {}, 30, epochs=1).steps == 1
    assert training_of(gan, {"steps": 7}, 30).steps == 7
    assert training_of(entry("gain"), {}, 30_000, epochs=1).to_json().items() >= {"batch": 256, "rate": 1e-3}.items()


def test_a_whole_config_is_taken_as_it_is() -> None:
    whole = TrainConfig(steps=3, batch=20, seed=5)
    assert training_of(entry("ctgan"), whole, 30) is whole
    assert seed_of(whole, 0) == seed_of({"seed": 5}, 0) == seed_of(None, 5) == seed_of(whole, 5) == 5
    with pytest.raises(ConfigError, match="say the seed 5, beside them is 6"):
        seed_of(whole, 6)


@pytest.mark.parametrize(
    ("given", "beside", "says"),
    [
        (TrainConfig(steps=3), {"epochs": 1}, "give no epochs and no budget beside it"),
        ({"steps": 3}, {"epochs": 1}, "is given once, got epochs and steps"),
        ({}, {"epochs": 1, "budget_s": 2.0}, "is given once, got epochs and budget_s"),
        ({"speed": 1}, {}, "TrainConfig has no setting speed"),
        ({"critic_steps": 2}, {}, "the default model has no critic"),
    ],
)
def test_settings_of_a_training_that_cannot_be(given: object, beside: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        training_of(entry("default"), given, 100, **beside)  # type: ignore[arg-type]
