"""What is read out of the file itself: tables in its graph that look like windows."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import require
from ecgsynth.metrics.attacks.base import Points
from ecgsynth.metrics.attacks.neighbours import codes_of, log_distances
from ecgsynth.metrics.attacks.targets import Scores, Targets

__all__ = ["centres_in", "white_box"]

BASIS, MEAN = "basis", "mean"  # what the export calls the way back from components
TRANSFORMS = ("transformed", "quantiles", "references")  # and that of channels which were transformed first
HALVED = ".half"  # follows the name of a tensor in half precision

Values = NDArray[np.float32]
Floats = NDArray[np.float64]


def white_box(targets: Targets) -> Scores | None:
    """Of a person's median beat, log(distance to the nearest other person's) - log(distance to the nearest centre).

    The median is of his commonest class. None where the file has no centres.
    """
    centres = targets.exposure.centres
    if centres is None or not len(centres):
        return None
    against, whose = medians_of(targets.reference)

    def scores(first: int, end: int, compared: NDArray[np.bool_] | None = None) -> Floats:
        used = (targets.turns >= first) & (targets.turns < end)
        own, of = medians_of(targets.beats.take(np.flatnonzero(used)), commonest=True)
        to_people = log_distances(own, against, whose, targets.compared.shape[1])
        to_people = np.where((targets.compared if compared is None else compared)[of], to_people, np.inf).min(axis=1)
        to_centres: Floats = log_distances(Points(values=own.values), Points(values=centres), *one_group(centres))[:, 0]
        found = np.full(len(targets.members), np.nan)
        found[of] = np.where(np.isfinite(to_people), to_people, np.nan) - to_centres
        return found

    return scores


def one_group(values: Values) -> tuple[NDArray[np.int64], int]:
    """All in one group."""
    return np.zeros(len(values), dtype=np.int64), 1


def medians_of(points: Points, *, commonest: bool = False) -> tuple[Points, NDArray[np.int64]]:
    """The median of each person's points in each class, or in his commonest class alone; and whose each is."""
    owners, kinds = np.asarray(points.owners), codes_of(points)
    medians, codes, whose = [], [], []
    for person in np.unique(owners):
        own = np.flatnonzero(owners == person)
        counts = np.bincount(kinds[own])
        for kind in [int(counts.argmax())] if commonest else np.flatnonzero(counts).tolist():
            medians.append(np.median(points.values[own[kinds[own] == kind]], axis=0))
            codes.append(kind)
            whose.append(person)
    made = Points(values=np.stack(medians).astype(np.float32), kinds=np.array(codes, dtype=np.int64))
    return made, np.array(whose, dtype=np.int64)


# ---- the file


def centres_in(path: Path | str) -> Values | None:
    """Every row of every table of an exported graph that can be read as a window: centres of modes, styles, medians.

    A table is one if it has as many columns as there are components, which the graph itself maps to windows, or as
    there are samples. Names do not count: the exporter loses them. The mean is among them.

    Parameters
    ----------
    path
        An .onnx file of this package; another graph has no such basis.

    Returns
    -------
    (k, time, channels) in the units of the signal, or None where there is no such table.

    """
    onnx = require("onnx", "reading what stands in a file")
    graph = onnx.load(str(path)).graph
    tables: dict[str, NDArray[Any]] = {}
    for tensor in graph.initializer:
        tables[tensor.name.split(HALVED)[0]] = onnx.numpy_helper.to_array(tensor)
    shapes = [[size.dim_value for size in out.type.tensor_type.shape.dim] for out in graph.output]
    whole = next((shape[1:] for shape in shapes if len(shape) == 3), None)
    if whole is None or BASIS not in tables or MEAN not in tables or min(whole) < 1:
        return None
    basis, mean, (time, channels) = tables[BASIS], tables[MEAN], whole
    size = time * channels
    rows = [mean[None, :size]]
    for name, table in tables.items():
        if name in (BASIS, MEAN, *TRANSFORMS) or table.ndim != 2 or not np.issubdtype(table.dtype, np.floating):
            continue
        if table.shape[1] == len(basis) and not (table > 0).all():  # spreads are all positive
            made = table @ basis if basis.ndim == 2 else table * basis
            rows.append((made + mean)[:, :size])
        elif table.shape[1] in (size, len(mean)):
            rows.append(table[:, :size])
    found = np.concatenate(rows).astype(np.float32).reshape(-1, time, channels)
    return straightened(found, *(tables[name] for name in TRANSFORMS)) if TRANSFORMS[1] in tables else found


def straightened(
    values: Values, transformed: NDArray[Any], quantiles: NDArray[Any], references: NDArray[Any]
) -> Values:
    """Windows whose transformed channels are led back to values."""
    for place, channel in enumerate(np.asarray(transformed).astype(np.int64).ravel().tolist()):
        values[..., channel] = np.interp(values[..., channel], references[place], quantiles[place])
    return values
