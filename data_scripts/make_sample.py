"""Cut the beats that ship in the package from the MIT-BIH Arrhythmia Database.

    python data_scripts/make_sample.py DIR

DIR holds the database (see fetch_mitbih.py). Every patient and all five AAMI classes are in the sample; within a
class, patients give as equal numbers of beats as they can.
"""

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.files import atomic, check_free
from ecgsynth.demo import SAMPLE, pack_sample
from ecgsynth.errors import DataError, EcgSynthError
from ecgsynth.windows.beats import read_beats
from ecgsynth.windows.splits import split
from ecgsynth.windows.windows import Windows

# More of the rare classes than their share, so that a few minutes of training see enough of each.
WANTED = {"N": 3600, "S": 1300, "V": 1700, "F": 800, "Q": 1400}
LARGEST_BYTES = 1_500_000
PLACE = Path(__file__).resolve().parent.parent / "ecgsynth" / "data" / SAMPLE


def even_draw(patients: NDArray[np.str_], wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of ``wanted`` beats, one patient after the other as long as each has some left."""
    turn = np.empty(len(patients), dtype=np.int64)  # the how-many-th beat of its patient each one is
    for patient in np.unique(patients):
        own = np.flatnonzero(patients == patient)
        turn[own] = rng.permutation(len(own))
    return np.argsort(turn, kind="stable")[:wanted]


def cut(beats: Windows, seed: int) -> Windows:
    """The sample: WANTED beats of each class, in the order of the database."""
    if beats.groups is None:
        raise DataError("expected beats with their patients, got none; read them with ecgsynth.read_beats")
    rng = np.random.default_rng(seed)
    picked = []
    for code, name in enumerate(beats.classes):
        own = np.flatnonzero(beats.labels == code)
        picked.append(own[even_draw(beats.groups[own], WANTED[name], rng)])
    return beats.take(np.sort(np.concatenate(picked)))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--output", default=PLACE, type=click.Path(path_type=Path), help="Where to write the sample.")
@click.option("--force", is_flag=True, help="Replace the sample that is there.")
def main(folder: Path, output: Path, force: bool) -> None:
    """Cut the sample of the database in FOLDER that ships in the package."""
    try:
        check_free(output, force=force)
        everything = read_beats(folder)
        sample = split(cut(everything, seed=0), "beat", seed=0)
        patients = {None if beats.groups is None else len(np.unique(beats.groups)) for beats in (sample, everything)}
        if len(patients) != 1:
            raise DataError(f"expected every patient in the sample, got {patients}; raise the numbers in WANTED")
        with atomic(output) as temporary:
            pack_sample(sample, temporary)
            if temporary.stat().st_size > LARGEST_BYTES:
                raise DataError(f"the sample has {temporary.stat().st_size} bytes, more than {LARGEST_BYTES}")
        click.echo(f"wrote {len(sample)} beats ({sample.counts()}) to {output}, {output.stat().st_size} bytes")
    except EcgSynthError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
