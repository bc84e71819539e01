"""What is read out of the file itself: tables in its graph that look like windows."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import require
from ecgsynth.metrics.attacks.base import Points
from ecgsynth.metrics.attacks.neighbours import codes_of, log_distances
from ecgsynth.metrics.attacks.targets import Scores, Targets

__all__ = ["centres_in", "white_box"]

WAYS = ("basis", "back.scales")  # what the features are multiplied by first, on their way to a window
PARTS = ("mean", "back.axes", "back.mixing", "back.cosines")  # of that way
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

    A table is one if it has as many columns as the generator has features, or as there are samples. Names do not count:
    the exporter loses them. The way from features to a window is the graph's own, whatever it is made of: components or
    frequencies, transformed channels, rules, holds and lines. The mean is among what is found.

    Parameters
    ----------
    path
        An .onnx file of this package; another graph has no such way.

    Returns
    -------
    (k, time, channels) in the units of the signal, or None where there is no such way.

    """
    onnx = require("onnx", "reading what stands in a file")
    model = onnx.load(str(path))
    tables: dict[str, NDArray[Any]] = {}
    for tensor in model.graph.initializer:
        tables[tensor.name.split(HALVED)[0]] = onnx.numpy_helper.to_array(tensor)
    shapes = [[size.dim_value for size in out.type.tensor_type.shape.dim] for out in model.graph.output]
    whole = next((shape[1:] for shape in shapes if len(shape) == 3), None)
    way = next((name for name in WAYS if name in tables), None)
    if whole is None or way is None or min(whole) < 1:
        return None
    count = len(tables[way])
    features, samples = [np.zeros((1, count), dtype=np.float32)], []
    for name, table in tables.items():
        if name in (*WAYS, *PARTS) or table.ndim != 2 or not np.issubdtype(table.dtype, np.floating):
            continue
        if table.shape[1] == count and not (table > 0).all():  # spreads are all positive
            features.append(table)
        elif table.shape[1] == math.prod(whole):
            samples.append(table.reshape(-1, *whole))
    made = windows_of(model, way, np.concatenate(features).astype(np.float32))
    return None if made is None else np.concatenate([made, *samples]).astype(np.float32)


def windows_of(model: Any, way: str, features: Values) -> Values | None:
    """Features (k, count) -> (k, time, channels), by the part of the graph behind them, or None where there is none."""
    onnx, runtime = require("onnx", "reading a file"), require("onnxruntime", "reading a file")
    graph, known = model.graph, {tensor.name for tensor in model.graph.initializer}
    users = [node for node in graph.node if way in node.input and node.op_type != "Cast"]
    entry = next((name for node in users for name in node.input if name != way and name not in known), None)
    if entry is None:
        return None
    behind = onnx.ModelProto()
    behind.CopyFrom(model)
    del behind.graph.node[:], behind.graph.value_info[:], behind.graph.output[1:]
    behind.graph.node.extend(node for node in graph.node if entry not in node.output)
    behind.graph.input.append(
        onnx.helper.make_tensor_value_info(entry, onnx.TensorProto.FLOAT, ["n", len(features[0])])
    )
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(behind.SerializeToString(), options, providers=["CPUExecutionProvider"])
    asked = {entry: features}
    for value in session.get_inputs():  # what is asked of a generator says how many windows there are, nothing more
        shape = [len(features), *value.shape[1:]]
        kind = np.int64 if "int64" in value.type else np.float32
        asked.setdefault(value.name, np.full(shape, 0 if kind is np.int64 else 0.5, dtype=kind))
    made: Values = session.run([graph.output[0].name], asked)[0]
    return made
