"""Reading .npz files, none of whose arrays is pickled."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ArtifactError

__all__ = ["read_npz"]


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz, none of them pickled."""
    try:
        # numpy would leave a file open that is no archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise ArtifactError(f"expected a file of windows at {path}, but there is none") from error
    except (OSError, ValueError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ArtifactError(f"{path} is not a whole .npz of plain arrays ({error}); make it again") from error
