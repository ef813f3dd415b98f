"""Columns of an NWB file that may say when something happened."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from spikeweft.data.file_contents.contents import EventTimes
from spikeweft.data.readers.nwb_files.names import unique_names

_WHEN = "timestamp"
"""The column of times in NWB's tables of events."""

_UNREAD = ("AnnotatedEventsTable", "Events", "LabeledEvents", "TTLs")
"""Types of events that versions of the extension ndx-events have defined."""


def event_columns(nwb: Any, tables: Mapping[str, Any]) -> dict[str, EventTimes]:
    """Each column of numbers in a table of intervals, and the times of each table of events.

    A column may have several numbers for each row.
    """
    found = {}
    for table_name, table in tables.items():
        rows_s = np.column_stack([_values(table, name) for name in ("start_time", "stop_time")])
        for name in _columns_of_numbers(table):
            values, row = _values(table, name), _row_of_each(table, name)
            if values.shape == row.shape:
                found[f"{table_name}.{name}"] = EventTimes(values, rows_s[row])
    for table_name, table in _tables_of_events(nwb).items():
        times_s = _values(table, _WHEN)
        found[f"{table_name}.{_WHEN}"] = EventTimes(times_s, np.zeros((0, 2)))
    return found


def unread_events(nwb: Any) -> tuple[str, ...]:
    """A sentence on each thing that holds events in another way."""
    found = unique_names(
        thing for thing in nwb.objects.values() if getattr(thing, "neurodata_type", "") in _UNREAD
    )
    return tuple(
        f"the events {name!r} are of the type {thing.neurodata_type}, which is not read; to use "
        "them, write their times into a table of intervals, as a column of trials"
        for name, thing in found.items()
    )


def _columns_of_numbers(table: Any) -> Iterator[str]:
    """Columns with one number for each row, or with as many as each row has."""
    from hdmf.common import DynamicTableRegion, EnumData

    for name in table.colnames:
        column = _without_index(table[name])
        kind = np.dtype(getattr(column.data, "dtype", object)).kind
        are_rows = isinstance(column, DynamicTableRegion | EnumData)  # of another table
        if kind in "iuf" and np.ndim(column.data) == 1 and not are_rows:
            yield name


def _row_of_each(table: Any, name: str) -> Int[np.ndarray, " value"]:
    """The row that each number of a column belongs to, whose indices may have indices."""
    row, column = np.arange(len(table)), table[name]
    while hasattr(column, "target"):
        ends = np.asarray(column.data[:], dtype=np.int64)
        row = np.repeat(row, np.diff(ends, prepend=0))
        column = column.target
    return row


def _values(table: Any, name: str) -> Float[np.ndarray, " value"]:
    return np.asarray(_without_index(table[name]).data[:], dtype=float)


def _without_index(column: Any) -> Any:
    """A column's own values, where each row has several."""
    while hasattr(column, "target"):
        column = column.target
    return column


def _tables_of_events(nwb: Any) -> dict[str, Any]:
    return unique_names(
        thing
        for thing in nwb.objects.values()
        if getattr(thing, "neurodata_type", "") == "EventsTable"
        and len(thing)
        and _WHEN in thing.colnames
    )
