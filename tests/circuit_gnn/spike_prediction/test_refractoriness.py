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

WINDOW_S = 0.05
RATES_HZ, DEAD_S = np.array([40.0, 40.0, 1.0]), np.array([0.003, 0.0, 0.0])


def recorded(seconds=100.0, seed=0, epochs_s=None, n_wrong=0):
    """Three neurons, the first of which does not fire for 3 ms, but for spikes of another unit."""
    rng = np.random.default_rng(seed)
    trains = []
    for of_neuron_hz, dead_s in zip(RATES_HZ, DEAD_S, strict=True):
        intervals_s = dead_s + rng.exponential(
            1.0 / of_neuron_hz, int(1.5 * of_neuron_hz * seconds)
        )
        times_s = np.cumsum(intervals_s)
        trains.append(times_s[times_s < seconds])
    trains[0] = np.sort(np.append(trains[0], rng.uniform(0.0, seconds, n_wrong)))
    whole = Recording.from_arrays(
        np.round(np.concatenate(trains), 4),
        np.repeat(np.arange(3), [len(train) for train in trains]),
        n_neurons=3,
        epochs_s=np.array([[0.0, seconds]]),
        time_resolution_s=1e-4,
    )
    return whole if epochs_s is None else whole.restrict(np.array(epochs_s))


def marked(recording, refractoriness):
    """Traces without and with dead times."""
    named = {
        "kernel": KERNEL,
        "history_window_s": WINDOW_S,
        "rng": np.random.default_rng(0),
        "evenly": True,
    }
    plain = synaptic_traces(recording, **named)
    named["rng"] = np.random.default_rng(0)
    some = synaptic_traces(recording, **named, without=refractoriness.holds_at_spikes(recording))
    return plain, refractoriness.mark(some, recording)


@pytest.mark.parametrize("n_wrong", [0, 40])
def test_a_dead_time_is_what_short_intervals_show(n_wrong):
    """Also where one spike in a hundred is another unit's; none if a neuron fires at any time."""
    for seed in range(5):
        found = Refractoriness.of(recorded(seed=seed, n_wrong=n_wrong))
        assert found.dead_time_s[0] == pytest.approx(0.003, abs=3e-4)
        assert n_wrong / 100.0 - 0.1 < found.rate_hz[0] < n_wrong / 10.0 + 0.5
        np.testing.assert_array_equal(found.dead_time_s[1], 0.0)
    assert Refractoriness.of(recorded().select(np.array([1]))) is None


def test_intervals_across_a_gap_are_none():
    """Epochs of less than two spikes show nothing."""
    pieces = [[10.0 * k, 10.0 * k + 1e-3] for k in range(10)]
    assert Refractoriness.of(recorded(epochs_s=pieces)) is None


def test_hardly_anybody_fires_in_dead_time():
    """The rate is constant there, of that neuron only, and as the drive says elsewhere."""
    recording = recorded()
    found = Refractoriness(dead_time_s=DEAD_S, rate_hz=np.array([0.3, 0.0, 0.0]))
    plain, dead = marked(recording, found)
    values = start(plain, EXPONENTIAL).values
    before, after = (rate_hz(traces, values, EXPONENTIAL) for traces in (plain, dead))
    fired_s = recording.spike_times_s[recording.spike_neurons == 0]
    since_s = plain.times_s - fired_s[np.searchsorted(fired_s, plain.times_s - 5e-5) - 1]
    just_fired = (since_s > 5e-5) & (since_s < 0.003 - 5e-5)
    assert just_fired.mean() == pytest.approx(0.1, abs=0.03)
    np.testing.assert_allclose(after[just_fired, 0], 0.3)
    is_now = dead.dead_time.is_now
    np.testing.assert_array_equal(after[~is_now], before[~is_now])
    assert not is_now[:, 1:].any()


