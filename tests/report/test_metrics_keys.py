"""metrics.json is read by others: the keys that it had once, it has for ever. More may come.

tests/golden/metrics_keys.json holds them, of the evaluations in conftest.py; a key is added to it by hand.
"""

import json
from pathlib import Path
from typing import Any

import pytest

KEYS = json.loads((Path(__file__).resolve().parents[1] / "golden" / "metrics_keys.json").read_text(encoding="utf-8"))


def keys_of(measured: Any) -> set[str]:
    """The places of all values in nested dictionaries: fidelity.measures.mmd.value."""
    if not isinstance(measured, dict):
        return set()
    inner = {f"{name}.{key}" for name, value in measured.items() for key in keys_of(value)}
    return {str(name) for name in measured} | inner


@pytest.mark.parametrize("kind", ["beats", "grouped", "whole", "labelled"])
def test_every_key_is_there_still(kind: str, request: pytest.FixtureRequest) -> None:
    measured = json.loads((request.getfixturevalue(kind)["out"] / "metrics.json").read_text(encoding="utf-8"))
    assert set(KEYS[kind]) <= keys_of(measured)
