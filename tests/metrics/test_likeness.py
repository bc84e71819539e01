"""Likeness of sets of points, by hand and against slow references."""

import numpy as np
import pytest
import scipy.linalg

from ecgsynth.errors import DataError
from ecgsynth.metrics import likeness as metrics
from ecgsynth.metrics.likeness import coverage, density, frechet_distance, median_distance, mmd


def points(seed, n, d=3, shift=0.0):
    return (np.random.default_rng(seed).normal(size=(n, d)) + shift).astype(np.float32)


def slow_mmd(a, b, bandwidth):
    """Gretton et al., equation 3, as it stands there."""

    def k(x, y):
        return np.exp(-np.sum((x.astype(float) - y.astype(float)) ** 2) / (2 * bandwidth**2))

    n, m = len(a), len(b)
    return (
        sum(k(a[i], a[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
        + sum(k(b[i], b[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
        - 2 * sum(k(x, y) for x in a for y in b) / (n * m)
    )


@pytest.mark.parametrize(("n", "m", "shift"), [(2, 2, 0), (20, 31, 1), (33, 9, 100)])
def test_mmd_against_loops(n, m, shift):
    a, b = points(0, n), points(1, m, shift=shift)
    assert mmd(a, b, 1.7) == pytest.approx(slow_mmd(a, b, 1.7), abs=1e-9)


def test_mmd_takes_the_median_distance_of_both_sets_for_its_bandwidth():
    a, b = points(0, 30), points(1, 40, shift=1)
    both = np.concatenate([a, b]).astype(float)
    median = np.median([np.linalg.norm(both[i] - both[j]) for i in range(70) for j in range(i)])
    assert median_distance(np.concatenate([a, b])) == pytest.approx(median, rel=1e-6)
    assert mmd(a, b) == pytest.approx(slow_mmd(a, b, median), abs=1e-9)


def test_mmd_is_without_bias_and_grows_with_what_is_different():
    same = [mmd(points(2 * seed, 50), points(2 * seed + 1, 50)) for seed in range(100)]
    assert np.mean(same) == pytest.approx(0, abs=3 * np.std(same) / 10)
    assert min(same) < 0
    shifted = [mmd(points(0, 200), points(1, 200, shift=shift)) for shift in (0, 0.5, 1, 2)]
    assert sorted(shifted) == shifted
    assert mmd(np.zeros((4, 1)), np.ones((5, 1)), 1e-3) == pytest.approx(2)  # the most there is
    assert mmd(np.zeros((4, 1)), np.zeros((5, 1))) == 0


def test_the_blocks_do_not_show(monkeypatch):
    a, b = points(0, 70), points(1, 45)
    whole = mmd(a, b, 1.0), coverage(a, b), density(a, b)
    monkeypatch.setattr(metrics, "BLOCK_ROWS", 16)
    assert mmd(a, b, 1.0) == pytest.approx(whole[0], abs=1e-12)
    assert (coverage(a, b), density(a, b)) == whole[1:3]


def test_the_median_distance_of_many_is_that_of_some():
    many = points(0, 5003)
    assert median_distance(many) == pytest.approx(median_distance(many[:1500], most=1500), rel=0.03)
    assert median_distance(many[:1]) == 0


def exactly(mean, deviations, n=40):
    """Points whose sample mean and covariance are exactly these, the covariance diagonal."""
    centred = np.random.default_rng(0).normal(size=(n, len(mean)))
    centred -= centred.mean(axis=0)
    q, _ = np.linalg.qr(centred)  # its columns stay orthogonal to the ones
    return q * np.sqrt(n - 1) * np.asarray(deviations) + np.asarray(mean)


def test_frechet_distance_of_known_gaussians():
    a, b = exactly([0, 0, 0], [1, 2, 3]), exactly([1, 2, 0], [2, 2, 5], n=60)
    # |0 - m|^2 + the squared differences of the deviations, where covariances commute.
    assert frechet_distance(a, b) == pytest.approx((1 + 4) + (1 + 0 + 4))
    assert frechet_distance(b, a) == pytest.approx(10)
    assert frechet_distance(a, a + [0, 3, 4]) == pytest.approx(25)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("n", "d"), [(50, 4), (200, 20), (6, 12)])
def test_frechet_distance_against_a_matrix_root(n, d):
    rng = np.random.default_rng(d)
    a, b = (rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d) for _ in range(2))
    # Where there are fewer points than dimensions, the root of the product hangs on rounding; a little ridge mends it.
    ridge = 1e-9 * np.eye(d)
    cov_a, cov_b = np.cov(a.T) + ridge, np.cov(b.T) + ridge
    root = np.real(scipy.linalg.sqrtm(cov_a @ cov_b))
    expected = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2) + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-3)
    turned, _ = np.linalg.qr(rng.normal(size=(d, d)))
    assert frechet_distance(a @ turned, b @ turned) == pytest.approx(frechet_distance(a, b), rel=1e-6)


def slow_balls(real, made, k):
    """(n, m) whether made point j is in the ball of real point i, by the definition."""
    real, made = real.astype(float), made.astype(float)
    inside = np.zeros((len(real), len(made)), dtype=bool)
    for i, x in enumerate(real):
        radius = sorted(np.linalg.norm(x - other) for j, other in enumerate(real) if j != i)[k - 1]
        inside[i] = [np.linalg.norm(x - y) <= radius for y in made]
    return inside


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("n", "m"), [(6, 1), (40, 25), (25, 60)])
def test_coverage_and_density_against_loops(n, m, k):
    real, made = points(0, n), points(1, m, shift=0.3)
    inside = slow_balls(real, made, k)
    assert coverage(real, made, k) == inside.any(axis=1).mean()
    assert density(real, made, k) == pytest.approx(inside.sum() / (k * m))


def test_coverage_and_density_of_one_distribution_are_what_naeem_et_al_say():
    real, made = points(0, 1500, d=8), points(1, 1500, d=8)
    # One less the chance that the k nearest others of a point are all real.
    expected = 1 - np.prod([(1500 - i) / (3000 - i) for i in range(1, 6)])
    assert coverage(real, made) == pytest.approx(expected, abs=0.02)
    assert density(real, made) == pytest.approx(1, abs=0.05)


def test_a_lost_mode_halves_the_coverage_and_not_the_density():
    real = np.concatenate([points(0, 300), points(1, 300, shift=50)])
    made = points(2, 600)
    assert coverage(real, made) == pytest.approx(0.5, abs=0.01)
    assert density(real, made) == pytest.approx(1, abs=0.1)


def test_what_is_far_away_covers_nothing():
    assert coverage(points(0, 50), points(1, 50, shift=100)) == 0
    assert density(points(0, 50), points(1, 50, shift=100)) == 0
    assert coverage(points(0, 50), points(0, 50)) == 1


def test_what_is_as_near_as_the_neighbour_is_in_the_ball():
    real, made = np.array([[0.0], [1.0], [2.0]]), np.array([[3.0]])
    assert coverage(real, made, 1) == 1 / 3
    assert density(real, made, 2) == 1 / 2
    assert coverage(real, made, 2) == 1 / 3


@pytest.mark.parametrize("measure", [coverage, density])
def test_neighbours_need_others(measure):
    with pytest.raises(DataError, match="more than 5 real points are needed, got 5"):
        measure(points(0, 5), points(1, 50))


@pytest.mark.parametrize("measure", [mmd, frechet_distance])
def test_sets_of_features_are_checked(measure):
    with pytest.raises(DataError, match=r"got shapes \(1, 3\) and \(4, 3\)"):
        measure(points(0, 1), points(1, 4))
    with pytest.raises(DataError, match="equally long"):
        measure(points(0, 4), points(1, 4, d=2))
