"""How people differ: a normal distribution of persons' typical windows, in which every number is of many persons.

A person's typical window of each class is the median of his. Their covariance over persons would place every new person
in the span of those learnt from, with dependences between far apart samples that so few persons cannot show. So it is
multiplied, entry by entry, with a correlation that falls to zero with the time between two samples (localisation, as
ensembles of weather forecasts have it). New persons then differ from those learnt from in more ways than there are
persons, and no direction is one person's own.

Houtekamer and Mitchell, "A Sequential Ensemble Kalman Filter for Atmospheric Data Assimilation", 2001; Gaspari and
Cohn, "Construction of Correlation Functions in Two and Three Dimensions", 1999.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LEAST_WINDOWS",
    "Persons",
    "Population",
    "compact_correlation",
    "fit_population",
    "persons_of_classes",
    "windows_by_person",
]

LEAST_WINDOWS = 10  # of a class, that a person needs to count as one who has it
HALF_SUPPORT = 0.16  # of a window: samples twice as far apart do not vary together
ACROSS_CLASSES = 0.5  # of the covariance between the typical windows of two classes, that is kept
FARTHEST = 2.5  # times the median distance from the mean, at most, that a person counts with
LAST = 5  # furthest persons that are all taken as far as the nearest of them, where there are four times as many
MOST_SHARE = 0.2  # of the variance along an axis, that one person may have
MOST_ROUNDS = 30  # in which what is more is taken off
ROUNDS = 5  # of the mean, each of persons drawn in around the one before
EXPLAINED = 0.99  # of the variance between people, that the axes have
MOST_AXES = 48
OWN_SHARE = 0.5  # of the covariance of rhythms and spreads, that is kept beside its diagonal
MODES_SHARE = 0.999  # of the correlation over time, that its modes have

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Persons:
    """What is typical of each person learnt from; it never leaves the run.

    Parameters
    ----------
    numbers
        (persons,) the code of each in the data.
    has
        (persons, classes) whether the person has LEAST_WINDOWS of a class or more.
    typical
        (persons, classes, features) the median of the windows of each class, 0 where there are too few.
    scales
        (persons, classes, 2) ln of how much his windows of a class vary around it: in their shape, in their intervals.

    """

    numbers: Codes
    has: NDArray[np.bool_]
    typical: Floats
    scales: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """People as a normal distribution: a new person is ``means + z @ axes``, z being standard normal.

    Parameters
    ----------
    means
        (classes, features) the typical window of each class of the average person.
    axes
        (styles, classes, features) what each number of a style adds to it.
    scale_axes
        (styles, classes, 2) what it adds to ln of how much the person's windows vary, in shape and in intervals.
    behind
        The fewest persons behind any of these numbers.
    largest_share
        Of the variance along an axis, the most that comes from one person.

    """

    means: Floats
    axes: Floats
    scale_axes: Floats
    behind: int
    largest_share: float


def windows_by_person(labels: Codes, owners: Codes, classes: int) -> Codes:
    """(persons, classes) how many windows of each class each person has."""
    people, codes = np.unique(owners, return_inverse=True)
    return np.bincount(codes * classes + labels, minlength=len(people) * classes).reshape(len(people), classes)


def persons_of_classes(labels: Codes, owners: Codes, classes: int) -> Codes:
    """(classes,) how many persons have LEAST_WINDOWS of each class or more."""
    return np.asarray((windows_by_person(labels, owners, classes) >= LEAST_WINDOWS).sum(axis=0))


def describe_persons(features: NDArray[np.float32], labels: Codes, owners: Codes, classes: int, shape: int) -> Persons:
    """What is typical of each person.

    Parameters
    ----------
    features
        (n, features), the first ``shape`` of which are of the window's shape, the others of its intervals.
    labels, owners
        (n,) the class and the person of each window.
    classes
        How many classes there are.
    shape
        How many features are of the shape.

    """
    numbers = np.unique(owners)
    has = np.zeros((len(numbers), classes), dtype=np.bool_)
    typical = np.zeros((len(numbers), classes, features.shape[1]))
    scales = np.zeros((len(numbers), classes, 2))
    pair = np.searchsorted(numbers, owners) * classes + labels
    order = np.argsort(pair, kind="stable")
    ends = np.cumsum(np.bincount(pair, minlength=len(numbers) * classes))
    for number, rows in enumerate(np.split(order, ends[:-1])):
        if len(rows) < LEAST_WINDOWS:
            continue
        place = divmod(number, classes)
        own = features[rows].astype(np.float64)
        has[place] = True
        typical[place] = np.median(own, axis=0)
        off = own - typical[place]
        for kind, part in enumerate((off[:, :shape], off[:, shape:])):
            if part.shape[1]:
                scales[place][kind] = np.log(np.median(np.linalg.norm(part, axis=1)) + 1e-6)
    kept = has.any(axis=1)
    return Persons(numbers=numbers[kept], has=has[kept], typical=typical[kept], scales=scales[kept])


def fit_population(persons: Persons, basis: NDArray[np.float32], time: int, shape: int) -> Population:
    """The distribution that the persons were drawn from, every one of them weighing the same.

    The class that most persons have is the base; another class is described by what it differs from the person's own
    base, where persons are more alike in that.

    Parameters
    ----------
    persons
        What is typical of each.
    basis
        (shape, time * channels) orthonormal rows: from the features of a shape to samples.
    time
        Samples a window.
    shape
        How many features are of the shape.

    """
    n, classes = persons.has.shape
    base = int(persons.has.sum(axis=0).argmax())
    blocks, relative = blocks_of(persons, base, shape)
    spread = np.zeros((classes, n, shape))
    means = np.zeros((classes, shape))
    for label, block in enumerate(blocks):
        means[label], spread[label, block.rows] = drawn_in_mean(block.values)
        spread[label] *= np.sqrt(n / max(len(block.rows), 1))
    found, largest = shared_axes(localised(spread, basis, time))
    axes = found.reshape(-1, classes, shape)
    for label in np.flatnonzero(relative).tolist():
        means[label] += means[base]
        axes[:, label] += axes[:, base]
    return with_rhythm(persons, base, means, axes, shape, largest)


def shared_axes(factors: Floats) -> tuple[Floats, float]:
    """The main axes of a covariance, of each of which no person has much more than MOST_SHARE.

    Parameters
    ----------
    factors
        (persons, modes, width), whose products, summed over persons, are the covariance. What one person has too much
        of along an axis is taken off, and the axes are found anew.

    Returns
    -------
    (axes, width), the longest first, each as long as its standard deviation; and the largest share that is left.

    """
    factors = factors.copy()
    for repeat in range(1 + MOST_ROUNDS):
        flat = factors.reshape(-1, factors.shape[2])
        variances, directions = np.linalg.eigh(flat.T @ flat / max(len(factors) - 1, 1))
        variances, directions = np.maximum(variances[::-1], 0), directions[:, ::-1]
        enough = int(np.searchsorted(np.cumsum(variances), EXPLAINED * variances.sum())) + 1
        count = min(enough, MOST_AXES, len(variances))
        along = factors @ directions[:, :count]  # (persons, modes, axes)
        own = np.square(along).sum(axis=1)
        total = np.maximum(own.sum(axis=0), 1e-12)
        largest = float((own / total).max())
        if largest <= MOST_SHARE or repeat == MOST_ROUNDS:
            break
        allowed = MOST_SHARE / (1 - MOST_SHARE) * (total - own)
        kept = np.sqrt(np.minimum(1, allowed / np.maximum(own, 1e-12)))  # (persons, axes)
        factors -= ((1 - kept)[:, None] * along) @ directions[:, :count].T
    return (np.sqrt(variances[:count]) * directions[:, :count]).T, largest


@dataclass(frozen=True, slots=True)
class Block:
    """What is distributed over people for one class: (rows, shape) values of the persons at ``rows``."""

    rows: Codes
    values: Floats


def blocks_of(persons: Persons, base: int, shape: int) -> tuple[list[Block], NDArray[np.bool_]]:
    """For each class the persons' typical windows, or what these differ by from their own of the base class."""
    blocks, relative = [], np.zeros(persons.has.shape[1], dtype=np.bool_)
    for label in range(persons.has.shape[1]):
        rows = np.flatnonzero(persons.has[:, label])
        block = Block(rows, persons.typical[rows, label, :shape])
        both = np.flatnonzero(persons.has[:, label] & persons.has[:, base])
        if label != base and len(both) > 1:
            change = Block(both, persons.typical[both, label, :shape] - persons.typical[both, base, :shape])
            if change.values.var(axis=0).sum() < block.values.var(axis=0).sum():
                block, relative[label] = change, True
        blocks.append(block)
    return blocks, relative


