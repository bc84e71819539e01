"""What is known of windows: how a series was cut, what its columns are, and all that a run or a file says of its data.

These are records of plain values. A run folder has a DataInfo as it is, an exported file its published form
(ecgsynth.core.disclosure decides what is in that).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ecgsynth.core import records
from ecgsynth.core.config import JsonConfig
from ecgsynth.core.disclosure import published_data
from ecgsynth.errors import ConfigError

__all__ = [
    "FEW",
    "ClassInfo",
    "ClockInfo",
    "ColumnInfo",
    "DataInfo",
    "PrivateInfo",
    "SeriesInfo",
    "SeriesOptions",
    "Source",
]

MISSING = ("reject", "interpolate", "drop")
FEW = -1  # instead of a published count that is below disclosure.PERSONS; null in JSON
COUNTS = ("training_windows", "training_patients")
LEFT_OUT = ("licence", "citation", "series", "private")  # keys that JSON lacks where there is nothing to say


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesOptions(JsonConfig):
    """How a table is cut into windows, and what its columns are."""

    length: int = 24  # rows a window
    stride: int = 1  # rows from the start of a window to that of the next
    columns: tuple[str, ...] = ()  # none named: every numeric column that has no other role
    id: str | None = None  # the column that says which sequence a row belongs to
    time: str | None = None  # the column that must run forwards within each sequence
    label: str | None = None  # the class of each sequence
    statics: tuple[str, ...] = ()  # numeric columns that are constant within each sequence
    missing: str = "reject"  # or "interpolate", linearly within a sequence, or "drop" windows with a missing value

    def __post_init__(self) -> None:
        for name in ("columns", "statics"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists
        if self.length < 2:
            raise ConfigError(f"length must be at least 2 rows, got {self.length}")
        if self.stride < 1:
            raise ConfigError(f"stride must be at least 1 row, got {self.stride}")
        if self.missing not in MISSING:
            raise ConfigError(f"missing is one of {', '.join(MISSING)}, got {self.missing!r}")
        named = [*self.columns, *self.statics, *self.roles]
        twice = sorted(name for name, count in Counter(named).items() if count > 1)
        if twice:
            raise ConfigError(
                f"a column can be named once and have one role, but {', '.join(twice)} is named several times"
            )

    @property
    def roles(self) -> list[str]:
        """The columns named as id, time and label."""
        return [name for name in (self.id, self.time, self.label) if name is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnInfo:
    """What it takes to write a column of a series as it came."""

    name: str
    dtype: str  # "bool", "int64" or "float64"
    quantum: float | None = None  # the power of ten that all values are multiples of
    decimals: int | None = None  # with which all values can be written; files of earlier versions do not say
    lowest: float | None = None  # shared bounds (disclosure.shared_range); None where too few persons have a value
    highest: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockInfo:
    """The time column of a series: its name, what it holds, and how far it goes in one step."""

    name: str
    kind: str  # "number" or "datetime"
    step: int | float  # in the column's unit, or in seconds; a whole one where the column is of whole numbers
    start: str = records.sparse(default="")  # windows start at a time of the "day", or of the "week", as real ones do


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesInfo:
    """The form of a user's table, so that one of the same form can be written (ecgsynth.windows.long_table)."""

    options: SeriesOptions = field(default_factory=SeriesOptions)
    columns: tuple[ColumnInfo, ...] = ()
    statics: tuple[ColumnInfo, ...] = ()
    time: ClockInfo | None = None
    pandas: dict[str, str] = records.sparse(default_factory=dict)  # dtypes of a data frame's columns (core.dtypes)
    rules: tuple[tuple[str, str], ...] = records.sparse(default=())  # (lower, upper) columns, in every row

    @property
    def channels(self) -> tuple[ColumnInfo, ...]:
        """What each channel of the windows is: the columns, then the statics."""
        return (*self.columns, *self.statics)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return records.to_json(self)

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """What ``to_json`` gave, also of a later version; ConfigError for anything else."""
        return records.from_json(cls, content, lenient=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassInfo:
    """One class: its name, what it means, and its share of the training windows."""

    name: str
    meaning: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where data are from."""

    name: str = "unnamed"
    licence: str | None = None
    citation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateInfo:
    """What stays in the run folder: it could reveal who is in the training part."""

    source: Source = field(default_factory=Source)
    split_seed: int | None = None
    digest: dict[str, str] = field(default_factory=dict)  # of the training part: the key, and the value under it
    left_out: tuple[str, ...] = records.sparse(default=())  # classes that too few people have


@dataclass(frozen=True, slots=True, kw_only=True)
class DataInfo:
    """What a run, or the manifest of an exported file, knows of the windows that a generator learnt from and makes.

    A count is None where it is not known, and FEW in a published form where it is too small to be published.
    """

    kind: str  # "beats", "series", or "windows" of any other signal
    fs_hz: float
    units: str
    time: int  # samples a window
    channel_names: tuple[str, ...]
    event_index: int | None  # a beat's R peak
    classes: tuple[ClassInfo, ...]
    source: Source = field(default_factory=Source)
    split: str | None = None
    band_hz: tuple[float, float] | None = None  # of the filter that signals passed
    training_windows: int | None = None
    training_patients: int | None = None
    series: SeriesInfo | None = None
    private: PrivateInfo | None = None  # None in a published form

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class names, in the order of the label codes."""
        return tuple(entry.name for entry in self.classes)

    @property
    def class_column(self) -> str | None:
        """The column by which windows of a class are asked for: of a series, that of its labels, if it has any."""
        return "class" if self.series is None else self.series.options.label

    def code(self, where: Mapping[str, Any] | str | None = None, label: str | None = None) -> int | None:
        """The class that is asked for.

        Parameters
        ----------
        where
            {"class": name}, for a series {its label column: value}; a text is taken as ``label``.
        label
            The name of a class.

        Returns
        -------
        int or None
            The position of the class in ``classes``; None where nothing is asked for.

        Raises
        ------
        ConfigError
            For an unknown class or column, or where both are given.

        """
        if where and label is not None:
            raise ConfigError(f"ask for a class once: where={where!r} and label={label!r} are both given")
        if isinstance(where, Mapping) and where:
            if list(where) != [self.class_column]:
                known = f"the column {self.class_column!r} alone" if self.class_column else "no column"
                raise ConfigError(f"windows can be asked for by {known}, got {', '.join(map(repr, where))}")
            (label,) = map(str, where.values())
        elif isinstance(where, str):
            label = where
        elif where is not None and not isinstance(where, Mapping):
            raise ConfigError(f"where is a column and a value, such as {{'class': 'V'}}, got {where!r}")
        if label is not None and label not in self.class_names:
            raise ConfigError(f"this generator has no class {label!r}; its classes are {', '.join(self.class_names)}")
        return None if label is None else self.class_names.index(label)

    def published(self) -> Self:
        """What an exported file may say of the data."""
        return self.from_json(published_data(self.to_json()))

    def to_json(self) -> dict[str, Any]:
        """Plain values. In a published form, a count that is not known is left out, and FEW is null."""
        content: dict[str, Any] = without_empty(records.to_json(self))
        if self.private is None:
            for name in COUNTS:
                if content[name] is None:
                    del content[name]
                elif content[name] == FEW:
                    content[name] = None
        return content

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """What ``to_json`` gave, also of a later version; ConfigError for anything else."""
        if isinstance(content, dict) and "private" not in content:
            content = content | {name: FEW for name in COUNTS if content.get(name, 0) is None}
        return records.from_json(cls, content, lenient=True)


def without_empty(content: Any) -> Any:
    """JSON without the keys of LEFT_OUT that say nothing."""
    if not isinstance(content, dict):
        return content
    return {name: without_empty(value) for name, value in content.items() if value is not None or name not in LEFT_OUT}
