"""The real rows that a generator of tables is measured against: those learnt from, those held out, those of a test."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgsynth.core.tables import read_table
from ecgsynth.errors import DataError
from ecgsynth.export.manifest import TableColumn
from ecgsynth.training.run_folder import RunFolder

from .encoding.canonical import fingerprint
from .metrics.likeness import FOLDS
from .schema.schema import Column, Schema
from .training.rows import asked_rows, owners_in, split_rows

__all__ = ["Real", "Sampler", "Split", "real_rows", "schema_of"]

Codes = NDArray[np.int64]
Split = Callable[[int, int, float, Codes | None], tuple[Codes, Codes]]


class Sampler(Protocol):
    """What a generator of tables offers: rows, and what it says of itself.

    Attributes
    ----------
    manifest
        Its columns (each an export.manifest.TableColumn), data (validation_share, person), training and metrics.

    """

    @property
    def manifest(self) -> Any: ...

    def sample(self, n: int, where: Any = None, seed: int = 0) -> Any: ...


@dataclass(frozen=True, slots=True)
class Real:
    """The real rows: all of them, those learnt from, those held out, and those of a test table if there is one."""

    whole: pd.DataFrame
    learn: pd.DataFrame
    unseen: pd.DataFrame
    test: pd.DataFrame | None
    same_table: bool | None  # that the generator was given, None where that is not known
    owners: tuple[Codes, Codes] | None  # the person of each row learnt from and of each held-out one, where known
    person: str | None  # the column of the table that names each row's person


def schema_of(columns: Sequence[TableColumn]) -> Schema:
    """The schema that a manifest's columns describe; its bounds and categories are those that were published."""
    both = {field.name for field in fields(Column)} & {field.name for field in fields(TableColumn)}
    return Schema(tuple(Column(**{name: getattr(column, name) for name in both}) for column in columns))


def real_rows(
    sampler: Sampler,
    schema: Schema,
    real: Path | str | pd.DataFrame,
    test: Path | str | pd.DataFrame | None,
    run: Path | str | None,
    seed: int,
    split: Split | None = None,
) -> Real:
    """The rows of the real table that the generator was given, split as they were when it learnt from them."""
    whole, data = table_of(real), sampler.manifest.data
    folder = None if run is None else RunFolder(Path(run))
    private = {} if folder is None else folder.private()
    if private.get("where"):
        whole = asked_rows(whole, private["where"]).reset_index(drop=True)
    person = data.get("person")
    owners = None if person is None else owners_in(whole, person)
    learn, check = (split or split_rows)(
        len(whole), int(private.get("split_seed", seed)), float(data["validation_share"]), owners
    )
    if min(len(learn), len(check)) < FOLDS:
        raise DataError(
            f"the table has {len(learn)} rows to learn from and {len(check)} held out; both need at least {FOLDS}"
        )
    return Real(
        whole=whole,
        learn=whole.iloc[learn].reset_index(drop=True),
        unseen=whole.iloc[check].reset_index(drop=True),
        test=None if test is None else table_of(test),
        same_table=None if folder is None else folder.learnt_from(fingerprint(whole, schema)),
        owners=None if owners is None else (owners[learn], owners[check]),
        person=person,
    )


def table_of(table: Path | str | pd.DataFrame) -> pd.DataFrame:
    """The data frame itself, or that of a file."""
    if isinstance(table, pd.DataFrame):
        return table.reset_index(drop=True)
    frame: pd.DataFrame = read_table(table)[0]
    return frame
