"""How windows show themselves: a picture of some of them, and a small page for a notebook."""

import base64
import html
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import MissingExtraError, require

__all__ = ["count_text", "draw_windows", "page"]

MOST_ROWS, MOST_PANELS = 6, 4  # classes and channels that are drawn
DRAWN_WINDOWS = 12  # in each panel
PANEL_INCHES = (3.2, 1.6)
COLOUR = "#33658a"
PAGE_DPI = 60


def draw_windows(
    values: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    channel_names: tuple[str, ...],
    units: str,
    clock: tuple[NDArray[np.float64], str],
) -> Any:
    """Draw some windows of each class: a row of panels for each, a panel for each channel.

    Parameters
    ----------
    values
        (n, time, channels), in ``units``.
    labels
        (n,) positions in ``classes``.
    classes, channel_names
        What the rows and the panels are called; the first few are drawn.
    units
        Of the values.
    clock
        (time,) where each sample lies, and what that is.

    Returns
    -------
    matplotlib.figure.Figure
        One that pyplot does not know: no backend is chosen, and nothing has to be closed.

    """
    figures = require("matplotlib.figure", "drawing pictures")
    shown = [code for code in range(len(classes)) if (labels == code).any()][:MOST_ROWS] or [0]
    panels = min(values.shape[2], MOST_PANELS)
    width, height = PANEL_INCHES
    figure = figures.Figure(figsize=(width * panels, height * len(shown) + 0.4), layout="constrained")
    axes = figure.subplots(len(shown), panels, sharex=True, squeeze=False)
    for row, code in zip(axes, shown, strict=True):
        own = np.flatnonzero(labels == code)
        some = own[np.unique(np.linspace(0, len(own) - 1, DRAWN_WINDOWS).astype(np.int64))] if len(own) else own
        for channel, axis in enumerate(row):
            axis.plot(clock[0], values[some, :, channel].T, color=COLOUR, linewidth=0.8, alpha=0.6)
            axis.margins(x=0)
            axis.spines[["top", "right"]].set_visible(False)
        row[0].set_ylabel(f"{classes[code]}\n{units}" if len(classes) > 1 else units)
    for axis, name in zip(axes[0], channel_names, strict=False):
        axis.set_title(name)
    for axis in axes[-1]:
        axis.set_xlabel(clock[1])
    return figure


def count_text(counts: dict[str, int], most: int = 8) -> str:
    """Classes with their numbers of windows, in few words."""
    listed = [f"{name} {count:,}" for name, count in counts.items()]
    return ", ".join(listed[:most]) + (f", ... ({len(listed)} in all)" if len(listed) > most else "")


def page(title: str, counts: dict[str, int], draw: Callable[[], Any]) -> str:
    """A small HTML table of the classes, and beside it a picture if there is matplotlib.

    Parameters
    ----------
    title
        What the windows are, in one line.
    counts
        How many there are of each class.
    draw
        A function that gives the figure.

    """
    rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{count:,}</td></tr>" for name, count in counts.items())
    table = f"<table><tr><th>class</th><th>windows</th></tr>{rows}</table>"
    try:
        buffer = io.BytesIO()
        draw().savefig(buffer, format="png", dpi=PAGE_DPI)
        content = base64.b64encode(buffer.getvalue()).decode()
        picture = f'<img alt="some of the windows" src="data:image/png;base64,{content}">'
    except MissingExtraError:
        picture = ""
    return f"<div><p>{html.escape(title)}</p>{table}{picture}</div>"
