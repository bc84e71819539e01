"""What a person reads: text for the terminal and one HTML page. It formats numbers and computes none."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecgsynth.core.disclosure import PERSONS, persons_behind
from ecgsynth.core.files import atomic
from ecgsynth.core.spread import with_spread
from ecgsynth.export.manifest import Manifest, TableManifest
from ecgsynth.windows.windows import Windows

__all__ = ["manifest_text", "prepared_text", "table_text", "write_report"]

MEANING = {
    "TRTR": "trained on real {what}",
    "TSTR": "trained on synthetic {what}",
    "augmented": "trained on real {what}, rare classes topped up with synthetic ones",
}
OTHER_DATA = "this generator did not learn from the training part of these data, so it may have seen the test part"
UNKNOWN_DATA = (
    "whether this generator learnt from the training part of these data was not checked; its run folder knows (--run)"
)
BY_BEAT = "split by beat: beats of one patient are in all parts, so these figures say nothing about new patients"
BESIDE = "baseline: real training {what} in the place of the synthetic ones"
HALVES = "baseline: one random half of the real windows beside the other"
SCORES = (
    "discriminative score: how far from one half is the accuracy of a GRU told to separate real and synthetic windows",
    "predictive score: mean error, on real windows scaled to 0..1, of a GRU that learnt from synthetic ones to foresee "
    "the last column's next value; its best is the baseline",
)
NOT_SPLIT = (
    "not split: the generator learnt from all real windows, so these figures say nothing about new data, and there is "
    "nobody to try a membership attack on"
)
FEWER_STEPS = (
    "the networks of the scores had fewer updates than TimeGAN's paper gives them, so they tell and foresee less"
)
LIKENESS = {
    "discriminative_score": "discriminative score",
    "predictive_score": "predictive score",
    "autocorrelation_distance": "autocorrelation",
    "cross_correlation_distance": "correlation of columns",
    "marginal_distance": "values, standard deviations",
    "mmd": "maximum mean discrepancy, squared",
    "frechet_distance": "Frechet distance",
    "spectrum_distance_db": "power spectrum, dB",
    "discriminative_accuracy": "told from real ones",
    "coverage": "coverage",
    "density": "density",
    "prd_percent": "PRD to the nearest, %",
    "dtw_distance": "DTW to the nearest, {units}",
    "r_amplitude_mv": "R amplitude, mV",
    "qrs_width_s": "QRS width, s",
    "qt_s": "QT interval, s",
    "t_amplitude_mv": "T amplitude, mV",
}
DISTANCE_ONLY = (
    "a distance finds copies, and the attack is a simple one: neither proves that membership cannot be inferred"
)
CHIEF = {
    "discriminative_accuracy": "told from real ones",
    "discriminative_score": "discriminative score",
    "predictive_score": "predictive score",
}
SPREADS = {"value": "spread", "baseline": "baseline_spread"}
NAMED = 8  # columns of a series that are named
SPANS_S = {"day": 86_400, "hour": 3600, "minute": 60, "second": 1}


def prepared_text(beats: Windows) -> str:
    """What 'ecgsynth prepare' found and what it dropped."""
    patients = 0 if beats.groups is None else len(set(beats.groups.tolist()))
    counts = ", ".join(f"{name} {count:,}" for name, count in beats.counts().items())
    lines = [f"{len(beats):,} beats of {beats.meta['records']} records and {patients} patients: {counts}"]
    for reason, count in beats.meta["dropped"].items():
        if count:
            lines.append(f"dropped {count:,} beats: {reason}")
    for name, reason in beats.meta["left_out"].items():
        lines.append(f"left out record {name}: {reason}")
    for name, stand_ins in beats.meta["stand_ins"].items():
        lines.append(
            f"record {name}: " + ", ".join(f"{taken} stands in for {lead}" for lead, taken in stand_ins.items())
        )
    return "\n".join(lines)


def read_text(series: Windows) -> str:
    """What was read from the table of a series, and what was left out."""
    about, steps = series.meta, series.values.shape[1]
    people, _ = persons_behind(series.labels, series.owners, len(series.classes))
    told = [
        (name, count) for (name, count), some in zip(series.counts().items(), people, strict=True) if some >= PERSONS
    ]
    counts = ", ".join(f"{name} {count:,}" for name, count in told)
    if len(told) < len(people):
        counts += f"{', ' if told else ''}{len(people) - len(told)} labels of fewer than {PERSONS} sequences"
    lines = [
        f"{len(series):,} windows of {steps} steps of {listed(series.channel_names)}"
        + (f": {counts}" if len(series.classes) > 1 else "")
    ]
    if about.get("filled"):
        lines.append(f"filled {about['filled']:,} missing values")
    lines += [f"dropped {count:,} windows: {reason}" for reason, count in about.get("dropped", {}).items()]
    if about.get("short"):
        lines.append(f"left out {about['short']:,} sequences: shorter than {steps} steps")
    if about.get("straddling") and about.get("split") != "none":
        lines.append(f"left out {about['straddling']:,} windows: across two blocks of time, which are kept apart")
    lines += [f"left out column {name}: it {reason}" for name, reason in about.get("left_out", {}).items()]
    if about.get("uneven"):
        lines.append(
            f"note: {about['uneven']:.1%} of the steps in time are not like the others; all are taken as equal"
        )
    return "\n".join(lines)


def table_text(measured: dict[str, Any]) -> str:
    """The utility test, the likeness and the distances as tables for the terminal."""
    lines = utility_lines(measured["utility"], what(measured)) if "utility" in measured else []
    width = 18 if is_series(measured) else 12  # that of a score with its spread
    lines.append("".join(["likeness".ljust(36), *(word.rjust(width) for word in ("synthetic", "baseline", "best"))]))
    for title, entry in likeness(measured):
        lines.append(f"  {title}".ljust(36) + "".join(figure.rjust(width) for figure in figures(entry)))
    lines += explained(measured)
    near = measured["privacy"]
    if is_series(measured):
        lines.append(
            f"nearest training window, in standard deviations: synthetic {short(near['median_distance_synthetic'])}, "
            f"held out {short(near['median_distance_unseen'])} (medians), ratio {short(near['ratio'])}; "
            f"copies {near['copies']}"
        )
    else:
        lines.append(
            f"nearest training beat: synthetic {near['median_distance_synthetic']:.4f} mV, held out "
            f"{near['median_distance_unseen']:.4f} mV (medians), ratio {near['ratio']:.2f}; copies {near['copies']}"
        )
    lines.append("membership attack, AUC (0.5 is best): " + attacked(measured))
    return "\n".join(lines + [f"note: {note}" for note in notes(measured)])


def utility_lines(found: dict[str, Any], called: str) -> list[str]:
    """The utility test as a table for the terminal."""
    lines = ["".join([f"F1 on real {called}".ljust(20), *(column.rjust(16) for column in MEANING)])]
    for i, name in enumerate(found["classes"]):
        lines.append(
            "".join([f"  {name}".ljust(20), *(number(found[arm]["f1_by_class"][i]).rjust(16) for arm in MEANING)])
        )
    for key, title in (("macro_f1", "macro-F1"), ("accuracy", "accuracy")):
        lines.append("".join([title.ljust(20), *(number(found[arm][key]).rjust(16) for arm in MEANING)]))
    lines += [f"{arm}: {meaning.format(what=called)}" for arm, meaning in MEANING.items()]
    return lines + over_patients(found)


def is_series(measured: dict[str, Any]) -> bool:
    return bool(measured.get("kind") == "series")


def what(measured: dict[str, Any]) -> str:
    return "windows" if is_series(measured) else "beats"


def number(value: dict[str, Any] | None) -> str:
    """Mean and spread of repeats, or a dash where a class is not in the test part."""
    return "-" if value is None else with_spread(value["mean"], value["std"])


def over_patients(found: dict[str, Any]) -> list[str]:
    """How uncertain macro-F1 is because the test part has few patients, where no patient is in two parts."""
    return [
        f"{arm}: macro-F1 {low:.2f} to {high:.2f}, 95 % interval over the {found['test_patients']} patients tested"
        for arm in MEANING
        for low, high in [found[arm].get("macro_f1_interval") or (None, None)]
        if low is not None
    ]


def likeness(measured: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Title and figures of each measure of likeness that was taken."""
    found = measured["fidelity"]
    return [
        (title.format(units=found["units"]), found["measures"][name])
        for name, title in LIKENESS.items()
        if name in found["measures"]
    ]


