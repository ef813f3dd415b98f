from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from spikeweft.newton import (
    WeightPrior,
    estimate_prior,
    is_weight,
    link_step,
    penalty,
    resume_rows,
    row_step,
    sharpen,
    start_rows,
    weight_variance,
)
from spikeweft.prediction import Link, geometry, log_likelihood, rate_hz
from spikeweft.simulate.network import simulate
from spikeweft.simulate.neuron import LNPNeuron
from spikeweft.simulate.random import DirectedWiring, RandomNetwork
from spikeweft.traces import synaptic_traces

N = 6
RECTIFIED = Link(1.0, 3.0)
EXPONENTIAL = Link(1.0, 12.0)
"""So much gain that every rate lies on the softplus's exponential foot."""


@pytest.fixture(scope="module")
def traces():
    wiring = DirectedWiring(connection_probability=0.4, weight_sd=1e-3)
    network = RandomNetwork(
        neuron=LNPNeuron(threshold=9e-4), wiring=wiring, n_neurons=N, recurrent_strength=0.1
    )
    recording = simulate(network, 30.0, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    return synaptic_traces(recording, tau_s=0.01, history_window_s=0.1, rng=rng)


def converged(traces, link, n_steps=40, **changes):
    fit = replace(start_rows(traces, link), **changes)
    for _ in range(n_steps):
        fit = row_step(traces, fit)
    return fit


@pytest.fixture(scope="module")
def rectified(traces):
    return converged(traces, RECTIFIED)


def test_the_start_predicts_every_neurons_mean_rate(traces):
    for link in (RECTIFIED, EXPONENTIAL, Link(2.5, 1.0)):
        expected = traces.weight_s @ rate_hz(traces, start_rows(traces, link).rows, link)
        np.testing.assert_allclose(expected, traces.n_spikes, rtol=0.1)


@pytest.mark.parametrize("link", [RECTIFIED, EXPONENTIAL, Link(2.5, 1.0)])
def test_no_step_makes_a_row_less_likely(traces, link):
    """Under its prior, and to within the rounding of single precision."""
    fit = start_rows(traces, link)
    for _ in range(25):
        step = row_step(traces, fit)
        assert np.all(step.penalised >= fit.penalised - 1e-3)
        fit = step


def test_the_noted_geometry_is_the_one_of_the_noted_rows(traces):
    """Also where only some of the rows were allowed to step."""
    fit = start_rows(traces, RECTIFIED)
    for _ in range(6):
        fit = row_step(
            traces, replace(fit, damping=np.array([1.0, 1e-9] * 3), stride=8 + 0 * fit.stride)
        )
        fresh = geometry(traces, fit.rows, fit.link)
        np.testing.assert_array_equal(fit.geometry.log_likelihood, fresh.log_likelihood)
        np.testing.assert_array_equal(fit.geometry.fisher, fresh.fisher)


def test_at_the_maximum_likelihood_and_prior_are_in_balance(traces, rectified):
    """No direction is left in which a row would gain: the promise of a Newton step is nil."""
    gradient = rectified.geometry.gradient.copy()
    weights = is_weight(rectified.rows, N)
    gradient -= np.where(weights, rectified.prior.precision, 1e-3) * rectified.rows
    gradient[:, -1] += 1e-3 * rectified.rows[:, -1]
    curvature = rectified.geometry.fisher + 1e-6 * np.eye(gradient.shape[1])
    promised = np.einsum(
        "if,if->i", gradient, np.linalg.solve(curvature, gradient[:, :, None])[..., 0]
    )
    assert promised.max() < 0.02


@pytest.mark.parametrize("link", [RECTIFIED, EXPONENTIAL])
def test_a_general_optimiser_finds_the_same_maximum(traces, link):
    """Of one row, written out in double precision."""
    fit, neuron = converged(traces, link), 2
    spikes = slice(traces.offsets[neuron], traces.offsets[neuron + 1])
    at_spikes = traces.at_spikes[spikes].astype(float)
    one = np.ones((len(traces.times_s), 1))
    own = traces.own_at_times[:, :, neuron].T
    at_times = np.concatenate([traces.at_times, own, one], axis=1).astype(float)

    def loss(row):
        log_rate = np.log(np.logaddexp(0, at_spikes @ row)) + link.log_gain
        rate = np.exp(link.log_gain) * np.logaddexp(0, at_times @ row)
        rows = fit.rows.copy()
        rows[neuron] = row
        return traces.weight_s @ rate - log_rate.sum() + penalty(rows, fit)[neuron]

    best = minimize(loss, start_rows(traces, link).rows[neuron], options={"gtol": 1e-2})
    assert abs(loss(fit.rows[neuron]) - best.fun) < 0.02
    error = np.sqrt(weight_variance(fit)[neuron])
    assert np.all(np.abs(fit.rows[neuron, :N] - best.x[:N]) < 0.1 * error)


def test_the_link_is_learned_with_the_rows(traces):
    """Where its own two derivatives vanish, and the whole is likelier than before."""
    before = converged(traces, EXPONENTIAL, 10)
    fit = before
    for _ in range(12):
        fit = link_step(traces, row_step(traces, row_step(traces, fit)))
    assert fit.geometry.log_likelihood.sum() > before.geometry.log_likelihood.sum() + 5.0
    assert fit.link.power >= 1.0
    gain_score = fit.geometry.link_gradient.sum(0)[1]
    assert abs(gain_score) < 0.1 * np.sqrt(fit.geometry.link_fisher.sum(0)[1, 1])


def test_no_link_step_makes_the_whole_less_likely(traces):
    fit = start_rows(traces, Link(2.5, 1.0))
    for _ in range(15):
        step = link_step(traces, fit)
        assert step.penalised.sum() >= fit.penalised.sum()
        assert 1.0 <= step.link.power <= 4.0
        fit = step


def test_a_sharper_link_leaves_high_rates_as_they_are(traces, rectified):
    """Far above the bend, all of the change is undone by the gain."""
    high = replace(rectified, rows=rectified.rows + np.eye(rectified.rows.shape[1])[-1] * 30.0)
    before_hz, after_hz = (
        rate_hz(traces, fit.rows, fit.link) for fit in (high, sharpen(traces, high, 1.5))
    )
    above = before_hz > 15 * np.exp(RECTIFIED.log_gain)
    assert above.mean() > 0.99
    np.testing.assert_allclose(after_hz[above], before_hz[above], rtol=1e-4)
    sharp = sharpen(traces, rectified, 1.5)
    held_hz = rate_hz(traces, rectified.rows, rectified.link).min()
    assert rate_hz(traces, sharp.rows, sharp.link).min() < held_hz


def test_sharpening_back_and_forth_changes_nothing(traces, rectified):
    again = sharpen(traces, sharpen(traces, rectified, 1.5), 1 / 1.5)
    np.testing.assert_allclose(again.rows, rectified.rows, rtol=1e-12)
    np.testing.assert_allclose(again.link, rectified.link, rtol=1e-12)
    np.testing.assert_allclose(again.penalised, rectified.penalised, rtol=1e-6)


def known_weights(fit, mean, spread, noise, rng):
    """Weights drawn around a mean, as seen through a noise of known Fisher information."""
    true = rng.normal(mean, spread, (N, N))
    rows = np.zeros_like(fit.rows)
    rows[:, :N] = true + rng.normal(0, noise, (N, N))
    size = rows.shape[1]
    fisher = np.tile(np.eye(size) / noise**2, (N, 1, 1))
    return replace(fit, rows=rows, geometry=replace(fit.geometry, fisher=fisher))


@pytest.mark.parametrize(("spread", "noise"), [(0.5, 0.05), (0.5, 0.3), (2.0, 0.5)])
def test_the_prior_is_estimated_from_the_weights(rectified, spread, noise):
    """Rows that were shrunk by the prior still tell the spread of the true weights."""
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        seen = known_weights(rectified, 1.0, spread, noise, rng)
        prior = WeightPrior(mean=0.0, precision=1e-2)
        for _ in range(30):
            shrunk = np.where(
                is_weight(seen.rows, N),
                (seen.rows / noise**2 + prior.precision * prior.mean)
                / (noise**-2 + prior.precision),
                seen.rows,
            )
            prior = estimate_prior(replace(seen, rows=shrunk, prior=prior))
        found.append((prior.mean, prior.precision**-0.5))
    mean, sd = np.mean(found, axis=0)
    assert abs(mean - 1.0) < 3 * spread / np.sqrt(30 * 20) + 0.05
    np.testing.assert_allclose(sd, spread, rtol=0.15)


def test_no_spread_is_not_known_before_the_weights_have_moved(traces):
    """Where first steps fail and all weights are still zero, the prior must let them move later."""
    fit = start_rows(traces, RECTIFIED)
    fit = replace(fit, prior=estimate_prior(fit))
    for _ in range(40):
        fit = row_step(traces, fit)
        fit = replace(fit, prior=estimate_prior(fit))
    assert np.std(fit.rows[is_weight(fit.rows, N)]) > 0.05


def test_a_wide_prior_leaves_the_variance_to_the_likelihood(rectified):
    wide = replace(rectified, prior=WeightPrior(mean=0.0, precision=1e-9))
    tight = replace(rectified, prior=WeightPrior(mean=0.0, precision=1e4))
    assert np.all(weight_variance(tight)[~np.eye(N, dtype=bool)] < 1.01e-4)
    information = np.einsum("iff->if", rectified.geometry.fisher)[:, :N]
    assert np.all(weight_variance(wide) > 0.99 / information)


def test_the_prior_pulls_weights_towards_its_mean(traces):
    pulled = converged(traces, RECTIFIED, 30, prior=WeightPrior(mean=0.5, precision=1e7))
    entries = is_weight(pulled.rows, N)
    np.testing.assert_allclose(pulled.rows[entries], 0.5, atol=1e-2)
    assert not np.allclose(pulled.rows[np.arange(N), np.arange(N)], 0.5, atol=1e-2)


def test_fixed_weights_stay_while_history_and_bias_adapt(traces):
    fit = replace(start_rows(traces, RECTIFIED), weights_fixed=True)
    fit.rows[:, :N] = np.where(np.eye(N), 0.0, 0.25)
    fit = resume_rows(traces, fit)
    stepped = fit
    for _ in range(5):
        stepped = link_step(traces, row_step(traces, stepped))
    entries = is_weight(fit.rows, N)
    np.testing.assert_array_equal(stepped.rows[entries], fit.rows[entries])
    assert np.all(stepped.rows[:, -1] != fit.rows[:, -1])
    assert stepped.penalised.sum() > fit.penalised.sum()


def test_covariates_are_no_weights_and_hidden_neurons_are(traces):
    fit = start_rows(traces, RECTIFIED)
    entries = is_weight(fit.rows, N)
    assert not entries[np.arange(N), np.arange(N)].any()
    assert not entries[:, N:].any()
    assert entries.sum() == N * (N - 1)
    with_hidden = is_weight(fit.rows, N + 1)
    np.testing.assert_array_equal(with_hidden[:, N], True)


def test_what_fits_also_predicts(traces, rectified):
    """Coupling explains more than mean rates do, and the noted likelihood is the likelihood."""
    alone = start_rows(traces, RECTIFIED).geometry.log_likelihood
    found = log_likelihood(traces, rectified.rows, rectified.link)
    assert np.all(found > alone)
    np.testing.assert_allclose(found, rectified.geometry.log_likelihood, rtol=1e-5)
