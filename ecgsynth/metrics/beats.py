"""How like real beats synthetic ones are, by every measure, beside how like other real beats are.

The held-out part is compared with as many synthetic beats of each class and then, for the baseline, with as many beats
of the training part. Where the split is by patient, the baseline is what other patients' beats reach.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from ecgsynth.metrics.classifier import ClassifierConfig, predict
from ecgsynth.metrics.comparison import Comparison, FeatureNetwork, Floats, as_many_of_each, check_kinds, trained
from ecgsynth.metrics.likeness import NEIGHBOURS, coverage, density, frechet_distance, mmd
from ecgsynth.metrics.measure import NAN, Found, Measure, mean_of_classes, measured
from ecgsynth.metrics.physiology import wasserstein
from ecgsynth.metrics.progress import Tell, Trainings, silent
from ecgsynth.metrics.waveforms import dtw_distance, prd, spectrum_distance
from ecgsynth.windows.windows import Windows

__all__ = ["BEAT_MEASURES", "MOST_WINDOWS", "fidelity"]

MOST_WINDOWS = 2000  # of a class that are compared
BATCH_WINDOWS = 128  # windows of a batch of each classifier: on one core a third of the time that 256 take
SHOWN_SHARE = 0.7  # of the windows that the discriminator learns from; it is tested on the others


def fidelity(
    real: Windows,
    synthetic: Windows,
    *,
    test_part: str = "test",
    seed: int = 0,
    device: torch.device | None = None,
    steps: int = 700,
    on_progress: Tell = silent,
) -> dict[str, Any]:
    """Every measure of likeness between the held-out part of the split windows ``real`` and ``synthetic`` ones.

    All but mmd and frechet_distance are also taken by class; coverage, density and the accuracy of the discriminator
    pool the classes in the value, the others are the mean of the classes. prd_percent and dtw_distance are medians over
    the synthetic windows, each beside the nearest held-out one of its class. Physiology, of windows in mV that have an
    event, is the Wasserstein-1 distance of what ``delineate`` reads off; by class stand beside it the medians, and the
    shares of windows that could be measured.

    Parameters
    ----------
    real, synthetic
        Of each class, as many held-out, synthetic and training windows are compared: what the fewest have, at most
        MOST_WINDOWS.
    test_part
        The part that is held out.
    seed
        Gives the same on a CPU.
    device
        Of the networks.
    steps
        Updates of each of three classifiers: one of the training part, which gives features, and two discriminators.
    on_progress
        Called with their updates.

    Returns
    -------
    ``windows``, how many of each class, and ``measures``: what ``measured`` gives of those in BEAT_MEASURES.

    Raises
    ------
    DataError
        Where the two are not of one kind, or no class is in all three sets.

    """
    check_kinds(real, synthetic)
    learnt = real.part("train")
    sets = (real.part(test_part), synthetic, learnt)
    held, made, like = as_many_of_each(sets, np.random.default_rng(seed), MOST_WINDOWS)
    trainings = Trainings(on_progress, 3 * steps)
    config = ClassifierConfig(steps=steps, batch=BATCH_WINDOWS)
    network = FeatureNetwork(learnt=learnt, config=config, trainings=trainings, seed=seed, device=device)
    beside_made = Comparison(
        held=held,
        other=made,
        learnt=learnt,
        network=network,
        trainings=trainings,
        steps=steps,
        seed=seed,
        device=device,
    )
    beside_real = dataclasses.replace(beside_made, other=like)
    return {
        "test_part": test_part,
        "units": real.units,
        "steps": steps,
        "windows": held.counts(),
        "measures": measured(BEAT_MEASURES, beside_made, beside_real, units=real.units),
    }


# ---- measures


def discrepancy(comparison: Comparison) -> Found:
    """Squared maximum mean discrepancy of the features."""
    return Found(value=mmd(*comparison.features, comparison.bandwidth) if len(comparison.held) > 1 else NAN)


def frechet(comparison: Comparison) -> Found:
    """Frechet distance of the features."""
    return Found(value=frechet_distance(*comparison.features) if len(comparison.held) > 1 else NAN)


def spectrum(comparison: Comparison) -> Found:
    """How far the spectra of a class lie apart, within the band that the windows were filtered to."""
    band, fs_hz = comparison.held.meta.get("band_hz"), comparison.held.fs_hz
    top = band and band[1]
    return mean_of_classes({name: spectrum_distance(*pair, fs_hz, top) for name, pair in comparison.by_class.items()})


def discriminated(comparison: Comparison) -> Found:
    """Accuracy of a fresh classifier that learns to separate the two sets, on windows that it has not seen.

    0 to 1, 0.5 is best: it cannot; below 0.5 it was misled by chance. After the discriminative score of Yoon, Jarrett
    and van der Schaar, "Time-series Generative Adversarial Networks", 2019, which is its distance from 0.5.
    """
    held, other = comparison.held, comparison.other
    config = ClassifierConfig(steps=comparison.steps or ClassifierConfig().steps, batch=BATCH_WINDOWS)
    values = np.concatenate([held.values, other.values])
    of_class = np.concatenate([held.labels, other.labels])
    origin = np.repeat(np.arange(2), [len(held), len(other)])
    rng = np.random.default_rng(comparison.seed)
    shown = np.zeros(len(values), dtype=bool)
    for code in np.unique(of_class):
        for side in (0, 1):  # as many of both sets in each class, also of those that are shown
            own = rng.permutation(np.flatnonzero((of_class == code) & (origin == side)))
            shown[own[: round(SHOWN_SHARE * len(own))]] = True
    if not shown.any() or shown.all():
        return Found(value=NAN)
    on_step = comparison.training(config.steps)
    net = trained(values[shown], origin[shown], 2, config, comparison.seed, comparison.device, on_step)
    right = predict(net, values[~shown]) == origin[~shown]
    tested = of_class[~shown]
    by_class = {held.classes[code]: float(right[tested == code].mean()) for code in np.unique(tested)}
    return Found(value=float(right.mean()), by_class=by_class)


def of_neighbours(measure: Callable[[Floats, Floats], float], comparison: Comparison) -> Found:
    """Coverage or density of the features; NaN where there are too few windows to have neighbours."""

    def taken(held: Floats, other: Floats) -> float:
        return measure(held, other) if len(held) > NEIGHBOURS else NAN

    by_class = {name: taken(*pair) for name, pair in comparison.features_by_class.items()}
    return Found(value=taken(*comparison.features), by_class=by_class)


def beside_nearest(measure: Callable[[Floats, Floats], Any], comparison: Comparison) -> Found:
    """The median of a distance of each other window to the nearest held-out one of its class."""
    return mean_of_classes({name: float(np.median(measure(*pair))) for name, pair in comparison.nearest.items()})


def physiology(name: str, comparison: Comparison) -> Found | None:
    """How far what is read off the beats of a class lies apart; None for what is no ECG about a beat."""
    if not comparison.delineated:
        return None
    pairs = {label: (a[name], b[name]) for label, (a, b) in comparison.delineated.items()}
    notes: dict[str, dict[str, float]] = {label: {} for label in pairs}
    for label, pair in pairs.items():
        for who, numbers in zip(("real", "synthetic"), pair, strict=True):
            there = numbers[~np.isnan(numbers)]
            notes[label][f"median_{who}"] = float(np.median(there)) if len(there) else NAN
            notes[label][f"measured_{who}"] = len(there) / max(len(numbers), 1)
    return mean_of_classes({label: wasserstein(*pair) for label, pair in pairs.items()}, notes)


def distance(name: str, title: str, take: Callable[[Comparison], Found | None]) -> Measure[Comparison]:
    """A measure that is 0 at best and has no end."""
    return Measure(name=name, title=title, best=0.0, low=0.0, high=None, take=take)


BEAT_MEASURES: tuple[Measure[Comparison], ...] = (
    Measure(name="mmd", title="maximum mean discrepancy, squared", best=0.0, low=-2.0, high=2.0, take=discrepancy),
    distance("frechet_distance", "Frechet distance", frechet),
    distance("spectrum_distance_db", "power spectrum, dB", spectrum),
    Measure(
        name="discriminative_accuracy",
        title="discriminator's accuracy",
        best=0.5,
        low=0.0,
        high=1.0,
        take=discriminated,
        chief=True,
    ),
    Measure(name="coverage", title="coverage", best=1.0, low=0.0, high=1.0, take=partial(of_neighbours, coverage)),
    Measure(name="density", title="density", best=1.0, low=0.0, high=None, take=partial(of_neighbours, density)),
    distance("prd_percent", "PRD to the nearest, %", partial(beside_nearest, prd)),
    distance("dtw_distance", "DTW to the nearest, {units}", partial(beside_nearest, dtw_distance)),
    distance("r_amplitude_mv", "R amplitude, mV", partial(physiology, "r_amplitude_mv")),
    distance("qrs_width_s", "QRS width, s", partial(physiology, "qrs_width_s")),
    distance("qt_s", "QT interval, s", partial(physiology, "qt_s")),
    distance("t_amplitude_mv", "T amplitude, mV", partial(physiology, "t_amplitude_mv")),
)
