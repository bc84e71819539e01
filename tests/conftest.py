"""What several test files need: the real records where they are present, and small ones written for a test."""

import importlib.util
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import settings
from numpy.typing import ArrayLike

from ecgsynth.cli.main import main
from ecgsynth.windows.beats import read_beats
from ecgsynth.windows.windows import Windows

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"  # unless ECGSYNTH_DATA names another folder
GAIN = {"16": 1000.0, "212": 200.0}  # steps a millivolt, by WFDB format

WriteRecord = Callable[..., Path]


def pytest_configure(config: pytest.Config) -> None:
    # wfdb 4.3 uses what pandas 3.1 wants to remove one day; that is theirs to mend.
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:wfdb")
    # OpenBLAS leaves floating-point flags set on some processors, where nothing is wrong with the numbers.
    config.addinivalue_line("filterwarnings", "ignore:.*encountered in matmul:RuntimeWarning:sklearn")
    # The same examples in every run, however slow the machine.
    settings.register_profile("ecgsynth", deadline=None, derandomize=True, max_examples=60)
    settings.load_profile("ecgsynth")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Small tensors gain nothing from threads, and results do not hang on how many cores there are."""
    if importlib.util.find_spec("torch") is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def run() -> Callable[..., Result]:
    """A function that runs the command line with these words."""

    def invoke(*words: object) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words])

    return invoke


@pytest.fixture(scope="session")
def works(run: Callable[..., Result]) -> Callable[..., str]:
    """A function that gives what a command says, exit status 0."""

    def say(*words: object) -> str:
        done = run(*words)
        assert done.exit_code == 0, f"{words}: {done.output}{done.exception!r}"
        return done.output

    return say


@pytest.fixture(scope="session")
def refuses(run: Callable[..., Result]) -> Callable[..., str]:
    """A function that gives the one sentence that a command says, exit status 1; how far it was may stand before it."""

    def say(*words: object) -> str:
        done = run(*words)
        assert isinstance(done.exception, SystemExit), f"{words}: {done.exception!r}"
        assert done.exit_code == 1, done.output
        *phases, line = done.stderr.strip().splitlines()
        assert all(re.fullmatch(r"[A-Z][a-z]+(: [a-z ]+)?", phase) for phase in phases), done.stderr
        assert line.startswith("Error: ")
        assert "Traceback" not in done.output
        return line.removeprefix("Error: ")

    return say


@pytest.fixture(scope="session")
def mitdb() -> Path:
    """The folder of the MIT-BIH records."""
    folder = Path(os.environ.get("ECGSYNTH_DATA") or DATA) / "mitdb"
    if not (folder / "234.dat").exists():
        pytest.skip(f"no MIT-BIH records in {folder}; set ECGSYNTH_DATA to the folder that holds mitdb")
    return folder


@pytest.fixture(scope="session")
def timed_beats(mitdb: Path) -> tuple[Windows, float]:
    """Every beat of the 48 records, with the standard options, and the seconds of processor time that it took."""
    start = time.process_time()
    beats = read_beats(mitdb)
    taken = time.process_time() - start
    for array in (beats.values, beats.labels, beats.groups, beats.rr_s):
        assert array is not None
        array.flags.writeable = False
    return beats, taken


@pytest.fixture(scope="session")
def all_beats(timed_beats: tuple[Windows, float]) -> Windows:
    """Every beat of the 48 records, with the standard options; no test can change it."""
    return timed_beats[0]


@pytest.fixture
def write_record(tmp_path: Path) -> WriteRecord:
    """A function that writes one WFDB record into a folder of the test and gives the folder.

    signal: (time,) or (time, leads) in mV; NaN is written as a missing sample
    samples, symbols: the annotations in order of time; one symbol for all of them is enough
    fmt: "16" (steps of 1/1000 mV) or "212" (steps of 1/200 mV)
    """
    wfdb = pytest.importorskip("wfdb")

    def write(
        signal: ArrayLike,
        samples: Sequence[int] = (),
        symbols: str | Sequence[str] = "N",
        *,
        name: str = "r1",
        fs: float = 360,
        leads: Sequence[str] = ("MLII",),
        fmt: str = "16",
        units: str = "mV",
        folder: Path | None = None,
    ) -> Path:
        folder = tmp_path / "records" if folder is None else folder
        folder.mkdir(parents=True, exist_ok=True)
        columns = np.asarray(signal, dtype=np.float64).reshape(len(signal), -1)
        wfdb.wrsamp(
            name,
            fs=fs,
            units=[units] * len(leads),
            sig_name=list(leads),
            p_signal=columns,
            fmt=[fmt] * len(leads),
            adc_gain=[GAIN[fmt]] * len(leads),
            baseline=[0] * len(leads),
            write_dir=str(folder),
        )
        marks = list(symbols) if len(symbols) == len(samples) else [*symbols] * len(samples)
        if marks:
            wfdb.wrann(name, "atr", np.asarray(samples, dtype=np.int64), symbol=marks, write_dir=str(folder))
        else:  # wrann writes none: the two bytes that end an annotation file
            (folder / f"{name}.atr").write_bytes(b"\0\0")
        return folder

    return write


# ---- made-up people

PEOPLE_SAMPLES = 64


def bumps(heights: Any, places: Any, width: float = 4.0) -> Any:
    """(n, PEOPLE_SAMPLES) sums of bumps."""
    clock = np.arange(PEOPLE_SAMPLES)
    return (
        np.asarray(heights)[:, :, None] * np.exp(-0.5 * np.square((clock - np.asarray(places)[:, :, None]) / width))
    ).sum(axis=1)


def made_people(
    people: int = 12, beats: int = 40, rare: int = 15, seed: int = 0, *, noise: float = 0.02, having: int | None = None
) -> Windows:
    """Beats of classes N and V, split by patient; ``rare`` of V each, of the first ``having`` people (all of them)."""
    rng = np.random.default_rng(seed)
    values, labels, groups, rr_s = [], [], [], []
    for person in range(people):
        heights = np.array([0.2, 1.0, 0.3]) * rng.lognormal(0, 0.3, 3)
        places = np.array([12.0, 25.0, 45.0]) + rng.normal(0, 1.5, 3)
        normal = bumps(heights[None], places[None])[0]
        other = bumps(np.array([[-0.8 * heights[1], 0.5]]), np.array([[27.0, 48.0]]), 7.0)[0]
        level = rng.normal(-0.2, 0.15)
        has = having is None or person < having
        for label, count in ((0, beats), (1, rare if has else 2)):
            away = noise * np.cumsum(rng.normal(size=(count, PEOPLE_SAMPLES)), axis=1) / 3
            values.append((normal if label == 0 else other) + away)
            labels.append(np.full(count, label))
            change = np.array([-0.3, 0.2]) if label else np.zeros(2)
            rr_s.append(np.exp(level + change + rng.normal(0, 0.03, (count, 2))))
            groups.append(np.full(count, f"p{person:02d}"))
    owners = np.concatenate(groups)
    parts = np.zeros(len(owners), dtype=np.int8)
    for part, number in enumerate((people * 2 // 3, people * 5 // 6)):
        parts[owners >= f"p{number:02d}"] = part + 1
    return Windows(
        values=np.concatenate(values)[..., None].astype(np.float32),
        fs_hz=100.0,
        units="mV",
        channel_names=("II",),
        classes=("N", "V"),
        labels=np.concatenate(labels).astype(np.int64),
        groups=owners,
        parts=parts,
        rr_s=np.concatenate(rr_s).astype(np.float32),
        event_index=25,
        meta={"kind": "beats", "split": "patient"},
    )


@pytest.fixture(scope="session")
def people() -> Callable[..., Windows]:
    """A function that makes up people, each with beats of his own shape."""
    return made_people
