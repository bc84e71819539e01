"""Heartbeats from WFDB records: leads, filter, windows around the R peak, AAMI classes, RR, patients."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ConfigError, DataError, require
from ecgsynth.windows.windows import Windows

__all__ = ["AAMI_CLASSES", "AAMI_MEANINGS", "AAMI_SYMBOLS", "DS1", "DS2", "MITBIH_SOURCE", "BeatOptions", "read_beats"]

# ANSI/AAMI EC57: five groups of the annotators' beat symbols.
AAMI_SYMBOLS = {"N": "NLRBej", "S": "AaJSn", "V": "VEr", "F": "F", "Q": "/fQ?"}
AAMI_CLASSES = tuple(AAMI_SYMBOLS)
AAMI_MEANINGS = {
    "N": "normal or bundle branch block beat",
    "S": "supraventricular ectopic beat",
    "V": "ventricular ectopic beat",
    "F": "fusion of ventricular and normal beat",
    "Q": "paced or unclassifiable beat",
}
CLASS_OF_SYMBOL = {symbol: name for name, symbols in AAMI_SYMBOLS.items() for symbol in symbols}
PACED_SYMBOL = "/"

MITBIH = frozenset(
    "100 101 102 103 104 105 106 107 108 109 111 112 113 114 115 116 117 118 119 121 122 123 124 200 201 202 203 205 "
    "207 208 209 210 212 213 214 215 217 219 220 221 222 223 228 230 231 232 233 234".split()
)
MITBIH_SOURCE = {
    "name": "MIT-BIH Arrhythmia Database v1.0.0, doi:10.13026/C2F305",
    "licence": "ODC-By 1.0",
    "citation": "Moody and Mark, IEEE Eng in Med and Biol 20(3):45-50, 2001; "
    "Goldberger et al., Circulation 101(23):e215-e220, 2000",
}
MITBIH_SAME_PERSON = {"202": "201"}  # the database's directory: both records are of one man
# De Chazal et al., IEEE Trans Biomed Eng 51(7):1196-1206, 2004: to learn from, and to test on; no paced records.
DS1 = frozenset("101 106 108 109 112 114 115 116 118 119 122 124 201 203 205 207 208 209 215 220 223 230".split())
DS2 = frozenset("100 103 105 111 113 117 121 123 200 202 210 212 213 214 219 221 222 228 231 232 233 234".split())


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatOptions:
    """How records are cut into beats."""

    leads: tuple[str, ...] = ("MLII",)  # names, or ("all",)
    missing_lead: str = "stand-in"  # or "drop": what becomes of a record without a lead
    band_hz: tuple[float, float] | None = (0.5, 40.0)  # zero-phase band-pass, or None
    fs_hz: float = 360.0  # records at other rates are resampled
    window: int = 256  # samples a beat
    r_index: int = 100  # sample of the window at which the R peak lies
    paced: bool = True  # keep records with paced beats (AAMI EC57 leaves them out)

    def __post_init__(self) -> None:
        if not self.leads or len(set(self.leads)) != len(self.leads):
            raise ConfigError(f"leads must be different names, at least one, got {list(self.leads)}")
        if self.missing_lead not in ("stand-in", "drop"):
            raise ConfigError(f"missing_lead is 'stand-in' or 'drop', got {self.missing_lead!r}")
        if not 0 <= self.r_index < self.window:
            raise ConfigError(f"the R peak must lie in the window of {self.window} samples, got index {self.r_index}")
        if self.fs_hz <= 0:
            raise ConfigError(f"fs_hz must be above 0, got {self.fs_hz}")
        if self.band_hz is not None and not 0 < self.band_hz[0] < self.band_hz[1] < self.fs_hz / 2:
            raise ConfigError(f"the band must lie between 0 and {self.fs_hz / 2} Hz, got {self.band_hz}")


@dataclass(slots=True)
class Record:
    """One record's beats, before they are joined with the others'."""

    values: NDArray[np.float32]  # (n, time, channels)
    labels: NDArray[np.int64]
    rr_s: NDArray[np.float32]
    dropped: Counter[str]
    stand_ins: dict[str, str] = field(default_factory=dict)  # asked for -> taken


def read_beats(
    folder: Path | str, options: BeatOptions | None = None, *, on_record: Callable[[str, int, int], None] | None = None
) -> Windows:
    """Read all annotated beats of the WFDB records in a folder.

    Parameters
    ----------
    folder
        Of records, each a .hea, a .dat and a .atr file; RECORDS lists them if there is such a file.
    options
        How records are cut into beats.
    on_record
        Is called after each record with its name, how many are read, and how many there are.

    Returns
    -------
    Windows
        In mV, with AAMI classes, RR intervals and patients. Beats are dropped, and counted by reason in
        ``meta["dropped"]``, where the window leaves the record, touches missing samples, or is flat;
        ``meta["stand_ins"]`` names the leads that stood in for a missing one.

    Raises
    ------
    DataError
        For a missing folder, record or annotation file, an unreadable signal, an annotation past the signal's end, a
        lead that no record has, or a record whose lead is flat or missing throughout.

    """
    options = options or BeatOptions()
    folder = Path(folder)
    names = record_names(folder)
    headers = {name: read_header(folder, name) for name in names}
    leads = resolve_leads(headers, options.leads)
    records: dict[str, Record] = {}
    left_out: dict[str, str] = {}
    for count, name in enumerate(names, start=1):
        reason = None
        if options.missing_lead == "drop" and not set(leads) <= set(headers[name].sig_name):
            reason = "lacks a lead"
        else:
            samples, symbols = read_annotations(folder, name, headers[name].sig_len)
            if not options.paced and PACED_SYMBOL in symbols:
                reason = "paced"
        if reason is None:
            records[name] = cut_record(folder, name, headers[name], leads, samples, symbols, options)
        else:
            left_out[name] = reason
        if on_record is not None:
            on_record(name, count, len(names))
    if not sum(len(record.labels) for record in records.values()):
        raise DataError(f"no beat is left of the {len(names)} records in {folder}; check the leads and the annotations")
    return join(records, left_out, leads, options)


def record_names(folder: Path) -> list[str]:
    """The records of a folder: those its RECORDS file lists, else every header."""
    if not folder.is_dir():
        raise DataError(f"expected a folder of WFDB records, but there is no folder {folder}")
    listing = folder / "RECORDS"
    if listing.exists():
        names = listing.read_text(encoding="utf-8").split()
    else:
        names = sorted(path.stem for path in folder.glob("*.hea"))
    if not names:
        raise DataError(f"expected WFDB records (.hea, .dat, .atr) in {folder}, but it has none")
    for name in names:
        for suffix, meaning in ((".hea", "header"), (".atr", "beat annotations")):
            if not (folder / f"{name}{suffix}").exists():
                raise DataError(f"record {name} has no {meaning}: expected a file {folder / name}{suffix}")
    return names


def read_header(folder: Path, name: str) -> Any:
    wfdb = require("wfdb", "reading WFDB records")
    try:
        header = wfdb.rdheader(str(folder / name))
    except (ValueError, IndexError, TypeError, AttributeError):  # its text quotes the header and its comments
        raise DataError(f"record {name}: its header is not a WFDB header; fetch it again") from None
    if not header.fs or not header.sig_len or not header.sig_name or None in header.sig_name:
        raise DataError(
            f"record {name}: expected a header with a rate, a length and named leads (and of one segment); "
            "complete it, or leave the record out"
        )
    return header


def resolve_leads(headers: dict[str, Any], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The lead names asked for; "all" means the commonest name at each position that every record has."""
    if wanted == ("all",):
        width = min(header.n_sig for header in headers.values())
        ranked = [Counter(header.sig_name[i] for header in headers.values()).most_common() for i in range(width)]
        leads: list[str] = []
        for candidates in ranked:
            leads.extend([name for name, _ in candidates if name not in leads][:1])
        return tuple(leads)
    known = sorted({lead for header in headers.values() for lead in header.sig_name})
    for lead in wanted:
        if lead not in known:
            raise DataError(f"no record has a lead {lead!r}; the leads are {', '.join(known)}")
    return wanted


