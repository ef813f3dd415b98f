"""Exceptions for a user's mistakes, such as a library that is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """An input that cannot be used; one sentence names the value and the remedy.

    The command line prints the sentence and exits with code 2; in Python it is a `ValueError`.
    """


class CannotResumeError(InputError):
    """An interrupted run that is damaged or had other settings, and must be started again."""


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Import optional libraries in this block; if one is missing, the error names its extra.

    Raises
    ------
    InputError
        Where a library is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed; run pip install 'spikeweft[{extra}]'"
        ) from error
