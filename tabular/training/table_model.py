"""The one frame in which every model of a table is trained, kept in a run folder and loaded, whatever it makes."""

import contextlib
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import nn

import ecgsynth
from ecgsynth.core.config import TrainConfig
from ecgsynth.core.files import check_free, write_json
from ecgsynth.core.records import to_json
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.export.cards import card_of
from ecgsynth.training.devices import pick_device
from ecgsynth.training.job import Job, OnProgress, announce
from ecgsynth.training.loop import fit
from ecgsynth.training.run_folder import RunFolder

from ..encoding.canonical import fingerprint
from ..models.model import Model
from ..models.registry import DOES, LINES, entry, names
from ..schema.schema import Schema
from .info import About, TableInfo, TablePrivate, TrainingInfo
from .rows import CHECK_SHARE, prepared
from .settings import seed_of, training_of

__all__ = ["TableModel"]

SCHEMA = "schema.json"


class TableModel(ABC):
    """A trained model of a table: its schema, the form in which it learnt rows, and what is known of its training."""

    makes: ClassVar[str]  # see models.registry
    schema: Schema
    about: About

    def __repr__(self) -> str:
        return card_of(self).line()

    def _repr_html_(self) -> str:
        return card_of(self, drawn=True).html()

    @classmethod
    @abstractmethod
    def of(cls, schema: Schema, space: Any, generator: Any, about: About) -> Self:
        """The model of these parts."""

    @property
    @abstractmethod
    def space(self) -> Any:
        """The form in which it learnt rows."""

    @property
    @abstractmethod
    def generator(self) -> nn.Module:
        """The trained network."""

    @classmethod
    def fit(
        cls,
        frame: Any,
        run: Path | str | None = None,
        *,
        schema: Schema | None = None,
        model: str | None = None,
        training: TrainConfig | dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        epochs: int | None = None,
        budget_s: float | None = None,
        seed: int = 0,
        label: str | None = None,
        person: str | None = None,
        source: str | None = None,
        private: dict[str, Any] | None = None,
        device: str = "auto",
        resume: bool = False,
        force: bool = False,
        on_progress: OnProgress | None = None,
        began: float | None = None,
    ) -> Self:
        """Train on nine tenths of a table's rows, and choose the best step on the others.

        Parameters
        ----------
        frame
            A pandas data frame.
        run
            The run folder to keep everything in; without one, nothing is kept but what is returned.
        schema
            Of the columns; what it leaves open, or all of it, is inferred.
        model
            A name of models.registry that makes what this class makes; by default the first of them.
        training
            A TrainConfig, or some settings of one that differ from the model's own.
        config
            Settings of the networks that differ from the model's own.
        epochs, budget_s
            How long to train: passes over the rows, or seconds; by default as suits the model.
        seed
            Of the training, and of which rows are kept apart.
        label
            The column that is the condition of a conditional GAN; without it the last categorical one.
        person
            The column that names the person of each row; without it every row is a person. It is made anew, no person
            is in both parts, and persons are counted, not rows, wherever something is published.
        source
            What an exported file says of where the rows are from.
        private
            What only the run folder has: ``file`` and ``where``, see TablePrivate.
        device
            "auto", "cpu", "cuda" or "mps".
        resume
            Go on with a run that was stopped; its settings must be the same.
        force
            Replace a run folder that is there.
        on_progress
            Called after every step.
        began
            When the whole work began, by time.monotonic; a budget counts from there.

        Raises
        ------
        DataError
            For rows that cannot be learnt from.
        ConfigError
            For invalid settings, or settings that differ from those of the run.
        ArtifactError
            For a folder in the way.
        TrainingDivergedError
            On a loss that ran away.

        """
        began = time.monotonic() if began is None else began
        chosen = entry(names(cls.makes)[0] if model is None else model, cls.makes)
        settings = chosen.chosen(config or {}, label)
        seed = seed_of(training, seed)
        with folder_of(run, resume=resume) as folder:
            if not resume:
                check_free(folder.path, force=force)
            announce(on_progress, chosen.space.phase, began)
            table = prepared(frame, schema, seed, person)
            rng = np.random.default_rng(seed)
            space = chosen.space.fit(table.schema, table.learnt, table.learnt_owners, rng)
            networks = chosen.configure(space, settings, label)
            how = training_of(
                chosen,
                training,
                len(table.learn),
                pack=chosen.pack(networks),
                epochs=epochs,
                budget_s=budget_s,
                seed=seed,
            )
            where = pick_device(device)
            digest = folder.digest(fingerprint(frame, table.schema), resume=resume)
            info = TableInfo(
                source={"name": source or "unnamed"},
                rows=len(frame),
                training_rows=len(table.learn),
                validation_share=CHECK_SHARE,
                person=person,
                space=chosen.space.to_json(space),
                private=TablePrivate(
                    **of_user(private),
                    split_seed=seed,
                    unpublished=chosen.space.rare(table.schema, space),
                    digest=digest,
                ),
            )
            about = About(data=info, training=trained_by(chosen, label, how))
            folder.begin(contents(networks.to_json(), about), resume=resume, force=force)  # the first to write
            table.schema.save(folder.path / SCHEMA, force=True)
            chosen.space.save(space, folder.path)
            first, second = chosen.space.encode(space, table.learnt, rng)
            rows = first.to(where), second.to(where)
            job = Job(
                config=how,
                run=folder,
                score=chosen.score(networks, space, table.checked, where, seed),
                device=where,
                on_progress=on_progress,
                began=began,
            )
            reached = fit(lambda chance: chosen.build(networks, how, space, rows, chance), job)
            write_json(folder.metrics, to_json(reached))
            return cls.load(folder.path)

    @classmethod
    def load(cls, run: Path | str) -> Self:
        """The best model of a run folder, finished or not; ArtifactError for one that makes something else."""
        folder = RunFolder(Path(run))
        content = folder.read_config()
        try:
            data, training = TableInfo.from_json(content["data"]), TrainingInfo.from_json(content["training"])
            config = content["config"]
        except (AttributeError, ConfigError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{folder.config} is incomplete ({error}); train again") from error
        chosen = entry(known_model(folder, training.model, cls.makes))
        schema = Schema.load(folder.path / SCHEMA)
        space = chosen.space.load(folder.path, data.space)
        generator = chosen.empty(config, space)
        reached = folder.load_best(generator)
        return cls.of(schema, space, generator, About(data=data, training=training, metrics=reached))

    def save(self, run: Path | str, *, force: bool = False) -> None:
        """Write a run folder that ``load`` reads (without the history and the checkpoint of the training)."""
        folder = RunFolder(Path(run))
        check_free(folder.path, force=force)
        folder.clear()
        config: dict[str, Any] = self.generator.config.to_json()  # type: ignore[union-attr,operator]
        folder.write_config(contents(config, self.about))
        self.schema.save(folder.path / SCHEMA, force=True)
        entry(self.about.training.model).space.save(self.space, folder.path)
        weights = {f"generator.{key}": value for key, value in self.generator.state_dict().items()}
        folder.write_tensors(folder.weights, weights, {})
        write_json(folder.metrics, self.about.metrics)


@contextlib.contextmanager
def folder_of(run: Path | str | None, *, resume: bool) -> Iterator[RunFolder]:
    """The run folder that was named, or one that is gone afterwards."""
    if run is not None:
        yield RunFolder(Path(run))
        return
    if resume:
        raise ConfigError("there is no run to go on with; name its folder, or do not resume")
    with tempfile.TemporaryDirectory(prefix="ecgsynth-") as path:
        yield RunFolder(Path(path) / "run")


def of_user(private: dict[str, Any] | None) -> dict[str, Any]:
    """What the caller gave to be kept in the run folder only; ConfigError for what has no place there."""
    wrong = sorted(set(private or {}) - {"file", "where"})
    if wrong:
        raise ConfigError(f"the private facts of a run are file and where; leave out {', '.join(wrong)}")
    return private or {}


def trained_by(model: Model[Any, Any], label: str | None, how: TrainConfig) -> TrainingInfo:
    """The facts of a training."""
    versions = {"ecgsynth": ecgsynth.__version__, "torch": torch.__version__.split("+")[0]}
    return TrainingInfo(model=model.name, label=label, config=how.to_json(), versions=versions)


def contents(config: dict[str, Any], about: About) -> dict[str, Any]:
    """What config.json holds."""
    return {"config": config, "data": about.data.to_json(), "training": about.training.to_json()}


def known_model(folder: RunFolder, name: str, made: str) -> str:
    """The name of a run's model; ArtifactError for one that is not known, or that makes something else."""
    if name not in LINES:
        raise ArtifactError(f"{folder.path} holds a model {name!r}; expected one of {', '.join(names())}, train again")
    if LINES[name].makes != made:
        raise ArtifactError(
            f"{folder.path} is a run of {name}, which {DOES[LINES[name].makes]}; "
            f"only one of {', '.join(names(made))} {DOES[made]}"
        )
    return name
