"""Writing a generator as one self-contained ONNX file, and proving that it does what torch does."""

import itertools
import logging
import math
import tempfile
import warnings
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.core.files import atomic, check_free
from ecgsynth.core.noise import person_noise, row_noise
from ecgsynth.errors import ArtifactError
from ecgsynth.models.decoder import SignalSampler
from ecgsynth.models.model import WindowConfig
from ecgsynth.windows.info import DataInfo

from .manifest import KEY, Manifest

__all__ = ["export_signal", "largest_difference", "sealed", "trace"]

OPSET = 18
PARITY_BATCHES = (1, 2, 7, 64, 257)
TOLERANCE = 1e-4
MOST_TIES_SHARE, MOST_TIES = 0.01, 3  # of values that rounding may take either way: this share, or so many
TRACED_ROWS = 2  # of the batch that is followed through the graph
HALVED_NUMBERS = 1000  # in a tensor that is worth halving


def export_signal(
    sampler: SignalSampler,
    path: Path,
    *,
    data: DataInfo,
    training: dict[str, Any],
    metrics: dict[str, Any],
    force: bool = False,
) -> None:
    """Write a generator with its manifest to a file, after comparing onnxruntime with torch.

    Parameters
    ----------
    sampler
        The generator with the inverse of its scaling.
    path
        The .onnx file.
    data, training, metrics
        All that a run knows; of it, the file has what may be published.
    force
        Replace a file that is there.

    Raises
    ------
    ArtifactError
        If the path is taken, or if the two differ by more than TOLERANCE of the signal's range at any of several batch
        sizes; then nothing is written.

    """
    check_free(path, force=force)
    sampler = sampler.cpu().eval()
    config = sampler.generator.config
    person_dim = sampler.generator.person_dim
    manifest = Manifest.of(config.noise_dim, data, {**training, "sizes": config.to_json()}, metrics, person_dim)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.onnx"
        write_graph(sampler, config, draft)
        content = sealed(draft, manifest.to_text())
    difference = largest_difference(sampler, config, content)
    if not difference <= TOLERANCE:
        raise ArtifactError(
            f"the exported graph differs from torch by {difference:.1e} of the signal's range, more than "
            f"{TOLERANCE:.0e}; nothing was written, please report this with the versions of torch and onnx"
        )
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def sealed(draft: Path, manifest: str) -> bytes:
    """A traced graph as it is handed over: half as large, checked, with its manifest and no trace of its maker."""
    model = onnx.load(draft)
    forget_where_it_was_made(model)
    halve(model)
    onnx.helper.set_model_props(model, {KEY: manifest})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def write_graph(sampler: SignalSampler, config: WindowConfig, path: Path) -> None:
    """Trace the sampler with a batch axis of any size."""
    asked = {"label": torch.zeros(TRACED_ROWS, dtype=torch.int64)}
    if sampler.generator.person_dim:
        asked["person"] = torch.full((TRACED_ROWS, sampler.generator.person_dim), 0.5)
    trace(sampler, config.noise_dim, asked, output_names(sampler), path)


def trace(module: nn.Module, noise_dim: int, asked: dict[str, Tensor], outputs: list[str], path: Path) -> None:
    """Write the graph of a module.

    Parameters
    ----------
    module
        Its forward takes ``uniform`` and what is asked for.
    noise_dim
        Uniform numbers a row.
    asked
        (TRACED_ROWS, ...) of each further input, by its name.
    outputs
        The names of what forward gives.
    path
        The file. The first axis of inputs and outputs can have any size in it.

    """
    uniform = torch.full((TRACED_ROWS, noise_dim), 0.5)
    batch = torch.export.Dim("n", min=1)
    rows = {0: batch}
    takes_any = any(kind is Parameter.VAR_POSITIONAL for kind in kinds(module))
    shapes = (rows, (rows,) * len(asked)) if takes_any and asked else (rows,) * (1 + len(asked))
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter warns of its own internals
            torch.onnx.export(
                module,
                (uniform, *asked.values()),
                path,
                input_names=["uniform", *asked],
                output_names=outputs,
                dynamic_shapes=shapes,
                opset_version=OPSET,
                external_data=False,
                dynamo=True,
                verbose=False,
            )
    finally:
        quiet.setLevel(level)


def kinds(module: nn.Module) -> list[Any]:
    """Of each argument of forward, how it is given."""
    return [argument.kind for argument in signature(module.forward).parameters.values()]


def forget_where_it_was_made(model: onnx.ModelProto) -> None:
    """Drop what the exporter notes for its own debugging: it names folders of this machine, and so perhaps people."""
    del model.graph.metadata_props[:]
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
        tensor.doc_string = ""


