"""How long and how a model of tables is trained: its own settings, unless others are given."""

from typing import Any

from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ConfigError

from ..models.model import Model

__all__ = ["seed_of", "training_of"]

BATCH_ROWS = 500  # where neither the model nor anybody else says

Given = TrainConfig | dict[str, Any] | None


def seed_of(training: Given, seed: int) -> int:
    """The seed that is meant; ConfigError for two of them."""
    said = training.seed if isinstance(training, TrainConfig) else (training or {}).get("seed")
    if said is not None and seed not in (0, said):
        raise ConfigError(f"the training's settings say the seed {said}, beside them is {seed}; give one of them")
    return seed if said is None else int(said)


def training_of(
    model: Model[Any, Any],
    given: Given,
    rows: int,
    *,
    pack: int = 1,
    epochs: int | None = None,
    budget_s: float | None = None,
    seed: int = 0,
) -> TrainConfig:
    """How a model is trained on a table.

    Parameters
    ----------
    model
        Whose own settings are taken unless others are given.
    given
        A TrainConfig, which is taken as it is, or some settings of one.
    rows
        That are learnt from. A batch that is not given is no larger than that.
    pack
        Rows that belong together: a batch that is not given is of whole packs.
    epochs
        Passes over the rows, learnt from by the model or made by its generator; a critic that is updated
        more often sees more.
    budget_s
        Seconds to train for instead.
    seed
        Of the training.

    Raises
    ------
    ConfigError
        For invalid settings, or two lengths of one training.

    """
    if isinstance(given, TrainConfig):
        if epochs is not None or budget_s is not None:
            raise ConfigError("the TrainConfig says how long to train; give no epochs and no budget beside it")
        return given
    settings = dict(given or {})
    if not model.has_critic and "critic_steps" in settings:
        raise ConfigError(
            f"the {model.name} model has no critic; choose another model, or leave out the critic's updates"
        )
    found = {"seed": seed, "batch": BATCH_ROWS, **model.training, **settings}
    if "batch" not in settings:
        found["batch"] = max(1, min(found["batch"], rows) // pack) * pack
    lengths = (
        ("epochs", epochs),
        ("budget_s", budget_s),
        *((name, settings.get(name)) for name in ("steps", "budget_s")),
    )
    said = [name for name, value in lengths if value is not None]
    if len(said) > 1:
        raise ConfigError(f"how long to train is given once, got {' and '.join(said)}; leave out all but one")
    if budget_s is not None:
        found["budget_s"] = budget_s
    elif epochs is not None:
        found["steps"] = max(1, epochs * rows // found["batch"])
    elif not said:
        found["steps"] = max(model.least_steps, model.epochs * rows // found["batch"])
    return TrainConfig.from_json(found)
