"""GAIN beside the mean and the nearest neighbours, on tables of which one value in five was taken out at random.

    python data_scripts/make_tables.py -o tables/
    python benchmarks/imputation.py [adult|diabetes|fraud ...] [--tables tables/] [--epochs N]

Of each table the first ROWS rows in random order, with holes everywhere (missing completely at random, as in Yoon,
Jordon and van der Schaar 2018, section 5): all three learn from them and fill them. GAIN by the command lines that a
user has. The mean of a number, and the commonest category; the mean of the NEIGHBOURS nearest rows, and their
commonest category, by the distance of what both rows have (scikit-learn's KNNImputer, on numbers from 0 to 1 and
one-hots). Prints the RMSE of numbers scaled to 0 to 1, over all holes, and the share of categories found again.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import pandas as pd
from sklearn.impute import KNNImputer

from ecgsynth.core.tables import read_table
from ecgsynth.tabular.encoding.canonical import canonical
from ecgsynth.tabular.schema.schema import Schema

HERE = Path(__file__).resolve().parents[1]
TABLES = {"adult": "adult.csv", "diabetes": "diabetes.csv", "fraud": "fraud.csv"}
ROWS = 8_000
HOLES = 0.2  # share of the values
NEIGHBOURS = 10


def ecgsynth(*arguments: object) -> None:
    words = [str(argument) for argument in arguments]
    subprocess.run([sys.executable, "-P", "-c", "from ecgsynth.cli.main import main; main()", *words], check=True)


def by_gain(holed: pd.DataFrame, epochs: int | None) -> pd.DataFrame:
    """What a user gets who trains on the table with holes and fills it."""
    with tempfile.TemporaryDirectory() as folder:
        table, run, done = (Path(folder) / name for name in ("holes.csv", "run", "filled.csv"))
        holed.to_csv(table, index=False)
        more = [] if epochs is None else ["--epochs", epochs]
        ecgsynth("train", "table", table, "--model", "gain", "-o", run, *more)
        ecgsynth("impute", table, "--model", run, "-o", done)
        return read_table(done)[0]


def by_mean(holed: pd.DataFrame, numbers: list[str]) -> pd.DataFrame:
    """The mean of a number, the commonest category."""
    middle = {name: holed[name].mean() if name in numbers else holed[name].mode()[0] for name in holed}
    return holed.fillna(middle)


def by_neighbours(holed: pd.DataFrame, numbers: list[str]) -> pd.DataFrame:
    """What the nearest rows have; numbers are from 0 to 1."""
    parts = [holed[numbers].to_numpy(dtype=np.float64)]
    levels = {name: holed[name].dropna().unique() for name in holed if name not in numbers}
    for name, known in levels.items():
        one_hot = (holed[name].to_numpy()[:, None] == known[None, :]).astype(np.float64)
        one_hot[holed[name].isna()] = np.nan
        parts.append(one_hot / np.sqrt(2))  # two categories are as far apart as 0 and 1
    filled = KNNImputer(n_neighbors=NEIGHBOURS, keep_empty_features=True).fit_transform(np.hstack(parts))
    found = pd.DataFrame(filled[:, : len(numbers)], columns=numbers)
    start = len(numbers)
    for name, known in levels.items():
        found[name] = known[filled[:, start : start + len(known)].argmax(1)]
        start += len(known)
    return found


def errors(whole: pd.DataFrame, filled: pd.DataFrame, holes: pd.DataFrame, numbers: list[str]) -> tuple[float, float]:
    """RMSE of the numbers, and share of the categories found again, over the holes."""
    off = (filled[numbers] - whole[numbers]).to_numpy()[holes[numbers].to_numpy()]
    others = [name for name in whole if name not in numbers]
    same = (filled[others] == whole[others]).to_numpy()[holes[others].to_numpy()]
    return float(np.sqrt(np.mean(off**2))), float(same.mean()) if len(same) else float("nan")


def compare(path: Path, epochs: int | None) -> dict[str, tuple[float, float, float]]:
    """RMSE, share of categories and seconds of each way, on one table."""
    rng = np.random.default_rng(0)
    frame = read_table(path)[0].dropna()
    frame = frame.iloc[rng.permutation(len(frame))[:ROWS]].reset_index(drop=True)
    schema = Schema.infer(frame)
    numbers = list(schema.numbers)
    whole = canonical(frame, schema)
    lows, spans = whole[numbers].min(), whole[numbers].max() - whole[numbers].min()
    holes = pd.DataFrame(rng.random(whole.shape) < HOLES, columns=whole.columns)
    whole[numbers] = (whole[numbers] - lows) / spans
    holed = whole.mask(holes)

    def gain() -> pd.DataFrame:
        made = canonical(by_gain(frame.mask(holes), epochs), schema)
        made[numbers] = (made[numbers] - lows) / spans
        return made

    found = {}
    ways = {"mean": lambda: by_mean(holed, numbers), "neighbours": lambda: by_neighbours(holed, numbers), "gain": gain}
    for name, way in ways.items():
        started = time.monotonic()
        found[name] = (*errors(whole, way(), holes, numbers), time.monotonic() - started)
    return found


@click.command()
@click.argument("tables", nargs=-1, type=click.Choice(tuple(TABLES)))
@click.option(
    "--tables",
    "folder",
    default=Path(os.environ.get("ECGSYNTH_TABLES", HERE / "tables")),
    type=click.Path(path_type=Path),
    help="The folder that make_tables.py made.",
)
@click.option("--epochs", type=int, help="Of GAIN; by default its own number.")
def main(tables: tuple[str, ...], folder: Path, epochs: int | None) -> None:
    rows = []
    for name in tables or TABLES:
        for way, (rmse, same, seconds) in compare(folder / TABLES[name], epochs).items():
            rows.append(f"| {name} | {way} | {rmse:.4f} | {same:.3f} | {seconds:.0f} |")
    click.echo("\n".join(["| table | filled by | RMSE | categories found again | s |", "|---|---|---|---|---|", *rows]))


if __name__ == "__main__":
    main()
