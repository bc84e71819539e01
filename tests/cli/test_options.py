"""The words of the command line: every command's help and options, and what is wrong of them alone."""

import dataclasses
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import Result

import ecgsynth
from ecgsynth import evaluation
from ecgsynth.cli.main import main
from ecgsynth.cli.options import Band, Duration
from ecgsynth.core.formats import FORMATS
from ecgsynth.metrics.series import STEPS
from ecgsynth.windows import info, splits
from ecgsynth.windows.windows import PARTS

Invoke, Say = Callable[..., Result], Callable[..., str]  # what the fixtures run and works are
ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "golden" / "tiny.onnx"
Words = tuple[str, ...]


def commands(group: click.Group = main, prefix: Words = ()) -> Iterator[tuple[Words, click.Command]]:
    """Every command that does something, with the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name), command


COMMANDS = dict(commands())


def option(words: str, name: str) -> click.Parameter:
    (found,) = (parameter for parameter in COMMANDS[tuple(words.split())].params if parameter.name == name)
    return found


# ---- calls that are wrong


@pytest.mark.parametrize(
    "words",
    [
        "prepare a -o b",
        "train ecg a -o b",
        "train series a -o b",
        "sample a -n 1 -o b",
        "evaluate a --real b -o c",
        "audit a --real b",
    ],
)
@pytest.mark.parametrize("seed", ["-1", "18446744073709551616", "x"])
def test_a_seed_that_cannot_be_is_refused_at_once(run: Invoke, words: str, seed: str) -> None:
    done = run(*words.split(), "--seed", seed)
    assert done.exit_code == 2
    assert "--seed" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("train ecg a -o b --steps 3 --budget 3min", "not both"),
        ("train series a -o b --steps 3 --budget 3min", "not both"),
        ("train ecg a -o b --steps 0", "--steps"),
        ("train ecg a -o b --model vae", "'rwgan', 'timegan'"),
        ("train series a -o b --missing mean", "'reject', 'interpolate', 'drop'"),
        ("train series a -o b --columns ,", "expected names with commas between them, got ','"),
        ("prepare a -o b --leads ,", "expected names with commas between them, got ','"),
        ("train table a -o b --epochs 3 --budget 3min", "give --budget or --epochs, not both"),
        ("train table a -o b --epochs 0", "--epochs"),
        ("train table a -o b --budget 3", "expected a time such as"),
        ("train table a -o b --model vae", "'default', 'gan', 'cgan'"),
        ("train table a -o b --seed -1", "--seed"),
        ("train table a -o b --pack 0", "--pack"),
        ("schema a -o b --storage-options x", "expected key=value pairs"),
        ("schema a", "'-o'"),
        ("evaluate a --real b -o c --repeats 0", "--repeats"),
        ("evaluate a --real b -o c --steps 0", "--steps"),
    ],
)
def test_a_wrong_call_is_told_at_once(run: Invoke, words: str, says: str) -> None:
    done = run(*words.split())
    assert done.exit_code == 2
    assert says in done.stderr


def test_bugs_keep_their_traceback(run: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("ecgsynth.loading.open_file", broken)
    assert isinstance(run("info", TINY).exception, ZeroDivisionError)


# ---- options


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("20min", 1200), ("2h", 7200), ("1h30min", 5400), ("1.5h", 5400), ("5sec", 5), ("1h1min1s", 3661)],
)
def test_durations(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "20", "min", "20m", "20 min", "-5s", "0s", "1h30", "1e3s", "5minx", "nan"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected a time such as"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize("text", ["0.5-40", "1-35.5", "none"])
def test_bands(text: str) -> None:
    wanted = {"0.5-40": (0.5, 40.0), "1-35.5": (1.0, 35.5), "none": None}[text]
    assert Band().convert(text, None, None) == wanted


@pytest.mark.parametrize("text", ["", "40", "-40", "0.5-", "a-b", "0.5-40Hz", "1-2-3"])
def test_what_is_no_band(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected a band such as"):
        Band().convert(text, None, None)


def test_choices_are_those_of_the_library() -> None:
    assert tuple(option("sample", "file_format").type.choices) == FORMATS  # type: ignore[attr-defined]
    kinds = [option(words, "kind").type.choices for words in ("prepare", "train series")]  # type: ignore[attr-defined]
    assert (*kinds[0], *kinds[1]) == splits.SPLITS
    assert tuple(option("train series", "missing").type.choices) == info.MISSING  # type: ignore[attr-defined]
    assert set(option("evaluate", "part").type.choices) == set(PARTS) - {"train", "later"}  # type: ignore[attr-defined]


def test_defaults_are_those_of_the_library() -> None:
    from ecgsynth.windows.beats import BeatOptions

    defaults = {parameter.name: parameter.default for parameter in COMMANDS[("prepare",)].params}
    for field in dataclasses.fields(BeatOptions):
        if field.name in defaults and field.name != "leads":
            assert defaults[field.name] == field.default, field.name
    assert Band().convert(option("prepare", "band").default, None, None) == BeatOptions().band_hz
    assert (option("prepare", "leads").default,) == BeatOptions().leads
    wanted = info.SeriesOptions()
    for name in ("length", "stride", "missing"):
        assert option("train series", name).default == getattr(wanted, name), name


def test_help_tells_how_much_an_evaluation_takes() -> None:
    said = {name: str(option("evaluate", name).help) for name in ("repeats", "steps")}  # type: ignore[attr-defined]
    assert f"{evaluation.REPEATS} for beats, {evaluation.SCORE_REPEATS} for series" in said["repeats"]
    assert f"{evaluation.STEPS}, but {STEPS['predictive_score']} for the predictive score" in said["steps"]


# ---- help


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(works: Say, words: tuple[str, ...]) -> None:
    text = works(*words, "--help")
    (example,) = re.findall(r"^ *Example: ecgsynth (.*)$", text, flags=re.MULTILINE)
    assert example.startswith(" ".join(words))
    context = COMMANDS[words].make_context("x", example.split()[len(words) :])  # the example can be typed
    assert context.params


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_says_what_it_is_for(words: tuple[str, ...]) -> None:
    silent = [entry.opts for entry in COMMANDS[words].params if isinstance(entry, click.Option) and not entry.help]
    assert not silent


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_is_in_the_readme(words: tuple[str, ...]) -> None:
    assert f"ecgsynth {' '.join(words)}" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words", ["prepare", "train ecg", "train series", "train table", "sample", "impute", "evaluate", "demo"]
)
def test_whatever_draws_takes_a_seed(words: str) -> None:
    assert option(words, "seed").default == 0


def test_the_commands_of_the_specification_are_understood() -> None:
    for line in (
        "prepare DIR -o beats.npz --leads MLII --split patient --seed 0",
        "train ecg beats.npz -o runs/a --model rwgan --budget 20min --seed 0 --device auto --resume",
        "train ecg beats.npz -o runs/a --steps 12",
        "train ecg beats.npz -o runs/a --model timegan",
        "train series stock_data.csv -o runs/s --model rwgan --length 24 --budget 20min",
        "train series t.csv -o runs/s --stride 2 --columns a,b --id who --time when --label ward --statics age",
        "train series t.csv -o runs/s --model timegan --missing interpolate --split none --steps 12 --seed 1 --resume",
        "sample series.onnx -n 10 --columns a,b --format csv -o out.csv",
        "evaluate series.onnx --real stock_data.csv -o report/ --repeats 2 --steps 10",
        "export runs/a -o beats.onnx",
        "sample beats.onnx -n 1000 --label V --seed 7 --format parquet -o out",
        "sample beats.onnx -n 1000 --where class=V --format json -o -",
        "evaluate beats.onnx --real beats.npz -o report/",
        "info beats.onnx",
        "demo",
        "demo -o DIR",
        "schema adult.csv -o schema.json",
        "train table adult.csv -o runs/t --schema schema.json --model default --budget 15min --seed 0",
        "train table s3://bucket/adult.csv -o runs/t --model ctgan --epochs 3 --storage-options key=a,secret=b",
        "export runs/t -o adult.onnx",
        "sample adult.onnx -n 32561 --seed 1 --where class=>50K -o adult-synthetic.csv",
        "evaluate adult.onnx --real adult.csv --test adult-test.csv --target class -o report/",
        "impute holes.csv --model runs/g -o filled.csv",
    ):
        words = line.split()
        command = main
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]  # type: ignore[assignment]
        command.make_context("x", words)


def test_the_console_script_is_this_command_line(works: Say) -> None:
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="ecgsynth")
    assert script.load() is main
    assert works("--version").strip() == f"ecgsynth, version {ecgsynth.__version__}"


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = """
import sys
from ecgsynth.cli.main import main
helped = ("", "train ecg", "train series", "train table", "schema", "impute", "sample", "evaluate")
for words in (*(f"{words} --help" for words in helped), "--version"):
    main(words.split(), standalone_mode=False)
names = {"numpy", "torch", "onnxruntime", "scipy", "wfdb", "pandas", "sklearn"}
heavy = sorted({name.split(".")[0] for name in sys.modules} & names)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    "words",
    ["train ecg a.npz -o b", "train series a.csv -o b", "export a -o b.onnx", "evaluate {} --real a -o b", "demo -o b"],
)
def test_without_the_extra_one_line_names_it(words: str, tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from ecgsynth.cli.main import main; main(sys.argv[1:])"
    arguments = words.format(TINY).split()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    says = "Error: [a-z ]+ needs the package torch, which is not installed: pip install torch"
    assert re.match(says, done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
