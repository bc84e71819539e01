"""The command line. A command parses, calls one function of the library, and prints what came of it."""

from pathlib import Path

import click

from ecgsynth import __version__
from ecgsynth.cli.audit import audit
from ecgsynth.cli.evaluate import evaluate
from ecgsynth.cli.options import BAR_STEPS, FORCE, SEED, Duration, ReportingGroup, bar
from ecgsynth.cli.prepare import prepare
from ecgsynth.cli.sample import sample
from ecgsynth.cli.tables import impute, schema
from ecgsynth.cli.train import train
from ecgsynth.core.formats import check_named

__all__ = ["main"]


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
    ecgsynth audit beats.onnx --real beats.npz --run runs/a

    \b
    ecgsynth train table adult.csv -o runs/t
    ecgsynth export runs/t -o adult.onnx
    ecgsynth sample adult.onnx -n 10000 --where "class=>50K" -o rich.csv
    """


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .onnx file to write.")
@click.option("--report", type=click.Path(path_type=Path), help="A report on this generator, to go into the file.")
@FORCE
def export(run: Path, output: Path, report: Path | None, *, force: bool) -> None:
    """Write the best generator of RUN, a run folder, as one .onnx file, checked against torch.

    \b
    Example: ecgsynth export runs/a -o beats.onnx
    """
    from ecgsynth.core.files import check_free, read_json
    from ecgsynth.loading import load_run

    check_named(output, ".onnx")
    check_free(output, force=force)
    made = load_run(run)
    if report is not None:
        made.tell_measured(read_json(report / "metrics.json"))
    made.export(output, force=force)
    click.echo(f"wrote {output} ({output.stat().st_size / 1e6:.2f} MB), equal to torch")


@main.command()
@click.argument("model")
def info(model: str) -> None:
    """Say what MODEL, an .onnx file or mitbih-beats, makes, what it learnt from and what was measured. Needs no torch.

    \b
    Example: ecgsynth info beats.onnx
    """
    from ecgsynth.export.manifest import TableManifest
    from ecgsynth.loading import open_file
    from ecgsynth.report.info import manifest_text, rows_text

    sampler = open_file(model)
    manifest, file = sampler.manifest, (sampler.path.name, sampler.path.stat().st_size)
    click.echo(rows_text(manifest, *file) if isinstance(manifest, TableManifest) else manifest_text(manifest, *file))


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


for command in (prepare, train, sample, evaluate, audit, schema, impute):
    main.add_command(command)
