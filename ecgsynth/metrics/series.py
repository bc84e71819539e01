"""How like real windows of a series synthetic ones are, beside how like other real ones are.

The held-out part is compared with as many synthetic windows of each class and then, for the baseline, with as many of
the training part.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgsynth.errors import ConfigError
from ecgsynth.metrics.comparison import Comparison, Floats, Pair, as_many_of_each, check_kinds
from ecgsynth.metrics.context import UPDATES as CONTEXT_UPDATES
from ecgsynth.metrics.context import ContextNetwork
from ecgsynth.metrics.judges.blocks import FOLDS, Parted, in_halves
from ecgsynth.metrics.judges.judge import JUDGES
from ecgsynth.metrics.judges.judge import UPDATES as JUDGE_UPDATES
from ecgsynth.metrics.likeness import coverage, density, frechet_distance, median_distance, mmd
from ecgsynth.metrics.measure import NAN, Found, Measure, measured
from ecgsynth.metrics.progress import Tell, Trainings, silent
from ecgsynth.metrics.recurrent import discriminative_score, predictive_score
from ecgsynth.metrics.waveforms import (
    autocorrelation_distance,
    correlational_score,
    cross_correlation_distance,
    marginal_distance,
    spectrum_distance,
)
from ecgsynth.windows.windows import Windows

__all__ = ["SERIES_MEASURES", "STEPS", "series_fidelity"]

MOST_NEIGHBOURING_WINDOWS = 2000  # among which neighbours are sought
# Updates: of the scores as in TimeGAN's own code.
STEPS = {
    "discriminative_score": 2000,
    "discriminative_score_blocks": 2000,
    "predictive_score": 5000,
    **dict.fromkeys(JUDGES, JUDGE_UPDATES),
    "context_fid": CONTEXT_UPDATES,
}


def series_fidelity(
    real: Windows,
    synthetic: Windows,
    *,
    test_part: str = "test",
    repeats: int = 10,
    steps: int | None = None,
    seed: int = 0,
    device: torch.device | None = None,
    on_progress: Tell = silent,
) -> dict[str, Any]:
    """Every measure of likeness between the held-out part of the split windows ``real`` and ``synthetic`` ones.

    In a split "none", all real windows are held against the synthetic ones by the two scores, as in TimeGAN's protocol;
    all else takes a random half of them, and the baseline of every measure is what the other half reaches, so that
    nothing is compared with itself. discriminative_score_blocks and what the CNN and the Transformer reach are of folds
    that share no row (ecgsynth.metrics.judges.blocks): every judge is tested on sequences, or stretches of time, that
    it has seen nothing of, and the baseline in a split "none" is one set of stretches beside those between them.
    predictive_score, autocorrelation_distance, correlational_score and spectrum_distance_db are of what moves within a
    window and leave out statics. Spectrum, mmd, coverage and density are of windows in standard deviations of each
    channel.

    Parameters
    ----------
    real, synthetic
        Of each class, as many held-out, synthetic and training windows are compared: what the fewest have.
    test_part
        The part that is held out.
    repeats
        Networks of each score; of each judge as many, but at most one a fold.
    steps
        Updates of each network, if fewer than those in STEPS.
    seed
        Gives the same on a CPU.
    device
        Of the judges; the scores' own networks are too small for any but a CPU.
    on_progress
        Called with the updates.

    Returns
    -------
    ``windows``, how many of each class, and ``measures``: what ``measured`` gives of those in SERIES_MEASURES.

    Raises
    ------
    ConfigError
        For settings below 1.
    DataError
        Where the two are not of one kind, or are too few.

    """
    if repeats < 1 or (steps is not None and steps < 1):
        raise ConfigError(f"expected at least one repeat and one step, got {repeats} and {steps}")
    check_kinds(real, synthetic)
    rng = np.random.default_rng(seed)
    scored, compared = pairs(real, synthetic, test_part, rng)
    updates = {name: most if steps is None else min(steps, most) for name, most in STEPS.items()}
    picked = rng.permutation(len(compared[0][0]))[:MOST_NEIGHBOURING_WINDOWS]  # sorted by class, with as many of each
    folds = min(repeats, FOLDS)
    twice = sum(count * (folds if name in JUDGES else 1) for name, count in updates.items() if name != "context_fid")
    trainings = Trainings(on_progress, 2 * twice + updates["context_fid"])
    learnt = real.part("train")
    network = ContextNetwork(learnt=learnt.values, steps=updates["context_fid"], trainings=trainings, seed=seed)
    judges_compare = parted(real, synthetic, test_part, seed)
    beside_made, beside_real = (
        Comparison(
            held=held,
            other=other,
            learnt=learnt,
            network=network,
            trainings=trainings,
            scored=pair,
            parted=blocks,
            picked=picked,
            steps=steps,
            repeats=repeats,
            seed=seed,
            device=device,
        )
        for (held, other), pair, blocks in zip(compared, scored, judges_compare, strict=True)
    )
    return {
        "test_part": test_part,
        "units": real.units,
        "steps": updates,
        "steps_of_paper": updates == STEPS,
        "repeats": repeats,
        "windows": scored[0][0].counts(),
        "measures": measured(SERIES_MEASURES, beside_made, beside_real, units=real.units),
    }


# ---- what is compared


def pairs(real: Windows, synthetic: Windows, test_part: str, rng: np.random.Generator) -> tuple[list[Pair], list[Pair]]:
    """What the scores compare, and what all else does: real windows with synthetic, then with other real ones."""
    if real.meta.get("split") != "none":
        held, made, learnt = as_many_of_each([real.part(test_part), synthetic, real.part("train")], rng)
        both = [(held, made), (held, learnt)]
        return both, both
    whole, made = as_many_of_each([real, synthetic], rng)
    one, other = halves(whole, rng)
    fewer = made.of_each_class(list(one.counts().values()), rng)
    return [(whole, made), (one, other)], [(one, fewer), (one, other)]


def halves(windows: Windows, rng: np.random.Generator) -> tuple[Windows, Windows]:
    """Two random halves of windows, none of which is in both, with as many of each class and sorted by class."""
    orders = [rng.permutation(np.flatnonzero(windows.labels == code)) for code in range(len(windows.classes))]
    one = [order[: len(order) // 2] for order in orders]
    other = [order[len(order) // 2 : 2 * (len(order) // 2)] for order in orders]
    return windows.take(np.concatenate(one)), windows.take(np.concatenate(other))


def parted(real: Windows, synthetic: Windows, test_part: str, seed: int) -> list[Parted | None]:
    """What judges compare: real windows with synthetic, then with other real ones, in folds that share no row."""
    held = real.part(test_part)
    beside_real = (
        in_halves(real, seed) if real.meta.get("split") == "none" else Parted.of(held, real.part("train"), seed)
    )
    return [Parted.of(held, synthetic, seed), beside_real]


# ---- measures


def scored(score: Callable[..., NDArray[np.float64]], most: int, channels: int | None, comparison: Comparison) -> Found:
    """A score of Yoon, Jarrett and van der Schaar on so many channels, the mean of its repeats."""
    updates = comparison.at_most(most)
    values = [windows.values[:, :, :channels] for windows in comparison.scored or (comparison.held, comparison.other)]
    how: dict[str, Any] = {"repeats": comparison.repeats, "steps": updates, "seed": comparison.seed}
    return Found.of_repeats(score(*values, **how, on_step=comparison.training(updates)))


def discriminated(comparison: Comparison) -> Found:
    """The discriminative score."""
    return scored(discriminative_score, STEPS["discriminative_score"], None, comparison)


def discriminated_in_blocks(comparison: Comparison) -> Found:
    """The discriminative score of windows of stretches that share no row with what was learnt from."""
    blocks = comparison.parted
    if blocks is None:
        return Found(value=NAN)
    updates = comparison.at_most(STEPS["discriminative_score_blocks"])
    how: dict[str, Any] = {"repeats": comparison.repeats, "steps": updates, "seed": comparison.seed}
    values = (blocks.real.values, blocks.other.values)
    return Found.of_repeats(discriminative_score(*values, **how, parted=blocks, on_step=comparison.training(updates)))


def judged_by(judge: str, figure: str, comparison: Comparison) -> Found:
    """The accuracy or the AUC of a judge, the mean of its folds."""
    found = comparison.judgement(judge, STEPS[judge])
    return Found(value=NAN) if found is None else Found.of_repeats(getattr(found, figure))


def in_context(comparison: Comparison) -> Found:
    """The Frechet distance between what an encoder of real windows gives."""
    return Found(value=frechet_distance(*comparison.features))


def correlated(comparison: Comparison) -> Found:
    """The correlational score of what moves."""
    values = (windows.values[:, :, : comparison.columns] for windows in (comparison.held, comparison.other))
    return Found.of_repeats(correlational_score(*values, seed=comparison.seed))


def predicted(comparison: Comparison) -> Found:
    """The predictive score, which is of the last channel; statics come last, and are left out."""
    return scored(predictive_score, STEPS["predictive_score"], comparison.columns, comparison)


def of_values(measure: Callable[[Floats, Floats], float], comparison: Comparison) -> Found:
    """A measure of the windows as they are."""
    return Found(value=measure(comparison.held.values, comparison.other.values))


def autocorrelation(comparison: Comparison) -> Found:
    """The distance between the autocorrelations of what moves."""
    held, other = comparison.held.values, comparison.other.values
    return Found(value=autocorrelation_distance(*(values[:, :, : comparison.columns] for values in (held, other))))


def spectrum(comparison: Comparison) -> Found:
    """The distance between the spectra of what moves."""
    a, b = (values[:, :, : comparison.columns] for values in comparison.scaled)
    return Found(value=spectrum_distance(a, b, comparison.held.fs_hz))


def discrepancy(comparison: Comparison) -> Found:
    """Squared maximum mean discrepancy of windows as points, by a bandwidth of the real ones alone."""
    real, other = comparison.points
    return Found(value=mmd(real, other, median_distance(real)))


def of_points(measure: Callable[[Floats, Floats], float], comparison: Comparison) -> Found:
    """A measure of windows as points."""
    return Found(value=measure(*comparison.points))


def of_judge(judge: str, called: str, figure: str, title: str) -> Measure[Comparison]:
    """The entry of one figure of a judge."""
    note = f"of a {called} trained to separate real and synthetic windows, tested as the score of blocks is"
    return Measure(
        name=f"{judge}_{figure}",
        title=f"{called}, {title}",
        best=0.5,
        low=0.0,
        high=1.0,
        take=partial(judged_by, judge, figure),
        note=note if figure == "auc" else "",
    )


SERIES_MEASURES: tuple[Measure[Comparison], ...] = (
    Measure(
        name="discriminative_score",
        title="discriminative score",
        best=0.0,
        low=0.0,
        high=0.5,
        take=discriminated,
        note="how far from one half is the accuracy of a GRU trained to separate real and synthetic windows",
        chief=True,
    ),
    Measure(
        name="discriminative_score_blocks",
        title="discriminative score, blocks",
        best=0.0,
        low=0.0,
        high=0.5,
        take=discriminated_in_blocks,
        note="the same, tested on sequences or stretches of time that share no row with those it learnt from",
    ),
    of_judge("cnn", "CNN", "auc", "AUC"),
    of_judge("cnn", "CNN", "accuracy", "accuracy"),
    of_judge("transformer", "Transformer", "auc", "AUC"),
    of_judge("transformer", "Transformer", "accuracy", "accuracy"),
    Measure(
        name="predictive_score",
        title="predictive score",
        best=None,
        low=0.0,
        high=1.0,
        take=predicted,
        note="mean error, on real windows scaled to 0..1, of a GRU that learnt from synthetic ones to predict the last "
        "column's next value; its best is the baseline",
        chief=True,
    ),
    Measure(
        name="context_fid",
        title="Context-FID",
        best=0.0,
        low=0.0,
        high=None,
        take=in_context,
        note="distance between features that an encoder gives, which learnt from real windows alone; it falls with the "
        "number of windows, so that its best is the baseline",
    ),
    Measure(
        name="autocorrelation_distance", title="autocorrelation", best=0.0, low=0.0, high=None, take=autocorrelation
    ),
    Measure(
        name="cross_correlation_distance",
        title="correlation of columns",
        best=0.0,
        low=0.0,
        high=2.0,
        take=partial(of_values, cross_correlation_distance),
    ),
    Measure(
        name="correlational_score",
        title="correlational score",
        best=0.0,
        low=0.0,
        high=None,
        take=correlated,
    ),
    Measure(
        name="marginal_distance",
        title="values, standard deviations",
        best=0.0,
        low=0.0,
        high=None,
        take=partial(of_values, marginal_distance),
    ),
    Measure(name="spectrum_distance_db", title="power spectrum, dB", best=0.0, low=0.0, high=None, take=spectrum),
    Measure(name="mmd", title="maximum mean discrepancy, squared", best=0.0, low=-2.0, high=2.0, take=discrepancy),
    Measure(name="coverage", title="coverage", best=1.0, low=0.0, high=1.0, take=partial(of_points, coverage)),
    Measure(name="density", title="density", best=1.0, low=0.0, high=None, take=partial(of_points, density)),
)
