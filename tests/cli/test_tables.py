"""A table through the command line: schema, train, export, sample, evaluate; and what is refused in one line."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

import ecgsynth
from ecgsynth.export.table_sampler import TableSampler
from ecgsynth.tabular.audit import NO_PERSONS
from ecgsynth.tabular.models.registry import ROWS, names
from ecgsynth.tabular.schema.schema import Schema

Invoke, Say = Callable[..., Result], Callable[..., str]  # what the fixtures run, works, refuses and said are
Write = Callable[..., None]
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "tiny_table.onnx"
SMALL = ("--hidden", "8", "--batch", "100", "--device", "cpu")


@pytest.fixture(scope="module")
def way(works: Say, write_rows: Write, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the commands were run one after the other; no test may change what they left."""
    folder = tmp_path_factory.mktemp("tables")
    write_rows(folder / "adult.csv")
    write_rows(folder / "adult-test.csv", 100, seed=1)
    said = {
        "schema": works("schema", folder / "adult.csv", "-o", folder / "schema.json"),
        "train": works("train", "table", folder / "adult.csv", "-o", folder / "t", "--epochs", 5, "--seed", 0, *SMALL),
        "export": works("export", folder / "t", "-o", folder / "adult.onnx"),
        "info": works("info", folder / "adult.onnx"),
    }
    (folder / "said.json").write_text(json.dumps(said), encoding="utf-8")
    return folder


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- the whole way


def test_schema_shows_and_writes_what_was_found(way: Path, said: Say) -> None:
    schema = Schema.load(way / "schema.json")
    assert {column.name: column.kind for column in schema.columns} == {
        **{"age": "integer", "hours": "integer", "rate": "continuous", "sex": "categorical", "class": "categorical"}
    }
    assert said("schema").startswith(schema.text())
    assert f"wrote {way / 'schema.json'}" in said("schema")


def test_audit_of_a_table_from_the_command_line_and_from_python(
    works: Say, refuses: Say, way: Path, tmp_path: Path
) -> None:
    real, test, out = way / "adult.csv", way / "adult-test.csv", tmp_path / "audit"
    text = works("audit", way / "adult.onnx", "--real", real, "--run", way / "t", "--test", test, "-o", out)
    kept = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    found = kept["audit"]
    assert (kept["kind"], kept["same_training_part"], found["unit"]) == ("table", True, "row")
    assert (found["persons_learnt"], found["persons_outside"]) == (360, 140)
    for entry in (*found["attacks"].values(), *found["risks"].values()):
        assert entry["title"] in text
    assert NO_PERSONS in text
    assert f"level that these figures allow: {found['level']['name']}" in text
    assert "<h2>Attacks by person" in (out / "report.html").read_text(encoding="utf-8")
    again = ecgsynth.audit(way / "adult.onnx", pd.read_csv(real), run=way / "t", test=test)
    assert json.loads(json.dumps(again)) == found
    fewer = ecgsynth.audit(way / "t", real)  # a run folder is its own run
    assert (fewer["persons_outside"], fewer["same_training_part"]) == (40, True)
    assert ecgsynth.audit(way / "adult.onnx", real)["level"]["name"] == "internal"  # without the run nothing is shown
    line = refuses("audit", way / "adult.onnx", "--real", real, "--run", way / "t", "-o", out)
    assert "exists already" in line
    assert "there is none" in refuses("audit", way / "adult.onnx", "--real", real, "--test", tmp_path / "none.csv")


def test_train_and_export_say_what_was_reached(way: Path, said: Say) -> None:
    reached = json.loads((way / "t" / "metrics.json").read_text(encoding="utf-8"))
    assert reached["steps"] == 5 * 360 // 100
    assert f"best step {reached['best_step']} of {reached['steps']}, validation score" in said("train")
    assert "equal to torch" in said("export")
    assert "adult" in said("info")


