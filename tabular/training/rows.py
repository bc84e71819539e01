"""The rows of a data frame: which are learnt from, kept apart, asked for, and which person each belongs to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ConfigError, DataError, require

from ..models.model import Arrays
from ..schema.kinds import kind_of
from ..schema.schema import Schema

__all__ = ["CHECK_SHARE", "Prepared", "asked_rows", "owners_in", "prepared", "split_rows"]

CHECK_SHARE = 0.1  # of the rows, kept apart to choose the best step by, and to measure privacy against
MIN_ROWS = 20  # below which there is nothing to learn and nothing to check


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A table that is ready to be learnt.

    Parameters
    ----------
    schema
        Of all of its columns.
    arrays
        Its canonical columns, (rows,) each.
    owners
        (rows,) the person of each row, None where every row is a person's own.
    learn, check
        The rows that are learnt from and those that are kept apart.

    """

    schema: Schema
    arrays: Arrays
    owners: NDArray[np.int64] | None
    learn: NDArray[np.int64]
    check: NDArray[np.int64]

    @property
    def learnt(self) -> Arrays:
        """The columns of the rows that are learnt from."""
        return {name: values[self.learn] for name, values in self.arrays.items()}

    @property
    def checked(self) -> Arrays:
        """The columns of the rows that are kept apart."""
        return {name: values[self.check] for name, values in self.arrays.items()}

    @property
    def learnt_owners(self) -> NDArray[np.int64] | None:
        """The person of each row that is learnt from."""
        return None if self.owners is None else self.owners[self.learn]


def prepared(frame: Any, schema: Schema | None, seed: int, person: str | None = None) -> Prepared:
    """A pandas data frame made ready.

    Parameters
    ----------
    frame
        The table.
    schema
        Of its columns; what it leaves open, or all of it, is inferred.
    seed
        By which rows are kept apart.
    person
        The column that names the person of each row; without it every row is a person's own.

    Raises
    ------
    DataError
        For too few rows or persons, or columns that cannot be learnt from.
    ConfigError
        For an unknown column of persons, or one that the schema takes for anything but an identifier.

    """
    if len(frame) < MIN_ROWS:
        raise DataError(f"expected a table of {MIN_ROWS} rows or more to learn from, got {len(frame)}")
    owners = None if person is None else owners_in(frame, person)
    schema = Schema.infer(frame, person=person) if schema is None else schema.completed(frame)
    if person is not None and person in schema.names and kind_of(schema[person]).form is not None:
        raise ConfigError(
            f"the schema says that column {person!r} is {schema[person].kind}, but it names each row's person; "
            "make it an identifier, or take it out of the schema"
        )
    arrays = schema.arrays(frame)
    learn, check = split_rows(len(frame), seed, owners=owners)
    return Prepared(schema=schema, arrays=arrays, owners=owners, learn=learn, check=check)


def owners_in(frame: Any, person: str) -> NDArray[np.int64]:
    """(rows,) the person of each row as a number.

    Raises
    ------
    ConfigError
        Where there is no such column.
    DataError
        Where the person of a row is missing, or there are too few persons to keep some apart.

    """
    pandas = require("pandas", "training on a table")
    if person not in frame.columns:
        raise ConfigError(f"there is no column {person!r} to name each row's person by; there are {', '.join(frame)}")
    missing = int(frame[person].isna().sum())
    if missing:
        raise DataError(
            f"column {person!r} names each row's person, and is missing in {missing} rows; fill or drop them"
        )
    owners = np.asarray(pandas.factorize(frame[person])[0], dtype=np.int64)
    if owners.max(initial=0) < 2:
        raise DataError(f"column {person!r} has fewer than three persons; some are needed to learn and one to check by")
    return owners


def split_rows(
    n: int, seed: int, share: float = CHECK_SHARE, owners: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows that are learnt from and those that are kept apart, at random, each in order.

    Parameters
    ----------
    n
        How many rows there are.
    seed
        The same seed parts them in the same way.
    share
        Of the rows, or of the persons, that is kept apart.
    owners
        (n,) the person of each row, none of whom is then in both.

    """
    rng = np.random.default_rng(seed)
    if owners is None:
        order = rng.permutation(n)
        cut = max(1, round(share * n))
        return np.sort(order[cut:]), np.sort(order[:cut])
    people = rng.permutation(int(owners.max()) + 1)
    apart = np.isin(owners, people[: max(1, round(share * len(people)))])
    return np.flatnonzero(~apart), np.flatnonzero(apart)


def asked_rows(frame: Any, where: dict[str, str]) -> Any:
    """The rows of a data frame that have these values.

    Parameters
    ----------
    frame
        A pandas data frame.
    where
        Values by column, as text: 1 is 1.0 too.

    Raises
    ------
    ConfigError
        For a column that the frame does not have.
    DataError
        For a value that no row has.

    """
    for name, value in where.items():
        if name not in frame.columns:
            raise ConfigError(f"there is no column {name!r} to choose rows by; there are {', '.join(frame.columns)}")
        column = frame[name]
        kept = column.astype("string").str.strip() == value.strip()
        try:
            kept |= column.astype("Float64") == float(value)
        except (TypeError, ValueError):  # one of them is no number
            pass
        frame = frame[kept.fillna(False).to_numpy(dtype=bool)]
        if not len(frame):
            raise DataError(f"no row has {name}={value}; look at its values with 'ecgsynth schema'")
    return frame
