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

MOST_CLASSES, MOST_CHANNELS = 6, 4  # that are drawn
DRAWN_WINDOWS = 12  # in each panel
PANEL_INCHES = (2.4, 1.8)
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
    """Draw some windows of each class: a row of panels for each channel, in it a panel for each class.

    Parameters
    ----------
    values
        (n, time, channels), in ``units``.
    labels
        (n,) positions in ``classes``.
    classes, channel_names
        What the panels and the rows are called; the first few are drawn.
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
    shown = [code for code in range(len(classes)) if (labels == code).any()][:MOST_CLASSES] or [0]
    names = channel_names[:MOST_CHANNELS]
    width, height = PANEL_INCHES
    figure = figures.Figure(figsize=(width * len(shown), height * len(names) + 0.4), layout="constrained")
    axes = figure.subplots(len(names), len(shown), sharex=True, sharey="row", squeeze=False)
    for code, column in zip(shown, axes.T, strict=True):
        own = np.flatnonzero(labels == code)
        some = own[np.unique(np.linspace(0, max(0, len(own) - 1), DRAWN_WINDOWS).astype(np.int64))[: len(own)]]
        for channel, axis in enumerate(column):
            axis.plot(clock[0], values[some, :, channel].T, color=COLOUR, linewidth=0.8, alpha=0.6)
            axis.margins(x=0)
            axis.spines[["top", "right"]].set_visible(False)
        if len(classes) > 1:
            column[0].set_title(classes[code])
        column[-1].set_xlabel(clock[1])
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.set_ylabel(f"{name}\n{units}")
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
