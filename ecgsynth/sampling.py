"""Sampling from a trained generator with torch, row for row as the exported file does it."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.noise import row_noise
from ecgsynth.scaling import PrincipalScaler
from ecgsynth.wgan import Generator

__all__ = ["SignalSampler", "draw"]


class SignalSampler(nn.Module):
    """The whole way from uniform numbers to a signal in physical units: what is exported, and nothing else.

    basis: (components, time * channels) and mean: (time * channels,), in mV

    forward: uniform (n, noise_dim) float32 in (0, 1); label (n,) int64 -> signal (n, time, channels), in mV
    """

    basis: Tensor
    mean: Tensor

    def __init__(self, generator: Generator, scaler: PrincipalScaler) -> None:
        super().__init__()
        self.generator = generator
        self.shape = (scaler.time, scaler.channels)
        basis = scaler.scales[:, None] * scaler.axes  # (components, time * channels)
        self.register_buffer("basis", torch.from_numpy(basis).float())
        self.register_buffer("mean", torch.from_numpy(scaler.mean).float())

    def forward(self, uniform: Tensor, label: Tensor) -> Tensor:
        scaled = self.generator.from_uniform(uniform, label)  # (n, components)
        signal: Tensor = torch.addmm(self.mean, scaled, self.basis).unflatten(1, self.shape)
        return signal


def draw(
    sampler: SignalSampler, labels: NDArray[np.int64], seed: int, *, start: int = 0, batch: int = 1024
) -> NDArray[np.float32]:
    """(n, time, channels) signals of rows ``start`` and following of ``seed``, one for each label (n,)."""
    device = sampler.mean.device
    noise_dim = sampler.generator.config.noise_dim
    signals = np.empty((len(labels), *sampler.shape), dtype=np.float32)
    sampler.eval()
    with torch.inference_mode():
        for first in range(0, len(labels), batch):
            wanted = labels[first : first + batch]
            noise = row_noise(seed, range(start + first, start + first + len(wanted)), noise_dim)
            made = sampler(torch.from_numpy(noise.uniform).to(device), torch.from_numpy(wanted).to(device))
            signals[first : first + len(wanted)] = made.cpu().numpy()
    return signals
