"""What networks that are told to separate real windows from others reach on stretches of time they have not seen."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ecgsynth.metrics.attacks.figures import auc
from ecgsynth.metrics.classifier import ClassifierConfig, train_classifier
from ecgsynth.metrics.judges.blocks import FOLDS, Parted
from ecgsynth.metrics.judges.networks import JudgeCNN, JudgeTransformer
from ecgsynth.metrics.progress import Step
from ecgsynth.metrics.waveforms import in_spreads

__all__ = ["JUDGES", "UPDATES", "Judgement", "judged", "what_judges_see"]

UPDATES = 200  # of a judge in each fold
BATCH_WINDOWS = 128  # of both kinds together
TESTED_WINDOWS = 1024  # at a time
FINE = 0.01  # of the root mean square of a channel's real differences: below it, a difference is next to none
JUDGES: dict[str, tuple[Callable[[int, int], nn.Module], float]] = {  # and the rate each learns at
    "cnn": (JudgeCNN, 2e-3),
    "transformer": (JudgeTransformer, 1e-3),
}

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a judge reached: its accuracy and its AUC on the windows of each fold, (folds,) both."""

    accuracy: NDArray[np.float64]
    auc: NDArray[np.float64]


def judged(
    parted: Parted,
    judge: str,
    *,
    folds: int = FOLDS,
    steps: int = UPDATES,
    seed: int = 0,
    device: torch.device | None = None,
    on_step: Step | None = None,
) -> Judgement:
    """Train a judge to separate real windows from others, and test it on a fold that shares no row with what it learnt.

    Parameters
    ----------
    parted
        The windows and their folds.
    judge
        One of JUDGES.
    folds
        How many folds are tested on, each by a network of its own that learnt from all others.
    steps
        Updates of each network.
    seed
        Of weights, batches and what is drawn; gives the same on a CPU.
    device
        The CPU, unless given.
    on_step
        ``on_step(done, total, loss)`` is called after each update of all networks.

    """
    found = []
    for fold in range(folds):
        (learnt, tested), (others_learnt, others_tested) = parted.rows(fold, seed)
        like = parted.real.values[learnt]
        real = what_judges_see(like, like, parted.real.values[tested])
        other = what_judges_see(like, parted.other.values[others_learnt], parted.other.values[others_tested])
        tell = None if on_step is None else partial(told, on_step, fold * steps, folds * steps)
        net = trained(judge, real[0], other[0], steps, seed + fold, device, tell)
        found.append(figures(logits(net, real[1]), logits(net, other[1])))
    accuracy, area = np.asarray(found).T
    return Judgement(accuracy=accuracy, auc=area)


def told(on_step: Step, before: int, total: int, done: int, steps: int, loss: float = 0.0) -> None:
    """One network's updates as those of all."""
    on_step(before + done, total, loss)


def what_judges_see(like: Floats, *others: Floats) -> list[Floats]:
    """Windows with what gives synthetic ones away: (n, time, 4 * channels) of each set (n, time, channels).

    The values in standard deviations of each channel of ``like``; their first differences; and the sizes of first and
    second differences on a logarithmic scale, in which an exact repeat and an exact line lie far from a near one.
    """
    units = [root_mean_square(difference) for difference in differences(like)]
    seen = []
    for values, scaled in zip(others, in_spreads(like, *others), strict=True):
        first, second = (difference / unit for difference, unit in zip(differences(values), units, strict=True))
        sizes = [np.log1p(np.abs(difference) / FINE) / 2 for difference in (first, second)]
        seen.append(np.concatenate([scaled, first, *sizes], axis=2).astype(np.float32))
    return seen


def differences(values: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and second differences of windows, as long as they are: nothing comes before the first step."""
    first = np.diff(values.astype(np.float64), axis=1, prepend=values[:, :1])
    return first, np.diff(first, axis=1, prepend=first[:, :1])


def root_mean_square(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(channels,) and 1 where it is nothing."""
    size = np.sqrt(np.square(values).mean(axis=(0, 1)))
    return np.where(size > 0, size, 1.0)


def trained(
    judge: str, real: Floats, other: Floats, steps: int, seed: int, device: torch.device | None, on_step: Step | None
) -> nn.Module:
    """A judge that learnt from as many windows of both kinds."""
    build, rate = JUDGES[judge]
    values = np.concatenate([real, other])
    labels = np.repeat(np.array([1, 0], dtype=np.int64), [len(real), len(other)])
    config = ClassifierConfig(steps=steps, batch=BATCH_WINDOWS, rate=rate)
    return train_classifier(
        partial(build, *values.shape[1:]), values, labels, config, seed, device=device, on_step=on_step
    )


def logits(net: nn.Module, values: Floats) -> NDArray[np.float64]:
    """(n,) above 0 where the judge takes a window for real."""
    device = next(net.parameters()).device
    with torch.inference_mode():
        pieces = [net(x.to(device)).cpu() for x in torch.from_numpy(values).split(TESTED_WINDOWS)]
    scores = torch.cat(pieces).double().numpy()
    return np.asarray(scores[:, 1] - scores[:, 0])


def figures(real: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    """Accuracy and AUC of logits of as many real and other windows."""
    return float(((real > 0).mean() + (other <= 0).mean()) / 2), auc(real, other)
