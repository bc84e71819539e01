"""The seed contract, against Philox written from its definition, and the choice of classes."""

import hashlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecgsynth.core.noise import pick_labels, row_noise
from ecgsynth.errors import ConfigError

WORD = 2**64 - 1
SEEDS = st.integers(0, 2**64 - 1)


def philox_block(counter: int, key: int) -> list[int]:
    """Four 64-bit words of Philox4x64-10: Salmon et al., SC 2011, in whole numbers of any size."""
    c = [counter >> (64 * i) & WORD for i in range(4)]
    k = [key >> (64 * i) & WORD for i in range(2)]
    for _ in range(10):
        left, right = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(right >> 64) ^ c[1] ^ k[0], right & WORD, (left >> 64) ^ c[3] ^ k[1], left & WORD]
        k = [k[0] + 0x9E3779B97F4A7C15 & WORD, k[1] + 0xBB67AE8584CAA73B & WORD]
    return c


def slow_row(seed: int, row: int, noise_dim: int) -> tuple[list[float], float]:
    """One row as DESIGN.md states it; numpy counts up before it makes a block, so its first block is counter + 1."""
    blocks = (noise_dim + 1 + 3) // 4
    draws = [word for block in range(blocks) for word in philox_block(row * blocks + block + 1, seed)]
    numbers = [((draw >> 41) + 0.5) * 2**-23 for draw in draws]
    return numbers[:noise_dim], numbers[noise_dim]


# kat_vectors of Random123 1.14 (the authors' own), philox4x64 of 10 rounds.
@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        (0, 0, "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
        (2**256 - 1, 2**128 - 1, "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0"),
    ],
)
def test_the_slow_reference_is_philox(counter, key, words):
    assert [f"{word:016x}" for word in philox_block(counter, key)] == words.split()


@given(seed=SEEDS, counter=st.integers(0, 2**250))
def test_numpy_counts_up_before_its_first_block(seed, counter):
    drawn = np.random.Philox(key=seed, counter=counter).random_raw(8).tolist()
    assert drawn == philox_block(counter + 1, seed) + philox_block(counter + 2, seed)


@given(seed=SEEDS, start=st.integers(0, 2**60), n=st.integers(0, 4), noise_dim=st.integers(1, 70))
@example(seed=0, start=0, n=3, noise_dim=3)  # label in the same block
@example(seed=2**64 - 1, start=1, n=3, noise_dim=4)  # label in a block of its own
@example(seed=1, start=0, n=3, noise_dim=128)
def test_rows_agree_with_the_slow_reference(seed, start, n, noise_dim):
    noise = row_noise(seed, range(start, start + n), noise_dim)
    expected = [slow_row(seed, row, noise_dim) for row in range(start, start + n)]
    assert noise.uniform.shape == (n, noise_dim)
    assert noise.uniform.dtype == np.float32
    assert noise.uniform.tolist() == [uniform for uniform, _ in expected]  # to the last bit
    assert noise.label.tolist() == [label for _, label in expected]


@given(
    seed=SEEDS,
    start=st.integers(0, 10**9),
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=6),
    noise_dim=st.integers(1, 20),
)
def test_a_row_is_the_same_whatever_is_drawn_with_it(seed, start, sizes, noise_dim):
    whole = row_noise(seed, range(start, start + sum(sizes)), noise_dim)
    done = 0
    for size in sizes:
        part = row_noise(seed, range(start + done, start + done + size), noise_dim)
        assert part.uniform.tobytes() == whole.uniform[done : done + size].tobytes()
        assert part.label.tobytes() == whole.label[done : done + size].tobytes()
        done += size


# Golden vectors: the numbers times 2**24, which makes them whole. Made by
#   python -c "from ecgsynth.core.noise import row_noise as r; x = r(SEED, range(START, START + 2), DIM);
#              print((x.uniform * 2**24).astype(int).tolist(), (x.label * 2**24).astype(int).tolist())"
GOLDEN = {
    (0, 0, 5): (
        [[193723, 4052523, 1869415, 9469307, 8428531], [4258439, 3272405, 11940511, 2202255, 9604199]],
        [4657449, 4278211],
    ),
    (7, 1000, 4): (
        [[2710609, 706289, 15101129, 16313819], [15244199, 5875331, 15728925, 11789047]],
        [11406031, 7571329],
    ),
    (2**64 - 1, 123456789, 3): ([[743741, 3994123, 15509683], [2870339, 5321667, 2809559]], [8841029, 1788487]),
}


@pytest.mark.parametrize("case", GOLDEN, ids=str)
def test_golden_vectors(case):
    seed, start, noise_dim = case
    noise = row_noise(seed, range(start, start + 2), noise_dim)
    uniform, label = GOLDEN[case]
    assert (noise.uniform.astype(np.float64) * 2**24).tolist() == uniform
    assert (noise.label * 2**24).tolist() == label


