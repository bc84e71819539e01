"""What tests of training share: a small WGAN-GP and its problem, a killer, and a look at what a run holds."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ecgsynth.core.config import TrainConfig
from ecgsynth.models.clusters import Clusters, find_clusters
from ecgsynth.models.scaling import ChannelScaler
from ecgsynth.models.wgan import WGANConfig
from ecgsynth.models.wgan_plan import WGANPlan
from ecgsynth.training import loop
from ecgsynth.training.fit_wgan import build_wgan
from ecgsynth.training.job import Job, OnProgress, Outcome, Progress
from ecgsynth.training.run_folder import RunFolder


def wiggle_score(generator: nn.Module) -> float:
    """A score that hangs on every weight and goes up and down as they move."""
    return float(np.sin(50 * sum(parameter.detach().double().sum() for parameter in generator.parameters()).item()))


@pytest.fixture(scope="session")
def wiggle() -> Callable[[nn.Module], float]:
    return wiggle_score


@pytest.fixture(scope="session")
def history() -> Callable[[Path], list[dict[str, Any]]]:
    """The lines of a run's history without what the clock says."""

    def read(run: Path) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in (run / "history.jsonl").read_text(encoding="utf-8").splitlines()]
        return [{key: value for key, value in line.items() if key != "elapsed_s"} for line in lines]

    return read


@pytest.fixture(scope="session")
def files() -> Callable[[Path], dict[str, bytes]]:
    """What a folder holds, by name."""

    def read(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return read


@dataclass(frozen=True)
class Killer:
    """A callback that ends the training at a step, as a signal would."""

    step: int
    error: BaseException
    before: Callable[[int], None] | None = None

    def __call__(self, progress: Progress) -> None:
        if self.before is not None:
            self.before(progress.step)
        if progress.step == self.step:
            raise self.error


@pytest.fixture(scope="session")
def kill_at() -> type[Killer]:
    return Killer


class SmallWGAN:
    """Two well-separated Gaussian classes in the space of components, and a WGAN-GP of two clusters each for them."""

    config = WGANConfig(
        time=32,
        components=4,
        clusters=(2, 2),
        latent_steps=2,
        step_noise=2,
        hidden=8,
        cluster_dim=2,
        read_out=8,
        critic_hidden=16,
    )
    training = TrainConfig(steps=50, batch=8, validations=10)  # two lines of losses in the history, and an open sum

    @staticmethod
    def problem(seed: int = 0, n: int = 240) -> tuple[Tensor, Tensor]:
        """Features (n, 4) and labels (n,), of each class enough for two clusters."""
        rng = torch.Generator().manual_seed(seed)
        labels = torch.arange(n) % 2
        centres = torch.tensor([[1.5, 0.0, 0.0, 1.0], [-1.5, 0.5, 0.0, -1.0]])
        return centres[labels] + 0.3 * torch.randn(n, 4, generator=rng), labels

    @staticmethod
    def clusters_of(real: Tensor, labels: Tensor, most: int = 2) -> Clusters:
        """The clusters of two classes, at most so many of each."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ecgsynth.models.clusters.MOST_CLUSTERS", most)
            return find_clusters(real.numpy(), labels.numpy(), classes=2, seed=0)

    def fit(
        self,
        run: Path,
        training: TrainConfig | None = None,
        *,
        config: WGANConfig | None = None,
        data: tuple[Tensor, Tensor] | None = None,
        clusters: Clusters | None = None,
        score: Callable[[Any], float] = wiggle_score,
        on_progress: OnProgress | None = None,
        weights_of: int | None = None,
    ) -> Outcome:
        """Train it in a run folder; ``weights_of``: the seed of the initial weights, if not the training's."""
        run.mkdir(exist_ok=True)
        real, labels = data or self.problem()
        clusters = clusters or self.clusters_of(real, labels)
        nowhere = ChannelScaler.fit(np.zeros((1, 4, 1), dtype=np.float32))  # features are given
        plan = WGANPlan(config=config or self.config, space=nowhere, clusters=clusters)
        training = training or self.training

        def build(rng: torch.Generator) -> Any:
            if weights_of is not None:
                torch.manual_seed(weights_of)
            return build_wgan(plan, training, real, labels, rng)

        return loop.fit(build, Job(config=training, run=RunFolder(run), score=score, on_progress=on_progress))


@pytest.fixture(scope="session")
def small() -> SmallWGAN:
    return SmallWGAN()
