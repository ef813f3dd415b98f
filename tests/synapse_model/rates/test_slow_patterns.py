import numpy as np
import pytest

from spikeweft.data.recording import Recording
from spikeweft.synapse_model.rates.shared_state import SharedState, smoothed
from spikeweft.synapse_model.rates.slow_patterns import PatternState, SlowPatterns, around
from spikeweft.synapse_model.rates.timeline import Timeline

STEP_S, HISTORY_S = 1e-3, 0.1


def test_a_neuron_does_not_see_itself(with_slow_patterns):
    """Spikes of one neuron are moved; the patterns that it sees stay, those of others do not."""
    one = with_slow_patterns(2)
    timeline = Timeline.of(one, STEP_S, HISTORY_S)
    patterns = SlowPatterns.of(timeline, one.rate_hz, 2)
    times_s = np.where(one.spike_neurons == 3, 150.0 - one.spike_times_s, one.spike_times_s)
    moved = Recording.from_arrays(
        times_s, one.spike_neurons, n_neurons=one.n_neurons, epochs_s=one.epochs_s
    )
    states = [
        PatternState(patterns, Timeline.of(each, STEP_S, HISTORY_S), around)
        for each in (one, moved)
    ]
    own, again = (state.without(3) for state in states)
    np.testing.assert_allclose(own, again, atol=1e-5)
    other, changed = (state.without(4) for state in states)
    assert np.abs(other - changed).max() > 0.05


def test_a_silent_neuron_changes_nothing_for_the_others(with_slow_patterns):
    found = []
    for each in (with_slow_patterns(2), with_slow_patterns(2).select(np.arange(20))):
        timeline = Timeline.of(each, STEP_S, HISTORY_S)
        patterns = SlowPatterns.of(timeline, each.rate_hz, 2)
        found.append(PatternState(patterns, timeline, around).without(0))
    np.testing.assert_allclose(*found, atol=1e-5)
    assert found[0].std() > 0.3


def test_the_patterns_that_neurons_see_are_those_that_were_simulated():
    """With known states: two waves, each of which half of the neurons follow, some inversely."""
    rng = np.random.default_rng(1)
    time_s = np.arange(100_000) * STEP_S
    waves = np.sin(2 * np.pi * time_s / 3.0), np.sin(2 * np.pi * time_s / 4.1)
    signs = np.where(np.arange(16) % 4 < 2, 1.0, -1.0)
    rates = [0.01 * np.exp(sign * waves[k % 2]) for k, sign in enumerate(signs)]
    fired = rng.uniform(size=(16, len(time_s))) < np.array(rates)
    neurons, steps = np.nonzero(fired)
    X = Recording.from_arrays(time_s[steps], neurons, epochs_s=np.array([[0.0, 100.0]]))
    timeline = Timeline.of(X, STEP_S, HISTORY_S)
    patterns = SlowPatterns.of(timeline, X.rate_hz, 2)
    seen = PatternState(patterns, timeline, around).without(0)[: len(time_s) // 5]
    for wave in waves:
        design = np.column_stack([seen, np.ones(len(seen))])
        told = design @ np.linalg.lstsq(design, wave[::5], rcond=None)[0]
        assert np.corrcoef(told, wave[::5])[0, 1] == pytest.approx(1.0, abs=0.1)


def test_what_all_share_is_flat_where_rates_are_constant_in_every_epoch():
    """Time between epochs is not silence, and one epoch says nothing of the next."""
    rng, n, n_epochs = np.random.default_rng(0), 20, 60
    epochs_s = np.array([[10.0 * k, 10.0 * k + 1.0] for k in range(n_epochs)])
    n_spikes = rng.poisson(20.0, (n_epochs, n))
    times_s = np.repeat(epochs_s[:, 0], n_spikes.sum(1)) + rng.uniform(0.0, 1.0, n_spikes.sum())
    neurons = np.concatenate([np.repeat(np.arange(n), each) for each in n_spikes])
    recording = Recording.from_arrays(times_s, neurons, epochs_s=epochs_s)
    timeline = Timeline.of(recording, 0.001, 0.0)
    bins = timeline.first_steps[:, None] // timeline.steps_per_bin + np.arange(200)
    state = SharedState.of(timeline, (0.2,)).without(timeline, 0)[bins, 0]
    patterns = SlowPatterns.of(timeline, recording.rate_hz, 1)
    said = PatternState(patterns, timeline, around).without(1)[bins, 0]
    for values in (state, said):
        over_epoch = values.mean(0)
        assert np.ptp(over_epoch) < 0.5 * values.std()
    burst = np.concatenate([recording.spike_times_s, 10.0 + rng.uniform(0.0, 0.1, 500)])
    loud = Recording.from_arrays(
        burst, np.concatenate([recording.spike_neurons, rng.integers(0, n, 500)]), epochs_s=epochs_s
    )
    before, after = (
        smoothed(Timeline.of(one, 0.001, 0.0).binned(3).astype(float), 40.0)[bins[0]]
        for one in (recording, loud)
    )
    np.testing.assert_array_equal(before, after)