def read_annotations(folder: Path, name: str, length: int) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    """Samples and symbols of the beat annotations, in order of time."""
    wfdb = require("wfdb", "reading WFDB records")
    try:
        annotation = wfdb.rdann(str(folder / name), "atr")
    except (ValueError, IndexError):
        raise DataError(f"record {name}: its annotations cannot be read; fetch it again") from None
    samples = np.asarray(annotation.sample, dtype=np.int64)
    if len(samples) and not 0 <= samples.min() <= samples.max() < length:
        past = int(((samples < 0) | (samples >= length)).sum())
        raise DataError(
            f"record {name}: {past} of {len(samples)} annotations lie outside the signal of {length} samples; "
            "the .atr and .dat files do not belong together"
        )
    symbols = np.asarray(annotation.symbol, dtype=np.str_)
    beats = np.isin(symbols, list(CLASS_OF_SYMBOL))
    return samples[beats], symbols[beats]


def pick_channels(name: str, available: list[str], leads: tuple[str, ...]) -> tuple[list[int], dict[str, str]]:
    """Channel positions of ``leads``; where one is missing, the first lead that was not asked for stands in."""
    spare = [i for i, lead in enumerate(available) if lead not in leads]
    channels: list[int] = []
    stand_ins: dict[str, str] = {}
    for lead in leads:
        if lead in available:
            channels.append(available.index(lead))
        elif spare:
            stand_ins[lead] = available[spare[0]]
            channels.append(spare.pop(0))
        else:
            raise DataError(
                f"record {name} has the leads {', '.join(available)} and none to stand in for {lead}; "
                "ask for fewer leads, or leave such records out with --missing-lead drop"
            )
    return channels, stand_ins


