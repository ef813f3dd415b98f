from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from spikeweft.circuit_gnn.fitting.ablations import (
    EXPONENTIAL_LINK,
    curvature_of_spikes,
    diagonal_of,
)
from spikeweft.circuit_gnn.spike_prediction import fisher_scoring as newton
from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import (
    LEARNED_LINK,
    RowFit,
    curvature,
    determined,
    estimate_precision,
    full_curvature,
    is_weight,
    link_step,
    penalty,
    pull,
    resume_rows,
    row_step,
    sharpen,
    start_rows,
    weight_variance,
)
from spikeweft.circuit_gnn.spike_prediction.likelihood import (
    Geometry,
    geometry,
    log_likelihood,
    rate_hz,
)
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.traces import synaptic_traces
from spikeweft.data.recording import Recording
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.random_networks import DirectedWiring, RandomNetwork

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
    slope = rectified.geometry.gradient - pull(rectified)
    step = np.linalg.solve(curvature(rectified), slope[:, :, None])[..., 0]
    assert np.einsum("if,if->i", slope, step).max() < 0.02


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


@pytest.mark.parametrize(
    "step_curvature", [curvature_of_spikes, diagonal_of(full_curvature)], ids=["spikes", "diagonal"]
)
def test_what_steps_divide_by_changes_the_way_and_not_the_maximum(
    traces, rectified, step_curvature
):
    """Both ways get there; with the whole curvature it takes fewer steps."""
    found = converged(traces, RECTIFIED, 250, step_curvature=step_curvature)
    np.testing.assert_allclose(found.penalised, rectified.penalised, atol=0.1)
    few, few_whole = (
        converged(traces, RECTIFIED, 6, step_curvature=c) for c in (step_curvature, full_curvature)
    )
    assert few.penalised.sum() < few_whole.penalised.sum()


def test_the_diagonal_tells_no_parameter_from_another(rectified):
    whole, diagonal = full_curvature(rectified), diagonal_of(full_curvature)(rectified)
    np.testing.assert_array_equal(np.einsum("iff->if", diagonal), np.einsum("iff->if", whole))
    assert np.count_nonzero(diagonal) == diagonal.shape[0] * diagonal.shape[1]


def test_the_curvature_of_spikes_does_not_know_what_is_expected(rectified):
    """Twice its information is the sum of both where the model is right: here, nearly."""
    spikes, whole = curvature_of_spikes(rectified), full_curvature(rectified)
    bare = replace(
        rectified,
        geometry=replace(rectified.geometry, expected=0 * rectified.geometry.expected),
    )
    np.testing.assert_array_equal(curvature_of_spikes(bare), spikes)
    assert np.all(full_curvature(bare)[:, 0, 0] < whole[:, 0, 0])


def test_the_exponential_link_is_one_and_stays_one(traces):
    """The log rate follows the drive one to one at every rate; steps and bends leave it so."""
    ((power, below),) = EXPONENTIAL_LINK.starts.items()
    link = Link(power, np.log(20.0) - below)
    drive = torch.log(torch.tensor([0.1, 1.0, 20.0, 500.0])) - link.log_gain
    log_rate = link.log_rate(drive)
    torch.testing.assert_close(log_rate, drive + link.log_gain, rtol=0.0, atol=1e-4)
    fit = EXPONENTIAL_LINK.bend(traces, start_rows(traces, link), 1.5)
    for _ in range(3):
        fit = EXPONENTIAL_LINK.step(traces, fit)
    assert fit.link == link
    assert LEARNED_LINK.step(traces, fit).link != link


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


# -- the prior --


def test_what_all_weights_of_a_row_share_has_no_prior(rectified):
    """A constant added to all weights of a row changes neither the penalty nor its slope."""
    weights = is_weight(rectified.rows, N)
    shifted = replace(rectified, rows=rectified.rows + np.where(weights, 0.7, 0.0))
    before = penalty(rectified.rows, rectified)
    np.testing.assert_allclose(penalty(shifted.rows, rectified), before, rtol=1e-9)
    np.testing.assert_allclose(pull(shifted), pull(rectified), atol=1e-9)
    np.testing.assert_allclose(np.sum(pull(rectified), axis=1, where=weights), 0.0, atol=1e-9)
    one = np.where(weights, 1.0, 0.0)
    prior = curvature(rectified) - rectified.geometry.information
    np.testing.assert_allclose(np.einsum("ifg,ig->if", prior, one), 0.0, atol=1e-9)


