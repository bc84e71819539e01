"""The generator that comes with the package, and finding a generator by its name or its path."""

import inspect
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import ecgsynth
from ecgsynth.cli.main import main
from ecgsynth.core.levels import LEVELS
from ecgsynth.demo import sample_beats
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.report.info import manifest_text
from ecgsynth.windows.windows import Windows

pytestmark = pytest.mark.trains

NAME = "mitbih-beats"
DATA = Path(ecgsynth.__file__).parent / "data"
TINY = Path(__file__).resolve().parent / "golden" / "tiny.onnx"
CLASSES = ("N", "S", "V")  # that enough people have


# ---- names and paths


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, and a package whose pretrained generator is the golden one."""
    (tmp_path / "package" / "data").mkdir(parents=True)
    shutil.copy(TINY, tmp_path / "package" / "data" / f"{NAME}.onnx")
    monkeypatch.setattr(ecgsynth, "__file__", str(tmp_path / "package" / "__init__.py"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def test_a_name_is_a_generator_of_the_package_and_a_path_is_a_file(elsewhere: Path) -> None:
    shutil.copy(TINY, elsewhere / "mine.onnx")
    inside = elsewhere.parent / "package" / "data" / f"{NAME}.onnx"
    assert ecgsynth.pretrained(NAME).path == ecgsynth.load(NAME).path == inside
    assert ecgsynth.load("mine.onnx").path == Path("mine.onnx")
    assert ecgsynth.load(elsewhere / "mine.onnx").path == elsewhere / "mine.onnx"


def test_a_file_of_that_name_goes_first(elsewhere: Path) -> None:
    shutil.copy(TINY, elsewhere / NAME)
    assert ecgsynth.load(NAME).path == Path(NAME)
    assert ecgsynth.load(Path(NAME)).path == Path(NAME)
    assert ecgsynth.pretrained(NAME).path != Path(NAME)


def test_a_folder_of_that_name_is_no_generator(elsewhere: Path) -> None:
    (elsewhere / NAME).mkdir()
    assert ecgsynth.load(NAME).path.parent.name == "data"


@pytest.mark.parametrize("name", ["mitbih", "", "mitbih-beats.onnx", "../data/mitbih-beats"])
def test_a_name_that_there_is_not_is_one_clear_sentence(name: str) -> None:
    with pytest.raises(ConfigError, match=f"no pretrained generator .*; there are {NAME}"):
        ecgsynth.pretrained(name)


@pytest.mark.parametrize("name", ["mitbih", "mitbih-beats.onnx", f"./{NAME}/"])
def test_what_is_neither_a_name_nor_a_file_is_one_clear_sentence(elsewhere: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match="expected an .onnx file at .*, but there is none"):
        ecgsynth.load(name)


def test_both_are_in_the_public_names() -> None:
    assert {"load", "pretrained"} <= set(ecgsynth.__all__)
    assert NAME in ecgsynth.PRETRAINED
    for function in (ecgsynth.load, ecgsynth.pretrained):
        assert "Raises" in (inspect.getdoc(function) or "")


@pytest.mark.parametrize("file_format", ["npz", "csv"])
def test_the_commands_take_the_name(elsewhere: Path, file_format: str) -> None:
    done = CliRunner().invoke(
        main, ["sample", NAME, "-n", "7", "--label", "V", "--seed", "7", "--format", file_format, "-o", "out"]
    )
    assert done.exit_code == 0, done.output
    if file_format == "npz":
        drawn, wanted = Windows.load("out"), OnnxSampler(TINY).sample(7, "V", seed=7)
        assert np.array_equal(drawn.values, wanted.values)
        assert np.array_equal(drawn.rr_s, wanted.rr_s)
        assert drawn.meta["model"] == f"{NAME}.onnx"
    else:
        assert Path("out").read_text(encoding="utf-8").startswith("label,rr_before_s,rr_after_s,MLII_0,")
    done = CliRunner().invoke(main, ["info", NAME])
    assert done.exit_code == 0, done.output
    assert "supraventricular ectopic beat" in done.output


# ---- the one that comes with the package


@pytest.fixture(scope="module")
def beats() -> OnnxSampler:
    return ecgsynth.pretrained(NAME)


def test_it_makes_beats_of_three_classes_with_intervals(beats: OnnxSampler) -> None:
    said = beats.manifest
    assert (said.kind, said.synthetic, said.class_names) == ("beats", True, CLASSES)
    assert (said.time, said.fs_hz, said.units, said.event_index) == (256, 360.0, "mV", 100)
    drawn = beats.sample(2000, seed=1)
    assert drawn.values.shape == (2000, 256, 1)
    assert drawn.rr_s is not None
    assert ((drawn.rr_s > 0.2 - 1e-6) & (drawn.rr_s < 3 + 1e-6)).all()
    shares = np.array([entry.share for entry in said.classes])
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert np.abs(drawn.shares() - shares).max() < 0.05  # more than 4 standard deviations


@pytest.mark.parametrize("label", CLASSES)
def test_its_beats_look_like_the_real_ones_in_the_package(beats: OnnxSampler, label: str) -> None:
    # A coarse look: report.html has the measures. The mean beat, its amplitude, and the intervals of each class.
    everything = sample_beats()
    real, drawn = everything.keep_classes((label,)), beats.sample(1000, label, seed=2)
    one, other = real.values.mean(axis=0).ravel(), drawn.values.mean(axis=0).ravel()
    assert np.corrcoef(one, other)[0, 1] > 0.8
    assert np.ptp(drawn.values, axis=1).mean() == pytest.approx(np.ptp(real.values, axis=1).mean(), rel=0.4)
    assert np.abs(drawn.values).max() < 20  # mV
    assert real.rr_s is not None
    assert np.median(drawn.rr_s, axis=0) == pytest.approx(np.nanmedian(real.rr_s, axis=0), rel=0.3)


def test_it_copies_no_beat_of_the_package(beats: OnnxSampler) -> None:
    drawn, real = beats.sample(500, seed=3).values[..., 0], sample_beats().values[..., 0]
    squares = (drawn**2).sum(axis=1)[:, None] + (real**2).sum(axis=1) - 2 * drawn @ real.T
    assert np.sqrt(squares.min() / 256) > 0.002  # mV


def test_same_seed_same_bytes_other_seed_others(beats: OnnxSampler) -> None:
    one, again, other = (beats.sample(20, seed=seed).values for seed in (7, 7, 8))
    assert one.tobytes() == again.tobytes()
    assert not np.isclose(one, other).all(axis=(1, 2)).any()


def test_it_says_where_it_comes_from_and_what_was_measured(beats: OnnxSampler) -> None:
    said = beats.manifest
    assert "MIT-BIH" in said.data.source.name
    assert said.data.source.licence
    assert said.data.training_patients >= 20
    assert said.data.split == "patient"
    assert {"utility", "fidelity", "privacy", "audit"} <= set(said.metrics)  # exported with --report


def test_it_makes_people_and_says_what_it_may_be_used_for(beats: OnnxSampler) -> None:
    said = beats.manifest
    people = beats.sample(40, "N", seed=5, people=4)
    assert sorted(set(people.groups.tolist())) == ["0", "1", "2", "3"]
    own = np.stack([np.median(people.values[people.groups == name], axis=0) for name in "0123"])
    within = np.mean([np.abs(people.values[people.groups == str(k)] - own[k]).mean() for k in range(4)])
    between = np.mean([np.abs(own[k] - own[j]).mean() for k in range(4) for j in range(k)])
    assert between > 1.5 * within  # a person's beats are alike, and people are not
    assert said.training["model"] == "people"
    audit = said.metrics["audit"]
    assert audit["same_training_part"] is True
    assert said.release.name in LEVELS
    assert bool(said.release.reasons) == (said.release.name != "public")


def test_it_is_small_and_names_no_place(beats: OnnxSampler) -> None:
    content = beats.path.read_bytes()
    assert len(content) < 2_000_000
    checkout = Path(__file__).resolve().parents[2]
    for word in (b"site-packages", b"stack_trace", b"/home/", bytes(Path.home()), bytes(checkout) + b"/"):
        assert word not in content


def test_its_card_lies_beside_it(beats: OnnxSampler) -> None:
    card = beats.path.with_suffix(".md").read_text(encoding="utf-8")
    assert card.startswith("# ")
    for word in ("MIT-BIH", "ODC-By", "synthetic"):
        assert word in card


def test_it_is_drawn_from_without_torch_by_one_command(tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from ecgsynth.cli.main import main; main(sys.argv[1:])"
    subprocess.run(
        [sys.executable, "-P", "-c", code, "sample", NAME, "-n", "20", "--seed", "7", "-o", "out.npz"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=60,
    )
    drawn = Windows.load(tmp_path / "out.npz")
    assert drawn.values.tobytes() == ecgsynth.pretrained(NAME).sample(20, seed=7).values.tobytes()
    assert drawn.rr_s is not None


def test_info_says_its_chief_figures_in_one_line_each() -> None:
    sampler = ecgsynth.pretrained("mitbih-beats")
    text = manifest_text(sampler.manifest, "mitbih-beats", 0)
    found = sampler.manifest.metrics
    assert f"macro-F1 {found['utility']['TSTR']['macro_f1']['mean']:.3f}" in text
    assert f"distance ratio {found['privacy']['ratio']:.2f}" in text
    assert "{" not in text
    assert max(map(len, text.splitlines())) < 320
