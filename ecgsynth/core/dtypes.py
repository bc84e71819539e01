"""The pandas dtypes in which a user's table held its columns, as words that a file can keep, and back."""

import re
from typing import Any

from ecgsynth.errors import require

__all__ = ["CATEGORY", "ORDERED", "TYPES", "as_type", "type_of"]

CATEGORY, ORDERED = "category", "ordered category"
# The pandas dtypes that are remembered: those that plain pandas does not read from CSV, and that a word makes again.
TYPES = re.compile(
    rf"{CATEGORY}|{ORDERED}|U?Int(8|16|32|64)|int(8|16|32)|uint(8|16|32|64)|Float(32|64)|float(16|32)|boolean"
    r"|string(\[pyarrow\])?|(u?int(8|16|32|64)|float|double|bool)\[pyarrow\]|datetime64\[(s|ms|us|ns)(, [\w/+:\-]+)?\]"
)
ZONED = re.compile(r"datetime64\[(\w+), (.+)\]")


def type_of(dtype: Any) -> str | None:
    """A pandas dtype in words; None for one that plain pandas reads from CSV, or that cannot be made again."""
    if getattr(dtype, "ordered", None):
        return ORDERED
    found = str(dtype)
    if found == "string" and getattr(dtype, "storage", "python") == "pyarrow":
        found = "string[pyarrow]"
    return found if TYPES.fullmatch(found) else None


def as_type(series: Any, word: str | None) -> Any:
    """A pandas Series in the dtype of a word that is no category; as it is where the dtype cannot hold it.

    No text but a word of TYPES reaches pandas, and a time zone that this pandas does not know is passed over.
    """
    if word is None or TYPES.fullmatch(word) is None:
        return series
    pandas = require("pandas", "a data frame")
    try:
        zone = ZONED.fullmatch(word)
        if zone is not None:
            return series.astype(f"datetime64[{zone[1]}]").dt.tz_localize("UTC").astype(word)
        made = series.astype(word)
    except (TypeError, ValueError, ImportError):
        return series
    whole = pandas.api.types.is_integer_dtype(made.dtype)  # numpy's wrap round where a number is too large for them
    return made if not whole or (made.isna() | (made == series)).all() else series
