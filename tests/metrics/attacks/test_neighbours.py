"""Distances and densities by group and class against loops."""

import numpy as np
import pytest

from ecgsynth.metrics.attacks import neighbours
from ecgsynth.metrics.attacks.base import Points
from ecgsynth.metrics.attacks.neighbours import log_densities, log_distances


def some(seed, n, kinds=2):
    rng = np.random.default_rng(seed)
    return Points(values=rng.normal(size=(n, 5, 2)).astype(np.float32), kinds=rng.integers(kinds, size=n))


def slow(queries, against, groups, count, reduce, missing):
    found = np.full((len(queries), count), missing)
    for row, (value, kind) in enumerate(zip(queries.values, queries.kinds, strict=True)):
        for group in range(count):
            own = against.values[(against.kinds == kind) & (groups == group)].astype(np.float64)
            if len(own):
                found[row, group] = reduce(np.square(own - value).mean(axis=(1, 2)))
    return found


@pytest.mark.parametrize("block", [7, 4_000_000])
def test_against_loops(block, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_NUMBERS", block)
    queries, against = some(0, 23, 3), some(1, 40)  # nobody has the third class
    groups = np.random.default_rng(2).integers(6, size=40)
    expected = slow(queries, against, groups, 7, lambda squares: 0.5 * np.log(squares.min()), np.inf)
    assert log_distances(queries, against, groups, 7) == pytest.approx(expected, abs=1e-4)
    expected = slow(
        queries, against, groups, 7, lambda squares: np.log(np.mean(np.exp(-squares * 10 / 2 / 0.3**2))), -np.inf
    )
    assert log_densities(queries, against, groups, 7, 0.3) == pytest.approx(expected, abs=1e-3)


def test_far_from_everything_a_density_is_small_and_a_number():
    far = Points(values=np.full((1, 5, 2), 1e3, dtype=np.float32))
    found = log_densities(far, Points(values=some(1, 5).values), np.zeros(5, dtype=np.int64), 1, 0.1)
    assert np.isfinite(found).all()
    assert found[0, 0] < -1e8


def test_a_copy_has_a_distance_of_nearly_nothing_and_its_logarithm_is_a_number():
    points = Points(values=some(1, 5).values + np.float32(300))  # kelvin, say
    found = log_distances(points, points, np.zeros(5, dtype=np.int64), 1)
    assert np.isfinite(found).all()
    assert (found < np.log(0.01)).all()
