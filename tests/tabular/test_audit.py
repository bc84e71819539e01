"""The audit of a table: who is a member and who is outside, what it finds, and what it says where it cannot."""

from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ecgsynth.errors import DataError
from ecgsynth.export.manifest import TableColumn
from ecgsynth.report.audit import audit_section, audit_text
from ecgsynth.tabular.audit import FEW, HELD_OUT_ONLY, NO_PERSONS, TEST_OF_MEMBERS, TEST_WITHOUT_PERSONS, audit_table
from ecgsynth.tabular.encoding.canonical import fingerprint
from ecgsynth.tabular.schema.schema import Column, Schema
from ecgsynth.tabular.training.rows import split_rows
from ecgsynth.training.run_folder import RunFolder

NUMBERS = ("a", "b", "c", "d")
SCHEMA = Schema(
    columns=(
        Column(name="who", kind="identifier", dtype="string", format="P-####"),
        *(Column(name=name, kind="continuous", dtype="float64") for name in NUMBERS),
        Column(name="ill", kind="categorical", dtype="string", categories=("no", "yes")),
    )
)


def table(seed, n=200, rows=1, first=0):
    """``rows`` rows of each of ``n`` persons."""
    rng = np.random.default_rng(seed)
    values = np.repeat(rng.normal(size=(n, 4)), rows, axis=0)
    values += 0.3 * rng.normal(size=values.shape) if rows > 1 else 0
    ill = np.where(values[:, 0] + rng.normal(size=len(values)) > 0, "yes", "no")
    who = np.repeat([f"P-{first + number:04d}" for number in range(n)], rows)
    return pd.DataFrame(values, columns=list(NUMBERS)).assign(ill=ill, who=who)


def learnt(frame, person=None):
    """The rows of a table that a generator learns from."""
    owners = None if person is None else pd.factorize(frame[person])[0]
    return frame.iloc[split_rows(len(frame), 0, 0.1, owners)[0]]


class Fake:
    """A generator of a table: ``make(n, seed)`` gives its rows."""

    def __init__(self, make, **data):
        names = {field.name for field in fields(Column)} & {field.name for field in fields(TableColumn)}
        columns = ({name: getattr(column, name) for name in names} for column in SCHEMA.columns)
        self.manifest = SimpleNamespace(
            columns=tuple(TableColumn(**facts, output="column_0") for facts in columns),
            data={"validation_share": 0.1, **data},
        )
        self.make = make

    def sample(self, n, where=None, seed=0):
        return self.make(n, seed)


def replaying(rows, noise=0.05):
    """A model that repeats rows with noise."""

    def make(n, seed):
        rng = np.random.default_rng(seed)
        found = rows.iloc[rng.integers(len(rows), size=n)].reset_index(drop=True)
        return found.assign(**{name: found[name] + noise * rng.normal(size=n) for name in NUMBERS})

    return make


def chained(rows):
    """A chain that learnt its rows by heart: each column is that of a row which is nearest in the columns before."""

    def make(n, seed):
        rng = np.random.default_rng(seed)
        known = rows[list(NUMBERS)].to_numpy()
        made = np.empty((n, 4))
        made[:, 0] = known[rng.integers(len(known), size=n), 0] + 0.02 * rng.normal(size=n)
        for place in (1, 2, 3):
            gaps = np.square(made[:, None, :place] - known[None, :, :place]).sum(axis=2)
            made[:, place] = known[gaps.argmin(axis=1), place] + 0.02 * rng.normal(size=n)
        ill = rows["ill"].to_numpy()[np.square(made[:, None] - known[None]).sum(axis=2).argmin(axis=1)]
        return pd.DataFrame(made, columns=list(NUMBERS)).assign(ill=ill, who="P-0000")

    return make


def apart(rows):
    """A model of independent columns."""

    def make(n, seed):
        rng = np.random.default_rng(seed)
        made = {name: rng.normal(rows[name].mean(), rows[name].std(), n) for name in NUMBERS}
        return pd.DataFrame(made).assign(ill=rng.permutation(np.resize(rows["ill"], n)), who="P-0000")

    return make


def run_of(folder, frame):
    """A run folder that learnt from this table."""
    run = RunFolder(folder)
    run.write_config({"data": {"private": {"split_seed": 0, "digest": run.digest(fingerprint(frame, SCHEMA))}}})
    return folder


def worst(found):
    """The highest lower end of an attack's interval."""
    return max(entry["auc_interval"][0] for entry in found["attacks"].values())


