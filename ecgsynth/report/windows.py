"""What a person reads of windows: what was prepared or read, and what was measured, as text and as a page."""

from pathlib import Path
from typing import Any

from ecgsynth.core.disclosure import PERSONS, persons_behind
from ecgsynth.export.manifest import Manifest
from ecgsynth.metrics.attacks.nearest import ATTACKS
from ecgsynth.metrics.utility import ARMS
from ecgsynth.report.audit import audit_section, audit_text
from ecgsynth.report.info import listed, manifest_text
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
    picture,
    preformatted,
    section,
    short,
    table,
    write_page,
)
from ecgsynth.windows.windows import Windows

__all__ = ["prepared_text", "read_text", "table_text", "write_report"]

OTHER_DATA = "this generator did not learn from the training part of these data, so it may have seen the test part"
UNKNOWN_DATA = (
    "whether this generator learnt from the training part of these data was not checked; its run folder knows (--run)"
)
BY_BEAT = "split by beat: beats of one patient are in all parts, so these figures say nothing about new patients"
BESIDE = "baseline: real training {what} in the place of the synthetic ones"
HALVES = "baseline: one random half of the real windows beside the other"
NOT_SPLIT = (
    "not split: the generator learnt from all real windows, so these figures say nothing about new data, and there is "
    "no unseen data to try a membership attack on"
)
FEWER_STEPS = "the networks of the scores had fewer updates than TimeGAN's paper gives them, so they are weaker"
NOT_TRIED = "not tried"


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
    shown = [
        (name, count) for (name, count), some in zip(series.counts().items(), people, strict=True) if some >= PERSONS
    ]
    counts = ", ".join(f"{name} {count:,}" for name, count in shown)
    if len(shown) < len(people):
        counts += f"{', ' if shown else ''}{len(people) - len(shown)} labels of fewer than {PERSONS} sequences"
    lines = [
        f"{len(series):,} windows of {steps} steps of {listed(series.channel_names)}"
        + (f": {counts}" if len(series.classes) > 1 else "")
    ]
    if about.get("filled"):
        lines.append(f"filled {about['filled']:,} missing values")
    lines += [f"dropped {count:,} windows: {reason}" for reason, count in about.get("dropped", {}).items()]
    if about.get("short"):
        lines.append(f"left out {about['short']:,} sequences: shorter than {steps} steps")
    if lost := about.get("lost_labels"):
        called = f" ({', '.join(lost['names'])})" if lost["names"] else ""
        labels = "label has" if lost["count"] == 1 else "labels have"
        lines.append(
            f"left out: {lost['count']} {labels} no window of {steps} steps{called}; a smaller --length keeps more"
        )
    if about.get("straddling") and about.get("split") != "none":
        lines.append(f"left out {about['straddling']:,} windows: across two blocks of time, which are kept apart")
    lines += [f"left out column {name}: it {reason}" for name, reason in about.get("left_out", {}).items()]
    if about.get("uneven"):
        lines.append(
            f"note: {about['uneven']:.1%} of the steps in time are not like the others; all are taken as equal"
        )
    return "\n".join(lines)


# ---- the terminal


def table_text(measured: dict[str, Any]) -> str:
    """The utility test, the likeness, the distances and the attacks as tables for the terminal."""
    words, near = measured["words"], measured["privacy"]
    lines = utility_lines(measured["utility"], what(measured)) if "utility" in measured else []
    entries = measured["fidelity"]["measures"]
    lines += columns(["likeness", *MEASURED[:3]], [row[:4] for row in measure_rows(entries)])
    lines += [*measure_notes(entries), baseline(measured)]
    lines.append(
        f"nearest training {words['window']}, in {words['distances']}: synthetic "
        f"{short(near['median_distance_synthetic'])}, held out {short(near['median_distance_unseen'])} (medians), "
        f"ratio {short(near['ratio'])}; copies {near['copies']}"
    )
    tried = attack_rows(ATTACKS, near, words) or [[NOT_TRIED]]
    lines += columns(["attacks", "AUC (0.5 is best)"], tried)
    lines += [audit_text(measured["audit"])] if "audit" in measured else []
    return "\n".join(lines + [f"note: {note}" for note in notes(measured)])


def utility_lines(found: dict[str, Any], called: str) -> list[str]:
    """The utility test as a table for the terminal."""
    head, *rows = utility_rows(found, called)
    return [*columns(head, rows), *arm_lines(ARMS, called), *over_patients(found)]


