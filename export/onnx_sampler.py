"""Drawing synthetic windows from an exported file: numpy and onnxruntime, nothing else."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.export.manifest import KEY, Manifest
from ecgsynth.noise import pick_labels, row_noise
from ecgsynth.windows import Windows

__all__ = ["OnnxSampler"]

BATCH = 256


class OnnxSampler:
    """A generator in one .onnx file.

    Row ``i`` of a seed is the same whatever else is drawn with it (see ecgsynth.noise).
    ``threads``: how many batches are drawn at a time; 0 is one for each core.
    Raises ArtifactError if the file is missing, damaged, not one of ours, or of a newer contract.
    """

    def __init__(self, path: Path | str, *, threads: int = 0) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise ArtifactError(f"expected an .onnx file at {self.path}, but there is none")
        if threads < 0:
            raise ConfigError(f"threads must be at least 0, got {threads}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors have no common type
            raise ArtifactError(
                f"{self.path} is damaged or not an ONNX file; copy it again, or export it again"
            ) from error
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.manifest = Manifest.from_text(metadata.get(KEY), str(self.path))
        self._threads = threads or os.cpu_count() or 1
        self._shares = np.asarray([entry.share for entry in self.manifest.classes])
        self._intervals = any(output.name == "rr_s" for output in self._session.get_outputs())
        self._outputs = ["signal", "rr_s"] if self._intervals else ["signal"]

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
        """Batches in order, each drawn by one thread: that scales better than threads within a batch."""
        pieces = (range(start, min(start + batch, n)) for start in range(0, n, batch))
        if self._threads == 1 or n <= batch:
            yield from (self._draw(rows, code, seed) for rows in pieces)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            waiting = deque(pool.submit(self._draw, rows, code, seed) for rows in islice(pieces, self._threads + 1))
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(self._draw, rows, code, seed) for rows in islice(pieces, 1))

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
