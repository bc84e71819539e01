"""The score by which the best step of a training is chosen: the utility test in small, on the validation part."""

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
DRAWN = 20_000  # synthetic windows that the judge learns from
BATCH = 2048


def validation_score(
    config: WGANConfig, shares: NDArray[np.float64], real: NDArray[np.float32], labels: NDArray[np.int64]
) -> Callable[[Generator], float]:
    """A function that scores a generator: train a small classifier on what it makes, test it on real windows.

    ``shares``: (classes,) of the training part, in which synthetic windows are drawn; ``real``: (n, components) scaled
    and ``labels``: (n,), of the validation part. The score is macro-F1, 0 to 1, higher is better.
    """
    noise = row_noise(0, range(DRAWN), config.noise_dim)
    asked = pick_labels(noise.label, shares)

    def score(generator: Generator) -> float:
        device = next(generator.parameters()).device
        uniforms, codes = torch.from_numpy(noise.uniform).split(BATCH), torch.from_numpy(asked).split(BATCH)
        with torch.inference_mode():
            made = [
                generator.from_uniform(u.to(device), y.to(device)).cpu() for u, y in zip(uniforms, codes, strict=True)
            ]
        judge = train_classifier(
            lambda: ComponentClassifier(config.components, config.classes, JUDGE.width),
            torch.cat(made).numpy(),
            asked,
            JUDGE,
            seed=0,
        )
        return macro_f1(confusion_matrix(labels, predict(judge, real), config.classes))

    return score
