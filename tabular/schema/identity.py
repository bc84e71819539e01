"""Whether a column only tells rows or persons apart, by its name and by whether its values are all different."""

import re
from collections import Counter

import numpy as np

from ecgsynth.errors import DataError

from .columns import Column
from .patterns import number_pattern, pattern_of
from .reading import Held

__all__ = ["identifier_of", "person_column", "says_identifier"]

FEW = 5  # rows: of fewer, nothing is said about whether they are all different
SURE = 20  # rows: whole numbers that are all different in so many are no amounts
UNIQUE = 0.95  # of the rows: text, or numbers named as identifiers, of which so many are different tells rows apart
STILL = 0.9  # of the rows: a column in which so many are the same tells nobody apart

PAPERS = "mrn|ssn|nhs|pid|passport"
NAMES = "name|full_name|first_name|last_name|surname|email|phone"
PERSONS = "patient|subject|customer|person|member|client|participant|respondent|employee|student|user"
ENDING = "id|ids|uid|uuid|no|nr|num|number|key"
ID_NAME = re.compile(r"(^|[_\-. ])(id|ids|uid|uuid|key|nr|index)$|(^|[_\-. a-z])(ID|Id)$|^(id|ID|Id)[_\-. ]", re.ASCII)
ENTRY = re.compile(rf"(^|_)(account|case|record)(_?({ENDING}))?$")
PERSON = re.compile(rf"(^|_)(({PAPERS}|({PERSONS})_?({ENDING}))|({PAPERS})_?({ENDING})|(?P<noun>{PERSONS}))$")
AMOUNT = re.compile(r"(^|_)(age|year)s?(_|$)")  # all different in a small table, and yet no identifiers
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def written(name: str) -> str:
    """A name in small letters with a line between its words: patientId and "Patient ID" are patient_id."""
    return "_".join(WORD.findall(name)).lower()


def says_identifier(name: str) -> bool:
    """Whether a name says that a column tells rows or persons apart."""
    plain = written(name)
    return bool(ID_NAME.search(name) or ENTRY.search(plain) or PERSON.search(plain))


def persons_of(name: str) -> int | None:
    """How many different values a column that is named after persons may have and still be a category; else None.

    A member may be gold, silver or none, and a subject mathematics, and an id a shop's; a patient_id is always
    somebody's.
    """
    plain = written(name)
    found = PERSON.search(plain)
    if found is not None and not found["noun"]:
        return FEW
    return SURE if found or ID_NAME.search(name) or ENTRY.search(plain) or re.fullmatch(NAMES, plain) else None


def identifier_of(whole: Held, name: str) -> tuple[Column, str] | None:
    """The identifier that a column is, and a note where its name does not say so; None where it is none.

    ``whole``: the column in all rows of the table. Whole numbers from 0 up that are all different are identifiers,
    and so is text of which nearly all is. Raises DataError for text of that kind without one format, and for a column
    named after persons in which persons have several rows.
    """
    if whole.dtype not in ("string", "int64", "float64"):
        return None
    known = whole.known()
    if whole.dtype != "string" and (known != np.round(known)).any():
        return None
    counts = Counter(known.tolist())
    check_persons(name, list(counts.values()))
    rows, different = len(known), len(counts)
    if rows < FEW or different < UNIQUE * rows:
        return None
    if whole.dtype == "string":
        form = pattern_of(known)
        if form is None:
            raise DataError(
                f"column {name!r} holds {different} different texts in {rows} rows without one format: it is no "
                "category and cannot be made anew; leave it out"
            )
        return Column(name=name, kind="identifier", dtype="string", format=form), ""
    named = says_identifier(name)
    if (min(counts) < 0 and PERSON.search(written(name)) is None) or AMOUNT.search(written(name)):
        return None
    if not named and (rows < SURE or different < rows):
        return None
    form = number_pattern(whole.texts())
    column = Column(name=name, kind="identifier", dtype="int64", format=form)
    return column, "" if named else (
        f"column {name!r}: whole numbers that are all different are taken as identifiers and made anew; if they are "
        "amounts, set its kind to integer in a schema"
    )


def check_persons(name: str, counts: list[int]) -> None:
    """Raise DataError for a column named after persons that have several rows; ``counts``: the rows of each value."""
    few, rows = persons_of(name), sum(counts)
    if few is None or not few < len(counts) < rows or max(counts) >= STILL * rows:
        return
    raise DataError(
        f"column {name!r} has {len(counts)} different values in {rows} rows, so its rows belong to persons: name it "
        f"with --person {name} so that each person counts once, or take it out or, if it names none, set its kind in a "
        "schema"
    )


def person_column(held: Held, name: str) -> Column:
    """The column that says whose each row is: an identifier with the format of its values, or else a counter."""
    texts = sorted(set(held.texts().tolist()))
    whole = held.dtype in ("int64", "float64") and bool((held.known() == np.round(held.known())).all())
    form = number_pattern(texts) if whole else pattern_of(texts)
    return Column(name=name, kind="identifier", dtype="int64" if whole else "string", format=form or "1..")
