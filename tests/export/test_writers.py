"""Every format holds the rows that the sampler draws, written a batch at a time, and nothing that was there is lost."""

import csv
import dataclasses
import gzip
import io
import json
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from ecgsynth.core.formats import FORMATS
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.export import writers
from ecgsynth.export.manifest import KEY
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.export.writers import regroup, sample_to_file
from ecgsynth.windows.windows import Windows

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TINY, SIGNAL_ONLY = GOLDEN / "tiny.onnx", GOLDEN / "signal_only.onnx"
N, SEED = 33, 7
TIME, EVENT = 32, 10
SAMPLES = [f"{name}_{sample}" for sample in range(TIME) for name in ("MLII", "V5")]
INTERVALS = ["rr_before_s", "rr_after_s"]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """N windows are several batches and several records, none of them of a round number."""
    monkeypatch.setattr(writers, "BATCH_WINDOWS", 8)
    monkeypatch.setattr(writers, "RECORD_WINDOWS", 10)


@pytest.fixture
def sampler() -> OnnxSampler:
    return OnnxSampler(TINY)


def renamed(folder: Path, *names: str, channels: tuple[str, ...] = ("MLII", "V5")) -> OnnxSampler:
    """The golden model with other names for its classes and channels."""
    model = onnx.load(TINY)
    (entry,) = (entry for entry in model.metadata_props if entry.key == KEY)
    content = json.loads(entry.value)
    for known, name in zip(content["classes"], names, strict=True):
        known["name"] = name
    entry.value = json.dumps(content | {"channel_names": channels})
    (folder / "renamed.onnx").write_bytes(model.SerializeToString())
    return OnnxSampler(folder / "renamed.onnx")


def read(path: Path, file_format: str) -> tuple[NDArray[Any], list[str], NDArray[Any] | None]:
    """Values (n, time, channels), class names and RR intervals, by readers other than ours where there are any."""
    if file_format == "npz":
        with np.load(path, allow_pickle=False) as file:
            return file["values"], file["labels"].tolist(), file["rr_s"] if "rr_s" in file else None
    if file_format == "json":
        found = json.loads(path.read_text(encoding="utf-8"))
        names = [name for name in found[0] if name in INTERVALS]
        assert all(list(row) == ["label", *names, "signal"] for row in found)
        rr_s = np.array([[row[name] for name in names] for row in found], dtype=float) if names else None
        return np.array([row["signal"] for row in found]), [row["label"] for row in found], rr_s
    if file_format in ("csv", "csv.gz", "tsv"):
        header, *rows = read_lines(path, file_format)
        return split_columns(header[1:], np.array([row[1:] for row in rows], dtype=float), [row[0] for row in rows])
    if file_format == "parquet":
        table = pytest.importorskip("pyarrow.parquet").read_table(path)
        assert table.column_names[0] == "label"
        flat = np.stack([column.to_numpy() for column in table.columns[1:]], axis=1)
        assert flat.dtype == np.float32
        return split_columns(table.column_names[1:], flat, table.column("label").to_pylist())
    wfdb = pytest.importorskip("wfdb")
    values, labels = [], []
    for name in (path / "RECORDS").read_text(encoding="utf-8").split():
        record, marks = wfdb.rdrecord(str(path / name)), wfdb.rdann(str(path / name), "atr")
        values.append(record.p_signal.reshape(-1, TIME, 2))
        labels += marks.symbol
        assert marks.sample.tolist() == [window * TIME + EVENT for window in range(len(values[-1]))]
        assert (record.fs, record.units, record.sig_name) == (360, ["mV", "mV"], ["MLII", "V5"])
        assert "synthetic" in record.comments[0]
    return np.concatenate(values), labels, None


