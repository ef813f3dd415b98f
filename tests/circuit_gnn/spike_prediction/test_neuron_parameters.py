from dataclasses import replace

import numpy as np
import pytest
from tests.circuit_gnn.spike_prediction.conftest import (
    EXPONENTIAL,
    KERNEL,
    RECTIFIED,
    SCORING,
    N,
    converged,
    start,
)

from spikeweft.circuit_gnn.spike_prediction import neuron_parameters
from spikeweft.circuit_gnn.spike_prediction.likelihood import (
    LikelihoodDerivatives,
    rate_hz,
)
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import Estimate, evaluate
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import N_OWN, synaptic_traces
from spikeweft.data.recording import Recording
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.random_networks import DirectedWiring, RandomNetwork


def test_the_start_predicts_every_neurons_mean_rate(traces):
    for link in (RECTIFIED, EXPONENTIAL, Link(2.5, 1.0)):
        expected = traces.weight_s @ rate_hz(traces, start(traces, link).values, link)
        np.testing.assert_allclose(expected, traces.n_spikes, rtol=0.1)


def test_what_all_weights_of_a_neuron_share_has_no_prior(rectified):
    """A constant added to all weights of a neuron changes neither the penalty nor its slope."""
    weights = rectified.is_weight
    shifted = replace(rectified, values=rectified.values + np.where(weights, 0.7, 0.0))
    before = rectified.penalty(rectified.values)
    np.testing.assert_allclose(rectified.penalty(shifted.values), before, rtol=1e-9)
    np.testing.assert_allclose(shifted.prior_gradient, rectified.prior_gradient, atol=1e-9)
    np.testing.assert_allclose(
        np.sum(rectified.prior_gradient, axis=1, where=weights), 0.0, atol=1e-9
    )
    one = np.where(weights, 1.0, 0.0)
    prior = rectified.posterior_precision() - rectified.derivatives.information()
    np.testing.assert_allclose(np.einsum("ifg,ig->if", prior, one), 0.0, atol=1e-9)


def test_neurons_in_batches_have_what_they_have_together(traces, rectified, monkeypatch):
    """Steps, variances and evidence; four neurons and then two."""
    assert len(rectified.batches) == 1
    found = []
    for n_bytes in (neuron_parameters._BYTES_OF_BATCH, 4 * 8 * rectified.values.shape[1] ** 2):
        monkeypatch.setattr(neuron_parameters, "_BYTES_OF_BATCH", n_bytes)
        step = SCORING.step(traces, rectified).values
        found.append([step, rectified.weight_variance, rectified.log_evidence()])
    assert [len(range(N)[neurons]) for neurons in rectified.batches] == [4, 2]
    for together, in_batches in zip(*found, strict=True):
        np.testing.assert_array_equal(in_batches, together)


def test_the_prior_gradient_is_the_slope_of_the_penalty_and_the_curvature_its_second(rectified):
    """But for the bias, which is only held lightly where it steps."""
    rng = np.random.default_rng(0)
    prior = rectified.posterior_precision() - rectified.derivatives.information()
    away = rng.normal(size=rectified.values.shape)
    away[:, -1] = 0.0
    moved = [replace(rectified, values=rectified.values + s * away) for s in (1e-3, -1e-3)]
    ahead, behind = (rectified.penalty(fit.values) for fit in moved)
    slope = (ahead - behind) / 2e-3
    np.testing.assert_allclose(
        np.einsum("if,if->i", rectified.prior_gradient, away), slope, rtol=1e-6
    )
    bend = (moved[0].prior_gradient - moved[1].prior_gradient) / 2e-3
    np.testing.assert_allclose(np.einsum("ifg,ig->if", prior, away), bend, atol=1e-6)
    np.testing.assert_allclose(prior, prior.transpose(0, 2, 1))
    assert np.linalg.eigvalsh(prior).min() > -1e-6


