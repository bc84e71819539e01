"""Drawing any number of windows into a file, one batch at a time: npz, CSV, TSV, JSON, Parquet, WFDB records."""

import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.files import atomic, check_free, is_stdout, text_file
from ecgsynth.core.formats import format_of
from ecgsynth.core.text_rows import DELIMITERS, TEXT_FORMATS, write_records, write_rows
from ecgsynth.errors import ArtifactError, ConfigError, require
from ecgsynth.windows import long_table
from ecgsynth.windows.info import SeriesInfo
from ecgsynth.windows.wide_table import RR_COLUMNS, numbers, sample_columns
from ecgsynth.windows.windows import Windows, save_batches

from .disk import LARGE, check_room
from .onnx_sampler import OnnxSampler

__all__ = ["sample_to_file"]

WRITTEN_AT_ONCE = 1024  # windows a batch
PROBED = 64  # windows from whose files the size of a large one is reckoned, and twice as many
RECORD_WINDOWS = 2048  # windows a WFDB record
BEAT_SYMBOLS = ("N", "S", "V", "F", "Q")  # the AAMI classes are themselves symbols of WFDB
RECORD_FILE = re.compile(r"synthetic\d{5}\.(hea|dat|atr)|RECORDS")
WFDB_ADC_GAIN = 1000.0  # steps of the 16-bit samples in 1 mV


def sample_to_file(
    sampler: OnnxSampler,
    path: Path | str,
    n: int,
    *,
    label: str | None = None,
    columns: tuple[str, ...] | None = None,
    seed: int = 0,
    file_format: str | None = None,
    force: bool = False,
    on_progress: Callable[[int], None] | None = None,
    on_size: Callable[[int], None] | None = None,
) -> None:
    """Draw ``n`` windows of ``sampler`` into ``path`` at constant memory; for wfdb, ``path`` is a folder of records.

    npz is what Windows.load reads; CSV (also .csv.gz), TSV and Parquet have a row a window: its label, the RR intervals
    where the generator makes them, then its samples in physical units, a column each. JSON has a record a window, with
    the same label and intervals, and the samples as ``signal``, a list of (time, channels). Of a series they are the
    user's own table, a row a step, of which ``columns`` picks some.
    The format is what the path ends with (see core.formats), or is told for a name without an ending; the path "-"
    is standard output. ``on_progress(k)`` is told of each k windows written, ``on_size(bytes)`` what a large file will
    take before it is begun.
    Raises ConfigError for a format, n, label, column or seed that cannot be, ArtifactError for a path that is taken or
    a disk without room, MissingExtraError where Parquet or WFDB need a package that is not installed.
    """
    file_format = format_of(path, file_format)
    about = series_of(sampler, columns, file_format)
    like = sampler.windows(1, label, seed)
    if about is not None:
        check_columns(columns, about)

    def write(place: Path | str, count: int, told: Callable[[int], None] | None = None) -> None:
        batches = watched(sampler.stream(count, label, seed, WRITTEN_AT_ONCE), told)
        if about is not None and file_format != "npz":
            write_series(place, about, columns, like, batches, file_format)
        elif file_format == "npz":
            save_batches(place, like, batches, n=count, force=force)
        elif file_format == "json":
            write_json(place, like, batches)
        elif file_format in DELIMITERS:
            write_csv(place, like, batches, file_format)
        elif file_format == "parquet":
            write_parquet(Path(place), like, batches)
        else:
            write_wfdb(Path(place), like, batches)

    if not is_stdout(path):
        path = Path(path)
        check_free(path, force=force)
        if n * like.values.size >= LARGE:
            check_room(write, path, n, PROBED, "windows", on_size)
    write(path, n, on_progress)


def watched(batches: Iterator[Windows], on_progress: Callable[[int], None] | None) -> Iterator[Windows]:
    for batch in batches:
        yield batch
        if on_progress is not None:
            on_progress(len(batch))


def series_of(sampler: OnnxSampler, columns: tuple[str, ...] | None, file_format: str) -> SeriesInfo | None:
    """What is known of the table that a series came from, or None; ConfigError for what cannot be written of it."""
    about = sampler.manifest.data.series
    if columns is not None and (about is None or file_format == "npz"):
        raise ConfigError("columns can be picked of a series that is written as its table, such as csv, not otherwise")
    if about is not None and file_format == "wfdb":
        raise ConfigError("WFDB records hold signals in one unit; write a series as csv, npz or another file")
    return about


def check_columns(columns: tuple[str, ...] | None, about: SeriesInfo) -> None:
    """Raise ConfigError for columns that a series has not."""
    names = long_table.column_names(about)
    unknown = [name for name in columns or () if name not in names]
    if unknown:
        raise ConfigError(f"this generator has no column {', '.join(unknown)}; its columns are {', '.join(names)}")


