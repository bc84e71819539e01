"""Fit, sample, save, load, export: a generator of heartbeats as its users hold it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ecgsynth
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.models.clusters import find_clusters
from ecgsynth.models.scaling import PrincipalScaler
from ecgsynth.models.wgan import WGANConfig
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.training.run_folder import RunFolder
from ecgsynth.windows.beats import AAMI_MEANINGS
from ecgsynth.windows.info import Source

pytestmark = pytest.mark.trains


# ---- sampling


def test_same_seed_same_bytes_and_other_seed_others(beats_run: Path) -> None:
    made = Synthesizer.load(beats_run)
    one, again, other = made.sample(20, seed=7), made.sample(20, seed=7), made.sample(20, seed=8)
    assert one.values.tobytes() == again.values.tobytes()
    assert one.labels.tobytes() == again.labels.tobytes()
    assert one.rr_s is not None
    assert again.rr_s is not None
    assert one.rr_s.tobytes() == again.rr_s.tobytes()
    assert not np.isclose(one.values, other.values).all(axis=(1, 2)).any()


def test_a_sample_says_what_it_is(beats_run: Path, small: Any) -> None:
    made = Synthesizer.load(beats_run).sample(5, "V", seed=3)
    real = small.windows()
    assert made.values.shape == (5, small.time, small.channels)
    assert made.values.dtype == np.float32
    assert [made.classes[code] for code in made.labels] == ["V"] * 5
    for name in ("fs_hz", "units", "channel_names", "classes", "event_index"):
        assert getattr(made, name) == getattr(real, name)
    assert made.rr_s is not None
    assert made.rr_s.shape == (5, 2)
    assert made.rr_s.dtype == np.float32
    assert (made.groups, made.parts) == (None, None)
    assert made.meta == {"kind": "beats", "synthetic": True, "seed": 3}


def test_rows_of_a_label_have_the_noise_of_their_number(beats_run: Path) -> None:
    made = Synthesizer.load(beats_run)
    mixed = made.sample(40, seed=5)
    for code, name in enumerate(made.classes):
        rows = mixed.labels == code
        assert rows.any()
        own = made.sample(40, name, seed=5)
        assert mixed.values[rows] == pytest.approx(own.values[rows], abs=1e-5)
        assert mixed.rr_s is not None
        assert own.rr_s is not None
        assert mixed.rr_s[rows] == pytest.approx(own.rr_s[rows], abs=1e-5)


def test_intervals_are_made_of_each_class_where_the_windows_have_them(beats_run: Path, small: Any) -> None:
    # After six steps the networks know nothing, but the clusters do: their centres lie where the intervals are.
    made, real = Synthesizer.load(beats_run).sample(3000, seed=4), small.windows()
    assert made.rr_s is not None
    assert real.rr_s is not None
    assert np.isfinite(made.rr_s).all()  # a missing interval is not learnt
    assert ((made.rr_s > 0.2 - 1e-6) & (made.rr_s < 3 + 1e-6)).all()
    for code in range(3):
        wanted = np.nanmedian(real.rr_s[real.labels == code], axis=0)
        assert np.median(made.rr_s[made.labels == code], axis=0) == pytest.approx(wanted, rel=0.1)


def test_no_intervals_are_made_where_the_windows_have_none(run_without: Path, tmp_path: Path, small: Any) -> None:
    made = Synthesizer.load(run_without)
    assert (made.config.intervals, made.config.features) == (0, small.config["components"])
    assert made.sample(5, seed=1).rr_s is None
    made.export(tmp_path / "without.onnx")
    drawn = ecgsynth.load(tmp_path / "without.onnx").sample(300, seed=1)
    assert drawn.rr_s is None
    assert drawn.values == pytest.approx(made.sample(300, seed=1).values, abs=1e-4)


def test_labels_come_in_the_training_shares(beats_run: Path) -> None:
    counts = np.bincount(Synthesizer.load(beats_run).sample(8000, seed=1).labels) / 8000
    assert counts == pytest.approx([0.5, 0.25, 0.25], abs=0.02)  # 4 standard deviations


@pytest.mark.parametrize("n", [0, -1])
def test_nothing_cannot_be_drawn(beats_run: Path, n: int) -> None:
    with pytest.raises(ConfigError, match=f"at least 1, got {n}"):
        Synthesizer.load(beats_run).sample(n)


def test_an_unknown_class_is_named_with_those_there_are(beats_run: Path) -> None:
    with pytest.raises(ConfigError, match="'S'.*N, V, F"):
        Synthesizer.load(beats_run).sample(3, "S")


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_outside_the_contract_is_refused(beats_run: Path, seed: int) -> None:
    with pytest.raises(ConfigError, match="seed"):
        Synthesizer.load(beats_run).sample(3, seed=seed)


@pytest.mark.parametrize("ask", [{"where": {"class": "V"}}, {"where": "V"}, {"label": "V"}], ids=str)
def test_a_class_is_asked_for_in_three_ways(beats_run: Path, ask: dict[str, Any]) -> None:
    made = Synthesizer.load(beats_run)
    assert made.sample(4, seed=6, **ask).values.tobytes() == made.windows(4, "V", seed=6).values.tobytes()
    with pytest.raises(ConfigError, match="by the column 'class' alone, got 'ward'"):
        made.sample(4, {"ward": "V"})


# ---- without a run folder


def test_a_fit_without_a_run_folder_leaves_nothing_and_has_all(
    beats_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Any
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    made, kept = small.fit(small.windows(), None), Synthesizer.load(beats_run)
    assert not list((tmp_path / "temporary").iterdir())
    assert made.sample(9, seed=2).values.tobytes() == kept.sample(9, seed=2).values.tobytes()
    made.save(tmp_path / "run")
    again = Synthesizer.load(tmp_path / "run")
    assert again.sample(9, seed=2).values.tobytes() == kept.sample(9, seed=2).values.tobytes()
    assert again.about == made.about


def test_a_fit_without_a_run_folder_has_nothing_to_go_on_with(small: Any) -> None:
    with pytest.raises(ConfigError, match="goes on in its run folder; name it to resume"):
        small.fit(small.windows(), None, resume=True)


def test_who_says_nothing_of_the_training_gets_twenty_minutes(tmp_path: Path, small: Any) -> None:
    def stop(progress: Any) -> None:
        if progress.step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small.fit(small.windows(), tmp_path / "run", training=None, on_progress=stop)
    said = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))["training"]
    assert (said["config"]["budget_s"], said["config"]["steps"], said["model"]) == (1200.0, None, "rwgan")


# ---- round trips


def test_fit_gives_what_load_reads(beats_run: Path, tmp_path: Path, small: Any) -> None:
    made = small.fit(small.windows(), tmp_path / "run")
    again = Synthesizer.load(beats_run)  # trained on the same windows with the same seed
    assert made.sample(9, seed=2).values.tobytes() == again.sample(9, seed=2).values.tobytes()
    wanted = WGANConfig(time=small.time, channels=small.channels, intervals=2, clusters=small.clusters, **small.config)
    assert made.config == again.config == wanted
    for name in ("weights.safetensors", "scaler.json"):
        assert (tmp_path / "run" / name).read_bytes() == (beats_run / name).read_bytes()
    contents = [json.loads((folder / "config.json").read_text()) for folder in (tmp_path / "run", beats_run)]
    digests = [content["data"]["private"].pop("digest") for content in contents]
    assert contents[0] == contents[1]
    assert digests[0]["key"] != digests[1]["key"]  # each folder's own


def test_a_replaced_folder_keeps_nothing_of_the_run_it_held(beats_run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(beats_run, tmp_path / "copy")
    assert (copy / "checkpoint" / "state.safetensors").exists()
    Synthesizer.load(beats_run).save(copy, force=True)
    assert sorted(path.name for path in copy.rglob("*") if path.is_file()) == [
        "README.md",
        "config.json",
        "metrics.json",
        "scaler.json",
        "weights.safetensors",
    ]
    assert Synthesizer.load(copy).sample(3, seed=1).values.tobytes() == (
        Synthesizer.load(beats_run).sample(3, seed=1).values.tobytes()
    )


def test_save_and_load_are_inverse(beats_run: Path, tmp_path: Path) -> None:
    made = Synthesizer.load(beats_run)
    made.save(tmp_path / "copy")
    again = Synthesizer.load(tmp_path / "copy")
    assert made.sample(9, seed=2).values.tobytes() == again.sample(9, seed=2).values.tobytes()
    assert made.about == again.about
    assert made.config == again.config
    with pytest.raises(ArtifactError, match="exists already"):
        made.save(tmp_path / "copy")
    made.save(tmp_path / "copy", force=True)


def test_a_run_folder_keeps_the_clusters_of_the_training_part(beats_run: Path, small: Any) -> None:
    learn, folder = small.windows().part("train"), RunFolder(beats_run)
    scaler = PrincipalScaler.fit(learn.values, learn.rr_s, components=small.config["components"])
    clusters = find_clusters(scaler.transform(learn.values, learn.rr_s), learn.labels, 3, small.training.seed)
    assert clusters.counts == small.clusters  # so that there is something to keep
    weights, _ = folder.read_tensors(folder.weights)
    assert np.array_equal(weights["generator.centres"].numpy(), clusters.centres)
    assert np.array_equal(weights["generator.spreads"].numpy(), clusters.spreads)
    assert weights["generator.first"].tolist() == [0, 6, 9]
    for row, shares in zip(weights["generator.cumulative"].numpy(), clusters.shares, strict=True):
        assert row[: len(shares)] == pytest.approx(np.cumsum(shares), abs=1e-6)
        assert (row[len(shares) :] == 1).all()


def test_what_is_trained_is_kept_in_steps_of_half_precision(beats_run: Path) -> None:
    # So the exported file can hold it in half the bytes (test_halving). What was measured of the data is kept as it is.
    weights, _ = RunFolder(beats_run).read_tensors(RunFolder(beats_run).weights)
    exact = {
        name.removeprefix("generator.")
        for name, tensor in weights.items()
        if tensor.is_floating_point() and bool((tensor.half().float() == tensor).all())
    }
    trained = {name for name, _ in Synthesizer.load(beats_run).sampler.generator.named_parameters()}
    assert trained <= exact
    assert not {"centres", "spreads"} & exact


@pytest.mark.parametrize("name", ["centres", "spreads", "cumulative"])
def test_sampling_hangs_on_the_clusters_in_the_folder(beats_run: Path, own_run: Path, name: str) -> None:
    folder = RunFolder(own_run)
    tensors, counters = folder.read_tensors(folder.weights)
    kept = tensors.pop(f"generator.{name}")
    folder.write_tensors(folder.weights, tensors, counters)
    with pytest.raises(ArtifactError, match="does not fit"):
        Synthesizer.load(own_run)
    whole = Synthesizer.load(beats_run).sample(60, "N", seed=2).values
    for value, same in ((kept / 2, False), (kept, True)):
        folder.write_tensors(folder.weights, tensors | {f"generator.{name}": value}, counters)
        got = Synthesizer.load(own_run).sample(60, "N", seed=2).values
        assert (got.tobytes() == whole.tobytes()) == same


def test_the_exported_file_draws_the_same_windows(beats_run: Path, beats_file: Path) -> None:
    made, sampler = Synthesizer.load(beats_run), ecgsynth.load(beats_file)
    for label in (None, "F"):
        one, other = made.sample(300, label, seed=11), sampler.sample(300, label, seed=11)
        assert np.array_equal(one.labels, other.labels)
        assert np.abs(one.values - other.values).max() < 1e-4 * np.abs(one.values).max()
        assert one.rr_s is not None
        assert other.rr_s == pytest.approx(one.rr_s, rel=1e-4)
        for name in ("fs_hz", "units", "channel_names", "classes", "event_index"):
            assert getattr(one, name) == getattr(other, name)


def test_the_manifest_says_what_was_learnt_from(beats_file: Path, small: Any) -> None:
    said, windows = ecgsynth.load(beats_file).manifest, small.windows()
    learn = windows.part("train")
    assert [(entry.name, entry.meaning, entry.share) for entry in said.classes] == [
        ("N", AAMI_MEANINGS["N"], 0.5),
        ("V", AAMI_MEANINGS["V"], 0.25),
        ("F", AAMI_MEANINGS["F"], 0.25),
    ]
    assert (said.kind, said.time, said.fs_hz, said.units, said.event_index) == ("beats", small.time, 360.0, "mV", 10)
    assert said.channel_names == ("MLII", "V5")
    assert (said.noise_dim, said.synthetic) == (27, True)  # 16 + 10 normals, and the pick
    assert said.data.training_windows == len(learn) == 360
    assert said.data.training_patients == len(np.unique(learn.groups)) == 12
    assert said.data.source == Source(name="made up")
    assert said.training["config"] == {
        name: value for name, value in small.training.to_json().items() if name != "seed"
    }
    assert said.training["versions"]["ecgsynth"] == ecgsynth.__version__
    assert said.metrics["steps"] == 6
    assert said.training["sizes"]["modes"] == list(small.clusters)


def test_the_manifest_tells_what_was_measured(
    beats_run: Path, beats_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Synthesizer.load(beats_run)
    content = beats_file.read_bytes()  # tracing takes seconds
    monkeypatch.setattr(
        "ecgsynth.export.windows_to_onnx.write_graph", lambda sampler, config, path: path.write_bytes(content)
    )
    reached = dict(made.about.metrics)
    measured = {"split": "beat", "utility": {"TSTR": 0.9}, "seed": 3, "same_training_part": True}
    made.tell_measured(measured)
    made.export(tmp_path / "a.onnx")
    reported = {"split": "beat", "utility": {"TSTR": 0.9}}
    assert ecgsynth.load(tmp_path / "a.onnx").manifest.metrics == {**reached, **reported}


@pytest.mark.parametrize("same", [{"same_training_part": False}, {"same_training_part": None}, {}])
def test_what_was_measured_against_other_windows_is_not_told(beats_run: Path, same: dict[str, bool | None]) -> None:
    made = Synthesizer.load(beats_run)
    before = json.dumps(made.about.to_json())
    with pytest.raises(ConfigError, match="does not say that the generator learnt from the windows"):
        made.tell_measured({"utility": {}, **same})
    assert json.dumps(made.about.to_json()) == before


def test_a_run_that_was_killed_can_be_sampled_and_says_so(tmp_path: Path, small: Any) -> None:
    def kill(progress: Any) -> None:
        if progress.score is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small.fit(small.windows(), tmp_path / "run", on_progress=kill)
    made = Synthesizer.load(tmp_path / "run")
    assert made.about.metrics["unfinished"] is True
    assert made.sample(3).values.shape == (3, small.time, small.channels)


def test_force_starts_anew(beats_run: Path, own_run: Path, small: Any) -> None:
    with pytest.raises(ArtifactError, match="exists already"):
        small.fit(small.windows(seed=1), own_run)
    small.fit(small.windows(seed=1), own_run, force=True)
    assert (own_run / "weights.safetensors").read_bytes() != (beats_run / "weights.safetensors").read_bytes()
    assert (own_run / "history.jsonl").read_text(encoding="utf-8").count("score") == 3


def test_two_leads_are_made_together(beats_run: Path) -> None:
    # The second lead is -0.5 times the first, but for noise of 0.1; made apart, they would be uncorrelated in a class.
    made = Synthesizer.load(beats_run).sample(600, seed=1)
    for label in range(3):
        peak = made.values[made.labels == label][:, 10]
        assert peak[:, 1].mean() == pytest.approx(-0.5 * peak[:, 0].mean(), abs=0.1)
    first, second = made.values[:, 10].T
    assert np.corrcoef(first, second)[0, 1] < -0.9