def utility_rows(found: dict[str, Any], called: str) -> list[list[str]]:
    """The utility test: a head, then a row for each figure."""
    rows = [[f"on real {called}", *(arm.name for arm in ARMS)]]
    for place, name in enumerate(found["classes"]):
        rows.append([f"F1 {name}", *(number(found[arm.name]["f1_by_class"][place]) for arm in ARMS)])
    for key, title in (("macro_f1", "macro-F1"), ("accuracy", "accuracy")):
        rows.append([title, *(number(found[arm.name][key]) for arm in ARMS)])
    return rows


def over_patients(found: dict[str, Any]) -> list[str]:
    """How uncertain macro-F1 is because the test part has few patients, where no patient is in two parts."""
    return [
        f"{arm.name}: macro-F1 {low:.2f} to {high:.2f}, 95 % interval over the {found['test_patients']} patients tested"
        for arm in ARMS
        for low, high in [found[arm.name].get("macro_f1_interval") or (None, None)]
        if low is not None
    ]


def what(measured: dict[str, Any]) -> str:
    """What the windows are called, several of them."""
    return f"{measured['words']['window']}s"


def baseline(measured: dict[str, Any]) -> str:
    """What the baseline of the likeness is."""
    return HALVES if measured["split"] == "none" else BESIDE.format(what=what(measured))


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


# ---- the page


def write_report(path: Path, measured: dict[str, Any], manifest: Manifest, image: Path) -> None:
    """One HTML page with the figures, the notes and the picture.

    Parameters
    ----------
    path
        The file to write.
    measured
        What stands in metrics.json.
    manifest
        What the generator says of itself.
    image
        The picture of real and synthetic windows, a PNG file.

    """
    windows, found = what(measured), measured.get("utility")
    parts = [bullets([*(over_patients(found) if found else []), *notes(measured)])]
    if found is not None:
        head, *rows = utility_rows(found, windows)
        title = f"Usefulness: a classifier tested on {found['test_windows']:,} real {windows}, {found['repeats']} times"
        parts.append(section(title, table(head, rows), paragraph(arm_lines(ARMS, windows))))
    parts += [likeness_section(measured), privacy_section(measured)]
    parts += [audit_section(measured["audit"])] if "audit" in measured else []
    shown = f"Real and synthetic {windows}"
    parts.append(section(shown, picture(shown, image)))
    parts.append(section("The generator", preformatted(manifest_text(manifest, "", 0).split("\n", 1)[1])))
    write_page(path, measured["model"], parts)


def likeness_section(measured: dict[str, Any]) -> str:
    """The measures of likeness, and by class where they were taken so."""
    beside = "real ones" if measured["split"] == "none" else "held-out ones"
    entries = measured["fidelity"]["measures"]
    said = paragraph([*measure_notes(entries), baseline(measured)])
    parts = [said, table(["", *MEASURED], measure_rows(entries))]
    rows = class_rows(measured["fidelity"])
    if len(rows) > 1:
        parts += ["<h3>By class: synthetic (baseline)</h3>", table(rows[0], rows[1:])]
    return section(f"Likeness: as many synthetic {what(measured)} beside {beside}, of each class", *parts)


def class_rows(found: dict[str, Any]) -> list[list[str]]:
    """The measures that were taken by class: a head with the number of windows, then a row for each."""
    classes = [name for name, count in found["windows"].items() if count]
    rows = [["", *(f"{name} ({found['windows'][name]:,})" for name in classes)]]
    for entry in found["measures"].values():
        if "by_class" in entry:
            rows.append([entry["title"], *(beside_baseline(entry["by_class"].get(name)) for name in classes)])
    return rows


def beside_baseline(entry: dict[str, Any] | None) -> str:
    """A figure of one class with its baseline."""
    return "-" if entry is None else f"{short(entry['value'])} ({short(entry['baseline'])})"


def privacy_section(measured: dict[str, Any]) -> str:
    """The attacks, and all that was counted and measured of distances."""
    words, near = measured["words"], measured["privacy"]
    of_attacks = {f"{attack.name}_{key}" for attack in ATTACKS for key in ("auc", "auc_error")}
    rows = [[key.replace("_", " "), short(value)] for key, value in near.items() if key not in of_attacks]
    tried = attack_rows(ATTACKS, near, words) or [[NOT_TRIED, "-"]]
    distances = f"root-mean-square distance to the nearest training {words['window']} ({words['distances']})"
    return section(f"Privacy: {distances}", table(["", ""], rows), table(["attacks", "AUC (0.5 is best)"], tried))
