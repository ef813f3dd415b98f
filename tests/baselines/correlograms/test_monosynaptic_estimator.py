"""What holds for every method that says which pairs are connected."""

import numpy as np
import pytest

from spikeweft.baselines.correlograms.glmcc import GLMCC
from spikeweft.baselines.correlograms.hollow_correlogram import HollowCorrelogram
from spikeweft.baselines.correlograms.jitter_correlogram import JitterCorrelogram
from spikeweft.baselines.correlograms.tspe import TSPE
from spikeweft.benchmark.datasets import recorded
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.evaluation.circuit_agreement import precision_recall_area

TESTING = (HollowCorrelogram, JitterCorrelogram, GLMCC)
EVERY = (*TESTING, TSPE)

LATENCY_S = 0.006


@pytest.mark.parametrize("method", TESTING)
def test_of_a_thousand_unconnected_pairs_few_are_taken_for_connected(method, independent):
    """A thousandth is nominal; the error of a J below zero is too small where spikes are few."""
    connected = method().fit(independent).connected_
    assert connected.sum() <= 5 * 1e-3 * connected.size


@pytest.mark.parametrize("method", TESTING)
def test_a_shared_slow_state_makes_few_connections(method, shared_state):
    assert method().fit(shared_state).connected_.sum() <= 2


@pytest.mark.parametrize("method", EVERY)
def test_an_excitatory_synapse_is_found_with_its_direction_sign_and_latency(method, two_synapses):
    model = method().fit(two_synapses)
    circuit = model.connectivity_
    assert model.connected_[1, 0]
    assert circuit.weights[1, 0] == np.max(circuit.weights)
    assert abs(circuit.weights[0, 1]) < 0.3 * circuit.weights[1, 0]
    # A window of 3 ms may begin before the one lag that holds the spikes.
    assert LATENCY_S - 0.0025 <= circuit.latency_s[1, 0] <= LATENCY_S + 0.001
    np.testing.assert_array_equal(np.isfinite(circuit.latency_s), model.connected_)


@pytest.mark.parametrize("method", TESTING)
def test_an_inhibitory_synapse_is_found_with_its_direction_and_sign(method, two_synapses):
    model = method().fit(two_synapses)
    assert model.connected_[2, 0]
    assert not model.connected_[0, 2]
    assert model.connectivity_.weights[2, 0] < 0


@pytest.mark.parametrize("method", EVERY)
def test_relabelling_relabels_what_is_connected(method, two_synapses):
    order = np.array([3, 1, 0, 2])
    relabelled = method().fit(two_synapses.select(order)).connected_
    np.testing.assert_array_equal(
        relabelled, method().fit(two_synapses).connected_[np.ix_(order, order)]
    )


@pytest.mark.parametrize("method", EVERY)
def test_no_lag_leads_from_one_epoch_to_the_next(method):
    """All spikes of neuron 1 follow those of neuron 0 by 2 ms, after a gap of 1 ms."""
    pre_s = np.arange(1, 500) * 1.0
    starts_s = np.concatenate([[0.0], pre_s + 0.0015])
    epochs_s = np.column_stack([starts_s, np.append(pre_s + 0.0005, 500.0)])
    recording = Recording.from_arrays(
        np.concatenate([pre_s, pre_s + 0.002]),
        np.repeat([0, 1], len(pre_s)),
        epochs_s=epochs_s,
        time_resolution_s=1e-4,
    )
    model = method().fit(recording)
    assert not model.connected_.any()
    np.testing.assert_allclose(model.connectivity_.weights, 0.0, atol=1e-3)


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        (HollowCorrelogram(step_s=0.0), "a step of 0.0 s between lags is none"),
        (HollowCorrelogram(longest_lag_s=1e-4), "fewer than 2 lags of 0.0005 s"),
        (JitterCorrelogram(longest_lag_s=900.0), "no epoch is longer than the longest lag"),
        (JitterCorrelogram(jitter_s=5e-4), "hold fewer than two steps of 0.0005 s"),
        (GLMCC(longest_delay_s=float("inf")), "up to inf s"),
    ],
)
def test_settings_without_meaning_are_refused(method, sentence, independent):
    with pytest.raises(InputError, match=sentence):
        method.fit(independent)


def test_connections_of_a_network_that_others_simulated_are_found(shared_data):
    data = recorded(shared_data / "spycon_sim1917Cell1Block1_tiny.npz")
    for method in (HollowCorrelogram(), JitterCorrelogram()):
        found = method.fit(data.recording).connectivity_
        assert precision_recall_area(found, data.truth) > 0.78


@pytest.mark.parametrize("method", [HollowCorrelogram, JitterCorrelogram])
def test_lags_that_end_before_a_synapse_acts_are_refused(method, two_synapses):
    with pytest.raises(InputError, match=r"lags of up to 0\.5 ms end before that of 1 ms"):
        method(step_s=1e-4, longest_lag_s=5e-4).fit(two_synapses)
