"""The generator of the golden file, in torch and as a file that is exported now."""

import importlib.util
from pathlib import Path

import pytest

from ecgsynth.synthesizer import Synthesizer

MAKER = Path(__file__).resolve().parents[1] / "golden" / "make_tiny.py"


@pytest.fixture(scope="module")
def tiny() -> Synthesizer:
    """The generator of the golden file, in torch."""
    spec = importlib.util.spec_from_file_location(MAKER.stem, MAKER)
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
