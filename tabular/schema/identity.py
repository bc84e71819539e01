"""Whether a column only identifies rows or persons, by its name and by whether its values are all different."""

import re
from collections import Counter
from dataclasses import replace
from datetime import date

from ecgsynth.core.identifiers import parse
from ecgsynth.errors import ConfigError, DataError

from .columns import Column
from .kind import Found, Kind, Seen
from .numbers import is_whole
from .patterns import number_pattern, pattern_of
from .reading import ColumnValues

__all__ = ["Identifier", "person_column", "says_identifier"]

FEW_ROWS = 5  # with fewer, it is not judged whether they are all different
SURE_ROWS = 20  # whole numbers that are all different in so many rows are no amounts
UNIQUE_SHARE = 0.95  # of the rows: text, or numbers named as identifiers, so many of which differ identify rows
SAME_SHARE = 0.9  # of the rows: a column in which so many are the same identifies nobody

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
    """Whether a name says that a column identifies rows or persons."""
    words = written(name)
    return bool(ID_NAME.search(name) or ENTRY.search(words) or PERSON.search(words))


def persons_of(name: str) -> int | None:
    """How many different values a column that is named after persons may have and still be a category; else None.

    A member may be gold, silver or none, a subject mathematics, and an id a shop's; a patient_id is always a
    person's.
    """
    words = written(name)
    found = PERSON.search(words)
    if found is not None and not found["noun"]:
        return FEW_ROWS
    return SURE_ROWS if found or ID_NAME.search(name) or ENTRY.search(words) or re.fullmatch(NAMES, words) else None


class Identifier(Kind):
    """What identifies rows or persons: never learnt, made anew as its format says."""

    name = "identifier"
    dtypes = ("int64", "string")
    settings = ("format",)
    sdtype = "id"

    def check(self, column: Column, where: str) -> None:
        """Refuse a format that cannot be read."""
        if column.format is not None:
            parse(column.format)

    def format_fits(self, form: str) -> bool:
        """Whether it can be read as one of identifiers."""
        try:
            parse(form)
        except ConfigError:
            return False
        return True

    def infer(self, seen: Seen) -> Found | None:
        """Whole numbers from 0 up that are all different, and text of which nearly all is, in the whole table.

        With a note where its name does not say so. Raises DataError for text of that kind without one format, and for
        a column named after persons in which persons have several rows.
        """
        whole, name = seen.whole, seen.name
        if whole.dtype not in ("string", "int64", "float64"):
            return None
        known = whole.known()
        if whole.dtype != "string" and not is_whole(known):
            return None
        counts = Counter(known.tolist())
        check_persons(name, list(counts.values()))
        rows, different = len(known), len(counts)
        if rows < FEW_ROWS or different < UNIQUE_SHARE * rows:
            return None
        if whole.dtype == "string":
            form = pattern_of(known)
            if form is None:
                raise DataError(
                    f"column {name!r} holds {different} different texts in {rows} rows without one format: it is no "
                    "category and cannot be made anew; leave it out"
                )
            return identifier_column(seen, "string", form), ""
        named = says_identifier(name)
        if (min(counts) < 0 and PERSON.search(written(name)) is None) or AMOUNT.search(written(name)):
            return None
        if not named and (rows < SURE_ROWS or different < rows):
            return None
        return identifier_column(seen, "int64", number_pattern(whole.texts())), "" if named else (
            f"column {name!r}: whole numbers that are all different are taken as identifiers and made anew; if they "
            "are amounts, set its kind to integer in a schema"
        )

    def complete(self, column: Column, values: ColumnValues, today: date) -> Column:
        """A format that is not given is that of the data."""
        if column.format is not None:
            return column
        if column.dtype == "int64" and not is_whole(values.numbers(column.name, "the schema says int64")):
            raise DataError(f"column {column.name!r} has numbers that are not whole; set its dtype to string")
        texts = values.texts()
        form = number_pattern(texts) if column.dtype == "int64" else pattern_of(texts)
        if form is None:
            raise DataError(
                f"column {column.name!r} has no one format; give it one, such as PX-[0-9]{{5}}, or leave it out"
            )
        return replace(column, format=form)

    def summary(self, column: Column) -> str:
        """Its format."""
        return f"made anew as {column.format}"


def identifier_column(seen: Seen, dtype: str, form: str) -> Column:
    """A column that is made anew."""
    return Column(
        name=seen.name,
        kind=Identifier.name,
        dtype=dtype,
        missing=seen.values.gaps,
        format=form,
        pandas=seen.values.pandas,
    )


def check_persons(name: str, counts: list[int]) -> None:
    """Raise DataError for a column named after persons that have several rows; ``counts``: the rows of each value."""
    few, rows = persons_of(name), sum(counts)
    if few is None or not few < len(counts) < rows or max(counts) >= SAME_SHARE * rows:
        return
    raise DataError(
        f"column {name!r} has {len(counts)} different values in {rows} rows, so its rows belong to persons: name it "
        f"with --person {name} so that each person counts once, or take it out or, if it names none, set its kind in a "
        "schema"
    )


def person_column(seen: Seen) -> Column:
    """The column that names the person of each row: an identifier with the format of its values, or else a counter."""
    texts = sorted(set(seen.whole.texts().tolist()))
    whole = seen.whole.dtype in ("int64", "float64") and is_whole(seen.whole.known())
    form = number_pattern(texts) if whole else pattern_of(texts)
    return identifier_column(seen, "int64" if whole else "string", form or "1..")
