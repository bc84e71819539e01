"""Real windows beside others: all that a measure of likeness may need, made once and only where it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ecgsynth.errors import DataError
from ecgsynth.metrics.classifier import BeatClassifier, ClassifierConfig, predict, train_classifier
from ecgsynth.metrics.judges.blocks import FOLDS, Parted
from ecgsynth.metrics.judges.judge import Judgement, judged
from ecgsynth.metrics.likeness import median_distance
from ecgsynth.metrics.physiology import delineate
from ecgsynth.metrics.progress import Step, Trainings
from ecgsynth.metrics.waveforms import in_spreads, nearest
from ecgsynth.windows.windows import Windows

__all__ = ["Comparison", "FeatureNetwork", "as_many_of_each", "check_kinds", "moving"]

STAGE = "likeness"

Floats = NDArray[np.float32]
Pair = tuple[Windows, Windows]


class Network(Protocol):
    """What gives features (n, d) of windows (n, time, channels)."""

    def features(self, values: Floats, /) -> Floats: ...


@dataclass(frozen=True, kw_only=True)
class FeatureNetwork:
    """A classifier of the training part, whose last layer is given the features of a window. Trained when first used.

    Two comparisons share one.
    """

    learnt: Windows
    config: ClassifierConfig
    trainings: Trainings
    seed: int = 0
    device: torch.device | None = None

    @cached_property
    def net(self) -> nn.Module:
        """The trained network."""
        learnt, on_step = self.learnt, self.trainings.begin(STAGE, self.config.steps)
        classes = len(learnt.classes)
        return trained(learnt.values, learnt.labels, classes, self.config, self.seed, self.device, on_step)

    def features(self, values: Floats) -> Floats:
        """(n, d) what the last layer of the network's head is given for windows (n, time, channels)."""
        (*_, last) = self.net.get_submodule("head").children()
        seen: list[torch.Tensor] = []
        hook = last.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0].cpu()))
        try:
            predict(self.net, values)
        finally:
            hook.remove()
        return torch.cat(seen).numpy()


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Real windows beside others, and what measures of them may need.

    Parameters
    ----------
    held, other
        Held-out windows, and synthetic ones or, for the baseline, other real ones: as many of each class, sorted by it.
    learnt
        The windows that the generator learnt from; a series' units are their standard deviations.
    network
        Gives features of windows.
    trainings
        Called with the updates of each network that a measure trains.
    scored
        The windows that the networks of a score distinguish and predict, where these are not ``held`` and ``other``.
    parted
        Windows for judges, in folds that share no row; None where there is no room for folds.
    judgements
        What has been judged already, by the name of the judge.
    picked
        (k,) the windows among which neighbours are sought; all, unless given.
    steps
        Updates of each network, at most.
    repeats
        Networks of each score.
    seed, device
        Of every network.

    """

    held: Windows
    other: Windows
    learnt: Windows
    network: Network
    trainings: Trainings
    scored: Pair | None = None
    parted: Parted | None = None
    judgements: dict[str, Judgement] = field(default_factory=dict)
    picked: NDArray[np.int64] | None = None
    steps: int | None = None
    repeats: int = 1
    seed: int = 0
    device: torch.device | None = None

    def training(self, updates: int) -> Step:
        """What a network of a measure calls after each of its updates."""
        return self.trainings.begin(STAGE, updates)

    def at_most(self, updates: int) -> int:
        """So many updates, or fewer where fewer were asked for."""
        return updates if self.steps is None else min(self.steps, updates)

    def judgement(self, judge: str, updates: int) -> Judgement | None:
        """What a judge reaches, in as many folds as there are repeats; None where there is no room for folds."""
        if judge not in self.judgements and self.parted is not None:
            folds, steps = min(self.repeats, FOLDS), self.at_most(updates)
            on_step = self.training(folds * steps)
            self.judgements[judge] = judged(
                self.parted, judge, folds=folds, steps=steps, seed=self.seed, device=self.device, on_step=on_step
            )
        return self.judgements.get(judge)

    @cached_property
    def by_class(self) -> dict[str, tuple[Floats, Floats]]:
        """By the name of each class that is there, the values of held-out and of other windows (n, time, channels)."""
        return {
            name: (self.held.values[self.held.labels == code], self.other.values[self.other.labels == code])
            for code, name in enumerate(self.held.classes)
            if (self.held.labels == code).any()
        }

    @cached_property
    def nearest(self) -> dict[str, tuple[Floats, Floats]]:
        """By class, the other windows, and in the place of each the held-out one that is nearest to it."""
        return {name: (b, a[nearest(b, a)]) for name, (a, b) in self.by_class.items()}

    @cached_property
    def features(self) -> tuple[Floats, Floats]:
        """(n, d) each, the network's features of held-out and of other windows."""
        return self.network.features(self.held.values), self.network.features(self.other.values)

    @cached_property
    def features_by_class(self) -> dict[str, tuple[Floats, Floats]]:
        """The same by the name of each class that is there."""
        codes = {name: self.held.code(name) for name in self.by_class}
        a, b = self.features
        return {name: (a[self.held.labels == code], b[self.other.labels == code]) for name, code in codes.items()}

    @cached_property
    def bandwidth(self) -> float:
        """The median distance between the features of two held-out windows."""
        return median_distance(self.features[0])

    @cached_property
    def delineated(self) -> dict[str, tuple[dict[str, NDArray[np.float64]], ...]]:
        """By class, what ``delineate`` reads off held-out and other beats; empty for what is no ECG about a beat."""
        if self.held.event_index is None or self.held.units != "mV":
            return {}
        read = partial(delineate, fs_hz=self.held.fs_hz, event_index=self.held.event_index)
        return {name: (read(a), read(b)) for name, (a, b) in self.by_class.items()}

    @cached_property
    def columns(self) -> int:
        """How many channels, the first, are columns of a series and no statics."""
        return moving(self.held)

    @cached_property
    def scaled(self) -> list[Floats]:
        """Held-out and other windows in standard deviations of each channel of the windows learnt from."""
        return in_spreads(self.learnt.values, self.held.values, self.other.values)

    @cached_property
    def points(self) -> list[Floats]:
        """(k, time * channels) each, those of ``scaled`` that are picked."""
        picked = np.arange(len(self.held)) if self.picked is None else self.picked
        return [values[picked].reshape(len(picked), -1) for values in self.scaled]


