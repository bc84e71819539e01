"""Beats from records: the figures of the whole database, and written records with known answers."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import wfdb
from scipy import signal as scipy_signal

from ecgsynth.errors import DataError
from ecgsynth.windows.beats import AAMI_CLASSES, BeatOptions, read_beats, resolve_leads

RAW = BeatOptions(band_hz=None)
# ANSI/AAMI EC57 by MIT-BIH symbol, written out apart from the code.
EC57 = dict.fromkeys("NLRej", "N") | dict.fromkeys("AaJS", "S") | dict.fromkeys("VE", "V") | {"F": "F"}
EC57 |= dict.fromkeys("/fQ", "Q") | {"B": "N", "n": "S", "r": "V", "?": "Q"}


def wave(n=2000, seed=0):
    """A signal on the steps of format 16, different everywhere, within 3 mV."""
    rng = np.random.default_rng(seed)
    return np.round(np.sin(np.arange(n) / 9) + rng.normal(scale=0.3, size=n).clip(-1.5, 1.5), 3)


def bump(n, at, fs_hz, height=1.0, width_s=0.02):
    """A Gaussian as wide as a QRS complex, symmetric about one sample."""
    return height * np.exp(-0.5 * ((np.arange(n) - at) / (width_s * fs_hz)) ** 2)


class TestWholeDatabase:
    def test_the_counts(self, all_beats):
        assert len(all_beats) == 109_448
        assert all_beats.counts() == {"N": 90_591, "S": 2_781, "V": 7_235, "F": 802, "Q": 8_039}
        assert all_beats.meta["dropped"] == {"window leaves the record": 46}
        assert all_beats.meta["left_out"] == {}
        assert all_beats.meta["records"] == 48
        assert all_beats.values.shape == (109_448, 256, 1)
        assert all_beats.values.dtype == np.float32

    def test_what_is_known_of_them(self, all_beats):
        assert all_beats.meta["stand_ins"] == {"102": {"MLII": "V5"}, "104": {"MLII": "V5"}}
        assert all_beats.meta["source"]["licence"] == "ODC-By 1.0"
        assert (all_beats.fs_hz, all_beats.units, all_beats.channel_names) == (360.0, "mV", ("MLII",))
        assert all_beats.event_index == 100
        assert all_beats.classes == AAMI_CLASSES == ("N", "S", "V", "F", "Q")

    def test_the_patients(self, all_beats, mitdb):
        per_patient = Counter(all_beats.groups.tolist())
        assert len(per_patient) == 47
        assert "202" not in per_patient
        both = wfdb.rdann(str(mitdb / "201"), "atr").symbol + wfdb.rdann(str(mitdb / "202"), "atr").symbol
        beats = sum(symbol in EC57 for symbol in both)
        assert beats - 4 <= per_patient["201"] <= beats  # at most a beat at each end of a record is dropped

    @pytest.mark.parametrize("name", ["102", "207", "213"])  # paced, flutter, fusion
    def test_the_classes_of_a_record(self, all_beats, mitdb, name):
        symbols = wfdb.rdann(str(mitdb / name), "atr").symbol
        truth = Counter(EC57[symbol] for symbol in symbols if symbol in EC57)
        found = Counter(all_beats.take(all_beats.groups == name).counts())
        assert sum((truth - found).values()) <= 2
        assert not found - truth

    def test_windows_and_intervals_against_a_loop(self, all_beats, mitdb):
        found = all_beats.take(all_beats.groups == "119")
        record, notes = wfdb.rdrecord(str(mitdb / "119")), wfdb.rdann(str(mitdb / "119"), "atr")
        beats = [(at, sym) for at, sym in zip(notes.sample.tolist(), notes.symbol, strict=True) if sym in EC57]
        sos = scipy_signal.butter(3, [0.5 / 180, 40 / 180], btype="bandpass", output="sos")
        filtered = scipy_signal.sosfiltfilt(sos, record.p_signal[:, record.sig_name.index("MLII")])
        place = 0
        for i, (at, symbol) in enumerate(beats):
            if at < 100 or at + 156 > len(filtered):
                continue
            assert np.abs(found.values[place, :, 0] - filtered[at - 100 : at + 156]).max() < 1e-6
            assert found.classes[found.labels[place]] == EC57[symbol]
            before = (at - beats[i - 1][0]) / 360 if i else np.nan
            after = (beats[i + 1][0] - at) / 360 if i + 1 < len(beats) else np.nan
            assert found.rr_s[place].tolist() == pytest.approx([before, after], rel=1e-6, nan_ok=True)
            place += 1
        assert place == len(found) > 1900

    def test_it_takes_less_than_15_seconds(self, timed_beats):
        assert timed_beats[1] < 15


class TestWindows:
    def test_without_a_filter_the_window_is_the_signal(self, write_record):
        signal = wave()
        samples = [100, 101, 700, 2000 - 157, 2000 - 156]
        beats = read_beats(write_record(signal, samples), RAW)
        assert beats.meta["dropped"] == {}
        expected = np.stack([signal[at - 100 : at + 156] for at in samples])
        assert beats.values[..., 0] == pytest.approx(expected, abs=1e-6)

    def test_windows_that_leave_the_record_are_dropped_and_counted(self, write_record):
        samples = [0, 99, 100, 2000 - 156, 2000 - 155, 1999]
        beats = read_beats(write_record(wave(), samples, "NSVFQN"), RAW)
        assert beats.meta["dropped"] == {"window leaves the record": 4}
        assert [beats.classes[code] for code in beats.labels] == ["V", "F"]
        # A dropped beat is a beat all the same: it counts in its neighbours' intervals.
        assert beats.rr_s == pytest.approx(np.array([[1, 1744], [1744, 1]]) / 360)

    @pytest.mark.parametrize(("window", "r_index"), [(1, 0), (64, 63), (300, 7)])
    def test_size_and_place_of_the_window(self, write_record, window, r_index):
        signal = wave()
        options = BeatOptions(band_hz=None, window=window, r_index=r_index)
        folder = write_record(signal, [500, 900])
        if window == 1:  # one sample is flat
            with pytest.raises(DataError, match="no beat is left"):
                read_beats(folder, options)
            return
        beats = read_beats(folder, options)
        assert beats.values.shape == (2, window, 1)
        assert beats.event_index == r_index
        assert beats.values[:, r_index, 0] == pytest.approx(signal[[500, 900]], abs=1e-6)

    def test_symbols_become_classes_and_other_annotations_are_no_beats(self, write_record):
        symbols = "NLRBejAaJSnVErF/fQ?+~|x[]!\"^`'="
        samples = [300 + 10 * i for i in range(len(symbols))]
        beats = read_beats(write_record(wave(), samples, symbols), RAW)
        assert [beats.classes[code] for code in beats.labels] == [EC57[s] for s in symbols if s in EC57]
        assert len(beats) == 19

    def test_format_212_reads_the_same(self, write_record):
        signal = np.round(wave() * 200) / 200
        beats = read_beats(write_record(signal, [500], fmt="212"), RAW)
        assert beats.values[0, :, 0] == pytest.approx(signal[400:656], abs=1e-6)

    def test_intervals_at_the_ends_are_unknown(self, write_record):
        folder = write_record(wave(1000), [300, 400, 600], fs=250)
        beats = read_beats(folder, BeatOptions(fs_hz=250, band_hz=None))
        expected = [[np.nan, 0.4], [0.4, 0.8], [0.8, np.nan]]
        assert beats.rr_s.tolist() == [pytest.approx(row, nan_ok=True) for row in expected]

    def test_the_same_folder_gives_the_same_beats(self, write_record):
        folder = write_record(wave(), [500, 900])
        assert read_beats(folder).fingerprint() == read_beats(folder).fingerprint()


class TestFilter:
    def test_it_has_no_phase(self, write_record):
        window = read_beats(write_record(bump(4000, 2000, 360), [2000])).values[0, :, 0]
        assert window.argmax() == 100
        assert window[:201] == pytest.approx(window[:201][::-1], abs=2e-4)  # a step is 0.001 mV
        assert window[100] == pytest.approx(1, abs=0.15)  # what a QRS complex has below 0.5 Hz is little

    @pytest.mark.parametrize(
        ("wave_hz", "gain"),
        [(0.05, 0.0), (0.5, 0.5), (5.0, 1.0), (20.0, 1.0), (40.0, 0.5), (60.0, 0.058), (100.0, 0.0)],
    )
    def test_what_passes(self, write_record, wave_hz, gain):
        # Half the power of one pass is lost at the edges of the band, so half the amplitude of two passes.
        n = 36_000
        tone = np.cos(2 * np.pi * wave_hz * (np.arange(n) - n // 2) / 360)
        beats = read_beats(write_record(tone, [n // 2]), BeatOptions(window=721, r_index=360))
        assert beats.values[0, 360, 0] == pytest.approx(gain, abs=0.02)

    def test_baseline_and_offset_go(self, write_record):
        window = read_beats(write_record(bump(8000, 4000, 360) + 3, [4000])).values[0, :, 0]
        plain = read_beats(write_record(bump(8000, 4000, 360), [4000], folder=None)).values[0, :, 0]
        assert window == pytest.approx(plain, abs=2e-3)

    def test_another_band(self, write_record):
        tone = np.cos(2 * np.pi * 60 * (np.arange(4000) - 2000) / 360)
        beats = read_beats(write_record(tone, [2000]), BeatOptions(band_hz=(0.5, 100.0)))
        assert beats.values[0, 100, 0] == pytest.approx(1, abs=0.02)
        assert beats.meta["band_hz"] == (0.5, 100.0)

    def test_a_band_that_the_rate_does_not_hold(self, write_record):
        with pytest.raises(DataError, match=r"a band up to 40\.0 Hz needs more than 75\.0 samples a second; lower it"):
            read_beats(write_record(wave(), [500], fs=75))


class TestRates:
    @pytest.mark.parametrize("fs", [128, 180, 250, 257, 500, 720, 1000])
    def test_the_peak_keeps_place_and_height(self, write_record, fs):
        places = [3 * fs, 5 * fs + 6, 8 * fs + 14]
        signal = sum(bump(11 * fs, at, fs, height) for at, height in zip(places, (1.0, 2.0, 0.5), strict=True))
        beats = read_beats(write_record(signal, places, fs=fs), RAW)
        assert beats.fs_hz == 360
        assert beats.values.shape == (3, 256, 1)
        assert beats.values[:, :, 0].argmax(axis=1).tolist() == [100] * 3  # the sample nearest to the annotation
        assert beats.values.max(axis=1)[:, 0] == pytest.approx([1.0, 2.0, 0.5], rel=0.01)
        assert beats.rr_s[1] == pytest.approx([2 + 6 / fs, 3 + 8 / fs], rel=1e-6)  # from the record's own clock

    def test_the_shape_is_that_of_the_same_signal_at_the_other_rate(self, write_record):
        slow = read_beats(write_record(bump(2500, 1250, 250), [1250], fs=250), RAW).values[0, :, 0]
        fast = read_beats(write_record(bump(3600, 1800, 360), [1800], fs=360, name="r2"), RAW)
        assert slow == pytest.approx(fast.values[1, :, 0], abs=5e-3)

    def test_records_of_different_rates_stand_side_by_side(self, write_record):
        write_record(bump(2500, 1250, 250), [1250], fs=250, name="a")
        folder = write_record(bump(3600, 1800, 360), [1800], fs=360, name="b")
        beats = read_beats(folder, RAW)
        assert beats.groups.tolist() == ["a", "b"]
        assert beats.values[0] == pytest.approx(beats.values[1], abs=5e-3)


class TestGaps:
    @pytest.mark.parametrize(("at", "kept"), [(399, True), (400, False), (655, False), (656, True)])
    def test_a_missing_sample_drops_the_windows_that_touch_it(self, write_record, at, kept):
        signal = wave()
        signal[at] = np.nan
        beats = read_beats(write_record(signal, [500, 1500]), RAW)
        assert len(beats) == 1 + kept
        assert beats.meta["dropped"] == ({} if kept else {"missing samples": 1})
        assert np.isfinite(beats.values).all()

    def test_a_gap_in_any_lead_counts(self, write_record):
        signal = np.stack([wave(), wave(seed=1)], axis=1)
        signal[500:600, 1] = np.nan
        folder = write_record(signal, [550, 1500], leads=("MLII", "V1"))
        assert read_beats(folder, BeatOptions(leads=("MLII", "V1"))).meta["dropped"] == {"missing samples": 1}
        assert read_beats(folder).meta["dropped"] == {}

    def test_a_gap_is_found_after_resampling(self, write_record):
        signal = wave(2000)
        signal[1000:1010] = np.nan
        beats = read_beats(write_record(signal, [500, 1000, 1500], "NVS", fs=180), RAW)
        assert beats.meta["dropped"] == {"missing samples": 1}
        assert [beats.classes[code] for code in beats.labels] == ["N", "S"]

    def test_a_gap_does_not_spoil_the_beats_beside_it(self, write_record):
        signal = bump(4000, 2000, 360) + 3  # far from zero, so that a gap that is not bridged rings
        whole = read_beats(write_record(signal, [2000]))
        signal[2400:2500] = np.nan
        broken = read_beats(write_record(signal, [2000]))
        assert broken.values == pytest.approx(whole.values, abs=2e-3)

    def test_a_flat_window_is_dropped_and_counted(self, write_record):
        signal = wave()
        signal[800:1200] = 0.25
        beats = read_beats(write_record(signal, [500, 950, 1500]), RAW)
        assert beats.meta["dropped"] == {"flat": 1}
        assert len(beats) == 2

    def test_one_flat_lead_is_enough(self, write_record):
        signal = np.stack([wave(), wave(seed=1)], axis=1)
        signal[800:1200, 1] = 0.25
        folder = write_record(signal, [500, 950], leads=("MLII", "V1"))
        options = BeatOptions(leads=("MLII", "V1"), band_hz=None)
        assert read_beats(folder, options).meta["dropped"] == {"flat": 1}

    def test_a_flat_window_is_dropped_with_the_usual_filter_too(self, write_record):
        signal = wave()
        signal[800:1200] = 0.25
        assert read_beats(write_record(signal, [500, 950, 1500])).meta["dropped"] == {"flat": 1}


class TestLeads:
    @pytest.fixture
    def folder(self, write_record):
        """Two records with different leads; the second has its own scale, so that leads can be distinguished."""
        write_record(np.stack([wave(), 2 * wave()], axis=1), [500], name="a", leads=("MLII", "V1"))
        return write_record(np.stack([3 * wave(), 4 * wave()], axis=1), [500], name="b", leads=("V5", "V1"))

    def scales(self, beats):
        return np.round((beats.values / wave()[400:656, None]).mean(axis=1), 3).tolist()

    def test_by_name(self, folder):
        assert self.scales(read_beats(folder, BeatOptions(leads=("V1",), band_hz=None))) == [[2], [4]]

    def test_stand_in(self, folder):
        beats = read_beats(folder, RAW)
        assert self.scales(beats) == [[1], [3]]
        assert beats.meta["stand_ins"] == {"b": {"MLII": "V5"}}
        assert beats.channel_names == ("MLII",)

    def test_order_is_as_asked_and_a_lead_that_is_asked_for_stands_in_for_none(self, folder):
        beats = read_beats(folder, BeatOptions(leads=("V1", "MLII"), band_hz=None))
        assert beats.channel_names == ("V1", "MLII")
        assert self.scales(beats) == [[2, 1], [4, 3]]
        assert beats.meta["stand_ins"] == {"b": {"MLII": "V5"}}

    def test_two_missing_leads_have_two_stand_ins(self, folder):
        beats = read_beats(folder, BeatOptions(leads=("V5", "MLII"), band_hz=None))
        assert self.scales(beats) == [[2, 1], [3, 4]]
        assert beats.meta["stand_ins"] == {"a": {"V5": "V1"}, "b": {"MLII": "V1"}}

    def test_every_lead_stands_in_once(self, write_record):
        write_record(np.stack([wave(), 2 * wave()], axis=1), [500], name="a", leads=("I", "II"))
        folder = write_record(np.stack([3 * wave(), 4 * wave()], axis=1), [500], name="b", leads=("V1", "V2"))
        beats = read_beats(folder, BeatOptions(leads=("I", "II"), band_hz=None))
        assert self.scales(beats) == [[1, 2], [3, 4]]
        assert beats.meta["stand_ins"] == {"b": {"I": "V1", "II": "V2"}}

    def test_nothing_left_to_stand_in(self, folder):
        with pytest.raises(DataError, match="record a has the leads MLII, V1 and none to stand in for V5; ask for"):
            read_beats(folder, BeatOptions(leads=("MLII", "V1", "V5")))

    def test_drop(self, folder):
        beats = read_beats(folder, BeatOptions(missing_lead="drop", band_hz=None))
        assert self.scales(beats) == [[1]]
        assert beats.meta["left_out"] == {"b": "lacks a lead"}
        assert beats.meta["stand_ins"] == {}
        assert beats.meta["records"] == 1
        both = read_beats(folder, BeatOptions(leads=("MLII", "V1"), missing_lead="drop"))
        assert both.meta["left_out"] == {"b": "lacks a lead"}  # one of two is not enough

    def test_all(self, folder, write_record):
        write_record(np.stack([5 * wave(), 6 * wave(), 7 * wave()], axis=1), [500], name="c", leads=("V5", "V2", "I"))
        beats = read_beats(folder, BeatOptions(leads=("all",), band_hz=None))
        assert beats.channel_names == ("V5", "V1")  # the commonest in each place that every record has
        assert self.scales(beats) == [[1, 2], [3, 4], [5, 6]]
        assert beats.meta["stand_ins"] == {"a": {"V5": "MLII"}, "c": {"V1": "V2"}}

    def test_an_unknown_lead(self, folder):
        with pytest.raises(DataError, match="^no record has a lead 'aVR'; the leads are MLII, V1, V5$"):
            read_beats(folder, BeatOptions(leads=("aVR",)))

    @pytest.mark.parametrize(
        "records", [[["ECG", "ECG"]], [["Z", "Y", "X"], ["Q", "Y", "X"], ["X", "W", "Y"], ["X", "W", "Y"]]], ids=str
    )
    def test_all_finds_different_names(self, records):
        headers = {str(i): SimpleNamespace(n_sig=len(leads), sig_name=leads) for i, leads in enumerate(records)}
        found = resolve_leads(headers, ("all",))
        assert len(set(found)) == len(found) >= 1

    def test_paced_records_can_be_left_out(self, write_record):
        write_record(wave(), [500, 900], "N/", name="a")
        folder = write_record(wave(), [500, 900], "NQ", name="b")
        assert read_beats(folder).counts() == {"N": 2, "S": 0, "V": 0, "F": 0, "Q": 2}
        beats = read_beats(folder, BeatOptions(paced=False))
        assert beats.groups.tolist() == ["b", "b"]
        assert beats.meta["left_out"] == {"a": "paced"}


class TestRecords:
    def test_the_list_says_which_records_there_are(self, write_record):
        for name in "abc":
            folder = write_record(wave(), [500], name=name)
        assert read_beats(folder).groups.tolist() == ["a", "b", "c"]
        (folder / "RECORDS").write_text("c\na\n", encoding="utf-8")
        assert read_beats(folder).groups.tolist() == ["c", "a"]

    def test_one_person_only_in_the_database_that_says_so(self, write_record):
        for name in ("201", "202"):
            folder = write_record(wave(), [500], name=name)
        beats = read_beats(folder)
        assert beats.groups.tolist() == ["201", "201"]
        assert "MIT-BIH" in beats.meta["source"]["name"]
        beats = read_beats(write_record(wave(), [500], name="mine"))  # not that database any more
        assert beats.groups.tolist() == ["201", "202", "mine"]
        assert beats.meta["source"] == {"name": "WFDB records of the user"}

    def test_progress(self, write_record):
        for name in "ab":
            folder = write_record(wave(), [500], name=name)
        calls = []
        read_beats(folder, on_record=lambda *news: calls.append(news))
        assert calls == [("a", 1, 2), ("b", 2, 2)]

    def test_a_record_without_beats_is_no_trouble_beside_others(self, write_record):
        write_record(wave(), [], name="a")
        assert read_beats(write_record(wave(), [500], name="b")).groups.tolist() == ["b"]
