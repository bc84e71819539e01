"""The generator as its users hold it: fit, sample, save, load, export."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

import ecgsynth
from ecgsynth.core.config import TimeGANConfig, TrainConfig, WGANConfig
from ecgsynth.core.disclosure import PERSONS, coarse, drawn_in, persons_behind, shared_codes
from ecgsynth.core.files import check_free, write_json
from ecgsynth.core.noise import pick_labels, row_noise
from ecgsynth.errors import ArtifactError, ConfigError, DataError
from ecgsynth.export.cards import card_of
from ecgsynth.models.decoder import Limits, SignalSampler, draw
from ecgsynth.models.scaling import ChannelScaler, PrincipalScaler
from ecgsynth.models.timegan import TimeGANGenerator
from ecgsynth.models.wgan import Generator
from ecgsynth.training.devices import pick_device
from ecgsynth.training.loop import Progress, announce
from ecgsynth.training.plan import MODELS, Plan, fit, generator_of, plan
from ecgsynth.training.run_folder import RunFolder
from ecgsynth.training.selection import overlap_of, validation_score
from ecgsynth.windows.beats import AAMI_MEANINGS
from ecgsynth.windows.windows import Windows

__all__ = ["MIN_CLASS", "Synthesizer"]

MIN_CLASS = 10  # training windows below which a class is one person's rather than a class


class Synthesizer:
    """A generator of windows, the space it works in, and what is known of its training."""

    def __init__(
        self,
        scaler: PrincipalScaler | ChannelScaler,
        generator: Generator | TimeGANGenerator,
        about: dict[str, Any],
    ) -> None:
        self.config: WGANConfig | TimeGANConfig = generator.config
        self.sampler = SignalSampler(generator, scaler, limits(about["data"])).eval()
        self.scaler = scaler
        self.about = about  # {"data": ..., "training": ..., "metrics": ...}, all plain JSON

    def __repr__(self) -> str:
        return card_of(self).line()

    def _repr_html_(self) -> str:
        return card_of(self, drawn=True).html()

    @classmethod
    def fit(
        cls,
        windows: Windows,
        training: TrainConfig,
        run: Path | str,
        *,
        model: str = "rwgan",
        sizes: dict[str, Any] | None = None,
        min_class: int = MIN_CLASS,
        source: str | None = None,
        device: str = "auto",
        resume: bool = False,
        force: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
        began: float | None = None,
    ) -> Self:
        """Train on the training part of ``windows``, choose the best step on the validation part, keep both in ``run``.

        ``model`` is the recurrent WGAN-GP, rwgan, or timegan; ``sizes`` are settings of WGANConfig or TimeGANConfig
        other than those that follow from the windows. ``source``: what an exported file says of where a series is
        from; the windows' own source where that is a public database. With ``resume``, a run that
        was stopped goes on; its settings must be the same. Lower ``min_class`` for experiments only: a class of a few
        windows is learnt as those windows.
        Raises DataError for a class with fewer than ``min_class`` training windows, ConfigError for settings that
        differ from those of the run, ArtifactError for a folder in the way, TrainingDivergedError on a loss that ran
        away. ``began``: when, by time.monotonic, the work began of which a budget is to hold the whole.
        """
        began = time.monotonic() if began is None else began
        folder = RunFolder(Path(run))
        if not resume:
            check_free(folder.path, force=force)
        announce(on_progress, "finding the space", began)
        learn, check = windows.part("train"), windows.part("validation")
        check_classes(learn, check, min_class)
        about = {
            "data": describe(windows, learn, source, folder.digest(learn.fingerprint(), resume=resume)),
            "training": {"model": model, "config": training.to_json()},
        }
        if learn.is_series:  # means, spreads and components of it are told, and weights learn it
            values = drawn_in(learn.values, learn.owners, repeats=max(1, overlap_of(learn)))
            learn = dataclasses.replace(learn, values=values)
        chosen = pick_device(device)
        planned = plan(model, learn, sizes or {}, training.seed)
        folder.begin(contents(planned, about), resume=resume, force=force)  # the last to refuse, the first to write
        planned.scaler.save(folder.scaler)
        reached = fit(
            planned,
            training,
            learn,
            device=chosen,
            score=validation_score(learn, check, planned.scaler, limits(about["data"])),
            run=folder,
            on_progress=on_progress,
            began=began,
        )
        write_json(folder.metrics, reached)
        return cls.load(folder.path)

    @classmethod
    def load(cls, run: Path | str) -> Self:
        """The best generator of a run folder, finished or not."""
        folder = RunFolder(Path(run))
        content = folder.read_config()
        model = content.get("training", {}).get("model")
        if model not in MODELS:
            raise ArtifactError(
                f"{folder.path} holds a model {model!r}; expected one of {', '.join(MODELS)}, "
                "see 'ecgsynth train --help'"
            )
        try:
            generator = generator_of(model, content["config"])
            data, training = content["data"], content["training"]
        except (KeyError, TypeError) as error:
            raise ArtifactError(f"{folder.config} is incomplete ({error}); train again") from error
        scaler = (ChannelScaler if model == "timegan" else PrincipalScaler).load(folder.scaler)
        reached = folder.load_best(generator)
        about = {"data": data, "training": training, "metrics": reached}
        return cls(scaler, generator, about)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the labels' codes."""
        return tuple(entry["name"] for entry in self.about["data"]["classes"])

    def sample(self, n: int, label: str | None = None, seed: int = 0) -> Windows:
        """``n`` synthetic windows, of one class or in the training shares; row for row those of the exported file."""
        data = self.about["data"]
        if n < 1:
            raise ConfigError(f"the number of windows must be at least 1, got {n}")
        if label is not None and label not in self.classes:
            raise ConfigError(f"there is no class {label!r}; the classes are {', '.join(self.classes)}")
        if label is None:
            shares = np.asarray([entry["share"] for entry in data["classes"]])
            labels = pick_labels(row_noise(seed, range(n), self.config.noise_dim).label, shares)
        else:
            labels = np.full(n, self.classes.index(label), dtype=np.int64)
        values, rr_s = draw(self.sampler, labels, seed)
        return Windows(
            values=values,
            fs_hz=data["fs_hz"],
            units=data["units"],
            channel_names=tuple(data["channel_names"]),
            classes=self.classes,
            labels=labels,
            rr_s=rr_s,
            event_index=data["event_index"],
            meta={"kind": data["kind"], "synthetic": True, "seed": seed},
        )

    def save(self, run: Path | str, *, force: bool = False) -> None:
        """Write a run folder that ``load`` reads (without the history and the checkpoint of the training)."""
        folder = RunFolder(Path(run))
        check_free(folder.path, force=force)
        folder.clear()
        folder.write_config(
            {"config": self.config.to_json(), "data": self.about["data"], "training": self.about["training"]}
        )
        self.scaler.save(folder.scaler)
        weights = {f"generator.{key}": value for key, value in self.sampler.generator.state_dict().items()}
        folder.write_tensors(folder.weights, weights, {})
        write_json(folder.metrics, self.about["metrics"])

    def tell_measured(self, measured: dict[str, Any]) -> None:
        """Add what ``evaluate`` measured to what is known of the generator, and so to the manifest of its file.

        Raises ConfigError if the generator was measured against other data than it was trained on.
        """
        if not measured.get("same_training_part"):
            raise ConfigError(
                "the report does not say that the generator learnt from the windows it is compared with; evaluate it "
                "on those with --run, its run folder"
            )
        kept = ("split", "utility", "fidelity", "privacy")
        self.about["metrics"] = {**self.about["metrics"], **{name: measured[name] for name in kept if name in measured}}

    def export(self, path: Path | str, *, force: bool = False) -> None:
        """Write one self-contained ONNX file, checked against torch; nothing is written if they differ."""
        from ecgsynth.export.windows_to_onnx import export_signal

        export_signal(self.sampler, self.about, Path(path), force=force)


