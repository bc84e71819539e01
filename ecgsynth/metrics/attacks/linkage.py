"""Whose beat is this? A classifier of persons, shown synthetic beats: how many it takes for a real person's own.

Beside it stand two controls: beats of the same persons that it did not learn from, and beats of people whom it never
saw.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ecgsynth.metrics.attacks.base import Exposure, Points
from ecgsynth.metrics.attacks.figures import share_interval
from ecgsynth.metrics.attacks.neighbours import codes_of, log_distances
from ecgsynth.metrics.attacks.targets import people_of, rows_of
from ecgsynth.metrics.classifier import BeatClassifier, ClassifierConfig, train_classifier
from ecgsynth.metrics.progress import Step

__all__ = ["CONFIG", "linkage"]

CONFIG = ClassifierConfig(steps=600, width=16, batch=128)
FEWEST = 20  # beats of a person that the classifier learns from, and half as many held-out ones
MOST = {"learnt": 300, "held": 150, "synthetic": 4000, "never": 3000}  # beats; of a person those learnt and held
NEVER_SHARE, MOST_NEVER, FEWEST_NEVER = 1 / 3, 8, 3  # people whom the classifier never sees, of those outside
LEAST_ACCURACY = 0.8  # of held-out beats of somebody who can be recognised
OWN_QUANTILE = 0.3  # of held-out own beats; a synthetic beat that is above it is as much that person's as his own are
LEAST_STD = 1e-6  # of a feature
LONGEST = 128  # samples that the classifier is given; of longer windows, means of neighbouring ones
BATCH = 2048

Values = NDArray[np.float32]
Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """Beats of the persons whom the classifier knows; owners are their numbers.

    Parameters
    ----------
    learnt, held
        Beats that it learns from, and later ones.
    never
        Beats of people whom it does not know; None where all are needed.
    members
        (persons,) whether the generator learnt from each.

    """

    learnt: Points
    held: Points
    never: Points | None
    members: NDArray[np.bool_]


def linkage(
    exposure: Exposure,
    *,
    seed: int = 0,
    config: ClassifierConfig = CONFIG,
    device: torch.device | None = None,
    on_step: Step | None = None,
) -> dict[str, Any] | None:
    """How many synthetic beats are recognised as somebody's, as much as his own beats are.

    A beat has two scores: the classifier's probability of the likeliest person, and how near it is to that person's
    nearest beat in the features that the last layer is given. Each is ranked among held-out beats of that person, and
    the lower rank counts: a probability alone says that anybody is somebody. A beat is recognised if its rank is above
    the 30 % quantile of his held-out beats, half of which set the quantile and half of which are the control. Nobody is
    recognised of whose own held-out beats the classifier is wrong about more than a fifth: his bar would be too low.

    Parameters
    ----------
    exposure
        What the attacker sees. The classifier learns from half or more of the beats of members and of people outside.
    seed
        Of the classifier, and of the beats.
    config, device
        Of the classifier.
    on_step
        Called after each of its updates.

    Returns
    -------
    recognised
        Share of synthetic beats, with ``recognised_interval``.
    own
        Share of held-out real beats, about 0.7.
    never_seen
        Share of beats of people whom the classifier does not know, with ``never_seen_interval``; None without any.
    accuracy
        How often the classifier is right about held-out beats.
    persons
        How many persons the classifier knows; ``persons_never_seen`` how many it does not, ``persons_recognised`` how
        many have a synthetic beat in a hundred or more.

    None where persons are not known, or too few have beats enough.

    """
    album = album_of(exposure, np.random.default_rng(seed))
    if album is None:
        return None
    persons, shorten = len(album.members), partial(shortened, longest=LONGEST)
    build = partial(BeatClassifier, album.learnt.values.shape[2], persons, config.width)
    owners = np.asarray(album.learnt.owners)
    net = train_classifier(build, shorten(album.learnt.values), owners, config, seed, device=device, on_step=on_step)
    judge, rng = Judge(net, album.learnt), np.random.default_rng(seed)
    synthetic = Points(values=exposure.synthetic, kinds=exposure.kinds)
    synthetic = synthetic.take(rng.permutation(len(synthetic))[: MOST["synthetic"]])
    held = judge.scored(album.held)
    real, setting = np.asarray(album.held.owners), rng.random(len(album.held)) < 0.5
    bar = Bar(held[1][setting], real[setting], persons, held[0][setting])

    made, whose = bar.passed(*judge.scored(synthetic))
    own, said = bar.passed(held[0][~setting], held[1][~setting])
    never = None if album.never is None else bar.passed(*judge.scored(album.never))[0]
    often = np.bincount(whose[made], minlength=persons) >= 0.01 * len(made)
    return {
        "recognised": float(made.mean()),
        "recognised_interval": list(share_interval(float(made.mean()), len(made))),
        "own": float((own & (said == real[~setting])).mean()),
        "never_seen": None if never is None else float(never.mean()),
        "never_seen_interval": None if never is None else list(share_interval(float(never.mean()), len(never))),
        "accuracy": float((held[0] == real).mean()),
        "persons": persons,
        "persons_never_seen": 0 if album.never is None else len(np.unique(np.asarray(album.never.owners))),
        "persons_recognised": int(often.sum()),
    }


# ---- who is who


def album_of(exposure: Exposure, rng: np.random.Generator) -> Album | None:
    """Beats to learn persons from, and to test on; None where fewer than three persons have enough."""
    found = people_of(exposure)
    if found is None:
        return None
    inside, outside = found
    learnt, unseen = rows_of(exposure.learnt.owners), rows_of(exposure.unseen.owners)
    later = {} if exposure.later is None else rows_of(exposure.later.owners)
    faces = []
    for name in inside.tolist():
        own = exposure.learnt.take(learnt[name])
        held = exposure.later.take(later[name]) if exposure.later is not None and name in later else None
        faces.append(Face(name, own, held, True) if held is not None else Face(name, *in_halves(own), True))
    faces += [Face(name, *in_halves(exposure.unseen.take(unseen[name])), False) for name in outside.tolist()]
    faces = [face for face in faces if len(face.learnt) >= FEWEST and len(face.held) >= FEWEST // 2]
    strangers = chosen(faces, rng)
    known = [face for face in faces if face.name not in strangers]
    if len(known) < FEWEST_NEVER:
        return None
    others = [joined((face.learnt, face.held)) for face in faces if face.name in strangers]
    return Album(
        learnt=gathered([face.learnt for face in known], MOST["learnt"], rng),
        held=gathered([face.held for face in known], MOST["held"], rng),
        never=gathered(others, MOST["never"] // len(others), rng) if others else None,
        members=np.array([face.member for face in known]),
    )


class Face(NamedTuple):
    """Somebody's name, beats to learn him from, held-out ones, and whether the generator learnt from him."""

    name: Any
    learnt: Points
    held: Points
    member: bool


