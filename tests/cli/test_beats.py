"""Heartbeats through the command line: each command takes what the one before it left, or refuses it."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import ecgsynth
from ecgsynth.core.disclosure import published_metrics
from ecgsynth.core.formats import FORMATS
from ecgsynth.windows.windows import PARTS, Windows

Invoke, Say = Callable[..., Result], Callable[..., str]  # what the fixtures run, works, refuses and said are
Write = Callable[..., None]
ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "golden" / "tiny.onnx"
PREPARE = ["--fs", "120", "--window", "64", "--r-index", "20"]


@pytest.fixture(scope="module")
def way(works: Say, write_records: Write, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the commands were run one after the other; no test may change what they left."""
    folder = tmp_path_factory.mktemp("way")
    write_records(folder / "records")
    with pytest.MonkeyPatch.context() as patch:
        said = {
            "prepare": works("prepare", folder / "records", "-o", folder / "beats.npz", *PREPARE),
            "train": works(
                *("train", "ecg", folder / "beats.npz", "-o", folder / "run", "--steps", 3),
                *("--level", "internal", "--classes", "N,V", "--device", "cpu"),
            ),
            "export": works("export", folder / "run", "-o", folder / "beats.onnx"),
            "evaluate": works(
                *("evaluate", folder / "beats.onnx", "--real", folder / "beats.npz", "--run", folder / "run"),
                *("-o", folder / "report", "--repeats", 1, "--steps", 3, "--device", "cpu"),
            ),
            "info": works("info", folder / "beats.onnx"),
        }
        content = (folder / "beats.onnx").read_bytes()  # of the same generator; tracing it takes seconds
        patch.setattr(
            "ecgsynth.export.windows_to_onnx.write_graph", lambda sampler, config, path: path.write_bytes(content)
        )
        said["export --report"] = works(
            "export", folder / "run", "-o", folder / "reported.onnx", "--report", folder / "report"
        )
    (folder / "said.json").write_text(json.dumps(said), encoding="utf-8")
    return folder


# ---- the whole way


def test_prepare_leaves_split_beats(way: Path, said: Say) -> None:
    beats = Windows.load(way / "beats.npz")
    assert beats.values.shape[1:] == (64, 1)
    assert (beats.fs_hz, beats.event_index, beats.channel_names) == (120.0, 20, ("MLII",))
    assert beats.parts is not None
    assert [part for part in PARTS if len(beats.part(part))] == ["train", "validation", "test"]
    counts = beats.counts()
    assert counts["N"] + counts["V"] == len(beats) > 150
    found = f"{len(beats)} beats of 4 records and 4 patients: N {counts['N']}, S 0, V {counts['V']}"
    assert found in said("prepare")


