"""The exceptions that a user's mistake raises, a library that is not installed among them."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """An input that cannot be used, said in one sentence with the value and the remedy.

    The command line prints the sentence and exits with code 2; in Python it is a `ValueError`.
    """


class CannotResumeError(InputError):
    """What was interrupted is damaged, or was begun with something else: only a new start helps."""


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Import within this what is not always installed, and the user is told which extra brings it.

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
