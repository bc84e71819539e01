"""What the commands share: how times and names are given, what every command is told, and the bar."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from ecgsynth.errors import ConfigError, EcgSynthError, hint_at_extra

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

UNITS_S = {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0}
BAR_STEPS = 1000


class ReportingGroup(click.Group):
    """Our own errors become one line; anything else is a bug and keeps its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with hint_at_extra("this command"):
                return super().invoke(ctx)
        except EcgSynthError as error:
            raise click.ClickException(str(error)) from error


class Duration(click.ParamType[float]):
    """20min, 90s, 2h, 1h30min -> seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        parts = re.findall(r"(\d+(?:\.\d+)?)(h|min|sec|s)", value)
        total = sum(float(number) * UNITS_S[unit] for number, unit in parts)
        if "".join(number + unit for number, unit in parts) != value or total <= 0:
            self.fail(f"expected a time such as 90s, 20min or 1h30min, got {value!r}", param, ctx)
        return total


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


@contextmanager
def bar(label: str, length: int) -> Iterator[Callable[[int, str], None]]:
    """A progress bar with the time left; the yielded function moves it on and says what stands behind it."""
    with click.progressbar(length=length, label=label, show_pos=False, item_show_func=lambda item: item) as shown:

        def show(done: int, text: str) -> None:
            shown.update(done - shown.pos, text)

        yield show


STORAGE = click.option(
    "--storage-options",
    type=Settings(),
    help="What the storage of a URL is told, such as key=...,secret=..., or JSON; see fsspec.",
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
def training_bar(shown: tuple[str, ...], run: Any) -> Iterator[Callable[[Any], None]]:
    """A bar of a training, which tells the losses ``shown``; a stop from the keyboard says how to go on."""
    with bar("Training", BAR_STEPS) as show:

        def on_progress(progress: Any) -> None:
            losses = " ".join(f"{name} {value:.2f}" for name, value in progress.losses.items() if name in shown)
            score = "" if progress.score is None else f" score {progress.score:.3f}"
            show(int(progress.fraction * BAR_STEPS), f"step {progress.step} {losses}{score}")

        try:
            yield on_progress
        except KeyboardInterrupt:
            raise click.ClickException(f"stopped; go on with the same command and --resume (run {run})") from None
