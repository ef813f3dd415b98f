"""A recording cut into the part that is fitted and the part that scores, with its truth."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spikeweft.data.bootstrap import resampled
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.directions import preferred_directions
from spikeweft.data.holdout import VALIDATION_FRACTION, training_and_test
from spikeweft.data.readers.load import load_selection
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.estimator import check_enough_neurons
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.inference.settings import Inference
from spikeweft.simulation.networks import Network
from spikeweft.simulation.storage import network_from_metadata

_SAMPLE_SPIKES = 4000

_SAMPLE_S = (1.0, 60.0)

_SHORTEST_BLOCK = 10


class Parts(NamedTuple):
    """All that is used of a recording, the parts that are fitted and that score, and the truth.

    The network is known where all of it was recorded.
    """

    recording: Recording
    training: Recording
    test: Recording
    truth: Connectivity | None
    network: Network | None
    warnings: tuple[str, ...]


def parts_of(inference: Inference, history_window_s: float) -> Parts:
    """Read the recording and cut it into what is fitted and what scores.

    Raises
    ------
    InputError
        Where the file cannot be read, or holds too little.
    """
    loaded = load_selection(inference.recording, inference.selection)
    recording = _chosen_part(loaded.recording, inference.minutes)
    training, test = _split(recording, history_window_s)
    if inference.bootstrap is not None:
        training = _drawn(training, inference, history_window_s)
    if loaded.truth is not None:
        inference_error(loaded.truth, loaded.truth)  # refuses a truth that cannot be scored
    network = _network(loaded.truth, inference.recording)
    return Parts(recording, training, test, loaded.truth, network, loaded.warnings)


def _network(truth: Connectivity | None, path: Path) -> Network | None:
    if truth is None or "network" not in truth.metadata:
        return None
    try:
        network = network_from_metadata(truth.metadata)
        weights = network.connectivity.weights
    except InputError:
        raise
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise InputError(
            f"the 'network' in {path} cannot be built again ({error}); leave it out of the file"
        ) from error
    return network if np.array_equal(weights, truth.weights) else None


def _chosen_part(recording: Recording, minutes: float | None) -> Recording:
    part = recording if minutes is None else recording.first_minutes(minutes)
    if len(part.spike_times_s) == 0:
        raise InputError(f"the first {minutes:g} min hold no spikes; use more of the recording")
    check_enough_neurons(part)
    return part


def _split(recording: Recording, history_window_s: float) -> tuple[Recording, Recording]:
    """The parts for fitting and for scoring; preferred directions come from the first alone."""
    training, test = training_and_test(recording, history_window_s)
    direction = next((c for c in training.covariates.values() if c.is_angle), None)
    if training.preferred_angle_rad is None and direction is not None:
        angle = preferred_directions(training, direction)
        training = replace(training, preferred_angle_rad=angle)
    return training, test


def _drawn(training: Recording, inference: Inference, history_window_s: float) -> Recording:
    """A bootstrap of the training part, whose held-out part is drawn from the held-out part."""
    shortest_s = _SHORTEST_BLOCK * history_window_s
    if not shortest_s <= inference.block_s < np.inf:
        raise InputError(
            f"blocks of {inference.block_s:g} s cannot be used, since the first "
            f"{history_window_s:g} s of each are not scored; give {shortest_s:g} s or more"
        )
    borders = (0.0, 1.0 - VALIDATION_FRACTION, 1.0)
    rng = np.random.default_rng(inference.bootstrap)
    return resampled(training, inference.block_s, borders, rng)


def sample(data: Parts) -> Recording:
    """A few seconds to look at, from the stretch with most spikes."""
    angle = data.training.preferred_angle_rad
    recording = replace(data.recording, preferred_angle_rad=angle)
    starts = np.searchsorted(recording.spike_times_s, recording.epochs_s[:, 0])
    n_spikes = np.diff(np.append(starts, len(recording.spike_times_s)))
    start, stop = recording.epochs_s[np.argmax(n_spikes)]
    rate_hz = n_spikes.max() / (stop - start)
    length_s = np.clip(_SAMPLE_SPIKES / rate_hz, *_SAMPLE_S)
    return recording.restrict(np.array([[start, min(start + length_s, stop)]]))
