"""The manifest of a file of windows: there and back, and the files that are refused for theirs."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import onnx
import pytest

import ecgsynth
from ecgsynth.core.levels import Level
from ecgsynth.errors import ArtifactError
from ecgsynth.export.manifest import CONTRACT, KEY, Manifest
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.windows.info import FEW, ClassInfo, DataInfo, Source

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TINY = GOLDEN / "tiny.onnx"


def with_metadata(path: Path, **metadata: str) -> Path:
    """The golden model with other metadata."""
    model = onnx.load(TINY)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata)
    path.write_bytes(model.SerializeToString())
    return path


def manifest_content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(OnnxSampler(TINY).manifest.to_text())
    return content


def test_manifest_round_trip() -> None:
    said = Manifest(
        noise_dim=12,
        data=DataInfo(
            kind="beats",
            time=32,
            fs_hz=250.0,
            units="mV",
            channel_names=("I", "II"),
            event_index=None,
            classes=(ClassInfo(name="N", meaning="µ, normal", share=0.25), ClassInfo(name="V", meaning="", share=0.75)),
            source=Source(name="ü"),
            training_patients=FEW,
        ),
        training={"config": {"seed": 2**53}},
        metrics={"score": 0.1 + 0.2},
    )
    again = Manifest.from_text(said.to_text(), "here")
    assert again == said
    assert json.loads(said.to_text())["contract"] == CONTRACT


def test_a_manifest_cannot_hold_nan() -> None:
    said = OnnxSampler(TINY).manifest
    said.metrics["score"] = math.nan
    with pytest.raises(ValueError, match="JSON"):
        said.to_text()


def test_more_than_this_version_asks_for_is_tolerated(tmp_path: Path) -> None:
    content = manifest_content()
    content |= {"colour": "blue"}
    content["classes"][0] |= {"icd": "I49"}
    path = with_metadata(tmp_path / "a.onnx", **{KEY: json.dumps(content), "other": "x"})
    assert OnnxSampler(path).manifest == OnnxSampler(TINY).manifest


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"contract": 2}, "follows contract 2 and this version knows up to 1; upgrade"),
        ({"contract": "next"}, "manifest that cannot be read"),
        ({"classes": [{"name": "N"}]}, "incomplete manifest"),
        ({"classes": 3}, "incomplete manifest"),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = with_metadata(tmp_path / "a.onnx", **{KEY: json.dumps(manifest_content() | change)})
    check_refused(path, says)


@pytest.mark.parametrize("missing", [field for field in manifest_content() if field not in {"contract", "release"}])
def test_a_manifest_that_lacks_something_is_refused(tmp_path: Path, missing: str) -> None:
    content = manifest_content()
    del content[missing]
    check_refused(with_metadata(tmp_path / "a.onnx", **{KEY: json.dumps(content)}), f"incomplete manifest.*{missing}")


def test_a_file_of_before_there_were_people_and_levels_makes_no_people_and_has_earned_nothing(tmp_path: Path) -> None:
    said = dataclasses.replace(
        OnnxSampler(TINY).manifest, person_dim=3, release=Level("controlled", ("not public: x",))
    )
    assert Manifest.from_text(said.to_text(), "here") == said
    older = json.loads(said.to_text())
    del older["person_dim"], older["release"]
    read = OnnxSampler(with_metadata(tmp_path / "a.onnx", **{KEY: json.dumps(older)})).manifest
    assert read.person_dim == 0
    assert read.release == Level("internal", ("what it gives away was not measured",))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "{}"])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    check_refused(with_metadata(tmp_path / "a.onnx", **{KEY: text}), "manifest")


def test_a_file_without_a_manifest_is_refused(tmp_path: Path) -> None:
    check_refused(with_metadata(tmp_path / "a.onnx"), "has no ecgsynth manifest; expected a file made by")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (TINY.read_bytes()[:5000], "damaged or not an ONNX file"),
        (TINY.read_bytes()[:-100], "damaged or not an ONNX file|has no ecgsynth manifest"),
        (b"PK\x03\x04 not at all", "damaged or not an ONNX file"),
        (b"", "damaged or not an ONNX file|has no ecgsynth manifest"),
    ],
    ids=["half", "tail", "other", "empty"],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    check_refused(path, says)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    check_refused(tmp_path / "a.onnx", "expected an .onnx file at .*, but there is none")
    check_refused(tmp_path, "expected an .onnx file at .*, but there is none")


def check_refused(path: Path, says: str) -> None:
    with pytest.raises(ArtifactError, match=says) as caught:
        ecgsynth.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
