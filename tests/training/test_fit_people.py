"""A generator of people: what is learnt of whom, persons in samples and files, and who is left out."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import ecgsynth
from ecgsynth.auditing import exposed
from ecgsynth.core.config import TrainConfig
from ecgsynth.core.noise import person_noise, persons_of_rows
from ecgsynth.errors import ConfigError, DataError
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.metrics.attacks.persons import attacked_persons
from ecgsynth.metrics.classifier import ClassifierConfig
from ecgsynth.models.people.plan import plan_people
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.training.batches import balanced_people
from ecgsynth.training.fit_people import MODEL, people_of

pytestmark = pytest.mark.trains

SMALL = {"hidden": 8, "read_out": 16, "critic_hidden": 16, "latent_steps": 2, "step_noise": 4}


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Scores of few windows, and few shadows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecgsynth.training.selection.MOST_SYNTHETIC", 100)
        patch.setattr("ecgsynth.training.selection.CLASSIFIER", ClassifierConfig(width=8, steps=5, batch=32))
        patch.setattr("ecgsynth.metrics.attacks.shadow.SHADOWS", 4)
        patch.setattr("ecgsynth.metrics.attacks.shadow.SYNTHETIC", 500)
        patch.setattr("ecgsynth.models.people.population.MOST_ROUNDS", 1)
        patch.setattr("ecgsynth.auditing.RELEASED_WINDOWS", 2000)
        yield


@pytest.fixture(scope="module")
def windows(people, quick):
    return people(people=18, beats=30, rare=15)


@pytest.fixture(scope="module")
def trained(windows):
    return Synthesizer.fit(windows, training=TrainConfig(steps=8, batch=16, validations=1), config=SMALL)


@pytest.fixture(scope="module")
def file(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("people") / "people.onnx"
    trained.export(path)
    return path


def test_before_training_new_people_look_like_people(windows):
    learn = windows.part("train")
    plan = plan_people(learn, SMALL, 0)
    generator = people_of(plan)
    assert plan.config.people_behind == 10  # of 12, rounded down
    assert plan.config.largest_share <= 0.36  # of a number of twelve people the three furthest are as far
    local = torch.from_numpy(plan.local)
    for label in (0, 1):
        own = local[torch.from_numpy(learn.labels[plan.rows]) == label]
        assert own.abs().median().item() == pytest.approx(0.6745, abs=0.1)  # as of a normal distribution
    assert generator.axes.shape == (plan.config.styles, 2, plan.config.features)


def test_what_a_window_differs_by_comes_back_from_local_coordinates(windows):
    learn = windows.part("train")
    plan = plan_people(learn, SMALL, 0)
    features = plan.space.transform(learn.values, learn.rr_s)[plan.rows]
    away = (plan.local * plan.spreads[learn.labels[plan.rows]]) @ plan.unmixing
    for person in np.unique(plan.owners)[:3]:
        own = (plan.owners == person) & (learn.labels[plan.rows] == 0)
        seen = features[own] - np.median(features[own], axis=0)
        shape = plan.config.components
        for part in (slice(0, shape), slice(shape, None)):  # each but for how much the person's windows vary
            factor = (seen[:, part] * away[own][:, part]).sum() / np.square(away[own][:, part]).sum()
            assert seen[:, part] == pytest.approx(
                factor * away[own][:, part], abs=2e-3 * float(np.abs(seen[:, part]).max())
            )


def test_the_same_person_wherever_he_is_asked_for(trained):
    many = trained.windows(60, "N", seed=3, people=20)
    few = trained.windows(30, "N", seed=3, people=[7])
    assert set(few.groups) == {"7"}
    own = many.values[many.groups == "7"]
    assert len(own) == 3
    far = [np.abs(np.median(few.values, axis=0) - one).mean() for one in own]
    others = [np.abs(np.median(few.values, axis=0) - one).mean() for one in many.values[many.groups != "7"]]
    assert max(far) < np.median(others)
    alone = trained.windows(10, "N", seed=3)  # row i is of person i
    assert alone.groups is None
    assert np.array_equal(alone.values[7], many.values[7])
    assert not np.array_equal(trained.windows(10, "N", seed=4).values[7], many.values[7])


def test_the_file_makes_the_same_people(trained, file):
    sampler = OnnxSampler(file)
    for asked in (None, 5, [3, 9]):
        made, wanted = sampler.windows(23, seed=2, people=asked), trained.windows(23, seed=2, people=asked)
        assert made.values == pytest.approx(wanted.values, abs=2e-4)
        assert made.rr_s == pytest.approx(wanted.rr_s, rel=1e-3)
        assert np.array_equal(made.labels, wanted.labels)
        if asked is not None:
            assert made.groups.tolist() == wanted.groups.tolist()
    batches = list(sampler.stream(23, seed=2, batch=5, people=4))
    assert np.concatenate([batch.groups for batch in batches]).tolist() == [str(row % 4) for row in range(23)]
    assert sampler.manifest.person_dim == trained.config.person_dim


def test_people_whose_windows_have_no_intervals(windows, tmp_path):
    without = dataclasses.replace(windows, rr_s=None)
    made = Synthesizer.fit(without, training=TrainConfig(steps=2, batch=16, validations=1), config=SMALL)
    assert made.about.training.model == "people"
    made.export(tmp_path / "m.onnx")
    wanted, got = made.windows(9, seed=2, people=3), OnnxSampler(tmp_path / "m.onnx").windows(9, seed=2, people=3)
    assert wanted.rr_s is None
    assert got.rr_s is None
    assert got.values == pytest.approx(wanted.values, abs=2e-4)


def test_people_in_every_format(file, run, tmp_path):
    import pandas as pd

    words = ["sample", file, "-n", 12, "--people", 3, "--seed", 1, "-o"]
    for ending in ("csv", "parquet", "json", "npz", "tsv"):
        result = run(*words, tmp_path / f"p.{ending}")
        assert result.exit_code == 0, result.output
    persons = [row % 3 for row in range(12)]
    assert pd.read_csv(tmp_path / "p.csv")["person"].tolist() == persons
    assert pd.read_csv(tmp_path / "p.tsv", sep="\t").columns[:2].tolist() == ["label", "person"]
    assert pd.read_parquet(tmp_path / "p.parquet")["person"].tolist() == persons
    assert [entry["person"] for entry in json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))] == persons
    assert ecgsynth.Windows.load(tmp_path / "p.npz").groups.tolist() == [str(person) for person in persons]
    assert "person" not in pd.read_csv(sampled(run, file, tmp_path)).columns
    refused = run(*words, tmp_path / "records", "--format", "wfdb")
    assert refused.exit_code == 1
    assert "WFDB records do not say of whom a beat is" in refused.output


def sampled(run, file, tmp_path) -> Path:
    run("sample", file, "-n", 3, "-o", tmp_path / "q.csv")
    return tmp_path / "q.csv"


def test_a_saved_run_makes_the_same(trained, tmp_path):
    trained.save(tmp_path / "run")
    again = Synthesizer.load(tmp_path / "run")
    assert np.array_equal(again.windows(5, seed=1, people=2).values, trained.windows(5, seed=1, people=2).values)
    assert again.config == trained.config


@pytest.mark.parametrize("wrong", [0, -1, [], [-1], ["a"], True, 1.5])
def test_people_that_cannot_be(trained, file, wrong):
    for generator in (trained, OnnxSampler(file)):
        with pytest.raises(ConfigError, match="people"):
            generator.windows(3, people=wrong)


def test_a_generator_of_windows_makes_no_people(windows, tmp_path):
    made = Synthesizer.fit(
        windows, level="internal", training=TrainConfig(steps=2, batch=16, validations=1), config=SMALL
    )
    assert made.about.training.model == "rwgan"
    with pytest.raises(ConfigError, match="nobody's, not people"):
        made.windows(3, people=2)
    made.export(tmp_path / "m.onnx")
    with pytest.raises(ConfigError, match="nobody's, not people"):
        OnnxSampler(tmp_path / "m.onnx").windows(3, people=2)
    assert OnnxSampler(tmp_path / "m.onnx").manifest.release.name == "internal"


def test_a_class_of_too_few_people_is_left_out_and_said(people, run, tmp_path):
    windows = people(people=18, having=4)
    windows.save(tmp_path / "beats.npz")
    result = run("train", "ecg", tmp_path / "beats.npz", "-o", tmp_path / "run", "--steps", 2)
    assert result.exit_code == 0, result.output
    assert "left out V: too few people have it" in result.output
    assert Synthesizer.load(tmp_path / "run").classes == ("N",)
    manifest = exported(tmp_path)
    assert "left_out" not in json.dumps(manifest)
    with pytest.raises(DataError, match="fewer than 5 people in the training part have 10 windows of class V"):
        plan_people(windows.part("train"), SMALL, 0)


def exported(tmp_path):
    Synthesizer.load(tmp_path / "run").export(tmp_path / "m.onnx")
    return json.loads(OnnxSampler(tmp_path / "m.onnx").manifest.to_text())


def test_too_few_people_and_nobody_known(people):
    few = people(people=6)
    with pytest.raises(DataError, match=r"the training part has 4 people .* at least 5; .* --level internal"):
        Synthesizer.fit(few)
    nobody = dataclasses.replace(few, groups=None)
    with pytest.raises(DataError, match="do not say whose they are, so a file of them cannot be controlled"):
        Synthesizer.fit(nobody, level="controlled")
    with pytest.raises(ConfigError, match="rwgan learns the windows of the persons themselves"):
        Synthesizer.fit(few, level="public", model="rwgan")
    with pytest.raises(ConfigError, match="a level is one of internal, controlled, public, got 'open'"):
        Synthesizer.fit(few, level="open")


def test_nobody_known_is_learnt_as_windows(people):
    nobody = dataclasses.replace(people(people=12), groups=None)
    made = Synthesizer.fit(nobody, training=TrainConfig(steps=1, batch=16, validations=1), config=SMALL)
    assert made.about.training.model == "rwgan"


def test_shares_are_of_persons_not_of_windows(windows, trained):
    learn = windows.part("train")
    heavy = learn.groups == learn.groups[0]
    more = learn.take(
        np.concatenate([np.arange(len(learn)), np.repeat(np.flatnonzero(heavy & (learn.labels == 1)), 50)])
    )
    from ecgsynth.training.about import described_classes

    assert [entry.share for entry in described_classes(learn, by_person=True)] == pytest.approx([2 / 3, 1 / 3])
    assert described_classes(more, by_person=True)[1].share < 0.4 < described_classes(more)[1].share


def test_every_person_is_drawn_alike_whatever_he_brings():
    labels = torch.zeros(1000 + 50 + 10, dtype=torch.int64)
    owners = torch.repeat_interleave(torch.arange(3), torch.tensor([1000, 50, 10]))
    draw = balanced_people(labels, owners, 1, 110, torch.Generator().manual_seed(0))
    counts = torch.stack([torch.bincount(owners[draw()], minlength=3) for _ in range(300)]).double().mean(dim=0)
    assert counts.tolist() == pytest.approx([50, 50, 10], rel=0.06)


def test_every_window_of_a_person_can_be_drawn():
    labels = torch.tensor([0, 1, 0, 1, 0, 1])
    owners = torch.tensor([5, 5, 2, 2, 5, 2])
    draw = balanced_people(labels, owners, 2, 8, torch.Generator().manual_seed(1))
    drawn = torch.cat([draw() for _ in range(50)])
    assert sorted(set(drawn.tolist())) == list(range(6))
    assert (labels[draw()] == torch.repeat_interleave(torch.arange(2), 4)).all()


def test_a_persons_noise_is_his_own_and_not_that_of_a_row():
    whole = person_noise(9, np.arange(100), 6)
    assert np.array_equal(person_noise(9, np.array([40, 3, 99, 3]), 6), whole[[40, 3, 99, 3]])
    assert not np.isclose(whole[0], ecgsynth.core.noise.row_noise(9, range(1), 6).uniform[0]).any()
    draws = np.random.Philox(key=9 + 2**64, counter=5 * 2).random_raw(6)
    assert whole[5] == pytest.approx(((draws >> np.uint64(41)).astype(float) + 0.5) * 2.0**-23)


def test_rows_and_their_persons():
    assert persons_of_rows(range(3, 8), None).tolist() == [3, 4, 5, 6, 7]
    assert persons_of_rows(range(3, 8), 4).tolist() == [3, 0, 1, 2, 3]
    assert persons_of_rows(range(3, 8), [9, 2]).tolist() == [2, 9, 2, 9, 2]


def test_an_audit_refits_the_population_and_reads_it(file, windows):
    exposure, _ = exposed(OnnxSampler(file), windows, MODEL.refit, 0)
    found = attacked_persons(exposure)
    assert {"shadow", "population", "white_box", "calibrated_distance"} <= set(found)
    assert found["shadow"]["persons_learnt"] == 12
    assert found["population"]["persons_outside"] == 6


def test_a_shadow_makes_no_windows_of_a_class_that_it_has_nobody_for(people):
    draw = MODEL.refit(people(people=8, having=1), 0)
    assert draw(5, "N", 0).shape == (5, 64, 1)
    assert draw(5, "V", 0).shape == (0, 64, 1)
    assert np.array_equal(draw(5, "N", 0), draw(5, "N", 0))


def test_a_file_without_an_audit_has_earned_nothing_and_says_what_it_lacks(file):
    release = OnnxSampler(file).manifest.release
    assert release.name == "internal"
    assert any("was not audited" in reason for reason in release.reasons)
    assert not any("people behind" in reason for reason in release.reasons)
