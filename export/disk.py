"""How large a file will be, estimated from two small ones before it is begun."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from ecgsynth.errors import ArtifactError

__all__ = ["LARGE_NUMBERS", "check_room", "in_words"]

LARGE_NUMBERS = 10_000_000  # fewer are written without a survey, as that takes longer than they do


def check_room(
    write: Callable[[Path, int], None],
    path: Path,
    n: int,
    probe: int,
    unit: str,
    on_size: Callable[[int], None] | None = None,
) -> None:
    """Check that a file will find room on its disk.

    Parameters
    ----------
    write
        ``write(path, n)`` writes n windows or rows.
    path
        Where the file will be.
    n
        How many windows or rows it will have.
    probe
        How many are written on trial, and then twice as many; the difference gives the size of one.
    unit
        "windows" or "rows", for the error.
    on_size
        Is called with the bytes that the file will take.

    Raises
    ------
    ArtifactError
        If it needs more space than is free.

    """
    with tempfile.TemporaryDirectory() as folder:
        sizes = []
        for count in (probe, 2 * probe):
            place = Path(folder) / f"{count}{''.join(path.suffixes[-2:])}"
            write(place, count)
            sizes.append(size_of(place))
    needed = int(sizes[0] + (sizes[1] - sizes[0]) / probe * (n - probe))
    free = free_at(path)
    if needed > free:
        raise ArtifactError(
            f"{n:,} {unit} take about {in_words(needed)} as {path.name}, and {in_words(free)} are free there; ask for "
            "fewer, or write to another disk"
        )
    if on_size is not None:
        on_size(needed)


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files in a folder."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def free_at(path: Path) -> int:
    """The bytes that are free where a path lies, or will lie."""
    there = next(folder for folder in path.absolute().parents if folder.is_dir())
    return shutil.disk_usage(there).free


def in_words(size: int) -> str:
    """1234567890 -> 1.2 GB."""
    for unit, many in (("PB", 10**15), ("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if size >= many:
            return f"{size / many:,.1f} {unit}"
    return f"{size / 1000:.1f} kB"
