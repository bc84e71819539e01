"""Hints that work: names that pip finds, of what is not there."""

import importlib.metadata

import pytest

from ecgsynth import errors
from ecgsynth.errors import MissingExtraError, hint_at_extra, missing, require

ASKED = [
    "numpy>=1.26",
    'torch>=2.9; extra == "train"',
    "scikit-learn>=1.4 ; extra == 'train'",
    'pyarrow[x]>=15; python_version > "3" and extra == "train"',
    'pytest>=8; extra == "dev"',
]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without the train extra."""

    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ASKED)
    monkeypatch.setattr(importlib.metadata, "version", version)


@pytest.mark.usefixtures("bare")
def test_a_command_names_all_that_it_may_need() -> None:
    assert missing() == ["torch", "scikit-learn", "pyarrow"]
    with (
        pytest.raises(
            MissingExtraError, match=r"^training needs .* scikit-learn, .*: pip install scikit-learn torch pyar"
        ),
        hint_at_extra("training"),
    ):
        raise ModuleNotFoundError(name="sklearn.svm")


@pytest.mark.usefixtures("bare")
def test_what_needs_one_package_names_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(errors.importlib.import_module.__globals__["sys"].modules, "sklearn", None)
    with pytest.raises(MissingExtraError, match=r"package scikit-learn, .*: pip install scikit-learn$"):
        require("sklearn", "balancing")


def test_what_is_installed_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ['numpy; extra == "train"'])
    assert missing() == []


def test_without_metadata_the_missing_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    with pytest.raises(MissingExtraError, match="pip install wfdb$"), hint_at_extra("reading"):
        raise ModuleNotFoundError(name="wfdb")


def test_every_package_of_the_extra_is_known_by_the_name_under_which_it_is_imported() -> None:
    asked = importlib.metadata.requires("ecgsynth") or []
    names = {errors.re.split(r"[^\w.-]", entry)[0] for entry in asked if "train" in entry}
    assert {errors.KNOWN_TO_PIP.get(name, name) for name in errors.TRAIN_EXTRA} == names


def test_another_absence_is_a_bug_and_stays_one() -> None:
    with pytest.raises(ModuleNotFoundError, match="x"), hint_at_extra("this"):
        raise ModuleNotFoundError("x", name="ecgsynth.gone")