def known_weights(n, spread, noise, rng):
    """Weights of n neurons, drawn around 1, as seen through a noise of known information."""
    rows = np.zeros((n, n + N_OWN + 1))
    rows[:, :n] = rng.normal(1.0, spread, (n, n)) + rng.normal(0, noise, (n, n))
    fisher = np.tile(np.eye(n + N_OWN + 1) / noise**2, (n, 1, 1)).astype(np.float32)
    known = LikelihoodDerivatives(
        n_spikes=np.ones(n, np.int64),
        log_likelihood=np.zeros(n),
        gradient=np.zeros_like(rows),
        fisher=fisher,
        expected=fisher,
        link_gradient=np.zeros((n, 2)),
        link_cross=np.zeros((n, n + N_OWN + 1, 2), np.float32),
        link_fisher=np.zeros((n, 2, 2), np.float32),
    )
    return Estimate(
        values=rows,
        link=RECTIFIED,
        precision=np.ones(n),
        history_mean=np.zeros(1 + N_OWN),
        history_precision=np.ones(1 + N_OWN),
        decides=np.ones(n, dtype=bool),
        derivatives=known,
        damping=np.ones(n),
        step_length=np.ones(n),
        n_sources=n,
    )


def shrunk(seen, precision, noise):
    """The weights that are likeliest under the prior: each is drawn to the mean of its neuron."""
    entries = seen.is_weight
    mean = np.sum(seen.values, axis=1, where=entries, keepdims=True) / (seen.n_sources - 1)
    drawn = mean + (seen.values - mean) / (1 + precision[:, None] * noise**2)
    rows = np.where(entries, drawn, seen.values)
    return replace(seen, values=rows, precision=precision)


@pytest.mark.parametrize(("spread", "noise"), [(0.5, 0.05), (0.5, 0.3), (2.0, 0.5)])
def test_the_prior_is_estimated_from_the_weights(spread, noise):
    """Weights that were shrunk by the prior still show the spread of the true weights."""
    found = []
    for seed in range(10):
        seen = known_weights(20, spread, noise, np.random.default_rng(seed))
        precision = np.full(20, 1e-2)
        for _ in range(30):
            precision = shrunk(seen, precision, noise).with_estimated_prior().precision
        found.append(precision[0] ** -0.5)
    np.testing.assert_allclose(np.mean(found), spread, rtol=0.05)


def test_no_spread_is_not_known_before_the_weights_have_moved(traces):
    """Where first steps fail and all weights are still zero, the prior must let them move later."""
    fit = start(traces, RECTIFIED)
    np.testing.assert_array_equal(fit.with_estimated_prior().precision, fit.precision)
    for _ in range(40):
        fit = SCORING.step(traces, fit)
        fit = fit.with_estimated_prior()
    assert np.std(fit.values[fit.is_weight]) > 0.05


def with_precision(fit, precision):
    """The same with another prior, one for all neurons or each its own."""
    return replace(fit, precision=np.broadcast_to(precision, (N,)).astype(float))


def test_a_wide_prior_leaves_the_variance_to_the_likelihood(rectified):
    wide, tight = (with_precision(rectified, p) for p in (1e-9, 1e9))
    information = np.einsum("iff->if", rectified.derivatives.information())[:, :N]
    off = ~np.eye(N, dtype=bool)
    assert np.all(wide.weight_variance > 0.99 / information)
    assert np.all(tight.weight_variance[off] < wide.weight_variance[off])


def test_spikes_determine_a_weight_as_far_as_they_outweigh_its_prior(rectified):
    """All of it under a wide prior, none of it under a tight one."""
    off = ~np.eye(N, dtype=bool)
    wide, fitted, tight = (
        with_precision(rectified, p).determined[off] for p in (1e-6, rectified.precision, 1e9)
    )
    assert wide.min() > 0.99
    assert tight.max() < 0.01
    assert np.all((tight <= fitted) & (fitted <= wide))


