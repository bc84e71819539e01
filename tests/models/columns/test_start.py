"""When windows start: learnt as angles of the day and the week, and made again in whole steps."""

import numpy as np
import pytest
import torch

from ecgsynth.models.columns.start import Start, StartBack

DAY, WEEK = 86_400, 604_800


@pytest.mark.parametrize("step", [600.0, 3600.0, 43_200.0, 60.0])
@pytest.mark.parametrize("week", [True, False])
@pytest.mark.parametrize("time", [4, 7, 24])
def test_every_start_comes_back(step, week, time):
    wanted = np.arange(0, WEEK if week else DAY, step)
    learnt = Start(step_s=step, week=week).apply(np.zeros((len(wanted), time, 2), dtype=np.float32), wanted)
    assert learnt.shape == (len(wanted), time, 3)
    assert StartBack(Start(step, week), time)(torch.from_numpy(learnt[..., 2])).tolist() == wanted.tolist()


def test_the_offset_is_that_of_nearly_all_windows():
    starts = 300 + 900.0 * np.arange(200)
    found = Start.find(starts, 900.0, week=True)
    assert found == Start(900.0, True, 300.0)
    learnt = found.apply(np.zeros((200, 5, 1), dtype=np.float32), starts)
    assert StartBack(found, 5)(torch.from_numpy(learnt[..., 1])).tolist() == starts.tolist()
    starts[::50] += 7
    assert Start.find(starts, 900.0, week=True) == Start(900.0, True)


def test_the_time_of_day_is_exact_where_that_of_the_week_is_not():
    step = 600.0
    wanted = np.arange(0, WEEK, step)
    learnt = Start(step, week=True).apply(np.zeros((len(wanted), 8, 0), dtype=np.float32), wanted)[..., 0]
    off = np.deg2rad(20 * np.random.default_rng(0).uniform(-1, 1, len(wanted)))  # less than half a day of the week
    angle = 2 * np.pi * wanted / WEEK + off
    learnt[:, 2::4], learnt[:, 3::4] = np.cos(angle)[:, None], np.sin(angle)[:, None]
    assert StartBack(Start(step, True), 8)(torch.from_numpy(learnt)).tolist() == wanted.tolist()


def test_whatever_is_made_is_a_step_of_the_week():
    made = torch.randn(2000, 9, generator=torch.Generator().manual_seed(0))
    seconds = StartBack(Start(900.0, True), 9)(made).numpy()
    assert (seconds % 900 == 0).all()
    assert 0 <= seconds.min() < seconds.max() < WEEK
    days = np.bincount((seconds // DAY).astype(int), minlength=7) / 2000
    assert days == pytest.approx(np.full(7, 1 / 7), abs=0.04)  # five standard deviations
