from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from tests.circuit_gnn.spike_prediction.conftest import (
    EXPONENTIAL,
    RECTIFIED,
    SCORING,
    N,
    converged,
    start,
)

from spikeweft.circuit_gnn.ablations import (
    DiagonalScoring,
    ExponentialLinkProblem,
    SpikesOnlyScoring,
)
from spikeweft.circuit_gnn.spike_prediction import fisher_scoring
from spikeweft.circuit_gnn.spike_prediction.likelihood import (
    LikelihoodDerivatives,
    likelihood_derivatives,
    log_likelihood,
)
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import evaluate


@pytest.mark.parametrize("link", [RECTIFIED, EXPONENTIAL, Link(2.5, 1.0)])
def test_no_step_makes_a_neuron_less_likely(traces, link):
    """Under its prior, and to within the rounding of single precision."""
    fit = start(traces, link)
    for _ in range(25):
        step = SCORING.step(traces, fit)
        assert np.all(step.penalised >= fit.penalised - 1e-3)
        fit = step


def test_the_noted_derivatives_are_those_of_the_noted_parameters(traces):
    """Also where only some of the neurons were allowed to step."""
    fit = start(traces, RECTIFIED)
    for _ in range(6):
        fit = SCORING.step(
            traces,
            replace(fit, damping=np.array([1.0, 1e-9] * 3), step_length=8 + 0 * fit.step_length),
        )
        fresh = likelihood_derivatives(traces, fit.values, fit.link)
        np.testing.assert_array_equal(fit.derivatives.log_likelihood, fresh.log_likelihood)
        np.testing.assert_array_equal(fit.derivatives.fisher, fresh.fisher)


def test_at_the_maximum_likelihood_and_prior_are_in_balance(traces, rectified):
    """No direction is left in which a neuron would gain: a Newton step promises nothing."""
    slope = rectified.derivatives.gradient - rectified.prior_gradient
    step = np.linalg.solve(rectified.posterior_precision(), slope[:, :, None])[..., 0]
    assert np.einsum("if,if->i", slope, step).max() < 0.02


@pytest.mark.parametrize("link", [RECTIFIED, EXPONENTIAL])
def test_a_general_optimiser_finds_the_same_maximum(traces, link):
    """Of one neuron, written out in double precision."""
    fit, neuron = converged(traces, link), 2
    spikes = slice(traces.offsets[neuron], traces.offsets[neuron + 1])
    at_spikes = traces.at_spikes[spikes].astype(float)
    one = np.ones((len(traces.times_s), 1))
    own = np.stack([trace[:, neuron] for trace in traces.own_at_times], axis=1)
    at_times = np.concatenate([traces.at_times, own, one], axis=1).astype(float)

    def loss(row):
        log_rate = np.log(np.logaddexp(0, at_spikes @ row)) + link.log_gain
        rate = np.exp(link.log_gain) * np.logaddexp(0, at_times @ row)
        rows = fit.values.copy()
        rows[neuron] = row
        return traces.weight_s @ rate - log_rate.sum() + fit.penalty(rows)[neuron]

    best = minimize(loss, start(traces, link).values[neuron], options={"gtol": 1e-2})
    assert abs(loss(fit.values[neuron]) - best.fun) < 0.02
    error = np.sqrt(fit.weight_variance[neuron])
    assert np.all(np.abs(fit.values[neuron, :N] - best.x[:N]) < 0.1 * error)


@pytest.mark.slow
@pytest.mark.parametrize(
    "scoring", [SpikesOnlyScoring(), DiagonalScoring()], ids=["spikes", "diagonal"]
)
def test_what_steps_divide_by_changes_the_way_and_not_the_maximum(traces, rectified, scoring):
    """Both get there, but for gains that drown in rounding; the whole one in fewer steps."""
    found = converged(traces, RECTIFIED, 250, scoring)
    np.testing.assert_allclose(found.penalised, rectified.penalised, atol=0.2)
    few, few_whole = (converged(traces, RECTIFIED, 6, s) for s in (scoring, SCORING))
    assert few.penalised.sum() < few_whole.penalised.sum()


def test_the_diagonal_separates_no_parameter_from_another(rectified):
    whole, diagonal = SCORING.step_curvature(rectified), DiagonalScoring().step_curvature(rectified)
    np.testing.assert_array_equal(np.einsum("iff->if", diagonal), np.einsum("iff->if", whole))
    assert np.count_nonzero(diagonal) == diagonal.shape[0] * diagonal.shape[1]


def test_the_curvature_of_spikes_does_not_know_what_is_expected(rectified):
    """Twice its information is the sum of both where the model is right: here, nearly."""
    spikes, whole = SpikesOnlyScoring().step_curvature(rectified), SCORING.step_curvature(rectified)
    bare = replace(
        rectified,
        derivatives=replace(rectified.derivatives, expected=0 * rectified.derivatives.expected),
    )
    np.testing.assert_array_equal(SpikesOnlyScoring().step_curvature(bare), spikes)
    assert np.all(SCORING.step_curvature(bare)[:, 0, 0] < whole[:, 0, 0])


