"""What one column of a table is, as a record: its kind, its bounds, its categories.

What a kind does with a column, from reading it to writing it, is in ecgsynth.tabular.schema.kinds.
"""

import math
from dataclasses import dataclass

from ecgsynth.core.dtypes import TYPES
from ecgsynth.errors import ConfigError

__all__ = ["DECIMALS", "UNITS_S", "Category", "Column"]

Category = str | float | int | bool

UNITS_S = {"D": 86_400, "s": 1}  # of times, in seconds
LAST_YEAR = 9999
DECIMALS = 6  # digits behind the point, at most, that are taken for the way a column is written


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name
        As in the table's first line.
    kind
        One of ecgsynth.tabular.schema.kinds.
    dtype
        How the user's table holds it: "int64", "float64", "string", "bool" or "datetime64".
    missing
        Whether values may be missing.
    minimum, maximum
        Of numbers and times; of times in ``unit``s since 1970-01-01.
    decimals
        Of continuous, the digits behind the point that the values have; None where they have more than six.
    spikes
        Of numbers, single values that a large share of the rows has.
    categories
        Of categorical and boolean, all of them, in a stable order; of an ordered categorical in its order.
    unit
        Of datetime, "D" or "s".
    format
        Of datetime held as text or whole numbers, as of strftime; of identifier, see ecgsynth.core.identifiers.
    first_year
        Of datetime with a format that has %y, the first of the hundred years that are meant; None for 1969.
    pandas
        The dtype in which pandas held it, see ecgsynth.core.dtypes; None for one that it reads from CSV.

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
    pandas: str | None = None

    def __post_init__(self) -> None:
        for name in ("spikes", "categories"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists
        where = f"column {self.name!r} of the schema"
        if not isinstance(self.missing, bool):
            raise ConfigError(f"{where} has missing {self.missing!r}; write true or false")
        self.check_numbers(where)
        if self.unit is not None and self.unit not in UNITS_S:
            raise ConfigError(f"{where} has the unit {self.unit!r}; write D for days or s for seconds")
        if self.first_year is not None and (
            type(self.first_year) is not int or not 1 <= self.first_year <= LAST_YEAR - 99
        ):
            raise ConfigError(f"{where} has first_year {self.first_year!r}; write a year such as 1925")
        if self.pandas is not None and TYPES.fullmatch(self.pandas) is None:
            raise ConfigError(f"{where} has pandas {self.pandas!r}; write a dtype such as Int64, or leave it out")
        self.check_categories(where)

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

    def check_categories(self, where: str) -> None:
        held = {"int64": int, "float64": float, "string": str, "bool": bool}.get(self.dtype)
        categories: list[Category] = []
        seen: set[Category] = set()  # a list would be gone through for each of many thousands
        for place, value in enumerate(self.categories, start=1):  # not said: most were found in a table
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
