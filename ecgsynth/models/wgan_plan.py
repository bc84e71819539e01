"""What the recurrent WGAN-GP finds in the training windows before its training: components, clusters, and a mixture."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.files import read_json
from ecgsynth.models.clusters import WINDOWS_PER_CLUSTER, Clusters, describe_clusters, find_clusters
from ecgsynth.models.marginals import MarginalTransform
from ecgsynth.models.model import Plan
from ecgsynth.models.scaling import MOST_COMPONENTS, PrincipalScaler
from ecgsynth.models.spectral import SpectralScaler
from ecgsynth.models.wgan import WGANConfig
from ecgsynth.windows.windows import Windows

__all__ = ["WGANPlan", "calibrate_marginals", "find_space", "plan_wgan", "read_space"]

SeriesSpace: TypeAlias = PrincipalScaler | SpectralScaler

OVERLAPPING_PER_CLUSTER = 100  # windows for each cluster where they overlap: fewer would be a single event
SERIES_COMPONENTS = 1024  # at most, of a series; windows of more numbers are taken as frequencies
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
        components=space.features,
        intervals=len(space.interval_means),
        clusters=clusters.counts,
        gaussian_tail=tail,
        asinh=not learn.is_series,
        **settings,
    )
    return WGANPlan(config=config, space=space, score_space=space, clusters=clusters)


def find_space(learn: Windows, components: int | None, seed: int) -> tuple[SeriesSpace, Clusters, int]:
    """Principal components, clusters in them, and how many of the components are a Gaussian tail.

    Of a series, the clusters are found first, then the components of the windows' differences from the mean of their
    cluster: in those a cluster is nearly a normal distribution with uncorrelated coordinates, from which training
    starts. Channels that such a mixture would miss are transformed (see MarginalTransform), and the way back from their
    references is calibrated to the mixture.
    """
    classes = len(learn.classes)
    if not learn.is_series:
        whole = PrincipalScaler.fit(learn.values, learn.rr_s, components=components)
        return whole, find_clusters(whole.transform(learn.values, learn.rr_s), learn.labels, classes, seed), 0
    values, owners, repeats = learn.values, learn.owners, max(1, learn.overlap)
    per_cluster = OVERLAPPING_PER_CLUSTER if learn.overlap else WINDOWS_PER_CLUSTER
    rough = rough_features(values, components)
    found = find_clusters(rough, learn.labels, classes, seed, per_cluster, learn.events)
    marginals = MarginalTransform.find(values, found.numbers, owners, repeats)
    if marginals.transformed.any():
        rough = rough_features(values, components, marginals)
        found = find_clusters(rough, learn.labels, classes, seed, per_cluster, learn.events)
    space = fine_space(values, components, found.numbers, marginals)
    clusters = describe_clusters(space.transform(values), found.numbers, found.shares, robust=False)
    space = calibrate_marginals(space, values, clusters, owners, repeats)
    return space, clusters, max(0, space.features - SERIES_LEARNT_COMPONENTS)


def is_long(values: NDArray[np.float32], components: int | None) -> bool:
    """Whether windows (n, time, channels) are taken as frequencies."""
    return components is None and values[0].size > SERIES_COMPONENTS


def rough_features(
    values: NDArray[np.float32], components: int | None, marginals: MarginalTransform | None = None
) -> NDArray[np.float32]:
    """The strongest components of windows (n, time, channels), by which they are divided into clusters."""
    if is_long(values, components):
        return SpectralScaler.fit(values, marginals=marginals).leading(values, MOST_COMPONENTS)
    return PrincipalScaler.fit(values, components=components, weigh=True, marginals=marginals).transform(values)


def fine_space(
    values: NDArray[np.float32], components: int | None, numbers: NDArray[np.int64], marginals: MarginalTransform
) -> SeriesSpace:
    """The components of what windows (n, time, channels) differ by from the mean of their cluster (n,)."""
    if is_long(values, components):
        return SpectralScaler.fit(values, clusters=numbers, marginals=marginals)
    return PrincipalScaler.fit(
        values,
        components=components,
        most=SERIES_COMPONENTS,
        weigh=True,
        clusters=numbers,
        marginals=marginals,
    )


def calibrate_marginals(
    space: SeriesSpace,
    values: NDArray[np.float32],
    clusters: Clusters,
    owners: NDArray[np.int64] | None,
    repeats: int,
) -> SeriesSpace:
    """The space with references such that a normal distribution for each cluster makes values as often as they are."""
    means = space.restored(clusters.centres).astype(np.float64)
    spreads = space.spreads(clusters.spreads).astype(np.float64)
    shares = np.bincount(clusters.numbers, minlength=len(means)) / len(clusters.numbers)
    calibrated = space.marginals.calibrated(values, means, spreads, shares, owners, repeats)
    return replace(space, references=calibrated.references)


def read_space(path: Path) -> SeriesSpace:
    """Read scaler.json, also of a run of an earlier version; ArtifactError if it is neither."""
    return SpectralScaler.load(path) if "mixing" in read_json(path) else PrincipalScaler.load(path)
