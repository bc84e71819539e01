"""What a model for windows is to the rest of the package: settings, a space, a generator, and how they come about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.core.config import TrainConfig
from ecgsynth.metrics.attacks.base import Density
from ecgsynth.models.columns.columns import Columns
from ecgsynth.models.learner import Learner
from ecgsynth.models.marginals import MarginalTransform
from ecgsynth.windows.windows import Windows

__all__ = ["Model", "Plan", "ScoreSpace", "Space", "WindowConfig", "WindowGenerator"]


class WindowConfig(Protocol):
    """The settings of a model: a frozen dataclass, kept as JSON beside the weights."""

    @property
    def time(self) -> int: ...  # samples a window
    @property
    def channels(self) -> int: ...
    @property
    def classes(self) -> int: ...
    @property
    def noise_dim(self) -> int: ...  # uniform numbers that one window is made from
    def to_json(self) -> dict[str, Any]: ...
    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self: ...


class WindowGenerator(nn.Module):
    """A network that makes windows as features of its space; what is sampled and exported.

    from_uniform: uniform (n, noise_dim) float32 in (0, 1); label (n,) int64; of a generator of people, person
        (n, person_dim) float32 in (0, 1) -> (n, features)
    """

    config: WindowConfig

    def from_uniform(self, uniform: Tensor, label: Tensor, person: Tensor | None = None) -> Tensor:
        raise NotImplementedError

    @property
    def person_dim(self) -> int:
        """Uniform numbers that one person is made from; 0 where windows are nobody's."""
        return int(getattr(self.config, "person_dim", 0))


class ScoreSpace(Protocol):
    """What the classifiers of a validation see of a window."""

    def components(self, values: NDArray[np.float32], start_s: NDArray[Any] | None = None) -> NDArray[Any]:
        """(n, time, channels) in physical units, and when windows start -> (n, components)."""
        ...


class Space(Protocol):
    """Windows in physical units, and perhaps their RR intervals <-> the features that a generator makes."""

    @property
    def time(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def interval_means(self) -> NDArray[np.float64]: ...  # (2,), or (0,) where RR intervals are not made
    @property
    def marginals(self) -> MarginalTransform: ...  # what the basis leads back to where a channel is transformed
    @property
    def columns(self) -> Columns | None: ...  # of a series, how its columns become the channels of all else

    def transform(
        self,
        values: NDArray[np.float32],
        rr_s: NDArray[np.float32] | None = None,
        start_s: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float32]:
        """(n, time, channels) in physical units, (n, 2) seconds, and when windows start -> (n, features)."""
        ...

    def basis(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The way back from features, as a linear map.

        Returns
        -------
        A matrix (features, time * channels + intervals), or a factor (features,), and what is added to the product.
        Intervals come out as ln(seconds).

        """
        ...

    def save(self, path: Path) -> None:
        """Write scaler.json."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A model fitted to its training windows, before its training; a model that needs more to be built adds to it.

    Parameters
    ----------
    config
        What follows from the windows, and what was set by hand.
    space
        In which the generator works.
    score_space
        The components in which generators are scored; None where they are to be found in the training windows.

    """

    config: WindowConfig
    space: Space
    score_space: ScoreSpace | None = None


P = TypeVar("P", bound=Plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Generic[P]):
    """A model as one entry of the registry (ecgsynth.models.registry).

    Parameters
    ----------
    config
        The class of its settings.
    read_space
        Reads the scaler.json of its space; ArtifactError if it is not one.
    generator
        A generator of these settings, its weights drawn from torch's global generator.
    plan
        ``plan(learn, settings, seed)``: what is found in the training windows before the training; ``settings`` are
        those of ``config`` that are set by hand.
    build
        ``build(plan, training, x, labels, rng)``: what the loop trains, on features x (n, features) and their labels
        (n,) int64; networks are on their device, and ``rng`` is the step's randomness.
    losses
        Which of the losses are shown while it trains.
    from_data
        The settings of ``config`` that follow from the windows.
    classes_of
        The classes of training windows that it can learn; all, unless it says so.
    refit
        Where that is cheap, ``refit(learn, seed)`` fits the same kind of generator to other windows, by which it is
        attacked (ecgsynth.metrics.attacks.shadow); it gives ``draw(n, label, seed)`` -> (n, time, channels), with no
        windows of a class that it could not learn.
    populations
        Of a generator of people: ``populations(windows)`` gives a function that fits the population of some of their
        persons, by name, and gives the log density of a person in it (ecgsynth.metrics.attacks.likelihood).

    """

    config: type[WindowConfig]
    read_space: Callable[[Path], Space]
    generator: Callable[[Any], WindowGenerator]
    plan: Callable[[Windows, Mapping[str, Any], int], P]
    build: Callable[[P, TrainConfig, Tensor, Tensor, torch.Generator], Learner]
    losses: tuple[str, ...]
    from_data: tuple[str, ...] = ()
    classes_of: Callable[[Windows], tuple[str, ...]] | None = None
    refit: Callable[[Windows, int], Callable[[int, str | None, int], NDArray[np.float32]]] | None = None
    populations: Callable[[Windows], Callable[[Sequence[Any]], Density]] | None = None

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings of ``config`` that may be set by hand."""
        config: Any = self.config
        return tuple(field.name for field in fields(config) if field.name not in self.from_data)

    def plan_columns(self, learn: Windows, columns: Columns | None, settings: Mapping[str, Any], seed: int) -> P:
        """A plan of windows whose columns are learnt as other channels; its spaces take the columns as they came."""
        if columns is None:
            return self.plan(learn, settings, seed)
        found = self.plan(columns.applied(learn), settings, seed)
        spaces: dict[str, Any] = {"space": found.space, "score_space": found.score_space}
        known = {name: replace(space, columns=columns) for name, space in spaces.items() if space is not None}
        return replace(found, **known)

    def restore(self, content: dict[str, Any]) -> WindowGenerator:
        """A generator of the settings in a run's config.json, its weights still to be loaded."""
        with torch.random.fork_rng(devices=[]):  # initial weights draw from the global generator
            return self.generator(self.config.from_json(content))

    def builder(
        self, plan: P, training: TrainConfig, learn: Windows, device: torch.device
    ) -> Callable[[torch.Generator], Learner]:
        """What training.loop.fit builds: the networks of a plan, on its training windows."""
        x = torch.from_numpy(plan.space.transform(learn.values, learn.rr_s, learn.start_s)).to(device)
        labels = torch.from_numpy(learn.labels).to(device)
        return lambda rng: self.build(plan, training, x, labels, rng)
