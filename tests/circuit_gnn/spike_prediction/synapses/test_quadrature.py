"""Quadrature times: no time is lost, and the integral is as exact as it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeweft.circuit_gnn.spike_prediction.synapses.quadrature import (
    FINEST_STEP_S,
    even_times,
    n_quadrature_times,
    times_by_activity,
)
from spikeweft.data.recording import Recording

TIME_STEP_S = 1e-4


def spikes(rate_hz, duration_s, n_neurons=1, seed=0):
    """Time steps, in order, and neurons of independent spikes."""
    rng = np.random.default_rng(seed)
    n_steps = round(duration_s / TIME_STEP_S)
    steps = np.sort(rng.integers(0, n_steps, rng.poisson(n_neurons * rate_hz * duration_s)))
    return steps, rng.integers(0, n_neurons, len(steps))


def test_of_even_times_each_is_drawn_from_its_millisecond():
    """One per millisecond, and not always at its start."""
    times, lengths = even_times(np.array([[1000, 11000]]), 10, np.random.default_rng(0))
    np.testing.assert_array_equal(times // 10, np.arange(100, 1100))
    np.testing.assert_array_equal(lengths, 10)
    assert len(set(times % 10)) == 10


@given(
    gaps=st.lists(st.tuples(st.integers(1, 300), st.integers(1, 900)), min_size=1, max_size=6),
    rate_hz=st.sampled_from([0.0, 1.0, 50.0, 3000.0]),
    seed=st.integers(0, 99),
)
def test_every_scored_step_belongs_to_one_time_of_its_own_epoch(gaps, rate_hz, seed):
    edges = np.cumsum(np.ravel(gaps))
    scored = edges.reshape(-1, 2)
    steps, neurons = spikes(rate_hz, edges[-1] * TIME_STEP_S, seed=seed)
    inside = (np.searchsorted(edges, steps, "right") % 2) == 1
    rng = np.random.default_rng(seed)
    times, lengths = times_by_activity(scored, steps[inside], neurons[inside], TIME_STEP_S, rng)
    ends = np.cumsum(lengths)
    before = np.cumsum(scored[:, 1] - scored[:, 0])
    assert ends[-1] == before[-1]
    assert set(before) <= set(ends), "no stretch goes on in the next epoch"
    epoch = np.searchsorted(before, ends - lengths, "right")
    offset = ends - lengths - np.append(0, before)[epoch]
    within = times - scored[epoch, 0] - offset
    assert np.all((within >= 0) & (within < lengths))


def test_of_no_scored_time_there_are_no_times():
    none = np.empty(0, int)
    for scored in (np.empty((0, 2), int), np.array([[5, 5]])):
        times, lengths = times_by_activity(
            scored, none, none, TIME_STEP_S, np.random.default_rng(0)
        )
        assert len(times) == len(lengths) == 0


def test_there_are_more_times_where_more_spikes_are():
    """In a second of bursts more than in one without."""
    steps, neurons = spikes(5.0, 100.0)
    burst = np.arange(500_000, 510_000, 20)
    steps = np.sort(np.append(steps, burst))
    neurons = np.zeros(len(steps), int)
    scored, rng = np.array([[0, 1_000_000]]), np.random.default_rng(0)
    times, _ = times_by_activity(scored, steps, neurons, TIME_STEP_S, rng)
    in_burst = np.count_nonzero((times >= 500_000) & (times < 510_000))
    assert in_burst > 3 * len(times) / 100
    assert in_burst <= 1.0 / FINEST_STEP_S + 1


@pytest.mark.parametrize("tau_s", [0.002, 0.01])
@pytest.mark.parametrize("rate_hz", [0.5, 5.0, 60.0])
def test_a_quiet_recording_costs_what_its_spikes_cost(rate_hz, tau_s):
    """Fewer than one a millisecond, and as many as foretold, where there are bursts too."""
    steps, neurons = spikes(rate_hz, 200.0, n_neurons=20)
    burst = np.arange(500_000, 510_000, 20)
    order = np.argsort(np.append(steps, burst), kind="stable")
    steps = np.append(steps, burst)[order]
    neurons = np.append(neurons, burst % 20)[order]
    scored, rng = np.array([[0, 2_000_000]]), np.random.default_rng(0)
    times, _ = times_by_activity(scored, steps, neurons, TIME_STEP_S, rng, tau_s)
    recording = Recording.from_arrays(
        steps * TIME_STEP_S, neurons, n_neurons=20, epochs_s=np.array([[0.0, 200.0]])
    )
    foretold = n_quadrature_times(recording, evenly=False, tau_s=tau_s)
    assert 0.95 * foretold < len(times) < 1.05 * foretold
    assert len(times) < n_quadrature_times(recording, evenly=True)


@pytest.mark.parametrize("rate_hz", [5.0, 60.0])
def test_the_integral_adds_little_to_what_the_spikes_leave_open(rate_hz):
    """Its scatter is below a tenth of that of the number of spikes.

    The rate is that of a neuron that shots of rate, filtered by a synapse of 10 ms, drive.
    """
    duration_s, tau = 50.0, 1e-2 / TIME_STEP_S
    n_steps = round(duration_s / TIME_STEP_S)
    steps, neurons = spikes(rate_hz, duration_s, n_neurons=20)
    shots = np.bincount(steps[neurons < 10], minlength=n_steps)
    rate, trace = np.empty(n_steps), 0.0
    for t in range(n_steps):
        trace = trace * np.exp(-1 / tau) + shots[t]
        rate[t] = trace
    rate *= rate_hz / rate.mean()
    scored = np.array([[0, n_steps]])
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        times, lengths = times_by_activity(scored, steps, neurons, TIME_STEP_S, rng)
        found.append(np.sum(rate[times] * lengths) * TIME_STEP_S)
    assert abs(np.mean(found) - rate.mean() * duration_s) < 4 * np.std(found) / np.sqrt(40)
    assert np.std(found) < 0.1 * np.sqrt(rate_hz * duration_s)
