"""Attacking the persons behind a generator, before its file leaves the house."""

from pathlib import Path
from typing import Any

import click

from ecgsynth.cli.options import BAR_STEPS, DEVICE, FORCE, SEED, STORAGE, bar

__all__ = ["audit"]


@click.command("audit")
@click.argument("model")
@click.option("--real", required=True, help="Real beats, from 'ecgsynth prepare', or the file of the series or table.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="A folder to make, with metrics.json and a report."
)
@click.option("--run", type=click.Path(path_type=Path), help="Its run folder, which knows what it learnt from.")
@click.option("--test", help="Of a table: rows of persons that no model learnt from; they make intervals narrower.")
@STORAGE
@DEVICE
@SEED
@FORCE
def audit(model: str, real: str, output: Path | None, **options: Any) -> None:
    """Attack the persons whom MODEL learnt from, as somebody with its file would, and say what level that allows.

    Prepare beats with --split patient, which keeps later beats of training people, and people outside. No figure here
    proves that another attack does not reach more.

    \b
    Example: ecgsynth audit beats.onnx --real beats.npz --run runs/a -o audit/
             ecgsynth audit adult.onnx --real adult.csv --run runs/t --test adult-test.csv -o audit/
    """
    from ecgsynth.api import audit as audit_model

    with bar("Auditing", BAR_STEPS, "reading") as show:
        found = audit_model(
            model, real, output, **options, callback=lambda stage, done: show(done * BAR_STEPS, phase=stage)
        )
    from ecgsynth.report.audit import audit_text

    click.echo(audit_text(found))
    if output is not None:
        click.echo(f"wrote {output / 'metrics.json'} and {output / 'report.html'}")
