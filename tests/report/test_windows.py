"""What a person reads of windows: every figure, in the words that suit the data."""

import dataclasses
import re
from typing import Any

import pytest

from ecgsynth.report.page import short
from ecgsynth.report.windows import notes, read_text, table_text

pytestmark = pytest.mark.trains


def test_the_text_has_every_figure(grouped: dict[str, Any]) -> None:
    text = table_text(grouped["measured"])
    entries = grouped["measured"]["fidelity"]["measures"]
    assert "spread" in entries["discriminative_score"]
    for entry in entries.values():
        if "spread" in entry:
            assert f"{entry['value']:.4f} ± {entry['spread']:.4f}" in text
            assert f"{entry['baseline']:.4f} ± {entry['baseline_spread']:.4f}" in text
        else:  # "-" where there was no room for stretches
            assert re.search(rf"{entry['title']} +{re.escape(short(entry['value']))} ", text)
            assert re.search(rf"{entry['title']} .* {re.escape(short(entry['baseline']))} ", text)
    near = grouped["measured"]["privacy"]
    assert f"in standard deviations of each column: synthetic {near['median_distance_synthetic']:.4g}" in text
    area = f"{near['membership_auc']:.3f} ± {near['membership_auc_error']:.3f}"
    assert re.search(f"membership attack on windows +{area}\n", text)
    assert "membership attack on groups" in text
    assert "baseline: real training windows in the place of the synthetic ones" in text
    for foreign in ("F1", "beat", "patient", "mV", "None"):
        assert foreign not in text
    assert max(map(len, text.splitlines()[:10])) <= 90


def test_classes_have_a_table(labelled: dict[str, Any]) -> None:
    text = table_text(labelled["measured"])
    assert text.startswith("on real windows")
    assert "trained on synthetic windows" in text
    assert "beat" not in text


def test_without_a_split_the_text_says_so(whole: dict[str, Any], grouped: dict[str, Any]) -> None:
    text = table_text(whole["measured"])
    assert "say nothing about new data" in text
    assert "one random half of the real windows beside the other" in text
    assert "AUC (0.5 is best)\n  not tried\n" in text
    assert "not split" not in table_text(grouped["measured"])


def test_fewer_steps_than_the_paper_s_are_told_of(grouped: dict[str, Any]) -> None:
    measured = grouped["measured"]
    assert any("fewer updates" in note for note in notes(measured))
    full = measured | {"fidelity": measured["fidelity"] | {"steps_of_paper": True}}
    assert not any("fewer updates" in note for note in notes(full))


@pytest.mark.parametrize("which", ["grouped", "whole", "labelled"])
def test_the_page_has_every_section(which: str, request: pytest.FixtureRequest) -> None:
    made = request.getfixturevalue(which)
    page = (made["out"] / "report.html").read_text(encoding="utf-8")
    assert ("<h2>Usefulness" in page) == (which == "labelled")
    for title in ("<h2>Likeness", "<h2>Privacy", "<h2>Real and synthetic windows", "<h2>The generator"):
        assert page.count(title) == 1
    assert "By class" not in page
    assert "standard deviations of each column" in page
    entry = made["measured"]["fidelity"]["measures"]["discriminative_score"]
    assert f"<td>{entry['value']:.4f} ± {entry['spread']:.4f}</td>" in page
    assert page.count("data:image/png;base64,") == 1
    for foreign in ("beat", "mV", "None", "http"):
        assert foreign not in page.replace(page[page.index("base64,") : page.index("<h2>The generator")], "")


def test_what_was_read_is_told(grouped: dict[str, Any], labelled: dict[str, Any], whole: dict[str, Any]) -> None:
    real = grouped["real"]
    text = read_text(real)
    assert text.startswith(f"{len(real):,} windows of 12 steps of volume, price, share\n")
    assert f"left out {real.meta['straddling']} windows: across two blocks of time" in text
    assert "straddle" not in read_text(whole["real"])
    assert "two blocks" not in read_text(whole["real"])
    assert read_text(labelled["real"]).splitlines()[0].endswith("share: a 100, b 100")
    about = {"filled": 3, "short": 2, "dropped": {"missing values": 4}, "left_out": {"name": "is not numeric"}}
    text = read_text(dataclasses.replace(real, meta=real.meta | about | {"uneven": 0.25}))
    for line in (
        "filled 3 missing values",
        "left out 2 sequences: shorter than 12 steps",
        "dropped 4 windows: missing values",
        "left out column name: it is not numeric",
        "note: 25.0% of the steps in time are not like the others; all are taken as equal",
    ):
        assert line in text.splitlines()
