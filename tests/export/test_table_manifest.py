"""What a file of a table says of itself: its keys are those of contract 1, and later files may have more."""

import json
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from ecgsynth.errors import ArtifactError
from ecgsynth.export.manifest import KEY, TableColumn, read_manifest
from ecgsynth.export.table_sampler import TableSampler

TINY = Path(__file__).resolve().parents[1] / "golden" / "tiny_table.onnx"


@pytest.fixture(scope="module")
def tiny() -> TableSampler:
    return TableSampler(TINY)


# It is of a version before there were levels, so it has earned none.
RELEASE = {"name": "internal", "reasons": ["what it gives away was not measured"]}


def test_the_golden_file_has_the_keys_that_are_written_today_but_for_the_level(tiny: TableSampler) -> None:
    session = onnxruntime.InferenceSession(str(TINY), providers=["CPUExecutionProvider"])
    text = session.get_modelmeta().custom_metadata_map[KEY]
    assert "release" not in json.loads(text)
    assert json.loads(tiny.manifest.to_text()) == json.loads(text) | {"release": RELEASE}


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        ({"output": "column_0", "minimum": 0.0, "maximum": 0.0}, {"missing": False, "decimals": None}),
        ({"output": "column_0", "categories": (False,)}, {"missing": False, "asked": None}),
        ({"unit": "D"}, {"format": None}),
        ({"format": "P-[0-9]"}, {}),
        ({"categories": ("a", "b"), "order": (1, 0), "pandas": "ordered category"}, {"asked": None}),
    ],
)
def test_a_column_has_the_keys_that_belong_to_what_it_has(facts: dict[str, Any], wanted: dict[str, Any]) -> None:
    column = TableColumn(name="x", kind="continuous", dtype="float64", **facts)
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}
    assert column.to_json() == {"name": "x", "kind": "continuous", "dtype": "float64", **given, **wanted}


def test_a_manifest_comes_back(tiny: TableSampler) -> None:
    text = tiny.manifest.to_text()
    assert read_manifest(text, "x") == tiny.manifest
    content = json.loads(text)
    assert (content["kind"], content["synthetic"], content["contract"]) == ("table", True, 1)
    with pytest.raises(ArtifactError, match="contract 2 .* upgrade"):
        read_manifest(json.dumps(content | {"contract": 2}), "x")
    for gone in ("columns", "noise_dim", "data"):
        with pytest.raises(ArtifactError, match="incomplete manifest"):
            read_manifest(json.dumps({key: value for key, value in content.items() if key != gone}), "x")
    with pytest.raises(ArtifactError, match="incomplete manifest"):
        read_manifest(json.dumps(content | {"columns": [{"kind": "integer"}]}), "x")


def test_a_later_file_may_say_more(tiny: TableSampler) -> None:
    content = json.loads(tiny.manifest.to_text())
    for column in content["columns"]:
        column["hue"] = "green"
    assert read_manifest(json.dumps(content | {"more": 1}), "x") == tiny.manifest
