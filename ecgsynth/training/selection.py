"""The score by which the best step of a training is chosen: usefulness and realism in small, on the validation part."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.config import ClassifierConfig
from ecgsynth.core.noise import pick_labels, row_noise
from ecgsynth.metrics.classification import confusion_matrix, macro_f1
from ecgsynth.metrics.classifier import ComponentClassifier, predict, train_classifier
from ecgsynth.metrics.recurrent import discriminative_score
from ecgsynth.models.decoder import Limits, SignalSampler, draw
from ecgsynth.models.scaling import ChannelScaler, PrincipalScaler
from ecgsynth.models.timegan import TimeGANGenerator
from ecgsynth.models.wgan import Generator
from ecgsynth.training.devices import one_thread
from ecgsynth.windows.windows import Windows

__all__ = ["validation_score"]

JUDGE = ClassifierConfig(width=128, steps=600, batch=256, rate=3e-3)
DRAWN = 20_000  # synthetic windows that the judges learn from
REPEATS = 3  # of the discriminative score
FEWEST = 10  # windows that it needs
LEARNT = 0.7  # share of the windows, real and synthetic, from which a judge learns to tell them apart


def validation_score(
    learn: Windows, check: Windows, scaler: PrincipalScaler | ChannelScaler, limits: Limits | None = None
) -> Callable[[Generator | TimeGANGenerator], float]:
    """A function that scores a generator by two small classifiers of components: usefulness less what gives it away.

    One learns the classes from synthetic windows: its macro-F1 on real ones, or 1 where there is but one class. The
    other learns to tell real from synthetic: its accuracy above 0.5, on windows it has not seen, is taken off. So 1 is
    best; where the validation part is of other patients, whose beats are never like those learnt from, it may fall
    below 0.
    Of a series, what a recurrent network tells apart is taken off as well.
    ``learn``: the training windows, in whose shares synthetic ones are drawn; ``check``: the validation part;
    ``scaler``: of the generator's features; ``limits``: of its values. Only the signal is judged, not the RR intervals,
    and in principal components, whatever the generator's own space.
    """
    space = scaler if isinstance(scaler, PrincipalScaler) else PrincipalScaler.fit(learn.values, weigh=learn.is_series)
    overlap = check.overlap
    signals = space.components(check.values).astype(np.float32)
    several = len(learn.classes) > 1
    drawn = DRAWN if several else min(DRAWN, len(check))

    @one_thread()
    def score(generator: Generator | TimeGANGenerator) -> float:
        asked = pick_labels(row_noise(0, range(drawn), generator.config.noise_dim).label, learn.shares())
        values, _ = draw(SignalSampler(generator, scaler, limits), asked, seed=0)
        synthetic = space.components(values).astype(np.float32)
        useful = usefulness(synthetic, asked, signals, check.labels) if several else 1.0
        away = max(0.0, told_apart(synthetic, signals, overlap) - 0.5)
        return useful - away - (told_apart_in_time(values, check.values) if check.is_series else 0.0)

    return score


def usefulness(
    synthetic: NDArray[np.float32], asked: NDArray[np.int64], real: NDArray[np.float32], labels: NDArray[np.int64]
) -> float:
    """Macro-F1 on real windows (n, components) of a small classifier that learnt from synthetic ones."""
    classes = int(max(asked.max(), labels.max())) + 1
    judge = train_classifier(
        lambda: ComponentClassifier(real.shape[1], classes, JUDGE.width), synthetic, asked, JUDGE, seed=0
    )
    return macro_f1(confusion_matrix(labels, predict(judge, real), classes))


def told_apart(synthetic: NDArray[np.float32], real: NDArray[np.float32], overlap: int = 0) -> float:
    """Accuracy with which a small classifier tells real from synthetic windows, as many of each, that it has not seen.

    ``overlap``: how many windows after it a real window has samples in common with; those it is tested on have none in
    common with those it learns from, or it would only have to remember.
    """
    learn, check = parted(len(real), overlap)
    n = min(len(learn) + len(check), len(synthetic))
    seen = round(n * len(learn) / (len(learn) + len(check)))
    learn, check = learn[:seen], check[: n - seen]
    x = np.concatenate([real[learn], synthetic[:seen], real[check], synthetic[seen:n]])
    y = np.concatenate([np.repeat(np.array([1, 0], dtype=np.int64), len(rows)) for rows in (learn, check)])
    judge = train_classifier(
        lambda: ComponentClassifier(x.shape[1], 2, JUDGE.width), x[: 2 * seen], y[: 2 * seen], JUDGE, seed=0
    )
    return float((predict(judge, x[2 * seen :]) == y[2 * seen :]).mean())


def told_apart_in_time(synthetic: NDArray[np.float32], real: NDArray[np.float32]) -> float:
    """The discriminative score of windows (n, time, channels) in small: a classifier of components does not see what a
    network that goes through a window step by step does, and the other way round. 0 where they are too few for it.
    """
    if min(len(synthetic), len(real)) < FEWEST:
        return 0.0
    steps = max(1, JUDGE.steps // 2)
    return float(discriminative_score(real, synthetic, repeats=REPEATS, steps=steps).mean())


def parted(n: int, overlap: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of ``n`` windows a judge learns from and which it is tested on, in random order.

    Overlapping windows are in the order of time: of each three times ``overlap`` of them two thirds are taken, and
    every third such stretch is tested on.
    """
    order = np.random.default_rng(0).permutation(n)
    if n < 9 * overlap or not overlap:
        learn, check = np.split(order, [round(LEARNT * n)])
        return learn, check
    stretch, place = np.divmod(order, 3 * overlap)
    taken, tested = place < 2 * overlap, stretch % 3 == 2
    return order[taken & ~tested], order[taken & tested]
