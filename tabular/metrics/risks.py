"""Singling out, linkability and inference: what synthetic rows tell of those learnt from, beside a control.

An attacker's guesses about members are counted beside the same guesses about outside persons, who are in no training
data: what is right about both is knowledge of the population. The risk is what is more, as a share of what could be.

References
----------
Giomi, Boenisch, Wehmeyer and Tasnadi, "A Unified Framework for Quantifying Privacy Risk in Synthetic
Data", 2023. The three attacks are those of the Article 29 Working Party's opinion 05/2014.

"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgsynth.metrics.attacks.figures import RESAMPLINGS, interval, share_interval

from .crowd import Crowd, Targets, nearest_places, of_persons

__all__ = ["RISKS", "Guesses", "Risk", "risk_of", "risks"]

MOST_MADE = 30_000  # synthetic rows with which guesses are made
GUESSES = 2_000  # predicates that single out one synthetic row
TRIES = 8  # predicates that are made for each of them
MOST_CONDITIONS = 6  # of a predicate
PARTINGS = 4  # of the columns, into those of two sources that are linked
MOST_SECRETS = 12  # columns that are inferred
ROWS_TRIED = 4  # of a person, for linkability and inference
SLACK = 0.02  # of the synthetic rows, between a number and the condition that it gives
BLOCK_NUMBERS = 1_000_000  # of resampled persons that are held at a time
RANK_TOLERANCE = 0.05  # of a guessed number, as a share of the real rows

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesses:
    """How often guesses were right.

    Parameters
    ----------
    members, others
        (n,) and (m,) of each person: the share of guesses that were right; of predicates, weighted so that the mean is
        the share of all that single out a member, or would if there were as many others.
    trials
        How many guesses there were of both kinds.
    by_column
        The same of each column, where they are of columns.

    """

    members: Floats
    others: Floats
    trials: tuple[int, int]
    by_column: dict[str, "Guesses"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """One of the three.

    Parameters
    ----------
    name
        Its key in metrics.json.
    title
        What reports call it.
    run
        Makes the guesses; None where the table has too few columns.

    """

    name: str
    title: str
    run: Callable[[Crowd], Guesses | None]


# ---- singling out


def singling_out(crowd: Crowd) -> Guesses | None:
    """Predicates that fit one synthetic row: how many fit exactly one person, and whether that is a member.

    Members and outside persons are one crowd, in which a predicate that knows nothing of members finds an outside
    person as often as there are any. So the control needs no second table of the same size. A person is found once:
    guesses that single out the same again are no guesses, for otherwise a few who stand out make all figures.
    """
    rng = np.random.default_rng([crowd.seed, 4])
    most = np.count_nonzero(crowd.inside[crowd.whose])  # of more synthetic rows, fewer stand out
    released = crowd.made.drop_duplicates().iloc[:most].reset_index(drop=True)
    real, made = coded([crowd.real, released], crowd.numbers)
    alone, guesses = np.zeros(len(crowd.inside)), 0
    for conditions in predicates(made, crowd.numbers, min(GUESSES, len(released)), rng):
        people = crowd.whose[fitting(real, conditions)]
        found = people[:1] if (people == people[:1]).all() else people[:0]
        guesses += not alone[found].any()  # who stands out in everything counts once
        alone[found] = 1
    if not guesses:
        return None
    weighted = alone * crowd.inside.sum() / guesses
    members, others = weighted[crowd.inside], weighted[~crowd.inside]
    return Guesses(members=members, others=others, trials=(guesses, math.ceil(guesses * len(others) / len(members))))


def coded(frames: Sequence[pd.DataFrame], numbers: Sequence[str]) -> list[Columns]:
    """Canonical tables as arrays: numbers as they are, categories as codes, and -1 where missing."""
    found: list[Columns] = [{} for _ in frames]
    for name in frames[0].columns:
        if name in numbers:
            placed = [frame[name].to_numpy(dtype=np.float64) for frame in frames]
        else:
            codes = pd.factorize(pd.concat([frame[name] for frame in frames]))[0]
            placed = np.split(codes, np.cumsum([len(frame) for frame in frames])[:-1])
        for columns, values in zip(found, placed, strict=True):
            columns[name] = values
    return found


Condition = tuple[str, str, float]  # column, how it is compared, and with what


def predicates(made: Columns, numbers: Sequence[str], count: int, rng: np.random.Generator) -> list[list[Condition]]:
    """At most ``count`` predicates, each of which fits exactly one synthetic row.

    At most half are of one column: a value that is the highest, the lowest, or a category's only one. The others are of
    a random row's values in some columns: categories equal, numbers from there away from the median.
    """
    alone = single_conditions(made, numbers)
    found = [[alone[place]] for place in rng.permutation(len(alone))[: count // 2]]
    names, n = list(made), len(next(iter(made.values())))
    ordered = {name: np.sort(made[name][~np.isnan(made[name])]) for name in numbers}
    most = min(MOST_CONDITIONS, len(names))
    for _ in range(TRIES * count if most > 1 else 0):
        row = int(rng.integers(n))
        chosen = rng.permutation(len(names))[: rng.integers(2, most + 1)]
        conditions = [condition_of(names[place], made, row, ordered) for place in chosen]
        if np.count_nonzero(fitting(made, conditions)) == 1:
            found.append(conditions)
        if len(found) == count:
            break
    return found


def single_conditions(made: Columns, numbers: Sequence[str]) -> list[Condition]:
    """Conditions of one column that fit exactly one row."""
    found: list[Condition] = []
    for name, values in made.items():
        if name in numbers:
            known = values[~np.isnan(values)]
            ends = (("from", known.max()), ("to", known.min())) if len(known) else ()
            found += [(name, how, float(end)) for how, end in ends if (known == end).sum() == 1]
        else:
            codes, counts = np.unique(values, return_counts=True)
            found += [(name, "is", float(code)) for code in codes[(counts == 1) & (codes >= 0)]]
    return found


def condition_of(name: str, made: Columns, row: int, ordered: dict[str, Floats]) -> Condition:
    """What one value of a synthetic row says; with SLACK, as what was learnt may be made anew with noise."""
    value = float(made[name][row])
    if math.isnan(value):
        return name, "missing", value
    if name not in ordered:
        return name, "is", value
    values = ordered[name]
    n, slack = len(values), round(SLACK * len(values))
    if value >= values[n // 2]:
        return name, "from", float(values[max(int(np.searchsorted(values, value)) - slack, 0)])
    return name, "to", float(values[min(int(np.searchsorted(values, value, side="right")) - 1 + slack, n - 1)])


def fitting(columns: Columns, conditions: Sequence[Condition]) -> Mask:
    """(n,) which rows meet all conditions."""
    found = np.ones(len(next(iter(columns.values()))), dtype=bool)
    for name, how, value in conditions:
        values = columns[name]
        if how == "missing":
            found &= np.isnan(values)
        else:
            found &= values >= value if how == "from" else values <= value if how == "to" else values == value
    return found


# ---- linkability


def linkability(crowd: Crowd) -> Guesses | None:
    """Whether two sources with a half of the columns each are linked: by one synthetic row that is nearest to both."""
    names = list(crowd.real.columns)
    if len(names) < 2:
        return None
    rng = np.random.default_rng([crowd.seed, 5])
    targets, tried = crowd.targets, tried_rows(crowd.targets)
    right = np.zeros(len(tried))
    for _ in range(PARTINGS):
        order = rng.permutation(len(names))
        halves = [[names[place] for place in half] for half in np.array_split(order, 2)]
        found = [nearest_places(real[targets.rows[tried]], made) for real, made in map(crowd.coordinates, halves)]
        right += found[0] == found[1]
    return guesses_of(right / PARTINGS, targets, PARTINGS)


def tried_rows(targets: Targets) -> NDArray[np.int64]:
    """The positions of the rows that are tried among the targets' rows."""
    return np.flatnonzero(targets.first(ROWS_TRIED))


