from dataclasses import replace

import numpy as np
import pytest

from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import DENSE_NOISE
from spikeweft.simulation.ring_networks import threshold_ring
from spikeweft.simulation.spike_kernels import lnp_spikes


def test_lnp_counts_are_poisson():
    n_steps, mean = 20_000, 0.3
    spikes = lnp_spikes(
        np.zeros((5, 5)), np.zeros(5), n_steps, 0.99, -mean, 1.0, np.random.default_rng(3)
    )
    counts = np.zeros((n_steps, 5))
    np.add.at(counts, (spikes.steps, spikes.neurons), 1)
    assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / counts.size))
    assert counts.var() == pytest.approx(mean, rel=0.03)


def test_dense_noise_more_than_doubles_the_rate():
    sparse = threshold_ring()
    dense = replace(sparse, neuron=replace(sparse.neuron, noise_fraction=DENSE_NOISE))
    assert simulate(dense, 5.0, np.random.default_rng(5)).rate_hz.mean() == pytest.approx(
        141, abs=3
    )


def test_a_threshold_neuron_fires_at_most_once_a_step():
    recording = simulate(threshold_ring(), 5.0, np.random.default_rng(9))
    step = np.rint(recording.spike_times_s / recording.time_resolution_s).astype(np.int64)
    assert len(np.unique(step * 100 + recording.spike_neurons)) == len(step)
