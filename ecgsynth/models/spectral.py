"""Long windows of a series as frequencies: a space whose size grows with time times channels, not with its square.

The cosines of a window's channels are nearly uncorrelated across frequencies, except the slowest, which hold a window's
level, slope and slow turns. So the slowest cosines of all channels together have principal components, and of the
others each octave has principal components of its channels alone. Nothing is left out: what is left out gives a
synthetic window away.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.core.files import write_json
from ecgsynth.core.records import key, sparse, to_json
from ecgsynth.errors import DataError, require
from ecgsynth.models.columns.columns import Columns
from ecgsynth.models.marginals import MarginalTransform
from ecgsynth.models.scaling import POWER, read_space

__all__ = ["SpectralBasis", "SpectralScaler"]

JOINT_NUMBERS = 1024  # of the slowest cosines of all channels, which have components together
SCORED_STRONGEST, SCORED_OTHERS = 512, 512  # features that a classifier sees of a window
LEAST_STD_SHARE = 1e-6  # of the largest standard deviation of a feature, that another has at least
LEAST_STD = 1e-12  # of a channel
CHUNK_NUMBERS = 20_000_000  # of windows that are computed with at a time

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectralScaler:
    """Windows in physical units <-> features, as many as a window has numbers.

    Parameters
    ----------
    mean
        (time * channels,), in physical units, or as references where a channel is transformed.
    weights
        (channels,), what the samples of each channel are divided by.
    axes
        (slow * channels, slow * channels), rows orthonormal to half precision: components of the slowest cosines.
    mixing
        (octaves, channels, channels), rows orthonormal to half precision: of each octave, components of the channels.
    scales
        (time * channels,), what each feature is divided by: first those of the slowest cosines, then frequency by
        frequency.
    transformed, quantiles, references, columns
        As of PrincipalScaler.

    References
    ----------
    The discrete cosine transform of type II, orthonormal: Ahmed, Natarajan and Rao, "Discrete Cosine Transform", 1974.

    """

    time: int
    channels: int
    mean: Floats
    weights: Floats
    axes: Floats
    mixing: Floats
    scales: Floats
    transformed: Floats = key("stepped")
    quantiles: Floats = key("knots")
    references: Floats = key("scores")
    columns: Columns | None = sparse(default=None)

    @classmethod
    def fit(
        cls,
        values: Singles,
        *,
        clusters: NDArray[np.int64] | None = None,
        marginals: MarginalTransform | None = None,
    ) -> Self:
        """The components of windows, a chunk of them at a time.

        Parameters
        ----------
        values
            (n, time, channels) in physical units.
        clusters
            (n,) numbers from 0; the components are then those of what the windows differ by from the mean of their
            cluster.
        marginals
            The channels that are transformed, and how.

        Raises
        ------
        DataError
            For fewer than two windows, or such that are all alike.

        """
        n, time, channels = values.shape
        if n < 2:
            raise DataError(f"components need more than 1 training window, got {n}")
        marginals = marginals or MarginalTransform.none(channels)
        numbers = np.zeros(n, dtype=np.int64) if clusters is None else clusters
        weights = channel_weights(values, marginals)
        means = np.zeros((int(numbers.max()) + 1, time, channels))
        for part, found in cosines_in_chunks(values, marginals, weights):
            member = (numbers[part] == np.arange(len(means))[:, None]).astype(np.float32)
            means += (member @ found.reshape(len(found), -1)).reshape(means.shape)
        centre = means.sum(axis=0) / n
        means /= np.bincount(numbers)[:, None, None]
        slow = slow_cosines(time, channels)
        joint = np.zeros((slow * channels, slow * channels))
        single = np.zeros((time - slow, channels, channels))
        for part, found in cosines_in_chunks(values, marginals, weights):
            away = found - means[numbers[part]].astype(np.float32)
            first = away[:, :slow].reshape(len(away), -1)
            joint += first.T @ first
            rest = np.ascontiguousarray(away[:, slow:].transpose(1, 2, 0))
            single += rest @ rest.transpose(0, 2, 1)
        joint, single = joint / (n - 1), single / (n - 1)
        axes = rounded(main_axes(joint))
        mixing = rounded(
            np.stack([main_axes(single[octave].sum(axis=0)) for octave in octaves(time, slow)])
            if time > slow
            else np.zeros((0, channels, channels))
        )
        basis = mixing[octave_of(time, slow)]
        variances = ((axes @ joint * axes).sum(axis=1), (basis @ single * basis).sum(axis=2).ravel())
        stds = np.sqrt(np.maximum(np.concatenate(variances), 0))
        if not stds.max() > 0:
            raise DataError("the training windows are all alike; bring windows that vary")
        mean = back_from_cosines(centre[None].astype(np.float64))[0] * weights
        return cls(
            time=time,
            channels=channels,
            mean=mean.ravel(),
            weights=weights,
            axes=axes,
            mixing=mixing,
            scales=np.maximum(stds, LEAST_STD_SHARE * stds.max()) ** POWER,
            transformed=marginals.transformed,
            quantiles=marginals.quantiles,
            references=marginals.references,
        )

    @property
    def features(self) -> int:
        """How many numbers stand for a window."""
        return self.time * self.channels

    @property
    def slow(self) -> int:
        """How many cosines have components of all channels together."""
        return len(self.axes) // self.channels

    @property
    def interval_means(self) -> Floats:
        """RR intervals are not among the features."""
        return np.empty(0)

    @property
    def marginals(self) -> MarginalTransform:
        """The channels that are transformed."""
        return MarginalTransform(self.transformed, self.quantiles, self.references)

    def transform(self, values: Singles, rr_s: Singles | None = None, start_s: Floats | None = None) -> Singles:
        """(n, time, channels) in physical units, and when windows start -> (n, features)."""
        return self.leading(values if self.columns is None else self.columns.apply(values, start_s), self.features)

    def leading(self, values: Singles, count: int) -> Singles:
        """The first of the features (n, count), or all, of windows in the channels that are learnt."""
        count = min(count, self.features)
        made = np.empty((len(values), count), dtype=np.float32)
        centre = cosines_of((self.mean.reshape(1, self.time, self.channels) / self.weights).astype(np.float32))
        basis = self.mixing[octave_of(self.time, self.slow)].astype(np.float32)
        axes, scales, first = self.axes.astype(np.float32), self.scales.astype(np.float32), len(self.axes)
        for part, found in cosines_in_chunks(values, self.marginals, self.weights):
            away = found - centre
            made[part, :first] = (away[:, : self.slow].reshape(len(away), -1) @ axes.T)[:, :count]
            if count > first:
                rest = np.matmul(basis, away[:, self.slow :, :, None])[..., 0]
                made[part, first:] = rest.reshape(len(away), -1)[:, : count - first]
        made /= scales[:count]
        return made

    def components(self, values: Singles, start_s: Floats | None = None) -> Singles:
        """(n, time, channels) in physical units, and when windows start -> what a classifier sees of them.

        The strongest features, and some others.
        """
        others = np.linspace(0, self.features - 1, SCORED_STRONGEST + SCORED_OTHERS).astype(np.int64)
        seen = np.unique(np.append(np.arange(min(SCORED_STRONGEST, self.features)), others[::2]))
        pieces = ((values[part], None if start_s is None else start_s[part]) for part in chunks(values))
        return np.concatenate([self.transform(piece, None, start)[:, seen] for piece, start in pieces])

    def restored(self, features: Singles) -> Singles:
        """(n, features) -> (n, time, channels), in physical units, or as references where a channel is transformed."""
        with torch.inference_mode():
            made: Singles = SpectralBasis(self)(torch.from_numpy(features)).numpy() + self.mean.astype(np.float32)
        return made.reshape(-1, self.time, self.channels)

    def spreads(self, of_features: Singles) -> Floats:
        """(n, features) standard deviations of uncorrelated features -> (n, time, channels), those of the samples."""
        variance = np.square(of_features.astype(np.float64) * self.scales)
        slow, first = self.slow, len(self.axes)
        cosines = cosine_matrix(self.time)  # (frequency, time)
        turned = np.einsum("kfc,ft->ktc", self.axes.reshape(first, slow, self.channels), cosines[:slow], optimize=True)
        of_slow = variance[:, :first] @ np.square(turned).reshape(first, -1)
        basis = np.square(self.mixing[octave_of(self.time, slow)])
        rest = np.einsum("nfk,fkc->nfc", variance[:, first:].reshape(len(variance), -1, self.channels), basis)
        of_rest = np.einsum("ft,nfc->ntc", np.square(cosines[slow:]), rest, optimize=True)
        whole: Floats = np.sqrt(of_slow.reshape(of_rest.shape) + of_rest) * self.weights
        return whole

    def basis(self) -> tuple[Singles, Singles]:
        """The way back as one matrix (features, time * channels), and what is added: for short windows only."""
        mean = self.mean.astype(np.float32)
        return self.restored(np.eye(self.features, dtype=np.float32)).reshape(self.features, -1) - mean, mean

    def save(self, path: Path) -> None:
        """Write scaler.json."""
        write_json(path, to_json(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read scaler.json; ArtifactError if it is not one."""
        return read_space(cls, path)


