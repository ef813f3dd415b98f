"""A recording as named arrays and back, exactly: what our own `.npz` files hold.

Files that others made are read by `readers.npz`, which checks and mends.
"""

from collections.abc import Mapping

import numpy as np

from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording

_CURRENT_NAMES = {"tick_s": "time_resolution_s", "preferred_angle_rad": "angle_rad"}
"""Array names in results of earlier versions, which also have `epochs_s`, and today's names."""


def recording_arrays(recording: Recording) -> dict[str, np.ndarray]:
    """A recording as arrays, under the names that `load` reads too."""
    arrays = {
        "spike_times": recording.spike_times_s,
        "spike_units": recording.spike_neurons,
        "n_units": np.array(recording.n_neurons),
        "epoch_start": recording.epochs_s[:, 0],
        "epoch_stop": recording.epochs_s[:, 1],
        "time_resolution_s": np.array(recording.time_resolution_s),
        "neuron_ids": np.array(recording.neuron_ids, dtype=np.str_),
        "covariates": np.array(list(recording.covariates), dtype=np.str_),
    }
    if recording.preferred_angle_rad is not None:
        arrays["angle_rad"] = recording.preferred_angle_rad
    for number, covariate in enumerate(recording.covariates.values()):
        arrays[f"covariate_{number}_times_s"] = covariate.times_s
        arrays[f"covariate_{number}_values"] = covariate.values
        arrays[f"covariate_{number}_is_angle"] = np.array(covariate.is_angle)
    return arrays


def recording_from(arrays: Mapping[str, np.ndarray]) -> Recording:
    """The recording that `recording_arrays` was given.

    Raises
    ------
    KeyError
        Where an array is missing.
    """
    arrays = {_CURRENT_NAMES.get(name, name): array for name, array in arrays.items()}
    if "epochs_s" in arrays:
        arrays["epoch_start"], arrays["epoch_stop"] = arrays["epochs_s"].T
    return Recording(
        spike_times_s=arrays["spike_times"],
        spike_neurons=arrays["spike_units"],
        n_neurons=int(arrays["n_units"]),
        epochs_s=np.column_stack([arrays["epoch_start"], arrays["epoch_stop"]]),
        time_resolution_s=float(arrays["time_resolution_s"]),
        neuron_ids=tuple(str(name) for name in arrays["neuron_ids"]),
        covariates={
            str(name): Covariate(
                times_s=arrays[f"covariate_{number}_times_s"],
                values=arrays[f"covariate_{number}_values"],
                is_angle=bool(arrays[f"covariate_{number}_is_angle"]),
            )
            for number, name in enumerate(arrays["covariates"])
        },
        preferred_angle_rad=arrays.get("angle_rad"),
    )
