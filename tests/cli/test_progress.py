"""One line within the terminal that tells the truth on how far it is and how long it takes, and of nobody."""

import io
import os
from types import SimpleNamespace
from typing import Any

import pytest

from ecgsynth.cli import options, progress
from ecgsynth.cli.progress import Line, bar, clock, fitted, wide


class Terminal(io.StringIO):
    """A terminal of so many columns that keeps what it was sent."""

    def __init__(self, columns: int = 80) -> None:
        super().__init__()
        self.columns = columns

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    @property
    def drawn(self) -> list[str]:
        """The line each time that it was drawn."""
        return [line.rstrip() for line in self.getvalue().replace("\n", "\r").split("\r") if line.strip()]


class Clock:
    """A time that goes on as it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def timer(monkeypatch: pytest.MonkeyPatch) -> Clock:
    timer = Clock()
    monkeypatch.setattr(progress, "time", timer)
    return timer


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    monkeypatch.setattr(os, "get_terminal_size", lambda file: os.terminal_size((terminal.columns, 24)))
    return terminal


@pytest.mark.parametrize("columns", [0, 20, 40, 80, 200])
def test_a_line_stays_within_eighty_columns_and_within_the_terminal(
    timer: Clock, terminal: Terminal, columns: int
) -> None:
    terminal.columns = columns
    line = Line("Training", 1000, "reading", stream=terminal)
    for done in range(0, 1001, 50):
        timer.now += 60
        line(done, "step 123456 score -0.123 wasserstein 0.12 reconstruction 0.34 supervised 5.6 " * 2, phase="")
    line.close()
    assert max(map(len, terminal.drawn)) <= {0: 79, 200: 80}.get(columns, columns - 1)
    assert terminal.getvalue().count("\n") == 1  # one line, redrawn in place
    assert terminal.getvalue().endswith("\n")


def test_what_was_longer_is_wiped(timer: Clock, terminal: Terminal) -> None:
    line = Line("Sampling", 10, stream=terminal)
    line(5, "a long text behind it, which is longer than the time left")
    timer.now += 1
    line(6, "short")
    last = terminal.getvalue().split("\r")[-1]
    assert len(last) == len(terminal.getvalue().split("\r")[-2])
    assert last.rstrip().endswith("short")


def test_the_phase_before_the_first_step_is_named_at_once(timer: Clock, terminal: Terminal) -> None:
    line = Line("Training", 1000, "reading", stream=terminal)
    assert terminal.drawn == ["Training: reading"]
    line(0, phase="finding the space")  # also within the time in which it is not redrawn
    assert terminal.drawn[-1] == "Training: finding the space"
    line.close()
    assert terminal.getvalue().split("\r")[-2].strip() == ""  # nothing stays of what never moved on


def test_the_time_left_is_that_of_the_pace_so_far(timer: Clock, terminal: Terminal) -> None:
    line = Line("Sampling", 200, stream=terminal)
    timer.now += 500  # until the first report, nothing moved on
    line(20)
    assert "left" not in terminal.drawn[-1]
    timer.now += 0.5
    line(30)
    assert "left" not in terminal.drawn[-1]  # half a second says nothing
    timer.now += 9.5
    line(40)  # 20 in 10 s, 160 to go
    assert "20%  1:20 left" in terminal.drawn[-1]
    line(200)
    assert "left" not in terminal.drawn[-1]
    assert "[##########] 100%" in terminal.drawn[-1]


def test_a_time_left_that_is_known_better_is_shown(timer: Clock, terminal: Terminal) -> None:
    line = Line("Training", 1000, stream=terminal)
    line(100, left_s=3725)
    assert "1:02:05 left" in terminal.drawn[-1]
    assert [clock(seconds) for seconds in (0, 9.6, 65, -3, 36000)] == ["0:00", "0:10", "1:05", "0:00", "10:00:00"]


def test_it_is_not_redrawn_more_often_than_an_eye_sees(timer: Clock, terminal: Terminal) -> None:
    line = Line("Sampling", 100_000, stream=terminal)
    for done in range(10_000):
        timer.now += 0.001
        line(done)
    assert 90 <= len(terminal.drawn) <= 110


def test_where_there_is_no_terminal_each_phase_is_one_line() -> None:
    stream = io.StringIO()
    line = Line("Evaluating", 100, "reading", stream=stream)
    for done, phase in enumerate(["TRTR", "TSTR", "TRTR", "TSTR", "distances", "distances"]):
        line(done, f"{done} of 6", phase=phase)
    line.close()
    assert stream.getvalue() == "Evaluating: TRTR\nEvaluating: TSTR\nEvaluating: distances\n"


def test_nothing_is_said_before_anything_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    with bar("Sampling", 10):
        pass
    with bar("Sampling", 10) as show:
        show(1, "1")
        show(10, "10")
    assert capsys.readouterr() == ("", "Sampling\n")


@pytest.mark.parametrize("end", ["closed", "broken"])
def test_who_shows_nothing_any_more_stops_no_work(end: str) -> None:
    stream = Terminal()
    line = Line("Sampling", 10, stream=stream)
    if end == "closed":
        stream.close()
        stream.isatty = lambda: True  # type: ignore[method-assign]
    else:
        stream.write = broken  # type: ignore[method-assign]
    line(5, phase="on")
    line.close()


def broken(text: str) -> int:
    raise BrokenPipeError


def test_texts_are_cut_to_columns_and_move_no_cursor() -> None:
    assert fitted("step\n1\x1b[2J\r\t.", 80) == "step 1 [2J  ."
    assert fitted("心拍数 12", 5) == "心拍"
    assert wide("e\u0301é") == 2


def progress_of(**known: Any) -> Any:
    return SimpleNamespace(
        **{"losses": {}, "score": None, "step": 0, "fraction": 0.0, "left_s": None, "phase": "training"} | known
    )


def test_a_training_tells_its_phases_its_losses_and_what_is_left_of_its_budget(
    timer: Clock, terminal: Terminal
) -> None:
    with bar("Training", options.BAR_STEPS, "reading") as show:
        show._stream, show._live = terminal, True
        options.show_progress(show, progress_of(phase="finding the space"), ("critic",))
        assert terminal.drawn[-1] == "Training: finding the space"
        timer.now += 40
        losses = {"critic": 0.5, "other": 1.0}
        now = progress_of(step=30, fraction=0.25, left_s=60.0, losses=losses, score=0.125)
        options.show_progress(show, now, ("critic",))
        assert terminal.drawn[-1] == "Training  [##--------]  25%  1:00 left  step 30 score 0.125 critic 0.50"


def test_a_line_beside_the_bar_stands_above_it(
    timer: Clock, terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line("Training", 10, "reading", stream=terminal)
    line.say("180 windows")
    line.say("1.2 GB", err=True)
    assert capsys.readouterr() == ("180 windows\n", "1.2 GB\n")
    assert terminal.drawn == ["Training: reading"] * 3
