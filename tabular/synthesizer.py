"""The generator of table rows as its users hold it: fit, sample, save, load, export."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

import ecgsynth
from ecgsynth.core.disclosure import published_data, published_metrics, published_training
from ecgsynth.core.files import check_free, write_json
from ecgsynth.core.noise import row_noise
from ecgsynth.errors import ArtifactError, ConfigError, DataError, require
from ecgsynth.export.cards import card_of
from ecgsynth.export.manifest import TableManifest
from ecgsynth.export.table_sampler import Rows, check_rows, restore
from ecgsynth.training.devices import pick_device
from ecgsynth.training.loop import Progress, announce
from ecgsynth.training.run_folder import RunFolder

from .encoding.canonical import fingerprint
from .encoding.encoding import CategoryCodes, Encoding
from .models.row_sampler import RowSampler
from .schema.schema import Schema
from .training.plan import DEFAULT, IMPUTER, fit, generator_of, plan, score_of, training_of

__all__ = ["CHECK_SHARE", "TableSynthesizer", "asked_rows", "prepared", "split_rows"]

CHECK_SHARE = 0.1  # of the rows, kept apart to choose the best step by, and to measure privacy against
MIN_ROWS = 20  # below which there is nothing to learn and nothing to check


class TableSynthesizer:
    """A generator of rows, its encoding, and what is known of its training."""

    def __init__(self, schema: Schema, sampler: RowSampler, about: dict[str, Any]) -> None:
        self.schema = schema
        self.sampler = sampler.eval()
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
        model: str = DEFAULT,
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
        """Train on nine tenths of the rows of ``frame``, choose the best step on the others, keep it in ``run``.

        frame: a pandas data frame. schema: of its columns; inferred where there is none.
        model: a preset of tabular.models; networks, training: settings of them that differ from the preset's.
        It is trained for so many epochs or, where there is a budget, for so many seconds.
        label: the column that a conditional GAN is told; without it the last categorical one.
        person: the column that says whose a row is; without it every row is a person. It is made anew, no person is in
        both parts, and persons are counted, not rows, wherever something is published.
        source: what an exported file says of where the rows are from; private: what only the run folder does.
        With ``resume``, a run that was stopped goes on; its settings must be the same.
        Raises DataError for rows that cannot be learnt from, ConfigError for settings that cannot be or differ from
        those of the run, ArtifactError for a folder in the way, TrainingDivergedError on a loss that ran away.
        ``began``: when, by time.monotonic, the work began of which a budget is to hold the whole.
        """
        began = time.monotonic() if began is None else began
        folder = RunFolder(Path(run))
        if not resume:
            check_free(folder.path, force=force)
        announce(on_progress, "finding the codes", began)
        schema, arrays, owners, learn, check = prepared(frame, schema, seed, person)
        rng = np.random.default_rng(seed)
        whose = None if owners is None else owners[learn]
        planned = plan(model, schema, picked(arrays, learn), networks or {}, label, rng, whose)
        pack = getattr(planned.config, "pack", 1)
        config = training_of(model, training or {}, len(learn), epochs=epochs, budget_s=budget_s, seed=seed, pack=pack)
        about: dict[str, dict[str, Any]] = {
            "data": {
                "kind": "table",
                "source": {"name": source or "unnamed"},
                "rows": len(frame),
                "training_rows": len(learn),
                "validation_share": CHECK_SHARE,
                **({} if person is None else {"person": person}),
                "private": {
                    **(private or {}),
                    "split_seed": seed,
                    "untold": untold(schema, planned.encoding),
                    "digest": folder.digest(fingerprint(frame, schema), resume=resume),
                },
            },
            "training": {"model": model, "label": label, "config": config.to_json()},
        }
        chosen = pick_device(device)
        versions = {"ecgsynth": ecgsynth.__version__, "torch": torch.__version__.split("+")[0]}
        told = {**about["training"], "versions": versions}
        content = {"config": planned.config.to_json(), "data": about["data"], "training": told}
        folder.begin(content, resume=resume, force=force)  # the last to refuse, the first to write
        schema.save(folder.path / "schema.json", force=True)
        planned.encoding.save(folder.path / "encoding.json")
        codes, positions = planned.encoding.encode(picked(arrays, learn), rng, strict=False)
        reached = fit(
            planned,
            config,
            torch.from_numpy(codes.astype(np.int16)).to(chosen),
            torch.from_numpy(positions.astype(np.float32)).to(chosen),
            score=score_of(planned, picked(arrays, check), chosen),
            run=folder,
            on_progress=on_progress,
            began=began,
        )
        write_json(folder.metrics, reached)
        return cls.load(folder.path)

    @classmethod
    def load(cls, run: Path | str) -> Self:
        """The best generator of a run folder, finished or not."""
        folder = RunFolder(Path(run))
        content = folder.read_config()
        if content.get("training", {}).get("model") == IMPUTER:
            raise ArtifactError(
                f"{folder.path} is a run of gain, which fills holes and makes no rows; use it to impute"
            )
        schema = Schema.load(folder.path / "schema.json")
        encoding = Encoding.load(folder.path / "encoding.json")
        try:
            data, training = content["data"], content["training"]
            generator = generator_of(training["model"], content["config"], encoding)
        except (KeyError, TypeError) as error:
            raise ArtifactError(f"{folder.config} is incomplete ({error}); train again") from error
        reached = folder.load_best(generator)
        about = {"data": data, "training": training, "metrics": reached}
        return cls(schema, RowSampler(generator, encoding), about)

    def sample(self, n: int, seed: int = 0, batch: int = 4096) -> Rows:
        """``n`` synthetic rows, a column (n,) each; row for row those of the exported file, but for the last bit."""
        columns = self.manifest().columns
        check_rows(columns, n)
        pieces = []
        with torch.inference_mode():
            for start in range(0, n, batch):
                rows = range(start, min(start + batch, n))
                uniform = torch.from_numpy(row_noise(seed, rows, self.sampler.noise_dim).uniform)
                nothing = torch.full((len(rows),), -1, dtype=torch.int64)
                made = self.sampler(uniform, *(nothing for _ in self.sampler.answers))
                names = [column["name"] for column in columns if column.get("output")]
                values = {name: column.numpy() for name, column in zip(names, made, strict=True)}
                pieces.append(restore(columns, values, rows, seed))
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    def manifest(self) -> TableManifest:
        """What an exported file says of itself: no identifier, no category and no bound that is one person's own."""
        return TableManifest(
            noise_dim=self.sampler.noise_dim,
            columns=tuple(described(self.schema, self.sampler)),
            data=published_data(self.about["data"]),
            training={**published_training(self.about["training"]), "sizes": self.sampler.generator.config.to_json()},  # type: ignore[union-attr,operator]
            metrics=published_metrics(self.about["metrics"]),
        )

    def export(self, path: Path | str, *, force: bool = False) -> None:
        """Write one self-contained ONNX file, checked against torch; nothing is written if they differ."""
        from ecgsynth.export.table_to_onnx import export_table

        export_table(self.sampler, self.manifest(), Path(path), force=force)

    def tell_measured(self, measured: dict[str, Any]) -> None:
        """Add what ``evaluate`` measured to what is known of the generator, and so to the manifest of its file.

        Raises ConfigError if the generator was measured against another table than it was trained on.
        """
        if not measured.get("same_table"):
            raise ConfigError(
                "the report does not say that the generator learnt from the table it is compared with; evaluate it on "
                "that table with --run, its run folder"
            )
        kept = ("quality", "utility", "detection", "privacy")
        found = {name: measured[name] for name in kept if name in measured}
        if "utility" in found and not self.tells(found["utility"]["target"], found["utility"].get("positive")):
            found["utility"] = {**found["utility"], "positive": None}
        self.about["metrics"] = {**self.about["metrics"], **found}

    def tells(self, name: str, category: Any) -> bool:
        """Whether a category stands in the manifest: one that too few rows have does not."""
        told = [column.get("categories", ()) for column in self.manifest().columns if column["name"] == name]
        return any(category in {str(value) for value in categories} for categories in told)


