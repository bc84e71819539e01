"""The exported file and its sampler: the contract, the seed, and torch's own answers."""

import copy
import hashlib
import importlib.util
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import ecgsynth
from ecgsynth.core.noise import pick_labels, row_noise
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.export import windows_to_onnx as to_onnx
from ecgsynth.export.manifest import CONTRACT, KEY, Manifest
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.export.windows_to_onnx import TOLERANCE, largest_difference, without_ties, write_graph
from ecgsynth.models.decoder import SignalSampler, draw
from ecgsynth.models.scaling import PrincipalScaler
from ecgsynth.models.wgan import Generator, WGANConfig, box_muller
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.windows.info import FEW, ClassInfo, DataInfo, Source
from ecgsynth.windows.windows import Windows

pytestmark = pytest.mark.trains

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TINY = GOLDEN / "tiny.onnx"
SIGNAL_ONLY = GOLDEN / "signal_only.onnx"  # as it was written before generators made RR intervals
BOUNDS = ((0.5, 0.8, 1.0), (0.75, 1.0), (1.0,))  # cumulative shares of the modes of each class
FIRST = (0, 3, 5)  # the number of the first mode of each class
NOISE_DIM, NORMALS, FEATURES = 21, 19, 10


def load_script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tiny() -> Synthesizer:
    """The generator of the golden file, in torch."""
    made: Synthesizer = load_script(GOLDEN / "make_tiny.py").tiny()
    return made


