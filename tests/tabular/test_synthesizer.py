"""A generator of table rows as its users hold it: fitted, sampled, saved, loaded and exported."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import ecgsynth
from ecgsynth.core.noise import row_noise
from ecgsynth.errors import ArtifactError, ConfigError, DataError, TrainingDivergedError
from ecgsynth.export import table_to_onnx
from ecgsynth.export.table_sampler import TableSampler
from ecgsynth.tabular import synthesizer
from ecgsynth.tabular.encoding.encoding import CategoryCodes
from ecgsynth.tabular.models.config import PRESETS
from ecgsynth.tabular.schema.schema import Column, Schema
from ecgsynth.tabular.synthesizer import TableSynthesizer, asked_rows, split_rows
from ecgsynth.tabular.training.plan import MODELS, training_of
from ecgsynth.tabular.training.selection import pair_distance
from ecgsynth.training.job import Progress
from ecgsynth.training.run_folder import RunFolder

pytestmark = pytest.mark.trains

N = 400
TINY: dict[str, Any] = {"config": {"hidden": (8,)}, "training": {"batch": 100}, "device": "cpu"}


def people(n: int = N, seed: int = 0) -> pd.DataFrame:
    """Every kind of column; one ward that two people are in, and one name that nobody shares."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, n)
    ward = np.where(age > 60, "east", np.where(rng.random(n) < 0.5, "north", "west")).astype(object)
    ward[:2] = "Atlantis"
    weight = np.round(rng.normal(75, 12, n), 1)
    weight[rng.random(n) < 0.2] = np.nan
    ward[rng.random(n) < 0.1] = None
    ward[:2] = "Atlantis"
    return pd.DataFrame(
        {
            "id": [f"PX-{number:05d}" for number in rng.permutation(n) * 7],
            "age": age,
            "weight": weight,
            "dose": rng.lognormal(size=n),
            "born": (np.datetime64("2020-03-01") - age * 365 - rng.integers(0, 365, n)).astype(str),
            "seen": pd.Series(np.datetime64("2021-01-01T00:00:00", "s") + rng.integers(0, 10**7, n)),
            "ward": ward,
            "smoker": rng.random(n) < 0.3,
            "class": rng.integers(0, 2, n),
        }
    )


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return people()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("table") / "run"


@pytest.fixture(scope="module")
def made(frame: pd.DataFrame, run: Path) -> TableSynthesizer:
    return TableSynthesizer.fit(frame, run, epochs=10, source="people", **TINY)


@pytest.fixture(scope="module")
def exported(made: TableSynthesizer, tmp_path_factory: pytest.TempPathFactory) -> TableSampler:
    """Tracing takes seconds, so it is done once."""
    path = tmp_path_factory.mktemp("onnx") / "people.onnx"
    made.export(path)
    return TableSampler(path)


# ---- what it makes


