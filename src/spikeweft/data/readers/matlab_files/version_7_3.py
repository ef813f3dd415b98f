"""MATLAB files of version 7.3, which are HDF5.

A cell array is an array of references, a struct a group, and text an array of UTF-16 units; axes
are in reverse order, so that reading by row gives MATLAB's order by column.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikeweft.data.readers.damaged_files import unreadable
from spikeweft.data.readers.matlab_files.variables import CellArray, MatlabVariables

_CLASS, _EMPTY = "MATLAB_class", "MATLAB_empty"

_DEEPEST = 3
"""A struct, a cell array in it, and a cell; references may also go round in circles."""


def is_matlab(path: Path) -> bool:
    """Whether an HDF5 file is MATLAB's, by its name or by what MATLAB notes beside its arrays.

    Raises
    ------
    InputError
        Where the file is damaged.
    """
    with unreadable(path), h5py.File(path, "r") as file:
        own = (name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink))
        return path.suffix == ".mat" or any(_CLASS in file[name].attrs for name in own)


def version_7_3(path: Path) -> MatlabVariables:
    """The variables of a file that `save` writes with "-v7.3", or `h5py` in the same way.

    Raises
    ------
    InputError
        Where the file is damaged.
    """
    with unreadable(path), h5py.File(path, "r") as file:
        classes = {name: _class(file[name]) for name in file if not name.startswith("#")}

    def read(name: str) -> Any:
        with unreadable(path), h5py.File(path, "r") as file:
            return _plain(file[name], file, 0)

    return MatlabVariables(path, classes, read)


def _class(thing: Any) -> str:
    """What MATLAB notes beside the array; else what the array is."""
    if isinstance(thing, h5py.Group):
        return "struct"
    if h5py.check_ref_dtype(thing.dtype) is h5py.Reference:
        return "cell"
    noted = thing.attrs.get(_CLASS, thing.dtype.name)
    return noted.decode() if isinstance(noted, bytes) else str(noted)


def _plain(thing: Any, file: h5py.File, depth: int) -> Any:
    kind = _class(thing)
    if depth > _DEEPEST:
        return None
    if kind == "struct" and isinstance(thing, h5py.Group):
        return {name: _plain(thing[name], file, depth + 1) for name in thing}
    if thing.attrs.get(_EMPTY, 0):
        return {"cell": CellArray((), (0, 0)), "char": ""}.get(kind, np.zeros((0, 0)))
    values = np.asarray(thing[()])
    if kind == "cell":
        cells = (_plain(file[reference], file, depth + 1) for reference in values.ravel())
        return CellArray(cells, values.shape[::-1])
    if kind == "char":
        return values.astype("<u2").tobytes().decode("utf-16-le", errors="replace")
    if thing.dtype.kind == "O":
        return [_text(value) for value in values.ravel()]
    return values.T


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
