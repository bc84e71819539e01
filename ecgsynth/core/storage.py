"""Files behind an address that fsspec knows, such as s3://bucket/table.csv: read from there, and brought there."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from ecgsynth.errors import ArtifactError, ConfigError, EcgSynthError, MissingExtraError, require

__all__ = ["check_options", "delivered", "fetch", "is_url", "name_of"]

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+://")  # more than the one letter of a Windows drive
PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}  # that fsspec needs


def is_url(where: Path | str) -> bool:
    """Whether a place is an address for fsspec rather than a path."""
    return isinstance(where, str) and URL.match(where) is not None


def name_of(where: Path | str) -> str:
    """The name of the file at a path or an address."""
    return PurePosixPath(str(where).split("?")[0]).name if is_url(where) else Path(where).name


def fetch(url: str, storage_options: dict[str, Any]) -> bytes:
    """The bytes at an address; ArtifactError or MissingExtraError where they cannot be read.

    Each store of fsspec raises errors of its own classes, so any error is reported in one sentence.
    """
    store = store_of(url, storage_options, "reading")
    try:
        with store.open(url, "rb") as file:
            return bytes(file.read())
    except FileNotFoundError as error:
        raise ArtifactError(f"expected a table at {url}, but there is none; check the bucket and the key") from error
    except PermissionError as error:
        raise ArtifactError(f"{url} may not be read ({one_line(error)}); check the rights and the keys") from error
    except Exception as error:
        raise ArtifactError(
            f"{url} cannot be read ({one_line(error)}); check the address and the storage options"
        ) from error


@contextmanager
def delivered(where: Path | str, storage_options: dict[str, Any] | None, *, force: bool = False) -> Iterator[Path]:
    """Give the path at which to write a file that belongs at a path or an address.

    Parameters
    ----------
    where
        A path, which is given as it is; or an address: then the path is in a temporary folder, and the file is brought
        to the address when the block ends without an error.
    storage_options
        What the store of an address needs.
    force
        Replace what is at the address.

    Raises
    ------
    ArtifactError
        For an address that is taken, or cannot be written.

    """
    if not is_url(where):
        check_options(where, storage_options)
        yield Path(where)
        return
    url = str(where)
    store = store_of(url, storage_options or {}, "writing")
    try:
        if store.exists(url) and not force:
            raise ArtifactError(
                f"{url} exists already; choose another name or add --force (in Python force=True) to replace it"
            )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name_of(url)
            yield path
            store.put_file(str(path), url)
    except EcgSynthError:
        raise
    except Exception as error:
        raise ArtifactError(
            f"{url} cannot be written ({one_line(error)}); check the address and the storage options"
        ) from error


def check_options(where: Path | str, storage_options: dict[str, Any] | None) -> None:
    """Raise ConfigError for storage options beside a path."""
    if storage_options:
        raise ConfigError(f"storage options are for an address such as s3://bucket/table.csv, but {where} is a path")


def store_of(url: str, storage_options: dict[str, Any], purpose: str) -> Any:
    """The store of an address; MissingExtraError where its package is not installed, ConfigError for one not known."""
    fsspec = require("fsspec", f"{purpose} at an address")
    protocol = url.split("://")[0]
    try:
        return fsspec.filesystem(protocol, **storage_options)
    except ImportError as error:
        package = PACKAGES.get(protocol)
        hint = f"pip install {package}" if package else str(error).rstrip(".")
        raise MissingExtraError(f"{purpose} {url} needs a package that is not installed: {hint}") from error
    except ValueError as error:
        raise ConfigError(f"{url} cannot be opened: {one_line(error)}; use an address that fsspec knows") from error
    except Exception as error:
        raise ArtifactError(f"{url} cannot be opened ({one_line(error)}); check the storage options") from error


def one_line(error: Exception) -> str:
    said = " ".join(str(error).split()).rstrip(".")
    return said[:200] or type(error).__name__
