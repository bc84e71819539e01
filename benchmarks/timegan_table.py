"""TimeGAN's table: data set x length x model, by the scores of the paper and by stronger judges.

    python benchmarks/timegan_table.py [--only stocks] [--only energy-128] [--minutes 10] [--show]

Every cell is trained on all windows and measured against them, as in the paper (Yoon, Jarrett and van der Schaar,
2019), ten repeats of each score. Beside them stand the GRU, a CNN and a Transformer that are tested on stretches of
time, or sequences, that share no row with those they learnt from (AUC; 0.5 is best), Context-FID, and the correlational
score. "real" is real against real: two random halves of the windows by the paper's scores, and by all else three
stretches beside the next three, and so on. Every figure is kept once it is taken, in runs/timegan_table, a folder a
cell, and what was stopped goes on where it was. The data are found through ECGSYNTH_DATA; Sines are generated.
"""

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ecgsynth.cli.main import BAR_STEPS, bar
from ecgsynth.core.config import TrainConfig
from ecgsynth.core.files import read_json, write_json
from ecgsynth.core.spread import mean_and_spread, with_spread
from ecgsynth.errors import DataError
from ecgsynth.metrics.comparison import as_many_of_each
from ecgsynth.metrics.context import UPDATES, ContextNetwork
from ecgsynth.metrics.judges.blocks import Parted, in_halves
from ecgsynth.metrics.judges.judge import judged
from ecgsynth.metrics.likeness import frechet_distance
from ecgsynth.metrics.progress import Step, Trainings
from ecgsynth.metrics.recurrent import discriminative_score, predictive_score
from ecgsynth.metrics.waveforms import correlational_score
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.windows.series import SeriesOptions, read_series
from ecgsynth.windows.splits import split
from ecgsynth.windows.windows import Windows

HERE = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("ECGSYNTH_DATA") or HERE.parent / "shared" / "data") / "timeseries"
FOLDER = HERE / "runs" / "timegan_table"
FILES = {
    "stocks": ("stock_data.csv", None),
    "energy": ("energydata_complete.csv.gz", "date"),
    "etth": ("ETTh1.csv", "date"),
}
CELLS = (
    ("sines", 24),
    ("stocks", 24),
    *(("etth", length) for length in (24, 64, 128, 256)),
    *(("energy", length) for length in (24, 64, 128, 256)),
)
MODELS = ("real", "rwgan", "timegan")
BATCH = {"rwgan": 240, "timegan": 128}
SINES = 10_000  # windows
SINE_CHANNELS = 5
MOST_MEASURED = 10_000  # synthetic windows that are measured
TITLES = {
    "discriminative": "discriminative",
    "discriminative_blocks": "by blocks",
    "cnn_auc": "CNN AUC",
    "transformer_auc": "Transformer AUC",
    "predictive": "predictive",
    "context_fid": "Context-FID",
    "correlational": "correlational",
}
Repeats = NDArray[np.float64]


def sines(length: int) -> NDArray[np.float32]:
    """(n, length, channels) sines of the paper's section 5: each channel's frequency and phase uniform in 0..0.1."""
    rng = np.random.default_rng(0)
    frequency, phase = rng.uniform(0, 0.1, (2, SINES, 1, SINE_CHANNELS))
    return np.sin(frequency * np.arange(length)[None, :, None] + phase).astype(np.float32)


