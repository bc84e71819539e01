"""The arrhythmia classifier: a small one-dimensional CNN, the judge of how useful synthetic beats are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.core.config import JsonConfig, at_least
from ecgsynth.errors import ConfigError, TrainingDivergedError
from ecgsynth.windows.windows import RR_RANGE_S

__all__ = ["BeatClassifier", "ClassifierConfig", "ComponentClassifier", "predict", "train_classifier", "with_intervals"]

INTERVAL_UNITS = 16
USUAL_RR_S = 0.8  # stands for an interval that is missing


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


class BeatClassifier(nn.Module):
    """Windows, perhaps with their RR intervals, to class scores.

    forward: x (n, time, channels) in physical units; with ``intervals``, what ``with_intervals`` makes of them
        -> logits (n, classes)
    """

    def __init__(self, channels: int, classes: int, width: int, intervals: int = 0) -> None:
        super().__init__()
        self.channels = channels
        widths = (channels, width, 2 * width, 2 * width, 4 * width)
        kernels = (15, 7, 5, 5)
        layers: list[nn.Module] = []
        for i, kernel in enumerate(kernels):
            layers += [
                nn.Conv1d(widths[i], widths[i + 1], kernel, stride=2, padding=kernel // 2, bias=False),
                nn.BatchNorm1d(widths[i + 1]),
                nn.ReLU(),
            ]
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Dropout(0.3), nn.Linear(16 * width, classes)
        )
        self.rhythm = None
        if intervals:
            self.rhythm = nn.Sequential(
                nn.BatchNorm1d(intervals),
                nn.Linear(intervals, INTERVAL_UNITS),
                nn.ReLU(),
                nn.Linear(INTERVAL_UNITS, INTERVAL_UNITS),
                nn.ReLU(),
                nn.Linear(INTERVAL_UNITS, classes),
            )

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.features(x[..., : self.channels].mT))  # (n, channels, time) -> (n, classes)
        if self.rhythm is not None:
            scores = scores + self.rhythm(x[:, 0, self.channels :])
        return scores


def with_intervals(values: NDArray[np.float32], rr_s: NDArray[np.float32]) -> NDArray[np.float32]:
    """Windows (n, time, channels), RR intervals (n, 2) in s -> (n, time, channels + 2): ln(s) as constant channels."""
    logs = np.log(np.where(np.isfinite(rr_s), np.clip(rr_s, *RR_RANGE_S), USUAL_RR_S)).astype(np.float32)
    return np.concatenate([values, np.broadcast_to(logs[:, None], (*values.shape[:2], logs.shape[1]))], axis=2)


class ComponentClassifier(nn.Module):
    """Scaled components to class scores: the quick judge of a generator while it trains.

    forward: x (n, components) -> logits (n, classes)
    """

    def __init__(self, components: int, classes: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(components, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.layers(x))  # (n, classes)
        return scores


def train_classifier(
    build: Callable[[], nn.Module],
    values: NDArray[np.float32],
    labels: NDArray[np.int64],
    config: ClassifierConfig,
    seed: int,
    *,
    class_weights: NDArray[np.float32] | None = None,
    device: torch.device | None = None,
    on_step: Callable[[int, int, float], None] | None = None,
) -> nn.Module:
    """A fresh network, trained; the same for a seed on a CPU.

    Parameters
    ----------
    build
        Makes the network.
    values, labels
        Inputs (n, ...) and classes (n,).
    config
        Updates, batch and rate.
    seed
        Of weights and batches.
    class_weights
        (classes,) weigh the inputs of a class in the loss.
    device
        The CPU, unless given.
    on_step
        ``on_step(done, total, loss)`` is called after each update.

    Returns
    -------
    The network, which now computes and learns no more.

    Raises
    ------
    TrainingDivergedError
        On a loss that is not finite.

    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build().to(device or torch.device("cpu"))
        rng = torch.Generator().manual_seed(seed)
        x, y = torch.from_numpy(values).to(device), torch.from_numpy(labels).to(device)
        weight = None if class_weights is None else torch.from_numpy(class_weights).to(device)
        optimizer = torch.optim.AdamW(net.parameters(), lr=config.rate, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.rate, total_steps=config.steps + 1)
        order = torch.empty(0, dtype=torch.int64)
        net.train()
        for step in range(config.steps):
            while len(order) < config.batch:
                order = torch.cat([order, torch.randperm(len(x), generator=rng)])
            picked, order = order[: config.batch], order[config.batch :]
            picked = picked.to(device)
            loss = nn.functional.cross_entropy(net(x[picked]), y[picked], weight=weight)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            if not torch.isfinite(loss):
                raise TrainingDivergedError(
                    f"the classifier's loss is {loss.item()} at step {step + 1}; lower its rate"
                )
            if on_step is not None:
                on_step(step + 1, config.steps, loss.item())
    return net.eval()


def predict(net: nn.Module, values: NDArray[np.float32], batch: int = 4096) -> NDArray[np.int64]:
    """The likeliest class (n,) of each input (n, ...)."""
    device = next(net.parameters()).device
    with torch.inference_mode():
        pieces = [net(x.to(device)).argmax(dim=1).cpu() for x in torch.from_numpy(values).split(batch)]
    return torch.cat(pieces).numpy() if pieces else np.empty(0, dtype=np.int64)