def check_classes(learn: Windows, check: Windows, minimum: int) -> None:
    """Raise DataError for a class that cannot be learnt, cannot be checked, or is too few persons'."""
    if learn.is_series and len(learn.classes) == 1 and len(learn) < minimum:
        raise DataError(
            f"there are {len(learn)} training windows and at least {minimum} are needed; bring more rows, or cut more "
            "windows from them with a smaller --length or --stride"
        )
    people, _ = persons_behind(learn.labels, learn.owners, len(learn.classes))
    least = fewest_persons(learn)
    counts = learn.counts()
    kept = ",".join(
        name for (name, count), some in zip(counts.items(), people, strict=True) if count >= minimum and some >= least
    )
    advice = f"bring more records, or train without it: --classes {kept}"
    if learn.is_series:
        advice = "bring more of its sequences, or leave their rows out"
    for (name, count), some in zip(counts.items(), people, strict=True):
        if count < minimum:
            raise DataError(f"class {name} has {count} training windows and at least {minimum} are needed; {advice}")
        if some < least and learn.is_series:
            raise DataError(
                f"{int((people < least).sum())} of {len(people)} labels are of fewer than {least} sequences in the "
                f"training part, and a file tells its labels; {advice}"
            )
        if some < least:
            raise DataError(
                f"class {name} is of {some} {'person' if some == 1 else 'persons'} in the training part and at least "
                f"{least} are needed, for a file tells its classes; {advice}"
            )
    if not len(check):
        raise DataError("the validation part is empty, so the best step cannot be chosen; bring more windows")


