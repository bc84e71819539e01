"""Learn a generator from heartbeats, prove that what it makes is useful, ship it as one small ONNX file.

>>> import ecgsynth
>>> beats = ecgsynth.pretrained("mitbih-beats").sample(1000, label="V", seed=7)   # needs no torch
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecgsynth.core.config import TrainConfig as TrainConfig
    from ecgsynth.export.onnx_sampler import OnnxSampler
    from ecgsynth.export.table_sampler import TableSampler
    from ecgsynth.synthesizer import Synthesizer as Synthesizer
    from ecgsynth.windows.beats import BeatOptions as BeatOptions
    from ecgsynth.windows.beats import read_beats as read_beats
    from ecgsynth.windows.splits import split as split
    from ecgsynth.windows.windows import Windows as Windows

__version__ = "0.1.0"
__all__ = ["BeatOptions", "Synthesizer", "TrainConfig", "Windows", "load", "pretrained", "read_beats", "split"]

HOME = {
    "BeatOptions": "ecgsynth.windows.beats",
    "Synthesizer": "ecgsynth.synthesizer",
    "TrainConfig": "ecgsynth.core.config",
    "Windows": "ecgsynth.windows.windows",
    "read_beats": "ecgsynth.windows.beats",
    "split": "ecgsynth.windows.splits",
}


PRETRAINED = ("mitbih-beats",)  # generators that come with the package


def load(model: Path | str) -> "OnnxSampler | TableSampler":
    """The generator of windows or of rows in an .onnx file, or a pretrained one by its name, ready to sample.

    Raises ArtifactError if the file is not one of ours.
    """
    from ecgsynth.export.onnx_file import OnnxFile
    from ecgsynth.export.onnx_sampler import OnnxSampler
    from ecgsynth.export.table_sampler import TableSampler

    if str(model) in PRETRAINED and not Path(model).is_file():
        return pretrained(str(model))
    file = OnnxFile.open(model)
    return TableSampler(file) if file.manifest.kind == "table" else OnnxSampler(file)


def pretrained(name: str) -> "OnnxSampler":
    """A generator that comes with the package, ready to sample; its model card lies beside it as ``name.md``.

    Raises ConfigError for a name that there is not.
    """
    from ecgsynth.errors import ConfigError
    from ecgsynth.export.onnx_sampler import OnnxSampler

    if name not in PRETRAINED:
        raise ConfigError(f"there is no pretrained generator {name!r}; there are {', '.join(PRETRAINED)}")
    return OnnxSampler(Path(__file__).parent / "data" / f"{name}.onnx")


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used, so that ``import ecgsynth`` costs nothing."""
    if name not in HOME:
        raise AttributeError(f"module 'ecgsynth' has no attribute {name!r}")
    from ecgsynth.errors import require

    return getattr(require(HOME[name], f"ecgsynth.{name}"), name)
