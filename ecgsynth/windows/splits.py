"""Splits into training, validation and test parts: by beat, by patient, or the standard one of MIT-BIH."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.windows.beats import DS1, DS2, MITBIH_SOURCE
from ecgsynth.windows.windows import PARTS, Windows

__all__ = ["BY_PERSON", "LATER_SHARE", "SPLITS", "split"]

SPLITS = ("beat", "patient", "ds1-ds2", "group", "none")
BY_PERSON = ("patient", "ds1-ds2")  # of beats: nobody is in two parts, but that of training and "later"
SHARES = np.array([0.65, 0.20, 0.15])  # of the first three of PARTS
DS1_SHARES = np.array([0.80, 0.20])  # of training and validation in DS1
LATER_SHARE = 0.15  # of each training person's beats, the last in time
RESTARTS = 64  # random assignments of patients, each improved to a local optimum
TWICE = frozenset({"201"})  # a record of DS1 whose person is in DS2, too, with record 202
TRAIN, TEST, LATER = PARTS.index("train"), PARTS.index("test"), PARTS.index("later")


def split(windows: Windows, kind: str, seed: int) -> Windows:
    """Split windows into parts: 65 % training, 20 % validation, 15 % test.

    Parameters
    ----------
    windows
        Of beats or of a series.
    kind
        "beat": at random within each class, as in most of the literature. Beats of one patient are in all parts, so
        what is measured on this split says nothing about new patients.
        "patient": no patient in two parts; patients are placed so that every class comes as near to 65/20/15 as they
        allow. The last 15 % in time of the beats of each training patient are not trained on: they are the part
        "later", for the audit.
        "ds1-ds2": the standard split of MIT-BIH by patient. The test part is DS2; a fifth of the patients of DS1,
        placed as by "patient", is the validation part, and the others are the training part and "later". Left out are
        the four paced records, and record 201 of DS1: its person is in DS2 with record 202, and the part that all test
        on is kept whole.
        "group": as "patient" for a series, by sequence or block of time, without "later"; windows across two blocks are
        left out.
        "none": every part is all windows, as in TimeGAN's protocol; what is measured says nothing about new data.
    seed
        The same seed gives the same split.

    Returns
    -------
    Windows
        The same windows with their ``parts``.

    Raises
    ------
    ConfigError
        For an unknown kind.
    DataError
        Where a split by patient is asked for and patients are unknown or fewer than three, or "ds1-ds2" of other data
        than MIT-BIH.

    References
    ----------
    DS1 and DS2: de Chazal, O'Dwyer and Reilly, "Automatic Classification of Heartbeats Using ECG Morphology and
    Heartbeat Interval Features", IEEE Trans Biomed Eng 51(7), 2004.

    """
    parts, rng = None, np.random.default_rng(seed)
    if kind == "beat":
        parts = by_beat(windows.labels, rng)
    elif kind == "ds1-ds2":
        windows = of_standard(windows)
        parts = by_standard(windows, rng)
    elif kind in ("patient", "group"):
        if windows.groups is None:
            raise DataError(f"a split by {kind} needs to know each window's {kind}, but these have none")
        groups = windows.groups
        if kind == "group":
            windows, groups = windows.take(groups != ""), groups[groups != ""]
        parts = by_group(windows.labels, groups, len(windows.classes), rng, kind)
    elif kind != "none":
        raise ConfigError(f"a split is one of {', '.join(SPLITS)}, got {kind!r}")
    if parts is not None and kind in BY_PERSON and windows.groups is not None and not windows.is_series:
        hold_later(parts, windows.groups)  # windows of a series share rows with the one before
    return dataclasses.replace(windows, parts=parts, meta=windows.meta | {"split": kind, "split_seed": seed})


def by_beat(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int8]:
    """(n,) positions in PARTS, stratified by class."""
    parts = np.empty(len(labels), dtype=np.int8)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        bounds = np.round(np.cumsum(SHARES) * len(members)).astype(np.int64)
        for part, piece in enumerate(np.split(members, bounds[:-1])):
            parts[piece] = part
    return parts


def hold_later(parts: NDArray[np.int8], groups: NDArray[np.str_]) -> None:
    """Move the last LATER_SHARE of each training person's windows, which stand in order of time, to "later"."""
    for person in np.unique(groups[parts == TRAIN]):
        own = np.flatnonzero(groups == person)
        parts[own[len(own) - int(LATER_SHARE * len(own)) :]] = LATER


