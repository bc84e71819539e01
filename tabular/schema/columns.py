"""What one column of a table is: its kind, its bounds, its categories; its values in canonical form, and back."""

import math
import re
from collections import defaultdict
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.dates import check_format, format_times, parse_times, unit_of
from ecgsynth.core.identifiers import parse as parse_identifier
from ecgsynth.errors import ConfigError, DataError, require

from .centuries import two_digits
from .reading import Held

__all__ = ["DECIMALS", "KINDS", "UNITS", "Category", "Column"]

Floats = NDArray[np.float64]
Category = str | float | int | bool

KINDS = ("continuous", "integer", "categorical", "boolean", "datetime", "identifier")
UNITS = {"D": 86_400, "s": 1}  # seconds
LAST_YEAR = 9999
CODE = re.compile(r"[0-9]+")
DECIMALS = 6  # digits behind the point, at most, that are taken for the way a column is written

# The settings that a kind has beside name, kind, dtype and missing.
SETTINGS = {
    "continuous": ("minimum", "maximum", "decimals", "spikes"),
    "integer": ("minimum", "maximum", "spikes"),
    "categorical": ("categories",),
    "boolean": ("categories",),
    "datetime": ("minimum", "maximum", "unit", "format", "first_year"),
    "identifier": ("format",),
}
KINDS_OF = {  # the dtypes that each kind can have
    "continuous": ("int64", "float64"),
    "integer": ("int64", "float64"),
    "categorical": ("int64", "float64", "string", "bool"),
    "boolean": ("bool",),
    "datetime": ("string", "datetime64", "int64"),
    "identifier": ("int64", "string"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    name: as in the table's first line
    kind: one of KINDS
    dtype: how the user's table holds it: "int64", "float64", "string", "bool" or "datetime64"
    missing: whether values may be missing
    minimum, maximum: of continuous, integer and datetime; of datetime in ``unit``s since 1970-01-01
    decimals: of continuous, the digits behind the point that the values have; None where they have more than six
    spikes: of numbers, single values that a large share of the rows has
    categories: of categorical and boolean, all of them, in a stable order
    unit: of datetime, "D" or "s"
    format: of datetime held as text or whole numbers, as of strftime; of identifier, see export.identifiers
    first_year: of datetime whose format has %y, the first of the hundred years that are meant; None for 1969
    """

    name: str
    kind: str
    dtype: str
    missing: bool = False
    minimum: float | None = None
    maximum: float | None = None
    decimals: int | None = None
    spikes: tuple[float, ...] = ()
    categories: tuple[Category, ...] = ()
    unit: str | None = None
    format: str | None = None
    first_year: int | None = None

    def __post_init__(self) -> None:
        for name in ("spikes", "categories"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists
        where = f"column {self.name!r} of the schema"
        if self.kind not in KINDS:
            raise ConfigError(f"{where} has the kind {self.kind!r}; the kinds are {', '.join(KINDS)}")
        if self.dtype not in KINDS_OF[self.kind]:
            raise ConfigError(f"{where} is {self.kind}, so its dtype is one of {', '.join(KINDS_OF[self.kind])}, "
                              f"got {self.dtype!r}")  # fmt: skip
        if not isinstance(self.missing, bool):
            raise ConfigError(f"{where} has missing {self.missing!r}; write true or false")
        self.check_numbers(where)
        if self.unit is not None and self.unit not in UNITS:
            raise ConfigError(f"{where} has the unit {self.unit!r}; write D for days or s for seconds")
        if self.format is not None:
            if self.kind == "identifier":
                parse_identifier(self.format)
            else:
                check_format(self.format)
        self.check_first_year(where)
        self.check_categories(where)

    @property
    def rounding(self) -> int | None:
        """Digits behind the point to which what is made is rounded; None for none."""
        return self.decimals if self.kind == "continuous" and self.dtype != "int64" else 0

    def check_numbers(self, where: str) -> None:
        for name, value in (
            ("minimum", self.minimum),
            ("maximum", self.maximum),
            *(("spikes", v) for v in self.spikes),
        ):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and math.isfinite(value)):
                raise ConfigError(f"{where} has {value!r} in {name}; write a finite number")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ConfigError(f"{where} has a minimum above its maximum; correct one of them")  # one may be inferred
        if self.decimals is not None and (type(self.decimals) is not int or not 0 <= self.decimals <= DECIMALS):
            raise ConfigError(f"{where} has decimals {self.decimals!r}; write a whole number from 0 to {DECIMALS}")

    def check_first_year(self, where: str) -> None:
        if self.first_year is None:
            return
        if type(self.first_year) is not int or not 1 <= self.first_year <= LAST_YEAR - 99:
            raise ConfigError(f"{where} has first_year {self.first_year!r}; write a year such as 1925")
        if self.kind != "datetime" or (self.format is not None and not two_digits(self.format)):
            raise ConfigError(f"{where} has first_year, which is for times whose format has %y; leave it out")

    def check_categories(self, where: str) -> None:
        held = {"int64": int, "float64": float, "string": str, "bool": bool}.get(self.dtype)
        categories: list[Category] = []
        seen: set[Category] = set()  # a list would be gone through for each of many thousands
        for place, value in enumerate(self.categories, start=1):  # not told: most were found in a table
            if held is float and type(value) is int:
                value = float(value)  # 1 is as good as 1.0 in JSON
            if type(value) is not held:
                raise ConfigError(
                    f"{where} has a {type(value).__name__} as category {place}, but its dtype is {self.dtype}; "
                    "write it as such"
                )
            if value in seen:
                raise ConfigError(f"{where} has its category {place} twice; remove one")
            seen.add(value)
            categories.append(value)
        object.__setattr__(self, "categories", tuple(categories))

    def to_json(self) -> dict[str, Any]:
        """What applies to the kind and is given, as plain values."""
        content: dict[str, Any] = {"name": self.name, "kind": self.kind, "dtype": self.dtype}
        if self.missing:
            content["missing"] = True
        for name in SETTINGS[self.kind]:
            value = getattr(self, name)
            if value is not None and value != ():
                content[name] = list(value) if isinstance(value, tuple) else value
        return content

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """A column from what ``to_json`` gave or a user wrote; what its kind does not have is left out.

        A user may so change the kind alone. Raises ConfigError for what is no column, and for unknown keys.
        """
        if not isinstance(content, dict) or not isinstance(content.get("name"), str):
            raise ConfigError(
                f"every column of a schema is an object with a name, got {type(content).__name__} without"
            )
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(content) - set(known))
        if unknown:
            raise ConfigError(
                f"column {content['name']!r} of the schema has {', '.join(unknown)}, which is not known; "
                f"the keys are {', '.join(known)}"
            )
        absent = [name for name in ("kind", "dtype") if not isinstance(content.get(name), str)]
        if absent:
            raise ConfigError(f"column {content['name']!r} of the schema has no {absent[0]}; write one as a text")
        kind, dtype = content["kind"], content["dtype"]
        kept = {"name", "kind", "dtype", "missing", *SETTINGS.get(kind, ())}
        given = {key: value for key, value in content.items() if key in kept and value is not None}
        if kind in ("datetime", "identifier") and "format" in given and not format_fits(kind, str(given["format"])):
            raise ConfigError(
                f"column {content['name']!r} of the schema has the format {given['format']!r}, which no "
                f"{kind} has; write another or leave it out"
            )
        for key in ("unit", "format"):
            if not isinstance(given.get(key, ""), str):
                raise ConfigError(f"column {content['name']!r} of the schema has {key} {given[key]!r}; write a text")
        for key in ("spikes", "categories"):
            if not isinstance(given.get(key, []), list):
                raise ConfigError(f"column {content['name']!r} of the schema has {key} {given[key]!r}; write a list")
        if kind == "boolean" and dtype != "bool":
            raise ConfigError(f"column {content['name']!r} holds {dtype}, so it is categorical, not boolean")
        return cls(**given)

    # ---- canonical values

    def encode(self, held: "Held", *, strict: bool = True) -> NDArray[Any]:
        """What a table holds of this column -> canonical values: (rows,) float64 with NaN, or int64 with -1.

        Raises DataError where the data contradict the column; not ``strict``: bounds may be passed and what is no
        category counts as missing.
        """
        if strict and not self.missing and held.missing.any():
            first = int(held.missing.argmax()) + 1
            raise DataError(
                f"column {self.name!r} has {int(held.missing.sum())} missing values, the first in row {first}, and the "
                "schema allows none; fill them or set missing to true"
            )
        if self.kind in ("categorical", "boolean"):
            return self.encode_categories(held, strict=strict)
        values = self.encode_times(held) if self.kind == "datetime" else self.encode_numbers(held)
        if strict:
            self.check_bounds(values)
        return values

    def encode_numbers(self, held: "Held") -> Floats:
        values = held.numbers(self.name, f"the schema says {self.kind}")
        if self.kind == "integer":
            broken = ~np.isnan(values) & (values != np.round(values))
            if broken.any():
                raise DataError(
                    f"column {self.name!r} has no whole number in row {broken.argmax() + 1}, and the schema says "
                    "integer; correct the value or set the kind to continuous"
                )
        return values

    def encode_times(self, held: "Held") -> Floats:
        unit = self.unit or "s"
        if held.dtype == "datetime64":
            seconds = held.values.astype("datetime64[s]").astype(np.int64).astype(np.float64)
            values = np.floor(seconds / UNITS[unit])
            values[held.missing] = np.nan
            return values
        if self.format is None or held.dtype not in ("string", "int64"):
            raise DataError(
                f"column {self.name!r} holds {held.dtype}, and the schema says datetime; give it a format such as "
                "%Y-%m-%d or another kind"
            )
        values = np.full(len(held.missing), np.nan)
        known = ~held.missing
        distinct, places = np.unique(held.texts(), return_inverse=True)
        values[known] = parse_times(distinct.tolist(), self.format, self.first_year)[places]
        broken = known & np.isnan(values)
        if broken.any():
            raise DataError(
                f"column {self.name!r} has no time of the format {self.format!r} in row {broken.argmax() + 1}; "
                "correct the value or the schema"
            )
        return values if unit_of(self.format) == unit else values * UNITS[unit_of(self.format)] / UNITS[unit]

    def check_bounds(self, values: Floats) -> None:
        for bound, beyond, said in (
            (self.minimum, np.less, "below its minimum"),
            (self.maximum, np.greater, "above its maximum"),
        ):
            if bound is None:
                continue
            broken = beyond(values, bound)  # False where missing
            if broken.any():
                raise DataError(  # without the bound: where it was inferred, it is somebody's value
                    f"column {self.name!r} has a value in row {broken.argmax() + 1} that is {said} in the schema; "
                    "correct the value or the bound"
                )

    def encode_categories(self, held: "Held", *, strict: bool) -> NDArray[np.int64]:
        pandas = require("pandas", "reading a table")
        if self.dtype == "string":
            values = np.full(len(held.missing), None, dtype=object)
            values[~held.missing] = held.texts() if held.dtype == "string" else self.as_written(held.texts())
        elif held.dtype == "string":
            values = held.values  # nothing of it is a category, and the first row is named
        else:
            values = held.values.astype(np.float64)  # 1 and 1.0 and True are one
        codes = np.asarray(pandas.Index(list(self.categories)).astype(values.dtype).get_indexer(values), dtype=np.int64)
        codes[held.missing] = -1
        unknown = (codes < 0) & ~held.missing
        if strict and unknown.any():
            number = f" and {int(unknown.sum()) - 1} more" if unknown.sum() > 1 else ""
            raise DataError(
                f"column {self.name!r} has in row {unknown.argmax() + 1}{number} what is none of its categories in the "
                "schema; correct the value or add the category"
            )
        return codes

    def as_written(self, texts: NDArray[Any]) -> NDArray[Any]:
        """Whole numbers as text, with the zeros before them that were lost where codes such as 00032 became numbers.

        They are those of the one category that has the number; or, of a number that none has, as many as make it as
        long as all categories with a zero before them are. What is not so certain stays as it is.
        """
        codes = [str(category) for category in self.categories if CODE.fullmatch(str(category))]
        widths = {len(code) for code in codes if code[0] == "0" and len(code) > 1}
        if not widths:
            return texts
        known, by_number = set(self.categories), defaultdict[int, list[str]](list)
        for code in codes:
            by_number[int(code)].append(code)

        def written(text: str) -> str:
            if text in known or not CODE.fullmatch(text):
                return text
            same = by_number.get(int(text), [])
            if same:
                return same[0] if len(same) == 1 else text
            return text.zfill(max(widths)) if len(widths) == 1 else text

        distinct, places = np.unique(texts.astype(str), return_inverse=True)
        return np.array([*map(written, distinct.tolist()), None], dtype=object)[places]

    def decode(self, values: NDArray[Any]) -> Any:
        """Canonical values -> a pandas Series as plain pandas reads the user's table.

        Text and times with a format are objects, NaN where missing; whole numbers and truth beside a missing one are
        pandas' own Int64 and boolean, so that they are written as they were.
        """
        pandas = require("pandas", "writing a table")
        if self.kind in ("categorical", "boolean"):
            missing = values < 0
            table = np.asarray(
                self.categories, dtype={"string": object, "datetime64": object}.get(self.dtype, self.dtype)
            )
            found: NDArray[Any] = table[np.where(missing, 0, values)]
        else:
            missing = np.isnan(values)
            found = np.where(missing, 0.0 if self.minimum is None else self.minimum, values)
            if self.kind == "datetime":
                return self.decode_times(found, missing)
            if self.kind == "continuous" and self.decimals is not None:
                found = np.round(found, self.decimals)
        if self.dtype == "string":
            found[missing] = np.nan
            return pandas.Series(found, name=self.name, dtype=object)
        if self.dtype == "float64":
            found = np.where(missing, np.nan, found)
        elif self.dtype == "int64":
            found = np.round(found).astype(np.int64)
        series = pandas.Series(found.astype(self.dtype), name=self.name)
        if self.dtype != "float64" and missing.any():
            series = series.astype({"int64": "Int64", "bool": "boolean"}[self.dtype])
            series[missing] = pandas.NA
        return series

    def decode_times(self, values: Floats, missing: NDArray[np.bool_]) -> Any:
        pandas = require("pandas", "writing a table")
        unit = self.unit or "s"
        if self.dtype == "datetime64":
            times = (values * UNITS[unit]).astype(np.int64).astype("datetime64[s]")
            times[missing] = np.datetime64("NaT")
            return pandas.Series(times, name=self.name)
        texts = format_times(values, unit, self.format or "%Y-%m-%d").astype(object)
        if self.dtype == "int64":
            series = pandas.Series(texts.astype(np.int64), name=self.name)
            if missing.any():
                series = series.astype("Int64")
                series[missing] = pandas.NA
            return series
        texts[missing] = np.nan
        return pandas.Series(texts, name=self.name, dtype=object)

    def said(self, value: float) -> str:
        """A canonical number or time as a person reads it."""
        if self.kind == "datetime":
            unit = self.unit or "s"
            at = np.datetime64(int(value * UNITS[unit]), "s")
            return str(at.astype("datetime64[D]") if unit == "D" else at).replace("T", " ")
        return f"{int(value)}" if value == int(value) else repr(float(value))


def format_fits(kind: str, form: str) -> bool:
    """Whether a format can be read as one of the kind: a date's is none of an identifier."""
    try:
        (parse_identifier if kind == "identifier" else check_format)(form)
    except ConfigError:
        return False
    return True
