"""Generators as they are kept: an .onnx file, a run folder, or one that comes with the package."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ecgsynth.errors import ConfigError, hint_at_extra

if TYPE_CHECKING:
    from ecgsynth.export.onnx_sampler import OnnxSampler
    from ecgsynth.export.table_sampler import TableSampler
    from ecgsynth.synthesizer import Synthesizer
    from ecgsynth.tabular.synthesizer import TableSynthesizer

    Generator: TypeAlias = OnnxSampler | TableSampler | Synthesizer | TableSynthesizer

__all__ = ["PRETRAINED", "load", "load_run", "open_file", "pretrained"]

PRETRAINED = ("mitbih-beats",)  # generators that come with the package


def pretrained(name: str) -> "OnnxSampler":
    """A generator that comes with the package, ready to sample; its model card lies beside it as ``name.md``.

    Parameters
    ----------
    name
        One of PRETRAINED, such as "mitbih-beats".

    Raises
    ------
    ConfigError
        For an unknown name.

    """
    import ecgsynth
    from ecgsynth.export.onnx_sampler import OnnxSampler

    if name not in PRETRAINED:
        raise ConfigError(f"there is no pretrained generator {name!r}; there are {', '.join(PRETRAINED)}")
    return OnnxSampler(Path(ecgsynth.__file__).parent / "data" / f"{name}.onnx")


def load(model: Path | str) -> "Generator":
    """A generator, ready to sample.

    All but a run folder need no torch. A model that fills holes is loaded by Imputer.load.

    Parameters
    ----------
    model
        An .onnx file, a run folder, or the name of a pretrained generator.

    Returns
    -------
    OnnxSampler or TableSampler of a file, Synthesizer or TableSynthesizer of a run folder

    Raises
    ------
    ArtifactError
        If there is no such file or folder, or ecgsynth did not make it.

    """
    if str(model) in PRETRAINED or not (Path(model) / "config.json").exists():
        return open_file(model)
    return load_run(model)


@hint_at_extra("loading a run folder")
def load_run(run: Path | str) -> "Synthesizer | TableSynthesizer":
    """The best generator of a run folder, finished or not; errors as of ``load``."""
    from ecgsynth.synthesizer import Synthesizer
    from ecgsynth.tabular.synthesizer import TableSynthesizer
    from ecgsynth.training.run_folder import RunFolder

    of_table = RunFolder(Path(run)).read_config().get("data", {}).get("kind") == "table"
    return (TableSynthesizer if of_table else Synthesizer).load(run)


def open_file(model: Path | str) -> "OnnxSampler | TableSampler":
    """The generator of windows or of rows in an .onnx file, or a pretrained one by its name; errors as of ``load``."""
    from ecgsynth.export.onnx_file import OnnxFile
    from ecgsynth.export.onnx_sampler import OnnxSampler
    from ecgsynth.export.table_sampler import TableSampler

    if str(model) in PRETRAINED and not Path(model).is_file():
        return pretrained(str(model))
    file = OnnxFile.open(model)
    return TableSampler(file) if file.manifest.kind == "table" else OnnxSampler(file)
