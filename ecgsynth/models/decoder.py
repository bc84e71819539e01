"""Sampling from a trained generator with torch, row for row as the exported file does it."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.core.noise import row_noise
from ecgsynth.models.scaling import ChannelScaler, PrincipalScaler
from ecgsynth.models.timegan import TimeGANGenerator
from ecgsynth.models.wgan import Generator
from ecgsynth.windows.windows import RR_RANGE_S

__all__ = ["Limits", "SignalSampler", "draw"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the values of each channel are multiples of (0: of nothing), and between what they lie; each (channels,)."""

    steps: NDArray[np.float32]
    lows: NDArray[np.float32]
    highs: NDArray[np.float32]


class SignalSampler(nn.Module):
    """The whole way from uniform numbers to a signal in physical units: what is exported, and nothing else.

    basis: (features, time * channels + intervals), or (features,) where every feature is a sample, and
    mean: (time * channels + intervals,), in physical units and ln(s)
    limits: of a series, what the values of its channels are kept within and rounded to

    forward: uniform (n, noise_dim) float32 in (0, 1); label (n,) int64
        -> signal (n, time, channels), in physical units; and RR intervals (n, 2), in s, if the generator makes them
    """

    basis: Tensor
    mean: Tensor
    steps: Tensor
    lows: Tensor
    highs: Tensor
    bent: Tensor
    order: Tensor
    knots: Tensor
    scores: Tensor

    def __init__(
        self,
        generator: Generator | TimeGANGenerator,
        scaler: PrincipalScaler | ChannelScaler,
        limits: Limits | None = None,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.shape = (scaler.time, scaler.channels)
        self.intervals = len(scaler.interval_means)
        basis, mean = scaler.basis()
        self.register_buffer("basis", torch.from_numpy(basis))
        self.register_buffer("mean", torch.from_numpy(mean))
        self.stepped = bool(scaler.stepped.any())
        if isinstance(scaler, PrincipalScaler) and self.stepped:
            bent = np.flatnonzero(scaler.stepped)
            order = np.arange(scaler.channels)
            order[bent] = scaler.channels + np.arange(len(bent))  # these stand behind the others when they are done
            self.register_buffer("bent", torch.from_numpy(bent))
            self.register_buffer("order", torch.from_numpy(order))
            self.register_buffer("knots", torch.from_numpy(scaler.knots[bent].astype(np.float32)))
            self.register_buffer("scores", torch.from_numpy(scaler.scores[bent].astype(np.float32)))
        self.bounded, self.rounds = limits is not None, limits is not None and bool(limits.steps.any())
        if limits is not None:
            for name in ("steps", "lows", "highs"):
                self.register_buffer(name, torch.from_numpy(getattr(limits, name)))

    def forward(self, uniform: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        features = self.generator.from_uniform(uniform, label)  # (n, features)
        if self.basis.dim() == 2:
            made = torch.addmm(self.mean, features, self.basis)  # (n, time * channels + intervals)
        else:
            made = torch.addcmul(self.mean, features, self.basis)
        size = math.prod(self.shape)
        signal = made[:, :size].unflatten(1, self.shape)
        if self.stepped:
            values = self.from_scores(signal.index_select(2, self.bent))
            signal = torch.cat([signal, values], dim=2).index_select(2, self.order)
        if self.bounded:
            signal = torch.minimum(torch.maximum(signal, self.lows), self.highs)
        if self.rounds:
            step = torch.where(self.steps > 0, self.steps, 1.0)
            signal = torch.where(self.steps > 0, torch.round(signal / step) * step, signal)
        if not self.intervals:
            return (signal,)
        return signal, made[:, size:].clamp(*map(math.log, RR_RANGE_S)).exp()

    def from_scores(self, score: Tensor) -> Tensor:
        """Scores (n, time, bent channels) -> values, straight lines between knots; the outermost are the ends."""
        starts, widths, rises = (part.T for part in (self.scores, self.scores.diff(dim=1), self.knots.diff(dim=1)))
        values: Tensor = self.knots[:, 0].expand_as(score)
        for start, width, rise in zip(starts, widths.clamp(min=1e-6), rises, strict=False):  # each (bent channels,)
            values = values + rise * ((score - start) / width).clamp(0, 1)
        return values


def draw(
    sampler: SignalSampler, labels: NDArray[np.int64], seed: int, *, start: int = 0, batch: int = 1024
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Signals (n, time, channels), and RR intervals (n, 2) or None, of rows ``start`` and following of ``seed``.

    One for each label (n,).
    """
    device = sampler.mean.device
    noise_dim = sampler.generator.config.noise_dim
    signals = np.empty((len(labels), *sampler.shape), dtype=np.float32)
    intervals = np.empty((len(labels), sampler.intervals), dtype=np.float32)
    sampler.eval()
    with torch.inference_mode():
        for first in range(0, len(labels), batch):
            wanted = labels[first : first + batch]
            noise = row_noise(seed, range(start + first, start + first + len(wanted)), noise_dim)
            made = sampler(torch.from_numpy(noise.uniform).to(device), torch.from_numpy(wanted).to(device))
            signals[first : first + len(wanted)] = made[0].cpu().numpy()
            if sampler.intervals:
                intervals[first : first + len(wanted)] = made[1].cpu().numpy()
    return signals, intervals if sampler.intervals else None
