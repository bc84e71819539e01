"""The table of attacks on persons, and what they reached: was this person among those whom a generator learnt from?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.metrics.attacks.base import Exposure
from ecgsynth.metrics.attacks.calibrated import calibrated_distance, uncalibrated_distance
from ecgsynth.metrics.attacks.density import density_ratio
from ecgsynth.metrics.attacks.figures import auc, figures_of
from ecgsynth.metrics.attacks.shadow import shadow_models
from ecgsynth.metrics.attacks.targets import FEWEST_PERSONS, Scores, Targets, targets_of
from ecgsynth.metrics.attacks.white_box import white_box

__all__ = ["BEATS", "PERSON_ATTACKS", "PersonAttack", "attacked_persons"]

BEATS = (1, 5, 20, 100)  # of a person, with which attacks are tried
MOST_DRAWS = 10  # times that an attack with few beats is tried with others
MOST_GROUPS = 20  # of people outside, that are left out in turn

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAttack:
    """One attack on persons.

    Parameters
    ----------
    name
        Its key in metrics.json.
    title
        What reports call it.
    sees
        What the attacker has beside the person's beats: "output", "file", or "refit".
    prepare
        Gives scores by some of each person's beats, the higher the likelier in; None where it cannot be tried.

    """

    name: str
    title: str
    sees: str
    prepare: Callable[[Targets], Scores | None]


PERSON_ATTACKS = (
    PersonAttack(name="distance", title="nearest distance", sees="output", prepare=uncalibrated_distance),
    PersonAttack(name="calibrated_distance", title="calibrated distance", sees="output", prepare=calibrated_distance),
    PersonAttack(name="density_ratio", title="density ratio (DOMIAS)", sees="output", prepare=density_ratio),
    PersonAttack(name="white_box", title="centres in the file", sees="file", prepare=white_box),
    PersonAttack(name="shadow", title="shadow models", sees="refit", prepare=shadow_models),
)


def attacked_persons(
    exposure: Exposure,
    attacks: Sequence[PersonAttack] = PERSON_ATTACKS,
    *,
    seed: int = 0,
    tell: Callable[[float], None] = lambda done: None,
) -> dict[str, dict[str, Any]]:
    """What each attack on persons reached that could be tried.

    Parameters
    ----------
    exposure
        What the attacker sees.
    attacks
        Those to try.
    seed
        Of the intervals.
    tell
        Called with the share that is done.

    Returns
    -------
    By the attack's name, its ``title``, all of ``figures_of``, ``by_beats`` (the area with so many beats of each
    person), ``beats_needed`` (the fewest with which the area is within 0.02 of the highest) and the numbers of
    ``persons_learnt`` and ``persons_outside``; empty where persons are not known or too few.

    """
    targets = targets_of(exposure)
    found: dict[str, dict[str, Any]] = {}
    if targets is None:
        return found
    for place, attack in enumerate(attacks):
        scores = attack.prepare(targets)
        if scores is not None:
            reached = reached_by(scores, targets, seed)
            if reached is not None:
                found[attack.name] = {"title": attack.title, "sees": attack.sees, **reached}
        tell((place + 1) / len(attacks))
    return found


def reached_by(scores: Scores, targets: Targets, seed: int) -> dict[str, Any] | None:
    """The figures of an attack with all beats, and the area with fewer; None where too few have a score."""
    last = int(targets.turns.max()) + 1
    members, others = sides(scores(0, last), targets)
    if min(len(members), len(others)) < FEWEST_PERSONS:
        return None
    counts = {"persons_learnt": len(members), "persons_outside": len(others)}
    by_beats = {
        str(beats): area
        for beats in BEATS
        if beats <= targets.most and (area := mean_area(scores, targets, beats)) is not None
    }
    found = figures_of(members, others, seed=seed, stretch=stretch_of(scores, targets))
    return {**found, **counts, "by_beats": by_beats, "beats_needed": needed(by_beats)}


def stretch_of(scores: Scores, targets: Targets) -> float:
    """How much wider an interval is, as people outside are also those that all are compared with: 1 or more.

    A bootstrap of the scores takes these for given, but other people outside would have changed everybody's. How much,
    groups of them tell that are left out in turn, as targets and as people to compare with. The variance that this adds
    is of pairs, a target and whom he is compared with, and the jackknife counts what hangs on pairs twice: half of it
    is taken.

    References
    ----------
    Efron and Stein, "The Jackknife Estimate of Variance", 1981; of areas: DeLong, DeLong and
    Clarke-Pearson, "Comparing the Areas under Two or More Correlated Receiver Operating Characteristic Curves", 1988.

    """
    last, people = targets.most, targets.compared.shape[1]
    usual, first = scores(0, last), int(targets.members.sum())
    members, others = sides(usual, targets)
    rng = np.random.default_rng(targets.exposure.seed)
    fixed: list[float] = []
    whole: list[float] = []
    for left_out in np.array_split(rng.permutation(people), min(people, MOST_GROUPS)):
        kept = np.setdiff1d(np.arange(people), left_out)
        there = np.ones(len(targets.members), dtype=bool)
        there[first + left_out] = False
        for areas, found in ((fixed, usual), (whole, scores(0, last, compared_without(targets, kept)))):
            parts = sides(np.where(there, found, np.nan), targets)
            areas.append(auc(*parts) if min(map(len, parts)) else np.nan)
    of_members = np.var([auc(members[[place]], others) for place in range(len(members))], ddof=1) / len(members)
    before, after = (of_members + jackknife(np.array(areas)) for areas in (fixed, whole))
    return max(1.0, float(np.sqrt((before + after) / (2 * before)))) if before > 0 else 1.0


def compared_without(targets: Targets, kept: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(targets, people) whom each is compared with, of these alone: still as many for members as for others."""
    found = np.zeros_like(targets.compared)
    found[:, kept] = targets.compared[:, kept]
    full = np.flatnonzero(found.sum(axis=1) == len(kept))
    full = full[targets.members[full]]  # whose left-out one is not there in any case
    found[full, kept[full % len(kept)]] = False
    return found


def jackknife(values: Floats) -> float:
    """The variance of a figure, from its values with one group of n left out each time."""
    known = values[np.isfinite(values)]
    return float((len(known) - 1) * known.var()) if len(known) else 0.0


def sides(scores: Floats, targets: Targets) -> tuple[Floats, Floats]:
    """The scores of members and of others, as far as there are numbers."""
    known = np.isfinite(scores)
    return scores[known & targets.members], scores[known & ~targets.members]


def mean_area(scores: Scores, targets: Targets, beats: int) -> float | None:
    """The mean area of an attacker with so many beats of each person, over several draws of them."""
    areas = []
    for draw in range(min(MOST_DRAWS, targets.most // beats)):
        members, others = sides(scores(draw * beats, (draw + 1) * beats), targets)
        if len(members) and len(others):
            areas.append(auc(members, others))
    return float(np.mean(areas)) if areas else None


def needed(by_beats: dict[str, float]) -> int | None:
    """The fewest beats with which the area is within 0.02 of the highest; None where no number is above chance."""
    best = max(by_beats.values(), default=0.5)
    close = [int(beats) for beats, area in by_beats.items() if area >= best - 0.02]
    return min(close) if close and best > 0.5 else None
