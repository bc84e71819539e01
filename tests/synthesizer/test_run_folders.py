"""Run folders that cannot be read, and what a folder and a file give away."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ecgsynth
from ecgsynth.errors import ArtifactError, ConfigError
from ecgsynth.synthesizer import Synthesizer

pytestmark = pytest.mark.trains


# ---- run folders that cannot be read


def change_config(beats_run: Path, **changes: Any) -> None:
    content = json.loads((beats_run / "config.json").read_text(encoding="utf-8"))
    (beats_run / "config.json").write_text(json.dumps(content | changes), encoding="utf-8")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (
            lambda run: change_config(run, training={"model": "diffusion"}),
            "'diffusion'; expected one of people, rwgan, ",
        ),
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


def test_nothing_in_a_run_folder_is_a_pickle(beats_run: Path) -> None:
    found = {str(path.relative_to(beats_run)) for path in beats_run.rglob("*") if path.is_file()}
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
        path = beats_run / name
        assert not zipfile.is_zipfile(path)  # as torch.save writes it
        if path.suffix == ".safetensors":
            content = path.read_bytes()
            json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        elif path.suffix != ".md":
            text = path.read_text(encoding="utf-8")
            for content in text.splitlines() if path.suffix == ".jsonl" else [text]:
                json.loads(content)


def test_no_patient_is_named(beats_run: Path, beats_file: Path, small: Any) -> None:
    for path in (beats_file, *(path for path in beats_run.rglob("*") if path.is_file())):
        content = path.read_bytes()
        for name in ("xyzzy", *small.patients):
            assert name.encode() not in content, f"{path.name} names {name}"


def test_no_place_on_the_machine_that_trained_is_named(beats_run: Path, beats_file: Path) -> None:
    # A path often has the name of a person or a hospital in it, and no user of the file needs one.
    places = {str(beats_run), str(Path.home()), str(Path(ecgsynth.__file__).parent), "site-packages", "stack_trace"}
    for path in (beats_file, *(path for path in beats_run.rglob("*") if path.is_file())):
        content = path.read_bytes()
        found = [place for place in places if len(place) > 1 and place.encode() in content]
        assert not found, f"{path.name} names {found}"
