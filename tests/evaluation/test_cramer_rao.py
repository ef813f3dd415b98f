from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.conftest import SMALL, plain_expected_spikes

from spikeweft.errors import InputError
from spikeweft.evaluation import known_network
from spikeweft.evaluation.cramer_rao import (
    cramer_rao_delta,
    cramer_rao_delta_directed,
    fisher_information,
)
from spikeweft.evaluation.oracle import oracle_log_likelihood
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.random_networks import (
    DirectedWiring,
    SymmetricWiring,
    random_network,
)
from spikeweft.simulation.ring_networks import lnp_ring

SYMMETRIC = replace(random_network(SymmetricWiring(weight_sd=5e-4)), n_neurons=20)


@pytest.mark.slow
def test_information_at_the_spikes_is_the_information_over_time():
    network = replace(SMALL, wiring=DirectedWiring(weight_sd=2e-4))
    recording = simulate(network, 30.0, np.random.default_rng(7))
    expected, _ = plain_expected_spikes(network, recording)
    traces = np.concatenate([b.traces for b in known_network.blocks_of(network, recording, 0.1)])
    slope = network.recurrent_strength * network.neuron.gain
    over_time = np.einsum("tj,tk->jk", traces * slope**2 / expected[1000:, :1], traces)
    at_spikes = fisher_information(network, recording)[0]
    np.testing.assert_allclose(at_spikes, over_time, rtol=0.1)


def test_the_bound_halves_with_four_times_the_data():
    recording = simulate(SYMMETRIC, 80.0, np.random.default_rng(8))
    quarter = cramer_rao_delta(SYMMETRIC, recording.between(0.0, 0.25))
    assert quarter / cramer_rao_delta(SYMMETRIC, recording) == pytest.approx(2.0, rel=0.1)


def test_knowing_the_symmetry_lowers_the_bound():
    recording = simulate(SYMMETRIC, 20.0, np.random.default_rng(9))
    symmetric = cramer_rao_delta(SYMMETRIC, recording)
    directed = cramer_rao_delta_directed(SYMMETRIC, recording)
    assert directed / 2 < symmetric < directed


@pytest.mark.slow
def test_the_bound_is_the_scatter_of_an_efficient_estimate():
    """One Newton step from the truth, on the score of the log-likelihood, scatters as the bound."""
    network = replace(SMALL, wiring=DirectedWiring(weight_sd=2e-4))
    recording = simulate(network, 60.0, np.random.default_rng(10))
    expected, spikes = (a[1000:] for a in plain_expected_spikes(network, recording))
    traces = np.concatenate([b.traces for b in known_network.blocks_of(network, recording, 0.1)])
    surplus = network.recurrent_strength * network.neuron.gain * (spikes / expected - 1)
    squared = 0.0
    for post, information in enumerate(fisher_information(network, recording)):
        others = np.delete(np.arange(8), post)
        score = surplus[:, post] @ traces[:, others]
        squared += np.sum(np.linalg.solve(information[np.ix_(others, others)], score) ** 2)
    weights = network.connectivity.weights
    error = np.sqrt(squared) / np.linalg.norm(weights)
    # 56 weights: their squared error scatters by about √(2/56) of its mean
    assert error == pytest.approx(cramer_rao_delta_directed(network, recording), rel=0.3)


def test_nothing_can_be_said_of_a_neuron_that_never_fires():
    recording = simulate(SMALL, 3.0, np.random.default_rng(11))
    awake = recording.spike_neurons != 2
    silent = replace(
        recording,
        spike_times_s=recording.spike_times_s[awake],
        spike_neurons=recording.spike_neurons[awake],
    )
    assert cramer_rao_delta(SMALL, silent) == np.inf
    assert cramer_rao_delta_directed(SMALL, silent) == np.inf


@pytest.mark.parametrize(
    ("network", "duration_s", "remedy"),
    [
        (random_network(DirectedWiring()), 1.0, "8 neurons but the network 50"),
        (SMALL, 0.05, "use a longer recording"),
    ],
)
def test_a_mistake_is_answered_by_a_remedy(network, duration_s, remedy):
    recording = simulate(SMALL, duration_s, np.random.default_rng(12))
    with pytest.raises(InputError, match=remedy):
        oracle_log_likelihood(network, recording)


def test_the_bound_of_many_neurons_is_refused_before_it_fills_the_memory():
    network = replace(lnp_ring(), n_neurons=300)
    recording = simulate(network, 0.2, np.random.default_rng(13))
    with pytest.raises(InputError, match="at most 200 neurons"):
        cramer_rao_delta(network, recording)


def test_the_bound_of_weights_that_are_not_symmetric_knows_of_no_symmetry():
    recording = simulate(SMALL, 10.0, np.random.default_rng(14))
    bound = cramer_rao_delta(SMALL, recording)
    assert np.isfinite(bound)
    assert bound == cramer_rao_delta_directed(SMALL, recording)
