"""Fit, sample, save, load, export: the generator as its users hold it."""

import dataclasses
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ecgsynth
from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ArtifactError, ConfigError, DataError
from ecgsynth.metrics.classifier import ClassifierConfig
from ecgsynth.models.clusters import find_modes
from ecgsynth.models.scaling import PrincipalScaler
from ecgsynth.models.wgan import WGANConfig
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.training.run_folder import RunFolder
from ecgsynth.windows.beats import AAMI_MEANINGS
from ecgsynth.windows.info import Source
from ecgsynth.windows.windows import Windows

pytestmark = pytest.mark.trains

SIZES = {
    "components": 8,
    "hidden": 8,
    "latent_steps": 4,
    "step_noise": 4,
    "mode_dim": 4,
    "read_out": 8,
    "critic_hidden": 16,
}
TRAINING = TrainConfig(steps=6, batch=12, validations=3)
MODES = (6, 3, 3)  # of the classes: one for every 30 training windows
PATIENTS = [f"patient-xyzzy-{number}" for number in range(12)]
TIME, CHANNELS = 32, 2


def some_windows(counts: tuple[int, ...] = (300, 150, 150), seed: int = 0) -> Windows:
    """Three classes of noisy bumps of two widths, in three parts of which the first has three fifths of each class.

    By twelve patients; a class has RR intervals about a mean of its own, and some windows have no neighbour.
    """
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    bump = np.exp(-(((np.arange(TIME) - 10) / 3) ** 2))[None, :, None]
    height = (1.0 + labels)[:, None, None] * np.array([1.0, -0.5])
    rr_s = (0.5 + 0.1 * labels[:, None]) * np.exp(0.1 * rng.normal(size=(len(labels), 2)))
    rr_s[rng.random(size=rr_s.shape) < 0.02] = np.nan
    values = bump ** rng.integers(1, 3, size=(len(labels), 1, 1)) * height + 0.1 * rng.normal(
        size=(len(labels), TIME, CHANNELS)
    )
    return Windows(
        values=values.astype(np.float32),
        fs_hz=360.0,
        units="mV",
        channel_names=("MLII", "V5"),
        classes=("N", "V", "F"),
        labels=labels.astype(np.int64),
        groups=np.asarray(PATIENTS)[rng.integers(len(PATIENTS), size=len(labels))],
        parts=np.asarray([0, 0, 0, 1, 2], dtype=np.int8)[np.arange(len(labels)) % 5],
        rr_s=rr_s.astype(np.float32),
        event_index=10,
        meta={
            "kind": "beats",
            "split": "beat",
            "split_seed": 0,
            "source": {"name": "made up"},
            "left_out": {PATIENTS[0]: "paced"},
            "stand_ins": {PATIENTS[1]: {"MLII": "V5"}},
        },
    )


def fit(windows: Windows, run: Path, **options: Any) -> Synthesizer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecgsynth.training.selection.DRAWN", 100)
        patch.setattr("ecgsynth.training.selection.JUDGE", ClassifierConfig(width=8, steps=5, batch=32))
        return Synthesizer.fit(windows, TRAINING, run, **{"sizes": SIZES, "device": "cpu", **options})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder; no test may change it."""
    folder = tmp_path_factory.mktemp("synthesizer") / "run"
    fit(some_windows(), folder)
    return folder


@pytest.fixture(scope="module")
def run_without(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of windows that have no RR intervals; no test may change it."""
    folder = tmp_path_factory.mktemp("without") / "run"
    fit(dataclasses.replace(some_windows(), rr_s=None), folder)
    return folder


@pytest.fixture(scope="module")
def exported(run: Path) -> Path:
    """Its generator as a file."""
    path = run.parent / "tiny.onnx"
    Synthesizer.load(run).export(path)
    return path