def read_signal(folder: Path, name: str, header: Any, channels: list[int]) -> NDArray[np.float64]:
    """(time, channels) in mV, NaN where samples are missing."""
    wfdb = require("wfdb", "reading WFDB records")
    try:
        signal = wfdb.rdrecord(str(folder / name), channels=channels).p_signal
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise DataError(
            f"record {name}: its signal is missing, truncated or not what the header says ({error}); fetch it again"
        ) from error
    if len(signal) != header.sig_len:
        raise DataError(f"record {name}: expected {header.sig_len} samples, got {len(signal)}; its .dat is truncated")
    for column, channel in enumerate(channels):
        lead, values = header.sig_name[channel], signal[:, column]
        if np.isnan(values).all():
            raise DataError(
                f"record {name}: lead {lead} has no valid sample; leave the record out or take another lead"
            )
        if np.nanmax(values) == np.nanmin(values):
            raise DataError(f"record {name}: lead {lead} is flat throughout; leave the record out or take another lead")
        if header.units[channel] != "mV":
            raise DataError(f"record {name}: expected lead {lead} in mV, got {header.units[channel]}; convert it first")
    return np.asarray(signal, dtype=np.float64)


def cut_record(
    folder: Path,
    name: str,
    header: Any,
    leads: tuple[str, ...],
    samples: NDArray[np.int64],
    symbols: NDArray[np.str_],
    options: BeatOptions,
) -> Record:
    """One record's beats, filtered and resampled."""
    channels, stand_ins = pick_channels(name, header.sig_name, leads)
    signal = read_signal(folder, name, header, channels)
    if len(signal) * options.fs_hz < options.window * header.fs:
        return too_short(len(samples), len(channels), stand_ins, options)
    missing: NDArray[np.bool_] = np.asarray(np.isnan(signal).any(axis=1))
    still = unchanging(signal, samples, float(header.fs), options)
    rr = np.diff(samples) / header.fs
    rr_s = np.stack([np.append(np.nan, rr), np.append(rr, np.nan)], axis=1) if len(samples) else np.empty((0, 2))
    signal, missing, samples = condition(signal, missing, samples, float(header.fs), options)
    starts = samples - options.r_index
    inside = (starts >= 0) & (starts + options.window <= len(signal))
    windows = np.lib.stride_tricks.sliding_window_view(signal, options.window, axis=0)
    values = windows[starts[inside]].swapaxes(1, 2).astype(np.float32)
    gaps = np.append(0, np.cumsum(missing))
    gappy = gaps[starts[inside] + options.window] > gaps[starts[inside]]
    flat = still[inside] & ~gappy
    kept = np.flatnonzero(inside)[~(gappy | flat)]
    dropped = Counter(
        {
            "window leaves the record": int((~inside).sum()),
            "missing samples": int(gappy.sum()),
            "flat": int(flat.sum()),
        }
    )
    return Record(
        values=values[~(gappy | flat)],
        labels=np.asarray([AAMI_CLASSES.index(CLASS_OF_SYMBOL[symbols[i]]) for i in kept], dtype=np.int64),
        rr_s=rr_s[kept].astype(np.float32),
        dropped=dropped,
        stand_ins=stand_ins,
    )


