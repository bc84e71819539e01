"""The main job on the whole database, by the command line that users type.

    python benchmarks/beats.py MITDB -o runs/full [--split beat] [--budget 45min] [--repeats 3]

MITDB is the folder of the database. Steps whose result is there already are not done again; a training that was
stopped goes on. The figures end in runs/full/report/metrics.json.
"""

import subprocess
import sys
import time
from pathlib import Path

import click


def call(*words: str | Path) -> None:
    """Run an ecgsynth command, and say how long it took."""
    print("$ ecgsynth", *words, flush=True)
    started = time.perf_counter()
    subprocess.run([Path(sys.executable).with_name("ecgsynth"), *map(str, words)], check=True)
    print(f"  {time.perf_counter() - started:.1f} s", flush=True)


@click.command()
@click.argument("mitdb", type=click.Path(path_type=Path))
@click.option("-o", "--output", default=Path("runs/full"), type=click.Path(path_type=Path))
@click.option("--split", default="beat", type=click.Choice(["beat", "patient"]))
@click.option("--budget", default="45min")
@click.option("--repeats", default=3)
@click.option("--seed", default=0)
def main(mitdb: Path, output: Path, split: str, budget: str, repeats: int, seed: int) -> None:
    """Prepare, train, export, evaluate."""
    beats, run, model, report = output / "beats.npz", output / "run", output / "beats.onnx", output / "report"
    if not beats.exists():
        call("prepare", mitdb, "-o", beats, "--split", split, "--seed", str(seed))
    if not (run / "metrics.json").exists():
        call("train", "ecg", beats, "-o", run, "--budget", budget, "--seed", str(seed), "--device", "cpu", "--resume")
    if not model.exists():
        call("export", run, "-o", model)
    call("info", model)
    if not (report / "metrics.json").exists():
        call("evaluate", model, "--real", beats, "-o", report, "--repeats", str(repeats), "--seed", str(seed))


if __name__ == "__main__":
    main()
