"""The contract between an exported file and those who sample it.

The manifest is JSON in the file's metadata under KEY. It says what the inputs and outputs are, what the
generator learnt from, how, and what was measured, so that one file is all that has to be handed over.
"""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from ecgsynth.core.disclosure import published_metrics, published_training
from ecgsynth.errors import ArtifactError
from ecgsynth.windows.info import ClassInfo, DataInfo

__all__ = ["CONTRACT", "KEY", "Manifest", "TableManifest", "read_manifest"]

KEY = "ecgsynth.manifest"
CONTRACT = 1
# What of a DataInfo stands at the top of the JSON.
MADE = ("kind", "time", "fs_hz", "units", "channel_names", "event_index", "classes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an exported generator of windows says of itself."""

    noise_dim: int
    data: DataInfo  # what it makes, and what it was trained on; in its published form
    training: dict[str, Any]  # how: model, settings, versions
    metrics: dict[str, Any]  # what was measured
    synthetic: bool = True
    contract: int = CONTRACT

    @classmethod
    def of(cls, noise_dim: int, data: DataInfo, training: dict[str, Any], metrics: dict[str, Any]) -> Self:
        """The manifest of a generator, from all that a run knows: what may be published of it."""
        return cls(
            noise_dim=noise_dim,
            data=data.published(),
            training=published_training(training),
            metrics=published_metrics(metrics),
        )

    def to_text(self) -> str:
        """The manifest as JSON: what is made stands beside ``data``, what it was learnt from within it."""
        data = self.data.to_json()
        content = {name: data.pop(name) for name in MADE}
        others = {name: getattr(self, name) for name in ("noise_dim", "training", "metrics", "synthetic", "contract")}
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
            known = {field.name: content[field.name] for field in fields(cls)}
            made = {name: content[name] for name in MADE}
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
class TableManifest:
    """What an exported generator of table rows says of itself.

    columns: in the table's order, each with its name, kind (continuous, integer, datetime, categorical, boolean,
    identifier), dtype, and what of these it has: missing, minimum, maximum, decimals, unit, format, first_year (of the
    hundred that a year of two digits may be), categories (by their index), output (the graph's, none of an identifier,
    which is made from the row's number), asked (the graph's input by which rows are asked for: an index into
    categories, -1 where it is not)
    """

    noise_dim: int
    columns: tuple[dict[str, Any], ...]
    data: dict[str, Any]  # what it was trained on: source, rows, split, hash
    training: dict[str, Any]  # how: model, settings, seed, versions
    metrics: dict[str, Any]  # what was measured
    kind: str = "table"
    synthetic: bool = True
    contract: int = CONTRACT

    def to_text(self) -> str:
        """The manifest as JSON."""
        return json.dumps(asdict(self), allow_nan=False, sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None, where: str) -> Self:
        """The manifest in a file's metadata; ArtifactError as for Manifest."""
        content = content_of(text, where)
        try:
            known = {field.name: content[field.name] for field in fields(cls)}
            known["columns"] = tuple({"name": str(column["name"]), **column} for column in known["columns"])
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