def guesses_of(right: Floats, targets: Targets, times: int) -> Guesses:
    """Guesses about persons from (n,) the shares that were right of each row that was tried."""
    values = np.zeros(len(targets.rows))
    values[tried_rows(targets)] = right
    persons = of_persons(values, targets, ROWS_TRIED)
    members, others = persons[targets.members], persons[~targets.members]
    return Guesses(members=members, others=others, trials=(times * len(members), times * len(others)))


# ---- inference


def inference(crowd: Crowd) -> Guesses | None:
    """Whether a value is known from all others: it is that of the synthetic row which is nearest in those.

    A number is right if at most RANK_TOLERANCE of the real rows lie between.
    """
    names = list(crowd.real.columns)
    if len(names) < 2:
        return None
    rng = np.random.default_rng([crowd.seed, 6])
    targets, tried = crowd.targets, tried_rows(crowd.targets)
    secrets = sorted(rng.permutation(len(names))[:MOST_SECRETS].tolist())
    by_column, total = {}, np.zeros(len(tried))
    for place in secrets:
        secret = names[place]
        real, made = crowd.coordinates([name for name in names if name != secret])
        guessed = nearest_places(real[targets.rows[tried]], made)
        truth, guess = crowd.blocks[secret][0][targets.rows[tried]], crowd.blocks[secret][1][guessed]
        right = (np.abs(truth - guess) <= (RANK_TOLERANCE if secret in crowd.numbers else 1e-6)).all(axis=1)
        total += right
        by_column[secret] = guesses_of(right.astype(np.float64), targets, 1)
    found = guesses_of(total / len(secrets), targets, len(secrets))
    return Guesses(members=found.members, others=found.others, trials=found.trials, by_column=by_column)


