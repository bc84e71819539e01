"""Transforms of single channels that a mixture of normal distributions would miss, into normal scores."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.disclosure import PERSONS, common_values, neighbour_means, shared_mean, shared_range
from ecgsynth.errors import require

__all__ = ["MarginalTransform"]

PERSONS_OF_QUANTILE = 2 * PERSONS  # who have the value of a quantile, or are in the mean that it is
KNOTS = 64  # of a transform: half as many values, each with both ends of its references
FARTHEST_QUANTILE_STD = 2.75  # normal score of the outermost quantiles: three values in a thousand lie beyond each
MOST_DISTANCE = 0.05  # Kolmogorov-Smirnov, from a mixture of normal distributions; a channel further off is transformed
MIXTURE_POINTS = 1001  # at which a mixture's distribution is known
FARTHEST_POINT_STD = 4.0  # standard deviations of a cluster, within which they lie
LEAST_VALUES = 8 * PERSONS_OF_QUANTILE  # different ones, below which there is no distribution to publish
LEAST_RISE = 1e-5  # of references, from one knot to the next


@dataclass(frozen=True, slots=True)
class MarginalTransform:
    """Channels that a mixture of normal distributions would miss, as normal scores.

    Such a channel is bounded, uniform, in coarse steps or mostly zero. A value becomes the reference at its rank in the
    mixture; a value that is repeated has all the references of its ranks, and becomes their middle. So what the mixture
    makes comes back with each value as often as the training windows have it. This is a quantile transform, except for
    repeated values and with the mixture in the place of a normal distribution.

    Parameters
    ----------
    transformed
        (channels,), 1 where a channel is transformed, else 0.
    quantiles, references
        (channels, KNOTS), values and what they become, none falling, with straight lines between; each value occurs
        twice, with the lowest and the highest of its references. 0 for the other channels.

    """

    transformed: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    references: NDArray[np.float64]

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
        """The transform of the channels of two values, and of those far from a mixture with a normal distribution at
        each step.

        An exported file holds the quantiles, so each is a value that PERSONS_OF_QUANTILE persons have, or else a mean
        over so many; a channel with too few for that is left as it is.

        Parameters
        ----------
        values
            (n, time, channels) in physical units.
        clusters
            (n,) numbers from 0: the mixture has a normal distribution at each step for each of them.
        owners, repeats
            (n,) the person of each window, or in how many windows one row stands (see core.disclosure).

        """
        normal = np.linspace(-FARTHEST_POINT_STD, FARTHEST_POINT_STD, MIXTURE_POINTS)
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
            points = np.unique(ranked[np.linspace(0, len(ranked) - 1, MIXTURE_POINTS).astype(np.int64)])
            made = mixture(points, means[:, :, channel], spreads[:, :, channel], shares)
            off = [np.searchsorted(ranked, points, side=side) / len(ranked) - made for side in ("left", "right")]
            of_two_values = np.isin(ranked, ranked[[0, -1]]).all()  # the rarer one may be rarer than the distance
            if of_two_values or np.abs(off).max() > MOST_DISTANCE:
                found.transformed[channel] = 1
                found.quantiles[channel], found.references[channel] = quantiles_and_references(
                    ranked, whose, normal, below, repeats
                )
        return found

    @classmethod
    def normal_scores(
        cls, values: NDArray[np.float32], owners: NDArray[np.int64] | None = None, repeats: int = 1
    ) -> Self:
        """The transform of every channel that may be published into one that is normal; arguments as of ``find``."""
        normal = np.linspace(-FARTHEST_POINT_STD, FARTHEST_POINT_STD, MIXTURE_POINTS)
        below = mixture(normal, np.zeros((1, 1)), np.ones((1, 1)), np.ones(1))
        found = cls.none(values.shape[2])
        for channel in range(values.shape[2]):
            ranked, whose = ranked_values(values[:, :, channel], owners)
            if enough_behind(ranked, whose, repeats):
                found.transformed[channel] = 1
                found.quantiles[channel], found.references[channel] = quantiles_and_references(
                    ranked, whose, normal, below, repeats
                )
        return found

    def calibrated(
        self,
        values: NDArray[np.float32],
        means: NDArray[np.float64],
        spreads: NDArray[np.float64],
        shares: NDArray[np.float64],
        owners: NDArray[np.int64] | None = None,
        repeats: int = 1,
    ) -> Self:
        """The same channels of the same windows, with references such that a mixture makes each value as often as
        the windows have it.

        Parameters
        ----------
        values
            (n, time, channels) in physical units.
        means, spreads, shares
            The mixture: (clusters, time, channels) twice, and (clusters,).
        owners, repeats
            As for ``find``.

        """
        found = replace(self, quantiles=self.quantiles.copy(), references=self.references.copy())
        for channel in np.flatnonzero(self.transformed):
            ends = (means[:, :, channel] + side * FARTHEST_POINT_STD * spreads[:, :, channel] for side in (-1, 1))
            points = np.linspace(next(ends).min(), next(ends).max(), MIXTURE_POINTS)
            below = mixture(points, means[:, :, channel], spreads[:, :, channel], shares)
            ranked, whose = ranked_values(values[:, :, channel], owners)
            found.quantiles[channel], found.references[channel] = quantiles_and_references(
                ranked, whose, points, below, repeats
            )
        return found

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Windows (n, time, channels) with the references of these channels in the place of their values."""
        if not self.transformed.any():
            return values
        values = values.copy()
        for channel in np.flatnonzero(self.transformed):
            known = np.unique(self.quantiles[channel])
            first, last = (np.searchsorted(self.quantiles[channel], known, side=side) for side in ("left", "right"))
            middle = (self.references[channel][first] + self.references[channel][last - 1]) / 2
            values[:, :, channel] = np.interp(values[:, :, channel], known, middle)
        return values


