"""What any version of a MATLAB file gives: classes of its variables, and values when wanted."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class CellArray(list[Any]):
    """The cells of a cell array in MATLAB's order, and the shape that they have there."""

    def __init__(self, cells: Iterable[Any], shape: tuple[int, ...]) -> None:
        super().__init__(cells)
        self.shape = shape


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
        The value of a variable: a cell array is a `CellArray`, a struct a dictionary, text a
        `str`, numbers an array, and None what cannot be read.
    """

    path: Path
    classes: Mapping[str, str]
    read: Callable[[str], Any]
