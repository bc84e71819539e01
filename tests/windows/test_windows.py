"""The data type: what it refuses, what its parts are, and that a file gives back what was put in, or says why not."""

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
from ecgsynth.windows.windows import PARTS, PER_WINDOW, Windows, check_windows, save_batches

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
        parts=column(np.int8, n, st.integers(0, 2)),
        rr_s=column(np.float32, (n, 2), st.floats(0, 9, width=32) | st.just(np.nan)),
        event_index=draw(st.none() | st.integers(0, 4)),
        meta=draw(st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=3)),
    )


def make(n=10, **other):
    """Windows of all five classes in turn, of two patients, split."""
    index = np.arange(n)
    return Windows(
        **{
            "values": np.arange(8 * n, dtype=np.float32).reshape(n, 4, 2),
            "fs_hz": 360.0,
            "units": "mV",
            "channel_names": ("MLII", "V1"),
            "classes": CLASSES,
            "labels": index % 5,
            "groups": np.where(index < n // 2, "a", "b"),
            "parts": (index % 3).astype(np.int8),
            "rr_s": np.stack([index, index + 1], axis=1).astype(np.float32),
            "event_index": 1,
            "meta": {"kind": "beats"},
            **other,
        }
    )


def assert_same(ours, theirs):
    for name in PER_WINDOW:
        left, right = getattr(ours, name), getattr(theirs, name)
        assert (left is None) == (right is None), name
        if left is not None:
            assert left.shape == right.shape, name
            assert left.dtype.kind == right.dtype.kind, name
            assert left.astype(right.dtype).tobytes() == right.tobytes(), name
    for name in ("fs_hz", "units", "channel_names", "classes", "event_index", "meta"):
        assert getattr(ours, name) == getattr(theirs, name), name


@given(windows=windows_of_any_kind())
def test_npz_round_trip(tmp_path_factory, windows):
    path = tmp_path_factory.getbasetemp() / "round.npz"
    windows.save(path, force=True)
    assert_same(windows, Windows.load(path))
    with np.load(path, allow_pickle=False) as file:  # read by anyone, with no pickle in it
        assert file["values"].dtype == np.float32
        assert file["labels"].tolist() == [windows.classes[code] for code in windows.labels]
        assert file["fs_hz"] == windows.fs_hz


def test_the_same_windows_give_the_same_arrays_and_dates_do_not_matter(tmp_path):
    make().save(tmp_path / "a.npz")
    make().save(tmp_path / "b.npz")
    first, second = zipfile.ZipFile(tmp_path / "a.npz"), zipfile.ZipFile(tmp_path / "b.npz")
    with first, second:
        assert {name: first.read(name) for name in first.namelist()} == {n: second.read(n) for n in second.namelist()}


@given(cuts=st.lists(st.integers(0, 10), max_size=4).map(sorted))
def test_batches_give_the_file_that_save_gives(tmp_path_factory, cuts):
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
def test_batches_of_more_windows_than_the_pattern_has(tmp_path, with_intervals):
    rr_s = {} if with_intervals else {"rr_s": None}
    pattern, whole = make(1, groups=None, parts=None, **rr_s), make(9, groups=None, parts=None, **rr_s)
    pieces = [whole.take(np.arange(start, min(start + 4, 9))) for start in (0, 4, 8)]
    save_batches(tmp_path / "a.npz", pattern, pieces, n=9)
    assert_same(Windows.load(tmp_path / "a.npz"), whole)


def test_intervals_are_those_of_the_batches_and_not_of_the_pattern(tmp_path):
    save_batches(tmp_path / "a.npz", make(3, groups=None, parts=None), [make(10, rr_s=None)], n=10)
    assert Windows.load(tmp_path / "a.npz").rr_s is None
    save_batches(tmp_path / "b.npz", make(3, rr_s=None, groups=None, parts=None), [make(10)], n=10)
    assert Windows.load(tmp_path / "b.npz").rr_s.tolist() == make(10).rr_s.tolist()


@pytest.mark.parametrize("first", [0, 1])
def test_intervals_of_some_batches_only_leave_no_file(tmp_path, first):
    batches = [make(5), make(5, rr_s=None)]
    with pytest.raises(DataError, match="RR intervals in every batch or in none"):
        save_batches(tmp_path / "a.npz", make(), [batches[first], batches[1 - first]])
    assert list(tmp_path.iterdir()) == []


def test_values_in_another_order_of_memory_are_written_right(tmp_path):
    windows = make()
    odd = dataclasses.replace(windows, values=np.asfortranarray(windows.values))
    save_batches(tmp_path / "a.npz", windows, [odd])
    assert Windows.load(tmp_path / "a.npz").values.tobytes() == windows.values.tobytes()


def test_an_existing_file_is_replaced_only_by_force(tmp_path):
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
def test_batches_that_fail_half_way_change_nothing(tmp_path, there):
    path = tmp_path / "beats.npz"
    if there:
        path.write_bytes(b"old")

    def batches():
        yield make()
        raise RuntimeError("the generator fell over")

    with pytest.raises(RuntimeError, match="the generator fell over"):
        save_batches(path, make(), batches(), n=20, force=True)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == ([("beats.npz", b"old")] if there else [])


def test_a_full_disk_is_one_sentence_and_changes_nothing(tmp_path, monkeypatch):
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
def test_batches_of_another_number_leave_no_file(tmp_path, n):
    with pytest.raises(DataError, match=f"{n}.*10"):
        save_batches(tmp_path / "a.npz", make(), [make()], n=n)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def rewritten(tmp_path):
    """A function that saves windows, changes some arrays of the file, and gives its path."""

    def rewrite(*without, **changed):
        path = tmp_path / "changed.npz"
        make().save(path, force=True)
        arrays = {name: array for name, array in read_npz(path).items() if name not in without} | changed
        np.savez(path, **arrays)
        return path

    return rewrite


def test_a_file_written_by_numpy_is_read(rewritten):
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
    found = Windows.load(rewritten("groups", "parts", "rr_s", "event_index", "meta"))
    assert (found.groups, found.parts, found.rr_s, found.event_index, found.meta) == (None, None, None, None, {})


def test_pickled_arrays_are_refused(rewritten):
    path = rewritten()
    np.savez(path, allow_pickle=True, **{**read_npz(path), "groups": np.array([{}] * 10, dtype=object)})
    with pytest.raises(ArtifactError, match="not a whole .npz of plain arrays .*allow_pickle=False"):
        Windows.load(path)


def test_a_file_cut_anywhere_is_refused(tmp_path):
    path = tmp_path / "cut.npz"
    make(2).save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ArtifactError, match=r"cut\.npz is not a whole \.npz of plain arrays"):
            Windows.load(path)


