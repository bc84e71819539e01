"""A file of windows gives back what was put in, or says why not; and nothing is lost that was there."""

import dataclasses
import errno
import gc
import io
import json
import os
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from ecgsynth.core.npz import read_npz
from ecgsynth.errors import ArtifactError, DataError
from ecgsynth.windows.window_file import save_batches
from ecgsynth.windows.windows import Windows

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
CLASSES = ("N", "S", "V", "F", "Q")


@st.composite
def windows_of_any_kind(draw):
    n, time, channels = draw(st.integers(0, 6)), draw(st.integers(1, 5)), draw(st.integers(1, 3))
    classes = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))

    def column(dtype, shape, elements):
        return draw(st.none() | npst.arrays(dtype, shape, elements=elements))

    return Windows(
        values=draw(npst.arrays(np.float32, (n, time, channels), elements=FLOATS)),
        fs_hz=draw(st.floats(1, 1e4)),
        units=draw(NAMES),
        channel_names=tuple(draw(st.lists(NAMES, min_size=channels, max_size=channels))),
        classes=tuple(classes),
        labels=draw(npst.arrays(np.int64, n, elements=st.integers(0, len(classes) - 1))),
        groups=column("U6", n, NAMES),
        parts=column(np.int8, n, st.integers(0, 3)),
        rr_s=column(np.float32, (n, 2), st.floats(0, 9, width=32) | st.just(np.nan)),
        records=column("U6", n, NAMES),
        event_index=draw(st.none() | st.integers(0, 4)),
        meta=draw(st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=3)),
    )


@given(windows=windows_of_any_kind())
def test_npz_round_trip(assert_same, tmp_path_factory, windows):
    path = tmp_path_factory.getbasetemp() / "round.npz"
    windows.save(path, force=True)
    assert_same(windows, Windows.load(path))
    with np.load(path, allow_pickle=False) as file:  # read by anyone, with no pickle in it
        assert file["values"].dtype == np.float32
        assert file["labels"].tolist() == [windows.classes[code] for code in windows.labels]
        assert file["fs_hz"] == windows.fs_hz


def test_the_same_windows_give_the_same_arrays_and_dates_do_not_matter(make, tmp_path):
    make().save(tmp_path / "a.npz")
    make().save(tmp_path / "b.npz")
    first, second = zipfile.ZipFile(tmp_path / "a.npz"), zipfile.ZipFile(tmp_path / "b.npz")
    with first, second:
        assert {name: first.read(name) for name in first.namelist()} == {n: second.read(n) for n in second.namelist()}


@given(cuts=st.lists(st.integers(0, 10), max_size=4).map(sorted))
def test_batches_give_the_file_that_save_gives(make, tmp_path_factory, cuts):
    folder = tmp_path_factory.getbasetemp()
    windows = make()
    windows.save(folder / "whole.npz", force=True)
    bounds = [0, *cuts, 10]
    pieces = [windows.take(np.arange(a, b)) for a, b in zip(bounds, bounds[1:], strict=False)]
    save_batches(folder / "pieces.npz", windows, iter(pieces), force=True)
    whole, parts = read_npz(folder / "whole.npz"), read_npz(folder / "pieces.npz")
    assert whole.keys() == parts.keys()
    assert all(
        whole[name].tobytes() == parts[name].tobytes() and whole[name].dtype == parts[name].dtype for name in whole
    )


@pytest.mark.parametrize("with_intervals", [True, False])
def test_batches_of_more_windows_than_the_pattern_has(make, assert_same, tmp_path, with_intervals):
    rr_s = {} if with_intervals else {"rr_s": None}
    pattern, whole = (
        make(1, groups=None, parts=None, records=None, **rr_s),
        make(9, groups=None, parts=None, records=None, **rr_s),
    )
    pieces = [whole.take(np.arange(start, min(start + 4, 9))) for start in (0, 4, 8)]
    save_batches(tmp_path / "a.npz", pattern, pieces, n=9)
    assert_same(Windows.load(tmp_path / "a.npz"), whole)


