"""Drawing synthetic windows from an exported file: numpy and onnxruntime, nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.noise import check_number, person_noise, persons_of_rows, pick_labels, row_noise
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.windows.long_table import frame_of
from ecgsynth.windows.windows import Windows

from .cards import card_of
from .joining import Joiner
from .manifest import Manifest
from .onnx_file import OnnxFile, in_order

__all__ = ["OnnxSampler"]

BATCH_WINDOWS = 256
BESIDE = ("rr_s", "start_s")  # what a graph makes beside the signal, by its name in Windows


class OnnxSampler:
    """A generator of windows in one .onnx file.

    Row ``i`` of a seed is the same whatever else is drawn with it (see ecgsynth.core.noise).

    Parameters
    ----------
    file
        A path, or a file that is open.
    threads
        How many batches are drawn at a time; 0 is one for each core.

    Raises
    ------
    ArtifactError
        If the file is missing, damaged, not one of ours, or of a newer contract.

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
        known = {output.name for output in self._session.get_outputs()}
        self._beside = next((name for name in BESIDE if name in known), None)
        self._outputs = ["signal"] if self._beside is None else ["signal", self._beside]
        self.joiner = Joiner(self.manifest.data, self.manifest.noise_dim, self._of_classes, model=self.path.name)

    def __repr__(self) -> str:
        return card_of(self).line()

    def _repr_html_(self) -> str:
        return card_of(self, drawn=True).html()

    def sample(
        self,
        n: int,
        where: Mapping[str, Any] | str | None = None,
        seed: int = 0,
        *,
        label: str | None = None,
        people: int | Sequence[int] | None = None,
        length: int | None = None,
        history: Any = None,
    ) -> Any:
        """Draw synthetic beats, or the table of a synthetic series.

        Parameters
        ----------
        n
            How many windows.
        where
            {"class": name} for windows of one class, of a series {its label column: value}; a text is a class, too.
            Without it, every class comes in its share of the training windows.
        seed
            Which ones; the same seed gives the same.
        label
            A class, as in ``where``.
        people
            Of a generator of people: of so many people, in turn, or of those with these numbers. The same person of a
            seed is the same wherever he is asked for. Without it, every window is of another person.
        length
            Of a series, n long ones of so many rows instead of n windows.
        history
            Of a series, a data frame or a table's path with the columns that were learnt from: go on from its last rows
            (of several sequences, in turn), for ``length`` rows or a window's.

        Returns
        -------
        Windows, pandas.DataFrame or dict
            Of a signal, Windows. Of a series, the user's own table with a row for each step: a data frame, or its
            columns as arrays by name where pandas is not installed (``windows`` gives its windows).

        Raises
        ------
        ConfigError
            For n below 1, an unknown class or column, a seed out of range, people of a generator that makes none, or
            a length or history of one that makes no series.
        DataError
            For a history of other columns, too few rows, or missing values in the last ones.

        """
        code = self.manifest.data.code(where, label)
        if length is not None or history is not None:
            return self.joiner.frame(self.joiner.want(n, length, code, seed, history, people))
        drawn = self.windows(n, None if code is None else self.manifest.class_names[code], seed, people)
        return drawn if drawn.series is None else frame_of(drawn, drawn.series)

    def windows(
        self,
        n: int,
        label: str | None = None,
        seed: int = 0,
        people: int | Sequence[int] | None = None,
        *,
        length: int | None = None,
        history: Any = None,
    ) -> Windows:
        """Draw synthetic windows, also of a series.

        Parameters
        ----------
        n
            How many.
        label
            Their class; by default classes are drawn in the training shares.
        seed
            Window i of a seed is always the same.
        people
            As of ``sample``; their numbers are then the windows' ``groups``.
        length, history
            As of ``sample``: (n, length, channels) long series.

        Raises
        ------
        ConfigError, DataError
            As ``sample`` does.

        """
        if length is not None or history is not None:
            code = self.manifest.data.code(label=label)
            return self.joiner.windows(self.joiner.want(n, length, code, seed, history, people))
        pieces = list(self.stream(n, label, seed, people=people))
        beside = [getattr(piece, self._beside) for piece in pieces] if self._beside else []
        return Windows.made(
            self.manifest.data,
            np.concatenate([piece.values for piece in pieces]),
            np.concatenate([piece.labels for piece in pieces]),
            persons=None if people is None else persons_of_rows(range(n), people),
            seed=seed,
            model=self.path.name,
            **({} if self._beside is None else {self._beside: np.concatenate(beside)}),
        )

    def stream(
        self,
        n: int,
        label: str | None = None,
        seed: int = 0,
        batch: int = BATCH_WINDOWS,
        people: int | Sequence[int] | None = None,
    ) -> Iterator[Windows]:
        """Draw the same windows a batch at a time, at constant memory.

        Parameters
        ----------
        n, label, seed, people
            As for ``windows``.
        batch
            Windows in a batch; the last one may be smaller.

        Raises
        ------
        ConfigError
            As ``sample`` does, and for a batch below 1.

        """
        check_number(n, "windows")
        if batch < 1:
            raise ConfigError(f"a batch has at least 1 window, got {batch}")
        if people is not None and not self.manifest.person_dim:
            raise ConfigError(f"{self.path.name} makes windows that are nobody's, not people; leave out people")
        persons_of_rows(range(1), people)
        return self._batches(n, self.manifest.data.code(label=label), seed, batch, people)

    def _batches(
        self, n: int, code: int | None, seed: int, batch: int, people: int | Sequence[int] | None
    ) -> Iterator[Windows]:
        pieces = (range(start, min(start + batch, n)) for start in range(0, n, batch))
        return in_order(lambda rows: self._draw(rows, code, seed, people), pieces, self._threads if n > batch else 1)

    def _of_classes(self, rows: range, labels: NDArray[np.int64], seed: int) -> tuple[NDArray[np.float32], Any]:
        """Windows (n, time, channels) of a generator of no people, of these classes, and what is made beside them."""
        asked = {"uniform": row_noise(seed, rows, self.manifest.noise_dim).uniform, "label": labels}
        values, *beside = self._session.run(self._outputs, asked)
        return values, beside[0] if beside else None

    def _draw(self, rows: range, code: int | None, seed: int, people: int | Sequence[int] | None) -> Windows:
        noise = row_noise(seed, rows, self.manifest.noise_dim)
        if code is None:
            labels = pick_labels(noise.label, self._shares)
        else:
            labels = np.full(len(rows), code, dtype=np.int64)
        persons = persons_of_rows(rows, people)
        asked: dict[str, Any] = {"uniform": noise.uniform, "label": labels}
        if self.manifest.person_dim:
            asked["person"] = person_noise(seed, persons, self.manifest.person_dim)
        values, *beside = self._session.run(self._outputs, asked)
        known: dict[str, Any] = dict(zip(self._outputs[1:], beside, strict=True))
        of = None if people is None else persons
        return Windows.made(self.manifest.data, values, labels, persons=of, seed=seed, model=self.path.name, **known)
