"""Recordings that hardly say anything."""

import numpy as np
import pytest

from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.data.recording import Recording


@pytest.mark.parametrize("n_spikes", [20, 60])
def test_a_few_spikes_are_predicted_about_as_well_as_by_constant_rates(n_spikes):
    """So few say next to nothing of own history, and its prior must not be thrown about."""
    rng = np.random.default_rng(0)
    recording = Recording.from_arrays(
        rng.uniform(0, 100, n_spikes),
        rng.integers(0, 8, n_spikes),
        n_neurons=8,
        epochs_s=np.array([[0.0, 100.0]]),
    )
    model = CircuitGNN(random_state=0).fit(recording)
    assert np.nansum(model.held_out_.log_likelihood) > -5.0 * n_spikes
    assert np.all(np.abs(model.connectivity_.weights) < 10.0)
