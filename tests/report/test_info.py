"""What `ecgsynth info` says of a generator."""

from typing import Any

import pytest

from ecgsynth.report.info import manifest_text
from ecgsynth.windows.info import ClockInfo, ColumnInfo, SeriesInfo

pytestmark = pytest.mark.trains


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
def test_a_manifest_tells_of_time_and_statics(
    grouped: dict[str, Any], time: dict[str, Any], said: str, series_sampler: type[Any]
) -> None:
    volume, price, share = (ColumnInfo(name=name, dtype="float64") for name in ("volume", "price", "share"))
    series = SeriesInfo(columns=(volume, price), statics=(share,), time=ClockInfo(**time))
    text = manifest_text(series_sampler(grouped["real"], series=series).manifest, "m", 0)
    assert "12 steps of 2 columns (volume, price)\n" in text
    assert "  statics      share\n" in text
    assert f"  time         {said}" in text


def test_only_so_many_columns_are_named(grouped: dict[str, Any], series_sampler: type[Any]) -> None:
    names = tuple(f"c{number}" for number in range(12))
    text = manifest_text(series_sampler(grouped["real"], channel_names=names).manifest, "m", 0)
    assert "12 columns (c0, c1, c2, c3, c4, c5, c6, c7, ...)" in text
    one = manifest_text(series_sampler(grouped["real"], channel_names=("only",)).manifest, "m", 0)
    assert "12 steps of 1 column (only)" in one


def test_a_manifest_tells_the_chief_figures(
    grouped: dict[str, Any], whole: dict[str, Any], series_sampler: type[Any]
) -> None:
    for made in (grouped, whole):
        measured = made["measured"]
        metrics = {key: measured[key] for key in ("fidelity", "privacy")} | {"best_step": 5}
        text = manifest_text(series_sampler(made["real"], metrics=metrics).manifest, "m", 0)
        scores = measured["fidelity"]["measures"]
        assert f"discriminative score {scores['discriminative_score']['value']:.3f}" in text
        assert f"predictive score {scores['predictive_score']['value']:.3f}" in text
        assert "copies 0" in text
        assert ("distance ratio" in text) == (made is grouped)
