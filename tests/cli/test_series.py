"""A user's table through the command line: train, export, sample, evaluate, info; and what is refused in one line."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ecgsynth
from ecgsynth.windows.windows import Windows

Say, Write = Callable[..., str], Callable[..., None]  # what the fixtures works, refuses, said and write_series are
LENGTH = 8
OPTIONS = ["--length", LENGTH, "--stride", 2, "--id", "who", "--time", "when", "--label", "ward", "--statics", "age"]


@pytest.fixture(scope="module")
def way(works: Say, write_series: Write, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the commands were run one after the other; no test may change what they left."""
    folder = tmp_path_factory.mktemp("series")
    write_series(folder / "table.csv")
    model = folder / "series.onnx"
    with pytest.MonkeyPatch.context() as patch:
        said = {
            "train": works(
                *("train", "series", folder / "table.csv", "-o", folder / "run", *OPTIONS),
                *("--steps", 3, "--device", "cpu"),
            ),
            "export": works("export", folder / "run", "-o", model),
            "evaluate": works(
                *("evaluate", model, "--real", folder / "table.csv", "--run", folder / "run", "-o", folder / "report"),
                *("--repeats", 2, "--steps", 2, "--device", "cpu"),
            ),
            "info": works("info", model),
        }
        content = model.read_bytes()  # of the same generator; tracing it takes seconds
        patch.setattr(
            "ecgsynth.export.windows_to_onnx.write_graph", lambda sampler, config, path: path.write_bytes(content)
        )
        works("export", folder / "run", "-o", folder / "reported.onnx", "--report", folder / "report")
        said["info reported"] = works("info", folder / "reported.onnx")
    (folder / "said.json").write_text(json.dumps(said), encoding="utf-8")
    return folder


# ---- the whole way


