"""What synthetic rows give away of the rows that the generator learnt from: copies, and who was among them.

Every figure stands beside that of rows which were held out: rows of small tables, or of tables of few categories, equal
one another without anybody's having copied. A distance is a necessary check, not a proof ("The DCR Delusion", 2025).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgsynth.errors import DataError, require
from ecgsynth.metrics.attacks.base import Attack, Exposure, Points, attacked
from ecgsynth.metrics.attacks.figures import auc
from ecgsynth.metrics.attacks.nearest import membership

from ..encoding.canonical import canonical, points
from ..schema.kinds import kind_of
from ..schema.schema import Schema

__all__ = ["DISTANCES", "MOST_ROWS", "TABLE_ATTACKS", "Distance", "copies", "nearest_share", "nearest_two", "privacy"]

MOST_ROWS = 20_000  # of a kind between which distances are taken
DIGITS = 6  # in which two numbers that count as one are alike; single precision has about 7
LOW_QUANTILE = 0.05  # that stands beside the median

Rows = NDArray[np.float32]
Floats = NDArray[np.float64]

TABLE_ATTACKS = (Attack(name="membership", title="membership attack", unit="row", run=partial(membership, "row")),)


# ---- distances


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Rows as points, and how near synthetic and held-out ones come to those learnt from.

    Parameters
    ----------
    made, learnt, unseen
        (n, d) synthetic rows, those learnt from, and held-out ones.
    near_made, near_unseen
        (n, 2) the distances of both to the closest and the second closest row learnt from.
    copied
        How many rows of all synthetic ones, and of all held-out ones, equal a row learnt from, and of how many.
    rng
        Draws rows.

    """

    made: Rows
    learnt: Rows
    unseen: Rows
    near_made: Floats
    near_unseen: Floats
    copied: tuple[tuple[int, int], tuple[int, int]]
    rng: np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """One figure of how near rows come to those learnt from.

    Parameters
    ----------
    title
        What reports call it.
    synthetic
        The key of the figure of synthetic rows in metrics.json.
    unseen
        The key of that of held-out rows; None where there is none, and 0.5 is best.
    take
        Gives the two.
    is_share
        Whether it is written in per cent.

    """

    title: str
    synthetic: str
    unseen: str | None
    take: Callable[[Neighbours], tuple[float, float]]
    is_share: bool = False


def median(values: Floats) -> float:
    """The median of (n,) values."""
    return float(np.median(values))


def low(values: Floats) -> float:
    """The 5 % quantile of (n,) values."""
    return float(np.quantile(values, LOW_QUANTILE))


def of_distances(figure: Callable[[Floats], float], near: Neighbours) -> tuple[float, float]:
    """A figure of the distance to the closest row."""
    return figure(near.near_made[:, 0]), figure(near.near_unseen[:, 0])


def of_ratios(figure: Callable[[Floats], float], near: Neighbours) -> tuple[float, float]:
    """A figure of the closest over the second closest, 0 to 1; low where a row is like one real row and no other."""
    return figure(ratios(near.near_made)), figure(ratios(near.near_unseen))


def closer(near: Neighbours) -> tuple[float, float]:
    """How often a synthetic row is closer than a held-out one, ties half; 1 is worst, below 0.5 rows are unlike."""
    return auc(-near.near_made[:, 0], -near.near_unseen[:, 0]), 0.5


def share_of_learnt(near: Neighbours) -> tuple[float, float]:
    """Share of rows closer to one learnt from than to a held-out one, of as many of each, ties half; 1 is worst.

    Of held-out rows: the same of one half of them, with the other half in their place.
    """
    half = near.rng.permutation(len(near.unseen))
    one, other = near.unseen[half[::2]], near.unseen[half[1::2]]
    made = nearest_share(near.made, near.learnt, near.unseen, near.rng)
    return made, nearest_share(one, near.learnt, other, near.rng)


def copied_share(near: Neighbours) -> tuple[float, float]:
    """Share of rows that equal a row learnt from."""
    (made, of_made), (unseen, of_unseen) = near.copied
    return made / of_made, unseen / of_unseen


DISTANCES = (
    Distance(
        title="distance to the closest row learnt from, median",
        synthetic="median_distance_synthetic",
        unseen="median_distance_unseen",
        take=partial(of_distances, median),
    ),
    Distance(
        title="distance to the closest row learnt from, 5 % quantile",
        synthetic="low_distance_synthetic",
        unseen="low_distance_unseen",
        take=partial(of_distances, low),
    ),
    Distance(
        title="closest over second closest, median",
        synthetic="median_ratio_synthetic",
        unseen="median_ratio_unseen",
        take=partial(of_ratios, median),
    ),
    Distance(
        title="closest over second closest, 5 % quantile",
        synthetic="low_ratio_synthetic",
        unseen="low_ratio_unseen",
        take=partial(of_ratios, low),
    ),
    Distance(title="closer to a row learnt from (0.5 is best)", synthetic="closer_share", unseen=None, take=closer),
    Distance(
        title="nearer to those than to held-out rows (0.5)",
        synthetic="dcr_share",
        unseen="dcr_share_unseen",
        take=share_of_learnt,
    ),
    Distance(
        title="rows that equal one learnt from",
        synthetic="copies_share",
        unseen="copies_share_unseen",
        take=copied_share,
        is_share=True,
    ),
)