def ranked_values(
    values: NDArray[np.float32], owners: NDArray[np.int64] | None
) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    """The values of a channel (n, time) in order, (n * time,), and their persons."""
    flat = values.reshape(-1).astype(np.float64)
    if owners is None:
        return np.sort(flat), None
    order = np.argsort(flat, kind="stable")
    return flat[order], np.repeat(owners, values.shape[1])[order]


def enough_behind(ranked: NDArray[np.float64], owners: NDArray[np.int64] | None, repeats: int) -> bool:
    """Whether a channel has so many persons, and different values of them, that its distribution may be published."""
    if owners is None:
        return len(ranked) >= LEAST_VALUES * repeats
    different = len(np.unique(np.stack([ranked, owners]), axis=1).T)
    return len(np.unique(owners)) >= PERSONS_OF_QUANTILE and different >= LEAST_VALUES


def quantiles_and_references(
    ranked: NDArray[np.float64],
    owners: NDArray[np.int64] | None,
    points: NDArray[np.float64],
    below: NDArray[np.float64],
    repeats: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(KNOTS,) values out of those of a channel (in order, with their persons), and (KNOTS,) their references: each
    value twice, with the references at which its ranks begin and end, where the share ``below`` of the references lies
    below ``points``.

    Beyond the outermost quantiles are the means of what lies there. A value that fewer than PERSONS_OF_QUANTILE persons
    have is replaced by the mean over that many around it. The first value goes on down and the last up without end, so
    that each has its outer end as far from the middle of its ranks as its inner one.
    """
    special = require("scipy.special", "scaling series")
    ends = shared_range(ranked, owners, repeats=repeats, persons=PERSONS_OF_QUANTILE)
    ranked = ranked if ends is None else np.clip(ranked, *ends)
    wanted = special.ndtr(np.linspace(-FARTHEST_QUANTILE_STD, FARTHEST_QUANTILE_STD, KNOTS // 2 - 2))
    at = np.minimum((wanted * len(ranked)).astype(np.int64), len(ranked) - 1)
    means = neighbour_means(ranked, at, owners, repeats=repeats, persons=PERSONS_OF_QUANTILE)
    common = common_values(ranked, owners, repeats=repeats, persons=PERSONS_OF_QUANTILE)
    quantiles = np.unique(np.where(np.isin(ranked[at], common), ranked[at], means))
    for beyond in (ranked < quantiles[0], ranked > quantiles[-1]):
        whose = None if owners is None else owners[beyond]
        outer = shared_mean(ranked[beyond], whose, repeats=repeats, persons=PERSONS_OF_QUANTILE)
        if outer is not None:
            quantiles = np.unique([*quantiles, outer])
    first, last = (np.searchsorted(ranked, quantiles, side=side) / len(ranked) for side in ("left", "right"))
    starts, middle, upper = (np.interp(share, below, points) for share in (first, (first + last) / 2, last))
    starts[0], upper[-1] = 2 * middle[0] - upper[0], 2 * middle[-1] - starts[-1]
    references = np.stack([starts, upper], axis=1).reshape(-1)
    references = np.maximum.accumulate(references) + LEAST_RISE * np.arange(len(references))
    more = KNOTS - len(references)
    return (
        np.concatenate([np.repeat(quantiles, 2), np.repeat(quantiles[-1], more)]),
        np.concatenate([references, np.repeat(references[-1], more)]),
    )


def mixture(
    points: NDArray[np.float64], means: NDArray[np.float64], spreads: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(points,) the share that lies below each, of a channel that is normal at each step of each cluster.

    means, spreads: (clusters, time); shares: (clusters,)
    """
    special = require("scipy.special", "scaling series")
    least = 1e-3 * float(spreads.max()) + 1e-12
    share = np.zeros(len(points))
    for mean, spread, part in zip(means, spreads, shares, strict=True):
        share += part * special.ndtr((points[:, None] - mean) / np.maximum(spread, least)).mean(axis=1)
    return share
