"""Records: frozen dataclasses that are kept as JSON, each field under a key of its own.

A key is the field's name unless ``key`` gives another, so that a field can be renamed and its files stay as they are.
"""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from ecgsynth.errors import ConfigError

__all__ = ["from_json", "key", "key_of", "keys_of", "sparse", "to_json"]

R = TypeVar("R")


def key(name: str, **options: Any) -> Any:
    """A dataclass field that stands under another key in JSON; ``options`` as for dataclasses.field."""
    return dataclasses.field(metadata={"key": name}, **options)


def sparse(**options: Any) -> Any:
    """A dataclass field that stands in JSON only where it holds something."""
    return dataclasses.field(metadata={"sparse": True}, **options)


def key_of(field: "dataclasses.Field[Any]") -> str:
    """The key of a field in JSON."""
    return str(field.metadata.get("key", field.name))


def keys_of(kind: type) -> dict[str, str]:
    """The names of a record's fields by their keys, in order."""
    return {key_of(field): field.name for field in dataclasses.fields(kind)}


def to_json(record: Any) -> dict[str, Any]:
    """A record as plain values: arrays and tuples are lists, records within it dictionaries."""
    fields = [(field, getattr(record, field.name)) for field in dataclasses.fields(record)]
    return {key_of(field): plain_value(value) for field, value in fields if not field.metadata.get("sparse") or value}


def plain_value(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if dataclasses.is_dataclass(value):
        return to_json(value)
    if isinstance(value, Mapping):
        return {name: plain_value(entry) for name, entry in value.items()}
    return [plain_value(entry) for entry in value] if isinstance(value, list | tuple) else value


def from_json(kind: type[R], content: Any, *, lenient: bool = False) -> R:
    """A record from what ``to_json`` gave.

    Parameters
    ----------
    kind
        The record's class; lists become the arrays, tuples or records that its annotations say.
    content
        Plain values.
    lenient
        Pass over keys that the record, or one within it, does not have, as in a file of a later version.

    Raises
    ------
    ConfigError
        For what is no dictionary, for an unknown key, and for a missing one that has no default.

    """
    if not isinstance(content, dict):
        raise ConfigError(f"{kind.__name__} is kept as a JSON object, got {type(content).__name__}")
    names = keys_of(kind)
    unknown = sorted(set(content) - set(names))
    if unknown and not lenient:
        raise ConfigError(f"{kind.__name__} has no setting {', '.join(unknown)}; it was written by another version")
    missing = sorted(
        key_of(field)
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]
        if field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
        and key_of(field) not in content
    )
    if missing:
        raise ConfigError(f"{kind.__name__} needs the setting {', '.join(missing)}, but it is not there")
    hints = get_type_hints(kind)
    known = {names[name]: value for name, value in content.items() if name in names}
    return kind(**{name: shaped(hints[name], value, lenient) for name, value in known.items()})


def shaped(hint: Any, value: Any, lenient: bool = False) -> Any:
    """A plain value as its annotation says: an array of its type, a tuple, a record, or as it is."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        fitting = [argument for argument in arguments if argument is not type(None)]
        return value if value is None or len(fitting) != 1 else shaped(fitting[0], value, lenient)
    if origin is np.ndarray:
        (scalar,) = get_args(arguments[1])
        return np.asarray(value, dtype=scalar)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"expected a list, got {type(value).__name__}")
        each = arguments[:1] * len(value) if arguments[-1:] == (...,) else arguments
        return tuple(shaped(argument, entry, lenient) for argument, entry in zip(each, value, strict=True))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and not isinstance(value, hint):
        return from_json(hint, value, lenient=lenient)
    return value
