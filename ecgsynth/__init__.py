"""Learn a generator from heartbeats, series or tables, prove that it is useful, ship it as one small ONNX file.

>>> import ecgsynth
>>> beats = ecgsynth.pretrained("mitbih-beats").sample(1000, {"class": "V"}, seed=7)   # needs no torch
>>> model = ecgsynth.fit(frame, budget="2min")   # a pandas DataFrame, a table's path or URL, or Windows
>>> model.export("rows.onnx")
"""

from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecgsynth.api import audit as audit
    from ecgsynth.api import evaluate as evaluate
    from ecgsynth.api import fit as fit
    from ecgsynth.core.config import TrainConfig as TrainConfig
    from ecgsynth.errors import EcgSynthError as EcgSynthError
    from ecgsynth.loading import PRETRAINED as PRETRAINED
    from ecgsynth.loading import load as load
    from ecgsynth.loading import pretrained as pretrained
    from ecgsynth.synthesizer import Synthesizer as Synthesizer
    from ecgsynth.tabular.imputer import Imputer as Imputer
    from ecgsynth.tabular.schema.schema import Schema as Schema
    from ecgsynth.tabular.synthesizer import TableSynthesizer as TableSynthesizer
    from ecgsynth.windows.beats import BeatOptions as BeatOptions
    from ecgsynth.windows.beats import read_beats as read_beats
    from ecgsynth.windows.series import SeriesOptions as SeriesOptions
    from ecgsynth.windows.series import read_series as read_series
    from ecgsynth.windows.splits import split as split
    from ecgsynth.windows.windows import Windows as Windows

__version__ = "0.1.0"
__all__ = [
    "BeatOptions",
    "EcgSynthError",
    "Imputer",
    "Schema",
    "SeriesOptions",
    "Synthesizer",
    "TableSynthesizer",
    "TrainConfig",
    "Windows",
    "audit",
    "evaluate",
    "fit",
    "load",
    "pretrained",
    "read_beats",
    "read_series",
    "split",
]

HOME = {
    "BeatOptions": "ecgsynth.windows.beats",
    "EcgSynthError": "ecgsynth.errors",
    "Imputer": "ecgsynth.tabular.imputer",
    "PRETRAINED": "ecgsynth.loading",
    "Schema": "ecgsynth.tabular.schema.schema",
    "SeriesOptions": "ecgsynth.windows.series",
    "Synthesizer": "ecgsynth.synthesizer",
    "TableSynthesizer": "ecgsynth.tabular.synthesizer",
    "TrainConfig": "ecgsynth.core.config",
    "Windows": "ecgsynth.windows.windows",
    "audit": "ecgsynth.api",
    "evaluate": "ecgsynth.api",
    "fit": "ecgsynth.api",
    "load": "ecgsynth.loading",
    "pretrained": "ecgsynth.loading",
    "read_beats": "ecgsynth.windows.beats",
    "read_series": "ecgsynth.windows.series",
    "split": "ecgsynth.windows.splits",
}
IMPORTING = RLock()  # one thread at a time: of two that import a package at once, one may find it half there


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used, so that ``import ecgsynth`` costs nothing."""
    if name not in HOME:
        raise AttributeError(f"module 'ecgsynth' has no attribute {name!r}")
    with IMPORTING:
        from ecgsynth.errors import require

        return getattr(require(HOME[name], f"ecgsynth.{name}"), name)


def __dir__() -> list[str]:
    """What completion offers: the public names too, before they are first used."""
    return sorted({*globals(), *__all__})
