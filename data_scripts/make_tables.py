"""Make the tables of the worked cases from the published files: Adult, diabetes, credit fraud; and a survey.

The first three are real and only brought into the form of a table with a line of names. The survey is made up here: it
is of nobody, and stands for the shape of such tables. What is random is so by ``--seed``.
"""

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.files import atomic, check_free
from ecgsynth.core.identifiers import make
from ecgsynth.core.tables import write_table
from ecgsynth.errors import ArtifactError, DataError, EcgSynthError, require

ADULT = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship"),
    *("race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "class"),
)  # as adult.names has them
DIABETES = "diabetes_binary_health_indicators_BRFSS2015.csv.gz"
FRAUD = "creditcard/creditcard_excerpt.csv.gz"
KNOWN_FRAUDS = 50  # in fraud-train.csv
HALVING = 5  # the seed by which the other rows become those to choose by and those to report on
SURVEY_ROWS = 8000

Table = Callable[[Path, np.random.Generator], dict[str, Any]]  # from the source folder: each file's lines or frame


def adult(source: Path, rng: np.random.Generator) -> dict[str, Any]:
    """Adult, its values without the spaces around them; of the test, no first line and no period behind the class."""
    return {
        "adult.csv": adult_lines(unpacked(source / "adult.data.gz")),
        "adult-test.csv": adult_lines(
            line.rstrip(".") for line in unpacked(source / "adult.test.gz") if not line.startswith("|")
        ),
    }


def adult_lines(lines: Any) -> str:
    rows = [[value.strip() for value in line.split(",")] for line in lines if line.strip()]
    wrong = next((row for row in rows if len(row) != len(ADULT)), None)
    if wrong:
        raise DataError(f"expected {len(ADULT)} values in a line of Adult, got {len(wrong)}: {','.join(wrong)[:60]}")
    return "".join(f"{','.join(row)}\n" for row in [list(ADULT), *rows])


def diabetes(source: Path, rng: np.random.Generator) -> dict[str, Any]:
    """The diabetes indicators as they are, unpacked."""
    return {"diabetes.csv": "".join(f"{line}\n" for line in unpacked(source / DIABETES))}


