"""Recordings from files and folders, whatever their format.

What is inside decides how it is read:

- NWB, in HDF5 or as a folder of Zarr (extra `zarr`);
- folders of Phy and Kilosort, in which clusters labelled as noise are left out; of ALF, the format
  of the International Brain Laboratory; and of sortings and analyzers of SpikeInterface;
- MATLAB files of both kinds: the `spikes.cellinfo` of CellExplorer, also as its folder, or a cell
  array with a vector of spike times in seconds for each unit;
- tables with a row for each spike and a column for its time and one for its unit: CSV, TSV, Parquet
  (extra `parquet`);
- a saved pynapple `TsGroup`;
- arrays in an `.npz`;
- whatever else Neo reads (extra `neo`).

Nothing that a file holds is run or unpickled, and nothing that it names is fetched.

A recording in an `.npz` holds `spike_times` (seconds) and `spike_units` (whole numbers from 0), and
may hold

- `n_units`, where the last units are silent;
- `start` and `stop` in seconds, or `epoch_start` and `epoch_stop` where there are gaps, with
  `epoch_names`;
- `neuron_ids`, `angle_rad` (preferred direction of each neuron) and `time_resolution_s`, which
  older files call `tick_s`;
- `covariates`, a list of names, with `covariate_0_times_s`, `covariate_0_values` and
  `covariate_0_is_angle` for the first of them, and so on;
- `weights[post, pre]`, the true circuit, and `network`, the settings of the network that was
  simulated, in JSON.
"""

from collections.abc import Sequence
from pathlib import Path

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.file_contents.chosen_recording import LoadedRecording, chosen_recording
from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.file_contents.events import USUAL_WINDOW_S
from spikeweft.data.file_contents.selection import Selection
from spikeweft.data.file_contents.sentences import listed
from spikeweft.data.readers.damaged_files import within_memory
from spikeweft.data.readers.files import contents_of_file
from spikeweft.data.readers.folders import contents_of_folder
from spikeweft.data.readers.npz_files.arrays import read_arrays
from spikeweft.data.readers.npz_files.truth import read_truth
from spikeweft.errors import InputError


def load(
    path: str | Path,
    *,
    epochs: str | None = None,
    units: str | None = None,
    exclude: Sequence[str] = (),
    min_rate_hz: float = 0.0,
    units_table: str | None = None,
    covariates: Sequence[str] = (),
    event_window_s: tuple[float, float] = USUAL_WINDOW_S,
) -> LoadedRecording:
    """Read a recording from a file or a folder: NWB, a sorting, MATLAB, a table, `.npz` and others.

    All formats are listed at the top of `spikeweft.data.readers.load`.

    Parameters
    ----------
    path
        The file or folder; its content decides how it is read, and its name only where that
        tells nothing.
    epochs, units, exclude, min_rate_hz, units_table, covariates, event_window_s
        What of it is used, as in `data.file_contents.Selection`: for one, `epochs="wake"` or
        `units="quality == 'good'"`.

    Raises
    ------
    InputError
        Where the file is missing, is of another kind, holds no usable spikes, holds times that
        cannot be seconds of one clock, has nothing of what is asked for, or needs more memory than
        there is.
    """
    selection = Selection(
        epochs=epochs,
        units=units,
        exclude=exclude,
        min_rate_hz=min_rate_hz,
        units_table=units_table,
        covariates=covariates,
        event_window_s=event_window_s,
    )
    return load_selection(path, selection)


def load_selection(path: str | Path, selection: Selection) -> LoadedRecording:
    """What `load` returns, for a selection."""
    with within_memory(Path(path)):
        return chosen_recording(contents_of(path, selection.units_table), selection)


def contents_of(path: str | Path, units_table: str | None = None) -> FileContents:
    """What a file holds: its units, its epochs, and which variables there are.

    Raises
    ------
    InputError
        Where the file is missing, is of another kind, holds no units, or needs too much memory.
    """
    path = Path(path)
    with within_memory(path):
        if path.is_dir():
            return contents_of_folder(path, units_table)
        if not path.is_file():
            raise InputError(f"there is no file {path}; check the path to the recording")
        return contents_of_file(path, units_table)


def load_truth(path: str | Path) -> Connectivity:
    """The true circuit in the `weights[post, pre]` of an `.npz`, with or without spikes.

    Raises
    ------
    InputError
        Where the file is missing or holds no weights.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; check the path to the true circuit")
    arrays = read_arrays(path)
    if "weights" not in arrays:
        raise InputError(
            f"{path} holds {listed(arrays)} but no 'weights'; give the true circuit as "
            "weights[post, pre]"
        )
    return read_truth(arrays, path)