def test_the_prior_draws_weights_to_the_mean_of_their_neuron_and_leaves_the_mean_alone(traces):
    pulled, free = (converged(traces, RECTIFIED, 30, precision=np.full(N, p)) for p in (1e7, 1e-3))
    entries = pulled.is_weight
    mean = np.sum(pulled.values, axis=1, where=entries, keepdims=True) / (N - 1)
    distance = np.where(entries, pulled.values - mean, 0.0)
    assert np.abs(distance).max() < 1e-2
    assert np.std(mean) > 0.02, "each neuron has a mean of its own"
    assert np.std(free.values[entries]) > 0.2


def test_a_weight_of_which_spikes_say_nothing_is_like_those_of_which_they_do(traces):
    """Neuron 0 leaves no trace: what it sends is the mean of what the others send."""
    cut_off = replace(traces, at_spikes=traces.at_spikes.copy(), at_times=traces.at_times.copy())
    cut_off.at_spikes[:, 0] = 0.0
    cut_off.at_times[:, 0] = 0.0
    fit = converged(cut_off, RECTIFIED, 30)
    others = np.sum(fit.values[:, 1:N], axis=1, where=fit.is_weight[:, 1:N])[1:] / (N - 2)
    np.testing.assert_allclose(fit.values[1:, 0], others, atol=0.01)
    assert np.all(fit.determined[1:, 0] < 0.5)
    assert np.all(fit.determined[1:, 0] < fit.determined[1:, 1:].max(axis=1))


def test_covariates_are_no_weights(traces):
    fit = start(traces, RECTIFIED)
    entries = fit.is_weight
    assert not entries[np.arange(N), np.arange(N)].any()
    assert not entries[:, N:].any()
    assert entries.sum() == N * (N - 1)


def test_nothing_is_known_of_what_a_silent_neuron_receives():
    """Its prior leaves the mean of its weights open, so its curvature has no inverse."""
    wiring = DirectedWiring(connection_probability=0.4, weight_sd=1e-3)
    network = RandomNetwork(neuron=LNPNeuron(threshold=9e-4), wiring=wiring, n_neurons=N)
    recording = replace(
        simulate(network, 10.0, np.random.default_rng(0)), n_neurons=N + 1, neuron_ids=()
    )
    rng = np.random.default_rng(0)
    traces = synaptic_traces(recording, kernel=KERNEL, history_window_s=0.1, rng=rng)
    fit = converged(traces, RECTIFIED, n_steps=10)
    variance = fit.weight_variance
    assert np.all(np.isinf(variance[N]))
    assert np.all(np.isfinite(variance[:N]))
    assert np.all(variance[:N] > 0)
    np.testing.assert_array_equal(fit.determined[N], 0.0)


def test_nothing_is_known_of_what_a_neuron_receives_that_is_never_active_with_another():
    """One neuron fires, seconds apart: no trace is left at its next spike."""
    recording = Recording.from_arrays(
        np.arange(7.0),
        np.full(7, N - 1),
        n_neurons=N,
        epochs_s=np.array([[0.0, 6.0]]),
        time_resolution_s=1e-4,
    )
    rng = np.random.default_rng(0)
    traces = synaptic_traces(recording, kernel=KERNEL, history_window_s=0.1, rng=rng)
    fit = converged(traces, RECTIFIED, n_steps=2)
    assert np.all(np.isinf(fit.weight_variance[: N - 1]))
    np.testing.assert_array_equal(fit.determined[~np.eye(N, dtype=bool)], 0.0)


# -- the prior of own history --


def with_history(n, spread, noise, rng):
    """History of n neurons, drawn around -2, as seen through a noise that is known of each."""
    seen = known_weights(n, 0.5, 0.1, rng)
    values, information = seen.values.copy(), np.zeros((n, n + N_OWN + 1, n + N_OWN + 1))
    np.einsum("iff->if", information)[:] = 1.0 / noise[:, None] ** 2
    true = -2.0 + rng.normal(0, spread, (n, 1 + N_OWN))
    likeliest = true + rng.normal(0, noise[:, None], (n, 1 + N_OWN))
    information = information.astype(np.float32)
    derivatives = replace(seen.derivatives, fisher=information, expected=information)
    return replace(seen, values=values, derivatives=derivatives), likeliest, true