def chosen(faces: list[Face], rng: np.random.Generator) -> set[Any]:
    """Whom the classifier shall not know: some of the people outside, or where there are too few, of the members."""
    for member in (False, True):
        names = [face.name for face in faces if face.member == member]
        count = min(MOST_NEVER, int(NEVER_SHARE * len(names)) if not member else len(names) // 10)
        if count >= FEWEST_NEVER:
            return {names[place] for place in rng.permutation(len(names))[:count]}
    return set()


def in_halves(points: Points) -> tuple[Points, Points]:
    """The first and the second half in time."""
    order = np.arange(len(points))
    return points.take(order[: len(order) // 2]), points.take(order[len(order) // 2 :])


def joined(pieces: Sequence[Points]) -> Points:
    """Some beats after others, whose they are left out."""
    values, kinds = ([*parts] for parts in zip(*((piece.values, codes_of(piece)) for piece in pieces), strict=True))
    return Points(values=np.concatenate(values), kinds=np.concatenate(kinds))


def gathered(pieces: list[Points], most: int, rng: np.random.Generator) -> Points:
    """At most so many of each piece, their owners numbered."""
    some = [piece.take(rng.permutation(len(piece))[:most]) for piece in pieces]
    return Points(
        values=np.concatenate([piece.values for piece in some]),
        kinds=np.concatenate([codes_of(piece) for piece in some]),
        owners=np.repeat(np.arange(len(some)), [len(piece) for piece in some]),
    )


# ---- scores


class Bar:
    """How high a person's own held-out beats score.

    Parameters
    ----------
    scores
        (n, scores) of held-out beats under the person whom the classifier takes them for.
    real, persons
        (n,) whose they are, and how many persons there are.
    said
        (n,) whom the classifier takes them for.

    """

    def __init__(self, scores: Floats, real: Codes, persons: int, said: Codes) -> None:
        right = said == real
        self.own = [np.sort(scores[right & (real == person)], axis=0) for person in range(persons)]
        self.wrong = [int((~right & (real == person)).sum()) for person in range(persons)]  # below every bar
        self.heights = np.full(persons, np.inf)
        for person in range(persons):
            there, wrong = len(self.own[person]), self.wrong[person]
            if there and there >= LEAST_ACCURACY * (there + wrong):
                mine = self.ranks(scores[right & (real == person)], person)
                both = np.concatenate([mine, np.zeros(wrong)])
                self.heights[person] = np.quantile(both, OWN_QUANTILE, method="lower")

    def ranks(self, scores: Floats, person: int) -> Floats:
        """(n,) the lower of the ranks of the scores (n, scores) among a person's own, 0 to 1."""
        own, wrong = self.own[person], self.wrong[person]
        each = [np.searchsorted(own[:, place], scores[:, place], side="right") for place in range(scores.shape[1])]
        ranks: Floats = np.min(each, axis=0) / (len(own) + wrong)
        return ranks

    def passed(self, said: Codes, scores: Floats) -> tuple[NDArray[np.bool_], Codes]:
        """(n,) whether beats are as much those of the person whom they are taken for as his own, and who that is."""
        found = np.zeros(len(said), dtype=bool)
        for person in np.unique(said):
            own = said == person
            if np.isfinite(self.heights[person]):
                found[own] = self.ranks(scores[own], person) >= self.heights[person]
        return found, said


class Judge:
    """A trained classifier of persons, and the features of the beats that it learnt from."""

    def __init__(self, net: nn.Module, learnt: Points) -> None:
        self.net, self.owners = net, np.asarray(learnt.owners)
        features, _ = self.look(learnt.values)
        self.spreads = features.std(axis=0) + LEAST_STD
        self.learnt = Points(values=features / self.spreads)

    def look(self, values: Values) -> tuple[Values, Floats]:
        """(n, d) what the last layer is given, and (n, persons) log-probabilities."""
        (*first, last), device = self.net.get_submodule("head").children(), next(self.net.parameters()).device
        body, seen, logs = nn.Sequential(*first), [], []
        with torch.inference_mode():
            for x in torch.from_numpy(shortened(values, LONGEST)).split(BATCH):
                features = body(self.net.get_submodule("features")(x.to(device).mT))
                seen.append(features.cpu().numpy())
                logs.append(last(features).log_softmax(dim=1).double().cpu().numpy())
        return np.concatenate(seen), np.concatenate(logs)

    def scored(self, points: Points) -> tuple[Codes, Floats]:
        """(n,) for whom beats are taken, and (n, 2) the log-probability of him, and less the log distance to him."""
        features, logs = self.look(points.values)
        said, rows = logs.argmax(axis=1), np.arange(len(logs))
        near = log_distances(Points(values=features / self.spreads), self.learnt, self.owners, logs.shape[1])
        return said, np.stack([logs[rows, said], -near[rows, said]], axis=1)


def shortened(values: Values, longest: int) -> Values:
    """Windows of at most twice ``longest`` samples: means of neighbouring ones where there are more."""
    step = values.shape[1] // longest
    if step < 2:
        return values
    kept = values[:, : step * (values.shape[1] // step)]
    means: Values = kept.reshape(len(values), -1, step, values.shape[2]).mean(axis=2)
    return means
