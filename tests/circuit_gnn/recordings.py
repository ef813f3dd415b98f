"""Small networks, and neurons that are no network, which several tests fit."""

import numpy as np

from spikeweft.data.recording import Recording
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.random_networks import DirectedWiring, RandomNetwork


def directed_network(n_neurons, tau_s=0.01):
    """LNP neurons of which three in ten pairs are connected, one way."""
    return RandomNetwork(
        neuron=LNPNeuron(threshold=8e-4),
        wiring=DirectedWiring(connection_probability=0.3),
        n_neurons=n_neurons,
        recurrent_strength=1e-3 / tau_s,
        tau_s=tau_s,
    )


def independent_neurons(n_neurons, duration_s=60.0):
    """Poisson neurons of 5 to 20 Hz that do not drive each other."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.uniform(5.0, 20.0, n_neurons) * duration_s)
    return Recording.from_arrays(
        rng.uniform(0.0, duration_s, counts.sum()),
        np.repeat(np.arange(n_neurons), counts),
        epochs_s=np.array([[0.0, duration_s]]),
        time_resolution_s=1e-4,
    )
