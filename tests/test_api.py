"""One way in: fit, load and evaluate take data of every kind, and what they give is alike before and after export."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ecgsynth
from ecgsynth import Imputer, Synthesizer, TableSynthesizer, Windows
from ecgsynth.demo import sample_beats
from ecgsynth.errors import ArtifactError, ConfigError, DataError, EcgSynthError
from ecgsynth.loading import open_file
from ecgsynth.metrics.classifier import ClassifierConfig
from ecgsynth.tasks import seconds_of
from ecgsynth.training.job import Progress

GOLDEN = Path(__file__).parent / "golden"
ROWS: dict[str, Any] = {"epochs": 1, "hidden": 8, "batch": 50, "device": "cpu"}
STEPS: dict[str, Any] = {"steps": 1, "device": "cpu"}
Make = Callable[..., Any]


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecgsynth.training.selection.MOST_SYNTHETIC", 60)
        patch.setattr("ecgsynth.training.selection.CLASSIFIER", ClassifierConfig(width=4, steps=2, batch=16))
        for name in ("evaluation.COMPARED_WINDOWS", "evaluation.MOST_WINDOWS", "metrics.beats.MOST_WINDOWS"):
            patch.setattr(f"ecgsynth.{name}", 30)
        patch.setattr("ecgsynth.evaluation.RELEASED_WINDOWS", 100)
        yield


def people(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.integers(17, 90, n)
    return pd.DataFrame(
        {"age": age, "sex": rng.choice(["Female", "Male"], n), "class": np.where(age > 50, ">50K", "<=50K")}
    )


def waves() -> pd.DataFrame:
    """Forty sequences of twelve steps."""
    rng = np.random.default_rng(0)
    who, when = np.divmod(np.arange(480), 12)
    flow = np.sin(when / 2 + who) + 0.1 * rng.normal(size=480)
    return pd.DataFrame({"pid": [f"p{n}" for n in who], "t": when, "flow": flow.round(3), "pulse": 60 + 5 * flow})


@pytest.fixture(scope="module")
def beats() -> Windows:
    """Some of the beats in the package, of two classes, in their parts."""
    whole = sample_beats()
    order = np.random.default_rng(0).permutation(len(whole))[:3000]
    return whole.take(order).keep_classes(("N", "V"))


@pytest.fixture(scope="module")
def rows_model() -> TableSynthesizer:
    return ecgsynth.fit(people(), kind="table", **ROWS)


@pytest.fixture(scope="module")
def beats_model(beats: Windows) -> Synthesizer:
    return ecgsynth.fit(beats, **STEPS)


# ---- fit


def test_a_data_frame_is_learnt_as_rows_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_model: TableSynthesizer
) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(ecgsynth.fit(people(), model="gan", **ROWS), TableSynthesizer)
    assert not list(tmp_path.iterdir())
    rows_model.export(tmp_path / "rows.onnx")
    drawn = ecgsynth.load(tmp_path / "rows.onnx").sample(50, {"class": ">50K"}, seed=1)
    assert set(drawn["class"]) == {">50K"}
    assert list(drawn) == ["age", "sex", "class"]


@pytest.mark.parametrize("place", ["path", "text", "url"])
def test_a_table_is_taken_from_wherever_it_lies(tmp_path: Path, place: str) -> None:
    if place == "url":
        import fsspec

        with fsspec.open("memory://people.csv", "w") as file:
            people().to_csv(file, index=False)
        data: Any = "memory://people.csv"
    else:
        people().to_csv(tmp_path / "people.csv", index=False)
        data = tmp_path / "people.csv" if place == "path" else str(tmp_path / "people.csv")
    run = tmp_path / "run"
    made = ecgsynth.fit(data, run, where={"sex": "Male"}, seed=3, source="a census", **ROWS)
    assert isinstance(made, TableSynthesizer)
    assert made.about.data.rows == (people()["sex"] == "Male").sum()
    assert made.about.data.private.where == {"sex": "Male"}
    assert "people" in made.about.data.private.file
    with pytest.raises(ArtifactError, match="exists already"):
        ecgsynth.fit(data, run, **ROWS)
    weights = (run / "weights.safetensors").read_bytes()
    ecgsynth.fit(data, run, where={"sex": "Male"}, seed=3, source="a census", resume=True, **ROWS)
    assert (run / "weights.safetensors").read_bytes() == weights


def test_a_schema_and_a_person_are_as_on_the_command_line(tmp_path: Path) -> None:
    frame = people().assign(who=[f"P{number // 2:03d}" for number in range(120)])
    made = ecgsynth.fit(frame, kind="table", person="who", **ROWS)
    assert made.about.data.person == "who"
    schema = ecgsynth.Schema.infer(people()[["age", "class"]])
    schema.save(tmp_path / "schema.json")
    for given in (schema, tmp_path / "schema.json"):
        assert ecgsynth.fit(people(), kind="table", schema=given, **ROWS).schema.names == ("age", "class")


@pytest.mark.parametrize("kind", ["frame", "file"])
def test_a_table_is_learnt_as_a_series_if_that_is_said(tmp_path: Path, kind: str) -> None:
    data: Any = waves()
    if kind == "file":
        waves().to_csv(tmp_path / "waves.csv", index=False)
        data = tmp_path / "waves.csv"
    made = ecgsynth.fit(data, kind="series", id="pid", time="t", length=6, columns=["flow"], **STEPS)
    assert isinstance(made, Synthesizer)
    assert (made.about.data.time, made.about.data.channel_names) == (6, ("flow",))
    assert made.about.data.split == "group"


def test_beats_are_learnt_from_memory_and_from_a_file(beats: Windows, tmp_path: Path) -> None:
    beats.save(tmp_path / "beats.npz")
    reported: list[Progress] = []
    made = ecgsynth.fit(
        *(tmp_path / "beats.npz", tmp_path / "run"), kind="beats", split="patient", callback=reported.append, **STEPS
    )
    assert made.about.data.split == "patient"
    assert reported[-1].step == 1
    one = ecgsynth.fit(beats, where={"class": "V"}, model="timegan", hidden=8, **STEPS)
    assert (one.classes, one.config.hidden) == (("V",), 8)


def test_windows_that_are_not_split_ask_how(beats: Windows) -> None:
    import dataclasses

    loose = dataclasses.replace(beats, parts=None, meta={"kind": "beats"})
    with pytest.raises(DataError, match=r"not split yet; say how, as split='patient'"):
        ecgsynth.fit(loose)


def test_gain_gives_what_fills_holes() -> None:
    frame = people()
    frame.loc[::7, "sex"] = None
    made = ecgsynth.fit(frame, model="gain", epochs=1, hidden=8, device="cpu")
    assert isinstance(made, Imputer)
    assert not made.impute(frame).isna().any(axis=None)


def test_a_budget_is_a_time_in_words_or_seconds() -> None:
    assert (seconds_of("1h30min"), seconds_of("2min"), seconds_of(90), seconds_of(1.5)) == (5400, 120, 90, 1.5)
    for wrong in ("", "2", "soon", 0, -1, float("nan"), True):
        with pytest.raises(ConfigError, match="budget|expected a time such as"):
            seconds_of(wrong)
    assert ecgsynth.fit(people(), kind="table", budget="1s", hidden=8, device="cpu").about.metrics["seconds"] >= 1


# ---- what cannot be learnt


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"age": [1, 2]}, r"expected a pandas DataFrame, .* got dict; pandas.DataFrame\(...\) makes one"),
        ([1, 2], "got list; pandas"),
        (np.zeros((9, 2)), "got ndarray; put its columns into a pandas.DataFrame"),
        (None, "got NoneType"),
        (pd.Series([1]), "got Series"),
        (pd.DataFrame(), "with rows and columns, got 0 x 0"),
        (pd.DataFrame({"a": []}), "with rows and columns, got 0 x 1"),
        ("none.csv", "expected a table at none.csv, but there is none"),
        ("none.npz", "expected a table at none.npz, but there is none"),
        (GOLDEN / "tiny.onnx", "expected a table named .csv"),
        (GOLDEN, "but it is a folder"),
        (pd.DataFrame({"a": [1, 2]}), "table of 20 rows or more"),
    ],
    ids=lambda value: None if isinstance(value, str) else type(value).__name__,
)
def test_what_cannot_be_learnt_is_told_what_fit_takes(data: Any, says: str) -> None:
    with pytest.raises(EcgSynthError, match=says) as reported:
        ecgsynth.fit(data)
    assert isinstance(reported.value, DataError | ArtifactError)
    assert str(reported.value).count(". ") <= 2  # one sentence


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kind": "rows"}, "kind is one of beats, series, table, got 'rows'"),
        ({"kind": "beats"}, "expected beats, got a table"),
        ({"id": "pid", "length": 6}, "only a series has id, length to choose; add kind='series'"),
        ({"kind": "table", "length": 6}, "length is for series, and these data are table"),
        ({"kind": "series", "person": "pid"}, "person is for table"),
        ({"steps": 3}, "a table is trained for epochs or a budget, not for steps"),
        ({"kind": "series", "epochs": 3}, "series is trained for steps or a budget, not for epochs"),
        ({"epochs": 3, "budget": "1s"}, "give a budget or epochs, not both"),
        ({"resume": True}, "a training goes on in its run folder"),
        ({"hiden": 8, "batch": 9}, "there is no setting hiden; a training has batch, rate, .* default has hidden"),
        ({"kind": "series", "model": "vae"}, "a model is one of people, rwgan, timegan"),
        ({"kind": "series", "model": "timegan", "critic_hidden": 8}, "no setting critic_hidden; .* timegan has frame"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_options_that_cannot_be_are_one_sentence(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    data: Any = waves()
    if options.get("kind") == "series":
        waves().to_csv(tmp_path / "waves.csv", index=False)
        data, options = tmp_path / "waves.csv", {"id": "pid", "length": 6, **options}
    with pytest.raises(ConfigError, match=says):
        ecgsynth.fit(data, **options)


def test_an_unknown_model_is_told_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="a model of a table is one of default, gan"):
        ecgsynth.fit(people(), model="vae")


def test_windows_are_no_table(beats: Windows) -> None:
    with pytest.raises(ConfigError, match="expected a table, got windows of beats, which are learnt as they are"):
        ecgsynth.fit(beats, kind="table")  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="windows already, which have no length to choose"):
        ecgsynth.fit(beats, length=5)
    with pytest.raises(ConfigError, match="beats are chosen by their class"):
        ecgsynth.fit(beats, where={"sex": "Female"})


# ---- what comes of it


def test_a_model_is_the_same_in_memory_in_its_folder_and_in_its_file(beats_model: Synthesizer, tmp_path: Path) -> None:
    beats_model.save(tmp_path / "run")
    beats_model.export(tmp_path / "beats.onnx")
    wanted = beats_model.sample(20, seed=5)
    for place in (tmp_path / "run", str(tmp_path / "run"), tmp_path / "beats.onnx"):
        drawn = ecgsynth.load(place).sample(20, seed=5)
        assert isinstance(drawn, Windows)
        assert np.array_equal(drawn.labels, wanted.labels)
        assert np.abs(drawn.values - wanted.values).max() < 1e-3


def test_load_says_what_is_no_generator(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="expected an .onnx file at none.onnx, but there is none"):
        ecgsynth.load("none.onnx")
    ecgsynth.fit(people(), tmp_path / "gain", model="gain", epochs=1, hidden=8, device="cpu")
    with pytest.raises(ArtifactError, match="which fills holes; only one of default"):
        ecgsynth.load(tmp_path / "gain")


def test_evaluate_takes_what_fit_gave(rows_model: TableSynthesizer, beats_model: Synthesizer, beats: Windows) -> None:
    found = ecgsynth.evaluate(rows_model, people(), target="class", test=people(60), repeats=1)
    assert (found["kind"], found["rows"]["real"], found["rows"]["test"]) == ("table", 120, 60)
    measured = ecgsynth.evaluate(beats_model, beats, repeats=1, steps=2, device="cpu")
    assert measured["same_training_part"] is True
    assert set(measured) >= {"utility", "fidelity", "privacy"}


def test_evaluate_refuses_what_is_of_the_other_kind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="makes rows of a table; steps, part and rhythm are for windows"):
        ecgsynth.evaluate(GOLDEN / "tiny_table.onnx", people(), rhythm=True)
    with pytest.raises(ConfigError, match="makes windows; test and target are for rows of a table"):
        ecgsynth.evaluate("mitbih-beats", "none.npz", target="class")
    (tmp_path / "mine").touch()
    with pytest.raises(ArtifactError, match="exists already"):
        ecgsynth.evaluate("mitbih-beats", "none.npz", tmp_path)


# ---- how they show themselves


def test_a_model_says_in_one_line_what_it_is(rows_model: TableSynthesizer, beats_model: Synthesizer) -> None:
    score = f"score {beats_model.about.metrics['validation_score']:.2f}"
    assert repr(beats_model).startswith("<Synthesizer people of beats, 2 classes, ")
    assert repr(beats_model).endswith(f"s trained, {score}>")
    assert repr(rows_model).startswith("<TableSynthesizer default of rows, 3 columns, ")
    assert repr(ecgsynth.pretrained("mitbih-beats")) == (
        "<OnnxSampler people of beats, 3 classes, 16 min trained, score 0.04>"
    )
    assert repr(open_file(GOLDEN / "tiny_table.onnx")) == "<TableSampler default of rows, 11 columns>"


def test_a_notebook_shows_a_table_and_windows(rows_model: TableSynthesizer) -> None:
    page = ecgsynth.pretrained("mitbih-beats")._repr_html_()
    assert "MIT-BIH Arrhythmia Database" in page
    assert page.count("<polyline") == 4
    rows = rows_model._repr_html_()
    assert "class (categorical)" in rows
    assert "<svg" not in rows


def test_names_are_text_and_not_markup() -> None:
    frame = people().rename(columns={"sex": "<b>&"})
    assert "&lt;b&gt;&amp; (categorical)" in ecgsynth.fit(frame, kind="table", **ROWS)._repr_html_()


# ---- the package


def test_the_public_names_are_there_and_cost_nothing_until_they_are_used(tmp_path: Path) -> None:
    code = """