def prepared(
    frame: Any, schema: Schema | None, seed: int, person: str | None = None
) -> tuple[Schema, Rows, NDArray[np.int64] | None, NDArray[np.int64], NDArray[np.int64]]:
    """The whole schema of a data frame, its columns as arrays, whose each row is where that is known, and which rows
    are learnt from and which kept apart.

    Raises DataError for too few rows or persons, or columns that cannot be learnt from.
    """
    if len(frame) < MIN_ROWS:
        raise DataError(f"expected a table of {MIN_ROWS} rows or more to learn from, got {len(frame)}")
    owners = None if person is None else owners_in(frame, person)
    schema = Schema.infer(frame, person=person) if schema is None else schema.completed(frame)
    if person is not None and person in schema.names and schema[person].kind != "identifier":
        raise ConfigError(
            f"the schema says that column {person!r} is {schema[person].kind}, but it says whose a row is; make it an "
            "identifier, or take it out of the schema"
        )
    arrays = schema.arrays(frame)
    return schema, arrays, owners, *split_rows(len(frame), seed, owners=owners)


def owners_in(frame: Any, person: str) -> NDArray[np.int64]:
    """(rows,) the person of each row as a number; ConfigError where there is no such column, DataError where the
    person of a row is missing, or there are too few to keep some apart.
    """
    pandas = require("pandas", "training on a table")
    if person not in frame.columns:
        raise ConfigError(f"there is no column {person!r} that says whose a row is; there are {', '.join(frame)}")
    missing = int(frame[person].isna().sum())
    if missing:
        raise DataError(f"column {person!r} says whose a row is, and is missing in {missing} rows; fill or drop them")
    owners = np.asarray(pandas.factorize(frame[person])[0], dtype=np.int64)
    if owners.max(initial=0) < 2:
        raise DataError(f"column {person!r} has fewer than three persons; some are needed to learn and one to check by")
    return owners