def test_rows_are_the_users_own_table(frame: pd.DataFrame, made: TableSynthesizer) -> None:
    rows = pd.DataFrame(made.sample(600, seed=1))
    assert list(rows) == list(frame)
    for name in ("age", "weight", "dose", "seen", "smoker", "class"):
        assert rows[name].dtype == frame[name].dtype, name
    made.schema.check(rows)  # bounds, categories, dates, decimals, where values may be missing
    assert rows["id"].is_unique
    assert rows["id"].str.fullmatch(r"PX-\d{5}").all()
    assert rows["weight"].isna().mean() == pytest.approx(0.2, abs=0.08)
    assert rows["ward"].isna().mean() == pytest.approx(0.1, abs=0.06)
    assert (rows["weight"].dropna() == rows["weight"].dropna().round(1)).all()
    assert rows["born"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()
    assert set(rows["ward"].dropna()) == {"east", "north", "west"}
    assert rows["class"].isin([0, 1]).all()


def test_a_row_is_the_same_whatever_is_drawn_with_it(made: TableSynthesizer) -> None:
    many, few = made.sample(300, seed=5), made.sample(7, seed=5, batch=3)
    for name, values in few.items():
        assert pd.Series(values).equals(pd.Series(many[name][:7])), name
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        made.sample(0)
    with pytest.raises(ConfigError, match="of which there are 100,000"):
        made.sample(100_001)


def test_it_learns_how_columns_hang_together(frame: pd.DataFrame, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, 2000)
    table = pd.DataFrame({"a": np.array(list("uvw"))[first], "b": np.array(list("xyz"))[(first + 1) % 3]})
    told = {**TINY, "training": {"batch": 100, "rate": 1e-2}}
    made = TableSynthesizer.fit(table, tmp_path / "run", epochs=10, **told)
    rows = made.sample(2000)
    wanted = {"u": "y", "v": "z", "w": "x"}
    assert np.mean([wanted[a] == b for a, b in zip(rows["a"], rows["b"], strict=True)]) > 0.95


# ---- what is told


def test_the_manifest_tells_of_no_one(made: TableSynthesizer) -> None:
    told = made.manifest()
    text = told.to_text()
    assert "Atlantis" not in text
    assert told.data.keys() == {"kind", "rows", "training_rows", "validation_share", "source"}
    assert made.about["data"]["private"]["untold"] == {"ward": 1}
    assert (told.data["rows"], told.data["training_rows"]) == (N, N * 9 // 10)
    assert "seed" not in told.training["config"]
    assert told.data["source"] == {"name": "people"}
    assert told.training["model"] == "default"
    assert told.metrics["steps"] == 36
    columns = {column.name: column for column in told.columns}
    assert columns["id"].to_json() == {"name": "id", "kind": "identifier", "dtype": "string", "format": "PX-[0-9]{5}"}
    assert sorted(columns["ward"].categories) == ["east", "north", "west"]
    assert [name for name, column in columns.items() if column.asked] == ["ward", "smoker", "class"]
    for name in ("weight", "dose"):
        assert columns[name].minimum > people()[name].min()
        assert columns[name].maximum < people()[name].max()


def test_the_run_folder_tells_how(made: TableSynthesizer, run: Path) -> None:
    assert "Atlantis" not in (run / "encoding.json").read_text(encoding="utf-8")
    content = json.loads((run / "config.json").read_text(encoding="utf-8"))
    assert content["data"]["kind"] == "table"
    assert content["training"]["versions"]["ecgsynth"] == ecgsynth.__version__
    assert Schema.load(run / "schema.json") == made.schema
    again = TableSynthesizer.load(run)
    for name, values in again.sample(50, seed=2).items():
        assert pd.Series(values).equals(pd.Series(made.sample(50, seed=2)[name])), name
    assert again.about["metrics"]["best_step"] == made.about["metrics"]["best_step"]


def test_numbers_of_more_than_seven_digits_keep_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cost = np.where(rng.random(300) < 0.4, 1234567.89, np.round(rng.normal(1.2e6, 1e5, 300), 2))
    frame = pd.DataFrame({"cost": cost, "share": rng.random(300)})
    made = TableSynthesizer.fit(frame, tmp_path / "run", epochs=1, **TINY)
    made.export(tmp_path / "cost.onnx")
    for rows in (made.sample(500, seed=1), TableSampler(tmp_path / "cost.onnx").rows(500, seed=1)):
        assert (rows["cost"] == 1234567.89).mean() == pytest.approx(0.4, abs=0.1)
        assert np.array_equal(np.round(rows["cost"], 2), rows["cost"])
        assert len(np.unique(np.round(rows["cost"] * 100) % 8)) == 8  # single precision is of eighths there


def test_what_was_measured_is_told_of_its_own_table_only(made: TableSynthesizer) -> None:
    own = TableSynthesizer(made.schema, made.sampler, dict(made.about))
    own.tell_measured({"same_table": True, "quality": {"score": 0.9}, "seed": 3})
    assert own.manifest().metrics["quality"] == {"score": 0.9}
    assert "seed" not in own.manifest().metrics
    for category, told in (("Atlantis", None), ("east", "east")):  # two people are in the first
        own.tell_measured({"same_table": True, "utility": {"target": "ward", "positive": category}})
        assert own.manifest().metrics["utility"] == {"target": "ward", "positive": told}
    with pytest.raises(ConfigError, match="does not say that the generator learnt from the table"):
        own.tell_measured({"same_table": False, "quality": {}})


# ---- the exported file


def test_the_file_makes_the_rows_of_torch(made: TableSynthesizer, exported: TableSampler) -> None:
    mine, its = pd.DataFrame(made.sample(3000, seed=4)), exported.sample(3000, seed=4)
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


def test_the_file_answers(exported: TableSampler) -> None:
    rows = exported.sample(500, {"class": "1", "ward": "east"}, seed=4)
    assert (rows["class"] == 1).all()
    assert (rows["ward"] == "east").all()
    with pytest.raises(ConfigError, match="'ward' has no category 'Atlantis' in this generator, or fewer than ten"):
        exported.sample(1, {"ward": "Atlantis"})


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


@pytest.mark.parametrize("categories", [1, 2, 7])
def test_the_comparison_asks_for_each_category_alike_and_mostly_for_none(
    categories: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Session:
        def run(self, outputs: list[str], fed: dict[str, Any]) -> list[Any]:
            seen.append(fed["asked_0"])
            return [np.zeros(len(fed["asked_0"]))]

    seen: list[Any] = []
    monkeypatch.setattr(table_to_onnx, "PARITY_BATCHES", (100_000,))
    monkeypatch.setattr(table_to_onnx.onnxruntime, "InferenceSession", lambda *args, **kwargs: Session())
    table_to_onnx.differing_rows(
        lambda uniform, codes: (torch.zeros(len(codes)),), 1, {"asked_0": categories}, ["column_0"], b""
    )
    shares = np.bincount(seen[0] + 1, minlength=categories + 1) / len(seen[0])
    assert seen[0].dtype == np.int64
    assert shares == pytest.approx([0.7, *[0.3 / categories] * categories], abs=0.006)


def test_rare_categories_are_asked_for_one_by_one(tmp_path: Path) -> None:
    """Those that share a code: the one asked for stands in the row, and the model is given the code."""
    counts = {"a": 9000, "b": 8000, "c": 12, "d": 14}
    table = pd.DataFrame(
        {
            "c": np.repeat(list(counts), list(counts.values())),
            "x": np.resize([1.0, 2.0, 3.5, 9.25], sum(counts.values())),
        }
    )
    made = TableSynthesizer.fit(table, tmp_path / "run", epochs=1, **{**TINY, "training": {"batch": 4000}})
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


# ---- rows that are learnt from


def test_rows_are_split_at_random_and_told_apart() -> None:
    learn, check = split_rows(1000, 3)
    assert (len(learn), len(check)) == (900, 100)
    assert sorted([*learn, *check]) == list(range(1000))
    assert (np.diff(learn) > 0).all()
    assert (np.diff(check) > 0).all()
    assert (split_rows(1000, 3)[1] == check).all()
    assert not np.array_equal(split_rows(1000, 4)[1], check)
    assert check.max() > 900
    assert [len(part) for part in split_rows(5, 0)] == [4, 1]


def test_rows_are_chosen_by_value() -> None:
    table = pd.DataFrame(
        {"a": [" x", "y", None, "x"], "n": [1.0, 2.0, 1.0, np.nan], "i": [1, 0, 1, 1], "b": [True, False, True, True]}
    )
    for where, wanted in (
        ({}, [0, 1, 2, 3]),
        ({"a": "x"}, [0, 3]),
        ({"n": "1"}, [0, 2]),
        ({"n": "1.0"}, [0, 2]),
        ({"i": "1.0"}, [0, 2, 3]),
        ({"b": "True"}, [0, 2, 3]),
        ({"i": "1", "a": "x"}, [0, 3]),
    ):
        assert asked_rows(table, where).index.tolist() == wanted, where
    with pytest.raises(ConfigError, match="no column 'z' to choose rows by; there are a, n, i, b"):
        asked_rows(table, {"z": "1"})
    with pytest.raises(DataError, match="no row has a=q"):
        asked_rows(table, {"a": "q"})
    with pytest.raises(DataError, match="no row has i=0"):
        asked_rows(table, {"a": "x", "i": "0"})


def test_a_value_that_is_missing_among_the_rows_kept_apart_only(tmp_path: Path) -> None:
    table = people()
    _, check = split_rows(N, 0)
    table.loc[check[0], "dose"] = np.nan
    table.loc[check[:2], "age"] = 33
    table["site"] = np.random.default_rng(0).choice(["p", "q"], N).astype(object)
    table.loc[check[1], "site"] = None
    for model in ("default", "gan"):
        made = TableSynthesizer.fit(table, tmp_path / model, model=model, epochs=1, **TINY)
        assert not np.isnan(made.sample(300)["dose"]).any()
        assert np.isfinite(made.about["metrics"]["validation_score"])


def test_pair_distance_is_zero_for_the_same_and_one_for_what_shares_nothing() -> None:
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, 3, 500), rng.integers(0, 2, 500)]
    assert pair_distance(columns, columns) == pytest.approx(0, abs=1e-6)
    assert pair_distance(columns, [column + 3 for column in columns]) == pytest.approx(1, abs=1e-6)
    shuffled = [columns[0], columns[0] % 2]
    tied = [columns[0], rng.permutation(columns[0] % 2)]
    assert 0.05 < pair_distance(shuffled, tied) < 0.5  # the same columns, other pairs


# ---- runs


def test_a_folder_in_the_way_is_kept(frame: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ArtifactError, match="exists already"):
        TableSynthesizer.fit(frame, tmp_path, epochs=1, **TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_run_goes_on_to_the_same_bytes_and_only_as_it_was(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecgsynth.training.loop.CHECKPOINT_S", 0.0)
    told = {**TINY, "epochs": 3}

    def stop(progress: Progress) -> None:
        if progress.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TableSynthesizer.fit(frame, tmp_path / "a", on_progress=stop, **told)
    kept = {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()}
    for other, says in (
        ({"seed": 1}, "resume with the same command"),
        ({"epochs": 4}, "other training settings"),
        ({"model": "gan"}, "another config"),
        ({"config": {"hidden": (9,)}}, "another config"),
        ({"source": "other"}, "another data"),
    ):
        with pytest.raises(ConfigError, match=says):
            TableSynthesizer.fit(frame, tmp_path / "a", resume=True, **{**told, **other})
    with pytest.raises(ConfigError, match="another data"):
        TableSynthesizer.fit(frame.assign(age=frame["age"] + 1), tmp_path / "a", resume=True, **told)
    assert {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()} == kept
    TableSynthesizer.fit(frame, tmp_path / "a", resume=True, **told)
    TableSynthesizer.fit(frame, tmp_path / "b", **told)
    for name in ("weights.safetensors", "schema.json", "encoding.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    TableSynthesizer.fit(frame, tmp_path / "a", force=True, **{**told, "seed": 1})
    assert RunFolder(tmp_path / "a").weights.read_bytes() != RunFolder(tmp_path / "b").weights.read_bytes()


@pytest.mark.parametrize(
    ("table", "told", "says"),
    [
        (people(19), {}, "20 rows or more to learn from, got 19"),
        (people(60)[["id"]], {}, "identifiers|unique|no column to learn"),
        (people(60).assign(dose=np.inf), {}, "'dose' has 60 infinite"),
        (people(60), {"model": "vae"}, "a model of a table is one of default, gan"),
        (people(60), {"training": {"critic_steps": 2}}, "default model has no critic"),
        (people(60), {"networks": {"pack": 2}}, "default model has no critic, and no pack"),
        (people(60), {"config": {"hidden": (8, 8)}}, "one size of its hidden layers"),
        (people(60), {"model": "cgan", "label": "age"}, "one of ward, smoker, class, got 'age'"),
        (people(60)[["age", "dose"]], {"model": "cgan"}, "this table has none"),
        (people(60), {"training": {"rate": -1.0}}, "rate"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing(
    tmp_path: Path, table: pd.DataFrame, told: dict[str, Any], says: str
) -> None:
    with pytest.raises((ConfigError, DataError), match=says):
        TableSynthesizer.fit(table, tmp_path / "run", epochs=1, device="cpu", **told)
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_not_finite_stops_it(frame: pd.DataFrame, tmp_path: Path) -> None:
    told = {**TINY, "training": {"batch": 100, "rate": 1e30}}
    with pytest.raises(TrainingDivergedError, match="at step"):
        TableSynthesizer.fit(frame, tmp_path / "run", epochs=5, **told)


def test_a_damaged_run_folder_is_told(made: TableSynthesizer, frame: pd.DataFrame, tmp_path: Path) -> None:
    TableSynthesizer.fit(frame, tmp_path / "run", epochs=1, **TINY)
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


def test_a_schema_of_the_user_decides(frame: pd.DataFrame, tmp_path: Path) -> None:
    """A column taken out is left out; a kind that is changed is another column."""
    schema = Schema.infer(frame)
    kept = [column for column in schema.columns if column.name in ("age", "ward")]
    wanted = Schema((*kept, Column(name="class", kind="integer", dtype="int64", minimum=0, maximum=1)))
    made = TableSynthesizer.fit(frame, tmp_path / "run", schema=wanted, epochs=1, **TINY)
    assert [(column.name, column.kind) for column in made.manifest().columns] == [
        ("age", "integer"),
        ("ward", "categorical"),
        ("class", "integer"),
    ]
    assert list(made.sample(3)) == ["age", "ward", "class"]
    narrow = Schema((Column(name="age", kind="integer", dtype="int64", minimum=18, maximum=30),))
    with pytest.raises(DataError, match="above its maximum in the schema"):
        TableSynthesizer.fit(frame, tmp_path / "other", schema=narrow, epochs=1, **TINY)


# ---- settings


def test_settings_of_a_training() -> None:
    told = training_of("default", {}, 30_000, epochs=None, budget_s=None, seed=3)
    assert (told.steps, told.batch, told.seed) == (1500, 500, 3)
    assert training_of("default", {}, 200_000, epochs=None, budget_s=None, seed=0).steps == 6000
    assert training_of("default", {}, 30_000, epochs=2, budget_s=None, seed=0).steps == 120
    assert training_of("default", {"batch": 100}, 1000, epochs=1, budget_s=None, seed=0).steps == 10
    assert training_of("ctgan", {}, 30_000, epochs=1, budget_s=None, seed=0, pack=3).batch == 498
    assert training_of("ctgan", {}, 88, epochs=1, budget_s=None, seed=0, pack=10).batch == 80
    timed = training_of("ctgan", {}, 30_000, epochs=None, budget_s=60.0, seed=0)
    assert (timed.steps, timed.budget_s) == (None, 60.0)
    assert training_of("ctgan", {}, 88, epochs=1, budget_s=None, seed=0, pack=10).batch == 80
    assert training_of("gan", {"rate": 1e-3}, 30_000, epochs=1, budget_s=None, seed=0).rate == 1e-3
    assert set(MODELS) == {"default", *PRESETS}


def test_presets_stop_at_the_least() -> None:
    assert training_of("gan", {}, 30, epochs=1, budget_s=None, seed=0).steps >= 1
    assert synthesizer.MIN_ROWS == 20
