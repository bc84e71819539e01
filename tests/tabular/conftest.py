"""A table of every kind of column, and models that learn it in no time."""

from typing import Any

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def people() -> pd.DataFrame:
    """400 rows; one ward that two people are in, and one name that nobody shares."""
    rng = np.random.default_rng(0)
    n = 400
    age = rng.integers(18, 90, n)
    ward = np.where(age > 60, "east", np.where(rng.random(n) < 0.5, "north", "west")).astype(object)
    ward[:2] = "Atlantis"
    weight = np.round(rng.normal(75, 12, n), 1)
    weight[rng.random(n) < 0.2] = np.nan
    ward[rng.random(n) < 0.1] = None
    ward[:2] = "Atlantis"
    return pd.DataFrame(
        {
            "id": [f"PX-{number:05d}" for number in rng.permutation(n) * 7],
            "age": age,
            "weight": weight,
            "dose": rng.lognormal(size=n),
            "born": (np.datetime64("2020-03-01") - age * 365 - rng.integers(0, 365, n)).astype(str),
            "seen": pd.Series(np.datetime64("2021-01-01T00:00:00", "s") + rng.integers(0, 10**7, n)),
            "ward": ward,
            "smoker": rng.random(n) < 0.3,
            "class": rng.integers(0, 2, n),
        }
    )


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    """Settings of a small model on the processor."""
    return {"config": {"hidden": (8,)}, "training": {"batch": 100}, "device": "cpu"}
