"""The kinds of columns: each is one entry here and one in ecgsynth.export.kinds, and nothing else knows their names."""

from ecgsynth.errors import ConfigError

from .categories import Boolean, Categorical
from .columns import Column
from .identity import Identifier
from .kind import Kind
from .numbers import Continuous, Integer
from .times import Datetime

__all__ = ["KINDS", "check_column", "kind_of"]

# In the order in which a column is tried for them: the first that it can be is what it is.
KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (Boolean(), Datetime(), Identifier(), Categorical(), Integer(), Continuous())
}


def kind_of(column: Column) -> Kind:
    """The kind of a column."""
    return KINDS[column.kind]


def check_column(column: Column) -> None:
    """Raise ConfigError for a kind that there is not, and for what a column of its kind cannot be."""
    where = f"column {column.name!r} of the schema"
    if column.kind not in KINDS:
        raise ConfigError(f"{where} has the kind {column.kind!r}; the kinds are {', '.join(KINDS)}")
    kind = kind_of(column)
    kind.check(column, where)
    if column.dtype not in kind.dtypes:
        raise ConfigError(
            f"{where} is {column.kind}, so its dtype is one of {', '.join(kind.dtypes)}, got {column.dtype!r}"
        )
    if column.first_year is not None and "first_year" not in kind.settings:
        raise ConfigError(f"{where} has first_year, which is for times whose format has %y; leave it out")
