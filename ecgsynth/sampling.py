"""Sampling from a trained generator with torch, row for row as the exported file does it."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.noise import row_noise
from ecgsynth.scaling import RR_RANGE_S, PrincipalScaler
from ecgsynth.wgan import Generator

__all__ = ["SignalSampler", "draw"]


class SignalSampler(nn.Module):
    """The whole way from uniform numbers to a signal in physical units: what is exported, and nothing else.

    basis: (features, time * channels + intervals) and mean: (time * channels + intervals,), in mV and ln(s)

    forward: uniform (n, noise_dim) float32 in (0, 1); label (n,) int64
        -> signal (n, time, channels), in mV; and RR intervals (n, 2), in s, if the generator makes them
    """

    basis: Tensor
    mean: Tensor

    def __init__(self, generator: Generator, scaler: PrincipalScaler) -> None:
        super().__init__()
        self.generator = generator
        self.shape = (scaler.time, scaler.channels)
        self.intervals = len(scaler.interval_means)
        basis, mean = scaler.basis()
        self.register_buffer("basis", torch.from_numpy(basis))
        self.register_buffer("mean", torch.from_numpy(mean))

    def forward(self, uniform: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        features = self.generator.from_uniform(uniform, label)  # (n, features)
        made = torch.addmm(self.mean, features, self.basis)  # (n, time * channels + intervals)
        size = math.prod(self.shape)
        signal = made[:, :size].unflatten(1, self.shape)
        if not self.intervals:
            return (signal,)
        return signal, made[:, size:].clamp(*map(math.log, RR_RANGE_S)).exp()


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
