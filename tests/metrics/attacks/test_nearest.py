"""Distances against loops, copies that must be found, and a membership attack whose answers are known."""

import dataclasses

import numpy as np
import pytest

from ecgsynth.errors import DataError
from ecgsynth.metrics.attacks.base import Area, Attack, attacked
from ecgsynth.metrics.attacks.nearest import ATTACKS, exposure_of_windows, nearest_distance, privacy
from ecgsynth.metrics.waveforms import BLOCK_ROWS
from ecgsynth.windows.windows import Windows


def slow_distance(query, against):
    return min(float(np.sqrt(np.mean((query.astype(float) - other.astype(float)) ** 2))) for other in against)


def draw(seed, n, time=6, channels=2):
    return np.random.default_rng(seed).normal(size=(n, time, channels)).astype(np.float32)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (17, 40), (BLOCK_ROWS + 3, 5)])
def test_nearest_distance_against_loops(n, m):
    queries, against = draw(0, n), draw(1, m)
    expected = [slow_distance(query, against) for query in queries]
    assert nearest_distance(queries, against) == pytest.approx(expected, rel=1e-6)


def test_nearest_distance_by_hand():
    against = np.array([[[0.0], [0.0]], [[10.0], [10.0]]], dtype=np.float32)
    queries = np.array([[[3.0], [4.0]], [[10.0], [10.0]], [[9.0], [10.0]]], dtype=np.float32)
    assert nearest_distance(queries, against) == pytest.approx([12.5**0.5, 0.0, 0.5**0.5])
    assert nearest_distance(queries[:0], against).shape == (0,)


def test_a_distance_to_nothing_is_an_error():
    with pytest.raises(DataError, match="nothing to measure the distance to"):
        nearest_distance(draw(0, 2), draw(0, 0))


def test_copies_are_counted_and_found_with_noise_of_a_ten_thousandth():
    learnt, unseen = draw(0, 300), draw(1, 200)
    found = privacy(np.concatenate([learnt[:7], learnt[7:10] + np.float32(1e-5), draw(2, 90)]), learnt, unseen)
    assert found["copies"] == 10
    assert found["windows_synthetic"] == 100
    assert found["windows_unseen"] == 200
    assert found["closer_than_unseen"] == pytest.approx(0.1, abs=0.04)


def test_what_a_copy_is_to_the_thousandth():
    learnt = np.zeros((1, 4, 1), dtype=np.float32)
    unseen = np.full((3, 4, 1), 2.0, dtype=np.float32)
    near = np.array([0.0019, 0.0021], dtype=np.float32).reshape(2, 1, 1).repeat(4, axis=1)
    assert privacy(near, learnt, unseen)["copies"] == 1


def test_all_copies():
    learnt = draw(0, 50)
    found = privacy(learnt[::-1], learnt, draw(1, 40))
    assert found["copies"] == 50
    assert found["median_distance_synthetic"] == 0.0
    assert found["ratio"] == 0.0
    assert found["closer_than_unseen"] == 1.0


def test_new_draws_of_the_same_distribution_are_as_far_as_unseen_ones():
    found = privacy(draw(0, 1500), draw(1, 400), draw(2, 1500))
    assert found["ratio"] == pytest.approx(1, abs=0.03)
    assert found["closer_than_unseen"] == pytest.approx(0.01, abs=0.01)
    assert found["copies"] == 0


def test_the_ratio_by_hand():
    learnt = np.zeros((1, 4, 1), dtype=np.float32)
    unseen = np.full((3, 4, 1), 2.0, dtype=np.float32)
    synthetic = np.array([0.5, 1.0, 4.0], dtype=np.float32).reshape(3, 1, 1).repeat(4, axis=1)
    found = privacy(synthetic, learnt, unseen)
    assert found["median_distance_synthetic"] == 1.0
    assert found["median_distance_unseen"] == 2.0
    assert found["ratio"] == 0.5
    assert found["closer_than_unseen"] == pytest.approx(2 / 3)


def copies_found_at(offset):
    learnt, unseen = (draw(seed, 400, time=64, channels=1) * np.float32(0.02) + np.float32(offset) for seed in (0, 1))
    return privacy(learnt[::-1], learnt, unseen)["copies"]


def test_no_offset_of_an_unfiltered_ecg_hides_a_copy():
    # Far from zero, |a|^2 - 2ab in single precision loses what tells near neighbours apart.
    assert copies_found_at(5) == 400


def test_no_offset_of_any_series_hides_a_copy():
    assert copies_found_at(300) == 400  # kelvin, say


# ---- the membership attack


