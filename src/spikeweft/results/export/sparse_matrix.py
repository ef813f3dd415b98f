"""Weights as SciPy's sparse matrix in an `.npz`."""

import io
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from scipy.sparse import save_npz

from spikeweft.data.connectivity import Connectivity
from spikeweft.results.export.choice import Choice
from spikeweft.runtime.files import write_whole


def write_npz(path: Path, circuit: Connectivity, choice: Choice) -> int:
    """Write `Connectivity.to_sparse` for `scipy.sparse.load_npz`, beside an array `neuron_ids`.

    Returns how many connections there are.

    Raises
    ------
    InputError
        Where the file system refuses.
    """
    weights, content = circuit.to_sparse(**choice._asdict()), io.BytesIO()
    save_npz(content, weights)
    # SciPy's format has no place for names, and its reader passes over what it does not know.
    with ZipFile(content, "a") as archive, archive.open("neuron_ids.npy", "w") as member:
        np.lib.format.write_array(member, np.array(circuit.neuron_ids), allow_pickle=False)
    write_whole(path, content.getvalue())
    return weights.nnz