def of_standard(windows: Windows) -> Windows:
    """The beats of DS1 and DS2, each person in one of them; DataError unless all of both are there."""
    if windows.source.name != MITBIH_SOURCE["name"]:
        raise DataError(
            "a split ds1-ds2 is of the records of the MIT-BIH Arrhythmia Database, and these windows are not from it "
            "alone; split them by patient"
        )
    if windows.records is None or windows.groups is None:
        raise DataError(
            "a split ds1-ds2 needs to know each beat's record, but these have none; run 'ecgsynth prepare' again"
        )
    there = set(windows.records.tolist())
    missing = (DS1 | DS2) - there
    if missing:
        raise DataError(
            f"a split ds1-ds2 needs {len(DS1 | DS2)} records, and {len(missing)} of them are missing "
            f"({', '.join(sorted(missing))}); bring them, or split by patient"
        )
    kept = windows.take(np.isin(windows.records, sorted((DS1 - TWICE) | DS2)))
    reasons = dict.fromkeys(sorted(there - DS1 - DS2), "neither in DS1 nor in DS2, as it is paced")
    reasons |= dict.fromkeys(TWICE, "of DS1, but its person is in DS2, too")
    left_out = windows.meta.get("left_out", {}) | reasons
    return dataclasses.replace(kept, meta=windows.meta | {"records": len(there) - len(reasons), "left_out": left_out})


def by_standard(windows: Windows, rng: np.random.Generator) -> NDArray[np.int8]:
    """(n,) positions in PARTS: DS2 to test on, and people of DS1 for training and validation."""
    learn = np.isin(np.asarray(windows.records), sorted(DS1))
    groups = np.asarray(windows.groups)[learn]
    parts = np.full(len(windows), TEST, dtype=np.int8)
    parts[learn] = by_group(windows.labels[learn], groups, len(windows.classes), rng, shares=DS1_SHARES)
    return parts


def by_group(
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    classes: int,
    rng: np.random.Generator,
    kind: str = "patient",
    shares: NDArray[np.float64] = SHARES,
) -> NDArray[np.int8]:
    """(n,) positions in ``shares``, the same for all windows of a group, a patient's; the best of many local optima."""
    patients, patient_of = np.unique(groups, return_inverse=True)
    if len(patients) < len(shares):
        raise DataError(f"a split by {kind} needs at least {len(shares)} {kind}s, got {len(patients)}")
    table = np.zeros((len(patients), classes))  # windows by patient and class
    np.add.at(table, (patient_of, labels), 1)
    table = table[:, table.sum(axis=0) > 0] / table.sum(axis=0)[table.sum(axis=0) > 0]  # every class counts alike
    best, best_cost = np.zeros(len(patients), dtype=np.int64), np.inf
    for _ in range(RESTARTS):
        assigned = rng.choice(len(shares), size=len(patients), p=shares)
        cost = improve(assigned, table, rng, shares)
        if cost < best_cost:
            best, best_cost = assigned, cost
    return best[patient_of].astype(np.int8)


def imbalance(filled: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """(...,) how far the shares (..., parts, classes) are from those wanted; an empty cell costs extra."""
    off: NDArray[np.float64] = np.square(filled - shares[:, None]) / shares[:, None]
    cost: NDArray[np.float64] = (off + 1.0 * (filled < 1e-9)).sum(axis=(-2, -1))
    cost += 100.0 * (filled.sum(axis=-1) < 1e-9).sum(axis=-1)  # and a part without anybody far more
    return cost


def improve(
    assigned: NDArray[np.int64], table: NDArray[np.float64], rng: np.random.Generator, shares: NDArray[np.float64]
) -> float:
    """Move one patient at a time, in place, while that lowers the imbalance; the cost reached."""
    filled = np.stack([table[assigned == part].sum(axis=0) for part in range(len(shares))])
    cost = float(imbalance(filled, shares))
    moved = True
    while moved:
        moved = False
        for patient in rng.permutation(len(table)):
            home = assigned[patient]
            options = np.repeat(filled[None], len(shares), axis=0)  # (part moved to, parts, classes)
            options[:, home] -= table[patient]
            options[np.arange(len(shares)), np.arange(len(shares))] += table[patient]
            costs = imbalance(options, shares)
            target = int(costs.argmin())
            if costs[target] < cost - 1e-12:
                assigned[patient], filled, cost, moved = target, options[target], float(costs[target]), True
    return cost
