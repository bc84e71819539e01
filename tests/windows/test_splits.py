"""Splits: 65/20/15 in every class by beat, no patient in two parts by patient, and near the best there is."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.windows.beats import DS1, DS2, MITBIH, MITBIH_SAME_PERSON, MITBIH_SOURCE
from ecgsynth.windows.splits import split
from ecgsynth.windows.windows import PARTS, Windows

SHARES = (0.65, 0.20, 0.15)
LEARNT = ("train", "later")  # parts of one and the same people
APART = ("train", "validation", "test")


def placed(parts):
    """To which of training, validation and test the people of windows belong."""
    return np.where(parts == PARTS.index("later"), PARTS.index("train"), parts)


def make(labels, groups=None, classes=5):
    n = len(labels)
    return Windows(
        values=np.arange(2 * n, dtype=np.float32).reshape(n, 2, 1),
        fs_hz=1.0,
        units="mV",
        channel_names=("a",),
        classes=tuple("NSVFQ"[:classes]),
        labels=np.asarray(labels, dtype=np.int64),
        groups=None if groups is None else np.asarray(groups, dtype=np.str_),
        meta={"kind": "beats"},
    )


@given(counts=st.lists(st.integers(0, 200), min_size=1, max_size=5).filter(any), seed=st.integers(0, 2**32))
def test_by_beat_every_class_is_65_20_15(counts, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    whole = split(make(labels), "beat", seed)
    for code, count in enumerate(counts):
        found = np.bincount(whole.parts[labels == code], minlength=3)
        assert found.sum() == count
        assert np.abs(found - np.array(SHARES) * count).max() <= 1


def test_by_beat_to_the_beat():
    labels = np.repeat([0, 1, 2], [100, 20, 1000])
    parts = split(make(labels), "beat", 0).parts
    assert [np.bincount(parts[labels == code], minlength=3).tolist() for code in range(3)] == [
        [65, 20, 15],
        [13, 4, 3],
        [650, 200, 150],
    ]


def test_by_beat_is_at_random():
    parts = split(make(np.zeros(1000, dtype=int)), "beat", 0).parts
    thirds = [(parts[start : start + 333] == 0).mean() for start in (0, 333, 666)]
    assert thirds == pytest.approx([0.65] * 3, abs=0.08)


@pytest.mark.parametrize("kind", ["beat", "patient"])
def test_seeds(kind):
    rng = np.random.default_rng(0)
    windows = make(rng.integers(0, 5, 500), rng.integers(0, 30, 500))
    first, again, other = split(windows, kind, 1), split(windows, kind, 1), split(windows, kind, 2)
    assert first.parts.tobytes() == again.parts.tobytes()
    assert first.parts.tobytes() != other.parts.tobytes()


@pytest.mark.parametrize("kind", ["beat", "patient"])
def test_only_the_parts_are_new(kind):
    windows = make([0, 1] * 30, [str(i % 7) for i in range(60)])
    whole = split(windows, kind, 3)
    assert windows.parts is None
    assert whole.parts.dtype == np.int8
    assert whole.values is windows.values  # a whole database is not copied
    assert whole.labels is windows.labels
    assert whole.meta == {"kind": "beats", "split": kind, "split_seed": 3}
    assert windows.meta == {"kind": "beats"}
    assert sum(len(whole.part(name)) for name in PARTS) == 60
    assert split(whole, kind, 3).parts.tobytes() == whole.parts.tobytes()  # what was split before does not matter


@settings(max_examples=15)
@given(
    beats=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), min_size=3, max_size=200).filter(
        lambda beats: len({patient for _, patient in beats}) >= 3
    ),
    seed=st.integers(0, 2**32),
)
def test_no_patient_is_in_two_parts(beats, seed):
    labels, patients = np.array(beats).T
    parts = split(make(labels, patients), "patient", seed).parts
    for patient in np.unique(patients):
        assert len(np.unique(placed(parts)[patients == patient])) == 1


@settings(max_examples=15)
@given(patients=st.lists(st.integers(0, 4), min_size=5, max_size=300), seed=st.integers(0, 2**32))
def test_the_last_of_each_training_patient_is_held_back(patients, seed):
    patients = np.array([0, 1, 2, 3, 4, *patients])
    labels = np.random.default_rng(seed).integers(0, 3, len(patients))
    parts = split(make(labels, patients), "patient", seed).parts
    for patient in np.unique(patients):
        own = parts[patients == patient]
        held = len(own) * 15 // 100 if placed(own)[0] == 0 else 0
        assert (own == PARTS.index("later")).sum() == held
        assert (own[len(own) - held :] == PARTS.index("later")).all()  # later in time than what is learnt from
        assert len(np.unique(own[: len(own) - held])) == 1


def test_nothing_is_held_back_where_people_are_in_all_parts_or_windows_share_rows():
    windows = make([0, 1] * 100, np.repeat(np.arange(10), 20))
    assert len(split(windows, "patient", 0).part("later")) > 0
    for kind in ("beat", "group"):
        assert len(split(windows, kind, 0).part("later")) == 0
    series = dataclasses.replace(windows, meta={"kind": "series"})
    assert len(split(series, "patient", 0).part("later")) == 0


def test_three_patients_fill_three_parts():
    parts = split(make([0, 0, 1], ["a", "b", "c"], classes=2), "patient", 0).parts
    assert sorted(parts) == [0, 1, 2]  # and of one beat none is held back


@settings(max_examples=5)
@given(seed=st.integers(0, 2**32))
def test_the_order_of_the_beats_does_not_move_patients(seed):
    rng = np.random.default_rng(seed)
    labels, patients = rng.integers(0, 5, 300), rng.integers(0, 9, 300)
    shuffle = rng.permutation(300)
    parts = split(make(labels, patients), "patient", 0).parts
    shuffled = split(make(labels[shuffle], patients[shuffle]), "patient", 0).parts
    assert placed(shuffled).tolist() == placed(parts)[shuffle].tolist()


def slow_cost(labels, parts, classes):
    """What a split by patient makes small, cell by cell."""
    cost = 0.0
    for code in range(classes):
        for part, target in enumerate(SHARES):
            share = np.mean(parts[labels == code] == part)
            cost += (share - target) ** 2 / target + (1.0 if share == 0 else 0.0)
    return cost


@pytest.mark.parametrize("seed", range(4))
def test_six_patients_are_placed_as_well_as_they_can_be(seed):
    rng = np.random.default_rng(seed)
    patients = rng.choice(6, size=150, p=[0.4, 0.2, 0.15, 0.1, 0.1, 0.05])
    labels = (rng.random(150) < 0.1 + 0.12 * patients).astype(np.int64)  # each patient has a mixture of its own
    every = (np.array(places)[patients] for places in itertools.product(range(3), repeat=6))
    best = min(slow_cost(labels, parts, 2) for parts in every)
    found = placed(split(make(labels, patients, classes=2), "patient", seed).parts)
    assert slow_cost(labels, found, 2) == pytest.approx(best, rel=1e-9)


def test_a_class_in_every_part_is_worth_more_than_exact_shares():
    first, second = [6, 6, 32, 20, 24, 24], [30, 5, 1, 0, 0, 0]  # by patient; the nearest to 65/20/15 leaves a part out
    labels = np.repeat([0, 1], [sum(first), sum(second)])
    patients = np.concatenate([np.repeat(range(6), first), np.repeat(range(6), second)])
    whole = split(make(labels, patients, classes=2), "patient", 0)
    assert all(whole.part(name).counts()["S"] for name in APART)


def test_patients_alike_are_shared_out_exactly():
    # 20 patients with 10 beats of each class: 13, 4 and 3 of them are 65, 20 and 15 percent.
    labels, patients = np.tile(np.arange(5), 200), np.repeat(np.arange(20), 50)
    whole = split(make(labels, patients), "patient", 0)
    assert [len(np.unique(whole.part(name).groups)) for name in PARTS] == [13, 4, 3, 13]
    assert [sum(whole.part(name).counts().values()) for name in LEARNT] == [13 * 43, 13 * 7]
    assert [list(whole.part(name).counts().values()) for name in APART[1:]] == [[40] * 5, [30] * 5]


def counts_by_people(whole):
    """(training, validation, test; classes), what is held back among what is trained on."""
    counts = {name: np.array(list(whole.part(name).counts().values())) for name in PARTS}
    return np.array([counts["train"] + counts["later"], counts["validation"], counts["test"]])


def test_a_class_of_one_patient_is_in_one_part_and_spoils_nothing():
    labels = np.concatenate([np.tile([0, 1], 100), np.full(10, 2)])
    patients = np.concatenate([np.repeat(np.arange(20), 10), np.full(10, 19)])
    whole = split(make(labels, patients, classes=3), "patient", 0)
    counts = counts_by_people(whole)
    assert sorted(counts[:, 2]) == [0, 0, 10]
    assert counts[:, :2] == pytest.approx(np.array([[65, 65], [20, 20], [15, 15]]), abs=5)


def test_by_group_a_series_keeps_its_sequences_apart_and_leaves_out_what_straddles_two():
    groups = np.array([f"block {i // 9}" if i % 9 else "" for i in range(90)])
    windows = make([0] * 90, groups, classes=1)
    whole = split(windows, "group", 0)
    assert len(whole) == 80
    assert whole.values[:, 0, 0].tolist() == windows.values[groups != "", 0, 0].tolist()
    assert whole.groups.tolist() == groups[groups != ""].tolist()
    people = [set(whole.part(name).groups.tolist()) for name in APART]
    assert sum(map(len, people)) == len(set.union(*people)) == 10
    assert all(people)
    assert np.array_equal(whole.parts, placed(split(whole, "patient", 0).parts))  # nothing else is different
    with pytest.raises(DataError, match="^a split by group needs at least 3 groups, got 2$"):
        split(make([0] * 9, ["a", "b", ""] * 3, classes=1), "group", 0)


def test_none_is_a_split_in_which_each_part_is_everything(tmp_path):
    windows = make([0, 1] * 6, ["a", "", "b"] * 4)
    whole = split(windows, "none", 4)
    assert whole.parts is None
    assert whole.meta == {"kind": "beats", "split": "none", "split_seed": 4}
    whole.save(tmp_path / "a.npz")
    for some in (whole, Windows.load(tmp_path / "a.npz")):
        for name in PARTS:
            assert np.array_equal(some.part(name).values, windows.values)
    again = split(split(windows, "beat", 0), "none", 0)  # what was split before does not matter
    assert len(again.part("test")) == 12
    with pytest.raises(DataError, match="not split yet"):
        windows.part("train")


def test_bad_input():
    windows = make([0] * 9, ["a", "b"] * 4 + ["a"])
    with pytest.raises(ConfigError, match="^a split is one of beat, patient, ds1-ds2, group, none, got 'record'$"):
        split(windows, "record", 0)
    with pytest.raises(DataError, match="needs to know each window's patient"):
        split(make([0] * 9), "patient", 0)
    with pytest.raises(DataError, match="needs to know each window's group"):
        split(make([0] * 9), "group", 0)
    with pytest.raises(DataError, match="needs at least 3 patients, got 2$"):
        split(windows, "patient", 0)


def test_real_patients(all_beats):
    whole = split(all_beats, "patient", 0)
    people = [set(whole.part(name).groups.tolist()) for name in APART]
    assert len(set.union(*people)) == 47
    assert people[0] == set(whole.part("later").groups.tolist())
    assert len(whole.part("later")) / (len(whole.part("later")) + len(whole.part("train"))) == pytest.approx(
        0.15, abs=0.001
    )
    assert sum(map(len, people)) == 47  # none twice
    assert "202" not in set.union(*people)  # the same person as 201
    counts = counts_by_people(whole)
    shares = counts / counts.sum(axis=0)
    assert (counts > 0).all()  # each class has patients enough for three parts
    # N, S, V and Q come near 65/20/15; of the 802 F, 373 are one person's and 362 another's.
    assert np.abs(shares - np.array(SHARES)[:, None])[:, [0, 1, 2, 4]].max() < 0.15


def test_real_beats(all_beats):
    whole = split(all_beats, "beat", 0)
    counts = np.array([list(whole.part(name).counts().values()) for name in APART])
    expected = np.array(SHARES)[:, None] * [90591, 2781, 7235, 802, 8039]
    assert np.abs(counts - expected).max() <= 1
    assert len(set(whole.part("train").groups.tolist()) & set(whole.part("test").groups.tolist())) > 40  # it leaks


# ---- the standard split of MIT-BIH


def mitbih(without=()):
    """Forty beats of each record of MIT-BIH but some, of two classes in turn."""
    records = np.repeat(sorted(MITBIH - set(without)), 40)
    people = np.array([MITBIH_SAME_PERSON.get(name, name) for name in records])
    meta = {"kind": "beats", "source": MITBIH_SOURCE, "records": 48 - len(without), "left_out": {"102": "paced"}}
    labels = np.arange(len(records)) % 2
    return dataclasses.replace(make(labels, people, classes=2), records=records, meta=meta)


def check_standard(whole):
    """Who is in which part of a split ds1-ds2."""
    records = {name: set(whole.part(name).records.tolist()) for name in PARTS}
    assert records["test"] == DS2
    assert records["train"] == records["later"]
    assert records["train"] | records["validation"] == DS1 - {"201"}
    people = [set(whole.part(name).groups.tolist()) for name in APART]
    assert sum(map(len, people)) == len(set.union(*people)) == 43  # nobody twice: 201 would be in two
    assert "201" in people[2]  # the person of record 202


def test_ds1_and_ds2_are_two_halves_without_the_paced_records():
    assert (len(DS1), len(DS2)) == (22, 22)
    assert MITBIH - DS1 - DS2 == {"102", "104", "107", "217"}
    assert not DS1 & DS2
    assert DS1 | DS2 < MITBIH


@pytest.mark.parametrize("seed", range(4))
def test_ds2_is_tested_on_and_nobody_is_in_two_parts(seed):
    whole = split(mitbih(), "ds1-ds2", seed)
    check_standard(whole)
    assert len(np.unique(whole.part("validation").groups)) == 4  # a fifth of 21
    assert [len(whole.part(name)) for name in PARTS] == [17 * 34, 4 * 40, 22 * 40, 17 * 6]
    assert whole.meta["records"] == 43
    assert sorted(whole.meta["left_out"]) == ["102", "104", "107", "201", "217"]
    assert np.array_equal(whole.parts, split(mitbih(), "ds1-ds2", seed).parts)


def test_who_chooses_the_step_hangs_on_the_seed():
    chosen = {tuple(np.unique(split(mitbih(), "ds1-ds2", seed).part("validation").groups)) for seed in range(4)}
    assert len(chosen) > 1


def test_other_data_than_mitbih_have_no_standard_split():
    other = dataclasses.replace(mitbih(), meta={"kind": "beats"})
    with pytest.raises(DataError, match="^a split ds1-ds2 is of the records of the MIT-BIH .* split them by patient$"):
        split(other, "ds1-ds2", 0)
    with pytest.raises(DataError, match="needs to know each beat's record, .* run 'ecgsynth prepare' again$"):
        split(dataclasses.replace(mitbih(), records=None), "ds1-ds2", 0)
    with pytest.raises(DataError, match=r"needs 44 records, and 2 of them are missing \(100, 101\); bring them"):
        split(mitbih(without=("100", "101")), "ds1-ds2", 0)


def test_the_standard_split_of_real_beats(all_beats):
    whole = split(all_beats, "ds1-ds2", 0)
    check_standard(whole)
    assert whole.part("test").counts() == {"N": 44_239, "S": 1_837, "V": 3_220, "F": 388, "Q": 7}  # DS2 as published
    train, validation = whole.part("train").counts(), whole.part("validation").counts()
    assert all(train[name] and validation[name] for name in "NSVF")
