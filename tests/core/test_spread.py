"""Means and spreads: of the sample, none of one value, and so written; and nothing else writes them."""

import re
from pathlib import Path

import numpy as np
import pytest

from ecgsynth.core.spread import mean_and_spread, with_spread
from ecgsynth.metrics.utility import spread
from ecgsynth.report.windows import figures, number, utility_lines
from ecgsynth.tabular.metrics.utility import summary
from ecgsynth.tabular.report.page import utility_rows

ROOT = Path(__file__).resolve().parents[2]
ONE = {"mean": 0.25, "std": None, "values": [0.25]}


def test_the_spread_is_that_of_a_sample():
    assert mean_and_spread([1.0, 2.0, 3.0]) == (2.0, 1.0)
    assert mean_and_spread(np.array([1.0, 2.0])) == (1.5, pytest.approx(0.5**0.5))
    assert summary([1.0, 2.0, 3.0]) == spread([1.0, 2.0, 3.0]) == {"mean": 2.0, "std": 1.0, "values": [1.0, 2.0, 3.0]}
    assert summary([1.0, float("nan")]) == {"mean": None, "std": None, "values": []}


def test_one_value_has_none_and_none_is_written():
    assert mean_and_spread([0.25]) == (0.25, None)
    assert summary([0.25]) == spread([0.25]) == ONE
    assert (with_spread(0.25, None), with_spread(0.25, 0.0125), with_spread(0.25, 0.5, 1)) == (
        "0.250",
        "0.250 ± 0.013",
        "0.2 ± 0.5",
    )
    assert number(ONE) == "0.250"
    assert figures({"value": 0.25, "spread": None, "baseline": 0.125, "baseline_spread": None, "best": None}) == [
        "0.25",
        "0.125",
        "-",
    ]
    arm = {"macro_f1": ONE, "accuracy": ONE, "f1_by_class": [ONE, None]}
    lines = utility_lines({"classes": ["N", "V"], "TRTR": arm, "TSTR": arm, "augmented": arm}, "beats")
    assert "±" not in "".join(lines)
    found = {
        "target": "x",
        "test_rows": 9,
        "positive": None,
        "TRTR": {"r2": ONE},
        "TSTR": {"r2": ONE},
        "both": {"r2": ONE},
    }
    assert utility_rows({"utility": found})[1][1:] == ["0.250"] * 3


def test_one_place_writes_a_spread():
    said = re.compile(r"\} ± |np\.std\(")
    files = [
        path for folder in ("ecgsynth", "tabular", "export", "benchmarks") for path in (ROOT / folder).glob("*.py")
    ]
    assert [path.name for path in files if said.search(path.read_text(encoding="utf-8"))] == []
