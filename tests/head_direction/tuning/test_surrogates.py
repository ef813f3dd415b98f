"""Surrogates: spikes of cells that follow the direction and their own past alone."""

import numpy as np

from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.head_direction.tuning.surrogates import UncoupledNeurons


def test_a_sparse_cell_keeps_its_own_past():
    """Its rate in one draw differs by chance from the recorded one."""
    rng = np.random.default_rng(0)
    n_neurons, duration_s = 30, 200.0
    n_spikes = rng.poisson(0.2 * duration_s, n_neurons)
    times_s = np.arange(0.0, duration_s, 0.1)
    sparse = Recording.from_arrays(
        rng.uniform(0.0, duration_s, n_spikes.sum()),
        np.repeat(np.arange(n_neurons), n_spikes),
        epochs_s=np.array([[0.0, duration_s]]),
        covariates={"direction": Covariate(times_s=times_s, values=0.3 * times_s, is_angle=True)},
    )
    neurons = UncoupledNeurons.with_direction_error(sparse, "direction", 0.0, rng)
    assert neurons.own.any(axis=0).all()
