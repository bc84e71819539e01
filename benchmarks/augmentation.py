"""Does adding synthetic beats help a classifier more than the usual remedies for rare classes?

    python benchmarks/augmentation.py BEATS -o runs/augmentation [--share 0.01] [--rhythm] [--repeats 5]

BEATS comes from 'ecgsynth prepare'. Only a share of its training beats is taken as known: the generator learns from
them and the classifiers too. The validation and test parts are whole. Arms:

    none       the known real beats                       weights    the same, the loss weighted by 1 / class size
    SMOTE      rare classes topped up by SMOTE            synthetic  rare classes topped up by the generator
    TSTR       synthetic beats only, as many as are known

SMOTE and the generator top up alike, to a quarter of the commonest class. What is done is kept and not done again; the
table is printed, and stands in results.json.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.config import TrainConfig
from ecgsynth.core.files import write_json
from ecgsynth.core.spread import with_spread
from ecgsynth.metrics.classifier import BeatClassifier, ClassifierConfig, predict, train_classifier
from ecgsynth.metrics.utility import ARMS as UTILITY_ARMS
from ecgsynth.metrics.utility import confusion_by_patient, inputs, summary, top_up_counts, training_set
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.windows.splits import BY_PERSON
from ecgsynth.windows.windows import Windows

ARMS = ("none", "weights", "SMOTE", "synthetic", "TSTR")
NEIGHBOURS = 5  # of SMOTE, or fewer where a class has fewer


def known_part(beats: Windows, share: float, seed: int) -> Windows:
    """All but the training beats that are not known: a random share of each class is, at least two of it."""
    rng = np.random.default_rng(seed)
    parts = np.asarray(beats.parts)
    kept = parts != 0
    for code in range(len(beats.classes)):
        own = np.flatnonzero((parts == 0) & (beats.labels == code))
        kept[rng.permutation(own)[: max(2, round(share * len(own)))]] = True
    return beats.take(kept)


def smote(x: NDArray[np.float32], y: NDArray[np.int64], learn: Windows, seed: int) -> tuple[Any, Any]:
    """Inputs and labels with the rare classes topped up by SMOTE (Chawla et al. 2002; imbalanced-learn)."""
    from imblearn.over_sampling import SMOTE

    counts, extra = learn.counts(), top_up_counts(learn)
    wanted = {code: counts[name] + extra[name] for code, name in enumerate(learn.classes)}
    neighbours = min(NEIGHBOURS, min(counts[name] for name in learn.classes if extra[name]) - 1)
    sampler = SMOTE(sampling_strategy=wanted, k_neighbors=neighbours, random_state=seed)
    flat, labels = sampler.fit_resample(x.reshape(len(x), -1), y)
    return flat.reshape(-1, *x.shape[1:]).astype(np.float32), labels.astype(np.int64)


def test_arm(
    arm: str, learn: Windows, test: Windows, model: Synthesizer, config: ClassifierConfig, seed: int, *, rhythm: bool
) -> NDArray[np.int64]:
    """(patients, classes, classes) confusions of one classifier on the test part."""
    real, labels = inputs(learn, rhythm=rhythm), learn.labels
    weights = None
    if arm == "weights":
        counts = np.bincount(labels, minlength=len(learn.classes))
        weights = (len(labels) / (len(counts) * np.maximum(counts, 1))).astype(np.float32)
    elif arm == "SMOTE":
        real, labels = smote(real, labels, learn, seed)
    elif arm in ("synthetic", "TSTR"):
        name = "augmented" if arm == "synthetic" else arm
        (of_test,) = (one for one in UTILITY_ARMS if one.name == name)
        real, labels = training_set(of_test, learn, model.sample, seed, rhythm=rhythm)
    build = partial(BeatClassifier, learn.values.shape[2], len(learn.classes), config.width, 2 * rhythm)
    net = train_classifier(build, real, labels, config, seed, class_weights=weights)
    return confusion_by_patient(test, predict(net, inputs(test, rhythm=rhythm)))


def table(found: dict[str, Any], classes: tuple[str, ...]) -> str:
    """A line an arm: macro-F1 and F1 by class, mean and spread, with the interval over patients where there is one."""
    lines = [
        "| arm | macro-F1 | " + " | ".join(f"F1 {name}" for name in classes) + " |",
        "|---" * (2 + len(classes)) + "|",
    ]
    for arm, measured in found.items():
        cells = []
        for value, interval in zip(
            [measured["macro_f1"], *measured["f1_by_class"]],
            [measured.get("macro_f1_interval"), *measured.get("f1_by_class_interval", [None] * len(classes))],
            strict=True,
        ):
            cell = "-" if value is None else with_spread(value["mean"], value["std"])
            cells.append(cell + (f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else ""))
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


@click.command()
@click.argument("beats", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path))
@click.option("--share", default=1.0)
@click.option("--rhythm", is_flag=True)
@click.option("--repeats", default=5)
@click.option("--generator-steps", default=3000)
@click.option("--classifier-steps", default=500)
@click.option("--part", default="test", type=click.Choice(["validation", "test"]))
@click.option("--seed", default=0)
def main(
    beats: Path, output: Path, share: float, repeats: int, generator_steps: int, classifier_steps: int, part: str,
    seed: int, *, rhythm: bool,
) -> None:  # fmt: skip
    """Train the generator, then the classifiers of every arm."""
    known = known_part(Windows.load(beats), share, seed)
    learn, test = known.part("train"), known.part(part)
    print(f"known: {len(learn)} beats, {learn.counts()}", flush=True)
    training = TrainConfig(steps=generator_steps, seed=seed, validations=6)
    model = Synthesizer.fit(
        known, output / "run", model="rwgan", training=training, resume=True, min_class=2, device="cpu"
    )
    done = output / "confusions.json"
    confusions: dict[str, list[Any]] = json.loads(done.read_text()) if done.exists() else {arm: [] for arm in ARMS}
    config = ClassifierConfig(steps=classifier_steps)
    for repeat in range(repeats):
        for arm in ARMS:
            if len(confusions[arm]) <= repeat:
                confusions[arm].append(test_arm(arm, learn, test, model, config, seed + repeat, rhythm=rhythm).tolist())
                write_json(done, confusions)
                print(arm, repeat, flush=True)
    by_patient = known.meta.get("split") in BY_PERSON
    found = {arm: summary([np.asarray(one) for one in confusions[arm]], by_patient=by_patient) for arm in ARMS}
    write_json(output / "results.json", {"known": learn.counts(), "share": share, "rhythm": rhythm, **found})
    print(table(found, known.classes))


if __name__ == "__main__":
    main()
