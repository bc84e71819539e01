"""What stands in a file is found there, whatever the exporter calls it."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.metrics.attacks.nearest import nearest_distance
from ecgsynth.metrics.attacks.white_box import centres_in

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def test_the_centres_of_the_golden_file_are_those_in_its_graph():
    graph = onnx.load(GOLDEN / "tiny.onnx").graph
    tables = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    six = [table for table in tables.values() if table.shape == (6, 10)]  # centres and spreads of its six clusters
    (centres,) = (table for table in six if table.min() < 0)
    found = centres_in(GOLDEN / "tiny.onnx")
    assert found.shape == (7, 32, 2)
    mean, basis = tables["mean"], tables["basis"]
    for row in centres:
        expected = (row @ basis + mean)[:64].reshape(32, 2)  # behind the samples stand two RR intervals
        assert np.abs(found - expected).max(axis=(1, 2)).min() < 1e-5
    assert np.abs(found - mean[:64].reshape(32, 2)).max(axis=(1, 2)).min() < 1e-6


def test_what_the_golden_file_draws_lies_about_its_centres():
    found, made = centres_in(GOLDEN / "tiny.onnx"), OnnxSampler(GOLDEN / "tiny.onnx").windows(600, seed=1)
    near = nearest_distance(made.values, found)
    shifted = nearest_distance(made.values, found[:, ::-1])
    assert np.median(near) < 0.5 * np.median(shifted)


def graph_of(*tables, size=6, way="basis", last="Identity"):
    """features @ basis + mean, or features * basis + mean, then a last node, as a graph whose features are random."""
    tensors = [onnx.numpy_helper.from_array(np.asarray(table, dtype=np.float32), name) for name, table in tables]
    tensors.append(onnx.numpy_helper.from_array(np.array([-1, size // 2, 2]), "shape"))
    width = len(dict(tables)[way])
    nodes = [
        onnx.helper.make_node("Identity", ["uniform"], ["features"]),
        onnx.helper.make_node("MatMul" if np.ndim(dict(tables)[way]) == 2 else "Mul", ["features", way], ["away"]),
        onnx.helper.make_node("Add", ["away", "mean"], ["flat"]),
        onnx.helper.make_node(last, ["flat"], ["done"]),
        onnx.helper.make_node("Reshape", ["done", "shape"], ["signal"]),
    ]
    asked = onnx.helper.make_tensor_value_info("uniform", onnx.TensorProto.FLOAT, ["n", width])
    signal = onnx.helper.make_tensor_value_info("signal", onnx.TensorProto.FLOAT, ["n", size // 2, 2])
    graph = onnx.helper.make_graph(nodes, "g", [asked], [signal], tensors)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)


def write(path, model):
    path.write_bytes(model.SerializeToString())
    return path


def test_tables_of_other_models_are_found_too(tmp_path):
    rng = np.random.default_rng(0)
    basis, mean, styles, beats = (
        rng.normal(size=(4, 6)),
        rng.normal(size=6),
        rng.normal(size=(5, 4)),
        rng.normal(size=(2, 6)),
    )
    model = graph_of(("basis", basis), ("mean", mean), ("styles", styles), ("val_3", beats), ("w", np.eye(3)))
    found = centres_in(write(tmp_path / "a.onnx", model))
    expected = np.concatenate([mean[None], styles @ basis + mean, beats]).reshape(-1, 3, 2)
    assert found == pytest.approx(expected, abs=1e-5)


def test_whatever_the_graph_does_with_features_is_done_with_centres(tmp_path):
    centres = [[0.5, 0.5, -3, 0, 3, 0]]
    tables = [("back.scales", np.full(6, 2.0)), ("mean", np.ones(6)), ("t", centres)]
    found = centres_in(write(tmp_path / "a.onnx", graph_of(*tables, way="back.scales", last="Relu")))
    assert found[-1].tolist() == [[2, 2], [0, 1], [7, 1]]


def test_another_graph_has_none(tmp_path):
    model = graph_of(("basis", np.eye(6)), ("mean", np.zeros(6)))
    del model.graph.node[0]
    for tensor in model.graph.initializer:
        tensor.name = tensor.name.replace("basis", "other")
    assert centres_in(write(tmp_path / "a.onnx", model)) is None