def test_train_with_the_schema_that_was_written(works: Say, way: Path, tmp_path: Path) -> None:
    """The same bytes as with the schema that is inferred."""
    works(
        *("train", "table", way / "adult.csv", "-o", tmp_path / "t", "--schema", way / "schema.json"),
        *("--model", "default", "--epochs", 5, "--seed", 0, *SMALL),
    )
    assert (tmp_path / "t" / "weights.safetensors").read_bytes() == (way / "t" / "weights.safetensors").read_bytes()


def test_sample_draws_what_python_draws(works: Say, way: Path, tmp_path: Path) -> None:
    text = works("sample", way / "adult.onnx", "-n", 3256, "--seed", 1, "-o", tmp_path / "adult-synthetic.csv")
    assert f"wrote 3,256 synthetic rows to {tmp_path / 'adult-synthetic.csv'}" in text
    got, wanted = pd.read_csv(tmp_path / "adult-synthetic.csv"), ecgsynth.load(way / "adult.onnx").rows(3256, seed=1)
    assert list(got) == list(wanted) == ["age", "hours", "rate", "sex", "class"]
    for name, values in wanted.items():
        assert got[name].equals(pd.Series(values, name=name).astype(got[name].dtype)), name


def test_sample_with_conditions_gives_exact_counts(works: Say, way: Path, tmp_path: Path) -> None:
    works("sample", way / "adult.onnx", "-n", 500, "--where", "class=>50K", "-o", tmp_path / "a.csv")
    rows = pd.read_csv(tmp_path / "a.csv")
    assert (len(rows), set(rows["class"])) == (500, {">50K"})
    both = ("--where", "class=<=50K", "--where", "sex=Female")
    works("sample", way / "adult.onnx", "-n", 50, *both, "--columns", "sex,class,age", "-o", tmp_path / "b.parquet")
    rows = pd.read_parquet(tmp_path / "b.parquet")
    assert list(rows) == ["age", "sex", "class"]
    assert (set(rows["sex"]), set(rows["class"])) == ({"Female"}, {"<=50K"})


def test_evaluate_leaves_figures_and_a_page(works: Say, way: Path, tmp_path: Path) -> None:
    text = works(
        *("evaluate", way / "adult.onnx", "--real", way / "adult.csv", "--test", way / "adult-test.csv"),
        *("--target", "class", "--repeats", 1, "--run", way / "t", "-o", tmp_path / "report"),
    )
    measured = json.loads((tmp_path / "report" / "metrics.json").read_text(encoding="utf-8"))
    assert measured["same_table"] is True
    assert {"quality", "utility", "detection", "privacy"} <= set(measured)
    assert (tmp_path / "report" / "report.html").exists()
    assert f"wrote {tmp_path / 'report' / 'metrics.json'}" in text


def test_rows_of_one_class_are_learnt_from(works: Say, way: Path, tmp_path: Path) -> None:
    works(*("train", "table", way / "adult.csv", "-o", tmp_path / "t", "--where", "class=>50K", "--epochs", 1, *SMALL))
    content = json.loads((tmp_path / "t" / "config.json").read_text(encoding="utf-8"))
    real = pd.read_csv(way / "adult.csv")
    assert content["data"]["rows"] == (real["class"] == ">50K").sum()
    assert content["data"]["private"]["where"] == {"class": ">50K"}


