"""Run folders of the version before: they load, make the same rows and windows, and can be gone on with.

tests/golden/of_0.1.0 was written by version 0.1.0 as of commit d64b1a8, from the data below, each in a few steps:

    Synthesizer.fit(data, TrainConfig(steps=4, seed=3, validations=1, batch=40), folder, model=model, sizes=sizes)
    TableSynthesizer.fit(table(), folder, model=model, epochs=2, seed=2, networks=..., training={"batch": 100})

and expected.json by drawing from each of them: three windows or rows of seed 5; of gain, what it fills with seed 1.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ecgsynth
from ecgsynth import Synthesizer, TrainConfig, Windows, split
from ecgsynth.errors import ArtifactError
from ecgsynth.tabular.imputer import Imputer
from ecgsynth.tabular.synthesizer import TableSynthesizer

pytestmark = pytest.mark.trains
OLDER = Path(__file__).resolve().parent / "golden" / "of_0.1.0"
EXPECTED = json.loads((OLDER / "expected.json").read_text(encoding="utf-8"))
SMALL = {"hidden": 8, "critic_hidden": 16, "cluster_dim": 4, "read_out": 8, "latent_steps": 2, "step_noise": 2}


def beats(n: int = 600, time: int = 16) -> Windows:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, n)
    t = np.linspace(-1, 1, time)
    shape = np.where(labels[:, None] == 0, np.exp(-(t**2) * 20), np.exp(-(t**2) * 4) * 1.5)
    values = (shape * rng.normal(1, 0.1, (n, 1)) + rng.normal(0, 0.05, (n, time)))[..., None].astype(np.float32)
    made = Windows(
        values=values,
        fs_hz=50.0,
        units="mV",
        channel_names=("MLII",),
        classes=("N", "V"),
        labels=labels,
        groups=np.asarray([f"p{number % 30}" for number in range(n)]),
        event_index=8,
        rr_s=rng.normal(0.8, 0.1, (n, 2)).astype(np.float32),
        meta={"kind": "beats", "band_hz": [0.5, 20.0], "source": {"name": "made up"}},
    )
    return split(made, "beat", 0)


def table(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        {
            "id": [f"P-{number:04d}" for number in range(n)],
            "age": rng.integers(17, 90, n),
            "height": np.round(rng.normal(170, 10, n), 1),
            "sex": np.where(rng.random(n) < 0.5, "f", "m"),
            "day": pd.date_range("2020-01-01", periods=n).strftime("%Y-%m-%d"),
            "town": rng.choice(list("abcde"), n),
        }
    )
    frame.loc[::7, "height"] = np.nan
    return frame


@pytest.mark.parametrize("name", ["rwgan_beats", "rwgan_series"])
def test_a_generator_of_windows_makes_the_same(name: str) -> None:
    made = Synthesizer.load(OLDER / name).windows(3, seed=5).values.reshape(3, -1)
    np.testing.assert_allclose(made, EXPECTED[name], atol=2e-5)


def test_a_timegan_of_that_version_is_to_be_trained_again() -> None:
    with pytest.raises(ArtifactError, match="a TimeGAN whose networks are those of an earlier version; train again"):
        Synthesizer.load(OLDER / "timegan_series")


@pytest.mark.parametrize("name", ["default", "ctgan", "cgan"])
def test_a_generator_of_rows_makes_the_same(name: str) -> None:
    made = ecgsynth.load(OLDER / name).sample(3, seed=5)
    assert list(made.columns) == list(EXPECTED[name])
    for column, values in EXPECTED[name].items():
        for got, wanted in zip(made[column], values, strict=True):
            if isinstance(wanted, str):
                assert got == wanted, column
            else:
                assert pd.isna(got) if wanted is None else got == pytest.approx(wanted, rel=1e-5), column


def test_an_imputer_fills_the_same() -> None:
    made = Imputer.load(OLDER / "gain").impute(table(), seed=1)["height"][::7][:5]
    assert made.tolist() == pytest.approx(EXPECTED["gain"], abs=0.1001)  # a rounded digit may fall to the other side


def test_a_generator_of_windows_is_gone_on_with(tmp_path: Path) -> None:
    shutil.copytree(OLDER / "rwgan_beats", tmp_path / "run")
    settings = TrainConfig(steps=4, seed=3, validations=1, batch=40)
    model = {"model": "rwgan", "config": {"components": 6, **SMALL}, "device": "cpu"}
    made = Synthesizer.fit(beats(), tmp_path / "run", training=settings, **model, resume=True)
    assert made.about.metrics["steps"] == 4  # all were done: what its checkpoint holds was taken over
    np.testing.assert_allclose(made.windows(3, seed=5).values.reshape(3, -1), EXPECTED["rwgan_beats"], atol=2e-5)


def test_a_generator_of_rows_is_gone_on_with(tmp_path: Path) -> None:
    shutil.copytree(OLDER / "ctgan", tmp_path / "run")
    made = TableSynthesizer.fit(
        table(),
        tmp_path / "run",
        model="ctgan",
        epochs=2,
        seed=2,
        config={"hidden": (8, 8)},
        training={"batch": 100},
        device="cpu",
        resume=True,
    )
    assert list(made.sample(3, seed=5)["id"]) == EXPECTED["ctgan"]["id"]