@pytest.fixture
def own_run(run: Path, tmp_path: Path) -> Path:
    """A copy of the run folder, to be broken."""
    for path in run.rglob("*"):
        if path.is_file():
            (tmp_path / "run" / path.relative_to(run)).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "run" / path.relative_to(run)).write_bytes(path.read_bytes())
    return tmp_path / "run"


# ---- sampling


def test_same_seed_same_bytes_and_other_seed_others(run: Path) -> None:
    made = Synthesizer.load(run)
    one, again, other = made.sample(20, seed=7), made.sample(20, seed=7), made.sample(20, seed=8)
    assert one.values.tobytes() == again.values.tobytes()
    assert one.labels.tobytes() == again.labels.tobytes()
    assert one.rr_s is not None
    assert again.rr_s is not None
    assert one.rr_s.tobytes() == again.rr_s.tobytes()
    assert not np.isclose(one.values, other.values).all(axis=(1, 2)).any()


def test_a_sample_says_what_it_is(run: Path) -> None:
    made = Synthesizer.load(run).sample(5, "V", seed=3)
    real = some_windows()
    assert made.values.shape == (5, TIME, CHANNELS)
    assert made.values.dtype == np.float32
    assert [made.classes[code] for code in made.labels] == ["V"] * 5
    for name in ("fs_hz", "units", "channel_names", "classes", "event_index"):
        assert getattr(made, name) == getattr(real, name)
    assert made.rr_s is not None
    assert made.rr_s.shape == (5, 2)
    assert made.rr_s.dtype == np.float32
    assert (made.groups, made.parts) == (None, None)
    assert made.meta == {"kind": "beats", "synthetic": True, "seed": 3}


def test_rows_of_a_label_have_the_noise_of_their_number(run: Path) -> None:
    made = Synthesizer.load(run)
    mixed = made.sample(40, seed=5)
    for code, name in enumerate(made.classes):
        rows = mixed.labels == code
        assert rows.any()
        own = made.sample(40, name, seed=5)
        assert mixed.values[rows] == pytest.approx(own.values[rows], abs=1e-5)
        assert mixed.rr_s is not None
        assert own.rr_s is not None
        assert mixed.rr_s[rows] == pytest.approx(own.rr_s[rows], abs=1e-5)


def test_intervals_are_made_of_each_class_where_the_windows_have_them(run: Path) -> None:
    # After six steps the networks know nothing, but the modes do: their centres lie where the intervals are.
    made, real = Synthesizer.load(run).sample(3000, seed=4), some_windows()
    assert made.rr_s is not None
    assert real.rr_s is not None
    assert np.isfinite(made.rr_s).all()  # a missing interval is not learnt
    assert ((made.rr_s > 0.2 - 1e-6) & (made.rr_s < 3 + 1e-6)).all()
    for code in range(3):
        wanted = np.nanmedian(real.rr_s[real.labels == code], axis=0)
        assert np.median(made.rr_s[made.labels == code], axis=0) == pytest.approx(wanted, rel=0.1)


def test_no_intervals_are_made_where_the_windows_have_none(run_without: Path, tmp_path: Path) -> None:
    made = Synthesizer.load(run_without)
    assert (made.config.intervals, made.config.features) == (0, SIZES["components"])
    assert made.sample(5, seed=1).rr_s is None
    made.export(tmp_path / "without.onnx")
    drawn = ecgsynth.load(tmp_path / "without.onnx").sample(300, seed=1)
    assert drawn.rr_s is None
    assert drawn.values == pytest.approx(made.sample(300, seed=1).values, abs=1e-4)


def test_labels_come_in_the_training_shares(run: Path) -> None:
    counts = np.bincount(Synthesizer.load(run).sample(8000, seed=1).labels) / 8000
    assert counts == pytest.approx([0.5, 0.25, 0.25], abs=0.02)  # 4 standard deviations


@pytest.mark.parametrize("n", [0, -1])
def test_nothing_cannot_be_drawn(run: Path, n: int) -> None:
    with pytest.raises(ConfigError, match=f"at least 1, got {n}"):
        Synthesizer.load(run).sample(n)


