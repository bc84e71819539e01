"""TimeGAN's networks: a recurrent autoencoder, and a recurrent generator of its codes that is judged and supervised.

Yoon, Jarrett and van der Schaar, "Time-series Generative Adversarial Networks", NeurIPS 2019.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecgsynth.core.config import JsonConfig, at_least
from ecgsynth.core.records import from_json
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.models.model import WindowGenerator
from ecgsynth.models.timegan.recurrence import CELLS, Block
from ecgsynth.models.wgan import box_muller

__all__ = ["CODES", "OBJECTIVES", "Discriminator", "Nets", "Recurrent", "TimeGANConfig", "TimeGANGenerator"]

CODES = ("normal", "sigmoid")
OBJECTIVES = ("relativistic", "cross-entropy")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeGANConfig(JsonConfig):
    """TimeGAN: what is made, how large its networks are, and what they go down."""

    time: int  # samples a window
    channels: int = 1
    static_channels: tuple[int, ...] = ()  # those that are constant in a window: every network reads them
    classes: int = 1  # 1: no condition; else every network reads the class
    frame: int = 1  # samples that one latent step stands for: long windows need several
    cell: str = "mingru"  # or "gru", "lstm"
    hidden: int = 64  # units of a layer, and numbers of a code
    layers: int = 2  # of each network; the supervisor has one less
    noise: int = 16  # normal numbers that the generator reads at each latent step
    window_noise: int = 16  # and at all of them
    codes: str = "normal"  # of fixed scale; or "sigmoid", as in the paper: each number in (0, 1)
    objective: str = "relativistic"  # a window is judged beside a real one; "cross-entropy": each step's code is judged
    penalty: float = 4.0  # of the slopes of the discriminator, where it is relativistic

    def __post_init__(self) -> None:
        object.__setattr__(self, "static_channels", tuple(self.static_channels))  # JSON has lists
        at_least(self, 1, "time", "channels", "classes", "frame", "hidden", "layers", "noise")
        at_least(self, 0, "window_noise", "penalty")
        for name, known in (("cell", tuple(CELLS)), ("codes", CODES), ("objective", OBJECTIVES)):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is one of {', '.join(known)}, got {getattr(self, name)!r}")
        if not set(self.static_channels) < set(range(self.channels)):
            raise ConfigError(
                f"some of the {self.channels} channels moves, and statics are among them; got {self.static_channels}"
            )
        if self.time % self.frame:
            raise ConfigError(f"time must be a multiple of frame, got {self.time} samples in frames of {self.frame}")
        if self.latent_steps < 2:
            raise ConfigError(
                f"a window needs at least two latent steps, one to follow another; got {self.time} samples in one frame"
            )

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Settings from what ``to_json`` gave; ArtifactError for those of the networks that there were before."""
        if "cell" in content and "objective" not in content:
            raise ArtifactError(
                "the run folder has a TimeGAN whose networks are those of an earlier version; train again"
            )
        return from_json(cls, content)

    @property
    def latent_steps(self) -> int:
        """Steps of every recurrent network."""
        return self.time // self.frame

    @property
    def statics(self) -> int:
        """How many channels are static."""
        return len(self.static_channels)

    @property
    def moving(self) -> int:
        """How many channels are not."""
        return self.channels - self.statics

    @property
    def order(self) -> tuple[int, ...]:
        """The channels that move, then the static ones."""
        moving = [channel for channel in range(self.channels) if channel not in self.static_channels]
        return (*moving, *self.static_channels)

    @property
    def frame_numbers(self) -> int:
        """Numbers of a window that one latent step stands for."""
        return self.frame * self.moving

    @property
    def features(self) -> int:
        """Numbers of a window."""
        return self.time * self.channels

    @property
    def normals(self) -> int:
        """Normal numbers that one window is made from: those of the whole window, then those of each latent step."""
        return self.window_noise + self.latent_steps * self.noise

    @property
    def noise_dim(self) -> int:
        """Uniform numbers that one window is made from; they become normals, in pairs."""
        return self.normals + self.normals % 2


class Recurrent(nn.Module):
    """Residual blocks forwards in time, and a linear read-out at each step; class and statics are read at each step.

    Embedder, recovery, generator and supervisor are this. They look back only, so that a step is made from what is
    before it.

    forward: x (steps, n, inputs), label (n,) int64, statics (n, statics) -> (steps, n, outputs): of a fixed scale, or
        in (0, 1), where the outputs are ``codes``
    """

    def __init__(self, config: TimeGANConfig, inputs: int, outputs: int, layers: int, *, codes: str | None) -> None:
        super().__init__()
        self.codes = codes
        self.read = nn.Linear(inputs, config.hidden)
        self.embed = nn.Embedding(config.classes, config.hidden) if config.classes > 1 else None
        self.statics = nn.Linear(config.statics, config.hidden) if config.statics else None
        self.blocks = nn.ModuleList([Block(config.cell, config.hidden) for _ in range(layers)])
        self.norm = nn.LayerNorm(config.hidden)
        self.head: nn.Module = nn.Linear(config.hidden, outputs)

    def forward(self, x: Tensor, label: Tensor, statics: Tensor) -> Tensor:
        h = self.read(x)
        if self.embed is not None:
            h = h + self.embed(label)
        if self.statics is not None:
            h = h + self.statics(statics)
        for block in self.blocks:
            h = block(h)
        y: Tensor = self.head(self.norm(h))
        if self.codes == "normal":
            return functional.layer_norm(y, y.shape[-1:])
        return torch.sigmoid(y) if self.codes == "sigmoid" else y