def too_short(beats: int, channels: int, stand_ins: dict[str, str], options: BeatOptions) -> Record:
    """What a record gives into which no window fits."""
    return Record(
        values=np.empty((0, options.window, channels), dtype=np.float32),
        labels=np.empty(0, dtype=np.int64),
        rr_s=np.empty((0, 2), dtype=np.float32),
        dropped=Counter({"window leaves the record": beats}),
        stand_ins=stand_ins,
    )


def unchanging(
    signal: NDArray[np.float64], samples: NDArray[np.int64], fs_hz: float, options: BeatOptions
) -> NDArray[np.bool_]:
    """(n,) whether a lead stays at one value all through a beat's window; asked before a filter rings into it."""
    ratio = fs_hz / options.fs_hz
    first = np.clip(samples - round(options.r_index * ratio), 0, len(signal) - 1)
    last = np.clip(first + round((options.window - 1) * ratio), 0, len(signal) - 1)
    changes = np.cumsum(np.diff(signal, axis=0, prepend=signal[:1]) != 0, axis=0)
    flat: NDArray[np.bool_] = (changes[last] == changes[first]).any(axis=1)
    return flat


def condition(
    signal: NDArray[np.float64],
    missing: NDArray[np.bool_],
    samples: NDArray[np.int64],
    fs_hz: float,
    options: BeatOptions,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Bridge gaps, band-pass without phase, resample; annotations move along."""
    scipy_signal = require("scipy.signal", "filtering records")
    if missing.any():
        clock = np.arange(len(signal))
        signal = signal.copy()
        for column in signal.T:
            known = ~np.isnan(column)
            column[:] = np.interp(clock, clock[known], column[known])
    if options.band_hz is not None:
        if options.band_hz[1] >= fs_hz / 2:
            raise DataError(f"a band up to {options.band_hz[1]} Hz needs more than {fs_hz} samples a second; lower it")
        band = scipy_signal.butter(3, options.band_hz, btype="bandpass", fs=fs_hz, output="sos")
        signal = scipy_signal.sosfiltfilt(band, signal, axis=0)
    if fs_hz != options.fs_hz:
        ratio = Fraction(options.fs_hz / fs_hz).limit_denominator(1000)
        signal = scipy_signal.resample_poly(signal, ratio.numerator, ratio.denominator, axis=0)
        last = len(missing) - 1
        missing = missing[np.minimum((np.arange(len(signal)) / float(ratio)).round().astype(np.int64), last)]
        samples = (samples * float(ratio)).round().astype(np.int64)
    return signal, missing, samples


def join(records: dict[str, Record], left_out: dict[str, str], leads: tuple[str, ...], options: BeatOptions) -> Windows:
    """All records' beats as one Windows, with what was left out and why."""
    one_database = set(records) <= MITBIH
    patients = [MITBIH_SAME_PERSON.get(name, name) if one_database else name for name in records]
    counts = [len(record.labels) for record in records.values()]
    dropped = sum((record.dropped for record in records.values()), Counter[str]())
    return Windows(
        values=np.concatenate([record.values for record in records.values()]),
        fs_hz=options.fs_hz,
        units="mV",
        channel_names=leads,
        classes=AAMI_CLASSES,
        labels=np.concatenate([record.labels for record in records.values()]),
        groups=np.repeat(np.asarray(patients, dtype=np.str_), counts),
        records=np.repeat(np.asarray(list(records), dtype=np.str_), counts),
        rr_s=np.concatenate([record.rr_s for record in records.values()]),
        event_index=options.r_index,
        meta={
            "kind": "beats",
            "source": MITBIH_SOURCE if one_database else {"name": "WFDB records of the user"},
            "records": len(records),
            "band_hz": options.band_hz,
            "dropped": dict(dropped),
            "left_out": left_out,
            "stand_ins": {name: record.stand_ins for name, record in records.items() if record.stand_ins},
        },
    )