def short(value: float | None) -> str:
    """Four digits, or a dash where there is no number."""
    return "-" if value is None else f"{value:.4g}"


def figures(entry: dict[str, Any]) -> list[str]:
    """A measure of synthetic windows, its baseline and its best, with the spread of repeats where there are."""
    return [*(spread(entry[key], entry.get(of)) for key, of in SPREADS.items()), short(entry["best"])]


def spread(value: float | None, deviation: float | None) -> str:
    return short(value) if value is None or deviation is None else with_spread(value, deviation, 4)


def explained(measured: dict[str, Any]) -> list[str]:
    """What the baseline is, and what the scores are."""
    baseline = HALVES if measured["split"] == "none" else BESIDE.format(what=what(measured))
    return [*SCORES, baseline] if is_series(measured) else [baseline]


def attacked(measured: dict[str, Any]) -> str:
    """What the membership attack reached, on windows and, where it could be tried, on patients."""
    near, whose = measured["privacy"], "groups" if is_series(measured) else "patients"
    if near["membership_auc"] is None:
        return "not tried"
    found = f"{with_spread(near['membership_auc'], near['membership_auc_error'])} on {what(measured)}"
    if "patient_membership_auc" in near:
        whole = with_spread(near["patient_membership_auc"], near["patient_membership_auc_error"])
        found += f", {whole} on {whose}"
    return found


