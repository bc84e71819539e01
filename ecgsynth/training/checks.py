"""Which windows a generator may learn from."""

from ecgsynth.core.disclosure import PERSONS, persons_behind
from ecgsynth.errors import DataError
from ecgsynth.windows.windows import Windows

__all__ = ["check_classes"]


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
