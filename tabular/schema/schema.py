"""The schema of a table: what each column is; inferred from the data, shown, edited as JSON, checked."""

from dataclasses import dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from ecgsynth.core.files import check_free, read_json, write_json
from ecgsynth.errors import ConfigError, DataError, require

from .columns import Column
from .inference import complete_column, infer_column
from .kinds import KINDS, check_column, kind_of
from .reading import read_column

__all__ = ["KINDS", "Column", "Schema"]

VERSION = 1
LISTS, TEXTS = ("spikes", "categories"), ("unit", "format", "pandas")  # of the keys of a column in JSON


@dataclass(slots=True)
class Schema:
    """The columns of a table, in order.

    As JSON it is ``{"version": 1, "columns": [...]}`` with, of each column, what applies (see Column). A user may edit
    it: take a column out, and it is left out of everything; change a kind, and what the new kind needs and is not
    given (categories, bounds, a unit, a format) is found in the data (``completed``); take spikes out or set bounds.
    """

    columns: tuple[Column, ...]
    notes: tuple[str, ...] = field(default=(), compare=False)  # what was not certain when it was inferred

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"the schema has several columns named {', '.join(twice)}; keep one of each")
        if not names:
            raise ConfigError("a schema needs a column or more, got none")
        for column in self.columns:
            check_column(column)

    @classmethod
    def infer(
        cls,
        frame: Any,
        whole: Any = None,
        person: str | None = None,
        today: date | None = None,
        *,
        from_file: bool = False,
    ) -> Self:
        """The schema of a table.

        Parameters
        ----------
        frame
            A pandas data frame of two rows or more.
        whole
            Where the rows are picked from a larger table, that table: what is an identifier there is one among the
            rows picked, too, and nothing else is; all other things are found in the rows picked.
        person
            The column that names the person of each row; it is an identifier, however many rows a person has.
        today
            By which day dates with two-digit years are put into a century; see ``first_year_of``.
        from_file
            The frame was read by ecgsynth.core.tables: its dtypes are not the user's, and are not remembered.

        Raises
        ------
        DataError
            Naming the column, for what cannot be learnt: see ``infer_column``.

        """
        if len(frame) < 2:
            raise DataError(f"a table needs two rows or more to be learnt from, got {len(frame)}; give more rows")
        check_unique(frame)
        names = [str(name) for name in frame.columns]
        if person is not None and person not in names:
            raise DataError(f"there is no column {person!r} to name each row's person by; there are {', '.join(names)}")
        found = [
            infer_column(
                frame[name],
                str(name),
                None if whole is None else whole[name],
                person=str(name) == person,
                today=today,
            )
            for name in frame.columns
        ]
        columns = [replace(column, pandas=None) if from_file else column for column, _ in found]
        return cls(tuple(columns), tuple(note for _, note in found if note))

    def completed(self, frame: Any, today: date | None = None) -> Self:
        """The schema with what it does not give found in the data, see ``complete_column``."""
        columns = tuple(complete_column(column, self.series(frame, column), today) for column in self.columns)
        return type(self)(columns, self.notes)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)

    @property
    def learnt(self) -> tuple[Column, ...]:
        """The columns that are learnt: all but identifiers, which are made anew."""
        return tuple(column for column in self.columns if kind_of(column).form is not None)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The names of the columns whose canonical form is a number."""
        return tuple(column.name for column in self.columns if kind_of(column).form == "number")

    def __getitem__(self, name: str) -> Column:
        """The column of a name; DataError that names the others where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise DataError(f"there is no column {name!r}; the columns are {', '.join(self.names)}")

    # ---- data

    def check(self, frame: Any) -> None:
        """Raise DataError, naming column, row and remedy, where the data contradict the schema.

        Columns that the schema does not have are ignored. Of identifiers, only that they are there is checked.
        """
        self.arrays(frame)

    def arrays(self, frame: Any, *, strict: bool = True) -> dict[str, NDArray[Any]]:
        """Canonical columns, identifiers left out, after the check.

        Parameters
        ----------
        frame
            A pandas data frame with the schema's columns.
        strict
            Refuse what contradicts the schema. If not, for data that the schema was not made from: values may be
            missing or lie beyond the bounds anywhere, what is no category counts as missing, and identifiers need not
            be there.

        Returns
        -------
        dict
            Of numbers and times (rows,) float64, NaN where missing, parts of a second dropped; of categories (rows,)
            int64, the place among the column's categories, -1 where missing.

        Raises
        ------
        DataError
            Naming column, row and remedy, where the data contradict the schema.

        """
        check_unique(frame)
        complete = all(kind_of(column).is_complete(column) for column in self.columns)
        columns = self.columns if complete else self.completed(frame).columns
        found = {}
        for column in columns:
            kind = kind_of(column)
            if kind.form is not None:
                values = read_column(self.series(frame, column), column.name)
                found[column.name] = kind.encode(column, values, strict=strict)
            elif strict:
                self.series(frame, column)  # only that it is there
        return found

    def frame(self, arrays: dict[str, NDArray[Any]]) -> Any:
        """The inverse of ``arrays``: a pandas data frame as plain pandas reads the user's table; see Kind.decode."""
        pandas = require("pandas", "writing a table")
        learnt = self.learnt
        open_ = [column.name for column in learnt if not kind_of(column).is_complete(column)]
        if open_:
            raise ConfigError(f"the schema is incomplete in {', '.join(open_)}; complete it from the data first")
        return pandas.DataFrame({column.name: kind_of(column).decode(column, arrays[column.name]) for column in learnt})

    def series(self, frame: Any, column: Column) -> Any:
        """A column of a data frame; DataError where there is none."""
        names = {str(name): name for name in frame.columns}  # a frame may have numbers as names
        if column.name not in names:
            raise DataError(
                f"the schema has a column {column.name!r} that the table does not have; the table has "
                f"{', '.join(map(str, frame.columns))}: take it out of the schema or name it as in the table"
            )
        return frame[names[column.name]]

    # ---- as JSON and as text

    def to_json(self) -> dict[str, Any]:
        """The schema as plain values."""
        return {"version": VERSION, "columns": [json_of(column) for column in self.columns]}

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """A schema from what ``to_json`` gave, edited or not; ConfigError names what is wrong."""
        if not isinstance(content, dict) or not isinstance(content.get("columns"), list):
            raise ConfigError('a schema is {"version": 1, "columns": [...]}, got something else; make it again')
        unknown = sorted(set(content) - {"version", "columns"})
        if unknown:
            raise ConfigError(f"a schema has version and columns, got {', '.join(unknown)} too; remove it")
        if content.get("version") != VERSION:
            raise ConfigError(f"expected a schema of version {VERSION}, got {content.get('version')!r}; make it again")
        return cls(tuple(column_from(entry) for entry in content["columns"]))

    def save(self, path: Path, *, force: bool = False) -> None:
        """Write the schema as JSON; ArtifactError where the file exists and ``force`` is not set."""
        check_free(path, force=force)
        write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote, edited or not; ArtifactError if it cannot be read, ConfigError if it is wrong."""
        return cls.from_json(read_json(path))

    def text(self) -> str:
        """A table for the terminal: a line for each column, then what was not certain."""
        lines = [("column", "kind", "held as", "missing", "values")]
        lines += [
            (column.name, column.kind, column.dtype, "yes" if column.missing else "no", kind_of(column).summary(column))
            for column in self.columns
        ]
        widths = [max(len(line[place]) for line in lines) for place in range(4)]
        rows = [
            "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[4]])
            for line in lines
        ]
        return "\n".join([*(row.rstrip() for row in rows), *(f"note: {note}" for note in self.notes)])


def check_unique(frame: Any) -> None:
    """Raise DataError where two columns have one name."""
    names = [str(name) for name in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"the table has several columns named {', '.join(twice)}; give each a name of its own")
    if not names:
        raise DataError("the table has no columns; expected one or more")


# ---- a column as JSON


def json_of(column: Column) -> dict[str, Any]:
    """What applies to the column's kind and is given, as plain values."""
    content: dict[str, Any] = {"name": column.name, "kind": column.kind, "dtype": column.dtype}
    if column.missing:
        content["missing"] = True
    for name in (*kind_of(column).settings, "pandas"):
        value = getattr(column, name)
        if value is not None and value != ():
            content[name] = list(value) if isinstance(value, tuple) else value
    return content


