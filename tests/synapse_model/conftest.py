from functools import cache

import numpy as np
import pytest

from spikeweft.data.recording import Recording
from spikeweft.simulation.sparse_networks.poisson_neurons import SparsePoissonNetwork


@pytest.fixture(scope="package")
def with_slow_patterns():
    return recording


@cache
def recording(n_patterns):
    """Neurons without connections, and one, the last, that does not fire."""
    network = SparsePoissonNetwork(
        n_neurons=20,
        connection_probability=0.0,
        median_rate_hz=8.0,
        n_slow_patterns=n_patterns,
        pattern_gain_sd=0.7,
    )
    found = network.simulate(150.0, np.random.default_rng(0))
    return Recording.from_arrays(
        found.spike_times_s, found.spike_neurons, n_neurons=21, epochs_s=found.epochs_s
    )
