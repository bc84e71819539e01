"""The audit of a generator of windows: attacks whose unit is the person, and the level of release that they allow."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgsynth.core.levels import by_figures
from ecgsynth.errors import DataError
from ecgsynth.export.onnx_sampler import OnnxSampler
from ecgsynth.metrics.attacks.base import Draw, Exposure, Points, Shadow
from ecgsynth.metrics.attacks.linkage import CONFIG, linkage
from ecgsynth.metrics.attacks.nearest import nearest_distance
from ecgsynth.metrics.attacks.persons import attacked_persons
from ecgsynth.metrics.attacks.reconstruction import reconstruction
from ecgsynth.metrics.attacks.targets import FEWEST_PERSONS, late, people_of, targets_of
from ecgsynth.metrics.attacks.white_box import centres_in
from ecgsynth.metrics.progress import Tell, part, silent
from ecgsynth.metrics.waveforms import in_spreads
from ecgsynth.models import registry
from ecgsynth.models.model import Model
from ecgsynth.training.run_folder import RunFolder
from ecgsynth.windows.windows import Windows

__all__ = ["Refit", "audit", "learnt_from", "matching"]

RELEASED_WINDOWS = 30_000  # synthetic ones that the attacker has, in the training shares
LEAST_WINDOWS = 1000  # of each class: rare ones are topped up

NO_PERSONS = "persons are not known in these data, so nothing above internal can be earned"
FEW = "attacks on persons need at least {fewest} people whom the generator learnt from and {fewest} outside"
NOBODY = "nobody is outside of the training part, as in a split by beat: whether a person was in cannot be tried"
LEARNT = "members are attacked with windows that the generator learnt from, as no others are held back: that is easier"
NO_CENTRES = "no table in the file could be read as windows"
OTHER_DATA = (
    "this generator did not learn from the training part of these data, so the figures say nothing of its people"
)
UNCHECKED = "whether this generator learnt from the training part of these data was not checked (--run)"
NO_LINKAGE = "too few persons have windows enough to train a classifier of persons"

Values = NDArray[np.float32]
Refit = Callable[[Windows, int], Callable[[int, str | None, int], Values]]  # (learn, seed) -> draw(n, label, seed)


def audit(
    sampler: OnnxSampler,
    real: Windows,
    *,
    run: Path | str | None = None,
    shadow: Refit | None = None,
    device: torch.device | None = None,
    seed: int = 0,
    steps: int | None = None,
    on_progress: Tell = silent,
) -> dict[str, Any]:
    """Attack the persons in ``real`` through a generator, as somebody with its file would.

    Members are the persons of the training part. They are attacked with windows that the generator did not learn from
    (the part "later", or other parts that they are in), where there are some. People outside are those of the test and
    of the validation part who are no members; the validation part chose the best step of the training and nothing else.

    Parameters
    ----------
    sampler
        The generator.
    real
        Windows that are split into parts.
    run
        The generator's run folder, which knows whether it learnt from this training part.
    shadow
        Fits the same kind of generator to other windows; by default that of its model, where there is one.
    device
        Of the classifier of persons.
    seed
        Of everything that is drawn.
    steps
        Updates of the classifier, at most.
    on_progress
        Called with the stage and the share that is done.

    Returns
    -------
    kind, unit, units, seed
        Of the generator; "person"; that of distances; and what was asked for.
    persons_known, persons_learnt, persons_outside
        Whether persons are known, and how many they are.
    same_training_part
        Whether the generator learnt from the training part; None where that was not checked.
    attacks
        By name, what each attack reached (ecgsynth.metrics.attacks.persons).
    linkage, reconstruction
        See ecgsynth.metrics.attacks.linkage and reconstruction; None where they could not be measured.
    notes
        What has to be known to read the figures rightly, a sentence each.
    level
        ``name`` of the highest level that these figures allow, and the ``reasons`` why it is no higher; who stands
        behind the numbers in the file may lower it (ecgsynth.core.levels.earned).

    Raises
    ------
    DataError
        Where the generator makes other windows than the real ones are, or they have no training part.

    """
    real = matching(real, sampler)
    if not len(real.part("train")):
        raise DataError("an audit needs windows that the generator learnt from, but the training part is empty")
    on_progress("drawing", 0.0)
    exposure, in_shares = exposed(sampler, real, shadow or refit_of(sampler), seed)
    found: dict[str, Any] = {"kind": sampler.manifest.kind, "unit": "person", "seed": seed}
    found["units"] = "standard deviations" if real.is_series else sampler.manifest.units
    found["same_training_part"] = learnt_from(run, real)
    people = people_of(exposure)
    found |= {"persons_known": people is not None}
    if people is not None:
        found |= {"persons_learnt": len(people[0]), "persons_outside": len(people[1])}
    found |= measured(exposure, in_shares, device, seed, steps, on_progress)
    found["notes"] = notes(found, exposure)
    level = by_figures(found)
    found["level"] = {"name": level.name, "reasons": list(level.reasons)}
    on_progress("audit", 1.0)
    return found


def measured(
    exposure: Exposure, in_shares: int, device: torch.device | None, seed: int, steps: int | None, tell: Tell
) -> dict[str, Any]:
    """Attacks, linkage and reconstruction, as far as each can be measured."""
    attacks, classifier, clusters = part(tell, 0.1, 0.4), part(tell, 0.5, 0.35), part(tell, 0.85, 0.15)
    config = CONFIG if steps is None else dataclasses.replace(CONFIG, steps=min(steps, CONFIG.steps))
    alike = dataclasses.replace(
        exposure,
        synthetic=exposure.synthetic[:in_shares],
        kinds=None if exposure.kinds is None else exposure.kinds[:in_shares],
    )
    return {
        "attacks": attacked_persons(exposure, seed=seed, tell=lambda done: attacks("attacks", done)),
        "linkage": linkage(
            alike,
            seed=seed,
            config=config,
            device=device,
            on_step=lambda done, total, loss=0.0, /: classifier("linkage", done / total),
        ),
        "reconstruction": reconstruction(exposure, seed=seed, tell=lambda done: clusters("reconstruction", done)),
    }


def notes(found: dict[str, Any], exposure: Exposure) -> list[str]:
    """What has to be known to read the figures rightly, and what is left out; no count of persons is in it."""
    said = []
    if found["same_training_part"] is not True:
        said.append(UNCHECKED if found["same_training_part"] is None else OTHER_DATA)
    if not found["persons_known"]:
        return [*said, NO_PERSONS]
    if not found["persons_outside"]:
        said.append(NOBODY)
    elif not found["attacks"]:
        said.append(FEW.format(fewest=FEWEST_PERSONS))
    else:
        targets = targets_of(exposure)
        said += [LEARNT] if targets is not None and targets.learnt else []
    if exposure.centres is None:
        said.append(NO_CENTRES)
    if found["linkage"] is None:
        said.append(NO_LINKAGE)
    return said


# ---- what the attacker has


def exposed(sampler: OnnxSampler, real: Windows, shadow: Refit | None, seed: int) -> tuple[Exposure, int]:
    """What an attacker with the file sees, and how many of the synthetic windows are in the training shares."""
    learnt = real.part("train")
    made = sampler.windows(RELEASED_WINDOWS, seed=seed)
    pieces = [made]
    for name, count in made.counts().items():
        if len(made.classes) > 1 and count < min(LEAST_WINDOWS, RELEASED_WINDOWS):
            pieces.append(sampler.windows(min(LEAST_WINDOWS, RELEASED_WINDOWS) - count, name, (seed + 1) % 2**64))
    centres = centres_in(sampler.path) if sampler.path.is_file() else None
    scale, model = scaling(learnt), model_of(sampler)
    inside = np.zeros(len(real), dtype=bool) if real.groups is None else np.isin(real.groups, np.asarray(learnt.groups))
    # Without parts it learnt from all: nothing is held back, and nobody is outside.
    others = np.zeros(len(real), dtype=bool) if real.parts is None else real.parts != 0
    held = others & inside
    return Exposure(
        synthetic=scale(np.concatenate([piece.values for piece in pieces])),
        kinds=np.concatenate([piece.labels for piece in pieces]),
        learnt=points(real, ~others, scale),
        later=points(real, held, scale) if held.any() else None,
        unseen=points(real, others & ~inside, scale),
        distance=nearest_distance,
        centres=None if centres is None else scale(centres),
        shadow=None if shadow is None else shadow_of(shadow, real, inside, scale),
        population=None
        if model is None or model.populations is None or real.groups is None
        else model.populations(real.take(not_attacked(real, inside))),
        seed=seed,
    ), len(made)


def model_of(sampler: OnnxSampler) -> Model[Any] | None:
    """The model of a generator, where this version has it."""
    name = sampler.manifest.training.get("model")
    return registry.entry(str(name)) if name in registry.names() else None


def refit_of(sampler: OnnxSampler) -> Refit | None:
    """How the generator's model is fitted to other people, where that is cheap."""
    model = model_of(sampler)
    return None if model is None else model.refit


