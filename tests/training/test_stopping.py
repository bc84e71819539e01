"""What is stopped, from the keyboard or by SIGTERM, tidies up, says so in one line, and shows it in its status."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

import ecgsynth
from ecgsynth.cli.main import main
from ecgsynth.cli.options import ReportingGroup, how_to_go_on
from ecgsynth.windows.windows import Windows

Invoke = Callable[..., Result]
GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def started(folder: Path, *words: object) -> "subprocess.Popen[str]":
    """The command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "from ecgsynth.cli.main import main; main()", *map(str, words)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(ecgsynth.__file__).parents[1]), "OMP_NUM_THREADS": "1"},
    )


def stopped(process: "subprocess.Popen[str]", when: Callable[[], bool], number: signal.Signals) -> list[str]:
    """What it says on standard error when it is sent a signal once something is so."""
    limit = time.monotonic() + 60
    while not when() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    return said.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGTERM")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_leaves_no_part_of_a_file(tmp_path: Path, number: signal.Signals, status: int) -> None:
    process = started(tmp_path, "sample", GOLDEN / "signal_only.onnx", "-n", 10**7, "-o", "a.csv")
    *_, line = stopped(process, lambda: bool(list(tmp_path.glob(".a.csv.*.part"))), number)
    assert process.returncode == status
    assert line == "Error: stopped before the end; no file was left half-written"
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGTERM")
def test_a_training_without_a_checkpoint_leaves_nothing(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(200, 16, 1)).astype(np.float32)
    Windows(
        values=values,
        fs_hz=1.0,
        units="mV",
        channel_names=("I",),
        classes=("a", "b"),
        labels=np.arange(200) % 2,
        parts=np.repeat(np.array([0, 1, 2], dtype=np.int8), [160, 20, 20]),
        groups=np.array([f"p{number}" for number in range(200)]),
        meta={"kind": "beats", "split": "beat"},
    ).save(tmp_path / "beats.npz")
    process = started(
        tmp_path, "train", "ecg", "beats.npz", "-o", "run", "--level", "internal", "--budget", "1h", "--device", "cpu"
    )
    *_, line = stopped(process, (tmp_path / "run" / "config.json").exists, signal.SIGTERM)
    assert process.returncode == 143
    assert line == "Error: stopped before the first checkpoint; nothing was kept, start again"
    assert [path.name for path in tmp_path.iterdir()] == ["beats.npz"]


def test_a_stop_tells_what_there_is_to_go_on_with(tmp_path: Path) -> None:
    run = SimpleNamespace(path=tmp_path / "run", state=tmp_path / "run" / "state", weights=tmp_path / "run" / "weights")
    run.path.mkdir()
    (run.path / "notes.txt").touch()
    assert "nothing was kept" in how_to_go_on(run, made_here=False)
    assert (run.path / "notes.txt").exists()
    run.weights.touch()
    assert f"the best so far is in {run.path}" in how_to_go_on(run, made_here=True)
    run.state.touch()
    assert how_to_go_on(run, made_here=True) == f"stopped; go on with the same command and --resume (run {run.path})"
    assert run.state.exists()


def test_the_handler_of_before_comes_back(run: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    @click.group(cls=ReportingGroup)
    def outer() -> None:
        seen.append(signal.getsignal(signal.SIGTERM))

    @outer.group(cls=ReportingGroup)
    def inner() -> None:
        seen.append(signal.getsignal(signal.SIGTERM))

    @inner.command()
    def work() -> None:
        assert signal.getsignal(signal.SIGTERM) is not before  # or it would end the tests
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    before = signal.getsignal(signal.SIGTERM)
    done = CliRunner().invoke(outer, ["inner", "work"])
    assert done.exit_code == 143
    assert done.stderr == "Error: stopped before the end; no file was left half-written\n"
    assert signal.getsignal(signal.SIGTERM) is before
    assert seen[0] is seen[1] is not before


def test_a_thread_of_its_own_runs_commands_too() -> None:
    found: list[Result] = []
    model = str(GOLDEN / "tiny.onnx")
    thread = threading.Thread(target=lambda: found.append(CliRunner().invoke(main, ["info", model])))
    thread.start()
    thread.join()
    assert found[0].exit_code == 0, found[0].output
