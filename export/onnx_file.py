"""Opening an exported file: its graph, ready to run, and its manifest."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeVar

import onnxruntime

from ecgsynth.errors import ArtifactError

from .manifest import KEY, Manifest, TableManifest, read_manifest

__all__ = ["OnnxFile", "in_order"]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """An exported file that is open: what it runs in, and what it says of itself."""

    path: Path
    session: Any  # onnxruntime's, on one thread: several batches at a time scale better than threads within one
    manifest: Manifest | TableManifest

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a file.

        Raises
        ------
        ArtifactError
            If the file is missing, damaged, not one of ours, or of a newer contract.

        """
        path = Path(path)
        if not path.is_file():
            raise ArtifactError(f"expected an .onnx file at {path}, but there is none")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors have no common type
            raise ArtifactError(f"{path} is damaged or not an ONNX file; copy it again, or export it again") from error
        metadata = session.get_modelmeta().custom_metadata_map
        return cls(path, session, read_manifest(metadata.get(KEY), str(path)))


def in_order(work: Callable[[T], R], pieces: Iterable[T], threads: int) -> Iterator[R]:
    """Do ``work`` on each piece, in order, so many at a time (0: one for each core), a few of them in memory."""
    threads = threads or os.cpu_count() or 1
    pieces = iter(pieces)
    if threads == 1:
        yield from map(work, pieces)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque(pool.submit(work, piece) for piece in islice(pieces, threads + 1))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(work, piece) for piece in islice(pieces, 1))
