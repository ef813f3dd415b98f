"""What can be read: python benchmarks/formats.py.

For each format a small recording is written by the library whose format it is, or whose users write
it, and read again: four units with 1,200 spikes, whose times are known. A row says what wrote it,
which version, how many spikes came back to their unit, how far the furthest is from where it was,
and what came with them. docs/which-option.md shows the table, and tests read every format anew.
Formats whose writer is not installed (the extra `writers` has them all) are skipped.
"""

import tempfile
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import small_recordings as own
import tables
import written_by_others as others

from spikeweft.data.file_contents.events import are_times
from spikeweft.data.readers.given_objects import as_recording
from spikeweft.data.readers.load import contents_of, load
from spikeweft.data.recording import Recording

SEED = 0

_SAME_SAMPLE_S = 0.5 / own.RATE_HZ


class Format(NamedTuple):
    """A kind of recording.

    Attributes
    ----------
    recording
        What a user has.
    what_is_read
        Which parts of it.
    extra
        What must be installed beside the package, if anything.
    written_by
        The distribution that wrote the recording of the table.
    write
        Writes it into a folder, or makes an object.
    """

    recording: str
    what_is_read: str
    extra: str
    written_by: str
    write: Callable[[Path, np.random.Generator], Any]


_SORTING = "spikes, properties and metrics of one segment"

_CELL_EXPLORER = "`spikes.times`, named by `UID`, with all fields of one value for each unit"

_CELLS = "a vector of spike times in seconds for each unit, named as MATLAB counts, from 1"

_ROWS = (
    "a row for each spike, with a column such as `time` (s) or `time_ms`, and one such as `unit` "
    "or `cluster_id`"
)

FORMATS = (
    Format(
        "NWB (HDF5)",
        "units and their columns, epochs, variables, events",
        "",
        "pynwb",
        own.nwb_hdf5,
    ),
    Format("NWB (a folder of Zarr)", "the same", "zarr", "hdmf-zarr", own.nwb_zarr),
    Format(
        "a folder of Phy or Kilosort",
        "`spike_times.npy`, `spike_clusters.npy` (else `spike_templates.npy`), the `sample_rate` "
        "in `params.py`, and `cluster_*.tsv`; clusters labelled as noise are left out",
        "",
        "phylib",
        others.phy,
    ),
    Format(
        "a folder in ALF (IBL)",
        "`spikes.times`, `spikes.clusters`, and `clusters.*` (`.pqt` with the extra `parquet`)",
        "",
        "ONE-api",
        others.alf,
    ),
    Format(
        "a sorting that SpikeInterface saved (`numpy_folder`)",
        _SORTING,
        "",
        "spikeinterface",
        own.spikeinterface_folder,
    ),
    Format(
        "a sorting that SpikeInterface saved (`zarr`)",
        _SORTING,
        "zarr",
        "spikeinterface",
        own.spikeinterface_zarr,
    ),
    Format(
        "an analyzer that SpikeInterface saved (`binary_folder`; `zarr` with the extra `zarr`)",
        _SORTING,
        "",
        "spikeinterface",
        own.spikeinterface_analyzer,
    ),
    Format(
        "`.mat` (5) of CellExplorer, or its session's folder",
        _CELL_EXPLORER,
        "",
        "scipy",
        own.matlab_5_of_cell_explorer,
    ),
    Format(
        "`.mat` (7.3) of CellExplorer, or its session's folder",
        _CELL_EXPLORER,
        "",
        "hdf5storage",
        others.matlab_7_3_of_cell_explorer,
    ),
    Format("`.mat` (5) with a cell array", _CELLS, "", "scipy", own.matlab_5),
    Format("`.mat` (7.3) with a cell array", _CELLS, "", "hdf5storage", others.matlab_7_3),
    Format("CSV", _ROWS, "", "pandas", own.csv),
    Format("TSV", "the same", "", "pandas", own.tsv),
    Format("Parquet", "the same", "parquet", "pyarrow", own.parquet),
    Format(
        "`.npz`",
        "`spike_times` (s) and `spike_units`; other names stand at the top of "
        "`spikeweft.data.readers.load`",
        "",
        "numpy",
        own.npz,
    ),
    Format("a saved pynapple `TsGroup`", "spikes and time support", "", "pynapple", own.ts_group),
    Format(
        "a file of another format that Neo reads, such as NIX",
        "spike trains of one block",
        "neo",
        "nixio",
        others.nix,
    ),
    Format(
        "in memory: Neo's spike trains", "spikes and their span", "neo", "neo", others.neo_trains
    ),
    Format(
        "in memory: a pynapple `TsGroup`",
        "spikes and time support",
        "",
        "pynapple",
        others.ts_group,
    ),
    Format(
        "in memory: a sorting or an analyzer of SpikeInterface",
        _SORTING,
        "spikeinterface",
        "spikeinterface",
        others.sorting,
    ),
    Format(
        "in memory: a mapping from names to arrays of spike times (s)",
        "spikes",
        "",
        "numpy",
        others.named_arrays,
    ),
)


def cases() -> list[tables.Row]:
    """What identifies each row, in the order of the table; formats without a writer left out."""
    return [
        {
            "recording": one.recording,
            "what_is_read": one.what_is_read,
            "extra": one.extra,
            "written_by": one.written_by,
        }
        for one in FORMATS
        if _is_installed(one.written_by)
    ]


def measure(recording: str, written_by: str, **_: Any) -> tables.Row:
    """Write a recording of this format, read it again, and compare."""
    (one,) = (one for one in FORMATS if one.recording == recording)
    trains = own.separate_trains(np.random.default_rng(SEED))
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = one.write(Path(place), np.random.default_rng(SEED))
        found = load(made).recording if isinstance(made, Path) else as_recording(made)
        came = _what_came(made) if isinstance(made, Path) else ""
    return {
        "writer_version": version(written_by),
        "n_units": found.n_neurons,
        "n_spikes_written": sum(map(len, trains)),
        "n_spikes_read": sum(map(len, _trains_of(found))),
        **_compared(trains, _trains_of(found)),
        "came_with_them": came,
        "seed": SEED,
    }


def _trains_of(found: Recording) -> list[np.ndarray]:
    return [found.spike_times_s[found.spike_neurons == unit] for unit in range(found.n_neurons)]


def _compared(trains: list[np.ndarray], found: list[np.ndarray]) -> tables.Row:
    """How many spikes came back, within half a sample, and how far the furthest is."""
    apart_s = [
        np.abs(train - again)
        for train, again in zip(trains, found, strict=True)
        if len(train) == len(again)
    ]
    apart_s = np.concatenate([*apart_s, np.zeros(0)])
    return {
        "n_spikes_same": int(np.sum(apart_s < _SAME_SAMPLE_S)),
        "furthest_us": round(1e6 * float(apart_s.max(initial=0.0)), 3),
    }


def _what_came(path: Path) -> str:
    """Columns of units, epochs, variables and events, by name."""
    contents = contents_of(path)
    parts = {
        "columns": list(contents.unit_columns),
        "epochs": sorted({*contents.epochs, *_labels(contents)}),
        "variables": list(contents.series),
        "events": [name for name, found in contents.events.items() if are_times(found)],
    }
    return "; ".join(f"{part} {', '.join(names)}" for part, names in parts.items() if names)


def _labels(contents: Any) -> set[str]:
    return {label for rows in contents.epochs.values() for row in rows for label in row.labels}


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        print(f"what {distribution} writes is skipped, for it is not installed")
        return False
    return True


if __name__ == "__main__":
    tables.fill(__file__, __doc__, cases(), measure, ("numpy",))
