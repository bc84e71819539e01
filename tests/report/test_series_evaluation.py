"""Evaluating a generator of a series, and what a person reads of it."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.evaluation import copied, evaluate, real_windows
from ecgsynth.export.manifest import Manifest
from ecgsynth.metrics.attacks import nearest_distance
from ecgsynth.metrics.series import RANGES
from ecgsynth.report.windows import manifest_text, notes, read_text, table_text
from ecgsynth.training.run_folder import RunFolder
from ecgsynth.windows.info import ClassInfo, ClockInfo, ColumnInfo, DataInfo, SeriesInfo
from ecgsynth.windows.series import SeriesOptions, read_series
from ecgsynth.windows.splits import split
from ecgsynth.windows.windows import Windows

pytestmark = pytest.mark.trains

LENGTH = 12
UNITS = np.array([1e5, 1.0, 0.01])
NAMES = ("volume", "price", "share")


def rows(seed: int, n: int, kind: str = "a") -> np.ndarray:
    """Waves with noise that remembers; those of kind b are quicker."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 2 * np.pi) + (0.5 if kind == "a" else 1.2) * np.arange(n)
    noise = np.convolve(rng.normal(size=n + 8), 0.8 ** np.arange(9), mode="valid")
    values = np.stack([np.sin(phase), noise, np.cos(phase)], axis=1) + 0.05 * rng.normal(size=(n, 3))
    return np.asarray(UNITS * (values + 2))


def write(path: Path, classes: tuple[str, ...], n: int = 400) -> tuple[Path, SeriesOptions]:
    """A table of one long series, or of forty labelled sequences."""
    if len(classes) == 1:
        lines = [",".join(map(repr, row)) for row in rows(0, n).tolist()]
        path.write_text("\n".join([",".join(NAMES), *lines]))
        return path, SeriesOptions(length=LENGTH)
    lines = []
    for number in range(40):
        kind = classes[number % 2]
        lines += [",".join([str(number), kind, *map(repr, row)]) for row in rows(number, 16, kind).tolist()]
    path.write_text("\n".join([",".join(["id", "kind", *NAMES]), *lines]))
    return path, SeriesOptions(length=LENGTH, id="id", label="kind")


def run_of(folder: Path, fingerprint: str, **private: Any) -> Path:
    """A run folder that learnt from data of this fingerprint."""
    run = RunFolder(folder)
    run.write_config({"data": {"private": {**private, "digest": run.digest(fingerprint)}}})
    return folder


class Fake:
    """A generator that cuts new windows from new series of the same kind."""

    def __init__(self, real: Windows, metrics: dict[str, Any] | None = None, **changes: Any) -> None:
        self.path = Path("stocks.onnx")
        self.real = real
        learn = real.part("train")
        classes = tuple(
            ClassInfo(name=name, meaning=name, share=float(share))
            for name, share in zip(real.classes, learn.shares(), strict=True)
        )
        known: dict[str, Any] = {"kind": "series", "time": LENGTH, "fs_hz": real.fs_hz, "units": "as given"}
        known |= {"channel_names": real.channel_names, "event_index": None, "classes": classes, "source": real.source}
        known |= {"series": real.series, "split": real.meta["split"], "training_windows": len(learn)}
        known |= {"training_patients": None if learn.groups is None else len(np.unique(learn.groups))}
        training = {"model": "timegan", "config": {"seed": 3}}
        self.manifest = Manifest(
            noise_dim=7, data=DataInfo(**(known | changes)), training=training, metrics=metrics or {}
        )

    def draw(self, label: str, n: int, seed: int) -> np.ndarray:
        return np.stack([rows(1000 * seed + 77 + i, LENGTH, label) for i in range(n)])

    def windows(self, n: int, label: str | None = None, seed: int = 0) -> Windows:
        classes = self.manifest.class_names
        rng = np.random.default_rng(seed)
        codes = rng.integers(len(classes), size=n) if label is None else np.full(n, classes.index(label))
        values = np.empty((n, LENGTH, len(NAMES)), dtype=np.float32)
        for code, name in enumerate(classes):
            own = codes == code
            if own.any():
                values[own] = self.draw("a" if name == "all" else name, int(own.sum()), seed)
        kept = {name: getattr(self.real, name) for name in ("fs_hz", "units", "channel_names", "classes")}
        return Windows(values=values, labels=codes, meta={"kind": "series", "synthetic": True}, **kept)


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch_sizes(patch)
        yield


def patch_sizes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("ecgsynth.evaluation.RELEASED", 300)
    patch.setattr("ecgsynth.report.plots.MAPPED", 60)


