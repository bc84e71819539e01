"""Nothing is lost: whole files or none, no file replaced unasked."""

import errno
import io
import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgsynth.core.files import atomic, check_free, read_json, write_json
from ecgsynth.errors import ArtifactError, EcgSynthError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file that is there already."""
    path = tmp_path / "kept.json"
    path.write_bytes(b"old")
    return path


@given(content=JSON)
def test_json_round_trip(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "round" / "trip.json"  # the folder is made where it is missing
    write_json(path, content)
    assert read_json(path) == content
    assert list(path.parent.iterdir()) == [path]


def test_atomic_writes_beside_and_renames(old):
    with atomic(old) as temporary:
        assert temporary.parent == old.parent  # a rename across file systems would not be atomic
        assert temporary != old
        temporary.write_bytes(b"new")
        assert old.read_bytes() == b"old"
    assert old.read_bytes() == b"new"
    assert list(old.parent.iterdir()) == [old]


def test_who_reads_the_old_file_reads_it_to_its_end(old):
    with old.open("rb") as reader:
        with atomic(old) as temporary:
            temporary.write_bytes(b"new")
        assert reader.read() == b"old"  # the new file has taken the name, not the place
    assert old.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, RuntimeError])
def test_an_error_inside_leaves_the_old_file_and_nothing_else(old, error):
    def work():
        with atomic(old) as temporary:
            temporary.write_bytes(b"half")
            raise error("stop here")

    with pytest.raises(error, match="stop here"):
        work()
    assert old.read_bytes() == b"old"
    assert list(old.parent.iterdir()) == [old]


def test_an_error_before_anything_is_written_leaves_nothing(tmp_path):
    def work():
        with atomic(tmp_path / "new.json"):
            raise ValueError("stop here")

    with pytest.raises(ValueError, match="stop here"):
        work()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence_and_the_old_file_stays(old, monkeypatch):
    real_open = io.open

    class Full(io.TextIOWrapper):
        def write(self, text):
            super().write(text[:3])
            self.flush()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def full_open(file, mode="r", *rest, **named):
        return Full(real_open(file, "wb")) if "w" in mode else real_open(file, mode, *rest, **named)

    monkeypatch.setattr(io, "open", full_open)  # what Path.write_text calls
    with pytest.raises(ArtifactError, match=r"could not write .*kept\.json: No space left on device; nothing was "):
        write_json(old, {"a": 1})
    assert old.read_bytes() == b"old"
    assert list(old.parent.iterdir()) == [old]


def test_our_own_errors_pass_through_unchanged(old):
    def work():
        with atomic(old):
            raise ArtifactError("the inner sentence")

    with pytest.raises(ArtifactError, match=r"^the inner sentence$"):
        work()
    assert old.read_bytes() == b"old"


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_numbers_that_json_does_not_have_are_refused(old, number):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(old, {"loss": number})
    assert old.read_bytes() == b"old"
    assert list(old.parent.iterdir()) == [old]


def test_a_file_where_a_folder_should_be_is_one_sentence(old):
    with pytest.raises(ArtifactError, match="could not write"):
        write_json(old / "config.json", {})


def test_a_name_too_long_is_one_sentence(tmp_path):
    with pytest.raises(EcgSynthError, match="File name too long"):
        write_json(tmp_path / ("a" * 250), {})


def test_check_free(tmp_path, old):
    check_free(tmp_path / "new")
    check_free(old, force=True)
    with pytest.raises(ArtifactError, match=r"kept\.json exists already; .* --force"):
        check_free(old)
    (tmp_path / "empty").mkdir()
    check_free(tmp_path / "empty")  # nothing in it can be lost
    with pytest.raises(ArtifactError, match="exists already"):
        check_free(tmp_path)
    check_free(tmp_path, force=True)


def test_a_missing_json_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"expected a file .*none\.json, but there is none"):
        read_json(tmp_path / "none.json")


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1', b"\xff\xfe", b"<html>"])
def test_broken_json_is_named(old, content):
    old.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"kept\.json is not readable JSON"):
        read_json(old)


@pytest.mark.parametrize("below", ["", "config.json"])
def test_a_file_for_a_folder_or_a_folder_for_a_file_is_one_sentence(tmp_path, old, below):
    with pytest.raises(ArtifactError, match="expected a file|cannot be read"):
        read_json(old / below if below else tmp_path)


@given(content=JSON)
def test_a_cut_json_never_reads_as_something_else(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "cut.json"
    write_json(path, {"all": content})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError, match="not readable JSON"):
        read_json(path)
    assert json.loads(whole) == {"all": content}
