"""The shape of the repository: who imports whom, what the wheel holds, what never stands in the code."""

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import ecgsynth

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {
    "ecgsynth": "ecgsynth",
    "export": "ecgsynth.export",
    "tabular": "ecgsynth.tabular",
}  # in the tree, in the wheel

# Data flow one way: a room imports only from those left of it, and from itself. Files beside the rooms are their own.
ROOMS = (
    "errors core windows metrics models training export report synthesizer auditing evaluation demo",  # the core
    "tabular.schema tabular.encoding tabular.metrics tabular.models tabular.training tabular.report",
    "tabular.synthesizer tabular.imputer tabular.real tabular.audit tabular.evaluation",
    "tasks loading api cli",  # what is for all of them
)
ORDER = " ".join(ROOMS).split()
SAMPLING = (
    "errors core windows.windows windows.info windows.long_table windows.wide_table windows.view windows.window_file "
    "models.registry models.columns.joined models.columns.shapes report.info tabular.models.registry tasks loading "
    "api cli"
).split()
WITH_TORCH = "export.windows_to_onnx export.table_to_onnx".split()  # all else of export is for sampling
# What modules may take from ecgsynth itself, and where it stands.
FROM_THE_PACKAGE = {"__version__": "errors", "__file__": "errors"}
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}


def modules() -> dict[str, Path]:
    """Every module of the wheel by its name within ecgsynth: onnx_sampler.py in export/ is export.onnx_sampler."""
    found = {}
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            inner = path.relative_to(ROOT / folder).with_suffix("").as_posix().replace("/", ".")
            name = f"{package}.{inner}".removesuffix(".__init__")
            found[name.removeprefix("ecgsynth").removeprefix(".")] = path
    return found


def python_files() -> list[Path]:
    folders = (*FOLDERS, "data_scripts", "benchmarks", "tests")
    return [ROOT / "cli.py", *(path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))]


MODULES = modules()
PACKAGES = [name for name, path in MODULES.items() if path.name == "__init__.py"]
MOST_FILES, MOST_LINES = 15, 400
HIDDEN = {".git", ".venv", ".site", "build", "dist", "runs", "demo", "__pycache__", ".pytest_cache", ".hypothesis",
          ".mypy_cache", ".ruff_cache", "ecgsynth.egg-info"}  # fmt: skip


def is_for_sampling(name: str) -> bool:
    """Whether `ecgsynth sample` and `info` may load a module: then it needs nothing beyond the bare installation."""
    inside = name in SAMPLING or name.rpartition(".")[0] in SAMPLING or name.startswith(("core.", "export"))
    return (inside or name in PACKAGES) and name not in WITH_TORCH


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(path: Path, package: str) -> Iterator[tuple[str, int]]:
    """Dotted names that a file takes anywhere, also in functions and under TYPE_CHECKING, with their lines."""
    for node in ast.walk(tree_of(path)):
        yield from imports_of(node, package)


