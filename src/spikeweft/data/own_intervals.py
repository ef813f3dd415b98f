"""Intervals between the spikes of one neuron."""

import numpy as np
from jaxtyping import Float, Int

from spikeweft.data.recording import Recording


def time_since_own_spike_s(recording: Recording) -> Float[np.ndarray, " spike"]:
    """Time since the same neuron fired last in the same epoch; infinite where it did not."""
    order = by_neuron(recording)
    neurons, times_s = recording.spike_neurons[order], recording.spike_times_s[order]
    epoch = np.searchsorted(recording.epochs_s[:, 0], times_s, "right")
    both = (np.diff(neurons) == 0) & (np.diff(epoch) == 0)
    since_s = np.full(len(times_s), np.inf)
    since_s[order[1:][both]] = np.diff(times_s)[both]
    return since_s


def by_neuron(recording: Recording) -> Int[np.ndarray, " spike"]:
    """The spikes of the first neuron in order, then those of the next."""
    small = recording.spike_neurons.astype(np.min_scalar_type(recording.n_neurons))
    return np.argsort(small, kind="stable")  # small integers are sorted far faster
