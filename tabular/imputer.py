"""The imputer of tables as its users hold it: fit, load, impute."""

import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

import torch

import ecgsynth
from ecgsynth.core.files import check_free, write_json
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.export.cards import card_of
from ecgsynth.training.devices import pick_device
from ecgsynth.training.loop import Progress, announce
from ecgsynth.training.run_folder import RunFolder

from .models.gain import GainConfig, GainGenerator
from .models.gain_space import GainSpace
from .schema.schema import Schema
from .synthesizer import prepared
from .training.fit_gain import filled, fit_gain, found_again
from .training.plan import IMPUTER, training_of

__all__ = ["Imputer"]


class Imputer:
    """A trained GAIN, the schema of its table, and the scales of its columns."""

    def __init__(self, schema: Schema, space: GainSpace, generator: GainGenerator, about: dict[str, Any]) -> None:
        self.schema, self.space, self.generator = schema, space, generator.eval()
        self.about = about  # {"data": ..., "training": ..., "metrics": ...}, all plain JSON

    def __repr__(self) -> str:
        return card_of(self).line()

    def _repr_html_(self) -> str:
        return card_of(self, drawn=True).html()

    @classmethod
    def fit(
        cls,
        frame: Any,
        run: Path | str,
        *,
        schema: Schema | None = None,
        model: str = IMPUTER,
        epochs: int | None = None,
        budget_s: float | None = None,
        seed: int = 0,
        networks: dict[str, Any] | None = None,
        training: dict[str, Any] | None = None,
        label: str | None = None,
        person: str | None = None,
        source: str | None = None,
        private: dict[str, Any] | None = None,
        device: str = "auto",
        resume: bool = False,
        force: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
        began: float | None = None,
    ) -> Self:
        """Learn from the rows of a pandas data frame, with holes or without, to fill the holes of such rows.

        Everything is as for TableSynthesizer.fit, networks being settings of GainConfig; there is no label.
        """
        if label is not None:
            raise ConfigError("gain fills holes of any column, and is told no label; leave it out")
        began = time.monotonic() if began is None else began
        folder = RunFolder(Path(run))
        if not resume:
            check_free(folder.path, force=force)
        announce(on_progress, "finding the scales", began)
        schema, arrays, _, learn, check = prepared(frame, schema, seed, person)
        config_of_training = training_of(model, training or {}, len(learn), epochs=epochs, budget_s=budget_s, seed=seed)
        space = GainSpace.fit(schema, {name: values[learn] for name, values in arrays.items()})
        unknown = set(networks or {}) - {field.name for field in fields(GainConfig)}
        if unknown:
            raise ConfigError(f"gain has no {', '.join(sorted(unknown))}; leave it out")
        config = space.config(**(networks or {}))
        versions = {"ecgsynth": ecgsynth.__version__, "torch": torch.__version__.split("+")[0]}
        data = {
            "kind": "table",
            "source": {"name": source or "unnamed"},
            "rows": len(frame),
            "space": space.to_json(),
            "private": private or {},
        }
        told = {"model": IMPUTER, "config": config_of_training.to_json(), "versions": versions}
        folder.begin({"config": config.to_json(), "data": data, "training": told}, resume=resume, force=force)
        schema.save(folder.path / "schema.json", force=True)
        rows, known = (torch.from_numpy(part).to(pick_device(device)) for part in space.encode(arrays))
        reached = fit_gain(
            config,
            config_of_training,
            rows[learn],
            known[learn],
            score=found_again(config, rows[check], known[check], seed),
            run=folder,
            on_progress=on_progress,
            began=began,
        )
        write_json(folder.metrics, reached)
        return cls.load(folder.path)

    @classmethod
    def load(cls, run: Path | str) -> Self:
        """The best imputer of a run folder, finished or not; ArtifactError for a run of another model."""
        folder = RunFolder(Path(run))
        content = folder.read_config()
        model = content.get("training", {}).get("model")
        if model != IMPUTER:
            raise ArtifactError(f"{folder.path} is a run of the model {model!r}; only one of {IMPUTER!r} fills holes")
        try:
            space = GainSpace.from_json(content["data"]["space"])
            generator = GainGenerator(GainConfig.from_json(content["config"]))
            data, training = content["data"], content["training"]
        except (KeyError, TypeError) as error:
            raise ArtifactError(f"{folder.config} is incomplete ({error}); train again") from error
        reached = folder.load_best(generator)
        schema = Schema.load(folder.path / "schema.json")
        return cls(schema, space, generator, {"data": data, "training": training, "metrics": reached})

    def impute(self, frame: Any, seed: int = 0) -> Any:
        """The rows of a data frame with their holes filled; what is there, and every other column, stays as it is.

        A value that the schema does not allow is left alone, and counts as a hole for what is filled beside it.
        Raises DataError for a table that lacks a column.
        """
        arrays = self.schema.arrays(frame, strict=False)
        rows, known = (torch.from_numpy(part) for part in self.space.encode(arrays))
        whole = self.schema.frame(self.space.completed(arrays, filled(self.generator, rows, known, seed).numpy()))
        made = frame.copy()
        names = {str(name): name for name in frame.columns}
        for name in whole.columns:
            column = made[names[name]]
            holes = column.isna().to_numpy()
            if holes.any():
                values = whole[name].set_axis(made.index)
                made[names[name]] = (
                    values if holes.all() else column.astype(object).where(~holes, values).infer_objects()
                )
        return made
