"""Twelve seconds of four neurons of known wiring, quick to fit: python four_neurons.py OUT.npz."""

import sys

import numpy as np

rng = np.random.default_rng(0)
n_neurons, n_spikes = 4, 600
ticks = [np.sort(rng.choice(119_900, n_spikes, replace=False)) for _ in range(n_neurons)]
ticks[1] = ticks[0] + 30  # a spike of the first neuron makes one of the second after 3 ms
weights = np.zeros((n_neurons, n_neurons))
weights[1, 0] = 1.0
np.savez(
    sys.argv[1],
    spike_times=np.concatenate(ticks) * 1e-4,
    spike_units=np.repeat(np.arange(n_neurons), n_spikes),
    n_units=np.array(n_neurons),
    start=np.array(0.0),
    stop=np.array(12.0),
    tick_s=np.array(1e-4),
    weights=weights,
)
