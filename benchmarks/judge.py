"""Judge a run by its validation part: the script by which ideas are compared before the test part is touched.

    python benchmarks/judge.py RUN BEATS [--steps 1000]

RUN is a run folder, finished or not, BEATS the file it was trained on. Prints how near its beats come to training beats
by class, how often a CNN tells real from synthetic beats, and the TSTR and TRTR of one CNN each.
"""

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from ecgsynth.metrics.attacks.nearest import privacy
from ecgsynth.metrics.classification import confusion_matrix, f1_by_class, macro_f1
from ecgsynth.metrics.classifier import BeatClassifier, ClassifierConfig, predict, train_classifier
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.windows.windows import Windows

COMPARED = 300  # beats of a class whose distances are taken
MOST_OF_CLASS = 2000  # beats of a class that are distinguished
LEARNT_SHARE = 0.7


def discrimination_accuracy(real: Windows, made: Windows, steps: int) -> tuple[float, list[float]]:
    """Accuracy of a CNN that tells real from synthetic beats, as many of each class: overall, and by class."""
    rng = np.random.default_rng(0)
    values: list[NDArray[np.float32]] = []
    truth: list[NDArray[np.int64]] = []
    classes: list[NDArray[np.int64]] = []
    for code in range(len(real.classes)):
        own, its = (rng.permutation(np.flatnonzero(part.labels == code))[:MOST_OF_CLASS] for part in (real, made))
        n = min(len(own), len(its))
        values += [real.values[own[:n]], made.values[its[:n]]]
        truth.append(np.repeat(np.array([1, 0]), n))
        classes.append(np.full(2 * n, code))
    x, y, c = np.concatenate(values), np.concatenate(truth), np.concatenate(classes)
    learn, check = np.split(rng.permutation(len(x)), [round(LEARNT_SHARE * len(x))])
    config = ClassifierConfig(steps=steps)
    net = train_classifier(lambda: BeatClassifier(x.shape[2], 2, config.width), x[learn], y[learn], config, seed=0)
    right = predict(net, x[check]) == y[check]
    return float(right.mean()), [float(right[c[check] == code].mean()) for code in range(len(real.classes))]


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("beats", type=click.Path(path_type=Path))
@click.option("--steps", default=1000, help="Updates of the classifier; the discriminator has 0.7 times as many.")
def main(run: Path, beats: Path, steps: int) -> None:
    """Print what the validation part says of a run."""
    model, real = Synthesizer.load(run), Windows.load(beats)
    learn, check = real.part("train"), real.part("validation")
    made = model.windows(len(learn), seed=0)
    for code, name in enumerate(real.classes):
        near = privacy(
            made.values[made.labels == code][:COMPARED],
            learn.values[learn.labels == code],
            check.values[check.labels == code][:COMPARED],
        )
        print(f"{name}: distance ratio {near['ratio']:.2f}, copies {near['copies']}", flush=True)
    accuracy, by_class = discrimination_accuracy(check, made, round(0.7 * steps))
    print(
        f"accuracy {accuracy:.3f}, by class " + " ".join(f"{value:.3f}" for value in by_class),
        flush=True,
    )
    config = ClassifierConfig(steps=steps)
    for arm, known in (("TSTR", made), ("TRTR", learn)):
        net = train_classifier(
            lambda: BeatClassifier(learn.values.shape[2], len(real.classes), config.width),
            known.values,
            known.labels,
            config,
            seed=0,
        )
        confusion = confusion_matrix(check.labels, predict(net, check.values), len(real.classes))
        by_class = [float(value) for value in f1_by_class(confusion)]
        print(
            f"{arm} {macro_f1(confusion):.4f}, by class " + " ".join(f"{value:.3f}" for value in by_class), flush=True
        )


if __name__ == "__main__":
    main()
