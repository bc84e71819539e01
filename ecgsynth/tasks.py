"""What is to be learnt, of whatever a user brings: read, put in order, and given to the class that learns from it."""

import dataclasses
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgsynth.core.storage import is_url, name_of
from ecgsynth.errors import ConfigError, DataError
from ecgsynth.models import registry as windows
from ecgsynth.tabular.models import registry as rows

if TYPE_CHECKING:
    from ecgsynth.synthesizer import Synthesizer
    from ecgsynth.tabular.imputer import Imputer
    from ecgsynth.tabular.synthesizer import TableSynthesizer

__all__ = ["KINDS", "Task", "check_training", "kind_of", "read", "seconds_of"]

UNITS_S = {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0}
KINDS = ("beats", "series", "table")
TAKEN = (
    "a pandas DataFrame, the path or URL of a table (.csv, .csv.gz, .tsv, .parquet, .json or .npz), Windows, or the "
    ".npz file of them"
)
# Which kinds of data an option is for.
FOR = {
    "split": ("beats", "series"),
    "where": ("beats", "table"),
    "level": ("beats",),
    "label": ("series", "table"),
    "person": ("table",),
    "schema": ("table",),
    "storage_options": ("table",),
    **dict.fromkeys(("id", "time", "length", "stride", "columns", "statics", "missing"), ("series",)),
}
OF_SERIES = tuple(name for name, kinds in FOR.items() if kinds == ("series",))
GIVEN_APART = {"steps", "budget_s", "seed"}  # of a TrainConfig: arguments of their own
SAID = {"beats": "a generator of beats", "series": "a generator of series", "table": "a table"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Data that are read, and the further options of a training of their kind."""

    kind: str  # one of KINDS
    data: Any  # Windows, or a pandas data frame
    notes: tuple[str, ...] = ()  # what was found on the way
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    def train(
        self,
        run: Path | str | None = None,
        *,
        model: str | None = None,
        budget_s: float | None = None,
        steps: int | None = None,
        epochs: int | None = None,
        settings: Mapping[str, Any] | None = None,
        **how: Any,
    ) -> "Synthesizer | TableSynthesizer | Imputer":
        """Learn from the data.

        Parameters
        ----------
        run
            The run folder; without it, one that is removed afterwards.
        model
            The model's name; without it, the one for data of this kind.
        budget_s, steps, epochs
            How long: seconds, updates of the generator (of windows), or passes over the rows (of tables).
        settings
            Settings of the training and of the model's networks that differ from their defaults.
        how
            seed, source, device, resume, force, on_progress and began, as the classes' own ``fit`` takes them.

        """
        settings = settings or {}
        check_training(self.kind, model, budget_s, steps, epochs, settings)
        training, config = split_settings(self.kind, model, settings)
        if self.kind == "table":
            return self._train_rows(run, model, training, config, budget_s=budget_s, epochs=epochs, **how)
        return self._train_windows(run, model, training, config, budget_s=budget_s, steps=steps, **how)

    def _train_windows(
        self,
        run: Path | str | None,
        model: str | None,
        training: dict[str, Any],
        config: dict[str, Any],
        *,
        budget_s: float | None,
        steps: int | None,
        seed: int = 0,
        **how: Any,
    ) -> "Synthesizer":
        from ecgsynth.core.config import TrainConfig
        from ecgsynth.synthesizer import Synthesizer

        schedule = TrainConfig(steps=steps, budget_s=budget_s, seed=seed, **training)
        options = {**self.options, **how}
        return Synthesizer.fit(self.data, run, model=model, training=schedule, config=config, **options)

    def _train_rows(
        self, run: Path | str | None, model: str | None, training: dict[str, Any], config: dict[str, Any], **how: Any
    ) -> "TableSynthesizer | Imputer":
        from ecgsynth.tabular.imputer import Imputer
        from ecgsynth.tabular.synthesizer import TableSynthesizer

        if isinstance(config.get("hidden"), int):
            config["hidden"] = (config["hidden"],)
        fills = rows.makes(model or rows.DEFAULT) == rows.VALUES
        fit: Callable[..., TableSynthesizer | Imputer] = Imputer.fit if fills else TableSynthesizer.fit
        return fit(self.data, run, model=model, training=training, config=config, **self.options, **how)


def check_training(
    kind: str,
    model: str | None,
    budget_s: float | None,
    steps: int | None,
    epochs: int | None,
    settings: Mapping[str, Any],
) -> None:
    """Raise ConfigError for an impossible training, before anything is read."""
    given, wrong, right = (steps, "steps", "epochs") if kind == "table" else (epochs, "epochs", "steps")
    if given is not None:
        raise ConfigError(f"{SAID[kind]} is trained for {right} or a budget, not for {wrong}; give {right}")
    if sum(amount is not None for amount in (budget_s, steps, epochs)) > 1:
        raise ConfigError(f"give a budget or {right}, not both")
    split_settings(kind, model, settings)


def split_settings(kind: str, model: str | None, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of the training, and those of the model's networks; ConfigError for one that neither has."""
    registry = rows if kind == "table" else windows
    model = model or registry.DEFAULT
    registry.help_of(model)
    if not settings:
        return {}, {}
    from ecgsynth.core.config import TrainConfig

    of_training = [field.name for field in dataclasses.fields(TrainConfig) if field.name not in GIVEN_APART]
    of_networks = registry.entry(model).settings
    unknown = [name for name in settings if name not in of_training and name not in of_networks]
    if unknown:
        raise ConfigError(
            f"there is no setting {', '.join(unknown)}; a training has {', '.join(of_training)}, and the model {model} "
            f"has {', '.join(of_networks)}"
        )
    return (
        {name: value for name, value in settings.items() if name in of_training},
        {name: value for name, value in settings.items() if name not in of_training},
    )


# ---- reading


def read(data: Any, kind: str | None = None, *, seed: int = 0, **asked: Any) -> Task:
    """Find out what ``data`` are, and read them.

    Parameters
    ----------
    data
        A pandas data frame, the path or URL of a table, Windows, or the .npz file of them.
    kind
        One of KINDS; without it, windows are what they say, and everything else is a table.
    seed
        Of a split into parts.
    asked
        What FOR names; None or an empty value counts as not given.

    Raises
    ------
    ConfigError
        For options that are not for this kind.
    DataError
        For data that nothing can be learnt from; ArtifactError for a file that is missing or broken.

    """
    wanted = {name: value for name, value in asked.items() if value is not None and value != {} and value != ()}
    kind = kind_of(data, kind, **wanted)
    if not isinstance(wanted.get("where", {}), Mapping):
        raise ConfigError(f"where is columns and values, such as {{'sex': 'Female'}}, got {wanted['where']!r}")
    if kind == "table":
        return read_rows(data, wanted)
    return read_steps(data, wanted, seed) if held_in(data) == "table" else read_windows(data, kind, wanted, seed)


def kind_of(data: Any, kind: str | None = None, **asked: Any) -> str:
    """One of KINDS; errors as of ``read``, for what is wrong without a look at the data themselves."""
    if kind is not None and kind not in KINDS:
        raise ConfigError(f"kind is one of {', '.join(KINDS)}, got {kind!r}")
    check_taken(data)
    held = held_in(data)
    wanted = [name for name, value in asked.items() if value is not None]
    of_series = [name for name in OF_SERIES if name in wanted]
    if of_series and held != "table":
        raise ConfigError(f"these data are windows already, which have no {', '.join(of_series)} to choose")
    if of_series and kind is None:
        raise ConfigError(
            f"only a series has {', '.join(of_series)} to choose; add kind='series' if these data are one"
        )
    if held == "table" and kind == "beats":
        raise ConfigError("expected beats, got a table; cut WFDB records into beats with 'ecgsynth prepare'")
    if kind is not None and held not in (kind, "table"):
        raise ConfigError(f"expected a {kind}, got windows of {held}, which are learnt as they are: kind={held!r}")
    kind = kind or held
    for name in wanted:
        if kind not in FOR[name]:
            raise ConfigError(f"{name} is for {' and '.join(FOR[name])}, and these data are {kind}; leave it out")
    return kind


def check_taken(data: Any) -> None:
    """Raise DataError for what nothing can be learnt from."""
    if isinstance(data, str | Path) or is_windows(data):
        return
    if not is_frame(data):
        advice = "; pandas.DataFrame(...) makes one of it" if isinstance(data, dict | list) else ""
        advice = "; put its columns into a pandas.DataFrame" if type(data).__name__ == "ndarray" else advice
        raise DataError(f"expected {TAKEN}, got {type(data).__name__}{advice}")
    if not len(data) or not len(data.columns):
        raise DataError(f"expected a DataFrame with rows and columns, got {len(data)} x {len(data.columns)}; fill it")


def is_frame(data: Any) -> bool:
    """Whether it is a pandas data frame: without pandas imported, nothing is."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def is_windows(data: Any) -> bool:
    module = sys.modules.get("ecgsynth.windows.windows")
    return module is not None and isinstance(data, module.Windows)


def held_in(data: Any) -> str:
    """What kind of data these are: of an .npz file, by whether it says what its channels are."""
    if is_windows(data):
        return "series" if data.is_series else "beats"
    if is_frame(data) or is_url(data) or not name_of(data).lower().endswith(".npz") or not Path(data).is_file():
        return "table"
    from ecgsynth.core.npz import read_npz

    arrays = read_npz(Path(data), only=("channel_names", "meta"))
    if "channel_names" not in arrays:
        return "table"
    return "series" if '"kind": "series"' in str(arrays.get("meta", "")) else "beats"


def read_windows(data: Any, kind: str, asked: dict[str, Any], seed: int) -> Task:
    """Windows, in their parts."""
    from ecgsynth.windows.splits import split
    from ecgsynth.windows.windows import Windows

    found = data if isinstance(data, Windows) else Windows.load(data)
    if "where" in asked:
        found = found.keep_classes(classes_asked(asked["where"]))
    parts = asked.get("split")
    if parts is None and found.parts is None and found.meta.get("split") != "none":
        if kind == "beats":
            raise DataError(
                "these beats are not split yet; say how, as split='patient' or split='beat', or make the file with "
                "'ecgsynth prepare'"
            )
        parts = "group"
    found = found if parts is None else split(found, parts, seed)
    return Task(kind=kind, data=found, options={"level": asked.get("level")})


def classes_asked(where: Mapping[str, Any]) -> tuple[str, ...]:
    """The classes of beats to keep: {"class": "V"} or {"class": ["N", "V"]}."""
    if set(where) != {"class"}:
        raise ConfigError(f"beats are chosen by their class, such as {{'class': 'V'}}, not by {', '.join(where)}")
    names = where["class"]
    return (names,) if isinstance(names, str) else tuple(map(str, names))


def read_steps(data: Any, asked: dict[str, Any], seed: int) -> Task:
    """The windows of a table of time series."""
    from ecgsynth.report.windows import read_text
    from ecgsynth.windows.series import SeriesOptions, read_series
    from ecgsynth.windows.splits import split

    parts = asked.pop("split", "group")
    asked = {name: (value,) if name in ("columns", "statics") and isinstance(value, str) else value
             for name, value in asked.items()}  # fmt: skip
    found = split(read_series(data, SeriesOptions(**asked)), parts, seed)
    return Task(kind="series", data=found, notes=(read_text(found),))


def read_rows(data: Any, asked: dict[str, Any]) -> Task:
    """The rows of a table that are asked for, and its schema."""
    from ecgsynth.core.tables import read_table, stem
    from ecgsynth.tabular.schema.schema import Schema
    from ecgsynth.tabular.training.rows import asked_rows

    where = {name: str(value) for name, value in asked.get("where", {}).items()}
    frame = is_frame(data)
    whole = data if frame else read_table(data, storage_options=asked.get("storage_options"))[0]
    odd = [name for name in whole.columns if not isinstance(name, str)]
    if odd:
        raise DataError(
            f"expected names of columns that are text, got {odd[0]!r}; df.columns = df.columns.map(str) makes them so"
        )
    kept = asked_rows(whole, where)
    schema, person = asked.get("schema"), asked.get("person")
    if schema is None:
        schema = Schema.infer(kept, whole, person, from_file=not frame)
    elif isinstance(schema, str | Path):
        schema = Schema.load(Path(schema))
    elif not isinstance(schema, Schema):
        raise ConfigError(f"expected a Schema or its file, got {type(schema).__name__}; Schema.infer(df) makes one")
    private = {"where": where} if frame else {"file": stem(data), "where": where}
    options = {"schema": schema, "person": person, "label": asked.get("label"), "private": private}
    return Task(kind="table", data=kept, notes=tuple(f"note: {note}" for note in schema.notes), options=options)


def seconds_of(budget: str | float) -> float:
    """A time such as 90s, 20min or 1h30min, or a number of seconds, in seconds; ConfigError for anything else."""
    if isinstance(budget, int | float) and not isinstance(budget, bool):
        if not budget > 0:
            raise ConfigError(f"a budget is above 0 seconds, got {budget}")
        return float(budget)
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|min|sec|s)", str(budget))
    total = sum(float(number) * UNITS_S[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != budget or total <= 0:
        raise ConfigError(f"expected a time such as 90s, 20min or 1h30min, got {budget!r}")
    return total
