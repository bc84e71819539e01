"""Pictures of windows: what they show, and that a notebook's backend and its figures stay as they are."""

from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib import image, pyplot

from ecgsynth.report.plots import maps, save_beats, save_series
from ecgsynth.windows.windows import Windows


def windows(seed: int, n: int = 12) -> Windows:
    return Windows(
        values=np.random.default_rng(seed).normal(size=(n, 20, 2)).astype(np.float32),
        fs_hz=10.0,
        units="mV",
        channel_names=("a", "b"),
        classes=("N", "V"),
        labels=np.arange(n) % 2,
    )


class Sampler:
    def windows(self, n: int, label: str, seed: int) -> Windows:
        return windows(seed, n)


@pytest.mark.parametrize("kind", ["beats", "series"])
def test_the_backend_is_the_same_before_and_after(kind: str, tmp_path: Any) -> None:
    before = matplotlib.get_backend()
    pyplot.switch_backend("svg")
    try:
        figures = pyplot.get_fignums()
        if kind == "beats":
            save_beats(tmp_path / "a.png", windows(0), Sampler())  # type: ignore[arg-type]
        else:
            save_series(tmp_path / "a.png", windows(0), windows(1))
        assert matplotlib.get_backend() == "svg"
        assert pyplot.get_fignums() == figures
    finally:
        pyplot.switch_backend(before)
    picture = image.imread(tmp_path / "a.png")
    assert picture.shape[:2] == ((418, 990) if kind == "beats" else (858, 990))  # 110 dots an inch, as ever
    assert picture[..., :3].std() > 0.05, "an empty picture"


def test_a_picture_is_the_same_for_a_seed(tmp_path: Any) -> None:
    for name in ("one", "other"):
        save_series(tmp_path / f"{name}.png", windows(0), windows(1))
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()
    save_series(tmp_path / "few.png", windows(0, 3), windows(1, 4), seed=2**64 - 1)


def test_the_maps_show_every_window_and_whether_they_are_alike() -> None:
    real = windows(0, 60).values
    found = maps(real, real[:40] + 8, seed=0)
    assert list(found) == ["PCA", "t-SNE"]
    assert [tuple(len(points) for points in pair) for pair in found.values()] == [(60, 40)] * 2
    a, b = found["t-SNE"]
    apart = np.linalg.norm(b[:, None] - np.concatenate([a, b]), axis=2)
    apart[np.arange(40), 60 + np.arange(40)] = np.inf
    assert (apart.argmin(axis=1) >= 60).all()  # the window nearest to each synthetic one is synthetic
    a, b = maps(real, real[:40], seed=0)["PCA"]
    assert a[:40] == pytest.approx(b, abs=1e-4)
    flat = (real / real.std(axis=(0, 1))).reshape(60, -1)
    deviations = np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False)[:2] / np.sqrt(60)
    assert a.std(axis=0) == pytest.approx(deviations, rel=1e-3)
    assert a.mean(axis=0) == pytest.approx([0, 0], abs=1e-4)
