"""Halving: what half precision holds exactly is stored in half the bytes, and not a bit of what is computed changes."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ecgsynth.export import windows_to_onnx as to_onnx
from ecgsynth.export.windows_to_onnx import HALVED_NUMBERS, export_signal, halve, write_graph
from ecgsynth.models.decoder import SignalSampler
from ecgsynth.models.scaling import PrincipalScaler
from ecgsynth.models.wgan import Generator, WGANConfig
from ecgsynth.windows.info import ClassInfo, DataInfo

pytestmark = pytest.mark.trains

WIDTH = 40
X = np.random.default_rng(0).normal(size=(7, WIDTH)).astype(np.float32)
EXACT = np.random.default_rng(1).normal(size=(WIDTH, WIDTH)).astype(np.float16).astype(np.float32)
INEXACT = EXACT + np.float32(1e-6)

assert EXACT.size >= HALVED_NUMBERS


def graph_of(
    nodes: list[onnx.NodeProto], tensors: dict[str, NDArray[Any]], inputs: tuple[onnx.ValueInfoProto, ...] = ()
) -> onnx.ModelProto:
    """A model from x (n, WIDTH) to y (n, WIDTH)."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", WIDTH]), *inputs],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", WIDTH])],
        [numpy_helper.from_array(values, name) for name, values in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def product(name: str = "w", *others: str) -> list[onnx.NodeProto]:
    """The nodes of y = x @ w @ others."""
    between = [f"between_{place}" for place, _ in enumerate(others)]
    ends = zip(["x", *between], [name, *others], [*between, "y"], strict=True)
    return [helper.make_node("MatMul", [left, right], [result]) for left, right, result in ends]


def run(model: onnx.ModelProto, **more: NDArray[Any]) -> list[bytes]:
    """The bytes of every output, with the graph as it stands and as onnxruntime improves it."""
    found = []
    for level in (
        onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
        onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
    ):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found += [made.tobytes() for made in session.run(None, {"x": X, **more})]
    return found


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """A halved copy, whole by the rules of ONNX."""
    again = copy.deepcopy(model)
    halve(again)
    onnx.checker.check_model(again, full_check=True)
    return again


def kinds(model: onnx.ModelProto) -> list[int]:
    return [tensor.data_type for tensor in model.graph.initializer]


def test_an_exact_tensor_shrinks_and_the_output_has_the_same_bytes() -> None:
    model = graph_of(product(), {"w": EXACT})
    small = halved(model)
    assert kinds(small) == [TensorProto.FLOAT16]
    assert len(model.SerializeToString()) - len(small.SerializeToString()) > 2 * EXACT.size - 100
    assert run(small) == run(model)


def test_only_what_is_exact_is_stored_otherwise() -> None:
    model = graph_of(product("w", "v"), {"w": EXACT, "v": INEXACT})
    small = halved(model)
    assert kinds(small) == [TensorProto.FLOAT16, TensorProto.FLOAT]
    assert small.graph.initializer[1] == model.graph.initializer[1]
    assert list(small.graph.node)[1:] == list(model.graph.node)  # one cast before all that was there
    assert small.graph.node[0].op_type == "Cast"
    for part in ("input", "output", "value_info", "name"):
        assert getattr(small.graph, part) == getattr(model.graph, part)
    assert run(small) == run(model)


SPOILED = {
    "one number that is none": {(3, 3): 1 + 2.0**-11},
    "too large": {(0, 0): 65520.0},
    "too small": {(0, 0): 2.0**-26},
    "not a number": {(0, 0): np.nan},
}


@pytest.mark.parametrize("change", SPOILED.values(), ids=SPOILED)
def test_one_number_that_half_precision_does_not_hold_spares_the_tensor(change: dict[Any, float]) -> None:
    values = EXACT.copy()
    for place, value in change.items():
        values[place] = value
    model = graph_of(product(), {"w": values})
    assert halved(model).SerializeToString() == model.SerializeToString()


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("small", EXACT.ravel()[: HALVED_NUMBERS - 1]),
        ("double", EXACT.astype(np.float64)),
        ("whole", np.arange(2 * HALVED_NUMBERS)),
        ("half", EXACT.astype(np.float16)),
    ],
)
def test_small_tensors_and_those_of_other_kinds_are_left_alone(name: str, tensor: NDArray[Any]) -> None:
    model = graph_of(product(), {"w": INEXACT, name: tensor})
    assert halved(model).SerializeToString() == model.SerializeToString()


def test_the_least_tensor_that_is_worth_it() -> None:
    model = graph_of(product(), {"w": INEXACT, "v": EXACT.ravel()[:HALVED_NUMBERS]})
    assert kinds(halved(model)) == [TensorProto.FLOAT, TensorProto.FLOAT16]
    assert len(halved(model).SerializeToString()) < len(model.SerializeToString())


def test_halving_again_changes_nothing() -> None:
    once = halved(graph_of(product("w", "v"), {"w": EXACT, "v": 2 * EXACT}))
    assert kinds(once) == [TensorProto.FLOAT16] * 2
    assert halved(once).SerializeToString() == once.SerializeToString()


def test_signed_zeros_infinities_and_the_least_numbers_survive() -> None:
    values = EXACT.copy()
    values[0, :6] = [0.0, -0.0, 2.0**-24, -(2.0**-24), 65504.0, np.inf]
    nodes = [helper.make_node("Gather", ["w", "at"], ["row"]), helper.make_node("Identity", ["row"], ["y"])]
    model = graph_of(nodes, {"w": values, "at": np.arange(1)})
    small = halved(model)
    assert kinds(small)[0] == TensorProto.FLOAT16
    assert run(small) == run(model) == [values[:1].tobytes()] * 2


