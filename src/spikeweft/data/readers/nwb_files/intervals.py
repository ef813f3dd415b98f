"""Tables of intervals in an NWB file."""

from typing import Any

import numpy as np

from spikeweft.data.file_contents.contents import LabelledEpoch
from spikeweft.data.readers.nwb_files.names import unique_names

_NO_LABELS = ("start_time", "stop_time", "timeseries")


def interval_tables(nwb: Any) -> dict[str, Any]:
    """All tables of intervals by name, but that of invalid times."""
    import pynwb

    return unique_names(
        thing
        for thing in nwb.objects.values()
        if isinstance(thing, pynwb.epoch.TimeIntervals) and thing is not nwb.invalid_times
    )


def labelled_epochs(table: Any) -> list[LabelledEpoch]:
    """Rows of a table of intervals; every string in a row is a label of it."""
    start, stop = table["start_time"][:], table["stop_time"][:]
    columns = [table[name] for name in table.colnames if name not in _NO_LABELS]
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
