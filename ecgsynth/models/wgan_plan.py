"""What the recurrent WGAN-GP finds in the training windows before its training: components, clusters, and a mixture."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.models.clusters import WINDOWS_PER_CLUSTER, Clusters, describe_clusters, find_clusters
from ecgsynth.models.marginals import MarginalTransform
from ecgsynth.models.model import Plan
from ecgsynth.models.scaling import PrincipalScaler
from ecgsynth.models.wgan import WGANConfig
from ecgsynth.windows.windows import Windows

__all__ = ["WGANPlan", "calibrate_marginals", "find_space", "plan_wgan"]

OVERLAPPING_PER_CLUSTER = 100  # windows for each cluster where they overlap: fewer would be a single event
SERIES_COMPONENTS = 1024  # at most, of a series
SERIES_LEARNT_COMPONENTS = 128  # of them, the strongest, the networks learn


@dataclass(frozen=True, slots=True, kw_only=True)
class WGANPlan(Plan):
    """A recurrent WGAN-GP before its training: a plan, and the clusters of its windows."""

    config: WGANConfig
    clusters: Clusters


def plan_wgan(learn: Windows, settings: Mapping[str, Any], seed: int) -> WGANPlan:
    """The space of a recurrent WGAN-GP, its clusters and its settings.

    Parameters
    ----------
    learn
        The training windows.
    settings
        Of WGANConfig, by hand: ``components`` of the space, and sizes of the networks.
    seed
        Of the clustering.

    Raises
    ------
    DataError
        For too few windows.

    """
    settings = dict(settings)
    space, clusters, tail = find_space(learn, settings.pop("components", None), seed)
    config = WGANConfig(
        time=space.time,
        channels=space.channels,
        components=len(space.axes),
        intervals=len(space.interval_means),
        clusters=clusters.counts,
        gaussian_tail=tail,
        asinh=not learn.is_series,
        **settings,
    )
    return WGANPlan(config=config, space=space, score_space=space, clusters=clusters)


def find_space(learn: Windows, components: int | None, seed: int) -> tuple[PrincipalScaler, Clusters, int]:
    """Principal components, clusters in them, and how many of the components are a Gaussian tail.

    Of a series, the clusters are found first, then the components of the windows' differences from the mean of their
    cluster: in those a cluster is nearly a normal distribution with uncorrelated coordinates, from which training
    starts. Channels that such a mixture would miss are transformed (see MarginalTransform), and the way back from their
    references is calibrated to the mixture.
    """
    classes = len(learn.classes)
    if not learn.is_series:
        space = PrincipalScaler.fit(learn.values, learn.rr_s, components=components)
        return space, find_clusters(space.transform(learn.values, learn.rr_s), learn.labels, classes, seed), 0
    per_cluster = OVERLAPPING_PER_CLUSTER if learn.overlap else WINDOWS_PER_CLUSTER
    rough = PrincipalScaler.fit(learn.values, components=components, weigh=True)
    owners, repeats = learn.owners, max(1, learn.overlap)
    found = find_clusters(rough.transform(learn.values), learn.labels, classes, seed, per_cluster, learn.events)
    marginals = MarginalTransform.find(learn.values, found.numbers, owners, repeats)
    if marginals.transformed.any():
        rough = PrincipalScaler.fit(learn.values, components=components, weigh=True, marginals=marginals)
        found = find_clusters(rough.transform(learn.values), learn.labels, classes, seed, per_cluster, learn.events)
    space = PrincipalScaler.fit(
        learn.values,
        components=components,
        most=SERIES_COMPONENTS,
        weigh=True,
        clusters=found.numbers,
        marginals=marginals,
    )
    clusters = describe_clusters(space.transform(learn.values), found.numbers, found.shares, robust=False)
    space = calibrate_marginals(space, learn.values, clusters, owners, repeats)
    return space, clusters, max(0, len(space.axes) - SERIES_LEARNT_COMPONENTS)


def calibrate_marginals(
    space: PrincipalScaler,
    values: NDArray[np.float32],
    clusters: Clusters,
    owners: NDArray[np.int64] | None,
    repeats: int,
) -> PrincipalScaler:
    """The space with references such that a normal distribution for each cluster makes values as often as they are."""
    basis, mean = space.basis()
    shape = (len(clusters.centres), space.time, space.channels)
    means = (clusters.centres @ basis + mean).astype(np.float64).reshape(shape)
    spreads = np.sqrt(np.square(clusters.spreads) @ np.square(basis)).astype(np.float64).reshape(shape)
    shares = np.bincount(clusters.numbers, minlength=len(means)) / len(clusters.numbers)
    calibrated = space.marginals.calibrated(values, means, spreads, shares, owners, repeats)
    return replace(space, references=calibrated.references)