def test_intervals_are_those_of_the_batches_and_not_of_the_pattern(make, tmp_path):
    save_batches(tmp_path / "a.npz", make(3, groups=None, parts=None, records=None), [make(10, rr_s=None)], n=10)
    assert Windows.load(tmp_path / "a.npz").rr_s is None
    save_batches(tmp_path / "b.npz", make(3, rr_s=None, groups=None, parts=None, records=None), [make(10)], n=10)
    assert Windows.load(tmp_path / "b.npz").rr_s.tolist() == make(10).rr_s.tolist()


@pytest.mark.parametrize("first", [0, 1])
def test_intervals_of_some_batches_only_leave_no_file(make, tmp_path, first):
    batches = [make(5), make(5, rr_s=None)]
    with pytest.raises(DataError, match="RR intervals in every batch or in none"):
        save_batches(tmp_path / "a.npz", make(), [batches[first], batches[1 - first]])
    assert list(tmp_path.iterdir()) == []


def test_values_in_another_order_of_memory_are_written_right(make, tmp_path):
    windows = make()
    odd = dataclasses.replace(windows, values=np.asfortranarray(windows.values))
    save_batches(tmp_path / "a.npz", windows, [odd])
    assert Windows.load(tmp_path / "a.npz").values.tobytes() == windows.values.tobytes()


def test_an_existing_file_is_replaced_only_by_force(make, tmp_path):
    path = tmp_path / "beats.npz"
    make().save(path)
    before = path.read_bytes()
    with pytest.raises(ArtifactError, match=r"beats\.npz exists already; .* --force"):
        make(5).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    make(5).save(path, force=True)
    assert len(Windows.load(path)) == 5


@pytest.mark.parametrize("there", [True, False])
def test_batches_that_fail_half_way_change_nothing(make, tmp_path, there):
    path = tmp_path / "beats.npz"
    if there:
        path.write_bytes(b"old")

    def batches():
        yield make()
        raise RuntimeError("the generator fell over")

    with pytest.raises(RuntimeError, match="the generator fell over"):
        save_batches(path, make(), batches(), n=20, force=True)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == ([("beats.npz", b"old")] if there else [])


def test_a_full_disk_is_one_sentence_and_changes_nothing(make, tmp_path, monkeypatch):
    path = tmp_path / "beats.npz"
    path.write_bytes(b"old")
    real_open = io.open

    class Full(io.FileIO):
        def write(self, content):
            if self.tell() > 200:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(content)

    def full_open(file, mode="r", *rest, **named):
        return Full(file, "w+") if "w" in mode else real_open(file, mode, *rest, **named)

    monkeypatch.setattr(zipfile.io, "open", full_open)
    with pytest.raises(ArtifactError, match=r"could not write .*beats\.npz: No space left on device; nothing was"):
        make(500).save(path, force=True)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("beats.npz", b"old")]


@pytest.mark.parametrize("n", [9, 11])
def test_batches_of_another_number_leave_no_file(make, tmp_path, n):
    with pytest.raises(DataError, match=f"{n}.*10"):
        save_batches(tmp_path / "a.npz", make(), [make()], n=n)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def rewritten(make, tmp_path):
    """A function that saves windows, changes some arrays of the file, and gives its path."""

    def rewrite(*without, **changed):
        path = tmp_path / "changed.npz"
        make().save(path, force=True)
        arrays = {name: array for name, array in read_npz(path).items() if name not in without} | changed
        np.savez(path, **arrays)
        return path

    return rewrite


def test_a_file_written_by_numpy_is_read(make, assert_same, rewritten):
    assert_same(make(), Windows.load(rewritten()))


def test_unknown_labels_are_named(rewritten):
    labels = np.array(["N", "X", "V", "N", "Y", "S", "N", "N", "N", "N"])
    with pytest.raises(DataError, match="has 2 labels that are not among its 5 classes"):
        Windows.load(rewritten(labels=labels))


def test_a_newer_format_asks_for_an_upgrade(rewritten):
    with pytest.raises(ArtifactError, match="has format 2 and this version reads up to 1; upgrade ecgsynth"):
        Windows.load(rewritten(format=np.asarray(2)))


