"""Everything that is measured of an exported generator, in one folder: metrics.json, a picture, a report."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ecgsynth.config import ClassifierConfig
from ecgsynth.devices import pick_device
from ecgsynth.errors import DataError
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.fidelity import MOST, fidelity
from ecgsynth.files import check_free, write_json
from ecgsynth.plots import save_beats
from ecgsynth.privacy import membership, privacy
from ecgsynth.report import write_report
from ecgsynth.utility import utility
from ecgsynth.windows import Windows

__all__ = ["evaluate"]

COMPARED = 5000  # windows whose distance to the training part is measured
RELEASED = 20_000  # synthetic windows that the membership attack has
FIDELITY_STEPS = 700  # updates of each classifier that measures likeness, at most


def evaluate(
    sampler: OnnxSampler,
    real: Windows,
    output: Path | str,
    *,
    repeats: int = 3,
    steps: int = 2000,
    test_part: str = "test",
    rhythm: bool = False,
    device: str = "auto",
    seed: int = 0,
    force: bool = False,
    on_progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Measure utility, likeness and privacy of ``sampler`` against the split windows ``real``; write it to ``output``.

    ``steps``: updates of each classifier; ``rhythm``: whether those of the utility test are told the RR intervals;
    ``on_progress(stage, done)`` is told of the share that is done, 0 to 1.
    Raises DataError where the generator makes other windows than the real ones are, ArtifactError for a folder in the
    way.
    """
    output = Path(output)
    check_free(output, force=force)
    real = matching(real, sampler)
    tell = on_progress or (lambda stage, done: None)
    measured: dict[str, Any] = {
        "model": sampler.path.name,
        "kind": sampler.manifest.kind,
        "split": real.meta.get("split"),
        # A generator that learnt from other windows than this training part may have seen the test part.
        "same_training_part": sampler.manifest.data.get("training_sha256") == real.part("train").fingerprint(),
        "utility": utility(
            real,
            lambda n, label, number: sampler.sample(n, label, number),
            repeats=repeats,
            seed=seed,
            test_part=test_part,
            rhythm=rhythm,
            config=ClassifierConfig(steps=steps),
            device=pick_device(device),
            on_step=lambda arm, done, total: tell(arm, 0.7 * done / total),
        ),
    }
    learnt, unseen = real.part("train"), real.part(test_part)
    measured["fidelity"] = fidelity(
        real,
        drawn(sampler, unseen, seed),
        test_part=test_part,
        seed=seed,
        device=pick_device(device),
        steps=min(FIDELITY_STEPS, steps),
        on_step=lambda done, total: tell("likeness", 0.7 + 0.2 * done / total),
    )
    tell("distances", 0.9)
    picked = np.random.default_rng(seed).permutation(len(unseen))[:COMPARED]
    synthetic = sampler.sample(max(RELEASED, len(picked)), seed=seed).values
    measured["privacy"] = privacy(synthetic[: len(picked)], learnt.values, unseen.values[picked])
    measured["privacy"] |= membership(synthetic, learnt, unseen, seed=seed)
    tell("report", 0.97)
    save_beats(output / "beats.png", unseen, sampler, seed=seed)
    write_json(output / "metrics.json", measured)
    write_report(output / "report.html", measured, sampler.manifest, output / "beats.png")
    tell("done", 1.0)
    return measured


def drawn(sampler: OnnxSampler, like: Windows, seed: int) -> Windows:
    """Synthetic windows, as many of each class as there are in ``like``, but no more than are compared."""
    wanted = {name: min(MOST, count) for name, count in like.counts().items() if count}
    pieces = [sampler.sample(count, name, seed) for name, count in wanted.items()]
    return dataclasses.replace(
        pieces[0],
        values=np.concatenate([piece.values for piece in pieces]),
        labels=np.concatenate([piece.labels for piece in pieces]),
        rr_s=None,
    )


def matching(real: Windows, sampler: OnnxSampler) -> Windows:
    """The real windows of the generator's classes, in its order.

    Raises DataError if its windows are of another shape, rate or unit, or a class is missing.
    """
    known = sampler.manifest
    expected = (known.time, len(known.channel_names), known.fs_hz, known.units)
    got = (*real.values.shape[1:], real.fs_hz, real.units)
    if got != expected:
        raise DataError(
            "the generator makes windows of {} samples x {} channels at {} Hz in {}, ".format(*expected)
            + "the real ones are {} x {} at {} Hz in {}; prepare them with the same options".format(*got)
        )
    kept = real.keep_classes(known.class_names)
    codes = np.asarray([known.class_names.index(name) for name in kept.classes], dtype=np.int64)
    return dataclasses.replace(kept, classes=known.class_names, labels=codes[kept.labels])