def test_progress_names_no_record_as_a_name_can_be_a_persons(
    works: Say, way: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []
    monkeypatch.setattr("ecgsynth.cli.progress.Line.__call__", lambda line, done, text="", **more: texts.append(text))
    works("prepare", way / "records", "-o", tmp_path / "beats.npz", *PREPARE)
    assert texts[:4] == [f"record {number} of 4" for number in range(1, 5)]


def test_train_leaves_a_run_and_says_what_was_reached(way: Path, said: Say) -> None:
    reached = json.loads((way / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert reached["steps"] == 3
    wanted = f"best step {reached['best_step']} of 3, validation score {reached['validation_score']:.3f}"
    assert wanted in said("train")


def test_export_leaves_one_file_under_two_megabytes(way: Path, said: Say) -> None:
    assert (way / "beats.onnx").stat().st_size < 2_000_000
    assert "equal to torch" in said("export")
    assert ecgsynth.load(way / "beats.onnx").manifest.class_names == ("N", "V")


def test_export_tells_what_a_report_measured(works: Say, way: Path) -> None:
    measured = json.loads((way / "report" / "metrics.json").read_text(encoding="utf-8"))
    reported, before = (ecgsynth.load(way / name).manifest for name in ("reported.onnx", "beats.onnx"))
    assert reported.metrics["utility"]["TSTR"]["macro_f1"] == measured["utility"]["TSTR"]["macro_f1"]
    assert reported.metrics["utility"]["test_patients"] is None  # fewer than ten
    assert reported.metrics["privacy"] == published_metrics(measured["privacy"])
    assert {**reported.metrics, **before.metrics} == reported.metrics
    assert "utility" not in before.metrics
    works("info", way / "reported.onnx")


def test_a_report_on_other_beats_is_not_told(refuses: Say, way: Path, tmp_path: Path) -> None:
    content = json.loads((way / "report" / "metrics.json").read_text(encoding="utf-8"))
    (tmp_path / "metrics.json").write_text(json.dumps(content | {"same_training_part": False}), encoding="utf-8")
    line = refuses("export", way / "run", "-o", tmp_path / "a.onnx", "--report", tmp_path)
    assert "does not say that the generator learnt from the windows it is compared with" in line
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]


@pytest.mark.parametrize("file_format", FORMATS)
def test_sample_writes_every_format(works: Say, refuses: Say, way: Path, tmp_path: Path, file_format: str) -> None:
    output = tmp_path / "out"
    text = works(
        *("sample", way / "beats.onnx", "-n", 7, "--label", "V", "--seed", 7),
        *("--format", file_format, "-o", output),
    )
    assert f"wrote 7 synthetic windows to {output}" in text
    assert output.is_dir() == (file_format == "wfdb")
    assert "exists already" in refuses(
        "sample", way / "beats.onnx", "-n", 7, "--format", file_format, "-o", output
    )  # what was drawn is compared in test_writers


def test_sample_draws_what_python_draws(works: Say, way: Path, tmp_path: Path) -> None:
    works("sample", way / "beats.onnx", "-n", 9, "--seed", 7, "-o", tmp_path / "out.npz")
    got, wanted = Windows.load(tmp_path / "out.npz"), ecgsynth.load(way / "beats.onnx").sample(9, seed=7)
    assert np.array_equal(got.values, wanted.values)
    assert np.array_equal(got.labels, wanted.labels)
    assert got.rr_s is not None
    assert np.array_equal(got.rr_s, wanted.rr_s)


@pytest.mark.parametrize("words", [("--label", "V"), ("--where", "class=V")], ids=" ".join)
def test_a_class_is_asked_for_by_its_label_or_as_rows_are(
    works: Say, way: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    works("sample", way / "beats.onnx", "-n", 5, "--seed", 7, *words, "-o", tmp_path / "out.npz")
    got, wanted = Windows.load(tmp_path / "out.npz"), ecgsynth.load(way / "beats.onnx").sample(5, "V", seed=7)
    assert got.values.tobytes() == wanted.values.tobytes()
    assert [got.classes[code] for code in got.labels] == ["V"] * 5


def test_sample_puts_the_intervals_after_the_label(works: Say, way: Path, tmp_path: Path) -> None:
    works("sample", way / "beats.onnx", "-n", 9, "--seed", 7, "--format", "csv", "-o", tmp_path / "out.csv")
    header, *rows = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert header.split(",")[:4] == ["label", "rr_before_s", "rr_after_s", "MLII_0"]
    wanted = ecgsynth.load(way / "beats.onnx").sample(9, seed=7).rr_s
    assert wanted is not None
    found = [[float(word) for word in row.split(",")[1:3]] for row in rows]
    assert np.array(found) == pytest.approx(wanted, rel=1e-5)


def test_a_file_without_intervals_is_sampled_and_described(works: Say, tmp_path: Path) -> None:
    model = TINY.with_name("signal_only.onnx")
    works("sample", model, "-n", 9, "--format", "csv", "-o", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").startswith("label,MLII_0,V5_0,")
    works("sample", model, "-n", 9, "-o", tmp_path / "out.npz")
    assert Windows.load(tmp_path / "out.npz").rr_s is None
    assert "supraventricular ectopic beat" in works("info", model)


def test_synthetic_records_can_be_prepared_again(works: Say, way: Path, tmp_path: Path) -> None:
    works("sample", way / "beats.onnx", "-n", 30, "--format", "wfdb", "-o", tmp_path / "records")
    works("prepare", tmp_path / "records", "-o", tmp_path / "beats.npz", *PREPARE, "--band", "none")
    again, drawn = Windows.load(tmp_path / "beats.npz"), ecgsynth.load(way / "beats.onnx").sample(30)
    assert np.abs(again.values - drawn.values).max() < 0.6e-3  # steps of a microvolt, no filter between
    assert [again.classes[code] for code in again.labels] == [drawn.classes[code] for code in drawn.labels]


def test_evaluate_leaves_figures_a_picture_and_a_page(way: Path, said: Say) -> None:
    measured = json.loads((way / "report" / "metrics.json").read_text(encoding="utf-8"))
    assert measured["same_training_part"] is True
    assert measured["utility"]["classes"] == ["N", "V"]
    assert measured["utility"]["repeats"] == 1
    assert measured["utility"]["classifier"]["steps"] == 3
    assert (way / "report" / "beats.png").read_bytes().startswith(b"\x89PNG")
    page = (way / "report" / "report.html").read_text(encoding="utf-8")
    assert 'src="data:image/png;base64,' in page
    assert not re.search(r"(src|href)=.?https?:", page)
    table = said("evaluate")
    for arm in ("TRTR", "TSTR", "augmented"):
        assert f"{measured['utility'][arm]['macro_f1']['mean']:.3f}" in table
    assert "split by beat" in table  # the warning that belongs to the figures


def test_info_says_what_a_person_wants_to_know(way: Path, said: Say) -> None:
    shown = said("info")
    for what in ("64 samples at 120 Hz (0.53 s), in mV", "R peak at sample 20", "normal or bundle branch block beat"):
        assert what in shown
    assert "of fewer than 10 patients, split by beat" in shown
    assert "ventricular ectopic" in shown


def test_resume_of_a_finished_run_and_of_another(works: Say, refuses: Say, way: Path, tmp_path: Path) -> None:
    start = ["train", "ecg", way / "beats.npz", "-o", tmp_path / "run", "--classes", "N,V", "--device", "cpu"]
    start += ["--level", "internal"]
    works(*start, "--steps", 2)
    weights = (tmp_path / "run" / "weights.safetensors").read_bytes()
    assert "exists already" in refuses(*start, "--steps", 2)
    works(*start, "--steps", 2, "--resume")
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == weights
    assert "resume with the same command" in refuses(*start, "--steps", 4, "--resume")
    assert "resume with the same command" in refuses(*start, "--steps", 2, "--resume", "--seed", 1)
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == weights
    works(*start, "--steps", 2, "--seed", 1, "--force")
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() != weights


def test_demo_leaves_everything(works: Say, refuses: Say, tmp_path: Path) -> None:
    text = works("demo", "-o", tmp_path / "demo", "--budget", "1s")
    real = Windows.load(tmp_path / "demo" / "beats.npz")
    made = Windows.load(tmp_path / "demo" / "synthetic.npz")
    assert len(made) == 50
    assert real.classes == ("N", "S", "V", "F", "Q")
    assert made.classes == ("N", "S", "V")  # too few people have the others
    assert real.meta["split"] == "patient"
    assert {len(set(real.part(part).groups) & set(real.part("train").groups)) for part in ("validation", "test")} == {0}
    measured = json.loads((tmp_path / "demo" / "report" / "metrics.json").read_text(encoding="utf-8"))
    assert measured["audit"]["persons_learnt"] > 25
    assert measured["audit"]["persons_outside"] > 10
    assert measured["audit"]["same_training_part"] is True
    assert "calibrated_distance" in measured["audit"]["attacks"]
    assert ecgsynth.load(tmp_path / "demo" / "beats.onnx").manifest.person_dim > 0
    assert {path.name for path in (tmp_path / "demo" / "report").iterdir()} == {
        "metrics.json",
        "beats.png",
        "report.html",
    }
    assert (tmp_path / "demo" / "run" / "weights.safetensors").exists()
    (command,) = re.findall(r"^  ecgsynth (sample .*)$", text, flags=re.MULTILINE)
    works(*command.replace("v.npz", str(tmp_path / "v.npz")).split())  # the command that it tells
    assert len(Windows.load(tmp_path / "v.npz")) == 1000
    assert "exists already" in refuses("demo", "-o", tmp_path / "demo", "--budget", "1s")


# ---- what cannot be done is one line


def test_outputs_that_exist_are_kept_without_force(works: Say, refuses: Say, way: Path, tmp_path: Path) -> None:
    taken, full, onnx = tmp_path / "taken.npz", tmp_path / "full", tmp_path / "taken.onnx"
    taken.write_bytes(b"mine")
    onnx.write_bytes(b"mine")
    full.mkdir()
    (full / "notes.txt").write_bytes(b"mine")
    for arguments in (
        ("prepare", way / "records", "-o", taken, *PREPARE),
        ("train", "ecg", way / "beats.npz", "--classes", "N,V", "--steps", 1, "-o", full),
        ("export", way / "run", "-o", onnx),
        ("sample", way / "beats.onnx", "-n", 1, "-o", taken),
        ("sample", way / "beats.onnx", "-n", 1, "--format", "wfdb", "-o", full),
        ("evaluate", way / "beats.onnx", "--real", way / "beats.npz", "-o", full),
        ("demo", "-o", full),
    ):
        assert "exists already; choose another name or add --force" in refuses(*arguments)
    assert taken.read_bytes() == b"mine"
    assert [path.name for path in full.iterdir()] == ["notes.txt"]
    works("sample", way / "beats.onnx", "-n", 1, "-o", taken, "--force")
    assert len(Windows.load(taken)) == 1
    works("prepare", way / "records", "-o", taken, *PREPARE, "--force")
    assert len(Windows.load(taken)) > 150


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("prepare {tmp}/none -o {tmp}/o.npz", "no folder"),
        ("prepare {tmp} -o {tmp}/o.npz", "it has none"),
        ("prepare {way}/records -o {tmp}/o.npz --leads V9", "no record has a lead 'V9'; the leads are MLII"),
        ("prepare {way}/records -o {tmp}/o.npz --band 40-0.5", "band"),
        ("prepare {way}/records -o {tmp}/o.npz --window 0", "window"),
        ("prepare {way}/records -o {tmp}/o.npz --fs 0", "fs_hz"),
        ("prepare {way}/records -o {way}/beats.npz/o.npz --fs 120", "could not write"),
        ("train ecg {tmp}/none.npz -o {tmp}/run", "there is none"),
        ("train ecg {way}/said.json -o {tmp}/run", "not a whole .npz"),
        ("train ecg {way}/beats.npz -o {tmp}/run", "has 4 people and .* needs at least 5; .* with --level internal"),
        (
            "train ecg {way}/beats.npz -o {tmp}/run --level internal",
            "class S has 0 training windows .* --classes N,V",
        ),
        ("train ecg {way}/beats.npz -o {tmp}/run --classes N,X", "no class 'X'"),
        ("train ecg {tmp}/drawn.npz -o {tmp}/run", "not split yet"),
        ("export {tmp}/none -o {tmp}/o.onnx", "expected a run folder"),
        ("export {way}/records -o {tmp}/o.onnx", "expected a run folder"),
        (
            "export {way}/run -o {tmp}/o.onnx --report {way}/records",
            "expected a file .*metrics.json, but there is none",
        ),
        ("sample {tmp}/none.onnx -n 1 -o {tmp}/o.npz", "there is none"),
        ("sample mitbih -n 1 -o {tmp}/o.npz", "expected an .onnx file at mitbih, but there is none"),
        ("sample {way}/said.json -n 1 -o {tmp}/o.npz", "damaged or not an ONNX file"),
        ("sample {way}/beats.onnx -n 0 -o {tmp}/o.npz", "at least 1, got 0"),
        ("sample {way}/beats.onnx -n -4 -o {tmp}/o.npz", "at least 1, got -4"),
        ("sample {way}/beats.onnx -n 1 --label S -o {tmp}/o.npz", "no class 'S'; its classes are N, V"),
        ("sample {way}/beats.onnx -n 1 --where class=S -o {tmp}/o.npz", "no class 'S'; its classes are N, V"),
        ("sample {way}/beats.onnx -n 1 --where lead=V1 -o {tmp}/o.npz", "by the column 'class' alone, got 'lead'"),
        ("sample {way}/beats.onnx -n 1 --where class=N --label V -o {tmp}/o.npz", "ask for a class once"),
        ("evaluate {way}/beats.onnx --real {tmp}/none.npz -o {tmp}/report", "there is none"),
        ("evaluate {way}/beats.onnx --real {tmp}/drawn.npz -o {tmp}/report", "64 samples x 1 .* real ones are 32 x 2"),
        ("info {tmp}/none.onnx", "there is none"),
        ("info {way}/beats.npz", "damaged or not an ONNX file"),
    ],
)
def test_bad_input_is_one_clear_line_and_leaves_nothing(
    refuses: Say, way: Path, tmp_path: Path, arguments: str, says: str
) -> None:
    ecgsynth.load(TINY).sample(20).save(tmp_path / "drawn.npz")
    line = refuses(*(word.format(tmp=tmp_path, way=way) for word in arguments.split()))
    assert re.search(says, line), line
    assert [path.name for path in tmp_path.iterdir()] == ["drawn.npz"]


@pytest.mark.parametrize("file_format", ["npz", "wfdb"])
def test_the_folder_one_stands_in_is_an_output_like_any_other(
    run: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("sample", TINY, "-n", 3, "--format", file_format, "-o", ".")
    if done.exit_code == 0:
        assert (tmp_path / "RECORDS").exists()
    else:
        assert isinstance(done.exception, SystemExit), repr(done.exception)
        assert done.stderr.startswith("Error: ")