def windows(values, labels, groups=None):
    return Windows(
        values=values,
        fs_hz=100.0,
        units="mV",
        channel_names=tuple(f"c{i}" for i in range(values.shape[2])),
        classes=("N", "S", "V"),
        labels=np.asarray(labels, dtype=np.int64),
        groups=None if groups is None else np.asarray(groups),
    )


def of_kinds(seed, counts, groups=None):
    """Windows whose class shows: class i is drawn about 10 i."""
    labels = np.repeat(np.arange(3), counts)
    return windows(draw(seed, len(labels)) + np.float32(10) * labels[:, None, None].astype(np.float32), labels, groups)


def membership(synthetic, learnt, unseen, **how):
    return attacked(exposure_of_windows(synthetic, learnt, unseen, **how), ATTACKS)


def area_of(synthetic, learnt, unseen):
    """The membership attack on windows of one class."""
    found = membership(synthetic, *(windows(values, np.zeros(len(values))) for values in (learnt, unseen)))
    return found["membership_auc"], found["membership_auc_error"]


def test_a_generator_that_copies_is_found_out_and_one_that_does_not_is_not():
    learnt, unseen = draw(0, 400), draw(1, 400)
    area, _ = area_of(learnt, learnt, unseen)
    assert area == 1
    area, error = area_of(draw(2, 3000), learnt, unseen)
    assert error == pytest.approx(0.02, abs=0.002)
    assert area == pytest.approx(0.5, abs=3 * error)
    half, _ = area_of(np.concatenate([learnt[:200], draw(2, 3000)]), learnt, unseen)
    assert half == pytest.approx(0.5 * 1 + 0.5 * 0.5, abs=0.05)


def test_what_classes_are_commoner_tells_the_attacker_nothing():
    learnt, unseen = of_kinds(0, (700, 20, 100)), of_kinds(1, (100, 200, 30))
    synthetic = draw(2, 3000)  # only of the first class, so that its members would stand out
    found = membership(synthetic, learnt, unseen)
    assert found["membership_windows"] == 100 + 20 + 30
    assert found["membership_auc"] == pytest.approx(0.5, abs=3 * found["membership_auc_error"])
    plain, _ = area_of(synthetic, learnt.values, unseen.values)
    assert plain > 0.65  # what the classes alone would have given away


def test_no_more_are_attacked_than_asked_for_and_a_seed_picks_them():
    learnt, unseen = of_kinds(0, (200, 100, 100)), of_kinds(1, (100, 100, 200))
    first, again, other = (membership(draw(2, 50), learnt, unseen, most=60, seed=seed) for seed in (0, 0, 1))
    assert first["membership_windows"] == 60
    assert first == again
    assert first != other


def test_patients_are_attacked_only_where_nobody_is_in_both():
    names = np.repeat([f"p{i}" for i in range(8)], 50)
    learnt, unseen = of_kinds(0, (400, 0, 0), names), of_kinds(1, (400, 0, 0), names)
    apart = dataclasses.replace(unseen, groups=np.char.add("q", names))
    assert "patient_membership_auc" not in membership(draw(2, 50), learnt, unseen)
    assert "patient_membership_auc" not in membership(draw(2, 50), learnt, dataclasses.replace(apart, groups=None))
    found = membership(learnt.values[::2], learnt, apart)  # half of each patient's windows: all patients stand out
    assert 0.7 < found["membership_auc"] < 0.8
    assert found["patient_membership_auc"] == 1
    assert (found["patients_learnt"], found["patients_unseen"]) == (8, 8)
    fair = membership(draw(2, 2000), learnt, apart)
    assert fair["patient_membership_auc"] == pytest.approx(0.5, abs=2.5 * fair["patient_membership_auc_error"])


def test_an_attack_is_an_entry_that_sees_who_is_whose():
    names = np.repeat([f"p{i}" for i in range(8)], 50)
    learnt, unseen = of_kinds(0, (400, 0, 0), names), of_kinds(1, (400, 0, 0), np.char.add("q", names))

    def run(exposure):
        assert set(exposure.learnt.owners) == set(names)
        assert len(exposure.synthetic) == 50
        return Area.of_scores(np.array([1.0, 2.0]), np.array([0.0]), {"tried": 3})

    attacks = [Attack(name="toy", title="toy attack", unit="person", run=run)]
    attacks.append(Attack(name="never", title="cannot be tried", unit="person", run=lambda exposure: None))
    found = attacked(exposure_of_windows(draw(2, 50), learnt, unseen), attacks)
    assert found == {"toy_auc": 1.0, "toy_auc_error": 0.0, "tried": 3}