@given(where=st.integers(0, 63))
def test_a_changed_bit_in_the_values_is_refused(tmp_path_factory, where):
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


def test_a_single_array_is_refused(tmp_path):
    np.save(tmp_path / "one.npy", make().values)
    with pytest.raises(ArtifactError, match="not a whole .npz"):
        Windows.load(tmp_path / "one.npy")


def test_a_damaged_compressed_file_is_refused(tmp_path):
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


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.zeros((3, 4), np.float32), r"shape \(n, time, channels\), got shape \(3, 4\); .* values\[..., None\]"),
        (np.zeros((3, 4, 1, 1), np.float32), r"got shape \(3, 4, 1, 1\)"),
        (np.zeros((3, 4, 1)), r"expected windows of float32, got float64; convert with values\.astype"),
        (np.zeros((3, 4, 1), np.int16), "expected windows of float32, got int16"),
        (np.array([[[0]], [[np.nan]], [[np.inf]]], np.float32), "got NaN or infinity in 2 of 3; drop or repair"),
    ],
)
def test_check_windows(values, sentence):
    with pytest.raises(DataError, match=sentence):
        check_windows(values)
    with pytest.raises(DataError, match=sentence):
        make(3, values=values, channel_names=("a",))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"channel_names": ("MLII",)}, r"expected 2 channel names, got \['MLII'\]"),
        ({"labels": np.zeros(9, np.int64)}, "expected 10 labels, one a window, got 9"),
        ({"groups": np.array(["a"])}, "expected 10 groups, one a window, got 1"),
        ({"parts": np.zeros(11, np.int8)}, "expected 10 parts, one a window, got 11"),
        ({"rr_s": np.zeros((2, 2), np.float32)}, "expected 10 rr_s, one a window, got 2"),
        ({"rr_s": np.zeros(10, np.float32)}, r"expected rr_s of shape \(n, 2\), .* got shape \(10,\)"),
        ({"rr_s": np.zeros((10, 3), np.float32)}, r"expected rr_s of shape \(n, 2\), .* got shape \(10, 3\)"),
        ({"labels": np.arange(10) - 1}, "positions in the 5 classes, got -1 to 8"),
        ({"labels": np.full(10, 5)}, "got 5 to 5"),
    ],
)
def test_what_does_not_fit_together_is_named(changed, sentence):
    with pytest.raises(DataError, match=sentence):
        make(**changed)


