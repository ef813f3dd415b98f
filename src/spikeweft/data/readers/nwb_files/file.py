"""What an NWB file holds."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.file_contents.sentences import listed
from spikeweft.data.readers.damaged_files import unreadable, with_whole_texts
from spikeweft.data.readers.nwb_files.events import event_columns, unread_events
from spikeweft.data.readers.nwb_files.extensions import without_foreign_parts
from spikeweft.data.readers.nwb_files.intervals import interval_tables, labelled_epochs
from spikeweft.data.readers.nwb_files.names import unique_names
from spikeweft.data.readers.nwb_files.series import sampled_series
from spikeweft.errors import InputError, needs_extra

_NOT_OF_UNITS = ("spike_times", "obs_intervals")


def nwb_contents(path: Path, units_table: str | None) -> FileContents:
    """Units, intervals and variables of an NWB file; of the variables only what describes them.

    Zarr, where NWB is a folder, gives the same as HDF5.

    Raises
    ------
    InputError
        Where the file is damaged, or holds no units, or several tables of them and none is named.
    """
    with unreadable(path), without_foreign_parts(lambda: _opened(path)) as (nwb, left_out):
        units = _units(nwb, path, units_table)
        tables = interval_tables(nwb)
        series, without_times = sampled_series(nwb, path)
        return FileContents.of_trains(
            path,
            [np.asarray(units["spike_times"][unit], dtype=float) for unit in range(len(units))],
            [str(name) for name in units.id[:]],
            unit_columns=_columns(units),
            observed_s=_observed(units),
            epochs={name: labelled_epochs(table) for name, table in tables.items()},
            usual_epochs=_name_of(nwb.epochs, tables),
            invalid_s=_invalid(nwb),
            series=series,
            events=event_columns(nwb, tables),
            warnings=(*left_out, *without_times, *unread_events(nwb)),
        )


def _opened(path: Path) -> AbstractContextManager[Any]:
    if path.is_dir():
        with needs_extra("zarr"):
            import hdmf_zarr
        return hdmf_zarr.NWBZarrIO(path=str(path), mode="r")
    import pynwb

    return pynwb.NWBHDF5IO(path=path, mode="r")


def _units(nwb: Any, path: Path, wanted: str | None) -> Any:
    """The table of units that is named, else the file's own, else its only one."""
    tables = tables_of_units(nwb)
    name = usual_units(nwb, tables) if wanted is None else wanted
    if name in tables:
        return tables[name]
    if wanted is not None:
        raise InputError(f"{path} has no table of units {wanted!r}; choose from {listed(tables)}")
    if tables:
        raise InputError(
            f"{path} has several tables of spike trains, {listed(tables)}, and none is its units; "
            "choose one with --units-table"
        )
    raise InputError(
        f"{path} has no units, so there are no spikes to read; choose a file with sorted units"
    )


def tables_of_units(nwb: Any) -> dict[str, Any]:
    """All tables of spike trains by name."""
    return unique_names(
        thing for thing in nwb.objects.values() if "spike_times" in getattr(thing, "colnames", ())
    )


def usual_units(nwb: Any, tables: dict[str, Any]) -> str | None:
    """Name of the file's own table of units, else of its only one; None where it has neither."""
    own = _name_of(nwb.units, tables)
    return next(iter(tables)) if own is None and len(tables) == 1 else own


def _columns(units: Any) -> dict[str, list[Any]]:
    """Columns that have one number or one text for each unit."""
    columns = {}
    for name in units.colnames:
        if name in _NOT_OF_UNITS or f"{name}_index" in units:
            continue
        values = with_whole_texts(np.asarray(units[name].data[:]))
        if values.ndim == 1 and len(values) == len(units) and _plain(values):
            columns[name] = [_text(value) for value in values.tolist()]
    return columns


def _plain(values: np.ndarray) -> bool:
    return values.dtype.kind in "iufbSU" or all(isinstance(v, str | bytes) for v in values.tolist())


def _text(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _observed(units: Any) -> tuple[np.ndarray, ...]:
    """Intervals in which each unit was observed."""
    if "obs_intervals" not in units.colnames:
        return ()
    return tuple(
        np.asarray(units["obs_intervals"][unit], dtype=float).reshape(-1, 2)
        for unit in range(len(units))
    )


def _invalid(nwb: Any) -> Float[np.ndarray, "invalid 2"]:
    """Intervals that are called invalid; what has no start or no stop has no end there."""
    table = nwb.invalid_times
    if table is None:
        return np.zeros((0, 2))
    start_s, stop_s = (np.asarray(table[name][:], float) for name in ("start_time", "stop_time"))
    return np.column_stack(
        [np.where(np.isnan(start_s), -np.inf, start_s), np.where(np.isnan(stop_s), np.inf, stop_s)]
    )


def _name_of(wanted: Any, named: dict[str, Any]) -> str | None:
    return next((name for name, thing in named.items() if thing is wanted), None)
