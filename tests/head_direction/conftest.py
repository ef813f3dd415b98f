"""Cells tuned to a direction."""

import numpy as np
import pytest

from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording

PREFERRED = np.deg2rad([10.0, 80.0, 150.0, 200.0, 260.0, 330.0])


def walk(rng, name="gaze", *, duration_s=400.0, n_untuned=2, preferred=PREFERRED):
    """Cells tuned to a direction that wanders about, and some that fire at random."""
    times_s = np.arange(0, duration_s, 0.01)
    angle = np.mod(np.cumsum(rng.normal(0, 0.25, len(times_s))), 2 * np.pi)
    rate = 20 * np.exp(3 * (np.cos(angle[:, None] - preferred) - 1)) + 0.5
    rate = np.concatenate([rate, np.full((len(rate), n_untuned), 6.0)], axis=1)
    time, neuron = np.nonzero(rng.random(rate.shape) < rate * 0.01)
    return Recording.from_arrays(
        times_s[time] + 0.005,
        neuron,
        n_neurons=rate.shape[1],
        epochs_s=np.array([[0.0, duration_s / 3], [duration_s / 2, duration_s]]),
        covariates={name: Covariate(times_s=times_s + 0.005, values=angle, is_angle=True)},
    )


@pytest.fixture(scope="module")
def recording():
    return walk(np.random.default_rng(1))
