"""The commands of tables beside their training: schema and impute."""

from pathlib import Path
from typing import Any

import click

from ecgsynth.cli.options import FORCE, SEED, STORAGE
from ecgsynth.core.formats import FRAME_FORMATS, check_named, endings
from ecgsynth.errors import DataError

__all__ = ["impute", "schema"]


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


@click.command("impute")
@click.argument("file")
@click.option("--model", "run", required=True, type=click.Path(path_type=Path), help="A run of --model gain.")
@click.option(
    "-o",
    "--output",
    required=True,
    help=f"The table to write, named {endings(FRAME_FORMATS)}: a path, or a URL.",
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