def notes(measured: dict[str, Any]) -> list[str]:
    """What has to be known to read the figures rightly."""
    found = [DISTANCE_ONLY]
    if measured["split"] == "beat":
        found.append(BY_BEAT)
    if not measured["same_training_part"]:
        found.append(UNKNOWN_DATA if measured["same_training_part"] is None else OTHER_DATA)
    if measured["split"] == "none":
        found.append(NOT_SPLIT)
    if not measured["fidelity"].get("steps_of_paper", True):
        found.append(FEWER_STEPS)
    return found


def likeness_tables(measured: dict[str, Any]) -> tuple[str, str]:
    """Two HTML tables: every measure with its baseline, best value and range, and those taken by class."""
    found = measured["fidelity"]
    classes = [name for name, count in found["windows"].items() if count]
    rows = "".join(
        f"<tr><td>{html.escape(title)}</td>"
        + "".join(f"<td>{figure}</td>" for figure in figures(entry))
        + "<td>{} to {}</td></tr>".format(*("∞" if end is None else f"{end:g}" for end in entry["range"]))
        for title, entry in likeness(measured)
    )
    head = "".join(f"<th>{word}</th>" for word in ("synthetic", "baseline", "best", "range"))
    by_class = "".join(
        f"<tr><td>{html.escape(title)}</td>"
        + "".join(f"<td>{beside(entry['by_class'].get(name))}</td>" for name in classes)
        + "</tr>"
        for title, entry in likeness(measured)
        if "by_class" in entry
    )
    names = "".join(f"<th>{html.escape(name)}<br><small>{found['windows'][name]:,}</small></th>" for name in classes)
    return (
        f"<table><tr><th></th>{head}</tr>{rows}</table>",
        f"<table><tr><th></th>{names}</tr>{by_class}</table>",
    )


def beside(entry: dict[str, Any] | None) -> str:
    """A figure of one class with its baseline."""
    return "-" if entry is None else f"{short(entry['value'])} ({short(entry['baseline'])})"


def manifest_text(manifest: Manifest, name: str, size: int) -> str:
    """A model's manifest as a person wants to read it."""
    data, training, metrics = manifest.data.to_json(), manifest.training, manifest.metrics
    source = data.get("source", {})
    series = manifest.kind == "series"
    rows = [
        *(made_of_series(manifest) if series else made_of_signal(manifest)),
        ("source", ", ".join(source[key] for key in ("name", "licence") if source.get(key)) or "unnamed"),
        ("cite", source.get("citation", "-")),
        ("model", str(training.get("model"))),
        ("measured", ", ".join(known_figures(metrics)) or "nothing yet"),
        ("contract", f"{manifest.contract}, {manifest.noise_dim} uniform numbers a window"),
    ]
    lines = [f"{name}: {size / 1e6:.2f} MB", *(f"  {key.ljust(12)} {value}" for key, value in rows)]
    if not series or len(manifest.classes) > 1:
        lines.append("  classes")
        lines += [f"    {entry.name.ljust(3)} {entry.share:7.2%}  {entry.meaning}" for entry in manifest.classes]
    return "\n".join(lines)


