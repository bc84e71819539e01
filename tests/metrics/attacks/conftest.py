"""People made up for a test: each has a shape of his own for each of two classes, and beats about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from ecgsynth.metrics.attacks.base import Exposure, Points
from ecgsynth.metrics.attacks.nearest import nearest_distance

TIME = 32
NOISE, OWN = 0.06, 0.25  # of a beat about its person's shape, and of persons about the common shape
RARE = 0.2  # share of the second class


def smooth(rng: np.random.Generator, n: int, size: float) -> np.ndarray:
    """(n, TIME) random smooth curves of so large a root mean square."""
    waves = np.stack([np.cos(np.pi * k * (np.arange(TIME) + 0.5) / TIME) for k in range(1, 9)])
    return np.asarray(size * rng.normal(size=(n, 8)) @ waves / 2)


@dataclass
class People:
    """Shapes (people, 2, TIME) and beats with owners, in order of time."""

    shapes: np.ndarray
    beats: Points

    def of(self, names: Sequence[int], start: float = 0.0, end: float = 1.0) -> Points:
        """Beats of some people, from one share of their time to another."""
        picked = []
        for name in names:
            own = np.flatnonzero(np.asarray(self.beats.owners) == name)
            picked.append(own[int(start * len(own)) : int(end * len(own))])
        return self.beats.take(np.concatenate(picked))

    def modes(self, names: Sequence[int], n: int, seed: int, noise: float = NOISE) -> Points:
        """A generator that keeps these people's shapes."""
        rng = np.random.default_rng(seed)
        who, kinds = rng.choice(np.asarray(names), n), (rng.random(n) < RARE).astype(np.int64)
        values = self.shapes[who, kinds] + smooth(rng, n, noise)
        return Points(values=values[..., None].astype(np.float32), kinds=kinds)

    def exposed(self, synthetic: Points, members: Sequence[int], outside: Sequence[int], **more: object) -> Exposure:
        """What an attacker sees: members' first 80 % were learnt, the last are later ones."""
        known = Exposure(
            synthetic=synthetic.values,
            kinds=synthetic.kinds,
            learnt=self.of(members, 0.0, 0.8),
            later=self.of(members, 0.8, 1.0),
            unseen=self.of(outside),
            distance=nearest_distance,
        )
        return replace(known, **more)  # type: ignore[arg-type]


def made_up(people: int, beats: int, seed: int = 0) -> People:
    rng = np.random.default_rng(seed)
    common = smooth(rng, 2, 1.0)
    shapes = common + smooth(rng, people * 2, OWN).reshape(people, 2, TIME)
    owners = np.repeat(np.arange(people), beats)
    kinds = (rng.random(len(owners)) < RARE).astype(np.int64)
    values = shapes[owners, kinds] + smooth(rng, len(owners), NOISE)
    return People(shapes, Points(values=values[..., None].astype(np.float32), kinds=kinds, owners=owners))


@pytest.fixture(scope="session")
def people() -> Callable[..., People]:
    """A function that makes up people: how many, and how many beats each has."""
    return made_up


@pytest.fixture(scope="session")
def crowd() -> People:
    """Sixty people of 60 beats."""
    return made_up(60, 60)
