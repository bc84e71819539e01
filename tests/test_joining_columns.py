"""Joined series hold, go in lines, keep rules and follow the time of day as the windows do."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ecgsynth.core.noise import row_noise
from ecgsynth.errors import DataError
from ecgsynth.export import joining
from ecgsynth.export.joining import Joiner
from ecgsynth.models.columns.joined import phases
from ecgsynth.windows.info import ClassInfo, ClockInfo, ColumnInfo, DataInfo, SeriesInfo, SeriesOptions

TIME, PERIOD, HOUR, DAY = 16, 4, 3600, 86_400
HELD, ROWS = 0.6, 3000
NAMES = ("light", "dark", "power", "wind")


def draw(rows: range, labels: NDArray[np.int64], seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Windows that start at any hour: light by the hour, what is below it, steps of power, and wind of four hours."""
    u = row_noise(seed, rows, 6 * TIME + 2).uniform.astype(np.float64)
    z = np.sqrt(-2 * np.log(u[:, : 2 * TIME])) * np.cos(2 * np.pi * u[:, 2 * TIME : 4 * TIME])
    start = np.floor(24 * u[:, -1])
    row = np.arange(TIME)
    light = 10 * np.cos(2 * np.pi * (start[:, None] + row) / 24) + 0.3 * z[:, :TIME]
    dark = light - np.abs(z[:, :TIME][:, ::-1])
    power, knots = z[:, TIME:].copy(), z[:, TIME:][:, ::-1].copy()
    for step in range(1, TIME):
        fresh, stays = 0.8 * power[:, step - 1] + 0.6 * power[:, step], u[:, 4 * TIME + step] < HELD
        power[:, step] = np.where(stays, power[:, step - 1], fresh)
        knots[:, step] = 0.8 * knots[:, step - 1] + 0.6 * knots[:, step]
    wind = np.stack(
        [
            np.interp(row + first % PERIOD, PERIOD * np.arange(TIME), one)
            for first, one in zip(start, knots, strict=True)
        ]
    )
    return np.stack([light, dark, power, wind], axis=2).astype(np.float32), (start * HOUR).astype(np.float32)


@pytest.fixture(scope="module")
def joiner() -> Joiner:
    info = SeriesInfo(
        options=SeriesOptions(length=TIME, time="t"),
        columns=tuple(ColumnInfo(name=name, dtype="float64", lowest=-30.0, highest=30.0) for name in NAMES),
        time=ClockInfo(name="t", kind="datetime", step=float(HOUR), start="day"),
        rules=(("dark", "light"),),
    )
    data = DataInfo(
        kind="series",
        fs_hz=1 / HOUR,
        units="as given",
        time=TIME,
        channel_names=NAMES,
        event_index=None,
        classes=(ClassInfo(name="series", meaning="series", share=1.0),),
        series=info,
    )
    return Joiner(data, 6 * TIME + 2, draw)


@pytest.fixture(scope="module")
def series(joiner: Joiner) -> Any:
    return joiner.windows(joiner.want(2, ROWS, None, 3))


def hours(start_s: NDArray[np.float64], rows: int) -> NDArray[np.int64]:
    return ((start_s[:, None] / HOUR + np.arange(rows)) % 24).astype(np.int64)


def test_a_series_starts_when_its_first_window_does_and_follows_the_time_of_day(joiner: Joiner, series: Any) -> None:
    assert series.start_s.tolist() == draw(range(2), np.zeros(2, dtype=np.int64), 3)[1].tolist()
    light, hour = series.values[:, :, 0], hours(series.start_s, ROWS)
    assert np.abs(light - 10 * np.cos(2 * np.pi * hour / 24)).max() < 2.5  # 1.1 to 1.4 over five seeds
    frame = joiner.frame(joiner.want(2, 40, None, 3))
    assert (frame["t"][0] - pd.Timestamp("2000-01-03")).total_seconds() == series.start_s[0]
    assert (frame["t"].diff()[1:40] == pd.Timedelta(hours=1)).all()


