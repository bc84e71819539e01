"""The judges on sets that are known: alike, shifted, and alike but for what a weak judge overlooks."""

import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ecgsynth.metrics.judges.blocks import FOLDS, Parted
from ecgsynth.metrics.judges.judge import JUDGES, figures, judged, what_judges_see
from ecgsynth.metrics.recurrent import by_fold, discriminative_score
from ecgsynth.windows.windows import Windows

pytestmark = pytest.mark.trains

TIME = 16
Floats = NDArray[np.float32]


def windows(values: Floats) -> Windows:
    """Windows that stand alone."""
    known = {
        "fs_hz": 1.0,
        "units": "as given",
        "channel_names": tuple("abcdef"[: values.shape[2]]),
        "classes": ("all",),
    }
    return Windows(values=values, labels=np.zeros(len(values), np.int64), meta={"kind": "series"}, **known)


def held(seed: int, jitter: float = 0.0, n: int = 400) -> Floats:
    """Noise that holds its value in half of the steps, or all but holds it."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, TIME, 2))
    for step in range(1, TIME):
        kept = rng.random((n, 2)) < 0.5
        values[:, step] = np.where(kept, values[:, step - 1], values[:, step])
    return (100 + values + jitter * rng.normal(size=values.shape)).astype(np.float32)


def parted(real: Floats, other: Floats) -> Parted:
    found = Parted.of(windows(real), windows(other))
    assert found is not None
    return found


@pytest.mark.parametrize("judge", JUDGES)
def test_one_distribution_is_not_told_apart(judge: str) -> None:
    found = judged(parted(held(0), held(1)), judge, folds=2, steps=12)
    assert found.auc.shape == found.accuracy.shape == (2,)
    assert abs(found.auc.mean() - 0.5) < 0.1  # of 532 windows: three standard errors are 0.075
    assert abs(found.accuracy.mean() - 0.5) < 0.1


@pytest.mark.parametrize("judge", JUDGES)
def test_what_is_shifted_is_told_apart(judge: str) -> None:
    found = judged(parted(held(0), held(1) + 2), judge, folds=1, steps=40)
    assert found.auc.mean() > 0.97
    assert found.accuracy.mean() > 0.9


@pytest.mark.parametrize("judge", JUDGES)
def test_repeats_that_are_missing_are_seen(judge: str) -> None:
    """A twentieth of a standard deviation off: the paper's GRU, of one unit, sees nothing of it."""
    real, almost = held(0), held(1, jitter=0.05)
    assert judged(parted(real, almost), judge, folds=1, steps=40).auc.mean() > 0.9
    if judge == "cnn":
        assert discriminative_score(real, almost, repeats=2, steps=60).mean() < 0.1


def test_exact_repeats_and_lines_are_visible() -> None:
    like = held(0)
    held_on = np.full((1, TIME, 2), 100, np.float32)
    line = held_on + 0.5 * np.arange(TIME, dtype=np.float32)[None, :, None]
    scaled, first, sizes, bends = np.split(what_judges_see(like, held_on)[0], 4, axis=2)
    assert not first.any()
    assert not sizes.any()
    assert not bends.any()
    assert np.allclose(scaled, (100 - like.mean()) / like.std(), atol=0.1)
    _, first, sizes, bends = np.split(what_judges_see(like, line)[0], 4, axis=2)
    assert np.ptp(first[:, 1:], axis=1).tolist() == [[0, 0]]
    assert first[0, 1, 0] > 0
    assert not bends[:, 2:].any()
    _, _, near, _ = np.split(what_judges_see(like, held_on + 0.02 * (np.arange(TIME) % 2)[None, :, None])[0], 4, axis=2)
    assert near[:, 1:].min() > 0.3
    still = what_judges_see(held_on, held_on)[0]
    assert np.isfinite(still).all()


def test_figures_of_known_logits() -> None:
    assert figures(np.array([2.0, 1.0]), np.array([-1.0, -2.0])) == (1.0, 1.0)
    assert figures(np.array([2.0, 1.0]), np.array([0.5, 0.25])) == (0.5, 1.0)  # in order, but all are called real
    assert figures(np.array([-1.0]), np.array([1.0])) == (0.0, 0.0)
    assert figures(np.zeros(3), np.zeros(3)) == (0.5, 0.5)


@pytest.mark.parametrize("judge", JUDGES)
def test_the_same_seed_gives_the_same_and_another_another(judge: str) -> None:
    both, before = parted(held(0, n=60), held(1, n=60)), torch.get_rng_state()
    seen: list[tuple[int, int]] = []
    first = judged(both, judge, folds=2, steps=2)
    again = judged(both, judge, folds=2, steps=2, on_step=lambda done, total, loss=0.0: seen.append((done, total)))
    assert np.array_equal(first.auc, again.auc)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert not np.array_equal(first.auc, judged(both, judge, folds=2, steps=2, seed=1).auc)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("time", [2, 15, 17, 40])
@pytest.mark.parametrize("judge", JUDGES)
def test_windows_of_any_length_are_judged(judge: str, time: int) -> None:
    build, _ = JUDGES[judge]
    net, x = build(time, 3).eval(), torch.randn(4, time, 3, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    net(x).square().sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(dim=2) > 0).float().mean() > 0.9  # each step counts


def test_the_score_by_blocks_is_tested_on_folds_of_its_own() -> None:
    both = dataclasses.replace(parted(held(0, n=70), held(1, n=50)))
    orders, seen = by_fold(both, 4, 0)
    for order, folds in zip(orders, (both.real_folds, both.other_folds), strict=True):
        assert order.shape == orders[0].shape
        for repeat, rows in enumerate(order.numpy()):
            assert set(folds[rows[seen:]]) == {repeat % FOLDS}
            assert set(folds[rows[:seen]]) == {0, 1, 2} - {repeat % FOLDS}
            assert len(set(rows)) == len(rows)
    assert (seen, orders[0].shape[1] - seen) == (33, 16)
    found = discriminative_score(both.real.values, both.other.values, repeats=4, steps=2, parted=both)
    assert found.shape == (4,)
    assert found.max() <= 0.5