def test_train_says_what_was_read_and_what_was_reached(way: Path, said: Say) -> None:
    text = said("train")
    assert "288 windows of 8 steps of flow, pulse, age: A 144, B 144" in text
    assert "left out column note: it is not numeric" in text
    reached = json.loads((way / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert f"best step {reached['best_step']} of 3, validation score {reached['validation_score']:.3f}" in text


def test_info_says_what_a_person_wants_to_know(way: Path, said: Say) -> None:
    text = said("info")
    for what in (
        "synthetic series, 8 steps of 2 columns (flow, pulse)",
        "statics      age",
        "when, a step is 10 minutes",
        "groups, split by group",
        "source       unnamed",  # the file's name is the user's
        "model        rwgan",
    ):
        assert what in text, what
    assert "discriminative score" not in text
    assert "discriminative score" in said("info reported")


def test_evaluate_takes_the_table_itself_and_leaves_figures_a_picture_and_a_page(way: Path, said: Say) -> None:
    measured = json.loads((way / "report" / "metrics.json").read_text(encoding="utf-8"))
    assert measured["kind"] == "series"
    assert measured["same_training_part"] is True
    assert measured["fidelity"]["repeats"] == 2
    assert set(measured["fidelity"]["steps"].values()) == {2}
    assert (way / "report" / "series.png").read_bytes().startswith(b"\x89PNG")
    assert (way / "report" / "report.html").exists()
    text = said("evaluate")
    for what in ("discriminative score", "predictive score", "fewer updates than TimeGAN's paper", "copies"):
        assert what in text, what


def test_sample_writes_the_users_table(works: Say, way: Path, tmp_path: Path) -> None:
    works("sample", way / "series.onnx", "-n", 5, "--seed", 7, "--format", "csv", "-o", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["who", "step", "when", "ward", "flow", "pulse", "age"]
    assert len(rows) == 5 * LENGTH
    assert [row[2] for row in rows[:2]] == ["2000-01-01T00:00:00", "2000-01-01T00:10:00"]
    wanted = ecgsynth.load(way / "series.onnx").windows(5, seed=7)
    assert [int(row[5]) for row in rows] == np.rint(wanted.values[:, :, 1]).ravel().tolist()
    assert [float(row[4]) for row in rows] == pytest.approx(wanted.values[:, :, 0].ravel().tolist(), rel=1e-6)


def test_sample_picks_columns_and_a_label(works: Say, way: Path, tmp_path: Path) -> None:
    works(
        *("sample", way / "series.onnx", "-n", 3, "--label", "B", "--columns", "ward, pulse"),
        *("--format", "csv", "-o", tmp_path / "out.csv"),
    )
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["who", "step", "ward", "pulse"]
    assert {row[2] for row in rows} == {"B"}
    works(
        "sample", way / "series.onnx", "-n", 3, "--where", "ward=B", "-o", tmp_path / "asked.csv", "--columns", "pulse"
    )
    with (tmp_path / "asked.csv").open(encoding="utf-8", newline="") as file:
        assert [row[2] for row in csv.reader(file)][1:] == [row[3] for row in rows]


def test_sample_draws_what_python_draws(works: Say, way: Path, tmp_path: Path) -> None:
    works("sample", way / "series.onnx", "-n", 9, "--seed", 7, "-o", tmp_path / "out.npz")
    got, wanted = Windows.load(tmp_path / "out.npz"), ecgsynth.load(way / "series.onnx").windows(9, seed=7)
    assert got.values.tobytes() == wanted.values.tobytes()
    works("sample", way / "series.onnx", "-n", 9, "--format", "parquet", "-o", tmp_path / "out.parquet")


@pytest.mark.parametrize("ending", ["csv", "json", "parquet", "npz"])
def test_long_series_are_the_same_in_every_file(
    works: Say, way: Path, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pandas = pytest.importorskip("pandas")
    monkeypatch.setattr("ecgsynth.export.joining.PIECE_ROWS", 30)  # parts of a series, at an odd place
    out = tmp_path / f"out.{ending}"
    said = works("sample", way / "series.onnx", "-n", 3, "--length", 70, "--seed", 7, "-o", out)
    assert f"wrote 3 synthetic series of 70 rows to {out}" in said
    sampler = ecgsynth.load(way / "series.onnx")
    if ending == "npz":
        assert np.array_equal(Windows.load(out).values, sampler.windows(3, seed=7, length=70).values)
        return
    read = {"csv": pandas.read_csv, "json": pandas.read_json, "parquet": pandas.read_parquet}[ending](out)
    wanted = sampler.sample(3, seed=7, length=70)
    assert read["who"].tolist() == np.repeat([0, 1, 2], 70).tolist()
    assert pandas.to_datetime(read["when"]).tolist() == wanted["when"].tolist()
    for name in ("step", "ward", "flow", "pulse", "age"):
        assert (
            read[name].tolist() == pytest.approx(wanted[name].tolist(), rel=1e-9)
            if name == "flow"
            else (read[name].tolist() == wanted[name].tolist())
        ), name


def test_a_history_is_gone_on_from(works: Say, way: Path, tmp_path: Path) -> None:
    works(
        *("sample", way / "series.onnx", "-n", 33, "--history", way / "table.csv", "--columns", "when,flow,age,ward"),
        *("-o", tmp_path / "out.csv"),
    )
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        made = list(csv.DictReader(file))
    with (way / "table.csv").open(encoding="utf-8", newline="") as file:
        last = [row for row in csv.DictReader(file) if row["when"].endswith("03:50:00")]
    assert len(made) == 33 * LENGTH
    assert {row["when"] for row in made[::LENGTH]} == {"2024-03-01T04:00:00"}
    for name in ("age", "ward"):
        assert [row[name] for row in made[::LENGTH]] == [row[name] for row in [*last, last[0]]]


def test_resume_of_a_finished_run_and_of_another(works: Say, refuses: Say, way: Path, tmp_path: Path) -> None:
    start = ["train", "series", way / "table.csv", "-o", tmp_path / "run", *OPTIONS, "--device", "cpu"]
    start += ["--model", "timegan", "--steps", 2]
    works(*start)
    weights = (tmp_path / "run" / "weights.safetensors").read_bytes()
    assert "exists already" in refuses(*start)
    works(*start, "--resume")
    for other in (["--steps", 3], ["--model", "rwgan"], ["--length", 9], ["--split", "none"], ["--columns", "flow"]):
        assert "resume with the same command" in refuses(*start, "--resume", *other)
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == weights
    works(*start, "--force", "--seed", 1)
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() != weights


@pytest.mark.parametrize("name", ["table.parquet", "table.npz", "table.csv.gz"])
def test_other_files_are_trained_on_as_well(works: Say, tmp_path: Path, name: str) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / name
    frame = pandas.DataFrame({"a": np.sin(np.arange(300) / 5), "b": np.arange(300) % 7})
    if name.endswith("npz"):
        np.savez(path, values=frame.to_numpy())
    elif name.endswith("parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    text = works("train", "series", path, "-o", tmp_path / "run", "--length", LENGTH, "--steps", 1, "--device", "cpu")
    assert "windows of 8 steps of " in text
    assert "across two blocks of time, which are kept apart" in text


# ---- what cannot be done is one line, and nothing is written

SHORT = "x,y\n1,2\n2,1\n3,3\n4,2\n5,1\n"


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("a,b\nx,y\nz,w\n", "", "expected a column of numbers in table.csv, got none: a is not numeric, b is not num"),
        ("t,x\nsoon,1\nlater,2\nnow,3\n", "--time t", "time.*'t'.*data row 1"),
        ("t,x\n1,1\n3,2\n2,3\n4,4\n", "--time t", "'t' runs backwards at data row 3; sort the rows"),
        ("t,x\n1,1\n2,2\n2,3\n4,4\n", "--time t", "'t' stands still at data row 3"),
        ("x\n1\n2\n3\n", "", "at least 4 rows, the length of a window, but the longest has 3; .* --length"),
        ("x,y\n1,1\n,2\n3,3\n4,4\n5,5\n", "", r"no missing values, got 1, in x \(1\); fill them with --missing inter"),
        ("x,y\n1,1\nNaN,2\n3,3\n4,4\n5,5\n", "", "expected no missing values"),
        ("x,y\n1,1\ninf,2\n3,3\n4,4\n5,5\n", "", r"expected finite numbers, got infinite ones .* in x \(1\)"),
        ("x,y\n1,1\n-inf,2\n3,3\n4,4\n5,5\n", "--missing drop", "expected finite numbers"),
        (SHORT, "--columns x,z", "no column 'z' in table.csv; the columns are x, y"),
        ("x,y\n" + "".join(f"{i},5\n" for i in range(100)), "", "y is constant; leave it out with --columns x$"),
        ("x\n" + "5\n" * 100, "", "x is constant; bring one that does"),
        ("i,x\na,1\na,2\nb,3\nc,4\nc,5\n", "--id i", "1 of 3 have one row, .* data row 3; leave it out"),
        (
            "i,x,l\na,1,u\na,2,u\na,3,u\na,4,u\na,5,u\n",
            "--id i --label l",
            "'l' is the same in every sequence .* --lab",
        ),
        ("i,x,l\na,1,u\na,2,v\na,3,u\na,4,u\n", "--id i --label l", "'l' changes within one at data row 2"),
        ("x,l\n1,u\n2,v\n3,u\n4,u\n", "--label l", "a label belongs to a sequence, so 'l' needs .* --id"),
        (
            "i,x,s\na,1,1\na,2,2\na,3,1\na,4,1\n",
            "--id i --statics s",
            "'s' changes in 1 of 1, the first of which begins at data row 1",
        ),
        ("x,y\n", "", "table.csv has no rows"),
        ("", "", "table.csv is empty"),
        (SHORT, "--length 1", "length must be at least 2 rows, got 1"),
        (SHORT, "--stride 0", "stride must be at least 1 row, got 0"),
        (SHORT, "--columns x,x", "x is named several times"),
        (SHORT, "", "needs at least 3 groups, got 1"),
        (SHORT, "--split none", "there are 2 training windows .* bring more rows"),
    ],
    ids=lambda text: " ".join(re.findall(r"[\w-]+", text))[:40],
)
def test_a_bad_table_is_one_clear_line_and_leaves_nothing(
    refuses: Say, tmp_path: Path, text: str, options: str, says: str
) -> None:
    (tmp_path / "table.csv").write_text(text, encoding="utf-8")
    line = refuses("train", "series", tmp_path / "table.csv", "-o", tmp_path / "run", "--length", 4, *options.split())
    assert re.search(says, line), line
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("train series {tmp}/none.csv -o {tmp}/o", "expected a table at .*none.csv, but there is none"),
        ("train series {way}/said.json -o {tmp}/o", "expected an array of records, .* in said.json"),
        ("train series {way}/series.onnx -o {tmp}/o", "expected a table named .csv, .csv.gz, .tsv, .parquet, .json or"),
        ("train series {way} -o {tmp}/o", "but it is a folder"),
        ("sample {way}/series.onnx -n 1 -o {tmp}/o.csv --label C", "no class 'C'; its classes are A, B"),
        (
            "sample {way}/series.onnx -n 1 -o {tmp}/o --format csv --columns flow,note",
            "no column note; its columns are",
        ),
        (
            "sample {way}/series.onnx -n 1 -o {tmp}/o.npz --columns flow",
            "columns can be picked of a series that is writ",
        ),
        ("sample {way}/series.onnx -n 1 -o {tmp}/o --format wfdb", "write a series as csv, npz or another file"),
        ("sample mitbih-beats -n 1 -o {tmp}/o --format csv --columns MLII", "columns can be picked of a series"),
        ("sample {way}/series.onnx -n 1 -o {tmp}/o.csv --length 0", "rows of a series must be at least 1, got 0"),
        ("sample {way}/series.onnx -n 1 -o {tmp}/o.csv --history {way}/said.json", "expected an array of records"),
        ("sample {way}/series.onnx -n 1 -o {tmp}/o.csv --length 9 --people 2", "people are of beats"),
        ("sample mitbih-beats -n 1 -o {tmp}/o.csv --length 9", "a length and a history are of series"),
        ("sample mitbih-beats -n 1 -o {tmp}/o.csv --history {way}/table.csv", "a length and a history are of series"),
        ("evaluate {way}/series.onnx --real {tmp}/none.csv -o {tmp}/o", "expected a table"),
        ("evaluate {way}/series.onnx --real {way}/series.onnx -o {tmp}/o", "expected a table named"),
    ],
)
def test_bad_input_is_one_clear_line_and_leaves_nothing(
    refuses: Say, way: Path, tmp_path: Path, arguments: str, says: str
) -> None:
    line = refuses(*(word.format(tmp=tmp_path, way=way) for word in arguments.split()))
    assert re.search(says, line), line
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_kept_without_force(refuses: Say, way: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").write_bytes(b"mine")
    for arguments in (
        ("train", "series", way / "table.csv", *OPTIONS, "--steps", 1, "-o", full),
        ("sample", way / "series.onnx", "-n", 1, "--format", "csv", "-o", full),
        ("evaluate", way / "series.onnx", "--real", way / "table.csv", "-o", full),
    ):
        assert "exists already; choose another name or add --force" in refuses(*arguments)
    assert [path.name for path in full.iterdir()] == ["notes.txt"]
    assert (full / "notes.txt").read_bytes() == b"mine"
    before = {path: path.read_bytes() for path in (way / "run").rglob("*") if path.is_file()}
    refuses("train", "series", way / "table.csv", *OPTIONS, "--steps", 1, "-o", way / "run")
    assert {path: path.read_bytes() for path in (way / "run").rglob("*") if path.is_file()} == before