class Discriminator(nn.Module):
    """What it is shown of a window to scores, higher where it looks more real.

    Differs from the paper: it looks forwards only, and where it is relativistic it gives a window one score, by the
    mean and the last of its states.

    forward: x (steps, n, inputs), label (n,) -> (n,), or (steps, n) where steps are judged
    """

    def __init__(self, config: TimeGANConfig) -> None:
        super().__init__()
        self.of_steps = config.objective == "cross-entropy"
        inputs = config.hidden + config.statics + (0 if self.of_steps else config.frame_numbers)
        self.net = Recurrent(replace(config, static_channels=()), inputs, 1, config.layers, codes=None)
        if not self.of_steps:
            self.net.head = nn.Identity()
            width = config.hidden
            self.score = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, 1))

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        found: Tensor = self.net(x, label, x[0, :, :0])
        if not self.of_steps:
            found = self.score(torch.cat([found.mean(dim=0), found[-1]], dim=1))
        return found.squeeze(-1)


class TimeGANGenerator(WindowGenerator):
    """Noise to a window: generator, supervisor and recovery, all that sampling needs.

    forward: z (n, normals), standard normal; label (n,) int64
        -> codes before the supervisor (latent_steps, n, hidden), statics (n, statics)
    from_uniform: uniform (n, noise_dim) in (0, 1), label (n,) int64 -> (n, features): time first, then channel
    """

    config: TimeGANConfig
    order: Tensor
    places: Tensor

    def __init__(self, config: TimeGANConfig) -> None:
        super().__init__()
        self.config = config
        order = torch.tensor(config.order)
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("places", torch.argsort(order), persistent=False)
        hidden, layers, codes = config.hidden, config.layers, config.codes
        if config.statics:
            self.static = StaticGenerator(config)
        self.generator = Recurrent(config, config.window_noise + config.noise, hidden, layers, codes=codes)
        self.supervisor = Recurrent(config, hidden, hidden, max(1, layers - 1), codes=codes)
        self.recovery = Recurrent(config, hidden, config.frame_numbers, layers, codes=None)

    def forward(self, z: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        config = self.config
        whole, each = z[:, : config.window_noise], z[:, config.window_noise :]
        statics = self.static(whole, label) if config.statics else z[:, :0]
        steps = each.unflatten(1, (config.latent_steps, config.noise)).transpose(0, 1)
        noise = torch.cat([whole.expand(config.latent_steps, -1, -1), steps], dim=2)
        return self.generator(noise, label, statics), statics

    def from_uniform(self, uniform: Tensor, label: Tensor, person: Tensor | None = None) -> Tensor:
        early, statics = self(box_muller(uniform)[:, : self.config.normals], label)
        code = self.supervisor(early, label, statics)
        return self.window(self.recovery(code, label, statics), statics)

    def window(self, frames: Tensor, statics: Tensor) -> Tensor:
        """Frames (latent_steps, n, frame_numbers) and statics (n, statics) as windows (n, features)."""
        config = self.config
        moving = frames.transpose(0, 1).reshape(-1, config.time, config.moving)
        if config.statics:
            both = torch.cat([moving, statics.unsqueeze(1).expand(-1, config.time, -1)], dim=2)
            moving = both.index_select(2, self.places)
        return moving.flatten(1)

    def frames(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Windows (n, features) as frames and statics, the way back from ``window``."""
        config = self.config
        rows = x.unflatten(1, (config.time, config.channels))
        if config.statics:
            rows = rows.index_select(2, self.order)
        moving = rows[:, :, : config.moving].reshape(-1, config.latent_steps, config.frame_numbers)
        return moving.transpose(0, 1).contiguous(), rows[:, :, config.moving :].mean(dim=1)


class StaticGenerator(nn.Module):
    """The noise of a window, and its class, to its statics.

    forward: noise (n, window_noise), label (n,) -> (n, statics)
    """

    def __init__(self, config: TimeGANConfig) -> None:
        super().__init__()
        self.embed = nn.Embedding(config.classes, config.hidden) if config.classes > 1 else None
        self.read = nn.Linear(config.window_noise, config.hidden)
        self.body = nn.Sequential(
            nn.SiLU(), nn.Linear(config.hidden, config.hidden), nn.SiLU(), nn.Linear(config.hidden, config.statics)
        )

    def forward(self, noise: Tensor, label: Tensor) -> Tensor:
        h = self.read(noise)
        if self.embed is not None:
            h = h + self.embed(label)
        y: Tensor = self.body(h)
        return y


@dataclass(frozen=True, slots=True)
class Nets:
    """What is trained, each group of networks with its optimiser."""

    generator: TimeGANGenerator
    embedder: Recurrent
    discriminator: Discriminator
    autoencoder_optimizer: torch.optim.Optimizer  # of embedder and recovery
    generator_optimizer: torch.optim.Optimizer  # of generator and supervisor
    discriminator_optimizer: torch.optim.Optimizer
