from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.conftest import SMALL, plain_expected_spikes

from spikeweft.evaluation import known_network
from spikeweft.evaluation.oracle import oracle_bits_per_spike, oracle_log_likelihood
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import ThresholdNeuron
from spikeweft.simulation.ring_networks import lnp_ring, profile_ii_lnp_ring, threshold_ring

DRIVEN = replace(lnp_ring(), drive_amplitude_neurons=2.0, drive_period_s=1.0)


@pytest.mark.parametrize(
    "network",
    [SMALL, replace(SMALL, neuron=ThresholdNeuron(threshold=1.3e-3)), DRIVEN],
    ids=["lnp", "threshold", "driven"],
)
def test_the_oracle_is_the_likelihood_of_the_simulated_network(network, monkeypatch):
    monkeypatch.setattr(known_network, "_BLOCK_STEPS", 777)  # blocks that end anywhere
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


def test_an_epoch_that_ends_within_a_step_adds_nothing():
    recording = replace(simulate(SMALL, 1.0, np.random.default_rng(7)), time_resolution_s=1e-6)
    short, long = np.array([[5e-5, 0.10008]]), np.array([[0.2, 1.0]])
    none = oracle_log_likelihood(SMALL, recording.restrict(short))
    np.testing.assert_array_equal(none, np.zeros(8))
    both = oracle_log_likelihood(SMALL, recording.restrict(np.concatenate([short, long])))
    np.testing.assert_allclose(both, oracle_log_likelihood(SMALL, recording.restrict(long)))
