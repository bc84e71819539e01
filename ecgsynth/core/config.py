"""Settings: frozen, checked once, saved as JSON beside the weights. Devices and paths belong to none of them.

Those of a training are here; those of a model stand beside it.
"""

from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self

from ecgsynth.core.records import from_json, to_json
from ecgsynth.errors import ConfigError

__all__ = ["DEFAULT_BUDGET_S", "JsonConfig", "TrainConfig", "at_least", "seed_of"]

DEFAULT_BUDGET_S = 20 * 60.0  # of a training of windows, where nothing else is asked for


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
    """Raise ConfigError for a setting, of those named, that is below a minimum."""
    for name in names:
        value = getattr(config, name)
        if not value >= minimum:
            raise ConfigError(f"{name} must be at least {minimum}, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(JsonConfig):
    """How a generator is trained: for ``steps`` generator updates, or ``budget_s`` seconds; 20 minutes by default."""

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
        if self.steps is not None and self.budget_s is not None:
            raise ConfigError("give either a number of steps or a budget of time, not both")
        if self.steps is None and self.budget_s is None:
            object.__setattr__(self, "budget_s", DEFAULT_BUDGET_S)
        at_least(
            self, 1, "batch", "critic_steps", "gp_every", *(["validations"] if self.validations is not None else [])
        )
        at_least(self, 0, "rate", "gp_weight", "ema", "seed")
        if self.steps is not None:
            at_least(self, 1, "steps")
        if self.budget_s is not None:
            at_least(self, 1, "budget_s")
        seed_of(self.seed)
        if not self.ema < 1:
            raise ConfigError(f"ema must be below 1, got {self.ema}")


def seed_of(seed: Any) -> int:
    """A whole number, NumPy's too, as Python's; ConfigError for what is no seed."""
    whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 2**64:
        raise ConfigError(f"a seed is a whole number from 0 to 2**64 - 1, got {seed!r}")
    return int(seed)
