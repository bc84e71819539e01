"""Pictures of windows."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import require
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.files import atomic
from ecgsynth.windows import Windows

__all__ = ["save_beats"]

DRAWN = 12  # beats in each panel
REAL, SYNTHETIC = "#33658a", "#c8553d"


def save_beats(path: Path, real: Windows, sampler: OnnxSampler, *, seed: int = 0) -> None:
    """A picture of real and synthetic beats of each class, drawn at random, side by side; the first channel only."""
    matplotlib = require("matplotlib", "drawing pictures")
    matplotlib.use("Agg")
    pyplot = require("matplotlib.pyplot", "drawing pictures")
    rng = np.random.default_rng(seed)
    rows = len(real.classes)
    figure, axes = pyplot.subplots(rows, 2, figsize=(9, 1.9 * rows), sharex=True, sharey="row", squeeze=False)
    time_s = (np.arange(real.values.shape[1]) - (real.event_index or 0)) / real.fs_hz
    for code, name in enumerate(real.classes):
        own = np.flatnonzero(real.labels == code)
        shown = real.values[rng.permutation(own)[:DRAWN], :, 0]
        panel(axes[code, 0], time_s, shown, REAL)
        panel(axes[code, 1], time_s, sampler.sample(DRAWN, name, seed).values[:, :, 0], SYNTHETIC)
        axes[code, 0].set_ylabel(f"{name}\n{real.units}")
    axes[0, 0].set_title("real, held out")
    axes[0, 1].set_title("synthetic")
    for axis in axes[-1]:
        axis.set_xlabel("seconds from the R peak")
    figure.tight_layout()
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    pyplot.close(figure)


def panel(axis: Any, time_s: NDArray[np.float64], values: NDArray[np.float32], colour: str) -> None:
    axis.plot(time_s, values.T, color=colour, linewidth=0.8, alpha=0.6)
    axis.margins(x=0)
    axis.spines[["top", "right"]].set_visible(False)