def test_golden_hash():
    # python -c "import hashlib; from ecgsynth.core.noise import row_noise as r; x = r(7, range(1000), 128);
    #            print(hashlib.sha256(x.uniform.tobytes() + x.label.tobytes()).hexdigest())"   (little endian)
    noise = row_noise(7, range(1000), 128)
    content = noise.uniform.astype("<f4").tobytes() + noise.label.astype("<f8").tobytes()
    assert hashlib.sha256(content).hexdigest() == "b2fa117368843ea942966c98a7995560e1b15c1010e4f4ed900cd75d1064c4a8"


def test_another_seed_gives_other_rows_and_rows_differ():
    first, second = row_noise(1, range(100), 8), row_noise(2, range(100), 8)
    assert not (first.uniform == second.uniform).all(axis=1).any()
    assert not (first.label == second.label).any()
    assert len(np.unique(first.uniform, axis=0)) == 100


def test_uniforms_are_strictly_inside_and_exact_in_float32():
    noise = row_noise(3, range(20_000), 31)
    assert noise.uniform.min() > 0
    assert noise.uniform.max() < 1
    cells = noise.uniform.astype(np.float64) * 2**23 - 0.5
    assert (cells == np.floor(cells)).all()  # float32 has lost no bit of them
    # Flat: mean 1/2 and variance 1/12 to within five standard errors of 620,000 draws.
    assert noise.uniform.mean(dtype=np.float64) == pytest.approx(0.5, abs=5 * (1 / 12 / 620_000) ** 0.5)
    assert noise.uniform.var(dtype=np.float64) == pytest.approx(1 / 12, abs=5 * (1 / 180 / 620_000) ** 0.5)


def test_the_extreme_draws_stay_inside(monkeypatch):
    class Extreme:
        def __init__(self, key, counter):
            pass

        def random_raw(self, n):
            return np.resize(np.array([0, 2**64 - 1], dtype=np.uint64), n)

    monkeypatch.setattr(np.random, "Philox", Extreme)
    noise = row_noise(0, range(1), 2)
    assert noise.uniform.tolist() == [[2.0**-24, 1 - 2.0**-24]]
    assert noise.label.tolist() == [2.0**-24]


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_named(seed):
    with pytest.raises(ConfigError, match=rf"from 0 to 2\*\*64 - 1, got {seed}$"):
        row_noise(seed, range(1), 4)


@pytest.mark.parametrize("rows", [range(-1, 3), range(0, 6, 2), range(5, 0, -1)], ids=str)
def test_rows_that_are_not_consecutive_are_named(rows):
    with pytest.raises(ConfigError, match="consecutive and not negative, got range"):
        row_noise(0, rows, 4)


TINY = 2.0**-24


@pytest.mark.parametrize(
    ("shares", "uniform", "label"),
    [
        ([1.0], 0.5, 0),
        ([0.5, 0.5], 0.5 - TINY, 0),
        ([0.5, 0.5], 0.5, 1),  # a class ends before its cumulative share
        ([0.25, 0.25, 0.5], 0.25, 1),
        ([0.5, 0.0, 0.5], 0.5, 2),  # a class without a share is never picked, not even on its boundary
        ([0.5, 0.0, 0.5], 0.5 - TINY, 0),
        ([0.0, 1.0], TINY, 1),
        ([1.0, 0.0], 1 - TINY, 0),
        ([0.0, 0.0, 1.0, 0.0], 0.5, 2),
        ([2.0, 6.0], 0.2499, 0),  # counts do as well as shares
        ([2.0, 6.0], 0.2501, 1),
    ],
)
def test_pick_labels_exactly(shares, uniform, label):
    picked = pick_labels(np.array([uniform]), np.array(shares))
    assert picked.tolist() == [label]
    assert picked.dtype == np.int64


@given(
    uniform=st.lists(st.integers(0, 2**23 - 1).map(lambda k: (k + 0.5) * 2**-23), max_size=30),
    counts=st.lists(st.integers(0, 1000), min_size=1, max_size=8).filter(any),
)
def test_pick_labels_against_a_loop(uniform, counts):
    shares = np.array(counts) / sum(counts)
    picked = pick_labels(np.array(uniform), shares).tolist()
    assert all(counts[label] for label in picked)
    for value, label in zip(uniform, picked, strict=True):
        below, upto = sum(counts[:label]) / sum(counts), sum(counts[: label + 1]) / sum(counts)
        assert below - 1e-12 <= value <= upto + 1e-12


def test_labels_have_their_shares():
    shares = np.array([0.828, 0.025, 0.0, 0.066, 0.007, 0.074])
    n = 50_000
    found = np.bincount(pick_labels(row_noise(0, range(n), 1).label, shares), minlength=len(shares)) / n
    assert found[2] == 0
    assert (np.abs(found - shares) <= 4 * np.sqrt(shares * (1 - shares) / n)).all()
