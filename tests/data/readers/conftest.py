"""Recordings to be written and read again."""

import numpy as np

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording

TRAINS = (np.array([0.5, 1.5, 2.5, 9.0]), np.array([0.7, 4.2]), np.array([]))


def simulated(n=4) -> tuple[Recording, Connectivity]:
    rng = np.random.default_rng(3)
    angle = 2 * np.pi * np.arange(n) / n
    recording = Recording.from_arrays(
        rng.integers(0, 100_000, 500) * 1e-4,
        rng.integers(0, n - 1, 500),
        n_neurons=n,
        epochs_s=np.array([[0.0, 4.0], [5.0, 10.0]]),
        time_resolution_s=1e-4,
        covariates={
            "drive": Covariate(times_s=np.arange(11.0), values=np.arange(11.0), is_angle=True)
        },
        preferred_angle_rad=angle,
    )
    metadata = {"network": "ring", "recurrent_strength": 0.025, "n_neurons": n}
    weights = rng.normal(size=(n, n))
    return recording, Connectivity(weights=weights, angle_rad=angle, metadata=metadata)
