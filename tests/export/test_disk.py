"""A huge number of rows stops before it is begun where there is no room, and says what it takes where there is."""

import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import ecgsynth
from ecgsynth.core.formats import FORMATS, TABLE_FORMATS
from ecgsynth.errors import ArtifactError
from ecgsynth.export import writing
from ecgsynth.export.disk import check_room, in_words, size_of
from ecgsynth.export.table_writers import rows_to_file
from ecgsynth.export.writers import sample_to_file

Invoke, Say = Callable[..., Result], Callable[..., str]  # what the fixtures run, works and refuses are
GOLDEN = Path(__file__).resolve().parents[1] / "golden"
BEATS = GOLDEN / "tiny.onnx"
Usage = namedtuple("Usage", "total used free")


def leave_free(patch: pytest.MonkeyPatch, free: int) -> list[Path]:
    """A disk with so many bytes free; where it was asked for."""
    asked: list[Path] = []

    def usage(path: Path) -> Usage:
        asked.append(Path(path))
        return Usage(2 * free, free, free)

    patch.setattr(shutil, "disk_usage", usage)
    return asked


@pytest.mark.parametrize("name", ["a.npz", "a.csv", "a.csv.gz", "a.json", "a.parquet", "records/"])
def test_more_than_is_free_is_refused_before_it_is_drawn(
    refuses: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asked = leave_free(monkeypatch, 5 * 10**9)
    line = refuses("sample", BEATS, "-n", 10**12, "-o", f"{tmp_path}/new/{name}")
    assert line.startswith("1,000,000,000,000 windows take about ")
    assert "TB as " in line
    assert line.endswith("and 5.0 GB are free there; ask for fewer, or write to another disk")
    assert asked == [tmp_path]  # the nearest folder that there is
    assert not list(tmp_path.iterdir())


def test_rows_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    leave_free(monkeypatch, 10_000)
    monkeypatch.setattr(writing, "LARGE_NUMBERS", 1)
    with pytest.raises(
        ArtifactError, match=r"^9,000 rows take about .* kB as a\.csv, and 10\.0 kB are free there; ask"
    ):
        rows_to_file(ecgsynth.load(GOLDEN / "tiny_table.onnx"), tmp_path / "a.csv", 9000)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("file_format", FORMATS)
def test_what_windows_take_is_known_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file_format: str) -> None:
    monkeypatch.setattr(writing, "LARGE_NUMBERS", 1)
    sizes: list[int] = []
    path = tmp_path / "out"
    sample_to_file(ecgsynth.load(BEATS), path, 3000, file_format=file_format, on_size=sizes.append)
    assert sizes[0] == pytest.approx(size_of(path), rel={"npz": 1e-9, "parquet": 0.15}.get(file_format, 0.02))


@pytest.mark.parametrize("file_format", TABLE_FORMATS)
def test_what_rows_take_is_known_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file_format: str) -> None:
    monkeypatch.setattr(writing, "LARGE_NUMBERS", 1)
    sizes: list[int] = []
    path = tmp_path / "out"
    rows_to_file(ecgsynth.load(GOLDEN / "tiny_table.onnx"), path, 9000, file_format=file_format, on_size=sizes.append)
    assert sizes[0] == pytest.approx(size_of(path), rel=0.15 if file_format == "parquet" else 0.03)


def test_more_than_a_gigabyte_is_told_before_it_starts(
    run: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecgsynth.export.writing.LARGE_NUMBERS", 1)
    monkeypatch.setattr("ecgsynth.cli.sample.MANY_BYTES", 100_000)
    done = run("sample", BEATS, "-n", 1000, "-o", tmp_path / "a.npz")
    assert done.stderr == "this takes about 270.8 kB\nSampling\n"
    monkeypatch.setattr("ecgsynth.cli.sample.MANY_BYTES", 10**9)
    assert run("sample", BEATS, "-n", 1000, "-o", tmp_path / "b.npz").stderr == "Sampling\n"


def test_little_is_written_without_a_survey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_free(monkeypatch, 0)
    sample_to_file(ecgsynth.load(BEATS), tmp_path / "a.npz", 100)
    assert (tmp_path / "a.npz").exists()


def test_sizes_in_words() -> None:
    assert [in_words(size) for size in (0, 999, 10**6, 1_234_567_890, 5 * 10**12, 2 * 10**18)] == [
        *("0.0 kB", "1.0 kB", "1.0 MB", "1.2 GB", "5.0 TB", "2,000.0 PB")
    ]


def test_what_each_one_adds_is_what_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_free(monkeypatch, 10**6)
    sizes: list[int] = []
    check_room(
        lambda path, n: path.write_bytes(bytes(500 + 3 * n)) and None, tmp_path / "a", 1000, 10, "rows", sizes.append
    )
    assert sizes == [3500]
