"""Principal components of whole windows, and RR intervals: the compact space in which generators are trained.

A heartbeat of 256 samples at 40 Hz bandwidth has some 70 degrees of freedom. In the space of its principal
components, scaled so that weak ones still count, adversarial training is both cheap and stable. Channels in
different units are weighed so that each counts alike.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.disclosure import coarse
from ecgsynth.core.files import read_json, write_json
from ecgsynth.core.records import from_json, key, sparse, to_json
from ecgsynth.errors import ArtifactError, ConfigError, DataError
from ecgsynth.models.columns.columns import Columns
from ecgsynth.models.marginals import MarginalTransform
from ecgsynth.windows.windows import RR_RANGE_S

__all__ = ["ChannelScaler", "PrincipalScaler"]

POWER = 0.7  # components are divided by their standard deviation to this power; 1 would be whitening
LOST_SHARE = 1e-5  # of the variance that may be left out: what is left out gives a synthetic window away
MOST_COMPONENTS = 192  # where that would be more
LEAST_SCALE = 1e-12  # a channel that varies less is divided by nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalScaler:
    """Windows in physical units <-> features: scaled principal components, then scaled logarithms of RR intervals.

    Parameters
    ----------
    mean
        (time * channels,), in physical units.
    weights
        (channels,), what the samples of each channel are divided by before components are taken.
    axes
        (components, time * channels), rows orthonormal.
    scales
        (components,), what each component is divided by.
    transformed
        (channels,), 1 where a channel is transformed first (see MarginalTransform), else 0.
    quantiles, references
        (channels, KNOTS), values of such a channel and what they become; 0 for the others.
    interval_means, interval_scales
        (intervals,), mean and standard deviation of ln(seconds); intervals is 2, or 0 where windows have none.
    columns
        Of a series, how its columns become the channels that all else here is about.

    """

    time: int
    channels: int
    mean: NDArray[np.float64]
    weights: NDArray[np.float64]
    axes: NDArray[np.float64]
    scales: NDArray[np.float64]
    interval_means: NDArray[np.float64]
    interval_scales: NDArray[np.float64]
    transformed: NDArray[np.float64] = key("stepped")
    quantiles: NDArray[np.float64] = key("knots")
    references: NDArray[np.float64] = key("scores")
    explained: float = key("kept")  # share of the training windows' variance in these components
    columns: Columns | None = sparse(default=None)

    @classmethod
    def fit(
        cls,
        values: NDArray[np.float32],
        rr_s: NDArray[np.float32] | None = None,
        *,
        components: int | None = None,
        most: int = MOST_COMPONENTS,
        weigh: bool = False,
        clusters: NDArray[np.int64] | None = None,
        marginals: MarginalTransform | None = None,
    ) -> Self:
        """The leading components of windows.

        Parameters
        ----------
        values
            (n, time, channels) in physical units.
        rr_s
            (n, 2) seconds or None; NaN where there is no neighbour. Where nothing has one, there are no intervals.
        components
            How many; by default all but LOST_SHARE of the variance.
        most
            Components at most, where their number is not given.
        weigh
            Divide each channel by its standard deviation first, for channels in different units.
        clusters
            (n,) numbers from 0; the components are then those of what the windows differ by from the mean of their
            cluster, so that within a cluster they are nearly uncorrelated.
        marginals
            The channels that are transformed, and how.

        Raises
        ------
        DataError
            If there are fewer windows than components, or they do not vary in so many ways.

        """
        n, time, channels = values.shape
        if components is not None and components > time * channels:
            raise DataError(f"windows of {time} x {channels} numbers have no {components} components; ask for fewer")
        if n <= (components or 1):
            raise DataError(f"{components or 1} components need more than that many training windows, got {n}")
        marginals = marginals or MarginalTransform.none(channels)
        values = marginals.apply(values)
        flat = values.reshape(n, time * channels).astype(np.float64)
        mean = flat.mean(axis=0)
        weights = np.maximum(values.std(axis=(0, 1), dtype=np.float64), 1e-12) if weigh else np.ones(channels)
        flat = (flat - mean) / np.tile(weights, time)
        if clusters is not None:
            flat -= cluster_means(flat, clusters)[clusters]
        variance, axes = np.linalg.eigh(np.atleast_2d(flat.T @ flat / max(n - 1, 1)))
        variance, axes = np.maximum(variance[::-1], 0), axes[:, ::-1].T
        if components is None:
            enough = int(np.searchsorted(np.cumsum(variance), (1 - LOST_SHARE) * variance.sum())) + 1
            components = min(enough, most, n - 1)
        if variance[components - 1] <= 1e-12 * variance[0]:
            raise DataError(f"the training windows vary in fewer than {components} ways; ask for fewer components")
        logs = np.empty((n, 0))
        if rr_s is not None and np.isfinite(rr_s).any(axis=0).all():
            logs = log_intervals(rr_s)
        return cls(
            time=time,
            channels=channels,
            mean=mean,
            weights=weights,
            axes=axes[:components],
            scales=np.sqrt(variance[:components]) ** POWER,
            interval_means=np.nanmean(logs, axis=0),
            interval_scales=np.maximum(np.nanstd(logs, axis=0), 1e-3),
            transformed=marginals.transformed,
            quantiles=marginals.quantiles,
            references=marginals.references,
            explained=float(variance[:components].sum() / variance.sum()),
        )

    @property
    def marginals(self) -> MarginalTransform:
        """The channels that are transformed."""
        return MarginalTransform(self.transformed, self.quantiles, self.references)

    def transform(
        self,
        values: NDArray[np.float32],
        rr_s: NDArray[np.float32] | None = None,
        start_s: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float32]:
        """(n, time, channels) in physical units and (n, 2) seconds -> (n, features); a missing interval is the mean.

        ``start_s``: (n,) when windows of a series start, where that is learnt.
        """
        scaled = self.components(values, start_s)
        if len(self.interval_means):
            if rr_s is None:
                raise DataError("expected windows with RR intervals, as in training, got none; prepare them again")
            logs = (log_intervals(rr_s) - self.interval_means) / self.interval_scales
            scaled = np.hstack([scaled, np.nan_to_num(logs, nan=0.0)])
        return scaled.astype(np.float32)

    def components(
        self, values: NDArray[np.float32], start_s: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """(n, time, channels) in physical units, and when windows start -> (n, components), scaled."""
        values = self.marginals.apply(values if self.columns is None else self.columns.apply(values, start_s))
        flat = (values.reshape(len(values), -1) - self.mean) / np.tile(self.weights, self.time)
        scaled: NDArray[np.float64] = flat @ self.axes.T / self.scales
        return scaled

    @property
    def features(self) -> int:
        """How many components there are."""
        return len(self.axes)

    def restored(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, components) -> (n, time, channels), in physical units, or as references where a channel is transformed.

        Windows without RR intervals.
        """
        basis, mean = self.basis()
        return (features @ basis + mean).reshape(-1, self.time, self.channels)

    def spreads(self, of_features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, components) standard deviations of uncorrelated components -> (n, time, channels), those of samples."""
        basis, _ = self.basis()
        return np.asarray(np.sqrt(np.square(of_features) @ np.square(basis)).reshape(-1, self.time, self.channels))

    def basis(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The way back from features, as a linear map.

        Returns
        -------
        A matrix (features, time * channels + intervals), and what is added to the product. Windows come out in physical
        units, or as references where a channel is transformed, intervals as ln(seconds).

        """
        k, size = self.axes.shape
        matrix = np.zeros((k + len(self.interval_means), size + len(self.interval_means)))
        matrix[:k, :size] = self.scales[:, None] * self.axes * np.tile(self.weights, self.time)
        matrix[k:, size:] = np.diag(self.interval_scales)
        return matrix.astype(np.float32), np.concatenate([self.mean, self.interval_means]).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write scaler.json."""
        write_json(path, to_json(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read scaler.json; ArtifactError if it is not one."""
        return read_space(cls, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelScaler:
    """Windows in physical units <-> features: every sample, in standard deviations of its channel or normal scores.

    Parameters
    ----------
    offsets, scales
        (channels,), what is taken off and what is divided by then, in physical units; 0 and 1 for normal scores.
    transformed
        (channels,), 1 where a channel is made of normal scores (see MarginalTransform), else 0.
    quantiles, references
        (channels, KNOTS), values of such a channel and their normal scores; 0 for the others.
    columns
        Of a series, how its columns become these channels.

    """

    time: int
    channels: int
    offsets: NDArray[np.float64]
    scales: NDArray[np.float64]
    transformed: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    references: NDArray[np.float64]
    columns: Columns | None = sparse(default=None)

    @classmethod
    def fit(
        cls,
        values: NDArray[np.float32],
        owners: NDArray[np.int64] | None = None,
        repeats: int = 1,
        *,
        normal_scores: bool = False,
    ) -> Self:
        """The scale of each channel.

        An exported file holds these numbers, so they are coarse, or those that MarginalTransform may publish.

        Parameters
        ----------
        values
            (n, time, channels) in physical units.
        owners, repeats
            (n,) the person of each window, or in how many windows one row stands (see core.disclosure).
        normal_scores
            Make every channel normal that has enough values of enough persons.

        """
        channels = values.shape[2]
        marginals = MarginalTransform.none(channels)
        if normal_scores:
            marginals = MarginalTransform.normal_scores(values, owners, repeats)
        flat = values.reshape(-1, channels).astype(np.float64)
        offsets, scales = (np.array([coarse(moment) for moment in found]) for found in (flat.mean(0), flat.std(0)))
        alone = marginals.transformed == 0
        return cls(
            time=values.shape[1],
            channels=channels,
            offsets=np.where(alone, offsets, 0.0),
            scales=np.where(alone & (scales > LEAST_SCALE), scales, 1.0),
            transformed=marginals.transformed,
            quantiles=marginals.quantiles,
            references=marginals.references,
        )

    @property
    def interval_means(self) -> NDArray[np.float64]:
        """RR intervals are not among the features."""
        return np.empty(0)

    @property
    def marginals(self) -> MarginalTransform:
        """The channels that are made of normal scores."""
        return MarginalTransform(self.transformed, self.quantiles, self.references)

    def transform(
        self,
        values: NDArray[np.float32],
        rr_s: NDArray[np.float32] | None = None,
        start_s: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float32]:
        """(n, time, channels) in physical units, and when windows start -> (n, time * channels)."""
        values = self.marginals.apply(values if self.columns is None else self.columns.apply(values, start_s))
        scaled: NDArray[np.float32] = ((values - self.offsets) / self.scales).astype(np.float32)
        return scaled.reshape(len(values), -1)

    def basis(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The way back: the factor of each feature, and what is added then; both (time * channels,)."""
        scales, offsets = np.tile(self.scales, self.time), np.tile(self.offsets, self.time)
        return scales.astype(np.float32), offsets.astype(np.float32)

    def save(self, path: Path) -> None:
        """Write scaler.json."""
        write_json(path, to_json(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read scaler.json; ArtifactError if it is not one."""
        return read_space(cls, path)


S = TypeVar("S")


def read_space(kind: type[S], path: Path) -> S:
    """A scaler from its JSON; ArtifactError for anything else."""
    try:
        return from_json(kind, read_json(path))
    except (ConfigError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is not a scaler of this version ({type(error).__name__}); train again") from error


def cluster_means(flat: NDArray[np.float64], clusters: NDArray[np.int64]) -> NDArray[np.float64]:
    """(clusters, d) the mean of the rows (n, d) of each cluster."""
    return np.stack([flat[clusters == number].mean(axis=0) for number in range(int(clusters.max()) + 1)])


def log_intervals(rr_s: NDArray[np.float32]) -> NDArray[np.float64]:
    """ln(seconds) of RR intervals (n, 2), NaN where there is none."""
    return np.log(np.clip(rr_s.astype(np.float64), *RR_RANGE_S))
