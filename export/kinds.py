"""The kinds of columns as rows are drawn: from the canonical values that a graph makes to those of the user's table.

A kind is one entry of KINDS here, and one of ecgsynth.tabular.schema.kinds, where columns are read and learnt. Nothing
else knows kinds by their names: it asks for their canonical form, or calls their functions. numpy is all that it takes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.dates import format_times
from ecgsynth.core.identifiers import capacity, make
from ecgsynth.errors import ArtifactError

from .manifest import TableColumn

__all__ = ["KINDS", "MISSING_WHOLE", "Form", "RowKind", "row_kind"]

MISSING_WHOLE = np.iinfo(np.int64).min  # stands for a missing whole number, as NumPy's NaT does; -1 may be a value
SINGLE_DIGITS = 7  # that a float32 has
MOST_NAMED = 8  # categories that are said

Floats = NDArray[np.float64]
# Numbers (n,), NaN or MISSING_WHOLE where missing; codes (n,) int64, indices into categories, -1 where missing; or
# nothing: a column that is never learnt, and made anew for each row.
Form = Literal["number", "code"] | None


def as_made(column: TableColumn, values: NDArray[Any]) -> NDArray[Any]:
    """Canonical values as they are."""
    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class RowKind:
    """What a kind of column is when rows are drawn.

    Attributes
    ----------
    name
        As in schemas and manifests.
    form
        The canonical form of its values.
    whole
        Of numbers, whether the graph makes whole ones, int64, and not float32.
    facts
        What of the schema's settings a manifest says of it, beside bounds, decimals and categories.
    restore
        Canonical values (n,) that a graph made -> (n,) those of the user's table.
    anew
        Of a column that is not learnt: its values (rows,) for rows and a seed.
    holds
        Of a column that is not learnt: how many different values there are.
    said
        Its values in few words.

    """

    name: str
    form: Form
    whole: bool = False
    facts: tuple[str, ...] = ()
    restore: Callable[[TableColumn, NDArray[Any]], NDArray[Any]] = as_made
    anew: Callable[[TableColumn, range, int], NDArray[Any]] | None = None
    holds: Callable[[TableColumn], int] | None = None
    said: Callable[[TableColumn], str]


def row_kind(column: TableColumn) -> RowKind:
    """The kind of a column; ArtifactError for one that this version does not know."""
    if column.kind not in KINDS:
        raise ArtifactError(
            f"column {column.name!r} is of the kind {column.kind!r}, which this version does not know; upgrade ecgsynth"
        )
    return KINDS[column.kind]


# ---- numbers


def restore_continuous(column: TableColumn, values: NDArray[Any]) -> NDArray[Any]:
    """Numbers rounded as the table's are."""
    found = rounded(values.astype(np.float64), column)
    return found.astype(np.int64) if column.dtype == "int64" and not column.missing else found


def rounded(values: Floats, column: TableColumn) -> Floats:
    """The numbers that single precision stood for: with the column's decimals, or as many digits as it has."""
    bounds = column.minimum, column.maximum  # single precision, or rounding, may step over them
    if column.decimals is not None:
        return np.clip(np.round(values, column.decimals), *bounds)
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = 10.0 ** (SINGLE_DIGITS - 1 - np.floor(np.log10(np.abs(values))))
        found = np.round(values * unit) / unit
    return np.clip(np.where(np.isfinite(found), found, values), *bounds)


def restore_whole(column: TableColumn, values: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers; NaN where missing."""
    if column.dtype == "int64" and not column.missing:
        return values
    return np.where(values == MISSING_WHOLE, np.nan, values.astype(np.float64))


def said_number(column: TableColumn) -> str:
    """The range of numbers, in words."""
    return f"{column.minimum:g} to {column.maximum:g}"


# ---- times


def restore_times(column: TableColumn, values: NDArray[Any]) -> NDArray[Any]:
    """Times as text of the table's format, as whole numbers such as 20240131, or as datetime64."""
    missing, unit = values == MISSING_WHOLE, column.unit or "s"
    if column.dtype not in ("string", "int64"):
        times = np.where(missing, 0, values).astype(f"datetime64[{unit}]")
        times[missing] = np.datetime64("NaT")
        return times
    texts = np.full(len(values), None, dtype=object)
    texts[~missing] = format_times(values[~missing].astype(np.float64), unit, column.format or "%Y-%m-%d")
    if column.dtype == "string":
        return texts
    if not column.missing:
        return texts.astype(np.int64)
    return np.array([np.nan if text is None else float(text) for text in texts], dtype=np.float64)


def said_times(column: TableColumn) -> str:
    """How times are written."""
    return f"as {column.format or 'times'}"


# ---- categories


def restore_category(column: TableColumn, codes: NDArray[Any]) -> NDArray[Any]:
    """The category of each code, -1 where missing: texts, or numbers of their own type."""
    categories, gaps = column.categories, bool((codes < 0).any())
    if column.dtype == "string" or (column.dtype == "bool" and gaps):
        known = np.array([*categories, None], dtype=object)
    elif gaps:
        known = np.array([*categories, np.nan], dtype=np.float64)
    else:
        known = np.array(categories, dtype=column.dtype)
    return np.asarray(known[codes])


def said_categories(column: TableColumn) -> str:
    """The categories, as many as are read at a glance."""
    shown = [str(category) for category in column.categories[:MOST_NAMED]]
    return ", ".join([*shown, *(["..."] if len(column.categories) > MOST_NAMED else [])])


# ---- identifiers


def make_identifiers(column: TableColumn, rows: range, seed: int) -> NDArray[Any]:
    """New identifiers of the table's format, all different."""
    texts = make(column.format or "1..", rows, seed)
    return texts.astype(np.int64) if column.dtype == "int64" else texts.astype(object)


KINDS = {
    kind.name: kind
    for kind in (
        RowKind(name="boolean", form="code", restore=restore_category, said=said_categories),
        RowKind(
            name="datetime",
            form="number",
            whole=True,
            facts=("unit", "format", "first_year"),
            restore=restore_times,
            said=said_times,
        ),
        RowKind(
            name="identifier",
            form=None,
            facts=("format",),
            anew=make_identifiers,
            holds=lambda column: capacity(column.format or "1.."),
            said=lambda column: f"made anew as {column.format}",
        ),
        RowKind(name="categorical", form="code", restore=restore_category, said=said_categories),
        RowKind(name="integer", form="number", whole=True, restore=restore_whole, said=said_number),
        RowKind(name="continuous", form="number", restore=restore_continuous, said=said_number),
    )
}
