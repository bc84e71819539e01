"""Everything that is measured of a generator of tables, in one folder: metrics.json, pictures, a report."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgsynth.core.files import check_free, write_json
from ecgsynth.errors import ConfigError
from ecgsynth.metrics.progress import Tell, part, silent

from .audit import audit_rows
from .encoding.canonical import subsample
from .metrics.attacks import MOST_ROWS as NEAR_ROWS
from .metrics.attacks import privacy
from .metrics.quality import MOST_ROWS
from .metrics.tables import DETECTED_ROWS, fidelity
from .metrics.utility import utility
from .real import Sampler, Split, real_rows, schema_of
from .report.figures import save_columns, save_correlations, save_maps, save_pairs
from .report.page import write_report
from .schema.schema import Schema

__all__ = ["evaluate_table"]

REPEATS = 3  # of the utility test


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

    Parameters
    ----------
    sampler
        The generator.
    real
        The table that it was given, of which it held some rows out.
    output
        The folder to make, with metrics.json, report.html and pictures.
    test
        A table of other rows for the utility test; without it, the held-out rows serve.
    target
        The column that the utility test predicts.
    repeats
        Times that the utility test is made, 3 unless given.
    seed
        Draws rows, and splits the table where its run folder is not known.
    run
        The generator's run folder, which knows by what seed the table was split and whether it is that table.
    force
        Replace what an evaluation left there before.
    split
        ``split(n, seed, share, owners)`` says which rows were held out; synthesizer.split_rows, unless given.
    on_progress
        ``on_progress(stage, done)`` is called with the share that is done, 0 to 1.

    Returns
    -------
    What stands in metrics.json.

    Raises
    ------
    DataError
        For a table of other columns.
    ArtifactError
        For a folder in the way.
    ConfigError
        For fewer repeats than one.

    """
    output, tell = Path(output), on_progress or silent
    check_free(output, force=force)
    repeats = REPEATS if repeats is None else repeats
    if repeats < 1:
        raise ConfigError(f"the utility test must be repeated at least once, got {repeats}")
    schema = schema_of(sampler.manifest.columns)
    rows = real_rows(sampler, schema, real, test, run, seed, split)
    tell("likeness", 0.02)
    synthetic = sampler.sample(min(len(rows.whole), MOST_ROWS), seed=seed)
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
        "caps": {"quality": MOST_ROWS, "detection": DETECTED_ROWS, "distances": NEAR_ROWS},
        "same_table": rows.same_table,
    } | fidelity(rows.whole, synthetic, schema, seed=seed, on_progress=part(tell, 0.02, 0.43))
    if target is not None:
        measured["utility"] = utility(
            rows.learn,
            rows.unseen if rows.test is None else rows.test,
            lambda n, number: sampler.sample(n, seed=number),
            schema,
            target,
            repeats=repeats,
            seed=(seed + 1) % 2**64,  # rows of the likeness' seed are not drawn again
            on_progress=part(tell, 0.45, 0.3),
        ) | {"test": "held-out rows" if rows.test is None else "test table"}
    tell("distances", 0.75)
    released = subsample(synthetic, NEAR_ROWS, generator(seed))
    measured["privacy"] = privacy(released, rows.learn, rows.unseen, schema, owners=rows.owners, seed=seed)
    tell("attacks", 0.8)
    measured["audit"] = audit_rows(sampler, rows, schema, seed=seed, on_progress=part(tell, 0.8, 0.08))
    tell("pictures", 0.88)
    pictures = draw(output, subsample(rows.whole, MOST_ROWS, generator(seed)), synthetic, schema, seed)
    write_json(output / "metrics.json", measured)
    write_report(output / "report.html", measured, sampler.manifest, pictures)
    tell("done", 1.0)
    return measured


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


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
