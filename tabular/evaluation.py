"""Everything that is measured of a generator of tables, in one folder: metrics.json, pictures, a report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgsynth.core.files import check_free, write_json
from ecgsynth.core.tables import read_table
from ecgsynth.errors import ConfigError, DataError
from ecgsynth.export.manifest import TableColumn
from ecgsynth.training.run_folder import RunFolder

from .encoding.canonical import fingerprint, subsample
from .metrics.attacks import MOST as NEAR
from .metrics.attacks import privacy
from .metrics.likeness import DETECTORS, FOLDS, correlation_difference, detection, impossible, statistics
from .metrics.quality import MOST, quality
from .metrics.utility import utility
from .report.figures import save_columns, save_correlations, save_maps, save_pairs
from .report.page import write_report
from .schema.schema import Column, Schema
from .training.rows import asked_rows, owners_in, split_rows

__all__ = ["RANGES", "Sampler", "Split", "evaluate_table", "fidelity"]

REPEATS = 3  # of the utility test
TOLD = 20_000  # rows of each kind that a detector sees
# The best value of each measure, the lowest and the highest.
RANGES = {
    "quality": (1.0, 0.0, 1.0),
    "column_shapes": (1.0, 0.0, 1.0),
    "column_pair_trends": (1.0, 0.0, 1.0),
    "column_pair_trends_all": (1.0, 0.0, 1.0),
    "diagnostic": (1.0, 0.0, 1.0),
    "data_validity": (1.0, 0.0, 1.0),
    "data_structure": (1.0, 0.0, 1.0),
    "correlation_difference": (0.0, 0.0, 2.0),
    "logistic": (0.5, 0.0, 1.0),
    "boosting": (0.5, 0.0, 1.0),
}

Split = Callable[[int, int, float, NDArray[np.int64] | None], tuple[NDArray[np.int64], NDArray[np.int64]]]
Tell = Callable[[str, float], None]


class Sampler(Protocol):
    """What a generator of tables offers: rows, and what it says of itself.

    manifest: columns (each an export.manifest.TableColumn), data (validation_share, person),
    training, metrics.
    """

    @property
    def manifest(self) -> Any: ...

    def sample(self, n: int, where: Any = None, seed: int = 0) -> Any: ...


@dataclass(frozen=True, slots=True)
class Real:
    """The real rows: all of them, those learnt from, those held out, and those of a test table if there is one."""

    whole: pd.DataFrame
    learn: pd.DataFrame
    unseen: pd.DataFrame
    test: pd.DataFrame | None
    same_table: bool | None  # that the generator was given, None where that is not known


def evaluate_table(
    sampler: Sampler,
    real: Path | str | pd.DataFrame,
    output: Path | str,
    *,
    test: Path | str | pd.DataFrame | None = None,
    target: str | None = None,
    repeats: int | None = None,
    seed: int = 0,
    run: Path | str | None = None,
    force: bool = False,
    split: Split | None = None,
    on_progress: Tell | None = None,
) -> dict[str, Any]:
    """Measure likeness, privacy and, with a ``target``, utility of ``sampler`` against the table it was given.

    ``real``: that table, of which the generator held some rows out; ``split(n, seed, share, owners)`` says which
    (unless told, synthesizer.split_rows). ``run``: the generator's run folder, which knows by what seed the table was
    split and whether it is that table; without it the rows are split by ``seed``. ``test``: a table of other rows for
    the utility test; without it, the held-out rows serve. ``repeats``: times that the utility test is made, 3 unless
    told. ``on_progress(stage, done)`` is told of the share done, 0 to 1.
    Writes metrics.json, report.html and pictures to the folder ``output``. Raises DataError for a table of other
    columns, ArtifactError for a folder in the way, ConfigError for fewer repeats than one.
    """
    output, tell = Path(output), on_progress or (lambda stage, done: None)
    check_free(output, force=force)
    repeats = REPEATS if repeats is None else repeats
    if repeats < 1:
        raise ConfigError(f"the utility test must be repeated at least once, got {repeats}")
    schema = schema_of(sampler.manifest.columns)
    rows = real_rows(sampler, schema, real, test, split or split_rows, run, seed)
    tell("likeness", 0.02)
    synthetic = sampler.sample(min(len(rows.whole), MOST), seed=seed)
    measured: dict[str, Any] = {
        "model": Path(getattr(sampler, "path", "model")).name,
        "kind": "table",
        "seed": seed,
        "rows": {
            "real": len(rows.whole),
            "learnt": len(rows.learn),
            "held_out": len(rows.unseen),
            "synthetic": len(synthetic),
            "test": None if rows.test is None else len(rows.test),
        },
        "caps": {"quality": MOST, "detection": TOLD, "distances": NEAR},
        "same_table": rows.same_table,
    } | fidelity(rows.whole, synthetic, schema, seed=seed, on_progress=within(tell, 0.02, 0.45))
    if target is not None:
        measured["utility"] = utility(
            rows.learn,
            rows.unseen if rows.test is None else rows.test,
            lambda n, number: sampler.sample(n, seed=number),
            schema,
            target,
            repeats=repeats,
            seed=(seed + 1) % 2**64,  # rows of the likeness' seed are not drawn again
            on_step=lambda arm, done, total: tell(arm, 0.45 + 0.3 * done / total),
        ) | {"test": "held-out rows" if rows.test is None else "test table"}
    tell("distances", 0.75)
    measured["privacy"] = privacy(
        subsample(synthetic, NEAR, generator(seed)), rows.learn, rows.unseen, schema, seed=seed
    )
    tell("pictures", 0.88)
    pictures = draw(output, subsample(rows.whole, MOST, generator(seed)), synthetic, schema, seed)
    write_json(output / "metrics.json", measured)
    write_report(output / "report.html", measured, sampler.manifest, pictures)
    tell("done", 1.0)
    return measured


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def within(tell: Tell, low: float, high: float) -> Tell:
    """Progress of a part as that of the whole."""
    return lambda stage, done: tell(stage, low + (high - low) * done)


def schema_of(columns: Sequence[TableColumn]) -> Schema:
    """The schema that a manifest's columns tell; its bounds and categories are those that were published."""
    both = {field.name for field in fields(Column)} & {field.name for field in fields(TableColumn)}
    return Schema(tuple(Column(**{name: getattr(column, name) for name in both}) for column in columns))


