"""The trainings: what each reads, and the options and messages that all share."""

import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from ecgsynth.cli.options import (
    DEVICE,
    FORCE,
    SEED,
    SOURCE,
    STORAGE,
    WHERE,
    Duration,
    Names,
    ReportingGroup,
    conditions,
    training_bar,
)
from ecgsynth.core.levels import LEVELS
from ecgsynth.models import registry as windows
from ecgsynth.tabular.models import registry as rows

if TYPE_CHECKING:
    from ecgsynth.tasks import Task

__all__ = ["train"]

Command = Callable[..., None]
STEPS = click.option("--steps", type=click.IntRange(min=1), help="Train for so many generator updates instead.")
EPOCHS = click.option("--epochs", type=click.IntRange(min=1), help="Train for so many passes over the rows instead.")
PERSON = click.option("--person", help="The column that names each row's person; without it, every row counts as one.")


def training_options(
    registry: ModuleType, amount: Callable[[Command], Command], usual: str
) -> Callable[[Command], Command]:
    """The options of every training: one of the models of a registry (``usual``: by default), how long, and more."""
    options = (
        click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The run folder to make."),
        click.option(
            "--model",
            type=click.Choice(registry.names()),
            help="; ".join(f"{name}: {registry.help_of(name)}" for name in registry.names()) + f"; by default {usual}.",
        ),
        click.option(
            "--budget",
            type=Duration(),
            help="Train for this long, such as 20min or 1h30min; by default beats and series take 20min.",
        ),
        amount,
        SOURCE,
        click.option("--resume", is_flag=True, help="Go on with a run that was stopped; same options as before."),
        DEVICE,
        SEED,
        FORCE,
    )

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def carry_out(
    read: "Callable[[], Task]",
    output: Path,
    registry: ModuleType,
    *,
    model: str | None,
    budget: float | None,
    steps: int | None = None,
    epochs: int | None = None,
    resume: bool,
    force: bool,
    source: str | None,
    device: str,
    seed: int,
    **settings: Any,
) -> None:
    """Train on what ``read`` reads, with a bar, and say what was reached.

    ``settings``: of the training or of the model, by their own names; None where they are as usual.
    """
    if budget is not None and (steps or epochs) is not None:
        raise click.UsageError(f"give --budget or --{'steps' if epochs is None else 'epochs'}, not both")
    began = time.monotonic()
    from ecgsynth.core.disclosure import PERSONS
    from ecgsynth.training.run_folder import RunFolder

    with training_bar(
        registry.entry(model or registry.DEFAULT).losses, RunFolder(output), resume=resume, force=force
    ) as (
        on_progress,
        say,
    ):
        task = read()
        for note in task.notes:
            say(note)
        made = task.train(
            output,
            model=model,
            budget_s=budget,
            steps=steps,
            epochs=epochs,
            settings={name: value for name, value in settings.items() if value is not None},
            resume=resume,
            force=force,
            source=source,
            device=device,
            seed=seed,
            on_progress=on_progress,
            began=began,
        )
    left_out = getattr(made.about.data.private, "left_out", ())
    if left_out:
        click.echo(f"left out {', '.join(left_out)}: too few people have it; --level internal learns such classes")
    for name, number in (getattr(made.about.data.private, "unpublished", None) or {}).items():
        what, are = ("category", "is") if number == 1 else ("categories", "are")
        click.echo(f"{name}: {number} {what} that fewer than {PERSONS} have {are} taken as others")
    reached = made.about.metrics
    click.echo(
        f"wrote {output}: best step {reached['best_step']} of {reached['steps']}, "
        f"validation score {reached['validation_score']:.3f}"
    )


@click.group("train", cls=ReportingGroup)
def train() -> None:
    """Train a generator: on heartbeats, on any time series, or on a table."""


@train.command("ecg")
@click.argument("beats", type=click.Path(path_type=Path))
@click.option("--classes", type=Names(), help="Learn these classes only, such as N,S,V.")
@click.option(
    "--level",
    type=click.Choice(LEVELS),
    help="internal learns the persons' own beats, for use where these may be used; the others insist on new people.",
)
@training_options(windows, STEPS, f"{windows.PEOPLE} where persons are known, else {windows.DEFAULT}")
def train_ecg(beats: Path, output: Path, classes: tuple[str, ...] | None, level: str | None, **options: Any) -> None:
    """Train a generator on the training part of BEATS, a file made by 'ecgsynth prepare'.

    It makes new people, and then their beats, unless --level is internal. The best step by the validation part is kept.
    A run that was stopped goes on with --resume.

    \b
    Example: ecgsynth train ecg beats.npz -o runs/a --budget 20min
    """

    def read_beats() -> "Task":
        from ecgsynth.tasks import read
        from ecgsynth.windows.windows import Windows

        found = Windows.load(beats)
        return read(found if classes is None else found.keep_classes(classes), level=level)

    carry_out(read_beats, output, windows, **options)


