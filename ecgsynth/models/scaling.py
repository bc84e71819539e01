"""Principal components of whole windows, and RR intervals: the compact space in which generators are trained.

A heartbeat of 256 samples at 40 Hz bandwidth has some 70 degrees of freedom. In the space of its principal
components, scaled so that weak ones still count, adversarial training is both cheap and stable. Channels in
different units are weighed so that each counts alike.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.disclosure import PERSONS, coarse, common_values, neighbour_means, shared_range
from ecgsynth.core.files import read_json, write_json
from ecgsynth.errors import ArtifactError, DataError, require
from ecgsynth.windows.windows import RR_RANGE_S

__all__ = ["ChannelScaler", "PrincipalScaler"]

POWER = 0.7  # components are divided by their standard deviation to this power; 1 would be whitening
LOST = 1e-5  # share of the variance that may be left out: what is left out gives a synthetic window away
MOST = 192  # components, where that is not enough
BEHIND = 2 * PERSONS  # persons whose values, or the mean of them, a knot is
KNOTS = 64  # of a channel that is taken as scores: half as many values, each with the ends of its scores
FARTHEST_SCORE = 2.75  # normal score of the outermost knots: three values in a thousand lie beyond each
ODD = 0.05  # a channel further than this from a mixture of normal distributions (Kolmogorov-Smirnov) is taken as scores
POINTS = 1001  # at which a mixture's distribution is known
FARTHEST = 4.0  # standard deviations of a mode, within which they lie
LEAST_KNOTS = 8  # times as many different values as a knot stands for, below which there is no distribution to tell
QUARTILES = 1.349  # standard deviations of a normal distribution between its quartiles
FEW_SPREADS = 4.0  # standard deviations to either end of a channel's range, where persons are too few to tell it
LEAST_RISE = 1e-5  # of scores, from one knot to the next
MARGIN = 0.05  # of the range, left at either end


@dataclass(frozen=True, slots=True)
class Scores:
    """Channels that a mixture of normal distributions would miss (bounded, uniform, in coarse steps, mostly zero) as
    scores, which it meets: a value has the score that stands at its rank in the mixture.

    A value that is repeated has all the scores of its ranks, and is taken as their middle. So what the mixture makes
    comes back with each value as often as the training windows have it.

    stepped: (channels,), 1 where a channel is taken as scores, else 0
    knots, scores: (channels, KNOTS), values and their scores, none falling, straight lines between; each value stands
        twice, with the lowest and the highest of its scores. 0 for the other channels
    """

    stepped: NDArray[np.float64]
    knots: NDArray[np.float64]
    scores: NDArray[np.float64]

    @classmethod
    def none(cls, channels: int) -> Self:
        """Every channel as it is."""
        return cls(np.zeros(channels), *np.zeros((2, channels, KNOTS)))

    @classmethod
    def find(
        cls,
        values: NDArray[np.float32],
        clusters: NDArray[np.int64],
        owners: NDArray[np.int64] | None = None,
        repeats: int = 1,
    ) -> Self:
        """Normal scores of the channels of windows (n, time, channels) that are far from a mixture with a normal
        distribution at each step for each cluster (n,).

        owners, repeats: (n,) whose window each is, or in how many windows one row stands (see core.disclosure). An
        exported file tells the knots, so each is a value that BEHIND persons have, or else a mean over so many; a
        channel with too few for that is taken as it is.
        """
        normal = np.linspace(-FARTHEST, FARTHEST, POINTS)
        below = mixture(normal, np.zeros((1, 1)), np.ones((1, 1)), np.ones(1))
        found = cls.none(values.shape[2])
        groups = [values[clusters == number] for number in range(int(clusters.max()) + 1)]
        means, spreads = (
            np.stack([moment(group, axis=0, dtype=np.float64) for group in groups]) for moment in (np.mean, np.std)
        )
        shares = np.bincount(clusters) / len(clusters)
        for channel in range(values.shape[2]):
            ranked, whose = ranked_values(values[:, :, channel], owners)
            if not enough_behind(ranked, whose, repeats):
                continue
            points = np.unique(ranked[np.linspace(0, len(ranked) - 1, POINTS).astype(np.int64)])
            made = mixture(points, means[:, :, channel], spreads[:, :, channel], shares)
            off = [np.searchsorted(ranked, points, side=side) / len(ranked) - made for side in ("left", "right")]
            if np.abs(off).max() > ODD:
                found.stepped[channel] = 1
                found.knots[channel], found.scores[channel] = place(ranked, whose, normal, below, repeats)
        return found

    def fitted(
        self,
        values: NDArray[np.float32],
        means: NDArray[np.float64],
        spreads: NDArray[np.float64],
        shares: NDArray[np.float64],
        owners: NDArray[np.int64] | None = None,
        repeats: int = 1,
    ) -> Self:
        """The same channels of the same windows, with scores such that this mixture of them (see ``mixture``; means and
        spreads are (modes, time, channels)) makes each value as often as the windows have it.
        """
        found = replace(self, knots=self.knots.copy(), scores=self.scores.copy())
        for channel in np.flatnonzero(self.stepped):
            ends = (means[:, :, channel] + side * FARTHEST * spreads[:, :, channel] for side in (-1, 1))
            points = np.linspace(next(ends).min(), next(ends).max(), POINTS)
            below = mixture(points, means[:, :, channel], spreads[:, :, channel], shares)
            ranked, whose = ranked_values(values[:, :, channel], owners)
            found.knots[channel], found.scores[channel] = place(ranked, whose, points, below, repeats)
        return found

    def of(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Windows with the scores of these channels in the place of their values."""
        if not self.stepped.any():
            return values
        values = values.copy()
        for channel in np.flatnonzero(self.stepped):
            known = np.unique(self.knots[channel])
            first, last = (np.searchsorted(self.knots[channel], known, side=side) for side in ("left", "right"))
            middle = (self.scores[channel][first] + self.scores[channel][last - 1]) / 2
            values[:, :, channel] = np.interp(values[:, :, channel], known, middle)
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalScaler:
    """Windows in physical units, and RR intervals where there are any <-> features: scaled principal components of the
    window, then scaled logarithms of the intervals.

    mean: (time * channels,), in physical units
    weights: (channels,), what the samples of each channel are divided by before components are taken
    axes: (components, time * channels), rows orthonormal
    scales: (components,), what each component is divided by
    stepped: (channels,), 1 where a channel is taken as scores (see Scores), else 0
    knots, scores: (channels, KNOTS), values of such a channel and their scores, none falling; 0 for the others
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
        bent: "Scores | None" = None,
    ) -> Self:
        """The leading components of windows (n, time, channels); without a number, all but LOST of the variance, and
        no more than ``most``.

        rr_s: (n, 2) or None; NaN where there is no neighbour. Where nothing has one, there are no intervals.
        weigh: divide each channel by its standard deviation first, for channels in different units.
        clusters: (n,) numbers from 0; the components are then those of what the windows differ by from the mean of
        their cluster, so that within a cluster they are nearly uncorrelated.
        bent: the channels that are taken as scores, and how.
        Raises DataError if there are fewer windows than components, or they do not vary that much.
        """
        n, time, channels = values.shape
        if components is not None and components > time * channels:
            raise DataError(f"windows of {time} x {channels} numbers have no {components} components; ask for fewer")
        if n <= (components or 1):
            raise DataError(f"{components or 1} components need more than that many training windows, got {n}")
        bent = bent or Scores.none(channels)
        values = bent.of(values)
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
            stepped=bent.stepped,
            knots=bent.knots,
            scores=bent.scores,
            kept=float(variance[:components].sum() / variance.sum()),
        )

    @property
    def bent(self) -> Scores:
        """The channels that are taken as scores."""
        return Scores(self.stepped, self.knots, self.scores)

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
        values = self.bent.of(values)
        flat = (values.reshape(len(values), -1) - self.mean) / np.tile(self.weights, self.time)
        scaled: NDArray[np.float64] = flat @ self.axes.T / self.scales
        return scaled

    def basis(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The way back as a matrix (features, time * channels + intervals) and what is added to its product.

        Windows come out in physical units, or scores where a channel is taken as such, intervals as ln(seconds).
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
    def fit(cls, values: NDArray[np.float32], owners: NDArray[np.int64] | None = None, repeats: int = 1) -> Self:
        """The range of each channel of windows (n, time, channels), and a margin.

        owners, repeats: (n,) whose window each is, or in how many windows one row stands (see core.disclosure). An
        exported file tells these numbers, so the range is a shared one; of fewer persons it is that of a normal
        distribution, to two digits.
        """
        whose = None if owners is None else np.repeat(owners, values.shape[1])
        ends = []
        for channel in range(values.shape[2]):
            column = values[:, :, channel].reshape(-1).astype(np.float64)
            ends.append(shared_range(column, whose, repeats=repeats) or normal_range(column))
        lows, highs = np.asarray(ends).T
        margin = MARGIN * (highs - lows) + 1e-9
        return cls(time=values.shape[1], channels=values.shape[2], lows=lows - margin, highs=highs + margin)

    @property
    def interval_means(self) -> NDArray[np.float64]:
        """RR intervals are not among the features."""
        return np.empty(0)

    @property
    def stepped(self) -> NDArray[np.float64]:
        """Every channel is scaled as it is."""
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
        raise ArtifactError(f"{path} is not a scaler of this version ({type(error).__name__}); train again") from error


def normal_range(values: NDArray[np.float64]) -> tuple[float, float]:
    """The median, and FEW_SPREADS standard deviations of a normal distribution with the same quartiles; all coarse."""
    low, middle, high = (float(quartile) for quartile in np.quantile(values, [0.25, 0.5, 0.75]))
    middle, spread = coarse(middle), coarse((high - low) / QUARTILES)
    return middle - FEW_SPREADS * spread, middle + FEW_SPREADS * spread


def ranked_values(
    values: NDArray[np.float32], owners: NDArray[np.int64] | None
) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    """The values of a channel (n, time) in order, (n * time,), and whose they are."""
    flat = values.reshape(-1).astype(np.float64)
    if owners is None:
        return np.sort(flat), None
    order = np.argsort(flat, kind="stable")
    return flat[order], np.repeat(owners, values.shape[1])[order]


def enough_behind(ranked: NDArray[np.float64], owners: NDArray[np.int64] | None, repeats: int) -> bool:
    """Whether a channel has so many persons, and different values of them, that its distribution may be told."""
    least = LEAST_KNOTS * BEHIND
    if owners is None:
        return len(ranked) >= least * repeats
    return len(np.unique(owners)) >= BEHIND and len(np.unique(np.stack([ranked, owners]), axis=1).T) >= least


def place(
    ranked: NDArray[np.float64],
    owners: NDArray[np.int64] | None,
    points: NDArray[np.float64],
    below: NDArray[np.float64],
    repeats: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(KNOTS,) values out of those of a channel (in order, with whose they are), and (KNOTS,) their scores: each value
    twice, with the scores at which its ranks begin and end, where the share ``below`` of the scores lies below
    ``points``.

    The knots are values at quantiles, and beyond these the means of what lies there. A value that fewer than BEHIND
    persons have gives way to the mean over so many around it. The first value goes on down and the last goes on up for
    ever, so that each has its outer end as far from the middle of its ranks as its inner one.
    """
    special = require("scipy.special", "scaling series")
    ends = shared_range(ranked, owners, repeats=repeats, persons=BEHIND)
    ranked = ranked if ends is None else np.clip(ranked, *ends)
    wanted = special.ndtr(np.linspace(-FARTHEST_SCORE, FARTHEST_SCORE, KNOTS // 2 - 2))
    at = np.minimum((wanted * len(ranked)).astype(np.int64), len(ranked) - 1)
    means = neighbour_means(ranked, at, owners, repeats=repeats, persons=BEHIND)
    common = common_values(ranked, owners, repeats=repeats, persons=BEHIND)
    knots = np.unique(np.where(np.isin(ranked[at], common), ranked[at], means))
    beyond = (ranked < knots[0], ranked > knots[-1])
    outer = (mean_beyond(ranked, out, owners, repeats) for out in beyond)
    knots = np.unique([*knots, *(knot for knot in outer if knot is not None)])
    first, last = (np.searchsorted(ranked, knots, side=side) / len(ranked) for side in ("left", "right"))
    starts, middle, upper = (np.interp(share, below, points) for share in (first, (first + last) / 2, last))
    starts[0], upper[-1] = 2 * middle[0] - upper[0], 2 * middle[-1] - starts[-1]
    scores = np.stack([starts, upper], axis=1).reshape(-1)
    scores = np.maximum.accumulate(scores) + LEAST_RISE * np.arange(len(scores))
    more = KNOTS - len(scores)
    return (
        np.concatenate([np.repeat(knots, 2), np.repeat(knots[-1], more)]),
        np.concatenate([scores, np.repeat(scores[-1], more)]),
    )


def mean_beyond(
    ranked: NDArray[np.float64], out: NDArray[np.bool_], owners: NDArray[np.int64] | None, repeats: int
) -> float | None:
    """The mean of the picked values, of persons' means where these are known; None if they are of fewer than BEHIND."""
    if owners is None:
        return float(ranked[out].mean()) if out.sum() >= BEHIND * repeats else None
    people, codes = np.unique(owners[out], return_inverse=True)
    return float((np.bincount(codes, ranked[out]) / np.bincount(codes)).mean()) if len(people) >= BEHIND else None


def mixture(
    points: NDArray[np.float64], means: NDArray[np.float64], spreads: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(points,) the share that lies below each, of a channel that is normal at each step of each mode.

    means, spreads: (modes, time); shares: (modes,)
    """
    special = require("scipy.special", "scaling series")
    least = 1e-3 * float(spreads.max()) + 1e-12
    share = np.zeros(len(points))
    for mean, spread, part in zip(means, spreads, shares, strict=True):
        share += part * special.ndtr((points[:, None] - mean) / np.maximum(spread, least)).mean(axis=1)
    return share


def cluster_means(flat: NDArray[np.float64], clusters: NDArray[np.int64]) -> NDArray[np.float64]:
    """(clusters, d) the mean of the rows (n, d) of each cluster."""
    return np.stack([flat[clusters == number].mean(axis=0) for number in range(int(clusters.max()) + 1)])


def log_intervals(rr_s: NDArray[np.float32]) -> NDArray[np.float64]:
    """ln(seconds) of RR intervals (n, 2), NaN where there is none."""
    return np.log(np.clip(rr_s.astype(np.float64), *RR_RANGE_S))