import sys
import ecgsynth
assert set(ecgsynth.__all__) <= set(dir(ecgsynth))
heavy = {"numpy", "torch", "pandas", "onnxruntime", "wfdb"} & set(sys.modules)
assert not heavy, heavy
ecgsynth.load("mitbih-beats").sample(2)
ecgsynth.fit, ecgsynth.evaluate
heavy = {"torch", "pandas", "wfdb", "scipy", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, check=True, timeout=60)
    for name in ecgsynth.__all__:
        assert getattr(ecgsynth, name).__doc__, name


USER = """
from pathlib import Path

import ecgsynth

windows = ecgsynth.Windows.load("beats.npz")
reveal_type(ecgsynth.fit(windows, budget="2min"))
reveal_type(ecgsynth.fit("beats.npz", kind="beats", split="patient"))
reveal_type(ecgsynth.fit(Path("t.csv"), kind="series", id="pid", time="t", length=24, columns=["a"]))
reveal_type(ecgsynth.fit("adult.csv", kind="table", where={"sex": "Female"}, hidden=64))
reveal_type(ecgsynth.fit("holes.csv", model="gain"))
reveal_type(ecgsynth.fit("adult.csv", "runs/a", epochs=3))
ecgsynth.load("adult.onnx").sample(1000, seed=1)
reveal_type(ecgsynth.pretrained("mitbih-beats").windows(10))
ecgsynth.evaluate("adult.onnx", "adult.csv", target="class")["quality"]
"""
WRONG = """
import ecgsynth

ecgsynth.fit({"a": [1, 2]})
ecgsynth.fit("a.csv", kind="rows")
ecgsynth.fit("a.csv", budget=[2])
"""


