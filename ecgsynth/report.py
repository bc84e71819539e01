"""What a person reads: text for the terminal and one HTML page. It formats numbers and computes none."""

import base64
import html
from pathlib import Path
from typing import Any

from ecgsynth.export.manifest import Manifest
from ecgsynth.files import atomic
from ecgsynth.windows import Windows

__all__ = ["manifest_text", "prepared_text", "table_text", "write_report"]

MEANING = {
    "TRTR": "trained on real beats",
    "TSTR": "trained on synthetic beats",
    "augmented": "trained on real beats, rare classes topped up with synthetic ones",
}
OTHER_DATA = "this generator did not learn from the training part of these data, so it may have seen the test part"
BY_BEAT = "split by beat: beats of one patient are in all parts, so these figures say nothing about new patients"
BESIDE = "baseline: real training beats in the place of the synthetic ones"
LIKENESS = {
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


def table_text(measured: dict[str, Any]) -> str:
    """The utility test, the likeness and the distances as tables for the terminal."""
    found = measured["utility"]
    lines = ["".join(["F1 on real beats".ljust(20), *(column.rjust(16) for column in MEANING)])]
    for i, name in enumerate(found["classes"]):
        lines.append(
            "".join([f"  {name}".ljust(20), *(number(found[arm]["f1_by_class"][i]).rjust(16) for arm in MEANING)])
        )
    for key, title in (("macro_f1", "macro-F1"), ("accuracy", "accuracy")):
        lines.append("".join([title.ljust(20), *(number(found[arm][key]).rjust(16) for arm in MEANING)]))
    lines += [f"{arm}: {meaning}" for arm, meaning in MEANING.items()]
    lines += over_patients(found)
    lines.append("".join(["likeness".ljust(36), *(word.rjust(12) for word in ("synthetic", "baseline", "best"))]))
    for title, entry in likeness(measured):
        numbers = "".join(short(entry[key]).rjust(12) for key in ("value", "baseline", "best"))
        lines.append(f"  {title}".ljust(36) + numbers)
    lines.append(BESIDE)
    near = measured["privacy"]
    lines.append(
        f"nearest training beat: synthetic {near['median_distance_synthetic']:.4f} mV, held out "
        f"{near['median_distance_unseen']:.4f} mV (medians), ratio {near['ratio']:.2f}; copies {near['copies']}"
    )
    lines.append("membership attack, AUC (0.5 is best): " + attacked(near))
    return "\n".join(lines + [f"note: {note}" for note in notes(measured)])


def number(value: dict[str, Any] | None) -> str:
    """Mean and spread, or a dash where a class is not in the test part."""
    if value is None:
        return "-"
    return f"{value['mean']:.3f} ± {value['std']:.3f}"


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


def attacked(near: dict[str, Any]) -> str:
    """What the membership attack reached, on beats and, where it could be tried, on patients."""
    found = f"{near['membership_auc']:.3f} ± {near['membership_auc_error']:.3f} on beats"
    if "patient_membership_auc" in near:
        found += f", {near['patient_membership_auc']:.3f} ± {near['patient_membership_auc_error']:.3f} on patients"
    return found


def notes(measured: dict[str, Any]) -> list[str]:
    """What has to be known to read the figures rightly."""
    found = [DISTANCE_ONLY]
    if measured["split"] == "beat":
        found.append(BY_BEAT)
    if not measured["same_training_part"]:
        found.append(OTHER_DATA)
    return found


def likeness_tables(measured: dict[str, Any]) -> tuple[str, str]:
    """Two HTML tables: every measure with its baseline, best value and range, and those taken by class."""
    found = measured["fidelity"]
    classes = [name for name, count in found["windows"].items() if count]
    rows = "".join(
        f"<tr><td>{html.escape(title)}</td>"
        + "".join(f"<td>{short(entry[key])}</td>" for key in ("value", "baseline", "best"))
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
    data, training, metrics = manifest.data, manifest.training, manifest.metrics
    source = data.get("source", {})
    rows = [
        ("makes", f"synthetic {manifest.kind}, {manifest.time} samples at {manifest.fs_hz:g} Hz "
                  f"({manifest.time / manifest.fs_hz:.2f} s), in {manifest.units}"),
        ("channels", ", ".join(manifest.channel_names)),
        ("event", "none" if manifest.event_index is None else f"R peak at sample {manifest.event_index}"),
        ("learnt from", f"{data.get('training_windows', 0):,} windows of {data.get('training_patients')} patients, "
                        f"split by {data.get('split')}"),
        ("source", ", ".join(source[key] for key in ("name", "licence") if source.get(key)) or "unnamed"),
        ("cite", source.get("citation", "-")),
        ("model", f"{training.get('model')}, seed {training.get('config', {}).get('seed')}"),
        ("measured", ", ".join(known_figures(metrics)) or "nothing yet"),
        ("contract", f"{manifest.contract}, {manifest.noise_dim} uniform numbers a window"),
    ]  # fmt: skip
    lines = [f"{name}: {size / 1e6:.2f} MB", *(f"  {key.ljust(12)} {value}" for key, value in rows), "  classes"]
    lines += [f"    {entry.name.ljust(3)} {entry.share:7.2%}  {entry.meaning}" for entry in manifest.classes]
    return "\n".join(lines)


def known_figures(metrics: dict[str, Any]) -> list[str]:
    """What a manifest says was measured, in short: the training's own figures, then the chief ones of a report."""
    said = [f"{key.replace('_', ' ')} {value}" for key, value in metrics.items() if not isinstance(value, dict)]
    if "utility" in metrics:
        said += [f"macro-F1 {number(metrics['utility'][arm]['macro_f1'])} ({arm})" for arm in ("TSTR", "TRTR")]
    if "fidelity" in metrics:
        said.append(f"told from real ones {metrics['fidelity']['measures']['discriminative_accuracy']['value']:.3f}")
    if "privacy" in metrics:
        said.append(f"distance ratio {metrics['privacy']['ratio']:.2f}, copies {metrics['privacy']['copies']}")
    return said


def write_report(path: Path, measured: dict[str, Any], manifest: Manifest, picture: Path) -> None:
    """One HTML page with the figures, the notes and the picture, nothing loaded from elsewhere."""
    found = measured["utility"]
    image = base64.b64encode(picture.read_bytes()).decode()
    head = "".join(f"<th>{arm}<br><small>{meaning}</small></th>" for arm, meaning in MEANING.items())
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
    near = "".join(
        f"<tr><td>{html.escape(key.replace('_', ' '))}</td><td>{value:.4g}</td></tr>"
        for key, value in measured["privacy"].items()
    )
    overall, by_class = likeness_tables(measured)
    said = "".join(f"<li>{html.escape(note)}</li>" for note in [*over_patients(found), *notes(measured)])
    about = html.escape(manifest_text(manifest, measured["model"], 0).split("\n", 1)[1])
    page = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(measured["model"])}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}}
table{{border-collapse:collapse}}td,th{{padding:.3rem .8rem;border-bottom:1px solid #ddd;text-align:right}}
td:first-child,th:first-child{{text-align:left}}img{{max-width:100%}}pre{{background:#f6f6f6;padding:1rem;overflow:auto}}</style>
<h1>{html.escape(measured["model"])}</h1><ul>{said}</ul>
<h2>Usefulness: a classifier tested on {found["test_windows"]:,} real beats, {found["repeats"]} times</h2>
<table><tr><th></th>{head}</tr>{body}</table>
<h2>Likeness: as many synthetic beats beside held-out ones, of each class</h2><p>{BESIDE}</p>{overall}
<h3>By class: synthetic (baseline)</h3>{by_class}
<h2>Privacy: root-mean-square distance to the nearest training beat (mV), and the membership attack (0.5 is best)</h2>
<table>{near}</table>
<h2>Real and synthetic beats</h2><img alt="real and synthetic beats of each class" src="data:image/png;base64,{image}">
<h2>The generator</h2><pre>{about}</pre></html>
"""
    with atomic(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
