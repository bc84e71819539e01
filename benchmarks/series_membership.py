"""What a generator of one long series remembers of single days, and how good it is beside that.

    python benchmarks/series_membership.py attack energy --draws 3
    python benchmarks/series_membership.py utility energy

Days (on Stocks, 48 rows) are drawn at random: 40 % are learnt, 40 % held out, 20 % fresh. An attacker
with a day's real windows is to tell learnt from held-out days by what is made (metrics/attacks, a day in the
place of a person); for the control, windows of fresh days stand in its place. "close" is the share of windows that lie
as near to a learnt one as the nearest 1 % of held-out windows do. Both commands measure the recurrent WGAN-GP as far as
``--steps`` trains it: 1 is the mixture that it starts from. The data are found through ECGSYNTH_DATA.
"""

import dataclasses
import functools

import click
import numpy as np
from numpy.typing import NDArray
from timegan_table import windows_of

from ecgsynth.core.config import TrainConfig
from ecgsynth.core.spread import mean_and_spread, with_spread
from ecgsynth.metrics.attacks.base import Exposure, Points
from ecgsynth.metrics.attacks.neighbours import log_distances
from ecgsynth.metrics.attacks.persons import PERSON_ATTACKS, attacked_persons
from ecgsynth.metrics.recurrent import discriminative_score
from ecgsynth.models.scaling import PrincipalScaler
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.training.devices import one_thread
from ecgsynth.training.selection import discrimination_accuracy
from ecgsynth.windows.windows import Windows

DAY_ROWS = {"energy": 144, "stocks": 48, "etth": 24}
SHARES = (0.4, 0.2, 0.4)  # of the days: learnt, fresh (and of validation), held out
MADE = 10_000  # windows
NEAREST_SHARE = 0.01
BLACK_BOX = tuple(attack for attack in PERSON_ATTACKS if attack.sees == "output")

Floats = NDArray[np.float32]


def by_day(windows: Windows, rows: int, seed: int) -> tuple[Windows, NDArray[np.int64]]:
    """The windows that lie within a day, split by day, and (n,) the day of each."""
    starts, length = np.arange(len(windows)), windows.values.shape[1]
    inside = starts % rows + length <= rows
    days = starts[inside] // rows
    shuffled = np.random.default_rng(seed).permutation(days.max() + 1)
    part_of = np.empty(len(shuffled), dtype=np.int8)
    bounds = np.round(np.cumsum(SHARES) * len(shuffled)).astype(np.int64)
    for part, piece in enumerate(np.split(shuffled, bounds[:-1])):
        part_of[piece] = part
    return dataclasses.replace(windows.take(inside), parts=part_of[days], meta=windows.meta | {"split": "group"}), days


def fitted(windows: Windows, steps: int, seed: int) -> Synthesizer:
    """The recurrent WGAN-GP after so many steps."""
    training = TrainConfig(steps=steps, seed=seed, validations=max(1, steps // 50))
    return Synthesizer.fit(windows, training=training, model="rwgan")


def distances(queries: Floats, against: Floats) -> NDArray[np.float64]:
    """(n,) to the nearest of the others, as a logarithm."""
    one = np.zeros(len(against), dtype=np.int64)
    return log_distances(Points(values=queries), Points(values=against), one, 1)[:, 0]


def attacks(name: str, length: int, steps: int, seed: int) -> dict[str, float]:
    """The area of each attack and of its control, and the share of close windows, for one draw of days."""
    windows, days = by_day(windows_of(name, length), DAY_ROWS[name], seed)
    model = fitted(windows, steps, seed)
    spread = windows.part("train").values.std(axis=(0, 1))
    learnt, fresh, unseen = (
        Points(values=windows.values[windows.parts == part] / spread, owners=days[windows.parts == part])
        for part in range(3)
    )
    made = model.windows(MADE, seed=1).values / spread
    found = {"clusters": float(sum(model.config.clusters))}
    for prefix, released in (("", made), ("control ", fresh.values)):
        exposure = Exposure(synthetic=released, learnt=learnt, unseen=unseen, distance=distances)
        reached = attacked_persons(exposure, BLACK_BOX)
        found |= {prefix + attack: figures["auc"] for attack, figures in reached.items()}
    edge = np.quantile(distances(unseen.values, learnt.values), NEAREST_SHARE)
    for prefix, some in (("close", made[:3000]), ("control close", fresh.values)):
        found[prefix] = float((distances(some, learnt.values) < edge).mean())
    return found


@one_thread()
def qualities(name: str, length: int, steps: int, repeats: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """What two judges tell apart, of a generator of all windows: 0 is best for the first, 0.5 for the second."""
    windows = windows_of(name, length)
    model = fitted(windows, steps, seed)
    made = model.windows(min(len(windows), MADE), seed=1).values
    seen = PrincipalScaler.fit(windows.values, weigh=True)
    features = (seen.components(values).astype(np.float32) for values in (made, windows.values))
    return {
        "clusters": np.array([sum(model.config.clusters)]),
        "discriminative score": discriminative_score(windows.values, made, repeats=repeats),
        "accuracy of a classifier of components": np.array([discrimination_accuracy(*features, windows.overlap)]),
    }


def shared_options(command: click.Command) -> click.Command:
    options = (
        click.argument("name", type=click.Choice(sorted(DAY_ROWS))),
        click.option("--length", default=24, help="Rows of a window."),
        click.option("--steps", default=1, help="Generator updates; 1 leaves what training starts from."),
    )
    return functools.reduce(lambda inner, option: option(inner), options, command)


@click.group()
def main() -> None:
    """Memory and quality of a generator of one long series."""


@main.command()
@shared_options
@click.option("--draws", default=3, help="Draws of days.")
def attack(name: str, length: int, steps: int, draws: int) -> None:
    """Attack the days that were learnt."""
    found = [attacks(name, length, steps, seed) for seed in range(draws)]
    for measure in found[0]:
        print(f"{measure}: {with_spread(*mean_and_spread(np.array([each[measure] for each in found])))}")


@main.command()
@shared_options
@click.option("--repeats", default=5, help="Networks of the discriminative score.")
def utility(name: str, length: int, steps: int, repeats: int) -> None:
    """Judge a generator of all windows."""
    for measure, numbers in qualities(name, length, steps, repeats, 0).items():
        print(f"{measure}: {with_spread(*mean_and_spread(numbers))}")


if __name__ == "__main__":
    main()
