"""What kind of value `provenance.json` has for each name that is used again."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class _Kind(NamedTuple):
    name: str
    holds: Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_integer(value) or isinstance(value, float)


def _or_none(kind: _Kind) -> _Kind:
    return _Kind(f"{kind.name} or null", lambda value: value is None or kind.holds(value))


def _list_of(kind: _Kind, words: str, length: int | None = None) -> _Kind:
    return _Kind(
        words,
        lambda value: (
            isinstance(value, list) and length in (None, len(value)) and all(map(kind.holds, value))
        ),
    )


_TEXT, _INTEGER = _Kind("a text", _is_text), _Kind("a whole number", _is_integer)

_NUMBER = _Kind("a number", _is_number)

_TEXTS = _list_of(_TEXT, "a list of texts")

_NAMES = _Kind("names with values", lambda value: isinstance(value, dict))

_KINDS: Mapping[str, _Kind] = {
    "recording_path": _TEXT,
    "sha256": _or_none(_TEXT),
    "n_hidden": _INTEGER,
    "seed": _INTEGER,
    "bootstrap": _or_none(_INTEGER),
    "block_s": _or_none(_NUMBER),
    "minutes": _or_none(_NUMBER),
    "min_rate_hz": _NUMBER,
    "epochs": _or_none(_TEXT),
    "units": _or_none(_TEXT),
    "units_table": _or_none(_TEXT),
    "rotated_by": _or_none(_TEXT),
    "covariates": _TEXTS,
    "glm_covariates": _TEXTS,
    "baseline": _TEXT,
    "baseline_settings": _NAMES,
    "exclude": _Kind("a list", lambda value: isinstance(value, list)),
    "event_window_s": _list_of(_NUMBER, "a list of two numbers", 2),
    "model": _TEXT,
    "model_chosen_by_spikes": _Kind("true or false", lambda value: isinstance(value, bool)),
    "machine": _TEXT,
    "versions": _NAMES,
    "warnings": _TEXTS,
}


def check_provenance(provenance: Mapping[str, Any]) -> None:
    """Refuse a value of another kind than was written, as editing by hand leaves it.

    Raises
    ------
    ValueError
        Where there is one.
    """
    for name, kind in _KINDS.items():
        if name in provenance and not kind.holds(provenance[name]):
            raise ValueError(f"it says {provenance[name]!r} for {name}, not {kind.name}")
