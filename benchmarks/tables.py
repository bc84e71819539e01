"""The worked cases of tables: every preset on Adult, on the diabetes indicators and on credit fraud.

    python data_scripts/make_tables.py -o tables/
    python benchmarks/tables.py [adult|diabetes|fraud|fraud-check ...] [--only default] [--budget 15min] [--show]

Each cell, a case and a preset, is made by the command lines that a user has: train, export, sample, evaluate; what each
took is noted. What is done is kept in runs/tables, a folder a cell, and a run that was stopped goes on where it was.

    adult      all rows; quality, boosting trained on synthetic rows and tested on adult-test.csv, detection, privacy
    diabetes   the positive rows only; 100,000 are drawn; detection, quality, values that cannot be
    fraud      the 50 known frauds only; average precision on fraud-test.csv of a detector that learnt from
               fraud-train.csv alone, with frauds by SMOTE, by ADASYN, and from the generator
    fraud-check  the same on fraud-check.csv, by which to choose
"""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import click
from oversampling import ARMS, LEARNERS, augmentation

from ecgsynth.core.files import read_json, write_json
from ecgsynth.core.spread import with_spread
from ecgsynth.core.tables import read_table
from ecgsynth.tabular.metrics.likeness import impossible, statistics
from ecgsynth.tabular.models.registry import ROWS, names
from ecgsynth.tabular.schema.schema import Schema

HERE = Path(__file__).resolve().parents[1]
FOLDER = HERE / "runs" / "tables"
PRESETS = names(ROWS)
CASES = ("adult", "diabetes", "fraud", "fraud-check")
BUDGETS = {
    "adult": "2min",
    "diabetes": "2min",
    "fraud": "20s",
    "fraud-check": "20s",
}  # of training, the same for every preset
POSITIVE = 100_000  # rows drawn of the diabetes table
ADDED = 450  # frauds added to the 50 known ones
REPEATS = 5  # of the fraud detectors
SHOWN = ("BMI", "MentHlth", "PhysHlth")  # columns whose distributions are kept side by side
HEADS = {
    "adult": "| preset | shapes | trends | quality | TSTR AUC | TRTR AUC | detection, logistic | boosting | DCR share "
    "| copies | train | rows/s |",
    "diabetes": "| preset | shapes | trends | quality | detection, logistic | boosting | DCR share | impossible "
    "| train | rows/s |",
    "fraud": "| preset | detector | none | SMOTE | ADASYN | synthetic | train |",
}
HEADS["fraud-check"] = HEADS["fraud"]


def ecgsynth(*arguments: Any) -> float:
    """Run one command line as a user would, shown before it is run; the seconds that it took."""
    words = [str(argument) for argument in arguments]
    click.echo(f"$ ecgsynth {' '.join(words)}")
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-P", "-c", "from ecgsynth.cli.main import main; main()", *words], check=False
    )
    if done.returncode:
        raise click.ClickException(f"'ecgsynth {words[0]}' failed; what was done before it is kept")
    return time.monotonic() - started


def trained(table: Path, cell: Path, preset: str, budget: str, where: tuple[str, ...] = ()) -> float:
    """Train and export what is not yet: the seconds that training took, of the run that ended."""
    run, model = cell / "run", cell / "model.onnx"
    if not model.exists():
        resume = ["--resume"] if run.exists() else []
        chosen = [word for condition in where for word in ("--where", condition)]
        spent = ecgsynth("train", "table", table, "-o", run, "--model", preset, "--budget", budget, *chosen, *resume)
        write_json(cell / "spent.json", {"train_s": round(spent, 1)})
        ecgsynth("export", run, "-o", model)
    return float(read_json(cell / "spent.json")["train_s"])


def sampled(cell: Path, n: int) -> tuple[Path, float]:
    """The file of ``n`` rows of the seed 1, and rows a second, start and writing included."""
    file = cell / "synthetic.csv"
    return file, n / ecgsynth("sample", cell / "model.onnx", "-n", n, "--seed", 1, "-o", file, "--force")


def adult(tables: Path, cell: Path, preset: str, budget: str) -> dict[str, Any]:
    """Adult: as many rows as it has, evaluated against it and tested on adult-test.csv."""
    spent = trained(tables / "adult.csv", cell, preset, budget)
    _, speed = sampled(cell, 32_561)
    ecgsynth(
        *("evaluate", cell / "model.onnx", "--real", tables / "adult.csv", "--test", tables / "adult-test.csv"),
        *("--target", "class", "--run", cell / "run", "-o", cell / "report", "--force"),
    )
    return likeness(cell) | {"train_s": spent, "rows_s": round(speed)}


def diabetes(tables: Path, cell: Path, preset: str, budget: str) -> dict[str, Any]:
    """The positive rows of the diabetes table: POSITIVE synthetic ones, checked against the schema of the real ones."""
    positive = ("Diabetes_binary=1",)
    spent = trained(tables / "diabetes.csv", cell, preset, budget, positive)
    file, speed = sampled(cell, POSITIVE)
    ecgsynth(
        *("evaluate", cell / "model.onnx", "--real", tables / "diabetes.csv", "--run", cell / "run"),
        *("-o", cell / "report", "--force"),
    )
    real, made = table_of(tables / "diabetes.csv"), table_of(file)
    real = real[real["Diabetes_binary"] == 1].reset_index(drop=True)
    schema = Schema.infer(table_of(tables / "diabetes.csv"))
    beside = [entry for entry in statistics(real, made, schema) if entry["column"] in SHOWN]
    wrong = impossible(made, schema)
    return likeness(cell) | {
        "impossible": sum(wrong.values()),
        "columns": beside,
        "train_s": spent,
        "rows_s": round(speed),
    }


