"""What a generator of people is worth, and what it gives away: over random halves of the people of MIT-BIH.

    python benchmarks/people.py run MITDB -o runs/people [--split 0 --split 1 ...] [--seeds 2] [--steps 600]
    python benchmarks/people.py table runs/people

Of the 47 people 24 are learnt from, with the first 55 % of each recording; 5 of the others choose the best step, 18
test. Beats of the last 40 % of the members' recordings are the attacker's, and the test of use for the same people.
Classes N, S and V: those that enough people have; halves in which a class has too few are drawn anew. What was measured
of a split and seed is a file of its own; what is there is not done again, so a run that was stopped goes on.

The classifier was fixed before any figure was seen: the package's CNN with RR intervals, 500 updates of 128 beats.
"""

import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ecgsynth.auditing import audit
from ecgsynth.core.config import TrainConfig
from ecgsynth.core.disclosure import LEAST_PEOPLE
from ecgsynth.core.spread import mean_and_spread
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.metrics.classification import confusion_matrix, f1_by_class
from ecgsynth.metrics.classifier import BeatClassifier, ClassifierConfig, predict, train_classifier
from ecgsynth.metrics.utility import inputs
from ecgsynth.models.people.population import persons_of_classes
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.windows.beats import read_beats
from ecgsynth.windows.windows import PARTS, Windows

CLASSES = ("N", "S", "V")
MEMBERS, CHOOSING = 24, 5  # people learnt from, and those by whom the best step is chosen
LEARNT, LATE = 0.55, 0.60  # of a recording: what is learnt ends, what the attacker has begins
CLASSIFIER = ClassifierConfig(width=32, steps=500, batch=128)
DISCRIMINATOR = ClassifierConfig(width=16, steps=300, batch=128)
DISCRIMINATED = (
    3000  # beats of a class, real and synthetic, from which a CNN learns to tell them apart, and as many more
)
CONFIDENCE = 0.95


def halves(beats: Windows, split: int) -> Windows:
    """The beats in their parts, for one random half of the people; what is in no part is left out."""
    rng = np.random.default_rng([14, split])
    people, owner = np.unique(np.asarray(beats.groups), return_inverse=True)
    progress = np.concatenate([(np.arange(count) + 0.5) / count for count in np.bincount(owner)])
    when = np.empty(len(beats))
    when[np.argsort(owner, kind="stable")] = progress
    while True:
        rank = rng.permutation(len(people))[owner]
        learnt = (rank < MEMBERS) & (when <= LEARNT)
        if persons_of_classes(beats.labels[learnt], owner[learnt], len(CLASSES)).min() >= LEAST_PEOPLE:
            break
    parts = np.full(len(beats), -1)
    parts[learnt] = PARTS.index("train")
    parts[(rank < MEMBERS) & (when > LATE)] = PARTS.index("later")
    parts[(rank >= MEMBERS) & (rank < MEMBERS + CHOOSING)] = PARTS.index("validation")
    parts[rank >= MEMBERS + CHOOSING] = PARTS.index("test")
    found = dataclasses.replace(beats, parts=parts.astype(np.int8), meta=beats.meta | {"split": "patient"})
    return found.take(parts >= 0)


def f1_of(sets: list[Windows], tests: dict[str, Windows], seed: int) -> dict[str, list[float]]:
    """F1 by class, on each of the tests, of the classifier that learns from some sets of beats."""
    values = np.concatenate([inputs(one, rhythm=True) for one in sets])
    labels = np.concatenate([one.labels for one in sets])
    build = partial(BeatClassifier, sets[0].values.shape[2], len(CLASSES), CLASSIFIER.width, 2)
    net = train_classifier(build, values, labels, CLASSIFIER, seed=seed)
    guesses = {name: predict(net, inputs(test, rhythm=True)) for name, test in tests.items()}
    return {
        name: f1_by_class(confusion_matrix(tests[name].labels, guess, len(CLASSES))).tolist()
        for name, guess in guesses.items()
    }


def told_apart(made: dict[str, NDArray[np.float32]], learn: Windows, test: Windows, seed: int) -> dict[str, float]:
    """How often a CNN tells real from synthetic beats of a class, both of people whom it has not seen; by class.

    ``made``: twice DISCRIMINATED synthetic beats of each. Every real person weighs the same.
    """
    found = {}
    rng = np.random.default_rng(seed)
    for code, name in enumerate(CLASSES):
        real = [of_people(part, code, rng) for part in (learn, test)]
        fake = np.split(made[name][: 2 * DISCRIMINATED], 2)
        x, check = (np.concatenate(pair) for pair in zip(real, fake, strict=True))
        y = np.repeat(np.array([1, 0]), DISCRIMINATED)
        build = partial(BeatClassifier, x.shape[2], 2, DISCRIMINATOR.width)
        net = train_classifier(build, x, y, DISCRIMINATOR, seed=seed)
        found[name] = float((predict(net, check) == y).mean())
    return found


