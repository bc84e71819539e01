"""Windows as one .npz file of plain arrays: written a batch at a time, and read."""

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.files import atomic, check_free
from ecgsynth.core.npz import read_npz
from ecgsynth.errors import ArtifactError, DataError
from ecgsynth.windows.info import SeriesInfo

__all__ = ["fields_in", "save_batches"]

FORMAT = 1


class Batch(Protocol):
    """What is written of windows (see ecgsynth.windows.windows.Windows)."""

    @property
    def values(self) -> NDArray[np.float32]: ...
    @property
    def labels(self) -> NDArray[np.int64]: ...
    @property
    def groups(self) -> NDArray[np.str_] | None: ...
    @property
    def rr_s(self) -> NDArray[np.float32] | None: ...
    @property
    def start_s(self) -> NDArray[np.float64] | None: ...
    @property
    def fs_hz(self) -> float: ...
    @property
    def units(self) -> str: ...
    @property
    def channel_names(self) -> tuple[str, ...]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def series(self) -> SeriesInfo | None: ...
    @property
    def meta(self) -> dict[str, Any]: ...
    def __len__(self) -> int: ...


def save_batches(
    path: Path | str,
    like: Batch,
    batches: Iterable[Batch],
    *,
    n: int | None = None,
    force: bool = False,
) -> None:
    """Write windows that come in batches, with the values of one batch in memory at a time.

    Parameters
    ----------
    path
        The file, in the form of ``Windows.save``.
    like
        Windows with all facts except values, labels, groups and RR intervals, which come from the batches.
    batches
        The windows.
    n
        How many there are in all; by default as many as ``like`` has.
    force
        Replace a file that is there.

    Raises
    ------
    ArtifactError
        If the path is taken or cannot be written.
    DataError
        For more or fewer windows than ``n``, or RR intervals in some batches only.

    """
    path = Path(path)
    check_free(path, force=force)
    shape = (len(like) if n is None else n, *like.values.shape[1:])
    codes: list[NDArray[np.int64]] = []
    intervals: list[NDArray[np.float32]] = []
    groups: list[NDArray[np.str_]] = []
    starts: list[NDArray[np.float64]] = []
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("values.npy", "w", force_zip64=True) as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for batch in batches:
                file.write(np.ascontiguousarray(batch.values, dtype="<f4").data)
                codes.append(batch.labels)
                if batch.rr_s is not None:
                    intervals.append(batch.rr_s)
                if batch.groups is not None:
                    groups.append(batch.groups)
                if batch.start_s is not None:
                    starts.append(batch.start_s)
        written = sum(map(len, codes))
        if written != shape[0]:
            raise DataError(f"expected {shape[0]} windows to write, but the batches held {written}")
        if intervals and sum(map(len, intervals)) != written:
            raise DataError("expected RR intervals in every batch or in none, but only some batches have them")
        for name, array in arrays_but_values(like, np.concatenate(codes), groups, intervals, starts).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def arrays_but_values(
    like: Batch,
    labels: NDArray[np.int64],
    groups: list[NDArray[np.str_]],
    intervals: list[NDArray[np.float32]],
    starts: list[NDArray[np.float64]],
) -> dict[str, NDArray[Any]]:
    """Every array of the file but the values, by its name."""
    classes = np.asarray(like.classes, dtype=np.str_)
    known = {name: getattr(like, name) for name in ("parts", "records", "event_index")}
    meta = like.meta if like.series is None else like.meta | {"series": like.series.to_json()}
    known["groups"] = np.concatenate(groups) if groups else None
    known["rr_s"] = np.concatenate(intervals) if intervals else None
    known["start_s"] = np.concatenate(starts) if starts else None
    return {
        "format": np.asarray(FORMAT),
        "labels": classes[labels],
        "fs_hz": np.asarray(like.fs_hz),
        "units": np.asarray(like.units),
        "channel_names": np.asarray(like.channel_names, dtype=np.str_),
        "classes": classes,
        "meta": np.asarray(json.dumps(meta)),
        **{name: np.asarray(value) for name, value in known.items() if value is not None},
    }


def fields_in(path: Path) -> dict[str, Any]:
    """The fields of the windows in a file; ArtifactError for a file that is none, DataError for a label of no class."""
    arrays = read_npz(path)
    missing = {"format", "values", "labels", "fs_hz", "units", "channel_names", "classes"} - set(arrays)
    if missing:
        raise ArtifactError(
            f"{path} lacks {', '.join(sorted(missing))}; expected a file made by 'ecgsynth prepare' or 'sample'"
        )
    try:
        if int(arrays["format"]) > FORMAT:
            raise ArtifactError(
                f"{path} has format {int(arrays['format'])} and this version reads up to {FORMAT}; upgrade ecgsynth"
            )
        classes = tuple(str(name) for name in arrays["classes"])
        meta = json.loads(str(arrays["meta"])) if "meta" in arrays else {}
        series = meta.pop("series", None)
        known: dict[str, Any] = {
            "fs_hz": float(arrays["fs_hz"]),
            "units": str(arrays["units"]),
            "channel_names": tuple(str(name) for name in arrays["channel_names"]),
            "event_index": int(arrays["event_index"]) if "event_index" in arrays else None,
            "series": None if series is None else SeriesInfo.from_json(series),
            "meta": meta,
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is not what ecgsynth writes ({error}); make it again") from error
    position = {name: code for code, name in enumerate(classes)}
    names, where = np.unique(arrays["labels"], return_inverse=True)
    unknown = [str(name) for name in names if str(name) not in position]
    if unknown:
        raise DataError(f"{path} has {len(unknown)} labels that are not among its {len(classes)} classes")
    codes = np.asarray([position[str(name)] for name in names], dtype=np.int64)
    return {
        "values": arrays["values"],
        "classes": classes,
        "labels": codes[where],
        "groups": arrays.get("groups"),
        "parts": arrays.get("parts"),
        "rr_s": arrays.get("rr_s"),
        "records": arrays.get("records"),
        "start_s": arrays.get("start_s"),
        **known,
    }