def fraud(tables: Path, cell: Path, preset: str, budget: str, part: str = "test") -> dict[str, Any]:
    """Fraud: a generator of the known frauds, and detectors that learn with and without what it makes."""
    spent = trained(tables / "fraud-train.csv", cell, preset, budget, ("Class=1",))
    file, _ = sampled(cell, ADDED * REPEATS)
    learn, test, extra = (table_of(path) for path in (tables / "fraud-train.csv", tables / f"fraud-{part}.csv", file))
    schema = Schema.infer(learn)
    how: dict[str, Any] = {"added": ADDED, "repeats": REPEATS}
    found = {
        learner: augmentation(learn, extra, test, schema, "Class", 1, learner=learner, **how) for learner in LEARNERS
    }
    return found | {"train_s": spent}


def table_of(path: Path) -> Any:
    return read_table(path)[0]


def likeness(cell: Path) -> dict[str, Any]:
    """The figures of a report that stand in the table."""
    measured = read_json(cell / "report" / "metrics.json")
    return {name: measured[name] for name in ("quality", "detection", "utility", "privacy") if name in measured}


# ---- the tables


def rows_of(case: str) -> list[list[str]]:
    """A row for each preset that is done; first, what real rows reach."""
    done = [(preset, FOLDER / f"{case}-{preset}" / "row.json") for preset in PRESETS]
    found = [(preset, read_json(path)) for preset, path in done if path.exists()]
    if case.startswith("fraud"):
        return [
            [preset, learner, *(spread(row[learner][arm]) for arm in ARMS), minutes(row["train_s"])]
            for preset, row in found
            for learner in LEARNERS
        ]
    rows = [figures("real", found[0][1], "baseline")] if found else []
    return rows + [figures(preset, row, "value") for preset, row in found]


def figures(preset: str, row: dict[str, Any], key: str) -> list[str]:
    """A row of Adult's or the diabetes table; ``key`` "baseline": what real rows reach in their place."""
    real = key == "baseline"
    near = row["privacy"]
    cells = [short(row["quality"][name][key]) for name in ("column_shapes", "column_pair_trends", "quality")]
    if "utility" in row:
        cells += [
            spread(row["utility"]["TRTR" if real else "TSTR"]["roc_auc"]),
            spread(row["utility"]["TRTR"]["roc_auc"]),
        ]
    cells += [short(row["detection"][name][key]) for name in ("logistic", "boosting")]
    cells.append(short(near["dcr_share_unseen" if real else "dcr_share"]))
    if "utility" in row:
        cells.append(f"{near['copies_share_unseen' if real else 'copies_share']:.2%}")
    else:
        cells.append("-" if real else f"{row['impossible']:,}")
    return [preset, *cells, *(["-", "-"] if real else [minutes(row["train_s"]), f"{row['rows_s']:,}"])]


def short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def spread(value: dict[str, Any]) -> str:
    return "-" if value["mean"] is None else with_spread(value["mean"], value["std"])


def minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"


def table(case: str) -> str:
    """What is done of a case, as Markdown."""
    head = HEADS[case]
    lines = [f"| {' | '.join(cells)} |" for cells in rows_of(case)]
    first = FOLDER / f"{case}-{PRESETS[0]}" / "row.json"
    sides = side_by_side(read_json(first)["columns"]) if case == "diabetes" and first.exists() else []
    return "\n".join([f"{case}:", "", head, "|" + "---|" * (head.count("|") - 1), *lines, "", *sides])


def side_by_side(columns: list[dict[str, Any]]) -> list[str]:
    """The distributions of some columns of the first preset: real / synthetic."""
    shares = ("0.05", "0.25", "0.5", "0.75", "0.95")
    heads = ["column", "mean", "deviation", *(f"{float(share):.0%}" for share in shares), "commonest value"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for entry in columns:
        sides = [entry["real"], entry["synthetic"]]
        cells = [" / ".join(f"{side[name]:.2f}" for side in sides) for name in ("mean", "sd")]
        cells += [" / ".join(f"{side['quantiles'][share]:g}" for side in sides) for share in shares]
        value = next(iter(sides[0]["spikes"]), None)
        often = " / ".join(f"{side['spikes'][value]:.1%}" for side in sides) if value is not None else "-"
        lines.append(f"| {' | '.join([entry['column'], *cells, f'{value}: {often}'])} |")
    return [*lines, ""]


@click.command()
@click.argument("cases", nargs=-1, type=click.Choice(CASES))
@click.option("--only", multiple=True, type=click.Choice(PRESETS), help="Presets to run; by default all.")
@click.option("--budget", help="Of training a preset, such as 2min; by default what suits the case.")
@click.option("--show", "show_only", is_flag=True, help="Print what is done, and do no more.")
@click.option(
    "--tables",
    default=Path(os.environ.get("ECGSYNTH_TABLES", HERE / "tables")),
    type=click.Path(path_type=Path),
    help="The folder that make_tables.py made.",
)
def main(cases: tuple[str, ...], only: tuple[str, ...], budget: str | None, tables: Path, *, show_only: bool) -> None:
    make = {"adult": adult, "diabetes": diabetes, "fraud": fraud, "fraud-check": partial(fraud, part="check")}
    for case in cases or CASES:
        for preset in only or PRESETS:
            cell = FOLDER / f"{case}-{preset}"
            if show_only or (cell / "row.json").exists():
                continue
            cell.mkdir(parents=True, exist_ok=True)
            write_json(cell / "row.json", make[case](tables, cell, preset, budget or BUDGETS[case]))
        click.echo(table(case))


if __name__ == "__main__":
    main()