def column_from(content: Any) -> Column:
    """A column from what ``json_of`` gave or a user wrote; what its kind does not have is left out.

    A user may so change the kind alone. Raises ConfigError for what is no column, and for unknown keys.
    """
    if not isinstance(content, dict) or not isinstance(content.get("name"), str):
        raise ConfigError(f"every column of a schema is an object with a name, got {type(content).__name__} without")
    known = [each.name for each in fields(Column)]
    where = f"column {content['name']!r} of the schema"
    unknown = sorted(set(content) - set(known))
    if unknown:
        raise ConfigError(f"{where} has {', '.join(unknown)}, which is not known; the keys are {', '.join(known)}")
    absent = [name for name in ("kind", "dtype") if not isinstance(content.get(name), str)]
    if absent:
        raise ConfigError(f"{where} has no {absent[0]}; write one as a text")
    kind = KINDS.get(content["kind"])
    kept = {"name", "kind", "dtype", "missing", "pandas", *(() if kind is None else kind.settings)}
    given = {key: value for key, value in content.items() if key in kept and value is not None}
    if kind is not None and "format" in given and not kind.format_fits(str(given["format"])):
        raise ConfigError(
            f"{where} has the format {given['format']!r}, which no {kind.name} has; write another or leave it out"
        )
    for keys, held, called in ((TEXTS, str, "text"), (LISTS, list, "list")):
        for key in keys:
            if not isinstance(given.get(key, held()), held):
                raise ConfigError(f"{where} has {key} {given[key]!r}; write a {called}")
    column = Column(**given)
    check_column(column)
    return column
