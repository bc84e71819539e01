"""Everything that is measured of an exported generator, in one folder: metrics.json, a picture, a report."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgsynth.auditing import audit, learnt_from, matching
from ecgsynth.core.files import check_free, write_json
from ecgsynth.core.npz import read_npz
from ecgsynth.errors import DataError
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.metrics.attacks.base import attacked
from ecgsynth.metrics.attacks.nearest import ATTACKS, exposure_of_windows, nearest_distance, privacy
from ecgsynth.metrics.beats import MOST_WINDOWS, fidelity
from ecgsynth.metrics.classifier import ClassifierConfig
from ecgsynth.metrics.measure import known
from ecgsynth.metrics.progress import Tell, part, silent
from ecgsynth.metrics.series import series_fidelity
from ecgsynth.metrics.utility import utility
from ecgsynth.metrics.waveforms import in_spreads
from ecgsynth.report.plots import save_beats, save_series
from ecgsynth.report.windows import write_report
from ecgsynth.training.devices import pick_device
from ecgsynth.training.run_folder import RunFolder
from ecgsynth.windows.series import read_series
from ecgsynth.windows.splits import split
from ecgsynth.windows.windows import Windows

__all__ = ["evaluate", "real_windows"]

COMPARED_WINDOWS = 5000  # their distance to the training part is measured
RELEASED_WINDOWS = 20_000  # synthetic ones, that the attacks have
FIDELITY_STEPS = 700  # updates of each classifier that measures likeness, at most
REPEATS, STEPS = 3, 2000  # of the utility test
SCORE_REPEATS = 10  # times that a series is scored, as in TimeGAN's paper


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for; None is what suits the measurement."""

    repeats: int | None
    steps: int | None
    test_part: str
    rhythm: bool
    device: torch.device
    seed: int


def real_windows(real: Any, sampler: OnnxSampler, run: Path | str | None = None, seed: int = 0) -> Windows:
    """The real windows in a file that 'ecgsynth prepare' made or, for a generator of a series, in its table.

    Parameters
    ----------
    real
        The file; of a series also a table, which is cut as the one that the generator learnt from.
    sampler
        The generator.
    run
        The generator's run folder, to split a table as it was split for the training.
    seed
        Of the split without ``run``.

    Raises
    ------
    DataError
        For a table whose generator does not say how it was cut.

    """
    manifest = sampler.manifest
    if isinstance(real, str | Path):
        path = Path(real)
        names = ("channel_names",)  # which windows have, and the arrays of a table have not
        if manifest.kind != "series" or (path.suffix.lower() == ".npz" and read_npz(path, only=names)):
            return Windows.load(path)
    data = manifest.data
    if data.series is None:
        raise DataError(f"{sampler.path} does not say how its table was cut; bring the real windows as .npz")
    windows = read_series(real, data.series.options)
    found = seed if run is None else RunFolder(Path(run)).private().get("split_seed")
    return split(windows, str(data.split), found or 0)