def write_series(
    path: Path | str,
    about: SeriesInfo,
    columns: tuple[str, ...] | None,
    like: Windows,
    batches: Iterator[Windows],
    file_format: str,
) -> None:
    """The user's own table, a row a step, a batch of windows at a time."""
    names = long_table.column_names(about)
    kept = [name for name in names if columns is None or name in columns or name in names[:2]]
    tables = tables_of(about, kept, batches)
    if file_format in TEXT_FORMATS:
        listed = (zip(*(column.tolist() for column in table.values()), strict=True) for table in tables)
        write_rows(path, file_format, kept, chain.from_iterable(listed))
        return
    pyarrow = require("pyarrow", "writing Parquet")
    parquet = require("pyarrow.parquet", "writing Parquet")
    first = next(tables_of(about, kept, iter([like])))
    schema = pyarrow.table(dict(first)).schema.with_metadata({"synthetic": "true"})
    with atomic(Path(path)) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for table in tables:
            writer.write_table(pyarrow.table(dict(table), schema=schema))


def tables_of(about: SeriesInfo, kept: list[str], batches: Iterator[Windows]) -> Iterator[dict[str, NDArray[Any]]]:
    """The long table of each batch, its ids going on from the batch before."""
    first = 0
    for batch in batches:
        table = long_table.rows(batch, about, first)
        yield {name: as_text(table[name]) for name in kept}
        first += len(batch)


def as_text(column: NDArray[Any]) -> NDArray[Any]:
    """Dates as ISO text; any other column as it is."""
    return np.datetime_as_string(column) if column.dtype.kind == "M" else column


def columns_of_row(like: Windows) -> list[str]:
    """A name for each number of a row, after the label."""
    return sample_columns(like.channel_names, like.values.shape[1], intervals=like.rr_s is not None)


def write_csv(path: Path | str, like: Windows, batches: Iterator[Windows], file_format: str) -> None:
    mark = DELIMITERS[file_format]
    quoted = [in_csv(name, mark) for name in like.classes]
    with text_file(path, zipped=file_format == "csv.gz") as file:
        file.write(mark.join(["label", *(in_csv(name, mark) for name in columns_of_row(like))]) + "\n")
        for batch in batches:
            table = numbers(batch.values, batch.rr_s)
            row = mark.join(["%.6g"] * table.shape[1])
            file.writelines(
                f"{quoted[code]}{mark}{row % tuple(line)}\n"
                for code, line in zip(batch.labels, table.tolist(), strict=True)
            )


def in_csv(name: str, mark: str) -> str:
    """A name as a field of a CSV or TSV file: in quotes where it has the mark between fields, a quote or a line end."""
    return '"' + name.replace('"', '""') + '"' if re.search(rf'["{mark}\r\n]', name) else name


def write_json(path: Path | str, like: Windows, batches: Iterator[Windows]) -> None:
    with text_file(path) as file:
        write_records(file, (text for batch in batches for text in records(batch)))


def records(batch: Windows) -> Iterator[str]:
    """Each window as a JSON object, its numbers with the digits that CSV has; no beat before or after is null."""
    labels = [json.dumps(name, ensure_ascii=False) for name in batch.classes]
    _, time, channels = batch.values.shape
    sample = f"[{', '.join(['%.6g'] * channels)}]"
    signal = f"[{', '.join([sample] * time)}]"
    flat = batch.values.reshape(len(batch), -1).tolist()
    intervals = [""] * len(batch) if batch.rr_s is None else map(in_json, batch.rr_s.tolist())
    for code, rr_s, line in zip(batch.labels, intervals, flat, strict=True):
        yield f'{{"label": {labels[code]}, {rr_s}"signal": {signal % tuple(line)}}}'


def in_json(rr_s: list[float]) -> str:
    texts = ("null" if math.isnan(seconds) else f"{seconds:.6g}" for seconds in rr_s)
    return "".join(f'"{name}": {text}, ' for name, text in zip(RR_COLUMNS, texts, strict=True))


def write_parquet(path: Path, like: Windows, batches: Iterator[Windows]) -> None:
    pyarrow = require("pyarrow", "writing Parquet")
    parquet = require("pyarrow.parquet", "writing Parquet")
    names = columns_of_row(like)
    about = {"fs_hz": str(like.fs_hz), "units": like.units, "synthetic": "true"}
    schema = pyarrow.schema(
        [("label", pyarrow.string()), *((name, pyarrow.float32()) for name in names)], metadata=about
    )
    classes = np.asarray(like.classes)
    with atomic(path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for batch in batches:
            columns = [
                pyarrow.array(classes[batch.labels]),
                *(pyarrow.array(column) for column in numbers(batch.values, batch.rr_s).T),
            ]
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
