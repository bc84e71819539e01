"""Learn a generator from heartbeats, prove that what it makes is useful, ship it as one small ONNX file.

>>> import ecgsynth
>>> beats = ecgsynth.load("beats.onnx").sample(1000, label="V", seed=7)   # needs no torch
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecgsynth.config import TrainConfig as TrainConfig
    from ecgsynth.ecg import BeatOptions as BeatOptions
    from ecgsynth.ecg import read_beats as read_beats
    from ecgsynth.export.onnx_sampler import OnnxSampler
    from ecgsynth.splits import split as split
    from ecgsynth.synthesizer import Synthesizer as Synthesizer
    from ecgsynth.windows import Windows as Windows

__version__ = "0.1.0"
__all__ = ["BeatOptions", "Synthesizer", "TrainConfig", "Windows", "load", "read_beats", "split"]

HOME = {
    "BeatOptions": "ecgsynth.ecg",
    "Synthesizer": "ecgsynth.synthesizer",
    "TrainConfig": "ecgsynth.config",
    "Windows": "ecgsynth.windows",
    "read_beats": "ecgsynth.ecg",
    "split": "ecgsynth.splits",
}


def load(path: Path | str) -> "OnnxSampler":
    """The generator in an .onnx file, ready to sample; ArtifactError if it is not one of ours."""
    from ecgsynth.export.onnx_sampler import OnnxSampler

    return OnnxSampler(path)


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used, so that ``import ecgsynth`` costs nothing."""
    if name not in HOME:
        raise AttributeError(f"module 'ecgsynth' has no attribute {name!r}")
    from ecgsynth.errors import require

    return getattr(require(HOME[name], f"ecgsynth.{name}"), name)
