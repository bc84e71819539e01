"""Settings: frozen, checked once, saved as JSON beside the weights. Devices and paths belong to neither kind."""

from dataclasses import dataclass
from typing import Any, Self

from ecgsynth.core.records import from_json, to_json
from ecgsynth.errors import ConfigError

__all__ = ["ClassifierConfig", "TimeGANConfig", "TrainConfig", "WGANConfig"]


class JsonConfig:
    """Settings to and from JSON (see core.records); an unknown key is an error, a missing one takes its default."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """The settings as plain values."""
        return to_json(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Settings from what ``to_json`` gave; ConfigError names keys that this version does not know."""
        return from_json(cls, content)


def at_least(config: object, minimum: float, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if not value >= minimum:
            raise ConfigError(f"{name} must be at least {minimum}, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WGANConfig(JsonConfig):
    """The recurrent WGAN-GP: what is made, and how large its networks are."""

    time: int  # samples a window
    channels: int = 1
    components: int = 80  # principal components in which windows are made
    fine: int = 0  # of them, the weakest: each normal within a mode, neither learnt nor judged by networks
    intervals: int = 0  # RR intervals that are made beside a window: 2, before and after, or none
    bent: bool = True  # coordinates local to a mode pass through asinh, which brings its few noisy windows within reach
    modes: tuple[int, ...] = (1, 1, 1, 1, 1)  # kinds of windows that are told apart within each class
    latent_steps: int = 8  # steps of the recurrent generator
    step_noise: int = 8  # normal numbers it reads at each step
    hidden: int = 128  # units of its GRU, in each direction
    mode_dim: int = 16  # numbers that stand for a mode
    read_out: int = 128  # numbers to which the states are reduced, each weighted anew for each mode
    critic_hidden: int = 512

    def __post_init__(self) -> None:
        object.__setattr__(self, "modes", tuple(self.modes))  # JSON has lists
        at_least(
            self,
            1,
            *("time", "channels", "components", "latent_steps", "step_noise"),
            *("hidden", "mode_dim", "read_out", "critic_hidden"),
        )
        if min(self.modes, default=0) < 1:
            raise ConfigError(f"every class has at least one mode, got {list(self.modes)}")
        at_least(self, 0, "fine")
        if self.fine and (self.fine >= self.components or self.intervals):
            raise ConfigError(
                f"of {self.components} components and {self.intervals} intervals, {self.fine} cannot be fine; "
                "some are left to be learnt, and intervals always are"
            )
        if self.intervals not in (0, 2):
            raise ConfigError(f"there are two RR intervals or none, got {self.intervals}")
        if self.components > self.time * self.channels:
            raise ConfigError(
                f"a window of {self.time} x {self.channels} numbers has no {self.components} components; ask for fewer"
            )

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.modes)

    @property
    def features(self) -> int:
        """Numbers that stand for a window: its components, and its RR intervals."""
        return self.components + self.intervals

    @property
    def learnt(self) -> int:
        """How many of them, the first, the networks make and judge."""
        return self.features - self.fine

    @property
    def normals(self) -> int:
        """Normal numbers that one window is made from: those of the latent steps, and one for each feature."""
        return self.latent_steps * self.step_noise + self.features

    @property
    def noise_dim(self) -> int:
        """Uniform numbers that one window is made from: those that become normals, in pairs, and one for the mode."""
        return self.normals + self.normals % 2 + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeGANConfig(JsonConfig):
    """TimeGAN: what is made, and how large its networks are."""

    time: int  # samples a window
    channels: int = 1
    classes: int = 1  # 1: no condition; else every network is told the class at every step
    frame: int = 1  # samples that one latent step stands for: long windows need several
    cell: str = "gru"  # or "lstm"
    hidden: int = 24  # units of a layer, and numbers of a latent step
    layers: int = 3  # of each network; the supervisor has one less
    noise: int = 0  # uniform numbers read at each latent step; 0: as many as the step has numbers

    def __post_init__(self) -> None:
        at_least(self, 1, "time", "channels", "classes", "frame", "hidden", "layers")
        if self.noise == 0:
            object.__setattr__(self, "noise", self.frame * self.channels)
        at_least(self, 1, "noise")
        if self.cell not in ("gru", "lstm"):
            raise ConfigError(f"cell is gru or lstm, got {self.cell!r}")
        if self.time % self.frame:
            raise ConfigError(f"time must be a multiple of frame, got {self.time} samples in frames of {self.frame}")
        if self.latent_steps < 2:
            raise ConfigError(
                f"a window needs at least two latent steps, one to follow another; got {self.time} samples in one frame"
            )

    @property
    def latent_steps(self) -> int:
        """Steps of every recurrent network."""
        return self.time // self.frame

    @property
    def features(self) -> int:
        """Numbers of a window."""
        return self.time * self.channels

    @property
    def noise_dim(self) -> int:
        """Uniform numbers that one window is made from."""
        return self.latent_steps * self.noise


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(JsonConfig):
    """How a generator is trained: for ``steps`` generator updates, or for ``budget_s`` seconds."""

    steps: int | None = None
    budget_s: float | None = None
    seed: int = 0
    batch: int = 240  # windows in a batch, the same number of each class
    rate: float = 6e-4  # Adam's, falling linearly to 0 in the second half
    critic_steps: int = 2  # critic updates a generator update
    gp_weight: float = 2.0
    gp_every: int = 4  # the penalty is taken on every so-many-th critic update, with as many times the weight
    ema: float = 0.999
    validations: int | None = None  # scorings on the validation part; None: as many as cost little, see training

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.budget_s is None):
            raise ConfigError("give either a number of steps or a budget of time, not both and not neither")
        at_least(
            self, 1, "batch", "critic_steps", "gp_every", *(["validations"] if self.validations is not None else [])
        )
        at_least(self, 0, "rate", "gp_weight", "ema", "seed")
        if self.steps is not None:
            at_least(self, 1, "steps")
        if self.budget_s is not None:
            at_least(self, 1, "budget_s")
        if self.seed >= 2**64:
            raise ConfigError(f"a seed is a whole number from 0 to 2**64 - 1, got {self.seed}")
        if not self.ema < 1:
            raise ConfigError(f"ema must be below 1, got {self.ema}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierConfig(JsonConfig):
    """The arrhythmia classifier and its training."""

    width: int = 32  # filters of the first layer
    steps: int = 2000  # updates, whatever the number of windows
    batch: int = 256
    rate: float = 2e-3  # the highest of a one-cycle schedule

    def __post_init__(self) -> None:
        at_least(self, 1, "width", "steps", "batch")
        if not self.rate > 0:
            raise ConfigError(f"rate must be above 0, got {self.rate}")