def reported(folder: Path, kind: str, classes: tuple[str, ...]) -> dict[str, Any]:
    """All that comes of an evaluation."""
    table, options = write(folder / "table.csv", classes)
    real = split(read_series(table, options), kind, 0)
    fake = Fake(real)
    told: list[tuple[str, float]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch_sizes(patch)
        measured = evaluate(
            fake,
            real,
            folder / "report",
            repeats=2,
            steps=3,
            run=None if kind == "none" else run_of(folder / "run", real.part("train").fingerprint()),
            device="cpu",
            on_progress=lambda stage, done: told.append((stage, done)),
        )
    return {"measured": measured, "fake": fake, "real": real, "table": table, "told": told, "out": folder / "report"}


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return reported(tmp_path_factory.mktemp("grouped"), "group", ("all",))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return reported(tmp_path_factory.mktemp("whole"), "none", ("all",))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return reported(tmp_path_factory.mktemp("labelled"), "group", ("a", "b"))


# ---- what is measured


@pytest.mark.parametrize("which", ["grouped", "whole", "labelled"])
def test_a_folder_holds_figures_a_picture_and_a_report(which: str, request: pytest.FixtureRequest) -> None:
    made = request.getfixturevalue(which)
    assert sorted(path.name for path in made["out"].iterdir()) == ["metrics.json", "report.html", "series.png"]
    assert json.loads((made["out"] / "metrics.json").read_text(encoding="utf-8")) == made["measured"]
    measured = made["measured"]
    assert (measured["model"], measured["kind"]) == ("stocks.onnx", "series")
    assert measured["same_training_part"] is (None if which == "whole" else True)
    assert list(measured["fidelity"]["measures"]) == list(RANGES)
    assert measured["fidelity"]["repeats"] == 2
    assert ("utility" in measured) == (which == "labelled")
    done = [share for _, share in made["told"]]
    assert done == sorted(done)
    assert made["told"][-1] == ("done", 1.0)


def test_with_a_split_there_is_an_attack(grouped: dict[str, Any], labelled: dict[str, Any]) -> None:
    for made in (grouped, labelled):
        near = made["measured"]["privacy"]
        assert 0 <= near["membership_auc"] <= 1
        assert 0 <= near["patient_membership_auc"] <= 1
        assert 2 < near["patients_learnt"] <= len(set(made["real"].part("train").groups))
        assert near["copies"] == 0
    assert grouped["measured"]["fidelity"]["windows"]["all"] == len(grouped["real"].part("test"))


def test_distances_are_in_standard_deviations_of_each_column(grouped: dict[str, Any]) -> None:
    learnt, unseen = grouped["real"].part("train").values, grouped["real"].part("test").values
    spreads = learnt.std(axis=(0, 1))
    expected = np.median(nearest_distance(unseen / spreads, learnt / spreads))
    assert grouped["measured"]["privacy"]["median_distance_unseen"] == pytest.approx(expected, rel=1e-3)
    assert 0.05 < expected < 2


def test_without_a_split_there_is_nobody_to_attack(whole: dict[str, Any]) -> None:
    near = whole["measured"]["privacy"]
    assert [near[key] for key in ("ratio", "closer_than_unseen", "membership_auc", "membership_auc_error")] == [
        None
    ] * 4
    learnt, made = whole["real"].values, whole["fake"].windows(len(whole["real"])).values
    expected = np.median(nearest_distance(made / learnt.std(axis=(0, 1)), learnt / learnt.std(axis=(0, 1))))
    assert near["median_distance_synthetic"] == pytest.approx(expected, rel=1e-3)
    assert (near["copies"], near["windows_unseen"], near["windows_synthetic"]) == (0, 0, len(whole["real"]))


def test_copies_are_found_without_a_split() -> None:
    learnt = np.random.default_rng(0).normal(size=(50, 6, 2)).astype(np.float32)
    others = np.random.default_rng(1).normal(size=(30, 6, 2)).astype(np.float32)
    assert copied(np.concatenate([learnt[:7], others, learnt[9:11] + 1e-5]), learnt, 0)["copies"] == 9
    assert copied(others, learnt, 0)["copies"] == 0
    coarse = np.zeros((50, 6, 2), dtype=np.float32)
    assert copied(coarse[:3], coarse, 0)["copies"] == 3


def test_windows_of_a_coarse_series_may_all_be_alike(tmp_path: Path, grouped: dict[str, Any]) -> None:
    """Nothing is divided by the distance between windows where that is nothing."""
    real = grouped["real"]
    patterns = real.values[np.arange(len(real)) % 5]
    real = dataclasses.replace(real, values=patterns)
    measured = evaluate(Fake(real), real, tmp_path / "report", repeats=1, steps=1, device="cpu")
    assert measured["privacy"]["ratio"] is None
    assert measured["privacy"]["median_distance_unseen"] == 0
    assert "ratio -" in table_text(measured)


def test_classes_have_a_utility_test(labelled: dict[str, Any]) -> None:
    found = labelled["measured"]["utility"]
    assert found["classes"] == ["a", "b"]
    assert found["repeats"] == 2
    assert found["classifier"]["steps"] == 3


def test_more_steps_make_use_of_the_classes(tmp_path: Path, labelled: dict[str, Any]) -> None:
    """The columns' units are as far apart as 1e5 and 0.01, and the classifier sees all of them."""
    real = labelled["real"]
    measured = evaluate(labelled["fake"], real, tmp_path / "report", repeats=1, steps=60, device="cpu")
    for arm in ("TRTR", "TSTR"):
        assert measured["utility"][arm]["macro_f1"]["mean"] > 0.9


def test_unless_told_there_are_as_many_repeats_as_in_the_paper(
    tmp_path: Path, labelled: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def fidelity(real: Windows, made: Windows, **told: Any) -> dict[str, Any]:
        asked["fidelity"] = (told["repeats"], told["steps"], len(made))
        return labelled["measured"]["fidelity"]

    def utility(real: Windows, draw: Any, **told: Any) -> dict[str, Any]:
        asked["utility"] = (told["repeats"], told["config"].steps)
        return labelled["measured"]["utility"]

    monkeypatch.setattr("ecgsynth.evaluation.series_fidelity", fidelity)
    monkeypatch.setattr("ecgsynth.evaluation.utility", utility)
    evaluate(labelled["fake"], labelled["real"], tmp_path / "report", device="cpu")
    assert asked == {"fidelity": (10, None, len(labelled["real"].part("test"))), "utility": (3, 2000)}


def test_no_repeats_are_refused(tmp_path: Path, grouped: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="at least one repeat"):
        evaluate(grouped["fake"], grouped["real"], tmp_path / "report", repeats=0, device="cpu")


def test_other_columns_are_refused(tmp_path: Path, grouped: dict[str, Any]) -> None:
    real = dataclasses.replace(grouped["real"], channel_names=("price", "volume", "share"))
    with pytest.raises(DataError, match="makes the columns volume, price, share, the real ones are price, volume"):
        evaluate(grouped["fake"], real, tmp_path / "report", device="cpu")
    short = dataclasses.replace(grouped["real"], values=grouped["real"].values[:, :8].copy())
    with pytest.raises(DataError, match="makes windows of 12 samples x 3 channels"):
        evaluate(grouped["fake"], short, tmp_path / "report", device="cpu")
    empty = dataclasses.replace(grouped["real"], parts=np.zeros(len(grouped["real"]), dtype=np.int8))
    with pytest.raises(DataError, match="the test part 0; both need some"):
        evaluate(grouped["fake"], empty, tmp_path / "report", device="cpu")
    assert not (tmp_path / "report").exists()


def test_a_generator_of_other_windows_is_told_of(tmp_path: Path, grouped: dict[str, Any]) -> None:
    fake, run = Fake(grouped["real"]), run_of(tmp_path / "run", "another")
    measured = evaluate(fake, grouped["real"], tmp_path / "report", repeats=1, steps=1, run=run, device="cpu")
    assert measured["same_training_part"] is False
    assert "did not learn from the training part" in table_text(measured)


def test_without_its_run_folder_it_is_not_known_what_it_learnt_from(whole: dict[str, Any]) -> None:
    assert whole["measured"]["same_training_part"] is None
    assert "was not checked; its run folder knows (--run)" in table_text(whole["measured"])


@pytest.mark.parametrize("which", ["grouped", "whole", "labelled"])
def test_the_table_is_cut_as_it_was_learnt(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    made = request.getfixturevalue(which)
    made["fake"].manifest = Manifest.from_text(made["fake"].manifest.to_text(), "here")
    learn = made["real"].part("train").fingerprint()
    for again in (
        real_windows(made["table"], made["fake"]),
        real_windows(made["table"], made["fake"], run_of(tmp_path / "run", learn, split_seed=0), seed=5),
    ):
        assert np.array_equal(again.values, made["real"].values)
        assert again.part("train").fingerprint() == learn
    other = real_windows(made["table"], made["fake"], seed=5)  # by another seed, other groups are learnt from
    assert (other.part("train").fingerprint() == learn) == (which == "whole")
    made["real"].save(tmp_path / "windows.npz")
    assert np.array_equal(real_windows(tmp_path / "windows.npz", made["fake"]).values, made["real"].values)


def test_a_table_cannot_be_cut_by_guessing(grouped: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="does not say how its table was cut"):
        real_windows(grouped["table"], Fake(grouped["real"], series=None))


# ---- what a person reads


def test_the_text_has_every_figure(grouped: dict[str, Any]) -> None:
    text = table_text(grouped["measured"])
    for name, entry in grouped["measured"]["fidelity"]["measures"].items():
        if name.endswith("_score"):
            assert f"{entry['value']:.4f} ± {entry['spread']:.4f}" in text
            assert f"{entry['baseline']:.4f} ± {entry['baseline_spread']:.4f}" in text
        else:
            assert f"{entry['value']:.4g}" in text
            assert f"{entry['baseline']:.4g}" in text
    near = grouped["measured"]["privacy"]
    assert f"in standard deviations: synthetic {near['median_distance_synthetic']:.4g}" in text
    assert f"{near['membership_auc']:.3f} ± {near['membership_auc_error']:.3f} on windows" in text
    assert "on groups" in text
    assert "baseline: real training windows in the place of the synthetic ones" in text
    for foreign in ("F1", "beat", "patient", "mV", "None"):
        assert foreign not in text
    assert max(map(len, text.splitlines()[:10])) <= 90


def test_classes_have_a_table(labelled: dict[str, Any]) -> None:
    text = table_text(labelled["measured"])
    assert text.startswith("F1 on real windows")
    assert "trained on synthetic windows" in text
    assert "beat" not in text


def test_without_a_split_the_text_says_so(whole: dict[str, Any], grouped: dict[str, Any]) -> None:
    text = table_text(whole["measured"])
    assert "say nothing about new data" in text
    assert "one random half of the real windows beside the other" in text
    assert "AUC (0.5 is best): not tried" in text
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


def test_a_manifest_as_text(grouped: dict[str, Any], whole: dict[str, Any], labelled: dict[str, Any]) -> None:
    text = manifest_text(grouped["fake"].manifest, "stocks.onnx", 2_000_000)
    assert text.startswith("stocks.onnx: 2.00 MB\n")
    assert "makes        synthetic series, 12 steps of 3 columns (volume, price, share)\n" in text
    groups = len(set(grouped["real"].part("train").groups))
    assert f"windows of {groups} groups, split by group\n" in text
    assert "source       table\n" in text
    assert "model        timegan\n" in text
    for foreign in ("classes", "Hz", "event", "time ", "statics", "patients"):
        assert foreign not in text
    assert f"{len(whole['real']):,} windows, not split\n" in manifest_text(whole["fake"].manifest, "m", 0)
    assert "  classes\n    a    5" in manifest_text(labelled["fake"].manifest, "m", 0)


@pytest.mark.parametrize(
    ("time", "said"),
    [
        ({"name": "date", "kind": "datetime", "step": 86400.0}, "date, a step is 1 day\n"),
        ({"name": "date", "kind": "datetime", "step": 900.0}, "date, a step is 15 minutes\n"),
        ({"name": "date", "kind": "datetime", "step": 0.5}, "date, a step is 0.5 seconds\n"),
        ({"name": "date", "kind": "datetime", "step": 5400.0}, "date, a step is 1.5 hours\n"),
        ({"name": "t", "kind": "number", "step": 2}, "t, a step is 2\n"),
    ],
)
def test_a_manifest_tells_of_time_and_statics(grouped: dict[str, Any], time: dict[str, Any], said: str) -> None:
    volume, price, share = (ColumnInfo(name=name, dtype="float64") for name in ("volume", "price", "share"))
    series = SeriesInfo(columns=(volume, price), statics=(share,), time=ClockInfo(**time))
    text = manifest_text(Fake(grouped["real"], series=series).manifest, "m", 0)
    assert "12 steps of 2 columns (volume, price)\n" in text
    assert "  statics      share\n" in text
    assert f"  time         {said}" in text


def test_only_so_many_columns_are_named(grouped: dict[str, Any]) -> None:
    names = tuple(f"c{number}" for number in range(12))
    text = manifest_text(Fake(grouped["real"], channel_names=names).manifest, "m", 0)
    assert "12 columns (c0, c1, c2, c3, c4, c5, c6, c7, ...)" in text
    one = manifest_text(Fake(grouped["real"], channel_names=("only",)).manifest, "m", 0)
    assert "12 steps of 1 column (only)" in one


def test_a_manifest_tells_the_chief_figures(grouped: dict[str, Any], whole: dict[str, Any]) -> None:
    for made in (grouped, whole):
        measured = made["measured"]
        metrics = {key: measured[key] for key in ("fidelity", "privacy")} | {"best_step": 5}
        text = manifest_text(Fake(made["real"], metrics=metrics).manifest, "m", 0)
        scores = measured["fidelity"]["measures"]
        assert f"discriminative score {scores['discriminative_score']['value']:.3f}" in text
        assert f"predictive score {scores['predictive_score']['value']:.3f}" in text
        assert "copies 0" in text
        assert ("distance ratio" in text) == (made is grouped)


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
