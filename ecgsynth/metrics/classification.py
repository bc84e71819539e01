"""Measures of classification, as functions on confusion matrices."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["accuracy", "confusion_matrix", "f1_by_class", "macro_f1"]


def confusion_matrix(truth: NDArray[np.int64], guess: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """(classes, classes) counts, rows are the true class, columns the guessed one."""
    return np.bincount(truth * classes + guess, minlength=classes * classes).reshape(classes, classes)


def accuracy(confusion: NDArray[np.int64]) -> float:
    """Share of windows whose class was guessed: 0 to 1, higher is better."""
    return float(np.trace(confusion) / max(confusion.sum(), 1))


def f1_by_class(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """(classes,) harmonic mean of precision and recall: 0 to 1, higher is better; NaN for a class that is not there."""
    hits = np.diag(confusion)
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    present = confusion.sum(axis=1) > 0
    return np.where(present, 2 * hits / np.maximum(total, 1), np.nan)


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """Mean F1 over the classes that are there, each counting alike: 0 to 1, higher is better."""
    return float(np.nanmean(f1_by_class(confusion)))
