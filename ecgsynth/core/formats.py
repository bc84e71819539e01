"""What a file is, by what its name ends with: the one place that decides it, for all that is written.

Formats of text are written here, too: rows one after the other at constant memory, as CSV, TSV, or a JSON array.
"""

import csv
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import Any, TextIO

from ecgsynth.core.files import is_stdout, text_file
from ecgsynth.core.storage import is_url, name_of
from ecgsynth.errors import ConfigError

__all__ = [
    "DELIMITERS",
    "FORMATS",
    "FRAME_FORMATS",
    "RECORDS",
    "TABLE_FORMATS",
    "TEXT_FORMATS",
    "check_named",
    "endings",
    "format_of",
    "write_records",
    "write_rows",
]

DELIMITERS = {"csv": ",", "csv.gz": ",", "tsv": "\t"}
RECORDS = ("json",)  # a record for each row
TEXT_FORMATS = (*DELIMITERS, *RECORDS)
TABLE_FORMATS = (*DELIMITERS, "parquet", "npz", *RECORDS)  # each also the suffix of its files
FRAME_FORMATS = tuple(name for name in TABLE_FORMATS if name != "npz")
FORMATS = (*TABLE_FORMATS, "wfdb")  # a folder of records
STREAMED = ("csv", "tsv", *RECORDS)  # can go to standard output


def format_of(where: Path | str, asked: str | None = None, formats: tuple[str, ...] = FORMATS) -> str:
    """The format of an output: what its name ends with, or what was asked for.

    Parameters
    ----------
    where
        A path, an address, or "-" for standard output, which is CSV unless another is asked for. A folder that exists,
        or has a slash behind its name, is one of WFDB records.
    asked
        A format by its name, for outputs without an ending.
    formats
        Those that there are.

    Raises
    ------
    ConfigError
        For a name without an ending where no format was asked for, one whose ending is of another format, and a format
        that is not among ``formats``.

    """
    if asked is not None and asked not in formats:
        known = f"a format is one of {', '.join(formats)}, got {asked!r}"
        raise ConfigError(f"{known}, which holds windows of a signal" if asked == "wfdb" else known)
    if is_stdout(where):
        if asked not in (None, *STREAMED):
            raise ConfigError(f"standard output takes {', '.join(STREAMED)}; {asked} needs a file, so name one")
        return asked or "csv"
    name = name_of(where)
    named = next((kind for kind in TABLE_FORMATS if name.lower().endswith(f".{kind}")), None)
    slash = not is_url(where) and str(where).endswith(("/", os.sep))
    if asked == "wfdb" and is_url(where):
        raise ConfigError(f"WFDB records are a folder, and {where} is the address of a file; write them to a path")
    folder = asked == "wfdb" or (not is_url(where) and Path(where).is_dir())
    if "wfdb" in formats and asked in (None, "wfdb") and named is None and (slash or folder):
        return "wfdb"
    if slash:
        raise ConfigError(f"{where} is a folder, and {asked or 'this'} is written to a file; name one in it")
    if named in formats and asked in (None, named):
        return str(named)
    if asked is not None and not PurePath(name).suffix:
        return asked
    if asked is not None:
        raise ConfigError(f"{name} is no name for the format {asked}; name it {asked_name(name, asked)}")
    raise ConfigError(f"expected an output named {endings(formats)}, got {name or where}; name it so")


def asked_name(name: str, asked: str) -> str:
    """A name of the format that was asked for, or how a folder is named."""
    bare = name.split(".")[0] or "out"
    return f"{bare}/" if asked == "wfdb" else f"{bare}.{asked}, or leave out --format"


def endings(formats: tuple[str, ...]) -> str:
    """The endings that names can have, in words."""
    *others, last = (f".{name}" for name in formats if name != "wfdb")
    words = f"{', '.join(others)} or {last}"
    return f"{words} (or a folder, dir/, for WFDB)" if "wfdb" in formats else words


def check_named(path: Path, suffix: str) -> None:
    """Raise ConfigError for an output that is not named with the one suffix that it can have."""
    if path.suffix.lower() != suffix:
        raise ConfigError(f"expected an output named {suffix}, got {path.name}; name it {path.stem or 'out'}{suffix}")


# ---- formats of text


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
