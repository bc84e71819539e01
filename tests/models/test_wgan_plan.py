"""What the recurrent WGAN-GP finds in windows before its training, and what it starts from."""

import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ecgsynth.errors import DataError
from ecgsynth.models.clusters import MIN_CLUSTER, find_clusters
from ecgsynth.models.decoder import SignalSampler, draw
from ecgsynth.models.scaling import PrincipalScaler
from ecgsynth.models.wgan import Generator, WGANConfig
from ecgsynth.models.wgan_plan import OVERLAPPING_PER_CLUSTER, find_space, plan_wgan
from ecgsynth.windows.info import SeriesInfo, SeriesOptions
from ecgsynth.windows.windows import Windows

pytestmark = pytest.mark.trains

SMALL = {"hidden": 4, "latent_steps": 2, "step_noise": 2, "cluster_dim": 2, "read_out": 4}


def windows(values: NDArray[np.float64], labels: NDArray[np.int64] | None = None, kind: str = "series") -> Windows:
    labels = np.zeros(len(values), dtype=np.int64) if labels is None else labels
    return Windows(
        values=values.astype(np.float32),
        fs_hz=1.0,
        units="as given",
        channel_names=tuple("abcdef"[: values.shape[2]]),
        classes=tuple("NSV"[: labels.max() + 1]),
        labels=labels,
        series=SeriesInfo(options=SeriesOptions(length=2, stride=1)),
        meta={"kind": kind},
    )


def walks(n: int, time: int = 6, channels: int = 2, seed: int = 0) -> NDArray[np.float64]:
    """Random walks, channels in units that differ a thousandfold."""
    steps = np.random.default_rng(seed).normal(size=(n, time, channels))
    return steps.cumsum(axis=1) * 1000.0 ** np.arange(channels)


