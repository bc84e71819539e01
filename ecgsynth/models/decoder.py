"""Sampling from a trained generator with torch, row for row as the exported file does it."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.core.noise import person_noise, row_noise
from ecgsynth.models.columns.columns import ColumnsBack
from ecgsynth.models.columns.rules import RulesKept
from ecgsynth.models.model import Space, WindowGenerator
from ecgsynth.models.spectral import SpectralBasis, SpectralScaler
from ecgsynth.windows.windows import RR_RANGE_S

__all__ = ["Limits", "SignalSampler", "draw"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The step of each channel's values (0: none), and their bounds; each (channels,)."""

    steps: NDArray[np.float32]
    lows: NDArray[np.float32]
    highs: NDArray[np.float32]


class SignalSampler(nn.Module):
    """The whole way from uniform numbers to a signal in physical units: what is exported, and nothing else.

    forward: uniform (n, noise_dim) float32 in (0, 1); label (n,) int64;
        of a generator of people, person (n, person_dim) float32 in (0, 1)
        -> signal (n, time, channels), in physical units; and RR intervals (n, 2), in s, if the generator makes them,
        or of a series when windows start, (n,), in s from Monday 00:00, if it makes that

    Attributes
    ----------
    basis
        (features, time * channels + intervals), or (features,) where every feature is a sample.
    back
        What stands in the place of ``basis`` for long windows of a series.
    mean
        (time * channels + intervals,), in physical units and ln(s).
    limits
        Of a series, the bounds that the values of its channels are kept within, and the steps they are rounded to.

    """

    basis: Tensor
    mean: Tensor
    steps: Tensor
    lows: Tensor
    highs: Tensor
    transformed: Tensor
    order: Tensor
    quantiles: Tensor
    references: Tensor

    def __init__(
        self,
        generator: WindowGenerator,
        space: Space,
        limits: Limits | None = None,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.learnt = (space.time, space.channels)
        columns = space.columns
        self.shape = self.learnt if columns is None else (space.time, columns.channels)
        self.intervals = len(space.interval_means)
        self.back: SpectralBasis | None = None
        if isinstance(space, SpectralScaler):
            self.back, mean = SpectralBasis(space), space.mean.astype(np.float32)
        else:
            basis, mean = space.basis()
            self.register_buffer("basis", torch.from_numpy(basis))
        self.register_buffer("mean", torch.from_numpy(mean))
        marginals = space.marginals
        picked = np.flatnonzero(marginals.transformed)
        self.transforms = bool(len(picked))
        if self.transforms:
            order = np.arange(space.channels)
            order[picked] = space.channels + np.arange(len(picked))  # these stand behind the others when they are done
            self.register_buffer("transformed", torch.from_numpy(picked))
            self.register_buffer("order", torch.from_numpy(order))
            self.register_buffer("quantiles", torch.from_numpy(marginals.quantiles[picked].astype(np.float32)))
            self.register_buffer("references", torch.from_numpy(marginals.references[picked].astype(np.float32)))
        none = np.zeros(self.shape[1], dtype=np.float32)
        kept = limits or Limits(steps=none, lows=none - np.inf, highs=none + np.inf)
        self.columns = None if columns is None else ColumnsBack(columns, kept.lows, kept.highs)
        rules = None if columns is None else columns.rules
        self.rules = None if rules is None else RulesKept(rules, kept.steps)
        self.bounded, self.rounds = limits is not None, limits is not None and bool(limits.steps.any())
        if limits is not None:
            for name in ("steps", "lows", "highs"):
                self.register_buffer(name, torch.from_numpy(getattr(limits, name)))

    @property
    def beside(self) -> str | None:
        """What is made beside the signal, by its name in Windows and in the graph."""
        starts = self.columns is not None and self.columns.start is not None
        return "rr_s" if self.intervals else "start_s" if starts else None

    @property
    def switches(self) -> bool:
        """Whether a number that is made decides on one side or the other, as whether a value has changed."""
        return self.columns is not None and self.columns.switches

    def forward(self, uniform: Tensor, label: Tensor, person: Tensor | None = None) -> tuple[Tensor, ...]:
        features = self.generator.from_uniform(uniform, label, person)  # (n, features)
        if self.back is not None:
            made = self.back(features) + self.mean
        elif self.basis.dim() == 2:
            made = torch.addmm(self.mean, features, self.basis)  # (n, time * channels + intervals)
        else:
            made = torch.addcmul(self.mean, features, self.basis)
        size = math.prod(self.learnt)
        signal = made[:, :size].unflatten(1, self.learnt)
        if self.transforms:
            values = self.from_references(signal.index_select(2, self.transformed))
            signal = torch.cat([signal, values], dim=2).index_select(2, self.order)
        start: tuple[Tensor, ...] = ()
        if self.columns is not None:
            signal, *rest = self.columns(signal)
            start = tuple(rest)
        if self.bounded:
            signal = torch.minimum(torch.maximum(signal, self.lows), self.highs)
        if self.rounds:
            step = torch.where(self.steps > 0, self.steps, 1.0)
            signal = torch.where(self.steps > 0, torch.round(signal / step) * step, signal)
        if self.rules is not None:
            signal = self.rules(signal)
        if not self.intervals:
            return (signal, *start)
        return signal, made[:, size:].clamp(*map(math.log, RR_RANGE_S)).exp()

    def from_references(self, reference: Tensor) -> Tensor:
        """References (n, time, transformed channels) -> values, by straight lines; the outermost are the ends."""
        starts, widths, rises = (
            part.T for part in (self.references, self.references.diff(dim=1), self.quantiles.diff(dim=1))
        )
        values: Tensor = self.quantiles[:, 0].expand_as(reference)
        for start, width, rise in zip(starts, widths.clamp(min=1e-6), rises, strict=False):  # each (channels,)
            values = values + rise * ((reference - start) / width).clamp(0, 1)
        return values


def draw(
    sampler: SignalSampler,
    labels: NDArray[np.int64],
    seed: int,
    *,
    persons: NDArray[np.int64] | None = None,
    start: int = 0,
    batch: int = 1024,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Signals of rows ``start`` and following of a seed, one for each label.

    Parameters
    ----------
    sampler
        On the device on which it is to compute.
    labels
        (n,) int64.
    seed, start
        Which rows of which seed's noise (ecgsynth.core.noise).
    persons
        (n,) whose each is, of a generator of people; by default every window is of another person.
    batch
        Windows computed at once.

    Returns
    -------
    signals, beside
        (n, time, channels) float32 in physical units; and what is made beside them, float32: RR intervals (n, 2) in s,
        or when windows start (n,) in s, or None (see SignalSampler.beside).

    """
    device = sampler.mean.device
    noise_dim, person_dim = sampler.generator.config.noise_dim, sampler.generator.person_dim
    if persons is None:
        persons = np.arange(start, start + len(labels))
    signals = np.empty((len(labels), *sampler.shape), dtype=np.float32)
    shape = (len(labels), 2) if sampler.intervals else len(labels)
    beside = None if sampler.beside is None else np.empty(shape, dtype=np.float32)
    sampler.eval()
    with torch.inference_mode():
        for first in range(0, len(labels), batch):
            wanted = labels[first : first + batch]
            noise = row_noise(seed, range(start + first, start + first + len(wanted)), noise_dim)
            asked = [noise.uniform, wanted]
            if person_dim:
                asked.append(person_noise(seed, persons[first : first + batch], person_dim))
            made = sampler(*(torch.from_numpy(array).to(device) for array in asked))
            signals[first : first + len(wanted)] = made[0].cpu().numpy()
            if beside is not None:
                beside[first : first + len(wanted)] = made[1].cpu().numpy()
    return signals, beside