@pytest.fixture(scope="module")
def exported(tiny: Synthesizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same generator, exported now."""
    path = tmp_path_factory.mktemp("export") / "fresh.onnx"
    tiny.export(path)
    return path


def expected(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return content


def with_metadata(path: Path, **metadata: str) -> Path:
    """The golden model with other metadata."""
    model = onnx.load(TINY)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata)
    path.write_bytes(model.SerializeToString())
    return path


def manifest_content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(OnnxSampler(TINY).manifest.to_text())
    return content


# ---- torch and ONNX


@pytest.mark.parametrize("n", [1, 2, 3, 64, 300])
def test_onnx_equals_torch(tiny: Synthesizer, exported: Path, n: int) -> None:
    uniform = row_noise(n, range(n), tiny.config.noise_dim).uniform
    label = np.arange(n) % 3
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        wanted = tiny.sampler(torch.from_numpy(uniform), torch.from_numpy(label))
    made = session.run(["signal", "rr_s"], {"uniform": uniform, "label": label})
    for got, made_by_torch, shape in zip(made, wanted, ((n, 32, 2), (n, 2)), strict=True):
        assert got.shape == made_by_torch.shape == shape
        assert got.dtype == np.float32
        assert np.abs(got - made_by_torch.numpy()).max() <= TOLERANCE * made_by_torch.abs().max()


@pytest.mark.parametrize("label", [None, "S"])
@pytest.mark.parametrize("seed", [0, 7, 2**64 - 1])
def test_sampling_equals_torch_row_for_row(tiny: Synthesizer, exported: Path, label: str | None, seed: int) -> None:
    one, other = tiny.sample(70, label, seed), OnnxSampler(exported).sample(70, label, seed)
    assert np.array_equal(one.labels, other.labels)
    assert one.values == pytest.approx(other.values, abs=1e-5)
    assert one.rr_s is not None
    assert one.rr_s.shape == (70, 2)
    assert one.rr_s == pytest.approx(other.rr_s, abs=1e-5)


def test_torch_draws_later_rows_without_those_before(tiny: Synthesizer) -> None:
    labels = np.arange(40) % 3
    whole = draw(tiny.sampler, labels, 7)
    for part, rows in ((draw(tiny.sampler, labels[25:], 7, start=25), 25), (draw(tiny.sampler, labels, 7, batch=3), 0)):
        for got, wanted in zip(part, whole, strict=True):
            assert wanted is not None
            assert got == pytest.approx(wanted[rows:], abs=1e-6)


def test_labels_are_drawn_by_the_shares_as_the_contract_says(exported: Path) -> None:
    # Written out: the draw after the noise, its place among the cumulative shares 0.5, 0.7, 1.
    sampler = OnnxSampler(exported)
    noise_dim, blocks = NOISE_DIM, 6  # 22 draws a row, in blocks of four
    labels = sampler.sample(500, seed=3).labels
    for row in range(500):
        raw = np.random.Philox(key=3, counter=row * blocks).random_raw(noise_dim + 1)
        u = ((int(raw[-1]) >> 41) + 0.5) / 2**23
        assert labels[row] == (0 if u < 0.5 else 1 if u < 0.7 else 2)


def test_windows_follow_from_the_weights_written_out(tiny: Synthesizer, exported: Path) -> None:
    # Uniforms, Box-Muller, mode, its place, axes, mean: in float64 but for the network, which test_wgan checks itself.
    noise = row_noise(5, range(200), NOISE_DIM)
    u = noise.uniform.astype(np.float64)
    labels = pick_labels(noise.label, np.array([0.5, 0.2, 0.3]))
    modes = mode_of(u[:, -1], labels)
    assert set(modes.tolist()) == set(range(6))
    generator = tiny.sampler.generator
    with torch.inference_mode():
        local = generator(torch.from_numpy(normals_of(u)).float(), torch.from_numpy(modes)).double().numpy()
    assert (np.abs(local) > 4).any()  # some are cut off
    bent = np.sinh(np.clip(local, -4, 4))
    features = generator.centres.double().numpy()[modes] + generator.spreads.double().numpy()[modes] * bent
    scaler = tiny.space
    signal = (features[:, :8] * scaler.scales) @ scaler.axes + scaler.mean
    rr_s = np.exp(features[:, 8:] * scaler.interval_scales + scaler.interval_means).clip(0.2, 3.0)
    drawn = OnnxSampler(exported).sample(200, seed=5)
    assert drawn.values == pytest.approx(signal.reshape(-1, 32, 2), abs=1e-5)
    assert drawn.rr_s == pytest.approx(rr_s, abs=1e-5)


def normals_of(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Box and Muller's normals (n, NORMALS) from all uniforms of a row but the last; the last of them is left over."""
    half = u.shape[1] // 2
    length, turn = np.sqrt(-2 * np.log(u[:, :half])), 2 * math.pi * u[:, half:-1]
    return np.concatenate([length * np.cos(turn), length * np.sin(turn)], axis=1)[:, :NORMALS]


def mode_of(pick: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of the modes: the first of the class whose cumulative share exceeds the row's last uniform."""
    passed = [np.argmax(np.array(BOUNDS[code]) > u) for u, code in zip(pick, labels, strict=True)]
    return np.array([FIRST[code] + int(mode) for mode, code in zip(passed, labels, strict=True)])


def test_a_class_is_drawn_in_modes_by_their_shares(exported: Path) -> None:
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    uniform = np.full((1000, NOISE_DIM), 0.3, dtype=np.float32)  # with the same normals, only the mode tells rows apart
    uniform[:, -1] = (np.arange(1000) + 0.5) / 1000
    for code, counts in enumerate(([500, 300, 200], [750, 250], [1000])):
        signal, rr_s = session.run(["signal", "rr_s"], {"uniform": uniform, "label": np.full(1000, code)})
        first = np.cumsum([0, *counts[:-1]])
        assert signal == pytest.approx(np.repeat(signal[first], counts, axis=0), abs=1e-6)
        assert rr_s == pytest.approx(np.repeat(rr_s[first], counts, axis=0), abs=1e-6)
        for one in range(len(counts)):
            for other in range(one):
                assert np.abs(signal[first[one]] - signal[first[other]]).max() > 0.1


@pytest.mark.parametrize(("mean", "end"), [(-9.0, 0.2), (9.0, 3.0)])
def test_no_interval_is_beyond_what_a_heart_does(tiny: Synthesizer, mean: float, end: float) -> None:
    far = copy.deepcopy(tiny.sampler)
    with torch.no_grad():
        far.mean[-2:] = mean
    _, rr_s = draw(far, np.arange(50) % 3, 1)
    assert rr_s == pytest.approx(np.full((50, 2), end), rel=1e-6)
    _, rr_s = draw(tiny.sampler, np.arange(2000) % 3, 1)
    assert rr_s is not None
    assert 0.2 * (1 - 1e-6) <= rr_s.min() < 0.3  # so that the golden generator needs the cut
    assert rr_s.max() <= 3.0 * (1 + 1e-6)


class Echo(Generator):
    """In the generator's place, this lets the first normals through, moved by the number of the mode."""

    def forward(self, z: Tensor, mode: Tensor) -> Tensor:
        return z + mode.unsqueeze(1)

    def place(self, local: Tensor, mode: Tensor) -> Tensor:
        return local


def echo_sampler(tiny: Synthesizer) -> SignalSampler:
    echo = Echo(tiny.config)
    echo.load_state_dict(tiny.sampler.generator.state_dict())
    return SignalSampler(
        echo,
        PrincipalScaler(
            time=NORMALS,
            channels=1,
            mean=np.zeros(NORMALS),
            weights=np.ones(1),
            transformed=np.zeros(1),
            quantiles=np.zeros((1, 24)),
            references=np.zeros((1, 24)),
            axes=np.eye(NORMALS),
            scales=np.ones(NORMALS),
            interval_means=np.zeros(0),
            interval_scales=np.zeros(0),
            explained=1.0,
        ),
    ).eval()


def test_box_muller_and_the_mode_in_the_graph_equal_float64(tmp_path: Path, tiny: Synthesizer) -> None:
    write_graph(echo_sampler(tiny), tiny.config, tmp_path / "echo.onnx")
    uniform, label = row_noise(1, range(1000), NOISE_DIM).uniform, np.arange(1000) % 3
    smallest, largest = np.float32(0.5 * 2.0**-23), np.float32(1 - 0.5 * 2.0**-23)
    uniform[0], uniform[1], uniform[2, ::2], uniform[3, 1::2] = smallest, largest, smallest, largest
    u = uniform.astype(np.float64)
    wanted, modes = normals_of(u), mode_of(u[:, -1], label)
    assert set(modes.tolist()) == set(range(6))
    session = onnxruntime.InferenceSession(tmp_path / "echo.onnx", providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["signal"]  # no RR intervals, no output for them
    (got,) = session.run(None, {"uniform": uniform, "label": label})
    assert got[..., 0] == pytest.approx(wanted + modes[:, None], abs=1e-5)
    assert box_muller(torch.from_numpy(uniform[:, :-1])).numpy()[:, :NORMALS] == pytest.approx(wanted, abs=1e-5)
    assert np.isfinite(got).all()
    assert abs(wanted[4:].mean()) < 0.03  # 4 standard deviations of 18,924 normals
    assert wanted[4:].std() == pytest.approx(1, abs=0.03)


def test_a_generator_without_intervals_draws_none(tiny: Synthesizer) -> None:
    signals, rr_s = draw(echo_sampler(tiny), np.arange(10) % 3, 1, batch=4)
    assert signals.shape == (10, NORMALS, 1)
    assert rr_s is None


# ---- the same rows whatever is drawn with them


def joined(sampler: OnnxSampler, n: int, batch: int, label: str | None = None) -> list[Windows]:
    pieces = list(sampler.stream(n, label, seed=7, batch=batch))
    assert [len(piece) for piece in pieces] == [batch] * (n // batch) + [n % batch] * (n % batch > 0)
    return pieces


@pytest.mark.parametrize("path", [TINY, SIGNAL_ONLY], ids=["rr", "signal"])
@pytest.mark.parametrize("threads", [0, 1])
@pytest.mark.parametrize("batch", [1, 7, 256, 300])
def test_rows_are_the_same_whatever_the_batch(batch: int, threads: int, path: Path) -> None:
    pieces = joined(OnnxSampler(path, threads=threads), 300, batch)
    whole = OnnxSampler(path).sample(300, seed=7)
    assert np.array_equal(np.concatenate([piece.labels for piece in pieces]), whole.labels)
    values = np.concatenate([piece.values for piece in pieces])
    assert values == pytest.approx(whole.values, abs=2e-6)  # sums in another order
    if path == SIGNAL_ONLY:
        assert whole.rr_s is None
        assert {piece.rr_s for piece in pieces} == {None}
    else:
        intervals = [piece.rr_s for piece in pieces if piece.rr_s is not None]
        assert np.concatenate(intervals) == pytest.approx(whole.rr_s, abs=2e-6)


def test_a_batch_says_what_it_is_as_the_whole_does() -> None:
    sampler = OnnxSampler(TINY)
    whole = sampler.sample(9, seed=7)
    for piece in joined(sampler, 9, 4):
        for name in ("fs_hz", "units", "channel_names", "classes", "groups", "parts", "event_index", "meta"):
            assert getattr(piece, name) == getattr(whole, name)
    assert whole.meta == {"kind": "beats", "synthetic": True, "seed": 7, "model": "tiny.onnx"}
    assert (whole.groups, whole.parts) == (None, None)  # nobody stands behind them


def test_a_longer_sample_begins_with_the_shorter_one() -> None:
    sampler = OnnxSampler(TINY)
    short, long = sampler.sample(5, seed=9), sampler.sample(50, seed=9)
    assert np.array_equal(short.labels, long.labels[:5])
    assert short.values == pytest.approx(long.values[:5], abs=2e-6)
    assert long.rr_s is not None
    assert short.rr_s == pytest.approx(long.rr_s[:5], abs=2e-6)


def test_same_seed_same_bytes_other_seed_others() -> None:
    one, again, other = (OnnxSampler(TINY).sample(40, seed=seed) for seed in (7, 7, 8))
    assert one.values.tobytes() == again.values.tobytes()
    assert not np.isclose(one.values, other.values).all(axis=(1, 2)).any()
    assert one.rr_s is not None
    assert again.rr_s is not None
    assert other.rr_s is not None
    assert one.rr_s.tobytes() == again.rr_s.tobytes()
    assert not np.isclose(one.rr_s, other.rr_s).all(axis=1).any()


def test_streaming_draws_only_what_is_taken() -> None:
    assert len(next(OnnxSampler(TINY).stream(10**15, seed=7, batch=4))) == 4


def test_rows_of_a_class_have_the_noise_of_their_number() -> None:
    sampler = OnnxSampler(TINY)
    mixed = sampler.sample(60, seed=1)
    for code, name in enumerate(("N", "S", "V")):
        rows = mixed.labels == code
        own = sampler.sample(60, name, seed=1)
        assert own.values[rows] == pytest.approx(mixed.values[rows], abs=2e-6)
        assert own.rr_s is not None
        assert mixed.rr_s is not None
        assert own.rr_s[rows] == pytest.approx(mixed.rr_s[rows], abs=2e-6)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        ({"n": 0}, "at least 1, got 0"),
        ({"n": -3}, "at least 1, got -3"),
        ({"n": 1, "label": "Q"}, "no class 'Q'; its classes are N, S, V"),
        ({"n": 1, "seed": -1}, "seed"),
        ({"n": 1, "seed": 2**64}, "seed"),
    ],
)
def test_what_cannot_be_drawn_is_one_clear_sentence(ask: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        OnnxSampler(TINY).sample(**ask)


def test_a_batch_of_none_is_refused_before_anything_is_drawn() -> None:
    with pytest.raises(ConfigError, match="at least 1 window, got 0"):
        OnnxSampler(TINY).stream(5, batch=0)


# ---- the golden file: a seed keeps its meaning


@pytest.mark.parametrize("name", ["tiny", "signal_only"])
def test_the_golden_rows_are_drawn(name: str) -> None:
    wanted = expected(name)
    drawn = OnnxSampler(GOLDEN / f"{name}.onnx").sample(len(wanted["labels"]), seed=wanted["seed"])
    assert [drawn.classes[code] for code in drawn.labels] == wanted["labels"]
    assert drawn.values == pytest.approx(np.asarray(wanted["values"]), abs=1e-5)
    if "rr_s" in wanted:
        assert drawn.rr_s == pytest.approx(np.asarray(wanted["rr_s"]), abs=1e-5)
    else:
        assert drawn.rr_s is None


def test_the_golden_files_are_with_and_without_intervals() -> None:
    # signal_only.onnx was made before RR intervals were; no command makes it again, and it stays as it is.
    outputs = {path.name: [entry.name for entry in onnx.load(path).graph.output] for path in (TINY, SIGNAL_ONLY)}
    assert outputs == {"tiny.onnx": ["signal", "rr_s"], "signal_only.onnx": ["signal"]}
    assert hashlib.sha256(SIGNAL_ONLY.read_bytes()).hexdigest().startswith("3ec6fea2710a4fac")


@pytest.mark.parametrize("path", [TINY, SIGNAL_ONLY], ids=["rr", "signal"])
def test_the_golden_file_is_small_and_says_nothing_of_its_maker(path: Path) -> None:
    content = path.read_bytes()
    assert len(content) < 60_000
    assert b"site-packages" not in content


# ---- what an export writes


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


# ---- the manifest


def test_manifest_round_trip() -> None:
    said = Manifest(
        noise_dim=12,
        data=DataInfo(
            kind="beats",
            time=32,
            fs_hz=250.0,
            units="mV",
            channel_names=("I", "II"),
            event_index=None,
            classes=(ClassInfo(name="N", meaning="µ, normal", share=0.25), ClassInfo(name="V", meaning="", share=0.75)),
            source=Source(name="ü"),
            training_patients=FEW,
        ),
        training={"config": {"seed": 2**53}},
        metrics={"score": 0.1 + 0.2},
    )
    again = Manifest.from_text(said.to_text(), "here")
    assert again == said
    assert json.loads(said.to_text())["contract"] == CONTRACT


def test_a_manifest_cannot_hold_nan() -> None:
    said = OnnxSampler(TINY).manifest
    said.metrics["score"] = math.nan
    with pytest.raises(ValueError, match="JSON"):
        said.to_text()


def test_more_than_this_version_asks_for_is_tolerated(tmp_path: Path) -> None:
    content = manifest_content()
    content |= {"colour": "blue"}
    content["classes"][0] |= {"icd": "I49"}
    path = with_metadata(tmp_path / "a.onnx", **{KEY: json.dumps(content), "other": "x"})
    assert OnnxSampler(path).manifest == OnnxSampler(TINY).manifest


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"contract": 2}, "follows contract 2 and this version knows up to 1; upgrade"),
        ({"contract": "next"}, "manifest that cannot be read"),
        ({"classes": [{"name": "N"}]}, "incomplete manifest"),
        ({"classes": 3}, "incomplete manifest"),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = with_metadata(tmp_path / "a.onnx", **{KEY: json.dumps(manifest_content() | change)})
    check_refused(path, says)


@pytest.mark.parametrize("missing", [field for field in manifest_content() if field != "contract"])
def test_a_manifest_that_lacks_something_is_refused(tmp_path: Path, missing: str) -> None:
    content = manifest_content()
    del content[missing]
    check_refused(with_metadata(tmp_path / "a.onnx", **{KEY: json.dumps(content)}), f"incomplete manifest.*{missing}")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "{}"])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    check_refused(with_metadata(tmp_path / "a.onnx", **{KEY: text}), "manifest")


