"""What a person reads of a table's measurements: text for the terminal and one HTML page. It computes no number."""

from pathlib import Path
from typing import Any

from ecgsynth.report.audit import audit_section, audit_text
from ecgsynth.report.page import (
    DISTANCE_ONLY,
    MEASURED,
    arm_lines,
    attack_rows,
    bullets,
    columns,
    measure_notes,
    measure_rows,
    number,
    paragraph,
    percent,
    picture,
    preformatted,
    section,
    short,
    table,
    write_page,
)

from ..metrics.attacks import DISTANCES, TABLE_ATTACKS
from ..metrics.tables import TABLE_MEASURES
from ..metrics.utility import ARMS, SCORE_TITLES
from ..schema.kind import Kind
from ..schema.kinds import KINDS

__all__ = ["table_text", "write_report"]

WORDS = {"row": "row", "person": "person"}  # what the unit of an attack is called
DISTANCES_ARE = "distances: numbers by their ranks among the rows learnt from, categories 1 apart"
BASELINE = "baseline: one random half of the real rows beside the other"
OTHER_TABLE = (
    "this is another table than the one that the generator learnt from, so which rows were held out is not known"
)
UNKNOWN_TABLE = (
    "whether the generator learnt from this table, and which rows it held out, was not checked; its run folder knows "
    "(--run)"
)
PICKED = "the held-out rows chose the best of the training's checkpoints; nothing else of them was learnt"
SHOWS_REAL = "this report shows what the real table is like: it is for those who may see the table"


# ---- the terminal


def table_text(measured: dict[str, Any]) -> str:
    """Utility, likeness and privacy as tables for the terminal."""
    lines = []
    if "utility" in measured:
        head, *rows = utility_rows(measured)
        lines += [*columns(head, rows), *arm_lines(ARMS, "rows")]
    lines += columns(["likeness", *MEASURED[:3]], [row[:4] for row in likeness_rows(measured)])
    lines += [*likeness_notes(measured), BASELINE]
    lines += columns(["privacy", "synthetic", "held out"], privacy_rows(measured))
    lines += [audit_text(measured["audit"])] if "audit" in measured else []
    return "\n".join(lines + [f"note: {note}" for note in notes(measured)])


def utility_rows(measured: dict[str, Any]) -> list[list[str]]:
    """The utility test: a head, then a row for each figure."""
    found = measured["utility"]
    rows = [[f"{found['target']}, tested on {found['test_rows']:,} real rows", *(arm.name for arm in ARMS)]]
    for key, title in SCORE_TITLES.items():
        if key in found[ARMS[0].name]:
            of = f" of {found['positive']}" if key == "average_precision" and found["positive"] else ""
            rows.append([f"{title}{of}", *(number(found[arm.name][key]) for arm in ARMS)])
    return rows


def likeness_rows(measured: dict[str, Any]) -> list[list[str]]:
    """Title, value, baseline, best and range of each measure of likeness; then the values that cannot be."""
    rows = [row for part in TABLE_MEASURES for row in measure_rows(measured[part])]
    return [*rows, ["values that cannot be", f"{measured['quality']['impossible']:,}", "-", "0", "0 to ∞"]]


def likeness_notes(measured: dict[str, Any]) -> list[str]:
    """Notes on the measures that have one, beside their title."""
    return [note for part in TABLE_MEASURES for note in measure_notes(measured[part])]


def privacy_rows(measured: dict[str, Any]) -> list[list[str]]:
    """Title, figure of synthetic rows, and figure of held-out ones; then the attacks."""
    near, rows = measured["privacy"], []
    for distance in DISTANCES:
        text = percent if distance.is_share else short
        beside = 0.5 if distance.unseen is None else near[distance.unseen]
        rows.append([distance.title, text(near[distance.synthetic]), text(beside)])
    tried = attack_rows(TABLE_ATTACKS, near, WORDS)
    return [*rows, *([f"{title}, AUC (0.5 is best)", area, "-"] for title, area in tried)]


