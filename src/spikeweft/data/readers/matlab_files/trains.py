"""Spike trains in the variables of a MATLAB file.

Source of the struct: https://cellexplorer.org/datastructure/data-structure-and-format/#spikes
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.file_contents.sentences import listed
from spikeweft.data.readers.matlab_files.variables import CellArray, MatlabVariables
from spikeweft.errors import InputError

_SPIKES = "spikes"

_TRAINS = ("spikes", "spiketimes", "spiketrains", "trains", "times")
"""Names of a cell array of trains, without regard to case and underscores."""


def matlab_contents(variables: MatlabVariables) -> FileContents:
    """The struct `spikes` of CellExplorer, else a cell array of spike trains in seconds.

    Units are named by the `UID` of the struct, else as MATLAB counts, from 1; every field with one
    number or text for each unit is a column.

    Raises
    ------
    InputError
        Where there is neither, cells are a matrix, or a train is no vector of numbers.
    """
    path, classes = variables.path, variables.classes
    if classes.get(_SPIKES) == "struct":
        return _of_struct(variables.read(_SPIKES), path)
    name, cells = _cell_array(variables)
    _check_one_axis(cells, repr(name), path)
    return FileContents.of_trains(
        path,
        [_train(cell, f"cell {number} of {name!r}", path) for number, cell in enumerate(cells, 1)],
        [str(number) for number in range(1, len(cells) + 1)],
    )


def _of_struct(spikes: Any, path: Path) -> FileContents:
    fields = spikes if isinstance(spikes, dict) else {}
    times = fields.get("times")
    if not isinstance(times, CellArray):
        raise InputError(
            f"the struct 'spikes' in {path} has the fields {listed(fields)} but no cell array "
            "'times'; give the spike times in seconds there"
        )
    _check_one_axis(times, "'spikes.times'", path)
    columns = {
        name: values
        for name, field in fields.items()
        if name != "times" and (values := _values(field, len(times))) is not None
    }
    _check_uids(fields, columns, len(times), path)
    return FileContents.of_trains(
        path,
        [
            _train(cell, f"cell {number} of 'spikes.times'", path)
            for number, cell in enumerate(times, 1)
        ],
        [_name(uid) for uid in columns.get("UID", range(1, len(times) + 1))],
        unit_columns=columns,
    )


def _check_one_axis(cells: CellArray, called: str, path: Path) -> None:
    """Refuse a matrix of cells, such as units by trials, whose times count from each trial."""
    if sum(length > 1 for length in cells.shape) > 1:
        raise InputError(
            f"{called} in {path} is a {' by '.join(map(str, cells.shape))} cell array; give one "
            "cell per unit, on one clock"
        )


def _check_uids(
    fields: Mapping[str, Any], columns: Mapping[str, Any], n_units: int, path: Path
) -> None:
    if "UID" in fields and "UID" not in columns:
        raise InputError(
            f"the struct 'spikes' in {path} has {n_units} cells of times, but not one number in "
            "'UID' for each; make them as many"
        )


def _cell_array(variables: MatlabVariables) -> tuple[str, CellArray]:
    cells = [name for name, kind in variables.classes.items() if kind == "cell"]
    called = [name for name in cells if name.lower().replace("_", "") in _TRAINS]
    of_trains = {
        name: value
        for name in (called or cells)
        if isinstance(value := variables.read(name), CellArray) and _are_trains(value)
    }
    if len(of_trains) == 1:
        return next(iter(of_trains.items()))
    found = f"several cell arrays of vectors, {listed(of_trains)}" if of_trains else "no such"
    if len(called) == 1 and not of_trains:
        return called[0], variables.read(called[0])
    raise InputError(
        f"{variables.path} holds {listed(variables.classes)} and {found}; give one cell array "
        "'spike_times' with a vector of seconds for each unit, or the 'spikes' of CellExplorer"
    )


def _are_trains(cells: Sequence[Any]) -> bool:
    return len(cells) > 0 and all(_is_vector(cell) for cell in cells)


def _is_vector(cell: Any) -> bool:
    return (
        isinstance(cell, np.ndarray)
        and cell.dtype.kind in "iuf"
        and cell.size == max(cell.shape, default=1)
    ) or _is_empty(cell)


def _is_empty(cell: Any) -> bool:
    return isinstance(cell, np.ndarray | list | str) and np.size(cell) == 0


def _train(cell: Any, called: str, path: Path) -> Float[np.ndarray, " spike"]:
    if not _is_vector(cell):
        shape = (
            f"an array of the shape {cell.shape}" if isinstance(cell, np.ndarray) else "no array"
        )
        raise InputError(
            f"{called} in {path} is {shape}, not a vector of spike times; give seconds of one unit"
        )
    return np.zeros(0) if _is_empty(cell) else cell.ravel().astype(float)


def _values(field: Any, n_units: int) -> list[Any] | None:
    """One number or text for each unit; None where the field is something else."""
    if isinstance(field, np.ndarray) and field.dtype.kind in "iufb" and field.size == n_units:
        return field.ravel().tolist()
    if not isinstance(field, list) or len(field) != n_units:
        return None
    values = [
        cell.item() if isinstance(cell, np.ndarray) and cell.size == 1 else cell for cell in field
    ]
    return values if all(isinstance(value, str | int | float) for value in values) else None


def _name(uid: Any) -> str:
    """A whole number without the decimals that MATLAB's doubles have."""
    return (
        f"{uid:g}" if isinstance(uid, float) and uid.is_integer() and abs(uid) < 1e6 else str(uid)
    )
