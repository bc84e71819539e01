"""What a model of tables is: all that the one frame which trains, keeps and loads models (see training.table_model)
asks of it. A module has one as MODEL, and models.registry has its name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.core.config import JsonConfig, TrainConfig
from ecgsynth.errors import ConfigError
from ecgsynth.training.state import Learner

from ..encoding.encoding import CategoryCodes, Encoding
from ..schema.schema import Schema

__all__ = ["Arrays", "Model", "Pair", "SpaceKind", "coded_in", "sizes_of"]

Arrays = dict[str, NDArray[Any]]  # canonical columns by name, see Schema.arrays
Pair = tuple[Tensor, Tensor]
C = TypeVar("C", bound=JsonConfig)
S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceKind(Generic[S]):
    """The form in which rows are learnt: codes and positions, or another that a model needs.

    Parameters
    ----------
    phase
        What is shown while a space is found.
    fit
        ``fit(schema, arrays, owners, rng)``: the space of the training rows; ``owners`` are their persons, (rows,) or
        None where every row is a person's own.
    encode
        ``encode(space, arrays, rng)``: rows as two tensors, (rows, ...) each.
    save
        Write what has a file of its own to a run folder's path.
    to_json
        What config.json holds of a space, None where it is in a file of its own.
    load
        The space, from a run folder's path and what ``to_json`` gave.
    rare
        Of each column, how many categories of the schema are not published, and so taken as others.

    """

    phase: str
    fit: Callable[[Schema, Arrays, NDArray[np.int64] | None, np.random.Generator], S]
    encode: Callable[[S, Arrays, np.random.Generator], Pair]
    save: Callable[[S, Path], None]
    to_json: Callable[[S], dict[str, Any] | None]
    load: Callable[[Path, dict[str, Any] | None], S]
    rare: Callable[[Schema, S], dict[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Generic[C, S]):
    """A model of tables.

    Parameters
    ----------
    space
        The form in which it learns rows.
    config
        The class of its networks' settings.
    settings
        Those that a user may set.
    configure
        ``configure(space, settings, label)``: the networks' settings, where some are given; the label is the name of
        the column that is the condition.
    generator
        ``generator(config, space)``: what is trained, its weights drawn from torch's global generator.
    build
        ``build(config, training, space, rows, rng)``: what the loop trains, on encoded rows on their device.
    score
        ``score(config, space, arrays, device, seed)``: the score of a generator on canonical columns of the rows that
        are kept apart; the highest is best.
    losses
        Those of its step that are worth showing.
    preset, training
        Settings of the networks and of TrainConfig that it has unless others are given.
    epochs, least_steps
        How long it is trained by default: so many passes over the rows, and at least so many steps.
    takes_label
        Whether a label may be given beside settings.
    has_critic
        Whether critic updates mean anything.
    pack
        Rows that belong together in a batch.

    """

    name: str = ""  # as the registry has it
    space: SpaceKind[S]
    config: type[C]
    settings: tuple[str, ...]
    configure: Callable[[S, dict[str, Any], str | None], C]
    generator: Callable[[C, S], nn.Module]
    build: Callable[[C, TrainConfig, S, Pair, torch.Generator], Learner]
    score: Callable[[C, S, Arrays, torch.device, int], Callable[[Any], float]]
    losses: tuple[str, ...]
    preset: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 100
    least_steps: int = 1
    takes_label: Callable[[Mapping[str, Any]], bool] = lambda settings: False
    has_critic: bool = True
    pack: Callable[[C], int] = lambda config: 1

    def named(self, name: str, preset: Mapping[str, Any], training: Mapping[str, Any]) -> Self:
        """The model as a preset of it is called and set."""
        return replace(self, name=name, preset={**self.preset, **preset}, training={**self.training, **training})

    def chosen(self, given: Mapping[str, Any], label: str | None) -> dict[str, Any]:
        """The preset's settings and those given; ConfigError for one, or for a label, that it does not take."""
        unknown = sorted(set(given) - set(self.settings))
        if unknown:
            raise ConfigError(f"{self.name} has no {', '.join(unknown)}; leave it out")
        found = {**self.preset, **given}
        if label is not None and not self.takes_label(found):
            raise ConfigError(
                f"the model {self.name} takes no label; leave it out, or choose a conditional one such as cgan"
            )
        return found

    def empty(self, config: dict[str, Any], space: S) -> nn.Module:
        """A generator of settings as JSON has them, its weights still to be loaded."""
        with torch.random.fork_rng(devices=[]):  # initial weights draw from the global generator
            return self.generator(self.config.from_json(config), space)


# ---- rows as codes


def coded_in(style: str) -> SpaceKind[Encoding]:
    """The codes and positions of an encoding, with intervals of numbers by a style of encoding.STYLES."""
    return SpaceKind(
        phase="finding the codes",
        fit=lambda schema, arrays, owners, rng: Encoding.fit(schema, arrays, style, rng, owners),
        encode=encoded,
        save=lambda encoding, folder: encoding.save(folder / "encoding.json"),
        to_json=lambda encoding: None,
        load=lambda folder, content: Encoding.load(folder / "encoding.json"),
        rare=rare_categories,
    )


def encoded(encoding: Encoding, arrays: Arrays, rng: np.random.Generator) -> Pair:
    """Codes (rows, columns) int16 and positions (rows, columns) float32."""
    codes, positions = encoding.encode(arrays, rng, strict=False)
    return torch.from_numpy(codes.astype(np.int16)), torch.from_numpy(positions.astype(np.float32))


def rare_categories(schema: Schema, encoding: Encoding) -> dict[str, int]:
    """Of each column, how many categories fewer than ten persons have: they are taken as other ones."""
    sizes = {column.name: len(column.categories) for column in schema.columns}
    return {
        column.name: sizes[column.name] - len(column.categories)
        for column in encoding.columns
        if isinstance(column, CategoryCodes) and sizes[column.name] > len(column.categories)
    }


def sizes_of(encoding: Encoding) -> dict[str, Any]:
    """The settings of networks that follow from an encoding."""
    return {"sizes": encoding.sizes, "positioned": encoding.positioned, "askable": encoding.askable}
