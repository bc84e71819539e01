"""The command line: every command, each taking what the one before it left, and each refusing what it cannot take."""

import dataclasses
import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import Result

import ecgsynth
from ecgsynth import evaluation
from ecgsynth.cli.main import Band, Duration, main
from ecgsynth.core.disclosure import published_metrics
from ecgsynth.core.formats import FORMATS
from ecgsynth.metrics.classifier import ClassifierConfig
from ecgsynth.metrics.series import STEPS
from ecgsynth.models import registry
from ecgsynth.windows import series, splits
from ecgsynth.windows.windows import PARTS, Windows

Invoke, Say = Callable[..., Result], Callable[..., str]  # what the fixtures run, works and refuses are
ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "golden" / "tiny.onnx"
FS, SECONDS = 120, 40
PREPARE = ["--fs", "120", "--window", "64", "--r-index", "20"]


Words = tuple[str, ...]


def commands(group: click.Group = main, prefix: Words = ()) -> Iterator[tuple[Words, click.Command]]:
    """Every command that does something, with the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name), command


COMMANDS = dict(commands())


def option(words: str, name: str) -> click.Parameter:
    (found,) = (parameter for parameter in COMMANDS[tuple(words.split())].params if parameter.name == name)
    return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that is done at once; the networks have the size that they have."""
    speed_up(monkeypatch)


def speed_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("ecgsynth.training.selection.MOST_SYNTHETIC", 100)
    patch.setattr("ecgsynth.training.selection.CLASSIFIER", ClassifierConfig(width=8, steps=3, batch=32))
    patch.setattr("ecgsynth.demo.CLASSIFIER_STEPS", 3)
    patch.setattr("ecgsynth.demo.REPEATS", 1)
    patch.setattr("ecgsynth.demo.DRAWN", 50)
    patch.setattr("ecgsynth.evaluation.COMPARED_WINDOWS", 50)
    patch.setattr("ecgsynth.evaluation.RELEASED_WINDOWS", 200)
    patch.setattr("ecgsynth.evaluation.MOST_WINDOWS", 30)
    patch.setattr("ecgsynth.metrics.beats.MOST_WINDOWS", 30)