def test_take():
    windows = make()
    by_mask, by_place = windows.take(windows.labels == 2), windows.take(np.array([2, 7]))
    assert_same(by_mask, by_place)
    assert by_place.values.tolist() == [windows.values[2].tolist(), windows.values[7].tolist()]
    assert by_place.labels.tolist() == [2, 2]
    assert by_place.groups.tolist() == ["a", "b"]
    assert by_place.parts.tolist() == [2, 1]
    assert by_place.rr_s.tolist() == [[2, 3], [7, 8]]
    assert windows.take(np.array([7, 2])).rr_s[:, 0].tolist() == [7, 2]  # in the order asked for
    assert len(windows.take(np.array([], dtype=int))) == 0


def test_part():
    windows = make()
    assert [windows.part(name).rr_s[:, 0].tolist() for name in PARTS] == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]
    with pytest.raises(DataError, match="^a part is one of train, validation, test, got 'dev'$"):
        windows.part("dev")
    with pytest.raises(DataError, match="not split yet; run 'ecgsynth prepare'"):
        make(parts=None).part("train")


def test_keep_classes():
    kept = make().keep_classes(("Q", "S"))
    assert kept.classes == ("S", "Q")  # the order of before
    assert kept.labels.tolist() == [0, 1, 0, 1]
    assert kept.rr_s[:, 0].tolist() == [1, 4, 6, 9]
    assert kept.counts() == {"S": 2, "Q": 2}
    assert_same(make().keep_classes(CLASSES), make())
    with pytest.raises(DataError, match="^there is no class 'X'; the classes are N, S, V, F, Q$"):
        make().keep_classes(("N", "X"))
    with pytest.raises(DataError, match="expected at least one class to keep, got none"):
        make().keep_classes(())


def test_counts_and_shares():
    windows = make(12)
    assert windows.counts() == {"N": 3, "S": 3, "V": 2, "F": 2, "Q": 2}
    assert windows.shares() == pytest.approx(np.array([3, 3, 2, 2, 2]) / 12)
    assert make(1).shares().tolist() == [1, 0, 0, 0, 0]  # a class without windows has its place
    assert make(0).shares().tolist() == [0] * 5
    assert [windows.code(name) for name in CLASSES] == [0, 1, 2, 3, 4]


def test_fingerprint_is_of_the_windows_alone(tmp_path):
    windows = make()
    mark = windows.fingerprint()
    windows.save(tmp_path / "a.npz")
    assert Windows.load(tmp_path / "a.npz").fingerprint() == mark
    # What is known beside values and classes does not count, nor do classes that no window has.
    assert make(groups=None, parts=None, rr_s=None, meta={}).fingerprint() == mark
    some = windows.take(np.isin(windows.labels, [1, 4]))
    assert windows.keep_classes(("S", "Q")).fingerprint() == some.fingerprint() != mark


def test_fingerprint_tells_windows_apart():
    windows = make()
    values = windows.values.copy()
    values[3, 2, 1] = np.nextafter(values[3, 2, 1], np.float32(1e9))
    others = [
        make(values=values),
        make(labels=np.append(windows.labels[:-1], 0)),
        make(9),
        make(11),
        windows.take(np.arange(10)[::-1]),
        make(classes=("N", "S", "V", "F", "X")),
    ]
    marks = [windows.fingerprint(), *(other.fingerprint() for other in others)]
    assert len(set(marks)) == len(marks)
    assert all(len(mark) == 64 and int(mark, 16) for mark in marks)


def test_meta_is_stored_as_json(tmp_path):
    make(meta={"dropped": {"flat": 3}, "band_hz": (0.5, 40.0)}).save(tmp_path / "a.npz")
    assert Windows.load(tmp_path / "a.npz").meta == {"dropped": {"flat": 3}, "band_hz": [0.5, 40.0]}
    assert json.loads(str(read_npz(tmp_path / "a.npz")["meta"]))["dropped"] == {"flat": 3}
