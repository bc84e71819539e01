"""Stretches of time that share no row, so that a judge learns from some of them and is tested on others.

Windows of a series overlap. A judge that learns from one real window and is tested on its neighbour need only remember:
what it then says is not how lifelike synthetic windows are. Everything that learns to tell windows apart parts them
here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgsynth.windows.windows import Windows

__all__ = ["FOLDS", "Parted", "in_halves", "learnt_and_tested", "stretches", "stretches_of"]

FOLDS = 3  # of which one is tested on
MOST_STRETCHES = 60  # of a long series; a shorter one has stretches of three times the overlap
LEAST_WINDOWS = 10  # of each kind, to learn from and to test on
LEARNT_SHARE = 0.7  # of windows that are parted at random

Rows = NDArray[np.int64]


def stretches(
    n: int,
    overlap: int,
    owners: Rows | None = None,
    labels: Rows | None = None,
    *,
    least: int = FOLDS,
    seed: int = 0,
) -> Rows | None:
    """The stretch in which each of ``n`` windows lies, so that windows of two stretches share no row.

    Where there are enough sequences, each is a stretch, numbered at random, those of one class after another. Otherwise
    a stretch is a piece of time, and the last ``overlap`` windows of it are left out.

    Parameters
    ----------
    n
        Windows in the order of time.
    overlap
        How many of the windows after it a window may share rows with; 0 where each stands alone.
    owners
        (n,) the sequence of each window.
    labels
        (n,) the class of each window, the same within a sequence.
    least
        How many stretches are needed.
    seed
        Of the numbers of sequences.

    Returns
    -------
    (n,) from 0 up, or -1 of a window that is left out; None where there is no room for so many stretches.

    """
    alone = np.arange(n) if overlap == 0 else None
    owners = alone if owners is None or len(np.unique(owners)) < least else owners
    if owners is not None:
        _, first, owner_of = np.unique(owners, return_index=True, return_inverse=True)
        classes = np.zeros(len(first)) if labels is None else labels[first]
        order = np.lexsort((np.random.default_rng(seed).random(len(first)), classes))
        return np.argsort(order)[owner_of] if len(first) >= least else None
    length = min(max(3 * overlap, n // MOST_STRETCHES), n // least)
    if length <= overlap:
        return None
    stretch, place = np.divmod(np.arange(n), length)
    return np.where(place < length - overlap, stretch, -1)


def stretches_of(windows: Windows, *, least: int = FOLDS, seed: int = 0) -> Rows | None:
    """The stretches of all windows of a series, or of a part that shares no row with the others (see ``stretches``)."""
    return stretches(len(windows), windows.overlap, windows.owners, windows.labels, least=least, seed=seed)


def learnt_and_tested(n: int, overlap: int, seed: int = 0) -> tuple[Rows, Rows]:
    """Positions, in random order, of the windows that one classifier learns from and of those that it is tested on.

    Every third stretch is tested on. Windows that stand alone, or are too few for stretches, are parted at random.
    """
    order = np.random.default_rng(seed).permutation(n)
    stretch = stretches(n, overlap) if overlap else None
    if stretch is None:
        learn, check = np.split(order, [round(LEARNT_SHARE * n)])
        return learn, check
    fold = fold_of(stretch[order])
    return order[(fold >= 0) & (fold < FOLDS - 1)], order[fold == FOLDS - 1]


# ---- two sets of windows


@dataclass(frozen=True, kw_only=True)
class Parted:
    """Two sets of windows, each in folds that share no row: a judge learns from all but one, and is tested on that.

    Parameters
    ----------
    real, other
        Windows of the same classes.
    real_folds, other_folds
        (n,) and (m,) the fold of each, from 0 to FOLDS - 1, or -1 of a window that is left out.

    """

    real: Windows
    other: Windows
    real_folds: Rows
    other_folds: Rows

    @classmethod
    def of(cls, real: Windows, other: Windows, seed: int = 0) -> "Parted | None":
        """Two sets that share no row; None where one of them has no room for the folds, or too few windows."""
        found = [stretches_of(windows, seed=seed) for windows in (real, other)]
        folds = [fold_of(stretch) for stretch in found if stretch is not None]
        if len(folds) < len(found):
            return None
        return cls(real=real, other=other, real_folds=folds[0], other_folds=folds[1]).if_enough()

    def if_enough(self) -> "Parted | None":
        """These, or None unless there are LEAST_WINDOWS of both to learn from and to test on, whichever the fold."""
        drawn = [part for fold in range(FOLDS) for part in self.rows(fold, 0)[0]]
        return self if min(map(len, drawn)) >= LEAST_WINDOWS else None

    def rows(self, fold: int, seed: int) -> tuple[tuple[Rows, Rows], tuple[Rows, Rows]]:
        """Of the real and of the other windows, those to learn from and those of ``fold``, to test on.

        As many of each class of both, drawn at random and in random order.
        """
        rng = np.random.default_rng((seed, fold))
        real, other = [], []
        for tested in (False, True):
            masks = [(folds >= 0) & ((folds == fold) == tested) for folds in (self.real_folds, self.other_folds)]
            pairs = [*self.of_each_class(masks, rng)]
            real.append(rng.permutation(np.concatenate([a for a, _ in pairs])))
            other.append(rng.permutation(np.concatenate([b for _, b in pairs])))
        return (real[0], real[1]), (other[0], other[1])

    def of_each_class(self, masks: list[NDArray[np.bool_]], rng: np.random.Generator) -> Iterator[tuple[Rows, Rows]]:
        """Of each class as many of both sets, among those in the masks."""
        for code in range(len(self.real.classes)):
            own = [
                rng.permutation(np.flatnonzero(mask & (windows.labels == code)))
                for windows, mask in zip((self.real, self.other), masks, strict=True)
            ]
            count = min(map(len, own))
            yield own[0][:count], own[1][:count]


def in_halves(windows: Windows, seed: int = 0) -> Parted | None:
    """Three stretches beside the next three, and so on: real against real where there is one set alone.

    As in a comparison with synthetic windows, a stretch that is tested on has most often neighbours of its own kind
    among those learnt from; what that alone gives away is in this baseline. Were they always of the other kind, a judge
    that remembers would be wrong more often than not. None where there is no room, or too few windows.
    """
    found = stretches_of(windows, least=2 * FOLDS, seed=seed)
    if found is None:
        return None
    halves = [np.flatnonzero((found >= 0) & (found // FOLDS % 2 == side)) for side in (0, 1)]
    one, other = (windows.take(half) for half in halves)
    folds = [fold_of(found[half]) for half in halves]
    return Parted(real=one, other=other, real_folds=folds[0], other_folds=folds[1]).if_enough()


def fold_of(stretch: Rows) -> Rows:
    """Neighbours are in different folds; -1 stays so."""
    return np.where(stretch >= 0, stretch % FOLDS, -1)
