from dataclasses import replace

import numpy as np
import pytest

from spikeweft.errors import InputError
from spikeweft.evaluation import limits
from spikeweft.evaluation.limits import (
    cramer_rao_delta,
    cramer_rao_delta_directed,
    fisher_information,
    oracle_bits_per_spike,
    oracle_log_likelihood,
)
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import LNPNeuron, ThresholdNeuron
from spikeweft.simulation.random_networks import (
    DirectedWiring,
    RandomNetwork,
    SymmetricWiring,
    random_network,
)
from spikeweft.simulation.ring_networks import lnp_ring, profile_ii_lnp_ring, threshold_ring

SMALL = RandomNetwork(
    neuron=LNPNeuron(threshold=8e-4), wiring=DirectedWiring(weight_sd=5e-4), n_neurons=8
)
SYMMETRIC = replace(random_network(SymmetricWiring(weight_sd=5e-4)), n_neurons=20)
DRIVEN = replace(lnp_ring(), drive_amplitude_neurons=2.0, drive_period_s=1.0)


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


@pytest.mark.parametrize(
    "network",
    [SMALL, replace(SMALL, neuron=ThresholdNeuron(threshold=1.3e-3)), DRIVEN],
    ids=["lnp", "threshold", "driven"],
)
def test_the_oracle_is_the_likelihood_of_the_simulated_law(network, monkeypatch):
    monkeypatch.setattr(limits, "_BLOCK_STEPS", 777)  # blocks that end anywhere
    recording = simulate(network, 2.0, np.random.default_rng(1)).between(0.3, 0.8)
    expected, spikes = (a[1000:] for a in plain_expected_spikes(network, recording))
    fired = np.where(spikes > 0, np.log(np.maximum(expected, 1e-300) / network.time_step_s), 0.0)
    np.testing.assert_allclose(
        oracle_log_likelihood(network, recording),
        (spikes * fired - expected).sum(axis=0),
        rtol=1e-9,
    )


@pytest.mark.parametrize("network", [threshold_ring(), lnp_ring(), threshold_ring(0.0025), DRIVEN])
def test_the_oracle_expects_as_many_spikes_as_occur(network):
    recording = simulate(network, 3.0, np.random.default_rng(2))
    expected, spikes = (a[1000:] for a in plain_expected_spikes(network, recording))
    for low, high in [(0, 0.003), (0.003, 0.01), (0.01, 0.03), (0.03, 2)]:
        inside = (expected > low) & (expected <= high)
        surplus = spikes[inside].sum() - expected[inside].sum()
        assert abs(surplus) < 4 * np.sqrt(expected[inside].sum() + 1)


@pytest.mark.slow
@pytest.mark.parametrize(("network", "bits"), [(threshold_ring(), 1.30), (lnp_ring(), 1.09)])
def test_oracle_bits_per_spike_are_those_measured_before(network, bits):
    recording = simulate(network, 60.0, np.random.default_rng(3))
    score = oracle_bits_per_spike(network, recording, np.full(100, 62.5))
    assert score.pooled == pytest.approx(bits, abs=0.06)
    assert score.per_neuron.shape == (100,)


@pytest.mark.parametrize("network", [threshold_ring(), lnp_ring(), DRIVEN, profile_ii_lnp_ring()])
def test_no_wrong_network_explains_the_spikes_better_than_the_true_one(network):
    recording = simulate(network, 5.0, np.random.default_rng(4))
    true = oracle_log_likelihood(network, recording).sum()
    stronger = replace(network, recurrent_strength=1.1 * network.recurrent_strength)
    slower = replace(network, tau_s=1.1 * network.tau_s)
    with np.errstate(divide="ignore"):  # a spike may be impossible in the wrong network
        wrong = [oracle_log_likelihood(other, recording).sum() for other in (stronger, slower)]
    assert max(wrong) < true


def test_reading_the_drive_explains_spikes_that_the_resting_circuit_cannot():
    recording = simulate(DRIVEN, 5.0, np.random.default_rng(5))
    resting = replace(DRIVEN, drive_amplitude_neurons=0.0)
    with np.errstate(divide="ignore"):
        blind = oracle_log_likelihood(resting, recording).sum()
    assert blind < oracle_log_likelihood(DRIVEN, recording).sum()


def test_no_history_crosses_a_gap_and_the_first_window_of_an_epoch_is_not_scored():
    recording = simulate(SMALL, 3.0, np.random.default_rng(6))
    epochs = np.array([[0.0, 1.0], [1.2, 1.25], [2.0, 3.0]])
    both = oracle_log_likelihood(SMALL, recording.restrict(epochs))
    alone = [oracle_log_likelihood(SMALL, recording.restrict(e)) for e in (epochs[:1], epochs[2:])]
    np.testing.assert_allclose(both, alone[0] + alone[1])


@pytest.mark.slow
def test_information_at_the_spikes_is_the_information_over_time():
    network = replace(SMALL, wiring=DirectedWiring(weight_sd=2e-4))
    recording = simulate(network, 30.0, np.random.default_rng(7))
    expected, _ = plain_expected_spikes(network, recording)
    traces = np.concatenate([b.traces for b in limits._blocks(network, recording, 0.1)])
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
    traces = np.concatenate([b.traces for b in limits._blocks(network, recording, 0.1)])
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
