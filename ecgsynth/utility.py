"""The utility test: is a classifier trained on synthetic windows as good as one trained on real ones?

Train on synthetic, test on real (TSTR; Esteban, Hyland and Raetsch, "Real-valued (Medical) Time Series
Generation with Recurrent Conditional GANs", 2017), beside train on real, test on real (TRTR).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgsynth.classifier import BeatClassifier, predict, train_classifier
from ecgsynth.config import ClassifierConfig
from ecgsynth.errors import ConfigError, DataError
from ecgsynth.metrics import accuracy, confusion_matrix, f1_by_class, macro_f1
from ecgsynth.windows import Windows

__all__ = ["ARMS", "top_up_counts", "utility"]

ARMS = ("TRTR", "TSTR", "augmented")
RARE = 0.25  # a class with fewer windows than this share of the commonest class's is topped up to it

Draw = Callable[[int, str | None, int], Windows]


def utility(
    real: Windows,
    draw: Draw,
    *,
    repeats: int,
    seed: int = 0,
    test_part: str = "test",
    config: ClassifierConfig | None = None,
    device: torch.device | None = None,
    on_step: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Train the same classifier on three training sets, test it on the same real windows, ``repeats`` times.

    TRTR: the real training part. TSTR: as many synthetic windows, in the training shares. augmented: the real
    training part, its rare classes topped up with synthetic ones to RARE of the commonest class.
    ``draw(n, label, seed)`` makes synthetic windows. ``on_step(arm, done, total)`` is told of each classifier update.
    Returns, for each arm, macro-F1, accuracy and F1 by class as mean, standard deviation (of the repeats) and the
    values, and the confusion matrix summed over the repeats.
    """
    if repeats < 1:
        raise ConfigError(f"the test must be repeated at least once, got {repeats}")
    config = config or ClassifierConfig()
    learn, test = real.part("train"), real.part(test_part)
    if not len(learn) or not len(test):
        raise DataError(
            f"the training part has {len(learn)} windows and the {test_part} part {len(test)}; both need some"
        )
    tell = on_step or (lambda arm, done, total: None)
    jobs = [(arm, repeat) for repeat in range(seed, seed + repeats) for arm in ARMS]
    found: dict[str, list[NDArray[np.int64]]] = {arm: [] for arm in ARMS}
    for number, (arm, repeat) in enumerate(jobs):
        net = train_classifier(
            partial(BeatClassifier, learn.values.shape[2], len(learn.classes), config.width),
            *training_set(arm, learn, draw, repeat),
            config,
            seed=repeat,
            device=device,
            on_step=partial(job_step, tell, arm, number, len(jobs)),
        )
        found[arm].append(confusion_matrix(test.labels, predict(net, test.values), len(test.classes)))
    return {
        "classes": list(real.classes),
        "test_part": test_part,
        "test_windows": len(test),
        "training_windows": len(learn),
        "repeats": repeats,
        "classifier": config.to_json(),
        **{arm: summary(confusions) for arm, confusions in found.items()},
    }


def job_step(
    tell: Callable[[str, int, int], None], arm: str, number: int, jobs: int, done: int, total: int, loss: float
) -> None:
    """Pass on the progress of one of several classifiers as that of all."""
    tell(arm, number * total + done, jobs * total)


def training_set(arm: str, learn: Windows, draw: Draw, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Values and labels that one arm of the test trains on."""
    if arm == "TRTR":
        return learn.values, learn.labels
    if arm == "TSTR":
        made = draw(len(learn), None, seed)
        return made.values, made.labels
    extra = [draw(count, name, seed) for name, count in top_up_counts(learn).items() if count]
    return (
        np.concatenate([learn.values, *(made.values for made in extra)]),
        np.concatenate([learn.labels, *(made.labels for made in extra)]),
    )


def top_up_counts(learn: Windows) -> dict[str, int]:
    """How many synthetic windows each class gets where real and synthetic are mixed."""
    counts = learn.counts()
    wanted = round(RARE * max(counts.values()))
    return {name: max(0, wanted - count) for name, count in counts.items()}


def summary(confusions: list[NDArray[np.int64]]) -> dict[str, Any]:
    """Mean, spread and values of each measure over the repeats."""
    by_class = np.stack([f1_by_class(confusion) for confusion in confusions])  # (repeats, classes)
    return {
        "macro_f1": spread([macro_f1(confusion) for confusion in confusions]),
        "accuracy": spread([accuracy(confusion) for confusion in confusions]),
        "f1_by_class": [None if np.isnan(column).any() else spread(column.tolist()) for column in by_class.T],
        "confusion": np.sum(confusions, axis=0).tolist(),
    }


def spread(values: list[float]) -> dict[str, Any]:
    """Mean, sample standard deviation (0 for one value) and the values themselves."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "std": deviation, "values": [round(value, 6) for value in values]}
