"""The utility test: is a classifier trained on synthetic windows as good as one trained on real ones?

Train on synthetic, test on real (TSTR; Esteban, Hyland and Raetsch, "Real-valued (Medical) Time Series
Generation with Recurrent Conditional GANs", 2017), beside train on real, test on real (TRTR).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgsynth.core.spread import of_repeats
from ecgsynth.errors import ConfigError, DataError
from ecgsynth.metrics.classification import accuracy, confusion_matrix, f1_by_class, macro_f1
from ecgsynth.metrics.classifier import BeatClassifier, ClassifierConfig, predict, train_classifier, with_intervals
from ecgsynth.metrics.measure import Arm
from ecgsynth.metrics.progress import Tell, Trainings, silent
from ecgsynth.windows.splits import BY_PERSON
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

RARE_SHARE = 0.25  # a class with fewer windows than this share of the commonest class's is topped up to it
RESAMPLINGS = 2000  # times that the patients of the test part are drawn anew

Draw = Callable[[int, str | None, int], Windows]


@dataclass(frozen=True, slots=True)
class Given:
    """What an arm takes its training windows of: those learnt from, a generator, and the seed of the repeat."""

    learn: Windows
    draw: Draw
    seed: int


def real_ones(given: Given) -> list[Windows]:
    """The training part."""
    return [given.learn]


def synthetic_ones(given: Given) -> list[Windows]:
    """As many synthetic windows, in the training shares."""
    return [given.draw(len(given.learn), None, given.seed)]


def topped_up(given: Given) -> list[Windows]:
    """The training part, its rare classes topped up with synthetic windows to RARE_SHARE of the commonest class."""
    wanted = top_up_counts(given.learn)
    return [given.learn, *(given.draw(count, name, given.seed) for name, count in wanted.items() if count)]


ARMS: tuple[Arm[Given, list[Windows]], ...] = (
    Arm(name="TRTR", title="trained on real {what}", take=real_ones),
    Arm(name="TSTR", title="trained on synthetic {what}", take=synthetic_ones),
    Arm(
        name="augmented",
        title="trained on real {what}, rare classes topped up with synthetic ones",
        take=topped_up,
    ),
)


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
    on_progress: Tell = silent,
) -> dict[str, Any]:
    """Train the same classifier on the training windows of each of ARMS, and test it on the same real windows.

    Parameters
    ----------
    real
        Split windows.
    draw
        ``draw(n, label, seed)`` makes synthetic windows.
    repeats
        Times that all is done.
    seed
        Of the first repeat; each has the next.
    test_part
        The part that is tested on.
    rhythm
        Whether the classifier is also given the RR intervals.
    config, device
        Of the classifier.
    on_progress
        Called with each classifier's updates; a stage is an arm.

    Returns
    -------
    For each arm, macro-F1, accuracy and F1 by class as mean, standard deviation (of the repeats; None of one) and
    values, and the confusion matrix summed over the repeats; where no patient is in two parts, also the 95 % interval
    over the test part's patients.

    Raises
    ------
    ConfigError
        For no repeats.
    DataError
        Where a part is empty, or there are no RR intervals to be given.

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
    jobs = [(arm, repeat) for repeat in range(seed, seed + repeats) for arm in ARMS]
    trainings = Trainings(on_progress, len(jobs) * config.steps)
    found: dict[str, list[NDArray[np.int64]]] = {arm.name: [] for arm in ARMS}
    for arm, repeat in jobs:
        net = train_classifier(
            partial(BeatClassifier, learn.values.shape[2], len(learn.classes), config.width, 2 * rhythm),
            *training_set(arm, learn, draw, repeat, rhythm=rhythm),
            config,
            seed=repeat,
            device=device,
            on_step=trainings.begin(arm.name, config.steps),
        )
        guess = predict(net, inputs(test, rhythm=rhythm))
        found[arm.name].append(confusion_by_patient(test, guess))
    by_patient = real.meta.get("split") in BY_PERSON
    return {
        "classes": list(real.classes),
        "test_part": test_part,
        "test_windows": len(test),
        "training_windows": len(learn),
        "repeats": repeats,
        "classifier": config.to_json(),
        "rhythm": rhythm,
        "test_patients": len(found[ARMS[0].name][0]),
        **{name: summary(confusions, by_patient=by_patient) for name, confusions in found.items()},
    }


def inputs(windows: Windows, *, rhythm: bool) -> NDArray[np.float32]:
    """What the classifier sees of windows."""
    return with_intervals(windows.values, windows.rr_s) if rhythm and windows.rr_s is not None else windows.values


def training_set(
    arm: Arm[Given, list[Windows]], learn: Windows, draw: Draw, seed: int, *, rhythm: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Inputs and labels that one arm of the test trains on."""
    sets = arm.take(Given(learn, draw, seed))
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
    """The 2.5 % and 97.5 % quantiles of ``measure(confusion)`` as patients are drawn with repetition.

    Samples of patients in which a class does not occur say nothing of that class.

    Parameters
    ----------
    measure
        Of one confusion matrix.
    confusions
        (patients, classes, classes).

    Returns
    -------
    (2, ...); NaN for a class that no sample has.

    References
    ----------
    The percentile bootstrap of Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979, with the patient as its
    unit.

    """
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(confusions), np.full(len(confusions), 1 / len(confusions)), size=RESAMPLINGS)
    found = np.stack([np.asarray(measure(np.tensordot(times, confusions, axes=1))) for times in drawn])
    never = np.isnan(found).all(axis=0)  # of these, numpy would warn
    ends = np.nanquantile(np.where(never, 0.0, found), [0.025, 0.975], axis=0)
    return np.where(never, np.nan, ends)


def top_up_counts(learn: Windows) -> dict[str, int]:
    """How many synthetic windows each class gets where real and synthetic are mixed."""
    counts = learn.counts()
    wanted = round(RARE_SHARE * max(counts.values()))
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
        "macro_f1": of_repeats([macro_f1(confusion) for confusion in confusions]),
        "accuracy": of_repeats([accuracy(confusion) for confusion in confusions]),
        "f1_by_class": [None if np.isnan(column).any() else of_repeats(column.tolist()) for column in by_class.T],
        "confusion": np.sum(confusions, axis=0).tolist(),
    }
