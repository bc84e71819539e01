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

from ecgsynth.core.spread import mean_and_spread
from ecgsynth.errors import ConfigError, DataError
from ecgsynth.metrics.classifier import BeatClassifier, ClassifierConfig, predict, train_classifier, with_intervals
from ecgsynth.metrics.likeness import accuracy, confusion_matrix, f1_by_class, macro_f1
from ecgsynth.windows.windows import Windows

__all__ = [
    "ARMS",
    "confusion_by_patient",
    "inputs",
    "interval_over_patients",
    "summary",
    "top_up_counts",
    "training_set",
    "utility",
]

ARMS = ("TRTR", "TSTR", "augmented")
RARE = 0.25  # a class with fewer windows than this share of the commonest class's is topped up to it
RESAMPLED = 2000  # times that the patients of the test part are drawn anew

Draw = Callable[[int, str | None, int], Windows]


def utility(
    real: Windows,
    draw: Draw,
    *,
    repeats: int,
    seed: int = 0,
    test_part: str = "test",
    rhythm: bool = False,
    config: ClassifierConfig | None = None,
    device: torch.device | None = None,
    on_step: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Train the same classifier on three training sets, test it on the same real windows, ``repeats`` times.

    TRTR: the real training part. TSTR: as many synthetic windows, in the training shares. augmented: the real
    training part, its rare classes topped up with synthetic ones to RARE of the commonest class.
    ``draw(n, label, seed)`` makes synthetic windows. With ``rhythm`` the classifier is also told the RR intervals.
    ``on_step(arm, done, total)`` is told of each classifier update.
    Returns, for each arm, macro-F1, accuracy and F1 by class as mean, standard deviation (of the repeats; None of
    one) and the values, and the confusion matrix summed over the repeats; where no patient is in two parts, also the
    95 % interval over the test part's patients.
    """
    if repeats < 1:
        raise ConfigError(f"the test must be repeated at least once, got {repeats}")
    config = config or ClassifierConfig()
    learn, test = real.part("train"), real.part(test_part)
    if not len(learn) or not len(test):
        raise DataError(
            f"the training part has {len(learn)} windows and the {test_part} part {len(test)}; both need some"
        )
    if rhythm and (learn.rr_s is None or draw(1, None, seed).rr_s is None):
        raise DataError(
            "the RR intervals of real and of synthetic windows are needed; prepare and train again, or go without"
        )
    tell = on_step or (lambda arm, done, total: None)
    jobs = [(arm, repeat) for repeat in range(seed, seed + repeats) for arm in ARMS]
    found: dict[str, list[NDArray[np.int64]]] = {arm: [] for arm in ARMS}
    for number, (arm, repeat) in enumerate(jobs):
        net = train_classifier(
            partial(BeatClassifier, learn.values.shape[2], len(learn.classes), config.width, 2 * rhythm),
            *training_set(arm, learn, draw, repeat, rhythm=rhythm),
            config,
            seed=repeat,
            device=device,
            on_step=partial(job_step, tell, arm, number, len(jobs)),
        )
        guess = predict(net, inputs(test, rhythm=rhythm))
        found[arm].append(confusion_by_patient(test, guess))
    return {
        "classes": list(real.classes),
        "test_part": test_part,
        "test_windows": len(test),
        "training_windows": len(learn),
        "repeats": repeats,
        "classifier": config.to_json(),
        "rhythm": rhythm,
        "test_patients": len(found["TRTR"][0]),
        **{
            arm: summary(confusions, by_patient=real.meta.get("split") == "patient")
            for arm, confusions in found.items()
        },
    }


def job_step(
    tell: Callable[[str, int, int], None], arm: str, number: int, jobs: int, done: int, total: int, loss: float
) -> None:
    """Pass on the progress of one of several classifiers as that of all."""
    tell(arm, number * total + done, jobs * total)


def inputs(windows: Windows, *, rhythm: bool) -> NDArray[np.float32]:
    """What the classifier sees of windows."""
    return with_intervals(windows.values, windows.rr_s) if rhythm and windows.rr_s is not None else windows.values


def training_set(
    arm: str, learn: Windows, draw: Draw, seed: int, *, rhythm: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Inputs and labels that one arm of the test trains on."""
    if arm == "TRTR":
        sets = [learn]
    elif arm == "TSTR":
        sets = [draw(len(learn), None, seed)]
    else:
        sets = [learn, *(draw(count, name, seed) for name, count in top_up_counts(learn).items() if count)]
    return np.concatenate([inputs(one, rhythm=rhythm) for one in sets]), np.concatenate([one.labels for one in sets])


def confusion_by_patient(test: Windows, guess: NDArray[np.int64]) -> NDArray[np.int64]:
    """(patients, classes, classes); one patient where none is known."""
    groups = np.zeros(len(test)) if test.groups is None else test.groups
    return np.stack(
        [
            confusion_matrix(test.labels[groups == name], guess[groups == name], len(test.classes))
            for name in np.unique(groups)
        ]
    )


def interval_over_patients(
    measure: Callable[[NDArray[np.int64]], NDArray[np.float64] | float], confusions: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(2, ...) the 2.5 % and 97.5 % quantiles of ``measure(confusion)`` as patients are drawn with repetition.

    confusions: (patients, classes, classes). The percentile bootstrap of Efron, 1979, with the patient as its unit;
    samples of patients in which a class does not occur say nothing of that class, whose quantiles are NaN if all do.
    """
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(confusions), np.full(len(confusions), 1 / len(confusions)), size=RESAMPLED)
    found = np.stack([np.asarray(measure(np.tensordot(times, confusions, axes=1))) for times in drawn])
    never = np.isnan(found).all(axis=0)  # of these, numpy would warn
    ends = np.nanquantile(np.where(never, 0.0, found), [0.025, 0.975], axis=0)
    return np.where(never, np.nan, ends)


def top_up_counts(learn: Windows) -> dict[str, int]:
    """How many synthetic windows each class gets where real and synthetic are mixed."""
    counts = learn.counts()
    wanted = round(RARE * max(counts.values()))
    return {name: max(0, wanted - count) for name, count in counts.items()}


def summary(by_repeat: list[NDArray[np.int64]], *, by_patient: bool) -> dict[str, Any]:
    """Mean, spread and values of each measure over the repeats, from confusions (patients, classes, classes)."""
    confusions = [by_one.sum(axis=0) for by_one in by_repeat]
    by_class = np.stack([f1_by_class(confusion) for confusion in confusions])  # (repeats, classes)
    intervals = {}
    if by_patient:
        total = np.sum(by_repeat, axis=0)
        intervals = {
            "macro_f1_interval": interval_over_patients(macro_f1, total).round(4).tolist(),
            "f1_by_class_interval": [
                None if np.isnan(low) else [round(low, 4), round(high, 4)]
                for low, high in interval_over_patients(f1_by_class, total).T.tolist()
            ],
        }
    return {
        **intervals,
        "macro_f1": spread([macro_f1(confusion) for confusion in confusions]),
        "accuracy": spread([accuracy(confusion) for confusion in confusions]),
        "f1_by_class": [None if np.isnan(column).any() else spread(column.tolist()) for column in by_class.T],
        "confusion": np.sum(confusions, axis=0).tolist(),
    }


def spread(values: list[float]) -> dict[str, Any]:
    """Mean, standard deviation of the sample (None for one value) and the values themselves."""
    mean, deviation = mean_and_spread(values)
    return {"mean": mean, "std": deviation, "values": [round(value, 6) for value in values]}
