import numpy as np
import pytest

from spikeweft.errors import InputError
from spikeweft.simulation.neurons import DENSE_NOISE
from spikeweft.simulation.ring_networks import (
    lnp_ring,
    threshold_ring,
)
from spikeweft.simulation.spike_kernels import (
    lnp_spikes,
    lnp_spikes_plain,
    threshold_spikes,
    threshold_spikes_plain,
)


@pytest.mark.parametrize("noise_fraction", [0.0668, DENSE_NOISE])
def test_threshold_kernel_makes_the_spikes_of_its_plain_twin(noise_fraction):
    parameters = (0.99, -2.65e-4, 3e-4, noise_fraction)
    traces = np.zeros((2, 100))
    synapses = threshold_ring().synapses
    fast = threshold_spikes(synapses, traces[0], 3000, *parameters, np.random.default_rng(1))
    plain = threshold_spikes_plain(synapses, traces[1], 3000, *parameters, np.random.default_rng(1))
    assert len(fast.steps) > 1000
    np.testing.assert_array_equal(fast.steps, plain.steps)
    np.testing.assert_array_equal(fast.neurons, plain.neurons)
    np.testing.assert_allclose(traces[0], traces[1], rtol=1e-9, atol=1e-12)


def test_lnp_kernel_makes_the_spikes_of_its_plain_twin():
    traces = np.zeros((2, 100))
    synapses = lnp_ring().synapses
    fast = lnp_spikes(synapses, traces[0], 3000, 0.99, -1e-3, 32.0, np.random.default_rng(1))
    plain = lnp_spikes_plain(synapses, traces[1], 3000, 0.99, -1e-3, 32.0, np.random.default_rng(1))
    assert len(fast.steps) > 1000
    np.testing.assert_array_equal(fast.steps, plain.steps)
    np.testing.assert_array_equal(fast.neurons, plain.neurons)
    np.testing.assert_allclose(traces[0], traces[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kernel", [threshold_spikes, threshold_spikes_plain])
def test_a_spike_acts_on_the_postsynaptic_neuron_from_the_next_step_on(kernel):
    weights = np.zeros((4, 4))
    weights[2, 1] = 5.0  # 1 excites 2, not the other way round
    weights[1, 1] = -10.0
    weights[1, 3] = 2.0
    trace = np.array([0.0, 0.0, 0.0, 1.0])
    spikes = kernel(weights, trace, 3, 0.5, 1.5, 1e-9, 0.1, np.random.default_rng(0))
    assert list(zip(spikes.steps, spikes.neurons, strict=True)) == [(0, 1), (1, 2), (2, 2)]


def test_the_noisy_steps_of_the_kernel_are_as_frequent_as_the_law_says():
    n_steps, fraction = 20_000, 0.0668
    spikes = threshold_spikes(
        np.zeros((50, 50)),
        np.zeros(50),
        n_steps,
        0.99,
        0.0,
        1.0,
        fraction,
        np.random.default_rng(2),
    )
    expected = n_steps * 50 * fraction / 2  # noise above zero
    assert abs(len(spikes.steps) - expected) < 4 * np.sqrt(expected)


def test_a_network_that_runs_away_is_refused_before_it_fills_the_memory():
    weights = np.full((4, 4), 1.0)
    with pytest.raises(InputError, match="the network runs away"):
        lnp_spikes(weights, np.zeros(4), 10**9, 0.99, -1e-3, 32.0, np.random.default_rng(1))
