"""The recording that is made of what is chosen from a file."""

import warnings
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.epochs import with_closed_ends
from spikeweft.data.file_contents.clock import check_clock
from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.file_contents.covariates import read_covariates
from spikeweft.data.file_contents.observed_time import used_time
from spikeweft.data.file_contents.selection import Selection, chosen_units
from spikeweft.data.file_contents.sentences import Alarm, listed
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError


class LoadedRecording(NamedTuple):
    """The content of a file: the spikes, the true circuit where known, and warnings.

    Alarms come first.
    """

    recording: Recording
    truth: Connectivity | None
    warnings: tuple[str, ...]


def with_warnings_shown(loaded: LoadedRecording) -> Recording:
    """The recording alone; what is odd about it becomes Python's warnings."""
    for sentence in loaded.warnings:
        warnings.warn(sentence, stacklevel=3)
    return loaded.recording


def chosen_recording(contents: FileContents, selection: Selection) -> LoadedRecording:
    """The recording of the units, epochs and variables wanted, and all that is odd about it.

    Raises
    ------
    InputError
        Where times cannot be seconds of one clock, or nothing of what is wanted is there.
    """
    _check_names(contents)
    chosen = contents.select(chosen_units(contents, selection))
    about_clock = check_clock(chosen)
    epochs_s, about_time = used_time(chosen, selection.epochs)
    covariates, epochs_s, about_covariates = read_covariates(chosen, selection, epochs_s)
    epochs_s = with_closed_ends(epochs_s, chosen.spike_times_s)
    recording = replace(_recording_of(chosen, epochs_s), covariates=covariates)
    n_spikes = len(chosen.spike_times_s)
    n_left_out = n_spikes - len(recording.spike_times_s)
    outside = f"{n_left_out} of {n_spikes} spikes lie outside the epochs and are left out"
    fast = recording.rate_hz >= selection.min_rate_hz
    if not fast.any():
        raise InputError(
            f"none of the {chosen.n_units} units of {contents.path} fires at "
            f"{selection.min_rate_hz:g} Hz or more, the fastest at {recording.rate_hz.max():.3g} "
            "Hz; ask for less"
        )
    truth = chosen.truth
    if not fast.all():
        used = np.flatnonzero(fast)
        recording = recording.select(used)
        truth = None if truth is None else truth.select(used)
    said = (
        *contents.warnings,
        *about_clock,
        *about_time,
        *about_covariates,
        *([outside] if n_left_out else []),
        *_about_units(recording.n_neurons, contents.n_units),
    )
    alarms_first = tuple(sorted(said, key=lambda sentence: not isinstance(sentence, Alarm)))
    return LoadedRecording(recording, truth, alarms_first)


def _recording_of(contents: FileContents, epochs_s: Float[np.ndarray, "epoch 2"]) -> Recording:
    return Recording.from_arrays(
        contents.spike_times_s,
        contents.spike_units,
        n_neurons=contents.n_units,
        epochs_s=epochs_s,
        time_resolution_s=contents.time_resolution_s,
        neuron_ids=contents.unit_ids,
        preferred_angle_rad=contents.preferred_angle_rad,
    )


def _about_units(n_used: int, n_units: int) -> tuple[str, ...]:
    return () if n_used == n_units else (f"{n_used} of {n_units} units are used, as asked for",)


def _check_names(contents: FileContents) -> None:
    if contents.n_units == 0:
        raise InputError(
            f"{contents.path} has no units, so there are no spikes to read; choose a file with "
            "sorted units"
        )
    names, counts = np.unique(np.array(contents.unit_ids, dtype=np.str_), return_counts=True)
    if np.any(counts > 1):
        raise InputError(
            f"{contents.path} has several units with the id {listed(names[counts > 1])}; give each "
            "an id of its own"
        )
