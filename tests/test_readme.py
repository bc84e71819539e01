"""What the README shows is run: every Python block, and every command line of ecgsynth, on small data and briefly.

A block of the README runs in a folder of its own that holds the files of ``prepare``; a Python block is also given the
files that it loads, as an earlier block left them. ``SHORTER`` says what is put in the place of long trainings and
great numbers of rows; nothing else of a line is changed.
"""

import dataclasses
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

from ecgsynth.metrics.attacks.linkage import CONFIG
from ecgsynth.metrics.classifier import ClassifierConfig

pytest.importorskip("wfdb")

README = Path(__file__).resolve().parents[1] / "README.md"
# In a command line, by the words that it begins with, and in Python.
SHORTER = (
    (r"^(ecgsynth train (ecg|series) .*?)( --budget \S+|$)", r"\1 --steps 2 --device cpu"),
    (r"^(ecgsynth train table .*?)( --budget \S+|$)", r"\1 --epochs 1 --hidden 8 --device cpu"),
    (r"^(ecgsynth evaluate (beats|stocks).*)$", r"\1 --repeats 1 --steps 2 --device cpu"),
    (r"^(ecgsynth demo.*)$", r"\1 --budget 1s"),
    (r" -n \d{4,}", " -n 300"),
    (r"--length \d{4,}", "--length 100"),
    (r"length=\d{4,}", "length=100"),
    (r'(fit\("beats.npz".*?)budget="\w+"', r'\1steps=2, device="cpu"'),
    (r'(fit\("tables/.*?)budget="\w+"', r'\1epochs=1, hidden=8, device="cpu"'),
)
LOADED = re.compile(r"""\b(?:load|fit)\(["']([^"']+)["']""")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block: its language, the line of the README that it begins on, and its text without the fences."""

    language: str
    line: int
    text: str


def blocks() -> list[Block]:
    text = README.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [Block(match[1], text.count("\n", 0, match.start()) + 1, match[2]) for match in found]


BLOCKS = blocks()


def commands(block: Block) -> list[str]:
    """The command lines of ecgsynth in a block of shell; a \\ joins two lines."""
    return [line for line in block.text.replace("\\\n", " ").splitlines() if line.startswith("ecgsynth ")]


def words(line: str) -> list[str]:
    """A command line as the shell gives it to ecgsynth, made shorter."""
    line = shlex.join(shlex.split(line, comments=True))
    for long, short in SHORTER:
        line = re.sub(long, short, line)
    return shlex.split(line)[1:]


SHELL = [(block, line) for block in BLOCKS if block.language == "sh" for line in commands(block)]
PYTHON = [block for block in BLOCKS if block.language == "python"]


# ---- the files that the README speaks of


def write_records(folder: Path) -> None:
    """Eighteen records at 360 Hz of a beat a second, of five kinds by turns."""
    import wfdb

    folder.mkdir()
    fs, beats = 360, 75
    clock = np.arange(fs * beats)
    for number in range(18):
        rng = np.random.default_rng(number)
        peaks = np.arange(fs // 2, fs * beats, fs) + rng.integers(-25, 25, size=beats)
        symbols = ["NAVFQ"[beat % 5] for beat in range(beats)]
        signal = 0.05 * rng.normal(size=len(clock))
        for peak, symbol in zip(peaks, symbols, strict=True):
            width, height = {"N": (6, 1.0), "A": (6, 0.7), "V": (24, -1.5), "F": (15, 1.2), "Q": (12, -0.8)}[symbol]
            signal += height * np.exp(-(((clock - peak) / width) ** 2))
        facts = {
            "fs": fs,
            "units": ["mV"],
            "sig_name": ["MLII"],
            "fmt": ["16"],
            "adc_gain": [1000.0],
            "baseline": [0],
        }
        wfdb.wrsamp(f"r{number}", p_signal=signal[:, None], write_dir=str(folder), **facts)
        wfdb.wrann(f"r{number}", "atr", peaks, symbol=symbols, write_dir=str(folder))


def people(n: int, seed: int) -> pd.DataFrame:
    """A table with the columns that the README asks for."""
    rng = np.random.default_rng(seed)
    age = rng.integers(17, 90, n)
    return pd.DataFrame(
        {
            "age": age,
            "hours": np.where(rng.random(n) < 0.5, 40, rng.integers(1, 99, n)),
            "sex": rng.choice(["Female", "Male"], n),
            "class": np.where(age + rng.normal(0, 10, n) > 55, ">50K", "<=50K"),
        }
    )


def prepare(folder: Path) -> None:
    """Leave in a folder whatever a block reads and does not make."""
    write_records(folder / "mitdb")
    steps = np.cumsum(np.random.default_rng(0).normal(size=(200, 3)), axis=0)
    pd.DataFrame(np.round(50 + steps, 2), columns=["Open", "Close", "Volume"]).to_csv(
        folder / "stock_data.csv", index=False
    )
    (folder / "tables").mkdir()
    for name, n, seed in (("adult", 300, 0), ("adult-test", 100, 1), ("survey", 300, 2)):
        people(n, seed).to_csv(folder / "tables" / f"{name}.csv", index=False)
    holes = people(300, 3)
    holes.loc[::7, "hours"] = np.nan
    holes.to_csv(folder / "holes.csv", index=False)


def speed_up(patch: pytest.MonkeyPatch) -> None:
    """Judges and reports that are done at once, and networks of a size that trains at once."""
    patch.setattr("ecgsynth.training.selection.MOST_SYNTHETIC", 60)
    patch.setattr("ecgsynth.training.selection.CLASSIFIER", ClassifierConfig(width=4, steps=2, batch=16))
    patch.setattr("ecgsynth.export.joining.MOST_POOL", 256)
    patch.setattr("ecgsynth.evaluation.COMPARED_WINDOWS", 30)
    patch.setattr("ecgsynth.evaluation.RELEASED_WINDOWS", 100)
    patch.setattr("ecgsynth.evaluation.MOST_WINDOWS", 30)
    patch.setattr("ecgsynth.metrics.beats.MOST_WINDOWS", 30)
    patch.setattr("ecgsynth.auditing.RELEASED_WINDOWS", 300)
    patch.setattr("ecgsynth.auditing.LEAST_WINDOWS", 60)
    patch.setattr("ecgsynth.metrics.attacks.shadow.SYNTHETIC", 300)
    patch.setattr("ecgsynth.models.people.population.MOST_ROUNDS", 1)
    patch.setattr("ecgsynth.metrics.attacks.shadow.SHADOWS", 4)
    patch.setattr("ecgsynth.auditing.CONFIG", dataclasses.replace(CONFIG, steps=2))
    patch.setattr("ecgsynth.demo.CLASSIFIER_STEPS", 2)
    patch.setattr("ecgsynth.demo.REPEATS", 1)
    patch.setattr("ecgsynth.demo.DRAWN", 50)


@pytest.fixture(scope="module")
def done(
    run: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[int, str], Result | Exception | dict[str, Any]]:
    """What became of every command line and of every block of Python, by the line of its block and its text."""
    found: dict[tuple[int, str], Any] = {}
    ready = tmp_path_factory.mktemp("readme") / "ready"
    ready.mkdir()
    prepare(ready)
    folders: list[Path] = []
    names: dict[str, Any] = {}  # blocks of Python go on from those before, as a reader would
    for block in BLOCKS:
        folder = Path(shutil.copytree(ready, ready.with_name(f"line{block.line}")))
        with pytest.MonkeyPatch.context() as patch:
            speed_up(patch)
            patch.chdir(folder)
            if block.language == "sh":
                for line in commands(block):
                    found[block.line, line] = run(*words(line))
            elif block.language == "python":
                bring(block, folder, folders)
                found[block.line, block.text] = carry_out(block, names)
        folders.append(folder)
    return found


def bring(block: Block, folder: Path, before: list[Path]) -> None:
    """Copy what a block loads from where an earlier one left it."""
    for name in LOADED.findall(re.sub(r"#.*", "", block.text)):
        made = [path / name for path in before if (path / name).exists()]
        if made and not (folder / name).exists():
            shutil.copy(made[-1], folder / name)


def carry_out(block: Block, names: dict[str, Any]) -> Exception | dict[str, Any]:
    text = block.text
    for long, short in SHORTER:
        text = re.sub(long, short, text)
    try:
        exec(compile("\n" * block.line + text, str(README), "exec"), names)
    except Exception as error:  # whatever it is, it is reported by the test of the block
        return error
    return dict(names)


# ---- the tests


@pytest.mark.parametrize(("block", "line"), SHELL, ids=[line.split("#")[0].strip() for _, line in SHELL])
def test_a_command_line_of_the_readme_works(done: dict[tuple[int, str], Any], block: Block, line: str) -> None:
    result = done[block.line, line]
    assert result.exit_code == 0, f"{words(line)}: {result.output}{result.exception!r}"


@pytest.mark.parametrize("block", PYTHON, ids=[f"line {block.line}" for block in PYTHON])
def test_a_block_of_python_of_the_readme_works(done: dict[tuple[int, str], Any], block: Block) -> None:
    result = done[block.line, block.text]
    if isinstance(result, Exception):
        raise result


def test_rows_that_the_readme_asks_for_are_what_it_says(done: dict[tuple[int, str], Any]) -> None:
    (block,) = (block for block in PYTHON if "adult.onnx" in block.text)
    rows = done[block.line, block.text]["rows"]
    assert isinstance(rows, pd.DataFrame)
    assert rows["class"].tolist() == [">50K"] * 1000
    assert list(rows) == ["age", "hours", "sex", "class"]


def test_the_readme_has_what_is_tested_here() -> None:
    assert len(SHELL) > 10
    assert len(PYTHON) >= 3
    for block in BLOCKS:
        if block.language == "sh":  # nothing of ours is overlooked, such as a line that is indented
            assert len(commands(block)) == len(re.findall(r"^\s*(?:\S+=\S+ )*ecgsynth ", block.text, re.MULTILINE))
    assert words("ecgsynth train ecg a.npz -o b --budget 20min  # says") == (
        "train ecg a.npz -o b --steps 2 --device cpu".split()
    )
    assert words('ecgsynth sample a.onnx -n 32561 --where "class=>50K"') == (
        "sample a.onnx -n 300 --where class=>50K".split()
    )