def drawn_in_mean(values: Floats) -> tuple[Floats, Floats]:
    """The mean of values (n, d), and what each differs by from it, drawn in to FARTHEST median distances.

    No more than the LAST-th furthest, either (the second, of few), so that in one dimension none has more than so much.
    """
    mean, last = values.mean(axis=0), min(LAST, max(2, len(values) // 4), len(values))
    for _ in range(ROUNDS):
        away = values - mean
        lengths = np.linalg.norm(away, axis=1)
        most = min(FARTHEST * np.median(lengths), np.sort(lengths)[-last])
        away *= np.minimum(1, most / np.maximum(lengths, 1e-12))[:, None]
        mean = mean + away.mean(axis=0)
    return mean, away


def localised(spread: Floats, basis: NDArray[np.float32], time: int) -> Floats:
    """Factors whose products, summed over persons, are the localised covariance.

    Parameters
    ----------
    spread
        (classes, persons, shape) what each person differs by from the mean.
    basis
        (shape, time * channels).
    time
        Samples a window.

    Returns
    -------
    (persons, modes, classes * shape): each person's spread times each mode of the correlation over time and classes.

    """
    classes, n, shape = spread.shape
    over_time = modes_of(compact_correlation(time, HALF_SUPPORT * time))  # (modes, time)
    over_classes = modes_of(ACROSS_CLASSES + (1 - ACROSS_CLASSES) * np.eye(classes))
    samples = (spread @ basis).reshape(classes, n, time, -1)
    found = []
    for mode in over_time:
        part = (samples * mode[:, None]).reshape(classes, n, -1) @ basis.T  # (classes, persons, shape)
        found += [(part * weight[:, None, None]).transpose(1, 0, 2).reshape(n, -1) for weight in over_classes]
    return np.stack(found, axis=1)


def compact_correlation(n: int, half_support: float) -> Floats:
    """(n, n) correlation of points on a line, zero for those twice ``half_support`` apart or more.

    References
    ----------
    Gaspari and Cohn 1999, equation 4.10.

    """
    places = np.arange(n)
    z = np.abs(places[:, None] - places[None]) / half_support
    near = 1 - 5 * z**2 / 3 + 5 * z**3 / 8 + z**4 / 2 - z**5 / 4
    away = np.maximum(z, 1e-9)
    far = 4 - 5 * z + 5 * z**2 / 3 + 5 * z**3 / 8 - z**4 / 2 + z**5 / 12 - 2 / (3 * away)
    return np.where(z <= 1, near, np.where(z < 2, far, 0.0))


def modes_of(correlation: Floats) -> Floats:
    """(modes, n) vectors whose outer products sum up to the correlation (n, n), but for 1 - MODES_SHARE of it."""
    values, vectors = np.linalg.eigh(correlation)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    count = int(np.searchsorted(np.cumsum(values), MODES_SHARE * values.sum())) + 1
    return np.asarray((np.sqrt(values[:count]) * vectors[:, :count]).T)


def with_rhythm(persons: Persons, base: int, means: Floats, axes: Floats, shape: int, largest: float) -> Population:
    """The population with what is no shape: the level and changes of intervals, and how much windows vary.

    A person's level is that of his base class; other classes change it.
    """
    n, classes = persons.has.shape
    intervals = persons.typical.shape[2] - shape
    level = persons.typical[:, base, shape:].mean(axis=1, keepdims=True) if intervals else np.zeros((n, 1))
    level = np.where(persons.has[:, [base]], level, level[persons.has[:, base]].mean(axis=0))
    kinds = 2 if intervals else 1
    columns, known = [level], [persons.has[:, base]]
    for label in range(classes):
        columns += [persons.typical[:, label, shape:] - level, persons.scales[:, label, :kinds]]
        known += [persons.has[:, label]] * (intervals + kinds)
    table = np.hstack(columns if intervals else columns[1:])
    there = np.stack(known if intervals else known[1:], axis=1)
    centre, factor, most = distribution(table, there)
    count, more = len(axes), len(factor)
    full = np.zeros((count + more, classes, means.shape[1] + intervals))
    full[:count, :, :shape] = axes
    scale_axes = np.zeros((count + more, classes, 2))
    typical = np.zeros((classes, intervals))
    place = 1 if intervals else 0
    for label in range(classes):
        if intervals:
            own = slice(place, place + intervals)
            typical[label] = centre[0] + centre[own]
            full[count:, label, shape:] = factor[:, [0]] + factor[:, own]
        scale_axes[count:, label, :kinds] = factor[:, place + intervals : place + intervals + kinds]
        place += intervals + kinds
    return Population(
        means=np.hstack([means, typical]),
        axes=full,
        scale_axes=scale_axes,
        behind=int(persons.has.sum(axis=0).min()),
        largest_share=max(largest, most),
    )


def distribution(table: Floats, there: NDArray[np.bool_]) -> tuple[Floats, Floats, float]:
    """The normal distribution of the rows of a table (n, d), of which only ``there`` (n, d) is known.

    Returns
    -------
    The mean (d,); a factor (d, d) whose rows are the axes; and the largest share of a variance that is one row's.

    """
    n, width = table.shape
    centre, away = np.zeros(width), np.zeros((n, width))
    for column in range(width):
        rows = np.flatnonzero(there[:, column])
        mean, off = drawn_in_mean(table[rows, column : column + 1])
        centre[column], away[rows, column] = mean[0], off[:, 0] * np.sqrt(n / len(rows))
    covariance = away.T @ away / max(n - 1, 1)
    covariance = OWN_SHARE * covariance + (1 - OWN_SHARE) * np.diag(np.diag(covariance)) + 1e-9 * np.eye(width)
    shares = np.square(away) / np.maximum(np.square(away).sum(axis=0), 1e-12)
    return centre, np.linalg.cholesky(covariance).T, float(shares.max())
