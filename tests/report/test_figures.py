"""Pictures are drawn without pyplot: a notebook's backend and its figures stay as they are."""

from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib import image, pyplot

from ecgsynth.report.plots import save_beats, save_series
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
