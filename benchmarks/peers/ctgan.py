"""Rows a second beside CTGAN 0.12: the same rows of Adult, batch, sizes and one thread each.

    python benchmarks/peers/ctgan.py [--rounds 2] [--epochs 2] [--onnx adult.onnx]

Sets the peer up in an environment of its own, runs/peers/ctgan. Both are timed in turn, peer, ours, peer, ours, in
processor time, because what else runs on the machine slows whichever is running. Training: the preset ctgan, whose
settings are the peer's defaults (batch 500, pack 10, 256 x 256, one critic update and one of the generator), by the
median epoch. Sampling: the peer's against an exported file's, by as many rows as were learnt from.
"""

import os
import statistics
import subprocess
import tempfile
import time
import venv
from pathlib import Path

import click
import numpy as np
import pandas as pd
import torch

import ecgsynth
from ecgsynth.core.config import TrainConfig
from ecgsynth.core.tables import read_table
from ecgsynth.tabular.encoding.encoding import Encoding
from ecgsynth.tabular.models.config import GANConfig
from ecgsynth.tabular.models.registry import LINES
from ecgsynth.tabular.schema.schema import Schema
from ecgsynth.tabular.training.fit_gan import build_gan
from ecgsynth.training.job import Job, Progress
from ecgsynth.training.loop import fit
from ecgsynth.training.run_folder import RunFolder

HERE = Path(__file__).resolve().parents[2]
HOME = HERE / "runs" / "peers" / "ctgan"
PEER = "ctgan==0.12.0"
DATA = Path(os.environ.get("ECGSYNTH_DATA", HERE.parent / "shared" / "data")) / "tabular" / "adult.data.gz"
COLUMNS = (
    "age,workclass,fnlwgt,education,education-num,marital-status,occupation,relationship,race,sex,capital-gain,"
    "capital-loss,hours-per-week,native-country,class"
)

# Runs in the peer's environment: prints the processor seconds of each epoch, by watching its progress bar, and of a
# sample of as many rows.
THERE = """
import sys, time
import pandas as pd
import torch
import ctgan.synthesizers.ctgan as peer

torch.set_num_threads(1)
frame = pd.read_csv(sys.argv[1])
categories = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
marks = []

class Watched:
    def __init__(self, items, **options):
        self.items = items

    def __iter__(self):
        for item in self.items:
            marks.append(time.process_time())
            yield item
        marks.append(time.process_time())

    def set_description(self, text):
        pass

peer.tqdm = Watched
model = peer.CTGAN(epochs=int(sys.argv[2]), enable_gpu=False)
model.fit(frame, categories)
print("EPOCHS", *(after - before for before, after in zip(marks, marks[1:])))
model.sample(1000)
before = time.process_time()
model.sample(len(frame))
print("SAMPLE", time.process_time() - before)
"""


def theirs(table: Path, epochs: int) -> tuple[list[float], float]:
    """Processor seconds of each epoch, and of sampling as many rows, in the peer."""
    python = HOME / "bin" / "python"
    if not (HOME / "ready").exists():
        venv.create(HOME, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True)
        (HOME / "ready").touch()
    run = subprocess.run(
        [python, "-W", "ignore", "-c", THERE, table, str(epochs)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    found = dict(line.split(" ", 1) for line in run.stdout.splitlines() if line.startswith(("EPOCHS ", "SAMPLE ")))
    if len(found) < 2:
        raise click.ClickException(f"the peer did not run: {run.stderr[-2000:]}")
    return [float(number) for number in found["EPOCHS"].split()], float(found["SAMPLE"])


def ours(table: Path, epochs: int) -> list[float]:
    """Processor seconds of each epoch here."""
    frame = read_table(str(table))[0]
    schema = Schema.infer(frame)
    arrays = schema.arrays(frame)
    rng = np.random.default_rng(0)
    encoding = Encoding.fit(schema, arrays, "mixture", rng)
    codes, positions = encoding.encode(arrays, rng)
    config = GANConfig(
        sizes=encoding.sizes, positioned=encoding.positioned, askable=encoding.askable, **LINES["ctgan"].config
    )
    steps = len(frame) // 500
    training = TrainConfig(**LINES["ctgan"].training, steps=epochs * steps, validations=1)
    marks = []

    def watch(progress: Progress) -> None:
        if progress.step % steps == 0 or progress.step == 1:
            marks.append(time.process_time())

    rows = torch.from_numpy(codes.astype(np.int16)), torch.from_numpy(positions.astype(np.float32))
    with tempfile.TemporaryDirectory() as folder:
        fit(
            lambda chance: build_gan(config, training, *rows, encoding.shares, chance),
            Job(config=training, run=RunFolder(Path(folder)), score=lambda _: 0.0, on_progress=watch),
        )
    lasts = [after - before for before, after in zip(marks, marks[1:], strict=False)]
    return [lasts[0] * steps / (steps - 1), *lasts[1:]]  # the first step is where the clock begins


def sampling_seconds(path: Path, n: int) -> float:
    """Processor seconds in which an exported file makes ``n`` rows, on as many threads as onnxruntime is given."""
    sampler = ecgsynth.load(path)
    sampler.sample(1000, seed=1)
    before = time.process_time()
    sampler.sample(n, seed=0)
    return time.process_time() - before


@click.command()
@click.option("--rounds", default=2, show_default=True, help="How often each is timed, in turn.")
@click.option("--epochs", default=2, show_default=True, help="Epochs of each timing.")
@click.option("--onnx", type=click.Path(path_type=Path), help="A file exported from Adult, to time sampling too.")
def main(rounds: int, epochs: int, onnx: Path | None) -> None:
    torch.set_num_threads(1)
    found: dict[str, list[float]] = {"train peer": [], "train ours": [], "sample peer": [], "sample ours": []}
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "adult.csv"
        frame = pd.read_csv(DATA, header=None, names=COLUMNS.split(","), skipinitialspace=True)  # it has no header
        frame.to_csv(table, index=False)
        for _ in range(rounds):
            epochs_there, sample_there = theirs(table, epochs)
            found["train peer"] += epochs_there
            found["sample peer"].append(sample_there)
            found["train ours"] += ours(table, epochs)
            if onnx is not None:
                found["sample ours"].append(sampling_seconds(onnx, len(frame)))
    rows = len(frame)
    for what in ("train", "sample"):
        if not found[f"{what} ours"]:
            continue
        there, here = (statistics.median(found[f"{what} {who}"]) for who in ("peer", "ours"))
        click.echo(
            f"{what}: CTGAN 0.12 {rows / there:,.0f} rows/s ({there:.2f} s for {rows:,}), "
            f"ecgsynth {rows / here:,.0f} rows/s ({here:.2f} s), {there / here:.1f} times as fast"
        )


if __name__ == "__main__":
    main()