def test_an_unknown_class_is_named_with_those_there_are(run: Path) -> None:
    with pytest.raises(ConfigError, match="'S'.*N, V, F"):
        Synthesizer.load(run).sample(3, "S")


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_outside_the_contract_is_refused(run: Path, seed: int) -> None:
    with pytest.raises(ConfigError, match="seed"):
        Synthesizer.load(run).sample(3, seed=seed)


# ---- round trips


def test_fit_gives_what_load_reads(run: Path, tmp_path: Path) -> None:
    made = fit(some_windows(), tmp_path / "run")
    again = Synthesizer.load(run)  # trained on the same windows with the same seed
    assert made.sample(9, seed=2).values.tobytes() == again.sample(9, seed=2).values.tobytes()
    wanted = WGANConfig(time=TIME, channels=CHANNELS, intervals=2, modes=MODES, **SIZES)
    assert made.config == again.config == wanted
    for name in ("weights.safetensors", "scaler.json"):
        assert (tmp_path / "run" / name).read_bytes() == (run / name).read_bytes()
    contents = [json.loads((folder / "config.json").read_text()) for folder in (tmp_path / "run", run)]
    digests = [content["data"]["private"].pop("digest") for content in contents]
    assert contents[0] == contents[1]
    assert digests[0]["key"] != digests[1]["key"]  # each folder's own