def write_records(folder: Path) -> None:
    """Four records of a beat a second, every third of them a broad and inverted one."""
    wfdb = pytest.importorskip("wfdb")
    folder.mkdir()
    clock = np.arange(FS * SECONDS)
    for number in range(4):
        rng = np.random.default_rng(number)
        peaks = np.arange(FS // 2, FS * SECONDS, FS) + rng.integers(-9, 9, size=SECONDS)
        symbols = ["V" if beat % 3 == 2 else "N" for beat in range(SECONDS)]
        signal = 0.05 * rng.normal(size=FS * SECONDS)
        for peak, symbol in zip(peaks, symbols, strict=True):
            width, height = (8, -1.5) if symbol == "V" else (2, 1.0)
            signal += height * np.exp(-(((clock - peak) / width) ** 2))
        wfdb.wrsamp(
            f"r{number}",
            fs=FS,
            units=["mV"],
            sig_name=["MLII"],
            p_signal=signal[:, None],
            fmt=["16"],
            adc_gain=[1000.0],
            baseline=[0],
            write_dir=str(folder),
        )
        wfdb.wrann(f"r{number}", "atr", peaks, symbol=symbols, write_dir=str(folder))


@pytest.fixture(scope="module")
def way(works: Say, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the commands were run one after the other; no test may change what they left."""
    folder = tmp_path_factory.mktemp("way")
    write_records(folder / "records")
    with pytest.MonkeyPatch.context() as patch:
        speed_up(patch)
        said = {
            "prepare": works("prepare", folder / "records", "-o", folder / "beats.npz", *PREPARE),
            "train": works(
                *("train", "ecg", folder / "beats.npz", "-o", folder / "run", "--steps", 3),
                *("--classes", "N,V", "--device", "cpu"),
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
            "export", folder / "run", "-o", folder / "told.onnx", "--report", folder / "report"
        )
    (folder / "said.json").write_text(json.dumps(said), encoding="utf-8")
    return folder


def said(way: Path, command: str) -> str:
    return str(json.loads((way / "said.json").read_text(encoding="utf-8"))[command])


# ---- the whole way


def test_prepare_leaves_split_beats(way: Path) -> None:
    beats = Windows.load(way / "beats.npz")
    assert beats.values.shape[1:] == (64, 1)
    assert (beats.fs_hz, beats.event_index, beats.channel_names) == (120.0, 20, ("MLII",))
    assert beats.parts is not None
    assert {part: len(beats.part(part)) > 0 for part in PARTS} == dict.fromkeys(PARTS, True)
    counts = beats.counts()
    assert counts["N"] + counts["V"] == len(beats) > 150
    found = f"{len(beats)} beats of 4 records and 4 patients: N {counts['N']}, S 0, V {counts['V']}"
    assert found in said(way, "prepare")


def test_progress_names_no_record_as_a_name_can_be_a_persons(
    works: Say, way: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []
    monkeypatch.setattr("ecgsynth.cli.progress.Line.__call__", lambda line, done, text="", **more: texts.append(text))
    works("prepare", way / "records", "-o", tmp_path / "beats.npz", *PREPARE)
    assert texts[:4] == [f"record {number} of 4" for number in range(1, 5)]


def test_train_leaves_a_run_and_says_what_was_reached(way: Path) -> None:
    reached = json.loads((way / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert reached["steps"] == 3
    assert f"best step {reached['best_step']} of 3, validation score {reached['validation_score']:.3f}" in said(
        way, "train"
    )


def test_export_leaves_one_file_under_two_megabytes(way: Path) -> None:
    assert (way / "beats.onnx").stat().st_size < 2_000_000
    assert "equal to torch" in said(way, "export")
    assert ecgsynth.load(way / "beats.onnx").manifest.class_names == ("N", "V")


def test_export_tells_what_a_report_measured(works: Say, way: Path) -> None:
    measured = json.loads((way / "report" / "metrics.json").read_text(encoding="utf-8"))
    told, before = (ecgsynth.load(way / name).manifest for name in ("told.onnx", "beats.onnx"))
    assert told.metrics["utility"]["TSTR"]["macro_f1"] == measured["utility"]["TSTR"]["macro_f1"]
    assert told.metrics["utility"]["test_patients"] is None  # fewer than ten
    assert told.metrics["privacy"] == published_metrics(measured["privacy"])
    assert {**told.metrics, **before.metrics} == told.metrics
    assert "utility" not in before.metrics
    works("info", way / "told.onnx")


def test_a_report_on_other_beats_is_not_told(refuses: Say, way: Path, tmp_path: Path) -> None:
    content = json.loads((way / "report" / "metrics.json").read_text(encoding="utf-8"))
    (tmp_path / "metrics.json").write_text(json.dumps(content | {"same_training_part": False}), encoding="utf-8")
    line = refuses("export", way / "run", "-o", tmp_path / "a.onnx", "--report", tmp_path)
    assert "does not say that the generator learnt from the windows it is compared with" in line
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]


@pytest.mark.parametrize("file_format", FORMATS)
def test_sample_writes_every_format(works: Say, refuses: Say, way: Path, tmp_path: Path, file_format: str) -> None:
    output = tmp_path / "out"
    said = works(
        *("sample", way / "beats.onnx", "-n", 7, "--label", "V", "--seed", 7),
        *("--format", file_format, "-o", output),
    )
    assert f"wrote 7 synthetic windows to {output}" in said
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


def test_evaluate_leaves_figures_a_picture_and_a_page(way: Path) -> None:
    measured = json.loads((way / "report" / "metrics.json").read_text(encoding="utf-8"))
    assert measured["same_training_part"] is True
    assert measured["utility"]["classes"] == ["N", "V"]
    assert measured["utility"]["repeats"] == 1
    assert measured["utility"]["classifier"]["steps"] == 3
    assert (way / "report" / "beats.png").read_bytes().startswith(b"\x89PNG")
    page = (way / "report" / "report.html").read_text(encoding="utf-8")
    assert 'src="data:image/png;base64,' in page
    assert not re.search(r"(src|href)=.?https?:", page)
    table = said(way, "evaluate")
    for arm in ("TRTR", "TSTR", "augmented"):
        assert f"{measured['utility'][arm]['macro_f1']['mean']:.3f}" in table
    assert "split by beat" in table  # the warning that belongs to the figures


def test_info_says_what_a_person_wants_to_know(way: Path) -> None:
    shown = said(way, "info")
    for what in ("64 samples at 120 Hz (0.53 s), in mV", "R peak at sample 20", "normal or bundle branch block beat"):
        assert what in shown
    assert "of fewer than 10 patients, split by beat" in shown
    assert "ventricular ectopic" in shown


def test_resume_of_a_finished_run_and_of_another(works: Say, refuses: Say, way: Path, tmp_path: Path) -> None:
    start = ["train", "ecg", way / "beats.npz", "-o", tmp_path / "run", "--classes", "N,V", "--device", "cpu"]
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


def test_an_interrupted_training_says_how_to_go_on(
    run: Invoke, way: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ecgsynth.synthesizer.Synthesizer.fit", interrupted)
    done = run("train", "ecg", way / "beats.npz", "-o", tmp_path / "run", "--steps", 2)
    assert done.exit_code == 130
    assert done.stderr == "Error: stopped before the first checkpoint; nothing was kept, start again\n"
    assert not list(tmp_path.iterdir())
    (tmp_path / "run" / "checkpoint").mkdir(parents=True)
    (tmp_path / "run" / "checkpoint" / "state.safetensors").touch()
    done = run("train", "ecg", way / "beats.npz", "-o", tmp_path / "run", "--steps", 2, "--resume")
    wanted = f"Error: stopped; go on with the same command and --resume (run {tmp_path / 'run'})\n"
    assert (done.exit_code, done.stderr) == (130, wanted)


def test_demo_leaves_everything(works: Say, refuses: Say, tmp_path: Path) -> None:
    text = works("demo", "-o", tmp_path / "demo", "--budget", "1s")
    real = Windows.load(tmp_path / "demo" / "beats.npz")
    made = Windows.load(tmp_path / "demo" / "synthetic.npz")
    assert len(made) == 50
    assert made.classes == real.classes == ("N", "S", "V", "F", "Q")
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
        ("train", "ecg", tmp_path / "none.npz", "-o", full),  # said before the beats are read
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
        ("train ecg {way}/beats.npz -o {tmp}/run", "class S has 0 training windows .* --classes N,V"),
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


@pytest.mark.parametrize(
    "words",
    ["prepare a -o b", "train ecg a -o b", "train series a -o b", "sample a -n 1 -o b", "evaluate a --real b -o c"],
)
@pytest.mark.parametrize("seed", ["-1", "18446744073709551616", "x"])
def test_a_seed_that_cannot_be_is_refused_at_once(run: Invoke, words: str, seed: str) -> None:
    done = run(*words.split(), "--seed", seed)
    assert done.exit_code == 2
    assert "--seed" in done.stderr


def test_the_largest_seed_trains(works: Say, way: Path, tmp_path: Path) -> None:
    works(
        *("train", "ecg", way / "beats.npz", "-o", tmp_path / "run", "--classes", "N,V", "--device", "cpu"),
        *("--steps", 1, "--seed", 2**64 - 1),
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("train ecg a -o b --steps 3 --budget 3min", "not both"),
        ("train series a -o b --steps 3 --budget 3min", "not both"),
        ("train ecg a -o b --steps 0", "--steps"),
        ("train ecg a -o b --model vae", "'rwgan', 'timegan'"),
        ("train series a -o b --missing mean", "'reject', 'interpolate', 'drop'"),
        ("train series a -o b --columns ,", "expected names with commas between them, got ','"),
        ("prepare a -o b --leads ,", "expected names with commas between them, got ','"),
        ("evaluate a --real b -o c --repeats 0", "--repeats"),
        ("evaluate a --real b -o c --steps 0", "--steps"),
    ],
)
def test_a_wrong_call_is_told_at_once(run: Invoke, words: str, says: str) -> None:
    done = run(*words.split())
    assert done.exit_code == 2
    assert says in done.stderr


def test_bugs_keep_their_traceback(run: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("ecgsynth.load", broken)
    assert isinstance(run("info", TINY).exception, ZeroDivisionError)


# ---- options


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("20min", 1200), ("2h", 7200), ("1h30min", 5400), ("1.5h", 5400), ("5sec", 5), ("1h1min1s", 3661)],
)
def test_durations(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "20", "min", "20m", "20 min", "-5s", "0s", "1h30", "1e3s", "5minx", "nan"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected a time such as"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize("text", ["0.5-40", "1-35.5", "none"])
def test_bands(text: str) -> None:
    wanted = {"0.5-40": (0.5, 40.0), "1-35.5": (1.0, 35.5), "none": None}[text]
    assert Band().convert(text, None, None) == wanted


@pytest.mark.parametrize("text", ["", "40", "-40", "0.5-", "a-b", "0.5-40Hz", "1-2-3"])
def test_what_is_no_band(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected a band such as"):
        Band().convert(text, None, None)


def test_choices_are_those_of_the_library() -> None:
    assert tuple(option("sample", "file_format").type.choices) == FORMATS  # type: ignore[attr-defined]
    kinds = [option(words, "kind").type.choices for words in ("prepare", "train series")]  # type: ignore[attr-defined]
    assert (*kinds[0], *kinds[1]) == splits.SPLITS
    assert tuple(option("train series", "missing").type.choices) == series.MISSING  # type: ignore[attr-defined]
    for words in ("train ecg", "train series"):
        assert tuple(option(words, "model").type.choices) == registry.names()  # type: ignore[attr-defined]
    assert set(option("evaluate", "part").type.choices) == set(PARTS) - {"train"}  # type: ignore[attr-defined]


def test_defaults_are_those_of_the_library() -> None:
    from ecgsynth.windows.beats import BeatOptions

    defaults = {parameter.name: parameter.default for parameter in COMMANDS[("prepare",)].params}
    for field in dataclasses.fields(BeatOptions):
        if field.name in defaults and field.name != "leads":
            assert defaults[field.name] == field.default, field.name
    assert Band().convert(option("prepare", "band").default, None, None) == BeatOptions().band_hz
    assert (option("prepare", "leads").default,) == BeatOptions().leads
    wanted = series.SeriesOptions()
    for name in ("length", "stride", "missing"):
        assert option("train series", name).default == getattr(wanted, name), name


def test_help_tells_how_much_an_evaluation_takes() -> None:
    said = {name: str(option("evaluate", name).help) for name in ("repeats", "steps")}  # type: ignore[attr-defined]
    assert f"{evaluation.REPEATS} for beats, {evaluation.SCORE_REPEATS} for series" in said["repeats"]
    assert f"{evaluation.STEPS}, but {STEPS['predictive_score']} for the predictive score" in said["steps"]


# ---- help


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(works: Say, words: tuple[str, ...]) -> None:
    text = works(*words, "--help")
    (example,) = re.findall(r"^ *Example: ecgsynth (.*)$", text, flags=re.MULTILINE)
    assert example.startswith(" ".join(words))
    context = COMMANDS[words].make_context("x", example.split()[len(words) :])  # the example can be typed
    assert context.params


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_says_what_it_is_for(words: tuple[str, ...]) -> None:
    silent = [entry.opts for entry in COMMANDS[words].params if isinstance(entry, click.Option) and not entry.help]
    assert not silent


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_is_in_the_readme(words: tuple[str, ...]) -> None:
    assert f"ecgsynth {' '.join(words)}" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words", ["prepare", "train ecg", "train series", "train table", "sample", "impute", "evaluate", "demo"]
)
def test_whatever_draws_takes_a_seed(words: str) -> None:
    assert option(words, "seed").default == 0


def test_the_commands_of_the_specification_are_understood() -> None:
    for line in (
        "prepare DIR -o beats.npz --leads MLII --split patient --seed 0",
        "train ecg beats.npz -o runs/a --model rwgan --budget 20min --seed 0 --device auto --resume",
        "train ecg beats.npz -o runs/a --steps 12",
        "train ecg beats.npz -o runs/a --model timegan",
        "train series stock_data.csv -o runs/s --model rwgan --length 24 --budget 20min",
        "train series t.csv -o runs/s --stride 2 --columns a,b --id who --time when --label ward --statics age",
        "train series t.csv -o runs/s --model timegan --missing interpolate --split none --steps 12 --seed 1 --resume",
        "sample series.onnx -n 10 --columns a,b --format csv -o out.csv",
        "evaluate series.onnx --real stock_data.csv -o report/ --repeats 2 --steps 10",
        "export runs/a -o beats.onnx",
        "sample beats.onnx -n 1000 --label V --seed 7 --format parquet -o out",
        "sample beats.onnx -n 1000 --format json -o -",
        "evaluate beats.onnx --real beats.npz -o report/",
        "info beats.onnx",
        "demo",
        "demo -o DIR",
        "schema adult.csv -o schema.json",
        "train table adult.csv -o runs/t --schema schema.json --model default --budget 15min --seed 0",
        "train table s3://bucket/adult.csv -o runs/t --model ctgan --epochs 3 --storage-options key=a,secret=b",
        "export runs/t -o adult.onnx",
        "sample adult.onnx -n 32561 --seed 1 --where class=>50K -o adult-synthetic.csv",
        "evaluate adult.onnx --real adult.csv --test adult-test.csv --target class -o report/",
        "impute holes.csv --model runs/g -o filled.csv",
    ):
        words = line.split()
        command = main
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]  # type: ignore[assignment]
        command.make_context("x", words)


def test_the_console_script_is_this_command_line(works: Say) -> None:
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="ecgsynth")
    assert script.load() is main
    assert works("--version").strip() == f"ecgsynth, version {ecgsynth.__version__}"


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = """
import sys
from ecgsynth.cli.main import main
helped = ("", "train ecg", "train series", "train table", "schema", "impute", "sample", "evaluate")
for words in (*(f"{words} --help" for words in helped), "--version"):
    main(words.split(), standalone_mode=False)
names = {"numpy", "torch", "onnxruntime", "scipy", "wfdb", "pandas", "sklearn"}
heavy = sorted({name.split(".")[0] for name in sys.modules} & names)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    "words",
    ["train ecg a.npz -o b", "train series a.csv -o b", "export a -o b.onnx", "evaluate {} --real a -o b", "demo -o b"],
)
def test_without_the_extra_one_line_names_it(words: str, tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from ecgsynth.cli.main import main; main(sys.argv[1:])"
    arguments = words.format(TINY).split()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "Error: this command needs the package torch, which is not installed: pip install torch"
    )
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
