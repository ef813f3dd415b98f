"""What is asked of the settings of networks: plain numbers that mean something and fit memory."""

import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from spikeweft.errors import InputError
from spikeweft.runtime.memory import MIB, available_memory_mb, gigabytes
from spikeweft.runtime.whole_numbers import is_whole

_BYTES_PER_PAIR = 24.0


def store_plainly(settings: Any) -> None:
    """Put Python's numbers in place of NumPy's, so that the settings can be written to a file."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, np.generic):
            object.__setattr__(settings, field.name, value.item())


def check_finite(settings: Any, *names: str) -> None:
    """Refuse settings that are not numbers, or infinite.

    Raises
    ------
    InputError
        Where one is.
    """
    _check(settings, names, lambda _: True, "a finite number")


def check_not_negative(settings: Any, *names: str) -> None:
    """Refuse settings that are not finite numbers, 0 or more.

    Raises
    ------
    InputError
        Where one is not.
    """
    _check(settings, names, lambda value: value >= 0, "a finite number, 0 or more")


def check_positive(settings: Any, *names: str) -> None:
    """Refuse settings that are not finite numbers above 0.

    Raises
    ------
    InputError
        Where one is not.
    """
    _check(settings, names, lambda value: value > 0, "a finite number above 0")


def check_whole(settings: Any, least: int, *names: str) -> None:
    """Refuse settings that are not whole numbers of at least `least`.

    Raises
    ------
    InputError
        Where one is not.
    """
    _check(
        settings,
        names,
        lambda value: is_whole(value, least),
        f"a whole number, {least} or more",
    )


def check_n_neurons(n_neurons: int) -> None:
    """Refuse a network of too few neurons, or of so many that their pairs do not fit memory.

    Raises
    ------
    InputError
        Where it has.
    """
    if not n_neurons >= 2:
        raise InputError(f"a network needs at least two neurons, not {n_neurons}")
    if not isinstance(n_neurons, int):
        raise InputError(f"{n_neurons:g} neurons make no network; choose a whole number of them")
    check_memory(
        f"a network of {n_neurons:,} neurons", _BYTES_PER_PAIR * n_neurons * n_neurons, "neurons"
    )


def check_memory(what: str, n_bytes: float, fewer: str) -> None:
    """Refuse what surely does not fit the memory that is free.

    Raises
    ------
    InputError
        Where it does not.
    """
    available_mb = available_memory_mb()
    if n_bytes > available_mb * MIB:
        raise InputError(
            f"{what} takes at least {gigabytes(n_bytes / MIB)} of memory, and "
            f"{gigabytes(available_mb)} are free; ask for fewer {fewer}"
        )


def _check(
    settings: Any, names: tuple[str, ...], is_right: Callable[[float], bool], wanted: str
) -> None:
    for name in names:
        value = getattr(settings, name)
        is_number = isinstance(value, int | float) and math.isfinite(value)
        if not (is_number and is_right(value)):
            raise InputError(f"{name} is {value}; choose {wanted}")
