"""Recordings in NWB files."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from spikeweft.data.covariate import Covariate
from spikeweft.data.readers.assemble import (
    LabelledEpoch,
    LoadedRecording,
    choose_epochs,
    covariate_from_samples,
    left_out_warning,
    listed,
    recording_from_trains,
    spans_of,
    union_of,
    unreadable,
    with_closed_ends,
)
from spikeweft.errors import InputError

if TYPE_CHECKING:
    import pynwb


_READ = """
import sys
import h5py

def read(_, thing):
    for value in thing.attrs.values():
        pass
    if isinstance(thing, h5py.Dataset) and thing.dtype.kind == "O":
        thing[()]

with h5py.File(sys.argv[1], "r") as file:
    read("", file)
    file.visititems(read)
"""

_REFUSED = 1  # what Python returns after an exception; a crash returns something else


def check_survivable(path: Path) -> None:
    """Read what describes an HDF5 file in another process, and see whether that survives.

    Attributes, texts and references are read, numbers are not. That takes a third of a second. What
    raises an exception there will raise it here too, and is left to those who read the file.

    Raises
    ------
    InputError
        Where the library crashed.
    """
    asked = [sys.executable, "-I", "-c", _READ, str(path)]
    code = subprocess.run(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    if code not in (0, _REFUSED):
        raise InputError(
            f"{path} is damaged, so that the HDF5 library crashes on it; take a copy that is whole"
        )


class _NWBContent(NamedTuple):
    """The parts of an NWB file that are used, read in full so that the file can be closed."""

    trains: list[np.ndarray]
    unit_ids: tuple[str, ...]
    observed_s: list[np.ndarray]
    tables: dict[str, list[LabelledEpoch]]
    epoch_table: str | None
    covariates: dict[str, Covariate]


# ---- NWB ------------------------------------------------------------------------------------


def load_nwb(path: Path, label: str | None) -> LoadedRecording:
    """Read the units, epochs and covariates of an NWB file."""
    content = _read_nwb(path)
    chosen = content.epoch_table if label is None else label
    if chosen is not None:
        spans = spans_of(choose_epochs(content.tables, chosen, path))
    elif content.observed_s:
        spans = content.observed_s[0]
    else:
        spikes = np.concatenate(content.trains)
        spans = np.array([[spikes.min(), spikes.max()]])
    recording = recording_from_trains(content.trains, content.unit_ids, spans, content.covariates)
    for observed_s in content.observed_s:
        recording = recording.restrict(
            with_closed_ends(union_of(observed_s), recording.spike_times_s)
        )
    n_spikes = sum(len(train) for train in content.trains)
    return LoadedRecording(recording, None, left_out_warning(n_spikes, recording))


def _read_nwb(path: Path) -> _NWBContent:
    check_survivable(path)
    with unreadable(path):
        import pynapple as nap
        import pynwb

        # Opened here, because pynapple leaves a file open that it fails to read.
        with pynwb.NWBHDF5IO(path=path, mode="r") as opened:
            nwb: Any = opened.read()
            file = nap.NWBFile(nwb)
            kinds = {key: file.data[key]["type"] for key in file.keys()}  # noqa: SIM118
            objects = {key: nwb.objects[file.key_to_id[key]] for key in kinds}
            units = objects[_units_key(nwb, objects, kinds, path)]
            return _NWBContent(
                trains=_trains(units, path),
                unit_ids=tuple(str(name) for name in units.id[:]),
                observed_s=_observed(units),
                tables={
                    key: _labelled(objects[key])
                    for key, kind in kinds.items()
                    if kind == "IntervalSet"
                },
                epoch_table=_key_of(nwb.epochs, objects),
                covariates={
                    key: _nwb_covariate(key, file[key], objects[key])
                    for key, kind in kinds.items()
                    if kind == "Tsd" and _is_covariate(objects[key])
                },
            )


def _units_key(
    nwb: "pynwb.NWBFile", objects: Mapping[str, Any], kinds: Mapping[str, str], path: Path
) -> str:
    """The file's own table of units, else its only group of spike trains."""
    groups = [key for key, kind in kinds.items() if kind == "TsGroup"]
    own = _key_of(nwb.units, objects)
    if own in groups:
        return own
    if len(groups) == 1:
        return groups[0]
    if groups:
        raise InputError(
            f"{path} has several tables of spike trains, {listed(groups)}, and none is its units; "
            "give the one wanted as arrays in an .npz"
        )
    raise InputError(
        f"{path} has no units, so there are no spikes to read; choose a file with sorted units"
    )


def _key_of(wanted: Any, objects: Mapping[str, Any]) -> str | None:
    return next((key for key, value in objects.items() if value is wanted), None)


def _trains(units: Any, path: Path) -> list[np.ndarray]:
    """Spike times of each unit; taken from the table, since pynapple drops what it cannot use."""
    trains = [np.asarray(units["spike_times"][unit], dtype=float) for unit in range(len(units))]
    times = np.concatenate([*trains, np.zeros(0)])
    if len(times) == 0:
        raise InputError(f"the units of {path} hold no spikes; choose a recording with spikes")
    n_bad = int(np.sum(~np.isfinite(times)))
    if n_bad:
        raise InputError(f"{n_bad} spike times in {path} are not finite; remove them from the file")
    return trains


def _observed(units: Any) -> list[np.ndarray]:
    """The different lists of intervals in which units were observed."""
    if "obs_intervals" not in units.colnames:
        return []
    lists = [
        np.asarray(units["obs_intervals"][unit], dtype=float).reshape(-1, 2)
        for unit in range(len(units))
    ]
    return list({intervals.tobytes(): intervals for intervals in lists if len(intervals)}.values())


def _labelled(table: Any) -> list[LabelledEpoch]:
    """Rows of a table of intervals; every string in a row is a label of it."""
    start, stop = table["start_time"][:], table["stop_time"][:]
    columns = [
        table[name]
        for name in table.colnames
        if name not in ("start_time", "stop_time", "timeseries")
    ]
    return [
        LabelledEpoch(
            float(start[row]),
            float(stop[row]),
            frozenset(label for column in columns for label in _strings(column[row])),
        )
        for row in range(len(start))
    ]


def _strings(cell: Any) -> list[str]:
    return [str(part) for part in np.ravel(np.asarray(cell, dtype=object)) if isinstance(part, str)]


def _is_covariate(series: Any) -> bool:
    """Whether a series is a variable of its own, and not a voltage trace or text."""
    kind = np.dtype(getattr(series.data, "dtype", type(None))).kind
    return kind in "iuf" and len(series.data) > 0 and series.neurodata_type != "ElectricalSeries"


def _nwb_covariate(name: str, tsd: Any, series: Any) -> Covariate:
    values = np.asarray(tsd.values, dtype=float) * series.conversion + series.offset
    return covariate_from_samples(name, series.unit or "", tsd.index.values, values)
