"""Reading .npz files without pickled arrays, and tables that are kept in them."""

import zipfile
import zlib
from collections.abc import Container
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ArtifactError, DataError, require

__all__ = ["frame_of_arrays", "read_npz"]


def read_npz(path: Path, only: Container[str] | None = None) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz, none of them pickled; all, or ``only`` those of some names, without reading the others."""
    try:
        # numpy would leave a file open that is no archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if only is None or name in only}
    except FileNotFoundError as error:
        raise ArtifactError(f"expected a file of windows at {path}, but there is none") from error
    except (OSError, ValueError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ArtifactError(f"{path} is not a whole .npz of plain arrays ({error}); make it again") from error


def of_columns(arrays: dict[str, NDArray[Any]]) -> bool:
    """Whether each array is a column, as 'ecgsynth sample' writes rows of a table."""
    own = set(arrays) - {"values", "columns"}
    return bool(own) and len({array.shape for array in arrays.values()}) == 1 and arrays[min(own)].ndim == 1


def columns_of(arrays: dict[str, NDArray[Any]]) -> Any:
    """A column an array; "" is a missing text, NaN a missing number."""
    pandas = require("pandas", "reading a table")
    frame = pandas.DataFrame(index=range(len(next(iter(arrays.values())))))
    for name, array in arrays.items():
        if array.dtype.kind == "U":
            texts = array.astype(object)
            texts[array == ""] = None
            frame[name] = pandas.array(texts, dtype="string")
        else:
            frame[name] = array if array.dtype.kind == "M" else pandas.array(array)
    return frame


def frame_of_arrays(arrays: dict[str, NDArray[Any]], where: str) -> tuple[Any, NDArray[np.str_] | None]:
    """The table in the arrays of an .npz named ``where``; of three dimensions, the first one is the sequences."""
    pandas = require("pandas", "reading a table")
    if "channel_names" in arrays:
        raise DataError(f"{where} holds windows already; train on it as it is")
    if of_columns(arrays):
        return columns_of(arrays), None
    if "values" not in arrays:
        raise DataError(f"expected an array 'values' in {where}, got {', '.join(sorted(arrays)) or 'none'}")
    values = arrays["values"]
    if values.dtype.kind not in "biuf" or values.ndim not in (1, 2, 3):
        raise DataError(
            f"expected numbers (rows, columns) or (sequences, time, columns) as 'values' of {where}, "
            f"got {values.dtype} of shape {values.shape}"
        )
    ids = np.repeat(np.arange(len(values)).astype(np.str_), values.shape[1]) if values.ndim == 3 else None
    values = values[:, None] if values.ndim == 1 else values
    values = values.reshape(int(np.prod(values.shape[:-1])), values.shape[-1])
    names = arrays.get("columns", np.asarray([f"column_{place}" for place in range(1, values.shape[1] + 1)]))
    if names.shape != (values.shape[1],):
        raise DataError(f"expected {values.shape[1]} names as 'columns' of {where}, got shape {names.shape}")
    return pandas.DataFrame(values, columns=[str(name) for name in names]), ids