def windows_of(data: str, length: int) -> Windows:
    """All windows of a data set, in a split where each part is all of them."""
    if data != "sines":
        name, column = FILES[data]
        return split(read_series(DATA / name, SeriesOptions(length=length, time=column)), "none", 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sines.npz"
        np.savez(path, values=sines(length))
        return split(read_series(path, SeriesOptions(length=length)), "none", 0)


def of_paper(score: Callable[..., NDArray[np.float64]], data: str, real: Windows, made: Windows, tell: Step) -> Repeats:
    """A score over ten repeats; the paper has Sines as (x + 1) / 2, and all else from 0 to 1."""
    both = (real.values, made.values)
    if data != "sines":
        return score(*both, on_step=tell)
    unscaled: dict[str, Any] = {"scale": False} if score is predictive_score else {}
    return score(*((values + 1) / 2 for values in both), on_step=tell, **unscaled)


def in_blocks(parted: Parted, tell: Step) -> Repeats:
    """The discriminative score on stretches that share no row."""
    return discriminative_score(parted.real.values, parted.other.values, parted=parted, on_step=tell)


def auc_of(judge: str, parted: Parted, tell: Step) -> Repeats:
    """The AUC of a judge in each fold."""
    return judged(parted, judge, on_step=tell).auc


def in_context(learnt: Windows, real: Windows, made: Windows, tell: Step) -> Repeats:
    """Context-FID, by an encoder of all real windows."""
    network = ContextNetwork(learnt=learnt.values, steps=UPDATES, trainings=Trainings(progress(tell), UPDATES))
    return np.array([frechet_distance(*(network.features(side.values) for side in (real, made)))])


def progress(tell: Step) -> Callable[[str, float], None]:
    """What is told of a share, as updates."""
    return lambda stage, done: tell(round(done * BAR_STEPS), BAR_STEPS)


def measure(data: str, windows: Windows, made: Windows | None, found: Path) -> None:
    """Mean and spread of every figure that is not yet in the file ``found``; without ``made``, of real windows."""
    if made is None:
        order = np.random.default_rng(0).permutation(len(windows))
        whole, other = (windows.take(half) for half in np.array_split(order, 2))
        parted = in_halves(windows)
    else:
        whole, other, parted = windows, made, Parted.of(windows, made)
    if parted is None:
        raise DataError(f"{data} has no room for stretches of time that share no row")
    sides = (windows, made) if made is not None else (parted.real, parted.other)
    real, beside = as_many_of_each(sides, np.random.default_rng(0))
    figures: dict[str, Callable[[Step], Repeats]] = {
        "discriminative": partial(of_paper, discriminative_score, data, whole, other),
        "predictive": partial(of_paper, predictive_score, data, whole, other),
        "discriminative_blocks": partial(in_blocks, parted),
        "cnn_auc": partial(auc_of, "cnn", parted),
        "transformer_auc": partial(auc_of, "transformer", parted),
        "context_fid": partial(in_context, windows, real, beside),
        "correlational": lambda tell: correlational_score(real.values, beside.values),
    }
    for name, take in figures.items():
        taken = read_json(found) if found.exists() else {}
        if name not in taken:
            with bar(name, BAR_STEPS) as show:
                mean, spread = mean_and_spread(take(partial(draw_bar, show)))
            rounded = {"mean": round(mean, 4), "std": None if spread is None else round(spread, 4)}
            write_json(found, taken | {name: rounded})


def draw_bar(show: Callable[..., None], done: int, total: int, loss: float = 0.0) -> None:
    """Show how far a figure is."""
    show(done * BAR_STEPS // total, "")


def fill(data: str, length: int, model: str, cell: Path, minutes: float) -> None:
    """Train and measure one cell, as far as it is not done."""
    windows, found = windows_of(data, length), cell / "figures.json"
    if model == "real":
        measure(data, windows, None, found)
        write_json(cell / "scores.json", read_json(found))
        return
    with bar(f"{data} {length} {model}", BAR_STEPS) as show:
        made = Synthesizer.fit(
            windows,
            cell / "run",
            training=TrainConfig(budget_s=60 * minutes, batch=BATCH[model]),
            model=model,
            resume=(cell / "run").exists(),
            on_progress=lambda now: show(int(now.fraction * BAR_STEPS), f"step {now.step} score {now.score}"),
        )
    made.export(cell / "model.onnx", force=True)
    measure(data, windows, made.windows(min(len(windows), MOST_MEASURED), seed=1), found)
    size = {"megabytes": round((cell / "model.onnx").stat().st_size / 1e6, 2)}
    write_json(cell / "scores.json", read_json(found) | {"training": made.about.metrics} | size)


def cell_text(figure: dict[str, float] | None) -> str:
    """A figure with its spread, or "-" where it was not taken."""
    return "-" if figure is None else with_spread(figure["mean"], figure["std"])


def table() -> str:
    """What is done so far, as Markdown."""
    lines = [
        "| data | length | model | " + " | ".join(TITLES.values()) + " | validation | best step | minutes | MB |",
        "|" + "---|" * (len(TITLES) + 7),
    ]
    for data, length in CELLS:
        for model in MODELS:
            path = FOLDER / f"{data}-{length}-{model}" / "scores.json"
            if path.exists():
                found = read_json(path)
                figures = (
                    with_spread(found[name]["mean"], found[name]["std"]) if name in found else "-" for name in TITLES
                )
                trained = found.get("training", {})
                score, best = (trained.get(name, "-") for name in ("validation_score", "best_step"))
                minutes = round(trained["seconds"] / 60, 1) if trained else "-"  # also of a training that went on later
                rest = (
                    score,
                    f"{best} of {trained['steps']}" if trained else "-",
                    minutes,
                    found.get("megabytes", "-"),
                )
                lines.append(f"| {data} | {length} | {model} | " + " | ".join(map(str, (*figures, *rest))) + " |")
    return "\n".join(lines)


@click.command()
@click.option("--only", multiple=True, help="Cells whose name begins so: stocks, energy-64, energy-24-timegan.")
@click.option("--minutes", default=10.0, show_default=True, help="Of training, for each cell that is not begun.")
@click.option("--show", "show_only", is_flag=True, help="Print what is done, and do no more.")
def main(only: tuple[str, ...], minutes: float, *, show_only: bool) -> None:
    for data, length in CELLS:
        for model in MODELS:
            name = f"{data}-{length}-{model}"
            cell = FOLDER / name
            if show_only or (cell / "scores.json").exists() or (only and not name.startswith(only)):
                continue
            fill(data, length, model, cell, minutes)
    click.echo(table())


if __name__ == "__main__":
    main()
