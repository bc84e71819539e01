"""What can be trained on a table: for each preset its encoding, its settings, its networks and its training."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ConfigError
from ecgsynth.training.state import Learner

from ..encoding.encoding import Encoding
from ..models.autoregressive import AutoregressiveConfig, AutoregressiveModel
from ..models.config import PRESETS, GANConfig
from ..models.gan import JointGenerator
from ..schema.schema import Schema
from .fit_autoregressive import build_autoregressive, likelihood
from .fit_gain import GAIN_TRAINING
from .fit_gan import build_gan
from .selection import pair_score

__all__ = ["DEFAULT", "IMPUTER", "MODELS", "Plan", "build", "generator_of", "plan", "score_of", "training_of"]

DEFAULT = "default"
MODELS = (DEFAULT, *PRESETS)
IMPUTER = "gain"  # fills holes, and makes no rows: see tabular.imputer
OWN_TRAINING: dict[str, dict[str, Any]] = {
    DEFAULT: {"batch": 500, "rate": 2e-3},
    IMPUTER: GAIN_TRAINING,
}
EPOCHS, GAN_EPOCHS = 15, 100  # times that each row is seen, where nobody says
LEAST = 1500  # steps of the chain, where nobody says


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A model fitted to its training rows, before its training."""

    model: str
    config: AutoregressiveConfig | GANConfig
    encoding: Encoding


def check_model(model: str) -> None:
    if model not in MODELS:
        raise ConfigError(f"a model of a table is one of {', '.join(MODELS)}, got {model!r}")


def training_of(
    model: str,
    settings: dict[str, Any],
    rows: int,
    *,
    epochs: int | None,
    budget_s: float | None,
    seed: int,
    pack: int = 1,
) -> TrainConfig:
    """How a preset is trained on so many rows: its own settings, but for those that are given.

    In an epoch the model learns from, or its generator makes, as many rows as there are; a critic that is updated more
    often sees more. A batch is no larger than the table, and of whole packs.
    """
    if model != IMPUTER:
        check_model(model)
    if model == DEFAULT and "critic_steps" in settings:
        raise ConfigError("the default model has no critic; choose another model, or leave out the critic's updates")
    own = OWN_TRAINING[model] if model in OWN_TRAINING else PRESETS[model].training
    found = {**own, **settings}
    if "batch" not in settings:
        found["batch"] = max(1, min(found["batch"], rows) // pack) * pack
    if budget_s is not None:
        return TrainConfig(budget_s=budget_s, seed=seed, **found)
    if epochs is None:
        least, epochs = (LEAST, EPOCHS) if model == DEFAULT else (1, GAN_EPOCHS)
    else:
        least = 1
    return TrainConfig(steps=max(least, epochs * rows // found["batch"]), seed=seed, **found)


def plan(
    model: str,
    schema: Schema,
    arrays: dict[str, Any],
    networks: dict[str, Any],
    label: str | None,
    rng: np.random.Generator,
    owners: NDArray[np.int64] | None = None,
) -> Plan:
    """The encoding of ``model``, found in canonical columns of the training rows, and its settings.

    owners: (rows,) the person of each row, or None where every row is one. networks: settings of AutoregressiveConfig
    or GANConfig to be set by hand. Raises ConfigError for an unknown model or setting, or a label that is no categorical
    column, DataError for columns that cannot be learnt.
    """
    check_model(model)
    networks = dict(networks)
    if model == DEFAULT and set(networks) - {"hidden"}:
        raise ConfigError(f"the default model has no critic, and no {', '.join(sorted(set(networks) - {'hidden'}))}")
    if label is not None and (model == DEFAULT or PRESETS[model].networks.get("condition") != "label"):
        raise ConfigError(f"the model {model} is told no label; leave it out, or choose cgan or cwgan-gp")
    encoding = Encoding.fit(schema, arrays, "cells" if model == DEFAULT else "modes", rng, owners)
    sizes: dict[str, Any] = {"sizes": encoding.sizes, "positioned": encoding.positioned, "askable": encoding.askable}
    if model == DEFAULT:
        if len(networks.get("hidden", (1,))) != 1:
            raise ConfigError(f"the default model has one size of its hidden layers, got {networks['hidden']}")
        own = {"hidden": networks["hidden"][0]} if networks else {}
        return Plan(model=model, config=AutoregressiveConfig(**sizes, **own), encoding=encoding)
    told = label_of(encoding, label) if PRESETS[model].networks.get("condition") == "label" else None
    wide = networks.pop("hidden", None)
    both = {} if wide is None else {"generator_sizes": wide, "critic_sizes": wide}
    found = {**sizes, **PRESETS[model].networks, "label": told, **both, **networks}
    return Plan(model=model, config=GANConfig.from_json(found), encoding=encoding)


def label_of(encoding: Encoding, label: str | None) -> int:
    """The place of the column that a conditional GAN is told: the one named, or the last that is categorical."""
    may = {column.name: place for place, column in enumerate(encoding.columns) if encoding.askable[place]}
    if not may:
        raise ConfigError("a conditional GAN is told a categorical column, and this table has none")
    if label is not None and label not in may:
        raise ConfigError(f"the label is a categorical column, one of {', '.join(may)}, got {label!r}")
    return may[label] if label is not None else list(may.values())[-1]


def build(
    planned: Plan, training: TrainConfig, codes: Tensor, positions: Tensor
) -> Callable[[torch.Generator], Learner]:
    """What training.loop.fit builds of a plan and its encoded rows, on the device that they are on."""
    config, shares = planned.config, planned.encoding.shares
    if isinstance(config, AutoregressiveConfig):
        return lambda rng: build_autoregressive(config, training, codes, shares, rng)
    return lambda rng: build_gan(config, training, codes, positions, shares, rng)


def score_of(planned: Plan, arrays: dict[str, Any], device: torch.device) -> Callable[[Any], float]:
    """What is best on the rows kept apart: of the chain their likelihood, of a GAN the likeness of tables of pairs."""
    if not isinstance(planned.config, AutoregressiveConfig):
        return pair_score(planned.encoding, arrays)
    codes, _ = planned.encoding.encode(arrays, np.random.default_rng(0), strict=False)
    kept = torch.from_numpy(codes.astype(np.int16)).to(device)
    return lambda chain: likelihood(chain, kept)


def generator_of(model: str, config: dict[str, Any], encoding: Encoding) -> nn.Module:
    """A generator of these settings, its weights still to be loaded."""
    check_model(model)
    with torch.random.fork_rng(devices=[]):  # initial weights draw from the global generator
        if model == DEFAULT:
            return AutoregressiveModel(AutoregressiveConfig.from_json(config), encoding.shares)
        return JointGenerator(GANConfig.from_json(config), encoding.shares)
