"""Records as JSON: what comes back is what was kept, under keys that outlive the names of fields."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgsynth.core.records import from_json, key, keys_of, to_json
from ecgsynth.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Bound:
    lowest: float | None
    highest: float | None


@dataclass(frozen=True, kw_only=True)
class Facts:
    rate: float = key("fs_hz")
    places: NDArray[np.int64]
    bounds: tuple[Bound, ...]
    pair: tuple[float, float] = (0.0, 1.0)
    bound: Bound | None = None
    notes: dict[str, str] = field(default_factory=dict)


WHOLE = Facts(
    rate=360.0,
    places=np.array([3, 1]),
    bounds=(Bound(lowest=0.1, highest=None), Bound(lowest=None, highest=2.0)),
    pair=(2.0, 3.0),
    bound=Bound(lowest=1.0, highest=2.0),
    notes={"a": "b"},
)


def test_what_comes_back_is_what_was_kept() -> None:
    content = json.loads(json.dumps(to_json(WHOLE)))
    found = from_json(Facts, content)
    assert found.places.dtype == np.int64
    assert found.places.tolist() == [3, 1]
    assert (found.rate, found.bounds, found.pair) == (WHOLE.rate, WHOLE.bounds, WHOLE.pair)
    assert (found.bound, found.notes) == (WHOLE.bound, WHOLE.notes)


def test_a_field_stands_under_its_own_key() -> None:
    assert to_json(WHOLE)["fs_hz"] == 360.0
    assert keys_of(Facts)["fs_hz"] == "rate"
    with pytest.raises(ConfigError, match="Facts has no setting rate; it was written by another version"):
        from_json(Facts, {"rate": 1.0, "places": [], "bounds": []})


def test_what_is_missing_or_unknown_is_named() -> None:
    with pytest.raises(ConfigError, match="Facts needs the setting bounds, fs_hz, but it is not there"):
        from_json(Facts, {"places": []})
    with pytest.raises(ConfigError, match="Bound has no setting middle"):
        from_json(Bound, {"lowest": None, "highest": None, "middle": 1.0})
    assert from_json(Bound, {"lowest": None, "highest": 1.0, "middle": 1.0}, lenient=True).highest == 1.0
    with pytest.raises(ConfigError, match="kept as a JSON object, got list"):
        from_json(Bound, [])
