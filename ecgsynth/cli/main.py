"""The command line. A command parses, calls one function of the library, and prints what came of it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecgsynth import __version__
from ecgsynth.cli.options import (
    BAR_STEPS,
    DEVICE,
    FORCE,
    SEED,
    SOURCE,
    STORAGE,
    WHERE,
    Band,
    Duration,
    Names,
    ReportingGroup,
    bar,
    conditions,
    training_bar,
)
from ecgsynth.cli.tables import impute, schema, train_table
from ecgsynth.core.files import STDOUT
from ecgsynth.core.formats import FORMATS, check_named, format_of
from ecgsynth.errors import ConfigError
from ecgsynth.models import registry

if TYPE_CHECKING:
    from ecgsynth.windows.windows import Windows

__all__ = ["main"]

SHOWN = ("wasserstein", "generator", "reconstruction", "supervised")  # losses that the training bar shows
BUDGET_S = 20 * 60.0
MANY_BYTES = 10**9  # of a file: it is told what it takes


@click.group(cls=ReportingGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="ecgsynth")
def main() -> None:
    """Learn a generator of heartbeats, time series or tables, prove that it is useful, and ship it as one ONNX file.

    \b
    ecgsynth prepare mitdb/ -o beats.npz
    ecgsynth train ecg beats.npz -o runs/a --budget 20min
    ecgsynth export runs/a -o beats.onnx
    ecgsynth sample beats.onnx -n 1000 --label V -o v.npz
    ecgsynth evaluate beats.onnx --real beats.npz -o report/

    \b
    ecgsynth train table adult.csv -o runs/t
    ecgsynth export runs/t -o adult.onnx
    ecgsynth sample adult.onnx -n 10000 --where "class=>50K" -o rich.csv
    """


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .npz file to write.")
@click.option(
    "--leads", default="MLII", show_default=True, type=Names(), help="Lead names with commas between them, or all."
)
@click.option(
    "--missing-lead",
    default="stand-in",
    show_default=True,
    type=click.Choice(["stand-in", "drop"]),
    help="Where a record lacks a lead: take another of its leads, or drop the record.",
)
@click.option(
    "--split",
    "kind",
    default="beat",
    show_default=True,
    type=click.Choice(["beat", "patient"]),
    help="Split beats at random within each class, or keep each patient in one part.",
)
@click.option("--band", type=Band(), default="0.5-40", show_default=True, help="Zero-phase band-pass in Hz, or none.")
@click.option("--fs", "fs_hz", default=360.0, show_default=True, help="Samples a second; other rates are resampled.")
@click.option("--window", default=256, show_default=True, help="Samples a beat.")
@click.option("--r-index", default=100, show_default=True, help="The sample of the window where the R peak lies.")
@click.option("--paced/--no-paced", default=True, show_default=True, help="Keep records with paced beats.")
@SEED
@FORCE
def prepare(
    folder: Path, output: Path, leads: tuple[str, ...], kind: str, seed: int, *, force: bool, **options: Any
) -> None:
    """Cut the WFDB records in FOLDER into labelled beats and split them 65/20/15.

    \b
    Example: ecgsynth prepare mitdb/ -o beats.npz --leads MLII --split patient
    """
    from ecgsynth.core.files import check_free
    from ecgsynth.report.windows import prepared_text
    from ecgsynth.windows.beats import BeatOptions, read_beats
    from ecgsynth.windows.splits import split

    check_named(output, ".npz")
    check_free(output, force=force)
    wanted = BeatOptions(leads=leads, band_hz=options.pop("band"), **options)
    with bar("Preparing", BAR_STEPS, "reading") as show:

        def on_record(name: str, done: int, total: int) -> None:  # a name can be a person's: it is not shown
            show(done * BAR_STEPS / total, f"record {done} of {total}")

        beats = split(read_beats(folder, wanted, on_record=on_record), kind, seed)
        show(BAR_STEPS, phase="writing")
        beats.save(output, force=force)
    click.echo(prepared_text(beats))
    click.echo(f"wrote {output}")


@main.group(cls=ReportingGroup)
def train() -> None:
    """Train a generator: on heartbeats, on any time series, or on a table."""


train.add_command(train_table)
main.add_command(schema)
main.add_command(impute)


def training_options(command: Callable[..., None]) -> Callable[..., None]:
    """What every training is told."""
    for option in (
        click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The run folder to make."),
        click.option(
            "--model",
            default=registry.DEFAULT,
            show_default=True,
            type=click.Choice(registry.names()),
            help="; ".join(f"{name}: {registry.help_of(name)}" for name in registry.names()) + ".",
        ),
        click.option("--budget", type=Duration(), help="Train for this long, such as 20min (the default) or 1h30min."),
        click.option("--steps", type=click.IntRange(min=1), help="Train for so many generator updates instead."),
        click.option("--resume", is_flag=True, help="Go on with a run that was stopped; same options as before."),
        DEVICE,
        SEED,
        FORCE,
    )[::-1]:
        command = option(command)
    return command


def train_windows(
    load_windows: Callable[[Callable[[str], None]], "Windows"],
    output: Path,
    *,
    model: str,
    budget: float | None,
    steps: int | None,
    device: str,
    seed: int,
    resume: bool,
    force: bool,
    source: str | None = None,
) -> None:
    """Train on what ``load_windows(say)`` loads, with a bar, and say what was reached."""
    if budget is not None and steps is not None:
        raise click.UsageError("give --budget or --steps, not both")
    began = time.monotonic()
    from ecgsynth.core.config import TrainConfig
    from ecgsynth.synthesizer import Synthesizer
    from ecgsynth.training.run_folder import RunFolder

    settings = TrainConfig(steps=steps, budget_s=None if steps else budget or BUDGET_S, seed=seed)
    with training_bar(SHOWN, RunFolder(output), resume=resume, force=force) as (on_progress, say):
        made = Synthesizer.fit(
            load_windows(say),
            output,
            model=model,
            training=settings,
            source=source,
            device=device,
            resume=resume,
            force=force,
            on_progress=on_progress,
            began=began,
        )
    reached = made.about.metrics
    click.echo(
        f"wrote {output}: best step {reached['best_step']} of {reached['steps']}, "
        f"validation score {reached['validation_score']:.3f}"
    )


@train.command("ecg")
@click.argument("beats", type=click.Path(path_type=Path))
@click.option("--classes", type=Names(), help="Learn these classes only, such as N,S,V.")
@training_options
def train_ecg(beats: Path, classes: tuple[str, ...] | None, **options: Any) -> None:
    """Train a generator on the training part of BEATS, a file made by 'ecgsynth prepare'.

    The best step by the validation part is kept. A run that was stopped goes on with --resume.

    \b
    Example: ecgsynth train ecg beats.npz -o runs/a --budget 20min
    """
    from ecgsynth.windows.windows import Windows

    def load_windows(say: Callable[[str], None]) -> Windows:
        windows = Windows.load(beats)
        return windows if classes is None else windows.keep_classes(classes)

    train_windows(load_windows, **options)


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
@SOURCE
@training_options
def train_series(
    file: Path, id_column: str | None, time_column: str | None, kind: str, seed: int, **options: Any
) -> None:
    """Train a generator on the series in FILE: CSV, TSV, JSON, Parquet or npz.

    Rows are cut into windows of --length steps, split 65/20/15, and the best step by the validation part is kept.

    \b
    Example: ecgsynth train series stock_data.csv -o runs/s --model rwgan --length 24 --budget 20min
    """
    from ecgsynth.report.windows import read_text
    from ecgsynth.windows.series import SeriesOptions, read_series
    from ecgsynth.windows.splits import split
    from ecgsynth.windows.windows import Windows

    wanted = SeriesOptions(
        id=id_column,
        time=time_column,
        columns=options.pop("columns") or (),
        statics=options.pop("statics") or (),
        **{name: options.pop(name) for name in ("length", "stride", "label", "missing")},
    )

    def load_windows(say: Callable[[str], None]) -> Windows:
        windows = split(read_series(file, wanted), kind, seed)
        say(read_text(windows))
        return windows

    train_windows(load_windows, seed=seed, **options)


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .onnx file to write.")
@click.option("--report", type=click.Path(path_type=Path), help="A report on this generator, to be told in the file.")
@FORCE
def export(run: Path, output: Path, report: Path | None, *, force: bool) -> None:
    """Write the best generator of RUN, a run folder, as one .onnx file, checked against torch.

    \b
    Example: ecgsynth export runs/a -o beats.onnx
    """
    from ecgsynth.core.files import check_free, read_json
    from ecgsynth.synthesizer import Synthesizer
    from ecgsynth.tabular.synthesizer import TableSynthesizer
    from ecgsynth.training.run_folder import RunFolder

    check_named(output, ".onnx")
    check_free(output, force=force)
    of_table = RunFolder(run).read_config().get("data", {}).get("kind") == "table"
    made = (TableSynthesizer if of_table else Synthesizer).load(run)
    if report is not None:
        made.tell_measured(read_json(report / "metrics.json"))
    made.export(output, force=force)
    click.echo(f"wrote {output} ({output.stat().st_size / 1e6:.2f} MB), equal to torch")


@main.command()
@click.argument("model")
@click.option("-n", "--number", required=True, type=int, help="How many windows, or rows of a table.")
@click.option(
    "-o",
    "--output",
    required=True,
    help="What to write, named .csv, .csv.gz, .tsv, .json, .npz or .parquet, or a folder/ of WFDB records: a path, or "
    "a URL; - is standard output.",
)
@click.option("--label", help="Draw this class only; without it, every class in its training share.")
@WHERE
@click.option("--columns", type=Names(), help="Of a series or a table, write these columns only.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(FORMATS),
    help="Of standard output, or of a name without an ending. Parquet and WFDB need packages for training.",
)
@STORAGE
@SEED
@FORCE
def sample(
    model: str,
    number: int,
    output: str,
    label: str | None,
    where: tuple[str, ...],
    columns: tuple[str, ...] | None,
    file_format: str | None,
    storage_options: dict[str, Any] | None,
    seed: int,
    *,
    force: bool,
) -> None:
    """Draw synthetic windows or rows from MODEL, an .onnx file or mitbih-beats, which comes with the package.

    A file is what its name says. Of a series it is the table that was learnt from: its columns, with an id for each
    window and a step; but an .npz is its windows. Needs no torch.

    \b
    Example: ecgsynth sample mitbih-beats -n 1000 --label V --seed 7 -o out.npz
             ecgsynth sample adult.onnx -n 1000 --where "class=>50K" --where "sex=Female" -o rows.csv
    """
    from ecgsynth import load
    from ecgsynth.core.storage import check_options, delivered
    from ecgsynth.export.disk import in_words
    from ecgsynth.export.table_sampler import TableSampler
    from ecgsynth.export.table_writers import rows_to_file
    from ecgsynth.export.writers import sample_to_file

    chosen = format_of(output, file_format)
    sampler = load(model)
    wanted: dict[str, Any] = {"columns": columns, "seed": seed, "file_format": chosen, "force": force}
    of_table = isinstance(sampler, TableSampler)
    if of_table and label is not None:
        raise ConfigError(f"{model} makes rows of a table; ask for them with --where, such as --where 'class=>50K'")
    if not of_table and where:
        raise ConfigError(f"{model} makes windows; ask for a class of them with --label")

    def draw(path: Path | str, **tell: Any) -> None:
        if isinstance(sampler, TableSampler):
            rows_to_file(sampler, path, number, where=conditions(where), **tell, **wanted)
        else:
            sample_to_file(sampler, path, number, label=label, **tell, **wanted)

    if output == STDOUT:
        check_options(output, storage_options)
        draw(output)
        return
    with delivered(output, storage_options, force=force) as path, bar("Sampling", max(number, 1)) as show:
        done = 0

        def on_progress(more: int) -> None:
            nonlocal done
            done += more
            show(done, f"{done:,}")

        def on_size(needed: int) -> None:
            if needed > MANY_BYTES:
                show.say(f"this takes about {in_words(needed)}", err=True)

        draw(path, on_progress=on_progress, on_size=on_size)
    click.echo(f"wrote {number:,} synthetic {'rows' if of_table else 'windows'} to {output}")


@main.command()
@click.argument("model")
@click.option(
    "--real",
    required=True,
    help="Real beats, from 'ecgsynth prepare', or the file of the series or table; of a table also a URL.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The report folder to make.")
@click.option(
    "--repeats", type=click.IntRange(min=1), help="Networks trained for each figure: 3 for beats, 10 for series."
)
@click.option("--steps", type=click.IntRange(min=1), help="Updates of each: 2000, but 5000 for the predictive score.")
@click.option(
    "--part",
    default="test",
    show_default=True,
    type=click.Choice(["validation", "test"]),
    help="The real beats to test on; make choices on validation.",
)
@click.option("--run", type=click.Path(path_type=Path), help="Its run folder, which knows what it learnt from.")
@click.option("--rhythm", is_flag=True, help="Tell the classifiers the RR intervals beside the signal.")
@click.option("--test", help="Of a table: rows that nothing learnt from, on which --target is predicted.")
@click.option("--target", help="Of a table: the column to predict, by boosted trees that learn from synthetic rows.")
@STORAGE
@DEVICE
@SEED
@FORCE
def evaluate(
    model: str,
    real: str,
    output: Path,
    repeats: int | None,
    steps: int | None,
    part: str,
    run: Path | None,
    test: str | None,
    target: str | None,
    storage_options: dict[str, Any] | None,
    device: str,
    seed: int,
    *,
    rhythm: bool,
    force: bool,
) -> None:
    """Test how useful, how lifelike and how near to training data those of MODEL are; write metrics.json and a report.

    MODEL is an .onnx file, or mitbih-beats, which comes with the package.

    \b
    Example: ecgsynth evaluate beats.onnx --real beats.npz --run runs/a -o report/
             ecgsynth evaluate adult.onnx --real adult.csv --test adult-test.csv --target class -o report/
    """
    from ecgsynth import load
    from ecgsynth.cli.tables import evaluate_rows
    from ecgsynth.evaluation import evaluate as evaluate_model
    from ecgsynth.evaluation import real_windows
    from ecgsynth.export.table_sampler import TableSampler
    from ecgsynth.report.windows import table_text

    sampler = load(model)
    if isinstance(sampler, TableSampler):
        if steps is not None or rhythm or part != "test":
            raise ConfigError(f"{model} makes rows of a table; --steps, --part and --rhythm are for windows")
        asked = {"test": test, "target": target, "repeats": repeats, "run": run, "seed": seed, "force": force}
        evaluate_rows(sampler, real, output, storage=storage_options, **asked)
        return
    if test is not None or target is not None:
        raise ConfigError(f"{model} makes windows; --test and --target are for rows of a table")
    with bar("Evaluating", BAR_STEPS, "reading") as show:
        measured = evaluate_model(
            sampler,
            real_windows(Path(real), sampler, run, seed),
            output,
            repeats=repeats,
            steps=steps,
            test_part=part,
            rhythm=rhythm,
            run=run,
            device=device,
            seed=seed,
            force=force,
            on_progress=lambda stage, done: show(done * BAR_STEPS, phase=stage),
        )
    click.echo(table_text(measured))
    click.echo(f"wrote {output / 'metrics.json'} and {output / 'report.html'}")


@main.command()
@click.argument("model")
def info(model: str) -> None:
    """Say what MODEL, an .onnx file or mitbih-beats, makes, what it learnt from and what was measured. Needs no torch.

    \b
    Example: ecgsynth info beats.onnx
    """
    from ecgsynth import load
    from ecgsynth.export.manifest import TableManifest
    from ecgsynth.report.manifest import manifest_text, rows_text

    sampler = load(model)
    told, name, size = sampler.manifest, sampler.path.name, sampler.path.stat().st_size
    click.echo(rows_text(told, name, size) if isinstance(told, TableManifest) else manifest_text(told, name, size))


@main.command()
@click.option(
    "-o",
    "--output",
    default="ecgsynth-demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder to make.",
)
@click.option("--budget", type=Duration(), default="90s", show_default=True, help="Time to train.")
@SEED
@FORCE
def demo(output: Path, budget: float, seed: int, *, force: bool) -> None:
    """Train, export, sample and evaluate on the real beats that come with the package.

    \b
    Example: ecgsynth demo -o demo/
    """
    from ecgsynth.demo import run_demo
    from ecgsynth.report.windows import table_text

    with bar("Demo", BAR_STEPS, "reading") as show:
        measured = run_demo(
            output,
            budget_s=budget,
            seed=seed,
            force=force,
            on_progress=lambda stage, done: show(done * BAR_STEPS, phase=stage),
        )
    click.echo(table_text(measured))
    click.echo(f"wrote {output}: open {output / 'report' / 'report.html'}, or draw more beats with")
    click.echo(f"  ecgsynth sample {output / 'beats.onnx'} -n 1000 --label V -o v.npz")