def real_rows(
    sampler: Sampler,
    schema: Schema,
    real: Path | str | pd.DataFrame,
    test: Path | str | pd.DataFrame | None,
    split: Split,
    run: Path | str | None,
    seed: int,
) -> Real:
    """The rows of the real table that the generator was given, split as they were when it learnt from them."""
    whole, data = table_of(real), sampler.manifest.data
    folder = None if run is None else RunFolder(Path(run))
    private = {} if folder is None else folder.private()
    if private.get("where"):
        whole = asked_rows(whole, private["where"]).reset_index(drop=True)
    owners = owners_in(whole, data["person"]) if "person" in data else None
    learn, check = split(len(whole), int(private.get("split_seed", seed)), float(data["validation_share"]), owners)
    if min(len(learn), len(check)) < FOLDS:
        raise DataError(
            f"the table has {len(learn)} rows to learn from and {len(check)} held out; both need at least {FOLDS}"
        )
    return Real(
        whole=whole,
        learn=whole.iloc[learn].reset_index(drop=True),
        unseen=whole.iloc[check].reset_index(drop=True),
        test=None if test is None else table_of(test),
        same_table=None if folder is None else folder.learnt_from(fingerprint(whole, schema)),
    )


def table_of(table: Path | str | pd.DataFrame) -> pd.DataFrame:
    """The data frame itself, or that of a file."""
    if isinstance(table, pd.DataFrame):
        return table.reset_index(drop=True)
    frame: pd.DataFrame = read_table(table)[0]
    return frame


def fidelity(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: Schema,
    *,
    seed: int = 0,
    on_progress: Tell | None = None,
) -> dict[str, Any]:
    """Every measure of likeness of ``synthetic`` to ``real``, beside that of one random half of ``real`` to the other.

    quality: SDMetrics' scores, the difference of correlations, and how many values cannot be. detection: the areas of
    both detectors. Each with its value, baseline, best and range. columns: both tables' statistics and the shape score
    of each column. pairs: the trend score of each pair of columns.
    """
    tell = on_progress or (lambda stage, done: None)
    rng = generator(seed)
    order = rng.permutation(len(real))
    halves = [real.iloc[np.sort(order[start::2][:MOST])].reset_index(drop=True) for start in (0, 1)]
    sides = [(subsample(real, MOST, rng), subsample(synthetic, MOST, rng)), (halves[0], halves[1])]
    reports, figures = [], []
    for number, (a, b) in enumerate(sides):
        tell("likeness", number / 2)
        reports.append(quality(a, b, schema))
        seen = [subsample(frame, TOLD, rng) for frame in (a, b)]
        figures.append(
            {name: reports[-1][name] for name in RANGES if name in reports[-1]}
            | {"correlation_difference": correlation_difference(a, b, schema)}
            | {model: detection(seen[0], seen[1], schema, model, seed=seed) for model in DETECTORS}
        )
    wrong = impossible(synthetic, schema)
    measures = {
        name: {"value": figures[0][name], "baseline": figures[1][name], "best": best, "range": [low, high]}
        for name, (best, low, high) in RANGES.items()
    }
    return {
        "quality": {
            "sdmetrics": reports[0]["sdmetrics"],
            "pairs": reports[0]["pairs"],
            "pairs_all": reports[0]["pairs_all"],
            "impossible": sum(wrong.values()),
            **{name: entry for name, entry in measures.items() if name not in DETECTORS},
        },
        "detection": {model: measures[model] for model in DETECTORS},
        "columns": [
            entry
            | {
                "shape": reports[0]["shapes"].get(entry["column"]),
                "shape_baseline": reports[1]["shapes"].get(entry["column"]),
                "impossible": wrong[entry["column"]],
            }
            for entry in statistics(sides[0][0], sides[0][1], schema)
        ],
        "pairs": [
            pair | {"baseline": other["score"]}
            for pair, other in zip(reports[0]["trends"], reports[1]["trends"], strict=True)
        ],
    }


def draw(
    output: Path, real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, seed: int
) -> list[tuple[str, Path]]:
    """The pictures, each with what it shows."""
    found = []
    drawn = save_columns(output / "columns.png", real, synthetic, schema)
    total = len(schema.learnt)
    of_all = "" if drawn == total else f", the first {drawn} of {total}"
    found.append((f"Columns: share of rows{of_all}", output / "columns.png"))
    save_correlations(output / "correlations.png", real, synthetic, schema)
    found.append(
        ("Pairs of columns: Pearson, correlation ratio, Cramér's V", output / "correlations.png"),
    )
    if save_pairs(output / "pairs.png", real, synthetic, schema, seed=seed):
        found.append(("Pairs of numbers", output / "pairs.png"))
    save_maps(output / "maps.png", real, synthetic, schema, seed=seed)
    found.append(("Maps of rows: principal components and t-SNE, at most 1,000 rows of each kind", output / "maps.png"))
    return found
