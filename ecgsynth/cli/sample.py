"""Drawing synthetic windows or rows into a file."""

from pathlib import Path
from typing import Any

import click

from ecgsynth.cli.options import FORCE, SEED, STORAGE, WHERE, Names, bar, conditions
from ecgsynth.core.files import STDOUT
from ecgsynth.core.formats import FORMATS, endings, format_of
from ecgsynth.errors import ConfigError

__all__ = ["sample"]

MANY_BYTES = 10**9  # of a file: from here on its size is announced


@click.command("sample")
@click.argument("model")
@click.option("-n", "--number", required=True, type=int, help="How many windows, or rows of a table.")
@click.option(
    "-o",
    "--output",
    required=True,
    help=f"What to write, named {endings(FORMATS)}: a path, or a URL; - is standard output.",
)
@click.option("--label", help="Draw this class of windows only; without it, every class in its training share.")
@click.option("--people", type=int, help="Of so many people, who are then named; else every beat is of another person.")
@click.option("--length", type=int, help="Of a series: NUMBER long ones of so many rows, instead of windows.")
@click.option(
    "--history", help="Of a series: go on from the last rows of this table, which has the columns learnt from."
)
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
    people: int | None,
    length: int | None,
    history: str | None,
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
    window and a step; but an .npz is its windows. Needs no torch. Long series are windows joined without a seam; no
    longer than a window, they are a piece of one. A history with several ids is gone on from in turn.

    \b
    Example: ecgsynth sample mitbih-beats -n 1000 --label V --seed 7 -o out.npz
             ecgsynth sample mitbih-beats -n 1000 --people 20 -o people.csv
             ecgsynth sample stocks.onnx -n 3 --length 5000 --history stock_data.csv -o long.csv
             ecgsynth sample adult.onnx -n 1000 --where "class=>50K" --where "sex=Female" -o rows.csv
    """
    from ecgsynth.core.storage import check_options, delivered
    from ecgsynth.export.disk import in_words
    from ecgsynth.export.table_sampler import TableSampler
    from ecgsynth.export.table_writers import rows_to_file
    from ecgsynth.export.writers import sample_to_file
    from ecgsynth.loading import open_file

    chosen = format_of(output, file_format)
    sampler = open_file(model)
    wanted: dict[str, Any] = {"columns": columns, "seed": seed, "file_format": chosen, "force": force}
    series: dict[str, Any] = {"people": people, "length": length, "history": history}
    asked = conditions(where)
    if isinstance(sampler, TableSampler):
        if length is not None or history is not None:
            raise ConfigError(f"{model} makes rows of a table, not series; leave out --length and --history")
        if people is not None:
            raise ConfigError(f"{model} makes rows of a table, not people; leave out --people")
        if label is not None:
            raise ConfigError(f"{model} makes rows of a table; ask for them with --where, such as --where 'class=>50K'")
        steps, made = number, f"{number:,} synthetic rows"
    else:
        steps, made = number, f"{number:,} synthetic windows"
        if length is not None or history is not None:
            rows = sampler.manifest.time if length is None else length
            steps, made = number * rows, f"{number:,} synthetic series of {rows:,} rows"
        code = sampler.manifest.data.code(asked, label)
        label = None if code is None else sampler.manifest.class_names[code]

    def draw(path: Path | str, **tell: Any) -> None:
        if isinstance(sampler, TableSampler):
            rows_to_file(sampler, path, number, where=asked, **tell, **wanted)
        else:
            sample_to_file(sampler, path, number, label=label, **series, **tell, **wanted)

    if output == STDOUT:
        check_options(output, storage_options)
        draw(output)
        return
    with delivered(output, storage_options, force=force) as path, bar("Sampling", max(steps, 1)) as show:
        done = 0

        def on_progress(more: int) -> None:
            nonlocal done
            done += more
            show(done, f"{done:,}")

        def on_size(needed: int) -> None:
            if needed > MANY_BYTES:
                show.say(f"this takes about {in_words(needed)}", err=True)

        draw(path, on_progress=on_progress, on_size=on_size)
    click.echo(f"wrote {made} to {output}")