def fewest_persons(learn: Windows) -> int:
    """How many persons a class needs: of a signal, whose classes are a standard's words, two; of a user's series,
    whose are the user's own, PERSONS; and one where no persons are known, or there is but one class, "all".
    """
    if learn.owners is None or (learn.is_series and len(learn.classes) == 1):
        return 1
    return PERSONS if learn.is_series else 2


def describe(windows: Windows, learn: Windows, source: str | None, digest: dict[str, str]) -> dict[str, Any]:
    """What a run knows of its data: what a file may tell (see disclosure.published_data), and ``private`` things."""
    named = windows.meta.get("source", {"name": "unnamed"})
    told = {"name": source or "unnamed"} if windows.is_series or source else named
    return {
        "kind": windows.meta.get("kind", "windows"),
        "fs_hz": windows.fs_hz,
        "units": windows.units,
        "time": windows.values.shape[1],
        "channel_names": list(windows.channel_names),
        "event_index": windows.event_index,
        "classes": described_classes(learn),
        "source": told,
        "split": windows.meta.get("split"),
        "band_hz": windows.meta.get("band_hz"),
        "training_windows": len(learn),
        "training_patients": None if learn.groups is None else len(np.unique(learn.groups)),
        **({"series": windows.meta["series"]} if windows.is_series else {}),
        "private": {"source": named, "split_seed": windows.meta.get("split_seed"), "digest": digest},
    }


def described_classes(learn: Windows) -> list[dict[str, Any]]:
    """Each class with its share of the training windows; where one may not be told, all have one digit, and the
    largest class has the rest.
    """
    shares = learn.shares()
    if not shared_codes(learn.labels, learn.owners, len(learn.classes)).all():
        largest = int(shares.argmax())
        shares = np.array([coarse(float(share), 1) for share in shares])
        shares[largest] = 0
        shares[largest] = max(1 - shares.sum(), 0.1)
    return [
        {"name": name, "meaning": AAMI_MEANINGS.get(name, name), "share": round(float(share), 6)}
        for name, share in zip(learn.classes, shares, strict=True)
    ]


def limits(data: dict[str, Any]) -> Limits | None:
    """What the values of each channel of a series are multiples of (0: of nothing), and from where to where they go."""
    if "series" not in data:
        return None
    columns = [*data["series"]["columns"], *data["series"]["statics"]]
    return Limits(
        steps=np.asarray([column["quantum"] or 0.0 for column in columns], dtype=np.float32),
        lows=np.asarray([bound(column["lowest"], -np.inf) for column in columns], dtype=np.float32),
        highs=np.asarray([bound(column["highest"], np.inf) for column in columns], dtype=np.float32),
    )


def bound(told: float | None, otherwise: float) -> float:
    """A bound of what is made, where there were persons enough to tell one."""
    return otherwise if told is None else told


def contents(planned: Plan, about: dict[str, Any]) -> dict[str, Any]:
    """What the run folder says of a training."""
    versions = {"ecgsynth": ecgsynth.__version__, "torch": torch.__version__.split("+")[0]}
    training = {**about["training"], "versions": versions}
    return {"config": planned.config.to_json(), "data": about["data"], "training": training}