# ---- everything together


def privacy(
    synthetic: pd.DataFrame,
    learnt: pd.DataFrame,
    unseen: pd.DataFrame,
    schema: Schema,
    *,
    owners: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    attacks: Sequence[Attack] = TABLE_ATTACKS,
    seed: int = 0,
) -> dict[str, Any]:
    """Distances of synthetic and of held-out rows to the rows learnt from, copies, and what attacks find.

    A distance is the Euclidean one among ``points``: numbers by their ranks among the rows learnt from, categories 1
    apart. At most MOST_ROWS rows of each kind, drawn at random; copies are sought among all.

    Parameters
    ----------
    synthetic, learnt, unseen
        Tables of the same columns.
    schema
        What the columns are.
    owners
        The person of each row learnt from, and of each held-out row, as a number; None where persons are not known.
    attacks
        The attacks that are tried.
    seed
        Draws rows.

    Returns
    -------
    What the entries of DISTANCES and ``attacks`` give, by their keys, and how many rows were compared.

    Raises
    ------
    DataError
        Where one of the tables has fewer than two rows.

    """
    if min(map(len, (synthetic, learnt, unseen))) < 2:
        counts = ", ".join(str(len(frame)) for frame in (synthetic, learnt, unseen))
        raise DataError(f"at least two synthetic rows, rows learnt from and held-out rows are needed, got {counts}")
    rng = np.random.default_rng(seed)
    tables = [canonical(frame, schema) for frame in (learnt, unseen, synthetic)]
    singles = tuple(name for name in schema.numbers if not kind_of(schema[name]).whole)
    counted = [(copies(table, tables[0], singles), len(table)) for table in (tables[2], tables[1])]
    picked = [drawn_rows(len(table), rng) for table in tables]
    tables = [table.iloc[rows].reset_index(drop=True) for table, rows in zip(tables, picked, strict=True)]
    old, new, made = points(tables, schema.numbers, "ranks")
    near = Neighbours(
        made=made,
        learnt=old,
        unseen=new,
        near_made=nearest_two(made, old),
        near_unseen=nearest_two(new, old),
        copied=(counted[0], counted[1]),
        rng=rng,
    )
    found: dict[str, Any] = {"rows_synthetic": len(made), "rows_learnt": len(old), "rows_unseen": len(new)}
    for distance in DISTANCES:
        found[distance.synthetic], beside = distance.take(near)
        found |= {} if distance.unseen is None else {distance.unseen: beside}
    whose = (None, None) if owners is None else (owners[0][picked[0]], owners[1][picked[1]])
    exposure = Exposure(
        synthetic=made,
        learnt=Points(values=old, owners=whose[0]),
        unseen=Points(values=new, owners=whose[1]),
        distance=nearest_row,
        seed=seed,
    )
    return found | {"copies": counted[0][0]} | attacked(exposure, attacks)


def drawn_rows(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The places of at most MOST_ROWS of n rows, drawn without repetition, in their order."""
    return np.arange(n) if n <= MOST_ROWS else np.sort(rng.permutation(n)[:MOST_ROWS])


def nearest_row(queries: Rows, against: Rows) -> Floats:
    """(n,) Euclidean distance of each of ``queries`` (n, d) to the closest of ``against`` (m, d)."""
    return nearest_two(queries, against)[:, 0]


def nearest_two(queries: Rows, against: Rows) -> Floats:
    """(n, 2) Euclidean distances of each of ``queries`` (n, d) to the closest and second closest of ``against`` (m, d).

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


def nearest_share(made: Rows, learnt: Rows, unseen: Rows, rng: np.random.Generator) -> float:
    """The share of ``made`` (n, d) nearer to a row learnt from than to an unseen one, of as many of each; ties half."""
    most = min(len(learnt), len(unseen))
    to_learnt, to_unseen = (nearest_row(made, rows[rng.permutation(len(rows))[:most]]) for rows in (learnt, unseen))
    return float((to_learnt < to_unseen).mean() + (to_learnt == to_unseen).mean() / 2)


def copies(rows: pd.DataFrame, learnt: pd.DataFrame, singles: tuple[str, ...] = ()) -> int:
    """How many of the canonical table ``rows`` equal a row of the canonical table ``learnt`` in all columns.

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