def test_the_exponential_link_is_one_and_stays_one(traces):
    """The log rate follows the drive at every rate, and no step changes it."""
    link = ExponentialLinkProblem.first_link.link(np.log(20.0))
    drive = torch.log(torch.tensor([0.1, 1.0, 20.0, 500.0])) - link.log_gain
    log_rate = link.log_rate(drive)
    torch.testing.assert_close(log_rate, drive + link.log_gain, rtol=0.0, atol=1e-4)
    scoring, fit = ExponentialLinkProblem.scoring, start(traces, link)
    for _ in range(3):
        fit = scoring.joint_step(traces, fit)
    assert fit.link == link
    assert SCORING.joint_step(traces, fit).link != link


def test_the_link_is_learned_with_the_neurons(traces):
    """From an exponential to one that bends where the neurons do: the evidence is far higher."""
    before = converged(traces, EXPONENTIAL, 10)
    fit = before
    for _ in range(12):
        fit = SCORING.joint_step(traces, SCORING.step(traces, SCORING.step(traces, fit)))
    assert fit.log_likelihood > before.log_likelihood + 100.0
    assert fit.log_evidence() > before.log_evidence() + 100.0
    assert before.link.shape(before.log_rate_at_spikes).bend < -5.0
    assert fit.link.shape(fit.log_rate_at_spikes).bend > 1.0


def test_no_link_step_makes_the_whole_less_likely(traces):
    fit = start(traces, Link(2.5, 1.0))
    for _ in range(15):
        step = SCORING.joint_step(traces, fit)
        assert step.penalised.sum() >= fit.penalised.sum()
        assert step.log_evidence() >= fit.log_evidence()
        assert 1.0 <= step.link.power <= 4.0
        fit = step


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
    fit = start(without, RECTIFIED)
    assert fit.derivatives.fisher[1, 0, 0] < 0.1 * fit.derivatives.expected[1, 0, 0]
    stepped = SCORING.step(without, replace(fit, damping=np.full(N, 1e-9)))
    gain = stepped.penalised[1] - fit.penalised[1]
    assert gain > 0, "the very first step is taken"
    assert stepped.values[1, 0] < 0
    best = converged(without, RECTIFIED, 60)
    assert gain > 0.3 * (best.penalised[1] - fit.penalised[1])


def test_fixed_weights_stay_while_history_and_bias_adapt(traces):
    """To a change of the link they answer together, and keep their proportions."""
    fit = replace(start(traces, RECTIFIED), weights_fixed=True)
    fit.values[:, :N] = np.where(np.eye(N), 0.0, np.linspace(0.1, 0.4, N))
    fit = evaluate(traces, fit.parameters.with_careful_steps())
    stepped, entries = fit, fit.is_weight
    for _ in range(3):
        stepped = SCORING.step(traces, stepped)
    np.testing.assert_array_equal(stepped.values[entries], fit.values[entries])
    assert np.all(stepped.values[:, -1] != fit.values[:, -1])
    assert stepped.penalised.sum() > fit.penalised.sum()
    linked = SCORING.joint_step(traces, stepped)
    assert linked.link != stepped.link
    scale = linked.values[entries] / fit.values[entries]
    np.testing.assert_allclose(scale, scale[0], rtol=1e-9)


def test_what_fits_also_predicts(traces, rectified):
    """Coupling explains more than mean rates do, and the noted likelihood is the likelihood."""
    alone = start(traces, RECTIFIED).derivatives.log_likelihood
    found = log_likelihood(traces, rectified.values, rectified.link)
    assert np.all(found > alone)
    np.testing.assert_allclose(found, rectified.derivatives.log_likelihood, rtol=1e-5)


def test_a_long_step_that_changes_no_rate_is_taken_whole():
    """Its change of the log rate, squared, may come out below zero by rounding."""
    fisher = np.array([[[1.0, 1.0], [1.0, 1.0 - 1e-7]]], np.float32)
    there = LikelihoodDerivatives(
        n_spikes=np.array([100]),
        log_likelihood=np.zeros(1),
        gradient=np.zeros((1, 2)),
        fisher=fisher,
        expected=fisher,
        link_gradient=np.zeros((1, 2)),
        link_cross=np.zeros((1, 2, 2), np.float32),
        link_fisher=np.zeros((1, 2, 2), np.float32),
    )
    step = np.array([[2.0, -2.0]])
    assert np.einsum("if,ifg,ig->i", step, fisher, step)[0] < 0
    np.testing.assert_array_equal(fisher_scoring._within_trust(step, there), step)
