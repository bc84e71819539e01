"""What windows show of themselves: one line, a small page, a picture, a data frame."""

import dataclasses
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from ecgsynth.errors import DataError
from ecgsynth.windows.info import ColumnInfo, SeriesInfo, SeriesOptions
from ecgsynth.windows.windows import Windows


def beats(**changes: Any) -> Windows:
    """Seven beats of two classes, of 4 samples in 2 leads."""
    known: dict[str, Any] = {
        "values": np.arange(56, dtype=np.float32).reshape(7, 4, 2),
        "fs_hz": 2.0,
        "units": "mV",
        "channel_names": ("I", "II"),
        "classes": ("N", "<V>"),
        "labels": np.array([0, 1, 0, 0, 1, 0, 0]),
        "event_index": 1,
        "meta": {"kind": "beats"},
    }
    return Windows(**(known | changes))


SERIES = SeriesInfo(
    options=SeriesOptions(length=4, label="ward"),
    columns=(ColumnInfo(name="n", dtype="int64", quantum=1.0, decimals=0),),
    statics=(ColumnInfo(name="x", dtype="float64"),),
)


def test_a_line_says_what_there_is() -> None:
    assert repr(beats()) == "Windows(7 x 4 samples x 2 channels at 2 Hz in mV: N 5, <V> 2)"
    names = tuple("abcdefghij")
    many = beats(classes=names, labels=np.zeros(7, dtype=np.int64))
    assert repr(many).endswith("g 0, h 0, ... (10 in all))")


def test_a_notebook_has_the_counts_and_a_picture() -> None:
    page = beats()._repr_html_()
    assert "<td>&lt;V&gt;</td><td>2</td>" in page
    assert re.search(r'<img alt="[^"]+" src="data:image/png;base64,iVBOR[\w+/=]+">', page)


def test_the_picture_has_a_row_for_each_channel_and_a_panel_for_each_class() -> None:
    figure = beats().plot()
    axes = np.array(figure.axes).reshape(2, 2)
    assert [axis.get_title() for axis in axes[0]] == ["N", "<V>"]
    assert [axis.get_ylabel() for axis in axes[:, 0]] == ["I\nmV", "II\nmV"]
    assert [len(axis.lines) for axis in axes.flat] == [5, 2, 5, 2]
    assert axes[1, 1].lines[0].get_xydata().tolist() == [[-0.5, 9.0], [0.0, 11.0], [0.5, 13.0], [1.0, 15.0]]
    assert axes[1, 0].get_xlabel() == "seconds from the event"


def test_of_very_many_some_are_drawn() -> None:
    wide = np.zeros((300, 3, 9), dtype=np.float32)
    many = beats(values=wide, labels=np.arange(300) % 10, classes=tuple("abcdefghij"), channel_names=tuple("ABCDEFGHI"))
    axes = dataclasses.replace(many, meta={"kind": "series"}, event_index=None).plot().axes
    assert len(axes) == 6 * 4
    assert {len(axis.lines) for axis in axes} == {12}
    assert axes[-1].get_xlabel() == "step"
    nothing = many.take(np.zeros(300, dtype=np.bool_))
    assert len(nothing.plot().axes) == 4


def test_beats_as_a_frame_have_a_row_each() -> None:
    pandas = pytest.importorskip("pandas")
    known = beats(
        groups=np.array(list("ppqqrrr")),
        parts=np.array([0, 1, 2, 0, 0, 0, 0], dtype=np.int8),
        rr_s=np.tile(np.array([0.5, np.nan], dtype=np.float32), (7, 1)),
    )
    frame = known.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    samples = ["I_0", "II_0", "I_1", "II_1", "I_2", "II_2", "I_3", "II_3"]
    assert list(frame) == ["label", "group", "part", "rr_before_s", "rr_after_s", *samples]
    assert frame["label"].tolist() == ["N", "<V>", "N", "N", "<V>", "N", "N"]
    assert frame["group"].tolist() == list("ppqqrrr")
    assert frame["part"].tolist()[:3] == ["train", "validation", "test"]
    assert frame[samples].to_numpy().tolist() == known.values.reshape(7, 8).tolist()
    assert frame["rr_after_s"].isna().all()
    assert list(beats().to_frame()) == ["label", *samples]


def test_a_series_as_a_frame_is_the_users_table() -> None:
    frame = beats(series=SERIES, meta={"kind": "series"}, event_index=None).to_frame()
    assert {name: str(frame[name].dtype) for name in ("id", "step", "n", "x")} == {
        "id": "int64",
        "step": "int64",
        "n": "int64",
        "x": "float64",
    }
    assert frame["ward"].tolist()[::4] == ["N", "<V>", "N", "N", "<V>", "N", "N"]
    assert frame["n"].tolist()[:5] == [0, 2, 4, 6, 8]
    assert frame["x"].tolist()[:5] == [4.0, 4.0, 4.0, 4.0, 12.0]
    with pytest.raises(DataError, match="do not know the columns of their table"):
        beats(meta={"kind": "series"}).to_frame()


def test_without_the_packages_for_it_a_page_has_no_picture() -> None:
    code = (
        "import sys; sys.modules.update(matplotlib=None, pandas=None)\n"
        "import ecgsynth; made = ecgsynth.pretrained('mitbih-beats').sample(3)\n"
        "assert '<table>' in made._repr_html_() and '<img' not in made._repr_html_()"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


def test_a_picture_leaves_the_users_backend_alone() -> None:
    code = (
        "import sys, numpy, ecgsynth; made = ecgsynth.pretrained('mitbih-beats').sample(3)\n"
        "made._repr_html_(); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
