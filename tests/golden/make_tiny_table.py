"""Make the golden generator of rows and what rows of seed 7 it has to draw, for ever.

    .venv/bin/python -P tests/golden/make_tiny_table.py

It writes tiny_table.onnx and tiny_table.json beside itself. The weights come from numpy's Philox and nobody trained
them; the expected rows come from torch. Make them again only with a new version of the contract: a seed that someone
wrote down must keep its meaning.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgsynth.tabular.encoding.encoding import Encoding
from ecgsynth.tabular.models.autoregressive import AutoregressiveConfig, AutoregressiveModel
from ecgsynth.tabular.models.row_sampler import RowSampler
from ecgsynth.tabular.schema.schema import Column, Schema
from ecgsynth.tabular.synthesizer import TableSynthesizer
from ecgsynth.tabular.training.info import About, TableInfo, TablePrivate, TrainingInfo

HERE = Path(__file__).resolve().parent
SEED, ROWS, LEARNT = 7, 12, 100

SCHEMA = Schema(
    (
        Column(name="id", kind="identifier", dtype="string", format="P-[0-9]{4}"),
        Column(name="age", kind="integer", dtype="int64", minimum=18, maximum=90, missing=True),
        Column(name="visits", kind="integer", dtype="int64", minimum=0, maximum=9, spikes=(0.0,)),
        Column(name="bmi", kind="continuous", dtype="float64", minimum=15, maximum=45, decimals=1, missing=True),
        Column(name="dose", kind="continuous", dtype="float64", minimum=0, maximum=1),
        Column(name="born", kind="datetime", dtype="string", minimum=-9000, maximum=9000, unit="D", format="%d.%m.%Y"),
        Column(name="seen", kind="datetime", dtype="datetime64", minimum=0, maximum=2e9, unit="s", missing=True),
        Column(name="day", kind="datetime", dtype="int64", minimum=0, maximum=9000, unit="D", format="%Y%m%d"),
        Column(name="ward", kind="categorical", dtype="string", categories=("A & E", "north", "1"), missing=True),
        Column(name="grade", kind="categorical", dtype="float64", categories=(1.0, 2.0, 2.5)),
        Column(name="smoker", kind="boolean", dtype="bool", categories=(False, True)),
    )
)


def learnt() -> dict[str, NDArray[Any]]:
    """Canonical columns of that schema."""
    rng = np.random.Generator(np.random.Philox(1))
    numbers = {
        "age": rng.integers(18, 90, LEARNT).astype(float),
        "visits": np.maximum(rng.integers(-9, 10, LEARNT), 0).astype(float),
        "bmi": rng.uniform(15, 45, LEARNT).round(1),
        "dose": rng.uniform(0, 1, LEARNT),
        "born": rng.integers(-9000, 9000, LEARNT).astype(float),
        "seen": rng.integers(0, 2 * 10**9, LEARNT).astype(float),
        "day": rng.integers(0, 9000, LEARNT).astype(float),
    }
    codes = {
        "ward": rng.integers(-1, 3, LEARNT),
        "grade": rng.integers(0, 3, LEARNT),
        "smoker": rng.integers(0, 2, LEARNT),
    }
    for name in ("age", "bmi", "seen"):
        numbers[name][rng.random(LEARNT) < 0.25] = np.nan
    return {**numbers, **codes}


def tiny() -> TableSynthesizer:
    """A generator of every kind of column; nobody trained it."""
    rng = np.random.Generator(np.random.Philox(0))
    encoding = Encoding.fit(SCHEMA, learnt(), "cells", np.random.default_rng(0))
    config = AutoregressiveConfig(
        sizes=encoding.sizes, positioned=encoding.positioned, askable=encoding.askable, hidden=4
    )
    model = AutoregressiveModel(config, encoding.shares)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.from_numpy(rng.normal(size=tuple(parameter.shape)) / 2))
    about = About(
        data=TableInfo(source={"name": "random weights"}, rows=LEARNT, training_rows=LEARNT, private=TablePrivate()),
        training=TrainingInfo(model="default", config={"seed": 0}),
    )
    return TableSynthesizer(SCHEMA, RowSampler(model, encoding), about)


def plain(rows: dict[str, NDArray[Any]]) -> dict[str, list[Any]]:
    """Columns as JSON has them: times as text, None where missing."""
    content = {}
    for name, column in rows.items():
        texts = column.astype(str) if column.dtype.kind == "M" else column
        content[name] = [None if value != value or str(value) == "NaT" else value for value in texts.tolist()]
    return content


def main() -> None:
    """Write both files."""
    made = tiny()
    made.export(HERE / "tiny_table.onnx", force=True)
    content = {"seed": SEED, "rows": plain(made.rows(ROWS, seed=SEED))}
    (HERE / "tiny_table.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