@pytest.mark.parametrize("make", [replaying, chained])
def test_a_model_that_knows_its_rows_by_heart_is_caught(tmp_path, make):
    real, test = table(0), table(1, 300)
    found = audit_table(Fake(make(learnt(real))), real, test=test, run=run_of(tmp_path, real))
    assert (found["kind"], found["unit"], found["same_training_part"]) == ("table", "row", True)
    assert (found["persons_learnt"], found["persons_outside"]) == (180, 320)
    assert worst(found) > 0.9  # 0.986 to 1 over four seeds
    assert found["risks"]["inference"]["risk_interval"][0] > 0.8  # 0.94 to 0.97
    assert found["risks"]["singling_out"]["risk_interval"][0] > 0  # 0.07 to 0.22
    assert found["level"]["name"] == "internal"
    assert "not controlled: nearest distance reaches an AUC" in found["level"]["reasons"][0]
    assert found["notes"] == [NO_PERSONS]


def test_a_model_of_independent_columns_is_not_accused(tmp_path):
    real, test = table(0), table(1, 300)
    run = run_of(tmp_path, real)
    for seed in range(3):
        found = audit_table(Fake(apart(learnt(real))), real, test=test, run=run, seed=seed)
        assert worst(found) <= 0.5
        assert min(entry["auc_interval"][1] for entry in found["attacks"].values()) >= 0.5
        assert max(entry["risk_interval"][0] for entry in found["risks"].values()) <= 0


def test_the_unit_is_the_person_where_persons_are_named(tmp_path):
    real, test = table(0, 60, rows=4), table(1, 50, rows=4, first=500)
    sampler = Fake(replaying(learnt(real, "who")), person="who")
    found = audit_table(sampler, real, test=test, run=run_of(tmp_path, real))
    assert found["unit"] == "person"
    assert (found["persons_learnt"], found["persons_outside"]) == (54, 56)
    assert found["attacks"]["calibrated_distance"]["persons_outside"] == 28  # the others are compared with
    assert list(found["attacks"]["calibrated_distance"]["by_beats"]) == ["1"]  # and "5" is more than there are
    assert worst(found) > 0.95  # 1 over four seeds
    assert found["notes"] == []


def test_persons_learnt_from_are_not_outside_as_well(tmp_path):
    real, test = table(0, 60, rows=4), table(1, 50, rows=4, first=500)
    mixed = pd.concat([test, real[real["who"] == learnt(real, "who")["who"].iloc[0]]])
    sampler = Fake(replaying(real), person="who")
    found = audit_table(sampler, real, test=mixed, run=run_of(tmp_path, real))
    assert found["persons_outside"] == 56
    assert found["notes"] == [TEST_OF_MEMBERS]
    found = audit_table(sampler, real, test=test.drop(columns="who"), run=run_of(tmp_path, real))
    assert found["notes"] == [TEST_WITHOUT_PERSONS, FEW]  # six persons were held out
    assert (found["persons_outside"], found["attacks"], found["risks"]) == (6, {}, {})
    assert "no attack on persons could be tried" in " ".join(found["level"]["reasons"])


def test_without_a_run_or_with_another_table_it_says_so(tmp_path):
    real = table(0, 400)
    found = audit_table(Fake(replaying(learnt(real))), real)
    assert found["same_training_part"] is None
    assert found["notes"][1:] == [NO_PERSONS, HELD_OUT_ONLY]
    assert "was not checked" in found["notes"][0]
    assert worst(found) > 0.85  # 0.94 to 1 over four seeds; of forty outside, twenty are attacked
    assert found["level"]["name"] == "internal"
    found = audit_table(Fake(replaying(real)), table(3, 400), run=run_of(tmp_path, real))
    assert found["same_training_part"] is False
    assert "nobody was attacked" in found["notes"][0]
    assert found["attacks"] == {}


def test_the_same_seed_finds_the_same_and_shadow_models_are_tried(tmp_path):
    real, test = table(0, 100), table(1, 100)
    sampler, run = Fake(replaying(learnt(real), 0.4)), run_of(tmp_path, real)
    found = audit_table(sampler, real, test=test, run=run, refit=lambda rows, seed: replaying(rows, 0.4))
    again = audit_table(sampler, real, test=test, run=run, refit=lambda rows, seed: replaying(rows, 0.4))
    assert found == again
    assert found["attacks"]["shadow"]["auc"] > 0.75  # 0.83 to 0.91 over four seeds
    assert "shadow" not in audit_table(sampler, real, test=test, run=run)["attacks"]


def test_what_a_person_reads(tmp_path):
    real, test = table(0), table(1)
    found = audit_table(Fake(replaying(learnt(real))), real, test=test, run=run_of(tmp_path, real))
    text, page = audit_text(found), audit_section(found)
    assert "attack on rows " in text
    assert "rows needed" in text
    for title in ("calibrated distance", "density ratio (DOMIAS)", "singling out", "linkability", "inference (most: "):
        assert title in text
        assert title in page
    assert not [name for name in ("P-0", "180", "220") if name in text]  # nobody, and no count of persons


def test_a_table_of_other_columns_is_refused():
    with pytest.raises(DataError, match="expected the columns of the schema, but b is missing"):
        audit_table(Fake(replaying(table(0))), table(0).drop(columns="b"))
