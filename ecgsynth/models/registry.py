"""The models for windows, by name: the one list of them, from which the command line, runs and files are served.

A new model is a module with a ``MODEL`` (ecgsynth.models.model.Model) and a line here. Nothing is imported before a
model is asked for, so the names cost nothing.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from ecgsynth.errors import ConfigError, require

if TYPE_CHECKING:
    from ecgsynth.models.model import Model

__all__ = ["DEFAULT", "PEOPLE", "entry", "help_of", "names"]


class Entry(NamedTuple):
    """The module of a model, and one line of help."""

    module: str
    help: str


MODELS = {
    "people": Entry("ecgsynth.training.fit_people", "new people and then their windows, by a recurrent WGAN-GP"),
    "rwgan": Entry("ecgsynth.training.fit_wgan", "a recurrent WGAN-GP conditioned on kinds of windows"),
    "timegan": Entry("ecgsynth.training.fit_timegan", "TimeGAN (Yoon et al. 2019)"),
}
DEFAULT = "rwgan"
PEOPLE = "people"  # what windows of known persons are learnt by, unless the file is to stay in the house


def names() -> tuple[str, ...]:
    """The names of all models."""
    return tuple(MODELS)


def help_of(name: str) -> str:
    """One line on a model; ConfigError if there is none of this name."""
    return found(name).help


def entry(name: str) -> "Model[Any]":
    """A model, its module now imported.

    Raises
    ------
    ConfigError
        If there is no model of this name.
    MissingExtraError
        If a package that training needs is not installed.

    """
    model: Model[Any] = require(found(name).module, f"the model {name}").MODEL
    return model


def found(name: str) -> Entry:
    if name not in MODELS:
        raise ConfigError(f"a model is one of {', '.join(MODELS)}, got {name!r}")
    return MODELS[name]
