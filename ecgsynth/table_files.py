"""Tables from files, CSV, Parquet or an .npz of plain arrays, as pandas data frames; what is wrong with one is said."""

import warnings
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ArtifactError, DataError, require
from ecgsynth.windows import read_npz

__all__ = ["read_table", "stem"]

SUFFIXES = (".csv.gz", ".csv", ".parquet", ".npz")
MISSING_TEXT = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "null", "NULL", "None", "<NA>")


def stem(path: Path) -> str:
    """A file's name without the suffixes that say how it is stored."""
    ending = next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), "")
    return path.name[: len(path.name) - len(ending)]


def read_table(path: Path, text: tuple[str, ...] = ()) -> tuple[Any, NDArray[np.str_] | None]:
    """A pandas data frame, and the sequence of each row where the file itself tells them apart.

    A CSV file (also .csv.gz) begins with a line of column names. An .npz has ``values``: (rows,), (rows, columns), or
    many sequences (sequences, time, columns); and may have ``columns``, their names. ``text``: columns of a CSV file
    that are read as they stand, 007 and not 7.
    Raises ArtifactError for a file that is missing or broken, DataError for one that is no table or has no rows.
    """
    if not path.exists():
        raise ArtifactError(f"expected a table at {path}, but there is none")
    if path.is_dir():
        raise ArtifactError(f"expected a table at {path}, but it is a folder; name a file in it")
    name, ids = path.name.lower(), None
    if name.endswith((".csv", ".csv.gz")):
        frame = read_csv(path, text)
    elif name.endswith(".parquet"):
        frame = read_parquet(path)
    elif name.endswith(".npz"):
        frame, ids = read_arrays(path)
    else:
        raise DataError(f"expected a table named .csv, .csv.gz, .parquet or .npz, got {path.name}")
    check_names(list(frame.columns), path.name)
    if not len(frame):
        raise DataError(f"{path.name} has no rows; expected one for each step of a series")
    return frame, ids


def read_csv(path: Path, text: tuple[str, ...]) -> Any:
    """The table of a CSV file; a column without a name is left out."""
    pandas = require("pandas", "reading a table")
    how: dict[str, Any] = {"encoding": "utf-8", "skipinitialspace": True, "keep_default_na": False}
    try:
        head = pandas.read_csv(path, header=None, nrows=1, dtype=str, **how)
        header = [str(name).strip() for name in head.iloc[0]]
        check_header(header, path.name)
        places = [name or f"unnamed:{place}" for place, name in enumerate(header)]
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame = pandas.read_csv(
                path,
                header=0,
                names=places,
                index_col=False,
                dtype={name: str for name in text if name in header},
                na_values={name: [""] if name in text else list(MISSING_TEXT) for name in places},
                skip_blank_lines=len(header) > 1,  # where there is but one column, a blank line is a missing value
                low_memory=False,
                dtype_backend="numpy_nullable",  # whole numbers stay so beside a missing one
                **how,
            )
    except UnicodeDecodeError as error:
        raise DataError(f"expected {path.name} in UTF-8, got another encoding ({error}); save it as UTF-8") from error
    except pandas.errors.EmptyDataError as error:
        raise DataError(f"{path.name} is empty; expected a line of column names and a row for each step") from error
    except (pandas.errors.ParserError, pandas.errors.ParserWarning) as error:
        said = str(error).strip().splitlines()[0]
        raise DataError(
            f"expected a value for each column name in every row of {path.name}, got another shape ({said}); correct it"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise ArtifactError(f"{path} cannot be read ({error}); make it again") from error
    return frame[[name for name, given in zip(places, header, strict=True) if given]]


def check_header(header: list[str], where: str) -> None:
    """Raise DataError for names that are none: another delimiter, numbers, or the same name twice."""
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        mark = "a semicolon" if ";" in header[0] else "a tab"
        raise DataError(f"expected commas between the columns of {where}, got {mark}; save it with commas")
    check_names([name for name in header if name], where)
    if header and all(is_number(name) for name in header) and not all(name.isdecimal() for name in header):
        raise DataError(f"expected column names in the first line of {where}, got numbers; add a line of names")


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_names(names: list[str], where: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{where} has several columns named {', '.join(twice)}; give each a name of its own")


def read_parquet(path: Path) -> Any:
    pandas, arrow = require("pandas", "reading a table"), require("pyarrow", "reading Parquet")
    parquet = require("pyarrow.parquet", "reading Parquet")
    try:
        check_names(parquet.read_schema(path).names, path.name)
        frame = pandas.read_parquet(path, dtype_backend="numpy_nullable")
    except DataError:
        raise
    except (OSError, ValueError, arrow.ArrowException) as error:
        raise ArtifactError(f"{path} is not a whole Parquet file ({error}); make it again") from error
    if frame.index.names != [None]:  # pandas keeps a named index apart
        frame = frame.reset_index()
    frame.columns = [str(name) for name in frame.columns]
    return frame


def read_arrays(path: Path) -> tuple[Any, NDArray[np.str_] | None]:
    """The table of an .npz of plain arrays; in three dimensions, the first one tells the sequences apart."""
    pandas = require("pandas", "reading a table")
    arrays = read_npz(path)
    if "channel_names" in arrays:
        raise DataError(f"{path.name} holds windows already; train on it as it is")
    if "values" not in arrays:
        raise DataError(f"expected an array 'values' in {path.name}, got {', '.join(sorted(arrays)) or 'none'}")
    values = arrays["values"]
    if values.dtype.kind not in "biuf" or values.ndim not in (1, 2, 3):
        raise DataError(
            f"expected numbers (rows, columns) or (sequences, time, columns) as 'values' of {path.name}, "
            f"got {values.dtype} of shape {values.shape}"
        )
    ids = np.repeat(np.arange(len(values)).astype(np.str_), values.shape[1]) if values.ndim == 3 else None
    values = values[:, None] if values.ndim == 1 else values
    values = values.reshape(int(np.prod(values.shape[:-1])), values.shape[-1])
    names = arrays.get("columns", np.asarray([f"column_{place}" for place in range(1, values.shape[1] + 1)]))
    if names.shape != (values.shape[1],):
        raise DataError(f"expected {values.shape[1]} names as 'columns' of {path.name}, got shape {names.shape}")
    return pandas.DataFrame(values, columns=[str(name) for name in names]), ids
