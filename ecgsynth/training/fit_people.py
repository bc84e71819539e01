"""Training a generator of people: the recurrent WGAN-GP on what windows differ by from their person's typical ones."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import DataError
from ecgsynth.models.decoder import SignalSampler, draw
from ecgsynth.models.learner import Learner
from ecgsynth.models.model import Model
from ecgsynth.models.people.generator import PeopleConfig, PeopleGenerator
from ecgsynth.models.people.likelihood import populations_of
from ecgsynth.models.people.plan import PeoplePlan, classes_of_people, plan_of, plan_people
from ecgsynth.models.people.space import CosineSpace
from ecgsynth.models.wgan import Critic
from ecgsynth.training.batches import balanced_people
from ecgsynth.training.fit_wgan import learner_of, with_optimizers
from ecgsynth.windows.windows import Windows

__all__ = ["MODEL", "build_people"]


def build_people(plan: PeoplePlan, training: TrainConfig, x: Tensor, labels: Tensor, rng: torch.Generator) -> Learner:
    """What the loop trains, on windows as local coordinates that the plan has already found.

    Every batch has the same number of each class, and of each person within it.
    """
    device = x.device
    rows = torch.from_numpy(plan.rows).to(device)
    labels, owners = labels[rows], torch.from_numpy(plan.owners).to(device)
    generator, average = people_of(plan), people_of(plan).to(device)
    nets = with_optimizers(generator, Critic(plan.config), training, device)
    local = torch.from_numpy(plan.local).to(device).asinh()
    draw = balanced_people(labels, owners, plan.config.classes, training.batch, rng)
    return learner_of(nets, average, local, labels, draw, training, rng, starts_scored=True)


def people_of(plan: PeoplePlan) -> PeopleGenerator:
    """The generator with the plan's population, its networks new."""
    generator = PeopleGenerator(plan.config)
    generator.set_population(plan.population, torch.from_numpy(plan.spreads), torch.from_numpy(plan.unmixing))
    return generator


def refit(learn: Windows, seed: int) -> Callable[[int, str | None, int], NDArray[np.float32]]:
    """The population of other people, with what their windows differ by as it is before training.

    A class of fewer than two people is not learnt.
    """
    kept = classes_of_people(learn, least=2)
    some = learn.keep_classes(kept)
    if some.owners is None:
        raise DataError("a population is of known persons, and these windows do not say whose they are")
    plan = plan_of(some, some.owners, {}, seed)
    with torch.random.fork_rng(devices=[]):
        sampler = SignalSampler(people_of(plan), plan.space)

    def draw_some(n: int, label: str | None, number: int) -> NDArray[np.float32]:
        codes = np.full(n if label in kept else 0, kept.index(label) if label in kept else 0, dtype=np.int64)
        return draw(sampler, codes, number)[0]

    return draw_some


MODEL = Model(
    config=PeopleConfig,
    read_space=CosineSpace.load,
    generator=PeopleGenerator,
    plan=plan_people,
    build=build_people,
    losses=("wasserstein", "generator"),
    from_data=(
        *("time", "channels", "gaussian_tail", "intervals", "asinh", "clusters", "styles"),
        *("people_behind", "largest_share"),
    ),
    classes_of=classes_of_people,
    refit=refit,
    populations=populations_of,
)
