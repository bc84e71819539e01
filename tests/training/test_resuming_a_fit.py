"""A fit goes on with the same settings and data only, and what cannot be trained changes nothing."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.metrics.classifier import ClassifierConfig
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.training import loop
from ecgsynth.windows.windows import Windows

pytestmark = pytest.mark.trains

Files = Callable[[Path], dict[str, bytes]]
History = Callable[[Path], list[dict[str, Any]]]


CONFIG = {
    "components": 4,
    "hidden": 4,
    "latent_steps": 2,
    "step_noise": 2,
    "cluster_dim": 2,
    "read_out": 4,
    "critic_hidden": 8,
}


def some_windows(seed: int = 0) -> Windows:
    rng = np.random.default_rng(seed)
    n = 720  # 120 of each class to learn from, which is enough for two clusters
    labels = np.arange(n) % 2
    return Windows(
        values=(rng.normal(size=(n, 16, 1)) + labels[:, None, None]).astype(np.float32),
        fs_hz=360.0,
        units="mV",
        channel_names=("MLII",),
        classes=("N", "V"),
        labels=labels.astype(np.int64),
        parts=(np.arange(n) // 2 % 3).astype(np.int8),
        meta={"kind": "beats", "split": "beat", "band_hz": (0.5, 40.0)},  # a tuple, as read_beats leaves it
    )


@pytest.fixture
def quick_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecgsynth.training.selection.MOST_SYNTHETIC", 64)
    monkeypatch.setattr("ecgsynth.training.selection.CLASSIFIER", ClassifierConfig(width=4, steps=3, batch=16))


def start(run: Path, *, steps: int = 6, seed: int = 0, data: int = 0, **options: Any) -> Synthesizer:
    return Synthesizer.fit(
        some_windows(data),
        run,
        training=TrainConfig(steps=steps, seed=seed, batch=8, validations=2),
        **{"device": "cpu", "config": CONFIG, **options},
    )


@pytest.mark.usefixtures("quick_score")
@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"steps": 7}, "other training settings"),
        ({"seed": 1}, "other training settings"),
        ({"data": 1}, "another data"),
        ({"config": {**CONFIG, "hidden": 5}}, "another config"),
    ],
    ids=["steps", "seed", "data", "config"],
)
def test_resuming_something_else_is_refused_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict[str, Any], says: str, kill_at: Any, files: Files
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0)
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "run", on_progress=kill_at(3, KeyboardInterrupt()))
    before = files(tmp_path)
    with pytest.raises(ConfigError, match="resume with the same command"):
        start(tmp_path / "run", resume=True, **other)
    with pytest.raises(ArtifactError, match="exists already"):
        start(tmp_path / "run", **other)
    assert files(tmp_path) == before


@pytest.mark.usefixtures("quick_score")
def test_a_killed_fit_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, history: History, kill_at: Any) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0)
    whole = start(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "run", on_progress=kill_at(3, KeyboardInterrupt()))
    made = start(tmp_path / "run", resume=True)
    assert (tmp_path / "run/weights.safetensors").read_bytes() == (tmp_path / "whole/weights.safetensors").read_bytes()
    assert {**made.about.metrics, "seconds": 0} == {**whole.about.metrics, "seconds": 0}
    assert history(tmp_path / "run") == history(tmp_path / "whole")
    assert np.array_equal(made.sample(9, seed=3).values, whole.sample(9, seed=3).values)


@pytest.mark.usefixtures("quick_score")
def test_resume_of_nothing_starts(tmp_path: Path) -> None:
    assert start(tmp_path / "run", resume=True).about.metrics["steps"] == 6


@pytest.mark.usefixtures("quick_score")
def test_what_cannot_be_trained_leaves_the_run_of_before(tmp_path: Path, files: Files) -> None:
    start(tmp_path / "run")
    before = files(tmp_path)
    flat = dataclasses.replace(some_windows(), values=np.ones((720, 16, 1), dtype=np.float32))
    settings = TrainConfig(steps=6, batch=8)
    with pytest.raises(ValueError, match="vary in fewer"):
        Synthesizer.fit(flat, tmp_path / "run", training=settings, config=CONFIG, device="cpu", force=True)
    with pytest.raises(ConfigError, match="no device"):
        Synthesizer.fit(some_windows(), tmp_path / "run", training=settings, config=CONFIG, device="tpu", force=True)
    assert files(tmp_path) == before


@pytest.mark.usefixtures("quick_score")
def test_fit_leaves_the_global_randomness_alone(tmp_path: Path) -> None:
    torch.manual_seed(1234)
    np.random.seed(1234)  # noqa: NPY002
    before, legacy = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    start(tmp_path / "run")
    assert torch.equal(torch.get_rng_state(), before)
    assert np.random.get_state()[1].tolist() == legacy  # noqa: NPY002
    torch.manual_seed(99)  # and what it makes does not hang on it
    start(tmp_path / "again")
    assert (tmp_path / "run/weights.safetensors").read_bytes() == (tmp_path / "again/weights.safetensors").read_bytes()
