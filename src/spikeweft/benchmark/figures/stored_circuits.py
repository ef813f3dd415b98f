"""Circuits that a study kept, as figures need them."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spikeweft.benchmark.rows import Row
from spikeweft.benchmark.run import weights_file
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording


class Stored(NamedTuple):
    """The circuit of a row, in the unit of the true one, and the spikes beside it."""

    inferred: Connectivity
    truth: Connectivity
    sample: Recording


def stored(folder: Path, row: Row) -> Stored:
    """What the loop kept of a row's circuit."""
    with np.load(io.BytesIO(weights_file(folder, row).read_bytes())) as arrays:
        truth = Connectivity(weights=arrays["true_weights"], angle_rad=arrays.get("angle_rad"))
        inferred = Connectivity(
            weights=float(arrays["scale"]) * arrays["weights"],
            standard_error=np.where(arrays["informed"], 0.0, np.inf),
            angle_rad=truth.angle_rad,
        )
        sample = Recording(
            spike_times_s=arrays["sample_spike_times_s"],
            spike_neurons=arrays["sample_spike_neurons"].astype(np.int64),
            n_neurons=truth.n_neurons,
            epochs_s=arrays["sample_epochs_s"],
        )
    return Stored(inferred, truth, sample)
