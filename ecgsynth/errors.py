"""Every error this package raises on purpose.

Each is one sentence that says what was expected, what came and what to do. The command line prints it
as one line; anything else that reaches the user is a bug and keeps its traceback.
"""

import contextlib
import importlib
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
    "torch wfdb scipy pandas onnx onnxscript safetensors matplotlib pyarrow sklearn fsspec sdmetrics imblearn".split()
)


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
def hint_at_extra(purpose: str) -> Iterator[None]:
    """Turn the absence of a package of the train extra into one line that names the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package not in TRAIN_EXTRA:
            raise
        raise MissingExtraError(
            f"{purpose} needs the package {package}, which is not installed: pip install 'ecgsynth[train]'"
        ) from error


def require(module: str, purpose: str) -> ModuleType:
    """The module, or one line that says which extra brings it."""
    with hint_at_extra(purpose):
        return importlib.import_module(module)
