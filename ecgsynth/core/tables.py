"""Tables from files, CSV, TSV, JSON, Parquet or an .npz of arrays, as pandas frames.

A file lies in a folder or behind any address that fsspec knows, such as s3://bucket/table.csv.
"""

import io
import json
import re
import tempfile
import warnings
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.files import atomic, check_free, is_stdout, text_file
from ecgsynth.core.formats import DELIMITERS, FRAME_FORMATS, RECORDS, format_of, write_rows
from ecgsynth.core.npz import frame_of_arrays, read_npz
from ecgsynth.core.storage import check_options, fetch, is_url, name_of
from ecgsynth.errors import ArtifactError, ConfigError, DataError, require

__all__ = ["read_table", "stem", "table_format", "tidy_frame", "write_table"]

SUFFIXES = (".csv.gz", ".csv", ".tsv.gz", ".tsv", ".parquet", ".json", ".npz")  # that are read
# What pandas.read_csv takes as a missing value.
MISSING_TEXT = (
    *("", "NA", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "NaN", "nan", "-NaN", "-nan"),
    *("null", "NULL", "None", "<NA>", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
MARKS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
DAY = re.compile(r"\d{4}-\d{2}-\d{2}.*|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}.*")  # a date, which is no name of a column
CHUNK_ROWS = 50_000  # that are looked through at a time


def stem(where: Path | str) -> str:
    """A file's name without the suffixes that say how it is stored."""
    name = name_of(where)
    ending = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(ending)]


@dataclass(frozen=True, slots=True)
class Source:
    """A file that can be read from its beginning any number of times: a path, or the bytes that lay at an address."""

    where: str
    name: str
    path: Path | None
    content: bytes = b""

    def open(self) -> BinaryIO:
        """The file, at its beginning."""
        return io.BytesIO(self.content) if self.path is None else self.path.open("rb")


def source_of(where: Path | str, storage_options: dict[str, Any] | None) -> Source:
    """Find a file, and fetch it where it lies at an address."""
    if is_url(where):
        return Source(str(where), name_of(where), None, fetch(str(where), storage_options or {}))
    path = Path(where)
    check_options(path, storage_options)
    if not path.exists():
        raise ArtifactError(f"expected a table at {path}, but there is none")
    if path.is_dir():
        raise ArtifactError(f"expected a table at {path}, but it is a folder; name a file in it")
    return Source(str(path), path.name, path)


def read_table(
    where: Path | str,
    text: tuple[str, ...] = (),
    *,
    storage_options: dict[str, Any] | None = None,
    trim: bool = False,
) -> tuple[Any, NDArray[np.str_] | None]:
    """Read a table from a file.

    A CSV file (also .csv.gz, or .tsv with tabs) begins with a line of column names. A .json is an array of records. An
    .npz has ``values``: (rows,), (rows, columns), or many sequences (sequences, time, columns); and may have
    ``columns``, their names; or it has an array for each column.

    Parameters
    ----------
    where
        A path, or an address that fsspec knows.
    text
        Columns of a CSV file that are read as they are written: 007 and not 7.
    storage_options
        What the store of an address needs.
    trim
        For series: 007 is 7, and spaces behind a comma are left out. Otherwise names and values of a CSV file are those
        that pandas.read_csv gives, but whole numbers written with a zero before them are codes and stay as they are.

    Returns
    -------
    frame, ids
        A pandas data frame, and (rows,) the sequence of each row where the file itself has sequences, or None.

    Raises
    ------
    ArtifactError
        For a file that is missing or broken.
    DataError
        For one that is no table or has no rows.

    """
    source = source_of(where, storage_options)
    name, ids = source.name.lower(), None
    if name.endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz")):
        frame = read_csv(source, text, trim=trim)
    elif name.endswith(".parquet"):
        frame = read_parquet(source)
    elif name.endswith(".json"):
        frame = read_records(source, text)
    elif name.endswith(".npz"):
        frame, ids = frame_of_arrays(arrays_of(source), source.name)
    else:
        raise DataError(f"expected a table named .csv, .csv.gz, .tsv, .parquet, .json or .npz, got {source.name}")
    check_names(list(frame.columns), source.name)
    if not len(frame):
        raise DataError(f"{source.name} has no rows; expected one for each step of a series or each record of a table")
    return frame, ids


def tidy_frame(frame: Any) -> Any:
    """A user's data frame as ``read_table`` gives one: its named index is a column, and names are text.

    Raises
    ------
    ConfigError
        For anything but a data frame.
    DataError
        For one without rows, or with several columns of one name.

    """
    pandas = require("pandas", "reading a table")
    if not isinstance(frame, pandas.DataFrame):
        raise ConfigError(f"expected a path, an address or a pandas DataFrame as the table, got {type(frame).__name__}")
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    check_names(list(frame.columns), "the data frame")
    if not len(frame):
        raise DataError("the data frame has no rows; expected one for each step of a series or each record of a table")
    return frame.infer_objects()


def read_csv(source: Source, text: tuple[str, ...], *, trim: bool) -> Any:
    """The table of a CSV or TSV file; a column without a name is left out."""
    pandas = require("pandas", "reading a table")
    mark = mark_of(source)
    how: dict[str, Any] = {
        "sep": mark,
        "encoding": "utf-8",
        "skipinitialspace": trim,
        "keep_default_na": False,
        "compression": "gzip" if source.name.lower().endswith(".gz") else None,
    }
    try:
        with source.open() as file:
            head = pandas.read_csv(file, header=None, nrows=1, dtype=str, **how)
        header = [str(name) if not trim and str(name).strip() else str(name).strip() for name in head.iloc[0]]
        check_header(header, source.name, mark)
        places = [name or f"unnamed:{place}" for place, name in enumerate(header)]
        how |= {"header": 0, "names": places, "index_col": False}
        missing = {name: [""] if name in text else list(MISSING_TEXT) for name in places}
        blank = trim and len(header) == 1  # in a series of one column, a blank line is a missing value
        how |= {"na_values": missing, "skip_blank_lines": not blank}

        def read(as_text: list[str]) -> Any:
            with source.open() as file, warnings.catch_warnings():
                warnings.simplefilter("error", pandas.errors.ParserWarning)
                return pandas.read_csv(
                    file,
                    dtype=dict.fromkeys(as_text, str),
                    low_memory=False,
                    dtype_backend="numpy_nullable",  # whole numbers stay so beside a missing one
                    **how,
                )

        as_text = [name for name in text if name in header]
        frame = read(as_text)
        if not trim:
            whole = [name for name in places if pandas.api.types.is_integer_dtype(frame[name])]
            codes = zero_led(source, whole, how)
            frame = read([*as_text, *codes]) if codes else frame
    except UnicodeDecodeError:  # it has a piece of the table
        raise DataError(f"expected {source.name} in UTF-8, got another encoding; save it as UTF-8") from None
    except pandas.errors.EmptyDataError as error:
        raise DataError(
            f"{source.name} is empty; expected a line of column names and a row for each step or record"
        ) from error
    except (pandas.errors.ParserError, pandas.errors.ParserWarning) as error:
        raise shape_error(source, str(error).strip().splitlines()[0]) from error
    except (OSError, EOFError, zlib.error) as error:
        raise ArtifactError(f"{source.where} cannot be read ({error}); make it again") from error
    return frame[[name for name, given in zip(places, header, strict=True) if given]]


def zero_led(source: Source, names: list[str], how: dict[str, Any]) -> list[str]:
    """Those of the columns of whole numbers in which a value is written with a zero before it: codes, such as 00123."""
    pandas = require("pandas", "reading a table")
    found: set[str] = set()
    if not names:
        return []
    with source.open() as file, pandas.read_csv(file, usecols=names, dtype=str, chunksize=CHUNK_ROWS, **how) as chunks:
        for chunk in chunks:
            for name in set(names) - found:
                if any(re.match(r" *0[0-9]", value) for value in chunk[name].dropna().unique()):
                    found.add(name)
    return [name for name in names if name in found]


def mark_of(source: Source) -> str:
    """What stands between the values of a row, as the file's name says."""
    return "\t" if source.name.lower().removesuffix(".gz").endswith(".tsv") else ","


def shape_error(source: Source, said: str) -> DataError:
    """What is wrong with a file whose rows have other numbers of values than its first line has names."""
    mark = mark_of(source)
    with suppress(OSError, UnicodeDecodeError), source.open() as file:
        first = file.readline(10_000).decode("utf-8")
        for other in MARKS:
            if first.count(other) > first.count(mark):
                return mark_error(source.name, mark, other)
    return DataError(
        f"expected a value for each column name in every row of {source.name}, got another shape ({said}); correct it"
    )


def mark_error(where: str, mark: str, other: str) -> DataError:
    wanted, found = MARKS[mark], MARKS[other]
    return DataError(f"expected {wanted}s between the columns of {where}, got a {found}; save it with {wanted}s")


def check_header(header: list[str], where: str, mark: str) -> None:
    """Raise DataError for names that are none: another delimiter, numbers, or the same name twice."""
    for other in MARKS:
        if other != mark and len(header) == 1 and other in header[0]:
            raise mark_error(where, mark, other)
    numbers = bool(header) and all(map(is_number, header)) and not all(map(str.isdecimal, header))
    if numbers or any(map(DAY.fullmatch, header)):
        raise DataError(
            f"expected column names in the first line of {where}, got numbers or dates; add a line of names"
        )
    check_names([name for name in header if name], where)


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_names(names: list[str], where: str) -> None:
    """Raise DataError for names that come twice; without saying them, as in a file without names they are values."""
    counts = Counter(names)
    twice = [str(place) for place, name in enumerate(names, start=1) if counts[name] > 1]
    if twice:
        raise DataError(f"{where} has several columns of one name, at {', '.join(twice)}; give each a name of its own")


def read_records(source: Source, text: tuple[str, ...]) -> Any:
    """The table of a JSON array of records: a key that a record lacks, or has as null, is missing there."""
    pandas = require("pandas", "reading a table")
    try:
        with source.open() as file:
            content = json.loads(file.read().decode("utf-8"))
    except OSError as error:
        raise ArtifactError(f"{source.where} cannot be read ({error}); make it again") from error
    except UnicodeDecodeError as error:
        raise DataError(f"expected {source.name} in UTF-8, got another encoding ({error}); save it as UTF-8") from error
    except ValueError as error:
        raise DataError(f"{source.name} is not readable JSON; expected an array of records") from error
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise DataError(f"expected an array of records, [{{name: value, ...}}, ...], in {source.name}")
    names = list(dict.fromkeys(name for row in content for name in row))
    if any(isinstance(value, list | dict) for row in content for value in row.values()):
        raise DataError(f"expected a number, text, true, false or null for each column of {source.name}, got lists")
    frame = pandas.DataFrame(index=range(len(content)))
    for name in names:
        values = pandas.array([row.get(name) for row in content])
        written = pandas.api.types.is_string_dtype(values.dtype) or name in text
        frame[name] = values.astype("string") if written else values
    return frame


def read_parquet(source: Source) -> Any:
    pandas, arrow = require("pandas", "reading a table"), require("pyarrow", "reading Parquet")
    parquet = require("pyarrow.parquet", "reading Parquet")
    try:
        with source.open() as file:
            check_names(parquet.read_schema(file).names, source.name)
        with source.open() as file:
            frame = pandas.read_parquet(file, dtype_backend="numpy_nullable")
    except DataError:
        raise
    except (OSError, ValueError, arrow.ArrowException):  # it may have a value of the table
        raise ArtifactError(f"{source.where} is not a whole Parquet file; make it again") from None
    if frame.index.names != [None]:  # pandas keeps a named index apart
        frame = frame.reset_index()
    frame.columns = [str(name) for name in frame.columns]
    return frame


def arrays_of(source: Source) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz, at a path or an address."""
    if source.path is not None:
        return read_npz(source.path)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / source.name
        path.write_bytes(source.content)
        return read_npz(path)


def write_table(frame: Any, path: Path | str, *, force: bool = False) -> None:
    """Write a pandas data frame to a file.

    Parameters
    ----------
    frame
        The table.
    path
        Its ending says the format: CSV (also .csv.gz), TSV, JSON or Parquet; "-" is CSV on standard output.
    force
        Replace a file that is there.

    Raises
    ------
    ConfigError
        For another ending.
    ArtifactError
        Where the file exists and ``force`` is not set.

    """
    file_format = table_format(path)
    if not is_stdout(path):
        check_free(Path(path), force=force)
    if file_format == "parquet":
        require("pyarrow", "writing Parquet")
        with atomic(Path(path)) as temporary:
            frame.to_parquet(temporary, index=False)
    elif file_format in RECORDS:
        values = frame.astype(object).where(frame.notna(), None)
        rows = zip(*(values[name].tolist() for name in values), strict=True)
        write_rows(path, file_format, [str(name) for name in frame], rows)
    else:
        with text_file(path, zipped=file_format == "csv.gz") as file:
            frame.to_csv(file, index=False, lineterminator="\n", sep=DELIMITERS[file_format])


def table_format(where: Path | str) -> str:
    """The format in which a frame is written to a path or an address; ConfigError for a name that has none."""
    return format_of(where, formats=FRAME_FORMATS)
