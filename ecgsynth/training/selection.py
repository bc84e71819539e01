"""The score by which the best step of a training is chosen: usefulness and realism in small, on the validation part."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.noise import pick_labels, row_noise
from ecgsynth.metrics.classification import confusion_matrix, macro_f1
from ecgsynth.metrics.classifier import ClassifierConfig, ComponentClassifier, predict, train_classifier
from ecgsynth.metrics.recurrent import discriminative_score
from ecgsynth.models.decoder import Limits, SignalSampler, draw
from ecgsynth.models.model import Space, WindowGenerator
from ecgsynth.models.scaling import PrincipalScaler
from ecgsynth.training.devices import one_thread
from ecgsynth.windows.windows import Windows

__all__ = ["validation_score"]

CLASSIFIER = ClassifierConfig(width=128, steps=600, batch=256, rate=3e-3)  # of components, both of classes and of real
MOST_SYNTHETIC = 20_000  # windows from which a classifier learns
RECURRENT_REPEATS = 3  # of the discriminative score
LEAST_WINDOWS = 10  # that it needs
LEARNT_SHARE = 0.7  # of the windows, real and synthetic, from which a classifier learns to distinguish them


def validation_score(
    learn: Windows,
    check: Windows,
    space: Space,
    limits: Limits | None = None,
    *,
    score_space: PrincipalScaler | None = None,
) -> Callable[[WindowGenerator], float]:
    """A function that scores a generator by two small classifiers: its usefulness, less what gives it away.

    One learns the classes from synthetic windows: its macro-F1 on real ones, or 1 where there is but one class. The
    other learns to tell real from synthetic: its accuracy above 0.5, on windows it has not seen, is taken off. So 1 is
    best; where the validation part is of other patients, with beats that are never like those learnt from, it may fall
    below 0. Of a series, what a recurrent network can distinguish is taken off as well. Only the signal is scored, not
    the RR intervals.

    Parameters
    ----------
    learn
        The training windows; synthetic ones are drawn with their shares of classes.
    check
        The validation part.
    space
        In which the generator works.
    limits
        Of the values of a series.
    score_space
        What the classifiers see of a window; by default the principal components of the training windows.

    """
    seen = score_space or PrincipalScaler.fit(learn.values, weigh=learn.is_series)
    overlap = check.overlap
    real = components_of(seen, check.values, check.start_s)
    several = len(learn.classes) > 1
    drawn = MOST_SYNTHETIC if several else min(MOST_SYNTHETIC, len(check))

    @one_thread()
    def score(generator: WindowGenerator) -> float:
        labels = pick_labels(row_noise(0, range(drawn), generator.config.noise_dim).label, learn.shares())
        sampler = SignalSampler(generator, space, limits)
        values, beside = draw(sampler, labels, seed=0)
        synthetic = components_of(seen, values, beside if sampler.beside == "start_s" else None)
        useful = usefulness(synthetic, labels, real, check.labels) if several else 1.0
        away = max(0.0, discrimination_accuracy(synthetic, real, overlap) - 0.5)
        return useful - away - (recurrent_discrimination(values, check.values) if check.is_series else 0.0)

    return score


def components_of(
    seen: PrincipalScaler, values: NDArray[np.float32], start_s: NDArray[Any] | None
) -> NDArray[np.float32]:
    """(n, components) of windows, which may know when they start."""
    return seen.components(values, start_s).astype(np.float32)


def usefulness(
    synthetic: NDArray[np.float32],
    synthetic_labels: NDArray[np.int64],
    real: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> float:
    """Macro-F1 on real windows (n, components) of a small classifier that learnt from synthetic ones."""
    classes = int(max(synthetic_labels.max(), labels.max())) + 1
    classifier = train_classifier(
        lambda: ComponentClassifier(real.shape[1], classes, CLASSIFIER.width),
        synthetic,
        synthetic_labels,
        CLASSIFIER,
        seed=0,
    )
    return macro_f1(confusion_matrix(labels, predict(classifier, real), classes))


def discrimination_accuracy(synthetic: NDArray[np.float32], real: NDArray[np.float32], overlap: int = 0) -> float:
    """Accuracy with which a small classifier tells real from synthetic windows that it has not seen.

    Parameters
    ----------
    synthetic, real
        (n, components), of which as many of each are taken.
    overlap
        How many windows after it a real window has samples in common with; those it is tested on have none in common
        with those it learns from, or it would only have to remember.

    """
    learn, check = split_positions(len(real), overlap)
    n = min(len(learn) + len(check), len(synthetic))
    seen = round(n * len(learn) / (len(learn) + len(check)))
    learn, check = learn[:seen], check[: n - seen]
    x = np.concatenate([real[learn], synthetic[:seen], real[check], synthetic[seen:n]])
    y = np.concatenate([np.repeat(np.array([1, 0], dtype=np.int64), len(rows)) for rows in (learn, check)])
    classifier = train_classifier(
        lambda: ComponentClassifier(x.shape[1], 2, CLASSIFIER.width), x[: 2 * seen], y[: 2 * seen], CLASSIFIER, seed=0
    )
    return float((predict(classifier, x[2 * seen :]) == y[2 * seen :]).mean())


def recurrent_discrimination(synthetic: NDArray[np.float32], real: NDArray[np.float32]) -> float:
    """The discriminative score of windows (n, time, channels) in small; 0 where they are too few for it.

    A classifier of components does not see what a network that goes through a window step by step does, and the other
    way round.
    """
    if min(len(synthetic), len(real)) < LEAST_WINDOWS:
        return 0.0
    steps = max(1, CLASSIFIER.steps // 2)
    return float(discriminative_score(real, synthetic, repeats=RECURRENT_REPEATS, steps=steps).mean())


def split_positions(n: int, overlap: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of ``n`` windows a classifier learns from and which it is tested on, in random order.

    Overlapping windows are in the order of time: of each three times ``overlap`` of them two thirds are taken, and
    every third such stretch is tested on.
    """
    order = np.random.default_rng(0).permutation(n)
    if n < 9 * overlap or not overlap:
        learn, check = np.split(order, [round(LEARNT_SHARE * n)])
        return learn, check
    stretch, place = np.divmod(order, 3 * overlap)
    taken, tested = place < 2 * overlap, stretch % 3 == 2
    return order[taken & ~tested], order[taken & tested]
