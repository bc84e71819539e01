"""The generator of the golden file: in torch, as a file that is exported now, and as one of a series."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from ecgsynth.export.manifest import KEY
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.synthesizer import Synthesizer

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SERIES: dict[str, Any] = {
    "options": {"length": 32, "id": "who", "label": "ward", "time": "when", "statics": ["V5"]},
    "columns": [{"name": "MLII", "dtype": "float64", "quantum": 0.01, "lowest": 0.0, "highest": 9.0}],
    "statics": [{"name": "V5", "dtype": "int64", "quantum": 1.0, "lowest": -99.0, "highest": 99.0}],
    "time": {"name": "when", "kind": "datetime", "step": 600.0},
}


@pytest.fixture(scope="module")
def tiny() -> Synthesizer:
    """The generator of the golden file, in torch."""
    spec = importlib.util.spec_from_file_location("make_tiny", GOLDEN / "make_tiny.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Synthesizer = module.tiny()
    return made


@pytest.fixture(scope="module")
def exported(tiny: Synthesizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same generator, exported now."""
    path = tmp_path_factory.mktemp("export") / "fresh.onnx"
    tiny.export(path)
    return path


@pytest.fixture
def series(tmp_path_factory: pytest.TempPathFactory) -> OnnxSampler:
    """The golden model as one of a table with a column, in hundredths, and a static."""
    model = onnx.load(GOLDEN / "tiny.onnx")
    (entry,) = (entry for entry in model.metadata_props if entry.key == KEY)
    content = json.loads(entry.value)
    content["data"]["series"] = SERIES
    entry.value = json.dumps(content | {"kind": "series", "units": "as given"})
    path = tmp_path_factory.mktemp("series") / "series.onnx"
    path.write_bytes(model.SerializeToString())
    return OnnxSampler(path)
