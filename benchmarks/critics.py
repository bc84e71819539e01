"""Which critic judges heartbeats better at equal time: the dense one of the product, or a recurrent one?

    python benchmarks/critics.py beats.npz --critic dense|recurrent [--budget 5min]

beats.npz comes from 'ecgsynth prepare'. Prints the steps made and the best validation score; the test part is not used.
"""

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
import torch
from torch import Tensor, nn

from ecgsynth.cli.main import BAR_STEPS, Duration, bar
from ecgsynth.core.config import TrainConfig
from ecgsynth.models.clusters import Clusters
from ecgsynth.models.scaling import PrincipalScaler
from ecgsynth.models.wgan import Generator, Nets, WGANConfig
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.training import fit_wgan
from ecgsynth.windows.windows import Windows

FRAMES = 16
UNITS = 96


class RecurrentCritic(nn.Module):
    """A bidirectional GRU over frames of the window, local coordinates mapped back to samples, not dense layers.

    forward: as ecgsynth.models.wgan.Critic; RR intervals are seen beside every frame
    """

    basis: Tensor

    def __init__(self, config: WGANConfig, basis: Tensor, place: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.place, self.size = place, config.time * config.channels // FRAMES * FRAMES
        self.register_buffer("basis", basis)  # (features, time * channels + intervals)
        seen = self.size // FRAMES + config.intervals
        self.rnn = nn.GRU(seen, UNITS, batch_first=True, bidirectional=True)
        self.score = nn.Linear(4 * UNITS, 1)
        self.project = nn.Embedding(sum(config.clusters), 4 * UNITS)
        nn.init.normal_(self.project.weight, std=(4 * UNITS) ** -0.5)
        self.intervals = config.intervals

    def forward(self, local: Tensor, cluster: Tensor) -> Tensor:
        made = self.place(local, cluster) @ self.basis
        frames = made[:, : self.size].unflatten(1, (FRAMES, -1))  # (n, frames, samples of a frame)
        rhythm = made[:, made.shape[1] - self.intervals :].unsqueeze(1).expand(-1, FRAMES, -1)
        states, _ = self.rnn(torch.cat([frames, rhythm], dim=2))
        h = torch.cat([states.mean(dim=1), states.amax(dim=1)], dim=1)  # (n, 4 * units)
        return self.score(h).squeeze(1) + (self.project(cluster) * h).sum(dim=1)


def with_recurrent_critic(windows: Windows) -> Callable[..., tuple[Nets, Generator]]:
    """``fit_wgan.networks`` with the other critic."""
    networks, learn = fit_wgan.networks, windows.part("train")
    basis, _ = PrincipalScaler.fit(learn.values, learn.rr_s).basis()
    basis[:, : learn.values[0].size] /= learn.values.std()  # so that frames are of about the size of the intervals

    def others(
        config: WGANConfig, training: TrainConfig, clusters: Clusters, device: torch.device
    ) -> tuple[Nets, Generator]:
        nets, average = networks(config, training, clusters, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            critic = RecurrentCritic(config, torch.from_numpy(basis), nets.generator.place).to(device)
        optimizer = torch.optim.Adam(critic.parameters(), lr=training.rate, betas=(0.0, 0.9), fused=True)
        return dataclasses.replace(nets, critic=critic, critic_optimizer=optimizer), average

    return others


@click.command()
@click.argument("beats", type=click.Path(path_type=Path))
@click.option("--critic", required=True, type=click.Choice(["dense", "recurrent"]))
@click.option("--budget", default="5min", type=Duration())
@click.option("--seed", default=0)
def main(beats: Path, critic: str, budget: float, seed: int) -> None:
    """Train with one of the two critics for a given time."""
    windows = Windows.load(beats)
    if critic == "recurrent":
        fit_wgan.networks = with_recurrent_critic(windows)
    with tempfile.TemporaryDirectory() as run, bar(critic, BAR_STEPS) as show:
        made = Synthesizer.fit(
            windows,
            Path(run) / "run",
            model="rwgan",
            training=TrainConfig(budget_s=budget, seed=seed, validations=8),
            on_progress=lambda now: show(int(now.fraction * BAR_STEPS), f"{now.step} {now.score}"),
        )
    reached = made.about.metrics
    print(f"| {critic} critic | {reached['steps']} steps | validation {reached['validation_score']:.3f} |")


if __name__ == "__main__":
    main()