def test_the_pull_is_the_slope_of_the_penalty_and_the_curvature_its_bend(rectified):
    """But for the bias, which is only held lightly where it steps."""
    rng = np.random.default_rng(0)
    prior = curvature(rectified) - rectified.geometry.information
    away = rng.normal(size=rectified.rows.shape)
    away[:, -1] = 0.0
    moved = [replace(rectified, rows=rectified.rows + s * away) for s in (1e-3, -1e-3)]
    ahead, behind = (penalty(fit.rows, rectified) for fit in moved)
    slope = (ahead - behind) / 2e-3
    np.testing.assert_allclose(np.einsum("if,if->i", pull(rectified), away), slope, rtol=1e-6)
    bend = (pull(moved[0]) - pull(moved[1])) / 2e-3
    np.testing.assert_allclose(np.einsum("ifg,ig->if", prior, away), bend, atol=1e-6)
    np.testing.assert_allclose(prior, prior.transpose(0, 2, 1))
    assert np.linalg.eigvalsh(prior).min() > -1e-6


def known_weights(n, spread, noise, rng):
    """Weights of n neurons, drawn around 1, as seen through a noise of known information."""
    rows = np.zeros((n, n + 3))
    rows[:, :n] = rng.normal(1.0, spread, (n, n)) + rng.normal(0, noise, (n, n))
    fisher = np.tile(np.eye(n + 3) / noise**2, (n, 1, 1))
    known = Geometry(
        n_spikes=np.ones(n, np.int64),
        log_likelihood=np.zeros(n),
        gradient=np.zeros_like(rows),
        fisher=fisher,
        expected=fisher,
        link_gradient=np.zeros((n, 2)),
        link_cross=np.zeros((n, n + 3, 2)),
        link_fisher=np.zeros((n, 2, 2)),
    )
    return RowFit(
        rows=rows,
        link=RECTIFIED,
        precision=1.0,
        geometry=known,
        damping=np.ones(n),
        stride=np.ones(n),
        n_sources=n,
    )


def shrunk(seen, precision, noise):
    """The weights that are likeliest under the prior: each is drawn to the mean of its row."""
    entries = is_weight(seen.rows, seen.n_sources)
    mean = np.sum(seen.rows, axis=1, where=entries, keepdims=True) / (seen.n_sources - 1)
    drawn = mean + (seen.rows - mean) / (1 + precision * noise**2)
    rows = np.where(entries, drawn, seen.rows)
    return replace(seen, rows=rows, precision=precision)


@pytest.mark.parametrize(("spread", "noise"), [(0.5, 0.05), (0.5, 0.3), (2.0, 0.5)])
def test_the_prior_is_estimated_from_the_weights(spread, noise):
    """Rows that were shrunk by the prior still tell the spread of the true weights."""
    found = []
    for seed in range(10):
        seen = known_weights(20, spread, noise, np.random.default_rng(seed))
        precision = 1e-2
        for _ in range(30):
            precision = estimate_precision(shrunk(seen, precision, noise))
        found.append(precision**-0.5)
    np.testing.assert_allclose(np.mean(found), spread, rtol=0.05)


def test_no_spread_is_not_known_before_the_weights_have_moved(traces):
    """Where first steps fail and all weights are still zero, the prior must let them move later."""
    fit = start_rows(traces, RECTIFIED)
    assert estimate_precision(fit) == fit.precision
    for _ in range(40):
        fit = row_step(traces, fit)
        fit = replace(fit, precision=estimate_precision(fit))
    assert np.std(fit.rows[is_weight(fit.rows, N)]) > 0.05


def test_a_wide_prior_leaves_the_variance_to_the_likelihood(rectified):
    wide, tight = (replace(rectified, precision=p) for p in (1e-9, 1e9))
    information = np.einsum("iff->if", rectified.geometry.information)[:, :N]
    off = ~np.eye(N, dtype=bool)
    assert np.all(weight_variance(wide) > 0.99 / information)
    assert np.all(weight_variance(tight)[off] < weight_variance(wide)[off])


def test_spikes_determine_a_weight_as_far_as_they_outweigh_its_prior(rectified):
    """All of it under a wide prior, none of it under a tight one."""
    off = ~np.eye(N, dtype=bool)
    wide, fitted, tight = (
        determined(replace(rectified, precision=p))[off] for p in (1e-6, rectified.precision, 1e9)
    )
    assert wide.min() > 0.99
    assert tight.max() < 0.01
    assert np.all((tight <= fitted) & (fitted <= wide))


def test_the_prior_draws_weights_to_the_mean_of_their_row_and_leaves_the_mean_alone(traces):
    pulled, free = (converged(traces, RECTIFIED, 30, precision=p) for p in (1e7, 1e-3))
    entries = is_weight(pulled.rows, N)
    mean = np.sum(pulled.rows, axis=1, where=entries, keepdims=True) / (N - 1)
    distance = np.where(entries, pulled.rows - mean, 0.0)
    assert np.abs(distance).max() < 1e-2
    assert np.std(mean) > 0.02, "each row has a mean of its own"
    assert np.std(free.rows[entries]) > 0.2


