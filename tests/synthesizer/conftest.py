"""A small generator of made-up heartbeats: the windows it learns from, its run folder and its file."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgsynth.core.config import TrainConfig
from ecgsynth.metrics.classifier import ClassifierConfig
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.windows.windows import Windows


class SmallBeats:
    """Three classes of noisy bumps, and a WGAN-GP of them."""

    config = {
        "components": 8,
        "hidden": 8,
        "latent_steps": 4,
        "step_noise": 4,
        "cluster_dim": 4,
        "read_out": 8,
        "critic_hidden": 16,
    }
    training = TrainConfig(steps=6, batch=12, validations=3)
    clusters = (6, 3, 3)  # of the classes: one for every 30 training windows
    patients = tuple(f"patient-xyzzy-{number}" for number in range(12))
    time, channels = 32, 2

    @classmethod
    def windows(cls, counts: tuple[int, ...] = (300, 150, 150), seed: int = 0) -> Windows:
        """Three classes of noisy bumps of two widths, in three parts of which the first has three fifths of each class.

        By twelve patients; a class has RR intervals about a mean of its own, and some windows have no neighbour.
        """
        rng = np.random.default_rng(seed)
        labels = np.repeat(np.arange(len(counts)), counts)
        bump = np.exp(-(((np.arange(cls.time) - 10) / 3) ** 2))[None, :, None]
        height = (1.0 + labels)[:, None, None] * np.array([1.0, -0.5])
        rr_s = (0.5 + 0.1 * labels[:, None]) * np.exp(0.1 * rng.normal(size=(len(labels), 2)))
        rr_s[rng.random(size=rr_s.shape) < 0.02] = np.nan
        values = bump ** rng.integers(1, 3, size=(len(labels), 1, 1)) * height + 0.1 * rng.normal(
            size=(len(labels), cls.time, cls.channels)
        )
        return Windows(
            values=values.astype(np.float32),
            fs_hz=360.0,
            units="mV",
            channel_names=("MLII", "V5"),
            classes=("N", "V", "F"),
            labels=labels.astype(np.int64),
            groups=np.asarray(cls.patients)[rng.integers(len(cls.patients), size=len(labels))],
            parts=np.asarray([0, 0, 0, 1, 2], dtype=np.int8)[np.arange(len(labels)) % 5],
            rr_s=rr_s.astype(np.float32),
            event_index=10,
            meta={
                "kind": "beats",
                "split": "beat",
                "split_seed": 0,
                "source": {"name": "made up"},
                "left_out": {cls.patients[0]: "paced"},
                "stand_ins": {cls.patients[1]: {"MLII": "V5"}},
            },
        )

    @classmethod
    def fit(cls, windows: Windows, run: Path | None, **options: Any) -> Synthesizer:
        """Train on them, with a quick score."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ecgsynth.training.selection.MOST_SYNTHETIC", 100)
            patch.setattr("ecgsynth.training.selection.CLASSIFIER", ClassifierConfig(width=8, steps=5, batch=32))
            asked = {"model": "rwgan", "config": cls.config, "training": cls.training, "device": "cpu", **options}
            return Synthesizer.fit(windows, run, **asked)


@pytest.fixture(scope="session")
def small() -> type[SmallBeats]:
    return SmallBeats


@pytest.fixture(scope="session")
def beats_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder; no test may change it."""
    folder = tmp_path_factory.mktemp("synthesizer") / "run"
    SmallBeats.fit(SmallBeats.windows(), folder)
    return folder


@pytest.fixture(scope="session")
def run_without(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of windows that have no RR intervals; no test may change it."""
    folder = tmp_path_factory.mktemp("without") / "run"
    SmallBeats.fit(dataclasses.replace(SmallBeats.windows(), rr_s=None), folder)
    return folder


@pytest.fixture(scope="session")
def beats_file(beats_run: Path) -> Path:
    """Its generator as a file."""
    path = beats_run.parent / "tiny.onnx"
    Synthesizer.load(beats_run).export(path)
    return path


@pytest.fixture
def own_run(beats_run: Path, tmp_path: Path) -> Path:
    """A copy of the run folder, to be broken."""
    for path in beats_run.rglob("*"):
        if path.is_file():
            (tmp_path / "run" / path.relative_to(beats_run)).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "run" / path.relative_to(beats_run)).write_bytes(path.read_bytes())
    return tmp_path / "run"
