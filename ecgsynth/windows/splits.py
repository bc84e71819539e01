"""Splits into training, validation and test parts: by beat, or by patient."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.windows.windows import PARTS, Windows

__all__ = ["SPLITS", "split"]

SPLITS = ("beat", "patient", "group", "none")
SHARES = np.array([0.65, 0.20, 0.15])  # of PARTS
RESTARTS = 64  # random assignments of patients, each improved to a local optimum


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
        allow.
        "group": the same for a series, by sequence or block of time; windows across two blocks are
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
        Where a split by patient is asked for and patients are unknown or fewer than three.

    """
    meta = windows.meta | {"split": kind, "split_seed": seed}
    parts = None
    if kind == "beat":
        parts = by_beat(windows.labels, np.random.default_rng(seed))
    elif kind in ("patient", "group"):
        if windows.groups is None:
            raise DataError(f"a split by {kind} needs to know each window's {kind}, but these have none")
        groups = windows.groups
        if kind == "group":
            windows, groups = windows.take(groups != ""), groups[groups != ""]
        parts = by_group(windows.labels, groups, len(windows.classes), np.random.default_rng(seed), kind)
    elif kind != "none":
        raise ConfigError(f"a split is one of {', '.join(SPLITS)}, got {kind!r}")
    return dataclasses.replace(windows, parts=parts, meta=meta)


def by_beat(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int8]:
    """(n,) positions in PARTS, stratified by class."""
    parts = np.empty(len(labels), dtype=np.int8)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        bounds = np.round(np.cumsum(SHARES) * len(members)).astype(np.int64)
        for part, piece in enumerate(np.split(members, bounds[:-1])):
            parts[piece] = part
    return parts


def by_group(
    labels: NDArray[np.int64], groups: NDArray[np.str_], classes: int, rng: np.random.Generator, kind: str = "patient"
) -> NDArray[np.int8]:
    """(n,) positions in PARTS, the same for all windows of a group, a patient's; the best of many local optima."""
    patients, patient_of = np.unique(groups, return_inverse=True)
    if len(patients) < len(PARTS):
        raise DataError(f"a split by {kind} needs at least {len(PARTS)} {kind}s, got {len(patients)}")
    table = np.zeros((len(patients), classes))  # windows by patient and class
    np.add.at(table, (patient_of, labels), 1)
    table = table[:, table.sum(axis=0) > 0] / table.sum(axis=0)[table.sum(axis=0) > 0]  # every class counts alike
    best, best_cost = np.zeros(len(patients), dtype=np.int64), np.inf
    for _ in range(RESTARTS):
        assigned = rng.choice(len(PARTS), size=len(patients), p=SHARES)
        cost = improve(assigned, table, rng)
        if cost < best_cost:
            best, best_cost = assigned, cost
    return best[patient_of].astype(np.int8)


def imbalance(filled: NDArray[np.float64]) -> NDArray[np.float64]:
    """(...,) how far the shares (..., parts, classes) are from the target; an empty cell costs extra."""
    off: NDArray[np.float64] = np.square(filled - SHARES[:, None]) / SHARES[:, None]
    cost: NDArray[np.float64] = (off + 1.0 * (filled < 1e-9)).sum(axis=(-2, -1))
    cost += 100.0 * (filled.sum(axis=-1) < 1e-9).sum(axis=-1)  # and a part without anybody far more
    return cost


def improve(assigned: NDArray[np.int64], table: NDArray[np.float64], rng: np.random.Generator) -> float:
    """Move one patient at a time, in place, while that lowers the imbalance; the cost reached."""
    filled = np.stack([table[assigned == part].sum(axis=0) for part in range(len(PARTS))])
    cost = float(imbalance(filled))
    moved = True
    while moved:
        moved = False
        for patient in rng.permutation(len(table)):
            home = assigned[patient]
            options = np.repeat(filled[None], len(PARTS), axis=0)  # (part moved to, parts, classes)
            options[:, home] -= table[patient]
            options[np.arange(len(PARTS)), np.arange(len(PARTS))] += table[patient]
            costs = imbalance(options)
            target = int(costs.argmin())
            if costs[target] < cost - 1e-12:
                assigned[patient], filled, cost, moved = target, options[target], float(costs[target]), True
    return cost