def test_a_weight_of_which_spikes_tell_nothing_is_like_those_of_which_they_do(traces):
    """Neuron 0 is heard of no more: what it sends is the mean of what the others send."""
    deaf = replace(traces, at_spikes=traces.at_spikes.copy(), at_times=traces.at_times.copy())
    deaf.at_spikes[:, 0] = 0.0
    deaf.at_times[:, 0] = 0.0
    fit = converged(deaf, RECTIFIED, 30)
    others = np.sum(fit.rows[:, 1:N], axis=1, where=is_weight(fit.rows, N)[:, 1:N])[1:] / (N - 2)
    np.testing.assert_allclose(fit.rows[1:, 0], others, rtol=0.02)
    assert np.all(determined(fit)[1:, 0] < 0.5)
    assert np.all(determined(fit)[1:, 0] < determined(fit)[1:, 1:].max(axis=1))


def test_a_step_is_held_back_by_spikes_that_are_expected_and_do_not_come(traces):
    """One neuron excites by the model but not by the spikes: its own spikes know of no curvature.

    All spikes of neuron 1 that fall into the trace of neuron 0 are taken away, so the spikes alone
    say nothing of this weight; the step stays where the likelihood is still well described.
    """
    mine = np.zeros(len(traces.at_spikes), dtype=bool)
    mine[traces.offsets[1] : traces.offsets[2]] = True
    kept = ~mine | (traces.at_spikes[:, 0] < 1e-2)
    neurons = np.repeat(np.arange(N), np.diff(traces.offsets))[kept]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(neurons, minlength=N))])
    without = replace(
        traces,
        at_spikes=traces.at_spikes[kept],
        spike_times_s=traces.spike_times_s[kept],
        offsets=offsets,
    )
    fit = start_rows(without, RECTIFIED)
    assert fit.geometry.fisher[1, 0, 0] < 0.1 * fit.geometry.expected[1, 0, 0]
    stepped = row_step(without, replace(fit, damping=np.full(N, 1e-9)))
    gain = stepped.penalised[1] - fit.penalised[1]
    assert gain > 0, "the very first step is taken"
    assert stepped.rows[1, 0] < 0
    best = converged(without, RECTIFIED, 60)
    assert gain > 0.3 * (best.penalised[1] - fit.penalised[1])


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


def test_nothing_is_known_of_what_a_silent_neuron_receives():
    """Its prior leaves the mean of its row open, so its curvature has no inverse."""
    wiring = DirectedWiring(connection_probability=0.4, weight_sd=1e-3)
    network = RandomNetwork(neuron=LNPNeuron(threshold=9e-4), wiring=wiring, n_neurons=N)
    recording = replace(
        simulate(network, 10.0, np.random.default_rng(0)), n_neurons=N + 1, neuron_ids=()
    )
    rng = np.random.default_rng(0)
    heard = synaptic_traces(recording, tau_s=0.01, history_window_s=0.1, rng=rng)
    fit = converged(heard, RECTIFIED, n_steps=10)
    variance = weight_variance(fit)
    assert np.all(np.isinf(variance[N]))
    assert np.all(np.isfinite(variance[:N]))
    assert np.all(variance[:N] > 0)
    np.testing.assert_array_equal(determined(fit)[N], 0.0)


def test_nothing_is_known_of_what_a_neuron_receives_that_never_hears_another():
    """One neuron fires, seconds apart: no trace is left at its next spike."""
    recording = Recording.from_arrays(
        np.arange(7.0), np.full(7, N - 1), n_neurons=N, epochs_s=np.array([[0.0, 6.0]]), tick_s=1e-4
    )
    rng = np.random.default_rng(0)
    heard = synaptic_traces(recording, tau_s=0.01, history_window_s=0.1, rng=rng)
    fit = converged(heard, RECTIFIED, n_steps=2)
    assert np.all(np.isinf(weight_variance(fit)[: N - 1]))
    np.testing.assert_array_equal(determined(fit)[~np.eye(N, dtype=bool)], 0.0)


def test_a_long_step_that_changes_no_rate_is_taken_whole():
    """Its change of the log rate, squared, may come out below zero by rounding."""
    fisher = np.array([[[1.0, 1.0], [1.0, 1.0 - 1e-9]]])
    there = Geometry(
        n_spikes=np.array([100]),
        log_likelihood=np.zeros(1),
        gradient=np.zeros((1, 2)),
        fisher=fisher,
        expected=fisher,
        link_gradient=np.zeros((1, 2)),
        link_cross=np.zeros((1, 2, 2)),
        link_fisher=np.zeros((1, 2, 2)),
    )
    step = np.array([[2.0, -2.0]])
    assert np.einsum("if,ifg,ig->i", step, fisher, step)[0] < 0
    np.testing.assert_array_equal(newton._within_trust(step, there), step)