def fraud(source: Path, rng: np.random.Generator) -> dict[str, Any]:
    """All frauds and all normals of the excerpt; and three parts of them, with few frauds known in the first.

    fraud-train.csv: KNOWN_FRAUDS frauds and half of the normals; the others are halved into fraud-check.csv, by which
    choices are made, and fraud-test.csv. Rows keep their order.
    """
    header, *rows = unpacked(source / FRAUD)
    names = header.split(",")
    rows = [row.rsplit(",", 1)[0] for row in rows]  # without Excerpt, the last
    is_fraud = np.array([row.rsplit(",", 1)[1].strip('"') == "1" for row in rows])
    if names[-2:] != ["Class", "Excerpt"] or is_fraud.sum() <= KNOWN_FRAUDS:
        raise DataError(
            f"expected columns Class and Excerpt and over {KNOWN_FRAUDS} frauds in {FRAUD}; restore the file"
        )
    frauds, normals = rng.permutation(np.flatnonzero(is_fraud)), rng.permutation(np.flatnonzero(~is_fraud))
    train = np.zeros(len(rows), dtype=np.bool_)
    train[frauds[:KNOWN_FRAUDS]] = train[normals[: len(normals) // 2]] = True
    first = ",".join(names[:-1])

    def table(where: NDArray[np.bool_]) -> str:
        return "".join(f"{line}\n" for line in [first, *(rows[place] for place in np.flatnonzero(where))])

    others = np.flatnonzero(~train)
    check = np.zeros(len(rows), dtype=np.bool_)
    check[others[np.random.default_rng(HALVING).permutation(len(others))[: len(others) // 2]]] = True
    parts = {"": train | ~train, "-train": train, "-check": check, "-test": ~train & ~check}
    return {f"fraud{part}.csv": table(where) for part, where in parts.items()}


def survey(source: Path, rng: np.random.Generator) -> dict[str, Any]:
    """A survey of households that nobody answered: made up, with the shape and the dependences of real ones.

    One person a row: a household number, thirteen categories of 2 to about 300 values, a date of birth, the day of the
    interview, children (most have none), days ill (a spike at 0), income (skewed, missing more often where it is high).
    """
    pandas = require("pandas", "making the survey")
    n = SURVEY_ROWS
    sizes = (np.arange(len(PLACES)) + 4.0) ** -0.9  # few large towns and many small ones
    place = rng.choice(len(PLACES), n, p=sizes / sizes.sum())
    region = REGION_OF[place]
    town = place < 20
    age = np.clip(18 + 72 * rng.beta(1.6, 2.2, n), 18, 90)
    sex = rng.choice(["female", "male"], n, p=[0.52, 0.48])
    born = np.datetime64("2024-03-01") - (age * 365.25).astype(int)
    school = pick(rng, SCHOOL, 0.8 + 1.6 * town - 0.02 * (age - 40))
    activity = np.where(
        age > 64,
        "retired",
        np.where((age < 25) & (rng.random(n) < 0.6), "in training", pick(rng, ACTIVITY, 1.0 + 0 * age)),
    )
    works = np.isin(activity, ["employed", "self-employed"])
    trades = rng.permutation([f"{letter}{number:02d}" for letter in "ABCDEF" for number in range(1, 11)])
    trade = np.where(works, trades[np.minimum(rng.geometric(0.07, n) - 1 + 3 * place // 50, 59)], "none")
    married = rng.random(n) < 1 / (1 + np.exp(-(age - 32) / 6))
    status = np.where(married, rng.choice(["married", "divorced", "widowed"], n, p=[0.74, 0.18, 0.08]), "single")
    children = np.where(age > 22, rng.poisson(0.35 + 0.9 * married), 0)
    index = np.array([SCHOOL.index(value) for value in school.tolist()])
    level = 7.0 + 0.18 * index + 0.5 * works + 0.1 * town
    income = np.round(np.exp(level + rng.normal(0, 0.35, n)), 2)
    income[rng.random(n) < np.where(income > np.quantile(income, 0.8), 0.25, 0.06)] = np.nan
    ill = np.where(rng.random(n) < 0.68 - 0.004 * (age - 40), 0, np.minimum(rng.geometric(0.12, n), 30))
    health = np.array(HEALTH)[np.clip(np.round(ill / 9 + rng.normal(0.8, 0.8, n)), 0, 4).astype(int)]
    sizes = np.arange(1, len(LANGUAGES)) ** -1.2
    other = 1 + rng.choice(len(sizes), n, p=sizes / sizes.sum())
    language = np.asarray(LANGUAGES)[np.where(rng.random(n) < 0.08 + 0.12 * town, other, 0)]
    columns = {
        "household": make("HH-[0-9]{6}", range(n), int(rng.integers(2**31))),
        "place": np.array([f"FR-{number:05d}" for number in PLACES])[place],
        "region": region,
        "born": born.astype(str),
        "interviewed": (np.datetime64("2024-03-01") + rng.integers(0, 61, n)).astype(str),
        "sex": sex,
        "status": status,
        "school": school,
        "activity": activity,
        "trade": trade,
        "language": language,
        "housing": np.where(rng.random(n) < np.where(town, 0.35, 0.7), "owned", pick(rng, HOUSING, 0.9 + 0 * age)),
        "heating": pick(rng, HEATING, 0.7 + 0.6 * ~town),
        "transport": np.where(town & (rng.random(n) < 0.6), "public", pick(rng, TRANSPORT, 0.5 + 0 * age)),
        "internet": np.where(rng.random(n) < 0.99 - 0.006 * np.maximum(age - 55, 0), "yes", "no"),
        "health": health,
        "children": children,
        "days_ill": ill,
        "income": income,
    }
    return {"survey.csv": pandas.DataFrame(columns)}


PLACES = np.random.default_rng(7).choice(np.arange(1001, 95_999), 300, replace=False)  # codes, the same for any seed
REGIONS = ("North", "East", "South", "West", "Centre", "Islands")
REGION_OF = np.array(REGIONS)[np.random.default_rng(8).choice(6, 300, p=[0.27, 0.21, 0.22, 0.17, 0.1, 0.03])]
SCHOOL = ["none", "primary", "lower secondary", "upper secondary", "vocational", "bachelor", "master", "doctorate"]
ACTIVITY = ["employed", "self-employed", "at home", "seeking work", "unable to work"]
LANGUAGES = ["French"] + [f"language {number}" for number in range(2, 31)]
HOUSING = ["rented", "social", "with family", "other"]
HEATING = ["gas", "electric", "wood", "oil", "heat pump", "district", "none"]
TRANSPORT = ["car", "public", "bicycle", "on foot", "motorcycle"]
HEALTH = ("very good", "good", "fair", "bad", "very bad")


def pick(rng: np.random.Generator, names: list[str], lean: NDArray[np.float64]) -> NDArray[np.str_]:
    """One of the names for each row; the larger ``lean``, the further down the list, with a thin tail."""
    places = rng.poisson(np.clip(lean, 0.05, None) * (1 + rng.exponential(0.5, len(lean))))
    return np.asarray(names, dtype=np.str_)[np.minimum(places, len(names) - 1)]


TABLES: tuple[Table, ...] = (adult, diabetes, fraud, survey)


def unpacked(path: Path) -> list[str]:
    """The lines of a packed text."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return file.read().splitlines()
    except FileNotFoundError as error:
        raise ArtifactError(
            f"expected {path}, but there is none; name the folder that holds it with --source"
        ) from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path} cannot be unpacked ({error}); restore it") from error


def make_tables(folder: Path, source: Path, seed: int, *, force: bool = False) -> list[Path]:
    """Write every table into a folder, each from a generator of its own, and return their paths."""
    written = []
    for number, table in enumerate(TABLES):
        for name, content in table(source, np.random.default_rng([seed, number])).items():
            path = folder / name
            check_free(path, force=force)
            if isinstance(content, str):
                with atomic(path) as temporary:
                    temporary.write_text(content, encoding="utf-8", newline="\n")
            else:
                write_table(content, path, force=True)
            written.append(path)
    return written


def default_source() -> Path:
    return Path(os.environ.get("ECGSYNTH_DATA") or "../shared/data") / "tabular"


@click.command()
@click.option("-o", "--output", "folder", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    *("--source", "source"),
    type=click.Path(file_okay=False, path_type=Path),
    help="The published files; tabular/ of the folder that ECGSYNTH_DATA names, where not given.",
)
@click.option("--seed", default=0, show_default=True, help="Of the fraud parts and the survey.")
@click.option("--force", is_flag=True, help="Replace tables that are there.")
def main(folder: Path, source: Path | None, seed: int, force: bool) -> None:
    """Make adult.csv, adult-test.csv, diabetes.csv, fraud.csv (with parts to train, check and test) and survey.csv."""
    try:
        written = make_tables(folder, source or default_source(), seed, force=force)
    except EcgSynthError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{len(written)} tables in {folder}: {', '.join(path.name for path in written)}; survey.csv is made up")


if __name__ == "__main__":
    main()