def likeliest_under_prior(fit, likeliest, noise):
    """History between the prior's mean and what the spikes say."""
    known = 1.0 / (1.0 + fit.history_precision * noise[:, None] ** 2)
    history = fit.history_mean + known * (likeliest - fit.history_mean)
    values = fit.values.copy()
    np.fill_diagonal(values, history[:, 0])
    values[:, -N_OWN - 1 : -1] = history[:, 1:]
    return replace(fit, values=values), history


def test_neurons_of_few_spikes_take_their_history_from_those_of_many():
    rng = np.random.default_rng(0)
    noise = np.where(np.arange(40) < 20, 0.1, 5.0)
    fit, likeliest, true = with_history(40, 0.3, noise, rng)
    for _ in range(30):
        fit, history = likeliest_under_prior(fit, likeliest, noise)
        fit = fit.with_estimated_history()
    np.testing.assert_allclose(fit.history_mean, -2.0, atol=0.3)
    np.testing.assert_allclose(fit.history_precision**-0.5, 0.3, rtol=0.5)
    informed, others = np.abs(history - true)[:20], np.abs(history - true)[20:]
    assert informed.mean() < 0.12
    assert others.mean() < 0.4 < np.abs(likeliest - true)[20:].mean()


def test_neurons_that_are_all_alike_do_not_hold_each_other_where_they_are():
    """However alike they are, the mean goes where their spikes lead."""
    noise = np.full(20, 0.1)
    fit, likeliest, _ = with_history(20, 0.0, noise, np.random.default_rng(1))
    fit = replace(fit, history_mean=np.full(1 + N_OWN, 4.0))
    fit = replace(fit, history_precision=np.full(1 + N_OWN, 1e6))
    for _ in range(6):
        fit, _ = likeliest_under_prior(fit, likeliest, noise)
        fit = fit.with_estimated_history()
    np.testing.assert_allclose(fit.history_mean, -2.0, atol=0.1)


def test_an_own_column_that_is_left_out_stays_at_zero_and_costs_no_evidence(traces):
    """All else is as it is where the column is held at zero by a prior that nothing moves."""
    alone = replace(start(traces, EXPONENTIAL), has_own_column=False)
    fit = evaluate(traces, alone)
    for _ in range(12):
        fit = SCORING.step(traces, fit)
    np.testing.assert_array_equal(np.diagonal(fit.values[:, :N]), 0.0)
    assert np.abs(fit.weights).max() > 0.1
    held = np.append(1e9, fit.history_precision[1:])
    pinned = replace(fit.parameters, has_own_column=True, history_precision=held)
    assert fit.log_evidence() == pytest.approx(evaluate(traces, pinned).log_evidence(), abs=0.01)


def test_no_kernel_is_likelier_where_spikes_say_nothing():
    """Evidence of the free mean of weights: traces of Poisson spikes have the same for any tau."""
    rng = np.random.default_rng(0)
    recording = Recording.from_arrays(
        rng.uniform(0, 300, 12_000), rng.integers(0, 4, 12_000), epochs_s=np.array([[0.0, 300.0]])
    )
    found = []
    for tau_s in (0.005, 0.02):
        kernel = KERNEL.exponential(tau_s)
        traces = synaptic_traces(recording, kernel=kernel, history_window_s=0.1, rng=rng)
        parameters = replace(start(traces, EXPONENTIAL), precision=np.full(4, 1e9))
        fit = evaluate(traces, replace(parameters, has_own_column=False))
        spread = np.sqrt(np.diag(np.cov(traces.at_times.T, aweights=traces.weight_s)))
        np.testing.assert_allclose(spread / kernel.fluctuation, np.sqrt(10.0), rtol=0.1)
        found.append(fit.log_evidence(kernel.fluctuation))
    assert found[0] == pytest.approx(found[1], abs=0.5)