def two_regimes(n: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Walks of which every other one lies far from the rest, and which those are."""
    far = np.arange(n) % 2
    return walks(n) + 100 * far[:, None, None] * 1000.0 ** np.arange(2), far


def test_too_few_windows_are_refused() -> None:
    with pytest.raises(DataError, match="need more than that many training windows, got 1"):
        plan_wgan(windows(walks(1)), {}, seed=0)


def test_beats_have_components_of_all_and_no_gaussian_tail() -> None:
    values = walks(200)
    labels = np.repeat([0, 1], 100)
    beats = windows(values, labels, kind="beats")
    found = plan_wgan(beats, SMALL, seed=3)
    wanted = PrincipalScaler.fit(beats.values)
    assert found.space.axes.tobytes() == wanted.axes.tobytes()
    assert (found.space.weights == 1).all()  # leads are in one unit
    clusters = find_clusters(wanted.transform(beats.values), labels, 2, seed=3)
    assert found.clusters.centres.tobytes() == clusters.centres.tobytes()
    assert found.config == WGANConfig(
        time=6, channels=2, components=len(wanted.axes), clusters=clusters.counts, **SMALL
    )


def test_a_series_has_a_cluster_for_every_so_many_windows_of_a_class() -> None:
    labels = np.repeat([0, 1, 2], [5 * OVERLAPPING_PER_CLUSTER, 2 * OVERLAPPING_PER_CLUSTER, MIN_CLUSTER])
    found = plan_wgan(windows(walks(len(labels)), labels), SMALL, seed=0)
    assert found.config.classes == 3
    assert 1 < found.config.clusters[0] <= 5
    assert 1 <= found.config.clusters[1] <= 2
    assert found.config.clusters[2] == 1
    for first, last, label in (
        (0, found.config.clusters[0], 0),
        (found.config.clusters[0], sum(found.config.clusters[:2]), 1),
    ):
        assert set(found.clusters.numbers[labels == label]) == set(range(first, last))  # none is of two classes


def test_windows_that_do_not_overlap_have_more_clusters() -> None:
    some = windows(walks(10 * OVERLAPPING_PER_CLUSTER))
    alone = dataclasses.replace(some, groups=np.arange(len(some)).astype(np.str_))
    apart = dataclasses.replace(some, series=SeriesInfo(options=SeriesOptions(length=2, stride=2)))
    counts = [sum(find_space(each, None, seed=0)[1].counts) for each in (some, alone, apart)]
    assert counts[0] <= 10 < 20 < counts[1] == counts[2]


def test_components_of_a_series_are_nearly_uncorrelated_within_clusters() -> None:
    values, far = two_regimes(4 * OVERLAPPING_PER_CLUSTER)
    space, clusters, tail = find_space(windows(values), None, seed=0)
    assert tail == 0
    for cluster in np.unique(clusters.numbers):
        assert len(set(far[clusters.numbers == cluster])) == 1  # the regimes are separate
    made = space.transform(values.astype(np.float32))
    within = made.copy()
    for cluster in np.unique(clusters.numbers):
        within[clusters.numbers == cluster] -= within[clusters.numbers == cluster].mean(axis=0)
    count = within.shape[1]
    assert np.abs(np.corrcoef(within, rowvar=False) - np.eye(count)).max() < 1e-3
    one = PrincipalScaler.fit(values.astype(np.float32), weigh=True).transform(values.astype(np.float32))
    for cluster in np.unique(clusters.numbers):
        one[clusters.numbers == cluster] -= one[clusters.numbers == cluster].mean(axis=0)
    assert np.abs(np.corrcoef(one, rowvar=False) - np.eye(one.shape[1])).max() > 0.1  # components of all are not
    assert space.weights == pytest.approx(values.std(axis=(0, 1)), rel=1e-4)


def test_clusters_of_a_series_are_described_in_the_components_that_are_kept() -> None:
    values, _ = two_regimes(4 * OVERLAPPING_PER_CLUSTER)
    space, clusters, _ = find_space(windows(values), None, seed=0)
    made = space.transform(values.astype(np.float32))
    assert clusters.centres.shape == clusters.spreads.shape == (sum(clusters.counts), len(space.axes))
    for cluster in np.unique(clusters.numbers):
        assert clusters.centres[cluster] == pytest.approx(made[clusters.numbers == cluster].mean(axis=0), abs=1e-5)
        assert clusters.shares[0][cluster] == pytest.approx((clusters.numbers == cluster).mean())


def test_training_of_a_series_begins_at_the_mixture_of_its_clusters() -> None:
    # Two regimes far apart: what is drawn lies in the one or the other as often as they are, spread as they are.
    values, far = two_regimes(4 * OVERLAPPING_PER_CLUSTER)
    found = plan_wgan(windows(values), SMALL, seed=0)
    generator = Generator(found.config)
    generator.set_clusters(found.clusters)
    draws = torch.rand((4000, found.config.noise_dim), generator=torch.Generator().manual_seed(0)).clamp(1e-6, 1 - 1e-6)
    with torch.inference_mode():
        features = generator.from_uniform(draws, torch.zeros(4000, dtype=torch.int64)).numpy()
    matrix, mean = found.space.basis()
    made = (features @ matrix + mean).reshape(-1, 6, 2)
    away = made[:, :, 0].mean(axis=1) > 50
    assert away.mean() == pytest.approx(far.mean(), abs=0.05)
    for regime in (0, 1):
        own, its = made[away == regime], values[far == regime]
        assert own.mean(axis=0) == pytest.approx(its.mean(axis=0), abs=0.4 * its.std(axis=0).max())
        assert own[:, -1].std(axis=0) == pytest.approx(its[:, -1].std(axis=0), rel=0.25)


def start_of(values: NDArray[np.float64], n: int = 4000) -> tuple[NDArray[np.float32], PrincipalScaler]:
    """What is drawn before any training, and the space."""
    found = plan_wgan(windows(values), SMALL, seed=0)
    generator = Generator(found.config)
    generator.set_clusters(found.clusters)
    return draw(SignalSampler(generator, found.space), np.zeros(n, dtype=np.int64), seed=0)[0], found.space


def test_a_series_starts_with_the_columns_as_they_are_distributed() -> None:
    # Noise that is uniform, twice the same; a wave that is mostly zero and comes in steps of ten; and a walk.
    rng = np.random.default_rng(0)
    values = np.zeros((2000, 24, 4))
    values[:, :, 0] = values[:, :, 1] = rng.uniform(2, 5, (2000, 24))
    level = rng.normal(size=(2000, 1)) + 0.5 * rng.normal(size=(2000, 24))
    values[:, :, 2] = 10 * np.clip(np.rint(2 * level - 1), 0, 4)
    values[:, :, 3] = rng.normal(size=(2000, 24)).cumsum(axis=1)
    made, space = start_of(values)
    assert space.marginals.transformed.tolist() == [1, 1, 1, 0]
    assert np.abs(made[:, :, 0] - made[:, :, 1]).max() < 1e-3  # what two columns have in common they keep
    assert np.histogram(made[:, :, 0], 10, (2, 5))[0] / made[:, :, 0].size == pytest.approx(0.1, abs=0.015)
    for low in (0, 10, 20, 30):
        of_real, of_made = ((np.abs(x[:, :, 2] - low) < 5).mean() for x in (values, made))
        assert of_made == pytest.approx(of_real, abs=0.02)


def test_a_series_of_few_ways_keeps_its_relations() -> None:
    # Sines of a bounded amplitude, and prices whose high is a little above their low: none is transformed.
    rng = np.random.default_rng(1)
    clock, frequency, phase = np.arange(6), *rng.uniform(0, 0.1, (2, 3000, 1))
    price = 50 + rng.normal(size=(3000, 1)) * 20 + rng.normal(size=(3000, 6)).cumsum(axis=1)
    values = np.stack([np.sin(frequency * clock + phase), price, price + 0.1], axis=2)
    made, space = start_of(values)
    assert not space.marginals.transformed.any()
    assert made[:, :, 2] - made[:, :, 1] == pytest.approx(0.1, abs=0.01)
    bend = np.abs(np.diff(values[:, :, 0], n=2, axis=1)).max()
    assert np.abs(np.diff(made[:, :, 0], n=2, axis=1)).max() < 2 * bend


def test_the_weakest_components_of_a_series_are_a_gaussian_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecgsynth.models.wgan_plan.SERIES_LEARNT_COMPONENTS", 7)
    found = plan_wgan(windows(walks(400)), SMALL, seed=0)
    assert (found.config.components, found.config.learnt, found.config.gaussian_tail) == (12, 7, 5)
    assert (np.diff(found.space.scales) < 0).all()  # the strongest come first
    asked = plan_wgan(windows(walks(400)), {**SMALL, "components": 5}, seed=0).config
    assert isinstance(asked, WGANConfig)
    assert (asked.components, asked.gaussian_tail) == (5, 0)


def test_settings_by_hand_are_not_changed() -> None:
    settings = {**SMALL, "components": 5}
    plan_wgan(windows(walks(60)), settings, seed=0)
    assert settings == {**SMALL, "components": 5}
