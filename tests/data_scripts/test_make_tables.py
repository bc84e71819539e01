"""The tables of the worked cases: from a few lines of each published file, and from the files themselves."""

import gzip
import importlib.util
import os
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from ecgsynth.core.tables import read_table
from ecgsynth.tabular.schema.schema import Schema

ROOT = Path(__file__).resolve().parents[2]
PERSON = "39, State-gov, 77516, Bachelors, 13, Never-married, ?, Not-in-family, White, Male, 2174, 0, 40, Cuba, <=50K"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_tables", ROOT / "data_scripts" / "make_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pack(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(text)


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "published"
    pack(folder / "adult.data.gz", f"{PERSON}\n{PERSON.replace('<=', '>')}\n\n")
    pack(folder / "adult.test.gz", f"|1x3 Cross validator\n{PERSON}.\n\n")
    pack(folder / "diabetes_binary_health_indicators_BRFSS2015.csv.gz", "Diabetes_binary,BMI\n0.0,40.0\n1.0,22.0\n")
    rows = "".join(f"{time}.0,0.5,9.99,{int(time < 60)},some\n" for time in range(100))
    pack(folder / "creditcard" / "creditcard_excerpt.csv.gz", "Time,V1,Amount,Class,Excerpt\n" + rows)
    return folder


def test_tables_from_a_few_lines(script, source, tmp_path):
    out = tmp_path / "tables"
    done = CliRunner().invoke(script.main, ["-o", str(out), "--source", str(source)])
    assert done.exit_code == 0, done.output
    assert "8 tables in" in done.output
    assert "survey.csv is made up" in done.output
    person = PERSON.replace(", ", ",")
    names = ",".join(script.ADULT)
    assert (out / "adult.csv").read_text() == f"{names}\n{person}\n{person.replace('<=', '>')}\n"
    assert (out / "adult-test.csv").read_text() == f"{names}\n{person}\n"
    assert (out / "diabetes.csv").read_text() == "Diabetes_binary,BMI\n0.0,40.0\n1.0,22.0\n"
    whole, train, check, test = (pd.read_csv(out / f"fraud{part}.csv") for part in ("", "-train", "-check", "-test"))
    assert list(whole.columns) == ["Time", "V1", "Amount", "Class"]
    assert (whole.Class.sum(), train.Class.sum(), check.Class.sum() + test.Class.sum()) == (60, 50, 10)
    assert (len(whole), len(train), len(check), len(test)) == (100, 70, 15, 15)
    assert sorted([*train.Time, *check.Time, *test.Time]) == list(range(100))
    assert train.Time.is_monotonic_increasing


def test_seeds_and_tables_that_are_there(script, source, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        script.make_tables(tmp_path / name, source, seed)
    for name in ("fraud-train.csv", "survey.csv"):
        a, b, c = ((tmp_path / folder / name).read_bytes() for folder in "abc")
        assert a == b != c
    done = CliRunner().invoke(script.main, ["-o", str(tmp_path / "a"), "--source", str(source)])
    assert done.exit_code == 1
    assert "adult.csv exists already" in done.output
    done = CliRunner().invoke(script.main, ["-o", str(tmp_path / "a"), "--source", str(source), "--force"])
    assert done.exit_code == 0


def test_what_is_missing_or_broken_is_said(script, source, tmp_path):
    (source / "adult.test.gz").unlink()
    done = CliRunner().invoke(script.main, ["-o", str(tmp_path / "x"), "--source", str(source)])
    assert done.exit_code == 1
    assert "adult.test.gz, but there is none; name the folder" in " ".join(done.output.split())
    pack(source / "adult.data.gz", "1, 2\n")
    done = CliRunner().invoke(script.main, ["-o", str(tmp_path / "y"), "--source", str(source)])
    assert "expected 15 values in a line of Adult, got 2" in done.output


def test_the_survey(script, source, tmp_path):
    (tmp_path / "t").mkdir()
    frame = script.survey(source, script.np.random.default_rng(0))["survey.csv"]
    path = tmp_path / "survey.csv"
    frame.to_csv(path, index=False)
    schema = Schema.infer(read_table(path)[0])
    kinds = {kind: [column.name for column in schema.columns if column.kind == kind] for kind in set(
        column.kind for column in schema.columns)}  # fmt: skip
    assert len(frame) == 8000
    assert kinds["identifier"] == ["household"]
    assert schema["household"].format == "HH-[0-9]{6}"
    assert len(kinds["categorical"]) == 13
    sizes = [len(schema[name].categories) for name in kinds["categorical"]]
    assert (min(sizes), max(sizes) > 250) == (2, True)
    assert (kinds["datetime"], kinds["integer"], kinds["continuous"]) == (
        ["born", "interviewed"], ["children", "days_ill"], ["income"],
    )  # fmt: skip
    assert schema["days_ill"].spikes[0] == 0
    assert schema["income"].missing
    assert frame.place.str.fullmatch(r"FR-\d{5}").all()
    assert (frame.groupby("place").region.nunique() == 1).all()  # real dependences
    rich = frame[frame.activity == "employed"].income.median()
    assert rich > 1.2 * frame[frame.activity == "retired"].income.median()


def test_the_published_files(script, tmp_path):
    source = Path(os.environ.get("ECGSYNTH_DATA") or ROOT.parent / "shared" / "data") / "tabular"
    if not (source / "adult.data.gz").exists():
        pytest.skip(f"no tables in {source}; set ECGSYNTH_DATA to the folder that holds tabular")
    tables = {**script.adult(source, None), **script.fraud(source, script.np.random.default_rng(0))}
    assert {name: table.count("\n") - 1 for name, table in tables.items()} == {
        "adult.csv": 32_561,
        "adult-test.csv": 16_281,
        "fraud.csv": 11_481,
        "fraud-train.csv": 50 + 5494,
        "fraud-check.csv": 217 + 2751,
        "fraud-test.csv": 225 + 2744,
    }
    for name, rich in (("adult.csv", 7841), ("adult-test.csv", 3846)):
        (tmp_path / name).write_text(tables[name])
        frame = pd.read_csv(tmp_path / name)
        assert frame["class"].value_counts().to_dict() == {"<=50K": len(frame) - rich, ">50K": rich}
        assert (frame.workclass == "?").any()