@pytest.mark.parametrize("model", names(ROWS))
def test_every_preset_trains(works: Say, way: Path, tmp_path: Path, model: str) -> None:
    text = works("train", "table", way / "adult.csv", "-o", tmp_path / "t", "--model", model, "--epochs", 1, *SMALL)
    assert re.search(r"best step \d+ of \d+, validation score -?\d", text)
    rows = [json.loads(line) for line in (tmp_path / "t" / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    assert np.isfinite(rows[-1]["score"])


def test_holes_are_filled_and_the_rest_stays(works: Say, refuses: Say, way: Path, tmp_path: Path) -> None:
    works("train", "table", way / "adult.csv", "-o", tmp_path / "g", "--model", "gain", "--epochs", 1, *SMALL[2:])
    text = works("impute", way / "adult.csv", "--model", tmp_path / "g", "-o", tmp_path / "filled.csv")
    real, filled = pd.read_csv(way / "adult.csv"), pd.read_csv(tmp_path / "filled.csv")
    holes = real["rate"].isna()
    assert f"{holes.sum()} values filled in 400 rows" in text
    assert not filled.isna().any(axis=None)
    assert filled.drop(columns="rate").equals(real.drop(columns="rate"))
    assert filled["rate"][~holes].equals(real["rate"][~holes])
    assert filled["rate"][holes].between(real["rate"].min(), real["rate"].max()).all()
    full = ("impute", tmp_path / "filled.csv", "--model", tmp_path / "g", "-o", tmp_path / "again.csv")
    assert "has no missing value, so there is nothing to fill" in refuses(*full)
    other = ("impute", way / "adult.csv", "--model", way / "t", "-o", tmp_path / "again.csv")
    assert "only one of gain fills holes" in refuses(*other)
    assert "is a run of gain, which fills holes; only one of default, gan, " in refuses(
        "export", tmp_path / "g", "-o", tmp_path / "g.onnx"
    )
    real.assign(note=np.where(real.index < 5, "x", None)).to_csv(tmp_path / "more.csv", index=False)
    text = works("impute", tmp_path / "more.csv", "--model", tmp_path / "g", "-o", tmp_path / "more-filled.csv")
    assert f"{holes.sum()} values filled in 400 rows; 395 in columns that the run does not fill are left" in text
    assert "exists already" in refuses(*full[:-1], tmp_path / "filled.csv")
    assert not (tmp_path / "again.csv").exists()


def test_a_budget_trains(works: Say, way: Path, tmp_path: Path) -> None:
    works("train", "table", way / "adult.csv", "-o", tmp_path / "t", "--budget", "1s", *SMALL)
    assert json.loads((tmp_path / "t" / "metrics.json").read_text(encoding="utf-8"))["seconds"] >= 1


def test_resume_of_a_finished_run_and_of_another(works: Say, refuses: Say, way: Path, tmp_path: Path) -> None:
    start = ["train", "table", way / "adult.csv", "-o", tmp_path / "t", "--epochs", 1, *SMALL]
    works(*start, "--resume")  # begins where there is nothing to go on with
    kept = files(tmp_path / "t")
    assert "exists already" in refuses(*start)
    works(*start, "--resume")
    name = tmp_path / "t" / "weights.safetensors"
    assert name.read_bytes() == kept[name]
    for other in (["--epochs", 2], ["--seed", 1], ["--model", "gan"], ["--where", "sex=Male"], ["--rate", 0.1]):
        assert "resume with the same command" in refuses(*start, "--resume", *other), other
    assert name.read_bytes() == kept[name]
    works(*start, "--force", "--seed", 1)
    assert name.read_bytes() != kept[name]


# ---- what cannot be done is one line, and nothing is written

HEADER = "a,b\n"
GOOD = [f"{number},{'xy'[number % 2]}" for number in range(40)]


def csv(lines: list[str], header: str = HEADER) -> bytes:
    return (header + "\n".join(lines) + "\n").encode()


BAD = {
    "an empty file": (b"", "table.csv is empty"),
    "no row": (HEADER.encode(), "has no rows"),
    "one row": (csv(GOOD[:1]), "20 rows or more to learn from, got 1|two rows or more .* got 1"),
    "few rows": (csv(GOOD[:19]), "20 rows or more to learn from, got 19"),
    "duplicate names": (csv([f"{line},1" for line in GOOD], "a,b,a\n"), r"several columns.* a\b"),
    "a column all missing": (csv([f"{line}," for line in GOOD], "a,b,c\n"), r"'c'.*(missing|empty|no value)"),
    "unique strings": (
        csv(
            [f"{line},{'abcdefghij'[n % 10] * (n + 1)} went there {n * 37}!" for n, line in enumerate(GOOD)], "a,b,c\n"
        ),
        r"'c'.*(identifier|differ|unique|no value of column)",
    ),
    "mixed types": (csv([*(f"{n},{n}" for n in range(30)), "30,many", "31,few"]), r"'b'.*mixed|'b'.*(30|numbers)"),
    "infinities": (csv([*GOOD, "inf,x", "-inf,y"]), r"'a'.*infinite"),
    "a wrong delimiter": (csv([line.replace(",", ";") for line in GOOD], "a;b\n"), "delimiter|semicolon|;"),
    "a wrong encoding": (csv([*GOOD, "7,é"]).decode().encode("latin-1"), "encoding|UTF-8"),
    "UTF-16": (csv(GOOD).decode().encode("utf-16"), "encoding|UTF-8|UTF-16"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_table_is_one_clear_line_and_leaves_nothing(refuses: Say, tmp_path: Path, name: str) -> None:
    content, says = BAD[name]
    (tmp_path / "table.csv").write_bytes(content)
    line = refuses("train", "table", tmp_path / "table.csv", "-o", tmp_path / "run", "--epochs", 1, *SMALL)
    assert re.search(says, line), line
    assert line.count(". ") <= 1  # one sentence
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("name", ["an empty file", "one row", "duplicate names", "a column all missing", "infinities"])
def test_schema_refuses_it_too(refuses: Say, tmp_path: Path, name: str) -> None:
    content, says = BAD[name]
    (tmp_path / "table.csv").write_bytes(content)
    line = refuses("schema", tmp_path / "table.csv", "-o", tmp_path / "schema.json")
    assert re.search(says, line), line
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"name": "sex", "kind": "categorical", "dtype": "string", "categories": ["Male"]},
            r"'sex' has in row \d+ and",
        ),
        (
            {"name": "age", "kind": "integer", "dtype": "int64", "maximum": 50, "minimum": 0},
            "'age' has .* above its max",
        ),
        ({"name": "rate", "kind": "integer", "dtype": "int64"}, "'rate' has"),
        ({"name": "sex", "kind": "integer", "dtype": "int64"}, "'sex' has in row 1 a value that is not a number"),
        ({"name": "height", "kind": "integer", "dtype": "int64"}, "a column 'height' that the table does not have"),
        ({"name": "age", "kind": "number", "dtype": "int64"}, "kind 'number'; the kinds are"),
        ({"name": "age", "kind": "integer", "dtype": "int64", "low": 3}, "low, which is not known"),
    ],
)
def test_a_schema_that_contradicts_the_data(
    refuses: Say, way: Path, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    content = {"version": 1, "columns": [change]}
    (tmp_path / "schema.json").write_text(json.dumps(content), encoding="utf-8")
    line = refuses(
        *("train", "table", way / "adult.csv", "-o", tmp_path / "run", "--schema", tmp_path / "schema.json"),
        *("--epochs", 1, *SMALL),
    )
    assert re.search(says, line), line
    assert [path.name for path in tmp_path.iterdir()] == ["schema.json"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("schema {tmp}/none.csv -o {tmp}/o.json", "none.csv, but there is none"),
        ("train table {tmp}/none.csv -o {tmp}/o", "none.csv, but there is none"),
        ("train table {way}/said.json -o {tmp}/o", "expected an array of records, .* in said.json"),
        (
            "train table {way}/adult.onnx -o {tmp}/o",
            "expected a table named .csv, .csv.gz, .tsv, .parquet, .json or .npz",
        ),
        ("train table {way} -o {tmp}/o", "but it is a folder"),
        ("train table {way}/adult.csv -o {tmp}/o --schema {tmp}/none.json", "none.json, but there is none"),
        ("train table {way}/adult.csv -o {tmp}/o --schema {way}/said.json", "a schema is"),
        ("train table {way}/adult.csv -o {tmp}/o --where sex", "expected a condition such as class=>50K, got 'sex'"),
        ("train table {way}/adult.csv -o {tmp}/o --where sex=x", "no row has sex=x"),
        ("train table {way}/adult.csv -o {tmp}/o --where six=x", "no column 'six'"),
        ("train table {way}/adult.csv -o {tmp}/o --where sex=Male --where sex=Female", "'sex' has two conditions"),
        ("train table {way}/adult.csv -o {tmp}/o --model cgan --label age", "the label is a categorical column"),
        ("train table {way}/adult.csv -o {tmp}/o --n-critic 3", "the default model has no critic"),
        ("train table {way}/adult.csv -o {tmp}/o --label class", "the model default takes no label; leave it out"),
        ("train table {way}/adult.csv -o {tmp}/o --model gan --label class", "the model gan takes no label"),
        (
            "train table {way}/adult.csv -o {tmp}/o --model gain --pack 2",
            "there is no setting pack; .* gain has hidden",
        ),
        ("evaluate {way}/adult.onnx --real {way}/adult.csv --rhythm -o {tmp}/o", "part and rhythm are for windows"),
        ("train table {way}/adult.csv -o {tmp}/o --rate -1", "rate"),
        ("sample {way}/adult.onnx -n 1 -o {tmp}/o.csv --where class=rich", "'class' has no category 'rich' in this"),
        (
            "sample {way}/adult.onnx -n 1 -o {tmp}/o.csv --where age=30",
            "cannot be asked for rows by 'age'; rows can be",
        ),
        ("sample {way}/adult.onnx -n 1 -o {tmp}/o.csv --where klass=x", "no column 'klass'; it has age, hours"),
        ("sample {way}/adult.onnx -n 1 -o {tmp}/o.csv --where class", "expected a condition"),
        ("sample {way}/adult.onnx -n 1 -o {tmp}/o.csv --label x", "makes rows of a table; ask for them with --where"),
        ("sample {way}/adult.onnx -n 0 -o {tmp}/o.csv", "at least 1, got 0"),
        ("sample {way}/adult.onnx -n 1 -o {tmp}/o.csv --columns age,x", "no column x; its columns are age"),
        ("sample {way}/adult.onnx -n 1 -o {tmp}/o --format wfdb", "got 'wfdb', which holds windows of a signal"),
        ("sample {golden} -n 10001 -o {tmp}/o.csv", "of which there are 10,000; ask for no more"),
        ("evaluate mitbih-beats --real {tmp}/none -o {tmp}/o --target x", "test and target are for rows of a table"),
        ("evaluate {way}/adult.onnx --real {tmp}/none.csv -o {tmp}/o", "none.csv, but there is none"),
        ("export {tmp}/none -o {tmp}/o.onnx", "expected a run folder"),
    ],
)
def test_bad_input_is_one_clear_line_and_leaves_nothing(
    refuses: Say, way: Path, tmp_path: Path, arguments: str, says: str
) -> None:
    before = files(way)
    line = refuses(*(word.format(tmp=tmp_path, way=way, golden=GOLDEN) for word in arguments.split()))
    assert re.search(says, line), line
    assert not list(tmp_path.iterdir())
    assert files(way) == before


