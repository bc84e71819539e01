"""Modes: k-means within a class, small clusters dissolved, shares and statistics of what was found."""

import numpy as np
import pytest
import torch

from ecgsynth.config import WGANConfig
from ecgsynth.modes import MIN_MODE, find_modes
from ecgsynth.wgan import Generator

CENTRES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])


def blobs(sizes: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Well-separated round clusters of these sizes, one after the other."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [centre + 0.1 * rng.standard_normal((size, 2)) for centre, size in zip(CENTRES, sizes, strict=False)]
    ).astype(np.float32)


def test_separate_clusters_are_found_and_described():
    x = blobs((300, 200, 100))
    modes = find_modes(x, np.zeros(600, dtype=np.int64), classes=1, per_class=3, seed=0)
    assert modes.numbers.tolist() == [0] * 300 + [1] * 200 + [2] * 100  # the commonest first
    np.testing.assert_allclose(modes.shares, [[1 / 2, 1 / 3, 1 / 6]])
    np.testing.assert_allclose(modes.centres, [x[:300].mean(0), x[300:500].mean(0), x[500:].mean(0)], rtol=1e-5)
    np.testing.assert_allclose(modes.spreads, [x[:300].std(0), x[300:500].std(0), x[500:].std(0)], rtol=1e-5)


def test_a_small_cluster_is_given_to_the_others():
    x = blobs((300, 200, MIN_MODE - 1))
    modes = find_modes(x, np.zeros(len(x), dtype=np.int64), classes=1, per_class=3, seed=0)
    assert (modes.shares > 0).sum() == 2
    assert np.bincount(modes.numbers).min() >= MIN_MODE
    assert modes.shares.sum() == pytest.approx(1.0)


def test_modes_of_classes_do_not_mix():
    x = np.concatenate([blobs((150, 150)), blobs((150, 150), seed=1)])
    labels = np.repeat([0, 2], 300)
    modes = find_modes(x, labels, classes=3, per_class=2, seed=0)
    assert set(modes.numbers[labels == 0].tolist()) == {0, 1}
    assert set(modes.numbers[labels == 2].tolist()) == {4, 5}
    np.testing.assert_allclose(modes.shares.sum(axis=1), 1.0)
    again = find_modes(x, labels, classes=3, per_class=2, seed=0)
    np.testing.assert_array_equal(modes.numbers, again.numbers)


def test_every_mode_of_random_windows_has_enough_members():
    x = np.random.default_rng(3).standard_normal((2500, 2)).astype(np.float32) ** 3
    modes = find_modes(x, np.zeros(2500, dtype=np.int64), classes=1, per_class=48, seed=0)
    sizes = np.bincount(modes.numbers)
    assert sizes.min() >= MIN_MODE
    assert sizes.tolist() == (modes.shares[0, : len(sizes)] * 2500).round().astype(int).tolist()


def test_the_generator_draws_modes_by_their_shares():
    config = WGANConfig(time=4, classes=2, components=2, modes=3, latent_steps=1, step_noise=2, hidden=2)
    generator = Generator(config).eval()
    x = np.concatenate([blobs((300, 200, 100)), blobs((240, 360), seed=1)])
    labels = np.repeat([0, 1], 600)
    modes = find_modes(x, labels, classes=2, per_class=3, seed=0)
    generator.set_modes(modes)
    with torch.no_grad():
        generator.head.weight.zero_()  # so that every window is its mode's centre
        generator.head.bias.zero_()
        n = 6000
        uniform = torch.full((n, config.noise_dim), 0.5)
        uniform[:, -1] = (torch.arange(n) + 0.5) / n
        for label in range(2):
            made = generator.from_uniform(uniform, torch.full((n,), label)).numpy()
            for mode in range(3):
                share = np.isclose(made, modes.centres[label * 3 + mode]).all(axis=1).mean()
                if modes.shares[label, mode]:
                    assert share == pytest.approx(modes.shares[label, mode], abs=1e-3)
        last = torch.full((1, config.noise_dim), 1 - 2.0**-24)
        number = 3 + int((modes.shares[1] > 0).sum()) - 1  # the last mode that class 1 has
        np.testing.assert_allclose(generator.from_uniform(last, torch.tensor([1])).numpy()[0], modes.centres[number])
