"""The intervals and single values in which the numbers of a column are coded."""

import warnings

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.disclosure import (
    PERSONS,
    common_values,
    neighbour_means,
    persons_behind,
    rounded_inwards,
    shared_codes,
    shared_range,
)
from ecgsynth.errors import require

from ..schema.columns import Column
from ..schema.kinds import kind_of

__all__ = ["find_cells", "find_mixture_intervals"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

SPIKE_SHARE = 1 / 2000  # of the rows: a value that as many have is a cell of its own
MOST_CELLS = 64  # of equal mass
TAIL_HALVINGS = 5  # the outermost cells are halved so often, where enough rows remain: tails are long
MOST_COMPONENTS = 10  # of the mixture
LEAST_WEIGHT = 0.005  # components that weigh less are left out
HALF_WIDTH_SDS = 4.0  # standard deviations from the middle of a component's interval to its end
MIXTURE_ROWS = 10_000  # that the mixture is found in


def find_cells(
    values: Floats, column: Column, rng: np.random.Generator, owners: Codes | None = None
) -> tuple[Floats, Floats]:
    """Spikes, and cells of equal mass between the smallest value and the largest.

    Parameters
    ----------
    values
        (n,) numbers, none missing.
    column
        Theirs.
    rng
        Not used: cells are found without chance.
    owners
        (n,) the person of each value, or None where every row is one (see core.disclosure).

    Returns
    -------
    tuple
        Centres and half widths, (codes,) each.

    """
    spikes = spikes_in(values, owners, SPIKE_SHARE * len(values))
    inside = ~np.isin(values, spikes)
    order = np.argsort(values[inside], kind="stable")
    rest, whose = values[inside][order], None if owners is None else owners[inside][order]
    decimals = kind_of(column).rounding(column)
    bounds = shared_range(rest, whose)
    if bounds is None and len(spikes):
        return spikes, np.zeros(len(spikes))
    if bounds is not None:  # beside a spike at the end, the next value may be one person's own
        low, high = rounded_inwards(*bounds, decimals)
        rest = np.clip(rest, low if rest[0] > values.min() else None, high if rest[-1] < values.max() else None)
    edges = cell_edges(rest, whose, decimals)
    if len(edges) < 2:
        return np.append(spikes, edges), np.zeros(len(spikes) + 1)
    low_edges, high_edges = edges[:-1], edges[1:]
    centres, widths = (low_edges + high_edges) / 2, (high_edges - low_edges) / 2
    return np.append(spikes, centres), np.append(np.zeros(len(spikes)), widths)


def cell_edges(rest: Floats, owners: Codes | None, decimals: int | None) -> Floats:
    """The edges, rising, of cells of equal mass of ranked values (n,); their ends may be published."""
    people = len(rest) if owners is None else len(np.unique(owners))
    grid = np.linspace(0, 1, max(1, min(MOST_CELLS, people // PERSONS)) + 1)
    for _ in range(TAIL_HALVINGS):
        if grid[1] * people >= 2 * PERSONS:
            grid = np.concatenate([[0, grid[1] / 2], grid[1:-1], [1 - grid[1] / 2, 1]])
    inner = (grid[1:-1] * len(rest)).astype(np.int64)
    half = 0.0 if decimals is None else 10.0**-decimals / 2
    middle = neighbour_means(rest, inner, owners)
    if half:  # an edge between numbers of so many decimals, so that rounding gives each its share
        middle = (np.floor(middle / (2 * half)) + 0.5) * 2 * half
    edges = np.unique(np.concatenate([[rest[0] - half], middle, [rest[-1] + half]]))
    return without_small_cells(edges, rest, owners)


def without_small_cells(edges: Floats, rest: Floats, owners: Codes | None) -> Floats:
    """The edges of ranked values (n,) so that each cell is of PERSONS persons: the smallest of fewer goes to its
    smaller neighbour, until there is none.
    """
    while len(edges) > 2:
        bounds = np.concatenate([[0], np.searchsorted(rest, edges[1:-1]), [len(rest)]])
        behind = np.diff(bounds)
        if owners is not None:
            pieces = zip(bounds, bounds[1:], strict=False)
            behind = np.array([len(np.unique(owners[start:end])) for start, end in pieces])
        small = int(behind.argmin())
        if behind[small] >= PERSONS:
            break
        beside = [(behind[other], edge) for other, edge in ((small - 1, small), (small + 1, small + 1))
                  if 0 <= other < len(behind)]  # fmt: skip
        edges = np.delete(edges, min(beside)[1])
    return edges


def spikes_in(values: Floats, owners: Codes | None, least: float) -> Floats:
    """The values, rising, that PERSONS persons and so many rows have."""
    common = common_values(values, owners)
    numbers, counts = np.unique(values, return_counts=True)
    return np.asarray(common[counts[np.searchsorted(numbers, common)] >= least])


def find_mixture_intervals(
    values: Floats, column: Column, rng: np.random.Generator, owners: Codes | None = None
) -> tuple[Floats, Floats]:
    """The schema's spikes, and the components of a variational Gaussian mixture of what is left.

    Spikes are those of the schema, or all there is where there are no more values than components. An interval has
    PERSONS persons or more. Where values lie beyond every one, the nearest is widened to them, as far as may be
    published. Parameters and what is returned are as for ``find_cells``; ``rng`` draws the rows that the mixture is
    fitted to.
    """
    numbers, common = np.unique(values), common_values(values, owners)
    few = len(numbers) <= MOST_COMPONENTS and len(common) == len(numbers)
    spikes = numbers if few else common[np.isin(common, column.spikes)]
    inside = ~np.isin(values, spikes)
    rest, whose = values[inside], None if owners is None else owners[inside]
    people = len(rest) if whose is None else len(np.unique(whose))
    ends = shared_range(rest, whose)
    if ends is None and len(spikes):
        return spikes, np.zeros(len(spikes))
    if ends is not None:  # beside a spike at the end, the next value may be one person's own
        rest = np.clip(rest, *ends)
    centres, widths = fit_mixture(rest, people, rng)
    for _ in range(len(centres)):  # the smallest that may not be published goes, until none is
        owner = (np.abs(rest[:, None] - centres) / widths).argmin(axis=1)
        behind, _ = persons_behind(owner, whose, len(centres))
        shared = shared_codes(owner, whose, len(centres))
        if len(centres) == 1 or shared.all():
            break
        kept = np.arange(len(centres)) != np.where(shared, np.inf, behind).argmin()
        centres, widths = centres[kept], widths[kept]
    for code in range(len(centres)):
        own = owner == code
        away = shared_range(np.abs(rest[own] - centres[code]), None if whose is None else whose[own])
        if away is not None:
            widths[code] = max(widths[code], away[1])
    return np.append(spikes, centres), np.append(np.zeros(len(spikes)), widths)


def fit_mixture(rest: Floats, people: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Centres and half widths of the components of a variational Gaussian mixture, without those that weigh little."""
    mixture = require("sklearn.mixture", "training on a table")
    errors = require("sklearn.exceptions", "training on a table")
    picked = rest if len(rest) <= MIXTURE_ROWS else rng.choice(rest, MIXTURE_ROWS, replace=False)
    middle, spread = picked.mean(), max(picked.std(), 1e-12)
    found = mixture.BayesianGaussianMixture(
        n_components=max(1, min(MOST_COMPONENTS, people // PERSONS)),
        weight_concentration_prior_type="dirichlet_process",
        weight_concentration_prior=0.001,
        random_state=int(rng.integers(2**31)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", errors.ConvergenceWarning)  # a mixture that is nearly there will do
        found.fit((picked[:, None] - middle) / spread)
    kept = found.weights_ > LEAST_WEIGHT
    centres = found.means_[kept, 0] * spread + middle
    return centres, HALF_WIDTH_SDS * np.sqrt(found.covariances_[kept, 0, 0]) * spread