class SpectralBasis(nn.Module):
    """The way back from features, in few numbers: what the graph of a generator holds in the place of a matrix.

    forward: features (n, time * channels) -> (n, time * channels), to which the mean is still to be added
    """

    axes: Tensor
    mixing: Tensor
    scales: Tensor
    cosines: Tensor
    weights: Tensor

    def __init__(self, space: SpectralScaler) -> None:
        super().__init__()
        self.shape = (space.time, space.channels)
        self.slow = space.slow
        self.widths = [len(octave) for octave in octaves(space.time, space.slow)]
        for name in ("axes", "mixing", "scales", "weights"):
            self.register_buffer(name, torch.from_numpy(getattr(space, name).astype(np.float32)))
        self.register_buffer("cosines", torch.from_numpy(rounded(cosine_matrix(space.time)).astype(np.float32)))

    def forward(self, features: Tensor) -> Tensor:
        time, channels = self.shape
        first, rest = (features * self.scales).split([self.slow * channels, (time - self.slow) * channels], dim=1)
        pieces = [(first @ self.axes).unflatten(1, (self.slow, channels))]
        if self.widths:
            parts = rest.unflatten(1, (time - self.slow, channels)).split(self.widths, dim=1)
            pieces += [part @ mixing for part, mixing in zip(parts, self.mixing, strict=True)]
        found = torch.cat(pieces, dim=1)  # (n, frequency, channels)
        samples = (self.cosines.T @ found) * self.weights
        return samples.flatten(1)


