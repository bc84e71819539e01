"""Pictures of windows."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import require
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.metrics.likeness import channel_spreads
from ecgsynth.report.figures import REAL, SYNTHETIC, new_figure, save_figure
from ecgsynth.windows.windows import Windows

__all__ = ["save_beats", "save_series"]

DRAWN = 12  # windows in each panel
CHANNELS = 4  # of a series that are drawn
MAPPED = 1000  # windows of each kind on the two maps
PERPLEXITY = 40  # of t-SNE, as in TimeGAN's own code
DPI = 110


def save_beats(path: Path, real: Windows, sampler: OnnxSampler, *, seed: int = 0) -> None:
    """A picture of real and synthetic beats of each class, drawn at random, side by side; the first channel only."""
    rng = np.random.default_rng(seed)
    rows = len(real.classes)
    figure = new_figure(9, 1.9 * rows, "tight")
    axes = figure.subplots(rows, 2, sharex=True, sharey="row", squeeze=False)
    time_s = (np.arange(real.values.shape[1]) - (real.event_index or 0)) / real.fs_hz
    for code, name in enumerate(real.classes):
        own = np.flatnonzero(real.labels == code)
        shown = real.values[rng.permutation(own)[:DRAWN], :, 0]
        panel(axes[code, 0], time_s, shown, REAL)
        panel(axes[code, 1], time_s, sampler.windows(DRAWN, name, seed).values[:, :, 0], SYNTHETIC)
        axes[code, 0].set_ylabel(f"{name}\n{real.units}")
    axes[0, 0].set_title("real, held out")
    axes[0, 1].set_title("synthetic")
    for axis in axes[-1]:
        axis.set_xlabel("seconds from the R peak")
    save_figure(figure, path, DPI)


def save_series(path: Path, real: Windows, synthetic: Windows, *, seed: int = 0) -> None:
    """A picture of real and synthetic windows of a series: some of the first channels, and two maps of many of both.

    The maps are those of Yoon, Jarrett and van der Schaar, "Time-series Generative Adversarial Networks", 2019, figure
    3: the first two principal components of the real windows, and t-SNE of both kinds together, each window one point.
    """
    rng = np.random.default_rng(seed)
    rows = min(CHANNELS, len(real.channel_names))
    figure = new_figure(9, 1.7 * rows + 4.4, "constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1.7 * rows + 0.4, 4.0])
    axes = above.subplots(rows, 2, sharex=True, sharey="row", squeeze=False)
    kinds = ((real, REAL, "real"), (synthetic, SYNTHETIC, "synthetic"))
    for side, (windows, colour, title) in enumerate(kinds):
        shown = windows.values[rng.permutation(len(windows))[:DRAWN]]
        for row in range(rows):
            panel(axes[row, side], np.arange(float(shown.shape[1])), shown[:, :, row], colour)
            axes[row, 0].set_ylabel(real.channel_names[row])
        axes[0, side].set_title(title)
        axes[-1, side].set_xlabel("step")
    a, b = (windows.values[rng.permutation(len(windows))[:MAPPED]] for windows in (real, synthetic))
    for axis, (title, points) in zip(below.subplots(1, 2), maps(a, b, seed).items(), strict=True):
        for place, (_, colour, name) in zip(points, kinds, strict=True):
            axis.scatter(*place.T, s=6, color=colour, alpha=0.3, linewidths=0, label=name)
        axis.set(title=title, xticks=[], yticks=[])
        axis.legend(markerscale=2, frameon=False)
    save_figure(figure, path, DPI)


def maps(
    real: NDArray[np.float32], synthetic: NDArray[np.float32], seed: int
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """By the map's name: (n, 2) and (m, 2), where windows (n, time, channels) and (m, time, channels) lie on it."""
    decomposition = require("sklearn.decomposition", "drawing maps of windows")
    manifold = require("sklearn.manifold", "drawing maps of windows")
    spreads = channel_spreads(real)
    a, b = ((x / spreads).reshape(len(x), -1) for x in (real, synthetic))
    axes = decomposition.PCA(2, svd_solver="full").fit(a)
    perplexity = min(PERPLEXITY, (len(a) + len(b) - 1) / 3)
    tsne = manifold.TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed % 2**32)
    both = tsne.fit_transform(np.concatenate([a, b]))
    return {"PCA": (axes.transform(a), axes.transform(b)), "t-SNE": (both[: len(a)], both[len(a) :])}


def panel(axis: Any, time_s: NDArray[np.float64], values: NDArray[np.float32], colour: str) -> None:
    axis.plot(time_s, values.T, color=colour, linewidth=0.8, alpha=0.6)
    axis.margins(x=0)
    axis.spines[["top", "right"]].set_visible(False)
