"""Frozen dataclasses and named tuples as a flat dictionary of arrays, and back.

Nested fields are joined by slashes, "current/link/power"; what is None is left out. A string is the
array of its UTF-8 bytes.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

Record = TypeVar("Record")


def to_arrays(record: Any) -> dict[str, np.ndarray]:
    """All fields of a dataclass or named tuple, nested ones too."""
    arrays = {}
    for name, value in _items(record):
        if _is_record(value) or isinstance(value, tuple):
            arrays |= {f"{name}/{key}": array for key, array in to_arrays(value).items()}
        elif isinstance(value, str):
            arrays[name] = np.frombuffer(value.encode(), np.uint8)
        elif value is not None:
            arrays[name] = np.asarray(value)
    return arrays


def from_arrays(kind: type[Record], arrays: Mapping[str, np.ndarray]) -> Record:
    """A dataclass or named tuple of a type from what `to_arrays` gave."""
    hints = get_type_hints(kind)
    names = [name for name in hints if name in _field_names(kind)]
    return kind(**{name: _restored(hints[name], name, arrays) for name in names})


def same(one: Any, other: Any) -> bool:
    """Whether two dataclasses or named tuples hold the same values."""
    if one is other:
        return True
    left, right = to_arrays(one), to_arrays(other)
    return left.keys() == right.keys() and all(
        np.array_equal(left[key], right[key]) for key in left
    )


def below(name: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays below a name, without it."""
    prefix = f"{name}/"
    return {key[len(prefix) :]: a for key, a in arrays.items() if key.startswith(prefix)}


def _restored(hint: Any, name: str, arrays: Mapping[str, np.ndarray]) -> Any:
    nested = below(name, arrays)
    options = [option for option in get_args(hint) if option is not NoneType]
    if NoneType in get_args(hint):
        present = bool(nested) or name in arrays
        return _restored(options[0], name, arrays) if present else None
    if get_origin(hint) is tuple:
        n_items = len({key.split("/")[0] for key in nested})
        return tuple(_restored(options[0], str(k), nested) for k in range(n_items))
    if _is_record_type(hint):
        return from_arrays(hint, nested)
    if hint is str:
        return arrays[name].tobytes().decode()
    return arrays[name].item() if hint in (bool, int, float) else arrays[name]


def _items(record: Any) -> list[tuple[str, Any]]:
    if _is_record(record):
        return [(name, getattr(record, name)) for name in _field_names(type(record))]
    return [(str(k), value) for k, value in enumerate(record)]


def _is_record(value: Any) -> bool:
    return _is_record_type(type(value))


def _is_record_type(kind: Any) -> bool:
    return isinstance(kind, type) and (is_dataclass(kind) or hasattr(kind, "_fields"))


def _field_names(kind: Any) -> list[str]:
    return [field.name for field in fields(kind)] if is_dataclass(kind) else list(kind._fields)
