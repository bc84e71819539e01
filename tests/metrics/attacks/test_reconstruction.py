"""Typical beats that can be read out are, and others are not."""

from dataclasses import replace

import numpy as np
import pytest

from ecgsynth.metrics.attacks.reconstruction import best_of, persons_in, reconstruction

MEMBERS, OUTSIDE, OTHERS = range(10), range(20, 30), range(40, 60)


def test_shapes_that_are_kept_are_read_out_of_the_file_and_of_the_output(crowd):
    made = crowd.modes(MEMBERS, 1500, 1)
    centres = crowd.shapes[list(MEMBERS), 0][..., None].astype(np.float32)
    for exposure in (
        crowd.exposed(crowd.modes(OTHERS, 90, 1), MEMBERS, OUTSIDE, centres=centres),
        crowd.exposed(made, MEMBERS, OUTSIDE),
    ):
        found = reconstruction(exposure)
        members, outside = found["members"], found["outside"]
        assert members["persons_like"] == members["persons"] == 10
        assert members["share_nearer"] >= 0.4
        assert members["error"] < 2 * members["halves_error"] < outside["error"]
        assert outside["persons_like"] <= 3
        assert outside["persons_nearer"] <= 1
    assert found["centres"] == 0
    assert found["clusters"] > 20


def test_a_generator_of_others_reveals_members_as_little_as_people_outside(crowd):
    found = reconstruction(crowd.exposed(crowd.modes(OTHERS, 1500, 1), MEMBERS, OUTSIDE))
    assert found["members"]["persons_nearer"] <= 1
    assert found["members"]["error"] == pytest.approx(found["outside"]["error"], rel=0.5)
    assert found["members"]["correlation"] < 0.99


def test_the_best_candidate_by_hand():
    median = np.array([[0.0], [1.0], [2.0]])
    candidates = np.array([[[10.0], [11.0], [12.0]], [[0.0], [1.0], [3.0]]], dtype=np.float32)
    assert best_of(candidates, median) == pytest.approx((1.0, (1 / 3) ** 0.5))  # one has the shape, the other is nearer
    assert best_of(candidates[:0], median)[1] == np.inf
    flat = np.zeros((1, 3, 1), dtype=np.float32)
    assert best_of(flat, median) == pytest.approx((0.0, (5 / 3) ** 0.5))  # a flat line has no correlation


def test_halves_are_in_time_wherever_beats_stand(crowd):
    own = crowd.of([3])
    whole = persons_in(np.array([3]), own, None)[0]
    placed = replace(own, places=np.arange(len(own)))
    order = np.random.default_rng(0).permutation(len(own))
    apart = persons_in(np.array([3]), placed.take(order[:40]), placed.take(order[40:]))[0]
    assert np.array_equal(whole.halves, apart.halves)
    assert np.array_equal(whole.median, apart.median)
    assert whole.kind == 0


def test_without_people_there_is_nothing_to_read_out(crowd):
    exposure = crowd.exposed(crowd.modes(MEMBERS, 200, 1), MEMBERS, MEMBERS)
    assert reconstruction(exposure)["outside"] is None
    assert reconstruction(replace(exposure, learnt=replace(exposure.learnt, owners=None))) is None
    few = replace(exposure, learnt=crowd.of(MEMBERS, 0.0, 0.1), later=None)
    assert reconstruction(few) is None  # six beats have no typical one
