from dataclasses import replace

import numpy as np
import pytest

from spikeweft.data.recording import Recording
from spikeweft.synapse_model.rates.neuron_rate import NeuronRate, RateParameters
from spikeweft.synapse_model.rates.own_history import OwnHistory
from spikeweft.synapse_model.rates.shared_state import SharedState
from spikeweft.synapse_model.rates.timeline import Timeline

STEP_S, HISTORY_S = 0.001, 0.1


def recording(seed=0, n_neurons=4, epochs_s=((0.0, 20.0),)):
    rng = np.random.default_rng(seed)
    epochs = np.array(epochs_s)
    times_s = np.sort(rng.uniform(epochs[0, 0], epochs[-1, 1], 2000))
    return Recording.from_arrays(
        np.round(times_s, 3),
        rng.integers(0, n_neurons, 2000),
        n_neurons=n_neurons,
        epochs_s=epochs,
        time_resolution_s=STEP_S,
    )


def rate_of(neuron=1, sent=None, n_inputs=0, **kwargs):
    timeline = Timeline.of(recording(**kwargs), STEP_S, HISTORY_S)
    state = SharedState.of(timeline, (0.02, 0.1)).without(timeline, neuron)
    inputs = np.random.default_rng(4).standard_normal((n_inputs, timeline.n_steps), np.float32)
    rate = NeuronRate(timeline, neuron, state, OwnHistory.of(STEP_S), sent, inputs)
    return rate, timeline, state


def some_parameters(n_pieces, rng):
    return RateParameters(-3.0, 0.3 * rng.standard_normal(2), 0.3 * rng.standard_normal(n_pieces))


def test_the_rate_is_that_of_the_plain_sum():
    rate, timeline, state = rate_of()
    own = OwnHistory.of(STEP_S)
    parameters = some_parameters(own.n_pieces, np.random.default_rng(1))
    log_rate = parameters.baseline + np.repeat(state @ parameters.gains, timeline.steps_per_bin)
    filter_ = own.filter(parameters.history)
    for spike in timeline.trains[1]:
        for lag, value in enumerate(filter_, start=1):
            if spike + lag < timeline.n_steps:
                log_rate[spike + lag] += value
    plain = np.where(timeline.scored, np.exp(np.minimum(log_rate, 3.0)), 0.0)
    np.testing.assert_allclose(rate.follow(parameters), plain, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("n_inputs", [0, 3])
def test_gradient_and_information_are_those_of_the_likelihood(n_inputs):
    rate, _, _ = rate_of(n_inputs=n_inputs)
    rng = np.random.default_rng(2)
    parameters = some_parameters(OwnHistory.of(STEP_S).n_pieces, rng)
    vector = np.concatenate([[parameters.baseline], *parameters[1:3], np.full(n_inputs, 0.2)])

    def at(values):
        rate.follow(rate._as_parameters(values))
        return rate.log_likelihood()

    at(vector)
    gradient, information = rate._derivatives()
    direction = rng.standard_normal(len(vector))
    direction /= np.linalg.norm(direction)
    h = 0.02
    below, here, above = at(vector - h * direction), at(vector), at(vector + h * direction)
    assert (above - below) / (2 * h) == pytest.approx(gradient @ direction, rel=0.02)
    assert (2 * here - above - below) / h**2 == pytest.approx(
        direction @ information @ direction, rel=0.1
    )


def test_a_fit_finds_a_refractory_period():
    rng = np.random.default_rng(3)
    intervals_s = 0.01 + rng.exponential(0.04, 4000)
    times_s = np.round(np.cumsum(intervals_s), 3)
    other = np.sort(np.round(rng.uniform(0, times_s[-1], 1000), 3))
    two = Recording.from_arrays(
        np.concatenate([times_s, other]),
        np.concatenate([np.zeros(len(times_s), int), np.ones(len(other), int)]),
        time_resolution_s=STEP_S,
    )
    timeline = Timeline.of(two, STEP_S, HISTORY_S)
    state = SharedState.of(timeline, (0.05,)).without(timeline, 0)
    rate = NeuronRate(timeline, 0, state, OwnHistory.of(STEP_S))
    found = rate.fit(rate.start(), 15)
    filter_ = OwnHistory.of(STEP_S).filter(found.history)
    assert np.all(filter_[:7] < -1.5)
    np.testing.assert_allclose(filter_[15:25], 0.0, atol=0.25)
    assert np.exp(found.baseline) == pytest.approx(STEP_S / 0.04, rel=0.2)


def test_lags_do_not_lead_from_one_epoch_to_another():
    timeline = Timeline.of(recording(epochs_s=((0.0, 5.0), (5.01, 20.0))), STEP_S, HISTORY_S)
    train = np.sort(np.concatenate(timeline.trains))
    gap = np.diff(train)[np.searchsorted(train, 5000) - 1]
    assert gap >= 300
    assert timeline.scored.sum() == 20_000 - 10 - 2 * 100
    assert not timeline.scored[:100].any()


def test_a_state_does_not_contain_the_neuron_itself():
    with_spikes = recording()
    keep = with_spikes.spike_neurons != 2
    without = Recording.from_arrays(
        with_spikes.spike_times_s[keep],
        with_spikes.spike_neurons[keep],
        n_neurons=4,
        epochs_s=with_spikes.epochs_s,
        time_resolution_s=STEP_S,
    )
    states = []
    for one in (with_spikes, without):
        timeline = Timeline.of(one, STEP_S, HISTORY_S)
        states.append(SharedState.of(timeline, (0.05,)).without(timeline, 2))
    np.testing.assert_allclose(states[0], states[1], atol=1e-4)


def test_the_information_is_the_same_by_spikes_and_by_steps():
    rate, _, _ = rate_of()
    rate.follow(some_parameters(OwnHistory.of(STEP_S).n_pieces, np.random.default_rng(2)))
    np.testing.assert_allclose(rate._by_steps(), rate._by_spikes(), rtol=1e-4, atol=1e-3)


def test_gains_of_inputs_are_found_where_spikes_speak_for_them():
    timeline = Timeline.of(recording(), STEP_S, HISTORY_S)
    rng = np.random.default_rng(4)
    inputs = 0.5 * rng.standard_normal((2, timeline.n_steps)).astype(np.float32)
    log_rate = np.log(0.05) + np.array([1.5, -0.5]) @ inputs
    spikes = np.flatnonzero(timeline.scored & (rng.uniform(size=len(log_rate)) < np.exp(log_rate)))
    driven = replace(timeline, trains=(spikes, *timeline.trains[1:]))
    state = SharedState.of(driven, ()).without(driven, 0)
    rate = NeuronRate(driven, 0, state, OwnHistory.of(STEP_S), inputs=inputs)
    found = rate.fit(rate.start(), 15)
    np.testing.assert_allclose(found.input_gains, [1.5, -0.5], atol=0.2)
    np.testing.assert_allclose(found.history, 0.0, atol=1.0)
