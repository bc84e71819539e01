"""The contract between an exported file and whoever samples it; standard library only.

The manifest is JSON in the file's metadata under KEY. It says what the inputs and outputs are, what the
generator learnt from, how, and what was measured, so that one file is all that has to be handed over.
"""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from ecgsynth.errors import ArtifactError

__all__ = ["CONTRACT", "KEY", "ClassEntry", "Manifest"]

KEY = "ecgsynth.manifest"
CONTRACT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassEntry:
    """One class: its name, what it means, and its share of the training windows."""

    name: str
    meaning: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an exported generator says of itself."""

    kind: str  # "beats", "series", or "windows" of any other signal
    noise_dim: int
    time: int  # samples a window
    fs_hz: float
    units: str
    channel_names: tuple[str, ...]
    event_index: int | None  # a beat's R peak
    classes: tuple[ClassEntry, ...]
    data: dict[str, Any]  # what it was trained on: source, licence, citation, split, counts, hash
    training: dict[str, Any]  # how: model, settings, seed, versions
    metrics: dict[str, Any]  # what was measured
    synthetic: bool = True
    contract: int = CONTRACT

    def to_text(self) -> str:
        """The manifest as JSON."""
        return json.dumps(asdict(self), allow_nan=False, sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None, where: str) -> Self:
        """The manifest in a file's metadata.

        Raises ArtifactError if there is none, it cannot be read, or its contract is newer than this version's.
        """
        if text is None:
            raise ArtifactError(f"{where} has no ecgsynth manifest; expected a file made by 'ecgsynth export'")
        try:
            content = json.loads(text)
            contract = int(content["contract"])
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{where} has a manifest that cannot be read ({error}); export it again") from error
        if contract > CONTRACT:
            raise ArtifactError(
                f"{where} follows contract {contract} and this version knows up to {CONTRACT}; upgrade ecgsynth"
            )
        try:
            # A file of the same contract may say more than this version asks: that is no reason to refuse it.
            known = {field.name: content[field.name] for field in fields(cls)}
            known["classes"] = tuple(
                ClassEntry(name=entry["name"], meaning=entry["meaning"], share=float(entry["share"]))
                for entry in known["classes"]
            )
            known["channel_names"] = tuple(known["channel_names"])
            return cls(**known)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{where} has an incomplete manifest ({error}); export it again") from error

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class names, in the order of the label codes."""
        return tuple(entry.name for entry in self.classes)
