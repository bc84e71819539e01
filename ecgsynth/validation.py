"""The score by which the best step of a training is chosen: usefulness and realism in small, on the validation part."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from ecgsynth.classifier import ComponentClassifier, predict, train_classifier
from ecgsynth.config import ClassifierConfig, WGANConfig
from ecgsynth.metrics import confusion_matrix, macro_f1
from ecgsynth.noise import pick_labels, row_noise
from ecgsynth.wgan import Generator

__all__ = ["validation_score"]

JUDGE = ClassifierConfig(width=128, steps=600, batch=256, rate=3e-3)
DRAWN = 20_000  # synthetic windows that the judges learn from
LEARNT = 0.7  # share of the windows, real and synthetic, from which a judge learns to tell them apart
BATCH = 2048


def validation_score(
    config: WGANConfig, shares: NDArray[np.float64], real: NDArray[np.float32], labels: NDArray[np.int64]
) -> Callable[[Generator], float]:
    """A function that scores a generator by two small classifiers of features: usefulness less what gives it away.

    One learns the classes from synthetic windows: its macro-F1 on real ones. The other learns to tell real from
    synthetic: its accuracy above 0.5, on windows it has not seen, is taken off. So 1 is best; where the
    validation part is of other patients, whose beats are never like those learnt from, it may fall below 0.
    ``shares``: (classes,) of the training part, in which synthetic windows are drawn; ``real``: (n, features) and
    ``labels``: (n,), of the validation part. Only the signal is judged, not the RR intervals.
    """
    noise = row_noise(0, range(DRAWN), config.noise_dim)
    asked = pick_labels(noise.label, shares)
    signals = real[:, : config.components]

    def score(generator: Generator) -> float:
        device = next(generator.parameters()).device
        uniforms, codes = torch.from_numpy(noise.uniform).split(BATCH), torch.from_numpy(asked).split(BATCH)
        with torch.inference_mode():
            made = torch.cat(
                [generator.from_uniform(u.to(device), y.to(device)).cpu() for u, y in zip(uniforms, codes, strict=True)]
            )
        synthetic = made[:, : config.components].numpy()
        return usefulness(synthetic, asked, signals, labels) - max(0.0, told_apart(synthetic, signals) - 0.5)

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


def told_apart(synthetic: NDArray[np.float32], real: NDArray[np.float32]) -> float:
    """Accuracy with which a small classifier tells real from synthetic windows, as many of the one as of the other."""
    n = min(len(real), len(synthetic))
    rng = np.random.default_rng(0)
    x = np.concatenate([real[rng.permutation(len(real))[:n]], synthetic[:n]])
    y = np.repeat(np.array([1, 0], dtype=np.int64), n)
    order = rng.permutation(2 * n)
    learn, check = np.split(order, [round(LEARNT * 2 * n)])
    judge = train_classifier(lambda: ComponentClassifier(x.shape[1], 2, JUDGE.width), x[learn], y[learn], JUDGE, seed=0)
    return float((predict(judge, x[check]) == y[check]).mean())
