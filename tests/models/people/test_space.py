"""The public space of windows."""

import numpy as np
import pytest

from ecgsynth.errors import ArtifactError, DataError
from ecgsynth.models.people.space import CosineSpace


def smooth(n, time, channels, seed=0):
    rng = np.random.default_rng(seed)
    clock = np.linspace(0, 1, time)
    waves = np.stack([np.cos(np.pi * k * clock) for k in range(1, 6)], axis=1)
    return (rng.normal(size=(n, channels, 5)) @ waves.T).swapaxes(1, 2).astype(np.float32)


def back(space, features):
    matrix, added = space.basis()
    made = features @ matrix + added
    size = space.time * space.channels
    return made[:, :size].reshape(-1, space.time, space.channels), np.exp(made[:, size:])


@pytest.mark.parametrize("channels", [1, 2])
def test_smooth_windows_and_intervals_come_back(channels):
    values = smooth(20, 48, channels)
    rr_s = np.random.default_rng(1).uniform(0.4, 1.5, (20, 2)).astype(np.float32)
    space = CosineSpace.fit(values, rr_s)
    assert space.cosines < 48
    made, intervals = back(space, space.transform(values, rr_s))
    assert np.square(made - values).sum() < 1e-4 * np.square(values).sum()
    assert intervals == pytest.approx(rr_s, rel=1e-5)


def test_the_space_is_the_same_for_other_people():
    one, other = (CosineSpace.fit(smooth(20, 48, 1, seed)) for seed in (0, 1))
    assert one == other
    assert np.array_equal(one.basis()[0], other.basis()[0])


def test_rows_of_samples_are_orthonormal():
    space = CosineSpace(time=32, channels=2, cosines=9, intervals=0)
    rows = space.samples()
    assert rows @ rows.T == pytest.approx(np.eye(18), abs=1e-6)


def test_a_missing_interval_is_a_usual_one():
    values = smooth(3, 32, 1)
    space = CosineSpace(time=32, channels=1, cosines=8, intervals=2)
    rr_s = np.array([[np.nan, 0.8], [0.8, 0.8], [0.8, np.nan]], dtype=np.float32)
    _, intervals = back(space, space.transform(values, rr_s))
    assert intervals[0, 0] == pytest.approx(0.78, abs=0.01)
    with pytest.raises(DataError, match="RR intervals"):
        space.transform(values)


def test_components_by_hand(tmp_path):
    values = smooth(5, 32, 2)
    assert CosineSpace.fit(values, components=10).cosines == 5
    with pytest.raises(DataError, match="have 2 to 64 components, got 65"):
        CosineSpace.fit(values, components=65)
    space = CosineSpace.fit(values)
    space.save(tmp_path / "scaler.json")
    assert CosineSpace.load(tmp_path / "scaler.json") == space
    (tmp_path / "scaler.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ArtifactError, match="train again"):
        CosineSpace.load(tmp_path / "scaler.json")