def split_rows(
    n: int, seed: int, share: float = CHECK_SHARE, owners: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows that are learnt from and those that are kept apart, at random by ``seed``, each in order.

    owners: (n,) the person of each row, none of whom is then in both
    """
    rng = np.random.default_rng(seed)
    if owners is None:
        order = rng.permutation(n)
        cut = max(1, round(share * n))
        return np.sort(order[cut:]), np.sort(order[:cut])
    people = rng.permutation(int(owners.max()) + 1)
    apart = np.isin(owners, people[: max(1, round(share * len(people)))])
    return np.flatnonzero(~apart), np.flatnonzero(apart)


def asked_rows(frame: Any, where: dict[str, str]) -> Any:
    """The rows of a data frame that have these values, given as text: 1 is 1.0 too.

    Raises ConfigError for a column that there is not, DataError for a value that no row has.
    """
    for name, value in where.items():
        if name not in frame.columns:
            raise ConfigError(f"there is no column {name!r} to choose rows by; there are {', '.join(frame.columns)}")
        column = frame[name]
        kept = column.astype("string").str.strip() == value.strip()
        try:
            kept |= column.astype("Float64") == float(value)
        except (TypeError, ValueError):  # one of them is no number
            pass
        frame = frame[kept.fillna(False).to_numpy(dtype=bool)]
        if not len(frame):
            raise DataError(f"no row has {name}={value}; look at its values with 'ecgsynth schema'")
    return frame


def picked(arrays: dict[str, Any], rows: NDArray[np.int64]) -> dict[str, Any]:
    return {name: values[rows] for name, values in arrays.items()}


def untold(schema: Schema, encoding: Encoding) -> dict[str, int]:
    """Of each column, how many categories fewer than ten rows have: they are taken as other ones."""
    sizes = {column.name: len(column.categories) for column in schema.columns}
    return {
        column.name: sizes[column.name] - len(column.categories)
        for column in encoding.columns
        if isinstance(column, CategoryCodes) and sizes[column.name] > len(column.categories)
    }


def described(schema: Schema, sampler: RowSampler) -> list[dict[str, Any]]:
    """The columns as a manifest has them."""
    places = {column.name: place for place, column in enumerate(sampler.encoding.columns)}
    entries = []
    for column in schema.columns:
        entry: dict[str, Any] = {"name": column.name, "kind": column.kind, "dtype": column.dtype}
        if column.kind in ("identifier", "datetime"):
            entry["format"] = column.format
        if column.kind == "datetime":
            entry["unit"] = column.unit
            if column.first_year is not None:
                entry["first_year"] = column.first_year
        if column.name in places:
            place = places[column.name]
            known = sampler.encoding.columns[place]
            entry |= {"output": f"column_{place}", "missing": known.gaps}
            if isinstance(known, CategoryCodes):
                entry["categories"] = list(known.categories)
                entry["asked"] = f"asked_{place}" if place in sampler.answers else None
            else:
                entry |= {"minimum": known.low, "maximum": known.high, "decimals": known.decimals}
        entries.append(entry)
    return entries
