"""The exception that a user's mistake raises."""


class InputError(ValueError):
    """An input that cannot be used, said in one sentence with the value and the remedy.

    The command line prints the sentence and exits with code 2; in Python it is a `ValueError`.
    """


class CannotResumeError(InputError):
    """What was interrupted is damaged, or was begun with something else: only a new start helps."""
