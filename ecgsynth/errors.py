"""Every error this package raises on purpose.

Each is one sentence that says what was expected, what came and what to do. The command line prints it
as one line; anything else that reaches the user is a bug and keeps its traceback.
"""

import contextlib
import importlib
import re
from collections.abc import Iterator
from types import ModuleType

__all__ = [
    "ArtifactError",
    "ConfigError",
    "DataError",
    "EcgSynthError",
    "MissingExtraError",
    "TrainingDivergedError",
    "hint_at_extra",
    "require",
]

TRAIN_EXTRA = frozenset(
    "torch wfdb scipy pandas onnx onnxscript safetensors matplotlib pyarrow sklearn fsspec sdmetrics".split()
)  # by the names under which they are imported
KNOWN_TO_PIP = {"sklearn": "scikit-learn"}  # where it has another name


class EcgSynthError(Exception):
    """The root of the tree: catch this to catch all of them."""


class ConfigError(EcgSynthError, ValueError):
    """An option has a value that it cannot have."""


class DataError(EcgSynthError, ValueError):
    """The data are not what the step needs."""


class ArtifactError(EcgSynthError, OSError):
    """A file or a run folder is missing, broken, in the way, or of another version."""


class TrainingDivergedError(EcgSynthError, ArithmeticError):
    """A loss is no longer a finite number."""


class MissingExtraError(EcgSynthError, ImportError):
    """A package is needed that the bare installation does not bring."""


@contextlib.contextmanager
def hint_at_extra(purpose: str, *, alone: str | None = None) -> Iterator[None]:
    """Turn the absence of a package of the train extra into one line that says how to install what is missing.

    The line names every missing package of the extra; for ``alone``, which needs no other, only that one.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package not in TRAIN_EXTRA:
            raise
        name = KNOWN_TO_PIP.get(package, package)
        beside = [] if package == alone else [other for other in missing() if other != name]
        raise MissingExtraError(
            f"{purpose} needs the package {name}, which is not installed: pip install {' '.join([name, *beside])}"
        ) from error


def missing() -> list[str]:
    """What the train extra asks for and is not installed, by the names that pip knows; nothing where that is unknown.

    The extra itself is no hint: pip finds ecgsynth on no index.
    """
    from importlib import metadata  # slow to import, and only errors need it

    try:
        asked = metadata.requires("ecgsynth") or []
    except metadata.PackageNotFoundError:  # run from a checkout
        return []
    names = [re.split(r"[^\w.-]", entry)[0] for entry in asked if re.search(r"extra\s*==\s*['\"]train['\"]", entry)]
    return [name for name in names if not installed(name)]


def installed(name: str) -> bool:
    from importlib import metadata

    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def require(module: str, purpose: str) -> ModuleType:
    """The module, or one line that says how to install what it needs."""
    with hint_at_extra(purpose, alone=module.split(".")[0]):
        return importlib.import_module(module)