def test_a_users_file_type_checks(tmp_path: Path) -> None:
    """With mypy --strict, on the package as it is installed."""
    api = pytest.importorskip("mypy.api")
    package = Path(ecgsynth.__file__).resolve().parents[1]
    (tmp_path / "user.py").write_text(USER, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    # Types of other packages are not needed, and take a minute.
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\n[mypy-torch.*,numpy.*,onnxruntime.*,pandas.*]\nfollow_imports = skip\nignore_missing_imports = True\n"
    )
    environment = {} if package.name == "site-packages" else {"MYPYPATH": str(package)}
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "user.py", "wrong.py"],
        cwd=tmp_path,
        env={"PATH": "", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert api
    lines = checked.stdout.splitlines()
    user = [line for line in lines if line.startswith("user.py")]
    assert not [line for line in user if "error" in line], checked.stdout
    said = [line.split('"')[1].replace("ecgsynth.", "") for line in user if "Revealed type" in line]
    both = "tabular.synthesizer.TableSynthesizer | synthesizer.Synthesizer"
    assert said == [
        *["synthesizer.Synthesizer"] * 3,
        *("tabular.synthesizer.TableSynthesizer", "tabular.imputer.Imputer", both, "windows.windows.Windows"),
    ]
    assert [line.split(":")[1] for line in lines if line.startswith("wrong.py") and "error" in line] == ["4", "5", "6"]
