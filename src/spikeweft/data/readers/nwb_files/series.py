"""Variables in an NWB file: any `TimeSeries` of numbers, and each column of those with several."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikeweft.data.file_contents.contents import SampledSeries
from spikeweft.data.readers.damaged_files import unreadable
from spikeweft.data.readers.nwb_files.names import unique_names

_MOST_COLUMNS = 12
"""Of a variable; what has more is a video or a probe."""

_OF_PLACE = ("x", "y", "z")


def sampled_series(nwb: Any, path: Path) -> tuple[dict[str, SampledSeries], tuple[str, ...]]:
    """Variables by name, and a sentence on each that has no times.

    Columns of position are called x, y and z, others are numbered.
    """
    import pynwb

    named = unique_names(
        thing for thing in nwb.objects.values() if isinstance(thing, pynwb.TimeSeries)
    )
    variables = {name: thing for name, thing in named.items() if _is_variable(thing)}
    timed = {name: thing for name, thing in variables.items() if _n_samples(thing)}
    series = {
        column_name: _series(thing, column, path)
        for name, thing in timed.items()
        for column_name, column in _columns(name, thing)
    }
    return series, tuple(
        f"the covariate {name!r} is left out: its values have no times; write timestamps or a rate "
        "into the file"
        for name in variables
        if name not in timed
    )


def _is_variable(thing: Any) -> bool:
    """Whether it is a variable of its own, and not a voltage trace, a video or text."""
    kind = np.dtype(getattr(thing.data, "dtype", type(None))).kind
    shape = np.shape(thing.data)
    narrow = len(shape) == 1 or (len(shape) == 2 and 1 <= shape[1] <= _MOST_COLUMNS)
    timed = thing.timestamps is not None or thing.rate is not None
    voltage = thing.neurodata_type in ("ElectricalSeries", "SpikeEventSeries")
    return kind in "iufb" and narrow and shape[0] > 0 and timed and not voltage


def _columns(name: str, thing: Any) -> list[tuple[str, int | None]]:
    shape = np.shape(thing.data)
    if len(shape) == 1:
        return [(name, None)]
    if shape[1] == 1:
        return [(name, 0)]
    spatial = thing.neurodata_type == "SpatialSeries" and shape[1] <= len(_OF_PLACE)
    endings = _OF_PLACE if spatial else [str(column) for column in range(shape[1])]
    return [(f"{name}_{endings[column]}", column) for column in range(shape[1])]


def _series(thing: Any, column: int | None, path: Path) -> SampledSeries:
    n_samples = _n_samples(thing)
    if thing.timestamps is None:
        first_s = float(thing.starting_time or 0.0)
        span_s = (first_s, first_s + (n_samples - 1) / thing.rate)
    else:
        span_s = (float(thing.timestamps[0]), float(thing.timestamps[n_samples - 1]))
    return SampledSeries(
        unit=thing.unit or "",
        n_samples=n_samples,
        span_s=span_s,
        read=_reader(thing, column, span_s, n_samples, path),
    )


def _n_samples(thing: Any) -> int:
    """How many values have a time."""
    if thing.timestamps is not None:
        return min(len(thing.data), len(thing.timestamps))
    return len(thing.data) if thing.rate else 0


def _reader(
    thing: Any, column: int | None, span_s: tuple[float, float], n_samples: int, path: Path
) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """Reads the samples when they are asked for, when the file has been closed long since."""
    values_at = thing.data.name
    times_at = None if thing.timestamps is None else thing.timestamps.name
    scale, offset = float(thing.conversion or 1.0), float(thing.offset or 0.0)
    kept = slice(0, n_samples) if column is None else (slice(0, n_samples), column)

    def read() -> tuple[np.ndarray, np.ndarray]:
        with unreadable(path), _store(path) as file:
            times_s = np.linspace(*span_s, n_samples)
            if times_at is not None:
                times_s = np.asarray(file[times_at][:n_samples], dtype=float)
            return times_s, np.asarray(file[values_at][kept], dtype=float) * scale + offset

    return read


@contextmanager
def _store(path: Path) -> Iterator[Any]:
    """The arrays of HDF5, or of a folder in Zarr."""
    if path.is_dir():
        import zarr

        yield zarr.open_group(str(path), mode="r")
    else:
        with h5py.File(path, "r") as file:
            yield file
