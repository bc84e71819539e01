"""What is wrong with records and options is said in a sentence."""

import itertools

import numpy as np
import pytest

from ecgsynth.errors import ConfigError, DataError
from ecgsynth.windows.beats import BeatOptions, read_beats


def wave(n=2000, seed=0):
    """A signal on the steps of format 16, different everywhere, within 3 mV."""
    rng = np.random.default_rng(seed)
    return np.round(np.sin(np.arange(n) / 9) + rng.normal(scale=0.3, size=n).clip(-1.5, 1.5), 3)


class TestBadInput:
    def test_no_folder(self, tmp_path):
        with pytest.raises(DataError, match="expected a folder of WFDB records, but there is no folder .*nowhere$"):
            read_beats(tmp_path / "nowhere")
        (tmp_path / "file").touch()
        with pytest.raises(DataError, match="there is no folder .*file$"):
            read_beats(tmp_path / "file")

    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(DataError, match=r"expected WFDB records \(\.hea, \.dat, \.atr\) in .*, but it has none$"):
            read_beats(tmp_path)

    @pytest.mark.parametrize(("suffix", "meaning"), [(".atr", "beat annotations"), (".hea", "header")])
    def test_a_missing_file(self, write_record, suffix, meaning):
        folder = write_record(wave(), [500])
        (folder / "RECORDS").write_text("r1\n", encoding="utf-8")
        (folder / f"r1{suffix}").unlink()
        with pytest.raises(DataError, match=rf"^record r1 has no {meaning}: expected a file .*r1\{suffix}$"):
            read_beats(folder)

    def test_a_missing_signal(self, write_record):
        folder = write_record(wave(), [500])
        (folder / "r1.dat").unlink()
        with pytest.raises(DataError, match="^record r1: its signal is missing, truncated or not .*; fetch it again$"):
            read_beats(folder)

    @pytest.mark.parametrize(("fmt", "left"), [*itertools.product(["16", "212"], [0.0, 0.5, 0.999])])
    def test_a_truncated_signal(self, write_record, fmt, left):
        folder = write_record(wave(), [500], fmt=fmt)
        whole = (folder / "r1.dat").read_bytes()
        (folder / "r1.dat").write_bytes(whole[: int(left * len(whole))])
        with pytest.raises(DataError, match="^record r1: .*truncated"):
            read_beats(folder)

    @pytest.mark.parametrize("content", [b"\xf4", b"\xf4\x05\x00", b"\xff" * 8], ids=repr)
    def test_broken_annotations(self, write_record, content):
        folder = write_record(wave(), [500])
        (folder / "r1.atr").write_bytes(content)
        with pytest.raises(DataError, match="^record r1: its annotations cannot be read; fetch it again$"):
            read_beats(folder)

    @pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\xfe\x00"], ids=repr)
    def test_a_broken_header(self, write_record, content):
        folder = write_record(wave(), [500])
        (folder / "r1.hea").write_bytes(content)
        with pytest.raises(DataError, match="^record r1: its header is not a WFDB header; fetch it again$"):
            read_beats(folder)

    @pytest.mark.parametrize(
        "content",
        [
            "r1 1 360\nr1.dat 16 1000(0)/mV 16 0 0 0 0 MLII\n",
            "r1 0 360 2000\n",
            "r1/2 1 360 2000\na 1000\nb 1000\n",
            "r1 1 360 2000\nr1.dat 16 1000(0)/mV 16 0 0 0 0\n",
            "r1 1 360 2000\nr1.dat 999 1000(0)/mV 16 0 0 0 0 MLII\n",
        ],
        ids=["no length", "no signal", "many segments", "no name of a lead", "unknown format"],
    )
    def test_a_header_that_says_too_little_or_too_much(self, write_record, content):
        folder = write_record(wave(), [500])
        (folder / "r1.hea").write_text(content, encoding="ascii")
        with pytest.raises(DataError, match="record r1"):
            read_beats(folder)

    @pytest.mark.parametrize("past", [2000, 5000])
    def test_an_annotation_past_the_end(self, write_record, past):
        with pytest.raises(DataError, match="^record r1: 1 of .* annotations lie outside the signal of"):
            read_beats(write_record(wave(), [500, 1999, past]))

    def test_an_annotation_at_the_last_sample_is_inside(self, write_record):
        assert len(read_beats(write_record(wave(), [500, 1999]))) == 1

    def test_a_flat_lead(self, write_record):
        with pytest.raises(DataError, match="^record r1: lead MLII is flat throughout; leave the record out or"):
            read_beats(write_record(np.full(2000, 0.7), [500]))

    def test_a_flat_lead_that_nobody_asked_for(self, write_record):
        folder = write_record(np.stack([wave(), np.zeros(2000)], axis=1), [500], leads=("MLII", "V1"))
        assert len(read_beats(folder)) == 1
        with pytest.raises(DataError, match="lead V1 is flat"):
            read_beats(folder, BeatOptions(leads=("all",)))

    def test_a_lead_without_any_sample(self, write_record):
        with pytest.raises(DataError, match="^record r1: lead MLII has no valid sample; leave the record out or"):
            read_beats(write_record(np.full(2000, np.nan), [500]))

    def test_another_unit(self, write_record):
        with pytest.raises(DataError, match="^record r1: expected lead MLII in mV, got uV; convert it first$"):
            read_beats(write_record(wave(), [500], units="uV"))

    def test_no_beat_is_left(self, write_record):
        with pytest.raises(DataError, match="^no beat is left of the 1 records in .*; check the leads and the"):
            read_beats(write_record(wave(), [500], "+"))

    @pytest.mark.parametrize("n", [15, 200])
    def test_a_short_record_beside_others(self, write_record, n):
        write_record(wave(), [500], name="a")
        beats = read_beats(write_record(wave(n), [n // 2], name="b"))
        assert beats.groups.tolist() == ["a"]
        assert beats.meta["dropped"] == {"window leaves the record": 1}

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"leads": ()}, r"leads must be different names, at least one, got \[\]"),
            ({"leads": ("V1", "V1")}, r"leads must be different names, at least one, got \['V1', 'V1'\]"),
            ({"missing_lead": "guess"}, "missing_lead is 'stand-in' or 'drop', got 'guess'"),
            ({"r_index": 256}, "the R peak must lie in the window of 256 samples, got index 256"),
            ({"r_index": -1}, "the R peak must lie in the window of 256 samples, got index -1"),
            ({"window": 0, "r_index": 0}, "the R peak must lie in the window of 0 samples, got index 0"),
            ({"fs_hz": 0.0}, "fs_hz must be above 0, got 0.0"),
            ({"fs_hz": -360.0, "band_hz": None}, "fs_hz must be above 0, got -360.0"),
            ({"band_hz": (40.0, 0.5)}, r"the band must lie between 0 and 180.0 Hz, got \(40.0, 0.5\)"),
            ({"band_hz": (0.0, 40.0)}, r"the band must lie between 0 and 180.0 Hz, got \(0.0, 40.0\)"),
            ({"band_hz": (0.5, 180.0)}, r"the band must lie between 0 and 180.0 Hz, got \(0.5, 180.0\)"),
            ({"fs_hz": 75.0}, r"the band must lie between 0 and 37.5 Hz, got \(0.5, 40.0\)"),
        ],
    )
    def test_bad_options(self, options, sentence):
        with pytest.raises(ConfigError, match=f"^{sentence}$"):
            BeatOptions(**options)