def test_a_file_without_a_manifest_is_refused(tmp_path: Path) -> None:
    check_refused(with_metadata(tmp_path / "a.onnx"), "has no ecgsynth manifest; expected a file made by")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (TINY.read_bytes()[:5000], "damaged or not an ONNX file"),
        (TINY.read_bytes()[:-100], "damaged or not an ONNX file|has no ecgsynth manifest"),
        (b"PK\x03\x04 not at all", "damaged or not an ONNX file"),
        (b"", "damaged or not an ONNX file|has no ecgsynth manifest"),
    ],
    ids=["half", "tail", "other", "empty"],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    check_refused(path, says)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    check_refused(tmp_path / "a.onnx", "expected an .onnx file at .*, but there is none")
    check_refused(tmp_path, "expected an .onnx file at .*, but there is none")


def check_refused(path: Path, says: str) -> None:
    with pytest.raises(ArtifactError, match=says) as caught:
        ecgsynth.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


# ---- without the train extra

WITHOUT = "torch pandas wfdb scipy onnx onnxscript safetensors matplotlib pyarrow sklearn".split()


def run_bare(code: str, folder: Path) -> str:
    """What ``code`` prints in a fresh Python in which the packages of the extra cannot be imported."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({WITHOUT!r}))\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-P", "-c", hide + code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_sampling_and_the_commands_for_a_model_need_no_extra(tmp_path: Path) -> None:
    code = f"""