def test_a_replaced_folder_keeps_nothing_of_the_run_it_held(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    assert (copy / "checkpoint" / "state.safetensors").exists()
    Synthesizer.load(run).save(copy, force=True)
    assert sorted(path.name for path in copy.rglob("*") if path.is_file()) == [
        "README.md",
        "config.json",
        "metrics.json",
        "scaler.json",
        "weights.safetensors",
    ]
    assert Synthesizer.load(copy).sample(3, seed=1).values.tobytes() == (
        Synthesizer.load(run).sample(3, seed=1).values.tobytes()
    )


def test_save_and_load_are_inverse(run: Path, tmp_path: Path) -> None:
    made = Synthesizer.load(run)
    made.save(tmp_path / "copy")
    again = Synthesizer.load(tmp_path / "copy")
    assert made.sample(9, seed=2).values.tobytes() == again.sample(9, seed=2).values.tobytes()
    assert made.about == again.about
    assert made.config == again.config
    with pytest.raises(ArtifactError, match="exists already"):
        made.save(tmp_path / "copy")
    made.save(tmp_path / "copy", force=True)


def test_a_run_folder_keeps_the_modes_of_the_training_part(run: Path) -> None:
    learn, folder = some_windows().part("train"), RunFolder(run)
    scaler = PrincipalScaler.fit(learn.values, learn.rr_s, components=SIZES["components"])
    modes = find_modes(scaler.transform(learn.values, learn.rr_s), learn.labels, 3, TRAINING.seed)
    assert modes.counts == MODES  # so that there is something to keep
    weights, _ = folder.read_tensors(folder.weights)
    assert np.array_equal(weights["generator.centres"].numpy(), modes.centres)
    assert np.array_equal(weights["generator.spreads"].numpy(), modes.spreads)
    assert weights["generator.first"].tolist() == [0, 6, 9]
    for row, shares in zip(weights["generator.cumulative"].numpy(), modes.shares, strict=True):
        assert row[: len(shares)] == pytest.approx(np.cumsum(shares), abs=1e-6)
        assert (row[len(shares) :] == 1).all()


def test_what_is_trained_is_kept_in_steps_of_half_precision(run: Path) -> None:
    # So the exported file can hold it in half the bytes (test_halving). What was measured of the data is kept as it is.
    weights, _ = RunFolder(run).read_tensors(RunFolder(run).weights)
    exact = {
        name.removeprefix("generator.")
        for name, tensor in weights.items()
        if tensor.is_floating_point() and bool((tensor.half().float() == tensor).all())
    }
    trained = {name for name, _ in Synthesizer.load(run).sampler.generator.named_parameters()}
    assert trained <= exact
    assert not {"centres", "spreads"} & exact


@pytest.mark.parametrize("name", ["centres", "spreads", "cumulative"])
def test_sampling_hangs_on_the_modes_in_the_folder(run: Path, own_run: Path, name: str) -> None:
    folder = RunFolder(own_run)
    tensors, counters = folder.read_tensors(folder.weights)
    kept = tensors.pop(f"generator.{name}")
    folder.write_tensors(folder.weights, tensors, counters)
    with pytest.raises(ArtifactError, match="does not fit"):
        Synthesizer.load(own_run)
    whole = Synthesizer.load(run).sample(60, "N", seed=2).values
    for value, same in ((kept / 2, False), (kept, True)):
        folder.write_tensors(folder.weights, tensors | {f"generator.{name}": value}, counters)
        got = Synthesizer.load(own_run).sample(60, "N", seed=2).values
        assert (got.tobytes() == whole.tobytes()) == same


def test_the_exported_file_draws_the_same_windows(run: Path, exported: Path) -> None:
    made, sampler = Synthesizer.load(run), ecgsynth.load(exported)
    for label in (None, "F"):
        one, other = made.sample(300, label, seed=11), sampler.sample(300, label, seed=11)
        assert np.array_equal(one.labels, other.labels)
        assert np.abs(one.values - other.values).max() < 1e-4 * np.abs(one.values).max()
        assert one.rr_s is not None
        assert other.rr_s == pytest.approx(one.rr_s, rel=1e-4)
        for name in ("fs_hz", "units", "channel_names", "classes", "event_index"):
            assert getattr(one, name) == getattr(other, name)


def test_the_manifest_says_what_was_learnt_from(exported: Path) -> None:
    said, windows = ecgsynth.load(exported).manifest, some_windows()
    learn = windows.part("train")
    assert [(entry.name, entry.meaning, entry.share) for entry in said.classes] == [
        ("N", AAMI_MEANINGS["N"], 0.5),
        ("V", AAMI_MEANINGS["V"], 0.25),
        ("F", AAMI_MEANINGS["F"], 0.25),
    ]
    assert (said.kind, said.time, said.fs_hz, said.units, said.event_index) == ("beats", TIME, 360.0, "mV", 10)
    assert said.channel_names == ("MLII", "V5")
    assert (said.noise_dim, said.synthetic) == (27, True)  # 16 + 10 normals, and the pick
    assert said.data.training_windows == len(learn) == 360
    assert said.data.training_patients == len(np.unique(learn.groups)) == 12
    assert said.data.source == Source(name="made up")
    assert said.training["config"] == {name: value for name, value in TRAINING.to_json().items() if name != "seed"}
    assert said.training["versions"]["ecgsynth"] == ecgsynth.__version__
    assert said.metrics["steps"] == 6
    assert said.training["sizes"]["modes"] == list(MODES)


def test_the_manifest_tells_what_was_measured(
    run: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Synthesizer.load(run)
    content = exported.read_bytes()  # tracing takes seconds
    monkeypatch.setattr(
        "ecgsynth.export.windows_to_onnx.write_graph", lambda sampler, config, path: path.write_bytes(content)
    )
    reached = dict(made.about["metrics"])
    measured = {"split": "beat", "utility": {"TSTR": 0.9}, "seed": 3, "same_training_part": True}
    made.tell_measured(measured)
    made.export(tmp_path / "a.onnx")
    told = {"split": "beat", "utility": {"TSTR": 0.9}}
    assert ecgsynth.load(tmp_path / "a.onnx").manifest.metrics == {**reached, **told}


@pytest.mark.parametrize("same", [{"same_training_part": False}, {"same_training_part": None}, {}])
def test_what_was_measured_against_other_windows_is_not_told(run: Path, same: dict[str, bool | None]) -> None:
    made = Synthesizer.load(run)
    before = json.dumps(made.about)
    with pytest.raises(ConfigError, match="does not say that the generator learnt from the windows"):
        made.tell_measured({"utility": {}, **same})
    assert json.dumps(made.about) == before


def test_a_run_that_was_killed_can_be_sampled_and_says_so(tmp_path: Path) -> None:
    def kill(progress: Any) -> None:
        if progress.score is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(some_windows(), tmp_path / "run", on_progress=kill)
    made = Synthesizer.load(tmp_path / "run")
    assert made.about["metrics"]["unfinished"] is True
    assert made.sample(3).values.shape == (3, TIME, CHANNELS)


def test_force_starts_anew(run: Path, own_run: Path) -> None:
    with pytest.raises(ArtifactError, match="exists already"):
        fit(some_windows(seed=1), own_run)
    fit(some_windows(seed=1), own_run, force=True)
    assert (own_run / "weights.safetensors").read_bytes() != (run / "weights.safetensors").read_bytes()
    assert (own_run / "history.jsonl").read_text(encoding="utf-8").count("score") == 3


# ---- data that cannot be learnt


def test_a_class_with_too_few_windows_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"class V has 9 training windows and at least 10 are needed; .* N,F$"):
        fit(some_windows((90, 15, 45)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_ten_windows_of_a_class_are_enough(tmp_path: Path) -> None:
    assert fit(some_windows((91, 17, 45)), tmp_path / "run").classes == ("N", "V", "F")


def test_an_experiment_can_do_with_fewer(tmp_path: Path) -> None:
    windows = some_windows((90, 15, 45))
    with pytest.raises(DataError, match="class V has 9 training windows and at least 10"):
        fit(windows, tmp_path / "run", min_class=10)
    assert fit(windows, tmp_path / "run", min_class=9).config.modes == (1, 1, 1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda windows: windows.take(windows.parts != 1), "validation part is empty"),
        (lambda windows: windows.take(windows.parts != 0), "class N has 0 training windows"),
    ],
    ids=["no validation", "no training"],
)
def test_an_empty_part_is_named(tmp_path: Path, change: Callable[[Windows], Windows], says: str) -> None:
    with pytest.raises(DataError, match=says):
        fit(change(some_windows()), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_sizes_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="have no 65 components"):
        fit(some_windows(), tmp_path / "run", sizes={**SIZES, "components": 65})
    with pytest.raises(ConfigError, match="no device"):
        fit(some_windows(), tmp_path / "run", device="abacus")
    assert not (tmp_path / "run").exists()


# ---- run folders that cannot be read


def change_config(run: Path, **changes: Any) -> None:
    content = json.loads((run / "config.json").read_text(encoding="utf-8"))
    (run / "config.json").write_text(json.dumps(content | changes), encoding="utf-8")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda run: change_config(run, training={"model": "diffusion"}), "'diffusion'; expected one of rwgan, "),
        (lambda run: change_config(run, format=2), "format 2 and this version reads up to 1; upgrade"),
        (lambda run: change_config(run, format="x"), "not a run folder"),
        (lambda run: change_config(run, config=None), "config.json"),
        (lambda run: (run / "config.json").write_text("[]", encoding="utf-8"), "not a run folder"),
        (lambda run: cut(run / "config.json"), "not readable JSON"),
        (lambda run: (run / "config.json").unlink(), "expected a run folder"),
        (lambda run: (run / "weights.safetensors").unlink(), "expected .*weights.safetensors"),
        (lambda run: cut(run / "weights.safetensors"), "weights.safetensors is damaged"),
        (lambda run: (run / "weights.safetensors").write_bytes(b""), "weights.safetensors is damaged"),
        (lambda run: (run / "scaler.json").unlink(), "expected a file .*scaler.json"),
        (lambda run: cut(run / "scaler.json"), "scaler.json is not readable JSON"),
        (lambda run: (run / "scaler.json").write_text("{}", encoding="utf-8"), "not a scaler"),
    ],
)
def test_a_damaged_run_folder_is_one_clear_sentence(own_run: Path, damage: Callable[[Path], Any], says: str) -> None:
    damage(own_run)
    with pytest.raises(ArtifactError, match=says) as caught:
        Synthesizer.load(own_run)
    assert "\n" not in str(caught.value)
    assert str(own_run) in str(caught.value)


