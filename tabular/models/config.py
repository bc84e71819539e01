"""The settings of adversarial models of tables; models.registry has the usual ones by their usual names."""

from dataclasses import dataclass

from ecgsynth.core.config import JsonConfig, at_least
from ecgsynth.errors import ConfigError

from .objectives import OBJECTIVES

__all__ = ["CONDITIONS", "GANConfig"]

CONDITIONS = ("none", "label", "sampled")
OPTIMIZERS = ("adam", "rmsprop")


@dataclass(frozen=True, slots=True, kw_only=True)
class GANConfig(JsonConfig):
    """What a row is made of, what the networks are, and their objective and condition."""

    sizes: tuple[int, ...]  # codes of each column
    positioned: tuple[bool, ...]  # whether a column's codes leave a position open
    askable: tuple[bool, ...]  # whether a column may be asked for
    objective: str = "gp"  # an entry of objectives.OBJECTIVES
    condition: str = "none"  # none, the label's code, or the code of one column drawn anew for each row
    label: int | None = None  # the column that is the condition where that is a label
    pack: int = 1  # rows that the critic sees side by side
    unrolled: int = 0  # critic updates that the generator looks ahead
    unrolled_rate: float = 0.01  # of those updates, plain gradient steps
    normals: int = 128  # normal numbers that a row is made from
    generator_sizes: tuple[int, ...] = (256, 256)
    critic_sizes: tuple[int, ...] = (256, 256)
    critic_features: int = 256  # numbers that a Cramer critic gives for a row
    critic_dropout: float = 0.0
    leak: float = 0.2  # slope of the critic's units below 0
    normalise: bool = True  # batch normalisation in the generator
    temperature: float = 0.2  # of the Gumbel softmax
    optimizer: str = "adam"
    betas: tuple[float, float] = (0.5, 0.9)  # of Adam
    weight_decay: float = 0.0  # of the generator, added to the gradient
    clip: float = 0.01  # the largest weight of a clipped critic

    def __post_init__(self) -> None:
        for name in ("sizes", "positioned", "askable", "generator_sizes", "critic_sizes", "betas"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists
        if not self.sizes or not len(self.sizes) == len(self.positioned) == len(self.askable):
            raise ConfigError(
                "sizes, positioned and askable have one entry for each column, got "
                f"{len(self.sizes)}, {len(self.positioned)} and {len(self.askable)}"
            )
        at_least(self, 1, "pack", "normals", "critic_features")
        if not self.critic_sizes:
            raise ConfigError("a critic has one hidden layer or more, got none")
        at_least(self, 0, "unrolled", "unrolled_rate", "critic_dropout", "leak", "weight_decay")
        for name, known in (("objective", tuple(OBJECTIVES)), ("condition", CONDITIONS), ("optimizer", OPTIMIZERS)):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is one of {', '.join(known)}, got {getattr(self, name)!r}")
        for name in ("sizes", "generator_sizes", "critic_sizes"):
            if min(getattr(self, name), default=1) < 1:
                raise ConfigError(f"{name} must be at least 1 each, got {list(getattr(self, name))}")
        for name in ("temperature", "clip"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0, got {getattr(self, name)}")
        if not self.critic_dropout < 1:
            raise ConfigError(f"critic_dropout must be below 1, got {self.critic_dropout}")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"betas are two numbers at least 0 and below 1, got {list(self.betas)}")
        self.check_label()

    def check_label(self) -> None:
        """Whether there is a label exactly where the condition is one."""
        if (self.condition == "label") != (self.label is not None):
            raise ConfigError(
                f"a label is given where the condition is label, got {self.label} with {self.condition!r}"
            )
        if self.label is not None and not (0 <= self.label < len(self.sizes) and self.askable[self.label]):
            raise ConfigError(f"the label is the number of a column that may be asked for, got {self.label}")

    @property
    def answers(self) -> tuple[int, ...]:
        """The columns that rows can be asked for by."""
        if self.condition == "label" and self.label is not None:
            return (self.label,)
        every = self.condition == "sampled"
        return tuple(place for place, may in enumerate(self.askable) if may and every)

    @property
    def places(self) -> tuple[int, ...]:
        """The columns that have positions."""
        return tuple(place for place, has in enumerate(self.positioned) if has)

    @property
    def firsts(self) -> tuple[int, ...]:
        """Where the one-hot of each column begins among all of them."""
        return tuple(sum(self.sizes[:place]) for place in range(len(self.sizes)))

    @property
    def width(self) -> int:
        """Numbers of a row as the networks see it: its positions, then its one-hots."""
        return len(self.places) + sum(self.sizes)

    @property
    def condition_width(self) -> int:
        """Numbers of the condition: the one-hots of the columns that can be asked for."""
        return sum(self.sizes[place] for place in self.answers)

    @property
    def noise_dim(self) -> int:
        """Uniform numbers of a row: normals in pairs, one for each column's code, two for what is not asked for."""
        return self.normals + self.normals % 2 + len(self.sizes) + 2
