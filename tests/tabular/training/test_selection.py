"""The scores by which the best step is chosen."""

import numpy as np
import pytest

from ecgsynth.tabular.training.selection import pair_distance


def test_pair_distance_is_zero_for_the_same_and_one_for_what_shares_nothing() -> None:
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, 3, 500), rng.integers(0, 2, 500)]
    assert pair_distance(columns, columns) == pytest.approx(0, abs=1e-6)
    assert pair_distance(columns, [column + 3 for column in columns]) == pytest.approx(1, abs=1e-6)
    shuffled = [columns[0], columns[0] % 2]
    tied = [columns[0], rng.permutation(columns[0] % 2)]
    assert 0.05 < pair_distance(shuffled, tied) < 0.5  # the same columns, other pairs
