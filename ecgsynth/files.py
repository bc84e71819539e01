"""Writing files so that nothing is lost.

A file is written under a temporary name beside its place and renamed when it is whole, so a full disk or
a killed process leaves what was there before. An existing file is replaced only if the caller says so.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecgsynth.errors import ArtifactError

__all__ = ["atomic", "check_free", "read_json", "write_json"]


def check_free(path: Path, *, force: bool = False) -> None:
    """Raise ArtifactError if ``path`` exists (a folder: if it holds anything) and ``force`` is not set.

    Also if it is an address that was taken for a path: s3://bucket/a would become a folder 's3:'.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.\-]+:/", str(path)):
        raise ArtifactError(f"{path} is an address, and this is written to a path; name one, and bring it there")
    taken = any(path.iterdir()) if path.is_dir() else path.exists()
    if taken and not force:
        raise ArtifactError(f"{path} exists already; choose another name or add --force to replace it")


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
