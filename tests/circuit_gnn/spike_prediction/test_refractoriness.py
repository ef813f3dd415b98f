import numpy as np
import pytest
from tests.circuit_gnn.spike_prediction.conftest import EXPONENTIAL, KERNEL, start

from spikeweft.circuit_gnn.spike_prediction.likelihood import (
    likelihood_derivatives,
    log_likelihood,
    rate_hz,
)
from spikeweft.circuit_gnn.spike_prediction.refractoriness import Refractoriness
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import synaptic_traces
from spikeweft.data.recording import Recording

RATES_HZ, DEAD_S = np.array([40.0, 40.0, 1.0]), np.array([0.003, 0.0, 0.0])


def recorded(seconds=100.0, seed=0, epochs_s=None):
    """Three neurons, the first of which does not fire for 3 ms after a spike."""
    rng = np.random.default_rng(seed)
    trains = []
    for rate_hz_, dead_s in zip(RATES_HZ, DEAD_S, strict=True):
        intervals_s = dead_s + rng.exponential(1.0 / rate_hz_, int(1.5 * rate_hz_ * seconds))
        times_s = np.cumsum(intervals_s)
        trains.append(times_s[times_s < seconds])
    whole = Recording.from_arrays(
        np.round(np.concatenate(trains), 4),
        np.repeat(np.arange(3), [len(train) for train in trains]),
        n_neurons=3,
        epochs_s=np.array([[0.0, seconds]]),
        time_resolution_s=1e-4,
    )
    return whole if epochs_s is None else whole.restrict(np.array(epochs_s))


def marked(recording, refractoriness):
    traces = synaptic_traces(
        recording, kernel=KERNEL, history_window_s=0.05, rng=np.random.default_rng(0), evenly=True
    )
    return traces, refractoriness.mark(traces, recording)


def test_a_dead_time_is_what_the_shortest_interval_shows():
    """A little shorter, as chance has it; none of a neuron that may fire at any time."""
    for seed in range(5):
        found = Refractoriness.of(recorded(seed=seed))
        assert found.dead_time_s[0] == pytest.approx(0.003, abs=2e-4)
        np.testing.assert_array_equal(found.dead_time_s[1], 0.0)
        assert np.all(found.exception < 0.2)
    assert Refractoriness.of(recorded().select(np.array([1]))) is None


def test_intervals_across_a_gap_are_none():
    """Epochs of less than two spikes show nothing."""
    pieces = [[10.0 * k, 10.0 * k + 1e-3] for k in range(10)]
    assert Refractoriness.of(recorded(epochs_s=pieces)) is None


def test_nobody_fires_in_dead_time():
    """The rate is zero there, of that neuron only, and as the drive says elsewhere."""
    recording = recorded()
    found = Refractoriness(dead_time_s=DEAD_S, exception=np.full(3, 0.01))
    plain, dead = marked(recording, found)
    values = start(plain, EXPONENTIAL).values
    before, after = (rate_hz(traces, values, EXPONENTIAL) for traces in (plain, dead))
    fired_s = recording.spike_times_s[recording.spike_neurons == 0]
    since_s = plain.times_s - fired_s[np.searchsorted(fired_s, plain.times_s - 5e-5) - 1]
    just_fired = (since_s > 5e-5) & (since_s < 0.003 - 5e-5)
    assert just_fired.mean() == pytest.approx(0.1, abs=0.03)
    np.testing.assert_allclose(after[just_fired, 0], 0.0, atol=1e-6)
    np.testing.assert_array_equal(after[~dead.is_dead], before[~dead.is_dead])
    assert not dead.is_dead[:, 1:].any()


def test_spikes_in_dead_time_are_as_unlikely_as_none_was_seen():
    """Once for each; a drive does not change what they cost."""
    recording = recorded()
    found = Refractoriness(dead_time_s=np.array([0.0, 0.003, 0.0]), exception=np.full(3, 0.01))
    plain, dead = marked(recording, found)
    fired_s = plain.spike_times_s[plain.offsets[1] : plain.offsets[2]]
    n_exceptions = np.count_nonzero(np.diff(fired_s) < 0.003)
    assert n_exceptions > 100
    values = start(plain, EXPONENTIAL).values
    exposure = -np.log(0.01) * n_exceptions
    gained_s = plain.weight_s @ dead.is_dead[:, 1]
    at_rate = log_likelihood(plain, values, EXPONENTIAL) - log_likelihood(dead, values, EXPONENTIAL)
    rates = rate_hz(plain, values, EXPONENTIAL)[0]
    assert at_rate[1] == pytest.approx(exposure - rates[1] * gained_s, rel=1e-3)
    np.testing.assert_allclose(at_rate[[0, 2]], 0.0, atol=1e-6)


def test_what_would_be_expected_in_dead_time_counts_nowhere():
    """The slope of the likelihood lacks it, and so does the likelihood itself."""
    recording = recorded()
    plain, dead = marked(recording, Refractoriness.of(recording))
    values = start(plain, EXPONENTIAL).values
    before, after = (likelihood_derivatives(one, values, EXPONENTIAL) for one in (plain, dead))
    away = plain.weight_s * rate_hz(plain, values, EXPONENTIAL)[:, 0] * dead.is_dead[:, 0]
    gained = (after.log_likelihood - before.log_likelihood)[0]
    assert gained == pytest.approx(away.sum(), rel=1e-3)
    slope = after.gradient[0, :3] - before.gradient[0, :3]
    np.testing.assert_allclose(slope, away @ plain.at_times[:, :3], rtol=5e-3)
    np.testing.assert_array_equal(after.gradient[1:], before.gradient[1:])


def test_dead_times_follow_their_neurons():
    recording, order = recorded(), np.array([2, 0, 1])
    found = Refractoriness.of(recording).in_order(order)
    again = Refractoriness.of(recording.select(order))
    np.testing.assert_array_equal(found.dead_time_s, again.dead_time_s)
    np.testing.assert_array_equal(found.exception, again.exception)