def channel_weights(values: Singles, marginals: MarginalTransform) -> Floats:
    """(channels,) the standard deviation of each channel."""
    count = values[..., 0].size
    mean = sum(marginals.apply(values[part]).sum(axis=(0, 1), dtype=np.float64) for part in chunks(values)) / count
    squares = sum(np.square(marginals.apply(values[part]) - mean).sum(axis=(0, 1)) for part in chunks(values))
    return np.asarray(np.maximum(np.sqrt(squares / count), LEAST_STD), dtype=np.float64)


def slow_cosines(time: int, channels: int) -> int:
    """How many of a window's cosines have components of all channels together."""
    return min(time, max(1, JOINT_NUMBERS // channels))


def octaves(time: int, slow: int) -> list[range]:
    """The frequencies beyond the slowest, counted from there, by octaves."""
    edges = [slow]
    while edges[-1] < time:
        edges.append(min(2 * edges[-1], time))
    return [range(low - slow, high - slow) for low, high in zip(edges, edges[1:], strict=False)]


def octave_of(time: int, slow: int) -> NDArray[np.int64]:
    """(time - slow,) the octave of each of these frequencies."""
    lengths = [len(octave) for octave in octaves(time, slow)]
    return np.repeat(np.arange(len(lengths)), lengths)


def main_axes(covariance: Floats) -> Floats:
    """(k, k) the main axes of a covariance as rows, the strongest first."""
    return np.ascontiguousarray(np.linalg.eigh(covariance)[1][:, ::-1].T)


def rounded(numbers: Floats) -> Floats:
    """The nearest numbers that half precision holds: an exported file has them in half the bytes."""
    return numbers.astype(np.float16).astype(np.float64)


def chunks(values: Singles) -> Iterator[slice]:
    """Windows by so many that no more than CHUNK_NUMBERS are computed with at a time."""
    rows = max(1, CHUNK_NUMBERS // values[:1].size)
    return (slice(start, start + rows) for start in range(0, len(values), rows))


def cosines_in_chunks(
    values: Singles, marginals: MarginalTransform, weights: Floats
) -> Iterator[tuple[slice, Singles]]:
    """The cosines of windows (n, time, channels), a chunk at a time."""
    for part in chunks(values):
        yield part, cosines_of(np.asarray(marginals.apply(values[part]) / weights, dtype=np.float32))


def cosines_of(values: Singles) -> Singles:
    """(n, time, channels) -> (n, frequency, channels)."""
    return np.asarray(require("scipy.fft", "scaling series").dct(values, norm="ortho", axis=1), dtype=np.float32)


def back_from_cosines(found: Floats) -> Floats:
    """(n, frequency, channels) -> (n, time, channels)."""
    return np.asarray(require("scipy.fft", "scaling series").idct(found, norm="ortho", axis=1))


def cosine_matrix(time: int) -> Floats:
    """(frequency, time) orthonormal cosines."""
    return back_from_cosines(np.eye(time)[:, :, None])[:, :, 0]
