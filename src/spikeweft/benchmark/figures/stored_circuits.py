"""Circuits that a study kept, as figures need them."""

import io
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np

from spikeweft.benchmark.rows import Row
from spikeweft.benchmark.run import weights_file
from spikeweft.data.connectivity import DECODER_ERRORS, Connectivity
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError


class Stored(NamedTuple):
    """The circuit of a row, in the unit of the true one, and the spikes beside it."""

    inferred: Connectivity
    truth: Connectivity
    sample: Recording


def stored(folder: Path, row: Row) -> Stored:
    """What the loop kept of a row's circuit.

    Raises
    ------
    InputError
        Where its file is damaged or of another kind.
    """
    path = weights_file(folder, row)
    try:
        return _stored(path)
    except (*DECODER_ERRORS, BadZipFile) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path} is not the circuit of a fit ({reason}); remove it to draw the rest, or fit "
            "its case again with --force"
        ) from error


def _stored(path: Path) -> Stored:
    with np.load(io.BytesIO(path.read_bytes())) as arrays:
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
