"""Windows joined into long series, with numpy alone: nothing but windows of the generator is needed.

A series begins with a window, or goes on from a history. Its next rows are found by pathwise conditioning: of a pool of
windows drawn for this, one is picked whose first rows call for nearly the same continuation as the last rows of the
series, and its own continuation is corrected by the regression of the one on the other. Where windows know when they
start, it is one that starts at about that time; where columns hold or go in lines, they go on doing so.
"""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.noise import check_number, pick_labels, row_noise, series_noise
from ecgsynth.errors import ConfigError
from ecgsynth.models.columns.joined import Habits, phases, put_in_order
from ecgsynth.windows.info import ClockInfo, DataInfo, SeriesInfo
from ecgsynth.windows.long_table import Place, bounds_in_order, frame_of, since_monday
from ecgsynth.windows.windows import Windows

__all__ = ["Joiner", "Pool", "Wanted", "whole"]

PIECE_ROWS = 8192  # of all series of a piece together
POOL_FROM = 1 << 40  # the row of a seed at which its pool begins, which no sample reaches
MOST_POOL, LEAST_POOL = 4096, 256  # windows of a pool
POOL_NUMBERS = 1 << 23  # of all pools of a generator, if LEAST_POOL allows it
DRAWN_AT_ONCE = 256
MOST_GIVEN = 1024  # numbers of the rows on which the next ones depend
MOST_RANK = 256  # of the regression
NEIGHBOURS = 64  # of which one is picked
RIDGE = 3e-4  # of the mean variance
NEAR_IN_TIME = 16  # one of so many windows of a pool is near enough in the time of day and of the week
LEAST_ALIGNED = 8  # windows of a pool whose lines bend where those of the series do, without which all are taken

Floats = NDArray[np.float64]
Draw = Callable[[range, NDArray[np.int64], int], tuple[NDArray[np.float32], NDArray[Any] | None]]


