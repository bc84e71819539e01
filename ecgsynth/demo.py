"""The main job on the real beats that come with the package: train, export, sample, evaluate, report."""

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ecgsynth.core.config import TrainConfig
from ecgsynth.core.files import check_free
from ecgsynth.core.npz import read_npz
from ecgsynth.evaluation import evaluate
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.export.writers import sample_to_file
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.windows.splits import split
from ecgsynth.windows.windows import Windows

__all__ = ["SAMPLE", "pack_sample", "run_demo", "sample_beats"]

SAMPLE = "mitbih_sample.npz"
STEP_MV = 0.005
CLASSIFIER_STEPS = 200
REPEATS = 2
DRAWN = 1000
EVALUATED_S = 60.0  # that the rest takes beside the budget, as the bar assumes until it knows


def pack_sample(beats: Windows, path: Path) -> None:
    """Write beats in the compact form of the package: differences from sample to sample in steps of STEP_MV."""
    steps = np.round(beats.values / STEP_MV).astype(np.int16)
    about = {
        "fs_hz": beats.fs_hz,
        "units": beats.units,
        "channel_names": beats.channel_names,
        "classes": beats.classes,
        "event_index": beats.event_index,
        "meta": beats.meta,
    }
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            differences=np.diff(steps, axis=1, prepend=np.zeros_like(steps[:, :1])),
            labels=beats.labels.astype(np.int8),
            groups=np.asarray(beats.groups),
            parts=np.asarray(beats.parts),
            rr_s=np.asarray(beats.rr_s),
            about=np.str_(json.dumps(about)),
        )


def sample_beats() -> Windows:
    """The real beats in the package: a cut of the MIT-BIH Arrhythmia Database (ODC-By 1.0), split by beat."""
    with resources.as_file(resources.files("ecgsynth") / "data" / SAMPLE) as path:
        arrays = read_npz(path)
    about = json.loads(str(arrays["about"]))
    steps = np.cumsum(arrays["differences"], axis=1, dtype=np.int64)
    return Windows(
        values=(steps * STEP_MV).astype(np.float32),
        labels=arrays["labels"].astype(np.int64),
        groups=arrays["groups"],
        parts=arrays["parts"],
        rr_s=arrays["rr_s"],
        **about | {"classes": tuple(about["classes"]), "channel_names": tuple(about["channel_names"])},
    )


def run_demo(
    output: Path | str,
    *,
    budget_s: float = 90.0,
    seed: int = 0,
    force: bool = False,
    on_progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Leave beats.npz, run/, beats.onnx, synthetic.npz and report/ in ``output``; what was measured.

    The beats are split by patient: new people are learnt, and the report attacks them beside people outside.
    """
    output = Path(output)
    check_free(output, force=force)
    tell = on_progress or (lambda stage, done: None)
    share = budget_s / (budget_s + EVALUATED_S)
    real = split(sample_beats(), "patient", seed)
    real.save(output / "beats.npz", force=force)
    Synthesizer.fit(
        real,
        output / "run",
        training=TrainConfig(budget_s=budget_s, seed=seed, validations=8),
        force=force,
        on_progress=lambda now: tell(now.phase, share * now.fraction),
    ).export(output / "beats.onnx", force=force)
    sampler = OnnxSampler(output / "beats.onnx")
    tell("sampling", share)
    sample_to_file(sampler, output / "synthetic.npz", DRAWN, seed=seed, force=force)
    return evaluate(
        sampler,
        real,
        output / "report",
        repeats=REPEATS,
        steps=CLASSIFIER_STEPS,
        seed=seed,
        run=output / "run",
        force=force,
        on_progress=lambda stage, done: tell(f"evaluating, {stage}", share + (1 - share) * done),
    )
