"""Rows as text, one after the other at constant memory: CSV, TSV, or a JSON array with a record for each row."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from ecgsynth.core.files import text_file

__all__ = ["DELIMITERS", "RECORDS", "TEXT_FORMATS", "write_records", "write_rows"]

DELIMITERS = {"csv": ",", "csv.gz": ",", "tsv": "\t"}
RECORDS = ("json",)  # a record for each row
TEXT_FORMATS = (*DELIMITERS, *RECORDS)


def write_rows(where: Path | str, file_format: str, names: list[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows of numbers, texts and truths under their column names.

    Parameters
    ----------
    where
        A path, or "-" for standard output.
    file_format
        One of TEXT_FORMATS.
    names
        Of the columns.
    rows
        Each as long as ``names``; None is missing: an empty field, or null.

    """
    with text_file(where, zipped=file_format == "csv.gz") as file:
        if file_format == "json":
            write_records(file, (record(names, row) for row in rows))
            return
        out = csv.writer(file, delimiter=DELIMITERS[file_format], lineterminator="\n")
        out.writerow(names)
        out.writerows(rows)


def record(names: list[str], row: Sequence[Any]) -> str:
    """A row as a JSON object; what JSON has no type for, such as a date, is text."""
    return json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, allow_nan=False, default=str)


def write_records(file: TextIO, records: Iterable[str]) -> None:
    """A JSON array of records that are JSON already, one a line."""
    before = "[\n"
    for text in records:
        file.write(before + text)
        before = ",\n"
    file.write("[]\n" if before == "[\n" else "\n]\n")
