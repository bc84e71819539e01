"""The command that cuts WFDB records into beats."""

from pathlib import Path
from typing import Any

import click

from ecgsynth.cli.options import BAR_STEPS, FORCE, SEED, Band, Names, bar
from ecgsynth.core.formats import check_named

__all__ = ["prepare"]


@click.command("prepare")
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
    type=click.Choice(["beat", "patient", "ds1-ds2"]),
    help="Split beats at random within each class, or keep each patient in one part: placed at random, or as is usual "
    "for MIT-BIH (de Chazal 2004), tested on DS2, without paced records and record 201, whose person is in DS2, too.",
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

    Of patients who are kept in one part, the last 15 % of each training patient's beats are held back for the audit.

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