def scaling(learnt: Windows) -> Callable[[Values], Values]:
    """Signals are compared in their unit, channels of a series in standard deviations of the training part."""
    return (lambda values: in_spreads(learnt.values, values)[0]) if learnt.is_series else lambda values: values


def points(real: Windows, rows: NDArray[np.bool_], scale: Callable[[Values], Values]) -> Points:
    """Some windows as an attacker has them; a block of time is no person."""
    windows = real.take(rows)
    owners = windows.groups if windows.meta.get("groups") != "blocks" else None
    places = np.flatnonzero(rows)
    return Points(values=scale(windows.values), kinds=windows.labels, owners=owners, places=places)


def shadow_of(refit: Refit, real: Windows, inside: NDArray[np.bool_], scale: Callable[[Values], Values]) -> Shadow:
    """Fits to persons: to members' training windows, and to those of others that are not attacked."""
    groups, learnable = np.asarray(real.groups), not_attacked(real, inside)

    def fit(owners: Any, seed: int) -> Draw:
        learn = real.take(learnable & np.isin(groups, list(owners)))
        draw = refit(learn, seed)

        def some(n: int, number: int) -> Points:
            counts = np.round(learn.shares() * n).astype(np.int64).tolist()
            made = [draw(count, name, number) for count, name in zip(counts, learn.classes, strict=True)]
            kinds = np.repeat(np.arange(len(counts)), [len(values) for values in made])
            return Points(values=scale(np.concatenate(made)), kinds=kinds)

        return some

    return fit


