"""Drawing windows from a file: the seed's contract, the golden rows, what cannot be drawn, and no extra needed."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from ecgsynth.errors import ConfigError
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.windows.windows import Windows

pytestmark = pytest.mark.trains

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TINY = GOLDEN / "tiny.onnx"
SIGNAL_ONLY = GOLDEN / "signal_only.onnx"  # as it was written before generators made RR intervals


def expected(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return content


def joined(sampler: OnnxSampler, n: int, batch: int, label: str | None = None) -> list[Windows]:
    pieces = list(sampler.stream(n, label, seed=7, batch=batch))
    assert [len(piece) for piece in pieces] == [batch] * (n // batch) + [n % batch] * (n % batch > 0)
    return pieces


@pytest.mark.parametrize("path", [TINY, SIGNAL_ONLY], ids=["rr", "signal"])
@pytest.mark.parametrize("threads", [0, 1])
@pytest.mark.parametrize("batch", [1, 7, 256, 300])
def test_rows_are_the_same_whatever_the_batch(batch: int, threads: int, path: Path) -> None:
    pieces = joined(OnnxSampler(path, threads=threads), 300, batch)
    whole = OnnxSampler(path).sample(300, seed=7)
    assert np.array_equal(np.concatenate([piece.labels for piece in pieces]), whole.labels)
    values = np.concatenate([piece.values for piece in pieces])
    assert values == pytest.approx(whole.values, abs=2e-6)  # sums in another order
    if path == SIGNAL_ONLY:
        assert whole.rr_s is None
        assert {piece.rr_s for piece in pieces} == {None}
    else:
        intervals = [piece.rr_s for piece in pieces if piece.rr_s is not None]
        assert np.concatenate(intervals) == pytest.approx(whole.rr_s, abs=2e-6)


def test_a_batch_says_what_it_is_as_the_whole_does() -> None:
    sampler = OnnxSampler(TINY)
    whole = sampler.sample(9, seed=7)
    for piece in joined(sampler, 9, 4):
        for name in ("fs_hz", "units", "channel_names", "classes", "groups", "parts", "event_index", "meta"):
            assert getattr(piece, name) == getattr(whole, name)
    assert whole.meta == {"kind": "beats", "synthetic": True, "seed": 7, "model": "tiny.onnx"}
    assert (whole.groups, whole.parts) == (None, None)  # nobody stands behind them


def test_a_longer_sample_begins_with_the_shorter_one() -> None:
    sampler = OnnxSampler(TINY)
    short, long = sampler.sample(5, seed=9), sampler.sample(50, seed=9)
    assert np.array_equal(short.labels, long.labels[:5])
    assert short.values == pytest.approx(long.values[:5], abs=2e-6)
    assert long.rr_s is not None
    assert short.rr_s == pytest.approx(long.rr_s[:5], abs=2e-6)


def test_same_seed_same_bytes_other_seed_others() -> None:
    one, again, other = (OnnxSampler(TINY).sample(40, seed=seed) for seed in (7, 7, 8))
    assert one.values.tobytes() == again.values.tobytes()
    assert not np.isclose(one.values, other.values).all(axis=(1, 2)).any()
    assert one.rr_s is not None
    assert again.rr_s is not None
    assert other.rr_s is not None
    assert one.rr_s.tobytes() == again.rr_s.tobytes()
    assert not np.isclose(one.rr_s, other.rr_s).all(axis=1).any()


def test_streaming_draws_only_what_is_taken() -> None:
    assert len(next(OnnxSampler(TINY).stream(10**15, seed=7, batch=4))) == 4


def test_rows_of_a_class_have_the_noise_of_their_number() -> None:
    sampler = OnnxSampler(TINY)
    mixed = sampler.sample(60, seed=1)
    for code, name in enumerate(("N", "S", "V")):
        rows = mixed.labels == code
        own = sampler.sample(60, name, seed=1)
        assert own.values[rows] == pytest.approx(mixed.values[rows], abs=2e-6)
        assert own.rr_s is not None
        assert mixed.rr_s is not None
        assert own.rr_s[rows] == pytest.approx(mixed.rr_s[rows], abs=2e-6)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        ({"n": 0}, "at least 1, got 0"),
        ({"n": -3}, "at least 1, got -3"),
        ({"n": 1, "label": "Q"}, "no class 'Q'; its classes are N, S, V"),
        ({"n": 1, "seed": -1}, "seed"),
        ({"n": 1, "seed": 2**64}, "seed"),
    ],
)
def test_what_cannot_be_drawn_is_one_clear_sentence(ask: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        OnnxSampler(TINY).sample(**ask)


def test_a_batch_of_none_is_refused_before_anything_is_drawn() -> None:
    with pytest.raises(ConfigError, match="at least 1 window, got 0"):
        OnnxSampler(TINY).stream(5, batch=0)


@pytest.mark.parametrize("name", ["tiny", "signal_only"])
def test_the_golden_rows_are_drawn(name: str) -> None:
    wanted = expected(name)
    drawn = OnnxSampler(GOLDEN / f"{name}.onnx").sample(len(wanted["labels"]), seed=wanted["seed"])
    assert [drawn.classes[code] for code in drawn.labels] == wanted["labels"]
    assert drawn.values == pytest.approx(np.asarray(wanted["values"]), abs=1e-5)
    if "rr_s" in wanted:
        assert drawn.rr_s == pytest.approx(np.asarray(wanted["rr_s"]), abs=1e-5)
    else:
        assert drawn.rr_s is None


def test_the_golden_files_are_with_and_without_intervals() -> None:
    # signal_only.onnx was made before RR intervals were; no command makes it again, and it stays as it is.
    outputs = {path.name: [entry.name for entry in onnx.load(path).graph.output] for path in (TINY, SIGNAL_ONLY)}
    assert outputs == {"tiny.onnx": ["signal", "rr_s"], "signal_only.onnx": ["signal"]}
    assert hashlib.sha256(SIGNAL_ONLY.read_bytes()).hexdigest().startswith("3ec6fea2710a4fac")


@pytest.mark.parametrize("path", [TINY, SIGNAL_ONLY], ids=["rr", "signal"])
def test_the_golden_file_is_small_and_says_nothing_of_its_maker(path: Path) -> None:
    content = path.read_bytes()
    assert len(content) < 60_000
    assert b"site-packages" not in content


WITHOUT = "torch pandas wfdb scipy onnx onnxscript safetensors matplotlib pyarrow sklearn".split()


def run_bare(code: str, folder: Path) -> str:
    """What ``code`` prints in a fresh Python in which the packages of the extra cannot be imported."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({WITHOUT!r}))\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-P", "-c", hide + code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_sampling_and_the_commands_for_a_model_need_no_extra(tmp_path: Path) -> None:
    code = f"""
import ecgsynth
from ecgsynth.cli.main import main
model = {str(TINY)!r}
made = ecgsynth.load(model).sample(5, seed=7)
assert made.values.shape == (5, 32, 2)
for arguments in (
    ["info", model],
    ["sample", model, "-n", "5", "--seed", "7", "-o", "a.npz"],
    ["sample", model, "-n", "5", "--seed", "7", "--label", "V", "--format", "csv", "-o", "a.csv"],
):
    main(arguments, standalone_mode=False)
loaded = [name for name in {WITHOUT!r} if sys.modules[name] is not None]
assert not loaded, loaded
again = ecgsynth.Windows.load("a.npz")
assert again.values.tobytes() == made.values.tobytes()
assert again.rr_s.tobytes() == made.rr_s.tobytes()
"""
    said = run_bare(code, tmp_path)
    assert "supraventricular ectopic beat" in said
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").count("\nV,") == 5


