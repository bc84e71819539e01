"""The download script, against a small database served on this machine: no network is needed."""

import hashlib
import importlib.util
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

SCRIPT = Path(__file__).resolve().parents[2] / "data_scripts" / "fetch_mitbih.py"
FILES = {
    "100.dat": bytes(range(256)) * 800,  # more than three chunks
    "100.hea": b"100 2 360 650000\n",
    "100.atr": b"\x12\x70\x00\x00",
    "RECORDS": b"100\n",
}
SUMS = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


@dataclass
class FakeServer:
    """What the server holds, how it behaves, and what it was asked for."""

    files: dict[str, bytes]
    ranges: bool = True
    failures: list[int] = field(default_factory=list)  # statuses to answer first, one request each
    cut_at: int | None = None  # the next answer stops after that many bytes
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # name, Range
    url: str = ""


def handler_for(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name, asked = self.path.rpartition("/")[2], self.headers["Range"]
            server.requests.append((name, asked))
            if server.failures:
                return self.send_error(server.failures.pop(0))
            if name not in server.files:
                return self.send_error(404)
            body = server.files[name]
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
            if start and start >= len(body):
                return self.send_error(416)
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            self.wfile.write(body[start:][: server.cut_at])
            server.cut_at = None

        def log_message(self, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    fake = FakeServer(dict(FILES))
    with HTTPServer(("127.0.0.1", 0), handler_for(fake)) as http:
        fake.url = f"http://127.0.0.1:{http.server_port}/mitdb/1.0.0/"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield fake
        http.shutdown()
        thread.join()


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the script as a module, with the fake database's sums and without pauses."""
    spec = importlib.util.spec_from_file_location("fetch_mitbih", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sums_file = tmp_path / "fake.sha256"
    sums_file.write_text("".join(f"{digest} {name}\n" for name, digest in SUMS.items()))
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    monkeypatch.setattr(module, "SUMS_FILE", sums_file)
    return module


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "mitdb"


def run(script: ModuleType, *args: object) -> Result:
    return CliRunner().invoke(script.main, [str(arg) for arg in args])


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def put(folder: Path, name: str, content: bytes) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)


def error_line(result: Result) -> str:
    """Return the one line of a failed run; a traceback or a second line is a failure of the test."""
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert result.output.rstrip().endswith(line)
    return line


def test_the_list_is_the_published_one() -> None:
    lines = SCRIPT.with_name("mitbih.sha256").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split() for line in lines)}
    kinds = [name.rpartition(".")[2] for name in sums]
    assert len(lines) == len(sums) == 145
    assert {kind: kinds.count(kind) for kind in kinds} == {"dat": 48, "hea": 48, "atr": 48, "RECORDS": 1}
    assert all(len(digest) == 64 and set(digest) <= set("0123456789abcdef") for digest in sums.values())
    assert sums["100.dat"] == "b2ea3c250e56e48f4b7b90697832b8ecd1afa1e0bb31f2dcfea4ed6e1075a639"


@pytest.mark.parametrize("ranges", [True, False])
def test_fetches_all_then_nothing(script: ModuleType, server: FakeServer, out: Path, ranges: bool) -> None:
    server.ranges = ranges
    first = run(script, out, "--url", server.url)
    assert first.exit_code == 0, first.output
    assert held(out) == FILES
    assert server.requests == [(name, None) for name in FILES]
    last = first.output.splitlines()[-1]
    assert last.startswith(f"4 files fetched, 0 already there, in {out}; ")
    for words in ("ODC-By 1.0", "Moody & Mark 2001", "Goldberger et al. 2000", "doi:10.13026/C2F305"):
        assert words in last

    server.requests.clear()
    second = run(script, out, "--url", server.url.rstrip("/"))
    assert second.exit_code == 0
    assert second.output.splitlines()[-1].startswith("0 files fetched, 4 already there, ")
    assert server.requests == []


@pytest.mark.parametrize("ranges", [True, False])
def test_continues_a_part(script: ModuleType, server: FakeServer, out: Path, ranges: bool) -> None:
    server.ranges = ranges
    put(out, "100.dat.part", FILES["100.dat"][:70_001])
    received: list[int] = []
    get = script.partial(script.download, server.url)
    fetched = script.fetch(out, SUMS, get, lambda name, files, n: received.append(n))
    assert fetched == 4
    assert held(out) == FILES
    assert server.requests[0] == ("100.dat", "bytes=70001-")
    assert len(server.requests) == 4
    assert sum(received) == sum(map(len, FILES.values())) - (70_001 if ranges else 0)


def test_a_whole_part_needs_no_request(script: ModuleType, server: FakeServer, out: Path) -> None:
    put(out, "100.dat.part", FILES["100.dat"])
    assert run(script, out, "--url", server.url).exit_code == 0
    assert held(out) == FILES
    assert "100.dat" not in dict(server.requests)


@pytest.mark.parametrize("part", [b"?" * 1000, FILES["100.dat"] + b"?"], ids=["wrong", "too-long"])
def test_a_wrong_part_is_fetched_anew(script: ModuleType, server: FakeServer, out: Path, part: bytes) -> None:
    put(out, "100.dat.part", part)
    assert run(script, out, "--url", server.url).exit_code == 0
    assert held(out) == FILES
    assert server.requests[:2] == [("100.dat", f"bytes={len(part)}-"), ("100.dat", None)]


