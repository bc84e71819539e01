"""Windows joined into long series: their law is that of the windows, whatever else is drawn with them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ecgsynth.core.noise import row_noise
from ecgsynth.errors import ConfigError, DataError
from ecgsynth.export import joining
from ecgsynth.export.joining import Joiner
from ecgsynth.windows.history import read_history
from ecgsynth.windows.info import ClassInfo, ClockInfo, ColumnInfo, DataInfo, SeriesInfo, SeriesOptions

TIME = 16
TURN = 2 * np.pi / 12  # of the wave, a step
KEPT = 0.9  # of the walk, from step to step
Make = Callable[..., Joiner]


def normals(uniform: NDArray[np.float32]) -> NDArray[np.float64]:
    """Two standard normals of each two uniforms (Box and Muller, 1958)."""
    radius, angle = np.sqrt(-2 * np.log(uniform[:, ::2].astype(np.float64))), 2 * np.pi * uniform[:, 1::2]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def draw(rows: range, labels: NDArray[np.int64], seed: int) -> tuple[NDArray[np.float32], None]:
    """A walk that keeps 0.9 of itself, of variance 1; a wave of any phase, twice as high in class B; an age."""
    z = normals(row_noise(seed, rows, TIME + 4).uniform)
    walk = np.empty((len(z), TIME))
    walk[:, 0] = z[:, 0]
    for step in range(1, TIME):
        walk[:, step] = KEPT * walk[:, step - 1] + np.sqrt(1 - KEPT**2) * z[:, step]
    wave = np.hypot(z[:, TIME], z[:, TIME + 1])[:, None] * np.sin(
        TURN * np.arange(TIME) + np.arctan2(z[:, TIME], z[:, TIME + 1])[:, None]
    )
    age = np.repeat(np.clip(40 + 10 * z[:, TIME + 2, None], 20, 90), TIME, axis=1)
    return np.stack([walk, wave * (1 + labels[:, None]), age], axis=2).astype(np.float32), None


@pytest.fixture
def make() -> Make:
    """A function that gives the joiner of such series, with a clock."""

    def build(clock: ClockInfo | None = None, draws: Any = draw, high: float = 9.0) -> Joiner:
        number = {"dtype": "float64", "lowest": -9.0, "highest": high}
        info = SeriesInfo(
            options=SeriesOptions(
                length=TIME, id="who", label="ward", statics=("age",), time=None if clock is None else clock.name
            ),
            columns=(ColumnInfo(name="walk", **number), ColumnInfo(name="wave", **number)),
            statics=(ColumnInfo(name="age", dtype="int64", quantum=1.0, lowest=20.0, highest=90.0),),
            time=clock,
        )
        classes = tuple(ClassInfo(name=name, meaning=name, share=0.5) for name in "AB")
        data = DataInfo(
            kind="series",
            fs_hz=1.0,
            units="as given",
            time=TIME,
            channel_names=("walk", "wave", "age"),
            event_index=None,
            classes=classes,
            series=info,
        )
        return Joiner(data, TIME + 4, draws)

    return build


def made(joiner: Joiner, n: int, length: int | None = None, code: int | None = None, **how: Any) -> Any:
    seed = how.pop("seed", 1)
    return joiner.windows(joiner.want(n, length, code, seed, **how))


# ---- the law of the windows


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_long_walk_has_the_law_of_the_windows_within_and_across_joins(make: Make, seed: int) -> None:
    walk = made(make(), 4, 6000, seed=seed).values[:, :, 0].astype(np.float64)
    assert walk.std() == pytest.approx(1, abs=0.12)  # 0.95 to 1.03 over ten seeds
    assert abs(walk.mean()) < 0.2
    rise = np.diff(walk, axis=1)
    expected = np.sqrt(2 - 2 * KEPT)
    for place in range(8):  # every eighth step is a join
        assert rise[:, place::8].std() == pytest.approx(expected, rel=0.08), place
    correlation = np.corrcoef(walk[:, :-1].ravel(), walk[:, 1:].ravel())[0, 1]
    assert correlation == pytest.approx(KEPT, abs=0.025)


def test_a_wave_goes_on_in_its_phase_and_neither_dies_nor_grows(make: Make) -> None:
    wave = made(make(), 3, 3000, code=0).values[:, :, 1].astype(np.float64)
    # A sine has x[t + 1] = 2 cos(w) x[t] - x[t - 1] at every step.
    off = wave[:, 2:] - 2 * np.cos(TURN) * wave[:, 1:-1] + wave[:, :-2]
    assert np.abs(off).max() < 0.02
    height = np.abs(wave).reshape(3, -1, 12).max(axis=2)
    assert (height[:, -1] < 5).all()
    assert (height[:, -1] > 0.5 * height[:, 0]).all()


def test_what_rises_in_every_window_stays_within_its_bounds(make: Make) -> None:
    def rising(rows: range, labels: NDArray[np.int64], seed: int) -> tuple[NDArray[np.float32], None]:
        values, _ = draw(rows, labels, seed)
        values[:, :, 0] += np.arange(TIME) / 4
        return values, None

    assert made(make(draws=rising, high=3.0), 2, 5000).values[:, :, 0].max() == 3


# ---- the same whatever else is drawn


def test_a_series_is_the_same_however_long_and_with_however_many_others(make: Make) -> None:
    whole, fewer = made(make(), 5, 300), made(make(), 2, 170)
    assert np.array_equal(whole.values[:2, :170], fewer.values)
    assert np.array_equal(whole.labels[:2], fewer.labels)
    assert not np.array_equal(whole.values[0, TIME:], made(make(), 1, 300, seed=2).values[0, TIME:])
    assert np.abs(whole.values[0] - whole.values[1]).max() > 0.1


def test_pieces_are_the_same_at_any_size(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made(make(), 3, 100)
    for rows in (7, 100, 250):
        monkeypatch.setattr(joining, "PIECE_ROWS", rows)
        joiner = make()
        wanted = joiner.want(3, 100, None, 1)
        assert max(piece.values.shape[0] * piece.values.shape[1] for piece in joiner.stream(wanted)) <= rows
        assert np.array_equal(joiner.windows(wanted).values, whole.values)


def test_a_series_begins_with_the_window_of_its_number_and_a_short_one_is_a_piece_of_it(make: Make) -> None:
    joiner = make()
    long, short = made(joiner, 4, 50), made(make(), 4, 5)
    windows, _ = draw(range(4), long.labels, 1)
    assert np.array_equal(long.values[:, :TIME, :2], windows[:, :, :2])
    assert np.array_equal(short.values, long.values[:, :5])


def test_a_close_copy_of_the_windows_gives_a_close_copy_of_the_series(make: Make) -> None:
    """torch and onnxruntime differ in the last bit."""

    def other(rows: range, labels: NDArray[np.int64], seed: int) -> tuple[NDArray[np.float32], None]:
        return draw(rows, labels, seed)[0] * np.float32(1 + 2e-7), None

    far = np.abs(made(make(), 2, 2000).values - made(make(draws=other), 2, 2000).values)
    assert 0 < far.max() < 1e-3


# ---- what a series keeps


def test_statics_stay_and_classes_are_kept(make: Make) -> None:
    joiner = make()
    series = made(joiner, 40, 200)
    assert (series.values[:, :, 2] == series.values[:, :1, 2]).all()
    assert (series.values[:, 0, 2] == np.rint(series.values[:, 0, 2])).all()
    assert 10 <= series.labels.sum() <= 30
    late = series.values[:, 100:, 1].std(axis=1)
    assert np.median(late[series.labels == 1]) > 1.4 * np.median(late[series.labels == 0])
    assert made(joiner, 3, 100, code=1).labels.tolist() == [1, 1, 1]


def test_the_table_has_a_clock_that_runs_on(make: Make) -> None:
    for clock, times in (
        (ClockInfo(name="t", kind="number", step=5), np.arange(3000) * 5),
        (ClockInfo(name="t", kind="number", step=0.1), np.round(np.arange(3000) * 0.1, 1)),
        (
            ClockInfo(name="t", kind="datetime", step=600.0),
            np.datetime64("2000-01-01T00:00:00") + np.arange(3000) * np.timedelta64(600, "s"),
        ),
    ):
        joiner = make(clock)
        frame = joiner.frame(joiner.want(2, 3000, None, 1))
        assert frame["t"].tolist() == [*pd.Series(times).tolist()] * 2
        assert frame["step"].tolist() == [*range(3000)] * 2
        assert frame["who"].tolist() == [0] * 3000 + [1] * 3000


# ---- a history


def history_of(sequences: int = 2, rows: int = 30) -> pd.DataFrame:
    """Waves of class A and B by turns, aged 95 and 96, beyond the bounds, that end at other times."""
    clock = np.arange(rows)
    parts = [
        pd.DataFrame(
            {
                "who": f"p{number}",
                "t": pd.Timestamp("2024-03-01T00:05:00") + pd.to_timedelta((clock + number) * 10, unit="min"),
                "note": "x",
                "age": 95 + number,
                "wave": 2 * np.sin(TURN * clock + number),
                "walk": 0.5,
                "ward": "AB"[number % 2],
            }
        )
        for number in range(sequences)
    ]
    return pd.concat(parts, ignore_index=True)


CLOCK = ClockInfo(name="t", kind="datetime", step=600.0)


def test_each_sequence_goes_on_from_its_last_rows_and_its_last_time(make: Make, tmp_path: Path) -> None:
    joiner, history = make(CLOCK), history_of()
    series = made(joiner, 4, 24, history=history)
    goes_on = np.stack([2 * np.sin(TURN * np.arange(30, 54) + number) for number in (0, 1, 0, 1)])
    assert np.abs(series.values[:, :, 1] - goes_on).max() < 0.3
    assert np.abs(series.values[:, 0, 1] - goes_on[:, 0]).max() < 0.03
    assert series.labels.tolist() == [0, 1, 0, 1]
    assert series.values[:, :, 2].tolist() == np.repeat([[95], [96], [95], [96]], 24, axis=1).tolist()
    assert not np.array_equal(series.values[0, :, 0], series.values[2, :, 0])  # of the same history, another future
    frame = joiner.frame(joiner.want(2, None, None, 1, history))
    assert frame["t"][0] == pd.Timestamp("2024-03-01T05:05:00")
    assert frame["t"][TIME] == pd.Timestamp("2024-03-01T05:15:00")
    assert frame["t"].diff()[1:TIME].unique().tolist() == [pd.Timedelta(minutes=10)]
    history.to_csv(tmp_path / "history.csv", index=False)
    assert np.array_equal(made(make(CLOCK), 4, 24, history=tmp_path / "history.csv").values, series.values)
    asked = made(joiner, 2, 24, 1, history=history.drop(columns="ward"))
    assert asked.labels.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("clock", "times", "wanted"),
    [
        (ClockInfo(name="t", kind="number", step=2), np.arange(8) * 2, [16, 18]),
        (
            ClockInfo(name="t", kind="number", step=0.1),
            1_700_000_000 + np.arange(8) * 0.1,
            [1700000000.8, 1700000000.9],
        ),
    ],
)
def test_numbers_of_time_go_on(make: Make, clock: ClockInfo, times: Any, wanted: list[float]) -> None:
    joiner, history = make(clock), history_of(1, 8)
    history["t"] = times
    assert joiner.frame(joiner.want(1, 2, None, 1, history))["t"].tolist() == wanted


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda frame: frame.groupby("who").head(7), "expected at least 8 rows of each sequence .* got 7"),
        (lambda frame: frame.drop(columns="wave"), "there is no column 'wave'"),
        (lambda frame: frame.drop(columns="ward"), "there is no column 'ward'"),
        (lambda frame: frame.assign(ward="C"), "labels that the generator knows .* got others in 2 of 2"),
        (lambda frame: frame.assign(wave=frame["wave"].where(frame.index != 55)), r"last 8 rows .* in wave \(1\)"),
        (lambda frame: frame.assign(age=frame.index), "static column to be constant"),
        (lambda frame: frame.assign(t=frame["t"].to_numpy()[::-1]), "time to run forwards"),
        (lambda frame: frame.assign(wave="4711.5x"), "expected numbers in column 'wave'"),
    ],
)
def test_a_history_that_cannot_be_gone_on_from_is_refused_without_its_values(
    make: Make, spoil: Callable[[pd.DataFrame], pd.DataFrame], says: str
) -> None:
    history = history_of().assign(walk=4711.5)
    with pytest.raises(DataError, match=says) as refused:
        made(make(CLOCK), 2, 50, history=spoil(history))
    assert "4711" not in str(refused.value)


def test_missing_values_before_the_last_rows_do_no_harm(make: Make) -> None:
    history = history_of()
    spoilt = history.assign(wave=history["wave"].where(history.index != 3))
    info = make(CLOCK).info
    assert np.array_equal(
        read_history(spoilt, info, 8, ("A", "B")).values, read_history(history, info, 8, ("A", "B")).values
    )


def test_nothing_of_a_history_is_kept(make: Make) -> None:
    joiner = make(CLOCK)
    wanted = joiner.want(1, 20, None, 1, history_of().assign(walk=4.711))
    drawn = joiner.windows(wanted)
    assert "4.711" not in repr(wanted) + json.dumps(drawn.meta) + repr(drawn)
    assert wanted.history is not None
    assert not [name for name, value in vars(joiner).items() if value is wanted or value is wanted.history]


# ---- what cannot be


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        ({"n": 0, "length": 50}, "the number of series must be at least 1, got 0"),
        ({"n": 1, "length": 0}, "the number of rows of a series must be at least 1, got 0"),
        ({"n": 1, "length": 2.5}, "at least 1, got 2.5"),
        ({"n": 1, "length": 50, "people": 2}, "people are of beats"),
    ],
)
def test_what_cannot_be_is_refused(make: Make, ask: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make().want(ask.pop("n"), ask.pop("length"), None, 1, **ask)
