"""Figures of our own: drawn and written without pyplot, whose state and backend are the user's."""

from pathlib import Path
from typing import Any

from ecgsynth.core.files import atomic
from ecgsynth.errors import require

__all__ = ["REAL", "SYNTHETIC", "new_figure", "save_figure"]

REAL, SYNTHETIC = "#33658a", "#c8553d"


def new_figure(width: float, height: float, layout: str) -> Any:
    """A figure of so many inches, on a canvas that writes files and opens no window."""
    figures = require("matplotlib.figure", "drawing pictures")
    canvas = require("matplotlib.backends.backend_agg", "drawing pictures")
    figure = figures.Figure(figsize=(width, height), layout=layout)
    canvas.FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, path: Path, dpi: int) -> None:
    """Write the picture as PNG."""
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi)
