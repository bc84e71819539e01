"""What synthetic rows give away of the rows that the generator learnt from: copies, and who was among them.

Every figure stands beside that of rows which were held out: rows of small tables, or of tables of few categories, equal
one another without anybody's having copied. A distance is a necessary check, not a proof ("The DCR Delusion", 2025).
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgsynth.errors import DataError, require
from ecgsynth.metrics.attacks import MEMBERS, auc, auc_error

from ..encoding.canonical import canonical, points, subsample
from ..schema.kinds import kind_of
from ..schema.schema import Schema

__all__ = ["MOST", "copies", "nearest_share", "nearest_two", "privacy"]

MOST = 20_000  # rows of a kind between which distances are taken
DIGITS = 6  # in which two numbers that count as one are alike; single precision has about 7
FEW = 0.05  # the quantile that stands beside the median

Points = NDArray[np.float32]
Floats = NDArray[np.float64]


def privacy(
    synthetic: pd.DataFrame, learnt: pd.DataFrame, unseen: pd.DataFrame, schema: Schema, *, seed: int = 0
) -> dict[str, Any]:
    """Distances of synthetic and of held-out rows to the rows learnt from, copies, and a membership attack.

    A distance is Euclid's among ``points``: numbers by their ranks among the rows learnt from, categories 1 apart.
    At most MOST rows of each kind, drawn at random; copies are sought among all.
    median_distance_*, low_distance_*: to the closest record, median and 5 % quantile; from 0 up, as far as held-out
    ones is best. median_ratio_*, low_ratio_*: nearest-neighbour distance ratio, the closest over the second closest, 0
    to 1; low where a row is like one real row and no other.
    closer_share: how often a synthetic row is closer to a row learnt from than a held-out row is, ties half; 0.5 is
    best, 1 worst, and below it rows are unlike real ones. dcr_share: share of synthetic rows closer to a row learnt
    from than to a held-out one, of as many of each, ties half; 0.5 is best, 1 worst; dcr_share_unseen: the same of one
    half of the held-out rows, with the other half in their place.
    copies_share: share of synthetic rows that equal a row learnt from; copies_share_unseen: of held-out ones.
    membership_auc: how well an attacker tells rows learnt from from held-out ones who takes those nearest to a
    synthetic row for members (GAN-Leaks: Chen, Yu, Zhang and Fritz, 2020, the full black-box attack); 0.5 is best, 1
    worst; with its standard error.
    Raises DataError where one of the tables has fewer than two rows.
    """
    if min(map(len, (synthetic, learnt, unseen))) < 2:
        counts = ", ".join(str(len(frame)) for frame in (synthetic, learnt, unseen))
        raise DataError(f"at least two synthetic rows, rows learnt from and held-out rows are needed, got {counts}")
    rng = np.random.default_rng(seed)
    tables = [canonical(frame, schema) for frame in (learnt, unseen, synthetic)]
    singles = tuple(name for name in schema.numbers if not kind_of(schema[name]).whole)
    copied = [copies(table, tables[0], singles) for table in (tables[2], tables[1])]
    tables = [subsample(table, MOST, rng) for table in tables]
    old, new, made = points(tables, schema.numbers, "ranks")
    near = {"synthetic": nearest_two(made, old), "unseen": nearest_two(new, old)}
    found: dict[str, Any] = {"rows_synthetic": len(made), "rows_learnt": len(old), "rows_unseen": len(new)}
    for kind, pair in near.items():
        for name, values in (("distance", pair[:, 0]), ("ratio", ratios(pair))):
            found[f"median_{name}_{kind}"] = float(np.median(values))
            found[f"low_{name}_{kind}"] = float(np.quantile(values, FEW))
    half = rng.permutation(len(new))
    one, other = new[half[::2]], new[half[1::2]]
    return (
        found
        | {
            "closer_share": auc(-near["synthetic"][:, 0], -near["unseen"][:, 0]),
            "dcr_share": nearest_share(made, old, new, rng),
            "dcr_share_unseen": nearest_share(one, old, other, rng),
            "copies": copied[0],
            "copies_share": copied[0] / len(synthetic),
            "copies_share_unseen": copied[1] / len(unseen),
        }
        | attack(made, old, new, rng)
    )


def nearest_two(queries: Points, against: Points) -> Floats:
    """(n, 2) Euclid's distances of each of ``queries`` (n, d) to the closest and second closest of ``against`` (m, d).

    With one row in ``against``, the second is infinite.
    """
    neighbours = require("sklearn.neighbors", "measuring distances")
    search = neighbours.NearestNeighbors(n_neighbors=min(2, len(against)), algorithm="brute").fit(against)
    found = search.kneighbors(queries, return_distance=False)
    # The search takes differences of squares, so equal rows are not quite 0 apart: take the distances anew.
    columns = [np.square(queries - against[place], dtype=np.float64).sum(axis=1) for place in found.T]
    columns += [np.full(len(queries), np.inf)] * (2 - len(columns))
    return np.asarray(np.sqrt(np.sort(np.column_stack(columns), axis=1)))


def ratios(near: Floats) -> Floats:
    """(n,) the closest over the second closest, 0 to 1; 1 where both are at no distance."""
    return np.divide(near[:, 0], near[:, 1], out=np.ones(len(near)), where=near[:, 1] > 0)


def nearest_share(made: Points, learnt: Points, unseen: Points, rng: np.random.Generator) -> float:
    """The share of ``made`` (n, d) nearer to a row learnt from than to an unseen one, of as many of each; ties half."""
    most = min(len(learnt), len(unseen))
    to_learnt, to_unseen = (
        nearest_two(made, rows[rng.permutation(len(rows))[:most]])[:, 0] for rows in (learnt, unseen)
    )
    return float((to_learnt < to_unseen).mean() + (to_learnt == to_unseen).mean() / 2)


def copies(rows: pd.DataFrame, learnt: pd.DataFrame, singles: tuple[str, ...] = ()) -> int:
    """How many of the plain table ``rows`` equal a row of the plain table ``learnt`` in all columns.

    The numbers ``singles`` need only be alike in DIGITS digits: generators make them in single precision.
    """
    keys = [
        pd.util.hash_pandas_object(frame.assign(**{name: shortened(frame[name]) for name in singles}), index=False)
        for frame in (rows, learnt)
    ]
    return int(keys[0].isin(set(keys[1])).sum())


def shortened(values: pd.Series) -> Floats:
    """(n,) values to DIGITS digits; NaN stays."""
    numbers = values.to_numpy(dtype=np.float64)
    size = np.abs(numbers)
    exponents = np.floor(np.log10(size, out=np.zeros_like(size), where=size > 0))
    scale = 10.0 ** (DIGITS - 1 - np.nan_to_num(exponents))
    return np.asarray(np.round(numbers * scale) / scale + 0.0)


def attack(made: Points, learnt: Points, unseen: Points, rng: np.random.Generator) -> dict[str, Any]:
    """The membership attack on as many rows learnt from as unseen ones, at most MEMBERS of each."""
    most = min(MEMBERS, len(learnt), len(unseen))
    members, others = (-nearest_two(rows[rng.permutation(len(rows))[:most]], made)[:, 0] for rows in (learnt, unseen))
    area = auc(members, others)
    return {"membership_auc": area, "membership_auc_error": auc_error(area, most, most), "membership_rows": most}
