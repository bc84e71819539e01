"""What a generator shows of itself: one line at a prompt, a small table and a picture in a notebook."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Card", "card_of", "picture"]

DRAWN_WINDOWS = 4  # in a picture
WIDE, HIGH = 150, 70  # of each, in pixels
LISTED = 12  # names of columns or classes in a table


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a generator's card shows.

    Parameters
    ----------
    title
        Its class, its model and what it makes, such as "Synthesizer rwgan of beats".
    size
        How many classes or columns, in words.
    facts
        Names and texts of the table.
    svg
        A picture, or nothing.

    """

    title: str
    size: str
    facts: Mapping[str, str]
    trained: tuple[str, ...] = ()  # how long, and the score reached
    svg: str = ""

    def line(self) -> str:
        """<Synthesizer rwgan of beats, 5 classes, 8 min trained, score 0.81>."""
        return f"<{', '.join([self.title, self.size, *self.trained])}>"

    def html(self) -> str:
        """A small table, with the picture below it."""
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in {**self.facts, "training": ", ".join(self.trained)}.items()
            if text
        )
        return f"<div><b>{html.escape(self.title)}</b>, {html.escape(self.size)}<table>{rows}</table>{self.svg}</div>"


def card_of(generator: Any, *, drawn: bool = False) -> Card:
    """The card of a generator or an imputer, trained here or exported.

    Parameters
    ----------
    generator
        What has ``about`` (data, training, metrics), or a ``manifest`` with the same.
    drawn
        Whether to draw a few windows for the picture.

    """
    known = generator.about if hasattr(generator, "about") else generator.manifest
    training, data = known.training, known.data
    model = training.get("model", "generator") if isinstance(training, dict) else training.model
    kind = getattr(data, "kind", "table")
    title = f"{type(generator).__name__} {model} of {'rows' if kind == 'table' else kind}"
    reached = trained(known.metrics)
    if kind == "table":
        columns = generator.schema.columns if hasattr(generator, "schema") else generator.manifest.columns
        facts = {"columns": listed([f"{column.name} ({column.kind})" for column in columns])}
        return Card(title=title, size=counted(len(columns), "column"), facts=facts, trained=reached)
    several = len(data.class_names) > 1
    return Card(
        title=title,
        size=counted(len(data.class_names), "class") if several else f"{data.time} steps of {len(data.channel_names)}",
        facts={
            "learnt from": "" if data.source.name == "unnamed" else data.source.name,
            "window": f"{data.time} samples of {listed(data.channel_names)}"
            + ("" if data.units == "as given" else f" in {data.units}"),
            "classes": listed(data.class_names) if several else "",
        },
        trained=reached,
        svg=picture(generator.windows(DRAWN_WINDOWS, seed=0)) if drawn else "",
    )


def trained(metrics: Any) -> tuple[str, ...]:
    """How long it was trained, and what score was reached, as far as it is known."""
    seconds, score = metrics.get("seconds"), metrics.get("validation_score")
    known = []
    if seconds is not None:
        known.append(f"{seconds / 60:.0f} min trained" if seconds >= 90 else f"{seconds:.0f} s trained")
    if score is not None:
        known.append(f"score {score:.2f}")
    return tuple(known)


def counted(number: int, what: str) -> str:
    plural = f"{what}es" if what.endswith("s") else f"{what}s"
    return f"{number} {what if number == 1 else plural}"


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - LISTED
    return ", ".join([*names[:LISTED], *([f"{more} more"] if more > 0 else [])])


def picture(windows: Any) -> str:
    """Windows side by side as an SVG, the first channels of each, on one scale.

    Parameters
    ----------
    windows
        Windows, or what has values (n, time, channels), labels (n,) and classes.

    """
    values: NDArray[np.float32] = windows.values[:, :, :3]
    lows, highs = values.min(axis=(0, 1)), values.max(axis=(0, 1))
    spans = np.where(highs > lows, highs - lows, 1)
    across = np.linspace(4, WIDE - 4, values.shape[1])
    parts = []
    for place, window in enumerate(values):
        ups = HIGH - 4 - (HIGH - 20) * (window - lows) / spans
        name = windows.classes[windows.labels[place]] if len(windows.classes) > 1 else ""
        parts.append(f"<text x='{place * WIDE + 4}' y='11' font-size='10'>{html.escape(str(name))}</text>")
        for number, line in enumerate(ups.T):
            points = " ".join(f"{place * WIDE + x:.1f},{y:.1f}" for x, y in zip(across, line, strict=True))
            colour = ("#1f77b4", "#d95f02", "#4d4d4d")[number]
            parts.append(f"<polyline points='{points}' fill='none' stroke='{colour}'/>")
    wide = WIDE * len(values)
    size = f"width='{wide}' height='{HIGH}' viewBox='0 0 {wide} {HIGH}'"
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size} role='img'>{''.join(parts)}</svg>"
