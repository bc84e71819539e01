"""Drawing any number of windows into a file, one batch at a time: npz, CSV, Parquet, WFDB records."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ArtifactError, ConfigError, require
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.files import atomic, check_free
from ecgsynth.windows import Windows, save_batches

__all__ = ["FORMATS", "sample_to_file"]

FORMATS = ("npz", "csv", "parquet", "wfdb")
WRITTEN_AT_ONCE = 1024  # windows a batch
RECORD_WINDOWS = 2048  # windows a WFDB record
BEAT_SYMBOLS = ("N", "S", "V", "F", "Q")  # the AAMI classes are themselves symbols of WFDB
RECORD_FILE = re.compile(r"synthetic\d{5}\.(hea|dat|atr)|RECORDS")
WFDB_ADC_GAIN = 1000.0  # steps of the 16-bit samples in 1 mV

INTERVALS = ("rr_before_s", "rr_after_s")


def sample_to_file(
    sampler: OnnxSampler,
    path: Path | str,
    n: int,
    *,
    label: str | None = None,
    seed: int = 0,
    file_format: str = "npz",
    force: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Draw ``n`` windows of ``sampler`` into ``path`` at constant memory; for wfdb, ``path`` is a folder of records.

    npz is what Windows.load reads; CSV and Parquet have a row a window: its label, the RR intervals where the generator
    makes them, then its samples in physical units, a column each. ``on_progress(k)`` is told of each k windows written.
    Raises ConfigError for a format, n, label or seed that cannot be, ArtifactError for a path that is taken,
    MissingExtraError where Parquet or WFDB need a package that is not installed.
    """
    if file_format not in FORMATS:
        raise ConfigError(f"a format is one of {', '.join(FORMATS)}, got {file_format!r}")
    path = Path(path)
    check_free(path, force=force)
    batches = watched(sampler.stream(n, label, seed, WRITTEN_AT_ONCE), on_progress)
    like = sampler.sample(1, label, seed)
    if file_format == "npz":
        save_batches(path, like, batches, n=n, force=force)
    elif file_format == "csv":
        write_csv(path, like, batches)
    elif file_format == "parquet":
        write_parquet(path, like, batches)
    else:
        write_wfdb(path, like, batches)


def watched(batches: Iterator[Windows], on_progress: Callable[[int], None] | None) -> Iterator[Windows]:
    for batch in batches:
        yield batch
        if on_progress is not None:
            on_progress(len(batch))


def column_names(like: Windows) -> list[str]:
    """A name for each number of a row, after the label."""
    samples = [f"{name}_{sample}" for sample in range(like.values.shape[1]) for name in like.channel_names]
    return samples if like.rr_s is None else [*INTERVALS, *samples]


def numbers(batch: Windows) -> NDArray[np.float32]:
    """(n, columns) the numbers of each row, in the order of ``column_names``."""
    flat = batch.values.reshape(len(batch), -1)
    return flat if batch.rr_s is None else np.hstack([batch.rr_s, flat])


def write_csv(path: Path, like: Windows, batches: Iterator[Windows]) -> None:
    quoted = [in_csv(name) for name in like.classes]
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(["label", *map(in_csv, column_names(like))]) + "\n")
        for batch in batches:
            table = numbers(batch)
            row = ",".join(["%.6g"] * table.shape[1])
            file.writelines(
                f"{quoted[code]},{row % tuple(line)}\n" for code, line in zip(batch.labels, table.tolist(), strict=True)
            )


def in_csv(name: str) -> str:
    """A name as a field of a CSV file: in quotes where it has a comma, a quote or a line end."""
    return '"' + name.replace('"', '""') + '"' if re.search(r'[",\r\n]', name) else name


def write_parquet(path: Path, like: Windows, batches: Iterator[Windows]) -> None:
    pyarrow = require("pyarrow", "writing Parquet")
    parquet = require("pyarrow.parquet", "writing Parquet")
    names = column_names(like)
    about = {"fs_hz": str(like.fs_hz), "units": like.units, "synthetic": "true"}
    schema = pyarrow.schema(
        [("label", pyarrow.string()), *((name, pyarrow.float32()) for name in names)], metadata=about
    )
    classes = np.asarray(like.classes)
    with atomic(path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for batch in batches:
            columns = [pyarrow.array(classes[batch.labels]), *(pyarrow.array(column) for column in numbers(batch).T)]
            writer.write_table(pyarrow.table(columns, schema=schema))


def write_wfdb(folder: Path, like: Windows, batches: Iterator[Windows]) -> None:
    """Records of windows laid end to end, format 16, each annotated at its event; RECORDS lists them."""
    wfdb = require("wfdb", "writing WFDB records")
    folder = folder.absolute()
    if folder.is_dir():
        foreign = [entry.name for entry in folder.iterdir() if not RECORD_FILE.fullmatch(entry.name)]
        if foreign:
            raise ArtifactError(f"{folder} holds other files than records ({foreign[0]}); choose another folder")
    draft = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    names = []
    try:
        draft.mkdir(parents=True)
        for number, (values, labels) in enumerate(regroup(batches, RECORD_WINDOWS)):
            names.append(f"synthetic{number:05d}")
            write_record(wfdb, draft, names[-1], like, values, labels)
        (draft / "RECORDS").write_text("\n".join(names) + "\n", encoding="utf-8")
        if not folder.is_dir():
            folder.unlink(missing_ok=True)
            folder.mkdir()
        for old in folder.iterdir():
            old.unlink()
        for made in draft.iterdir():
            made.replace(folder / made.name)
    except OSError as error:
        if isinstance(error, ArtifactError):
            raise
        raise ArtifactError(f"could not write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def regroup(batches: Iterator[Windows], size: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """The same values and labels in batches of ``size``, the last one perhaps smaller."""
    held: list[tuple[NDArray[np.float32], NDArray[np.int64]]] = []
    for batch in batches:
        held.append((batch.values, batch.labels))
        if sum(len(labels) for _, labels in held) >= size:
            values, labels = (np.concatenate(column) for column in zip(*held, strict=True))
            yield values[:size], labels[:size]
            held = [(values[size:], labels[size:])] if len(labels) > size else []
    if held:
        values, labels = (np.concatenate(column) for column in zip(*held, strict=True))
        yield values, labels


def write_record(
    wfdb: object, folder: Path, name: str, like: Windows, values: NDArray[np.float32], labels: NDArray[np.int64]
) -> None:
    """One record and its annotations: a class that is a beat symbol of WFDB is that symbol, any other is Q."""
    n, time, channels = values.shape
    symbols = [like.classes[code] if like.classes[code] in BEAT_SYMBOLS else "Q" for code in labels]
    wfdb.wrsamp(  # type: ignore[attr-defined]
        name,
        fs=like.fs_hz,
        units=[like.units] * channels,
        sig_name=list(like.channel_names),
        p_signal=values.reshape(n * time, channels).astype(np.float64),
        fmt=["16"] * channels,
        adc_gain=[WFDB_ADC_GAIN] * channels,
        baseline=[0] * channels,
        comments=[f"synthetic: windows of {time} samples laid end to end, made by ecgsynth"],
        write_dir=str(folder),
    )
    events = np.arange(n) * time + (like.event_index or 0)
    wfdb.wrann(  # type: ignore[attr-defined]
        name, "atr", sample=events, symbol=symbols, fs=like.fs_hz, write_dir=str(folder)
    )