@pytest.mark.parametrize("missing", ["config", "data"])
def test_a_config_that_lacks_a_part_is_one_clear_sentence(own_run: Path, missing: str) -> None:
    content = json.loads((own_run / "config.json").read_text(encoding="utf-8"))
    del content[missing]
    (own_run / "config.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ArtifactError, match=f"config.json.*{missing}"):
        Synthesizer.load(own_run)


def test_settings_that_this_version_does_not_know_are_refused(own_run: Path) -> None:
    content = json.loads((own_run / "config.json").read_text(encoding="utf-8"))
    change_config(own_run, config=content["config"] | {"attention": 4})
    with pytest.raises(ConfigError, match="no setting attention"):
        Synthesizer.load(own_run)


def test_settings_that_are_not_there_are_named(own_run: Path) -> None:
    change_config(own_run, config={})
    with pytest.raises(ConfigError, match="needs the setting time"):
        Synthesizer.load(own_run)


@pytest.mark.parametrize(
    "change", [{"hidden": 9}, {"modes": [6, 3, 4]}, {"intervals": 0}], ids=["hidden", "modes", "intervals"]
)
def test_weights_of_other_sizes_are_refused(own_run: Path, change: dict[str, Any]) -> None:
    content = json.loads((own_run / "config.json").read_text(encoding="utf-8"))
    change_config(own_run, config=content["config"] | change)
    with pytest.raises(ArtifactError, match="does not fit"):
        Synthesizer.load(own_run)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="expected a run folder"):
        Synthesizer.load(tmp_path / "nothing")