import ecgsynth
from ecgsynth.cli.main import main
model = {str(TINY)!r}
made = ecgsynth.load(model).sample(5, seed=7)
assert made.values.shape == (5, 32, 2)
for arguments in (
    ["info", model],
    ["sample", model, "-n", "5", "--seed", "7", "-o", "a.npz"],
    ["sample", model, "-n", "5", "--seed", "7", "--label", "V", "--format", "csv", "-o", "a.csv"],
):
    main(arguments, standalone_mode=False)
loaded = [name for name in {WITHOUT!r} if sys.modules[name] is not None]
assert not loaded, loaded
again = ecgsynth.Windows.load("a.npz")
assert again.values.tobytes() == made.values.tobytes()
assert again.rr_s.tobytes() == made.rr_s.tobytes()
"""
    said = run_bare(code, tmp_path)
    assert "supraventricular ectopic beat" in said
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").count("\nV,") == 5


def test_what_needs_the_extra_says_so_in_one_line(tmp_path: Path) -> None:
    code = """
import ecgsynth
from click.testing import CliRunner
from ecgsynth.cli.main import main
from ecgsynth.errors import MissingExtraError
try:
    raise SystemExit(f"no error but {ecgsynth.Synthesizer}")
except MissingExtraError as error:
    assert "ecgsynth.Synthesizer needs the package torch" in str(error), error
for arguments in (
    ["sample", model, "-n", "5", "--format", "parquet", "-o", "a.parquet"],
    ["sample", model, "-n", "5", "--format", "wfdb", "-o", "drawn"],
    ["train", "ecg", "beats.npz", "-o", "run"],
    ["export", "run", "-o", "a.onnx"],
    ["evaluate", model, "--real", "beats.npz", "-o", "report"],
    ["prepare", "records", "-o", "beats.npz"],
    ["demo", "-o", "demo"],
):
    done = CliRunner().invoke(main, arguments)
    *_, last = done.stderr.strip().splitlines() or [repr(done.exception)]
    print(arguments[0], done.exit_code, last)
"""
    (tmp_path / "records").mkdir()
    for name in ("a.hea", "a.atr"):
        (tmp_path / "records" / name).write_text("", encoding="utf-8")
    said = run_bare(f"model = {str(TINY)!r}\n{code}", tmp_path).splitlines()
    assert len(said) == 7
    for line in said:
        _, status, message = line.split(" ", 2)
        assert status == "1", line
        assert message.startswith("Error: "), line
        assert re.search(r"which is not installed: pip install [a-z]", message), line
        assert "ecgsynth[" not in message, line
