"""The whole evaluation of a small table: figures that are known, notes that are due, a page that stands alone."""

import json
import re
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ecgsynth.errors import ArtifactError, ConfigError, DataError
from ecgsynth.export.manifest import TableColumn
from ecgsynth.tabular.encoding.canonical import fingerprint
from ecgsynth.tabular.evaluation import evaluate_table
from ecgsynth.tabular.real import schema_of
from ecgsynth.tabular.report.page import table_text
from ecgsynth.tabular.schema.schema import Column, Schema
from ecgsynth.training.run_folder import RunFolder

SCHEMA = Schema(
    columns=(
        Column(name="key", kind="identifier", dtype="string", format="P-####"),
        Column(name="height <m>", kind="continuous", dtype="float64", minimum=-9.0, maximum=9.0, missing=True),
        Column(name="days", kind="integer", dtype="int64", minimum=0.0, maximum=30.0),
        Column(name="ill", kind="categorical", dtype="string", categories=("no", "yes")),
        Column(name="born", kind="datetime", dtype="string", format="%Y-%m-%d", unit="D", minimum=0.0, maximum=9e4),
    )
)
ROWS = 160
KEYS = Path(__file__).resolve().parents[1] / "golden" / "metrics_keys.json"


def table(seed, n=ROWS):
    rng = np.random.default_rng(seed)
    height = rng.normal(size=n)
    born = pd.to_datetime("1980-01-01") + pd.to_timedelta(rng.integers(0, 5000, n), unit="D")
    return pd.DataFrame(
        {
            "key": [f"P-{place:04d}" for place in range(n)],
            "height <m>": np.where(rng.random(n) < 0.1, np.nan, height),
            "days": np.where(rng.random(n) < 0.7, 0, rng.integers(1, 31, n)),
            "ill": np.where(height > 0, "yes", "no"),
            "born": born.strftime("%Y-%m-%d"),
        }
    )


def split(n, seed, share, owners=None):
    order = np.random.default_rng(seed).permutation(n)
    cut = round(share * n)
    return np.sort(order[cut:]), np.sort(order[:cut])


def run_of(folder, frame, **private):
    """A run folder that learnt from this table."""
    run = RunFolder(folder)
    run.write_config(
        {"data": {"private": {"split_seed": 0, **private, "digest": run.digest(fingerprint(frame, SCHEMA))}}}
    )
    return folder


class Fake:
    """A generator that knows the truth; with ``rows``, one that repeats them."""

    path = "folder/fake.onnx"

    def __init__(self, rows=None, **data):
        known = {"rows": ROWS, "validation_share": 0.2}
        names = {field.name for field in fields(Column)} & {field.name for field in fields(TableColumn)}
        progress = ({name: getattr(column, name) for name in names} for column in SCHEMA.columns)
        columns = tuple(TableColumn(**facts, output="column_0") for facts in progress)
        self.manifest = SimpleNamespace(
            columns=columns, data=known | data, training={"model": "fake", "config": {}}, metrics={"score": 0.5}
        )
        self.rows = rows
        self.drawn = []

    def sample(self, n, where=None, seed=0):
        self.drawn.append((n, seed))
        if self.rows is None:
            return table(1000 + seed, n)
        return self.rows.iloc[np.arange(n) % len(self.rows)].reset_index(drop=True)


@pytest.fixture
def unpictured(monkeypatch):
    """Without pictures, which take longest."""
    monkeypatch.setattr("ecgsynth.tabular.evaluation.draw", lambda *_: [])


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "deep"
    run = run_of(tmp_path_factory.mktemp("run"), table(0))
    progress = []
    sampler = Fake()
    measured = evaluate_table(
        sampler,
        table(0),
        folder,
        test=table(1, 100),
        target="ill",
        repeats=2,
        run=run,
        split=split,
        on_progress=lambda stage, done: progress.append((stage, done)),
    )
    return SimpleNamespace(folder=folder, measured=measured, progress=progress, drawn=sampler.drawn)


def test_a_generator_that_knows_the_truth_is_as_good_as_real_rows(honest):
    found = honest.measured
    assert found["model"] == "fake.onnx"
    assert found["same_table"]
    assert found["rows"] == {"real": 160, "learnt": 128, "held_out": 32, "synthetic": 160, "test": 100}
    for name in ("quality", "column_shapes", "diagnostic", "data_structure"):
        entry = found["quality"][name]
        assert entry["value"] > 0.85, name
        assert abs(entry["value"] - entry["baseline"]) < 0.1, name
    assert found["quality"]["impossible"] == 0
    assert found["detection"]["logistic"]["value"] == pytest.approx(0.5, abs=0.12)
    assert found["utility"]["TSTR"]["roc_auc"]["mean"] > 0.9
    assert found["privacy"]["copies"] == 0
    assert found["privacy"]["dcr_share"] == pytest.approx(0.5, abs=0.15)
    assert [entry["column"] for entry in found["columns"]] == ["height <m>", "days", "ill", "born"]
    assert len(found["pairs"]) == 6


def test_other_rows_are_drawn_for_each_purpose(honest):
    assert honest.drawn[0] == (160, 0)
    assert [n for n, _ in honest.drawn[1:]] == [128, 128, 5000]  # the last for the audit
    assert [seed for _, seed in honest.drawn] == [0, 1, 2, 2**32]


def test_progress_goes_from_nothing_to_all(honest):
    done = [share for _, share in honest.progress]
    assert done == sorted(done)
    assert honest.progress[-1] == ("done", 1.0)


