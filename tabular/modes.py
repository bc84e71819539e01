"""The stretches and single values in which the numbers of a column are coded."""

import warnings

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import require
from ecgsynth.tabular.schema import Column

__all__ = ["SHARED", "find_cells", "find_modes", "shared_bounds"]

Floats = NDArray[np.float64]

SHARED = 10  # rows that must share a value before it is told to anyone
SPIKE_SHARE = 1 / 2000  # of the rows: a value that as many have is a cell of its own
CELLS = 64  # of equal mass, at most
TAIL_HALVINGS = 5  # the outermost cells are halved so often, where enough rows remain: tails are long
MODES = 10  # components of the mixture, at most
MODE_WEIGHT = 0.005  # components that weigh less are left out
MODE_SPREADS = 4.0  # standard deviations from the middle of a mode to its end
MIXTURE_ROWS = 10_000  # rows that the mixture is found in


def shared_bounds(values: Floats, decimals: int | None) -> tuple[float, float]:
    """The range of (n,) values as it may be told: an end that SHARED rows have, else the mean of so many outermost, or
    where fewer lie beyond a value that SHARED rows have, that value: their mean with it would tell them.

    Where values have so many decimals, so have the bounds, rounded inwards.
    """
    ranked = np.sort(values)
    low, high = (
        float(edge[-1]) if np.count_nonzero(values == edge[-1]) >= SHARED else float(edge.mean())
        for edge in (ranked[:SHARED], ranked[::-1][:SHARED])
    )
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


def find_cells(values: Floats, column: Column, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Centers and half widths (codes,) of spikes and of cells of equal mass between the smallest and the largest."""
    numbers, counts = np.unique(values, return_counts=True)
    least = max(SHARED, SPIKE_SHARE * len(values))
    spikes = numbers[counts >= least]
    rest = np.sort(values[~np.isin(values, spikes)])
    if len(rest) < SHARED and len(spikes):
        return spikes, np.zeros(len(spikes))
    decimals = column.rounding
    least_told, most_told = shared_bounds(rest, decimals)
    if rest[0] > numbers[0]:  # beside a spike at the end, the next value may be one row's own
        rest = np.maximum(rest, least_told)
    if rest[-1] < numbers[-1]:
        rest = np.minimum(rest, most_told)
    grid = np.linspace(0, 1, max(1, min(CELLS, len(rest) // SHARED)) + 1)
    for _ in range(TAIL_HALVINGS):
        if grid[1] * len(rest) >= 2 * SHARED:
            grid = np.concatenate([[0, grid[1] / 2], grid[1:-1], [1 - grid[1] / 2, 1]])
    inner = (grid[1:-1] * len(rest)).astype(np.int64)
    half = 0.0 if decimals is None else 10.0**-decimals / 2
    around = np.arange(-(SHARED // 2), SHARED - SHARED // 2)  # an edge is nobody's own value, nor that of two
    middle = rest[np.clip(inner[:, None] + around, 0, len(rest) - 1)].mean(axis=1)
    if half:  # an edge between numbers of so many decimals, so that rounding gives each its share
        middle = (np.floor(middle / (2 * half)) + 0.5) * 2 * half
    edges = np.unique(np.concatenate([[rest[0] - half], middle, [rest[-1] + half]]))
    if len(edges) < 2:
        return np.append(spikes, edges), np.zeros(len(spikes) + 1)
    low, high = edges[:-1], edges[1:]
    return np.append(spikes, (low + high) / 2), np.append(np.zeros(len(spikes)), (high - low) / 2)


def find_modes(values: Floats, column: Column, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Centers and half widths (codes,) of the schema's spikes and of a variational Gaussian mixture of what is left.

    Spikes are those of the schema, or all there is where there are no more values than modes. Where values lie beyond
    every mode, the nearest is widened to the mean of its SHARED outermost, if it has so many.
    """
    mixture = require("sklearn.mixture", "training on a table")
    errors = require("sklearn.exceptions", "training on a table")
    numbers, counts = np.unique(values, return_counts=True)
    few = len(numbers) <= MODES and counts.min() >= SHARED
    spikes = numbers if few else numbers[np.isin(numbers, column.spikes) & (counts >= SHARED)]
    rest = values[~np.isin(values, spikes)]
    if len(rest) < SHARED and len(spikes):
        return spikes, np.zeros(len(spikes))
    picked = rest if len(rest) <= MIXTURE_ROWS else rng.choice(rest, MIXTURE_ROWS, replace=False)
    middle, spread = picked.mean(), max(picked.std(), 1e-12)
    found = mixture.BayesianGaussianMixture(
        n_components=max(1, min(MODES, len(picked) // SHARED)),
        weight_concentration_prior_type="dirichlet_process",
        weight_concentration_prior=0.001,
        random_state=int(rng.integers(2**31)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", errors.ConvergenceWarning)  # a mixture that is nearly there will do
        found.fit((picked[:, None] - middle) / spread)
    kept = found.weights_ > MODE_WEIGHT
    centers = found.means_[kept, 0] * spread + middle
    widths = MODE_SPREADS * np.sqrt(found.covariances_[kept, 0, 0]) * spread
    apart = np.abs(rest[:, None] - centers) / widths
    owner = apart.argmin(axis=1)
    for code in range(len(centers)):
        own = np.sort(np.abs(rest[owner == code] - centers[code]))[-SHARED:]
        if len(own) == SHARED:
            widths[code] = max(widths[code], own.mean())
    return np.append(spikes, centers), np.append(np.zeros(len(spikes)), widths)
