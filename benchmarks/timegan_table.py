"""TimeGAN's table: data set x length x model, by the discriminative and the predictive score of the paper.

    python benchmarks/timegan_table.py [--only stocks] [--only energy-128] [--show]

Every cell is trained on all windows and measured against them, as in the paper (Yoon, Jarrett and van der Schaar,
2019); "start" is the recurrent WGAN-GP after a single step, "real" one half of the real windows against the other. What
is done is kept in runs/timegan_table, a folder a cell, and a run that was stopped goes on where it was. The data are
found through ECGSYNTH_DATA; Sines are generated.
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
from ecgsynth.metrics.recurrent import discriminative_score, predictive_score
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
CELLS = (("sines", 24), ("stocks", 24), ("energy", 24), ("etth", 24), ("energy", 64), ("energy", 128))
LONG = 64  # steps of a window from which on a quarter as many updates and validations are made
STEPS = {"rwgan": 600, "timegan": 1000, "start": 1}  # generator updates
VALIDATIONS = 12
BATCH = {"rwgan": 240, "timegan": 128, "start": 240}
SINES = 10_000  # windows
SINE_CHANNELS = 5
MOST_MEASURED = 10_000  # synthetic windows that are measured


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


def measure(data: str, real: NDArray[np.float32], made: NDArray[np.float32]) -> dict[str, Any]:
    """Mean and spread of both scores over ten repeats; the paper has Sines as (x + 1) / 2, and all else from 0 to 1."""
    found = {}
    predictive: Callable[..., NDArray[np.float64]] = predictive_score
    if data == "sines":
        real, made = (real + 1) / 2, (made + 1) / 2
        predictive = partial(predictive_score, scale=False)
    for name, score in (("discriminative", discriminative_score), ("predictive", predictive)):
        with bar(name, BAR_STEPS) as show:
            numbers = score(real, made, on_step=lambda done, total: show(done * BAR_STEPS // total, ""))
        mean, spread = mean_and_spread(numbers)
        found[name] = {"mean": round(mean, 4), "std": None if spread is None else round(spread, 4)}
    return found


def fill(data: str, length: int, model: str, cell: Path) -> dict[str, Any]:
    """Train and measure one cell."""
    windows = windows_of(data, length)
    if model == "real":
        order = np.random.default_rng(0).permutation(len(windows))
        one, other = np.array_split(windows.values[order], 2)
        return measure(data, one, other)
    part = 4 if length >= LONG else 1
    with bar(f"{data} {length} {model}", BAR_STEPS) as show:
        made = Synthesizer.fit(
            windows,
            cell / "run",
            training=TrainConfig(
                steps=max(1, STEPS[model] // part), batch=BATCH[model], validations=max(1, VALIDATIONS // part)
            ),
            model="timegan" if model == "timegan" else "rwgan",
            resume=(cell / "run").exists(),
            on_progress=lambda now: show(int(now.fraction * BAR_STEPS), f"step {now.step} score {now.score}"),
        )
    made.export(cell / "model.onnx", force=True)
    drawn = made.windows(min(len(windows), MOST_MEASURED), seed=1).values
    size = {"megabytes": round((cell / "model.onnx").stat().st_size / 1e6, 2)}
    return measure(data, windows.values, drawn) | {"training": made.about.metrics} | size


def table() -> str:
    """What is done so far, as Markdown."""
    lines = [
        "| data | length | model | discriminative | predictive | validation | best step | minutes | MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for data, length in CELLS:
        for model in ("real", "start", "rwgan", "timegan"):
            path = FOLDER / f"{data}-{length}-{model}" / "scores.json"
            if path.exists():
                found = read_json(path)
                both = (found[name] for name in ("discriminative", "predictive"))
                pair = (with_spread(score["mean"], score["std"]) for score in both)
                trained = found.get("training", {})
                score, best = (trained.get(name, "-") for name in ("validation_score", "best_step"))
                rest = (score, f"{best} of {trained['steps']}" if trained else "-")
                minutes = round(trained["seconds"] / 60, 1) if trained else "-"  # also of a training that went on later
                rest += (minutes, found.get("megabytes", "-"))
                lines.append(f"| {data} | {length} | {model} | " + " | ".join(map(str, (*pair, *rest))) + " |")
    return "\n".join(lines)


@click.command()
@click.option("--only", multiple=True, help="Cells whose name begins so: stocks, energy-64, energy-24-timegan.")
@click.option("--show", "show_only", is_flag=True, help="Print what is done, and do no more.")
def main(only: tuple[str, ...], *, show_only: bool) -> None:
    for data, length in CELLS:
        for model in ("real", "start", "rwgan", "timegan"):
            name = f"{data}-{length}-{model}"
            cell = FOLDER / name
            if show_only or (cell / "scores.json").exists() or (only and not name.startswith(only)):
                continue
            write_json(cell / "scores.json", fill(data, length, model, cell))
    click.echo(table())


if __name__ == "__main__":
    main()