def trained(
    values: Floats,
    labels: NDArray[np.int64],
    classes: int,
    config: ClassifierConfig,
    seed: int,
    device: torch.device | None,
    on_step: Step,
) -> nn.Module:
    """A fresh classifier of windows (n, time, channels), trained."""
    build = partial(BeatClassifier, values.shape[2], classes, config.width)
    return train_classifier(build, values, labels, config, seed, device=device, on_step=on_step)


def moving(windows: Windows) -> int:
    """How many channels, the first, are columns of the series and no statics."""
    channels: int = windows.values.shape[2]
    return channels - (len(windows.series.statics) if windows.series else 0)


# ---- what can be compared


def check_kinds(real: Windows, synthetic: Windows) -> None:
    """Raise DataError unless both have the same shape, rate, units and classes."""
    kinds = [
        (*windows.values.shape[1:], windows.fs_hz, windows.units, windows.classes) for windows in (real, synthetic)
    ]
    if kinds[0] != kinds[1]:
        raise DataError(
            "windows of one kind can be compared (samples, channels, rate, units, classes); "
            f"the real ones are {kinds[0]}, the synthetic ones {kinds[1]}"
        )


def as_many_of_each(sets: Sequence[Windows], rng: np.random.Generator, most: int | None = None) -> list[Windows]:
    """As many windows of each class from each set, drawn at random and sorted by class.

    Parameters
    ----------
    sets
        Windows of the same classes.
    rng
        Draws them.
    most
        Of a class; all that the fewest have, unless given.

    Raises
    ------
    DataError
        Where no class is in all sets.

    """
    counts = [min(of_one) for of_one in zip(*(windows.counts().values() for windows in sets), strict=True)]
    if not any(counts):
        raise DataError("no class has held-out, synthetic and training windows; draw synthetic ones of each class")
    counts = counts if most is None else [min(most, count) for count in counts]
    return [windows.of_each_class(counts, rng) for windows in sets]
