"""What may be published: the one place that decides which numbers and names of the training data leave with a file.

A bound, knot, edge, spike, category or class is published only if PERSONS persons or more stand behind it and none of
them has more than half of it. ``owners`` says who a person is: a code for each value, such as the patient of a beat or
the sequence of a row; without them every row is a person of its own, which may stand in several places of the data
(``repeats``), as a row of a series stands in every window that holds it.

A bound is the value of the PERSONS-th person from the end where so many have it, else the mean of the outermost
PERSONS, drawn in to a fence first: of ten values, nine of which are ordinary, a mean reveals the tenth.
"""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FAIR_SHARE",
    "LEAST_PEOPLE",
    "PERSONS",
    "coarse",
    "common_values",
    "drawn_in",
    "neighbour_means",
    "persons_behind",
    "published_data",
    "published_metrics",
    "published_training",
    "rounded_inwards",
    "shared_codes",
    "shared_mean",
    "shared_range",
]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

PERSONS = 10  # that must stand behind whatever is published
LEAST_PEOPLE = 5  # whose windows of a class a generator of people needs, and a file for known receivers (levels.toml)
LARGEST_SHARE = 0.5  # of what is published, that one person may have
FAIR_SHARE = 0.2  # of a cluster of windows, that one event may have: a mean hangs on its largest part
FENCE = 3.0  # times the way from one person to the PERSONS-th further in, that an outermost value may lie beyond
TUKEY = 1.5  # interquartile ranges, where there are fewer persons
DIGITS = 2  # of a published count, or of a moment that stands in for a bound

# What a file publishes of a run's data; all else stays in the run folder.
PUBLISHED = (
    *("kind", "fs_hz", "units", "time", "channel_names", "event_index", "classes", "split", "band_hz", "series"),
    *("validation_share", "person"),
)
COUNTED = re.compile(r"(^|_)(patients|persons|groups|rows|windows|beats)(_|$)")
COUNTS = ("training_windows", "training_patients", "rows", "training_rows")


# ---- numbers


def shared_range(
    values: Floats, owners: Codes | None = None, *, repeats: int = 1, persons: int = PERSONS
) -> tuple[float, float] | None:
    """The range of values as it may be published.

    Parameters
    ----------
    values
        (n,) finite.
    owners
        (n,) the person of each value; None where a person has ``repeats`` of them at most.
    repeats
        How many values one person may have, where there are no owners.
    persons
        How many must stand behind a bound.

    Returns
    -------
    The lowest and the highest, or None where fewer than ``persons`` persons have a value.

    """
    lows, highs = extremes(values, owners, repeats, 2 * persons)
    if len(lows) < persons:
        return None
    edges = (values == lows[persons - 1]) | (values == highs[persons - 1])
    whose = None if owners is None else owners[edges]
    common = common_values(values[edges], whose, repeats=repeats, persons=persons)
    low, high = inner_end(lows, common, persons), -inner_end(-highs, -common, persons)
    if low > high:
        low = high = (low + high) / 2
    return low, high


def extremes(values: Floats, owners: Codes | None, repeats: int, most: int) -> tuple[Floats, Floats]:
    """(persons,) each person's lowest value, rising, and each person's highest, falling; of many, ``most`` of each.

    Without owners every ``repeats``-th value: values that are so many places apart belong to different persons.
    """
    if owners is None:
        outer = most * repeats
        if len(values) <= 2 * outer:
            ranked = np.sort(values)
            return ranked[::repeats], ranked[::-1][::repeats]
        parted = np.partition(values, (outer, len(values) - outer))
        return np.sort(parted[:outer])[::repeats], np.sort(parted[-outer:])[::-1][::repeats]
    order = np.argsort(owners, kind="stable")
    starts = np.flatnonzero(np.diff(owners[order], prepend=owners.min(initial=0) - 1))
    grouped = values[order]
    return np.sort(np.minimum.reduceat(grouped, starts)), np.sort(np.maximum.reduceat(grouped, starts))[::-1]


def inner_end(ends: Floats, common: Floats, persons: int) -> float:
    """The lower bound that persons' lowest values (rising) allow; ``common``: values that so many persons have."""
    edge = ends[persons - 1]
    if edge in common:
        return float(edge)
    return float(fenced(ends, persons)[:persons].mean())


