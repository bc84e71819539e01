"""The pieces of a report: numbers as text, tables that are as wide as they must be, and pages that load nothing."""

import pytest

from ecgsynth.core.spread import of_repeats
from ecgsynth.metrics.attacks.base import Attack
from ecgsynth.metrics.measure import Arm
from ecgsynth.report.page import (
    arm_lines,
    attack_rows,
    columns,
    measure_notes,
    measure_rows,
    number,
    percent,
    picture,
    short,
    table,
    write_page,
)


def test_numbers_that_are_missing_are_dashes():
    assert [short(None), percent(None), number(None), number(of_repeats([float("nan")]))] == ["-"] * 4
    assert [short(0.123456), percent(0.5), number(of_repeats([0.25]))] == ["0.1235", "50.00%", "0.250"]
    assert number(of_repeats([0.25, 0.75])) == "0.500 ± 0.354"


def test_a_measure_is_a_row_with_its_range():
    entry = {"title": "coverage", "value": 0.5, "baseline": None, "best": 1.0, "range": [0.0, None]}
    repeated = entry | {"spread": 0.25, "baseline": 0.125, "baseline_spread": None, "best": None, "note": "what it is"}
    found = {"pairs": 3, "coverage": entry, "score": repeated | {"title": "a score"}}
    assert measure_rows(found) == [
        ["coverage", "0.5", "-", "1", "0 to ∞"],
        ["a score", "0.5000 ± 0.2500", "0.125", "-", "0 to ∞"],
    ]
    assert measure_notes(found) == ["a score: what it is"]


def test_only_attacks_that_were_tried_are_shown():
    attacks = [Attack(name=name, title=f"the {name}", unit=unit, run=lambda seen: None) for name, unit in ATTACKED]
    found = {"one_auc": 0.5, "one_auc_error": 0.25, "two_auc": None, "two_auc_error": None}
    assert attack_rows(attacks, found, {"window": "beat"}) == [["the one on beats", "0.500 ± 0.250"]]


ATTACKED = (("one", "window"), ("two", "window"), ("three", "row"))


def test_arms_are_said_in_words():
    arm = Arm(name="TSTR", title="trained on synthetic {what}", take=list)
    assert arm_lines([arm], "rows") == ["TSTR: trained on synthetic rows"]


def test_a_table_for_the_terminal_is_as_wide_as_its_cells():
    assert columns(["head", "a"], [["row", "1"], ["longer", "0.25"], ["alone"]]) == [
        "head         a",
        "  row        1",
        "  longer  0.25",
        "  alone",
    ]


def test_a_page_stands_alone_and_escapes_what_is_written(tmp_path):
    (tmp_path / "a.png").write_bytes(b"png")
    parts = [table(["<head>", "b"], [["<cell>", "1"]]), picture("a < b", tmp_path / "a.png")]
    write_page(tmp_path / "page.html", "<model>", parts)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for text in ("&lt;model&gt;", "&lt;head&gt;", "&lt;cell&gt;", 'alt="a &lt; b"', "data:image/png;base64,cG5n"):
        assert text in page
    for raw in ("<model>", "<head>", "<cell>", "http"):
        assert raw not in page


@pytest.mark.parametrize("rows", [[], [["only"]]])
def test_a_table_may_be_small(rows):
    assert columns(["head", "a"], rows)[0].split() == ["head", "a"]
