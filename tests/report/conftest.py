"""Small evaluations of each kind, which several files look at: all that comes of them."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgsynth.evaluation import evaluate
from ecgsynth.export.manifest import Manifest
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.training.run_folder import RunFolder
from ecgsynth.windows.info import ClassInfo, DataInfo
from ecgsynth.windows.series import SeriesOptions, read_series
from ecgsynth.windows.splits import split
from ecgsynth.windows.windows import Windows

TINY = Path(__file__).resolve().parents[1] / "golden" / "tiny.onnx"
LENGTH = 12
UNITS = np.array([1e5, 1.0, 0.01])
NAMES = ("volume", "price", "share")


def rows(seed: int, n: int, kind: str = "a") -> np.ndarray:
    """Waves with noise that remembers; those of kind b are quicker."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 2 * np.pi) + (0.5 if kind == "a" else 1.2) * np.arange(n)
    noise = np.convolve(rng.normal(size=n + 8), 0.8 ** np.arange(9), mode="valid")
    values = np.stack([np.sin(phase), noise, np.cos(phase)], axis=1) + 0.05 * rng.normal(size=(n, 3))
    return np.asarray(UNITS * (values + 2))


def write(path: Path, classes: tuple[str, ...], n: int = 400) -> tuple[Path, SeriesOptions]:
    """A table of one long series, or of forty labelled sequences."""
    if len(classes) == 1:
        lines = [",".join(map(repr, row)) for row in rows(0, n).tolist()]
        path.write_text("\n".join([",".join(NAMES), *lines]))
        return path, SeriesOptions(length=LENGTH)
    lines = []
    for number in range(40):
        kind = classes[number % 2]
        lines += [",".join([str(number), kind, *map(repr, row)]) for row in rows(number, 16, kind).tolist()]
    path.write_text("\n".join([",".join(["id", "kind", *NAMES]), *lines]))
    return path, SeriesOptions(length=LENGTH, id="id", label="kind")


def run_of(folder: Path, fingerprint: str, **private: Any) -> Path:
    """A run folder that learnt from data of this fingerprint."""
    run = RunFolder(folder)
    run.write_config({"data": {"private": {**private, "digest": run.digest(fingerprint)}}})
    return folder


class Fake:
    """A generator that cuts new windows from new series of the same kind."""

    def __init__(self, real: Windows, metrics: dict[str, Any] | None = None, **changes: Any) -> None:
        self.path = Path("stocks.onnx")
        self.real = real
        learn = real.part("train")
        classes = tuple(
            ClassInfo(name=name, meaning=name, share=float(share))
            for name, share in zip(real.classes, learn.shares(), strict=True)
        )
        known: dict[str, Any] = {"kind": "series", "time": LENGTH, "fs_hz": real.fs_hz, "units": "as given"}
        known |= {"channel_names": real.channel_names, "event_index": None, "classes": classes, "source": real.source}
        known |= {"series": real.series, "split": real.meta["split"], "training_windows": len(learn)}
        known |= {"training_patients": None if learn.groups is None else len(np.unique(learn.groups))}
        training = {"model": "timegan", "config": {"seed": 3}}
        self.manifest = Manifest(
            noise_dim=7, data=DataInfo(**(known | changes)), training=training, metrics=metrics or {}
        )

    def draw(self, label: str, n: int, seed: int) -> np.ndarray:
        return np.stack([rows(1000 * seed + 77 + i, LENGTH, label) for i in range(n)])

    def windows(self, n: int, label: str | None = None, seed: int = 0) -> Windows:
        classes = self.manifest.class_names
        rng = np.random.default_rng(seed)
        codes = rng.integers(len(classes), size=n) if label is None else np.full(n, classes.index(label))
        values = np.empty((n, LENGTH, len(NAMES)), dtype=np.float32)
        for code, name in enumerate(classes):
            own = codes == code
            if own.any():
                values[own] = self.draw("a" if name == "all" else name, int(own.sum()), seed)
        kept = {name: getattr(self.real, name) for name in ("fs_hz", "units", "channel_names", "classes")}
        return Windows(values=values, labels=codes, meta={"kind": "series", "synthetic": True}, **kept)


@pytest.fixture(scope="session")
def series_sampler() -> type[Fake]:
    """The class of a generator of a series."""
    return Fake


@pytest.fixture(scope="session")
def run_folder() -> Callable[..., Path]:
    """A function that makes a run folder which learnt from data of a fingerprint."""
    return run_of


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch_sizes(patch)
        yield


def patch_sizes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("ecgsynth.evaluation.RELEASED_WINDOWS", 300)
    patch.setattr("ecgsynth.auditing.RELEASED_WINDOWS", 300)
    patch.setattr("ecgsynth.report.plots.MAPPED_WINDOWS", 60)


def reported(folder: Path, kind: str, classes: tuple[str, ...]) -> dict[str, Any]:
    """All that comes of an evaluation."""
    table, options = write(folder / "table.csv", classes)
    real = split(read_series(table, options), kind, 0)
    fake = Fake(real)
    progress: list[tuple[str, float]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch_sizes(patch)
        measured = evaluate(
            fake,
            real,
            folder / "report",
            repeats=2,
            steps=3,
            run=None if kind == "none" else run_of(folder / "run", real.part("train").fingerprint()),
            device="cpu",
            on_progress=lambda stage, done: progress.append((stage, done)),
        )
    return {
        "measured": measured,
        "fake": fake,
        "real": real,
        "table": table,
        "progress": progress,
        "out": folder / "report",
    }


@pytest.fixture(scope="session")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return reported(tmp_path_factory.mktemp("grouped"), "group", ("all",))


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return reported(tmp_path_factory.mktemp("whole"), "none", ("all",))


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return reported(tmp_path_factory.mktemp("labelled"), "group", ("a", "b"))


@pytest.fixture(scope="session")
def beats(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Real windows that the golden generator drew, of 40 patients."""
    folder = tmp_path_factory.mktemp("beats")
    sampler = OnnxSampler(TINY)
    made = sampler.sample(240, seed=1)
    groups = np.array([f"p{number // 6}" for number in range(len(made))])
    parts = np.where(np.arange(len(made)) // 6 % 3 == 2, 2, 0).astype(np.int8)
    real = dataclasses.replace(made, groups=groups, parts=parts, meta={"split": "patient"})
    with pytest.MonkeyPatch.context() as patch:
        patch_sizes(patch)
        measured = evaluate(sampler, real, folder / "report", repeats=2, steps=3, device="cpu")
    return {"measured": measured, "fake": sampler, "real": real, "out": folder / "report"}