@pytest.mark.parametrize("name", ["format", "values", "labels", "fs_hz", "units", "channel_names", "classes"])
def test_what_a_file_lacks_is_named(rewritten, name):
    with pytest.raises(ArtifactError, match=rf"changed\.npz lacks {name}; expected a file made by 'ecgsynth prepare'"):
        Windows.load(rewritten(name))


def test_what_may_be_missing_may(rewritten):
    found = Windows.load(rewritten("groups", "parts", "rr_s", "records", "event_index", "meta"))
    assert (found.groups, found.parts, found.rr_s, found.event_index, found.meta) == (None, None, None, None, {})
    assert found.records is None  # as in files of earlier versions


def test_pickled_arrays_are_refused(rewritten):
    path = rewritten()
    np.savez(path, allow_pickle=True, **{**read_npz(path), "groups": np.array([{}] * 10, dtype=object)})
    with pytest.raises(ArtifactError, match="not a whole .npz of plain arrays .*allow_pickle=False"):
        Windows.load(path)


def test_a_file_cut_anywhere_is_refused(make, tmp_path):
    path = tmp_path / "cut.npz"
    make(2).save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ArtifactError, match=r"cut\.npz is not a whole \.npz of plain arrays"):
            Windows.load(path)


@given(where=st.integers(0, 63))
def test_a_changed_bit_in_the_values_is_refused(make, tmp_path_factory, where):
    path = tmp_path_factory.getbasetemp() / "bit.npz"
    make().save(path, force=True)
    content = bytearray(path.read_bytes())
    content[content.index(make().values.tobytes()) + where] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="Bad CRC"):
        Windows.load(path)


@pytest.mark.parametrize("content", [b"", b"values,labels\n1,N\n", b"PK\x03\x04", b"\x80\x04}."], ids=repr)
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"other\.npz is not a whole \.npz of plain arrays"):
        Windows.load(path)


def test_a_broken_file_is_closed(tmp_path):
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(ArtifactError, match="not a whole .npz"):
            Windows.load(tmp_path / "cut.npz")
        gc.collect()
    assert [str(warning.message) for warning in seen] == []


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(ArtifactError, match=r"expected a file of windows at .*none\.npz, but there is none"):
        Windows.load(tmp_path / "none.npz")
    with pytest.raises(ArtifactError, match="not a whole .npz"):
        Windows.load(tmp_path)


def test_a_single_array_is_refused(make, tmp_path):
    np.save(tmp_path / "one.npy", make().values)
    with pytest.raises(ArtifactError, match="not a whole .npz"):
        Windows.load(tmp_path / "one.npy")


def test_a_damaged_compressed_file_is_refused(make, tmp_path):
    make().save(tmp_path / "a.npz")
    np.savez_compressed(tmp_path / "b.npz", **read_npz(tmp_path / "a.npz"))
    content = bytearray((tmp_path / "b.npz").read_bytes())
    content[80:90] = b"\xff" * 10
    (tmp_path / "b.npz").write_bytes(content)
    with pytest.raises(ArtifactError, match="not a whole .npz"):
        Windows.load(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("name", "array"),
    [("meta", "no JSON"), ("format", "one"), ("fs_hz", "fast"), ("event_index", [1, 2]), ("classes", "N")],
)
def test_arrays_of_another_kind_are_refused(rewritten, name, array):
    with pytest.raises(ArtifactError, match=r"changed\.npz"):
        Windows.load(rewritten(**{name: np.asarray(array)}))


def test_meta_is_stored_as_json(make, tmp_path):
    make(meta={"dropped": {"flat": 3}, "band_hz": (0.5, 40.0)}).save(tmp_path / "a.npz")
    assert Windows.load(tmp_path / "a.npz").meta == {"dropped": {"flat": 3}, "band_hz": [0.5, 40.0]}
    assert json.loads(str(read_npz(tmp_path / "a.npz")["meta"]))["dropped"] == {"flat": 3}
