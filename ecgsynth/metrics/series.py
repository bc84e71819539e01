"""How like real windows of a series synthetic ones are, beside how like other real ones are.

The held-out part is compared with as many synthetic windows of each class and then, for the baseline, with as many of
the training part.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.spread import mean_and_spread
from ecgsynth.errors import ConfigError, DataError
from ecgsynth.metrics.beats import check_kinds, known
from ecgsynth.metrics.likeness import (
    autocorrelation_distance,
    channel_spreads,
    coverage,
    cross_correlation_distance,
    density,
    marginal_distance,
    median_distance,
    mmd,
    spectrum_distance,
)
from ecgsynth.metrics.recurrent import discriminative_score, predictive_score
from ecgsynth.windows.windows import Windows

__all__ = ["RANGES", "STEPS", "in_spreads", "series_fidelity"]

MOST = 2000  # windows among which neighbours are sought
STEPS = {"discriminative_score": 2000, "predictive_score": 5000}  # updates, as in TimeGAN's own code
# The best value of each measure, the lowest and the highest (None: there is none).
RANGES: dict[str, tuple[float | None, float, float | None]] = {
    "discriminative_score": (0.0, 0.0, 0.5),
    "predictive_score": (None, 0.0, 1.0),
    "autocorrelation_distance": (0.0, 0.0, None),
    "cross_correlation_distance": (0.0, 0.0, 2.0),
    "marginal_distance": (0.0, 0.0, None),
    "spectrum_distance_db": (0.0, 0.0, None),
    "mmd": (0.0, -2.0, 2.0),
    "coverage": (1.0, 0.0, 1.0),
    "density": (1.0, 0.0, None),
}

Tell = Callable[[int, int], None]
Pair = tuple[Windows, Windows]  # real windows, and those that are compared with them


def series_fidelity(
    real: Windows,
    synthetic: Windows,
    *,
    test_part: str = "test",
    repeats: int = 10,
    steps: int | None = None,
    seed: int = 0,
    on_step: Tell | None = None,
) -> dict[str, Any]:
    """Every measure of likeness between the held-out part of the split windows ``real`` and ``synthetic`` ones.

    Of each class, as many held-out, synthetic and training windows are compared: what the fewest have. In a split
    "none", all real windows are held against the synthetic ones by the two scores, as in TimeGAN's protocol; all else
    takes a random half of them, and the baseline of every measure is what the other half reaches, so that nothing is
    compared with itself.
    The scores train ``repeats`` networks for the updates in STEPS, or ``steps`` if that is less; ``on_step(done,
    total)`` is told of them. A seed gives the same on a CPU.

    Returns ``windows``, how many of each class, and ``measures``: of each in RANGES the ``value``, the ``baseline``
    (real windows in the place of the synthetic ones), the ``best`` value (None: the baseline) and the ``range`` (None
    where it is open); of the two scores, which are means of the repeats, also their standard deviations, ``spread`` and
    ``baseline_spread``. What cannot be taken is None, and so is the spread of one repeat. predictive_score,
    autocorrelation_distance and spectrum_distance_db are of what moves within a window and leave out statics. Spectrum,
    mmd, coverage and density are of windows in standard deviations of each channel.

    Raises ConfigError for settings below 1, DataError where the two are not of one kind, or are too few.
    """
    if repeats < 1 or (steps is not None and steps < 1):
        raise ConfigError(f"a score takes at least one repeat and one step, got {repeats} and {steps}")
    check_kinds(real, synthetic)
    rng = np.random.default_rng(seed)
    scored, compared = pairs(real, synthetic, test_part, rng)
    updates = {name: most if steps is None else min(steps, most) for name, most in STEPS.items()}
    found = scores(scored, updates, repeats, seed, on_step or (lambda done, total: None))
    picked = rng.permutation(len(compared[0][0]))[:MOST]  # both sides are sorted by class, with as many of each
    like = real.part("train").values
    values, baselines = (measures(*pair, picked, like) for pair in compared)
    for name, value in values.items():
        found[name] = {"value": known(value), "baseline": known(baselines[name])}
    for name, (best, *ends) in RANGES.items():
        found[name] |= {"best": best, "range": ends}
    return {
        "test_part": test_part,
        "units": real.units,
        "steps": updates,
        "steps_of_paper": updates == STEPS,
        "repeats": repeats,
        "windows": scored[0][0].counts(),
        "measures": found,
    }


# ---- what is compared


def pairs(real: Windows, synthetic: Windows, test_part: str, rng: np.random.Generator) -> tuple[list[Pair], list[Pair]]:
    """What the scores compare, and what all else does: real windows with synthetic, then with other real ones."""
    if real.meta.get("split") != "none":
        held, made, learnt = balanced([real.part(test_part), synthetic, real.part("train")], rng)
        both = [(held, made), (held, learnt)]
        return both, both
    whole, made = balanced([real, synthetic], rng)
    one, other = halves(whole, rng)
    fewer = made.of_each_class(list(one.counts().values()), rng)
    return [(whole, made), (one, other)], [(one, fewer), (one, other)]


def balanced(sets: Sequence[Windows], rng: np.random.Generator) -> list[Windows]:
    """As many windows of each class from each set, all that the fewest have, drawn at random and sorted by class."""
    counts = [min(of_one) for of_one in zip(*(windows.counts().values() for windows in sets), strict=True)]
    if not any(counts):
        raise DataError("no class has held-out, synthetic and training windows; draw synthetic ones of each class")
    return [windows.of_each_class(counts, rng) for windows in sets]


def halves(windows: Windows, rng: np.random.Generator) -> tuple[Windows, Windows]:
    """Two random halves of windows, none of which is in both, with as many of each class and sorted by class."""
    orders = [rng.permutation(np.flatnonzero(windows.labels == code)) for code in range(len(windows.classes))]
    one = [order[: len(order) // 2] for order in orders]
    other = [order[len(order) // 2 : 2 * (len(order) // 2)] for order in orders]
    return windows.take(np.concatenate(one)), windows.take(np.concatenate(other))


# ---- measures


def scores(scored: list[Pair], updates: dict[str, int], repeats: int, seed: int, tell: Tell) -> dict[str, Any]:
    """The two scores of both pairs, with their spreads over the repeats."""
    total, before = 2 * sum(updates.values()), 0
    found: dict[str, Any] = {name: {} for name in updates}
    for name, steps in updates.items():
        for key, spread, (held, other) in zip(
            ("value", "baseline"), ("spread", "baseline_spread"), scored, strict=True
        ):
            measure, channels = discriminative_score, held.values.shape[2]
            if name == "predictive_score":  # which foresees the last channel, and statics come last
                measure, channels = predictive_score, moving(held)
            each = measure(
                held.values[:, :, :channels],
                other.values[:, :, :channels],
                repeats=repeats,
                steps=steps,
                seed=seed,
                on_step=partial(later, tell, before, total),
            )
            found[name][key], found[name][spread] = mean_and_spread(each)
            before += steps
    return found


def later(tell: Tell, before: int, total: int, done: int, of: int) -> None:
    """Pass on the progress of one of several trainings as that of all."""
    tell(before + done, total)


def measures(held: Windows, other: Windows, picked: NDArray[np.int64], like: NDArray[np.float32]) -> dict[str, float]:
    """Every measure but the scores; ``picked``: the windows among which neighbours are sought."""
    a, b = held.values, other.values
    scaled = in_spreads(like, a, b)
    points = [x[picked].reshape(len(picked), -1) for x in scaled]
    columns = moving(held)
    return {
        "autocorrelation_distance": autocorrelation_distance(a[:, :, :columns], b[:, :, :columns]),
        "cross_correlation_distance": cross_correlation_distance(a, b),
        "marginal_distance": marginal_distance(a, b),
        "spectrum_distance_db": spectrum_distance(scaled[0][:, :, :columns], scaled[1][:, :, :columns], held.fs_hz),
        "mmd": mmd(points[0], points[1], median_distance(points[0])),  # a bandwidth of the real windows alone
        "coverage": coverage(points[0], points[1]),
        "density": density(points[0], points[1]),
    }


def moving(windows: Windows) -> int:
    """How many channels, the first, are columns of the series and no statics."""
    channels: int = windows.values.shape[2]
    return channels - (len(windows.series.statics) if windows.series else 0)


def in_spreads(like: NDArray[np.float32], *others: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Windows in standard deviations of each channel of ``like`` (see ``channel_spreads``), about its means."""
    means, spreads = like.mean(axis=(0, 1), dtype=np.float64), channel_spreads(like)
    return [((values - means) / spreads).astype(np.float32) for values in others]
