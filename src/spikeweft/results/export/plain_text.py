"""Text that comes back from a text file as it was."""

import re
from collections.abc import Iterable

from spikeweft.errors import InputError

_NOT_KEPT = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold (section 2.2), and the carriage return, which is read as a new line."""


def check_kept(texts: Iterable[object]) -> None:
    """Refuse text with control characters, which readers of CSV and XML drop or trip over.

    Raises
    ------
    InputError
        Where a text has one.
    """
    for text in texts:
        if isinstance(text, str) and _NOT_KEPT.search(text):
            raise InputError(
                f"{text!r} has a control character, which this file format cannot hold; choose "
                "a file that ends in .nc, or rename the neuron"
            )