def evaluate(
    sampler: OnnxSampler,
    real: Windows,
    output: Path | str,
    *,
    repeats: int | None = None,
    steps: int | None = None,
    test_part: str = "test",
    rhythm: bool = False,
    device: str = "auto",
    seed: int = 0,
    run: Path | str | None = None,
    force: bool = False,
    on_progress: Tell | None = None,
) -> dict[str, Any]:
    """Measure utility, likeness and privacy of ``sampler`` against the split windows ``real``; write it to ``output``.

    A series has a utility test only where it has classes.

    Parameters
    ----------
    sampler
        The generator.
    real
        Windows that are split into parts.
    output
        The folder to make, with metrics.json, a picture and report.html.
    repeats, steps
        Networks trained for each figure, and updates of each; unless given, 3 classifiers of 2000 updates, and for the
        scores of a series those of TimeGAN's paper, 10 of 2000 and 5000; its CNN and its Transformer are 3 of 200 each.
    test_part
        The part that stands for new data.
    rhythm
        Whether the classifiers of the utility test are also given the RR intervals.
    device, seed
        Of all networks.
    run
        The generator's run folder, which has the key that shows whether it learnt from this training part.
    force
        Replace what an evaluation left there before.
    on_progress
        ``on_progress(stage, done)`` is called with the share that is done, 0 to 1.

    Returns
    -------
    What stands in metrics.json.

    Raises
    ------
    DataError
        Where the generator makes other windows than the real ones are.
    ArtifactError
        For a folder in the way.

    """
    output = Path(output)
    check_free(output, force=force)
    real = matching(real, sampler)
    tell = on_progress or silent
    measured: dict[str, Any] = {
        "model": sampler.path.name,
        "kind": sampler.manifest.kind,
        "split": real.meta.get("split"),
        "same_training_part": learnt_from(run, real),
        "words": words_of(sampler),
    }
    asked = Asked(repeats, steps, test_part, rhythm, pick_device(device), seed)
    series = sampler.manifest.kind == "series"
    picture = output / ("series.png" if series else "beats.png")
    measured |= (measure_series if series else measure_beats)(sampler, real, asked, picture, part(tell, 0.0, 0.7))
    measured["audit"] = audit(
        sampler, real, run=run, device=asked.device, seed=seed, steps=steps, on_progress=part(tell, 0.7, 0.3)
    )
    write_json(output / "metrics.json", measured)
    write_report(output / "report.html", measured, sampler.manifest, picture)
    tell("done", 1.0)
    return measured


def words_of(sampler: OnnxSampler) -> dict[str, str]:
    """What a window and a person of these data are called in a report, and the unit of distances."""
    if sampler.manifest.kind == "series":
        return {"window": "window", "person": "group", "distances": "standard deviations of each column"}
    return {"window": "beat", "person": "patient", "distances": sampler.manifest.units}


def measure_beats(sampler: OnnxSampler, real: Windows, asked: Asked, picture: Path, tell: Tell) -> dict[str, Any]:
    """What is measured of a generator of beats, or of windows of another signal."""
    steps = given(asked.steps, STEPS)
    measured: dict[str, Any] = {
        "utility": utility(
            real,
            sampler.windows,
            repeats=given(asked.repeats, REPEATS),
            seed=asked.seed,
            test_part=asked.test_part,
            rhythm=asked.rhythm,
            config=ClassifierConfig(steps=steps),
            device=asked.device,
            on_progress=part(tell, 0.0, 0.7),
        ),
    }
    learnt, unseen = real.part("train"), real.part(asked.test_part)
    measured["fidelity"] = fidelity(
        real,
        drawn(sampler, unseen, asked.seed, MOST_WINDOWS),
        test_part=asked.test_part,
        seed=asked.seed,
        device=asked.device,
        steps=min(FIDELITY_STEPS, steps),
        on_progress=part(tell, 0.7, 0.2),
    )
    tell("distances", 0.9)
    measured["privacy"] = given_away(
        sampler.windows(enough(unseen), seed=asked.seed).values, learnt, unseen, asked.seed
    )
    tell("report", 0.97)
    save_beats(picture, unseen, sampler, seed=asked.seed)
    return measured