def halve(model: onnx.ModelProto) -> None:
    """Store the tensors that half precision holds exactly in half precision, each with a cast back to single.

    onnxruntime folds the casts as it loads, so not a bit of what is computed changes. A tensor that is an
    input as well, and so may be replaced when the graph is run, stays as it is, and so does a small one.
    """
    graph = model.graph
    taken, inputs = value_names(graph), {entry.name for entry in graph.input}
    casts = []
    for tensor in graph.initializer:
        short = None if tensor.name in inputs else in_half(tensor)
        if short is None:
            continue
        name = next(found for suffix in itertools.count() if (found := f"{tensor.name}.half{suffix}") not in taken)
        taken.add(name)
        casts.append(onnx.helper.make_node("Cast", [name], [tensor.name], to=onnx.TensorProto.FLOAT))
        tensor.CopyFrom(onnx.numpy_helper.from_array(short, name))
    nodes = [*casts, *graph.node]  # a node comes after those that it takes results of
    del graph.node[:]
    graph.node.extend(nodes)


def in_half(tensor: onnx.TensorProto) -> NDArray[np.float16] | None:
    """A tensor of single precision in half precision, if it is worth it and loses nothing."""
    if tensor.data_type != onnx.TensorProto.FLOAT or math.prod(tensor.dims) < HALVED_NUMBERS:
        return None
    values = onnx.numpy_helper.to_array(tensor)
    with np.errstate(over="ignore", invalid="ignore"):
        short = values.astype(np.float16)
    return short if np.array_equal(short.astype(np.float32), values) else None


def value_names(graph: onnx.GraphProto) -> set[str]:
    """Every name that stands for a value in a graph and in those within it."""
    names = {entry.name for entry in (*graph.initializer, *graph.input)}
    names.update(tensor.values.name for tensor in graph.sparse_initializer)
    for node in graph.node:
        names.update((*node.input, *node.output))
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                names |= value_names(inner)
    return names


def largest_difference(sampler: SignalSampler, config: WindowConfig, content: bytes) -> float:
    """The largest |onnxruntime - torch| over channels and several batch sizes, as a share of the channel's |torch|.

    Where windows have switches, such as whether a value has changed, MOST_TIES windows may be left out: one lay so near
    to a switch that it was tipped the other way.
    """
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found: list[float] = []
    for rows in PARITY_BATCHES:
        asked: dict[str, NDArray[Any]] = {"uniform": row_noise(rows, range(rows), config.noise_dim).uniform}
        asked["label"] = np.arange(rows, dtype=np.int64) % config.classes
        if sampler.generator.person_dim:
            asked["person"] = person_noise(rows, np.arange(rows), sampler.generator.person_dim)
        with torch.inference_mode():
            expected = [made.numpy() for made in sampler(*map(torch.from_numpy, asked.values()))]
        for got, wanted in zip(session.run(output_names(sampler), asked), expected, strict=True):
            if got.shape != wanted.shape:
                return float("inf")
            found += differences(got, wanted, sampler.steps.numpy() if sampler.rounds else None).tolist()
    return sorted(found)[-1 - MOST_TIES if sampler.switches else -1]


def differences(
    got: NDArray[np.float32], wanted: NDArray[np.float32], steps: NDArray[np.float32] | None
) -> NDArray[np.float64]:
    """(n,) the largest difference of each window; infinite where a number stands against none."""
    with np.errstate(invalid="ignore"):
        gap = np.where(np.isnan(got) & np.isnan(wanted), np.float32(0), np.abs(got - wanted))
    if gap.ndim == 3 and steps is not None:
        gap = without_ties(gap, steps)
    gap = np.where(np.isfinite(gap), gap, np.inf)  # max() would pass over a NaN
    others = tuple(range(gap.ndim - 1))  # of channels in different units, each counts by itself
    largest = np.abs(np.nan_to_num(wanted, posinf=0, neginf=0)).max(axis=others)
    share = gap / np.maximum(largest, 1e-30)
    return np.asarray(share.reshape(len(share), -1).max(axis=1), dtype=np.float64)


def without_ties(gap: NDArray[np.float32], steps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Differences (n, time, channels) without those of values that lay between two steps and were rounded either way.

    They are few, or rounding is not the reason.
    """
    tied = (steps > 0) & (np.abs(gap - steps) <= 0.01 * steps)
    return np.where(tied, np.float32(0), gap) if tied.sum() <= max(MOST_TIES, MOST_TIES_SHARE * gap.size) else gap


def output_names(sampler: SignalSampler) -> list[str]:
    """The graph's outputs: RR intervals, or when a window starts, stand beside the signal where they are made."""
    return ["signal"] if sampler.beside is None else ["signal", sampler.beside]