def imports_of(node: ast.AST, package: str) -> Iterator[tuple[str, int]]:
    """Dotted names that one node takes, with their lines."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, node.lineno) for alias in node.names if alias.name != "ecgsynth")
    elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "ecgsynth":  # after import ecgsynth
        yield f"ecgsynth.{node.attr}", node.lineno
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:  # from .manifest import KEY
            base = ".".join([*package.split(".")[: len(package.split(".")) - node.level + 1], base]).strip(".")
        yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "require"):
        first = node.args[0]
        if isinstance(first, ast.Constant):
            yield str(first.value), node.lineno


def ours(name: str) -> str | None:
    """The module of this package that an imported name is or comes from."""
    if name.split(".")[0] != "ecgsynth":
        return None
    inner = name.removeprefix("ecgsynth").removeprefix(".")
    while inner and inner not in MODULES:
        inner = inner.rpartition(".")[0]
    if inner:
        return inner
    what = name.split(".")[-1]
    assert what in FROM_THE_PACKAGE, f"{name}: import it from its own module"
    return FROM_THE_PACKAGE[what]


def room_of(name: str) -> str:
    """The room of ORDER that a module is in."""
    return next((room for room in ORDER if name == room or name.startswith(f"{room}.")), "")


@pytest.mark.parametrize("name", [name for name in MODULES if name not in PACKAGES])
def test_a_module_imports_only_what_stands_before_it(name: str) -> None:
    assert room_of(name), f"{name} is in no room of ORDER"
    for taken, line in imported(MODULES[name], f"ecgsynth.{name}".rpartition(".")[0]):
        other = ours(taken)
        if other is not None:
            before = ORDER.index(room_of(other)) <= ORDER.index(room_of(name))
            assert before, f"line {line} imports {other}, which is later"


def test_no_two_modules_import_each_other() -> None:
    """Within a room, too, imports go one way."""
    taken = {
        name: {ours(other) for other, _ in imported(path, f"ecgsynth.{name}".rpartition(".")[0])} - {None, name}
        for name, path in MODULES.items()
        if name not in PACKAGES
    }
    left = dict(taken)
    while free := [name for name, others in left.items() if not others & set(left)]:
        for name in free:
            del left[name]
    assert not left, "these import each other in a circle"


def test_every_room_has_its_place_and_no_more_than_fifteen_files() -> None:
    there = {room_of(name) for name in MODULES} - {""}
    assert set(ORDER) == there
    for folder in (
        path for path in ROOT.rglob("*") if path.is_dir() and not HIDDEN & set(path.relative_to(ROOT).parts)
    ):
        assert len([path for path in folder.iterdir() if path.is_file()]) <= MOST_FILES, folder


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_has_more_than_four_hundred_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_packages_themselves_import_nothing_when_imported() -> None:
    for name in PACKAGES:
        for node in tree_of(MODULES[name]).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                text = ast.unparse(node)
                assert "ecgsynth" not in text, text
                assert not {"numpy", "torch", "onnxruntime"} & set(re.findall(r"\w+", text))


def test_the_core_does_not_know_tables_and_tables_do_not_know_windows() -> None:
    for name, path in MODULES.items():
        others = [ours(taken) for taken, _ in imported(path, f"ecgsynth.{name}".rpartition(".")[0])]
        if name and not name.startswith("tabular") and room_of(name) not in ROOMS[-1].split():  # for all kinds
            assert not [other for other in others if other and other.startswith("tabular")], name
        if name.startswith("tabular"):
            assert not [other for other in others if other and other.startswith("windows.")], name


@pytest.mark.parametrize("name", [name for name in MODULES if is_for_sampling(name)])
def test_what_sampling_needs_imports_only_the_runtime(name: str) -> None:
    """Top-level imports of the modules that `ecgsynth sample` and `info` load: no torch, pandas or wfdb."""
    package = f"ecgsynth.{name}" if name in PACKAGES else f"ecgsynth.{name}".rpartition(".")[0]
    for node in tree_of(MODULES[name]).body:
        for taken, _ in imports_of(node, package):
            other = ours(taken)
            top = taken.split(".")[0]
            if other is not None:
                assert is_for_sampling(other), taken
            else:
                assert top in {*sys.stdlib_module_names, "numpy", "onnxruntime", "click"}, taken


# ---- nothing that is loaded may execute code


@pytest.mark.parametrize(
    "path",
    [path for path in python_files() if "tests" not in path.parts[:-1]],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_nothing_is_pickled_and_nothing_is_evaluated(path: Path) -> None:
    for taken, line in imported(path, "ecgsynth"):
        assert taken.split(".")[0] not in PICKLES, f"{path.name}:{line} imports {taken}"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"torch.load", "torch.save", "eval", "exec", "pandas.read_pickle"}, called
            for keyword in node.keywords:
                if keyword.arg == "allow_pickle":
                    assert ast.unparse(keyword.value) == "False", f"{path.name}:{node.lineno}"


# ---- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this tree, built elsewhere so that no build/ appears here."""
    pytest.importorskip("setuptools")
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    skip = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "runs", "demo", "docs", "tests")
    shutil.copytree(ROOT, tree, ignore=skip, dirs_exist_ok=True)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation"),
            *("--disable-pip-version-check", "--no-index", "-w", str(out)),
        ],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("*.whl")
    return path


