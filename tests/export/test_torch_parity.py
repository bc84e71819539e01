"""The exported graph gives what torch gives, and what the weights give when they are written out."""

import copy
import math
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgsynth.core.noise import pick_labels, row_noise
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.export.windows_to_onnx import TOLERANCE, write_graph
from ecgsynth.models.decoder import SignalSampler, draw
from ecgsynth.models.scaling import PrincipalScaler
from ecgsynth.models.wgan import Generator, box_muller
from ecgsynth.synthesizer import Synthesizer

pytestmark = pytest.mark.trains

BOUNDS = ((0.5, 0.8, 1.0), (0.75, 1.0), (1.0,))  # cumulative shares of the clusters of each class
FIRST = (0, 3, 5)  # the number of the first cluster of each class
NOISE_DIM, NORMALS = 21, 19


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
    # Uniforms, Box-Muller, cluster, its place, axes, mean: in float64 except for the network, see test_wgan.
    noise = row_noise(5, range(200), NOISE_DIM)
    u = noise.uniform.astype(np.float64)
    labels = pick_labels(noise.label, np.array([0.5, 0.2, 0.3]))
    clusters = cluster_of(u[:, -1], labels)
    assert set(clusters.tolist()) == set(range(6))
    generator = tiny.sampler.generator
    with torch.inference_mode():
        local = generator(torch.from_numpy(normals_of(u)).float(), torch.from_numpy(clusters)).double().numpy()
    assert (np.abs(local) > 4).any()  # some are cut off
    scaled = np.sinh(np.clip(local, -4, 4))
    features = generator.centres.double().numpy()[clusters] + generator.spreads.double().numpy()[clusters] * scaled
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


def cluster_of(pick: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of the clusters: the first of the class whose cumulative share exceeds the row's last uniform."""
    passed = [np.argmax(np.array(BOUNDS[code]) > u) for u, code in zip(pick, labels, strict=True)]
    return np.array([FIRST[code] + int(cluster) for cluster, code in zip(passed, labels, strict=True)])


def test_a_class_is_drawn_in_modes_by_their_shares(exported: Path) -> None:
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    uniform = np.full(
        (1000, NOISE_DIM), 0.3, dtype=np.float32
    )  # with the same normals, only the cluster tells rows apart
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
    """In the generator's place, this lets the first normals through, moved by the number of the cluster."""

    def forward(self, z: Tensor, cluster: Tensor) -> Tensor:
        return z + cluster.unsqueeze(1)

    def place(self, local: Tensor, cluster: Tensor) -> Tensor:
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
    wanted, clusters = normals_of(u), cluster_of(u[:, -1], label)
    assert set(clusters.tolist()) == set(range(6))
    session = onnxruntime.InferenceSession(tmp_path / "echo.onnx", providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["signal"]  # no RR intervals, no output for them
    (got,) = session.run(None, {"uniform": uniform, "label": label})
    assert got[..., 0] == pytest.approx(wanted + clusters[:, None], abs=1e-5)
    assert box_muller(torch.from_numpy(uniform[:, :-1])).numpy()[:, :NORMALS] == pytest.approx(wanted, abs=1e-5)
    assert np.isfinite(got).all()
    assert abs(wanted[4:].mean()) < 0.03  # 4 standard deviations of 18,924 normals
    assert wanted[4:].std() == pytest.approx(1, abs=0.03)


def test_a_generator_without_intervals_draws_none(tiny: Synthesizer) -> None:
    signals, rr_s = draw(echo_sampler(tiny), np.arange(10) % 3, 1, batch=4)
    assert signals.shape == (10, NORMALS, 1)
    assert rr_s is None
