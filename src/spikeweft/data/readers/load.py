"""Files and other libraries' objects to recordings and back: NWB, pynapple, Neo, NumPy's `.npz`.

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

from pathlib import Path

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.readers.assemble import LoadedRecording, listed, unreadable
from spikeweft.data.readers.npz import load_npz, read_arrays, read_truth
from spikeweft.data.readers.nwb import load_nwb
from spikeweft.errors import InputError

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"

_ZIP_MAGIC = b"PK"


def load(path: str | Path, *, epochs: str | None = None) -> LoadedRecording:
    """Read a recording from an NWB file, a saved pynapple `TsGroup`, or arrays in an `.npz`.

    Parameters
    ----------
    path
        The file; its content, not its name, decides how it is read.
    epochs
        Name of the epochs to keep, such as "wake": a tag, another label in a table of intervals,
        or a table's name. Without it, all epochs of the file are kept: its table of epochs, else
        the intervals in which its units were observed, else the span of its spikes.

    Raises
    ------
    InputError
        Where the file is missing, is of another kind, holds no usable spikes, or knows no such
        epochs.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; check the path to the recording")
    with unreadable(path), path.open("rb") as file:
        start = file.read(8)
    if start.startswith(_ZIP_MAGIC):
        return load_npz(path, epochs)
    if start == _HDF5_MAGIC:
        return load_nwb(path, epochs)
    kind = "an .npz" if path.suffix == ".npz" else "an NWB"
    raise InputError(f"{path} is not {kind} file; give a recording in NWB or in an .npz")


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