def fenced(ends: Floats, persons: int) -> Floats:
    """Rising values, drawn in to a fence that they do not set themselves, so that a mean over them reveals no outlier.

    The fence is as far from the ``persons``-th value as FENCE times its distance to the (2 * ``persons``)-th; with
    fewer values it is Tukey's, from the quartiles (Exploratory Data Analysis, 1977, chapter 2).
    """
    if len(ends) >= 2 * persons:
        near, inner = ends[persons - 1], ends[2 * persons - 1]
        return np.asarray(np.maximum(ends, near - FENCE * (inner - near)))
    low, high = np.quantile(ends, [0.25, 0.75], method="closest_observation")
    return np.asarray(np.clip(ends, low - TUKEY * (high - low), high + TUKEY * (high - low)))


def common_values(values: Floats, owners: Codes | None = None, *, repeats: int = 1, persons: int = PERSONS) -> Floats:
    """The different values, rising, that ``persons`` persons have, none of them in more than LARGEST_SHARE of rows."""
    if owners is None:
        distinct, counts = np.unique(values, return_counts=True)
        return np.asarray(distinct[counts > (persons - 1) * repeats])
    distinct, codes = np.unique(values, return_inverse=True)
    return np.asarray(distinct[shared_codes(codes, owners, len(distinct), persons=persons)])