def test_series_of_several_pieces_each_know_when_they_start(joiner: Joiner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "PIECE_ROWS", 50)
    many = joiner.windows(joiner.want(5, 60, None, 3))
    assert many.start_s is not None
    assert many.start_s.tolist() == draw(range(5), np.zeros(5, dtype=np.int64), 3)[1].tolist()


def test_what_stays_the_same_does_so_as_often_also_at_joins(series: Any) -> None:
    same = np.diff(series.values[:, :, 2], axis=1) == 0
    for place in range(TIME // 2):
        assert same[:, place :: TIME // 2].mean() == pytest.approx(HELD, abs=0.09), (
            place
        )  # 0.53 to 0.67 over five seeds


def test_lines_bend_at_the_hours_of_the_windows_only(series: Any) -> None:
    wind, hour = series.values[:, :, 3].astype(np.float64), hours(series.start_s, ROWS)
    bend = np.abs(np.diff(wind, n=2, axis=1)) > 1e-4
    at_knot = hour[:, 1:-1] % PERIOD == 0
    assert bend[at_knot].mean() > 0.9
    assert not bend[~at_knot].any()


def test_only_windows_of_about_that_time_that_bend_at_the_same_rows_are_picked(joiner: Joiner) -> None:
    pool = joiner.pool(0, 3)
    starts = np.round(np.arctan2(pool.phases[:, 1], pool.phases[:, 0]) / (2 * np.pi) * 24)
    for hour in (0, 5, 18, 23):
        since = (joiner.overlap - 1 + hour) % PERIOD  # hours that are multiples of the period are knots
        near = np.arange(len(starts))[pool.near(phases(hour * HOUR, joiner.info.time), since)]
        assert len(near) >= 128
        apart = (starts[near] - hour + 12) % 24 - 12
        assert set(apart.tolist()) <= {-4, 0, 4}


def test_rules_hold_in_every_row(series: Any) -> None:
    light, dark = series.values[:, :, 0], series.values[:, :, 1]
    assert (dark <= light).all()
    assert (dark < light).mean() > 0.5


def history_at(hour: int, rows: int = 31) -> pd.DataFrame:
    """Real rows up to that hour, whose wind bends at the same hours and is on its way in the last row."""
    clock = np.arange(hour - rows + 1, hour + 1)
    ends = PERIOD * np.arange(clock[0] // PERIOD, hour // PERIOD + 2)
    light = 10 * np.cos(2 * np.pi * clock / 24)
    return pd.DataFrame(
        {
            "t": pd.Timestamp("2024-03-01") + pd.to_timedelta(clock, unit="h"),
            "light": light,
            "dark": light - 1,
            "power": 0.5,
            "wind": np.interp(clock, ends, np.sin(ends)),
        }
    )


@pytest.mark.parametrize("hour", [8, 9, 10, 11, 21])
def test_a_history_goes_on_at_its_time_and_on_its_lines(joiner: Joiner, hour: int) -> None:
    history = history_at(hour)
    series = joiner.windows(joiner.want(1, 40, None, 1, history))
    assert series.start_s.tolist() == [(hour + 1) % 24 * HOUR]
    light = series.values[0, :, 0]
    assert np.abs(light - 10 * np.cos(2 * np.pi * (hour + 1 + np.arange(40)) / 24)).max() < 2.5
    wind = np.append(history["wind"][-PERIOD:], series.values[0, :, 3])
    clock = hour - PERIOD + 1 + np.arange(len(wind))
    bent = np.abs(np.diff(wind.astype(np.float64), n=2)) > 1e-4
    assert not bent[clock[1:-1] % PERIOD != 0].any()
    assert joiner.frame(joiner.want(1, 2, None, 1, history))["t"][0] == history["t"].iloc[-1] + pd.Timedelta(hours=1)


def test_a_history_whose_time_is_in_numbers_is_refused(joiner: Joiner) -> None:
    with pytest.raises(DataError, match="expected dates in the time column 't' .* got numbers"):
        joiner.want(1, 40, None, 1, history_at(9).assign(t=range(31)))
