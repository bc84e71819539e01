"""The commands of tables: schema, train table, impute, and the evaluation of rows."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecgsynth.cli.options import (
    BAR_STEPS,
    DEVICE,
    FORCE,
    SEED,
    SOURCE,
    STORAGE,
    WHERE,
    Duration,
    Names,
    bar,
    conditions,
    training_bar,
)
from ecgsynth.core.formats import check_named
from ecgsynth.errors import DataError

if TYPE_CHECKING:
    from ecgsynth.export.table_sampler import TableSampler

__all__ = ["evaluate_rows", "impute", "schema", "train_table"]

PRESETS = ("default", "gan", "cgan", "wgan", "wgan-gp", "cwgan-gp", "dragan", "cramergan", "ctgan", "gain")
SHOWN = ("nats", "critic", "generator", "discriminator", "reconstruction")  # losses that the training bar shows


@click.command("schema")
@click.argument("file")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .json file to write.")
@STORAGE
@FORCE
def schema(file: str, output: Path, storage_options: dict[str, Any] | None, *, force: bool) -> None:
    """Find out what the columns of FILE, a table at a path or a URL, are; show it, and write it to be edited.

    \b
    Example: ecgsynth schema adult.csv -o schema.json
    """
    from ecgsynth.core.files import check_free
    from ecgsynth.core.tables import read_table
    from ecgsynth.tabular.schema.schema import Schema

    check_named(output, ".json")
    check_free(output, force=force)
    found = Schema.infer(read_table(file, storage_options=storage_options)[0], from_file=True)
    found.save(output, force=force)
    click.echo(found.text())
    click.echo(f"wrote {output}")


@click.command("table")
@click.argument("file")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The run folder to make.")
@click.option("--schema", "schema_path", type=click.Path(path_type=Path), help="What the columns are; else inferred.")
@click.option(
    "--model",
    default="default",
    show_default=True,
    type=click.Choice(PRESETS),
    help="A preset; default is the one that measures best, gain fills holes.",
)
@click.option("--budget", type=Duration(), help="Train for this long, such as 15min.")
@click.option("--epochs", type=click.IntRange(min=1), help="Train for so many times as many rows as there are.")
@click.option("--label", help="The column that cgan and cwgan-gp are told; without it, the last categorical one.")
@click.option("--person", help="The column that says whose a row is; without it, every row counts as a person.")
@SOURCE
@click.option("--n-critic", type=click.IntRange(min=1), help="Critic updates for each one of the generator.")
@click.option("--batch", type=click.IntRange(min=1), help="Rows in a batch.")
@click.option("--rate", type=float, help="The optimiser's learning rate.")
@click.option("--pack", type=click.IntRange(min=1), help="Rows that the critic sees side by side.")
@click.option("--unrolled", type=click.IntRange(min=0), help="Critic updates that the generator looks ahead.")
@click.option("--hidden", type=Names(), help="Units of each hidden layer of both networks, such as 256,256.")
@WHERE
@STORAGE
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped; same options as before.")
@DEVICE
@SEED
@FORCE
def train_table(
    file: str,
    output: Path,
    schema_path: Path | None,
    where: tuple[str, ...],
    storage_options: dict[str, Any] | None,
    *,
    resume: bool,
    force: bool,
    **options: Any,
) -> None:
    """Train a generator on the rows of FILE: CSV, TSV, JSON or Parquet, at a path or a URL such as s3://b/file.csv.

    A tenth of the rows is kept apart, and the best step by them is kept. --where learns from some rows only.

    \b
    Example: ecgsynth train table adult.csv -o runs/t --budget 15min
             ecgsynth train table fraud.csv -o runs/f --where Class=1 --model wgan-gp --epochs 300
    """
    if options["budget"] is not None and options["epochs"] is not None:
        raise click.UsageError("give --budget or --epochs, not both")
    began = time.monotonic()
    from ecgsynth.core.tables import read_table, stem
    from ecgsynth.tabular.imputer import Imputer
    from ecgsynth.tabular.models.registry import VALUES, makes
    from ecgsynth.tabular.schema.schema import Schema
    from ecgsynth.tabular.synthesizer import TableSynthesizer
    from ecgsynth.tabular.training.rows import asked_rows
    from ecgsynth.training.run_folder import RunFolder

    fit: Callable[..., TableSynthesizer | Imputer]
    fit = Imputer.fit if makes(options["model"]) == VALUES else TableSynthesizer.fit
    with training_bar(SHOWN, RunFolder(output), resume=resume, force=force) as (on_progress, say):
        whole = read_table(file, storage_options=storage_options)[0]
        frame = asked_rows(whole, conditions(where))
        known = (
            Schema.infer(frame, whole, options["person"], from_file=True)
            if schema_path is None
            else Schema.load(schema_path)
        )
        for note in known.notes:
            say(f"note: {note}")
        made = fit(
            frame,
            output,
            schema=known,
            private={"file": stem(file), "where": conditions(where)},
            resume=resume,
            force=force,
            on_progress=on_progress,
            began=began,
            **settings_of(options),
        )
    private = made.about.data.private
    for name, number in ((private and private.untold) or {}).items():
        called = (
            "category that fewer than ten rows have is"
            if number == 1
            else "categories that fewer than ten rows have are"
        )
        click.echo(f"{name}: {number} {called} taken as others")
    reached = made.about.metrics
    click.echo(
        f"wrote {output}: best step {reached['best_step']} of {reached['steps']}, "
        f"validation score {reached['validation_score']:.3f}"
    )


def settings_of(options: dict[str, Any]) -> dict[str, Any]:
    """What TableSynthesizer.fit is told, of what the command was: the network's and the training's settings apart."""
    config = {name: options[name] for name in ("pack", "unrolled") if options[name] is not None}
    if options["hidden"] is not None:
        if not all(size.isdecimal() and int(size) for size in options["hidden"]):
            raise click.BadParameter(f"expected numbers such as 256,256, got {','.join(options['hidden'])}")
        config["hidden"] = tuple(int(size) for size in options["hidden"])
    training = {"batch": options["batch"], "rate": options["rate"], "critic_steps": options["n_critic"]}
    return {
        "config": config,
        "training": {name: value for name, value in training.items() if value is not None},
        "budget_s": options["budget"],
        **{name: options[name] for name in ("model", "epochs", "label", "person", "source", "device", "seed")},
    }


@click.command("impute")
@click.argument("file")
@click.option("--model", "run", required=True, type=click.Path(path_type=Path), help="A run of --model gain.")
@click.option(
    "-o",
    "--output",
    required=True,
    help="The table to write, named .csv, .csv.gz, .tsv, .json or .parquet: a path, or a URL.",
)
@STORAGE
@SEED
@FORCE
def impute(
    file: str, run: Path, output: str, storage_options: dict[str, Any] | None, seed: int, *, force: bool
) -> None:
    """Fill the holes of FILE with what a run of 'train table --model gain' takes for likely; what is there stays.

    \b
    Example: ecgsynth impute holes.csv --model runs/g -o filled.csv
             after: ecgsynth train table holes.csv --model gain -o runs/g
    """
    from ecgsynth.core.files import check_free, is_stdout
    from ecgsynth.core.storage import delivered, is_url
    from ecgsynth.core.tables import read_table, table_format, write_table
    from ecgsynth.tabular.imputer import Imputer

    table_format(output)
    if not is_url(output) and not is_stdout(output):
        check_free(Path(output), force=force)
    frame = read_table(file, storage_options=storage_options)[0]
    holes = int(frame.isna().sum().sum())
    if not holes:
        raise DataError(f"{file} has no missing value, so there is nothing to fill")
    filled = Imputer.load(run).impute(frame, seed=seed)
    if is_stdout(output):
        write_table(filled, output)
        return
    with delivered(output, storage_options if is_url(output) else None, force=force) as path:
        write_table(filled, path, force=force)
    left = int(filled.isna().sum().sum())
    beside = f"; {left:,} in columns that the run does not fill are left" if left else ""
    click.echo(f"wrote {output}: {holes - left:,} values filled in {len(frame):,} rows{beside}")


def evaluate_rows(
    sampler: "TableSampler", real: str, output: Path, *, storage: dict[str, Any] | None, **asked: Any
) -> None:
    """What the command 'evaluate' does for a generator of rows."""
    from ecgsynth.core.files import check_free
    from ecgsynth.core.tables import read_table
    from ecgsynth.tabular.evaluation import evaluate_table
    from ecgsynth.tabular.report.page import table_text

    check_free(output, force=asked["force"])
    test = None if asked["test"] is None else read_table(asked["test"], storage_options=storage)[0]
    frame = read_table(real, storage_options=storage)[0]
    with bar("Evaluating", BAR_STEPS) as show:
        measured = evaluate_table(
            sampler,
            frame,
            output,
            on_progress=lambda stage, done: show(done * BAR_STEPS, phase=stage),
            **asked | {"test": test},
        )
    click.echo(table_text(measured))
    click.echo(f"wrote {output / 'metrics.json'} and {output / 'report.html'}")
