"""A run folder: everything a training leaves, in JSON and safetensors; nothing in it can execute code.

README.md (that it is personal data), config.json (what is trained, on what, how), scaler.json, weights.safetensors
(the best generator so far), history.jsonl (a record a line), metrics.json (written at the end), checkpoint/ (to go on
after a kill). In config.json, ``data.private`` stays there: an exported file has nothing of it.
"""

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ecgsynth.core.files import atomic, check_free, read_json, write_json
from ecgsynth.errors import ArtifactError, ConfigError

__all__ = ["RunFolder"]

FORMAT = 1
PERSONAL = """# A run folder of ecgsynth: personal data, not for sharing

This folder was made by training a generator on records of people. It holds exact extremes and rare categories of their
data, how the data were split, a key by which their presence can be checked, and weights that may remember them. Treat
it as you treat the training data: keep it where these may be kept, and delete it when they are to be deleted.

What may be shared is what `ecgsynth export` writes, once its report has been read; what the file has of the training
data was decided for publication, and what is here was not.
"""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths and formats of one run folder."""

    path: Path

    @property
    def scaler(self) -> Path:
        return self.path / "scaler.json"

    @property
    def readme(self) -> Path:
        return self.path / "README.md"

    @property
    def history(self) -> Path:
        return self.path / "history.jsonl"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.json"

    @property
    def config(self) -> Path:
        return self.path / "config.json"

    @property
    def weights(self) -> Path:
        return self.path / "weights.safetensors"

    @property
    def state(self) -> Path:
        return self.path / "checkpoint" / "state.safetensors"

    def begin(self, content: dict[str, Any], *, resume: bool, force: bool) -> None:
        """Make the folder for a training of these settings, or check that the one to go on with has the same.

        Parameters
        ----------
        content
            The parts config and data, which must be the same, and training, in which only versions may differ.
        resume, force
            Go on with what is there, or replace it.

        Raises
        ------
        ConfigError
            For other settings than those of the run to go on with.
        ArtifactError
            For a folder in the way.

        """
        content = json.loads(json.dumps(content))  # as it will be read back: tuples become lists
        if resume and self.config.exists():
            found = self.read_config()
            for part in ("config", "data"):
                if found.get(part) != content[part]:
                    raise ConfigError(
                        f"{self.path} was begun with another {part}; resume with the same command as before"
                    )
            ours, theirs = ({**some["training"], "versions": None} for some in (content, found))
            if ours != theirs:
                raise ConfigError(f"{self.path} was begun with other training settings; resume with the same command")
            return
        check_free(self.path, force=force)
        self.clear()
        self.write_config(content)

    def clear(self) -> None:
        """Remove what an earlier training left that the next one does not replace at once."""
        for stale in (self.state, self.weights, self.history, self.metrics):
            stale.unlink(missing_ok=True)

    def write_config(self, content: dict[str, Any]) -> None:
        """Write config.json with the folder's format, and beside it what this folder is."""
        with atomic(self.readme) as temporary:
            temporary.write_text(PERSONAL, encoding="utf-8")
        write_json(self.config, {"format": FORMAT, **content})

    def read_config(self) -> dict[str, Any]:
        """config.json, without its format; ArtifactError for no run folder, or one of a newer version."""
        if not self.config.exists():
            raise ArtifactError(
                f"expected a run folder with a config.json at {self.path}; make one with 'ecgsynth train'"
            )
        content: dict[str, Any] = read_json(self.config)
        found = content.pop("format", None) if isinstance(content, dict) else None
        if not isinstance(found, int):
            raise ArtifactError(f"{self.config} has no format number; it is not a run folder of ecgsynth")
        if found > FORMAT:
            raise ArtifactError(
                f"{self.path} has format {found} and this version reads up to {FORMAT}; upgrade ecgsynth to use it"
            )
        return content

    def private(self) -> dict[str, Any]:
        """What the folder knows of the data and an exported file does not have; {} of a run of an earlier version."""
        found: dict[str, Any] = self.read_config().get("data", {}).get("private", {})
        return found

    def digest(self, fingerprint: str, *, resume: bool = False) -> dict[str, str]:
        """A fingerprint of training data under a key of this folder's own; a resumed run keeps its key.

        Only with the key can one check whether the run learnt from given data.
        """
        before = self.private() if resume and self.config.exists() else {}
        key = before.get("digest", {}).get("key") or secrets.token_hex(32)
        return {"key": key, "value": keyed(key, fingerprint)}

    def learnt_from(self, fingerprint: str) -> bool:
        """Whether the run learnt from the data that have this fingerprint; ArtifactError where it cannot say."""
        digest = self.private().get("digest")
        if not digest:
            raise ArtifactError(f"{self.path} is a run of an earlier version, which has no keyed digest; train again")
        return hmac.compare_digest(digest["value"], keyed(digest["key"], fingerprint))

    def write_tensors(self, path: Path, tensors: dict[str, Tensor], counters: dict[str, Any]) -> None:
        """One safetensors file with ``counters`` as JSON in its header, atomically."""
        kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        content = save(kept, metadata={"counters": json.dumps(counters)})
        with atomic(path) as temporary:
            temporary.write_bytes(content)

    def read_tensors(self, path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What ``write_tensors`` wrote; ArtifactError if it is missing or damaged."""
        if not path.exists():
            raise ArtifactError(
                f"expected {path}, but there is none; the training had not come that far, start it again"
            )
        try:
            with safe_open(path, framework="pt") as file:
                counters: dict[str, Any] = json.loads((file.metadata() or {})["counters"])
                return {name: file.get_tensor(name) for name in file.keys()}, counters
        except (SafetensorError, KeyError, json.JSONDecodeError) as error:
            raise ArtifactError(f"{path} is damaged ({error}); train again") from error

    def load_best(self, generator: nn.Module) -> dict[str, Any]:
        """Give a generator the best weights so far.

        Returns
        -------
        What the training reached, or how far it has come.

        Raises
        ------
        ArtifactError
            For weights that are missing, damaged, or of another generator.

        """
        tensors, counters = self.read_tensors(self.weights)
        try:
            generator.load_state_dict({key.removeprefix("generator."): value for key, value in tensors.items()})
        except RuntimeError as error:
            raise ArtifactError(f"{self.weights} does not fit {self.config}; one of them is of another run") from error
        reached: dict[str, Any] = read_json(self.metrics) if self.metrics.exists() else {"unfinished": True, **counters}
        return reached

    def append_history(self, record: dict[str, Any]) -> None:
        """One more line of history.jsonl."""
        try:
            with self.history.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise ArtifactError(
                f"could not write {self.history}: {error.strerror or error}; make room and go on with --resume"
            ) from error

    def cut_history(self, step: int) -> None:
        """Drop the lines after ``step``: they are about to be made again."""
        if not self.history.exists():
            return
        lines = []
        for line in self.history.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] > step:
                    break
            except (json.JSONDecodeError, KeyError):  # the line being written when the run was killed
                break
            lines.append(line + "\n")
        with atomic(self.history) as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")


def keyed(key: str, fingerprint: str) -> str:
    """HMAC-SHA256 in hexadecimal (RFC 2104)."""
    return hmac.new(bytes.fromhex(key), fingerprint.encode(), hashlib.sha256).hexdigest()