def test_the_wheel_has_one_top_level_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert tops == {"ecgsynth", f"ecgsynth-{ecgsynth.__version__}.dist-info"}


def test_the_wheel_holds_every_module_and_the_sample(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    wanted = {"ecgsynth/py.typed", "ecgsynth/data/mitbih_sample.npz", "ecgsynth/data/README.md"}
    for folder, package in FOLDERS.items():
        inside = package.replace(".", "/")
        wanted |= {f"{inside}/{path.relative_to(ROOT / folder)}" for path in (ROOT / folder).rglob("*.py")}
    assert "ecgsynth/export/onnx_sampler.py" in wanted
    assert wanted <= held, wanted - held
    assert not [name for name in held if "test" in name]


def test_the_wheel_needs_three_packages_and_names_its_extras(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
        scripts = archive.read(name).decode()
    needed = re.findall(r"^Requires-Dist: ([\w-]+)((?:(?!extra).)*)$", metadata, flags=re.MULTILINE)
    assert {package for package, _ in needed} == {"numpy", "onnxruntime", "click"}
    assert set(re.findall(r"^Provides-Extra: (\w+)$", metadata, flags=re.MULTILINE)) == {"train", "dev"}
    assert "License-Expression: Apache-2.0" in metadata
    assert "ecgsynth = ecgsynth.cli.main:main" in scripts


def test_the_version_is_one(wheel: Path) -> None:
    assert wheel.name.startswith(f"ecgsynth-{ecgsynth.__version__}-py3-none-any")
    assert importlib.metadata.version("ecgsynth") == ecgsynth.__version__


# ---- the beats that come with the package


def test_the_sample_is_small_and_has_every_class_and_patient() -> None:
    from ecgsynth.demo import SAMPLE, sample_beats

    assert (ROOT / "ecgsynth" / "data" / SAMPLE).stat().st_size <= 1_500_000
    beats = sample_beats()
    assert beats.classes == ("N", "S", "V", "F", "Q")
    assert min(beats.counts().values()) > 500
    assert beats.groups is not None
    assert len(np.unique(beats.groups)) == 47
    assert {"100", "201", "234"} <= set(beats.groups)
    assert "202" not in beats.groups  # the same person as 201
    assert (beats.fs_hz, beats.units, beats.event_index, beats.values.shape[1:]) == (360.0, "mV", 100, (256, 1))
    assert min(len(beats.part(name)) for name in ("train", "validation", "test")) > 1000
    assert 1 < np.abs(beats.values).max() < 10  # mV


def test_the_sample_says_whence_it_is_and_under_which_licence() -> None:
    text = (ROOT / "ecgsynth" / "data" / "README.md").read_text(encoding="utf-8")
    for what in ("MIT-BIH Arrhythmia Database", "Open Data Commons Attribution License", "Moody", "10.13026/C2F305"):
        assert what in text


# ---- the checkout


def test_the_launcher_works_from_the_root() -> None:
    for arguments, says in (
        (["--help"], "Learn a generator of heartbeats"),
        (["info", "tests/golden/tiny.onnx"], "random weights"),  # through export/, which lies beside the package
    ):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-B", "cli.py", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert says in done.stdout


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_test_file_has_a_test(path: Path) -> None:
    found = [
        node.name
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert found
    assert len(found) == len(set(found)), "of two tests of one name, one never runs"


def test_every_test_file_has_the_name_that_is_collected() -> None:
    others = {"conftest.py"}
    for path in (path for path in (ROOT / "tests").rglob("*.py") if path.parent.name != "golden"):
        assert path.name.startswith("test_") or path.name in others, f"{path.name} is never run"
