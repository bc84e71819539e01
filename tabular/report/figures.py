"""Pictures of tables: real beside synthetic, column by column, pair by pair, and as a whole."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgsynth.errors import require
from ecgsynth.report.figures import REAL, SYNTHETIC, new_figure, save_figure

from ..encoding.canonical import canonical, points, subsample
from ..metrics.likeness import associations
from ..schema.columns import Column
from ..schema.kinds import kind_of
from ..schema.schema import Schema

__all__ = ["MAPPED", "PANELS", "maps", "save_columns", "save_correlations", "save_maps", "save_pairs"]

DPI = 100
PANELS = 60  # columns that are drawn
ACROSS = 4  # panels in a row
BINS = 40
BARS = 12  # commonest categories that are drawn
PAIRED = 4  # numbers of the pair plot
DOTS = 1000  # rows of a pair plot
MAPPED = 1000  # rows of each kind on the two maps
PERPLEXITY = 30  # of t-SNE, as in van der Maaten and Hinton's paper, from 5 to 50
NAMED = 18  # letters of a column's or a category's name that are drawn

Floats = NDArray[np.float64]


def save_columns(path: Path, real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> int:
    """A panel a column: histograms of numbers, bars of categories, in shares of the rows. Returns how many are drawn.

    Columns from PANELS on are left out; so are categories beyond the BARS commonest of the real table.
    """
    a, b = canonical(real, schema), canonical(synthetic, schema)
    columns = schema.learnt[:PANELS]
    down = max(1, -(-len(columns) // ACROSS))
    figure, axes = panels(down, ACROSS, 3.2, 2.4)
    for axis, column in zip(axes.flat, columns, strict=False):
        (numbers if kind_of(column).form == "number" else bars)(axis, a[column.name], b[column.name], column)
        axis.set_title(clipped(column.name), fontsize=9)
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in list(axes.flat)[len(columns) :]:
        axis.set_axis_off()
    if columns:
        for colour, name in ((REAL, "real"), (SYNTHETIC, "synthetic")):
            axes.flat[0].plot([], [], color=colour, linewidth=4, label=name)
        axes.flat[0].legend(fontsize=7, frameon=False)
    save_figure(figure, path, DPI)
    return len(columns)


def save_correlations(path: Path, real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> None:
    """How strongly each two columns are associated: the real table, the synthetic one, and the difference."""
    (names, a), (_, b) = associations(real, schema), associations(synthetic, schema)
    labels = [clipped(name) for name in names]
    side = 0.22 * len(names) + 1.2
    figure, axes = panels(1, 3, max(3.6, side + 0.4), max(3.2, side), layout="constrained")  # of one colour scale
    for axis, matrix, title in zip(axes.flat, (a, b, b - a), ("real", "synthetic", "difference"), strict=True):
        image = axis.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
        axis.set_title(title, fontsize=9)
        axis.set_xticks(range(len(names)), labels, rotation=90, fontsize=6)
        axis.set_yticks(range(len(names)), labels if axis is axes.flat[0] else [], fontsize=6)
    figure.colorbar(image, ax=list(axes.flat), shrink=0.7)
    save_figure(figure, path, DPI)


def save_pairs(path: Path, real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, *, seed: int = 0) -> bool:
    """Each two of the first PAIRED numbers against each other. False, and no picture, with fewer than two."""
    names = schema.numbers[:PAIRED]
    if len(names) < 2:
        return False
    rng = np.random.default_rng(seed)
    kinds = [
        (subsample(canonical(frame, schema), DOTS, rng), colour, name)
        for frame, colour, name in ((real, REAL, "real"), (synthetic, SYNTHETIC, "synthetic"))
    ]
    figure, axes = panels(len(names), len(names), 2.2, 2.0)
    for i, down in enumerate(names):
        for j, across in enumerate(names):
            axis = axes[i, j]
            axis.tick_params(labelsize=6)
            for frame, colour, name in kinds:
                if i == j:
                    values = frame[down].dropna()
                    axis.hist(values, BINS, weights=share_of(values), color=colour, alpha=0.5, label=name)
                else:
                    axis.scatter(frame[across], frame[down], s=3, color=colour, alpha=0.3, linewidths=0)
            if j == 0:
                axis.set_ylabel(clipped(down), fontsize=7)
            if i == len(names) - 1:
                axis.set_xlabel(clipped(across), fontsize=7)
    axes[0, 0].legend(fontsize=6, frameon=False)
    save_figure(figure, path, DPI)
    return True


def save_maps(path: Path, real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, *, seed: int = 0) -> None:
    """The first two principal components of the real rows, and t-SNE of both kinds together, each row one point.

    Of MAPPED rows of each kind at most.
    """
    figure, axes = panels(1, 2, 4.4, 3.8)
    found = maps(real, synthetic, schema, seed=seed)
    for axis, (title, pair) in zip(axes.flat, found.items(), strict=False):
        for place, colour, name in zip(pair, (REAL, SYNTHETIC), ("real", "synthetic"), strict=True):
            axis.scatter(*place.T, s=6, color=colour, alpha=0.3, linewidths=0, label=name)
        axis.set(title=title, xticks=[], yticks=[])
        axis.legend(markerscale=2, frameon=False)
    for axis in list(axes.flat)[len(found) :]:
        axis.set_axis_off()
    save_figure(figure, path, DPI)


def maps(
    real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, *, seed: int = 0
) -> dict[str, tuple[Floats, Floats]]:
    """By the map's name: (n, 2) and (m, 2), where real and synthetic rows lie on it.

    Distances are those of ``points``, numbers in standard deviations of the real rows. t-SNE is left out with fewer
    than four rows.
    """
    decomposition = require("sklearn.decomposition", "drawing maps of rows")
    rng = np.random.default_rng(seed)
    a, b = points(
        [subsample(canonical(frame, schema), MAPPED, rng) for frame in (real, synthetic)], schema.numbers, "deviations"
    )
    wide = max(2 - a.shape[1], 0)  # a table of one number is a line
    a, b = (np.pad(rows, ((0, 0), (0, wide))) for rows in (a, b))
    centre, axes = a.mean(axis=0), principal(a)
    found = {"PCA": ((a - centre) @ axes, (b - centre) @ axes)}
    both = np.concatenate([a, b])
    if len(both) > 3:
        both = decomposition.PCA(min(50, *both.shape), svd_solver="full").fit_transform(both)
        tsne = require("sklearn.manifold", "drawing maps of rows").TSNE(
            perplexity=min(PERPLEXITY, (len(both) - 1) / 3),
            init="random",  # the components of a table of few categories are no start: many rows lie in one point
            learning_rate="auto",
            random_state=seed % 2**32,
        )
        placed = tsne.fit_transform(both)
        found["t-SNE"] = (placed[: len(a)], placed[len(a) :])
    return found


def principal(rows: NDArray[np.float32]) -> Floats:
    """(d, 2) the two directions in which (n, d) rows are spread most."""
    centred = rows.astype(np.float64) - rows.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    return np.asarray(vectors[:, np.argsort(values)[::-1][:2]])


# ---- panels


def numbers(axis: Any, real: pd.Series, synthetic: pd.Series, column: Column) -> None:
    """Histograms of one number, over the values that all but a thousandth of the real ones have."""
    a, b = (values.dropna().to_numpy(dtype=np.float64) for values in (real, synthetic))
    if not len(a):
        axis.text(0.5, 0.5, "all missing", ha="center", transform=axis.transAxes)
        return
    low, high = np.quantile(a, [0.0005, 0.9995])
    high = high if high > low else low + 1
    edges = kind_of(column).edges(low, high, BINS)
    for values, colour in ((a, REAL), (b, SYNTHETIC)):
        inside = values.clip(edges[0], edges[-1])
        axis.hist(inside, edges, weights=share_of(inside), color=colour, alpha=0.5)
    ticks = kind_of(column).ticks(low, high, column.unit)
    if ticks is not None:
        axis.set_xticks(*ticks)


def bars(axis: Any, real: pd.Series, synthetic: pd.Series, column: Column) -> None:
    """Shares of the commonest categories, one bar beside the other."""
    a, b = (values.fillna("(missing)").value_counts(normalize=True) for values in (real, synthetic))
    names = list(a.index[:BARS])
    places = np.arange(len(names))
    for shift, shares, colour in ((-0.2, a, REAL), (0.2, b, SYNTHETIC)):
        axis.bar(places + shift, [float(shares.get(text, 0.0)) for text in names], 0.4, color=colour)
    axis.set_xticks(places, [clipped(text) for text in names], rotation=90 if len(names) > 3 else 0, fontsize=6)


def share_of(values: Any) -> Floats:
    """(n,) weights that make counts shares."""
    return np.full(len(values), 1 / max(len(values), 1))


def clipped(name: str) -> str:
    """A name that fits beneath a panel; a dollar would begin a formula."""
    text = name if len(name) <= NAMED else f"{name[: NAMED - 1]}…"
    return text.replace("$", r"\$")


def panels(down: int, across: int, width: float, height: float, layout: str = "tight") -> tuple[Any, Any]:
    """A figure of its own and its axes (down, across); sizes of a panel in inches. No state of pyplot is touched."""
    figure = new_figure(width * across, height * down, layout)
    return figure, figure.subplots(down, across, squeeze=False)