# ---- what a folder and a file give away


def test_nothing_in_a_run_folder_is_a_pickle(run: Path) -> None:
    found = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert found == {
        "README.md",
        "config.json",
        "scaler.json",
        "metrics.json",
        "history.jsonl",
        "weights.safetensors",
        "checkpoint/state.safetensors",
    }
    for name in found:
        path = run / name
        assert not zipfile.is_zipfile(path)  # as torch.save writes it
        if path.suffix == ".safetensors":
            content = path.read_bytes()
            json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        elif path.suffix != ".md":
            text = path.read_text(encoding="utf-8")
            for content in text.splitlines() if path.suffix == ".jsonl" else [text]:
                json.loads(content)


def test_no_patient_is_named(run: Path, exported: Path) -> None:
    for path in (exported, *(path for path in run.rglob("*") if path.is_file())):
        content = path.read_bytes()
        for name in ("xyzzy", *PATIENTS):
            assert name.encode() not in content, f"{path.name} names {name}"


def test_no_place_on_the_machine_that_trained_is_named(run: Path, exported: Path) -> None:
    # A path often has the name of a person or a hospital in it, and no user of the file needs one.
    places = {str(run), str(Path.home()), str(Path(ecgsynth.__file__).parent), "site-packages", "stack_trace"}
    for path in (exported, *(path for path in run.rglob("*") if path.is_file())):
        content = path.read_bytes()
        found = [place for place in places if len(place) > 1 and place.encode() in content]
        assert not found, f"{path.name} names {found}"


def test_two_leads_are_made_together(run: Path) -> None:
    # The second lead is -0.5 times the first, but for noise of 0.1; made apart, they would be uncorrelated in a class.
    made = Synthesizer.load(run).sample(600, seed=1)
    for label in range(3):
        peak = made.values[made.labels == label][:, 10]
        assert peak[:, 1].mean() == pytest.approx(-0.5 * peak[:, 0].mean(), abs=0.1)
    first, second = made.values[:, 10].T
    assert np.corrcoef(first, second)[0, 1] < -0.9
