"""What a population of styles costs and protects: how styles are drawn, and how many people are learnt from.

    python benchmarks/people_curve.py styles MITDB [--split 0 --split 1 --split 2]
    python benchmarks/people_curve.py crowd MITDB [--people 24 --people 100 --people 1000 --people 10000]

Both are of the population alone, before any network is trained, with normal distributions around the typical beats. The
halves and the attacker's beats are those of benchmarks/people.py. ``styles`` compares the product's localised normal
distribution, at several widths, with mixtures of donors. ``crowd`` is a **simulation**: so many people, and as many
others, are drawn from the population of all of MIT-BIH, the first are learnt from, and the attack is tried on 100 of
either. What it says holds as far as people are distributed as that population is.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from people import CLASSES, DISCRIMINATED, halves, told_apart

from ecgsynth.metrics.attacks.base import Exposure, Points
from ecgsynth.metrics.attacks.nearest import nearest_distance
from ecgsynth.metrics.attacks.persons import PERSON_ATTACKS, attacked_persons
from ecgsynth.models.decoder import SignalSampler, draw
from ecgsynth.models.people import population
from ecgsynth.models.people.plan import PeoplePlan, plan_of
from ecgsynth.models.people.population import Persons, describe_persons
from ecgsynth.training.fit_people import people_of
from ecgsynth.windows.beats import read_beats
from ecgsynth.windows.windows import Windows

SYNTHETIC = 20_000
ATTACKS = tuple(attack for attack in PERSON_ATTACKS if attack.sees == "output")
WIDTHS = (0.05, 0.10, 0.16, 0.30, 1e6)  # half supports, as shares of a window; the last localises nothing
DONORS = (3, 5, 10)
ATTACKED = 100  # people of either half of a crowd
OF_CLASS = {"N": 30, "S": 12, "V": 16}  # beats that a person of a crowd has

Make = Callable[[int, str, int], NDArray[np.float32]]  # (n, class, seed) -> (n, time, channels)


def planned(learn: Windows) -> PeoplePlan:
    """The population of the training windows."""
    return plan_of(learn, np.asarray(learn.owners), {}, 0)


def by_population(plan: PeoplePlan) -> Make:
    """New people as the product draws them, their beats normal around the typical ones."""
    with torch.random.fork_rng(devices=[]):
        sampler = SignalSampler(people_of(plan), plan.space)
    return lambda n, name, seed: draw(sampler, np.full(n, CLASSES.index(name)), seed)[0]


def by_donors(plan: PeoplePlan, persons: Persons, donors: int) -> Make:
    """New people as mixtures of so many donors, as far from the mean as people are; their beats as the product's."""
    average = people_of(plan)
    average.axes.zero_()
    with torch.random.fork_rng(devices=[]):
        sampler = SignalSampler(average, plan.space)
    samples = plan.space.samples()

    def make(n: int, name: str, seed: int) -> NDArray[np.float32]:
        rng, code = np.random.default_rng([donors, seed]), CLASSES.index(name)
        own = persons.typical[persons.has[:, code], code, : plan.space.shape]
        weights = np.zeros((n, len(own)))
        for row in range(n):
            chosen = rng.permutation(len(own))[:donors]
            weights[row, chosen] = rng.dirichlet(np.ones(len(chosen)))
        weights /= np.linalg.norm(weights, axis=1, keepdims=True)
        away = weights @ (own - own.mean(axis=0)) + own.mean(axis=0) - plan.population.means[code, : plan.space.shape]
        made = draw(sampler, np.full(n, code), seed)[0]
        return (made + (away @ samples).reshape(made.shape)).astype(np.float32)

    return make


def membership(make: Make, learn: Windows, later: Windows, outside: Windows) -> dict[str, float]:
    """The areas that attackers of the output reach."""
    counts = np.maximum(np.round(learn.shares() * SYNTHETIC), 1000).astype(int).tolist()
    made = [make(count, name, 1) for count, name in zip(counts, CLASSES, strict=True)]
    points = [Points(values=part.values, kinds=part.labels, owners=part.groups) for part in (learn, later, outside)]
    exposure = Exposure(
        synthetic=np.concatenate(made),
        kinds=np.repeat(np.arange(len(CLASSES)), counts),
        learnt=points[0],
        later=points[1],
        unseen=points[2],
        distance=nearest_distance,
    )
    return {name: found["auc"] for name, found in attacked_persons(exposure, ATTACKS).items()}


