"""The contract between an exported file and those who sample it.

The manifest is JSON in the file's metadata under KEY. It says what the inputs and outputs are, what the
generator learnt from, how, and what was measured, so that one file is all that has to be handed over.
"""

import json
from dataclasses import dataclass, fields
from typing import Any, Self

from ecgsynth.core.disclosure import LARGEST_SHARE, PERSONS, published_metrics, published_training
from ecgsynth.core.levels import Level, earned
from ecgsynth.core.records import from_json, keys_of, to_json
from ecgsynth.errors import ArtifactError
from ecgsynth.windows.info import ClassInfo, DataInfo

__all__ = ["CONTRACT", "KEY", "Manifest", "TableColumn", "TableManifest", "read_manifest", "structure_of_rows"]

KEY = "ecgsynth.manifest"
CONTRACT = 1
# What of a DataInfo stands at the top of the JSON.
INTERNAL = Level("internal", ("what it gives away was not measured",))
MADE = ("kind", "time", "fs_hz", "units", "channel_names", "event_index", "classes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an exported generator of windows says of itself."""

    noise_dim: int
    data: DataInfo  # what it makes, and what it was trained on; in its published form
    training: dict[str, Any]  # how: model, settings, versions
    metrics: dict[str, Any]  # what was measured
    person_dim: int = 0  # of a generator of people: uniform numbers that one person is made from
    release: Level = INTERNAL  # what the file has earned; one of a version before there were levels has earned nothing
    synthetic: bool = True
    contract: int = CONTRACT

    @classmethod
    def of(
        cls, noise_dim: int, data: DataInfo, training: dict[str, Any], metrics: dict[str, Any], person_dim: int = 0
    ) -> Self:
        """The manifest of a generator, from all that a run knows: what may be published of it, and how freely."""
        measured = published_metrics(metrics)
        return cls(
            release=earned(structure_of(training.get("sizes", {})), metrics.get("audit")),
            noise_dim=noise_dim,
            person_dim=person_dim,
            data=data.published(),
            training=published_training(training),
            metrics=measured,
        )

    def to_text(self) -> str:
        """The manifest as JSON: what is made stands beside ``data``, what it was learnt from within it."""
        data = self.data.to_json()
        content = {name: data.pop(name) for name in MADE}
        others = {name: getattr(self, name) for name in ("noise_dim", "training", "metrics", "synthetic", "contract")}
        if self.person_dim:
            others["person_dim"] = self.person_dim
        others["release"] = to_json(self.release)
        return json.dumps({**content, **others, "data": data}, allow_nan=False, sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None, where: str) -> Self:
        """The manifest in a file's metadata.

        Raises
        ------
        ArtifactError
            If there is none, it cannot be read, or its contract is newer than this version's.

        """
        content = content_of(text, where)
        try:
            content = {"person_dim": 0, "release": to_json(INTERNAL), **content}
            known = {field.name: content[field.name] for field in fields(cls)}
            made = {name: content[name] for name in MADE}
            known["release"] = from_json(Level, known["release"], lenient=True)
            return cls(**{**known, "data": DataInfo.from_json({**known["data"], **made})})
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{where} has an incomplete manifest ({error}); export it again") from error

    @property
    def kind(self) -> str:
        """What is made: "beats", "series", or "windows" of any other signal."""
        return self.data.kind

    @property
    def time(self) -> int:
        """Samples a window."""
        return self.data.time

    @property
    def fs_hz(self) -> float:
        """Samples a second."""
        return self.data.fs_hz

    @property
    def units(self) -> str:
        """Of the values."""
        return self.data.units

    @property
    def channel_names(self) -> tuple[str, ...]:
        """The channels, in order."""
        return self.data.channel_names

    @property
    def event_index(self) -> int | None:
        """The sample of a beat's R peak."""
        return self.data.event_index

    @property
    def classes(self) -> tuple[ClassInfo, ...]:
        """The classes, in the order of the label codes."""
        return self.data.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """Their names."""
        return self.data.class_names


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """What a manifest says of one column of a table, and nothing of it is one person's own.

    Attributes
    ----------
    name, kind, dtype
        As in the table's schema; see ecgsynth.export.kinds for the kinds.
    output
        The graph's output with its values; None for an identifier, which is made from the row's number.
    asked
        The graph's input by which rows are asked for: an index into ``categories``, -1 where nothing is asked.
    missing
        Whether values may be missing.
    minimum, maximum, decimals
        Of numbers and times: the bounds of what is made, and the digits behind the point.
    unit, format, first_year
        Of times: "D" or "s" since 1970, the format of their texts, the first of the hundred years that a year of two
        digits may be. An identifier has a format too, see ecgsynth.core.identifiers.
    categories
        By their index.
    pandas
        The dtype that pandas held the column in, see ecgsynth.core.dtypes; None for what it reads from CSV.
    order
        Of an ordered categorical, the indices of its categories from the lowest to the highest.

    """

    name: str
    kind: str
    dtype: str
    output: str | None = None
    asked: str | None = None
    missing: bool = False
    minimum: float | None = None
    maximum: float | None = None
    decimals: int | None = None
    unit: str | None = None
    format: str | None = None
    first_year: int | None = None
    categories: tuple[str | float | int | bool, ...] = ()
    pandas: str | None = None
    order: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The column as plain values, without what it does not have."""
        content = to_json(self)
        had = {name for name, value in content.items() if not (value is None or value is False or value == [])}
        had |= {name for name, other in BESIDE.items() if other in had}
        return {name: value for name, value in content.items() if name in had}


# Keys that a column has, whether there is a value or not, where it has another one.
BESIDE = {"missing": "output", "asked": "categories", "decimals": "minimum", "format": "unit"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TableManifest:
    """What an exported generator of table rows says of itself; ``columns`` are in the table's order."""

    noise_dim: int
    columns: tuple[TableColumn, ...]
    data: dict[str, Any]  # what it was trained on: source, rows, split, hash
    training: dict[str, Any]  # how: model, settings, seed, versions
    metrics: dict[str, Any]  # what was measured
    release: Level = INTERNAL  # what the file has earned
    kind: str = "table"
    synthetic: bool = True
    contract: int = CONTRACT

    def to_text(self) -> str:
        """The manifest as JSON."""
        content = {name: getattr(self, name) for name in keys_of(type(self))} | {"release": to_json(self.release)}
        columns = [column.to_json() for column in self.columns]
        return json.dumps(content | {"columns": columns}, allow_nan=False, sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None, where: str) -> Self:
        """The manifest in a file's metadata; ArtifactError as for Manifest."""
        content = content_of(text, where)
        try:
            content = {"release": to_json(INTERNAL), **content}
            known = {name: content[name] for name in keys_of(cls)}
            known["release"] = from_json(Level, known["release"], lenient=True)
            known["columns"] = tuple(from_json(TableColumn, column, lenient=True) for column in known["columns"])
            return cls(**known)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{where} has an incomplete manifest ({error}); export it again") from error


def read_manifest(text: str | None, where: str) -> Manifest | TableManifest:
    """The manifest of a generator of windows or of rows; ArtifactError where there is none that this version reads."""
    return (TableManifest if content_of(text, where).get("kind") == "table" else Manifest).from_text(text, where)


def structure_of(sizes: dict[str, Any]) -> dict[str, Any] | None:
    """Who stands behind the numbers in a file, as far as its model knows (see core.levels.earned)."""
    names = ["people_behind", "largest_share"]
    return {name: sizes[name] for name in names} if all(name in sizes for name in names) else None


def structure_of_rows(*, persons: bool) -> dict[str, Any]:
    """Who stands behind the numbers in a file that makes rows: core.disclosure sees to it, where a row is a person, and
    where ``persons`` have several.
    """
    share = LARGEST_SHARE if persons else 1 / PERSONS
    return {"people_behind": PERSONS, "largest_share": share, "rows_are_persons": not persons}


def content_of(text: str | None, where: str) -> dict[str, Any]:
    """A manifest's content, of a contract that this version knows.

    A file of the same contract may say more than this version asks: that is no reason to refuse it.
    """
    if text is None:
        raise ArtifactError(f"{where} has no ecgsynth manifest; expected a file made by 'ecgsynth export'")
    try:
        content: dict[str, Any] = json.loads(text)
        contract = int(content["contract"])
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{where} has a manifest that cannot be read ({error}); export it again") from error
    if contract > CONTRACT:
        raise ArtifactError(
            f"{where} follows contract {contract} and this version knows up to {CONTRACT}; upgrade ecgsynth"
        )
    return content
