"""Drawing any number of windows into a file, one batch at a time: npz, CSV, TSV, JSON, Parquet, WFDB records."""

import dataclasses
import json
import math
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.files import text_file
from ecgsynth.core.formats import DELIMITERS, TEXT_FORMATS, format_of, write_records, write_rows
from ecgsynth.errors import ArtifactError, ConfigError, require
from ecgsynth.windows import long_table
from ecgsynth.windows.info import SeriesInfo
from ecgsynth.windows.long_table import Place
from ecgsynth.windows.wide_table import PERSON_COLUMN, RR_COLUMNS, numbers, sample_columns
from ecgsynth.windows.window_file import save_batches
from ecgsynth.windows.windows import Windows

from .joining import Joiner, Wanted, whole
from .onnx_sampler import OnnxSampler
from .writing import Output, write_batches, write_tables

__all__ = ["sample_to_file"]

BATCH_WINDOWS = 1024
PROBE_WINDOWS = 64  # that are written on trial, and twice as many, to estimate the size of a large file
RECORD_WINDOWS = 2048  # of a WFDB record
BEAT_SYMBOLS = ("N", "S", "V", "F", "Q")  # the AAMI classes are themselves symbols of WFDB
RECORD_FILE = re.compile(r"synthetic\d{5}\.(hea|dat|atr)|RECORDS")
WFDB_ADC_GAIN = 1000.0  # steps of the 16-bit samples in 1 mV


def sample_to_file(
    sampler: OnnxSampler,
    path: Path | str,
    n: int,
    *,
    label: str | None = None,
    people: int | Sequence[int] | None = None,
    length: int | None = None,
    history: Any = None,
    columns: tuple[str, ...] | None = None,
    seed: int = 0,
    file_format: str | None = None,
    force: bool = False,
    on_progress: Callable[[int], None] | None = None,
    on_size: Callable[[int], None] | None = None,
) -> None:
    """Draw windows into a file, at constant memory.

    npz is what Windows.load reads; CSV (also .csv.gz), TSV and Parquet have a row a window: its label, its person where
    people are asked for, the RR intervals where the generator makes them, then its samples in physical units, a column
    each. JSON has a record a window, with the same label, person and intervals, and the samples as ``signal``, a list
    of (time, channels). Of a series they are the user's own table, a row a step.

    Parameters
    ----------
    sampler
        The generator.
    path
        The file, whose ending says its format (see core.formats); a folder for WFDB records; "-" is standard output.
    n
        How many windows.
    label
        Their class; every class in its share where none is named.
    people
        Of a generator of people: so many, in turn, or those of these numbers.
    length, history
        Of a series, as of ``OnnxSampler.sample``: n long ones of so many rows, and what they go on from.
    columns
        Of a series, the columns to write beside id and step; all of them where none are named.
    seed
        The same seed gives the same file.
    file_format
        For a name without an ending.
    force
        Replace what is there.
    on_progress
        Is called with how many more windows are written, or rows of long series.
    on_size
        Is called with the bytes that a large file will take, before it is begun.

    Raises
    ------
    ConfigError
        For a format, n, label, people, length, column or seed that cannot be.
    DataError
        For a history that cannot be gone on from.
    ArtifactError
        For a path that is taken, or a disk without room.
    MissingExtraError
        Where Parquet or WFDB need a package that is not installed.

    """
    file_format = format_of(path, file_format)
    info = series_of(sampler, columns, file_format)
    told: dict[str, Any] = {"force": force, "on_progress": on_progress, "on_size": on_size}
    if length is not None or history is not None:
        code = sampler.manifest.data.code(label=label)
        wanted = sampler.joiner.want(n, length, code, seed, history, people)
        names = None if info is None or file_format == "npz" else picked_columns(info, columns)
        long_series_to_file(sampler.joiner, wanted, path, file_format, names, **told)
        return
    like = sampler.windows(1, label, seed, people)
    if people is not None and file_format == "wfdb":
        raise ConfigError("WFDB records do not say of whom a beat is; write people as npz, csv or another file")
    write: Callable[[Output[Windows]], None]
    if info is None or file_format == "npz":
        write = partial(WRITERS[file_format], like=like)
    else:
        write = partial(SERIES_WRITERS[file_format], info=info, names=picked_columns(info, columns), like=like)
    write_batches(
        write,
        lambda count: sampler.stream(count, label, seed, BATCH_WINDOWS, people),
        path,
        file_format,
        n,
        count=len,
        numbers=like.values.size,
        probe=PROBE_WINDOWS,
        unit="windows",
        **told,
    )


