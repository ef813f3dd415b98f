import numpy as np
import pytest
import torch
from tests.circuit_gnn.structure_learning.conftest import generator

from spikeweft.circuit_gnn.ablations import isotropic
from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import FisherScoring
from spikeweft.circuit_gnn.spike_prediction.likelihood import log_likelihood
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.link_path import LinkPath
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import (
    evaluate,
    without_connections,
)
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import synaptic_traces
from spikeweft.circuit_gnn.structure_learning.quadratic_form import (
    ConditionalOptimum,
    QuadraticLikelihood,
    WeightLikelihood,
    is_weight,
)
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.random_networks import DirectedWiring, RandomNetwork

N = 6
LINK = Link(1.2, 3.0)


@pytest.fixture(scope="module")
def traces():
    wiring = DirectedWiring(connection_probability=0.4, weight_sd=1e-3)
    network = RandomNetwork(
        neuron=LNPNeuron(threshold=9e-4), wiring=wiring, n_neurons=N, recurrent_strength=0.1
    )
    recording = simulate(network, 40.0, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    kernel = SynapticKernel.exponential(0.01)
    return synaptic_traces(recording, kernel=kernel, history_window_s=0.1, rng=rng, n_shared=1)


@pytest.fixture(scope="module")
def fit(traces):
    """A fit that has almost converged."""
    found, scoring = evaluate(traces, without_connections(traces, LINK)), FisherScoring()
    for _ in range(8):
        found = scoring.step(traces, found)
    return found


def small_change(fit, scale, seed=0):
    """A change of the weights that their standard errors would allow."""
    size = scale / np.sqrt(np.einsum("iff->if", fit.derivatives.fisher)[:, :N])
    change = size * np.random.default_rng(seed).normal(size=(N, N))
    np.fill_diagonal(change, 0.0)
    return torch.from_numpy(change)


def test_the_quadratic_form_is_the_likelihood_nearby(traces, fit):
    """Any parameters may change, but not the link; the likelihood is taken anew."""
    form = QuadraticLikelihood.around(fit)
    rng = np.random.default_rng(1)
    size = 0.5 / np.sqrt(np.einsum("ipp->ip", form.fisher.numpy()) + 1e-9)
    change = np.where(form.fisher.diagonal(dim1=1, dim2=2) > 0, size, 0.0)
    change = change * rng.normal(size=change.shape)
    before = log_likelihood(traces, fit.values, LINK).sum()
    after = log_likelihood(traces, fit.values + change, LINK).sum()
    np.testing.assert_allclose(form.nats(torch.from_numpy(change)), before - after, rtol=0.15)


def test_all_else_is_where_a_fit_of_it_alone_would_be(fit):
    """The same as solving for the history and bias of each neuron, for given weights."""
    form, change = QuadraticLikelihood.around(fit), small_change(fit, 3.0)
    optimum = ConditionalOptimum.of(form, N).given(change).numpy()
    entries = is_weight(N, optimum.shape[1], N).numpy()
    weights = np.where(entries[:, :N], change.numpy(), 0.0)
    np.testing.assert_allclose(np.where(entries, optimum, 0.0)[:, :N], weights)
    for i in range(N):
        own = np.flatnonzero(~entries[i])
        fisher = form.fisher[i].numpy()
        push = form.gradient[i].numpy() - fisher[:, :N] @ weights[i]
        solved = np.linalg.solve(fisher[np.ix_(own, own)] + 1e-3 * np.eye(len(own)), push[own])
        np.testing.assert_allclose(optimum[i, own], solved, rtol=1e-6, atol=1e-9)


def test_nothing_else_is_likelier_than_the_conditional_optimum(fit):
    """Moving any history or bias away from it costs likelihood."""
    form = QuadraticLikelihood.around(fit)
    optimum = ConditionalOptimum.of(form, N).given(small_change(fit, 1.0))
    best, rng = float(form.nats(optimum)), np.random.default_rng(0)
    for _ in range(20):
        moved = optimum.clone()
        away = 0.05 * rng.normal(size=(N, optimum.shape[1] - N))
        moved[:, N:] += torch.from_numpy(away)
        assert float(form.nats(moved)) > best - 1e-3


def test_the_conditional_optimum_makes_up_for_most_of_a_change(traces, fit):
    """Weights pushed up are met by lower biases, by the true likelihood after a large step."""
    change = torch.full((N, N), 0.1, dtype=torch.float64).fill_diagonal_(0.0)
    others = ConditionalOptimum.of(QuadraticLikelihood.around(fit), N)
    optimum = others.given(change).numpy()
    stiff = fit.values.copy()
    stiff[:, :N] += change.numpy()
    met = log_likelihood(traces, fit.values + optimum, LINK).sum()
    start = log_likelihood(traces, fit.values, LINK).sum()
    assert log_likelihood(traces, stiff, LINK).sum() < met
    assert met < start


def test_the_form_of_the_weights_is_the_whole_one_with_all_else_at_its_optimum(fit):
    """Its values up to a constant, and its slope; with hidden sources, and with a link."""
    for n_sources, with_link in ((N, False), (N + 2, False), (N, True)):
        form = QuadraticLikelihood.around(fit, with_link)
        others = ConditionalOptimum.of(form, n_sources)
        alone = WeightLikelihood.of(form, others, n_sources)
        changes = 0.3 * torch.randn(5, N, n_sources, generator=generator(), dtype=torch.float64)
        for change in changes:
            change.fill_diagonal_(0.0)
        through_all = torch.stack([form.nats(others.given(change)) for change in changes])
        by_weights = torch.stack([alone.nats(change) for change in changes])
        single = {"rtol": 1e-4, "atol": 1e-4}
        torch.testing.assert_close(
            by_weights - by_weights[0], through_all - through_all[0], **single
        )
        there = changes[0].clone().requires_grad_()
        (slope,) = torch.autograd.grad(alone.nats(there), there)
        (whole,) = torch.autograd.grad(form.nats(others.given(there)), there)
        torch.testing.assert_close(slope, whole, rtol=1e-4, atol=2e-3)


def loss_of(form):
    """Rise of the negative log-likelihood with the weights, all else at its optimum."""
    others = ConditionalOptimum.of(form, N)
    return WeightLikelihood.of(form, others, N).nats


def test_in_the_isotropic_form_all_weights_count_alike(fit):
    """Two equally large changes of one weight each cost the same; by the spikes they do not."""
    form = QuadraticLikelihood.around(fit)
    level = form._replace(gradient=torch.zeros_like(form.gradient))

    def costs(loss):
        changes = torch.zeros(3, N, N, dtype=torch.float64)
        for k, (post, pre) in enumerate([(0, 1), (3, 2), (5, 4)]):
            changes[k, post, pre] = 1.0
        return [float(loss(change)) for change in changes]

    alike, informed = costs(loss_of(isotropic(level, N))), costs(loss_of(level))
    np.testing.assert_allclose(alike, alike[0], rtol=1e-6)
    assert max(informed) > 1.1 * min(informed)


def test_the_isotropic_form_knows_the_slope(fit):
    """The smallest changes cost the same in either form."""
    form = QuadraticLikelihood.around(fit).with_prior_of_others(fit)
    change = small_change(fit, 1e-6)
    losses = loss_of(isotropic(form, N)), loss_of(form)
    plain, natural = (float(loss(change) - loss(0 * change)) for loss in losses)
    np.testing.assert_allclose(plain, natural, rtol=0.05, atol=1e-9)


def test_weights_from_hidden_neurons_are_weights_too(fit):
    """A change of theirs is passed on as it is, and the bias follows it."""
    form, change = (
        QuadraticLikelihood.around(fit),
        torch.zeros(N, N + 2, dtype=torch.float64),
    )
    change[:, N + 1] = 0.1
    others = ConditionalOptimum.of(form, N + 2)
    optimum, still = others.given(change), others.given(0 * change)
    torch.testing.assert_close(optimum[:, : N + 2].fill_diagonal_(0.0), change)
    assert float((optimum - still)[:, N + 2 :].abs().max()) > 1e-4


# -- a link that follows --


def test_with_the_link_the_form_is_the_likelihood_of_a_joint_change(traces, fit):
    """Along the path of the link and of all coefficients; the likelihood is taken anew."""
    form = QuadraticLikelihood.around(fit, with_link=True)
    rng = np.random.default_rng(2)
    for shared in ([0.02, 0.0], [0.0, 0.02], [-0.02, 0.02]):
        coefficients = 0.005 * rng.normal(size=fit.values.shape)
        path = LinkPath.along(fit, np.array(shared), coefficients)
        moved = path.at(1.0)
        before = log_likelihood(traces, fit.values, fit.link).sum()
        after = log_likelihood(traces, moved.values, moved.link).sum()
        change = np.concatenate([coefficients, np.tile(shared, (N, 1))], axis=1)
        rise = float(form.nats(torch.from_numpy(change)))
        assert rise == pytest.approx(before - after, rel=0.2, abs=0.2)


def test_a_link_that_follows_is_at_its_optimum(fit):
    """Given a change of the weights, no other link makes the form lower."""
    form = QuadraticLikelihood.around(fit, with_link=True)
    others, change = ConditionalOptimum.of(form, N), small_change(fit, 1.0)
    optimum = others.given(change)
    torch.testing.assert_close(optimum[:, -2:], others.link(change).expand(N, 2))
    best = float(form.nats(optimum))
    for away in ([0.1, 0.0], [0.0, 0.1], [0.1, -0.1]):
        moved = optimum.clone()
        moved[:, -2:] += torch.tensor(away, dtype=torch.float64)
        assert float(form.nats(moved)) > best


def test_with_the_prior_of_all_else_a_fit_of_all_else_is_at_rest(traces, fit):
    """Own history and bias that were fitted under their prior stay, where no weight changes."""
    for _ in range(20):
        fit = FisherScoring().step(traces, fit)
    form = QuadraticLikelihood.around(fit)
    none = torch.zeros(N, N, dtype=torch.float64)
    with_prior = ConditionalOptimum.of(form.with_prior_of_others(fit), N).given(none)
    without = ConditionalOptimum.of(form, N).given(none)
    assert float(with_prior.abs().max()) < 0.01
    assert float(without.abs().max()) > 0.1


def test_some_neurons_stand_for_all(fit):
    """Where the link stays, halves that each stand for all of them have the whole as their mean."""
    form, change = QuadraticLikelihood.around(fit), small_change(fit, 1.0)
    whole = WeightLikelihood.of(form, ConditionalOptimum.of(form, N), N)
    halves = [torch.arange(0, N, 2), torch.arange(1, N, 2)]
    found = [whole.of_rows(half).nats(change[half]) for half in halves]
    np.testing.assert_allclose(sum(found) / 2, whole.nats(change), rtol=1e-6)