def tell(title: str, found: list[dict[str, float]]) -> None:
    """A row of the table: the mean over splits, and each of them."""
    said = [
        f"{name.replace('_', ' ')} {np.mean([one[name] for one in found]):.3f} "
        f"({', '.join(f'{one[name]:.2f}' for one in found)})"
        for name in found[0]
    ]
    click.echo(f"| {title} | {' | '.join(said)} |")


@click.group()
def main() -> None:
    """Measure populations of styles."""


@main.command()
@click.argument("mitdb", type=click.Path(path_type=Path))
@click.option("--split", "splits", multiple=True, type=int, default=range(3))
@click.option("--apart/--no-apart", default=True, show_default=True, help="Have CNNs tell beats apart, too.")
def styles(mitdb: Path, splits: tuple[int, ...], *, apart: bool) -> None:
    """Compare ways of drawing a person's style: membership, and how often a CNN tells beats apart."""
    beats = read_beats(mitdb).keep_classes(CLASSES)
    cuts = [halves(beats, split) for split in splits]
    ways: list[tuple[str, Any]] = [(f"localised, half support {width:g}", width) for width in WIDTHS]
    ways += [(f"{donors} donors", donors) for donors in DONORS]
    for title, way in ways:
        found = []
        for real in cuts:
            learn, outside = real.part("train"), real.take(np.isin(real.parts, [1, 2]))
            make = way_of(learn, way)
            found.append(membership(make, learn, real.part("later"), outside))
            if apart:
                made = {name: make(2 * DISCRIMINATED, name, 2) for name in CLASSES}
                shares = told_apart(made, learn, real.part("test"), 0)
                found[-1] |= {f"told apart {name}": share for name, share in shares.items()}
        tell(title, found)


def way_of(learn: Windows, way: float | int) -> Make:
    """A half support, or a number of donors, as a way of making beats."""
    if isinstance(way, int):
        plan = planned(learn)
        features = plan.space.transform(learn.values, learn.rr_s)
        owners = np.asarray(learn.owners)
        persons = describe_persons(features, learn.labels, owners, len(CLASSES), plan.space.shape)
        return by_donors(plan, persons, way)
    usual = population.HALF_SUPPORT
    population.HALF_SUPPORT = way
    try:
        return by_population(planned(learn))
    finally:
        population.HALF_SUPPORT = usual


@main.command()
@click.argument("mitdb", type=click.Path(path_type=Path))
@click.option("--people", "sizes", multiple=True, type=int, default=(24, 100, 1000, 10_000))
@click.option("--repeats", default=3, show_default=True)
def crowd(mitdb: Path, sizes: tuple[int, ...], repeats: int) -> None:
    """Simulate more people than there are."""
    beats = read_beats(mitdb).keep_classes(CLASSES)
    world = planned(beats)
    for size in sizes:
        found = []
        for repeat in range(repeats):
            people = simulated(world, beats, 2 * size, repeat)
            owners = np.asarray(people.groups).astype(int)
            half = np.arange(len(owners)) % 2 == 0  # every other beat is learnt, the others are later ones
            attacked = owners % size < ATTACKED
            learn = people.take((owners < size) & half)
            later, outside = people.take((owners < size) & ~half & attacked), people.take((owners >= size) & attacked)
            found.append(membership(by_population(planned(learn)), learn, later, outside))
        tell(f"{size:,} people", found)


def simulated(world: PeoplePlan, like: Windows, people: int, seed: int) -> Windows:
    """People of a population, each with OF_CLASS beats, in order of the person."""
    with torch.random.fork_rng(devices=[]):
        sampler = SignalSampler(people_of(world), world.space)
    each = np.repeat(np.arange(len(CLASSES)), [OF_CLASS[name] for name in CLASSES])
    labels, owners = np.tile(each, people), np.repeat(np.arange(people), len(each))
    values, rr_s = draw(sampler, labels, 1000 + seed, persons=owners)
    return Windows(
        values=values,
        fs_hz=like.fs_hz,
        units=like.units,
        channel_names=like.channel_names,
        classes=CLASSES,
        labels=labels,
        groups=owners.astype(np.str_),
        rr_s=rr_s,
        event_index=like.event_index,
        meta={"kind": "beats"},
    )


if __name__ == "__main__":
    main()
