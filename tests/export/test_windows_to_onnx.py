"""What an export writes, and what it refuses to write."""

import copy
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from ecgsynth.errors import ArtifactError
from ecgsynth.export import windows_to_onnx as to_onnx
from ecgsynth.export.manifest import CONTRACT
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.export.windows_to_onnx import largest_difference, without_ties
from ecgsynth.models.wgan import WGANConfig
from ecgsynth.synthesizer import Synthesizer

pytestmark = pytest.mark.trains

NOISE_DIM = 21


def test_the_graph_keeps_the_contract(exported: Path) -> None:
    model = onnx.load(exported, load_external_data=False)
    assert {entry.domain: entry.version for entry in model.opset_import}[""] >= 18
    assert all(entry.domain == "" for entry in model.opset_import)
    assert not [tensor.name for tensor in model.graph.initializer if tensor.external_data]
    assert list(exported.parent.iterdir()) == [exported]  # one file, nothing beside it
    kinds = dict.fromkeys(("uniform", "signal", "rr_s"), onnx.TensorProto.FLOAT) | {"label": onnx.TensorProto.INT64}
    shapes = {"uniform": ["n", NOISE_DIM], "label": ["n"], "signal": ["n", 32, 2], "rr_s": ["n", 2]}
    assert [entry.name for entry in model.graph.input] == ["uniform", "label"]
    assert [entry.name for entry in model.graph.output] == ["signal", "rr_s"]
    batch_axes = set()
    for entry in (*model.graph.input, *model.graph.output):
        first, *rest = entry.type.tensor_type.shape.dim
        assert entry.type.tensor_type.elem_type == kinds[entry.name]
        assert [axis.dim_value for axis in rest] == shapes[entry.name][1:]
        assert first.dim_param, f"the batch axis of {entry.name} is fixed at {first.dim_value}"
        batch_axes.add(first.dim_param)
    assert len(batch_axes) == 1  # one and the same


def test_the_file_holds_what_the_manifest_says(exported: Path, tiny: Synthesizer) -> None:
    said = OnnxSampler(exported).manifest
    assert said.contract == CONTRACT == 1
    assert said.synthetic is True
    assert WGANConfig.from_json(said.training["sizes"]) == tiny.config
    assert said.training["sizes"]["modes"] == [3, 2, 1]
    assert [axis.dim_value for axis in onnx.load(exported).graph.input[0].type.tensor_type.shape.dim][1] == NOISE_DIM
    assert said.noise_dim == NOISE_DIM
    assert said.class_names == ("N", "S", "V")


def give(content: bytes) -> Callable[..., None]:
    """In the place of write_graph, this takes a graph that is there already."""
    return lambda sampler, config, path: path.write_bytes(content)


@pytest.mark.parametrize("at", [5, -1], ids=["signal", "rr_s"])
def test_a_graph_that_differs_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Synthesizer, exported: Path, at: int
) -> None:
    monkeypatch.setattr(to_onnx, "write_graph", give(exported.read_bytes()))
    other = copy.deepcopy(tiny)
    with torch.no_grad():
        other.sampler.mean[at] += 1e-3  # after the graph was made
    kept = tmp_path / "kept.onnx"
    kept.write_bytes(b"of before")
    for path in (tmp_path / "new.onnx", kept):
        with pytest.raises(ArtifactError, match="differs from torch by .* nothing was written"):
            other.export(path, force=True)
    assert list(tmp_path.iterdir()) == [kept]
    assert kept.read_bytes() == b"of before"
    tiny.export(kept, force=True)  # the guard lets the right one pass
    assert OnnxSampler(kept).manifest.noise_dim == NOISE_DIM


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_generator_of_numbers_that_are_none_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Synthesizer, exported: Path, value: float
) -> None:
    broken = copy.deepcopy(tiny)
    with torch.no_grad():
        broken.sampler.mean[0] = value
    monkeypatch.setattr(to_onnx, "write_graph", give(exported.read_bytes()))
    with np.errstate(invalid="ignore"), pytest.raises(ArtifactError, match="nothing was written"):
        broken.export(tmp_path / "new.onnx")
    assert not list(tmp_path.iterdir())


def test_the_difference_is_taken_at_several_batch_sizes(tiny: Synthesizer, exported: Path) -> None:
    assert 0 <= largest_difference(tiny.sampler, tiny.config, exported.read_bytes()) <= 1e-5
    fixed = onnx.load(exported)
    other = copy.deepcopy(tiny.sampler)
    with torch.no_grad():
        other.mean[0] += 0.5
    wrong = largest_difference(other, tiny.config, fixed.SerializeToString())
    assert 0.1 < wrong < 1  # half a millivolt of a signal of a few


def test_each_channel_counts_by_itself(tiny: Synthesizer, exported: Path) -> None:
    # The second channel a thousand times as large: what is wrong in the first would be lost in it.
    other = copy.deepcopy(tiny.sampler)
    scale = torch.tensor([1.0, 1000.0]).repeat(32)
    with torch.no_grad():
        other.basis[:, :64] *= scale
        other.mean[:64] *= scale
    large = onnx.load(exported)
    node = onnx.helper.make_node("Mul", ["small", "scale"], ["signal"])
    for made in large.graph.node:
        made.output[:] = ["small" if name == "signal" else name for name in made.output]
    large.graph.node.append(node)
    large.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, 1000], dtype=np.float32), "scale"))
    assert largest_difference(other, tiny.config, large.SerializeToString()) <= 1e-5
    with torch.no_grad():
        other.mean[::2][:32] += 0.5
    assert largest_difference(other, tiny.config, large.SerializeToString()) > 0.05


STEPS = np.array([10.0, 0.0, 0.1], dtype=np.float32)


def test_values_rounded_either_way_are_no_difference() -> None:
    gap = np.random.default_rng(0).uniform(0, 1e-4, (1, 24, 3)).astype(np.float32)
    tied = gap.copy()
    tied[0, 3, 0], tied[0, 7, 2] = 10, 0.1000003  # even of a single window
    assert without_ties(tied, STEPS).max() < 1e-4
    assert np.array_equal(without_ties(gap, STEPS), gap)
    many = np.zeros((100, 24, 3), dtype=np.float32)
    many[:30, 0, 0] = 10  # 30 of 7200
    assert (without_ties(many, STEPS) == 0).all()


@pytest.mark.parametrize(
    ("at", "value"),
    [((0, 3, 0), 5.0), ((0, 3, 0), 20.0), ((0, 3, 1), 10.0), ((0, 3, 1), 0.1), ((0, 3, 2), 10.0), ((0, 3, 0), np.nan)],
    ids=["half a step", "two steps", "no steps", "no steps either", "another's", "nan"],
)
def test_what_is_not_one_step_is_a_difference(at: tuple[int, int, int], value: float) -> None:
    gap = np.zeros((10, 24, 3), dtype=np.float32)
    gap[at] = value
    assert np.array_equal(without_ties(gap, STEPS), gap, equal_nan=True)


def test_ties_that_are_many_are_a_difference() -> None:
    gap = np.zeros((10, 24, 3), dtype=np.float32)
    gap[:, ::8, 0] = 10  # 30 of 720: rounding down, say, where torch rounds to the nearest
    assert without_ties(gap, STEPS).max() == 10


def test_an_existing_file_is_kept(tmp_path: Path, tiny: Synthesizer) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"mine")
    with pytest.raises(ArtifactError, match="exists already"):
        tiny.export(path)
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]
