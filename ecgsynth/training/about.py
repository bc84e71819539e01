"""What is known of a generator: its data, its training, and what was measured. A run folder keeps it as JSON."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import torch

import ecgsynth
from ecgsynth.core.config import TrainConfig
from ecgsynth.core.disclosure import coarse, shared_codes
from ecgsynth.core.records import from_json, to_json
from ecgsynth.models.columns.columns import Columns
from ecgsynth.models.decoder import Limits
from ecgsynth.models.people.population import windows_by_person
from ecgsynth.windows.beats import AAMI_MEANINGS
from ecgsynth.windows.info import ClassInfo, DataInfo, PrivateInfo, Source
from ecgsynth.windows.windows import Windows

__all__ = ["About", "TrainingInfo", "describe", "limits", "with_rules"]


def versions() -> dict[str, str]:
    """Of what trains, by package."""
    return {"ecgsynth": ecgsynth.__version__, "torch": torch.__version__.split("+")[0]}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingInfo:
    """How a generator was trained: the model's name, the settings of the training, and the versions of packages."""

    model: str
    config: TrainConfig
    versions: dict[str, str] = field(default_factory=versions)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """All that is known of a generator.

    metrics: what the training reached (see training.job.Outcome), or ``unfinished`` and how far it has come; and what
        ``evaluate`` measured, once that was added
    """

    data: DataInfo
    training: TrainingInfo
    metrics: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The parts of config.json and metrics.json as plain values."""
        return {"data": self.data.to_json(), "training": to_json(self.training), "metrics": self.metrics}

    @classmethod
    def from_json(cls, content: dict[str, Any], metrics: dict[str, Any]) -> Self:
        """From config.json and metrics.json, also of a later version; KeyError or ConfigError for anything else."""
        training = from_json(TrainingInfo, content["training"], lenient=True)
        return cls(data=DataInfo.from_json(content["data"]), training=training, metrics=metrics)

    def with_metrics(self, more: dict[str, Any]) -> Self:
        """The same, and more of what was measured."""
        return replace(self, metrics={**self.metrics, **more})


def describe(
    windows: Windows,
    learn: Windows,
    source: str | None,
    digest: dict[str, str],
    *,
    by_person: bool = False,
    left_out: tuple[str, ...] = (),
) -> DataInfo:
    """What a run knows of its data: what a file may say of it, and private things.

    Parameters
    ----------
    windows
        All of them.
    learn
        Their training part.
    source
        What a file is to say of where they are from; by default the windows' own source, but for a user's series.
    digest
        Of the training part (see RunFolder.digest).
    by_person
        Whether the shares of classes are the mean over persons, every one of whom weighs the same.
    left_out
        The classes that too few people have.

    """
    named = Source(name=source or "unnamed") if windows.is_series or source else windows.source
    return DataInfo(
        kind=windows.meta.get("kind", "windows"),
        fs_hz=windows.fs_hz,
        units=windows.units,
        time=windows.values.shape[1],
        channel_names=windows.channel_names,
        event_index=windows.event_index,
        classes=described_classes(learn, by_person=by_person),
        source=named,
        split=windows.meta.get("split"),
        band_hz=windows.meta.get("band_hz"),
        training_windows=len(learn),
        training_patients=None if learn.groups is None else len(np.unique(learn.groups)),
        series=windows.series,
        private=PrivateInfo(
            source=windows.source, split_seed=windows.meta.get("split_seed"), digest=digest, left_out=left_out
        ),
    )


def with_rules(data: DataInfo, columns: Columns | None) -> DataInfo:
    """What a run knows of a series, with the rules that were found between its columns."""
    if data.series is None or columns is None or columns.rules is None:
        return data
    names, rules = [column.name for column in data.series.channels], columns.rules
    same = [pair for copy, original in rules.copies for pair in ((copy, original), (original, copy))]
    known = tuple((names[low], names[high]) for low, high in (*rules.pairs, *same))
    return replace(data, series=replace(data.series, rules=known))


def described_classes(learn: Windows, *, by_person: bool = False) -> tuple[ClassInfo, ...]:
    """Each class with its share of the training windows, or the mean of persons' shares; where one may not be
    published, all have one digit, and the largest class has the rest.
    """
    shares = learn.shares()
    owners = learn.owners
    if by_person and owners is not None:
        table = windows_by_person(learn.labels, owners, len(learn.classes))
        shares = np.mean(table / table.sum(axis=1, keepdims=True), axis=0)
    elif not shared_codes(learn.labels, owners, len(learn.classes)).all():
        largest = int(shares.argmax())
        shares = np.array([coarse(float(share), 1) for share in shares])
        shares[largest] = 0
        shares[largest] = max(1 - shares.sum(), 0.1)
    return tuple(
        ClassInfo(name=name, meaning=AAMI_MEANINGS.get(name, name), share=round(float(share), 6))
        for name, share in zip(learn.classes, shares, strict=True)
    )


def limits(data: DataInfo) -> Limits | None:
    """What the values of each channel of a series are multiples of (0: of nothing), and from where to where they go."""
    if data.series is None:
        return None
    columns = data.series.channels
    return Limits(
        steps=np.asarray([column.quantum or 0.0 for column in columns], dtype=np.float32),
        lows=np.asarray([bound(column.lowest, -np.inf) for column in columns], dtype=np.float32),
        highs=np.asarray([bound(column.highest, np.inf) for column in columns], dtype=np.float32),
    )


def bound(published: float | None, otherwise: float) -> float:
    """A bound of what is made, where there were persons enough to publish one."""
    return otherwise if published is None else published
