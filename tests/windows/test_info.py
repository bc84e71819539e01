"""What is known of data, as records: in a run folder, in a file, and what a file leaves out."""

import dataclasses
import json
from typing import Any

import pytest

from ecgsynth.errors import ConfigError
from ecgsynth.windows.info import FEW, ClassInfo, ColumnInfo, DataInfo, PrivateInfo, SeriesInfo, SeriesOptions, Source

BEATS = DataInfo(
    kind="beats",
    fs_hz=360.0,
    units="mV",
    time=256,
    channel_names=("MLII",),
    event_index=100,
    classes=(ClassInfo(name="N", meaning="normal", share=1.0),),
    source=Source(name="MIT-BIH", licence="ODC-By 1.0"),
    split="patient",
    band_hz=(0.5, 40.0),
    training_windows=1234,
    training_patients=9,
    private=PrivateInfo(source=Source(name="ward 7"), split_seed=3, digest={"key": "00", "value": "ab"}),
)


def through_json(data: DataInfo) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(data.to_json(), allow_nan=False))
    return content


def test_a_run_folder_keeps_all_of_it_and_a_file_what_may_be_published() -> None:
    content = through_json(BEATS)
    assert content["private"] == {"source": {"name": "ward 7"}, "split_seed": 3, "digest": BEATS.private.digest}
    assert "series" not in content
    assert DataInfo.from_json(content) == BEATS
    public = BEATS.published()
    assert public == dataclasses.replace(BEATS, training_windows=1200, training_patients=FEW, private=None)
    assert "private" not in through_json(public)


def test_a_count_that_is_not_told_is_null_and_one_that_is_not_known_is_left_out() -> None:
    unknown = dataclasses.replace(BEATS, training_windows=3, training_patients=None)
    assert through_json(unknown)["training_patients"] is None
    assert DataInfo.from_json(through_json(unknown)) == unknown
    public = unknown.published()
    content = through_json(public)
    assert content["training_windows"] is None
    assert "training_patients" not in content
    assert DataInfo.from_json(content) == public


def test_a_series_of_an_earlier_version_is_read() -> None:
    column = {"name": "x", "dtype": "float64", "quantum": None, "lowest": 0.0, "highest": 1.0}  # no decimals
    series = {"options": {"length": 4}, "columns": [column], "statics": [], "time": None}
    found = DataInfo.from_json(through_json(BEATS) | {"kind": "series", "series": series}).series
    options = SeriesOptions(length=4)
    assert found == SeriesInfo(
        options=options, columns=(ColumnInfo(name="x", dtype="float64", lowest=0.0, highest=1.0),)
    )
    assert found.channels == found.columns


def test_the_file_of_a_user_is_not_told_of_a_run_of_an_earlier_version() -> None:
    old = dataclasses.replace(BEATS, kind="series", private=None)
    assert old.published().source == Source()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"classes": 3}, "expected a list, got int"),
        ({"classes": [{"name": "N"}]}, "ClassInfo needs the setting meaning, share"),
        ({"series": []}, "SeriesInfo is kept as a JSON object, got list"),
    ],
)
def test_what_is_no_record_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        DataInfo.from_json(through_json(BEATS) | change)
    with pytest.raises(ConfigError, match="DataInfo needs the setting channel_names"):
        DataInfo.from_json({name: value for name, value in through_json(BEATS).items() if name != "channel_names"})