def long_series_to_file(
    joiner: Joiner, wanted: Wanted, path: Path | str, file_format: str, names: list[str] | None, **told: Any
) -> None:
    """Draw long series into a file, a piece of one or several at a time; an npz has each whole."""
    like = joiner.windows(dataclasses.replace(wanted, n=1, length=1))

    def of_rows(rows: int) -> Wanted:
        return dataclasses.replace(wanted, n=-(-rows // wanted.length), length=min(rows, wanted.length))

    def write(out: Output[Windows]) -> None:
        drawn = of_rows(out.n)
        if names is None:
            shape = dataclasses.replace(like, values=np.zeros((1, drawn.length, like.values.shape[2]), np.float32))
            save_batches(out.path, shape, whole(out.batches, drawn.length), n=drawn.n, force=True)
        else:
            series = {"info": joiner.info, "names": names, "like": like, "place": joiner.place(wanted)}
            SERIES_WRITERS[file_format](out, **series, length=drawn.length)

    write_batches(
        write,
        lambda rows: joiner.stream(of_rows(rows)),
        path,
        file_format,
        wanted.n * wanted.length,
        count=lambda piece: piece.values.shape[0] * piece.values.shape[1],
        numbers=like.values.size,
        probe=min(PROBE_WINDOWS, wanted.length),
        unit="rows",
        **told,
    )


# ---- a series: the user's own table


def series_of(sampler: OnnxSampler, columns: tuple[str, ...] | None, file_format: str) -> SeriesInfo | None:
    """What is known of the table that a series came from, or None; ConfigError for what cannot be written of it."""
    info = sampler.manifest.data.series
    if columns is not None and (info is None or file_format == "npz"):
        raise ConfigError("columns can be picked of a series that is written as its table, such as csv, not otherwise")
    if info is not None and file_format == "wfdb":
        raise ConfigError("WFDB records hold signals in one unit; write a series as csv, npz or another file")
    return info


def picked_columns(info: SeriesInfo, columns: tuple[str, ...] | None) -> list[str]:
    """The columns to write: id and step always; ConfigError for one that the series does not have."""
    names = long_table.column_names(info)
    unknown = [name for name in columns or () if name not in names]
    if unknown:
        raise ConfigError(f"this generator has no column {', '.join(unknown)}; its columns are {', '.join(names)}")
    return [name for name in names if columns is None or name in columns or name in names[:2]]


def write_series_text(out: Output[Windows], names: list[str], like: Windows, **table: Any) -> None:
    tables = tables_of(names, out.batches, **table)
    rows = (zip(*(column.tolist() for column in table.values()), strict=True) for table in tables)
    write_rows(out.path, out.file_format, names, chain.from_iterable(rows))


def write_series_parquet(out: Output[Windows], names: list[str], like: Windows, **table: Any) -> None:
    arrow = require("pyarrow", "writing Parquet")
    first = next(tables_of(names, iter([like]), **table))
    schema = arrow.table(dict(first)).schema.with_metadata({"synthetic": "true"})
    tables = tables_of(names, out.batches, **table)
    write_tables(out.path, schema, (arrow.table(dict(table), schema=schema) for table in tables))


def tables_of(
    names: list[str],
    batches: Iterator[Windows],
    *,
    info: SeriesInfo,
    place: Place | None = None,
    length: int | None = None,
) -> Iterator[dict[str, NDArray[Any]]]:
    """The long table of each batch, its ids going on from the batch before, or its steps in pieces of long series."""
    first = step = 0
    for batch in batches:
        table = long_table.rows(batch, info, first, None if place is None else dataclasses.replace(place, step=step))
        yield {name: as_text(table[name]) for name in names}
        step += batch.values.shape[1]
        if length is None or step == length:
            first, step = first + len(batch), 0


def as_text(column: NDArray[Any]) -> NDArray[Any]:
    """Dates as ISO text; any other column as it is."""
    return np.datetime_as_string(column) if column.dtype.kind == "M" else column


# ---- windows of a signal: a row or a record each


def write_npz(out: Output[Windows], like: Windows) -> None:
    save_batches(out.path, like, out.batches, n=out.n, force=True)  # the path is known to be free


def columns_of_row(like: Windows) -> list[str]:
    """A name for each number of a row, after the label."""
    return sample_columns(like.channel_names, like.values.shape[1], intervals=like.rr_s is not None)


def write_csv(out: Output[Windows], like: Windows) -> None:
    mark = DELIMITERS[out.file_format]
    quoted = [in_csv(name, mark) for name in like.classes]
    names = [in_csv(name, mark) for name in columns_of_row(like)]
    with text_file(out.path, zipped=out.file_format == "csv.gz") as file:
        file.write(mark.join(["label", *([] if like.groups is None else [PERSON_COLUMN]), *names]) + "\n")
        for batch in out.batches:
            table = numbers(batch.values, batch.rr_s)
            row = mark.join(["%.6g"] * table.shape[1])
            of = [""] * len(batch) if batch.groups is None else [f"{name}{mark}" for name in batch.groups.tolist()]
            file.writelines(
                f"{quoted[code]}{mark}{person}{row % tuple(line)}\n"
                for code, person, line in zip(batch.labels, of, table.tolist(), strict=True)
            )


def in_csv(name: str, mark: str) -> str:
    """A name as a field of a CSV or TSV file: in quotes where it has the mark between fields, a quote or a line end."""
    return '"' + name.replace('"', '""') + '"' if re.search(rf'["{mark}\r\n]', name) else name


def write_json(out: Output[Windows], like: Windows) -> None:
    with text_file(out.path) as file:
        write_records(file, (text for batch in out.batches for text in records(batch)))


def records(batch: Windows) -> Iterator[str]:
    """Each window as a JSON object, its numbers with the digits that CSV has; no beat before or after is null."""
    labels = [json.dumps(name, ensure_ascii=False) for name in batch.classes]
    _, time, channels = batch.values.shape
    sample = f"[{', '.join(['%.6g'] * channels)}]"
    signal = f"[{', '.join([sample] * time)}]"
    flat = batch.values.reshape(len(batch), -1).tolist()
    intervals = [""] * len(batch) if batch.rr_s is None else map(in_json, batch.rr_s.tolist())
    of = [""] * len(batch)
    if batch.groups is not None:
        of = [f'"{PERSON_COLUMN}": {number}, ' for number in batch.groups.tolist()]
    for code, person, rr_s, line in zip(batch.labels, of, intervals, flat, strict=True):
        yield f'{{"label": {labels[code]}, {person}{rr_s}"signal": {signal % tuple(line)}}}'


def in_json(rr_s: list[float]) -> str:
    texts = ("null" if math.isnan(seconds) else f"{seconds:.6g}" for seconds in rr_s)
    return "".join(f'"{name}": {text}, ' for name, text in zip(RR_COLUMNS, texts, strict=True))


def write_parquet(out: Output[Windows], like: Windows) -> None:
    arrow = require("pyarrow", "writing Parquet")
    first = [("label", arrow.string()), *([] if like.groups is None else [(PERSON_COLUMN, arrow.int64())])]
    fields = [*first, *((name, arrow.float32()) for name in columns_of_row(like))]
    about = {"fs_hz": str(like.fs_hz), "units": like.units, "synthetic": "true"}
    schema = arrow.schema(fields, metadata=about)
    classes = np.asarray(like.classes)

    def table_of(batch: Windows) -> Any:
        columns = numbers(batch.values, batch.rr_s).T
        known = (
            [classes[batch.labels]] if batch.groups is None else [classes[batch.labels], batch.groups.astype(np.int64)]
        )
        return arrow.table([*map(arrow.array, known), *map(arrow.array, columns)], schema=schema)

    write_tables(out.path, schema, map(table_of, out.batches))


def write_wfdb(out: Output[Windows], like: Windows) -> None:
    """Records of windows laid end to end, format 16, each annotated at its event; RECORDS lists them."""
    wfdb = require("wfdb", "writing WFDB records")
    folder = Path(out.path).absolute()
    if folder.is_dir():
        foreign = [entry.name for entry in folder.iterdir() if not RECORD_FILE.fullmatch(entry.name)]
        if foreign:
            raise ArtifactError(f"{folder} holds other files than records ({foreign[0]}); choose another folder")
    draft = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    names = []
    try:
        draft.mkdir(parents=True)
        for number, (values, labels) in enumerate(regroup(out.batches, RECORD_WINDOWS)):
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
    waiting: list[tuple[NDArray[np.float32], NDArray[np.int64]]] = []
    for batch in batches:
        waiting.append((batch.values, batch.labels))
        if sum(len(labels) for _, labels in waiting) >= size:
            values, labels = (np.concatenate(column) for column in zip(*waiting, strict=True))
            yield values[:size], labels[:size]
            waiting = [(values[size:], labels[size:])] if len(labels) > size else []
    if waiting:
        values, labels = (np.concatenate(column) for column in zip(*waiting, strict=True))
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


WRITERS: dict[str, Callable[..., None]] = {
    **dict.fromkeys(DELIMITERS, write_csv),
    "json": write_json,
    "npz": write_npz,
    "parquet": write_parquet,
    "wfdb": write_wfdb,
}
SERIES_WRITERS: dict[str, Callable[..., None]] = {
    **dict.fromkeys(TEXT_FORMATS, write_series_text),
    "parquet": write_series_parquet,
}
