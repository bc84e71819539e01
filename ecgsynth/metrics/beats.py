"""How like real beats synthetic ones are, by every measure, beside how like other real beats are.

The held-out part is compared with as many synthetic beats of each class and then, for the baseline, with as many beats
of the training part. Where the split is by patient, the baseline is what other patients' beats reach.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ecgsynth.errors import DataError
from ecgsynth.metrics.classifier import BeatClassifier, ClassifierConfig, predict, train_classifier
from ecgsynth.metrics.likeness import (
    NEIGHBOURS,
    coverage,
    density,
    dtw_distance,
    frechet_distance,
    median_distance,
    mmd,
    nearest,
    prd,
    spectrum_distance,
)
from ecgsynth.metrics.physiology import MEASURES, delineate, wasserstein
from ecgsynth.windows.windows import Windows

__all__ = ["MOST", "RANGES", "fidelity"]

MOST = 2000  # windows of a class that are compared
BATCH = 128  # windows of a batch of each classifier: on one core a third of the time that 256 take
LEARN = 0.7  # of the windows that the discriminator is shown; it is tested on the others
# The best value of each measure, the lowest and the highest (None: there is none).
RANGES: dict[str, tuple[float, float, float | None]] = {
    "mmd": (0.0, -2.0, 2.0),
    "frechet_distance": (0.0, 0.0, None),
    "spectrum_distance_db": (0.0, 0.0, None),
    "discriminative_accuracy": (0.5, 0.0, 1.0),
    "coverage": (1.0, 0.0, 1.0),
    "density": (1.0, 0.0, None),
    "prd_percent": (0.0, 0.0, None),
    "dtw_distance": (0.0, 0.0, None),
    **{name: (0.0, 0.0, None) for name in MEASURES},
}

Found = tuple[float, dict[str, float]]  # a measure, and by the name of a class; empty where it is not taken by class
Tell = Callable[[int, int], None]
NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """What the two comparisons of one call share."""

    net: nn.Module  # gives the features
    bandwidth: float
    config: ClassifierConfig
    seed: int
    device: torch.device | None


def fidelity(
    real: Windows,
    synthetic: Windows,
    *,
    test_part: str = "test",
    seed: int = 0,
    device: torch.device | None = None,
    steps: int = 700,
    on_step: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Every measure of likeness between the held-out part of the split windows ``real`` and ``synthetic`` ones.

    Of each class, as many held-out, synthetic and training windows are compared: what the fewest have, at most MOST.
    Features are what a classifier of the training part gives to its last layer. It and two discriminators are trained
    for ``steps`` updates each; ``on_step(done, total)`` is told of them. A seed gives the same on a CPU.

    Returns ``windows``, how many of each class, and ``measures``: of each in RANGES the ``value``, the ``baseline``
    (real training windows in the place of the synthetic ones), the ``best`` value and the ``range`` (None where it is
    open). All but mmd and frechet_distance are also taken ``by_class``; coverage, density and the accuracy of the
    discriminator pool the classes in the value, the others are the mean of the classes. What cannot be taken is None.
    prd_percent and dtw_distance are medians over the synthetic windows, each beside the nearest held-out one of its
    class. Physiology, of windows in mV that have an event, is the Wasserstein-1 distance of what ``delineate`` reads
    off; by class stand beside it the medians, and the shares of windows that could be measured.

    Raises DataError where the two are not of one kind, or no class is in all three sets.
    """
    check_kinds(real, synthetic)
    learn = real.part("train")
    held, made, learnt = balanced(real.part(test_part), synthetic, learn, seed)
    tell = on_step or (lambda done, total: None)
    config = ClassifierConfig(steps=steps, batch=BATCH)
    net = trained(learn.values, learn.labels, len(learn.classes), config, seed, device, partial(third, tell, 0))
    bandwidth = median_distance(features(net, held.values))  # one for both comparisons
    judge = Judge(net=net, bandwidth=bandwidth, config=config, seed=seed, device=device)
    values = compare(held, made, judge, partial(third, tell, 1))
    baselines = compare(held, learnt, judge, partial(third, tell, 2))
    notes = medians(held, made)
    return {
        "test_part": test_part,
        "units": real.units,
        "steps": steps,
        "windows": held.counts(),
        "measures": {name: entry(name, values[name], baselines[name], notes.get(name, {})) for name in values},
    }


