"""One line that shows how far a command is: redrawn in place on a terminal, elsewhere a line for each phase."""

import contextlib
import os
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click

__all__ = ["Line", "bar"]

WIDTH = 80  # columns that a line has at most
CELLS = 10  # of the bar
REDRAWN_S = 0.1
KNOWN_S = 1.0  # for so long no time left is shown, as nothing is known of it


class Line:
    """How far something of ``length`` is; call it to move it on.

    It goes to standard error, so that standard output has nothing but what was asked for. On a terminal it stays
    within 80 columns and within the terminal, and says how much time is left; elsewhere it only names each phase once.
    What it shows must be no person's: a count or a figure, never a value or a name from the data.
    """

    def __init__(self, label: str, length: float, phase: str = "", stream: TextIO | None = None) -> None:
        self._label, self._length, self._phase = label, length, phase
        self._stream = stream or sys.stderr
        self._live = self._stream is not None and self._stream.isatty()
        self._began: tuple[float, float] | None = None  # when progress was first reported, and how far it was
        self._done, self._text = 0.0, ""
        self._left_s: float | None = None
        self._drawn_at, self._drawn = -REDRAWN_S, 0  # when, and how many columns
        self._named: set[str] = set()
        if self._live:
            self._draw()

    def __call__(self, done: float, text: str = "", *, phase: str | None = None, left_s: float | None = None) -> None:
        """Move on to ``done``; ``text`` stands behind the bar, ``left_s`` is a time left that is known better."""
        now = time.monotonic()
        fresh = self._began is None or (phase is not None and phase != self._phase)
        self._phase = self._phase if phase is None else phase
        self._began = self._began or (now, done)
        self._done, self._text = done, text
        self._left_s = self._guess(now) if left_s is None else left_s
        if not self._live:
            self._name()
        elif fresh or done >= self._length or now - self._drawn_at >= REDRAWN_S:
            self._draw()

    def say(self, text: str, *, err: bool = False) -> None:
        """A line of its own, above this one."""
        self._erase()
        click.echo(text, err=err)
        if self._live:
            self._draw()

    def close(self) -> None:
        """Leave the line as it is, or nothing where it never moved on."""
        if not self._live:
            return
        if self._done:
            self._draw()
            self._write("\n")
        else:
            self._erase()

    def _guess(self, now: float) -> float | None:
        """The seconds that the rest takes at the pace since the first report; None while that says nothing."""
        began, at = self._began or (now, 0.0)
        if self._done <= at or now - began < KNOWN_S:
            return None
        return (now - began) / (self._done - at) * (self._length - self._done)

    def _title(self) -> str:
        return f"{self._label}: {self._phase}" if self._phase else self._label

    def _name(self) -> None:
        if self._title() not in self._named:
            self._named.add(self._title())
            self._write(f"{self._title()}\n")

    def _draw(self) -> None:
        parts = [self._title()]
        if self._done:
            share = min(self._done / self._length, 1.0)
            full = int(share * CELLS)
            parts.append(f"[{'#' * full}{'-' * (CELLS - full)}] {int(share * 100):3d}%")
        if self._left_s is not None and self._done < self._length:
            parts.append(f"{clock(self._left_s)} left")
        line = fitted("  ".join([*parts, self._text] if self._text else parts), columns(self._stream))
        self._write("\r" + line + " " * (self._drawn - wide(line)))
        self._drawn, self._drawn_at = wide(line), time.monotonic()

    def _erase(self) -> None:
        if self._drawn:
            self._write("\r" + " " * self._drawn + "\r")
            self._drawn = 0

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # who shows nothing any more stops no work
            if self._stream is not None:
                self._stream.write(text)
                self._stream.flush()


@contextmanager
def bar(label: str, length: float, phase: str = "") -> Iterator[Line]:
    """A line that is closed when the block ends; ``phase``: what is done before it first moves on."""
    line = Line(label, length, phase)
    try:
        yield line
    finally:
        line.close()


def clock(seconds: float) -> str:
    """3725 -> 1:02:05, 65 -> 1:05."""
    minutes, left = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def columns(stream: TextIO) -> int:
    """The columns that a line may have: one fewer than the terminal, which may break a line that fills it."""
    try:
        found = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError, AttributeError):
        found = 0
    return min(found - 1, WIDTH) if found > 1 else WIDTH - 1


def fitted(text: str, width: int) -> str:
    """The text without what a terminal would act on, cut to so many columns."""
    kept = "".join(character if character.isprintable() else " " for character in text)
    while wide(kept) > width:
        kept = kept[:-1]
    return kept


def wide(text: str) -> int:
    """The columns that a text takes: two for a character of double width, none for a mark on another."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