def test_names_that_are_taken_are_passed_over() -> None:
    names = ["w", "w.half0", "w.half1", "w.half0.half0"]
    model = graph_of(product(*names), {name: EXACT * 2**place for place, name in enumerate(names)})
    small = halved(model)
    assert kinds(small) == [TensorProto.FLOAT16] * 4
    stored = [tensor.name for tensor in small.graph.initializer]
    made = [name for node in small.graph.node for name in node.output]
    assert len({*stored, *made}) == len(stored) + len(made)
    assert run(small) == run(model)


def branch(name: str, result: str, weight: str) -> onnx.GraphProto:
    """A graph within the graph, which takes a tensor from the one around it."""
    return helper.make_graph(
        [helper.make_node("MatMul", ["x", weight], [result])],
        name,
        [],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, ["n", WIDTH])],
    )


def test_a_graph_within_the_graph_keeps_its_tensors_and_its_names() -> None:
    choose = helper.make_node(
        "If", ["yes"], ["y"], then_branch=branch("a", "w.half0", "w"), else_branch=branch("b", "w.half1", "v")
    )
    model = graph_of([choose], {"w": EXACT, "v": INEXACT, "yes": np.array(True)})
    small = halved(model)
    assert kinds(small)[:2] == [TensorProto.FLOAT16, TensorProto.FLOAT]
    assert small.graph.initializer[0].name == "w.half2"
    assert run(small) == run(model)


def test_a_tensor_that_is_an_output_keeps_its_name() -> None:
    model = graph_of(product(), {"w": EXACT})
    model.graph.output.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [WIDTH, WIDTH]))
    small = halved(model)
    assert kinds(small) == [TensorProto.FLOAT16]
    assert run(small) == run(model)
    assert run(small)[1] == EXACT.tobytes()


def test_a_tensor_that_can_be_given_from_outside_is_left_alone() -> None:
    model = graph_of(product(), {"w": EXACT}, (helper.make_tensor_value_info("w", TensorProto.FLOAT, [WIDTH, WIDTH]),))
    assert halved(model).SerializeToString() == model.SerializeToString()
    assert run(halved(model), w=INEXACT) == run(model, w=INEXACT)


@given(
    tensors=st.lists(
        npst.arrays(np.float32, (2, WIDTH), elements=st.floats(width=16, allow_nan=False) | st.floats(width=32)),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_is_stored_the_tensors_are_the_same(tensors: list[NDArray[np.float32]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(to_onnx, "HALVED_NUMBERS", 1)
        model = graph_of([helper.make_node("Identity", ["x"], ["y"])], {f"t{i}": t for i, t in enumerate(tensors)})
        small = halved(model)
    casts = {node.input[0]: node.output[0] for node in small.graph.node if node.op_type == "Cast"}
    for tensor, stored in zip(tensors, small.graph.initializer, strict=True):
        values = numpy_helper.to_array(stored)
        assert (values.dtype == np.float16) == (stored.name in casts)
        with np.errstate(over="ignore", invalid="ignore"):
            exact = np.array_equal(tensor.astype(np.float16).astype(np.float32), tensor)
        assert (values.dtype == np.float16) == exact
        if exact:
            assert values.astype(np.float32).tobytes() == tensor.tobytes()


# ---- a generator


CONFIG = WGANConfig(
    time=16,
    components=8,
    intervals=2,
    clusters=(2, 1),
    latent_steps=4,
    step_noise=3,
    hidden=24,
    cluster_dim=4,
    read_out=24,
)
ABOUT: dict[str, Any] = {
    "data": DataInfo(
        kind="beats",
        fs_hz=100.0,
        units="mV",
        time=16,
        channel_names=("MLII",),
        event_index=3,
        classes=tuple(ClassInfo(name=name, meaning=name, share=0.5) for name in ("N", "V")),
    ),
    "training": {},
    "metrics": {},
}


def rounded() -> SignalSampler:
    """A generator as it begins, with its parameters in steps of half precision, as a training leaves them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(CONFIG)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.copy_(parameter.half().float())
    axes, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 8)))
    scaler = PrincipalScaler(
        time=16,
        channels=1,
        mean=np.zeros(16),
        weights=np.ones(1),
        transformed=np.zeros(1),
        quantiles=np.zeros((1, 24)),
        references=np.zeros((1, 24)),
        axes=axes.T,
        scales=np.ones(8),
        interval_means=np.full(2, -0.2),
        interval_scales=np.full(2, 0.2),
        explained=1.0,
    )
    return SignalSampler(generator, scaler).eval()


def test_a_generator_in_half_the_bytes_draws_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler, draft = rounded(), tmp_path / "draft.onnx"
    write_graph(sampler, CONFIG, draft)
    content = draft.read_bytes()
    monkeypatch.setattr(to_onnx, "write_graph", lambda sampler, config, path: path.write_bytes(content))
    small, large = tmp_path / "small.onnx", tmp_path / "large.onnx"
    export_signal(sampler, small, **ABOUT)
    monkeypatch.setattr(to_onnx, "halve", lambda model: None)
    export_signal(sampler, large, **ABOUT)
    weights = sum(p.numel() for p in sampler.generator.parameters() if p.numel() >= HALVED_NUMBERS)
    assert large.stat().st_size - small.stat().st_size > 1.9 * weights
    uniform = np.random.default_rng(0).uniform(size=(300, CONFIG.noise_dim)).astype(np.float32)
    asked = {"uniform": uniform, "label": np.arange(300) % 2}
    one, other = (
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, asked)
        for path in (small, large)
    )
    assert [made.tobytes() for made in one] == [made.tobytes() for made in other]
