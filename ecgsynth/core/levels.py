"""The level of release that a generator has earned, by who stands behind its numbers and by what attacks on it reached.

The thresholds stand in ecgsynth/data/levels.toml. A level is never higher than what was measured allows.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["LEVELS", "Level", "by_figures", "by_structure", "earned", "thresholds"]

LEVELS = ("internal", "controlled", "public")  # rising
FILE = Path(__file__).resolve().parents[1] / "data" / "levels.toml"

ROWS = "every row was taken for a person; where somebody has several, this level is not earned"

Limits = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Level:
    """A level of release.

    Parameters
    ----------
    name
        One of LEVELS.
    reasons
        Why it is not the next higher one, and what it was earned on, a sentence each. They hold no count of persons.

    """

    name: str
    reasons: tuple[str, ...] = ()


@cache
def thresholds() -> dict[str, dict[str, float]]:
    """What must hold for each level above "internal", by its name."""
    found: dict[str, dict[str, float]] = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return found


def earned(structure: Mapping[str, Any] | None, audit: Mapping[str, Any] | None) -> Level:
    """The level that both the structure of a file and its audit allow.

    Parameters
    ----------
    structure
        ``people_behind`` every published number at least, the ``largest_share`` that one of them has of any, and
        whether ``rows_are_persons``, for want of a column that names them; None where this is not known.
    audit
        What an audit found (ecgsynth.audit), also in its published form; None where there was none.

    """
    both = [by_structure(structure), by_figures(audit)]
    lowest = min(both, key=lambda level: LEVELS.index(level.name)).name
    reasons = [reason for level in both if level.name == lowest for reason in level.reasons]
    if lowest != LEVELS[0] and structure is not None and structure.get("rows_are_persons"):
        reasons.append(ROWS)
    return Level(lowest, tuple(reasons))


def by_structure(structure: Mapping[str, Any] | None) -> Level:
    """The highest level that the people behind a file's numbers allow; see ``earned``."""
    return highest(lambda limits: failing_structure(structure, limits))


def by_figures(audit: Mapping[str, Any] | None) -> Level:
    """The highest level that an audit's figures allow; see ``earned``."""
    return highest(lambda limits: failing_audit(audit, limits))


def highest(failing: Callable[[Limits], list[str]]) -> Level:
    """The highest level below the first one that something keeps from being earned."""
    reached = LEVELS[0]
    for name in LEVELS[1:]:
        reasons = failing(thresholds()[name])
        if reasons:
            return Level(reached, tuple(f"not {name}: {reason}" for reason in reasons))
        reached = name
    return Level(reached)


def failing_structure(structure: Mapping[str, Any] | None, limits: Limits) -> list[str]:
    """What of a file's structure does not hold."""
    people = None if structure is None else structure.get("people_behind")
    share = None if structure is None else structure.get("largest_share")
    if people is None or share is None:
        return ["how many people stand behind each published number is not known"]
    found = []
    if people < limits["people_behind"]:
        found.append(f"a published number has fewer than {limits['people_behind']:g} people behind it")
    if share > limits["largest_share"]:
        found.append(f"one person has more than {limits['largest_share']:.0%} of a published number")
    return found


def failing_audit(audit: Mapping[str, Any] | None, limits: Limits) -> list[str]:
    """What of an audit's figures does not hold, or was not measured."""
    if audit is None:
        return ["it was not audited"]
    if not audit.get("persons_known"):
        return ["persons are not known in the data that it was audited with"]
    if audit.get("same_training_part") is not True:
        return ["that it learnt from the data that it was audited with was not shown"]
    found = []
    if (audit.get("persons_outside") or 0) < limits["outside"]:
        found.append(f"membership is not measurable with fewer than {limits['outside']:g} people outside")
    if not audit.get("attacks"):
        found.append("no attack on persons could be tried")
    found += failing_attacks(audit.get("attacks") or {}, limits)
    if audit.get("kind") != "table":
        found += failing_linkage(audit.get("linkage"), limits["recognised"])
        found += failing_reconstruction(audit.get("reconstruction"), limits["nearer"])
    return found


def failing_attacks(attacks: Mapping[str, Any], limits: Limits) -> list[str]:
    """The attacks that may reach more than the thresholds."""
    titles = {"auc": "an AUC", "tpr_1": "a true-positive rate at 1 % false positives", "relative_f1": "a relative F1"}
    found = []
    for name, title in titles.items():
        if name not in limits:
            continue
        ends = {
            entry["title"]: entry[f"{name}_interval"][1] for entry in attacks.values() if f"{name}_interval" in entry
        }
        worst = max(ends, key=lambda key: ends[key], default=None)
        if worst is not None and ends[worst] > limits[name]:
            found.append(f"{worst} reaches {title} of up to {ends[worst]:.2f}, above {limits[name]:g}")
    return found


def failing_linkage(linkage: Mapping[str, Any] | None, most: float) -> list[str]:
    """Whether too many synthetic beats are recognised."""
    if linkage is None:
        return ["whether its windows are recognised as somebody's was not measured"]
    share = linkage["recognised_interval"][1]
    return [f"up to {share:.1%} of its windows are recognised as somebody's, above {most:.0%}"] if share > most else []


def failing_reconstruction(reconstruction: Mapping[str, Any] | None, most: float) -> list[str]:
    """Whether a person can be read out better than he resembles himself, more often than by chance."""
    if reconstruction is None or reconstruction.get("members") is None:
        return ["whether typical windows can be read out was not measured"]
    members, outside = reconstruction["members"], reconstruction.get("outside")
    chance = 0.0 if outside is None else outside["share_nearer"]
    persons = members["persons"] or 1 / max(members["share_nearer"], 1e-9)  # a published count may be missing
    if (members["share_nearer"] - chance) * persons < most + 1 - 1e-9:
        return []
    return ["persons' typical windows can be read out more nearly than they resemble themselves"]
