"""What the tests of the commands share: small data of each kind, judges that are done at once, and what was said."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ecgsynth.metrics.classifier import ClassifierConfig

FS, SECONDS = 120, 40
QUICK = {
    "training.selection.MOST_SYNTHETIC": 100,
    "training.selection.CLASSIFIER": ClassifierConfig(width=8, steps=3, batch=32),
    "auditing.RELEASED_WINDOWS": 300,
    "auditing.LEAST_WINDOWS": 60,
    "metrics.attacks.shadow.SYNTHETIC": 300,
    "demo.CLASSIFIER_STEPS": 3,
    "demo.REPEATS": 1,
    "demo.DRAWN": 50,
    "evaluation.COMPARED_WINDOWS": 50,
    "evaluation.RELEASED_WINDOWS": 200,
    "evaluation.MOST_WINDOWS": 30,
    "metrics.beats.MOST_WINDOWS": 30,
}


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    """Judges and reports that are done at once; the networks have the size that they have."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUICK.items():
            patch.setattr(f"ecgsynth.{name}", value)
        yield


@pytest.fixture
def said(way: Path) -> Callable[[str], str]:
    """A function that gives what a command said on the way of this file, which keeps it in said.json."""
    content = json.loads((way / "said.json").read_text(encoding="utf-8"))
    return lambda command: str(content[command])


@pytest.fixture(scope="session")
def write_records() -> Callable[[Path], None]:
    """A function that writes four records of a beat a second, every third of them a broad and inverted one."""
    wfdb = pytest.importorskip("wfdb")

    def write(folder: Path) -> None:
        folder.mkdir()
        clock = np.arange(FS * SECONDS)
        for number in range(4):
            rng = np.random.default_rng(number)
            peaks = np.arange(FS // 2, FS * SECONDS, FS) + rng.integers(-9, 9, size=SECONDS)
            symbols = ["V" if beat % 3 == 2 else "N" for beat in range(SECONDS)]
            signal = 0.05 * rng.normal(size=FS * SECONDS)
            for peak, symbol in zip(peaks, symbols, strict=True):
                width, height = (8, -1.5) if symbol == "V" else (2, 1.0)
                signal += height * np.exp(-(((clock - peak) / width) ** 2))
            how = {"fs": FS, "units": ["mV"], "sig_name": ["MLII"], "fmt": ["16"], "adc_gain": [1000.0]}
            wfdb.wrsamp(f"r{number}", p_signal=signal[:, None], baseline=[0], write_dir=str(folder), **how)
            wfdb.wrann(f"r{number}", "atr", peaks, symbol=symbols, write_dir=str(folder))

    return write


@pytest.fixture(scope="session")
def write_series() -> Callable[[Path], None]:
    """A function that writes thirty-two people in two wards, a row every ten minutes; a note that is no number."""

    def write(path: Path) -> None:
        rng = np.random.default_rng(0)
        with path.open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            out.writerow(["who", "when", "flow", "pulse", "note", "age", "ward"])
            for person in range(32):
                age = int(rng.integers(20, 90))
                wave = np.sin(np.arange(24) / 3 + rng.uniform(0, 6)) + 0.1 * rng.normal(size=24)
                for step, value in enumerate(wave):
                    when = f"2024-03-01 {step // 6:02d}:{step % 6}0:00"
                    pulse = round(70 + 8 * value + rng.normal())
                    out.writerow([f"p{person:02d}", when, f"{value:.9f}", pulse, "x", age, "AB"[person % 2]])

    return write


@pytest.fixture(scope="session")
def write_rows() -> Callable[..., None]:
    """A function that writes people of an age, who earn more or less, some of whose rates are missing."""
    pandas = pytest.importorskip("pandas")

    def write(path: Path, n: int = 400, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        age = rng.integers(17, 90, n)
        frame = pandas.DataFrame(
            {
                "age": age,
                "hours": np.where(rng.random(n) < 0.5, 40, rng.integers(1, 99, n)),
                "rate": np.round(rng.lognormal(2, 0.5, n), 2),
                "sex": rng.choice(["Female", "Male"], n),
                "class": np.where(age + rng.normal(0, 10, n) > 55, ">50K", "<=50K"),
            }
        )
        frame.loc[rng.random(n) < 0.1, "rate"] = np.nan
        frame.to_csv(path, index=False)

    return write
