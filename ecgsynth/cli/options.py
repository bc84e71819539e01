"""What the commands share: how times and names are given, common options, and the frame of a training."""

import json
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from ecgsynth.cli.progress import Line, bar
from ecgsynth.core.files import check_free
from ecgsynth.errors import ConfigError, EcgSynthError, hint_at_extra
from ecgsynth.tasks import seconds_of

__all__ = [
    "BAR_STEPS",
    "DEVICE",
    "FORCE",
    "SEED",
    "SOURCE",
    "STORAGE",
    "WHERE",
    "Band",
    "Duration",
    "Names",
    "ReportingGroup",
    "bar",
    "conditions",
    "training_bar",
]

BAR_STEPS = 1000
TRAINING = "training"  # the phase of the steps themselves


class ReportingGroup(click.Group):
    """Our own errors become one line; anything else is a bug and keeps its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        if ctx.parent is not None:  # a group within: the outermost says it all
            return super().invoke(ctx)
        try:
            with hint_at_extra("this command"), stops_at_sigterm():
                return super().invoke(ctx)
        except EcgSynthError as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt as stop:
            stopped = Terminated if isinstance(stop, Termination) else Interrupted
            raise stopped(str(stop) or "stopped before the end; no file was left half-written") from stop


class Interrupted(click.ClickException):
    """What Ctrl-C leaves, with the status that shells give it."""

    exit_code = 128 + 2


class Terminated(click.ClickException):
    """What SIGTERM leaves, with the status that shells give it."""

    exit_code = 128 + 15


class Termination(KeyboardInterrupt):
    """SIGTERM came; it unwinds as Ctrl-C does."""


@contextmanager
def stops_at_sigterm() -> Iterator[None]:
    """Have SIGTERM unwind what is being done, so that temporary files go; only the main thread can set this."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not stop the tidying up
        raise Termination

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


class Duration(click.ParamType[float]):
    """20min, 90s, 2h, 1h30min -> seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return seconds_of(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)


class Band(click.ParamType[tuple[float, float] | None]):
    """0.5-40 -> (0.5, 40.0); none -> None."""

    name = "band"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float] | None:
        if value is None or value == "none":
            return None
        match = re.fullmatch(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", value)
        if match is None:
            self.fail(f"expected a band such as 0.5-40, or none, got {value!r}", param, ctx)
        return float(match[1]), float(match[2])


class Names(click.ParamType[tuple[str, ...]]):
    """a,b -> ("a", "b")."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in value.split(",") if name.strip())
        if not names:
            self.fail(f"expected names with commas between them, got {value!r}", param, ctx)
        return names


class Settings(click.ParamType[dict[str, Any]]):
    """JSON, or key=value pairs with commas between them -> a dict."""

    name = "settings"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        if value.lstrip().startswith("{"):
            try:
                return dict(json.loads(value))
            except ValueError as error:
                self.fail(f'expected JSON such as {{"anon": true}}, got {value!r} ({error})', param, ctx)
        pairs = [pair.partition("=") for pair in value.split(",")]
        if not all(key and equals for key, equals, _ in pairs):
            self.fail(f"expected key=value pairs with commas between them, or JSON, got {value!r}", param, ctx)
        return {key.strip(): text for key, _, text in pairs}


SEED = click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**64 - 1),
    help="The same seed gives the same result.",
)
SOURCE = click.option(
    "--source", help="What an exported file says of where the data are from; nothing without it, not a file's name."
)
FORCE = click.option("--force", is_flag=True, help="Replace what is already there.")
DEVICE = click.option(
    "--device",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    help="What computes: auto takes a GPU if there is one.",
)


STORAGE = click.option(
    "--storage-options",
    type=Settings(),
    help="Options for the storage of a URL, such as key=...,secret=..., or JSON; see fsspec.",
)
WHERE = click.option(
    "--where", multiple=True, help="Only rows with this value, such as class=>50K; may be given several times."
)


def conditions(where: tuple[str, ...]) -> dict[str, str]:
    """("class=>50K",) -> {"class": ">50K"}; ConfigError for what is no condition, or two on one column."""
    found: dict[str, str] = {}
    for condition in where:
        name, equals, value = condition.partition("=")
        if not name or not equals:
            raise ConfigError(f"expected a condition such as class=>50K, got {condition!r}")
        if name in found:
            raise ConfigError(f"column {name!r} has two conditions; a row has one value")
        found[name] = value
    return found


@contextmanager
def training_bar(
    shown: tuple[str, ...], run: Any, *, resume: bool, force: bool
) -> Iterator[tuple[Callable[[Any], None], Callable[[str], None]]]:
    """What every training has: a folder that is free, a bar that shows the losses ``shown``, and a way to be stopped.

    ``run`` is a RunFolder. Yields a callback for progress, and one that prints a line beside the bar; the data are
    read within. Raises ArtifactError for a folder in the way. A stop says whether there is a checkpoint to go on from.
    """
    if not resume:
        check_free(run.path, force=force)
    made_here = not run.path.exists() or (run.path.is_dir() and not any(run.path.iterdir()))
    with bar("Training", BAR_STEPS, "reading") as show:
        try:
            yield lambda progress: show_progress(show, progress, shown), show.say
        except KeyboardInterrupt as stop:
            stop.args = (how_to_go_on(run, made_here=made_here),)
            raise


def show_progress(show: Line, progress: Any, shown: tuple[str, ...]) -> None:
    """Show a training's progress on its line."""
    phase = progress.phase
    losses = [f"{name} {value:.2f}" for name, value in progress.losses.items() if name in shown]
    score = [] if progress.score is None else [f"score {progress.score:.3f}"]
    show(
        progress.fraction * BAR_STEPS,
        " ".join([f"step {progress.step}", *score, *losses]) if phase == TRAINING else "",
        phase="" if phase == TRAINING else phase,
        left_s=progress.left_s,
    )


def how_to_go_on(run: Any, *, made_here: bool) -> str:
    """What is left of a training that was stopped; a folder that was made for nothing is removed."""
    if run.state.exists():
        return f"stopped; go on with the same command and --resume (run {run.path})"
    if run.weights.exists():
        return f"stopped before the first checkpoint; the best so far is in {run.path}, but start again to go on"
    if made_here:
        shutil.rmtree(run.path, ignore_errors=True)
    return "stopped before the first checkpoint; nothing was kept, start again"
