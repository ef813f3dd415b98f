"""What any version of a MATLAB file gives: classes of its variables, and values when wanted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class MatlabVariables:
    """The variables of a MATLAB file.

    Attributes
    ----------
    path
        The file.
    classes
        MATLAB's class of each variable, such as "cell", "struct" or "double", by name.
    read
        The value of a variable: a cell array is a list in MATLAB's order, a struct a dictionary,
        text a `str`, numbers an array, and None what cannot be read.
    """

    path: Path
    classes: Mapping[str, str]
    read: Callable[[str], Any]