def neighbour_means(
    ranked: Floats,
    places: Codes,
    owners: Codes | None = None,
    *,
    repeats: int = 1,
    persons: int = PERSONS,
) -> Floats:
    """The means of the values around some places, each over ``persons`` persons or more.

    Of a person with several of the values, their mean counts. All means are alike where there are fewer persons.

    Parameters
    ----------
    ranked
        (n,) values, rising, drawn in to a shared range, so that none of them stands far out.
    places
        (places,) positions in ``ranked``.
    owners
        (n,) the person of each value; None where a person has ``repeats`` of them at most.
    repeats, persons
        As for ``shared_range``.

    Returns
    -------
    (places,) the means.

    """
    if owners is None:
        size = min(persons * repeats, len(ranked))
        begin = np.clip(places - size // 2, 0, len(ranked) - size)
        sums = np.concatenate([[0.0], np.cumsum(ranked - ranked[0])])
        return np.asarray((sums[begin + size] - sums[begin]) / size + ranked[0])
    return np.array([mean_around(ranked, owners, int(place), persons) for place in places])


def mean_around(ranked: Floats, owners: Codes, place: int, persons: int) -> float:
    """The mean of persons' means over the fewest values around a place, by doubling, that are of so many persons."""
    half = persons
    while True:
        part = slice(max(0, place - half), place + half)
        found, codes = np.unique(owners[part], return_inverse=True)
        if len(found) >= persons or half >= len(ranked):
            break
        half *= 2
    return mean_over_persons(ranked[part], codes)


def mean_over_persons(values: Floats, codes: Codes) -> float:
    """The mean of persons' means; ``codes``: (n,) the person of each value, without gaps."""
    return float((np.bincount(codes, values) / np.bincount(codes)).mean())


def shared_mean(
    values: Floats, owners: Codes | None = None, *, repeats: int = 1, persons: int = PERSONS
) -> float | None:
    """The mean of values (n,), of persons' means where these are known; None if it is of fewer than ``persons``."""
    if owners is None:
        return float(values.mean()) if len(values) >= persons * repeats else None
    people, codes = np.unique(owners, return_inverse=True)
    return mean_over_persons(values, codes) if len(people) >= persons else None


def drawn_in(values: NDArray[np.float32], owners: Codes | None = None, *, repeats: int = 1) -> NDArray[np.float32]:
    """Windows with each channel within its shared range, so that no mean or spread of them reveals one person's.

    Parameters
    ----------
    values
        (n, time, channels).
    owners
        (n,) the person of each window; None where a row is in ``repeats`` windows at most.
    repeats
        In how many windows a row is, where there are no owners.

    Returns
    -------
    (n, time, channels); a channel with too few persons is as it was.

    """
    values = values.copy()
    whose = None if owners is None else np.repeat(owners, values.shape[1])
    for channel in range(values.shape[2]):
        found = shared_range(values[:, :, channel].reshape(-1).astype(np.float64), whose, repeats=repeats)
        if found is not None:
            values[:, :, channel] = values[:, :, channel].clip(*found)
    return values


def rounded_inwards(low: float, high: float, decimals: int | None) -> tuple[float, float]:
    """Bounds with so many decimals, none further out than before; None leaves them as they are."""
    if decimals is None:
        return low, high
    unit = 10.0**-decimals
    lower, upper = (float(np.round(bound, decimals)) for bound in (low, high))
    if lower < low - 1e-6 * unit:
        lower = float(np.round(lower + unit, decimals))
    if upper > high + 1e-6 * unit:
        upper = float(np.round(upper - unit, decimals))
    if lower > upper:  # few rows, close together
        lower = upper = float(np.round((low + high) / 2, decimals))
    return lower, upper


def coarse(value: float, digits: int = DIGITS) -> float:
    """A number to ``digits`` significant digits."""
    return float(f"{value:.{digits - 1}e}")


# ---- categories, classes, counts


def persons_behind(codes: Codes, owners: Codes | None, n: int) -> tuple[Codes, Floats]:
    """How many persons have each code, and the largest share of its rows that one of them has.

    Parameters
    ----------
    codes
        (rows,), none below 0.
    owners
        (rows,) the person of each row, or None where every row is a person.
    n
        How many codes there are, from 0 to n - 1.

    Returns
    -------
    (n,) persons, and (n,) shares.

    """
    rows = np.bincount(codes, minlength=n)
    if owners is None:
        return rows, 1 / np.maximum(rows, 1)
    _, people = np.unique(owners, return_inverse=True)
    pairs, counts = np.unique(codes * (int(people.max(initial=0)) + 1) + people, return_counts=True)
    code = pairs // (int(people.max(initial=0)) + 1)
    largest = np.zeros(n, dtype=np.int64)
    np.maximum.at(largest, code, counts)
    return np.bincount(code, minlength=n), largest / np.maximum(rows, 1)


def shared_codes(
    codes: Codes, owners: Codes | None, n: int, *, persons: int = PERSONS, largest: float = LARGEST_SHARE
) -> NDArray[np.bool_]:
    """(n,) whether each code may be published: ``persons`` persons have it, none more than ``largest`` of it."""
    people, shares = persons_behind(codes, owners, n)
    return np.asarray((people >= persons) & (shares <= largest))


def rounded_count(count: int) -> int | None:
    """A count to two digits; None for fewer than PERSONS; 0 stays 0."""
    return None if 0 < count < PERSONS else round(coarse(count))


def published_data(data: dict[str, Any]) -> dict[str, Any]:
    """What a file publishes of a run's data: no file of the user's, no condition, hash, seed or count of a small group.

    The source is published where it is a public database or was named for this (``--source``).
    """
    published = {name: data[name] for name in PUBLISHED if name in data}
    published |= {name: rounded_count(data[name]) for name in COUNTS if data.get(name) is not None}
    # A run of an earlier version has the name of the user's file there.
    named = "private" in data or data.get("kind") not in ("series", "table")
    return published | {"source": data["source"] if named and "source" in data else {"name": "unnamed"}}


def published_training(training: dict[str, Any]) -> dict[str, Any]:
    """How a run was trained, without its seed, which also splits the rows."""
    config = {name: value for name, value in training.get("config", {}).items() if name != "seed"}
    return {**training, "config": config}


def published_metrics(measured: dict[str, Any]) -> dict[str, Any]:
    """The measurements that a file publishes: no confusion matrix, no exact count of persons, rows or windows, and no
    seed, which may be the one that splits the data, too.
    """
    published: dict[str, Any] = {}
    for name, value in measured.items():
        if name.startswith("confusion") or name in ("windows", "classes_rows", "seed"):
            continue
        if isinstance(value, dict):
            published[name] = published_metrics(value)
        elif isinstance(value, int) and not isinstance(value, bool) and COUNTED.search(name):
            published[name] = rounded_count(value)
        else:
            published[name] = value
    return published
