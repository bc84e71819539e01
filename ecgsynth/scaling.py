"""Principal components of whole windows, and RR intervals: the compact space in which generators are trained.

A heartbeat of 256 samples at 40 Hz bandwidth has some 70 degrees of freedom. In the space of its principal
components, scaled so that weak ones still count, adversarial training is both cheap and stable. Channels in
different units are weighed so that each counts alike.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ArtifactError, DataError, require
from ecgsynth.files import read_json, write_json

__all__ = ["RR_RANGE_S", "ChannelScaler", "PrincipalScaler"]

POWER = 0.7  # components are divided by their standard deviation to this power; 1 would be whitening
LOST = 1e-5  # share of the variance that may be left out: what is left out gives a synthetic window away
MOST = 192  # components, where that is not enough
ENDS = 20  # values whose mean stands for the end of a channel's range
KNOTS = 24  # of a channel whose values come in steps
FARTHEST_SCORE = 2.75  # normal score of the outermost knots: three values in a thousand lie beyond each
MARGIN = 0.05  # of the range, left at either end
RR_RANGE_S = (0.2, 3.0)  # 300 to 20 beats a minute; what lies beyond is a gap, and is taken as the nearer end


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalScaler:
    """Windows in physical units, and RR intervals where there are any <-> features: scaled principal components of the
    window, then scaled logarithms of the intervals.

    mean: (time * channels,), in physical units
    weights: (channels,), what the samples of each channel are divided by before components are taken
    axes: (components, time * channels), rows orthonormal
    scales: (components,), what each component is divided by
    stepped: (channels,), 1 where a channel's values come in steps, else 0; such a channel is taken as normal scores,
        in which a value that is repeated stands at the middle of its ranks
    knots, scores: (channels, KNOTS), increasing values of such a channel and their normal scores; 0 for the others
    interval_means, interval_scales: (intervals,), mean and standard deviation of ln(seconds); intervals is 2 or 0
    """

    time: int
    channels: int
    mean: NDArray[np.float64]
    weights: NDArray[np.float64]
    axes: NDArray[np.float64]
    scales: NDArray[np.float64]
    interval_means: NDArray[np.float64]
    interval_scales: NDArray[np.float64]
    stepped: NDArray[np.float64]
    knots: NDArray[np.float64]
    scores: NDArray[np.float64]
    kept: float  # share of the training windows' variance in these components

    @classmethod
    def fit(
        cls,
        values: NDArray[np.float32],
        rr_s: NDArray[np.float32] | None = None,
        *,
        components: int | None = None,
        most: int = MOST,
        weigh: bool = False,
        clusters: NDArray[np.int64] | None = None,
        stepped: NDArray[np.bool_] | None = None,
    ) -> Self:
        """The leading components of windows (n, time, channels); without a number, all but LOST of the variance, and
        no more than ``most``.

        rr_s: (n, 2) or None; NaN where there is no neighbour. Where nothing has one, there are no intervals.
        weigh: divide each channel by its standard deviation first, for channels in different units.
        clusters: (n,) numbers from 0; the components are then those of what the windows differ by from the mean of
        their cluster, so that within a cluster they are nearly uncorrelated.
        stepped: (channels,), whether the values of a channel come in steps.
        Raises DataError if there are fewer windows than components, or they do not vary that much.
        """
        n, time, channels = values.shape
        if components is not None and components > time * channels:
            raise DataError(f"windows of {time} x {channels} numbers have no {components} components; ask for fewer")
        if n <= (components or 1):
            raise DataError(f"{components or 1} components need more than that many training windows, got {n}")
        knots, scores = np.zeros((2, channels, KNOTS))
        marked = np.zeros(channels)
        for channel in np.flatnonzero(stepped) if stepped is not None else ():
            knots[channel], scores[channel] = find_knots(values[:, :, channel])
            marked[channel] = 1
        values = as_scores(values, marked, knots, scores)
        flat = values.reshape(n, time * channels).astype(np.float64)
        mean = flat.mean(axis=0)
        weights = np.maximum(values.std(axis=(0, 1), dtype=np.float64), 1e-12) if weigh else np.ones(channels)
        flat = (flat - mean) / np.tile(weights, time)
        if clusters is not None:
            flat -= cluster_means(flat, clusters)[clusters]
        variance, axes = np.linalg.eigh(np.atleast_2d(flat.T @ flat / max(n - 1, 1)))
        variance, axes = np.maximum(variance[::-1], 0), axes[:, ::-1].T
        if components is None:
            enough = int(np.searchsorted(np.cumsum(variance), (1 - LOST) * variance.sum())) + 1
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
            stepped=marked,
            knots=knots,
            scores=scores,
            kept=float(variance[:components].sum() / variance.sum()),
        )

    def transform(self, values: NDArray[np.float32], rr_s: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """(n, time, channels) in physical units and (n, 2) seconds -> (n, features); a missing interval is the mean."""
        scaled = self.components(values)
        if len(self.interval_means):
            if rr_s is None:
                raise DataError("expected windows with RR intervals, as in training, got none; prepare them again")
            logs = (log_intervals(rr_s) - self.interval_means) / self.interval_scales
            scaled = np.hstack([scaled, np.nan_to_num(logs, nan=0.0)])
        return scaled.astype(np.float32)

    def components(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, time, channels) in physical units -> (n, components), scaled."""
        values = as_scores(values, self.stepped, self.knots, self.scores)
        flat = (values.reshape(len(values), -1) - self.mean) / np.tile(self.weights, self.time)
        scaled: NDArray[np.float64] = flat @ self.axes.T / self.scales
        return scaled

    def basis(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The way back as a matrix (features, time * channels + intervals) and what is added to its product.

        Windows come out in physical units, or normal scores where a channel is stepped, intervals as ln(seconds).
        """
        k, size = self.axes.shape
        matrix = np.zeros((k + len(self.interval_means), size + len(self.interval_means)))
        matrix[:k, :size] = self.scales[:, None] * self.axes * np.tile(self.weights, self.time)
        matrix[k:, size:] = np.diag(self.interval_scales)
        return matrix.astype(np.float32), np.concatenate([self.mean, self.interval_means]).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write scaler.json."""
        write_fields(self, path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read scaler.json; ArtifactError if it is not one."""
        return read_fields(cls, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelScaler:
    """Windows in physical units <-> features: every sample, scaled to about 0..1 by channel.

    lows, highs: (channels,), in physical units
    """

    time: int
    channels: int
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]

    @classmethod
    def fit(cls, values: NDArray[np.float32]) -> Self:
        """The range of each channel of windows (n, time, channels), and a margin.

        An exported file tells these numbers, so its ends are means of ENDS values, and nobody's own.
        """
        ranked = np.sort(values.reshape(-1, values.shape[2]).astype(np.float64), axis=0)
        lows, highs = ranked[:ENDS].mean(axis=0), ranked[-ENDS:].mean(axis=0)
        margin = MARGIN * (highs - lows) + 1e-9
        return cls(time=values.shape[1], channels=values.shape[2], lows=lows - margin, highs=highs + margin)

    @property
    def interval_means(self) -> NDArray[np.float64]:
        """RR intervals are not among the features."""
        return np.empty(0)

    @property
    def stepped(self) -> NDArray[np.float64]:
        """Channels whose values come in steps are scaled like the others."""
        return np.zeros(self.channels)

    def transform(self, values: NDArray[np.float32], rr_s: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """(n, time, channels) in physical units -> (n, time * channels)."""
        scaled: NDArray[np.float32] = ((values - self.lows) / (self.highs - self.lows)).astype(np.float32)
        return scaled.reshape(len(values), -1)

    def basis(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The way back: what each feature is multiplied by, and what is added then; both (time * channels,)."""
        spans, lows = np.tile(self.highs - self.lows, self.time), np.tile(self.lows, self.time)
        return spans.astype(np.float32), lows.astype(np.float32)

    def save(self, path: Path) -> None:
        """Write scaler.json."""
        write_fields(self, path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read scaler.json; ArtifactError if it is not one."""
        return read_fields(cls, path)


S = TypeVar("S", bound=PrincipalScaler | ChannelScaler)


def write_fields(scaler: PrincipalScaler | ChannelScaler, path: Path) -> None:
    write_json(
        path,
        {
            name: value.tolist() if isinstance(value := getattr(scaler, name), np.ndarray) else value
            for name in scaler.__slots__
        },
    )


def read_fields(kind: type[S], path: Path) -> S:
    """What ``write_fields`` wrote; ArtifactError for anything else."""
    content: dict[str, Any] = read_json(path)
    try:
        lists = {
            name: np.asarray(value, dtype=np.float64) for name, value in content.items() if isinstance(value, list)
        }
        return kind(**content | lists)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{path} is not a scaler of this version ({error}); train again") from error


def find_knots(values: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(KNOTS,) values of a channel that comes in steps, and (KNOTS,) their normal scores, both increasing.

    A knot is a value at a quantile that many share; where there are fewer values than knots, the last goes on.
    """
    special = require("scipy.special", "scaling series")
    ranked = np.sort(values.reshape(-1).astype(np.float64))
    wanted = special.ndtr(np.linspace(-FARTHEST_SCORE, FARTHEST_SCORE, KNOTS))
    knots = np.unique(ranked[np.minimum((wanted * len(ranked)).astype(np.int64), len(ranked) - 1)])
    below, upto = (np.searchsorted(ranked, knots, side=side) for side in ("left", "right"))
    scores = special.ndtri((below + upto) / (2 * len(ranked)))
    more = np.arange(1, KNOTS - len(knots) + 1)
    return np.concatenate([knots, knots[-1] + 0 * more]), np.concatenate([scores, scores[-1] + more])


def as_scores(
    values: NDArray[np.float32], stepped: NDArray[np.float64], knots: NDArray[np.float64], scores: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Windows with the normal scores of stepped channels in the place of their values."""
    if not stepped.any():
        return values
    values = values.copy()
    for channel in np.flatnonzero(stepped):
        known = np.unique(knots[channel], return_index=True)[1]
        values[:, :, channel] = np.interp(values[:, :, channel], knots[channel][known], scores[channel][known])
    return values


def cluster_means(flat: NDArray[np.float64], clusters: NDArray[np.int64]) -> NDArray[np.float64]:
    """(clusters, d) the mean of the rows (n, d) of each cluster."""
    return np.stack([flat[clusters == number].mean(axis=0) for number in range(int(clusters.max()) + 1)])


def log_intervals(rr_s: NDArray[np.float32]) -> NDArray[np.float64]:
    """ln(seconds) of RR intervals (n, 2), NaN where there is none."""
    return np.log(np.clip(rr_s.astype(np.float64), *RR_RANGE_S))
