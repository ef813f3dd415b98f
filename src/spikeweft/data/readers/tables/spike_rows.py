"""Tables with a row for each spike: which column is its time, and which its unit."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.file_contents.sentences import counted, listed, shown
from spikeweft.data.readers.unit_labels import check_sorted
from spikeweft.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_TIMES = ("time", "times", "spiketime", "spiketimes", "timestamp", "timestamps", "t")

_SECONDS_PER = {"": 1.0, "s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6}
"""Of the unit that may end the name of a column of times."""

_UNITS = ("unit", "neuron", "cluster", "cell", "sender")

_ENDINGS = ("", "s", "id", "ids", "index", "name", "label")


def spike_rows_contents(table: "pd.DataFrame", path: Path) -> FileContents:
    """The units of a table that has a row for each spike.

    Columns are found by their names, such as `time` or `spike_time_ms` and `unit` or `cluster_id`.
    Another column that has one value for each unit, such as its region, is a column of the units.

    Raises
    ------
    InputError
        Where a column is not found or not to be told, or holds no times or no units.
    """
    time_name = _only(time_columns, "time", table, path)
    unit_name = _only(unit_columns, "unit", table, path)
    seconds = time_columns([time_name])[time_name]
    if len(table) == 0:
        raise InputError(f"{path} holds no spikes; choose a recording with spikes")
    labels = _labels(table[unit_name], path)
    names, of_spike = np.unique(labels, return_inverse=True)
    others = table.drop(columns=[time_name, unit_name])
    return FileContents(
        path=path,
        spike_times_s=_numbers(table[time_name], path) * seconds,
        spike_units=of_spike,
        unit_ids=tuple(str(name) for name in names),
        unit_columns=_constant_columns(others, of_spike),
    )


def time_columns(names: Iterable[Any]) -> dict[str, float]:
    """Names that stand for times, and how many seconds one is."""
    known = {name + unit: seconds for name in _TIMES for unit, seconds in _SECONDS_PER.items()}
    return {str(name): known[plain] for name in names if (plain := _letters(name)) in known}


def unit_columns(names: Iterable[Any]) -> dict[str, str]:
    """Names that stand for units, and their letters alone."""
    known = {name + ending for name in _UNITS for ending in _ENDINGS}
    known |= {f"spike{name}" for name in known}
    return {str(name): plain for name in names if (plain := _letters(name)) in known}


def _letters(name: Any) -> str:
    return re.sub("[^a-z0-9]", "", str(name).lower())


def _only(
    columns_in: Callable[[Iterable[Any]], Mapping[str, Any]],
    thing: str,
    table: "pd.DataFrame",
    path: Path,
) -> str:
    found = list(columns_in(table.columns))
    if len(found) == 1:
        return found[0]
    several = f"several columns that may be the {thing} of a spike, {listed(found)}"
    none = f"the columns {listed(table.columns)} but none for the {thing} of a spike"
    raise InputError(
        f"{path} has {several if found else none}; name one column 'time', in seconds, and one "
        "'unit'"
    )


def _numbers(column: "pd.Series", path: Path) -> Float[np.ndarray, " spike"]:
    if column.dtype.kind not in "iuf":
        bad = next((value for value in column if not isinstance(value, int | float)), None)
        found = column.dtype if bad is None else shown(bad)
        raise InputError(
            f"the column {column.name!r} of {path} holds {found}; give seconds as numbers with a "
            "decimal point"
        )
    return column.to_numpy(dtype=float, na_value=np.nan)


def _labels(column: "pd.Series", path: Path) -> np.ndarray:
    """Whole numbers or texts."""
    if column.isna().any():
        raise InputError(
            f"{counted(int(column.isna().sum()), 'spike')} in {path} have nothing in the column "
            f"{column.name!r}; give each its unit, or leave it out"
        )
    if column.dtype.kind not in "iuf":
        return np.array([_text(label, column.name, path) for label in column], dtype=np.str_)
    labels = column.to_numpy()
    # Above, neighbours of float64 are not the whole numbers next to them.
    bad = labels[(labels != np.rint(labels)) | (np.abs(labels.astype(float)) >= 2**53)]
    if len(bad):
        raise InputError(
            f"the column {column.name!r} of {path} holds {bad[0]:g}; give units as whole numbers "
            "or texts"
        )
    check_sorted(labels, path)
    return labels.astype(np.int64)


def _text(label: Any, name: Any, path: Path) -> str:
    if isinstance(label, bytes):
        return label.decode(errors="backslashreplace")
    if not isinstance(label, str | int):
        raise InputError(
            f"the column {name!r} of {path} holds {shown(label)}; give units as whole numbers or "
            "texts"
        )
    return str(label)


def _constant_columns(table: "pd.DataFrame", of_spike: np.ndarray) -> dict[str, list[Any]]:
    of_units = table.groupby(of_spike)
    return {
        str(name): of_units[name].first().tolist()
        for name in table.columns
        if _is_constant(of_units[name])
    }


def _is_constant(of_units: Any) -> bool:
    """Whether each unit has one value; lists and the like are none that could be asked for."""
    try:
        return bool((of_units.nunique(dropna=False) == 1).all())
    except TypeError:
        return False
