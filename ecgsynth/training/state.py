"""All that a training changes: the networks that a model brings, their optimisers, its randomness and its counters."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ecgsynth.core.records import from_json, to_json
from ecgsynth.errors import ArtifactError
from ecgsynth.models.learner import Learner

__all__ = ["Counters", "Learner", "TrainState"]


@dataclass(slots=True, kw_only=True)
class Counters:
    """How far a training is, and what it reached."""

    step: int = 0
    elapsed_s: float = 0.0
    validations: int = 0
    validating_s: float = 0.0
    longest_s: float = 0.0  # that a validation took
    planning_s: float | None = None  # before the first step
    scored_step: int | None = None  # the latest
    score: float | None = None
    best_score: float | None = None
    best_step: int | None = None
    sums: dict[str, list[float]] = field(default_factory=dict)  # of the losses since the last line of the history


@dataclass(slots=True)
class TrainState:
    """All that a training changes; a checkpoint is exactly this."""

    learner: Learner
    rng: torch.Generator
    counters: Counters = field(default_factory=Counters)

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state, by name."""
        flat = {"rng": self.rng.get_state()}
        for name, module in self.learner.modules.items():
            flat |= {f"{name}.{entry}": value for entry, value in module.state_dict().items()}
        for name, optimizer in self.learner.optimizers.items():
            flat |= flatten_optimizer(f"optimizer.{name}", optimizer)
        return flat

    def counted(self) -> dict[str, Any]:
        """The counters as plain values."""
        return to_json(self.counters)

    def restore(self, tensors: dict[str, Tensor], counted: dict[str, Any]) -> None:
        """Put back what a checkpoint holds; ArtifactError if it is of other networks."""
        try:
            for name, module in self.learner.modules.items():
                prefix = f"{name}."
                own = {
                    entry.removeprefix(prefix): value for entry, value in tensors.items() if entry.startswith(prefix)
                }
                module.load_state_dict(own)
            for name, optimizer in self.learner.optimizers.items():
                restore_optimizer(f"optimizer.{name}", optimizer, tensors)
            self.rng.set_state(tensors["rng"])
            self.counters = from_json(Counters, counted, lenient=True)
        except (RuntimeError, KeyError, ValueError) as error:
            raise ArtifactError(f"the checkpoint is not of this model ({error}); train into a new folder") from error


def flatten_optimizer(name: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's state as named tensors."""
    return {
        f"{name}.{index}.{entry}": torch.as_tensor(value)
        for index, state in optimizer.state_dict()["state"].items()
        for entry, value in state.items()
    }


def restore_optimizer(name: str, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what ``flatten_optimizer`` gave."""
    state: dict[int, dict[str, Tensor]] = {}
    for entry, tensor in tensors.items():
        if entry.startswith(name + "."):
            index, field_name = entry.removeprefix(name + ".").split(".")
            state.setdefault(int(index), {})[field_name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