def test_a_cut_connection_and_a_busy_server_are_tried_again(script: ModuleType, server: FakeServer, out: Path) -> None:
    server.failures, server.cut_at = [503], 131_072
    assert run(script, out, "--url", server.url).exit_code == 0
    assert held(out) == FILES
    assert server.requests[:3] == [("100.dat", None), ("100.dat", None), ("100.dat", "bytes=131072-")]


def test_gives_up_and_keeps_the_part(script: ModuleType, server: FakeServer, out: Path) -> None:
    put(out, "100.dat.part", b"half")
    server.failures = [503] * script.TRIES
    line = error_line(run(script, out, "--url", server.url))
    assert f"could not fetch {server.url}100.dat in 4 tries (HTTP 503 " in line
    assert "run the command again" in line
    assert held(out) == {"100.dat.part": b"half"}
    assert len(server.requests) == script.TRIES


def test_no_server_is_one_line(script: ModuleType, server: FakeServer, out: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        port = closed.server_port
    line = error_line(run(script, out, "--url", f"http://127.0.0.1:{port}/"))
    assert "in 4 tries (" in line
    assert held(out) == {}


def test_a_file_the_server_lacks_is_not_tried_again(script: ModuleType, server: FakeServer, out: Path) -> None:
    del server.files["100.hea"]
    line = error_line(run(script, out, "--url", server.url))
    assert line.startswith(f"Error: could not fetch {server.url}100.hea: HTTP 404")
    assert [name for name, _ in server.requests] == ["100.dat", "100.hea"]
    assert held(out) == {"100.dat": FILES["100.dat"]}


def test_a_corrupt_file_is_not_put_in_place(script: ModuleType, server: FakeServer, out: Path) -> None:
    server.files["100.hea"] = b"100 2 360 650001\n"
    got = hashlib.sha256(server.files["100.hea"]).hexdigest()
    line = error_line(run(script, out, "--url", server.url))
    assert f"expected 100.hea with SHA-256 {SUMS['100.hea'][:12]}..., got {got[:12]}..., so it was not kept" in line
    assert held(out) == {"100.dat": FILES["100.dat"]}


def test_a_foreign_file_is_replaced_only_with_force(script: ModuleType, server: FakeServer, out: Path) -> None:
    put(out, "100.hea", b"mine")
    line = error_line(run(script, out, "--url", server.url))
    assert f"{out / '100.hea'} exists but is not the published file" in line
    assert "--force" in line
    assert held(out) == {"100.hea": b"mine"}
    assert server.requests == []

    forced = run(script, out, "--url", server.url, "--force")
    assert forced.exit_code == 0
    assert held(out) == FILES


def test_force_keeps_the_old_file_if_the_new_one_is_wrong(script: ModuleType, server: FakeServer, out: Path) -> None:
    put(out, "100.dat", b"mine")
    server.files["100.dat"] = b"corrupt"
    error_line(run(script, out, "--url", server.url, "--force"))
    assert held(out) == {"100.dat": b"mine"}


def test_copies_from_a_folder(script: ModuleType, tmp_path: Path, out: Path) -> None:
    for name, content in FILES.items():
        put(tmp_path / "copy", name, content)
    put(tmp_path / "copy", "other.txt", b"not of the list")
    put(out, "RECORDS", FILES["RECORDS"])
    put(out, "100.dat.part", b"old")
    result = run(script, out, "--from", tmp_path / "copy")
    assert result.exit_code == 0, result.output
    assert held(out) == FILES
    assert result.output.splitlines()[-1].startswith("3 files fetched, 1 already there, ")


@pytest.mark.parametrize("name", ["100.dat", "100.hea"])
def test_a_local_copy_is_checked_too(script: ModuleType, tmp_path: Path, out: Path, name: str) -> None:
    for other, content in FILES.items():
        put(tmp_path / "copy", other, content.replace(b"\n", b"\r\n") if other == name else content)
    line = error_line(run(script, out, "--from", tmp_path / "copy"))
    assert f"expected {name} with SHA-256 {SUMS[name][:12]}..." in line
    assert name not in held(out)
    assert f"{name}.part" not in held(out)


def test_a_missing_local_file_is_named(script: ModuleType, tmp_path: Path, out: Path) -> None:
    put(tmp_path / "copy", "100.dat", FILES["100.dat"])
    line = error_line(run(script, out, "--from", tmp_path / "copy"))
    assert f"expected 100.hea in {tmp_path / 'copy'}, but there is none" in line
    assert held(out) == {"100.dat": FILES["100.dat"]}


def test_other_errors_are_one_line(
    script: ModuleType, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "expected --url to start with https://" in error_line(run(script, out, "--url", "mitdb"))
    (out / "100.dat").mkdir(parents=True)
    assert f"could not read or write {out / '100.dat'}" in error_line(run(script, out, "--from", tmp_path))
    monkeypatch.setattr(script, "SUMS_FILE", tmp_path / "none.sha256")
    assert "expected the list of sums" in error_line(run(script, out, "--from", tmp_path))
