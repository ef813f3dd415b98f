import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spikeweft.evaluation.prediction import bits_per_spike

spike_counts = hnp.arrays(np.int64, 4, elements=st.integers(1, 1000))
rates = hnp.arrays(float, 4, elements=st.floats(0.1, 100.0))


@given(spike_counts, rates)
def test_the_null_gains_no_bits(n_spikes, rate_hz):
    log_likelihood = n_spikes * np.log(rate_hz) - rate_hz * 60.0
    score = bits_per_spike(log_likelihood, n_spikes, 60.0, rate_hz)
    assert score.per_neuron == pytest.approx(np.zeros(4), abs=1e-9)
    assert score.pooled == pytest.approx(0.0, abs=1e-9)


@given(spike_counts, rates, st.floats(0.1, 5.0))
def test_a_bit_per_spike_is_a_doubled_likelihood_per_spike(n_spikes, rate_hz, bits):
    log_likelihood = n_spikes * np.log(rate_hz) - rate_hz * 60.0 + n_spikes * bits * np.log(2)
    score = bits_per_spike(log_likelihood, n_spikes, 60.0, rate_hz)
    assert score.mean == pytest.approx(bits)
    assert score.pooled == pytest.approx(bits)


def test_silent_neurons_are_left_out_of_the_mean():
    rate_hz = np.array([10.0, 0.0, 5.0])
    n_spikes = np.array([600, 0, 300])
    log_likelihood = np.array(
        [600 * np.log(10) - 600 + 600 * np.log(2), 0.0, 300 * np.log(5) - 300]
    )
    score = bits_per_spike(log_likelihood, n_spikes, 60.0, rate_hz)
    assert np.isnan(score.per_neuron[1])
    assert score.mean == pytest.approx(0.5)
    assert score.pooled == pytest.approx(2 / 3)


def test_a_neuron_that_first_fires_in_the_test_part_cannot_be_scored():
    score = bits_per_spike(np.array([-3.0]), np.array([4]), 60.0, np.array([0.0]))
    assert np.isnan(score.per_neuron).all()
    assert np.isnan(score.mean)
    assert np.isnan(score.pooled)


def test_a_model_that_calls_impossible_what_came_is_not_better_for_it():
    score = bits_per_spike(np.array([-np.inf, -50.0]), np.array([20, 20]), 10.0, np.full(2, 2.0))
    assert score.per_neuron[0] == score.mean == score.pooled == -np.inf


def test_a_neuron_whose_likelihood_is_no_number_is_not_left_out_of_the_mean():
    log_likelihood, n_spikes = np.array([np.nan, 100.0]), np.array([10, 10])
    score = bits_per_spike(log_likelihood, n_spikes, 10.0, np.ones(2))
    assert np.isfinite(score.per_neuron[1])
    assert np.isnan(score.mean)
    assert np.isnan(score.pooled)


def test_what_was_expected_of_a_neuron_that_stays_silent_counts_neither_for_nor_against():
    null = 100 * np.log(10.0) - 100
    for nats_of_silent in (-500.0, 0.0):
        score = bits_per_spike(
            np.array([null, nats_of_silent]), np.array([100, 0]), 10.0, np.array([10.0, 5.0])
        )
        assert score.pooled == score.mean == pytest.approx(0.0)
