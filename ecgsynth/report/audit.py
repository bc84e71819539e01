"""What a person reads of an audit: attacks on persons, whose beats are recognised, what can be read out, the level."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecgsynth.report.page import bullets, columns, paragraph, percent, section, table, write_page

__all__ = ["audit_section", "audit_text", "write_audit"]

ATTACK_HEAD = ("attack on {unit}s", "AUC", "TPR at 1 % FPR", "TPR at 10 % FPR", "relative F1", "{what}s needed")
FIGURES = ("auc", "tpr_1", "tpr_10", "relative_f1")
READ_AS = (
    "AUC: 0.5 is best; TPR at 1 % FPR: the share of members found where 1 % of others are taken for members; relative "
    "F1: 0 is best; in brackets, 95 % intervals over persons"
)
TITLE = "Attacks by person"
DASH = "-"
RISK_HEAD = ["guesses that are right", "about members", "about others", "risk"]


def audit_text(found: Mapping[str, Any]) -> str:
    """An audit as tables for the terminal."""
    lines = []
    for head, *rows in tables(found):
        lines += columns(head, rows)
    lines += [READ_AS] if found["attacks"] else []
    lines += [f"note: {note}" for note in found["notes"]]
    return "\n".join([*lines, *level_lines(found["level"])])


def audit_section(found: Mapping[str, Any]) -> str:
    """An audit as a section of a page."""
    parts = [table(head, rows) for head, *rows in tables(found)]
    read_as = [paragraph([READ_AS])] if found["attacks"] else []
    said = [bullets(found["notes"])] if found["notes"] else []
    return section(TITLE, *said, *parts, *read_as, paragraph(level_lines(found["level"])))


def write_audit(path: Path, name: str, found: Mapping[str, Any]) -> None:
    """One HTML page of an audit alone."""
    write_page(path, name, [audit_section(found)])


def level_lines(level: Mapping[str, Any]) -> list[str]:
    """The level that the figures allow, and why it is no higher."""
    return [f"level that these figures allow: {level['name']}", *level["reasons"]]


def tables(found: Mapping[str, Any]) -> list[list[list[str]]]:
    """The tables of an audit, as far as it could be made; each a head and its rows."""
    what = {"beats": "beat", "table": "row"}.get(found["kind"], "window")
    made = []
    if found["attacks"]:
        made.append(
            [
                [head.format(what=what, unit=found["unit"]) for head in ATTACK_HEAD],
                *map(attack_row, found["attacks"].values()),
            ]
        )
    if found.get("linkage") is not None:
        made.append([[f"{what}s as much a known person's as his own", "share"], *linkage_rows(found["linkage"], what)])
    if found.get("reconstruction") is not None:
        made.append(reconstruction_rows(found["reconstruction"], what, found["units"]))
    if found.get("risks"):
        made.append([RISK_HEAD, *map(risk_row, found["risks"].values())])
    return made


def attack_row(entry: Mapping[str, Any]) -> list[str]:
    """What one attack reached."""
    needed = entry.get("beats_needed")
    figures = [with_interval(entry[name], entry[f"{name}_interval"]) for name in FIGURES]
    return [entry["title"], *figures, DASH if needed is None else str(needed)]


def risk_row(entry: Mapping[str, Any]) -> list[str]:
    """What one of singling out, linkability and inference found; of columns, beside the one with the highest risk."""
    columns = entry.get("by_column", {})
    worst = max(columns, key=lambda name: columns[name]["risk"], default=None)
    title = entry["title"] if worst is None else f"{entry['title']} (most: {worst}, {columns[worst]['risk']:.2f})"
    risk = with_interval(entry["risk"], entry["risk_interval"])
    return [title, percent(entry["attack"]), percent(entry["control"]), risk]


def with_interval(value: float, ends: list[float]) -> str:
    """0.91 [0.85, 0.97]."""
    return f"{value:.2f} [{ends[0]:.2f}, {ends[1]:.2f}]"


def linkage_rows(found: Mapping[str, Any], what: str) -> list[list[str]]:
    """How many beats of each kind are recognised."""
    never = DASH if found["never_seen"] is None else percent(found["never_seen"])
    return [
        [f"synthetic {what}s", percent(found["recognised"])],
        [f"held-out real {what}s of that person", percent(found["own"])],
        [f"real {what}s of people never seen", never],
    ]


def reconstruction_rows(found: Mapping[str, Any], what: str, units: str) -> list[list[str]]:
    """How near the best candidate comes to a person's median beat, of members and of people outside."""
    sides = [found["members"], found["outside"]]
    rows = [[f"best of {found['centres']:,} centres and {found['clusters']:,} clusters", "members", "people outside"]]
    for key, title in (
        ("correlation", f"correlation with a person's median {what}, median"),
        ("halves_correlation", "the same between two halves of a person"),
        ("error", f"root-mean-square error in {units}, median"),
        ("halves_error", "the same between two halves of a person"),
    ):
        rows.append([title, *(DASH if side is None else f"{side[key]:.4g}" for side in sides)])
    for key, title in (
        ("persons_like", "persons with a correlation above 0.99"),
        ("persons_nearer", "persons nearer to a candidate than their halves to each other"),
    ):
        rows.append([title, *(DASH if side is None else f"{side[key]} of {side['persons']}" for side in sides)])
    return rows
