"""Singling out, linkability, inference: known answers, replayed rows, and a control that takes the rest away."""

import numpy as np
import pandas as pd
import pytest

from ecgsynth.tabular.metrics import risks as module
from ecgsynth.tabular.metrics.crowd import gathered
from ecgsynth.tabular.metrics.risks import (
    RISKS,
    Guesses,
    coded,
    condition_of,
    fitting,
    inference,
    predicates,
    risk_of,
    risks,
    single_conditions,
    singling_out,
)

NUMBERS = ("a", "b", "c", "d")


def test_the_risk_by_hand():
    members, others = np.array([1.0] * 60 + [0.0] * 40), np.array([1.0] * 20 + [0.0] * 80)
    found = risk_of(Guesses(members=members, others=others, trials=(100, 100)))
    assert (found["attack"], found["control"]) == (0.6, 0.2)
    assert found["risk"] == pytest.approx(0.5)  # (0.6 - 0.2) / (1 - 0.2)
    low, high = found["risk_interval"]
    assert 0.3 < low < 0.42
    assert 0.58 < high < 0.7
    found = risk_of(Guesses(members=others, others=members, trials=(100, 100)))
    assert found["risk"] == 0  # nothing is below no risk,
    assert found["risk_interval"][1] < 0  # and the interval says on which side it was
    few = Guesses(members=np.repeat([1.0, 0.0], [5, 9]), others=np.zeros(6), trials=(14, 6))
    assert risk_of(few)["risk_interval"][0] < 0  # five of fourteen beside none of six can be chance
    found = risk_of(Guesses(members=np.zeros(20), others=np.zeros(20), trials=(20, 20)))
    assert found["risk_interval"][1] > 0.05  # nothing right of 20 is not nothing
    assert risk_of(Guesses(members=np.ones(9), others=np.ones(9), trials=(9, 9)))["risk"] == 0


def test_conditions_by_hand():
    frame = pd.DataFrame({"x": [1.0, 2.0, 2.0, 9.0, np.nan], "c": ["a", "a", "b", None, "a"]})
    (table,) = coded([frame], ("x",))
    assert single_conditions(table, ("x",)) == [("x", "from", 9.0), ("x", "to", 1.0), ("c", "is", 1.0)]
    ordered = {"x": np.sort(table["x"][:4])}
    assert condition_of("x", table, 3, ordered) == ("x", "from", 9.0)
    assert condition_of("x", table, 0, ordered) == ("x", "to", 1.0)
    assert condition_of("c", table, 2, ordered) == ("c", "is", 1.0)
    assert condition_of("x", table, 4, ordered)[1] == "missing"
    assert fitting(table, [("x", "from", 2.0)]).tolist() == [False, True, True, True, False]
    assert fitting(table, [("x", "to", 2.0), ("c", "is", 0.0)]).tolist() == [True, True, False, False, False]
    assert fitting(table, [("x", "missing", np.nan)]).tolist() == [False] * 4 + [True]


def test_every_predicate_fits_one_synthetic_row(persons):
    (made,) = coded([persons(0, 300)], NUMBERS)
    found = predicates(made, NUMBERS, 100, np.random.default_rng(0))
    assert len(found) == 100
    assert {int(fitting(made, conditions).sum()) for conditions in found} == {1}
    assert {len(conditions) for conditions in found} == set(range(1, 7))


def test_what_fits_one_person_alone_singles_out_and_counts_once(monkeypatch):
    real = pd.DataFrame({"x": [9.0, 9.0, 1.0, 1.0]})
    owners = np.array([0, 0, 1]), np.array([2])  # two members, one of whom has two rows, and one outside
    tried = [[("x", "from", 9.0)], [("x", "from", 8.0)], [("x", "to", 1.0)], [("x", "from", 10.0)]]
    monkeypatch.setattr(module, "predicates", lambda *_: tried)
    found = singling_out(gathered(real[:3], real[3:], real, ("x",), owners, 0))
    assert found is not None
    assert sorted(found.members) == pytest.approx([0, 2 / 3])  # one of three guesses: the second finds him again
    assert found.others.tolist() == [0]  # "to 1" fits a member and somebody outside
    assert found.trials == (3, 2)


@pytest.mark.parametrize("rows", [1, 5])
def test_replayed_rows_are_a_risk_and_new_ones_are_not(persons, replayed, independent, rows):
    members, outside = persons(0, 400 // rows, rows), persons(1, 400 // rows, rows)
    owners = None if rows == 1 else (np.arange(400) // rows, 1000 + np.arange(400) // rows)
    models = {
        "copied": replayed(members, 2000, 0.0, 2),
        "noisy": replayed(members, 2000, 0.05, 2),
        "honest": persons(2, 2000),
        "independent": independent(members, 2000, 2),
    }
    found = {name: risks(gathered(members, outside, made, NUMBERS, owners, 0)) for name, made in models.items()}
    for risk in RISKS:
        assert found["copied"][risk.name]["risk_interval"][0] > 0.15, risk.name
        assert found["noisy"][risk.name]["risk_interval"][0] > 0.01, risk.name
        for name in ("honest", "independent"):
            assert found[name][risk.name]["risk_interval"][0] <= 0, (name, risk.name)
    assert found["copied"]["inference"]["risk"] > 0.9
    assert list(found["honest"]["inference"]["by_column"]) == [*NUMBERS, "ill", "ward"]


def test_what_the_population_tells_is_no_risk(persons):
    """Illness follows from a number, so it is guessed right of members, and of others as well."""
    made, members, outside = (
        frame.assign(ill=np.where(frame["a"] > 0, "yes", "no")) for frame in (persons(seed, 400) for seed in range(3))
    )
    guesses = inference(gathered(members, outside, made, NUMBERS, None, 0))
    assert guesses is not None
    assert guesses.by_column is not None
    found = risk_of(guesses.by_column["ill"])
    assert found["attack"] > 0.8
    assert found["control"] > 0.8
    assert found["risk_interval"][0] <= 0


def test_of_one_column_nothing_is_linked_or_inferred(persons):
    tables = [persons(seed, 50)[["a"]] for seed in range(3)]
    assert set(risks(gathered(*tables, ("a",), None, 0))) == {"singling_out"}
