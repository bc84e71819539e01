"""What a person reads of a table's measurements: text for the terminal and one HTML page. It computes no number."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecgsynth.core.files import atomic
from ecgsynth.core.spread import with_spread
from ecgsynth.report.windows import DISTANCE_ONLY, figures, number, short

from ..schema.kind import Kind
from ..schema.kinds import KINDS

__all__ = ["table_text", "write_report"]

ARMS = {
    "TRTR": "trained on real rows",
    "TSTR": "trained on synthetic rows",
    "both": "trained on real and synthetic rows",
}
SCORES = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "macro_f1": "macro-F1",
    "accuracy": "accuracy",
    "r2": "R2",
}
LIKENESS = {
    "quality": "quality (SDMetrics)",
    "column_shapes": "  column shapes",
    "column_pair_trends": "  column pair trends",
    "column_pair_trends_all": "  the same of all pairs",
    "diagnostic": "diagnostic (SDMetrics)",
    "data_validity": "  data validity",
    "data_structure": "  data structure",
    "correlation_difference": "difference of correlations",
    "logistic": "told by logistic regression, AUC",
    "boosting": "told by gradient boosting, AUC",
}
NEAR = {
    "median_distance": "distance to the closest row learnt from, median",
    "low_distance": "  the same, 5 % quantile",
    "median_ratio": "closest over second closest, median",
    "low_ratio": "  the same, 5 % quantile",
}
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
STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;font-size:.9rem}td,th{padding:.3rem .8rem;border-bottom:1px solid #ddd;text-align:right}
td:first-child,th:first-child{text-align:left;white-space:pre}img{max-width:100%}
pre{background:#f6f6f6;padding:1rem;overflow:auto}"""
WIDE = 48  # letters of the first column of the terminal's tables


# ---- the terminal


def table_text(measured: dict[str, Any]) -> str:
    """Utility, likeness and privacy as tables for the terminal."""
    lines = [line(row) for row in utility_rows(measured)] if "utility" in measured else []
    lines.append(line(["likeness", "synthetic", "baseline", "best"]))
    lines += [line(["  " + row[0], *row[1:4]]) for row in likeness_rows(measured)]
    lines.append(BASELINE)
    lines.append(line(["privacy", "synthetic", "held out"]))
    lines += [line(["  " + title, *values]) for title, *values in privacy_rows(measured)]
    return "\n".join(lines + [f"note: {note}" for note in notes(measured)])


def line(cells: Sequence[str]) -> str:
    """One row of a table of the terminal."""
    return (cells[0].ljust(WIDE) + "".join(cell.rjust(18) for cell in cells[1:])).rstrip()


def utility_rows(measured: dict[str, Any]) -> list[list[str]]:
    """The utility test: a head, then a row for each figure."""
    found = measured["utility"]
    rows = [[f"{found['target']}, tested on {found['test_rows']:,} real rows", *ARMS]]
    for key, title in SCORES.items():
        if key in found["TRTR"]:
            of = f" of {found['positive']}" if key == "average_precision" and found["positive"] else ""
            rows.append([f"  {title}{of}", *(score(found[arm][key]) for arm in ARMS)])
    return rows


def score(value: dict[str, Any]) -> str:
    """A mean with its spread, or a dash where it could not be taken."""
    return "-" if value["mean"] is None else number(value)


def likeness_rows(measured: dict[str, Any]) -> list[list[str]]:
    """Title, value, baseline, best and range of each measure of likeness; then the values that cannot be."""
    found = measured["quality"] | measured["detection"]
    rows = [
        [title, *figures(found[name]), "{:g} to {:g}".format(*found[name]["range"])] for name, title in LIKENESS.items()
    ]
    return [*rows, ["values that cannot be", f"{found['impossible']:,}", "-", "0", "0 up"]]


def privacy_rows(measured: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Title, figure of synthetic rows, and figure of held-out ones."""
    near = measured["privacy"]
    rows = [(title, short(near[f"{name}_synthetic"]), short(near[f"{name}_unseen"])) for name, title in NEAR.items()]
    return [
        *rows,
        ("closer to a row learnt from (0.5 is best)", short(near["closer_share"]), "0.5"),
        ("nearer to those than to held-out rows (0.5)", short(near["dcr_share"]), short(near["dcr_share_unseen"])),
        ("rows that equal one learnt from", percent(near["copies_share"]), percent(near["copies_share_unseen"])),
        (
            "membership attack, AUC (0.5 is best)",
            with_spread(near["membership_auc"], near["membership_auc_error"]),
            "-",
        ),
    ]


def percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"


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


def write_report(path: Path, measured: dict[str, Any], manifest: Any, pictures: Sequence[tuple[str, Path]]) -> None:
    """One HTML page with the figures, the notes and the pictures, nothing loaded from elsewhere."""
    name = html.escape(measured["model"])
    said = "".join(f"<li>{html.escape(note)}</li>" for note in notes(measured))
    sections = [f"<h1>{name}</h1><ul>{said}</ul>"]
    if "utility" in measured:
        head, *body = utility_rows(measured)
        title = f"Usefulness: gradient boosting, {measured['utility']['repeats']} times"
        explained = "; ".join(f"{arm}: {meaning}" for arm, meaning in ARMS.items())
        sections.append(f"<h2>{title}</h2><p>{explained}</p>{table(head, body)}")
    sections += [
        f"<h2>Likeness</h2><p>{BASELINE}</p>"
        + table(["", "synthetic", "baseline", "best", "range"], likeness_rows(measured)),
        "<h2>Privacy</h2><p>distances: numbers by their ranks among the rows learnt from, categories 1 apart</p>"
        + table(["", "synthetic", "held out"], privacy_rows(measured)),
        "<h2>Columns, side by side</h2>" + columns_table(measured),
        *(shown(title, picture) for title, picture in pictures),
        f"<h2>The generator</h2><pre>{html.escape(about(manifest))}</pre>",
    ]
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>\n<style>{STYLE}</style>\n'
    with atomic(path) as temporary:
        temporary.write_text(page + "\n".join(sections) + "</html>\n", encoding="utf-8")


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """An HTML table of texts."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    rows = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in body)
    return f"<table><tr>{top}</tr>{rows}</table>"


def shown(title: str, picture: Path) -> str:
    """A picture within the page."""
    image = base64.b64encode(picture.read_bytes()).decode()
    text = html.escape(title)
    return f'<h2>{text}</h2><img alt="{text}" src="data:image/png;base64,{image}">'


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
    for title, told in (("data", manifest.data), ("training", manifest.training), ("measured", manifest.metrics)):
        lines.append(title)
        lines += [f"  {key.replace('_', ' ')}: {value}" for key, value in told.items() if not isinstance(value, dict)]
    return "\n".join(lines)
