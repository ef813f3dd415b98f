import numpy as np

from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.random_networks import (
    DirectedWiring,
    RandomNetwork,
)

SMALL = RandomNetwork(
    neuron=LNPNeuron(threshold=8e-4), wiring=DirectedWiring(weight_sd=5e-4), n_neurons=8
)


def plain_expected_spikes(network, recording):
    """Expected and actual spikes in every step of a recording of one epoch, by a plain loop."""
    start, stop = (round(t / network.time_step_s) for t in recording.epochs_s[0])
    spikes = np.zeros((stop - start, recording.n_neurons))
    step = np.rint(recording.spike_times_s / network.time_step_s).astype(int) - start
    np.add.at(spikes, (step, recording.spike_neurons), 1)
    shifts = {n: k for a, b, k in network.stretches(start, stop) for n in range(a, b)}
    synapses = network.recurrent_strength * network.connectivity.weights
    trace, drive = np.zeros(recording.n_neurons), np.zeros(spikes.shape)
    for row, new in enumerate(spikes):
        drive[row] = np.roll(synapses, shifts[start + row], axis=1) @ trace
        trace = trace * (1 - network.time_step_s / network.tau_s) + new
    return network.neuron.spikes_per_step(drive), spikes
