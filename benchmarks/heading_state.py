"""What 19 cells share, and which connect: python benchmarks/heading_state.py RECORDING.

`SynapseModel` is fitted to the whole recording. A row for each cell: how much of its spiking all
others explain, by their rate (population coupling, Okun et al. 2015) and slow patterns, and the
most probable connection that it receives. They go to `heading/shared_state.csv`.
"""

import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from spikeweft.data.readers.load import load
from spikeweft.results.csv_table import write_cells
from spikeweft.runtime.provenance import commit, machine, versions
from spikeweft.synapse_model.estimator import SynapseModel

TABLE = Path(__file__).parent / "heading" / "shared_state.csv"


def rows(file: Path) -> list[dict[str, str | int | float]]:
    """A row for each cell."""
    recording = load(file).recording
    model = SynapseModel().fit(recording)
    probability = model.connectivity_.probability
    assert probability is not None
    largest = np.where(np.eye(recording.n_neurons, dtype=bool), 0.0, probability).max(1)
    made = {
        **versions("spikeweft", "numpy", "scipy", "numba"),
        "machine": machine(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "benchmarks/heading_state.py", file.name]),
        "commit": commit(),
    }
    return [
        {
            "neuron": name,
            "rate_hz": round(float(rate_hz), 4),
            "state_share": round(float(share), 5),
            "most_probable_connection": round(float(most), 5),
            **made,
        }
        for name, rate_hz, share, most in zip(
            recording.neuron_ids, recording.rate_hz, model.state_share_, largest, strict=True
        )
    ]


if __name__ == "__main__":
    write_cells(TABLE, rows(Path(sys.argv[1])))