def test_what_is_there_is_kept_without_force(refuses: Say, way: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    for name in ("notes", "notes.json", "notes.onnx"):
        (full / name).write_bytes(b"mine")
    for arguments in (
        ("schema", way / "adult.csv", "-o", full / "notes.json"),
        ("train", "table", way / "adult.csv", "--epochs", 1, "-o", full),
        ("export", way / "t", "-o", full / "notes.onnx"),
        ("sample", way / "adult.onnx", "-n", 1, "-o", full / "notes", "--format", "csv"),
        ("evaluate", way / "adult.onnx", "--real", way / "adult.csv", "-o", full),
    ):
        assert "exists already; choose another name or add --force" in refuses(*arguments)
    assert files(tmp_path) == {full / name: b"mine" for name in ("notes", "notes.json", "notes.onnx")}


def test_wrong_sizes_of_layers(run: Invoke, way: Path, tmp_path: Path) -> None:
    for sizes in ("8,x", "0", "-3"):
        done = run("train", "table", way / "adult.csv", "-o", tmp_path / "o", "--epochs", 1, "--hidden", sizes)
        assert done.exit_code == 2
        assert "expected numbers such as 256,256" in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_sampler_of_a_table_is_what_load_gives(way: Path) -> None:
    sampler = ecgsynth.load(way / "adult.onnx")
    assert isinstance(sampler, TableSampler)
    assert sampler.manifest.data["source"] == {"name": "unnamed"}  # the file's name is the user's
