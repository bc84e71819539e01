"""Which windows a generator may learn from, and by which model."""

from typing import Any

import numpy as np

from ecgsynth.core.disclosure import LEAST_PEOPLE, PERSONS, persons_behind
from ecgsynth.core.levels import LEVELS
from ecgsynth.errors import ConfigError, DataError
from ecgsynth.models import registry
from ecgsynth.models.model import Model
from ecgsynth.windows.windows import Windows

__all__ = ["check_classes", "chosen_model", "with_classes_of"]


def chosen_model(model: str | None, level: str | None, windows: Windows) -> str:
    """The model that is asked for, or the one for windows as these.

    Raises
    ------
    ConfigError
        For an unknown level, or a model that gives windows of the persons themselves where more than "internal" is
        asked for.
    DataError
        For fewer than LEAST_PEOPLE persons to learn from, unless "internal" is asked for.

    """
    if level is not None and level not in LEVELS:
        raise ConfigError(f"a level is one of {', '.join(LEVELS)}, got {level!r}")
    above = level in LEVELS[1:]
    if model is not None:
        if above and registry.entry(model).classes_of is None:
            raise ConfigError(
                f"the model {model} learns the windows of the persons themselves, which is for the level internal; "
                f"leave --model out, or take --model {registry.PEOPLE}"
            )
        return model
    if level == "internal" or windows.is_series:
        return registry.DEFAULT
    if windows.owners is None:
        if above:
            raise DataError(
                f"these windows do not say whose they are, so a file of them cannot be {level}; bring their persons as "
                "groups, or train with --level internal"
            )
        return registry.DEFAULT
    people = len(np.unique(np.asarray(windows.part("train").groups)))
    if people < LEAST_PEOPLE:
        raise DataError(
            f"the training part has {people} {'person' if people == 1 else 'people'} and a generator of new people "
            f"needs at least {LEAST_PEOPLE}; bring more, or train with --level internal for use in your own house"
        )
    return registry.PEOPLE


def with_classes_of(model: Model[Any], windows: Windows) -> tuple[Windows, tuple[str, ...]]:
    """The windows of the classes that a model can learn, and the names of the classes that are left out.

    Raises
    ------
    DataError
        Where none is left.

    """
    if model.classes_of is None:
        return windows, ()
    kept = model.classes_of(windows.part("train"))
    if windows.owners is not None and not kept:
        raise DataError(
            f"no class has enough windows of {LEAST_PEOPLE} people or more in the training part; bring more people, or "
            "train with --level internal"
        )
    left_out = tuple(name for name in windows.classes if name not in kept)
    if not kept or not left_out:
        return windows, ()
    return windows.keep_classes(kept), left_out


def check_classes(learn: Windows, check: Windows, minimum: int) -> None:
    """Raise DataError for a class that cannot be learnt, cannot be scored, or is of too few persons.

    Parameters
    ----------
    learn, check
        The training part and the validation part.
    minimum
        Training windows that a class needs.

    """
    if learn.is_series and len(learn.classes) == 1 and len(learn) < minimum:
        raise DataError(
            f"there are {len(learn)} training windows and at least {minimum} are needed; bring more rows, or cut more "
            "windows from them with a smaller --length or --stride"
        )
    persons, _ = persons_behind(learn.labels, learn.owners, len(learn.classes))
    least = least_persons(learn)
    counts = learn.counts()
    good = ",".join(
        name for (name, count), some in zip(counts.items(), persons, strict=True) if count >= minimum and some >= least
    )
    advice = f"bring more records, or train without it: --classes {good}"
    if learn.is_series:
        advice = "bring more of its sequences, or leave their rows out"
    for (name, count), some in zip(counts.items(), persons, strict=True):
        if count < minimum:
            raise DataError(f"class {name} has {count} training windows and at least {minimum} are needed; {advice}")
        if some < least and learn.is_series:
            raise DataError(
                f"{int((persons < least).sum())} of {len(persons)} labels are of fewer than {least} sequences in the "
                f"training part, and a file publishes its labels; {advice}"
            )
        if some < least:
            raise DataError(
                f"class {name} is of {some} {'person' if some == 1 else 'persons'} in the training part and at least "
                f"{least} are needed, for a file publishes its classes; {advice}"
            )
    if not len(check):
        raise DataError("the validation part is empty, so the best step cannot be chosen; bring more windows")


def least_persons(learn: Windows) -> int:
    """How many persons a class needs: of a signal, with the classes of a standard, two; of a series, with
    the user's own labels, PERSONS; and one where no persons are known, or there is but one class, "all".
    """
    if learn.owners is None or (learn.is_series and len(learn.classes) == 1):
        return 1
    return PERSONS if learn.is_series else 2
