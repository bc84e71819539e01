"""Drawing synthetic windows from an exported file: numpy and onnxruntime, nothing else."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.noise import pick_labels, row_noise
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.windows.windows import Windows

from .cards import card_of
from .manifest import Manifest
from .onnx_file import OnnxFile, in_order

__all__ = ["OnnxSampler"]

BATCH = 256


class OnnxSampler:
    """A generator in one .onnx file.

    Row ``i`` of a seed is the same whatever else is drawn with it (see ecgsynth.core.noise).
    ``threads``: how many batches are drawn at a time; 0 is one for each core.
    Raises ArtifactError if the file is missing, damaged, not one of ours, or of a newer contract.
    """

    def __init__(self, file: Path | str | OnnxFile, *, threads: int = 0) -> None:
        if threads < 0:
            raise ConfigError(f"threads must be at least 0, got {threads}")
        opened = file if isinstance(file, OnnxFile) else OnnxFile.open(file)
        if not isinstance(opened.manifest, Manifest):
            raise ArtifactError(f"{opened.path} makes rows of a table, not windows; open it with ecgsynth.load")
        self.path, self.manifest, self._session = opened.path, opened.manifest, opened.session
        self._threads = threads
        self._shares = np.asarray([entry.share for entry in self.manifest.classes])
        self._intervals = any(output.name == "rr_s" for output in self._session.get_outputs())
        self._outputs = ["signal", "rr_s"] if self._intervals else ["signal"]

    def __repr__(self) -> str:
        return card_of(self).line()

    def _repr_html_(self) -> str:
        return card_of(self, drawn=True).html()

    def sample(self, n: int, label: str | None = None, seed: int = 0) -> Windows:
        """``n`` synthetic windows, all of the class ``label``, or of every class in the training shares.

        Raises ConfigError for n below 1, an unknown class or an invalid seed.
        """
        pieces = list(self.stream(n, label, seed))
        return self.windows(
            np.concatenate([piece.values for piece in pieces]),
            np.concatenate([piece.labels for piece in pieces]),
            np.concatenate([piece.rr_s for piece in pieces if piece.rr_s is not None]) if self._intervals else None,
            seed,
        )

    def stream(self, n: int, label: str | None = None, seed: int = 0, batch: int = BATCH) -> Iterator[Windows]:
        """The same windows a batch at a time, at constant memory."""
        code = self._check(n, label, batch)
        return self._batches(n, code, seed, batch)

    def _check(self, n: int, label: str | None, batch: int) -> int | None:
        """The class code asked for; ConfigError for what cannot be drawn."""
        if n < 1:
            raise ConfigError(f"the number of windows must be at least 1, got {n}")
        if batch < 1:
            raise ConfigError(f"a batch has at least 1 window, got {batch}")
        if label is None:
            return None
        if label not in self.manifest.class_names:
            names = ", ".join(self.manifest.class_names)
            raise ConfigError(f"this generator has no class {label!r}; its classes are {names}")
        return self.manifest.class_names.index(label)

    def _batches(self, n: int, code: int | None, seed: int, batch: int) -> Iterator[Windows]:
        pieces = (range(start, min(start + batch, n)) for start in range(0, n, batch))
        return in_order(lambda rows: self._draw(rows, code, seed), pieces, self._threads if n > batch else 1)

    def _draw(self, rows: range, code: int | None, seed: int) -> Windows:
        noise = row_noise(seed, rows, self.manifest.noise_dim)
        if code is None:
            labels = pick_labels(noise.label, self._shares)
        else:
            labels = np.full(len(rows), code, dtype=np.int64)
        made = self._session.run(self._outputs, {"uniform": noise.uniform, "label": labels})
        return self.windows(made[0], labels, made[1] if self._intervals else None, seed)

    def windows(
        self, values: NDArray[np.float32], labels: NDArray[np.int64], rr_s: NDArray[np.float32] | None, seed: int
    ) -> Windows:
        """What was drawn, with the names, rate and units that belong to it."""
        known = self.manifest
        return Windows(
            values=values,
            fs_hz=known.fs_hz,
            units=known.units,
            channel_names=known.channel_names,
            classes=known.class_names,
            labels=labels,
            rr_s=rr_s,
            event_index=known.event_index,
            meta={"kind": known.kind, "synthetic": True, "seed": seed, "model": self.path.name},
        )
