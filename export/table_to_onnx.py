"""Writing a generator of table rows as one self-contained ONNX file, and proving that it does what torch does."""

import tempfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.core.files import atomic, check_free
from ecgsynth.core.noise import row_noise
from ecgsynth.errors import ArtifactError

from .manifest import TableManifest
from .windows_to_onnx import PARITY_BATCHES, TOLERANCE, sealed, trace

__all__ = ["differing_rows", "export_table"]

FLIPPED_SHARE = 0.01  # of the rows, that may differ: where a uniform number falls between two codes to the last bit
FLIPPED_ROWS = 2  # and so many, whatever their share
ASKED_SHARE = 0.3  # of the rows, that ask for a category, of each column


class Rows(Protocol):
    """A module whose forward(uniform, *asked) gives the values of rows, a tensor a column."""

    noise_dim: int

    def __call__(self, uniform: Tensor, *asked: Tensor) -> tuple[Tensor, ...]: ...


def export_table(sampler: nn.Module, manifest: TableManifest, path: Path, *, force: bool = False) -> None:
    """Write ``sampler`` (tabular.row_sampler) to ``path`` with its manifest, after comparing onnxruntime with torch.

    Raises ArtifactError if the path is taken, or if the two differ at any of several batch sizes; then nothing is
    written.
    """
    check_free(path, force=force)
    sampler = sampler.cpu().eval()
    outputs = [column.output for column in manifest.columns if column.output]
    asked = {column.asked: len(column.categories) for column in manifest.columns if column.asked}
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.onnx"
        nothing = {name: torch.full((2,), -1, dtype=torch.int64) for name in asked}
        trace(sampler, manifest.noise_dim, nothing, outputs, draft)
        content = sealed(draft, manifest.to_text())
    different = differing_rows(sampler, manifest.noise_dim, asked, outputs, content)
    if different:
        raise ArtifactError(
            f"the exported graph differs from torch in {different} rows; nothing was written, please report this with "
            "the versions of torch and onnx"
        )
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def differing_rows(sampler: Any, noise_dim: int, asked: dict[str, int], outputs: list[str], content: bytes) -> int:
    """How many rows onnxruntime makes in another way than torch, over several batch sizes, with and without asking.

    A few that fall to the other side of a boundary between two codes are not counted.

    Parameters
    ----------
    sampler, noise_dim
        The module, and how many uniform numbers it takes a row.
    asked
        How many categories may be asked for, by the graph's input.
    outputs
        The graph's outputs, in the order of what ``sampler`` gives.
    content
        The ONNX file.

    """
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    worst = 0
    for rows in PARITY_BATCHES:
        uniform = row_noise(rows, range(rows), noise_dim).uniform
        rng = np.random.default_rng(rows)
        wanted = {name: asked_codes(categories, rows, rng) for name, categories in asked.items()}
        with torch.inference_mode():
            tensors = [torch.from_numpy(uniform), *(torch.from_numpy(codes) for codes in wanted.values())]
            expected = [made.numpy() for made in sampler(*tensors)]
        got = session.run(outputs, {"uniform": uniform, **wanted})
        other = np.zeros(rows, dtype=bool)
        for mine, its in zip(got, expected, strict=True):
            if mine.shape != its.shape:
                return rows
            other |= ~alike(mine, its)
        if other.sum() > max(FLIPPED_ROWS, FLIPPED_SHARE * rows):
            worst = max(worst, int(other.sum()))
    return worst


def asked_codes(categories: int, rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(rows,) in about ASKED_SHARE of the rows a category, each as likely as another, and elsewhere -1: nothing."""
    return np.where(rng.random(rows) < ASKED_SHARE, rng.integers(0, categories, rows), -1)


def alike(got: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) whether each value is the same, numbers to within TOLERANCE of the largest."""
    if got.dtype.kind != "f":
        return np.asarray(got == wanted)
    scale = max(float(np.nanmax(np.abs(wanted), initial=0.0)), 1e-30)
    return np.asarray((np.abs(got - wanted) <= TOLERANCE * scale) | (np.isnan(got) & np.isnan(wanted)))
