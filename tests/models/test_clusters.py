"""Clusters within a class, none too small, against plain references; what is kept of each is its medians."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ecgsynth.models.clusters import FLOOR, MIN_CLUSTER, WINDOWS_PER_CLUSTER, bisect, find_clusters, halves, refine
from ecgsynth.models.wgan import Generator, WGANConfig

CENTRES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])


def blobs(sizes: tuple[int, ...], seed: int = 0, centres: NDArray[np.float64] = CENTRES) -> NDArray[np.float32]:
    """Well-separated round clusters of these sizes, one after the other."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [centre + 0.1 * rng.standard_normal((size, 2)) for centre, size in zip(centres, sizes, strict=False)]
    ).astype(np.float32)


def one_class(x: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.zeros(len(x), dtype=np.int64)


@pytest.fixture
def at_most(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the number of clusters beyond which a class is not split."""
    return lambda most: monkeypatch.setattr("ecgsynth.models.clusters.MOST_CLUSTERS", most)


# ---- what is found


def test_separate_clusters_are_found_and_described(at_most: Callable[[int], None]) -> None:
    at_most(3)
    x = blobs((100, 300, 200))
    clusters = find_clusters(x, one_class(x), classes=1, seed=0)
    assert clusters.numbers.tolist() == [2] * 100 + [0] * 300 + [1] * 200  # the commonest first
    assert clusters.counts == (3,)
    np.testing.assert_allclose(clusters.shares[0], [1 / 2, 1 / 3, 1 / 6])
    for cluster, rows in enumerate((x[100:400], x[400:], x[:100])):
        for column in range(2):
            middle = sorted(rows[:, column].tolist())
            centre = (middle[len(rows) // 2 - 1] + middle[len(rows) // 2]) / 2
            away = sorted(abs(value - centre) for value in middle)
            deviation = (away[len(rows) // 2 - 1] + away[len(rows) // 2]) / 2
            assert clusters.centres[cluster, column] == pytest.approx(centre, abs=1e-5)
            wanted = max(1.4826 * deviation, FLOOR * x[:, column].std())
            assert clusters.spreads[cluster, column] == pytest.approx(wanted, rel=1e-3)
    assert clusters.centres.dtype == clusters.spreads.dtype == np.float32


def test_a_few_wild_windows_do_not_move_a_cluster(at_most: Callable[[int], None]) -> None:
    at_most(1)
    x = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    wild = x.copy()
    wild[:50] += 1000.0
    calm, moved = (find_clusters(values, one_class(x), classes=1, seed=0) for values in (x, wild))
    assert calm.spreads == pytest.approx(1.0, abs=0.1)  # 1.4826 times the MAD of a normal is its standard deviation
    # The floor is a share of the spread of all windows, here of some 220, so only the centre can be compared.
    assert np.abs(moved.centres - calm.centres).max() < 0.2
    assert moved.spreads == pytest.approx(FLOOR * wild.std(axis=0)[None], rel=1e-4)


def test_a_spread_is_never_below_a_share_of_that_of_all_windows(at_most: Callable[[int], None]) -> None:
    at_most(2)
    x = blobs((100, 100))
    x[:100, 0] = 0.0  # in this cluster, the same in every window
    x[100:, 0] = 10 + 0.3 * (x[100:, 0] - 10)  # in this one nearly so: 0.03, and the least is 0.02 times 5
    x[:, 1] = 7.0  # and this is the same everywhere
    clusters = find_clusters(x, one_class(x), classes=1, seed=0)
    assert clusters.counts == (2,)
    first = clusters.numbers[0]
    assert clusters.spreads[first, 0] == pytest.approx(FLOOR * x[:, 0].std(), rel=1e-4)
    assert clusters.spreads[1 - first, 0] == pytest.approx(FLOOR * x[:, 0].std(), rel=1e-4)
    assert (clusters.spreads > 0).all()  # for it is divided by them
    assert clusters.spreads[:, 1] == pytest.approx(1e-6)


@pytest.mark.parametrize(("n", "wanted"), [(1, 1), (39, 1), (59, 1), (60, 2), (89, 2), (90, 3), (600, 20)])
def test_there_is_a_cluster_for_every_thirty_windows(n: int, wanted: int) -> None:
    assert WINDOWS_PER_CLUSTER == 30
    x = np.arange(2 * n, dtype=np.float32).reshape(n, 2)  # along a line, so that any part can be halved
    clusters = find_clusters(x, one_class(x), classes=1, seed=0)
    if wanted <= 3:
        assert clusters.counts == (wanted,)
    assert wanted / 2 <= clusters.counts[0] <= wanted  # halves of halves are not all of thirty
    assert np.bincount(clusters.numbers).min() >= min(n, MIN_CLUSTER)


def test_a_class_has_no_more_clusters_than_it_may(at_most: Callable[[int], None]) -> None:
    x = np.random.default_rng(1).normal(size=(2000, 2)).astype(np.float32)
    counts = []
    for most in (1, 2, 7):
        at_most(most)
        counts.append(find_clusters(x, one_class(x), classes=1, seed=0).counts)
    assert counts == [(1,), (2,), (7,)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_cluster_of_random_windows_has_enough_members(seed: int) -> None:
    # Heavy tails: k-means alone would make clusters of a few outliers.
    x = np.random.default_rng(seed).standard_normal((2500, 2)).astype(np.float32) ** 3
    clusters = find_clusters(x, one_class(x), classes=1, seed=0)
    sizes = np.bincount(clusters.numbers)
    assert len(sizes) == clusters.counts[0] > 20
    assert sizes.min() >= MIN_CLUSTER == 20
    assert sizes.tolist() == sorted(sizes.tolist(), reverse=True)
    assert clusters.shares[0] == pytest.approx(sizes / 2500)
    for cluster in range(len(sizes)):
        assert clusters.centres[cluster] == pytest.approx(np.median(x[clusters.numbers == cluster], axis=0), abs=1e-6)


def test_clusters_of_classes_do_not_mix(at_most: Callable[[int], None]) -> None:
    at_most(3)
    # Two classes in the same places, one without windows between them, one with too few for two clusters at the end.
    x = np.concatenate([blobs((40, 35)), blobs((50, 60, 70), seed=1), blobs((10, 20), seed=2)])
    labels = np.repeat([0, 2, 3], (75, 180, 30))
    order = np.random.default_rng(0).permutation(len(x))
    clusters = find_clusters(x[order], labels[order], classes=4, seed=0)
    assert clusters.counts == (2, 1, 3, 1)
    numbers = np.empty_like(clusters.numbers)
    numbers[order] = clusters.numbers
    assert numbers.tolist() == np.repeat([0, 1, 5, 4, 3, 6], (40, 35, 50, 60, 70, 30)).tolist()
    assert [shares.sum() for shares in clusters.shares] == pytest.approx([1.0] * 4)
    assert clusters.shares[2] == pytest.approx([7 / 18, 6 / 18, 5 / 18])
    assert clusters.centres.shape == clusters.spreads.shape == (7, 2)
    assert (clusters.centres[2] == 0).all()  # of the class without windows
    assert clusters.spreads[2] == pytest.approx(FLOOR * x.std(axis=0), rel=1e-4)


def test_the_same_seed_finds_the_same_clusters() -> None:
    x = np.random.default_rng(5).normal(size=(700, 6)).astype(np.float32)
    before = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]  # noqa: NPY002
    one, again, other = (find_clusters(x, one_class(x), classes=1, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.numbers, again.numbers)
    assert one.centres.tobytes() == again.centres.tobytes()
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index, union-attr]  # noqa: NPY002
    assert one.counts[0] > 10
    assert other.counts[0] > 10


# ---- splitting in two


@pytest.mark.parametrize("sizes", [(20, 20), (20, 200), (90, 21)])
def test_halves_are_the_two_clusters_that_there_are(sizes: tuple[int, int]) -> None:
    side = halves(blobs(sizes), np.random.default_rng(0))
    assert side is not None
    assert len(set(side[: sizes[0]].tolist())) == len(set(side[sizes[0] :].tolist())) == 1
    assert side[0] != side[-1]


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_halves_are_those_of_two_means_from_the_main_axis(seed: int) -> None:
    # Skewed, so that the first cut at the mean is not where two means settle; stretched, so that one axis is the main.
    x = (np.random.default_rng(seed).exponential(size=(300, 3)) * [9.0, 1.0, 0.5]).astype(np.float32)
    side = halves(x, np.random.default_rng(seed))
    exact = x.astype(np.float64)
    _, _, axes = np.linalg.svd(exact - exact.mean(axis=0), full_matrices=False)
    first = slow = (exact - exact.mean(axis=0)) @ axes[0] > 0
    for _ in range(10):
        means = exact[slow].mean(axis=0), exact[~slow].mean(axis=0)
        slow = np.array([np.square(row - means[0]).sum() < np.square(row - means[1]).sum() for row in exact])
    assert side is not None
    agree = (side == slow).mean()
    assert agree in (0.0, 1.0)  # which half is which does not matter
    assert (first != slow).sum() > 5


def test_rather_than_a_few_outliers_half_is_split_off() -> None:
    x = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    x[:19, 0] += 1000.0
    side = halves(x, np.random.default_rng(0))
    assert side is not None
    assert side.sum() == 100
    x[19, 0] += 1000.0  # twenty are a cluster of their own
    side = halves(x, np.random.default_rng(0))
    assert side is not None
    assert min(side.sum(), 200 - side.sum()) == 20
    assert len(set(side[:20].tolist())) == 1


def test_what_is_too_small_or_all_alike_is_not_split() -> None:
    rng = np.random.default_rng(0)
    assert halves(blobs((19, 20)), rng) is None
    assert halves(blobs((20, 20)), rng) is not None
    assert halves(np.ones((100, 2), dtype=np.float32), rng) is None


def test_the_cluster_of_the_largest_sum_of_squares_is_split_first() -> None:
    # The first cluster has most windows, but the others are far from one mean: that pair is split next.
    x = blobs((300, 40, 40), centres=np.array([[0.0, 0.0], [30.0, 0.0], [30.0, 9.0]]))
    found = [bisect(x, wanted, np.random.default_rng(0)) for wanted in (1, 2, 3)]
    assert [len(set(numbers.tolist())) for numbers in found] == [1, 2, 3]
    assert len(set(found[1][300:].tolist())) == 1
    for place in (slice(0, 300), slice(300, 340), slice(340, 380)):
        assert len(set(found[2][place].tolist())) == 1
    further = bisect(x, 4, np.random.default_rng(0))  # of those that are left, the first has the largest
    assert len(set(further[:300].tolist())) == 2


def test_a_cluster_that_cannot_be_split_is_left_as_it_is() -> None:
    x = blobs((39, 100), centres=np.array([[0.0, 0.0], [1000.0, 0.0]]))
    x[:39] *= 100  # the largest sum of squares, but too few
    numbers = bisect(x, 3, np.random.default_rng(0))
    assert len(set(numbers[:39].tolist())) == 1
    assert len(set(numbers[39:].tolist())) == 2
    assert len(set(bisect(x, 50, np.random.default_rng(0)).tolist())) <= 5  # and it comes to an end


# ---- refining


def slow_refine(x: NDArray[np.float32], numbers: NDArray[np.int64], rounds: int) -> list[set[int]]:
    """The clusters, as sets of rows, after k-means written out and the dissolving of those that are too small."""
    found = [set(np.flatnonzero(numbers == number).tolist()) for number in range(numbers.max() + 1)]

    def nearest(row: int, means: list[NDArray[np.float64]]) -> int:
        return int(np.argmin([np.square(x[row] - mean).sum() for mean in means]))

    for _ in range(rounds):
        means = [x[sorted(rows)].mean(axis=0, dtype=np.float64) for rows in found]
        found = [set() for _ in means]
        for row in range(len(x)):
            found[nearest(row, means)].add(row)
    while any(len(rows) < MIN_CLUSTER for rows in found):
        smallest = min((rows for rows in found if len(rows) < MIN_CLUSTER), key=len)
        found.remove(smallest)
        large = [rows for rows in found if len(rows) >= MIN_CLUSTER]
        means = [x[sorted(rows)].mean(axis=0, dtype=np.float64) for rows in large]
        for row, new in [(row, nearest(row, means)) for row in smallest]:
            large[new].add(row)
    return found


def as_sets(numbers: NDArray[np.int64]) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(numbers == number).tolist()) for number in np.unique(numbers)}


@pytest.mark.parametrize("sizes", [(300, 200, 20), (300, 200, 19), (60, 12, 18), (25, 19, 10)])
def test_what_is_below_the_least_size_is_given_to_the_nearest_others(sizes: tuple[int, ...]) -> None:
    # The small clusters are nearer to one another than to the first, to which those that are too small must go.
    x = blobs(sizes, centres=np.array([[0.0, 0.0], [10.0, 0.0], [11.0, 2.0]]))
    right = np.repeat(np.arange(3), sizes)
    got = refine(x, right)
    assert as_sets(got) == {frozenset(rows) for rows in slow_refine(x, right, rounds=8)}
    assert len(set(got.tolist())) == sum(size >= MIN_CLUSTER for size in sizes)
    assert set(got.tolist()) == set(range(got.max() + 1))
    assert got.dtype == np.int64


def test_small_clusters_are_dissolved_one_after_the_other_the_smallest_first() -> None:
    # Of the last two clusters only one is too small; what is dissolved is not shared out by the means of the small.
    centres = np.array([[0.0, 0.0], [0.0, 20.0], [10.0, 9.0], [10.0, 12.0]])
    x = blobs((40, 40, 5, 15), centres=centres)
    right = np.repeat(np.arange(4), (40, 40, 5, 15))
    got = refine(x, right)
    assert as_sets(got) == {frozenset(rows) for rows in slow_refine(x, right, rounds=8)}
    assert set(got[80:85].tolist()) == {got[0]}
    assert set(got[85:].tolist()) == {got[40]}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_poor_start_is_mended_by_k_means(seed: int) -> None:
    x = blobs((100, 80, 60), seed=seed)
    start = np.random.default_rng(seed).integers(3, size=len(x))
    start[:30], start[100:130], start[180:210] = 0, 1, 2  # each has a lead in one of the places
    got = refine(x, start)
    assert as_sets(got) == {frozenset(rows) for rows in slow_refine(x, start, rounds=8)}
    assert as_sets(got) == {frozenset(range(100)), frozenset(range(100, 180)), frozenset(range(180, 240))}


def test_k_means_has_rounds_enough_to_settle() -> None:
    # Along a line, the border between two clusters comes half as far from the middle with every round: 60, 30, 15, 8.
    x = np.stack([np.arange(200), np.zeros(200)], axis=1).astype(np.float32)
    first = int((refine(x, (np.arange(200) >= 40).astype(np.int64)) == 0).sum())
    assert abs(first - 100) <= 3


def test_one_cluster_stays_one() -> None:
    assert refine(blobs((30, 30)), np.zeros(60, dtype=np.int64)).tolist() == [0] * 60


# ---- what the generator does with them


def test_the_generator_draws_clusters_by_their_shares(at_most: Callable[[int], None]) -> None:
    at_most(3)
    x = np.concatenate([blobs((300, 200, 100)), blobs((240, 360), seed=1) + np.float32(40)])
    labels = np.repeat([0, 1], 600)
    clusters = find_clusters(x, labels, classes=2, seed=0)
    config = WGANConfig(
        time=4,
        components=2,
        clusters=clusters.counts,
        latent_steps=1,
        step_noise=2,
        hidden=2,
        read_out=2,
        cluster_dim=2,
    )
    generator = Generator(config).eval()
    generator.set_clusters(clusters)
    with torch.no_grad():
        generator.value.weight.zero_()  # so that every window is its cluster's centre
        generator.value.bias.zero_()
        generator.noise.bias.fill_(-100.0)
        n = 6000
        uniform = torch.full((n, config.noise_dim), 0.5)
        uniform[:, -1] = (torch.arange(n) + 0.5) / n
        first = 0
        for label, shares in enumerate(clusters.shares):
            made = generator.from_uniform(uniform, torch.full((n,), label)).numpy()
            seen = 0.0
            for cluster, share in enumerate(shares):
                found = np.isclose(made, clusters.centres[first + cluster], rtol=1e-4, atol=1e-4).all(axis=1).mean()
                assert found == pytest.approx(share, abs=1e-3)
                seen += found
            assert seen == pytest.approx(1)
            # The largest number that a seed gives picks the last cluster of the class, not the first of the next.
            last = torch.full((1, config.noise_dim), 1 - 2.0**-24)
            got = generator.from_uniform(last, torch.tensor([label])).numpy()[0]
            assert got == pytest.approx(clusters.centres[first + len(shares) - 1], abs=1e-4)
            first += len(shares)
