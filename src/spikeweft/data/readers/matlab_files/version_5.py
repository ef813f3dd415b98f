"""MATLAB files up to version 7, read by SciPy."""

from pathlib import Path
from typing import Any

import numpy as np

from spikeweft.data.readers.damaged_files import check_no_crash, unreadable
from spikeweft.data.readers.matlab_files.variables import CellArray, MatlabVariables

_READ = """
import sys
import scipy.io

kinds = {name: kind for name, _, kind in scipy.io.whosmat(sys.argv[1])}
scipy.io.loadmat(sys.argv[1], variable_names=[n for n in kinds if kinds[n] in ("cell", "struct")])
"""
"""What will be read, but for the numbers beside it."""


def version_5(path: Path) -> MatlabVariables:
    """The variables of a file that `save` writes without "-v7.3".

    Raises
    ------
    InputError
        Where the file is damaged.
    """
    import scipy.io

    check_no_crash(_READ, path, "SciPy")
    with unreadable(path):
        classes = {name: kind for name, _, kind in scipy.io.whosmat(path)}

    def read(name: str) -> Any:
        with unreadable(path):
            return _plain(scipy.io.loadmat(path, variable_names=[name])[name])

    return MatlabVariables(path, classes, read)


def _plain(value: Any) -> Any:
    from scipy.io.matlab import MatlabFunction, MatlabOpaque

    if isinstance(value, MatlabOpaque | MatlabFunction) or not isinstance(value, np.ndarray):
        return None
    if value.dtype.names is not None:
        structs = [
            {name: _plain(struct[name]) for name in value.dtype.names}
            for struct in value.ravel(order="F")
        ]
        return structs[0] if len(structs) == 1 else structs
    if value.dtype.kind == "O":
        return CellArray((_plain(cell) for cell in value.ravel(order="F")), value.shape)
    if value.dtype.kind in "US":
        return "\n".join(str(row) for row in value.ravel())
    return value
