"""Recordings from and to pynapple objects."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeweft.data.readers.assemble import covariate_from_samples, recording_from_trains
from spikeweft.data.recording import Recording

if TYPE_CHECKING:
    import pynapple


def from_pynapple(
    spikes: "pynapple.TsGroup",
    epochs: "pynapple.IntervalSet | None" = None,
    covariates: "Mapping[str, pynapple.Tsd] | None" = None,
) -> Recording:
    """Recording from a pynapple `TsGroup`, its epochs (else its time support) and covariates.

    Neurons are named by the metadata column `neuron_id` where there is one, else by their index,
    and a column `angle_rad` is their preferred direction. A covariate is an angle where its name
    says so and its values are radians.

    Raises
    ------
    InputError
        Where there are no spikes, or none inside the epochs.
    """
    support = spikes.time_support if epochs is None else epochs
    sampled = {
        name: covariate_from_samples(name, "", tsd.index.values, tsd.values)
        for name, tsd in (covariates or {}).items()
    }
    known = spikes.metadata_columns
    return recording_from_trains(
        [np.asarray(spikes[key].index.values, dtype=float) for key in spikes.index],
        tuple(
            str(name) for name in (spikes["neuron_id"] if "neuron_id" in known else spikes.index)
        ),
        np.column_stack([support.start, support.end]),
        sampled,
        np.asarray(spikes["angle_rad"], dtype=float) if "angle_rad" in known else None,
    )


def to_pynapple(recording: Recording) -> "tuple[pynapple.TsGroup, dict[str, pynapple.Tsd]]":
    """The recording's spikes, with its epochs as their time support, and its covariates."""
    import pynapple as nap

    support = nap.IntervalSet(recording.epochs_s[:, 0], recording.epochs_s[:, 1])
    metadata: dict[str, Any] = {"neuron_id": np.array(recording.neuron_ids)}
    if recording.preferred_angle_rad is not None:
        metadata["angle_rad"] = recording.preferred_angle_rad
    trains = {
        neuron: nap.Ts(
            recording.spike_times_s[recording.spike_neurons == neuron], time_support=support
        )
        for neuron in range(recording.n_neurons)
    }
    spikes = nap.TsGroup(trains, time_support=support, metadata=metadata)
    return spikes, {
        name: nap.Tsd(covariate.times_s, covariate.values)
        for name, covariate in recording.covariates.items()
    }
