"""Which critic judges heartbeats better at equal time: the dense one of the product, or a recurrent one?

    python benchmarks/critics.py beats.npz --critic dense|recurrent [--budget 5min]

beats.npz comes from 'ecgsynth prepare'. Prints the steps made and the best validation score; the test part is not used.
"""

import tempfile
from pathlib import Path

import click
import torch
from torch import Tensor, nn

from ecgsynth import fit_wgan
from ecgsynth.cli import BAR_STEPS, Duration, bar
from ecgsynth.config import TrainConfig, WGANConfig
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.windows import Windows

FRAMES = 16
UNITS = 96


class RecurrentCritic(nn.Module):
    """A bidirectional GRU over frames of the window (the components mapped back to samples) in place of dense layers.

    forward: as ecgsynth.wgan.Critic
    """

    basis: Tensor

    def __init__(self, config: WGANConfig) -> None:
        super().__init__()
        self.config = config
        frame = config.time * config.channels // FRAMES
        self.register_buffer("basis", torch.zeros(config.components, FRAMES * frame))
        self.rnn = nn.GRU(frame, UNITS, batch_first=True, bidirectional=True)
        self.score = nn.Linear(4 * UNITS, 1)
        self.embed_class = nn.Embedding(config.classes, 4 * UNITS)
        self.embed_mode = nn.Embedding(config.classes * config.modes, 4 * UNITS)
        self.classify = nn.Linear(4 * UNITS, config.classes)
        for embed in (self.embed_class, self.embed_mode):
            nn.init.normal_(embed.weight, std=(4 * UNITS) ** -0.5)

    def forward(self, x: Tensor, mode: Tensor) -> tuple[Tensor, Tensor]:
        frames = (x @ self.basis).unflatten(1, (FRAMES, -1))  # (n, frames, samples of a frame)
        states, _ = self.rnn(frames)
        h = torch.cat([states.mean(dim=1), states.amax(dim=1)], dim=1)  # (n, 4 * units)
        asked = self.embed_class(mode // self.config.modes) + self.embed_mode(mode)
        return self.score(h).squeeze(1) + (asked * h).sum(dim=1), self.classify(h)


@click.command()
@click.argument("beats", type=click.Path(path_type=Path))
@click.option("--critic", required=True, type=click.Choice(["dense", "recurrent"]))
@click.option("--budget", default="5min", type=Duration())
@click.option("--seed", default=0)
def main(beats: Path, critic: str, budget: float, seed: int) -> None:
    """Train with one of the two critics for a given time."""
    windows = Windows.load(beats)
    if critic == "recurrent":
        from ecgsynth.scaling import PrincipalScaler

        scaler = PrincipalScaler.fit(windows.part("train").values, WGANConfig(time=windows.values.shape[1]).components)

        def build(config: WGANConfig) -> RecurrentCritic:
            made = RecurrentCritic(config)
            # Orthonormal axes times the scales: the signal itself, in units of its overall standard deviation.
            basis = torch.from_numpy(scaler.scales[:, None] * scaler.axes).float()
            made.basis.copy_(basis / windows.values.std().item())
            return made

        fit_wgan.Critic = build  # type: ignore[assignment, misc]
    with tempfile.TemporaryDirectory() as run, bar(critic, BAR_STEPS) as show:
        made = Synthesizer.fit(
            windows,
            TrainConfig(budget_s=budget, seed=seed, validations=8),
            Path(run) / "run",
            on_progress=lambda now: show(int(now.fraction * BAR_STEPS), f"{now.step} {now.score}"),
        )
    reached = made.about["metrics"]
    print(f"| {critic} critic | {reached['steps']} steps | validation {reached['validation_score']:.3f} |")


if __name__ == "__main__":
    main()