@train.command("series")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--length", default=24, show_default=True, help="Steps of a window.")
@click.option("--stride", default=1, show_default=True, help="Steps from one window to the next.")
@click.option("--columns", type=Names(), help="The columns to learn; without it, every numeric one.")
@click.option("--id", "id_column", help="The column that says to which sequence a row belongs.")
@click.option("--time", "time_column", help="The column of dates or numbers by which rows are in order.")
@click.option("--label", help="The column of each sequence's class.")
@click.option("--statics", type=Names(), help="Numeric columns that stay the same within a sequence, such as age.")
@click.option(
    "--missing",
    default="reject",
    show_default=True,
    type=click.Choice(["reject", "interpolate", "drop"]),
    help="What becomes of missing values: an error, a straight line, or no window with them.",
)
@click.option(
    "--split",
    "kind",
    default="group",
    show_default=True,
    type=click.Choice(["group", "none"]),
    help="Keep each sequence, or block of time, in one part; or learn from all, as TimeGAN's protocol does.",
)
@training_options(windows, STEPS, windows.DEFAULT)
def train_series(
    file: Path,
    output: Path,
    id_column: str | None,
    time_column: str | None,
    label: str | None,
    columns: tuple[str, ...] | None,
    statics: tuple[str, ...] | None,
    missing: str,
    kind: str,
    length: int,
    stride: int,
    seed: int,
    **options: Any,
) -> None:
    """Train a generator on the series in FILE: CSV, TSV, JSON, Parquet or npz.

    Rows are cut into windows of --length steps, split 65/20/15, and the best step by the validation part is kept.

    \b
    Example: ecgsynth train series stock_data.csv -o runs/s --model rwgan --length 24 --budget 20min
    """

    def read_series() -> "Task":
        from ecgsynth.tasks import read

        roles = {"id": id_column, "time": time_column, "label": label, "columns": columns, "statics": statics}
        return read(file, "series", seed=seed, split=kind, length=length, stride=stride, missing=missing, **roles)

    carry_out(read_series, output, windows, seed=seed, **options)


@train.command("table")
@click.argument("file")
@click.option("--schema", "schema_path", type=click.Path(path_type=Path), help="What the columns are; else inferred.")
@click.option("--label", help="The condition of cgan and cwgan-gp; without it, the last categorical column.")
@PERSON
@click.option("--n-critic", "critic_steps", type=click.IntRange(min=1), help="Critic updates for one of the generator.")
@click.option("--batch", type=click.IntRange(min=1), help="Rows in a batch.")
@click.option("--rate", type=float, help="The optimiser's learning rate.")
@click.option("--pack", type=click.IntRange(min=1), help="Rows that the critic sees side by side.")
@click.option("--unrolled", type=click.IntRange(min=0), help="Critic updates that the generator looks ahead.")
@click.option("--hidden", type=Names(), help="Units of each hidden layer of both networks, such as 256,256.")
@WHERE
@STORAGE
@training_options(rows, EPOCHS, rows.DEFAULT)
def train_table(
    file: str,
    output: Path,
    schema_path: Path | None,
    label: str | None,
    person: str | None,
    hidden: tuple[str, ...] | None,
    where: tuple[str, ...],
    storage_options: dict[str, Any] | None,
    **options: Any,
) -> None:
    """Train a generator on the rows of FILE: CSV, TSV, JSON or Parquet, at a path or a URL such as s3://b/file.csv.

    A tenth of the rows is kept apart, and the best step by them is kept. --where learns from some rows only.

    \b
    Example: ecgsynth train table adult.csv -o runs/t --budget 15min
             ecgsynth train table fraud.csv -o runs/f --where Class=1 --model wgan-gp --epochs 300
    """
    sizes = None if hidden is None else layers(hidden)

    def read_rows() -> "Task":
        from ecgsynth.tasks import read

        known: dict[str, Any] = {
            "schema": schema_path,
            "label": label,
            "person": person,
            "storage_options": storage_options,
        }
        return read(file, "table", where=conditions(where), **known)

    carry_out(read_rows, output, rows, hidden=sizes, **options)


def layers(sizes: tuple[str, ...]) -> tuple[int, ...]:
    """("256", "256") -> (256, 256)."""
    if not all(size.isdecimal() and int(size) for size in sizes):
        raise click.BadParameter(f"expected numbers such as 256,256, got {','.join(sizes)}")
    return tuple(int(size) for size in sizes)
