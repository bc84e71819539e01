"""Models of tables in their run folders: trained, gone on with, refused, kept, loaded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ecgsynth
from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ArtifactError, ConfigError, DataError, TrainingDivergedError
from ecgsynth.tabular.imputer import Imputer
from ecgsynth.tabular.schema.schema import Column, Schema
from ecgsynth.tabular.synthesizer import TableSynthesizer
from ecgsynth.training.job import Progress
from ecgsynth.training.run_folder import RunFolder

pytestmark = pytest.mark.trains

Tiny = dict[str, Any]


def test_a_folder_in_the_way_is_kept(people: pd.DataFrame, tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ArtifactError, match="exists already"):
        TableSynthesizer.fit(people, tmp_path, epochs=1, **tiny)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_run_goes_on_to_the_same_bytes_and_only_as_it_was(
    people: pd.DataFrame, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecgsynth.training.loop.CHECKPOINT_S", 0.0)
    options = {**tiny, "epochs": 3}

    def stop(progress: Progress) -> None:
        if progress.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TableSynthesizer.fit(people, tmp_path / "a", on_progress=stop, **options)
    kept = {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()}
    for other, says in (
        ({"seed": 1}, "resume with the same command"),
        ({"epochs": 4}, "other training settings"),
        ({"model": "gan"}, "another config"),
        ({"config": {"hidden": (9,)}}, "another config"),
        ({"source": "other"}, "another data"),
    ):
        with pytest.raises(ConfigError, match=says):
            TableSynthesizer.fit(people, tmp_path / "a", resume=True, **{**options, **other})
    with pytest.raises(ConfigError, match="another data"):
        TableSynthesizer.fit(people.assign(age=people["age"] + 1), tmp_path / "a", resume=True, **options)
    assert {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()} == kept
    TableSynthesizer.fit(people, tmp_path / "a", resume=True, **options)
    TableSynthesizer.fit(people, tmp_path / "b", **options)
    for name in ("weights.safetensors", "schema.json", "encoding.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    TableSynthesizer.fit(people, tmp_path / "a", force=True, **{**options, "seed": 1})
    assert RunFolder(tmp_path / "a").weights.read_bytes() != RunFolder(tmp_path / "b").weights.read_bytes()


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (lambda table: table[:19], {}, "20 rows or more to learn from, got 19"),
        (lambda table: table[["id"]], {}, "identifiers|unique|no column to learn"),
        (lambda table: table.assign(dose=np.inf), {}, "'dose' has 60 infinite"),
        (None, {"model": "vae"}, "a model of a table that makes rows is one of default, gan, .*, got 'vae'"),
        (None, {"model": "gain"}, "that makes rows is one of .*, got 'gain'"),
        (None, {"training": {"critic_steps": 2}}, "default model has no critic"),
        (None, {"config": {"pack": 2}}, "default has no pack"),
        (None, {"config": {"hidden": (8, 8)}}, "one size of its hidden layers"),
        (None, {"label": "ward"}, "the model default takes no label"),
        (None, {"model": "cgan", "label": "age"}, "one of ward, smoker, class, got 'age'"),
        (lambda table: table[["age", "dose"]], {"model": "cgan"}, "this table has none"),
        (None, {"training": {"rate": -1.0}}, "rate"),
        (None, {"private": {"ward": 7}}, "file and where; leave out ward"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing(
    people: pd.DataFrame, tmp_path: Path, change: Callable[[Any], Any] | None, options: dict[str, Any], says: str
) -> None:
    table = people[:60] if change is None else change(people[:60])
    with pytest.raises((ConfigError, DataError), match=says):
        TableSynthesizer.fit(table, tmp_path / "run", epochs=1, device="cpu", **options)
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_not_finite_stops_it(people: pd.DataFrame, tiny: Tiny, tmp_path: Path) -> None:
    options = {**tiny, "training": {"batch": 100, "rate": 1e30}}
    with pytest.raises(TrainingDivergedError, match="at step"):
        TableSynthesizer.fit(people, tmp_path / "run", epochs=5, **options)


def test_a_damaged_run_folder_is_told(people: pd.DataFrame, tiny: Tiny, tmp_path: Path) -> None:
    TableSynthesizer.fit(people, tmp_path / "run", epochs=1, **tiny)
    config = tmp_path / "run" / "config.json"
    content = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps({**content, "config": {**content["config"], "hidden": 9}}), encoding="utf-8")
    with pytest.raises(ArtifactError, match="does not fit"):
        TableSynthesizer.load(tmp_path / "run")
    config.write_text(json.dumps({key: content[key] for key in ("format", "config")}), encoding="utf-8")
    with pytest.raises(ArtifactError, match="incomplete"):
        TableSynthesizer.load(tmp_path / "run")
    with pytest.raises(ArtifactError, match="expected a run folder"):
        TableSynthesizer.load(tmp_path)


def test_a_schema_of_the_user_decides(people: pd.DataFrame, tiny: Tiny, tmp_path: Path) -> None:
    """A column taken out is left out; a kind that is changed is another column."""
    schema = Schema.infer(people)
    kept = [column for column in schema.columns if column.name in ("age", "ward")]
    wanted = Schema((*kept, Column(name="class", kind="integer", dtype="int64", minimum=0, maximum=1)))
    made = TableSynthesizer.fit(people, tmp_path / "run", schema=wanted, epochs=1, **tiny)
    assert [(column.name, column.kind) for column in made.manifest().columns] == [
        ("age", "integer"),
        ("ward", "categorical"),
        ("class", "integer"),
    ]
    assert list(made.sample(3)) == ["age", "ward", "class"]
    narrow = Schema((Column(name="age", kind="integer", dtype="int64", minimum=18, maximum=30),))
    with pytest.raises(DataError, match="above its maximum in the schema"):
        TableSynthesizer.fit(people, tmp_path / "other", schema=narrow, epochs=1, **tiny)


def test_the_run_folder_tells_how_and_another_is_made_of_it(people: pd.DataFrame, tiny: Tiny, tmp_path: Path) -> None:
    made = TableSynthesizer.fit(people, tmp_path / "run", epochs=1, private={"file": "a.csv"}, **tiny)
    made.save(tmp_path / "copy")
    for run in (tmp_path / "run", tmp_path / "copy"):
        assert "Atlantis" not in (run / "encoding.json").read_text(encoding="utf-8")
        content = json.loads((run / "config.json").read_text(encoding="utf-8"))
        assert content["data"]["kind"] == "table"
        assert content["data"]["private"].keys() == {"file", "split_seed", "untold", "digest"}
        assert content["training"]["versions"]["ecgsynth"] == ecgsynth.__version__
        assert Schema.load(run / "schema.json") == made.schema
        again = TableSynthesizer.load(run)
        pd.testing.assert_frame_equal(again.sample(50, seed=2), made.sample(50, seed=2))
        assert again.about == made.about
    with pytest.raises(ArtifactError, match="exists already"):
        made.save(tmp_path / "run")


def test_without_a_run_folder_nothing_is_left(
    people: pd.DataFrame, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    made = TableSynthesizer.fit(people, epochs=1, seed=2, **tiny)
    kept = TableSynthesizer.fit(people, tmp_path / "run", epochs=1, seed=2, **tiny)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    pd.testing.assert_frame_equal(made.sample(50), kept.sample(50))
    with pytest.raises(ConfigError, match="there is no run to go on with"):
        TableSynthesizer.fit(people, resume=True, **tiny)


def test_a_whole_config_of_the_training_is_kept_as_it_is(people: pd.DataFrame) -> None:
    whole = TrainConfig(steps=2, batch=30, seed=4)
    made = TableSynthesizer.fit(people, training=whole, config={"hidden": 8}, device="cpu")
    assert TrainConfig.from_json(made.about.training.config) == whole
    assert made.about.data.private is not None
    assert made.about.data.private.split_seed == 4


def test_an_imputer_and_a_synthesizer_know_each_other_s_runs(people: pd.DataFrame, tmp_path: Path) -> None:
    small = {"training": {"steps": 1, "batch": 20}, "config": {"hidden": (8,)}, "device": "cpu"}
    imputer = Imputer.fit(people, tmp_path / "gain", **small)
    assert imputer.about.training.model == "gain"
    assert (imputer.about.data.rows, imputer.about.data.training_rows) == (400, 360)
    imputer.save(tmp_path / "copy")
    pd.testing.assert_frame_equal(Imputer.load(tmp_path / "copy").impute(people), imputer.impute(people))
    with pytest.raises(ArtifactError, match="is a run of gain, which fills holes; only one of default, gan, "):
        TableSynthesizer.load(tmp_path / "gain")


@pytest.mark.parametrize("missing", ["private", "training_rows", "validation_share"])
def test_a_run_of_an_earlier_version_loads(people: pd.DataFrame, tiny: Tiny, tmp_path: Path, missing: str) -> None:
    TableSynthesizer.fit(people, tmp_path / "run", epochs=1, source="mine.csv", **tiny)
    path = tmp_path / "run" / "config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["data"][missing]
    path.write_text(json.dumps(content | {"data": content["data"] | {"fingerprint": "ab"}}), encoding="utf-8")
    made = TableSynthesizer.load(tmp_path / "run")
    assert missing not in made.manifest().data
    # What an earlier version called the source was the name of the user's file.
    assert made.manifest().data["source"]["name"] == ("unnamed" if missing == "private" else "mine.csv")
