"""Which models of tables there are, a line each: to name them and say what they are loads neither torch nor numpy.

A model is a module with an entry MODEL (see models.model) and a line here; a preset is another line of the same module.
"""

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ecgsynth.errors import ConfigError

if TYPE_CHECKING:
    from .model import Model

__all__ = ["DEFAULT", "DOES", "LINES", "ROWS", "VALUES", "Line", "entry", "help_of", "makes", "names"]

DEFAULT = "default"
ROWS, VALUES = "rows", "values"
DOES = {ROWS: "makes rows", VALUES: "fills holes"}  # what a model is for


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A model by the name that a user calls it.

    Parameters
    ----------
    module
        Whose MODEL it is.
    help
        What it is, in a line.
    makes
        ROWS, or VALUES that are missing in a table.
    config
        Settings of its networks that differ from the model's own.
    training
        Settings of its training, of TrainConfig, that differ from the model's own.

    """

    module: str
    help: str
    makes: str = ROWS
    config: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)


FIT = "ecgsynth.tabular.training"
GAN = f"{FIT}.fit_gan"
VANILLA = {"objective": "vanilla", "betas": (0.5, 0.999)}
PENALISED = {"gp_weight": 10.0, "gp_every": 1}
ONE_UPDATE = {"batch": 500, "rate": 2e-4, "critic_steps": 1}
FIVE_UPDATES = {"batch": 500, "rate": 1e-4, "critic_steps": 5, **PENALISED}

LINES = {
    "default": Line(
        module=f"{FIT}.fit_autoregressive",
        help="column by column, each by those before it; measures best",
    ),
    # Goodfellow et al. 2014, the rates of Radford, Metz and Chintala 2016.
    "gan": Line(module=GAN, help="Goodfellow et al. 2014", config=VANILLA, training=ONE_UPDATE),
    # Mirza and Osindero 2014.
    "cgan": Line(
        module=GAN,
        help="a GAN conditioned on a label",
        config={**VANILLA, "condition": "label"},
        training=ONE_UPDATE,
    ),
    # Arjovsky, Chintala and Bottou 2017, algorithm 1.
    "wgan": Line(
        module=GAN,
        help="Wasserstein distance, clipped weights",
        config={"objective": "clip", "optimizer": "rmsprop"},
        training={"batch": 500, "rate": 5e-5, "critic_steps": 5},
    ),
    # Gulrajani et al. 2017, algorithm 1.
    "wgan-gp": Line(
        module=GAN,
        help="Wasserstein distance, gradient penalty",
        config={"objective": "gp", "betas": (0.0, 0.9)},
        training=FIVE_UPDATES,
    ),
    "cwgan-gp": Line(
        module=GAN,
        help="wgan-gp conditioned on a label",
        config={"objective": "gp", "betas": (0.0, 0.9), "condition": "label"},
        training=FIVE_UPDATES,
    ),
    # Kodali et al. 2017. Differs from the paper: the penalty has the weight 1, as with 10 it did not learn one-hots.
    "dragan": Line(
        module=GAN,
        help="a GAN with a penalty around real rows",
        config={"objective": "dragan", "betas": (0.5, 0.999)},
        training={**ONE_UPDATE, "gp_weight": 1.0, "gp_every": 1},
    ),
    # Bellemare et al. 2017, algorithm 1.
    "cramergan": Line(
        module=GAN,
        help="the energy distance of features",
        config={"objective": "cramer", "betas": (0.5, 0.9)},
        training=FIVE_UPDATES,
    ),
    # Xu et al. 2019, sections 4.3 and 4.4, and the decay and dropout of the authors' code.
    "ctgan": Line(
        module=GAN,
        help="wgan-gp trained by sampling conditions",
        config={
            "objective": "gp",
            "condition": "sampled",
            "pack": 10,
            "critic_dropout": 0.5,
            "betas": (0.5, 0.9),
            "weight_decay": 1e-6,
        },
        training={**ONE_UPDATE, **PENALISED},
    ),
    # Yoon, Jordon and van der Schaar 2018.
    "gain": Line(module=f"{FIT}.fit_gain", help="fills missing values, makes no rows", makes=VALUES),
}


def names(made: str | None = None) -> tuple[str, ...]:
    """The models by name, the usual one first; of ``made``, ROWS or VALUES, those that make it."""
    return tuple(name for name, line in LINES.items() if made in (None, line.makes))


def line_of(name: str, made: str | None = None) -> Line:
    """The line of a model; ConfigError where there is none, or it makes something else than ``made``."""
    if name not in names(made):
        what = "of a table" if made is None else f"of a table that {DOES[made]}"
        raise ConfigError(f"a model {what} is one of {', '.join(names(made))}, got {name!r}")
    return LINES[name]


def help_of(name: str) -> str:
    """What a model is, in a line; ConfigError for an unknown name."""
    return line_of(name).help


def makes(name: str) -> str:
    """What a model makes, ROWS or VALUES; ConfigError for an unknown name."""
    return line_of(name).makes


def entry(name: str, made: str | None = None) -> "Model[Any, Any]":
    """The model of a name, its module imported; ConfigError for an unknown name."""
    line = line_of(name, made)
    found: Model[Any, Any] = importlib.import_module(line.module).MODEL
    return found.named(name, line.config, line.training)
