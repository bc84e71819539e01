"""Channels that a mixture of normal distributions would miss, as normal scores and back."""

import dataclasses

import numpy as np
import pytest
import scipy.special
import torch

from ecgsynth.models.decoder import SignalSampler
from ecgsynth.models.marginals import PERSONS_OF_QUANTILE, MarginalTransform, mixture
from ecgsynth.models.scaling import PrincipalScaler
from ecgsynth.models.wgan import Generator, WGANConfig


def one_cluster(*columns):
    """Windows of one step with these columns, in which only the first is asked about, all of one cluster."""
    values = np.stack(columns, axis=-1)[:, None].astype(np.float32)
    return values, MarginalTransform.find(values, np.zeros(len(values), dtype=np.int64))


def back(marginals, made):
    """What a sampler makes of references (n, time, channels) of channels that all are transformed."""
    channels = len(marginals.transformed)
    space = dataclasses.replace(
        PrincipalScaler.fit(np.random.default_rng(0).normal(size=(9, 1, channels)), components=1),
        transformed=marginals.transformed,
        quantiles=marginals.quantiles,
        references=marginals.references,
    )
    sampler = SignalSampler(Generator(WGANConfig(time=1, components=1, clusters=(1,))), space)
    return sampler.from_references(torch.from_numpy(made.astype(np.float32))).detach().numpy()


def test_what_a_normal_distribution_would_miss_is_transformed():
    rng = np.random.default_rng(0)
    normal, lights = rng.normal(size=4000), np.where(rng.random(4000) < 0.7, 0, rng.choice([10.0, 20, 30], 4000))
    tenths = np.round(normal, 1)  # steps as fine as these change nothing
    _, found = one_cluster(normal, rng.uniform(size=4000), lights, tenths, np.exp(normal))
    assert found.transformed.tolist() == [0, 1, 1, 0, 1]
    assert not found.quantiles[[0, 3]].any()


def test_what_the_clusters_account_for_is_not():
    # Two regimes far apart are nothing like one normal distribution, and exactly a mixture of two.
    far = np.repeat([0, 1], 2000)
    values = (np.random.default_rng(1).normal(size=4000) + 50 * far)[:, None, None].astype(np.float32)
    assert MarginalTransform.find(values, np.zeros(4000, dtype=np.int64)).transformed.tolist() == [1]
    assert MarginalTransform.find(values, far).transformed.tolist() == [0]


def test_a_value_stands_at_the_middle_of_its_ranks():
    values, found = one_cluster(np.repeat([0.0, 10, 30], [700, 200, 100]))
    wanted = scipy.special.ndtri([0.35, 0.8, 0.95])  # half of the 700, all of them and half of the 200, and so on
    low, middle, high = found.apply(values)[[0, 800, 999], 0, 0]
    assert (low, high) == pytest.approx(wanted[[0, 2]], abs=1e-3)
    assert middle == pytest.approx(scipy.special.ndtri([0.7, 0.9]).mean(), abs=1e-3)
    between = found.apply(np.array([5.0], dtype=np.float32)[:, None, None])
    assert between.item() == pytest.approx((low + middle) / 2, abs=1e-3)


def test_a_value_has_all_the_references_of_its_ranks():
    _, found = one_cluster(np.repeat([0.0, 10, 30], [700, 200, 100]))
    border = scipy.special.ndtri([0.7, 0.9])
    references = np.array([-9, border[0] - 0.01, border[0] + 0.01, border[1] - 0.01, border[1] + 0.01, 9])
    made = back(found, references[:, None, None])
    assert made.flatten().tolist() == pytest.approx([0, 0, 10, 10, 30, 30], abs=1e-3)


@pytest.mark.parametrize("steps", [0, 10])
def test_references_are_taken_back_to_the_values(steps):
    rng = np.random.default_rng(1)
    spread = np.exp(rng.normal(size=3000))
    values, found = one_cluster(np.round(spread * steps) / steps if steps else spread)
    assert found.transformed.all()
    common = (values > np.quantile(values, 0.01)) & (values < np.quantile(values, 0.99))
    made = back(found, found.apply(values))[common]
    assert made == pytest.approx(values[common], rel=0.04, abs=0.02)  # rounding does the rest
    assert (np.diff(made[np.argsort(values[common])]) >= -1e-6).all()  # in the order in which they were


def test_the_ends_of_a_column_are_the_means_of_what_lies_beyond_drawn_in():
    values, found = one_cluster(np.exp(2 * np.random.default_rng(2).normal(size=10_000)))
    low, high = back(found, np.array([-9.0, 9.0])[:, None, None]).flatten()
    beyond = scipy.special.ndtr(-2.75)
    ranked = np.sort(values.flatten())
    few = int(beyond * len(ranked))
    assert ranked[:few].mean() < low < ranked[few]
    assert ranked[-few] < high < ranked[-few:].mean()
    assert high < 0.8 * ranked[-1]  # nobody's own


