"""Drawing rows of a table from an exported file: numpy and onnxruntime, nothing else."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.dates import format_times
from ecgsynth.core.identifiers import capacity, make
from ecgsynth.core.noise import row_noise
from ecgsynth.errors import ArtifactError, ConfigError, require

from .cards import card_of
from .manifest import TableManifest
from .onnx_file import OnnxFile, in_order

__all__ = ["MISSING_WHOLE", "Rows", "TableSampler", "check_rows", "restore"]

BLOCK = 1024  # rows that go through the graph at a time, always as many: so each is computed in the same way
MISSING_WHOLE = np.iinfo(np.int64).min  # stands for a missing whole number, as NumPy's NaT does; -1 may be a value
DIGITS = 7  # that a float32 has

Rows = dict[str, NDArray[Any]]


class TableSampler:
    """A generator of table rows in one .onnx file.

    Row ``i`` of a seed is the same whatever else is drawn with it (see ecgsynth.core.noise).
    ``threads``: how many blocks are drawn at a time; 0 is one for each core.
    Raises ArtifactError if the file is missing, damaged, of a newer contract, or makes no rows of a table.
    """

    def __init__(self, file: Path | str | OnnxFile, *, threads: int = 0) -> None:
        if threads < 0:
            raise ConfigError(f"threads must be at least 0, got {threads}")
        opened = file if isinstance(file, OnnxFile) else OnnxFile.open(file)
        if not isinstance(opened.manifest, TableManifest):
            raise ArtifactError(f"{opened.path} makes windows, not rows of a table; open it with ecgsynth.load")
        self.path, self.manifest, self._session = opened.path, opened.manifest, opened.session
        self._threads = threads
        self._made = [column for column in self.manifest.columns if column.get("output")]
        self._asked = [column for column in self.manifest.columns if column.get("asked")]

    def __repr__(self) -> str:
        return card_of(self).line()

    def _repr_html_(self) -> str:
        return card_of(self, drawn=True).html()

    @property
    def column_names(self) -> list[str]:
        """The columns, in the order of the table learnt from."""
        return [column["name"] for column in self.manifest.columns]

    def sample(self, n: int, where: Mapping[str, Any] | None = None, seed: int = 0) -> Rows:
        """``n`` synthetic rows: each column (n,) by its name, with the types and texts of the table learnt from.

        ``where``: for some columns the category that every row is to have, such as {"class": ">50K"}.
        A missing value is NaN, NaT or, among texts, None. Raises ConfigError for n below 1 or above the number of
        identifiers that there are, a column that rows cannot be asked for by, or a category that was never seen.
        """
        pieces = list(self.stream(n, where, seed))
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    def frame(self, n: int, where: Mapping[str, Any] | None = None, seed: int = 0) -> Any:
        """The same rows as a pandas data frame; needs pandas."""
        return require("pandas", "a data frame").DataFrame(self.sample(n, where, seed))

    def stream(self, n: int, where: Mapping[str, Any] | None = None, seed: int = 0) -> Iterator[Rows]:
        """The same rows, a block at a time, at constant memory."""
        check_rows(self.manifest.columns, n)
        codes = self._codes(where or {})
        blocks = (range(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))
        return in_order(lambda rows: self._draw(rows, codes, seed), blocks, self._threads if n > BLOCK else 1)

    def _codes(self, where: Mapping[str, Any]) -> dict[str, int]:
        """The index of the category asked for, by the graph's input."""
        found = {column["asked"]: -1 for column in self._asked}
        may = {column["name"]: column for column in self._asked}
        for name, value in where.items():
            if name not in self.column_names:
                raise ConfigError(f"this generator has no column {name!r}; it has {', '.join(self.column_names)}")
            if name not in may:
                advice = f"rows can be asked for by {', '.join(may)}" if may else "train with --model default or ctgan"
                raise ConfigError(f"this generator cannot be asked for rows by {name!r}; {advice}")
            found[may[name]["asked"]] = category_index(may[name], value)
        return found

    def _draw(self, rows: range, codes: dict[str, int], seed: int) -> Rows:
        noise = row_noise(seed, range(rows.start, rows.start + BLOCK), self.manifest.noise_dim)
        asked = {name: np.full(BLOCK, code, dtype=np.int64) for name, code in codes.items()}
        made = self._session.run([column["output"] for column in self._made], {"uniform": noise.uniform, **asked})
        values = {column["name"]: row[: len(rows)] for column, row in zip(self._made, made, strict=True)}
        return restore(self.manifest.columns, values, rows, seed)


