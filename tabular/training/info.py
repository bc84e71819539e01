"""What a run folder knows of its table and of its training: typed, under the keys of its config.json."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

from ecgsynth.core.records import from_json, key, to_json

__all__ = ["About", "TableInfo", "TablePrivate", "TrainingInfo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePrivate:
    """What no exported file publishes of a table.

    Parameters
    ----------
    file
        The name of the user's file.
    where
        The values that its rows were chosen by, by column.
    split_seed
        The seed of the choice of rows that are kept apart.
    unpublished
        Of each column, how many categories have too few persons to be published.
    digest
        The table's fingerprint under a key of the run folder's own, see RunFolder.digest.

    """

    file: str | None = None
    where: dict[str, str] | None = None
    split_seed: int | None = None
    unpublished: dict[str, int] | None = key("untold", default=None)
    digest: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInfo:
    """What a run knows of its table; see disclosure.published_data for what a file publishes of it.

    Parameters
    ----------
    kind
        "table".
    source
        What a file says of where the rows are from: a name.
    rows, training_rows
        Of the table, and those learnt from.
    validation_share
        Of the rows, kept apart.
    person
        The column that names the person of each row, None where every row is a person's own.
    space
        The form in which rows are learnt, where it is in no file of its own.
    private
        What stays in the run folder; None of a run of an earlier version, whose source is private too.

    """

    kind: str = "table"
    source: dict[str, str] = field(default_factory=lambda: {"name": "unnamed"})
    rows: int | None = None
    training_rows: int | None = None
    validation_share: float | None = None
    person: str | None = None
    space: dict[str, Any] | None = None
    private: TablePrivate | None = None

    def to_json(self) -> dict[str, Any]:
        """The facts as plain values, without those that are not known."""
        content = known(to_json(self))
        return content if self.private is None else {**content, "private": known(content["private"])}

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Facts from what ``to_json`` gave; unknown ones, of another version, are ignored."""
        found = from_json(
            cls, {name: value for name, value in dict(content).items() if name != "private"}, lenient=True
        )
        if content.get("private") is None:
            return found
        return replace(found, private=from_json(TablePrivate, content["private"], lenient=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingInfo:
    """How a run was trained.

    Parameters
    ----------
    model
        Its name in models.registry.
    label
        The name of the column that is the condition, where one was given.
    config
        Its TrainConfig as JSON has it.
    versions
        Of the packages that trained it.

    """

    model: str
    label: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The facts as plain values."""
        return to_json(self)

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Facts from what ``to_json`` gave; unknown ones, of another version, are ignored."""
        return from_json(cls, content, lenient=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known of a trained model: its table, its training, and what was reached and measured."""

    data: TableInfo
    training: TrainingInfo
    metrics: dict[str, Any] = field(default_factory=dict)


def known(content: dict[str, Any]) -> dict[str, Any]:
    """Without the entries that are None."""
    return {name: value for name, value in content.items() if value is not None}