def test_references_are_calibrated_to_a_mixture():
    # Two clusters: one narrow and low, one wide and high. What they draw comes back as a uniform column.
    rng = np.random.default_rng(3)
    values, found = one_cluster(rng.uniform(3, 8, size=5000))
    means, spreads, shares = np.array([-1.0, 2.0]), np.array([0.1, 1.5]), np.array([0.25, 0.75])
    found = found.calibrated(values, means[:, None, None], spreads[:, None, None], shares)
    cluster = rng.choice(2, 20_000, p=shares)
    made = back(found, (means[cluster] + spreads[cluster] * rng.normal(size=20_000))[:, None, None]).flatten()
    assert made.min() == pytest.approx(3, abs=0.02)
    assert made.max() == pytest.approx(8, abs=0.02)
    assert np.histogram(made, bins=10, range=(3, 8))[0] / len(made) == pytest.approx(0.1, abs=0.012)


def test_a_mixture_s_distribution_is_that_of_its_draws():
    rng = np.random.default_rng(4)
    means, spreads, shares = rng.normal(size=(3, 5)), rng.uniform(0.1, 2, (3, 5)), np.array([0.5, 0.3, 0.2])
    cluster, step = rng.choice(3, 200_000, p=shares), rng.integers(0, 5, 200_000)
    made = means[cluster, step] + spreads[cluster, step] * rng.normal(size=200_000)
    points = np.linspace(-4, 4, 9)
    assert mixture(points, means, spreads, shares) == pytest.approx(
        [(made < point).mean() for point in points], abs=0.005
    )
    still = mixture(np.array([0.9, 1.1]), np.ones((1, 1)), np.zeros((1, 1)), np.ones(1))  # a cluster that does not vary
    assert still.tolist() == [0, 1]


def test_a_column_of_hardly_anything_but_one_value_keeps_both():
    values, found = one_cluster(np.where(np.arange(5000) < 4950, 0.0, 7.0))
    if found.transformed.any():
        low, high = back(found, np.array([0.0, 9.0])[:, None, None]).flatten()
        assert (low, high) == pytest.approx((0, 7), abs=1e-3)


@pytest.mark.parametrize("repeats", [1, 6])
def test_no_quantile_is_the_value_of_fewer_rows_than_are_published(repeats):
    rng = np.random.default_rng(5)
    rows = np.where(rng.random(4000) < 0.6, 0.0, rng.exponential(size=4000))
    values = np.repeat(rows, repeats)[:, None, None]  # each row stands in so many windows
    found = MarginalTransform.find(values, np.zeros(len(values), dtype=np.int64), repeats=repeats)
    assert found.transformed.all()
    one = np.ones((1, 1, 1))
    for marginals in (found, found.calibrated(values, 0 * one, one, np.ones(1), repeats=repeats)):
        quantiles = np.unique(marginals.quantiles)
        assert 0 in quantiles
        assert len(quantiles) > 8
        assert not np.isin(quantiles[quantiles != 0], rows).any()
        assert np.abs(rows[:, None] - quantiles[quantiles > 0]).min() > 0
        assert (np.sort(rows)[-PERSONS_OF_QUANTILE:] >= quantiles[-1]).any()
        assert (rows > quantiles[-1]).sum() >= PERSONS_OF_QUANTILE / 4  # the last is a mean of so many or more


def test_a_channel_of_too_few_persons_is_left_as_it_is():
    values = np.repeat(np.random.default_rng(6).uniform(size=40), 100)[:, None, None]  # 40 persons, a static each
    nowhere = np.zeros(len(values), dtype=np.int64)
    owners = np.repeat(np.arange(40), 100)
    assert MarginalTransform.find(values, nowhere).transformed.all()
    assert not MarginalTransform.find(values, nowhere, repeats=100).transformed.any()
    assert not MarginalTransform.find(values, nowhere, owners).transformed.any()
    varied = np.random.default_rng(6).uniform(size=values.shape)  # as many persons, whose values differ
    assert MarginalTransform.find(varied, nowhere, owners).transformed.all()
    assert not MarginalTransform.find(varied, nowhere, owners % 12).transformed.any()


def test_no_quantile_is_one_persons_however_often_the_value_stands_there():
    rng = np.random.default_rng(7)
    owners = np.repeat(np.arange(50), 80)
    rows = np.where(rng.random(4000) < 0.6, 0.0, rng.exponential(size=4000))
    rows[owners == 17] = 987.654  # all that one person has, a fiftieth of all rows
    found = MarginalTransform.find(rows[:, None, None], np.zeros(4000, dtype=np.int64), owners)
    assert found.transformed.all()
    quantiles = np.unique(found.quantiles)
    assert 0 in quantiles
    assert quantiles.max() < 20