def category_index(column: dict[str, Any], value: Any) -> int:
    """The index of a category given as it is or as text; ConfigError for one that the generator never saw."""
    categories = column["categories"]
    if value in categories and not isinstance(value, bool):
        return int(categories.index(value))
    for place, category in enumerate(categories):
        if str(value).strip().lower() == str(category).strip().lower() and isinstance(category, bool):
            return place
        if str(value).strip() == str(category).strip() or equal_numbers(category, value):
            return place
    raise ConfigError(
        f"column {column['name']!r} has no category {value!r} in this generator, or fewer than ten rows had it; "
        f"it has {', '.join(map(str, categories[:20]))}{', ...' if len(categories) > 20 else ''}"
    )


def equal_numbers(category: Any, value: Any) -> bool:
    """Whether 1 was asked for and the category is 1.0."""
    if isinstance(category, str | bool):
        return False
    try:
        return float(value) == float(category)
    except (TypeError, ValueError):
        return False


def check_rows(columns: tuple[dict[str, Any], ...], n: int) -> None:
    """Raise ConfigError for a number of rows that there cannot be."""
    if n < 1:
        raise ConfigError(f"the number of rows must be at least 1, got {n}")
    for column in columns:
        if column["kind"] == "identifier" and n > capacity(column["format"]):
            raise ConfigError(
                f"column {column['name']!r} has identifiers of the form {column['format']}, of which there are "
                f"{capacity(column['format']):,}; ask for no more rows than that, not {n:,}"
            )


def restore(columns: tuple[dict[str, Any], ...], made: Rows, rows: range, seed: int) -> Rows:
    """What a graph made of the rows ``rows``, by column, as the user's own table; identifiers are made anew."""
    return {
        column["name"]: identifiers(column, rows, seed)
        if column["kind"] == "identifier"
        else restored(column, made[column["name"]])
        for column in columns
    }


def identifiers(column: dict[str, Any], rows: range, seed: int) -> NDArray[Any]:
    texts = make(column["format"], rows, seed)
    return texts.astype(np.int64) if column["dtype"] == "int64" else texts.astype(object)


def restored(column: dict[str, Any], values: NDArray[Any]) -> NDArray[Any]:
    """A column's values (n,) in the types and texts of the table learnt from."""
    kind, dtype = column["kind"], column["dtype"]
    if kind in ("categorical", "boolean"):
        return chosen(column["categories"], values, dtype)
    if kind == "continuous":
        found = rounded(values.astype(np.float64), column)
        return found.astype(np.int64) if dtype == "int64" and not column.get("missing") else found
    missing = values == MISSING_WHOLE
    if kind == "datetime":
        if dtype in ("string", "int64"):
            texts = np.full(len(values), None, dtype=object)
            texts[~missing] = format_times(values[~missing].astype(np.float64), column["unit"], column["format"])
            return texts if dtype == "string" else as_numbers(texts, column)
        times = np.where(missing, 0, values).astype(f"datetime64[{column['unit']}]")
        times[missing] = np.datetime64("NaT")
        return times
    if dtype == "int64" and not column.get("missing"):
        return values
    return np.where(missing, np.nan, values.astype(np.float64))


def as_numbers(texts: NDArray[Any], column: dict[str, Any]) -> NDArray[Any]:
    """Times that the table holds as whole numbers, such as 20240131; NaN where missing."""
    if not column.get("missing"):
        return texts.astype(np.int64)
    return np.array([np.nan if text is None else float(text) for text in texts], dtype=np.float64)


def chosen(categories: list[Any], codes: NDArray[np.int64], dtype: str) -> NDArray[Any]:
    """The category of each code, -1 where missing: texts, or numbers of their own type."""
    if dtype == "string" or (dtype == "bool" and (codes < 0).any()):
        return np.array([*categories, None], dtype=object)[codes]
    if (codes < 0).any():
        return np.array([*categories, np.nan], dtype=np.float64)[codes]
    return np.array(categories, dtype=dtype)[codes]


def rounded(values: NDArray[np.float64], column: dict[str, Any]) -> NDArray[np.float64]:
    """The numbers that single precision stood for: with the column's decimals, or so many digits as it has."""
    bounds = column.get("minimum"), column.get("maximum")  # single precision, or rounding, may step over them
    if column.get("decimals") is not None:
        return np.clip(np.round(values, column["decimals"]), *bounds)
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.abs(values))))
        found = np.round(values * unit) / unit
    return np.clip(np.where(np.isfinite(found), found, values), *bounds)
