"""The score by which the best step of a training is chosen: usefulness and realism in small, on the validation part."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.noise import pick_labels, row_noise
from ecgsynth.metrics.classification import confusion_matrix, macro_f1
from ecgsynth.metrics.classifier import ClassifierConfig, ComponentClassifier, predict, train_classifier
from ecgsynth.metrics.judges.blocks import learnt_and_tested
from ecgsynth.metrics.recurrent import discriminative_score
from ecgsynth.models.decoder import Limits, SignalSampler, draw
from ecgsynth.models.model import ScoreSpace, Space, WindowGenerator
from ecgsynth.models.scaling import PrincipalScaler
from ecgsynth.models.spectral import SpectralScaler
from ecgsynth.models.wgan_plan import SERIES_COMPONENTS
from ecgsynth.training.devices import one_thread
from ecgsynth.windows.windows import Windows

__all__ = ["validation_score"]

CLASSIFIER = ClassifierConfig(width=128, steps=600, batch=256, rate=3e-3)  # of components, both of classes and of real
MOST_SYNTHETIC = 20_000  # windows from which a classifier learns
MOST_NUMBERS = 20_000_000  # of the windows of a series that are drawn for it
RECURRENT_REPEATS = 3  # of the discriminative score
RECURRENT_STEPS = 64  # of a window, at most, that its network goes through
LEAST_WINDOWS = 10  # that it needs


def validation_score(
    learn: Windows,
    check: Windows,
    space: Space,
    limits: Limits | None = None,
    *,
    score_space: ScoreSpace | None = None,
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
    seen = score_space or components_of(learn)
    overlap = check.overlap
    real = seen.components(check.values, check.start_s).astype(np.float32)
    several = len(learn.classes) > 1
    shares = np.bincount(learn.labels, minlength=len(learn.classes)) / len(learn)  # of windows, as the real ones have
    drawn = MOST_SYNTHETIC if several else min(MOST_SYNTHETIC, len(check))
    if check.is_series:
        drawn = min(drawn, MOST_NUMBERS // check.values[0].size)

    @one_thread()
    def score(generator: WindowGenerator) -> float:
        labels = pick_labels(row_noise(0, range(drawn), generator.config.noise_dim).label, shares)
        sampler = SignalSampler(generator, space, limits)
        values, beside = draw(sampler, labels, seed=0)
        start_s = beside if sampler.beside == "start_s" else None
        synthetic = seen.components(values, start_s).astype(np.float32)
        useful = usefulness(synthetic, labels, real, check.labels) if several else 1.0
        away = max(0.0, discrimination_accuracy(synthetic, real, overlap) - 0.5)
        return useful - away - (recurrent_discrimination(values, check.values) if check.is_series else 0.0)

    return score


def components_of(learn: Windows) -> ScoreSpace:
    """The principal components of windows, or frequencies where they are long."""
    if learn.is_series and learn.values[0].size > SERIES_COMPONENTS:
        return SpectralScaler.fit(learn.values)
    return PrincipalScaler.fit(learn.values, weigh=learn.is_series)


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
    learn, check = learnt_and_tested(len(real), overlap)
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
    way round. Of long windows it sees a piece each: what is far apart in time, the classifier of components sees.
    """
    if min(len(synthetic), len(real)) < LEAST_WINDOWS:
        return 0.0
    steps, rng = max(1, CLASSIFIER.steps // 2), np.random.default_rng(0)
    sides = [pieces(values, rng) for values in (real, synthetic)]
    return float(discriminative_score(*sides, repeats=RECURRENT_REPEATS, steps=steps).mean())


def pieces(values: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Of each window (n, time, channels) RECURRENT_STEPS in a row, at random; all, where it has no more."""
    time = values.shape[1]
    if time <= RECURRENT_STEPS:
        return values
    starts = rng.integers(time - RECURRENT_STEPS + 1, size=len(values))
    return np.asarray(values[np.arange(len(values))[:, None], starts[:, None] + np.arange(RECURRENT_STEPS)])
