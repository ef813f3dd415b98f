from dataclasses import replace

import numpy as np
import pytest

from spikeweft.errors import InputError
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.partial_observation import observe
from spikeweft.simulation.ring_networks import (
    MexicanHat,
    RingNetwork,
    lnp_ring,
)


def test_an_observed_part_keeps_the_spikes_and_weights_of_its_neurons():
    network = lnp_ring()
    recording = simulate(network, 1.0, np.random.default_rng(13))
    seen = observe(recording, network.connectivity, 80, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort([*seen.observed, *seen.hidden]), np.arange(100))
    np.testing.assert_array_equal(seen.recording.n_spikes, recording.n_spikes[seen.observed])
    i, j = seen.observed[3], seen.observed[70]
    assert seen.connectivity.weights[3, 70] == network.connectivity.weights[i, j]
    assert seen.recording.neuron_ids == seen.connectivity.neuron_ids


def test_hiding_more_neurons_than_there_are_is_a_mistake():
    network = RingNetwork(neuron=LNPNeuron(threshold=8e-4), profile=MexicanHat(), n_neurons=10)
    recording = simulate(network, 1.0, np.random.default_rng(15))
    with pytest.raises(InputError, match="11 of 10 neurons"):
        observe(recording, network.connectivity, 11, np.random.default_rng(0))


def test_spikes_and_a_circuit_of_other_neurons_are_not_one_observation():
    network = replace(lnp_ring(), n_neurons=10)
    recording = simulate(network, 0.5, np.random.default_rng(15))
    with pytest.raises(InputError, match="10 neurons but the circuit 100"):
        observe(recording, lnp_ring().connectivity, 5, np.random.default_rng(0))