def third(tell: Tell, number: int, done: int, total: int, loss: float) -> None:
    """Pass on the progress of one of three trainings as that of all."""
    tell(number * total + done, 3 * total)


def entry(name: str, value: Found, baseline: Found, notes: dict[str, dict[str, float]]) -> dict[str, Any]:
    """A measure as it stands in metrics.json, which has no NaN and no infinity."""
    best, low, high = RANGES[name]
    found: dict[str, Any] = {"value": known(value[0]), "baseline": known(baseline[0]), "best": best}
    found["range"] = [low, high]
    if value[1]:
        found["by_class"] = {
            label: {"value": known(of_class), "baseline": known(baseline[1][label])}
            | {key: known(noted) for key, noted in notes.get(label, {}).items()}
            for label, of_class in value[1].items()
        }
    return found


def known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


# ---- what is compared


def check_kinds(real: Windows, synthetic: Windows) -> None:
    """Raise DataError unless both have the same shape, rate, units and classes."""
    kinds = [
        (*windows.values.shape[1:], windows.fs_hz, windows.units, windows.classes) for windows in (real, synthetic)
    ]
    if kinds[0] != kinds[1]:
        raise DataError(
            "windows of one kind can be compared (samples, channels, rate, units, classes); "
            f"the real ones are {kinds[0]}, the synthetic ones {kinds[1]}"
        )


def balanced(held: Windows, made: Windows, learnt: Windows, seed: int) -> list[Windows]:
    """As many windows of each class from each of the three, drawn at random and sorted by class."""
    sets = (held, made, learnt)
    counts = [
        min(MOST, *(list(windows.counts().values())[code] for windows in sets)) for code in range(len(held.classes))
    ]
    if not any(counts):
        raise DataError("no class has held-out, synthetic and training windows; draw synthetic ones of each class")
    rng = np.random.default_rng(seed)
    return [windows.of_each_class(counts, rng) for windows in sets]


def compare(
    held: Windows, other: Windows, judge: Judge, on_step: Callable[[int, int, float], None]
) -> dict[str, Found]:
    """Each measure of ``other`` against the held-out windows; both sorted by class, with as many of each."""
    of_held, of_other = features(judge.net, held.values), features(judge.net, other.values)
    some = len(held) > 1
    found: dict[str, Found] = {
        "mmd": (mmd(of_held, of_other, judge.bandwidth) if some else NAN, {}),
        "frechet_distance": (frechet_distance(of_held, of_other) if some else NAN, {}),
    }
    band = held.meta.get("band_hz")
    pairs = {
        name: (held.values[held.labels == code], other.values[other.labels == code])
        for code, name in enumerate(held.classes)
        if (held.labels == code).any()
    }
    spectra = {name: spectrum_distance(a, b, held.fs_hz, band and band[1]) for name, (a, b) in pairs.items()}
    found["spectrum_distance_db"] = averaged(spectra)
    found["discriminative_accuracy"] = discriminate(held, other, judge, on_step)
    for name, measure in (("coverage", coverage), ("density", density)):
        by_class = {
            label: neighbourly(measure, of_held[held.labels == code], of_other[other.labels == code])
            for code, label in enumerate(held.classes)
            if label in pairs
        }
        found[name] = (neighbourly(measure, of_held, of_other), by_class)
    beside = {name: (b, a[nearest(b, a)]) for name, (a, b) in pairs.items()}
    found["prd_percent"] = averaged({name: float(np.median(prd(*pair))) for name, pair in beside.items()})
    found["dtw_distance"] = averaged({name: float(np.median(dtw_distance(*pair))) for name, pair in beside.items()})
    if is_ecg(held):
        read = {name: [delineate(x, held.fs_hz, held.event_index or 0) for x in pair] for name, pair in pairs.items()}
        for measure_name in MEASURES:
            found[measure_name] = averaged(
                {name: wasserstein(a[measure_name], b[measure_name]) for name, (a, b) in read.items()}
            )
    return found


