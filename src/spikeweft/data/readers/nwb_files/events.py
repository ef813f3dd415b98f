"""Columns of an NWB file that may say when something happened."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from spikeweft.data.file_contents.contents import EventTimes
from spikeweft.data.readers.nwb_files.names import unique_names

_WHEN = "timestamp"
"""The column of times in NWB's tables of events."""


def event_columns(nwb: Any, tables: Mapping[str, Any]) -> dict[str, EventTimes]:
    """Each column of numbers in a table of intervals, and the times of each table of events."""
    found = {}
    for table_name, table in tables.items():
        rows_s = np.column_stack([_values(table, name) for name in ("start_time", "stop_time")])
        for name, values in _columns_of_numbers(table):
            found[f"{table_name}.{name}"] = EventTimes(values, rows_s)
    for table_name, table in _tables_of_events(nwb).items():
        times_s = _values(table, _WHEN)
        found[f"{table_name}.{_WHEN}"] = EventTimes(times_s, np.zeros((0, 2)))
    return found


def _columns_of_numbers(table: Any) -> Iterator[tuple[str, np.ndarray]]:
    for name in table.colnames:
        kind = np.dtype(getattr(table[name].data, "dtype", object)).kind
        if kind == "f" and f"{name}_index" not in table:
            values = _values(table, name)
            if values.shape == (len(table),):
                yield name, values


def _values(table: Any, name: str) -> np.ndarray:
    return np.asarray(table[name].data[:], dtype=float)


def _tables_of_events(nwb: Any) -> dict[str, Any]:
    return unique_names(
        thing
        for thing in nwb.objects.values()
        if getattr(thing, "neurodata_type", "") == "EventsTable" and len(thing)
    )