def rows_text(manifest: TableManifest, name: str, size: int) -> str:
    """The manifest of a generator of rows as a person wants to read it."""
    data, training = manifest.data, manifest.training
    asked = [column["name"] for column in manifest.columns if column.get("asked")]
    rows = [
        ("makes", f"synthetic rows of {len(manifest.columns)} columns"),
        ("asked for by", listed(asked) if asked else "nothing: this model makes rows as they come"),
        ("learnt from", f"{count(data, 'training_rows')} of {count(data, 'rows')} rows"),
        ("source", data.get("source", {}).get("name", "unnamed")),
        ("model", str(training.get("model"))),
        ("contract", f"{manifest.contract}, {manifest.noise_dim} uniform numbers a row"),
    ]
    lines = [f"{name}: {size / 1e6:.2f} MB", *(f"  {key.ljust(12)} {value}" for key, value in rows), "  columns"]
    width = max(len(column["name"]) for column in manifest.columns)
    lines += [
        f"    {column['name'].ljust(width)} {column['kind'].ljust(11)} {range_of(column)}"
        for column in manifest.columns
    ]
    return "\n".join(line.rstrip() for line in lines)


def count(data: dict[str, Any], name: str) -> str:
    """A count as a manifest tells it, rounded; a small one it does not tell."""
    told = data.get(name, "unknown")
    return f"fewer than {PERSONS}" if told is None else f"{told:,}" if isinstance(told, int) else str(told)


def range_of(column: dict[str, Any]) -> str:
    """What a column's values are, in few words."""
    if column["kind"] == "identifier":
        return f"made anew as {column['format']}"
    if "categories" in column:
        return listed([str(category) for category in column["categories"]])
    if column["kind"] == "datetime":
        return f"as {column.get('format') or 'times'}"
    return f"{column['minimum']:g} to {column['maximum']:g}"


def made_of_signal(manifest: Manifest) -> list[tuple[str, str]]:
    """What windows of a signal are, and of whom they were learnt."""
    data = manifest.data.to_json()
    return [
        ("makes", f"synthetic {manifest.kind}, {manifest.time} samples at {manifest.fs_hz:g} Hz "
                  f"({manifest.time / manifest.fs_hz:.2f} s), in {manifest.units}"),
        ("channels", ", ".join(manifest.channel_names)),
        ("event", "none" if manifest.event_index is None else f"R peak at sample {manifest.event_index}"),
        ("learnt from", f"{count(data, 'training_windows')} windows of {count(data, 'training_patients')} patients, "
                        f"split by {data.get('split')}"),
    ]  # fmt: skip


def made_of_series(manifest: Manifest) -> list[tuple[str, str]]:
    """What windows of a series are, and from what they were learnt."""
    data = manifest.data.to_json()
    about = data.get("series", {})
    statics = [column["name"] for column in about.get("statics", [])]
    columns = manifest.channel_names[: len(manifest.channel_names) - len(statics)]
    called = "column" if len(columns) == 1 else "columns"
    rows = [("makes", f"synthetic series, {manifest.time} steps of {len(columns)} {called} ({listed(columns)})")]
    if statics:
        rows.append(("statics", listed(statics)))
    if about.get("time"):
        rows.append(("time", f"{about['time']['name']}, a step is {step_of(about['time'])}"))
    split = data.get("split")
    groups = "not split" if split == "none" else f"of {count(data, 'training_patients')} groups, split by {split}"
    rows.append(
        ("learnt from", f"{count(data, 'training_windows')} windows" + (", " if split == "none" else " ") + groups)
    )
    return rows


def step_of(time: dict[str, Any]) -> str:
    """How far time goes in one step, in the words of a calendar or as a number."""
    step = time["step"]
    if time["kind"] != "datetime":
        return f"{step:g}"
    name, length = next((pair for pair in SPANS_S.items() if step >= pair[1]), ("second", 1))
    return f"{step / length:g} {name}" + ("" if step == length else "s")


def listed(names: Sequence[str]) -> str:
    """Names with commas between them, no more than NAMED."""
    return ", ".join([*names[:NAMED], *(["..."] if len(names) > NAMED else [])])