def test_what_needs_the_extra_says_so_in_one_line(tmp_path: Path) -> None:
    code = """
import ecgsynth
from click.testing import CliRunner
from ecgsynth.cli.main import main
from ecgsynth.errors import MissingExtraError
try:
    raise SystemExit(f"no error but {ecgsynth.Synthesizer}")
except MissingExtraError as error:
    assert "ecgsynth.Synthesizer needs the package torch" in str(error), error
for arguments in (
    ["sample", model, "-n", "5", "--format", "parquet", "-o", "a.parquet"],
    ["sample", model, "-n", "5", "--format", "wfdb", "-o", "drawn"],
    ["train", "ecg", "beats.npz", "-o", "run"],
    ["export", "run", "-o", "a.onnx"],
    ["evaluate", model, "--real", "beats.npz", "-o", "report"],
    ["prepare", "records", "-o", "beats.npz"],
    ["demo", "-o", "demo"],
):
    done = CliRunner().invoke(main, arguments)
    *_, last = done.stderr.strip().splitlines() or [repr(done.exception)]
    print(arguments[0], done.exit_code, last)
"""
    (tmp_path / "records").mkdir()
    for name in ("a.hea", "a.atr"):
        (tmp_path / "records" / name).write_text("", encoding="utf-8")
    said = run_bare(f"model = {str(TINY)!r}\n{code}", tmp_path).splitlines()
    assert len(said) == 7
    for line in said:
        _, status, message = line.split(" ", 2)
        assert status == "1", line
        assert message.startswith("Error: "), line
        assert re.search(r"which is not installed: pip install [a-z]", message), line
        assert "ecgsynth[" not in message, line
