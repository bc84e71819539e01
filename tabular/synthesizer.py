"""The generator of table rows as its users hold it: fit, sample, save, load, export."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from ecgsynth.core.disclosure import published_data, published_metrics, published_training
from ecgsynth.core.levels import earned
from ecgsynth.core.noise import row_noise
from ecgsynth.errors import ConfigError
from ecgsynth.export.manifest import TableManifest, structure_of_rows
from ecgsynth.export.table_sampler import Rows, as_frame, asked_codes, check_rows, restore

from .encoding.encoding import Encoding
from .models import registry
from .models.row_sampler import RowSampler, table_columns
from .schema.schema import Schema
from .training.info import About
from .training.table_model import TableModel

__all__ = ["TableSynthesizer"]

ROWS_AT_ONCE = 4096  # that are drawn
MEASURED = ("quality", "utility", "detection", "privacy", "audit")  # what a file publishes of a report


class TableSynthesizer(TableModel):
    """A generator of rows, its encoding, and what is known of its training."""

    makes = registry.ROWS

    def __init__(self, schema: Schema, sampler: RowSampler, about: About) -> None:
        self.schema, self.about = schema, about
        self.sampler = sampler.eval()

    @classmethod
    def of(cls, schema: Schema, space: Any, generator: Any, about: About) -> Self:
        """The generator of these parts."""
        return cls(schema, RowSampler(generator, space), about)

    @property
    def space(self) -> Encoding:
        """The codes of every column."""
        return self.sampler.encoding

    @property
    def generator(self) -> nn.Module:
        """The network that makes codes and positions."""
        return self.sampler.generator

    def sample(self, n: int, where: Mapping[str, Any] | None = None, seed: int = 0) -> Any:
        """Synthetic rows, those of the exported file except for the last bit.

        Parameters
        ----------
        n
            How many.
        where
            For some columns the category that every row is to have, such as {"class": ">50K"}.
        seed
            Row i of a seed is always the same.

        Returns
        -------
        pandas.DataFrame
            With the columns and dtypes of the table learnt from, see export.frames.

        Raises
        ------
        ConfigError
            For n below 1 or above the number of identifiers that there are, a column that rows cannot be asked for by,
            or a category that was never seen.

        """
        return as_frame(self.rows(n, where, seed), self.manifest().columns)

    def rows(self, n: int, where: Mapping[str, Any] | None = None, seed: int = 0) -> Rows:
        """The same rows as arrays; parameters and errors are those of ``sample``.

        Returns
        -------
        Each column (n,) by its name, as TableSampler.rows gives them.

        """
        columns = self.manifest().columns
        check_rows(columns, n)
        codes = asked_codes(columns, where or {}).values()
        names = [column.name for column in columns if column.output]
        pieces = []
        with torch.inference_mode():
            for start in range(0, n, ROWS_AT_ONCE):
                rows = range(start, min(start + ROWS_AT_ONCE, n))
                uniform = torch.from_numpy(row_noise(seed, rows, self.sampler.noise_dim).uniform)
                made = self.sampler(uniform, *(torch.full((len(rows),), code, dtype=torch.int64) for code in codes))
                values = {name: column.numpy() for name, column in zip(names, made, strict=True)}
                pieces.append(restore(columns, values, rows, seed))
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    def manifest(self) -> TableManifest:
        """What an exported file says of itself: no identifier, no category and no bound that is one person's own."""
        measured = published_metrics(self.about.metrics)
        structure = structure_of_rows(persons=self.about.data.person is not None)
        return TableManifest(
            noise_dim=self.sampler.noise_dim,
            release=earned(structure, self.about.metrics.get("audit")),
            columns=table_columns(self.schema, self.sampler),
            data=published_data(self.about.data.to_json()),
            training={**published_training(self.about.training.to_json()), "sizes": self.generator.config.to_json()},  # type: ignore[union-attr,operator]
            metrics=measured,
        )

    def export(self, path: Path | str, *, force: bool = False) -> None:
        """Write one self-contained ONNX file, checked against torch.

        Parameters
        ----------
        path
            The .onnx file.
        force
            Replace a file that is there.

        Raises
        ------
        ArtifactError
            If the path is taken, or the graph differs from torch; nothing is written then.

        """
        from ecgsynth.export.table_to_onnx import export_table

        export_table(self.sampler, self.manifest(), Path(path), force=force)

    def tell_measured(self, measured: dict[str, Any]) -> None:
        """Add what ``evaluate`` measured to what is known of the generator, and so to the manifest of its file.

        Parameters
        ----------
        measured
            A report's metrics.json.

        Raises
        ------
        ConfigError
            If the generator was measured against another table than it was trained on.

        """
        if not measured.get("same_table"):
            raise ConfigError(
                "the report does not say that the generator learnt from the table it is compared with; evaluate it on "
                "that table with --run, its run folder"
            )
        found = {name: measured[name] for name in MEASURED if name in measured}
        if "utility" in found and not self.publishes(found["utility"]["target"], found["utility"].get("positive")):
            found["utility"] = {**found["utility"], "positive": None}
        self.about = dataclasses.replace(self.about, metrics={**self.about.metrics, **found})

    def publishes(self, name: str, category: Any) -> bool:
        """Whether a category stands in the manifest: one that too few rows have does not."""
        published = [column.categories for column in self.manifest().columns if column.name == name]
        return any(category in {str(value) for value in categories} for categories in published)
