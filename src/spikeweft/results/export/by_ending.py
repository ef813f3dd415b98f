"""A result's circuit in the file format that the ending of a file names."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.readers.recording_digest import recording_digest
from spikeweft.errors import InputError
from spikeweft.results.export.choice import Choice
from spikeweft.results.export.comma_separated import write_csv
from spikeweft.results.export.graphml import write_graphml
from spikeweft.results.export.labelled_arrays import write_netcdf
from spikeweft.results.export.nwb import write_nwb
from spikeweft.results.export.sparse_matrix import write_npz
from spikeweft.results.result import Result, read_result
from spikeweft.runtime.files import check_new_file

_WRITERS: dict[str, Callable[[Path, Connectivity, Choice], int]] = {
    ".csv": write_csv,
    ".graphml": write_graphml,
    ".nc": write_netcdf,
    ".npz": write_npz,
}

_NWB = ".nwb"

_ENDINGS = (*_WRITERS, _NWB)


class Exported(NamedTuple):
    """How much of a circuit was written.

    Attributes
    ----------
    n_written
        Pairs of neurons in the file, each order a pair of its own.
    n_pairs
        Pairs that there are.
    """

    n_written: int
    n_pairs: int


def export_circuit(
    folder: str | Path,
    out_file: str | Path,
    *,
    threshold: float = 0.0,
    min_probability: float = 0.0,
    into: str | Path | None = None,
    force: bool = False,
) -> Exported:
    """Write a result's circuit for other programs; the ending of the file names the format.

    Pairs of neurons that the data do not inform, and weights of 0, are in no file but an `.nc`.

    - `.csv`: the table of `Connectivity.to_pandas`.
    - `.graphml`: the graph of `Connectivity.to_networkx`.
    - `.nc`: all arrays with all pairs, for xarray, as `Connectivity.load` reads them.
    - `.npz`: weights `[post, pre]` for `scipy.sparse.load_npz`, beside an array `neuron_ids`.
    - `.nwb`: a copy of the recording's NWB file, or of another, with a table `connections` in a
      processing module `connectivity`; `pre` and `post` are ids in the table of units that the
      circuit was inferred from.

    Parameters
    ----------
    folder
        The result.
    out_file
        File to write, whole or not at all.
    threshold
        Weights whose size is not above it are left out.
    min_probability
        Connections less probable than this are left out.
    into
        For `.nwb`, the file to copy. Where it is `out_file` itself, and `force` is set, the table
        is added to that.
    force
        Overwrite a file that exists, and a table that the NWB file has.

    Raises
    ------
    InputError
        Where the result cannot be read, the ending is none of these, something is in the way, or
        the format cannot hold what is asked for.
    """
    out, source = Path(out_file), None if into is None else Path(into)
    ending = _ending(out)
    if source is not None and ending != _NWB:
        raise InputError(f"--into {source} is for files in NWB, but {out} is none; leave it out")
    check_new_file(out, force=force)
    result = read_result(folder)
    _check_spares_recording(out, result, source)
    circuit, choice = result.connectivity, Choice(threshold, min_probability)
    if ending == _NWB:
        copied = _recording_of(result) if source is None else source
        table = result.provenance.get("units_table")
        n_written = write_nwb(out, circuit, choice, copied, units_table=table, force=force)
    else:
        n_written = _WRITERS[ending](out, circuit, choice)
    return Exported(n_written, circuit.n_neurons * (circuit.n_neurons - 1))


def _ending(out: Path) -> str:
    ending = out.suffix.lower()
    if ending not in _ENDINGS:
        raise InputError(
            f"no format is known for {out.name}; give a file that ends in {', '.join(_ENDINGS)}"
        )
    return ending


def _check_spares_recording(out: Path, result: Result, into: Path | None) -> None:
    """Refuse to overwrite what was recorded, unless it was named as what to write into."""
    recording = _recording_path(result)
    if recording is None or not recording.exists() or not out.exists():
        return
    is_named = into is not None and into.exists() and into.samefile(recording)
    if out.samefile(recording) and not is_named:
        raise InputError(
            f"{out} is the recording itself; choose another name, or where it is in NWB add "
            f"--into {out} to write the connections into it"
        )


def _recording_path(result: Result) -> Path | None:
    path = result.provenance.get("recording_path")
    return None if path is None else Path(path)


def _recording_of(result: Result) -> Path:
    """The recording that the result was made from, as it was then."""
    recording = _recording_path(result)
    if recording is None or not recording.is_file():
        place = "where it was" if recording is None else f"at {recording}"
        raise InputError(f"the recording is no longer {place}; give its NWB file by --into")
    if recording_digest(recording) != result.provenance.get("sha256"):
        raise InputError(
            f"the recording {recording} has changed since the circuit was inferred from it; give "
            "the NWB file to copy by --into"
        )
    return recording