class Pool:
    """Windows of one class, and how those of them that begin like a series let it go on.

    Parameters
    ----------
    windows
        (n, time, channels), the statics last.
    overlap
        How many rows the continuation depends on.
    statics
        How many channels are constant within a series.
    habits
        What the columns do.
    start_s, clock
        (n,) when each window starts, in s from Monday 00:00, or None; and of which clock that is.

    References
    ----------
    Wilson et al., "Pathwise conditioning of Gaussian processes", JMLR 22, 2021, equation 4 (Matheron's rule); Lall and
    Sharma, "A nearest neighbor bootstrap for resampling hydrologic time series", Water Resources Research 32, 1996.

    """

    def __init__(
        self,
        windows: NDArray[np.float32],
        overlap: int,
        statics: int,
        habits: Habits,
        start_s: Floats | None,
        clock: ClockInfo | None,
    ) -> None:
        n, _, channels = windows.shape
        self.columns, self.overlap, self.habits = channels - statics, overlap, habits
        self.clock = None if start_s is None else clock
        self.phases = phases(np.zeros(n) if start_s is None else start_s, self.clock)
        self.scale = np.asarray(windows.std(axis=(0, 1), dtype=np.float64))
        self.scale[self.scale == 0] = 1.0
        flat = windows / self.scale
        levels = flat[:, :, self.columns :].mean(axis=1)
        given = np.concatenate([flat[:, :overlap, : self.columns].reshape(n, -1), levels, self.phases], axis=1)
        self.rest = flat[:, overlap:, : self.columns].reshape(n, -1)
        self.mean = given.mean(axis=0)
        self.into, self.out = regression(given - self.mean, self.rest - self.rest.mean(axis=0))
        self.known = (given - self.mean) @ self.into
        self.squares = np.square(self.known).sum(axis=1)

    def series(self, rows: Floats, statics: Floats, noise: Iterator[float], start_s: float | None) -> Iterator[Floats]:
        """Go on from some rows, without end.

        Parameters
        ----------
        rows
            (overlap or more, columns) the last ones.
        statics
            (statics,) of the series.
        noise
            Numbers in (0, 1), one for each yield.
        start_s
            When the next row is, in s from Monday 00:00, where that is known.

        Yields
        ------
        (time - overlap or fewer, columns) the next rows

        """
        scale, levels = self.scale[: self.columns], statics / self.scale[self.columns :]
        last, since, step = rows[-self.overlap :], self.habits.rows_since_knot(rows), -self.overlap
        step_s, start_s = 0 if self.clock is None else self.clock.step, start_s or 0
        for uniform in noise:
            own = phases(start_s + step * step_s, self.clock)
            given = np.concatenate([(last / scale).reshape(-1), levels, own])
            picked, rest = self.continuation(given, uniform, self.near(own, since))
            made = self.habits.kept(rest.reshape(-1, self.columns) * scale, picked, last, since)
            yield made
            last, since, step = np.concatenate([last, made])[-self.overlap :], 0, step + len(made)

    def near(self, own: Floats, since: int) -> Any:
        """Which windows start at about that time, and bend so many rows before their rest, as an index."""
        aligned = self.habits.since == since
        if aligned.all() or aligned.sum() < LEAST_ALIGNED:
            aligned = np.ones(len(aligned), dtype=np.bool_)
        count = max(2 * NEIGHBOURS, len(aligned) // NEAR_IN_TIME)
        if len(own) and aligned.sum() > count:
            apart = np.where(aligned, -(self.phases @ own), np.inf)
            aligned &= apart <= np.partition(apart, count)[count]
        return slice(None) if aligned.all() else np.flatnonzero(aligned)

    def continuation(self, given: Floats, uniform: float, near: Any) -> tuple[int, Floats]:
        """The window that is picked of those ``near``, and its rest as it would be had it begun with what is given; all
        in units of the scale.

        The nearer of the neighbours are likelier, and the farthest has no share: whatever changes the rows a little,
        such as the rounding of float32, hardly changes the pick.
        """
        known = (given - self.mean) @ self.into
        apart = np.maximum(self.squares[near] - 2 * self.known[near] @ known + known @ known, 0)
        count = min(NEIGHBOURS, len(apart) - 1)
        nearest = np.sort(np.argpartition(apart, count)[: count + 1])
        farthest = apart[nearest].max()
        shares = np.square(1 - apart[nearest] / farthest) if farthest else np.ones(len(nearest))
        (found,) = nearest[pick_labels(np.array([uniform]), shares)]
        picked = int(np.arange(len(self.known))[near][found])
        return picked, self.rest[picked] + (known - self.known[picked]) @ self.out


def regression(given: Floats, rest: Floats) -> tuple[Floats, Floats]:
    """The ridge regression of centred ``rest`` (n, q) on ``given`` (n, p), as two factors (p, rank) and (rank, q).

    The second has orthonormal rows: how far two products with the first are apart is how far the predictions are.
    """
    square = given.T @ given
    square[np.diag_indices_from(square)] += RIDGE * np.trace(square) / len(square) + np.finfo(np.float64).tiny
    gain = np.linalg.solve(square, given.T @ rest)
    left, sizes, right = np.linalg.svd(gain, full_matrices=False)
    return left[:, :MOST_RANK] * sizes[:MOST_RANK], right[:MOST_RANK]


class Rows:
    """Rows that come in blocks, taken as many at a time as are wanted."""

    def __init__(self, blocks: Iterator[Floats]) -> None:
        self.blocks, self.left = blocks, next(blocks)

    def take(self, count: int) -> Floats:
        """(count, columns) the next ones."""
        pieces, have = [self.left], len(self.left)
        while have < count:
            pieces.append(next(self.blocks))
            have += len(pieces[-1])
        joined = np.concatenate(pieces)
        self.left = joined[count:]
        return joined[:count]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many long series are asked for, of which class or of any, of which seed, and what they go on from."""

    n: int
    length: int
    code: int | None
    seed: int
    history: Any  # a windows.history.History, or None: that module needs pandas, this one does not


class Joiner:
    """Long series of one generator: the same for a seed, whatever else is drawn.

    Series ``i`` begins with window ``i`` of the seed and its class; one no longer than a window is a piece of it.

    Parameters
    ----------
    data
        What the generator makes.
    noise_dim
        As of its manifest.
    draw
        ``draw(rows, labels, seed)`` gives windows (n, time, channels) of these rows of a seed, of these classes;
        and (n,) when they start, in s from Monday 00:00, or None.
    about
        What ``meta`` of the windows says besides the seed.

    """

    def __init__(
        self,
        data: DataInfo,
        noise_dim: int,
        draw: Draw,
        **about: Any,
    ) -> None:
        self.data, self.noise_dim, self.draw, self.about = data, noise_dim, draw, about
        self.pools: dict[tuple[int, int], Pool] = {}

    def want(
        self, n: int, length: int | None, code: int | None, seed: int, history: Any = None, people: Any = None
    ) -> Wanted:
        """What is asked for, once it is checked and the history is read.

        Parameters
        ----------
        n
            How many series.
        length
            Rows of each; by default those of a window.
        code
            The class of all; by default that of their history, or each in its share.
        seed
            Which ones.
        history
            What the series go on from, in turn where it has several sequences: a table as that which was learnt from,
            its path, or what was read of it.
        people
            None: a series is nobody's.

        Raises
        ------
        ConfigError
            For a number below 1, or a generator of no series; DataError and ArtifactError as of ``read_history``.

        """
        check_number(n, "series")
        length = self.data.time if length is None else length
        check_number(length, "rows of a series")
        info = self.info
        if people is not None:
            raise ConfigError("people are of beats, a length and a history are of series; leave out people")
        if history is not None:
            from ecgsynth.windows.history import History, read_history

            if not isinstance(history, History):
                classes = self.data.class_names if code is None and info.options.label is not None else None
                history = read_history(history, info, self.overlap, classes)
        return Wanted(n, length, code, seed, history)

    @property
    def info(self) -> SeriesInfo:
        """What the columns are; ConfigError where it is no series that is made."""
        if self.data.series is None:
            raise ConfigError(
                "a length and a history are of series, and this generator makes windows of a signal; leave them out"
            )
        return self.data.series

    @property
    def overlap(self) -> int:
        """How many rows the next ones depend on, and a history must have: half a window, or fewer of many columns."""
        return max(1, min(self.data.time // 2, MOST_GIVEN // len(self.data.channel_names)))

    @cached_property
    def order(self) -> list[tuple[int, list[int], list[int]]]:
        """The rules between the columns, as positions (long_table.bounds_in_order)."""
        places = {column.name: place for place, column in enumerate(self.info.columns)}
        pairs = [(places[low], places[high]) for low, high in self.info.rules]
        return bounds_in_order(pairs, dict(enumerate(self.limits[2][: len(places)].tolist())))

    @cached_property
    def limits(self) -> tuple[Floats, ...]:
        """Each (channels,): the least and the greatest value that is made, and the step (0: none), of each channel."""
        columns = self.info.channels
        low = [-np.inf if column.lowest is None else column.lowest for column in columns]
        high = [np.inf if column.highest is None else column.highest for column in columns]
        return np.array(low), np.array(high), np.array([column.quantum or 0.0 for column in columns])

    def frame(self, wanted: Wanted) -> Any:
        """The user's own table of the series, as ``long_table.frame_of`` gives it."""
        return frame_of(self.windows(wanted), self.info, self.place(wanted))

    def place(self, wanted: Wanted) -> Place:
        """Where the first rows lie, and so how time goes on."""
        return Place(last=None if wanted.history is None else wanted.history.last)

    def windows(self, wanted: Wanted) -> Windows:
        """The series as windows (n, length, channels)."""
        found = list(whole(self.stream(wanted), wanted.length))
        known = {name: joined([getattr(some, name) for some in found]) for name in ("values", "labels", "start_s")}
        return dataclasses.replace(found[0], **known)

    def stream(self, wanted: Wanted) -> Iterator[Windows]:
        """The series in pieces: of several whole ones, or of one after the other in parts, at constant memory."""
        many = max(1, PIECE_ROWS // wanted.length)
        for first in range(0, wanted.n, many):
            numbers = range(first, min(first + many, wanted.n))
            codes = self.codes(numbers, wanted)
            series, statics, start_s = self.begin(numbers, codes, wanted)
            for step in range(0, wanted.length, PIECE_ROWS):
                count = min(PIECE_ROWS, wanted.length - step)
                rows = np.stack([one.take(count) for one in series])
                values = self.restored(np.concatenate([rows, np.repeat(statics[:, None], count, axis=1)], axis=2))
                if wanted.history is not None:  # the user's own, whatever the bounds of what is made
                    values[:, :, rows.shape[2] :] = statics[:, None]
                known = {"start_s": start_s, "seed": wanted.seed, **self.about}
                yield Windows.made(self.data, values, codes, None, **known)

    def codes(self, numbers: range, wanted: Wanted) -> NDArray[np.int64]:
        """(n,) the class of each series."""
        if wanted.code is not None:
            return np.full(len(numbers), wanted.code, dtype=np.int64)
        if wanted.history is not None and wanted.history.codes is not None:
            codes: NDArray[np.int64] = wanted.history.codes[np.asarray(numbers) % len(wanted.history.codes)]
            return codes
        shares = np.asarray([entry.share for entry in self.data.classes])
        return pick_labels(row_noise(wanted.seed, numbers, self.noise_dim).label, shares)

    def begin(
        self, numbers: range, codes: NDArray[np.int64], wanted: Wanted
    ) -> tuple[list[Rows], Floats, Floats | None]:
        """The rows of some series to come, without their statics; these: (n, statics); and (n,) when they start, in s
        from Monday 00:00, or None.
        """
        columns, clock, start_s = len(self.info.columns), self.info.time, None
        if wanted.history is None:
            starts, start_s = self.draw(numbers, codes, wanted.seed)
            starts = starts.astype(np.float64)
            statics = starts[:, :, columns:].mean(axis=1)
        else:
            which = np.asarray(numbers) % len(wanted.history.values)
            starts = wanted.history.values[which]
            statics = starts[:, -1, columns:]
            if clock is not None and clock.start:
                start_s = since_monday(wanted.history.last[which] + round(clock.step * 10**6), clock.start)
        moments = [None] * len(numbers) if start_s is None else start_s.tolist()
        running = zip(numbers, codes.tolist(), starts[:, :, :columns], statics, moments, strict=True)
        return [Rows(self.blocks(*one, wanted)) for one in running], statics, start_s

    def blocks(
        self, number: int, code: int, start: Floats, statics: Floats, start_s: float | None, wanted: Wanted
    ) -> Iterator[Floats]:
        """One series, without end: its first window, unless it goes on from a history, and what is joined to it."""
        if wanted.history is None:
            yield start
            if start_s is not None and self.info.time is not None:
                start_s += len(start) * self.info.time.step
        yield from self.pool(code, wanted.seed).series(start, statics, series_noise(wanted.seed, number), start_s)

    def pool(self, code: int, seed: int) -> Pool:
        """The windows from which series of a class and a seed go on; those of the last seed are kept."""
        if (code, seed) not in self.pools:
            self.pools = {key: pool for key, pool in self.pools.items() if key[1] == seed}
            size = self.data.time * len(self.data.channel_names) * len(self.data.classes)
            n = min(MOST_POOL, max(LEAST_POOL, POOL_NUMBERS // size))
            rows = (range(POOL_FROM + at, POOL_FROM + min(at + DRAWN_AT_ONCE, n)) for at in range(0, n, DRAWN_AT_ONCE))
            made = [self.draw(some, np.full(len(some), code, dtype=np.int64), seed) for some in rows]
            windows, columns = np.concatenate([values for values, _ in made]), len(self.info.columns)
            low, high, step = (limit[:columns] for limit in self.limits)
            habits = Habits(windows[:, :, :columns], self.overlap, low, high, step, self.order)
            starts = joined([start_s for _, start_s in made])
            pool = Pool(windows, self.overlap, len(self.info.statics), habits, starts, self.info.time)
            self.pools[code, seed] = pool
        return self.pools[code, seed]

    def restored(self, values: Floats) -> NDArray[np.float32]:
        """Values (n, time, channels) within their bounds, in their steps and by their rules, as windows are."""
        low, high, steps = (limit.astype(np.float32) for limit in self.limits)
        kept = np.clip(values.astype(np.float32), low, high)
        step = np.where(steps > 0, steps, np.float32(1))
        kept = np.where(steps > 0, np.rint(kept / step) * step, kept)
        put_in_order(kept, self.order)
        return kept


def whole(pieces: Iterator[Windows], length: int) -> Iterator[Windows]:
    """Pieces put together to series of so many rows."""
    parts: list[NDArray[np.float32]] = []
    for piece in pieces:
        parts.append(piece.values)
        if sum(part.shape[1] for part in parts) == length:
            yield dataclasses.replace(piece, values=np.concatenate(parts, axis=1))
            parts = []


def joined(parts: list[Any]) -> Any:
    """Arrays end to end; None where there are none."""
    return None if parts[0] is None else np.concatenate(parts)