def of_people(windows: Windows, code: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """DISCRIMINATED beats of a class, drawn with repetition, every person with twenty or more weighing the same."""
    own = windows.take(windows.labels == code)
    _, owner = np.unique(np.asarray(own.groups), return_inverse=True)
    weights = 1 / np.maximum(np.bincount(owner), 20)[owner]
    return own.values[rng.choice(len(own), DISCRIMINATED, p=weights / weights.sum())]


def measure(beats: Windows, split: int, seed: int, steps: int, folder: Path) -> dict[str, Any]:
    """Everything that is measured of one split and seed; the attacks with the first seed only."""
    real = halves(beats, split)
    learn = real.part("train")
    run = folder / f"run-{split}-{seed}"
    training = TrainConfig(steps=steps, seed=seed, validations=3)
    made = Synthesizer.fit(real, run, training=training, device="cpu", resume=(run / "config.json").exists())
    new = made.windows(len(learn), seed=seed)
    tests = {"others": real.part("test"), "same": real.part("later")}
    line: dict[str, Any] = {"split": split, "seed": seed, "steps": steps, "best_step": made.about.metrics["best_step"]}
    for name, sets in {"real": [learn], "new": [new], "both": [learn, new]}.items():
        line[name] = f1_of(sets, tests, seed)
    drawn = {name: made.windows(2 * DISCRIMINATED, name, seed=seed + 1000).values for name in CLASSES}
    line["told_apart"] = told_apart(drawn, learn, real.part("test"), seed)
    if seed == 0:
        made.export(folder / f"model-{split}.onnx", force=True)
        line["audit"] = audit(OnnxSampler(folder / f"model-{split}.onnx"), real, run=run, seed=seed)
    return line


# ---- the table


def interval(values: list[float]) -> str:
    """Mean and 95 % interval over splits, by Student's t."""
    mean, spread = mean_and_spread(np.asarray(values))
    if spread is None:
        return f"{mean:.3f}"
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * spread / np.sqrt(len(values)))
    return f"{mean:.3f} [{mean - half:.3f}, {mean + half:.3f}]"


def by_split(lines: list[dict[str, Any]], take: Any) -> list[float]:
    """A figure of each split, the mean over its seeds."""
    splits = sorted({line["split"] for line in lines})
    return [float(np.mean([take(line) for line in lines if line["split"] == split])) for split in splits]


def rows_of(lines: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What the table says, row by row."""

    def macro(arm: str, test: str) -> Any:
        return lambda line: np.mean(line[arm][test])

    rows = []
    for test in ("others", "same"):
        means = {arm: by_split(lines, macro(arm, test)) for arm in ("real", "new", "both")}
        rows += [(f"macro-F1 on {test} people, learnt from {arm}", interval(found)) for arm, found in means.items()]
        ratio = [new / real for new, real in zip(means["new"], means["real"], strict=True)]
        gain = [both - real for both, real in zip(means["both"], means["real"], strict=True)]
        rows.append((f"{test}: TSTR / TRTR, paired", interval(ratio)))
        rows.append((f"{test}: real and new people less real alone, paired", interval(gain)))
        for code, name in enumerate(CLASSES):
            for arm in ("real", "new"):
                found = by_split(lines, lambda line, a=arm, t=test, c=code: line[a][t][c])
                rows.append((f"{test}: F1 of {name}, learnt from {arm}", interval(found)))
    for name in CLASSES:
        rows.append((f"told apart, {name}", interval(by_split(lines, lambda line, n=name: line["told_apart"][n]))))
    audited = [line for line in lines if "audit" in line]
    for attack in {name: None for line in audited for name in line["audit"]["attacks"]}:
        for figure in ("auc", "tpr_1", "tpr_10", "relative_f1"):
            found = by_split(audited, lambda line, a=attack, f=figure: line["audit"]["attacks"][a][f])
            rows.append((f"attack by {attack.replace('_', ' ')}: {figure}", interval(found)))
    found = [line["audit"]["linkage"] for line in audited if line["audit"]["linkage"]]
    if found:
        rows.append(("recognised beats", interval([one["recognised"] for one in found])))
    members = [line["audit"]["reconstruction"]["members"] for line in audited]
    if members:
        people = sum(one["persons"] for one in members)
        for figure, title in (("persons_like", "correlates > 0.99"), ("persons_nearer", "is nearer than their halves")):
            rows.append(
                (f"members of whom a centre or cluster {title}", f"{sum(one[figure] for one in members)} of {people}")
            )
    return rows


@click.group()
def main() -> None:
    """Measure generators of people over random halves of the people of MIT-BIH."""


@main.command("run")
@click.argument("mitdb", type=click.Path(path_type=Path))
@click.option("-o", "--output", default=Path("runs/people"), type=click.Path(path_type=Path))
@click.option("--split", "splits", multiple=True, type=int, default=range(5), help="Which random halves.")
@click.option("--seeds", default=2, show_default=True)
@click.option("--steps", default=600, show_default=True, help="Updates of each generator.")
def run_all(mitdb: Path, output: Path, splits: tuple[int, ...], seeds: int, steps: int) -> None:
    """Train, test and attack; a line of results for each split and seed."""
    output.mkdir(parents=True, exist_ok=True)
    beats = read_beats(mitdb).keep_classes(CLASSES)
    for split in splits:
        for seed in range(seeds):
            path = output / f"result-{split}-{seed}.json"
            if not path.exists():
                line = measure(beats, split, seed, steps, output)
                path.write_text(json.dumps(line), encoding="utf-8")
                click.echo(f"{path.name}: " + "; ".join(f"{name} {value}" for name, value in rows_of([line])))


@main.command("table")
@click.argument("folder", type=click.Path(path_type=Path))
def table(folder: Path) -> None:
    """Print the table of all results that are there."""
    lines = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("result-*.json"))]
    click.echo(f"{len(lines)} results of {len({line['split'] for line in lines})} splits")
    for name, value in rows_of(lines):
        click.echo(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
