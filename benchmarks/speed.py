"""How fast: reading records, sampling with onnxruntime and with torch, a cold start, --help.

    python benchmarks/speed.py MITDB beats.onnx run/

MITDB is the folder of the database, beats.onnx and run/ an exported generator and the run it came from. Prints a table.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

from ecgsynth import Synthesizer, load, read_beats
from ecgsynth.models.decoder import draw

BATCH = 256
BEATS = 25_600
ROUNDS = 5
COLD = "import ecgsynth, sys; beats = ecgsynth.load(sys.argv[1]).sample(100); assert len(beats) == 100"


def timed(job: Callable[[], object]) -> float:
    """Seconds that a job takes."""
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def best(job: Callable[[], object]) -> float:
    """The least of several timings, after one to warm up: what the machine can do when others leave it alone."""
    job()
    return min(timed(job) for _ in range(ROUNDS))


@click.command()
@click.argument("mitdb", type=click.Path(path_type=Path))
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
def main(mitdb: Path, model: Path, run: Path) -> None:
    """Measure and print a table."""
    sampler, trained = load(model), Synthesizer.load(run)
    drawn = best(lambda: [None for _ in sampler.stream(BEATS, batch=BATCH)])
    labels = np.arange(BEATS) % trained.config.classes
    in_torch = best(lambda: draw(trained.sampler, labels, seed=0, batch=BATCH))
    cold = best(lambda: subprocess.run([sys.executable, "-P", "-c", COLD, str(model)], check=True))
    script = Path(sys.executable).with_name("ecgsynth")
    helped = best(lambda: subprocess.run([script, "--help"], check=True, capture_output=True))
    reading = timed(lambda: read_beats(mitdb))
    print("| what | measured | bar |")
    print("|---|---|---|")
    print(f"| beats from 48 records | {reading:.1f} s | 15 s |")
    print(f"| onnxruntime, batch {BATCH} | {BEATS / drawn:,.0f} beats/s | 8,000 |")
    print(f"| torch, inference_mode, batch {BATCH} | {BEATS / in_torch:,.0f} beats/s | no more than onnxruntime |")
    print(f"| cold start to 100 beats | {cold:.2f} s | 0.8 s |")
    print(f"| ecgsynth --help | {helped:.2f} s | 0.3 s |")
    print(f"| file | {model.stat().st_size / 1e6:.2f} MB | 2 MB |")


if __name__ == "__main__":
    main()