# ---- figures


RISKS = (
    Risk(name="singling_out", title="singling out", run=singling_out),
    Risk(name="linkability", title="linkability", run=linkability),
    Risk(name="inference", title="inference", run=inference),
)


def risks(crowd: Crowd) -> dict[str, Any]:
    """What each attack found, with intervals over persons; without those that the table has too few columns for."""
    found: dict[str, Any] = {}
    crowd = crowd.released(crowd.made.iloc[:MOST_MADE].reset_index(drop=True))
    for risk in RISKS:
        guesses = risk.run(crowd)
        if guesses is not None:
            found[risk.name] = {"title": risk.title} | risk_of(guesses, seed=crowd.seed)
            if guesses.by_column is not None:
                columns = {name: risk_of(some, seed=crowd.seed) for name, some in guesses.by_column.items()}
                found[risk.name]["by_column"] = columns
    return found


def risk_of(guesses: Guesses, *, seed: int = 0, resamplings: int = RESAMPLINGS) -> dict[str, Any]:
    """The figures of guesses.

    Returns
    -------
    attack, control
        The share of guesses that were right about members, and about outside persons.
    risk
        (attack - control) / (1 - control), at least 0; 0 is best, 1 worst.
    risk_interval
        [low, high], the 95 % interval over persons, no narrower than that over guesses; low may be below 0.

    References
    ----------
    Over guesses, from those of Wilson: Newcombe, "Interval Estimation for the Difference between Independent
    Proportions: Comparison of Eleven Methods", 1998.

    """
    rng = np.random.default_rng(seed)
    attack, control = float(guesses.members.mean()), float(min(guesses.others.mean(), 1.0))
    drawn = [resampled(values, resamplings, rng) for values in (guesses.members, guesses.others)]
    low, high = interval(excess(drawn[0], np.minimum(drawn[1], 1.0)))
    middle = float(excess(np.array(attack), np.array(control)))
    ends = [
        share_interval(min(share, 1.0), max(trials, 1))
        for share, trials in zip((attack, control), guesses.trials, strict=True)
    ]
    below = math.hypot(attack - ends[0][0], ends[1][1] - control) / max(1 - control, 1e-9)
    above = math.hypot(ends[0][1] - attack, control - ends[1][0]) / max(1 - control, 1e-9)
    low, high = min(low, middle - below), max(high, middle + above)
    return {
        "attack": attack,
        "control": control,
        "risk": max(middle, 0.0),
        "risk_interval": [max(low, -1.0), min(high, 1.0)],
    }


def excess(attack: Floats, control: Floats) -> Floats:
    """(attack - control) / (1 - control); 0 where the control is always right."""
    return np.divide(attack - control, 1 - control, out=np.zeros(np.shape(attack)), where=control < 1)


def resampled(values: Floats, times: int, rng: np.random.Generator) -> Floats:
    """(times,) means of values drawn with replacement."""
    n = len(values)
    sizes = [min(BLOCK_NUMBERS // n + 1, times - start) for start in range(0, times, BLOCK_NUMBERS // n + 1)]
    return np.concatenate([values[rng.integers(n, size=(size, n))].mean(axis=1) for size in sizes])
