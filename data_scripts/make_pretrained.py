"""Make the generator that comes with the package, mitbih-beats, and its model card.

    python data_scripts/make_pretrained.py MITDB -o runs/pretrained [--force]

MITDB is the folder of the MIT-BIH Arrhythmia Database v1.0.0. Prepares, trains (hours on one core), exports, evaluates
with five classifiers an arm, and copies the file and the card to ecgsynth/data/. What is done already is not done
again, and a training that was stopped goes on. Every figure in the card comes from the report.
"""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from ecgsynth.core.files import read_json
from ecgsynth.report.page import number

NAME = "mitbih-beats"
STEPS = 16_000
REPEATS = 5
CLASSIFIER_STEPS = 1000  # updates of each classifier of the evaluation
PACKAGE = Path(__file__).resolve().parents[1] / "ecgsynth" / "data"

CARD = """# {name}

A generator of single synthetic heartbeats: lead MLII (V5 in two records), 256 samples at 360 Hz (0.71 s), 0.5-40 Hz,
in mV, R peak at sample 100, with the RR intervals before and after, for the AAMI classes N, S, V, F and Q.

    ecgsynth sample {name} -n 1000 --label V -o beats.npz

- **Data**: MIT-BIH Arrhythmia Database v1.0.0 (48 half-hour records of 47 people, 1975-1979), doi:10.13026/C2F305,
  ODC-By 1.0. Cite Moody and Mark, IEEE Eng in Med and Biol 20(3):45-50, 2001, and Goldberger et al., Circulation
  101(23):e215-e220, 2000.
- **Split**: by beat, stratified by class, 65/20/15. The generator learnt from {training:,} beats of {patients} people;
  the best step was chosen on the validation part; the figures below are of the test part, which was used once. Beats
  of the same people are in all parts: the figures say nothing about new people.
- **Model**: recurrent WGAN-GP conditioned on clusters of each class, {steps:,} steps, seed {seed}. Made by
  `python data_scripts/make_pretrained.py MITDB -o runs/pretrained`.

## Usefulness
F1 of an arrhythmia classifier on {test:,} real test beats, mean and spread of {repeats} trainings.

{utility}

## Likeness
Test beats against as many synthetic ones of each class; beside it real training beats in their place.

{fidelity}

## Privacy
{privacy}

The file holds medians and spreads over groups of at least 20 similar beats; many groups are mostly one person's. A
distance finds copies; it does not prove that nobody can infer who was in the data. The data themselves are public.

## What it must not be used for
- Diagnosis, monitoring, or any decision about a patient.
- Training or testing a medical device without real data beside it, or as evidence of how a device does on new people.
- Estimating how frequent arrhythmias are, or how they differ between people: 47 people were not drawn at random.
- As anonymous data: no formal guarantee (differential privacy) is given.
"""


def call(*words: str | Path) -> None:
    """Run an ecgsynth command, and say how long it took."""
    click.echo(" ".join(["$ ecgsynth", *map(str, words)]))
    started = time.perf_counter()
    subprocess.run([Path(sys.executable).with_name("ecgsynth"), *map(str, words)], check=True)
    click.echo(f"  {time.perf_counter() - started:.1f} s")


def card(measured: dict[str, Any], manifest: dict[str, Any], run: Path) -> str:
    """The model card, its figures from the report and the manifest."""
    found, data = measured["utility"], manifest["data"]
    arms = {"TRTR": "real beats", "TSTR": "synthetic", "augmented": "real, rare classes topped up"}
    lines = ["| trained on | " + " | ".join(arms.values()) + " |", "|---" * (1 + len(arms)) + "|"]
    for i, name in enumerate(found["classes"]):
        lines.append(f"| F1 {name} | " + " | ".join(number(found[arm]["f1_by_class"][i]) for arm in arms) + " |")
    lines.append("| macro-F1 | " + " | ".join(number(found[arm]["macro_f1"]) for arm in arms) + " |")
    likeness = ["| measure | synthetic | real | best |", "|---|---|---|---|"]
    for name, entry in measured["fidelity"]["measures"].items():
        if entry["value"] is not None:
            likeness.append(
                f"| {name.replace('_', ' ')} | {entry['value']:.3g} | {entry['baseline']:.3g} | {entry['best']:g} |"
            )
    privacy = "\n".join(
        f"- {name.replace('_', ' ')}: {value:.4g}" for name, value in measured["privacy"].items() if value is not None
    )
    training = read_json(run / "config.json")["training"]
    return CARD.format(
        name=NAME,
        training=data["training_windows"],
        patients=data["training_patients"],
        steps=manifest["metrics"]["steps"],
        seed=training["config"]["seed"],
        test=found["test_windows"],
        repeats=found["repeats"],
        utility="\n".join(lines),
        fidelity="\n".join(likeness),
        privacy=privacy,
    )


@click.command()
@click.argument("mitdb", type=click.Path(path_type=Path))
@click.option("-o", "--output", default=Path("runs/pretrained"), type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace the generator that is in the package.")
def main(mitdb: Path, output: Path, *, force: bool) -> None:
    """Prepare, train, export, evaluate, and put the generator and its card into the package."""
    beats, run, report = output / "beats.npz", output / "run", output / "report"
    model = output / f"{NAME}.onnx"
    if not beats.exists():
        call("prepare", mitdb, "-o", beats)
    if not (run / "metrics.json").exists():
        call("train", "ecg", beats, "-o", run, "--steps", str(STEPS), "--device", "cpu", "--resume")
    if not (report / "metrics.json").exists():
        call("export", run, "-o", model, "--force")
        call(
            "evaluate",
            model,
            "--real",
            beats,
            "--run",
            run,
            "-o",
            report,
            "--repeats",
            str(REPEATS),
            "--steps",
            str(CLASSIFIER_STEPS),
            "--force",
        )
    call("export", run, "-o", model, "--report", report, "--force")
    if (PACKAGE / model.name).exists() and not force:
        click.echo(f"left {PACKAGE / model.name} as it is; --force replaces it by {model}")
        return
    import onnx

    manifest = json.loads({entry.key: entry.value for entry in onnx.load(model).metadata_props}["ecgsynth.manifest"])
    shutil.copyfile(model, PACKAGE / model.name)
    (PACKAGE / f"{NAME}.md").write_text(card(read_json(report / "metrics.json"), manifest, run), encoding="utf-8")
    click.echo(f"wrote {PACKAGE / model.name} and {NAME}.md")


if __name__ == "__main__":
    main()
