"""One way in for heartbeats, series and tables alike: fit, evaluate and audit."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, overload

from ecgsynth.core.config import seed_of
from ecgsynth.core.files import check_free, write_json
from ecgsynth.errors import ConfigError, DataError, hint_at_extra
from ecgsynth.loading import load, open_file
from ecgsynth.tasks import check_training, is_windows, kind_of, read, seconds_of

if TYPE_CHECKING:
    from ecgsynth.loading import Generator
    from ecgsynth.synthesizer import Synthesizer
    from ecgsynth.tabular.imputer import Imputer
    from ecgsynth.tabular.schema.schema import Schema
    from ecgsynth.tabular.synthesizer import TableSynthesizer
    from ecgsynth.training.job import Progress
    from ecgsynth.windows.windows import Windows

__all__ = ["audit", "evaluate", "fit"]


class Frame(Protocol):
    """A pandas DataFrame, as far as type checkers need to know it: pandas itself has no types of its own."""

    @property
    def columns(self) -> Any: ...
    def __len__(self) -> int: ...


Table: TypeAlias = Frame | Path | str


# Of each kind, what it takes and what it gives; of what they share see below.
# fmt: off
@overload
def fit(
    data: "Windows", run: Path | str | None = ..., *,
    kind: Literal["beats", "series"] | None = ..., model: str | None = ..., level: str | None = ...,
    budget: str | float | None = ..., steps: int | None = ..., seed: int = ...,
    split: str | None = ..., where: Mapping[str, Any] | None = ...,
    source: str | None = ..., device: str = ..., resume: bool = ..., force: bool = ...,
    callback: "Callable[[Progress], None] | None" = ..., **settings: Any,
) -> "Synthesizer": ...
@overload
def fit(
    data: Table, run: Path | str | None = ..., *,
    kind: Literal["beats", "series"], model: str | None = ...,
    budget: str | float | None = ..., steps: int | None = ..., seed: int = ...,
    split: str | None = ..., where: Mapping[str, Any] | None = ...,
    id: str | None = ..., time: str | None = ..., label: str | None = ..., length: int | None = ...,
    stride: int | None = ..., columns: Sequence[str] | None = ..., statics: Sequence[str] | None = ...,
    missing: str | None = ...,
    source: str | None = ..., device: str = ..., resume: bool = ..., force: bool = ...,
    callback: "Callable[[Progress], None] | None" = ..., **settings: Any,
) -> "Synthesizer": ...
@overload
def fit(
    data: Table, run: Path | str | None = ..., *,
    kind: Literal["table"] | None = ..., model: Literal["gain"],
    budget: str | float | None = ..., epochs: int | None = ..., seed: int = ...,
    schema: "Schema | Path | str | None" = ..., person: str | None = ..., where: Mapping[str, Any] | None = ...,
    storage_options: dict[str, Any] | None = ...,
    source: str | None = ..., device: str = ..., resume: bool = ..., force: bool = ...,
    callback: "Callable[[Progress], None] | None" = ..., **settings: Any,
) -> "Imputer": ...
@overload
def fit(
    data: Table, run: Path | str | None = ..., *,
    kind: Literal["table"], model: str | None = ...,
    budget: str | float | None = ..., epochs: int | None = ..., seed: int = ...,
    schema: "Schema | Path | str | None" = ..., person: str | None = ..., label: str | None = ...,
    where: Mapping[str, Any] | None = ..., storage_options: dict[str, Any] | None = ...,
    source: str | None = ..., device: str = ..., resume: bool = ..., force: bool = ...,
    callback: "Callable[[Progress], None] | None" = ..., **settings: Any,
) -> "TableSynthesizer": ...
@overload
def fit(
    data: Table, run: Path | str | None = ..., *,
    kind: None = ..., model: str | None = ...,
    budget: str | float | None = ..., steps: int | None = ..., epochs: int | None = ..., seed: int = ...,
    schema: "Schema | Path | str | None" = ..., person: str | None = ..., label: str | None = ...,
    split: str | None = ..., where: Mapping[str, Any] | None = ..., storage_options: dict[str, Any] | None = ...,
    source: str | None = ..., device: str = ..., resume: bool = ..., force: bool = ...,
    callback: "Callable[[Progress], None] | None" = ..., **settings: Any,
) -> "TableSynthesizer | Synthesizer": ...
# fmt: on
@hint_at_extra("training")
def fit(
    data: Any,
    run: Path | str | None = None,
    *,
    kind: str | None = None,
    model: str | None = None,
    level: str | None = None,
    budget: str | float | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    schema: "Schema | Path | str | None" = None,
    person: str | None = None,
    label: str | None = None,
    split: str | None = None,
    id: str | None = None,
    time: str | None = None,
    length: int | None = None,
    stride: int | None = None,
    columns: Sequence[str] | None = None,
    statics: Sequence[str] | None = None,
    missing: str | None = None,
    where: Mapping[str, Any] | None = None,
    storage_options: dict[str, Any] | None = None,
    source: str | None = None,
    device: str = "auto",
    resume: bool = False,
    force: bool = False,
    callback: "Callable[[Progress], None] | None" = None,
    **settings: Any,
) -> "Synthesizer | TableSynthesizer | Imputer":
    """Learn a generator from data of any kind.

    Parameters
    ----------
    data
        A pandas DataFrame; the path or URL of a table (.csv, .csv.gz, .tsv, .parquet, .json or .npz); Windows; or the
        path of an .npz file of them, such as 'ecgsynth prepare' makes.
    run
        The run folder to make, by which a training that was stopped goes on; without it nothing is left on disk.
    kind
        "table", "series" or "beats"; a table is taken as rows unless it is said to be a series.
    model
        "people" of beats, "rwgan" or "timegan" of beats and series; "default", "ctgan", "wgan-gp" and more of
        tables; "gain" fills holes.
    level
        Of beats: "internal" learns from the persons' own beats, for use where those may be used; otherwise new people
        are learnt wherever persons are known ("controlled" or "public" insist on it).
    budget
        How long it may take in all, such as "2min", "1h30min", or seconds; 20 minutes for beats and series by default.
    steps, epochs
        Instead of a budget: updates of the generator (beats, series), or passes over the rows (tables).
    seed
        The same seed gives the same model: 0 to 2**64 - 1.
    schema
        Of a table: what its columns are, as a Schema or its file; inferred without it.
    person
        Of a table: the column that names the person of each row; without it every row is a person.
    label
        Of a series the column of each sequence's class; of a table the condition of conditional models.
    split
        How beats or a series are split for training and validation: "patient", "beat", "ds1-ds2", "group" or
        "none".
    id, time, length, stride, columns, statics, missing
        How a series is cut from its table: see SeriesOptions.
    where
        Learn from some only: rows with these values, {"sex": "Female"}; or classes of beats, {"class": ["N", "V"]}.
    storage_options
        Options for the storage of a URL; see fsspec.
    source
        What an exported file says of where the data are from.
    device
        "auto" takes a GPU if there is one; or "cpu", "cuda", "mps".
    resume, force
        Go on with the run folder, or replace it.
    callback
        Called with the progress after each step.
    settings
        Settings of TrainConfig (batch, rate, ...) and of the model (hidden, ...) that differ from their defaults.

    Returns
    -------
    Synthesizer (beats, series), TableSynthesizer, or Imputer (model="gain")

    Raises
    ------
    DataError
        For data that cannot be learnt from, ConfigError for options that cannot be, ArtifactError for a folder in the
        way, TrainingDivergedError for a loss that ran away.

    """
    began = now()
    seed = seed_of(seed)
    budget_s = None if budget is None else seconds_of(budget)
    asked = {
        **{"schema": schema, "person": person, "label": label, "split": split, "id": id, "time": time},
        **{"length": length, "stride": stride, "columns": columns, "statics": statics, "missing": missing},
        **{"where": where, "level": level, "storage_options": storage_options},
    }
    kind = kind_of(data, kind, **asked)
    check_training(kind, model, budget_s, steps, epochs, settings)
    if run is None and resume:
        raise ConfigError("a training goes on in its run folder; name it, or leave out resume")
    task = read(data, kind, seed=seed, **asked)
    return task.train(
        run,
        model=model,
        budget_s=budget_s,
        steps=steps,
        epochs=epochs,
        settings=settings,
        seed=seed,
        source=source,
        device=device,
        resume=resume,
        force=force,
        on_progress=callback,
        began=began,
    )


def now() -> float:
    """The time in seconds; ``fit`` has an argument named time."""
    return time.monotonic()


@hint_at_extra("evaluating")
def evaluate(
    model: "Generator | Path | str",
    real: "Windows | Table",
    output: Path | str | None = None,
    *,
    run: Path | str | None = None,
    test: Table | None = None,
    target: str | None = None,
    repeats: int | None = None,
    steps: int | None = None,
    part: str = "test",
    rhythm: bool = False,
    storage_options: dict[str, Any] | None = None,
    device: str = "auto",
    seed: int = 0,
    force: bool = False,
    callback: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Measure how useful and how lifelike what a generator makes is, and how near it comes to its training data.

    Parameters
    ----------
    model
        What ``fit`` or ``load`` gave, or what ``load`` takes.
    real
        The data that it learnt from: Windows or their .npz, or the table of a series or of rows.
    output
        The folder to make, with metrics.json, report.html and pictures; none is left without it.
    run
        The run folder of an exported file, which knows what it learnt from and how that was split.
    test, target
        Of tables: rows that no model learnt from, and the column that is predicted on them.
    repeats, steps
        Networks trained for each figure, and updates of each, where they are not to be as usual.
    part, rhythm
        Of windows: the part to measure on, "test" or "validation"; give the classifiers the RR intervals.
    storage_options, device, seed, force
        As of ``fit``.
    callback
        Called with the stage and the share that is done.

    Returns
    -------
    What was measured, as in metrics.json

    Raises
    ------
    ConfigError
        For options of another kind of generator; DataError for real data that it does not make.

    """
    if output is not None:
        check_free(Path(output), force=force)
    with tempfile.TemporaryDirectory() as folder:
        sampler, run = released(model, run, Path(folder))
        output = Path(folder) / "report" if output is None else Path(output)
        shared: dict[str, Any] = {"repeats": repeats, "run": run, "seed": seed, "force": force, "on_progress": callback}
        if sampler.manifest.kind == "table":
            if steps is not None or rhythm or part != "test":
                raise ConfigError(f"{name_of(sampler)} makes rows of a table; steps, part and rhythm are for windows")
            from ecgsynth.tabular.evaluation import evaluate_table

            unseen = None if test is None else frame_of(test, storage_options)
            rows = frame_of(real, storage_options)
            return evaluate_table(sampler, rows, output, test=unseen, target=target, **shared)
        if test is not None or target is not None:
            raise ConfigError(f"{name_of(sampler)} makes windows; test and target are for rows of a table")
        from ecgsynth.evaluation import evaluate as evaluate_windows
        from ecgsynth.evaluation import real_windows

        windows: Any = real if is_windows(real) else real_windows(real, sampler, run, seed)
        return evaluate_windows(
            sampler, windows, output, steps=steps, test_part=part, rhythm=rhythm, device=device, **shared
        )


