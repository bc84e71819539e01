"""Means and spreads: of the sample, none of one value, and so written; and nothing else writes them."""

import re
from pathlib import Path

import numpy as np
import pytest

from ecgsynth.core.spread import mean_and_spread, of_repeats, with_spread

ROOT = Path(__file__).resolve().parents[2]


def test_the_spread_is_that_of_a_sample():
    assert mean_and_spread([1.0, 2.0, 3.0]) == (2.0, 1.0)
    assert mean_and_spread(np.array([1.0, 2.0])) == (1.5, pytest.approx(0.5**0.5))
    assert of_repeats([1.0, 2.0, 3.0]) == {"mean": 2.0, "std": 1.0, "values": [1.0, 2.0, 3.0]}
    assert of_repeats([1.0, float("nan")]) == {"mean": None, "std": None, "values": []}


def test_one_value_has_none_and_none_is_written():
    assert mean_and_spread([0.25]) == (0.25, None)
    assert of_repeats([0.25]) == {"mean": 0.25, "std": None, "values": [0.25]}
    assert with_spread(0.25, None) == "0.250"
    assert with_spread(0.25, 0.0125) == "0.250 ± 0.013"
    assert with_spread(0.25, 0.5, 1) == "0.2 ± 0.5"


def test_one_place_writes_a_spread():
    said = re.compile(r"\} ± |np\.std\(")
    files = [
        path for folder in ("ecgsynth", "tabular", "export", "benchmarks") for path in (ROOT / folder).rglob("*.py")
    ]
    assert [path.name for path in files if said.search(path.read_text(encoding="utf-8"))] == []
