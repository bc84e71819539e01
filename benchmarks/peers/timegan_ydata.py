"""TimeGAN's step beside that of ydata-synthetic 1.4: the same data, sizes, batch and one thread each.

    python benchmarks/peers/timegan_ydata.py [--hidden 128] [--batch 128] [--steps 10]

Sets the peer up in an environment of its own, runs/peers/ydata (TensorFlow 2.15, so Python 3.11 or older). A step of
each of the three phases is timed there and here: the sum of the phases' medians, so that what is done once, such as
tracing, is in neither; in processor time, so that it matters less what else runs. Ours is timed with one sample a
latent step, as the peer has it, and with the several that it takes by itself.
"""

import os
import statistics
import subprocess
import time
import venv
from functools import partial
from pathlib import Path

import click
import numpy as np
import torch

from ecgsynth.core.config import TrainConfig
from ecgsynth.models.timegan.networks import TimeGANConfig
from ecgsynth.models.timegan.plan import plan_frame
from ecgsynth.models.timegan.steps import embedding_step, joint_step, supervisor_step
from ecgsynth.training.fit_timegan import networks

HERE = Path(__file__).resolve().parents[2]
HOME = HERE / "runs" / "peers" / "ydata"
PEER = "ydata-synthetic==1.4.0"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
LENGTH, CHANNELS, WINDOWS = 24, 28, 2000

# Runs in the peer's environment: prints the processor seconds of one step, by watching its progress bars.
THERE = """
import statistics, sys, time
import numpy as np
import ydata_synthetic.synthesizers.timeseries.timegan.model as peer
from ydata_synthetic.synthesizers import ModelParameters

hidden, batch, steps, length, channels, windows = map(int, sys.argv[1:])
phases = []

def watched(items, **options):
    marks = []
    for item in items:
        marks.append(time.process_time())
        yield item
    marks.append(time.process_time())
    phases.append(statistics.median(b - a for a, b in zip(marks[1:], marks[2:])))

peer.tqdm = watched
model = peer.TimeGAN(ModelParameters(batch_size=batch, lr=5e-4, latent_dim=hidden, gamma=1))
model.seq_len, model.n_seq = length, channels
model.train(list(np.random.default_rng(0).random((windows, length, channels)).astype("float32")), steps)
print("SECONDS", sum(phases))
"""


def theirs(hidden: int, batch: int, steps: int) -> float:
    """Processor seconds of one step of each phase in the peer."""
    python = HOME / "bin" / "python"
    if not (HOME / "ready").exists():
        venv.create(HOME, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True)
        (HOME / "ready").touch()
    sizes = map(str, (hidden, batch, steps + 1, LENGTH, CHANNELS, WINDOWS))
    run = subprocess.run(
        [python, "-c", THERE, *sizes],
        env=os.environ | ONE_THREAD | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line for line in run.stdout.splitlines() if line.startswith("SECONDS ")]
    if not found:
        raise click.ClickException(f"the peer did not run: {run.stderr[-2000:]}")
    return float(found[0].removeprefix("SECONDS "))


def ours(hidden: int, batch: int, steps: int, frame: int) -> float:
    """Processor seconds of one step of each phase here, with so many samples a latent step."""
    config = TimeGANConfig(time=LENGTH, channels=CHANNELS, hidden=hidden, frame=frame)
    nets, _ = networks(config, TrainConfig(steps=1), torch.device("cpu"))
    x = torch.from_numpy(np.random.default_rng(0).random((batch, LENGTH * CHANNELS)).astype(np.float32))
    label = torch.zeros(batch, dtype=torch.int64)

    every = TrainConfig(steps=1).gp_every

    def joint() -> None:  # as many as have one penalty among them
        for number in range(every):
            joint_step(nets, x, label, torch.randn(batch, config.normals), penalise=float(number == 0))

    total = 0.0
    phases = (
        (partial(embedding_step, nets, x, label), 1),
        (partial(supervisor_step, nets, x, label), 1),
        (joint, every),
    )
    for phase, updates in phases:
        marks = []
        for _ in range(steps + 1):
            began = time.process_time()
            phase()
            marks.append((time.process_time() - began) / updates)
        total += statistics.median(marks[1:])
    return total


@click.command()
@click.option("--hidden", default=128, show_default=True)
@click.option("--batch", default=128, show_default=True)
@click.option("--steps", default=10, show_default=True)
def main(hidden: int, batch: int, steps: int) -> None:
    torch.set_num_threads(1)
    peer = theirs(hidden, batch, steps)
    click.echo(f"one step of each phase, {hidden} units, batch {batch}, {LENGTH} x {CHANNELS}, one thread")
    click.echo(f"ydata-synthetic 1.4: {peer:.3f} s")
    for frame in (1, plan_frame(LENGTH)):
        own = ours(hidden, batch, steps, frame)
        click.echo(f"ecgsynth, {frame} samples a latent step: {own:.3f} s, {peer / own:.1f} times as fast")


if __name__ == "__main__":
    main()