@hint_at_extra("an audit")
def audit(
    model: "Generator | Path | str",
    real: "Windows | Table",
    output: Path | str | None = None,
    *,
    run: Path | str | None = None,
    test: Table | None = None,
    storage_options: dict[str, Any] | None = None,
    device: str = "auto",
    seed: int = 0,
    force: bool = False,
    callback: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Attack the persons whom a generator learnt from, as somebody with its file would.

    Parameters
    ----------
    model, real, run, storage_options, device, seed, force, callback
        As of ``evaluate``. Beats that are split by patient have all that an audit needs.
    test
        Of tables: rows of persons that no model learnt from.
    output
        The folder to make, with metrics.json (the audit under "audit") and report.html; none is left without it.

    Returns
    -------
    What was found: attacks with their intervals, recognised beats and what can be read out, or of tables the risks of
    singling out, linkability and inference, and the level of release that these figures allow
    (ecgsynth.auditing.audit, ecgsynth.tabular.audit.audit_table)

    Raises
    ------
    ConfigError
        For ``test`` of a generator of windows; DataError for real data that it does not make.

    """
    if output is not None:
        check_free(Path(output), force=force)
    with tempfile.TemporaryDirectory() as folder:
        sampler, run = released(model, run, Path(folder))
        if sampler.manifest.kind == "table":
            from ecgsynth.tabular.audit import audit_table

            unseen = None if test is None else frame_of(test, storage_options)
            rows = frame_of(real, storage_options)
            found = audit_table(sampler, rows, test=unseen, seed=seed, run=run, on_progress=callback)
        else:
            if test is not None:
                raise ConfigError(f"{name_of(sampler)} makes windows; test is for rows of a table")
            from ecgsynth.auditing import audit as audit_windows
            from ecgsynth.evaluation import real_windows
            from ecgsynth.metrics.progress import silent
            from ecgsynth.training.devices import pick_device

            windows: Any = real if is_windows(real) else real_windows(real, sampler, run, seed)
            found = audit_windows(
                sampler, windows, run=run, device=pick_device(device), seed=seed, on_progress=callback or silent
            )
        if output is not None:
            from ecgsynth.report.audit import write_audit

            about = {
                "model": name_of(sampler),
                "kind": found["kind"],
                "same_training_part": found["same_training_part"],
            }
            write_json(Path(output) / "metrics.json", {**about, "audit": found})
            write_audit(Path(output) / "report.html", name_of(sampler), found)
        return found


def released(model: Any, run: Path | str | None, folder: Path) -> tuple[Any, Path | str | None]:
    """The generator as it is released, and its run folder if there is one: of a model in memory, in ``folder``."""
    if isinstance(model, str | Path):
        run = run or (model if Path(model).is_dir() else None)
        model = load(model)
    if not hasattr(model, "export"):
        return model, run
    model.export(folder / "model.onnx")
    if run is None:
        run = folder / "run"
        model.save(run)
    return open_file(folder / "model.onnx"), run


def name_of(sampler: Any) -> str:
    return str(sampler.path.name)


def frame_of(table: Any, storage_options: dict[str, Any] | None) -> Any:
    """A data frame as it is, or read from a file."""
    from ecgsynth.core.tables import read_table

    if isinstance(table, str | Path):
        return read_table(table, storage_options=storage_options)[0]
    if not hasattr(table, "columns"):
        raise DataError(f"expected a pandas DataFrame or a table's path or URL, got {type(table).__name__}")
    return table
