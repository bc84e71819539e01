"""The audit of a generator of tables: what attacks find of the persons whose rows it learnt from.

The unit is the person where the table has a column of persons, else the row. Members are the persons of the rows learnt
from. Outside persons are those of the rows that were held out of the training, where they chose its best step and
nothing else, and those of a table of other rows.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgsynth.metrics.progress import Tell, silent

from .encoding.canonical import canonical
from .metrics.crowd import FEWEST_PERSONS, gathered
from .metrics.membership import memberships
from .metrics.risks import risks
from .real import Real, Sampler, Split, real_rows, schema_of
from .schema.schema import Schema

__all__ = ["audit_rows", "audit_table"]

Codes = NDArray[np.int64]

FEWEST_RELEASED, MOST_RELEASED = 5_000, 20_000  # synthetic rows that the attacker has
PER_MEMBER = 5  # of them, between the two

OTHER_TABLE = (
    "this is another table than the one that the generator learnt from, so who was in it is not known and nobody is "
    "attacked; bring the table that it was given"
)
UNKNOWN_TABLE = (
    "whether the generator learnt from this table, and which rows it held out, was not checked: these attacks may have "
    "taken others for members; its run folder knows (--run)"
)
NO_PERSONS = (
    "no column of persons is named: each row was taken for a person, which says too little where persons have several"
)
TEST_WITHOUT_PERSONS = "the table of other rows has no column of persons, so its rows were left out"
HELD_OUT_ONLY = (
    "outside persons are only those whose rows were held out of the training; a table of other rows (--test) makes the "
    "intervals narrower"
)


def audit_table(
    sampler: Sampler,
    real: Path | str | pd.DataFrame,
    *,
    test: Path | str | pd.DataFrame | None = None,
    seed: int = 0,
    run: Path | str | None = None,
    split: Split | None = None,
    on_progress: Tell | None = None,
) -> dict[str, Any]:
    """Attack the persons whose rows a generator learnt from.

    Parameters
    ----------
    sampler
        The generator.
    real
        The table that it was given, of which it held some rows out.
    test
        A table of other rows, of persons that it was not given.
    seed
        Of all that is drawn; and splits the table where its run folder is not known.
    run
        The generator's run folder, which knows by what seed the table was split and whether it is that table.
    split
        As of evaluate_table.
    on_progress
        ``on_progress(stage, done)`` is called with the share that is done, 0 to 1.

    Returns
    -------
    What ``audit_rows`` gives.

    Raises
    ------
    DataError
        For a table of other columns.

    """
    schema = schema_of(sampler.manifest.columns)
    rows = real_rows(sampler, schema, real, test, run, seed, split)
    return audit_rows(sampler, rows, schema, seed=seed, on_progress=on_progress)


def audit_rows(
    sampler: Sampler, rows: Real, schema: Schema, *, seed: int = 0, on_progress: Tell | None = None
) -> dict[str, Any]:
    """Attack the persons of the rows learnt from, beside those of other rows.

    Parameters
    ----------
    sampler
        The generator.
    rows
        The real ones.
    schema
        Of their columns.
    seed
        Of all that is drawn.
    on_progress
        As of ``audit_table``.

    Returns
    -------
    kind, unit
        "table"; "person" or "row".
    members, outside
        How many persons (rows, where the unit is the row) were learnt from, and how many were not.
    attacks
        Of each attack on membership its title and figures (ecgsynth.metrics.attacks.figures), and the area with fewer
        rows of each person.
    risks
        Of singling out, linkability and inference the title and figures (tabular.metrics.risks).
    missing
        What could not be done, or should be known to read the figures, in sentences.

    """
    tell = on_progress or silent
    (members, outside), owners, missing = parties(rows, schema)
    counts = [persons(*side) for side in zip((members, outside), owners or (None, None), strict=True)]
    found: dict[str, Any] = {
        "kind": "table",
        "unit": "row" if rows.person is None else "person",
        "members": counts[0],
        "outside": counts[1],
        "attacks": {},
        "risks": {},
        "missing": missing,
    }
    if rows.same_table is False:
        return found
    if min(counts) < FEWEST_PERSONS:
        missing.append(
            f"attacks need at least {FEWEST_PERSONS} persons learnt from and {FEWEST_PERSONS} others, got {counts[0]} "
            f"and {counts[1]}; bring a table of other rows (--test)"
        )
        return found
    released = min(max(PER_MEMBER * len(members), FEWEST_RELEASED), MOST_RELEASED)
    made = canonical(sampler.sample(released, seed=(seed + 2) % 2**64), schema)  # other rows than those measured before
    tell("attacks", 0.1)
    crowd = gathered(members, outside, made, schema.numbers, owners, seed)
    found["attacks"] = memberships(crowd)
    tell("attacks", 0.4)
    found["risks"] = risks(crowd)
    tell("attacks", 1.0)
    return found


def parties(
    rows: Real, schema: Schema
) -> tuple[tuple[pd.DataFrame, pd.DataFrame], tuple[Codes, Codes] | None, list[str]]:
    """Canonical rows of members and of outside persons, the person of each where known, and what is missing."""
    missing = []
    if rows.same_table is not True:
        missing.append(OTHER_TABLE if rows.same_table is False else UNKNOWN_TABLE)
    outside, test = [rows.unseen], rows.test
    if rows.person is None:
        missing.append(NO_PERSONS)
    elif test is not None:
        known = rows.person in test.columns
        inside = test[rows.person].isin(rows.learn[rows.person]) if known else np.ones(len(test), dtype=bool)
        if not known:
            missing.append(TEST_WITHOUT_PERSONS)
        elif inside.any():
            missing.append(f"{int(inside.sum())} rows of the table of other rows are of persons learnt from; left out")
        test = test[~inside]
    if test is None or not len(test):
        missing.append(HELD_OUT_ONLY)
    else:
        outside.append(test)
    tables = canonical(rows.learn, schema), pd.concat([canonical(some, schema) for some in outside], ignore_index=True)
    if rows.person is None:
        return tables, None, missing
    names = rows.learn[rows.person], pd.concat([some[rows.person] for some in outside])
    codes = pd.factorize(pd.concat(names))[0]
    return tables, (codes[: len(rows.learn)], codes[len(rows.learn) :]), missing


def persons(table: pd.DataFrame, owners: Codes | None) -> int:
    """How many persons a table has."""
    return len(table) if owners is None else len(np.unique(owners))
