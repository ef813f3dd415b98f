import numpy as np
import pytest
from tests.simulation.conftest import WIRINGS

from spikeweft.simulation.networks import simulate
from spikeweft.simulation.random_networks import random_network


@pytest.mark.parametrize("wiring", WIRINGS, ids=lambda wiring: type(wiring).__name__)
def test_random_networks_are_sparse_and_all_neurons_fire(wiring):
    network = random_network(wiring)
    weights = network.connectivity.weights
    assert np.mean(weights[network.connectivity.off_diagonal] != 0) == pytest.approx(0.2, abs=0.03)
    assert not np.diag(weights).any()
    rate_hz = simulate(network, 10.0, np.random.default_rng(14)).rate_hz
    assert 30 < rate_hz.mean() < 150
    assert rate_hz.min() > 0


def test_wirings_keep_their_law():
    symmetric, directed, dale = (random_network(w).connectivity.weights for w in WIRINGS)
    np.testing.assert_array_equal(symmetric, symmetric.T)
    assert not np.allclose(directed, directed.T)
    assert dale[:, :40].min() >= 0
    assert dale[:, 40:].max() <= 0
