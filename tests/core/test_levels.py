"""Levels: each threshold at its edge, and nothing above what was measured."""

from copy import deepcopy
from typing import Any

import pytest

from ecgsynth.core.disclosure import published_metrics
from ecgsynth.core.levels import LEVELS, ROWS, by_figures, by_structure, earned, thresholds

STRUCTURE = {"people_behind": 10, "largest_share": 0.2}
AUDIT: dict[str, Any] = {
    "kind": "beats",
    "persons_known": True,
    "persons_learnt": 40,
    "persons_outside": 30,
    "same_training_part": True,
    "attacks": {
        "a": {
            "title": "attack a",
            "auc": 0.5,
            "auc_interval": [0.4, 0.6],
            "tpr_1_interval": [0.0, 0.05],
            "relative_f1_interval": [0.0, 0.2],
        },
        "b": {
            "title": "attack b",
            "auc": 0.5,
            "auc_interval": [0.3, 0.55],
            "tpr_1_interval": [0.0, 0.01],
            "relative_f1_interval": [0.0, 0.1],
        },
    },
    "linkage": {"recognised": 0.004, "recognised_interval": [0.002, 0.01]},
    "reconstruction": {
        "members": {"persons": 40, "share_nearer": 0.0},
        "outside": {"persons": 30, "share_nearer": 0.0},
    },
}


def changed(place: str, value: Any) -> dict[str, Any]:
    found = deepcopy(AUDIT)
    *path, last = place.split(".")
    inner = found
    for name in path:
        inner = inner[name]
    inner[last] = value
    return found


def test_all_thresholds_just_held_are_public() -> None:
    assert earned(STRUCTURE, AUDIT).name == "public"
    assert earned(STRUCTURE, AUDIT).reasons == ()
    assert list(LEVELS[1:]) == list(thresholds())


@pytest.mark.parametrize(
    ("place", "value", "level", "says"),
    [
        ("attacks.b.auc_interval", [0.4, 0.61], "controlled", "attack b reaches an AUC of up to 0.61, above 0.6"),
        ("attacks.b.auc_interval", [0.4, 0.76], "internal", "above 0.75"),
        ("attacks.a.tpr_1_interval", [0.0, 0.06], "controlled", "a true-positive rate at 1 % false positives of up to"),
        ("attacks.a.relative_f1_interval", [0.0, 0.21], "controlled", "a relative F1 of up to 0.21, above 0.2"),
        ("attacks", {}, "internal", "no attack on persons could be tried"),
        ("persons_outside", 29, "controlled", "not measurable with fewer than 30 people outside"),
        ("persons_outside", 4, "internal", "fewer than 5"),
        ("persons_outside", None, "internal", "fewer than 5"),
        ("persons_known", False, "internal", "persons are not known"),
        ("same_training_part", None, "internal", "was not shown"),
        ("same_training_part", False, "internal", "was not shown"),
        ("linkage.recognised_interval", [0.0, 0.011], "controlled", "recognised as somebody's, above 1%"),
        ("linkage.recognised_interval", [0.0, 0.051], "internal", "above 5%"),
        ("linkage", None, "internal", "was not measured"),
        ("reconstruction", None, "internal", "was not measured"),
        ("reconstruction.members.share_nearer", 1 / 40, "internal", "can be read out"),
    ],
)
def test_what_does_not_hold_lowers_the_level_and_is_said(place: str, value: Any, level: str, says: str) -> None:
    found = earned(STRUCTURE, changed(place, value))
    assert found.name == level
    assert says in " ".join(found.reasons)


def test_what_chance_brings_about_for_people_outside_is_not_held_against_members() -> None:
    audit = changed("reconstruction.outside.share_nearer", 0.1)
    audit["reconstruction"]["members"]["share_nearer"] = 0.1
    assert by_figures(audit).name == "public"
    audit["reconstruction"]["members"]["share_nearer"] = 0.125  # one person of 40 more
    assert by_figures(audit).name == "internal"


def test_a_table_has_no_beats_to_recognise() -> None:
    audit = {name: value for name, value in AUDIT.items() if name not in ("linkage", "reconstruction")}
    assert by_figures(audit).name == "internal"
    assert by_figures(audit | {"kind": "table"}).name == "public"


@pytest.mark.parametrize(
    ("structure", "level"),
    [
        (None, "internal"),
        ({"people_behind": None, "largest_share": 0.1}, "internal"),
        ({"people_behind": 4, "largest_share": 0.2}, "internal"),
        ({"people_behind": 5, "largest_share": 0.5}, "controlled"),
        ({"people_behind": 9, "largest_share": 0.1}, "controlled"),
        ({"people_behind": 10, "largest_share": 0.21}, "controlled"),
        ({"people_behind": 50, "largest_share": 0.51}, "internal"),
    ],
)
def test_the_structure_lowers_it_too(structure: dict[str, Any] | None, level: str) -> None:
    assert by_structure(structure).name == level
    assert earned(structure, AUDIT).name == level
    assert earned(structure, AUDIT).reasons


def test_without_either_it_is_internal() -> None:
    assert earned(STRUCTURE, None).name == "internal"
    assert earned(None, None).name == "internal"
    assert len(earned(None, None).reasons) == 2


def test_the_published_form_earns_the_same_and_tells_no_count() -> None:
    audit = changed("reconstruction.members.share_nearer", 1 / 40)
    for form in (AUDIT, audit):
        assert earned(STRUCTURE, published_metrics(form)) == earned(STRUCTURE, form)
    few = changed("persons_outside", 7)
    assert "7" not in " ".join(earned(STRUCTURE, few).reasons)


def test_a_level_that_was_earned_on_rows_says_so() -> None:
    rows = STRUCTURE | {"rows_are_persons": True}
    assert earned(rows, AUDIT).name == "public"
    assert earned(rows, AUDIT).reasons == (ROWS,)
    controlled = earned(rows, changed("persons_outside", 29))
    assert (controlled.name, controlled.reasons[-1], len(controlled.reasons)) == ("controlled", ROWS, 2)
    assert ROWS not in earned(rows, None).reasons  # nothing was earned
    assert earned(STRUCTURE | {"rows_are_persons": False}, AUDIT).reasons == ()
