"""Persons with rows of their own, and models of them that give everything away, something, or nothing."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

NUMBERS = ("a", "b", "c", "d")

Table = Callable[..., pd.DataFrame]


@pytest.fixture(scope="session")
def persons() -> Table:
    """A function that gives ``rows`` rows of each of ``n`` persons, one person after the other."""

    def made(seed: int, n: int, rows: int = 1) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        usual = np.repeat(rng.normal(size=(n, 4)), rows, axis=0)
        values = usual + (0.3 * rng.normal(size=usual.shape) if rows > 1 else 0)
        values[:, 1] += values[:, 0]
        ill = np.where(values[:, 0] + rng.normal(size=len(values)) > 0, "yes", "no").astype(object)
        ward = np.array([*"uvwx", None], dtype=object)[rng.integers(0, 5, len(values))]
        return pd.DataFrame(values, columns=list(NUMBERS)).assign(ill=ill, ward=ward)

    return made


@pytest.fixture(scope="session")
def replayed() -> Table:
    """A function that gives ``n`` rows of a model that repeats rows with noise."""

    def made(rows: pd.DataFrame, n: int, noise: float, seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        found = rows.iloc[rng.integers(len(rows), size=n)].reset_index(drop=True)
        return found.assign(**{name: found[name] + noise * rng.normal(size=n) for name in NUMBERS})

    return made


@pytest.fixture(scope="session")
def independent() -> Table:
    """A function that gives ``n`` rows of a model of independent columns: normal numbers, categories by their share."""

    def made(rows: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        found = {name: rng.normal(rows[name].mean(), rows[name].std(), n) for name in NUMBERS}
        drawn = {name: rows[name].to_numpy()[rng.integers(len(rows), size=n)] for name in ("ill", "ward")}
        return pd.DataFrame({**found, **drawn})

    return made
