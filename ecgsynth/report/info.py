"""What `ecgsynth info` says of a generator: its manifest as a person wants to read it."""

from collections.abc import Sequence
from typing import Any

from ecgsynth.core.disclosure import PERSONS
from ecgsynth.core.levels import Level
from ecgsynth.core.spread import with_spread
from ecgsynth.export.kinds import row_kind
from ecgsynth.export.manifest import Manifest, TableManifest

__all__ = ["listed", "manifest_text", "rows_text"]

MAY = {
    "internal": "this file is personal data and stays where the data may be",
    "controlled": "this file may go to a known receiver under a contract",
    "public": "this file may be published",
}
MOST_NAMES = 8  # columns that are named
SPANS_S = {"day": 86_400, "hour": 3600, "minute": 60, "second": 1}
# What was measured before measures had titles of their own, as in a file of version 0.1.0.
UNTITLED = {
    "discriminative_accuracy": "discriminator's accuracy",
    "discriminative_score": "discriminative score",
    "predictive_score": "predictive score",
}


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
        ("level", level_text(manifest.release)),
        ("measured", ", ".join(known_figures(metrics)) or "nothing yet"),
        ("contract", f"{manifest.contract}, {manifest.noise_dim} uniform numbers a window"
                     + (f", {manifest.person_dim} a person" if manifest.person_dim else "")),
    ]  # fmt: skip
    lines = [f"{name}: {size / 1e6:.2f} MB", *(f"  {key.ljust(12)} {value}" for key, value in rows)]
    if not series or len(manifest.classes) > 1:
        lines.append("  classes")
        lines += [f"    {entry.name.ljust(3)} {entry.share:7.2%}  {entry.meaning}" for entry in manifest.classes]
    return "\n".join(lines)


def rows_text(manifest: TableManifest, name: str, size: int) -> str:
    """The manifest of a generator of rows as a person wants to read it."""
    data, training = manifest.data, manifest.training
    asked = [column.name for column in manifest.columns if column.asked]
    rows = [
        ("makes", f"synthetic rows of {len(manifest.columns)} columns"),
        ("asked for by", listed(asked) if asked else "nothing: this model makes rows as they come"),
        ("learnt from", f"{count(data, 'training_rows')} of {count(data, 'rows')} rows"),
        ("source", data.get("source", {}).get("name", "unnamed")),
        ("model", str(training.get("model"))),
        ("level", level_text(manifest.release)),
        ("contract", f"{manifest.contract}, {manifest.noise_dim} uniform numbers a row"),
    ]
    lines = [f"{name}: {size / 1e6:.2f} MB", *(f"  {key.ljust(12)} {value}" for key, value in rows), "  columns"]
    width = max(len(column.name) for column in manifest.columns)
    lines += [
        f"    {column.name.ljust(width)} {column.kind.ljust(11)} {row_kind(column).said(column)}"
        for column in manifest.columns
    ]
    return "\n".join(line.rstrip() for line in lines)


def level_text(level: Level) -> str:
    """The level of release that a file has earned, in one sentence."""
    why = f"; {'; '.join(level.reasons)}" if level.reasons else ""
    return f"{level.name}: {MAY[level.name]}{why}"


def count(data: dict[str, Any], name: str) -> str:
    """A count as a manifest publishes it, rounded; a small one is not published."""
    number = data.get(name, "unknown")
    return f"fewer than {PERSONS}" if number is None else f"{number:,}" if isinstance(number, int) else str(number)


def made_of_signal(manifest: Manifest) -> list[tuple[str, str]]:
    """What windows of a signal are, and how many persons they were learnt from."""
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
    if about.get("rules"):
        rows.append(("rules", listed(rules_said([(low, high) for low, high in about["rules"]]))))
    if about.get("time"):
        start = about["time"].get("start")
        begins = f", windows start at a time of the {start}" if start else ""
        rows.append(("time", f"{about['time']['name']}, a step is {step_of(about['time'])}{begins}"))
    split = data.get("split")
    groups = "not split" if split == "none" else f"of {count(data, 'training_patients')} groups, split by {split}"
    rows.append(
        ("learnt from", f"{count(data, 'training_windows')} windows" + (", " if split == "none" else " ") + groups)
    )
    return rows


def rules_said(pairs: list[tuple[str, str]]) -> list[str]:
    """Rules between columns in words, without those that follow from others."""
    known = set(pairs)
    same = {pair for pair in known if pair[::-1] in known}
    lower = known - same
    follows = {(low, high) for low, middle in lower for other, high in lower if middle == other}
    return [
        *(f"{low} <= {high}" for low, high in pairs if (low, high) in lower - follows),
        *(f"{one} = {other}" for one, other in pairs if (one, other) in same and one < other),
    ]


def step_of(time: dict[str, Any]) -> str:
    """How far time goes in one step, in the words of a calendar or as a number."""
    step = time["step"]
    if time["kind"] != "datetime":
        return f"{step:g}"
    name, length = next((pair for pair in SPANS_S.items() if step >= pair[1]), ("second", 1))
    return f"{step / length:g} {name}" + ("" if step == length else "s")


def listed(names: Sequence[str]) -> str:
    """Names with commas between them, no more than MOST_NAMES."""
    return ", ".join([*names[:MOST_NAMES], *(["..."] if len(names) > MOST_NAMES else [])])


def known_figures(metrics: dict[str, Any]) -> list[str]:
    """What a manifest says was measured, in short: the training's own figures, then the chief ones of a report."""
    said = [f"{key.replace('_', ' ')} {value}" for key, value in metrics.items() if not isinstance(value, dict)]
    if "utility" in metrics:
        means = {arm: metrics["utility"][arm]["macro_f1"] for arm in ("TSTR", "TRTR")}
        said += [f"macro-F1 {with_spread(mean['mean'], mean['std'])} ({arm})" for arm, mean in means.items()]
    for name, entry in metrics.get("fidelity", {}).get("measures", {}).items():
        chief = entry["title"] if entry.get("chief") else None if "title" in entry else UNTITLED.get(name)
        if chief is not None and entry["value"] is not None:
            said.append(f"{chief} {entry['value']:.3f}")
    if "privacy" in metrics:
        ratio = metrics["privacy"]["ratio"]
        said += [] if ratio is None else [f"distance ratio {ratio:.2f}"]
        said.append(f"copies {metrics['privacy']['copies']}")
    return said
