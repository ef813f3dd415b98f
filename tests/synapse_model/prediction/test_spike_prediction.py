from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.synapse_model.prediction.past_state import PastState
from spikeweft.synapse_model.prediction.spike_prediction import SpikePrediction
from spikeweft.synapse_model.prediction.time_scales import choose_time_scales
from spikeweft.synapse_model.rates.neuron_rate import RateParameters
from spikeweft.synapse_model.rates.own_history import OwnHistory
from spikeweft.synapse_model.rates.shared_state import FLOOR
from spikeweft.synapse_model.rates.slow_patterns import WIDTH_S, SlowPatterns
from spikeweft.synapse_model.rates.timeline import Timeline

STEP_S, HISTORY_S, BIN_S, FRAME_S = 0.001, 0.1, 0.005, 0.05
EPOCHS_S = np.array([[0.0, 3.0], [3.2, 6.0004]])


@cache
def recording(seed=0, n_neurons=4, n_spikes=200):
    rng = np.random.default_rng(seed)
    return Recording.from_arrays(
        np.round(np.sort(rng.uniform(0.0, 6.0, n_spikes)), 4),
        rng.integers(0, n_neurons, n_spikes),
        n_neurons=n_neurons,
        epochs_s=EPOCHS_S,
        time_resolution_s=1e-4,
    )


@cache
def prediction():
    """A model with parameters that were drawn, for four neurons."""
    rng, n_pieces = np.random.default_rng(1), OwnHistory.of(STEP_S).n_pieces
    kernels = 0.3 * rng.standard_normal((4, 4, 1)) * np.exp(-np.arange(40) / 10)
    kernels[2, 1] = 0.0
    return SpikePrediction(
        step_s=STEP_S,
        time_constants_s=np.array([0.02, 0.2]),
        rate_hz=recording().rate_hz,
        kernels=kernels,
        patterns=SlowPatterns(
            loadings=np.array([[0.6, 0.1], [-0.4, 0.3], [0.0, 0.5], [0.2, -0.2]]),
            noise_variance=np.array([0.5, 0.3, 0.6, 0.4]),
            mean_log=np.array([0.1, 0.0, -0.1, 0.2]),
            rate_hz=recording().rate_hz,
        ),
        parameters=tuple(
            RateParameters(
                -4.0 + 0.3 * i,
                0.3 * rng.standard_normal(4),
                0.2 * rng.standard_normal(n_pieces),
                np.array([1.2, 0.7]),
            )
            for i in range(4)
        ),
    )


