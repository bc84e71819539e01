"""Make the generator that comes with the package, mitbih-beats, and its model card.

    python data_scripts/make_pretrained.py MITDB -o runs/pretrained [--force]

MITDB is the folder of the MIT-BIH Arrhythmia Database v1.0.0. Prepares (split by patient), trains a generator of
people, exports, evaluates and audits, and copies the file and the card to ecgsynth/data/. What is done already is not
done again, and a training that was stopped goes on. Every figure in the card comes from the report.
"""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from ecgsynth.core.files import read_json, write_json
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.metrics.classifier import ClassifierConfig
from ecgsynth.metrics.utility import utility
from ecgsynth.report.audit import tables
from ecgsynth.report.info import MAY
from ecgsynth.report.page import number
from ecgsynth.windows.windows import Windows

NAME = "mitbih-beats"
STEPS = 1500
REPEATS = 2
CLASSIFIER_STEPS = 300  # updates of each classifier of the evaluation
PACKAGE = Path(__file__).resolve().parents[1] / "ecgsynth" / "data"

CARD = """# {name}

A generator of single synthetic heartbeats: lead MLII (V5 in two records), 256 samples at 360 Hz (0.71 s), 0.5-40 Hz,
in mV, R peak at sample 100, with the RR intervals before and after, for the AAMI classes N, S and V. The beats are of
people who never lived.

    ecgsynth sample {name} -n 1000 --people 20 -o beats.npz

- **Data**: MIT-BIH Arrhythmia Database v1.0.0 (48 half-hour records of 47 people, 1975-1979), doi:10.13026/C2F305,
  ODC-By 1.0. Cite Moody and Mark, IEEE Eng in Med and Biol 20(3):45-50, 2001, and Goldberger et al., Circulation
  101(23):e215-e220, 2000.
- **Split**: by patient, 65/20/15. The generator learnt from about {training:,} beats of about {patients} people; people
  of the validation part chose the best step; the figures below are of the test part, which was used once.
- **Left out**: the classes F and Q, which fewer than five people in the training part have.
- **Model**: a population of people, each number of which is of many, and a recurrent WGAN-GP for what a beat differs by
  from its person's typical one; {steps:,} steps, seed {seed}. Made by
  `python data_scripts/make_pretrained.py MITDB -o runs/pretrained`.

## Level of release: {level}
{may}
{reasons}

## Usefulness
F1 of an arrhythmia classifier that has the RR intervals, mean and spread of {repeats} trainings, on {test:,} beats of
**people whom nothing learnt from**; and, of one training, on {later:,} later beats of the **same people** that the
generator learnt from.

{utility}

Over many splits of the people: `benchmarks/RESULTS.md`, "People". For whom it is: who trains or tests a classifier that
is to meet new patients. For these same people real beats, or a generator with `--level internal`, are better.

## Likeness
Test beats against as many synthetic ones of each class; beside it real training beats in their place.

{fidelity}

## Attacks by person
{audit}

The data themselves are public.

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
    found, same, data = measured["utility"], measured["same_people"], manifest["data"]
    arms = {"TRTR": "real beats", "TSTR": "synthetic", "augmented": "real, rare classes topped up"}
    lines = ["| tested on | trained on | " + " | ".join(arms.values()) + " |", "|---" * (2 + len(arms)) + "|"]
    for who, entry in (("people never seen", found), ("the same people", same)):
        for i, name in enumerate(entry["classes"]):
            row = " | ".join(number(entry[arm]["f1_by_class"][i]) for arm in arms)
            lines.append(f"| {who} | F1 {name} | {row} |")
        lines.append(f"| {who} | macro-F1 | " + " | ".join(number(entry[arm]["macro_f1"]) for arm in arms) + " |")
    likeness = ["| measure | synthetic | real | best |", "|---|---|---|---|"]
    for name, entry in measured["fidelity"]["measures"].items():
        if entry["value"] is not None:
            likeness.append(
                f"| {name.replace('_', ' ')} | {entry['value']:.3g} | {entry['baseline']:.3g} | {entry['best']:g} |"
            )
    audited = []
    for head, *rows in tables(measured["audit"]):
        audited += ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)] + [""]
    release = manifest["release"]
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
        audit="\n".join([*audited, *measured["audit"]["notes"]]).strip(),
        later=same["test_windows"],
        level=release["name"],
        may=f"{MAY[release['name']].capitalize()}.",
        reasons="\n".join(f"- {reason}" for reason in release["reasons"]),
    )


def on_same_people(model: Path, beats: Path) -> dict[str, Any]:
    """The utility test on later beats of the people that the generator learnt from."""
    sampler = OnnxSampler(model)
    real = Windows.load(beats).keep_classes(sampler.manifest.class_names)
    config = ClassifierConfig(steps=CLASSIFIER_STEPS)
    return utility(real, sampler.windows, repeats=1, test_part="later", rhythm=True, config=config)


@click.command()
@click.argument("mitdb", type=click.Path(path_type=Path))
@click.option("-o", "--output", default=Path("runs/pretrained"), type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace the generator that is in the package.")
def main(mitdb: Path, output: Path, *, force: bool) -> None:
    """Prepare, train, export, evaluate, and put the generator and its card into the package."""
    beats, run, report = output / "beats.npz", output / "run", output / "report"
    model, same = output / f"{NAME}.onnx", output / "same_people.json"
    if not beats.exists():
        call("prepare", mitdb, "-o", beats, "--split", "patient")
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
            "--rhythm",
            "--force",
        )
    if not same.exists():
        write_json(same, on_same_people(model, beats))
    call("export", run, "-o", model, "--report", report, "--force")
    if (PACKAGE / model.name).exists() and not force:
        click.echo(f"left {PACKAGE / model.name} as it is; --force replaces it by {model}")
        return
    import onnx

    manifest = json.loads({entry.key: entry.value for entry in onnx.load(model).metadata_props}["ecgsynth.manifest"])
    measured = read_json(report / "metrics.json") | {"same_people": read_json(same)}
    shutil.copyfile(model, PACKAGE / model.name)
    (PACKAGE / f"{NAME}.md").write_text(card(measured, manifest, run), encoding="utf-8")
    click.echo(f"wrote {PACKAGE / model.name} and {NAME}.md")


if __name__ == "__main__":
    main()