def test_what_is_written(honest):
    assert json.loads((honest.folder / "metrics.json").read_text()) == honest.measured
    pictures = {path.name for path in honest.folder.glob("*.png")}
    assert pictures == {"columns.png", "correlations.png", "pairs.png", "maps.png"}
    page = (honest.folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    assert "height &lt;m&gt;" in page
    assert "height <m>" not in page
    assert "1980-" in page  # quantiles of a date are dates
    for title in ("Usefulness", "Likeness", "Privacy", "Columns, side by side", "The generator"):
        assert f"<h2>{title}" in page


def test_every_key_is_there_still(honest):
    """tests/report/test_metrics_keys.py says the same of windows."""
    found = honest.measured
    for path in json.loads(KEYS.read_text(encoding="utf-8"))["table"]:
        place = found
        for key in path.split("."):
            assert key in place, path
            place = place[key]


def test_the_text_for_the_terminal(honest):
    text = table_text(honest.measured)
    for line in (
        r"ill, tested on 100 real rows +TRTR +TSTR +both",
        r"  ROC AUC +0\.9\d\d ± 0\.\d{3} +0\.9",
        r"  quality \(SDMetrics\) +0\.\d+ +0\.\d+ +1",
        r"  values that cannot be +0 +- +0",
        r"  rows that equal one learnt from +0\.00% +0\.00%",
        r"  membership attack on rows, AUC \(0\.5 is best\) +0\.\d{3} ± 0\.\d{3}",
        r"note: SDMetrics \d",
    ):
        assert re.search(f"^{line}", text, re.MULTILINE), line
    assert "another table" not in text
    assert max(map(len, text.splitlines()[:20])) <= 120


def test_a_generator_that_copies_is_found_out(tmp_path, unpictured):
    learn, _ = split(ROWS, 0, 0.2)
    rows = table(0).iloc[learn].reset_index(drop=True)
    run = run_of(tmp_path / "run", table(0))
    found = evaluate_table(Fake(rows), table(0), tmp_path / "r", run=run, split=split, seed=3)
    assert "utility" not in found
    assert found["privacy"]["copies_share"] == 1
    assert found["privacy"]["copies_share_unseen"] == 0
    assert found["privacy"]["closer_share"] > 0.99
    assert found["privacy"]["dcr_share"] > 0.6  # a fourth of the rows learnt from stands beside the held-out ones
    assert found["privacy"]["membership_auc"] > 0.99


def test_another_table_is_told_from_that_which_was_learnt(tmp_path, unpictured):
    run = run_of(tmp_path / "run", table(0))
    found = evaluate_table(Fake(rows=table(5)), table(2), tmp_path / "a", run=run, split=split)
    assert found["same_table"] is False
    assert "another table" in table_text(found)
    found = evaluate_table(Fake(rows=table(5)), table(2), tmp_path / "b", split=split)
    assert found["same_table"] is None
    assert "its run folder knows (--run)" in table_text(found)


def test_a_generator_of_some_rows_is_measured_against_those(tmp_path, unpictured):
    found = evaluate_table(
        Fake(table(5)[lambda frame: frame["ill"] == "yes"]),
        table(0),
        tmp_path / "r",
        run=run_of(tmp_path / "run", table(0)[lambda frame: frame["ill"] == "yes"], where={"ill": "yes"}),
        split=split,
    )
    assert found["same_table"]
    assert found["rows"]["real"] == (table(0)["ill"] == "yes").sum()
    assert found["columns"][2]["real"]["shares"] == {"yes": 1.0}


def test_a_table_of_one_column_has_no_pairs(tmp_path, unpictured):
    sampler = Fake()
    sampler.manifest.columns = sampler.manifest.columns[2:3]
    found = evaluate_table(sampler, table(0)[["days"]], tmp_path / "r", split=split)
    assert found["pairs"] == []
    assert found["quality"]["column_pair_trends"]["value"] is None
    assert found["quality"]["quality"]["value"] == found["quality"]["column_shapes"]["value"]
    assert "  column pair trends" in table_text(found)


def test_the_held_out_rows_serve_where_there_is_no_test_table(tmp_path, unpictured):
    found = evaluate_table(Fake(), table(0), tmp_path / "r", target="days", repeats=1, split=split)
    assert found["utility"]["test_rows"] == 32
    assert found["utility"]["task"] == "regression"
    assert "no test table was given" in table_text(found)


def test_what_cannot_be_evaluated(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep me")
    with pytest.raises(ArtifactError, match="exists already"):
        evaluate_table(Fake(), table(0), tmp_path / "full", split=split)
    with pytest.raises(DataError, match="days is missing"):
        evaluate_table(Fake(), table(0).drop(columns="days"), tmp_path / "a", split=split)
    with pytest.raises(DataError, match=r"16 rows to learn from and 4 held out"):
        evaluate_table(Fake(), table(0, 20), tmp_path / "a", split=split)
    with pytest.raises(ConfigError, match="at least once, got 0"):
        evaluate_table(Fake(), table(0), tmp_path / "a", repeats=0, split=split)
    with pytest.raises(ArtifactError, match="there is none"):
        evaluate_table(Fake(), tmp_path / "no.csv", tmp_path / "a", split=split)
    assert not (tmp_path / "a").exists()


def test_a_schema_of_a_manifest_s_columns():
    assert schema_of(Fake().manifest.columns) == SCHEMA