def notes(measured: dict[str, Any]) -> list[str]:
    """What has to be known to read the figures rightly."""
    found, caps, rows = [DISTANCE_ONLY, PICKED], measured["caps"], measured["rows"]
    counted = measured["quality"]
    found.append(
        f"SDMetrics {counted['sdmetrics']} counts {counted['pairs']} of {counted['pairs_all']} pairs of "
        "columns as trends: those that are associated in the real table"
    )
    if not measured["same_table"]:
        found.append(UNKNOWN_TABLE if measured["same_table"] is None else OTHER_TABLE)
    if measured.get("utility", {}).get("test") == "held-out rows":
        found.append("the utility test is of the held-out rows; no test table was given")
    if rows["real"] > caps["detection"]:
        found.append(
            f"of large tables rows are drawn at random: {caps['quality']:,} for likeness, {caps['detection']:,} for "
            f"detection, {caps['distances']:,} for distances, each of every kind at most"
        )
    return [*found, SHOWS_REAL]


# ---- the page


def write_report(path: Path, measured: dict[str, Any], manifest: Any, pictures: list[tuple[str, Path]]) -> None:
    """One HTML page with the figures, the notes and the pictures (each with what it shows).

    Parameters
    ----------
    path
        The file to write.
    measured
        What stands in metrics.json.
    manifest
        What the generator says of itself: columns, data, training, metrics.
    pictures
        What each shows, and its PNG file.

    """
    parts = [bullets(notes(measured))]
    if "utility" in measured:
        head, *rows = utility_rows(measured)
        parts.append(
            section(f"Usefulness: {head[0]}", table(["", *head[1:]], rows), paragraph(arm_lines(ARMS, "rows")))
        )
    said = paragraph([*likeness_notes(measured), BASELINE])
    parts.append(section("Likeness", said, table(["", *MEASURED], likeness_rows(measured))))
    beside = table(["", "synthetic", "held out"], privacy_rows(measured))
    parts.append(section("Privacy", paragraph([DISTANCES_ARE]), beside))
    parts += [audit_section(measured["audit"])] if "audit" in measured else []
    parts.append(section("Columns, side by side", columns_table(measured)))
    parts += [section(title, picture(title, image)) for title, image in pictures]
    parts.append(section("The generator", preformatted(about(manifest))))
    write_page(path, measured["model"], parts)


def columns_table(measured: dict[str, Any]) -> str:
    """Each column of both tables: missing, mean and spread, quantiles or commonest categories."""
    body = []
    for entry in measured["columns"]:
        like = f"{short(entry['shape'])} ({short(entry['shape_baseline'])})"
        body.append([entry["column"], entry["kind"], like, f"{entry['impossible']:,}", "", ""])
        body += [[f"  {title}", "", "", "", *values] for title, values in side_by_side(entry)]
    return table(["column", "kind", "shape (baseline)", "impossible", "real", "synthetic"], body)


def side_by_side(entry: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """What is said of one column in both tables, line by line."""
    pair = entry["real"], entry["synthetic"]
    rows = [("missing", [percent(side["missing"]) for side in pair])] if any(side["missing"] for side in pair) else []
    if "shares" in pair[0]:
        rows.append(("categories", [f"{side['categories']:,}" for side in pair]))
        return rows + [(text, [percent(side["shares"][text]) for side in pair]) for text in pair[0]["shares"]]
    kind = KINDS[entry["kind"]]
    if kind.has_mean:
        rows += [(name, [short(side[name]) for side in pair]) for name in ("mean", "sd")]
    for share in pair[0]["quantiles"]:
        values = [placed(side["quantiles"].get(share), entry["unit"], kind) for side in pair]
        rows.append((f"{float(share):.0%} quantile", values))
    return rows + [
        (f"equal to {spike}", [percent(side["spikes"].get(spike)) for side in pair]) for spike in pair[0]["spikes"]
    ]


def placed(value: float | None, unit: str | None, kind: Kind) -> str:
    """A quantile; where it has a unit, as its kind is read."""
    return short(value) if value is None or unit is None else kind.text(value, unit)


def about(manifest: Any) -> str:
    """What the generator says of itself."""
    lines = [f"{len(manifest.columns)} columns: " + ", ".join(column.name for column in manifest.columns)]
    for title, facts in (("data", manifest.data), ("training", manifest.training), ("measured", manifest.metrics)):
        lines.append(title)
        lines += [f"  {key.replace('_', ' ')}: {value}" for key, value in facts.items() if not isinstance(value, dict)]
    return "\n".join(lines)
