"""What leaves with a file, and what does not: names, hashes, seeds, and whatever is one person's."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ecgsynth
from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ConfigError, DataError
from ecgsynth.export.manifest import Manifest
from ecgsynth.models.timegan.plan import plan_timegan
from ecgsynth.tabular.encoding.encoding import CategoryCodes, NumberCodes
from ecgsynth.tabular.synthesizer import TableSynthesizer
from ecgsynth.tabular.training.rows import split_rows
from ecgsynth.training.about import described_classes
from ecgsynth.training.checks import check_classes
from ecgsynth.training.run_folder import RunFolder
from ecgsynth.windows.info import SeriesInfo, SeriesOptions
from ecgsynth.windows.windows import Windows

TINY: dict[str, Any] = {"config": {"hidden": (8,)}, "training": {"batch": 50}, "epochs": 1, "device": "cpu"}
PEOPLE = 60


def visits() -> pd.DataFrame:
    """Up to thirty visits of each of sixty people; a drug, a diagnosis and a cost that only one of them has."""
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(PEOPLE), rng.integers(5, 30, PEOPLE))
    frame = pd.DataFrame(
        {
            "patient": [f"HOSP-{number:04d}" for number in 1000 + 7 * who],
            "age": rng.integers(20, 80, PEOPLE)[who],
            "drug": np.array(["aspirin", "statin"])[rng.integers(0, 2, len(who))],
            "cost": np.round(rng.gamma(2, 100, len(who)), 2),
        }
    )
    one = who == np.bincount(who).argmax()
    frame.loc[one, "drug"] = "lithium"
    frame.loc[one, "cost"] = 87_654.32
    return frame


@pytest.fixture(scope="module")
def by_person(tmp_path_factory: pytest.TempPathFactory) -> TableSynthesizer:
    return TableSynthesizer.fit(
        visits(),
        tmp_path_factory.mktemp("visits") / "run",
        person="patient",
        private={"file": "ward7.csv", "where": {"name": "Jones"}},
        seed=41,
        **TINY,
    )


def test_persons_are_counted_and_not_their_rows(by_person: TableSynthesizer, tmp_path: Path) -> None:
    """Ten rows or more of one person were a category, a spike and a bound."""
    drug = next(column for column in by_person.sampler.encoding.columns if column.name == "drug")
    cost = next(column for column in by_person.sampler.encoding.columns if column.name == "cost")
    assert isinstance(drug, CategoryCodes)
    assert sorted(drug.categories) == ["aspirin", "statin"]
    assert isinstance(cost, NumberCodes)
    assert cost.high < 5000
    assert not np.isclose(cost.centres, 87_654.32).any()
    rows = TableSynthesizer.fit(visits(), tmp_path / "rows", schema=without_patient(), seed=41, **TINY)
    assert "lithium" in rows.manifest().to_text()  # where nobody says whose they are, rows are persons


def without_patient() -> Any:
    from ecgsynth.tabular.schema.schema import Schema

    return Schema.infer(visits().drop(columns="patient"))


def test_the_person_column_is_made_anew_and_nobody_is_in_both_parts(by_person: TableSynthesizer) -> None:
    real = visits()
    column = next(column for column in by_person.manifest().columns if column.name == "patient")
    assert column.kind == "identifier"
    made = by_person.sample(500, seed=1)["patient"]
    assert len(set(made)) == 500
    owners = pd.factorize(real["patient"])[0].astype(np.int64)
    learn, check = split_rows(len(real), 41, owners=owners)
    assert not set(owners[learn]) & set(owners[check])
    assert sorted([*learn, *check]) == list(range(len(real)))
    assert len(set(owners[check])) == PEOPLE // 10


def test_a_person_column_that_cannot_be() -> None:
    frame = visits()
    for asked, table, says in (
        ("nobody", frame, "there is no column 'nobody' to name each row's person by"),
        ("patient", frame.assign(patient=frame["patient"].where(frame.index != 5)), "is missing in 1 rows"),
        ("patient", frame.assign(patient="HOSP-1000"), "has fewer than three persons"),
    ):
        with pytest.raises((ConfigError, DataError), match=says):
            TableSynthesizer.fit(table, Path("nowhere"), person=asked, **TINY)
    assert not Path("nowhere").exists()


def test_a_file_tells_no_name_seed_or_hash_of_the_user(by_person: TableSynthesizer) -> None:
    text = by_person.manifest().to_text()
    for hidden in ("ward7", "Jones", "sha256", "digest", "seed", "HOSP-1", "untold", str(len(visits()))):
        assert hidden not in text, hidden
    assert by_person.about.data.private.where == {"name": "Jones"}
    assert by_person.manifest().data["person"] == "patient"


def test_the_packaged_file_tells_none_either() -> None:
    manifest = ecgsynth.pretrained("mitbih-beats").manifest
    assert isinstance(manifest, Manifest)
    for hidden in ("sha256", "seed", "private"):
        assert hidden not in manifest.to_text(), hidden
    assert manifest.data.source.licence == "ODC-By 1.0"


def test_a_run_folder_says_that_it_is_personal_data(by_person: TableSynthesizer, tmp_path: Path) -> None:
    RunFolder(tmp_path / "run").write_config({"data": {}})
    for folder in (tmp_path / "run",):
        said = RunFolder(folder).readme.read_text(encoding="utf-8")
        assert "personal data, not for sharing" in said


def test_only_the_key_tells_whether_a_run_learnt_from_data(tmp_path: Path) -> None:
    folders = [RunFolder(tmp_path / name) for name in "ab"]
    digests = [folder.digest("the same data") for folder in folders]
    assert digests[0]["value"] != digests[1]["value"]
    for folder, digest in zip(folders, digests, strict=True):
        folder.write_config({"data": {"private": {"digest": digest}}})
        assert folder.learnt_from("the same data")
        assert not folder.learnt_from("other data")
        assert folder.digest("the same data", resume=True) == digest  # that of before


# ---- classes and ranges of windows


def windows(people: dict[str, int], kind: str = "series") -> Windows:
    """Forty windows of each class, by so many people; those of class B lie around 500."""
    labels = np.repeat(np.arange(len(people)), 40)
    groups = np.concatenate([[f"{name}{i % some}" for i in range(40)] for name, some in people.items()])
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(len(labels), 8, 1)) + 500 * (labels == 1)[:, None, None]).astype(np.float32)
    return Windows(
        values=values,
        fs_hz=1.0,
        units="as given",
        channel_names=("x",),
        classes=tuple(people),
        labels=labels,
        groups=groups,
        parts=np.zeros(len(labels), dtype=np.int8),
        series=SeriesInfo(options=SeriesOptions(length=8, stride=8)),
        meta={"kind": kind, "groups": "sequences"},
    )


@pytest.mark.parametrize(
    ("kind", "some", "refused"), [("series", 1, True), ("series", 9, True), ("series", 10, False), ("beats", 1, True)]
)
def test_a_class_of_too_few_persons_is_not_learnt(kind: str, some: int, *, refused: bool) -> None:
    learn = windows({"A": 20, "B": some}, kind)
    if not refused:
        check_classes(learn, learn, 10)
        return
    says = f"class B is of {some} persons?" if kind == "beats" else "1 of 2 labels are of fewer than 10 sequences"
    with pytest.raises(DataError, match=f"{says} in the training part"):
        check_classes(learn, learn, 10)


def test_the_share_of_a_class_of_few_persons_is_told_coarsely() -> None:
    learn = windows({"N": 20, "V": 20, "F": 3}, "beats").take(np.r_[0:40, 40:80, 80:107])
    shares = {entry.name: entry.share for entry in described_classes(learn)}
    # 27 of 107 are 0.252; were the published shares divided by their sum, 0.252 could be computed back.
    assert shares == pytest.approx({"N": 0.3, "V": 0.4, "F": 0.3}, abs=1e-6)
    everyone = described_classes(dataclasses.replace(learn, groups=None))
    assert everyone[2].share == round(27 / 107, 6)  # where no person is known, every window is one's own


def test_timegan_publishes_no_range_of_one_person() -> None:
    learn = windows({"A": 20, "B": 20})
    learn = dataclasses.replace(learn, values=learn.values.copy())
    learn.values[learn.groups == "B3"] = 987.654  # both of its windows, and no other person's
    space = plan_timegan(learn, {}, 0).space
    for name in ("offsets", "scales", "quantiles"):
        assert getattr(space, name).max() < 600, name


def test_a_seed_is_no_part_of_what_is_told_of_a_training(by_person: TableSynthesizer) -> None:
    assert by_person.manifest().training["config"].keys() == TrainConfig(steps=1).to_json().keys() - {"seed"}
