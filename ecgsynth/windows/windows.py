"""The data type that everything passes on: equally long windows of a signal, with what is known of each."""

import dataclasses
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.records import from_json
from ecgsynth.errors import DataError, require
from ecgsynth.windows.info import DataInfo, SeriesInfo, Source
from ecgsynth.windows.long_table import frame_of
from ecgsynth.windows.view import count_text, draw_windows, page
from ecgsynth.windows.wide_table import columns_of
from ecgsynth.windows.window_file import fields_in, save_batches

__all__ = ["PARTS", "Windows", "RR_RANGE_S", "check_windows"]

PARTS = ("train", "validation", "test", "later")
RR_RANGE_S = (0.2, 3.0)  # 300 to 20 beats a minute; what lies beyond is a gap, and is taken as the nearer end
EVENT_LENGTHS = 2  # of a window, that a stretch of time is long which counts as one event
PER_WINDOW = ("values", "labels", "groups", "parts", "rr_s", "records", "start_s")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Windows:
    """Windows of a signal in physical units, or of a user's series.

    Attributes
    ----------
    values
        (n, time, channels) float32, in ``units``.
    fs_hz, units, channel_names
        Samples a second, the unit of the values, and what each channel is.
    classes, labels
        The names of the classes, and (n,) int64, the position of each window's in them.
    groups
        (n,) str, the patient of each window, the sequence or the block of time; or None where none is known.
    parts
        (n,) int8, positions in PARTS, or None before a split. "later" are windows of the people of the training part,
        later in time than those learnt from, where people are kept in one part (ecgsynth.windows.splits).
    rr_s
        (n, 2) float32, seconds to the beat before and to the beat after, NaN where there is none; or None.
    records
        (n,) str, the recording of each window, of which a person can have several; or None where none is known.
    start_s
        (n,) float64, seconds from Monday 00:00 to the first row of each, where a series has a clock that says so; or
        None.
    event_index
        The sample of each window at which its event (a beat's R peak) lies, or None.
    series
        What the columns of the user's table were, or None of a signal.
    meta
        Plain JSON: ``kind`` ("beats", "series"), ``source``, ``split``, what was dropped, and more.

    """

    values: NDArray[np.float32]
    fs_hz: float
    units: str
    channel_names: tuple[str, ...]
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_] | None = None
    parts: NDArray[np.int8] | None = None
    rr_s: NDArray[np.float32] | None = None
    records: NDArray[np.str_] | None = None
    start_s: NDArray[np.float64] | None = None
    event_index: int | None = None
    series: SeriesInfo | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_windows(self.values)
        if len(self.channel_names) != self.values.shape[2]:
            raise DataError(f"expected {self.values.shape[2]} channel names, got {list(self.channel_names)}")
        for name in PER_WINDOW[1:]:
            column = getattr(self, name)
            if column is not None and len(column) != len(self.values):
                raise DataError(f"expected {len(self.values)} {name}, one a window, got {len(column)}")
        if self.rr_s is not None and self.rr_s.shape != (len(self.values), 2):
            raise DataError(f"expected rr_s of shape (n, 2), to the beat before and after, got shape {self.rr_s.shape}")
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise DataError(
                f"labels must be positions in the {len(self.classes)} classes, "
                f"got {self.labels.min()} to {self.labels.max()}"
            )

    @property
    def is_series(self) -> bool:
        """Whether these are windows of a user's series, each channel in a unit of its own, rather than of a signal."""
        return bool(self.meta.get("kind") == "series")

    @property
    def source(self) -> Source:
        """Where the windows are from."""
        return from_json(Source, self.meta.get("source", {}), lenient=True)

    @property
    def overlap(self) -> int:
        """How many of the windows after a window share rows with it.

        0 for heartbeats, for sequences with one window each, and for synthetic windows.
        """
        alone = self.groups is not None and len(np.unique(self.groups)) == len(self)
        if not self.is_series or self.series is None or alone or self.meta.get("synthetic"):
            return 0
        options = self.series.options
        return math.ceil(options.length / options.stride) if options.stride < options.length else 0

    @property
    def owners(self) -> NDArray[np.int64] | None:
        """(n,) the person of each window as a code, or None where none is known: a block of time is no person."""
        if self.groups is None or self.meta.get("groups") == "blocks":
            return None
        return np.asarray(np.unique(self.groups, return_inverse=True)[1], dtype=np.int64)

    @property
    def events(self) -> NDArray[np.int64] | None:
        """(n,) the event of a series that each window is of, as a code: its sequence, or of a single series the stretch
        of EVENT_LENGTHS windows' lengths in which it stands. None of a signal, and of synthetic windows.
        """
        if not self.is_series or self.series is None or self.meta.get("synthetic"):
            return None
        if self.owners is not None:
            return self.owners
        options = self.series.options
        return np.arange(len(self), dtype=np.int64) // math.ceil(EVENT_LENGTHS * options.length / options.stride)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        n, time, channels = self.values.shape
        shape = f"{n:,} x {time} samples x {channels} {'channel' if channels == 1 else 'channels'}"
        return f"Windows({shape} at {self.fs_hz:g} Hz in {self.units}: {count_text(self.counts())})"

    def _repr_html_(self) -> str:
        return page(repr(self), self.counts(), self.plot)

    def take(self, index: NDArray[Any]) -> Self:
        """The windows at ``index`` (positions or a mask), with all that is known of them."""
        picked = {name: column[index] for name in PER_WINDOW if (column := getattr(self, name)) is not None}
        return dataclasses.replace(self, **picked)

    def of_each_class(self, counts: Sequence[int], rng: np.random.Generator) -> Self:
        """At most ``counts[code]`` windows of each class, drawn at random, sorted by class."""
        drawn = [rng.permutation(np.flatnonzero(self.labels == code))[:count] for code, count in enumerate(counts)]
        return self.take(np.concatenate(drawn))

    def part(self, name: str) -> Self:
        """The windows of one of PARTS; all of them in a split "none". DataError if not split."""
        if name not in PARTS:
            raise DataError(f"a part is one of {', '.join(PARTS)}, got {name!r}")
        if self.parts is None and self.meta.get("split") == "none":
            return self
        if self.parts is None:
            raise DataError("these windows are not split yet; run 'ecgsynth prepare', or ecgsynth.windows.splits.split")
        return self.take(self.parts == PARTS.index(name))

    def keep_classes(self, names: tuple[str, ...]) -> Self:
        """Only the windows of these classes, which become all the classes there are, in the order that they had."""
        kept = sorted({self.code(name) for name in names})
        if not kept:
            raise DataError(f"expected at least one class to keep, got none; there are {len(self.classes)}")
        picked = self.take(np.isin(self.labels, kept))
        return dataclasses.replace(
            picked,
            classes=tuple(self.classes[code] for code in kept),
            labels=np.searchsorted(kept, picked.labels).astype(np.int64),
        )

    def fingerprint(self) -> str:
        """SHA-256 of the values and class names: the same windows in the same order, and no others, have it."""
        names = np.asarray(self.classes)[self.labels]
        return hashlib.sha256(self.values.tobytes() + "".join(names).encode()).hexdigest()

    def counts(self) -> dict[str, int]:
        """How many windows each class has, in the order of ``classes``."""
        found = np.bincount(self.labels, minlength=len(self.classes))
        return {name: int(count) for name, count in zip(self.classes, found, strict=True)}

    def shares(self) -> NDArray[np.float64]:
        """(classes,) the share of each class, summing to one: of windows, or of a series' sequences where it has these.

        Longer sequences have more windows, but a class of them is not more frequent.
        """
        weights = np.ones(len(self))
        if self.is_series and self.owners is not None:
            weights = 1 / np.bincount(self.owners)[self.owners]
        counts = np.bincount(self.labels, weights, minlength=len(self.classes))
        return np.asarray(counts / max(weights.sum(), 1))

    def code(self, label: str) -> int:
        """The position of a class name; DataError if there is no such class."""
        if label not in self.classes:
            there = f"there are {len(self.classes)}" if self.is_series else f"the classes are {', '.join(self.classes)}"
            raise DataError(f"there is no class {label!r}; {there}")  # a series' classes are what its cells hold
        return self.classes.index(label)

    def plot(self) -> Any:
        """Draw some windows of each class.

        Returns
        -------
        matplotlib.figure.Figure
            One that pyplot does not know; a notebook shows it, ``savefig`` writes it.

        """
        places = np.arange(self.values.shape[1], dtype=np.float64)
        clock = (places, "step")
        if self.event_index is not None:
            clock = ((places - self.event_index) / self.fs_hz, "seconds from the event")
        elif not self.is_series:
            clock = (places / self.fs_hz, "seconds")
        return draw_windows(self.values, self.labels, self.classes, self.channel_names, self.units, clock)

    def to_frame(self) -> Any:
        """The windows as a pandas data frame.

        Returns
        -------
        pandas.DataFrame
            Of a series, the user's own table (ecgsynth.windows.long_table): a row for each step of each window. Of a
            signal, a row for each window: ``label``, ``group`` and ``part`` where they are known, the RR intervals in
            s where they are known, then its samples in ``units``, a column each.

        Raises
        ------
        DataError
            For windows of a series that do not know what its columns were.

        """
        pandas = require("pandas", "a data frame")
        if self.series is not None:
            return frame_of(self, self.series)
        if self.is_series:
            raise DataError("these windows do not know the columns of their table; draw them anew from their generator")
        names = np.asarray(self.classes, dtype=np.str_)[self.labels]
        parts = None if self.parts is None else np.asarray(PARTS)[self.parts]
        known = {"label": names, "group": self.groups, "part": parts}
        return pandas.DataFrame(columns_of(self.values, self.rr_s, self.channel_names, **known))

    def save(self, path: Path | str, *, force: bool = False) -> None:
        """Write one .npz of plain arrays (no pickle); labels are stored as class names. ArtifactError if taken."""
        save_batches(path, self, [self], force=force)

    @classmethod
    def made(
        cls,
        data: DataInfo,
        values: NDArray[np.float32],
        labels: NDArray[np.int64],
        rr_s: NDArray[np.float32] | None = None,
        persons: NDArray[np.int64] | None = None,
        start_s: NDArray[np.float64] | None = None,
        **meta: Any,
    ) -> Self:
        """Synthetic windows, with the names, rate and units of the data that their generator learnt from.

        ``persons``: (n,) the number of the synthetic person of each, where they were asked for; ``start_s``: (n,) when
        each window of a series starts, where that is made.
        """
        return cls(
            values=values,
            fs_hz=data.fs_hz,
            units=data.units,
            channel_names=data.channel_names,
            classes=data.class_names,
            labels=labels,
            groups=None if persons is None else persons.astype(np.str_),
            rr_s=rr_s,
            start_s=None if start_s is None else start_s.astype(np.float64),
            event_index=data.event_index,
            series=data.series,
            meta={"kind": data.kind, "synthetic": True, **meta},
        )

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what ``save`` or ``ecgsynth sample`` wrote.

        Raises
        ------
        ArtifactError
            For anything else.

        """
        return cls(**fields_in(Path(path)))


def check_windows(values: NDArray[Any]) -> None:
    """Raise DataError unless ``values`` is (n, time, channels) float32 and finite."""
    if values.ndim != 3:
        raise DataError(
            f"expected windows of shape (n, time, channels), got shape {values.shape}; "
            "for a single channel add the last axis: values[..., None]"
        )
    if values.dtype != np.float32:
        raise DataError(f"expected windows of float32, got {values.dtype}; convert with values.astype('float32')")
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values).all(axis=(1, 2))).sum())
        raise DataError(f"expected finite windows, got NaN or infinity in {bad} of {len(values)}; drop or repair them")
