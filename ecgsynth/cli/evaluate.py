"""Measuring what a generator makes against real data."""

from pathlib import Path
from typing import Any

import click

from ecgsynth.cli.options import BAR_STEPS, DEVICE, FORCE, SEED, STORAGE, bar

__all__ = ["evaluate"]


@click.command("evaluate")
@click.argument("model")
@click.option(
    "--real",
    required=True,
    help="Real beats, from 'ecgsynth prepare', or the file of the series or table; of a table also a URL.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The report folder to make.")
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    help="Networks trained for each figure: 3 for beats, 10 for series, but 3 of its CNN and Transformer.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="Updates of each: 2000, but 5000 for the predictive score, 200 for a series' CNN, Transformer and encoder.",
)
@click.option(
    "--part",
    default="test",
    show_default=True,
    type=click.Choice(["validation", "test"]),
    help="The real beats to test on; make choices on validation.",
)
@click.option("--run", type=click.Path(path_type=Path), help="Its run folder, which knows what it learnt from.")
@click.option("--rhythm", is_flag=True, help="Give the classifiers the RR intervals beside the signal.")
@click.option("--test", help="Of a table: rows that no model learnt from, on which --target is predicted.")
@click.option("--target", help="Of a table: the column to predict, by boosted trees that learn from synthetic rows.")
@STORAGE
@DEVICE
@SEED
@FORCE
def evaluate(model: str, real: str, output: Path, **options: Any) -> None:
    """Test how useful, how lifelike and how near to training data those of MODEL are; write metrics.json and a report.

    MODEL is an .onnx file, or mitbih-beats, which comes with the package.

    \b
    Example: ecgsynth evaluate beats.onnx --real beats.npz --run runs/a -o report/
             ecgsynth evaluate adult.onnx --real adult.csv --test adult-test.csv --target class -o report/
    """
    from ecgsynth.api import evaluate as evaluate_model

    with bar("Evaluating", BAR_STEPS, "reading") as show:
        measured = evaluate_model(
            model,
            real,
            output,
            **options,
            callback=lambda stage, done: show(done * BAR_STEPS, phase=stage),
        )
    from ecgsynth.report.windows import table_text
    from ecgsynth.tabular.report.page import table_text as rows_text

    click.echo((rows_text if measured["kind"] == "table" else table_text)(measured))
    click.echo(f"wrote {output / 'metrics.json'} and {output / 'report.html'}")
