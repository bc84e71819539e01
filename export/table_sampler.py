"""Drawing rows of a table from an exported file: numpy and onnxruntime, nothing else."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.noise import check_number, row_noise
from ecgsynth.errors import ArtifactError, ConfigError, MissingExtraError

from .cards import card_of
from .frames import as_frame
from .kinds import row_kind
from .manifest import TableColumn, TableManifest
from .onnx_file import OnnxFile, in_order

__all__ = ["Rows", "TableSampler", "as_frame", "asked_codes", "category_index", "check_rows", "restore"]

BLOCK_ROWS = 1024  # that go through the graph at a time, always as many: so each is computed in the same way

Rows = dict[str, NDArray[Any]]


class TableSampler:
    """A generator of table rows in one .onnx file.

    Row ``i`` of a seed is the same whatever else is drawn with it (see ecgsynth.core.noise).

    Parameters
    ----------
    file
        The file, or one that is open.
    threads
        How many blocks are drawn at a time; 0 is one for each core.

    Raises
    ------
    ArtifactError
        If the file is missing, damaged, of a newer contract, or makes no rows of a table.

    """

    def __init__(self, file: Path | str | OnnxFile, *, threads: int = 0) -> None:
        if threads < 0:
            raise ConfigError(f"threads must be at least 0, got {threads}")
        opened = file if isinstance(file, OnnxFile) else OnnxFile.open(file)
        if not isinstance(opened.manifest, TableManifest):
            raise ArtifactError(f"{opened.path} makes windows, not rows of a table; open it with ecgsynth.load")
        self.path, self.manifest, self._session = opened.path, opened.manifest, opened.session
        self._threads = threads
        self._outputs = {column.name: column.output for column in self.manifest.columns if column.output}

    def __repr__(self) -> str:
        return card_of(self).line()

    def _repr_html_(self) -> str:
        return card_of(self, drawn=True).html()

    @property
    def column_names(self) -> list[str]:
        """The columns, in the order of the table learnt from."""
        return [column.name for column in self.manifest.columns]

    def sample(self, n: int, where: Mapping[str, Any] | None = None, seed: int = 0) -> Any:
        """Synthetic rows as the table learnt from was held.

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
        pandas.DataFrame or dict
            A data frame, with the dtypes of the one learnt from, see ``as_frame``; where pandas is not installed, what
            ``rows`` gives: arrays by the column's name.

        Raises
        ------
        ConfigError
            For n below 1 or above the number of identifiers that there are, a column that rows cannot be asked for by,
            or a category that was never seen.

        """
        made = self.rows(n, where, seed)
        try:
            return as_frame(made, self.manifest.columns)
        except MissingExtraError:
            return made

    def rows(self, n: int, where: Mapping[str, Any] | None = None, seed: int = 0) -> Rows:
        """The same rows as arrays.

        Returns
        -------
        Each column (n,) by its name, with the types and texts of the table learnt from. A missing value is NaN, NaT or,
        among texts and truth values, None.

        Raises
        ------
        ConfigError
            As ``sample`` does.

        """
        pieces = list(self.stream(n, where, seed))
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    def stream(self, n: int, where: Mapping[str, Any] | None = None, seed: int = 0) -> Iterator[Rows]:
        """The same rows, a block at a time, at constant memory."""
        check_rows(self.manifest.columns, n)
        codes = asked_codes(self.manifest.columns, where or {})
        blocks = (range(start, min(start + BLOCK_ROWS, n)) for start in range(0, n, BLOCK_ROWS))
        return in_order(lambda rows: self._draw(rows, codes, seed), blocks, self._threads if n > BLOCK_ROWS else 1)

    def _draw(self, rows: range, codes: dict[str, int], seed: int) -> Rows:
        noise = row_noise(seed, range(rows.start, rows.start + BLOCK_ROWS), self.manifest.noise_dim)
        asked = {name: np.full(BLOCK_ROWS, code, dtype=np.int64) for name, code in codes.items()}
        made = self._session.run(list(self._outputs.values()), {"uniform": noise.uniform, **asked})
        values = {name: row[: len(rows)] for name, row in zip(self._outputs, made, strict=True)}
        return restore(self.manifest.columns, values, rows, seed)


def asked_codes(columns: tuple[TableColumn, ...], where: Mapping[str, Any]) -> dict[str, int]:
    """The index of the category asked for, by the graph's input; -1 where none is asked for.

    Raises
    ------
    ConfigError
        For a column that rows cannot be asked for by, or a category that was never seen.

    """
    if not isinstance(where, Mapping):
        raise ConfigError(f"where is columns and values, such as {{'class': '>50K'}}, got {where!r}")
    named = {column.name: column for column in columns}
    inputs = {column.name: column.asked for column in columns if column.asked}
    found = dict.fromkeys(inputs.values(), -1)
    for name, value in where.items():
        if name not in named:
            raise ConfigError(f"this generator has no column {name!r}; it has {', '.join(named)}")
        if name not in inputs:
            advice = (
                f"rows can be asked for by {', '.join(inputs)}" if inputs else "train with --model default or ctgan"
            )
            raise ConfigError(f"this generator cannot be asked for rows by {name!r}; {advice}")
        found[inputs[name]] = category_index(named[name], value)
    return found


def category_index(column: TableColumn, value: Any) -> int:
    """The index of a category given as it is or as text; ConfigError for one that the generator never saw."""
    categories = column.categories
    if value in categories and not isinstance(value, bool):
        return int(categories.index(value))
    for place, category in enumerate(categories):
        if str(value).strip().lower() == str(category).strip().lower() and isinstance(category, bool):
            return place
        if str(value).strip() == str(category).strip() or equal_numbers(category, value):
            return place
    raise ConfigError(
        f"column {column.name!r} has no category {value!r} in this generator, or fewer than ten rows had it; "
        f"it has {', '.join(map(str, categories[:20]))}{', ...' if len(categories) > 20 else ''}"
    )


def equal_numbers(category: Any, value: Any) -> bool:
    """Whether they are equal as numbers, such as 1 and 1.0."""
    if isinstance(category, str | bool):
        return False
    try:
        return float(value) == float(category)
    except (TypeError, ValueError):
        return False


def check_rows(columns: tuple[TableColumn, ...], n: int) -> None:
    """Raise ConfigError for an impossible number of rows."""
    check_number(n, "rows")
    for column in columns:
        holds = row_kind(column).holds
        if holds is not None and n > holds(column):
            raise ConfigError(
                f"column {column.name!r} has identifiers of the form {column.format}, of which there are "
                f"{holds(column):,}; ask for no more rows than that, not {n:,}"
            )


def restore(columns: tuple[TableColumn, ...], made: Rows, rows: range, seed: int) -> Rows:
    """The output of a graph for the rows ``rows``, by column, as in the user's own table.

    Parameters
    ----------
    columns
        Of a manifest.
    made
        Canonical values (len(rows),) of each column that is learnt.
    rows, seed
        Which rows of which seed: columns that are not learnt are made from these.

    Returns
    -------
    Rows
        (len(rows),) by the column's name, in the order of ``columns``.

    """
    found = {}
    for column in columns:
        kind = row_kind(column)
        anew = kind.anew
        found[column.name] = kind.restore(column, made[column.name]) if anew is None else anew(column, rows, seed)
    return found