def read_lines(path: Path, file_format: str) -> list[list[str]]:
    """The fields of each line of a CSV or TSV file."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if file_format == "csv.gz" else content).decode()
    return list(csv.reader(io.StringIO(text, newline=""), delimiter="\t" if file_format == "tsv" else ","))


def split_columns(
    names: list[str], flat: NDArray[Any], labels: list[str]
) -> tuple[NDArray[Any], list[str], NDArray[Any] | None]:
    """The intervals stand before the samples, or they are not there."""
    assert names in (INTERVALS + SAMPLES, SAMPLES)
    first = len(names) - len(SAMPLES)
    return flat[:, first:].reshape(-1, TIME, 2), labels, flat[:, :first] if first else None


ROUNDING = {"npz": 1e-6, "parquet": 1e-6, "wfdb": 0.501e-3} | dict.fromkeys(
    ("csv", "csv.gz", "tsv", "json"), 1e-5
)  # mV


def test_every_format_is_tested() -> None:
    assert set(ROUNDING) == set(FORMATS)


@pytest.mark.parametrize("label", [None, "V"])
@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_holds_what_the_sampler_draws(
    tmp_path: Path, sampler: OnnxSampler, file_format: str, label: str | None
) -> None:
    path = tmp_path / "new" / f"out.{file_format}"  # its folder is made
    counts: list[int] = []
    sample_to_file(sampler, path, N, label=label, seed=SEED, file_format=file_format, on_progress=counts.append)
    values, labels, rr_s = read(path, file_format)
    wanted = sampler.sample(N, label, SEED)
    assert np.abs(values - wanted.values).max() <= ROUNDING[file_format]
    assert labels == [wanted.classes[code] for code in wanted.labels]
    assert wanted.rr_s is not None
    if file_format != "wfdb":  # there, beats laid end to end have the distance of their windows
        assert rr_s == pytest.approx(wanted.rr_s, abs=ROUNDING[file_format])
    assert counts == [8, 8, 8, 8, 1]
    assert list(path.parent.iterdir()) == [path]  # no draft is left


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_generator_without_intervals_is_written_without_them(tmp_path: Path, file_format: str) -> None:
    sampler = OnnxSampler(SIGNAL_ONLY)
    sample_to_file(sampler, tmp_path / "out", N, seed=SEED, file_format=file_format)
    values, labels, rr_s = read(tmp_path / "out", file_format)
    wanted = sampler.sample(N, seed=SEED)
    assert np.abs(values - wanted.values).max() <= ROUNDING[file_format]
    assert labels == [wanted.classes[code] for code in wanted.labels]
    assert rr_s is None
    if file_format == "npz":
        assert Windows.load(tmp_path / "out").rr_s is None


@pytest.mark.parametrize("n", [1, 8, 9, 10, 20])
@pytest.mark.parametrize("file_format", FORMATS)
def test_every_number_of_windows_is_written(tmp_path: Path, sampler: OnnxSampler, file_format: str, n: int) -> None:
    sample_to_file(sampler, tmp_path / "out", n, seed=SEED, file_format=file_format)
    values, labels, rr_s = read(tmp_path / "out", file_format)
    wanted = sampler.sample(n, seed=SEED)
    assert len(labels) == n
    assert values == pytest.approx(wanted.values, abs=ROUNDING[file_format])
    assert file_format == "wfdb" or rr_s == pytest.approx(wanted.rr_s, abs=ROUNDING[file_format])


def test_npz_is_what_the_rest_of_the_package_reads(tmp_path: Path, sampler: OnnxSampler) -> None:
    sample_to_file(sampler, tmp_path / "out.npz", N, seed=SEED)
    got, wanted = Windows.load(tmp_path / "out.npz"), sampler.sample(N, seed=SEED)
    assert np.array_equal(got.labels, wanted.labels)
    assert got.values.dtype == np.float32
    assert got.rr_s is not None
    assert got.rr_s.dtype == np.float32
    assert got.rr_s == pytest.approx(wanted.rr_s, abs=1e-6)
    for name in ("fs_hz", "units", "channel_names", "classes", "event_index", "meta"):
        assert getattr(got, name) == getattr(wanted, name)
    assert got.meta == {"kind": "beats", "synthetic": True, "seed": SEED, "model": "tiny.onnx"}


@pytest.mark.parametrize("file_format", ["npz", "csv.gz", "json", "parquet"])
def test_same_seed_same_bytes(tmp_path: Path, sampler: OnnxSampler, file_format: str) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path, seed in zip(paths, (SEED, SEED, SEED + 1), strict=True):
        sample_to_file(sampler, path, N, seed=seed, file_format=file_format)
    contents = [path.read_bytes() for path in paths]
    if file_format == "npz":  # a zip can note the time of day
        with zipfile.ZipFile(paths[0]) as archive:
            assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert contents[0] == contents[1] != contents[2]


def test_wfdb_records_are_cut_at_their_size(tmp_path: Path, sampler: OnnxSampler) -> None:
    wfdb = pytest.importorskip("wfdb")
    sample_to_file(sampler, tmp_path / "out", N, file_format="wfdb")
    names = (tmp_path / "out" / "RECORDS").read_text(encoding="utf-8").splitlines()
    assert names == [f"synthetic{number:05d}" for number in range(4)]
    lengths = [wfdb.rdheader(str(tmp_path / "out" / name)).sig_len for name in names]
    assert lengths == [10 * TIME, 10 * TIME, 10 * TIME, 3 * TIME]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "RECORDS",
        *(f"{name}.{suffix}" for name in names for suffix in ("hea", "dat", "atr")),
    }


def test_a_class_that_is_no_symbol_of_wfdb_is_annotated_as_unknown(tmp_path: Path) -> None:
    sampler = renamed(tmp_path, "N", "SV", "flutter")  # SV is two symbols, and none
    sample_to_file(sampler, tmp_path / "out", N, seed=SEED, file_format="wfdb")
    _, symbols, _ = read(tmp_path / "out", "wfdb")
    drawn = sampler.sample(N, seed=SEED).labels
    assert symbols == ["N" if code == 0 else "Q" for code in drawn]


def test_names_with_commas_and_quotes_stay_whole_in_csv(tmp_path: Path) -> None:
    sampler = renamed(tmp_path, "normal, or bundle branch block", 'the "S" beat', "V", channels=("I, II", "V5"))
    sample_to_file(sampler, tmp_path / "out.csv", N, seed=SEED, file_format="csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:5] == ["label", *INTERVALS, "I, II_0", "V5_0"]
    wanted = sampler.sample(N, seed=SEED)
    assert [row[0] for row in rows] == [wanted.classes[code] for code in wanted.labels]
    assert {len(row) for row in rows} == {1 + 2 + 2 * TIME}


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_existing_path_is_kept_without_force(tmp_path: Path, sampler: OnnxSampler, file_format: str) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"mine")
    with pytest.raises(ArtifactError, match="exists already.*--force"):
        sample_to_file(sampler, path, N, file_format=file_format)
    assert path.read_bytes() == b"mine"
    sample_to_file(sampler, path, N, seed=SEED, file_format=file_format, force=True)
    assert len(read(path, file_format)[1]) == N
    assert list(tmp_path.iterdir()) == [path]


def test_records_are_replaced_with_force_only_and_none_is_left_over(tmp_path: Path, sampler: OnnxSampler) -> None:
    path = tmp_path / "out"
    sample_to_file(sampler, path, N, file_format="wfdb")
    with pytest.raises(ArtifactError, match="exists already"):
        sample_to_file(sampler, path, 3, file_format="wfdb")
    assert len(read(path, "wfdb")[1]) == N
    sample_to_file(sampler, path, 3, file_format="wfdb", force=True)
    assert len(read(path, "wfdb")[1]) == 3
    assert len(list(path.iterdir())) == 4


@pytest.mark.parametrize("foreign", ["notes.txt", "100.dat", "synthetic.dat", "synthetic_study.atr", "more/x"])
def test_foreign_files_in_a_folder_of_records_are_never_deleted(
    tmp_path: Path, sampler: OnnxSampler, foreign: str
) -> None:
    path = tmp_path / "out"
    sample_to_file(sampler, path, 3, file_format="wfdb")
    (path / foreign).parent.mkdir(exist_ok=True)
    (path / foreign).write_text("mine", encoding="utf-8")
    with pytest.raises(ArtifactError, match="holds other files than records"):
        sample_to_file(sampler, path, 3, file_format="wfdb", force=True)
    assert (path / foreign).read_text(encoding="utf-8") == "mine"
    assert len(read(path, "wfdb")[1]) == 3


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "killed"])
def test_what_stops_midway_leaves_what_was_there(
    tmp_path: Path, sampler: OnnxSampler, file_format: str, error: BaseException
) -> None:
    path = tmp_path / "out"
    sample_to_file(sampler, path, 5, seed=1, file_format=file_format)
    before = read(path, file_format)
    done: list[int] = []

    def stop(more: int) -> None:
        done.append(more)
        if len(done) == 3:
            raise error

    with pytest.raises(ArtifactError if isinstance(error, OSError) else KeyboardInterrupt):
        sample_to_file(sampler, path, N, file_format=file_format, force=True, on_progress=stop)
    assert list(tmp_path.iterdir()) == [path]
    after = read(path, file_format)
    assert np.array_equal(after[0], before[0])
    assert after[1] == before[1]
    assert (after[2] is None) == (before[2] is None) == (file_format == "wfdb")
    assert after[2] is None or np.array_equal(after[2], before[2])


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize(
    ("ask", "says"), [({"n": 0}, "at least 1"), ({"label": "Q"}, "no class 'Q'"), ({"seed": -1}, "seed")]
)
def test_what_cannot_be_drawn_leaves_nothing(
    tmp_path: Path, sampler: OnnxSampler, file_format: str, ask: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        sample_to_file(sampler, tmp_path / "out", **{"n": N, "file_format": file_format, **ask})
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_is_named_with_those_there_are(tmp_path: Path, sampler: OnnxSampler) -> None:
    with pytest.raises(ConfigError, match="one of csv, csv.gz, tsv, parquet, npz, json, wfdb, got 'xlsx'"):
        sample_to_file(sampler, tmp_path / "out", N, file_format="xlsx")


@pytest.mark.parametrize(
    ("sizes", "size"),
    [((8, 8, 8, 1), 8), ((8, 8, 8, 1), 10), ((8, 8, 8, 1), 100), ((1,), 1), ((3, 3, 3), 3), ((3, 3, 3), 7)],
)
def test_regrouping_keeps_every_window_in_order(sizes: tuple[int, ...], size: int) -> None:
    total = sum(sizes)
    whole = Windows(
        values=np.arange(total * 2.0).reshape(total, 2, 1).astype(np.float32),
        fs_hz=1.0,
        units="mV",
        channel_names=("I",),
        classes=tuple(map(str, range(total))),
        labels=np.arange(total),
    )
    batches = [whole.take(rows) for rows in np.split(np.arange(total), np.cumsum(sizes)[:-1])]
    groups = list(regroup(iter(batches), size))
    assert np.array_equal(np.concatenate([group for group, _ in groups]), whole.values)
    assert np.array_equal(np.concatenate([group for _, group in groups]), whole.labels)
    assert [len(group) for _, group in groups] == [size] * (total // size) + [total % size] * (total % size > 0)


class TracedSampler(OnnxSampler):
    """tracemalloc does not see the memory of onnxruntime, but it sees a copy."""

    def stream(self, *asked: Any, **options: Any) -> Iterator[Windows]:
        for batch in super().stream(*asked, **options):
            yield dataclasses.replace(batch, values=batch.values.copy())


@pytest.mark.parametrize("file_format", ["npz", "csv.gz", "json", "parquet"])
def test_memory_does_not_grow_with_the_number_of_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    sampler = TracedSampler(TINY)
    monkeypatch.setattr(writers, "BATCH_WINDOWS", 50)
    sample_to_file(sampler, tmp_path / "warm", 150, file_format=file_format)
    peaks = []
    for n in (300, 6000):
        tracemalloc.start()
        sample_to_file(sampler, tmp_path / f"{n}", n, file_format=file_format)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 250_000  # of 1,460,000 bytes that the 5,700 windows more have; the npz keeps labels
