"""What every training has on the command line, whatever it learns from: its options, and an end before the end."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result

from ecgsynth.cli.train import train
from ecgsynth.demo import sample_beats
from ecgsynth.models import registry as windows
from ecgsynth.tabular.models import registry as rows

Invoke, Say, Write = Callable[..., Result], Callable[..., str], Callable[..., None]
KINDS = ("ecg", "series", "table")
FITS = {"ecg": "synthesizer.Synthesizer", "series": "synthesizer.Synthesizer",
        "table": "tabular.synthesizer.TableSynthesizer"}  # fmt: skip


@pytest.fixture(scope="module")
def data(write_series: Write, write_rows: Write, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file to learn from, of each kind."""
    folder = tmp_path_factory.mktemp("data")
    sample_beats().save(folder / "beats.npz")
    write_series(folder / "series.csv")
    write_rows(folder / "rows.csv")
    return {"ecg": folder / "beats.npz", "series": folder / "series.csv", "table": folder / "rows.csv"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_training_says_how_to_go_on(
    run: Invoke, data: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"ecgsynth.{FITS[kind]}.fit", interrupted)
    words = ("train", kind, data[kind], "-o", tmp_path / "run")
    done = run(*words)
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (
        130,
        "Error: stopped before the first checkpoint; nothing was kept, start again",
    )
    assert not list(tmp_path.iterdir())
    (tmp_path / "run" / "checkpoint").mkdir(parents=True)
    (tmp_path / "run" / "checkpoint" / "state.safetensors").touch()
    done = run(*words, "--resume")
    wanted = f"Error: stopped; go on with the same command and --resume (run {tmp_path / 'run'})"
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (130, wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_in_the_way_is_said_before_the_data_are_read(refuses: Say, tmp_path: Path, kind: str) -> None:
    (tmp_path / "notes.txt").touch()
    line = refuses("train", kind, "none.csv", "-o", tmp_path)
    assert "exists already; choose another name or add --force" in line


def test_every_training_has_the_same_options() -> None:
    shared = {"output", "model", "budget", "source", "resume", "device", "seed", "force"}
    for kind, amount in (("ecg", "steps"), ("series", "steps"), ("table", "epochs")):
        assert shared | {amount} <= {option.name for option in train.commands[kind].params}, kind


def test_the_models_are_those_of_the_registries() -> None:
    for kind, registry in (("ecg", windows), ("series", windows), ("table", rows)):
        (model,) = (option for option in train.commands[kind].params if option.name == "model")
        assert isinstance(model.type, click.Choice)
        assert tuple(model.type.choices) == registry.names()
        said, _, usual = str(model.help).partition("; by default ")  # type: ignore[attr-defined]
        assert all(f"{name}: {registry.help_of(name)}" in said for name in registry.names())
        assert usual.removesuffix(".").split()[-1] == registry.DEFAULT, kind
        assert usual.startswith(f"{windows.PEOPLE} where persons are known" if kind == "ecg" else registry.DEFAULT)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_name_the_model_is_chosen_by_the_data(
    run: Invoke, data: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(f"ecgsynth.{FITS[kind]}.fit", lambda *args, **options: asked.append(options) or 1 / 0)
    for words in ((), ("--model", "wgan" if kind == "table" else "timegan")):
        assert isinstance(run("train", kind, data[kind], "-o", tmp_path / "run", *words).exception, ZeroDivisionError)
    assert [options["model"] for options in asked] == [None, "wgan" if kind == "table" else "timegan"]


def test_the_largest_seed_trains(run: Invoke, data: dict[str, Path], tmp_path: Path) -> None:
    words = ("train", "series", data["series"], "-o", tmp_path / "run", "--length", 8, "--steps", 1)
    done = run(*words, "--device", "cpu", "--seed", 2**64 - 1)
    assert done.exit_code == 0, done.output
