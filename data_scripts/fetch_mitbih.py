"""Bring the MIT-BIH Arrhythmia Database v1.0.0 into a folder, every file checked against its published SHA-256.

The sums are in ``mitbih.sha256`` beside this script, so they do not come from the place the files come from.
A download lives in ``NAME.part`` until its sum is right; a run that was cut off continues there.
"""

import hashlib
import http.client
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from ecgsynth.errors import ArtifactError, ConfigError, DataError, EcgSynthError

SUMS_FILE = Path(__file__).with_name("mitbih.sha256")
BASE_URL = "https://physionet.org/files/mitdb/1.0.0/"
CREDIT = "licence ODC-By 1.0; cite Moody & Mark 2001 and Goldberger et al. 2000, doi:10.13026/C2F305"

TRIES = 4
PAUSE_S = 2.0  # before the second try; doubled before each one after it
TIMEOUT_S = 30.0
CHUNK_BYTES = 1 << 16
NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)
PASSING_STATUS = frozenset({408, 416, 429, 500, 502, 503, 504})

Progress = Callable[[str, int, int], None]  # file at work, files just finished, bytes just received
Get = Callable[[str, Path, Progress], None]  # bring the named file into a path


def read_sums(path: Path) -> dict[str, str]:
    """Return the SHA-256 of every file, by name, from a list as ``sha256sum`` writes it."""
    if not path.is_file():
        raise ArtifactError(f"expected the list of sums {path}, but there is none; restore it from the repository")
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in map(str.split, lines)}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_to_fetch(folder: Path, sums: dict[str, str], *, force: bool = False) -> list[str]:
    """Name the files that ``folder`` lacks; one there with a wrong sum counts with ``force``, else is an error."""
    right = {name: sha256_of(folder / name) == sums[name] for name in sums if (folder / name).exists()}
    wrong = [name for name, same in right.items() if not same]
    if wrong and not force:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise ArtifactError(
            f"{folder / wrong[0]}{more} exists but is not the published file; "
            "choose another folder or add --force to replace it"
        )
    return [name for name in sums if not right.get(name, False)]


def copy_local(source: Path, name: str, part: Path, progress: Progress) -> None:
    """Copy the named file of the folder ``source`` to ``part``."""
    if not (source / name).is_file():
        raise ArtifactError(f"expected {name} in {source}, but there is none; name a folder with a whole copy")
    shutil.copyfile(source / name, part)
    progress(name, 0, part.stat().st_size)


def download(base_url: str, name: str, part: Path, progress: Progress) -> None:
    """Download the named file to ``part``, going on after the bytes already there; a network error is tried again."""
    url = f"{base_url.rstrip('/')}/{name}"
    reason = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE_S * 2 ** (attempt - 1))
        try:
            return receive(url, part, partial(progress, name, 0))
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"HTTP {error.code} {error.reason}"
            if error.code not in PASSING_STATUS:
                raise ArtifactError(f"could not fetch {url}: {reason}; check --url or use --from") from error
            if error.code == 416:  # the part is longer than the file, so it is not a beginning of it
                part.unlink(missing_ok=True)
        except NETWORK_ERRORS as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
    raise ArtifactError(f"could not fetch {url} in {TRIES} tries ({reason}); run the command again to continue")


def receive(url: str, part: Path, on_bytes: Callable[[int], None]) -> None:
    """One request for what ``part`` lacks of ``url``; a server that ignores Range (200, not 206) restarts the file."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "ecgsynth"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        missing = int(response.headers.get("Content-Length", 0))
        with part.open("ab" if response.status == 206 else "wb") as out:
            while chunk := response.read(CHUNK_BYTES):
                out.write(chunk)
                missing -= len(chunk)
                on_bytes(len(chunk))
    if missing > 0:
        raise ConnectionError(f"the connection closed {missing} bytes early")


def bring(name: str, digest: str, folder: Path, get: Get, progress: Progress) -> None:
    """Put one file in place through ``NAME.part``, and only if its sum is right."""
    part = folder / f"{name}.part"
    found = sha256_of(part) if part.exists() else ""
    # A wrong sum may come from an old part; the second try starts from nothing, so then it is the source.
    for _ in range(2):
        if found != digest:
            get(name, part, progress)
            found = sha256_of(part)
        if found == digest:
            part.replace(folder / name)
            return
        part.unlink()
    raise DataError(
        f"expected {name} with SHA-256 {digest[:12]}..., got {found[:12]}..., so it was not kept; "
        "try again later or take it from another place with --from or --url"
    )


def fetch(folder: Path, sums: dict[str, str], get: Get, progress: Progress, *, force: bool = False) -> int:
    """Bring every listed file that ``folder`` lacks, and return how many those were."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = files_to_fetch(folder, sums, force=force)
        progress("", len(sums) - len(names), 0)
        for name in names:
            progress(name, 0, 0)
            bring(name, sums[name], folder, get, progress)
            progress(name, 1, 0)
    except OSError as error:
        if isinstance(error, EcgSynthError):
            raise
        reason = f"{error.filename or folder}: {error.strerror or error}"
        raise ArtifactError(f"could not read or write {reason}; mend that and run the command again") from error
    return len(names)


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--from", "source", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A local copy.")
@click.option("--url", default=BASE_URL, show_default=True, help="Where the files are; not used with --from.")
@click.option("--force", is_flag=True, help="Replace files of DIR that are not the published ones.")
def main(folder: Path, source: Path | None, url: str, force: bool) -> None:
    """Bring the MIT-BIH Arrhythmia Database v1.0.0 (about 94 MB) into DIR; run it again to continue."""
    received = 0
    try:
        if not url.startswith(("https://", "http://")):
            raise ConfigError(f"expected --url to start with https:// or http://, got {url}; for a folder use --from")
        sums = read_sums(SUMS_FILE)
        get = partial(copy_local, source) if source else partial(download, url)
        # update_min_steps=0 redraws for bytes too, not only for whole files.
        bar = click.progressbar(length=len(sums), label="MIT-BIH", update_min_steps=0, item_show_func=lambda at: at)
        with bar:

            def progress(name: str, files: int, n_bytes: int) -> None:
                nonlocal received
                received += n_bytes
                bar.update(files, f"{received / 1e6:.1f} MB {name}")

            fetched = fetch(folder, sums, get, progress, force=force)
    except EcgSynthError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{fetched} files fetched, {len(sums) - fetched} already there, in {folder}; {CREDIT}")


if __name__ == "__main__":
    main()