def not_attacked(real: Windows, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) which windows a generator could learn from and an attack does not use, of members and of people outside."""
    groups = np.asarray(real.groups)
    learnable = inside & (np.ones(len(real), dtype=bool) if real.parts is None else real.parts == 0)
    for person in np.unique(groups[~inside]):
        own = np.flatnonzero(groups == person)
        learnable[own[: len(own) - len(late(own))]] = True
    return np.asarray(learnable)


def learnt_from(run: Path | str | None, real: Windows) -> bool | None:
    """Whether a run learnt from this training part; if not, it may have seen the test part. None: not known."""
    return None if run is None else RunFolder(Path(run)).learnt_from(real.part("train").fingerprint())


def matching(real: Windows, sampler: OnnxSampler) -> Windows:
    """The real windows of the generator's classes, in its order.

    Raises DataError if its windows are of another shape, rate or unit, or of other columns, or a class is missing.
    """
    manifest = sampler.manifest
    expected = (manifest.time, len(manifest.channel_names), manifest.fs_hz, manifest.units)
    got = (*real.values.shape[1:], real.fs_hz, real.units)
    if got != expected:
        raise DataError(
            "the generator makes windows of {} samples x {} channels at {} Hz in {}, ".format(*expected)
            + "the real ones are {} x {} at {} Hz in {}; prepare them with the same options".format(*got)
        )
    if manifest.kind == "series" and real.channel_names != manifest.channel_names:
        raise DataError(
            f"the generator makes the columns {', '.join(manifest.channel_names)}, the real ones are "
            f"{', '.join(real.channel_names)}; bring the table that it learnt from, or one like it"
        )
    kept = real.keep_classes(manifest.class_names)
    codes = np.asarray([manifest.class_names.index(name) for name in kept.classes], dtype=np.int64)
    return dataclasses.replace(kept, classes=manifest.class_names, labels=codes[kept.labels])