def known_figures(metrics: dict[str, Any]) -> list[str]:
    """What a manifest says was measured, in short: the training's own figures, then the chief ones of a report."""
    said = [f"{key.replace('_', ' ')} {value}" for key, value in metrics.items() if not isinstance(value, dict)]
    if "utility" in metrics:
        said += [f"macro-F1 {number(metrics['utility'][arm]['macro_f1'])} ({arm})" for arm in ("TSTR", "TRTR")]
    taken = metrics.get("fidelity", {}).get("measures", {})
    for name, title in CHIEF.items():
        if name in taken:
            said.append(f"{title} {taken[name]['value']:.3f}")
    if "privacy" in metrics:
        ratio = metrics["privacy"]["ratio"]
        said += [] if ratio is None else [f"distance ratio {ratio:.2f}"]
        said.append(f"copies {metrics['privacy']['copies']}")
    return said


def write_report(path: Path, measured: dict[str, Any], manifest: Manifest, picture: Path) -> None:
    """One HTML page with the figures, the notes and the picture, nothing loaded from elsewhere."""
    image = base64.b64encode(picture.read_bytes()).decode()
    near = "".join(
        f"<tr><td>{html.escape(key.replace('_', ' '))}</td><td>{short(value)}</td></tr>"
        for key, value in measured["privacy"].items()
    )
    over = over_patients(measured["utility"]) if "utility" in measured else []
    said = "".join(f"<li>{html.escape(note)}</li>" for note in [*over, *notes(measured)])
    about = html.escape(manifest_text(manifest, measured["model"], 0).split("\n", 1)[1])
    one, far = ("window", "standard deviations of each column") if is_series(measured) else ("beat", "mV")
    distances = f"root-mean-square distance to the nearest training {one} ({far})"
    of_each = "" if is_series(measured) else " of each class"
    page = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(measured["model"])}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}}
table{{border-collapse:collapse}}td,th{{padding:.3rem .8rem;border-bottom:1px solid #ddd;text-align:right}}
td:first-child,th:first-child{{text-align:left}}img{{max-width:100%}}pre{{background:#f6f6f6;padding:1rem;overflow:auto}}</style>
<h1>{html.escape(measured["model"])}</h1><ul>{said}</ul>
{usefulness(measured)}{likeness_section(measured)}
<h2>Privacy: {distances}, and the membership attack (0.5 is best)</h2>
<table>{near}</table>
<h2>Real and synthetic {one}s</h2><img alt="real and synthetic {one}s{of_each}" src="data:image/png;base64,{image}">
<h2>The generator</h2><pre>{about}</pre></html>
"""
    with atomic(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def usefulness(measured: dict[str, Any]) -> str:
    """The utility test as HTML; empty where there is none."""
    if "utility" not in measured:
        return ""
    found, called = measured["utility"], what(measured)
    head = "".join(
        f"<th>{arm}<br><small>{meaning.format(what=called)}</small></th>" for arm, meaning in MEANING.items()
    )
    body = "".join(
        f"<tr><td>{html.escape(title)}</td>" + "".join(f"<td>{number(value)}</td>" for value in values) + "</tr>"
        for title, values in [
            *(
                (f"F1 {name}", [found[arm]["f1_by_class"][i] for arm in MEANING])
                for i, name in enumerate(found["classes"])
            ),
            ("macro-F1", [found[arm]["macro_f1"] for arm in MEANING]),
            ("accuracy", [found[arm]["accuracy"] for arm in MEANING]),
        ]
    )
    title = f"Usefulness: a classifier tested on {found['test_windows']:,} real {called}, {found['repeats']} times"
    return f"<h2>{title}</h2>\n<table><tr><th></th>{head}</tr>{body}</table>\n"


def likeness_section(measured: dict[str, Any]) -> str:
    """The measures of likeness as HTML, and by class where they were taken so."""
    overall, by_class = likeness_tables(measured)
    beside = "real ones" if measured["split"] == "none" else "held-out ones"
    said = "<br>".join(map(html.escape, explained(measured)))
    title = f"Likeness: as many synthetic {what(measured)} beside {beside}, of each class"
    section = f"<h2>{title}</h2><p>{said}</p>{overall}"
    return section if is_series(measured) else section + f"\n<h3>By class: synthetic (baseline)</h3>{by_class}"
