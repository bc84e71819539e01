"""Writing files so that nothing is lost.

A file is written under a temporary name beside its place and renamed when it is whole, so a full disk or
a killed process leaves what was there before. An existing file is replaced only if the caller says so.
"""

import contextlib
import gzip
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from ecgsynth.errors import ArtifactError

__all__ = ["STDOUT", "atomic", "check_free", "is_stdout", "read_json", "text_file", "write_json"]

STDOUT = "-"  # as the name of an output; a file of that name is ./-


def is_stdout(where: Path | str) -> bool:
    """Whether an output is standard output: the text "-", never a path."""
    return isinstance(where, str) and where == STDOUT


def check_free(path: Path, *, force: bool = False) -> None:
    """Raise ArtifactError if ``path`` exists (a folder: if it holds anything) and ``force`` is not set.

    Also for an address that was taken for a path: s3://bucket/a would become a folder 's3:'.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.\-]+:/", str(path)):
        raise ArtifactError(f"{path} is an address, and this is written to a path; name one, and bring it there")
    taken = any(path.iterdir()) if path.is_dir() else path.exists()
    if taken and not force:
        raise ArtifactError(
            f"{path} exists already; choose another name or add --force (in Python force=True) to replace it"
        )


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; rename it to ``path`` when the block ends without an error."""
    path = path.absolute()
    if path.is_dir():
        raise ArtifactError(f"expected the name of a file to write, but {path} is a folder; name a file in it")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if isinstance(error, ArtifactError):
            raise
        raise ArtifactError(f"could not write {path}: {error.strerror or error}; nothing was changed") from error
    finally:
        with contextlib.suppress(OSError):  # where no file could be made, none can be removed
            temporary.unlink()


@contextlib.contextmanager
def text_file(where: Path | str, *, zipped: bool = False) -> Iterator[TextIO]:
    """Yield a file for text in UTF-8 with line ends as they are written: a path's, atomically, or standard output.

    Parameters
    ----------
    where
        The path, or "-" for standard output.
    zipped
        Whether to compress by gzip, without a name and a time, so that the same text gives the same bytes.

    """
    if is_stdout(where):
        with stdout_text() as file:
            yield file
        return
    with atomic(Path(where)) as temporary, contextlib.ExitStack() as opened:
        if not zipped:
            yield opened.enter_context(temporary.open("w", encoding="utf-8", newline=""))
            return
        raw = opened.enter_context(temporary.open("wb"))
        packed = opened.enter_context(gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0))
        yield opened.enter_context(io.TextIOWrapper(packed, encoding="utf-8", newline=""))


@contextlib.contextmanager
def stdout_text() -> Iterator[TextIO]:
    """Standard output in UTF-8, whatever the terminal's encoding; left open."""
    sys.stdout.flush()
    file = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
    try:
        yield file
        file.flush()
    finally:
        with contextlib.suppress(OSError):  # a reader that is gone
            file.detach()


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file; ArtifactError if it is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactError(f"expected a file {path}, but there is none") from error
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ArtifactError(f"{path} is not readable JSON ({error}); restore it or make it again") from error