def plain_log_rate(model, X, neuron, step, start_s):
    """Log rate of a neuron in Hz in a step of an epoch, from the spikes before it in the epoch."""
    steps = np.floor((X.spike_times_s - start_s) / STEP_S + 1e-6).astype(int)
    in_epoch = (X.spike_times_s >= start_s) & (X.spike_times_s < start_s + 3.1)
    parameters = model.parameters[neuron]
    found = parameters.baseline - np.log(STEP_S)
    history = OwnHistory.of(STEP_S).filter(parameters.history)
    others = model.rate_hz.sum() - model.rate_hz[neuron]
    for gain, tau_s in zip(parameters.gains[:2], model.time_constants_s, strict=True):
        this_bin, decay = step // 5, np.exp(-BIN_S / tau_s)
        mean = others * BIN_S * decay**this_bin
        for spike in steps[in_epoch & (X.spike_neurons != neuron)]:
            if spike // 5 < this_bin:
                mean += (1 - decay) * decay ** (this_bin - 1 - spike // 5)
        found += gain * np.log(mean / (others * BIN_S) + FLOOR)
    found += parameters.gains[2:] @ plain_patterns(model, X, neuron, step // 50, start_s)
    for spike, pre in zip(steps[in_epoch], X.spike_neurons[in_epoch], strict=True):
        lag = step - spike
        if pre == neuron and 1 <= lag <= len(history):
            found += history[lag - 1]
        if pre != neuron and 1 <= lag <= 40:
            kernel = model.kernels[neuron, pre]
            found += parameters.input_gains[int(kernel.sum() < 0)] * kernel[lag - 1]
    return found


def plain_patterns(model, X, neuron, frame, start_s):
    """Posterior mean of the patterns in a frame of 50 ms of an epoch, given what others did."""
    fitted, decay = model.patterns, np.exp(-FRAME_S / WIDTH_S)
    others = [j for j in range(X.n_neurons) if j != neuron]
    log_rates = []
    for other in others:
        of_other = X.spike_times_s[X.spike_neurons == other] - start_s
        edges = np.arange(frame + 1) * FRAME_S - 1e-6
        mean = fitted.rate_hz[other] * FRAME_S
        past = mean
        for count in np.histogram(of_other, edges)[0] if frame > 0 else []:
            past = decay * past + (1 - decay) * count
        log_rates.append(np.log(past / mean + FLOOR) - fitted.mean_log[other])
    loadings, noise = fitted.loadings[others], np.diag(fitted.noise_variance[others])
    # The other form of the posterior mean: covariance with what is seen, times its inverse.
    return loadings.T @ np.linalg.solve(loadings @ loadings.T + noise, np.array(log_rates))


def plain_log_likelihood(model, X, neuron):
    """Σ log λ(t_spike) - ∫λ dt, step by step."""
    found = 0.0
    for start_s, (scored_s, stop_s) in zip(
        X.epochs_s[:, 0], scored_epochs(X, HISTORY_S), strict=True
    ):
        for step in range(int(np.ceil((stop_s - start_s) / STEP_S - 1e-6))):
            begin_s = start_s + step * STEP_S
            exposed_s = min(begin_s + STEP_S, stop_s) - max(begin_s, scored_s)
            if exposed_s > 1e-9:
                found -= exposed_s * np.exp(plain_log_rate(model, X, neuron, step, start_s))
        of_neuron = X.spike_times_s[X.spike_neurons == neuron]
        for time_s in of_neuron[(of_neuron >= scored_s) & (of_neuron < stop_s)]:
            step = int(np.floor((time_s - start_s) / STEP_S + 1e-6))
            found += plain_log_rate(model, X, neuron, step, start_s)
    return found


def test_the_likelihood_is_that_of_the_plain_model():
    fast = prediction().log_likelihood(recording(), HISTORY_S)
    for neuron in (0, 2):
        plain = plain_log_likelihood(prediction(), recording(), neuron)
        assert fast[neuron] == pytest.approx(plain, rel=1e-4)


def test_expected_counts_sum_to_the_integral_of_the_rate():
    model, X = prediction(), recording()
    for bin_s in (0.01, 0.0073):
        expected = model.expected_counts(X, bin_s)
        assert expected.shape == X.counts(bin_s).counts.shape
        again = model.expected_counts(X, 0.0502)
        np.testing.assert_allclose(expected.sum(0), again.sum(0), rtol=1e-6)


def test_no_prediction_knows_the_future():
    """Spikes after a time are others; what is expected before it stays."""
    X, model = recording(), prediction()
    early = X.spike_times_s < 4.5
    other = recording(seed=7)
    late = other.spike_times_s >= 4.5
    changed = replace(
        X,
        spike_times_s=np.concatenate([X.spike_times_s[early], other.spike_times_s[late]]),
        spike_neurons=np.concatenate([X.spike_neurons[early], other.spike_neurons[late]]),
    )
    bins = X.counts(0.01)
    before = bins.start_s + bins.exposure_s <= 4.5 + 1e-9
    one, two = (model.expected_counts(recording, 0.01) for recording in (X, changed))
    np.testing.assert_array_equal(one[before], two[before])
    assert np.abs(one[~before] - two[~before]).max() > 0.01


def test_the_past_of_an_epoch_begins_with_it():
    timeline = Timeline.of(recording(), STEP_S, HISTORY_S)
    state = PastState.of(timeline, np.array([5.0]), recording().rate_hz).without(timeline, 1)
    first_bins = timeline.first_steps // timeline.steps_per_bin
    np.testing.assert_allclose(state[first_bins], np.log(1.0 + FLOOR), rtol=1e-5)


def population(gain, seed=0, duration_s=60.0, n_neurons=8):
    """Poisson neurons, all with the same slowly changing log rate times a gain."""
    rng = np.random.default_rng(seed)
    steps = np.arange(round(duration_s / STEP_S))
    shared = np.sin(2 * np.pi * steps * STEP_S / 0.9)
    rate = 8.0 * STEP_S * np.exp(gain * shared)
    trains = [np.flatnonzero(rng.uniform(size=len(steps)) < rate) for _ in range(n_neurons)]
    times_s = np.concatenate(trains) * STEP_S
    return Recording.from_arrays(
        times_s,
        np.repeat(np.arange(n_neurons), [len(train) for train in trains]),
        epochs_s=np.array([[0.0, duration_s]]),
        time_resolution_s=STEP_S,
    )


def chosen_for(X):
    n_pieces = OwnHistory.of(STEP_S).n_pieces
    flat = RateParameters(np.log(8.0 * STEP_S), np.zeros(0), np.zeros(n_pieces))
    model = SpikePrediction(
        step_s=STEP_S,
        time_constants_s=np.zeros(0),
        rate_hz=X.rate_hz,
        kernels=np.zeros((X.n_neurons, X.n_neurons, 40)),
        patterns=SlowPatterns.none(X.n_neurons),
    )
    return choose_time_scales(model, X, HISTORY_S, [flat] * X.n_neurons)


def test_time_scales_are_chosen_where_neurons_share_a_state():
    chosen = chosen_for(population(1.0))
    assert len(chosen.prediction.time_constants_s) > 0
    assert chosen.held_out_bits_per_spike > 0.1


def test_a_state_that_does_not_change_predicts_nothing():
    chosen = chosen_for(population(0.0))
    assert abs(chosen.held_out_bits_per_spike) < 0.02
