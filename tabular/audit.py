"""The audit of a generator of tables: what attacks find of the persons whose rows it learnt from.

The unit is the person where the table has a column of persons, else the row. Members are the persons of the rows learnt
from. Outside persons are those of the rows that were held out of the training, where they chose its best step and
nothing else, and those of a table of other rows.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgsynth.core.levels import by_figures
from ecgsynth.metrics.attacks.targets import FEWEST_PERSONS
from ecgsynth.metrics.progress import Tell, silent

from .encoding.canonical import canonical
from .metrics.crowd import Shadow, gathered
from .metrics.membership import memberships
from .metrics.risks import risks
from .real import Real, Sampler, Split, real_rows, schema_of
from .schema.schema import Schema

__all__ = ["Refit", "audit_rows", "audit_table"]

Codes = NDArray[np.int64]
Refit = Callable[[pd.DataFrame, int], Callable[[int, int], pd.DataFrame]]  # (learn, seed) -> draw(n, seed)

FEWEST_RELEASED, MOST_RELEASED = 5_000, 60_000  # synthetic rows that the attacker has
PER_MEMBER = 5  # of them, between the two

OTHER_TABLE = (
    "this is another table than the one that the generator learnt from, so who was in it is not known and nobody was "
    "attacked; bring the table that it was given"
)
UNKNOWN_TABLE = (
    "whether the generator learnt from this table, and which rows it held out, was not checked, so these attacks may "
    "have taken others for members; its run folder knows (--run)"
)
NO_PERSONS = (
    "no column of persons is named, so each row is taken for a person: that is wrong where somebody has several"
)
TEST_WITHOUT_PERSONS = "the table of other rows has no column of persons, so it was left out"
TEST_OF_MEMBERS = "rows of persons learnt from were left out of the table of other rows"
HELD_OUT_ONLY = (
    "only persons whose rows were held out of the training are outside; a table of other rows (--test) makes the "
    "intervals narrower"
)
FEW = (
    f"attacks need at least {FEWEST_PERSONS} persons whom the generator learnt from and {2 * FEWEST_PERSONS} outside; "
    "bring a table of other rows (--test)"
)


def audit_table(
    sampler: Sampler,
    real: Path | str | pd.DataFrame,
    *,
    test: Path | str | pd.DataFrame | None = None,
    seed: int = 0,
    run: Path | str | None = None,
    refit: Refit | None = None,
    split: Split | None = None,
    on_progress: Tell | None = None,
) -> dict[str, Any]:
    """Attack the persons whose rows a generator learnt from, as somebody with its file would.

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
    refit
        Fits the same kind of generator to other rows, for shadow models; where that is cheap.
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
    return audit_rows(sampler, rows, schema, seed=seed, refit=refit, on_progress=on_progress)


def audit_rows(
    sampler: Sampler,
    rows: Real,
    schema: Schema,
    *,
    seed: int = 0,
    refit: Refit | None = None,
    on_progress: Tell | None = None,
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
    seed, refit, on_progress
        As of ``audit_table``.

    Returns
    -------
    kind, unit
        "table"; "person", or "row" where no column of persons is named.
    persons_known, persons_learnt, persons_outside
        Whether persons are known, as they are where each row is one, and how many they are.
    same_training_part
        Whether the generator learnt from this table; None where that was not checked.
    attacks
        By name, what each attack on membership reached (tabular.metrics.membership).
    risks
        By name, what singling out, linkability and inference found (tabular.metrics.risks).
    notes
        What has to be known to read the figures rightly, a sentence each; no count of persons is in it.
    level
        ``name`` of the highest level that these figures allow, and the ``reasons`` why it is no higher.

    """
    tell = on_progress or silent
    (members, outside), owners, notes = parties(rows, schema)
    counts = [persons(*side) for side in zip((members, outside), owners or (None, None), strict=True)]
    found: dict[str, Any] = {
        "kind": "table",
        "unit": "row" if rows.person is None else "person",
        "persons_known": True,
        "persons_learnt": counts[0],
        "persons_outside": counts[1],
        "same_training_part": rows.same_table,
        "attacks": {},
        "risks": {},
        "notes": notes,
    }
    few = counts[0] < FEWEST_PERSONS or counts[1] < 2 * FEWEST_PERSONS  # of whom half are attacked
    if few:
        notes.append(FEW)
    if not few and rows.same_table is not False:
        released = min(max(PER_MEMBER * len(members), FEWEST_RELEASED), MOST_RELEASED)
        seed_of_rows = (seed + 2**32) % 2**64  # rows of a seed that no other measure takes
        made = canonical(sampler.sample(released, seed=seed_of_rows), schema)
        tell("attacks", 0.1)
        crowd = gathered(members, outside, made, schema.numbers, owners, seed)
        if refit is not None:
            crowd = dataclasses.replace(crowd, shadow=shadow_of(refit, rows, schema, crowd.places, released))
        found["attacks"] = memberships(crowd)
        tell("attacks", 0.5)
        found["risks"] = risks(crowd)
    level = by_figures(found)
    found["level"] = {"name": level.name, "reasons": list(level.reasons)}
    tell("attacks", 1.0)
    return found


def shadow_of(refit: Refit, rows: Real, schema: Schema, places: Codes, released: int) -> Shadow:
    """Synthetic rows of models that are fitted to some rows of a crowd."""
    whole = pd.concat(outsiders(rows)[0], ignore_index=True)
    whole = pd.concat([rows.learn, whole], ignore_index=True)

    def made(some: Codes, seed: int) -> pd.DataFrame:
        draw = refit(whole.iloc[places[some]].reset_index(drop=True), seed)
        return canonical(draw(released, seed), schema)

    return made


def outsiders(rows: Real) -> tuple[list[pd.DataFrame], list[str]]:
    """The tables of outside persons, and notes on them."""
    if rows.test is None:
        return [rows.unseen], [HELD_OUT_ONLY]
    if rows.person is None:
        return [rows.unseen, rows.test], []
    if rows.person not in rows.test.columns:
        return [rows.unseen], [TEST_WITHOUT_PERSONS]
    inside = rows.test[rows.person].isin(rows.learn[rows.person])
    return [rows.unseen, rows.test[~inside]], [TEST_OF_MEMBERS] if inside.any() else []


def parties(
    rows: Real, schema: Schema
) -> tuple[tuple[pd.DataFrame, pd.DataFrame], tuple[Codes, Codes] | None, list[str]]:
    """Canonical rows of members and of outside persons, the person of each where known, and notes."""
    notes = []
    if rows.same_table is not True:
        notes.append(OTHER_TABLE if rows.same_table is False else UNKNOWN_TABLE)
    if rows.person is None:
        notes.append(NO_PERSONS)
    outside, more = outsiders(rows)
    notes += more
    tables = canonical(rows.learn, schema), pd.concat([canonical(some, schema) for some in outside], ignore_index=True)
    if rows.person is None:
        return tables, None, notes
    names = [frame[rows.person].astype(object) for frame in (rows.learn, *outside)]
    codes = pd.factorize(pd.concat(names))[0]
    return tables, (codes[: len(rows.learn)], codes[len(rows.learn) :]), notes


def persons(table: pd.DataFrame, owners: Codes | None) -> int:
    """How many persons a table has."""
    return len(table) if owners is None else len(np.unique(owners))