def measure_series(sampler: OnnxSampler, real: Windows, asked: Asked, picture: Path, tell: Tell) -> dict[str, Any]:
    """What is measured of a generator of a series; distances are in standard deviations of each channel."""
    measured: dict[str, Any] = {}
    learnt, unseen = real.part("train"), real.part(asked.test_part)
    if not len(learnt) or not len(unseen):
        raise DataError(
            f"the training part has {len(learnt)} windows and the {asked.test_part} part {len(unseen)}; both need some"
        )

    def scaled(windows: Windows) -> Windows:
        (values,) = in_spreads(learnt.values, windows.values)
        return dataclasses.replace(windows, values=values)

    if len(real.classes) > 1:
        measured["utility"] = utility(
            scaled(real),
            lambda n, label, number: scaled(sampler.windows(n, label, number)),
            repeats=given(asked.repeats, REPEATS),
            seed=asked.seed,
            test_part=asked.test_part,
            config=ClassifierConfig(steps=given(asked.steps, STEPS)),
            device=asked.device,
            on_progress=part(tell, 0.0, 0.3),
        )
    synthetic = drawn(sampler, unseen, asked.seed, len(unseen))
    measured["fidelity"] = series_fidelity(
        real,
        synthetic,
        test_part=asked.test_part,
        repeats=given(asked.repeats, SCORE_REPEATS),
        steps=asked.steps,
        seed=asked.seed,
        device=asked.device,
        on_progress=part(tell, 0.3, 0.5),
    )
    tell("distances", 0.8)
    many = scaled(sampler.windows(enough(unseen), seed=asked.seed)).values
    if real.meta.get("split") == "none":
        measured["privacy"] = copied(many[:COMPARED_WINDOWS], scaled(learnt).values, asked.seed)
    else:
        measured["privacy"] = given_away(many, scaled(learnt), scaled(unseen), asked.seed)
    tell("report", 0.9)
    save_series(picture, unseen, synthetic, seed=asked.seed)
    return measured


def given(asked: int | None, otherwise: int) -> int:
    return otherwise if asked is None else asked


def enough(unseen: Windows) -> int:
    """How many synthetic windows the distances and the attack take."""
    return max(RELEASED_WINDOWS, min(COMPARED_WINDOWS, len(unseen)))


def given_away(synthetic: NDArray[np.float32], learnt: Windows, unseen: Windows, seed: int) -> dict[str, Any]:
    """Distances to the windows learnt from, and the attacks; None where a ratio is of nothing."""
    picked = np.random.default_rng(seed).permutation(len(unseen))[:COMPARED_WINDOWS]
    with np.errstate(divide="ignore", invalid="ignore"):  # unseen windows of a coarse series can equal learnt ones
        found = privacy(synthetic[: len(picked)], learnt.values, unseen.values[picked])
    found["ratio"] = known(found["ratio"])
    return found | attacked(exposure_of_windows(synthetic, learnt, unseen, seed=seed), ATTACKS)


def copied(synthetic: NDArray[np.float32], learnt: NDArray[np.float32], seed: int) -> dict[str, Any]:
    """What ``given_away`` says, as far as it can be said where every real window was learnt from; None for the rest.

    copies: synthetic windows that equal a learnt one to within a thousandth of the median distance from one half of
    those to the other.
    """
    order = np.random.default_rng(seed).permutation(len(learnt))[: 2 * COMPARED_WINDOWS]
    apart = nearest_distance(learnt[order[::2]], learnt[order[1::2]])
    made = nearest_distance(synthetic, learnt)
    nothing = ["median_distance_unseen", "ratio", "closer_than_unseen"]
    nothing += [f"{attack.name}_{key}" for attack in ATTACKS for key in ("auc", "auc_error")]
    return {
        "median_distance_synthetic": float(np.median(made)),
        "copies": int((made <= 1e-3 * np.median(apart)).sum()),
        "windows_synthetic": len(made),
        "windows_unseen": 0,
        **dict.fromkeys(nothing),
    }


def drawn(sampler: OnnxSampler, like: Windows, seed: int, most: int) -> Windows:
    """Synthetic windows, as many of each class as there are in ``like``, but at most ``most``."""
    wanted = {name: min(most, count) for name, count in like.counts().items() if count}
    pieces = [sampler.windows(count, name, seed) for name, count in wanted.items()]
    return dataclasses.replace(
        pieces[0],
        values=np.concatenate([piece.values for piece in pieces]),
        labels=np.concatenate([piece.labels for piece in pieces]),
        rr_s=None,
    )
