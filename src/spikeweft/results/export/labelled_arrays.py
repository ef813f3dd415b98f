"""Whole circuits as labelled arrays in netCDF."""

from pathlib import Path

from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.results.export.choice import Choice
from spikeweft.runtime.files import write_whole


def write_netcdf(path: Path, circuit: Connectivity, choice: Choice) -> int:
    """Write `Connectivity.to_xarray`, with all pairs of neurons.

    Returns how many pairs there are.

    Raises
    ------
    InputError
        Where pairs are to be left out, which would read as weights of 0, or the file system
        refuses.
    """
    if choice != Choice():
        raise InputError(
            f"{path} holds every pair of neurons; leave out --threshold and --min-probability, or "
            "choose another ending"
        )
    write_whole(path, bytes(circuit.to_xarray().to_netcdf(engine="scipy")))
    return circuit.n_neurons * (circuit.n_neurons - 1)