def is_ecg(windows: Windows) -> bool:
    """Whether these are windows about a beat, of which physiology can be read off."""
    return windows.event_index is not None and windows.units == "mV"


def averaged(by_class: dict[str, float]) -> Found:
    """The mean of the classes in which there is a number, and those."""
    numbers = [value for value in by_class.values() if np.isfinite(value)]
    return (float(np.mean(numbers)) if numbers else NAN, by_class)


def neighbourly(measure: Callable[..., float], held: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Coverage or density, NaN where there are too few windows to have neighbours."""
    return measure(held, other) if len(held) > NEIGHBOURS else NAN


def medians(held: Windows, made: Windows) -> dict[str, dict[str, dict[str, float]]]:
    """By measure of physiology and class: medians of both sets, and the shares of windows that could be measured."""
    if not is_ecg(held):
        return {}
    found: dict[str, dict[str, dict[str, float]]] = {name: {} for name in MEASURES}
    for code, label in enumerate(held.classes):
        for who, windows in (("real", held), ("synthetic", made)):
            read = delineate(windows.values[windows.labels == code], held.fs_hz, held.event_index or 0)
            for name, numbers in read.items():
                measured = numbers[~np.isnan(numbers)]
                noted = found[name].setdefault(label, {})
                noted[f"median_{who}"] = float(np.median(measured)) if len(measured) else NAN
                noted[f"measured_{who}"] = len(measured) / max(len(numbers), 1)
    return found


# ---- networks


def trained(
    values: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    config: ClassifierConfig,
    seed: int,
    device: torch.device | None,
    on_step: Callable[[int, int, float], None],
) -> nn.Module:
    """A fresh classifier of windows, trained."""
    build = partial(BeatClassifier, values.shape[2], classes, config.width)
    return train_classifier(build, values, labels, config, seed, device=device, on_step=on_step)


def features(net: nn.Module, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, d) what the last layer of a trained classifier's head is given for windows (n, time, channels)."""
    (*_, last) = net.get_submodule("head").children()
    seen: list[torch.Tensor] = []
    hook = last.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0].cpu()))
    try:
        predict(net, values)
    finally:
        hook.remove()
    return torch.cat(seen).numpy()


def discriminate(held: Windows, other: Windows, judge: Judge, on_step: Callable[[int, int, float], None]) -> Found:
    """Accuracy of a fresh classifier told to separate the two sets, on windows it has not seen, and by class.

    0 to 1, 0.5 is best: it cannot; below 0.5 it was misled by chance. After the discriminative score of Yoon, Jarrett
    and van der Schaar, "Time-series Generative Adversarial Networks", 2019, which is its distance from 0.5.
    """
    values = np.concatenate([held.values, other.values])
    of_class = np.concatenate([held.labels, other.labels])
    origin = np.repeat(np.arange(2), [len(held), len(other)])
    rng = np.random.default_rng(judge.seed)
    shown = np.zeros(len(values), dtype=bool)
    for code in np.unique(of_class):
        for side in (0, 1):  # as many of both sets in each class, also of those that are shown
            own = rng.permutation(np.flatnonzero((of_class == code) & (origin == side)))
            shown[own[: round(LEARN * len(own))]] = True
    if not shown.any() or shown.all():
        return NAN, {}
    net = trained(values[shown], origin[shown], 2, judge.config, judge.seed, judge.device, on_step)
    right = predict(net, values[~shown]) == origin[~shown]
    tested = of_class[~shown]
    by_class = {held.classes[code]: float(right[tested == code].mean()) for code in np.unique(tested)}
    return float(right.mean()), by_class
