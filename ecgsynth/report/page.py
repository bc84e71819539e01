"""What every report is made of: numbers as text, tables for the terminal, and the pieces of an HTML page.

It formats numbers and computes none; a page loads nothing from elsewhere.
"""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgsynth.core.files import atomic
from ecgsynth.core.spread import with_spread
from ecgsynth.metrics.attacks.base import Attack
from ecgsynth.metrics.measure import Arm

__all__ = [
    "DISTANCE_ONLY",
    "arm_lines",
    "attack_rows",
    "bullets",
    "columns",
    "measure_notes",
    "measure_rows",
    "number",
    "paragraph",
    "percent",
    "picture",
    "preformatted",
    "section",
    "short",
    "table",
    "write_page",
]

DISTANCE_ONLY = (
    "a distance finds copies, and the attack is a simple one: neither proves that membership cannot be inferred"
)
MEASURED = ("synthetic", "baseline", "best", "range")  # the columns of measure_rows
INDENT = "  "  # of the rows below a head
GAP = 2  # letters between two columns of the terminal
STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;font-size:.9rem}td,th{padding:.3rem .8rem;border-bottom:1px solid #ddd;text-align:right}
td:first-child,th:first-child{text-align:left;white-space:pre}img{max-width:100%}
pre{background:#f6f6f6;padding:1rem;overflow:auto}"""

Row = Sequence[str]


# ---- numbers


def short(value: float | None) -> str:
    """Four digits, or a dash where there is no number."""
    return "-" if value is None else f"{value:.4g}"


def percent(share: float | None) -> str:
    """A share in per cent, or a dash where there is none."""
    return "-" if share is None else f"{share:.2%}"


def number(repeats: Mapping[str, Any] | None) -> str:
    """Mean and spread of repeats, or a dash where they could not be taken."""
    return "-" if repeats is None or repeats["mean"] is None else with_spread(repeats["mean"], repeats["std"])


def spread(value: float | None, deviation: float | None) -> str:
    """A value with four digits, and its spread where there is one."""
    return short(value) if value is None or deviation is None else with_spread(value, deviation, 4)


# ---- what was measured


def measure_rows(entries: Mapping[str, Any]) -> list[list[str]]:
    """Rows of a table of measures: title, value, baseline, best value and range.

    Parameters
    ----------
    entries
        Measures as they are in metrics.json; an entry that is no measure is skipped.

    """
    rows = []
    for entry in entries.values():
        if isinstance(entry, dict) and "title" in entry:
            ends = ("∞" if end is None else f"{end:g}" for end in entry["range"])
            value = spread(entry["value"], entry.get("spread"))
            baseline = spread(entry["baseline"], entry.get("baseline_spread"))
            rows.append([entry["title"], value, baseline, short(entry["best"]), " to ".join(ends)])
    return rows


def measure_notes(entries: Mapping[str, Any]) -> list[str]:
    """Notes on the measures that have one, beside their title."""
    noted = [entry for entry in entries.values() if isinstance(entry, dict) and "note" in entry]
    return [f"{entry['title']}: {entry['note']}" for entry in noted]


def attack_rows(attacks: Iterable[Attack], found: Mapping[str, Any], words: Mapping[str, str]) -> list[list[str]]:
    """Rows of a table of attacks: the title of each that was tried, and the area that it reached.

    Parameters
    ----------
    attacks
        The table of attacks.
    found
        What ``attacked`` gave.
    words
        What a unit is called in these data.

    """
    rows = []
    for attack in attacks:
        area = found.get(f"{attack.name}_auc")
        if area is not None:
            reached = with_spread(area, found[f"{attack.name}_auc_error"])
            rows.append([f"{attack.title} on {words.get(attack.unit, attack.unit)}s", reached])
    return rows


def arm_lines(arms: Iterable[Arm[Any, Any]], what: str) -> list[str]:
    """What each arm of a utility test learns from."""
    return [f"{arm.name}: {arm.title.format(what=what)}" for arm in arms]


# ---- the terminal


def columns(head: Row, rows: Sequence[Row]) -> list[str]:
    """A table for the terminal, line by line: the first column to the left, the others to the right."""
    cells = [list(head), *([INDENT + row[0], *row[1:]] for row in rows)]
    wide = [max(len(row[place]) for row in cells if place < len(row)) for place in range(max(map(len, cells)))]
    return [
        "".join(
            [row[0].ljust(wide[0]), *(cell.rjust(GAP + width) for cell, width in zip(row[1:], wide[1:], strict=False))]
        ).rstrip()
        for row in cells
    ]


# ---- the page


def table(head: Row, rows: Sequence[Row]) -> str:
    """A table of texts."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table><tr>{top}</tr>\n{body}</table>"


def section(title: str, *parts: str) -> str:
    """A heading, and what stands below it."""
    return "\n".join([f"<h2>{html.escape(title)}</h2>", *parts])


def paragraph(lines: Iterable[str]) -> str:
    """Lines of text, one below the other."""
    return f"<p>{'<br>'.join(map(html.escape, lines))}</p>"


def bullets(items: Iterable[str]) -> str:
    """A list of texts."""
    return "<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in items) + "</ul>"


def preformatted(text: str) -> str:
    """Text as it stands."""
    return f"<pre>{html.escape(text)}</pre>"


def picture(title: str, path: Path) -> str:
    """A picture, within the page."""
    image = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(title)}" src="data:image/png;base64,{image}">'


def write_page(path: Path, title: str, parts: Iterable[str]) -> None:
    """One HTML page, nothing loaded from elsewhere."""
    name = html.escape(title)
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>\n<style>{STYLE}</style>\n'
    with atomic(path) as temporary:
        temporary.write_text(f"{head}<h1>{name}</h1>\n" + "\n".join(parts) + "</html>\n", encoding="utf-8")