def test_the_likelihood_in_dead_time_is_that_of_its_constant_rate():
    """Of the spikes there too; all others have the features that they had."""
    recording = recorded(n_wrong=40)
    found = Refractoriness.of(recording)
    plain, dead = marked(recording, found)
    n_dead = dead.dead_time.n_spikes
    assert n_dead[0] > 5
    np.testing.assert_array_equal(plain.n_spikes - dead.n_spikes, n_dead)
    kept = np.isin(plain.spike_times_s[: plain.offsets[1]], dead.spike_times_s[: dead.offsets[1]])
    np.testing.assert_array_equal(
        plain.at_spikes[: plain.offsets[1]][kept], dead.at_spikes[: dead.offsets[1]]
    )
    values, lasts_s = start(plain, EXPONENTIAL).values, plain.weight_s @ dead.dead_time.is_now
    nats = [log_likelihood(traces, values, EXPONENTIAL) for traces in (plain, dead)]
    rates = rate_hz(plain, values, EXPONENTIAL)[0]  # without connections they are constant
    gained = n_dead[0] * np.log(found.rate_hz[0] / rates[0])
    gained -= (found.rate_hz[0] - rates[0]) * lasts_s[0]
    assert nats[1][0] - nats[0][0] == pytest.approx(gained, rel=1e-3)
    np.testing.assert_allclose(nats[1][1:], nats[0][1:])


def test_what_would_be_expected_in_dead_time_counts_nowhere():
    """The slope of the likelihood lacks it."""
    recording = recorded()
    plain, dead = marked(recording, Refractoriness.of(recording))
    values = start(plain, EXPONENTIAL).values
    before, after = (likelihood_derivatives(one, values, EXPONENTIAL) for one in (plain, dead))
    away = plain.weight_s * rate_hz(plain, values, EXPONENTIAL)[:, 0] * dead.dead_time.is_now[:, 0]
    slope = after.gradient[0, :3] - before.gradient[0, :3]
    np.testing.assert_allclose(slope, away @ plain.at_times[:, :3], rtol=5e-3)
    np.testing.assert_array_equal(after.gradient[1:], before.gradient[1:])


def test_dead_times_follow_their_neurons():
    recording, order = recorded(), np.array([2, 0, 1])
    found = Refractoriness.of(recording).in_order(order)
    again = Refractoriness.of(recording.select(order))
    np.testing.assert_array_equal(found.dead_time_s, again.dead_time_s)
    np.testing.assert_array_equal(found.rate_hz, again.rate_hz)


def test_a_spike_at_the_border_of_scored_time_is_in_nobodys_dead_time():
    """Of a neuron without one: one rule says what is scored."""
    recording = recorded()
    found = Refractoriness.of(recording)
    for steps in np.linspace(-1.5, 1.5, 13):
        moved = Recording.from_arrays(
            np.append(recording.spike_times_s, WINDOW_S + 1e-4 * steps),
            np.append(recording.spike_neurons, 1),
            epochs_s=recording.epochs_s,
            time_resolution_s=1e-4,
        )
        _, dead = marked(moved, found)
        np.testing.assert_array_equal(dead.dead_time.n_spikes[1:], 0)
        assert np.all(
            np.isfinite(log_likelihood(dead, start(dead, EXPONENTIAL).values, EXPONENTIAL))
        )


def test_what_is_climbed_is_what_lies_outside_dead_time():
    """The whole is that, and the spikes in dead time at their constant rate."""
    recording = recorded(n_wrong=40)
    _, dead = marked(recording, Refractoriness.of(recording))
    values = start(dead, EXPONENTIAL).values
    climbed = likelihood_derivatives(dead, values, EXPONENTIAL).log_likelihood
    driven = log_likelihood(dead, values, EXPONENTIAL, in_dead_time=False)
    np.testing.assert_allclose(climbed, driven, rtol=1e-6)
    in_dead_time = dead.dead_time.log_likelihood(dead.weight_s)
    assert abs(in_dead_time[0]) > 10.0
    whole = log_likelihood(dead, values, EXPONENTIAL)
    np.testing.assert_allclose(whole, driven + in_dead_time)
