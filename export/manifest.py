"""The contract between an exported file and whoever samples it.

The manifest is JSON in the file's metadata under KEY. It says what the inputs and outputs are, what the
generator learnt from, how, and what was measured, so that one file is all that has to be handed over.
"""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from ecgsynth.core.records import from_json, keys_of, to_json
from ecgsynth.errors import ArtifactError

__all__ = ["CONTRACT", "KEY", "ClassEntry", "Manifest", "TableColumn", "TableManifest", "read_manifest"]

KEY = "ecgsynth.manifest"
CONTRACT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassEntry:
    """One class: its name, what it means, and its share of the training windows."""

    name: str
    meaning: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an exported generator says of itself."""

    kind: str  # "beats", "series", or "windows" of any other signal
    noise_dim: int
    time: int  # samples a window
    fs_hz: float
    units: str
    channel_names: tuple[str, ...]
    event_index: int | None  # a beat's R peak
    classes: tuple[ClassEntry, ...]
    data: dict[str, Any]  # what it was trained on: source, licence, citation, split, counts, hash
    training: dict[str, Any]  # how: model, settings, seed, versions
    metrics: dict[str, Any]  # what was measured
    synthetic: bool = True
    contract: int = CONTRACT

    def to_text(self) -> str:
        """The manifest as JSON."""
        return json.dumps(asdict(self), allow_nan=False, sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None, where: str) -> Self:
        """The manifest in a file's metadata.

        Raises ArtifactError if there is none, it cannot be read, or its contract is newer than this version's.
        """
        content = content_of(text, where)
        try:
            known = {field.name: content[field.name] for field in fields(cls)}
            known["classes"] = tuple(
                ClassEntry(name=entry["name"], meaning=entry["meaning"], share=float(entry["share"]))
                for entry in known["classes"]
            )
            known["channel_names"] = tuple(known["channel_names"])
            return cls(**known)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{where} has an incomplete manifest ({error}); export it again") from error

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class names, in the order of the label codes."""
        return tuple(entry.name for entry in self.classes)


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
        The dtype that pandas held the column in, see ecgsynth.export.frames; None for what it reads from CSV.
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
    kind: str = "table"
    synthetic: bool = True
    contract: int = CONTRACT

    def to_text(self) -> str:
        """The manifest as JSON."""
        content = {name: getattr(self, name) for name in keys_of(type(self))}
        columns = [column.to_json() for column in self.columns]
        return json.dumps(content | {"columns": columns}, allow_nan=False, sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None, where: str) -> Self:
        """The manifest in a file's metadata; ArtifactError as for Manifest."""
        content = content_of(text, where)
        try:
            known = {name: content[name] for name in keys_of(cls)}
            known["columns"] = tuple(from_json(TableColumn, column, lenient=True) for column in known["columns"])
            return cls(**known)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{where} has an incomplete manifest ({error}); export it again") from error


def read_manifest(text: str | None, where: str) -> Manifest | TableManifest:
    """The manifest of a generator of windows or of rows; ArtifactError where there is none that this version reads."""
    return (TableManifest if content_of(text, where).get("kind") == "table" else Manifest).from_text(text, where)


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
