"""A generator of table rows as its users hold it: what it makes, what it tells, and the file that it becomes."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ecgsynth.core.levels import ROWS
from ecgsynth.core.noise import row_noise
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.export import table_to_onnx
from ecgsynth.export.table_sampler import TableSampler
from ecgsynth.tabular import synthesizer
from ecgsynth.tabular.encoding.encoding import CategoryCodes
from ecgsynth.tabular.synthesizer import TableSynthesizer

pytestmark = pytest.mark.trains

Tiny = dict[str, Any]


@pytest.fixture(scope="module")
def made(people: pd.DataFrame, tiny: Tiny) -> TableSynthesizer:
    return TableSynthesizer.fit(people, epochs=10, source="people", **tiny)


@pytest.fixture(scope="module")
def exported(made: TableSynthesizer, tmp_path_factory: pytest.TempPathFactory) -> TableSampler:
    """Tracing takes seconds, so it is done once."""
    path = tmp_path_factory.mktemp("onnx") / "people.onnx"
    made.export(path)
    return TableSampler(path)


def test_the_level_of_a_file_says_that_rows_were_taken_for_persons(made: TableSynthesizer) -> None:
    attack = {"title": "a", "auc_interval": [0.4, 0.6], "tpr_1_interval": [0, 0.05], "relative_f1_interval": [0, 0.1]}
    audit = {"kind": "table", "persons_known": True, "persons_outside": 100, "same_training_part": True, "seed": 41}
    about = dataclasses.replace(made.about, metrics=made.about.metrics | {"audit": audit | {"attacks": {"a": attack}}})
    measured = TableSynthesizer.__new__(TableSynthesizer)
    measured.__dict__.update(made.__dict__ | {"about": about})
    manifest = measured.manifest()
    assert (manifest.release.name, manifest.release.reasons) == ("public", (ROWS,))
    assert "seed" not in manifest.metrics["audit"]
    assert made.manifest().release.name == "internal"


# ---- what it makes


def test_rows_are_the_users_own_table(people: pd.DataFrame, made: TableSynthesizer) -> None:
    rows = made.sample(600, seed=1)
    assert list(rows) == list(people)
    for name in ("age", "weight", "dose", "seen", "smoker", "class"):
        assert rows[name].dtype == people[name].dtype, name
    made.schema.check(rows)  # bounds, categories, dates, decimals, where values may be missing
    assert rows["id"].is_unique
    assert rows["id"].str.fullmatch(r"PX-\d{5}").all()
    assert rows["weight"].isna().mean() == pytest.approx(0.2, abs=0.08)
    assert rows["ward"].isna().mean() == pytest.approx(0.1, abs=0.06)
    assert (rows["weight"].dropna() == rows["weight"].dropna().round(1)).all()
    assert rows["born"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()
    assert set(rows["ward"].dropna()) == {"east", "north", "west"}
    assert rows["class"].isin([0, 1]).all()


def test_a_row_is_the_same_whatever_is_drawn_with_it(made: TableSynthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    many = made.sample(300, seed=5)
    monkeypatch.setattr(synthesizer, "ROWS_AT_ONCE", 3)
    pd.testing.assert_frame_equal(made.sample(7, seed=5), many[:7])
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        made.sample(0)
    with pytest.raises(ConfigError, match="of which there are 100,000"):
        made.sample(100_001)


def test_it_learns_how_columns_hang_together(tiny: Tiny) -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, 2000)
    table = pd.DataFrame({"a": np.array(list("uvw"))[first], "b": np.array(list("xyz"))[(first + 1) % 3]})
    options = {**tiny, "training": {"batch": 100, "rate": 1e-2}}
    made = TableSynthesizer.fit(table, epochs=10, **options)
    rows = made.sample(2000)
    wanted = {"u": "y", "v": "z", "w": "x"}
    assert np.mean([wanted[a] == b for a, b in zip(rows["a"], rows["b"], strict=True)]) > 0.95


# ---- what is published


def test_the_manifest_tells_of_no_one(made: TableSynthesizer, people: pd.DataFrame) -> None:
    manifest = made.manifest()
    text = manifest.to_text()
    assert "Atlantis" not in text
    assert manifest.data.keys() == {"kind", "rows", "training_rows", "validation_share", "source"}
    assert made.about.data.private is not None
    assert made.about.data.private.unpublished == {"ward": 1}
    assert (manifest.data["rows"], manifest.data["training_rows"]) == (400, 360)
    assert "seed" not in manifest.training["config"]
    assert manifest.data["source"] == {"name": "people"}
    assert manifest.training["model"] == "default"
    assert manifest.metrics["steps"] == 36
    columns = {column.name: column for column in manifest.columns}
    assert columns["id"].to_json() == {"name": "id", "kind": "identifier", "dtype": "string", "format": "PX-[0-9]{5}"}
    assert sorted(columns["ward"].categories) == ["east", "north", "west"]
    assert [name for name, column in columns.items() if column.asked] == ["ward", "smoker", "class"]
    for name in ("weight", "dose"):
        assert columns[name].minimum > people[name].min()
        assert columns[name].maximum < people[name].max()


def test_numbers_of_more_than_seven_digits_keep_them(tiny: Tiny, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cost = np.where(rng.random(300) < 0.4, 1234567.89, np.round(rng.normal(1.2e6, 1e5, 300), 2))
    frame = pd.DataFrame({"cost": cost, "share": rng.random(300)})
    made = TableSynthesizer.fit(frame, epochs=1, **tiny)
    made.export(tmp_path / "cost.onnx")
    for rows in (made.sample(500, seed=1), TableSampler(tmp_path / "cost.onnx").rows(500, seed=1)):
        assert (rows["cost"] == 1234567.89).mean() == pytest.approx(0.4, abs=0.1)
        assert np.array_equal(np.round(rows["cost"], 2), rows["cost"])
        assert len(np.unique(np.round(rows["cost"] * 100) % 8)) == 8  # single precision is of eighths there


def test_what_was_measured_is_told_of_its_own_table_only(made: TableSynthesizer) -> None:
    own = TableSynthesizer(made.schema, made.sampler, dataclasses.replace(made.about))
    own.tell_measured({"same_table": True, "quality": {"score": 0.9}, "seed": 3})
    assert own.manifest().metrics["quality"] == {"score": 0.9}
    assert "seed" not in own.manifest().metrics
    for category, positive in (("Atlantis", None), ("east", "east")):  # two people are in the first
        own.tell_measured({"same_table": True, "utility": {"target": "ward", "positive": category}})
        assert own.manifest().metrics["utility"] == {"target": "ward", "positive": positive}
    with pytest.raises(ConfigError, match="does not say that the generator learnt from the table"):
        own.tell_measured({"same_table": False, "quality": {}})


# ---- the exported file


def test_the_file_makes_the_rows_of_torch(made: TableSynthesizer, exported: TableSampler) -> None:
    mine, its = made.sample(3000, seed=4), exported.sample(3000, seed=4)
    same = pd.Series(True, index=mine.index)
    for name in mine:
        if mine[name].dtype.kind == "f":
            apart = (mine[name] - its[name]).abs()
            same &= (apart <= 1e-5 * mine[name].abs().max()) | (mine[name].isna() & its[name].isna())
        else:
            same &= (mine[name] == its[name]) | (mine[name].isna() & its[name].isna())
        assert mine[name].dtype == its[name].dtype
    assert same.mean() > 0.998  # a uniform number may fall between two codes to the last bit
    assert exported.manifest.to_text() == made.manifest().to_text()


def test_both_make_the_rows_that_are_asked_for(made: TableSynthesizer, exported: TableSampler) -> None:
    asked = {"class": "1", "ward": "east"}
    mine, its = made.sample(500, asked, seed=4), exported.sample(500, asked, seed=4)
    for rows in (mine, its):
        assert (rows["class"] == 1).all()
        assert (rows["ward"] == "east").all()
    assert (mine["born"] == its["born"]).mean() > 0.99
    for sampler in (made, exported):
        with pytest.raises(ConfigError, match="'ward' has no category 'Atlantis' in this generator, or fewer than ten"):
            sampler.sample(1, {"ward": "Atlantis"})
        with pytest.raises(ConfigError, match="by 'age'; rows can be asked for by ward, smoker"):
            sampler.sample(1, {"age": 40})


def test_a_graph_that_differs_is_not_written(
    made: TableSynthesizer, exported: TableSampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = exported.path.read_bytes()
    monkeypatch.setattr(table_to_onnx, "trace", lambda *args: None)
    monkeypatch.setattr(table_to_onnx, "sealed", lambda *args: content)
    made.export(tmp_path / "same.onnx")
    assert (tmp_path / "same.onnx").read_bytes() == content
    with pytest.raises(ArtifactError, match="exists already"):
        made.export(tmp_path / "same.onnx")
    bias = made.sampler.generator.outer_bias
    before = bias.detach().clone()
    with torch.no_grad():
        bias += torch.linspace(-2, 2, bias.shape[1])
    try:
        with pytest.raises(ArtifactError, match=r"differs from torch in \d+ rows; nothing was written"):
            made.export(tmp_path / "other.onnx")
    finally:
        with torch.no_grad():
            bias.copy_(before)
    assert not (tmp_path / "other.onnx").exists()


def test_rare_categories_are_asked_for_one_by_one(tiny: Tiny) -> None:
    """Those that share a code: the one asked for stands in the row, and the model is given the code."""
    counts = {"a": 9000, "b": 8000, "c": 12, "d": 14}
    table = pd.DataFrame(
        {
            "c": np.repeat(list(counts), list(counts.values())),
            "x": np.resize([1.0, 2.0, 3.5, 9.25], sum(counts.values())),
        }
    )
    made = TableSynthesizer.fit(table, epochs=1, **{**tiny, "training": {"batch": 4000}})
    known = made.sampler.encoding.columns[0]
    assert isinstance(known, CategoryCodes)
    if len(known.categories) < 4:
        pytest.skip("the split left a rare category with fewer than ten rows")
    uniform = torch.from_numpy(row_noise(0, range(200), made.sampler.noise_dim).uniform)
    for code, category in enumerate(known.categories):
        asked = [torch.full((200,), -1) for _ in made.sampler.answers]
        asked[0][:] = code
        found = made.sampler(uniform, *asked)[0]
        assert (found == code).all(), category
